//! A proof in simulation is a **signed re-execution**: the simulator executes the shard's transactions once more, and signs the output. Those of the fixed rules it executes in plain
//! Rust; those of contracts by blockifier and the program's replay, which asserts what a proof of it would show.
//!
//! A STARK takes seconds of every core; a simulation has milliseconds. So the [`Notary`] stands for soundness: it looks the output up in the witness that
//! the prover assembled, and what was logged when; executes the shard's transactions by itself, and signs only if both agree; and it believes its own signature alone.
//! All else about a proof (its file, its hash, how it is fetched and what is done with its output) is the node's own code. Nothing outside of this
//! module makes or believes such a proof, and `shardwire run` can't be given one: the program doesn't contain it.

mod contracts;
mod memory;
mod rules;

use self::{contracts::Contracts, memory::Memory};
use crate::{contracts::prepared::compile, dice::Dice};
use serde::{Deserialize, Serialize};
use shardwire::proofs::{Answering, Cancelled, Proofs, Prove, Proving as ProofInTheMaking, Verify};
use shardwire_model::{Felt, Logged, Output, PeerId, ShardId, ShardStart, ShardTransaction, Terms, reads};
use shardwire_native::{Genesis, Ground};
use shardwire_program::Execution;
use shardwire_protocols::{Signed, Statement};
use shardwire_proving::{
    verify::{Proven, VerifyError},
    worker::{LocateError, ProveError, Proved},
};
use shardwire_transport::Identity;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::sleep;

use shardwire_disk::SimulatedDisk;
use shardwire_store::{Disk as _, DiskError};

/// Where an output names its program.
const PROGRAM: usize = 1;

/// What is signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SignedReexecution {
    output: Vec<[u8; 32]>,
    /// Two provers' proofs of one run differ.
    prover: PeerId,
    /// As long as proofs are.
    padding: Vec<u8>,
}

impl Statement for SignedReexecution {
    const CONTEXT: &'static str = "shardwire simulation re-execution 1";
}

/// Knows what was played in each shard, executes it again, and signs.
#[derive(Debug)]
pub(super) struct Notary {
    identity: Identity,
    shards: Mutex<BTreeMap<ShardId, (ShardStart, Vec<ShardTransaction>)>>,
    contracts: Option<Contracts>,
}

impl Notary {
    /// One for the fixed rules, and for contracts if shards begin from a genesis.
    pub(super) fn new(genesis: Option<&[u8]>, dice: &mut Dice) -> Arc<Self> {
        let identity = Identity::from_secret(&dice.secret());
        Arc::new(Self { identity, shards: Mutex::default(), contracts: genesis.map(Contracts::of) })
    }

    /// The programs whose runs it knows.
    pub(super) fn programs(&self) -> Vec<Felt> {
        let contracts = self.contracts.iter().map(|_| shardwire_hosted::hash());
        [shardwire_program::rules::hash()].into_iter().chain(contracts).collect()
    }

    /// Notes what is played in a shard.
    pub(super) fn learn(&self, start: &ShardStart, transactions: &[ShardTransaction]) {
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        shards.insert(start.shard, (start.clone(), transactions.to_vec()));
    }

    /// The proofs of a prover whose worker is like this.
    pub(super) fn proofs(self: &Arc<Self>, prover: PeerId, disk: SimulatedDisk, proving: &Proving) -> Proofs {
        let worker = Worker { notary: self.clone(), prover, disk, proving: proving.clone() };
        Proofs { verify: Arc::new(Believer(self.clone())), prove: Some(Arc::new(worker)), compile: Arc::new(compile) }
    }

    fn sign(&self, witness: &[u8], prover: PeerId, padding: usize) -> Result<Vec<u8>, String> {
        let memory = Memory::of(witness).ok_or("the witness can't be read")?;
        let felts = memory.output().ok_or("the witness has no output")?;
        let output = Output::from_felts(&felts).map_err(|error| error.to_string())?;
        let shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, transactions) = shards.get(&output.shard).ok_or("a witness of an unknown shard")?;
        let values = memory.values(start, output.before).ok_or("the witness doesn't begin from its state")?;
        let executed = match (&start.terms, &self.contracts) {
            (Terms::Rules, _) => rules::execute(start, &values, transactions),
            (Terms::Contracts(_), Some(contracts)) => contracts.execute(start, &values, transactions, &memory, &output),
            (Terms::Contracts(_), None) => None,
        };
        if executed != Some(output) {
            return Err("the witness is not of what the shard's accounts signed".into());
        }
        self.signed(&felts, prover, padding)
    }

    fn signed(&self, output: &[Felt], prover: PeerId, padding: usize) -> Result<Vec<u8>, String> {
        let output = output.iter().map(Felt::to_bytes_be).collect();
        let statement = SignedReexecution { output, prover, padding: vec![0; padding] };
        postcard::to_allocvec(&Signed::by(&self.identity, statement)).map_err(|error| error.to_string())
    }

    /// The genesis that shards of contracts begin from.
    pub(super) fn genesis(&self) -> Result<Arc<Genesis>, String> {
        self.contracts.as_ref().ok_or("there are no shards of contracts")?.genesis()
    }

    /// A proof of a log that was executed over any state: it holds, and says what the run read. With that list before it, as proofs are sent.
    pub(super) fn prove(
        &self,
        ground: Arc<dyn Ground>,
        start: &ShardStart,
        values: &[Felt],
        log: Vec<Logged>,
        prover: PeerId,
    ) -> Result<Vec<u8>, String> {
        let Execution { output, reads, .. } = contracts::execute(ground, start, values, log)?;
        Ok(reads::join(&reads, &self.signed(&output.to_felts(), prover, 0)?))
    }
}

