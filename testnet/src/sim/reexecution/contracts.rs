//! A run of contracts once more: blockifier, and the program's replay of what it found.
//!
//! The program is the one that proofs are of, so what it asserts holds of whatever is signed. It is executed over a state that the caller gives: a
//! proof says what follows from what a run read, and who is shown it compares that with the state that was meant.

use super::memory::Memory;
use crate::contracts::prepared::compile;
use shardwire_hosted::{Geneses, execute_from};
use shardwire_model::{Felt, Hash, Logged, Output, ShardId, ShardStart, ShardTransaction, Terms};
use shardwire_native::{Genesis, Ground, Native};
use shardwire_program::Execution;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// What a run is of: its shard, the commitment of its values, that of its transactions.
type Run = (ShardId, Felt, Felt);

/// Executes runs that begin from one genesis.
#[derive(Debug)]
pub(super) struct Contracts {
    geneses: Geneses,
    hash: Hash,
    /// What came of those that were executed: provers that prove the same run have it executed once.
    done: Mutex<BTreeMap<Run, Option<Output>>>,
}

impl Contracts {
    pub(super) fn of(genesis: &[u8]) -> Self {
        let hash = Hash::of(genesis);
        let (file, name) = (genesis.to_vec(), format!("{hash}.json"));
        let read = move |asked: &Path, _| Ok((asked == Path::new(&name)).then(|| file.clone()));
        Self { geneses: Geneses::new(read, compile), hash, done: Mutex::default() }
    }

    pub(super) fn genesis(&self) -> Result<Arc<Genesis>, String> {
        self.geneses.find(self.hash).map_err(|error| error.to_string())
    }

    /// What the program puts out of the log that a witness has, from these values.
    pub(super) fn execute(
        &self,
        start: &ShardStart,
        values: &[Felt],
        signed: &[ShardTransaction],
        memory: &Memory<'_>,
        claimed: &Output,
    ) -> Option<Output> {
        match &start.terms {
            Terms::Contracts(terms) if terms.origin == self.hash.into() => {}
            Terms::Contracts(_) | Terms::Rules => return None,
        }
        let run = (start.shard, claimed.before, claimed.transactions);
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let executed = || {
            let log = log(start, signed, memory, claimed)?;
            Some(execute(self.genesis().ok()?, start, values, log).ok()?.output)
        };
        done.entry(run).or_insert_with(executed).clone()
    }
}

/// Executes a log over a state.
pub(super) fn execute(
    ground: Arc<dyn Ground>,
    start: &ShardStart,
    values: &[Felt],
    log: Vec<Logged>,
) -> Result<Execution, String> {
    let ordered = start.for_contracts().map_err(|error| error.to_string())?;
    let native = Native::open(ground, &ordered, values).map_err(|error| error.to_string())?;
    execute_from(native, &mut log.into_iter(), &mut |_| {}, &mut |_| Ok(())).map_err(|error| error.to_string())
}

/// The log: which of the signed transactions are in it, in which order, at which times.
fn log(
    start: &ShardStart,
    signed: &[ShardTransaction],
    memory: &Memory<'_>,
    Output { count, transactions, .. }: &Output,
) -> Option<Vec<Logged>> {
    let chain = start.for_contracts().ok()?.chain_id();
    let hash = |it: &ShardTransaction| match it {
        ShardTransaction::Rules(_) => None,
        ShardTransaction::Invoke(invoke) => Some(invoke.hash(chain)),
        ShardTransaction::Session(call) => Some(call.link()),
    };
    let known: BTreeMap<Felt, &ShardTransaction> = signed.iter().filter_map(|it| Some((hash(it)?, it))).collect();
    let order = memory.order(&known.keys().copied().collect(), usize::try_from(*count).ok()?, *transactions)?;
    let logged = |(hash, time): (Felt, Felt)| {
        let transaction = (*known.get(&hash)?).clone();
        Some(Logged { transaction, time: u64::try_from(time).ok()?, reverted: false })
    };
    order.into_iter().map(logged).collect()
}
