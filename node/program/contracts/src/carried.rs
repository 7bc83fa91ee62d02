//! What a segment of a run hands to the next one: the state that it ended with, as far as it isn't the one that the run began from.
//!
//! `program/segments.cairo` says what is in it, and why. Who proves the next segment needs the values; who verifies needs their commitment alone, which is the `after` of one output and the
//! `before` of the next.

use crate::start::Start;
use shardwire_model::{Felt, program_hash, state_commitment};
use std::collections::BTreeMap;

/// How far the chain of a session key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its last link.
    pub link: Felt,
    /// How many calls it has.
    pub calls: Felt,
}

/// The state that a segment goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The commitment before the run's first segment.
    pub run: Felt,
    /// The number of the segment that begins from here.
    pub segment: u32,
    /// How many transactions were before.
    pub count: u32,
    /// The time of the last of them.
    pub time: u64,
    /// By the contract's place and the key: the value of each slot that isn't as it was when the run began, or wasn't when a segment ended.
    pub storage: BTreeMap<(usize, Felt), Felt>,
    /// By the account's place: the next nonce of each that sent a transaction.
    pub nonces: BTreeMap<usize, Felt>,
    /// By the contract's place: how much less its escrows hold than when the run began.
    pub slacks: BTreeMap<usize, Felt>,
    /// By session key: its chain.
    pub chains: BTreeMap<Felt, Link>,
}

impl Carried {
    /// What the first segment goes on from, where the slots that settle have these values, in the order of [`Start::settled`].
    #[must_use]
    pub fn first(start: &Start, values: &[Felt]) -> Self {
        Self {
            run: state_commitment(start.commitment(), values),
            segment: 0,
            count: 0,
            time: start.begins,
            storage: BTreeMap::new(),
            nonces: BTreeMap::new(),
            slacks: BTreeMap::new(),
            chains: BTreeMap::new(),
        }
    }

    /// The felts, as the program reads and hashes them.
    #[must_use]
    pub fn to_felts(&self, start: &Start) -> Vec<Felt> {
        let mut felts = vec![self.run, self.segment.into(), self.count.into(), self.time.into()];
        for place in 0..start.contracts.len() {
            let slots = || self.storage.range((place, Felt::ZERO)..=(place, Felt::MAX));
            felts.push(slots().count().into());
            felts.extend(slots().flat_map(|((_, key), value)| [*key, *value]));
        }
        for list in [&self.nonces, &self.slacks] {
            felts.push(list.len().into());
            felts.extend(list.iter().flat_map(|(place, value)| [Felt::from(*place), *value]));
        }
        felts.push(self.chains.len().into());
        felts.extend(self.chains.iter().flat_map(|(key, chain)| [*key, chain.link, chain.calls]));
        felts
    }

    /// What stands for it in the outputs of the segments that it lies between.
    #[must_use]
    pub fn commitment(&self, start: &Start) -> Felt {
        match self.segment {
            0 => self.run,
            _ => program_hash(&self.to_felts(start)),
        }
    }

    /// How much of it there is, for what it costs to read and to write.
    pub(crate) fn size(&self) -> Size {
        Size {
            slots: self.storage.len() as u64,
            nonces: self.nonces.len() as u64,
            slacks: self.slacks.len() as u64,
            chains: self.chains.len() as u64,
        }
    }
}

/// How much there is in a state that a segment goes on from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Slots with another value than before the run.
    pub slots: u64,
    /// Accounts that sent a transaction.
    pub nonces: u64,
    /// Contracts whose escrows hold less.
    pub slacks: u64,
    /// Session keys that made calls.
    pub chains: u64,
}
