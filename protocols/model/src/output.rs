//! The shard program's public output: the only thing that settlement believes.

use crate::{
    Coded, Slot, bounded,
    commitment::ABI_VERSION,
    entry::{Kind, MAX_ENTRIES},
    felt::{self, ContractId, Felt, Key, ShardId},
    transaction::MAX_TRANSACTIONS,
};
use serde::{Deserialize, Serialize};

/// Felts before the first update.
pub const HEADER_FELTS: usize = 11;
/// Felts of an update.
pub const UPDATE_FELTS: usize = 4;

/// What became of one entry of the settlement list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Whether it is a counter, an escrow or a lock.
    pub kind: Kind,
    /// The contract whose storage it is.
    pub contract: ContractId,
    /// The storage address.
    pub key: Key,
    /// For a counter what it grew by, for an escrow what is left, for a lock its value.
    #[serde(with = "felt::wire")]
    pub value: Felt,
}

impl Update {
    /// Which storage slot it is of.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        Slot::new(self.contract, self.key)
    }
}

/// The output of a run, as the proof has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The program's hash as the start data has it. An echo: what was run is the *proof's* own program.
    #[serde(with = "felt::wire")]
    pub program: Felt,
    /// The shard.
    pub shard: ShardId,
    /// Which segment of the shard's run this is, from 0.
    pub segment: u32,
    /// The commitment of the state before, which covers the start data.
    #[serde(with = "felt::wire")]
    pub before: Felt,
    /// The commitment of the state after.
    #[serde(with = "felt::wire")]
    pub after: Felt,
    /// The commitment of what the run read from the state that it was forked from; zero for a program that reads none.
    #[serde(with = "felt::wire")]
    pub reads: Felt,
    /// The commitment of the transactions.
    #[serde(with = "felt::wire")]
    pub transactions: Felt,
    /// How many they are.
    pub count: u32,
    /// Whether the end event was emitted.
    pub ended: bool,
    /// What became of each entry of the settlement list, in its order.
    #[serde(deserialize_with = "bounded::wire_list::<_, _, MAX_ENTRIES>")]
    pub updates: Vec<Update>,
}

/// Felts that are no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the program's output is malformed: {0}")]
pub struct OutputError(&'static str);

impl Coded for OutputError {
    fn code(&self) -> &'static str {
        "SW-OUTPUT-001"
    }
    fn next_step(&self) -> String {
        "The proof is of another program or version; refuse it and ask its prover for one of this shard.".into()
    }
}

fn small(felt: Felt, below: u64, what: &'static str) -> Result<u64, OutputError> {
    u64::try_from(felt).ok().filter(|n| *n < below).ok_or(OutputError(what))
}

impl Output {
    /// The felts, in the order of the program's output segment: abi version, program, shard, segment, before, after, reads,
    /// transactions, count, ended, number of updates, then (kind, contract, key, value) each.
    #[must_use]
    pub fn to_felts(&self) -> Vec<Felt> {
        let mut felts = vec![
            Felt::from(ABI_VERSION),
            self.program,
            self.shard.0,
            Felt::from(self.segment),
            self.before,
            self.after,
            self.reads,
            self.transactions,
            Felt::from(self.count),
            Felt::from(u64::from(self.ended)),
            Felt::from(self.updates.len() as u64),
        ];
        felts.extend(self.updates.iter().flat_map(|u| [Felt::from(u.kind.number()), u.contract.0, u.key.0, u.value]));
        felts
    }

    /// Reads an output segment.
    ///
    /// # Errors
    /// [`OutputError`] if it has another version, another length than it says, or a number out of its range.
    pub fn from_felts(felts: &[Felt]) -> Result<Self, OutputError> {
        let (head, updates) = felts.split_at_checked(HEADER_FELTS).ok_or(OutputError("shorter than its header"))?;
        let [abi, program, shard, segment, before, after, reads, transactions, count, ended, n_updates] = head else {
            return Err(OutputError("shorter than its header"));
        };
        if *abi != Felt::from(ABI_VERSION) {
            return Err(OutputError("another abi version"));
        }
        let segment = small(*segment, 1 << 32, "segment out of range")?;
        let count = small(*count, u64::from(MAX_TRANSACTIONS) + 1, "too many transactions")?;
        let ended = small(*ended, 2, "ended is neither 0 nor 1")? == 1;
        let n_updates = small(*n_updates, MAX_ENTRIES as u64 + 1, "too many updates")?;
        if updates.len() as u64 != UPDATE_FELTS as u64 * n_updates {
            return Err(OutputError("another number of updates than it says"));
        }
        let updates = updates.chunks_exact(UPDATE_FELTS).map(|update| match update {
            [kind, contract, key, value] => {
                let kind = Kind::from_felt(*kind).ok_or(OutputError("an unknown kind"))?;
                Ok(Update { kind, contract: ContractId(*contract), key: Key(*key), value: *value })
            }
            _ => Err(OutputError("an incomplete update")),
        });
        #[allow(clippy::cast_possible_truncation)]
        let (segment, count) = (segment as u32, count as u32);
        Ok(Self {
            program: *program,
            shard: ShardId(*shard),
            segment,
            before: *before,
            after: *after,
            reads: *reads,
            transactions: *transactions,
            count,
            ended,
            updates: updates.collect::<Result<_, _>>()?,
        })
    }
}