/// Believes the notary.
#[derive(Debug)]
struct Believer(Arc<Notary>);

impl Verify for Believer {
    fn verify(&self, bytes: &[u8]) -> Result<Proven, VerifyError> {
        let rejected = |why: String| VerifyError::Rejected(why);
        let proof: Signed<SignedReexecution> =
            postcard::from_bytes(bytes).map_err(|error| rejected(error.to_string()))?;
        let statement = proof.verify(&self.0.identity.peer()).map_err(|error| rejected(error.to_string()))?;
        let output: Vec<Felt> = statement.output.iter().map(Felt::from_bytes_be).collect();
        // It signs outputs of the program that they name.
        let program = output.get(PROGRAM).copied().unwrap_or_default();
        Ok(Proven { program, output })
    }
}

/// A prover's worker.
#[derive(Debug)]
struct Worker {
    notary: Arc<Notary>,
    prover: PeerId,
    disk: SimulatedDisk,
    proving: Proving,
}

/// How a worker ends by no fault of its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LocalEnd {
    /// Its file isn't there.
    Missing,
    /// Somebody or something kills it.
    Killed,
    /// It is too slow for its limit.
    TooSlow,
    /// It ends without a word.
    Silent,
    /// It proves, and a bit of the proof is wrong.
    Damages,
}

impl LocalEnd {
    pub(super) const ALL: [Self; 5] = [Self::Missing, Self::Killed, Self::TooSlow, Self::Silent, Self::Damages];

    /// What the node sees of it; none if there is a proof.
    fn error(self) -> Option<ProveError> {
        Some(match self {
            Self::Damages => return None,
            Self::Missing => {
                ProveError::Start { worker: "stwo-worker".into(), source: std::io::ErrorKind::NotFound.into() }
            }
            Self::Killed => ProveError::Killed { signal: 9, reason: "it gave no reason".into() },
            Self::TooSlow => ProveError::TimedOut { limit: Duration::from_secs(1) },
            Self::Silent => ProveError::Failed { reason: "it gave no reason".into() },
        })
    }
}

/// How proofs are made on a machine.
#[derive(Clone, Debug)]
pub(super) struct Proving {
    pub(super) takes: Duration,
    pub(super) padding: usize,
    /// How workers end there now, if they don't prove.
    pub(super) ends: Arc<Mutex<Option<LocalEnd>>>,
}

impl Proving {
    fn end(&self) -> Option<LocalEnd> {
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Prove for Worker {
    fn answers(&self) -> Answering<'_> {
        let missing = self.proving.end() == Some(LocalEnd::Missing);
        Box::pin(std::future::ready(if missing { Err(LocateError::Missing) } else { Ok(()) }))
    }

    fn prove<'a>(&'a self, witness: &'a Path, proof: &'a Path, cancelled: Cancelled<'a>) -> ProofInTheMaking<'a> {
        Box::pin(async move {
            let fails = |end: &LocalEnd| *end == LocalEnd::Missing;
            if let Some(error) = self.proving.end().filter(fails).and_then(LocalEnd::error) {
                return Err(error);
            }
            tokio::select! {
                biased;
                () = cancelled => return Err(ProveError::Cancelled),
                () = sleep(self.proving.takes) => {}
            }
            let end = self.proving.end();
            if let Some(error) = end.and_then(LocalEnd::error) {
                return Err(error);
            }
            let failed = |reason: String| ProveError::Refused { code: "SW-SIM-001".into(), reason };
            let disk = |error: DiskError| ProveError::Io { what: "use the disk", source: error.reason };
            let bytes = self.disk.read(witness, u64::MAX).map_err(disk)?;
            let bytes = bytes.ok_or_else(|| ProveError::Failed { reason: "no witness".into() })?;
            let mut signed = self.notary.sign(&bytes, self.prover, self.proving.padding).map_err(failed)?;
            if let Some(last) = signed.last_mut().filter(|_| end == Some(LocalEnd::Damages)) {
                *last ^= 1;
            }
            self.disk.write(proof, &[&signed], false).map_err(disk)?;
            let seconds = self.proving.takes.as_secs_f64();
            Ok(Proved { proof_bytes: signed.len() as u64, prove_s: seconds, cpu_s: seconds, peak_bytes: 0 })
        })
    }
}
