//! A proof in simulation is a **signed re-execution**: the simulator executes the shard's transactions once more, in plain Rust, and signs the output.
//!
//! A STARK takes seconds of every core; a simulation has milliseconds. So the [`Notary`] stands for soundness: it looks the output up in the witness that
//! the prover assembled, executes the shard's transactions by itself, and signs only if both agree; and it believes its own signature alone.
//! All else about a proof (its file, its hash, how it is fetched and what is done with its output) is the node's own code. Nothing outside of this
//! module makes or believes such a proof, and `shardwire run` can't be given one: the program doesn't contain it.

use crate::dice::Dice;
use serde::{Deserialize, Serialize};
use shardwire::proofs::{Answering, Cancelled, Proofs, Prove, Proving as ProofInTheMaking, Verify};
use shardwire_model::{
    Call, ChainHead, Felt, Kind, Output, PeerId, ShardId, ShardStart, SignedTransaction, Slot, Update,
    state_commitment, transactions_commitment,
};
use shardwire_program::rules;
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

/// Where the header of a flat witness ends, and what is in it (docs/prover-worker.md).
const HEADER_BYTES: usize = 176;

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
    shards: Mutex<BTreeMap<ShardId, (ShardStart, Vec<SignedTransaction>)>>,
    program: Felt,
}

impl Notary {
    pub(super) fn new(dice: &mut Dice) -> Arc<Self> {
        let identity = Identity::from_secret(&dice.secret());
        Arc::new(Self { identity, shards: Mutex::default(), program: rules::hash() })
    }

    /// The program whose runs it knows.
    pub(super) fn program(&self) -> Felt {
        self.program
    }

    /// Notes what is played in a shard.
    pub(super) fn learn(&self, start: &ShardStart, transactions: &[SignedTransaction]) {
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        shards.insert(start.shard, (start.clone(), transactions.to_vec()));
    }

    /// The proofs of a prover whose worker is like this.
    pub(super) fn proofs(self: &Arc<Self>, prover: PeerId, disk: SimulatedDisk, proving: &Proving) -> Proofs {
        let worker = Worker { notary: self.clone(), prover, disk, proving: proving.clone() };
        Proofs { verify: Arc::new(Believer(self.clone())), prove: Some(Arc::new(worker)), ..Proofs::stark() }
    }

    fn sign(&self, witness: &[u8], prover: PeerId, padding: usize) -> Result<Vec<u8>, String> {
        let memory = Memory::of(witness).ok_or("the witness can't be read")?;
        let felts = memory.output().ok_or("the witness has no output")?;
        let output = Output::from_felts(&felts).map_err(|error| error.to_string())?;
        let shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, transactions) = shards.get(&output.shard).ok_or("a witness of an unknown shard")?;
        let values = memory.values(start, output.before).ok_or("the witness doesn't begin from its state")?;
        if execute(start, &values, transactions) != Some(output) {
            return Err("the witness is not of what the shard's accounts signed".into());
        }
        let output = felts.iter().map(Felt::to_bytes_be).collect();
        let statement = SignedReexecution { output, prover, padding: vec![0; padding] };
        postcard::to_allocvec(&Signed::by(&self.identity, statement)).map_err(|error| error.to_string())
    }
}

/// The memory of a flat witness.
struct Memory<'a> {
    cells: &'a [[u8; 32]],
    output: (usize, usize),
}

impl<'a> Memory<'a> {
    fn of(witness: &'a [u8]) -> Option<Self> {
        let number = |at: usize, length: usize| {
            let mut bytes = [0; 8];
            bytes.get_mut(..length)?.copy_from_slice(witness.get(at..at + length)?);
            usize::try_from(u64::from_le_bytes(bytes)).ok()
        };
        let (steps, public) = (number(8, 8)?, number(24, 4)?);
        let output = (number(32, 8)?, number(40, 8)?);
        let (cells, _) = witness.get(HEADER_BYTES + 4 * public + 12 * steps..)?.as_chunks::<32>();
        Some(Self { cells, output })
    }

    fn cell(&self, address: usize) -> Option<Felt> {
        Some(Felt::from_bytes_le(self.cells.get(address.checked_sub(1)?)?))
    }

    fn output(&self) -> Option<Vec<Felt>> {
        (self.output.0..self.output.1).map(|address| self.cell(address)).collect()
    }

    /// The values that the run begins from: they stand behind the start's commitment, and their commitment is in the output.
    fn values(&self, start: &ShardStart, before: Felt) -> Option<Vec<Felt>> {
        let commitment = start.commitment();
        let wanted = commitment.to_bytes_le();
        let places = self.cells.iter().zip(1..).filter(|(cell, _)| **cell == wanted);
        let mut states = places.filter_map(|(_, address)| {
            (1..=start.entries.len()).map(|offset| self.cell(address + offset)).collect::<Option<Vec<Felt>>>()
        });
        states.find(|values| state_commitment(commitment, values) == before)
    }
}

/// What the shard program puts out, by its rules as docs/workload.md states them.
fn execute(start: &ShardStart, values: &[Felt], transactions: &[SignedTransaction]) -> Option<Output> {
    let commitment = start.commitment();
    let mut heads: Vec<ChainHead> =
        start.accounts.iter().map(|account| ChainHead::start(commitment, *account)).collect();
    let mut now = values.to_vec();
    let mut order = Vec::new();
    let mut ended = false;
    for SignedTransaction { transaction, .. } in transactions {
        let account = start.account_index(transaction.account)?;
        let head = heads.get_mut(account)?;
        *head = head.extend(transaction.words(start).ok()?);
        order.push(u32::try_from(account).ok()?);
        let slot = |key| Slot::new(transaction.contract, key);
        let mut change = |key, by: &dyn Fn(Felt) -> Felt| -> Option<()> {
            let value = now.get_mut(start.entry_index(slot(key))?)?;
            *value = by(*value);
            Some(())
        };
        match transaction.call {
            Call::Add { counter, amount } => change(counter, &|value| value + Felt::from(amount))?,
            Call::Spend { escrow, amount } => change(escrow, &|value| value - Felt::from(amount))?,
            Call::Pass { from, to, amount } => {
                change(from, &|value| value - Felt::from(amount))?;
                change(to, &|value| value + Felt::from(amount))?;
            }
            Call::Give { lock, to } => change(lock, &|_| to.0)?,
            Call::Finish => ended = true,
        }
    }
    let update = |((entry, before), after): ((&shardwire_model::Entry, &Felt), &Felt)| Update {
        kind: entry.kind,
        contract: entry.contract,
        key: entry.key,
        value: if entry.kind == Kind::Counter { *after - *before } else { *after },
    };
    Some(Output {
        program: start.program,
        shard: start.shard,
        segment: 0,
        before: state_commitment(commitment, values),
        after: state_commitment(commitment, &now),
        reads: Felt::ZERO,
        transactions: transactions_commitment(&heads, &order),
        count: u32::try_from(transactions.len()).ok()?,
        ended,
        updates: start.entries.iter().zip(values).zip(&now).map(update).collect(),
    })
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
        let output = statement.output.iter().map(Felt::from_bytes_be).collect();
        Ok(Proven { program: self.0.program, output })
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
