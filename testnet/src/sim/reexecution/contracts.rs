//! A run of contracts once more: blockifier, and the program's replay of what it found.
//!
//! The program is the one that proofs are of, so what it asserts holds of whatever is signed. It is executed over a state that the caller gives: a
//! proof says what follows from what a run read, and who is shown it compares that with the state that was meant.

use super::memory::Memory;
use crate::contracts::prepared::compile;
use shardwire_hosted::{Geneses, Segments, execute_from};
use shardwire_model::{Felt, Hash, Logged, Output, ShardId, ShardStart, ShardTransaction, Terms};
use shardwire_native::{Genesis, Ground, Native};
use shardwire_program::Execution;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// What a segment of a run is of: its shard, the commitment of the state before, that of its transactions, and whether the run ends with it.
type Part = (ShardId, Felt, Felt, bool);

/// What came before a segment: the values that the run begins with, and the log of each segment so far.
#[derive(Clone, Debug)]
struct Past {
    values: Vec<Felt>,
    logs: Vec<Vec<Logged>>,
}

/// Executes runs that begin from one genesis.
#[derive(Debug)]
pub(super) struct Contracts {
    geneses: Geneses,
    hash: Hash,
    /// What came of those that were executed: provers that prove the same have it executed once.
    done: Mutex<BTreeMap<Part, Option<Output>>>,
    /// By shard and the commitment of the state after it, what a segment that was executed leaves behind.
    past: Mutex<BTreeMap<(ShardId, Felt), Past>>,
}

/// Why there is no output of a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Without {
    /// It isn't of a run of this shard.
    Wrong,
    /// The segment before it wasn't executed here yet.
    Later,
}

impl Contracts {
    pub(super) fn of(genesis: &[u8]) -> Self {
        let hash = Hash::of(genesis);
        let (file, name) = (genesis.to_vec(), format!("{hash}.json"));
        let read = move |asked: &Path, _| Ok((asked == Path::new(&name)).then(|| file.clone()));
        Self { geneses: Geneses::new(read, compile), hash, done: Mutex::default(), past: Mutex::default() }
    }

    pub(super) fn genesis(&self) -> Result<Arc<Genesis>, String> {
        self.geneses.find(self.hash).map_err(|error| error.to_string())
    }

    /// What the program puts out of the segment that a witness has.
    pub(super) fn execute(
        &self,
        start: &ShardStart,
        signed: &[ShardTransaction],
        memory: &Memory<'_>,
        claimed: &Output,
    ) -> Result<Output, Without> {
        match &start.terms {
            Terms::Contracts(terms) if terms.origin == self.hash.into() => {}
            Terms::Contracts(_) | Terms::Rules => return Err(Without::Wrong),
        }
        let (shard, before) = (start.shard, claimed.before);
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let Past { values, mut logs } = match claimed.segment {
            0 => Past { values: memory.values(start, before).ok_or(Without::Wrong)?, logs: Vec::new() },
            _ => past.get(&(shard, before)).cloned().ok_or(Without::Later)?,
        };
        if logs.len() != claimed.segment as usize {
            return Err(Without::Wrong);
        }
        let part = (shard, before, claimed.transactions, claimed.ended);
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let log = log(start, signed, memory, claimed).ok_or(Without::Wrong)?;
        logs.push(log);
        let executed = || segment(self.genesis().ok()?, start, &values, &logs, claimed.ended).ok();
        let output = done.entry(part).or_insert_with(executed).clone().ok_or(Without::Wrong)?;
        if !output.ended {
            past.insert((shard, output.after), Past { values, logs });
        }
        Ok(output)
    }
}

/// The last of the segments with these logs, which ends the run or is cut after its log.
fn segment(
    ground: Arc<dyn Ground>,
    start: &ShardStart,
    values: &[Felt],
    logs: &[Vec<Logged>],
    ends: bool,
) -> Result<Output, String> {
    let native = opened(ground, start, values)?;
    let counts = logs.iter().map(|log| u32::try_from(log.len()).unwrap_or(u32::MAX));
    let counts = counts.take(logs.len() - usize::from(ends)).collect();
    let mut log = logs.iter().flatten().cloned();
    let mut segments = Segments::cut_after(native, counts, &mut log).map_err(|error| error.to_string())?;
    let mut last = None;
    for _ in logs {
        last = segments.next(&mut |_| {}, &mut |_| Ok(())).map_err(|error| error.to_string())?;
    }
    Ok(last.ok_or("there is no such segment")?.output)
}

/// A shard before its first transaction.
fn opened(ground: Arc<dyn Ground>, start: &ShardStart, values: &[Felt]) -> Result<Native, String> {
    let ordered = start.for_contracts().map_err(|error| error.to_string())?;
    Native::open(ground, &ordered, values).map_err(|error| error.to_string())
}

/// Executes a log over a state.
pub(super) fn execute(
    ground: Arc<dyn Ground>,
    start: &ShardStart,
    values: &[Felt],
    log: Vec<Logged>,
) -> Result<Execution, String> {
    execute_from(opened(ground, start, values)?, &mut log.into_iter(), &mut |_| {}, &mut |_| Ok(())).map_err(|error| error.to_string())
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
