//! What keeps a shard settleable: rules that each transaction's changes are held against.
//!
//! Between transactions every slot of a closed contract that isn't listed has its first value, so only what a transaction changed needs a look.

use crate::{GenesisError, GroundError, Refusal, state::State};
use shardwire_contracts::start::{EntryKind, Rule, Start};
use shardwire_model::{ContractId, Felt, Key, Mutation, ShardId, Slot, execution::Diff};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A listed slot.
#[derive(Clone, Copy, Debug)]
struct Listed {
    kind: EntryKind,
    guard: Felt,
    maximum: u128,
    first: Felt,
}

/// The rules of one shard.
#[derive(Debug)]
pub(crate) struct Settle {
    shard: ShardId,
    listed: HashMap<Slot, Listed>,
    closed: BTreeSet<ContractId>,
    /// Of each contract with escrows: their keys, and what they hold together at the start.
    escrows: BTreeMap<ContractId, (Vec<Key>, Felt)>,
}

impl Settle {
    /// The rules of a start that has been validated. `values` are the first values of the entries that settle, in their order.
    pub(crate) fn new(start: &Start, values: &[Felt]) -> Result<Self, GenesisError> {
        let expected = start.settled().count();
        if values.len() != expected {
            return Err(GenesisError::Values { got: values.len(), expected });
        }
        let mut settle = Self {
            shard: start.shard,
            listed: HashMap::new(),
            closed: start
                .contracts
                .iter()
                .filter(|it| it.rule == Rule::Closed)
                .map(|it| ContractId(it.address))
                .collect(),
            escrows: BTreeMap::new(),
        };
        let mut values = values.iter();
        for entry in &start.entries {
            let Some(contract) = start.contracts.get(entry.contract) else { continue }; // The start has been validated.
            let contract = ContractId(contract.address);
            let first = match entry.kind {
                EntryKind::Scratch => Felt::ZERO, // Nobody asks.
                _ => values.next().copied().unwrap_or_default(),
            };
            if matches!(entry.kind, EntryKind::Counter | EntryKind::Escrow) && first > Felt::from(entry.maximum) {
                let slot = Slot::new(contract, entry.key);
                return Err(GenesisError::FirstValue { slot, value: first, maximum: entry.maximum });
            }
            if entry.kind == EntryKind::Escrow {
                let (keys, sum) = settle.escrows.entry(contract).or_default();
                keys.push(entry.key);
                *sum += first; // At most 2,048 amounts below 2^96: far below the prime.
            }
            let listed = Listed { kind: entry.kind, guard: entry.guard, maximum: entry.maximum, first };
            settle.listed.insert(Slot::new(contract, entry.key), listed);
        }
        Ok(settle)
    }

    /// The first value of a slot that settles.
    pub(crate) fn first(&self, contract: ContractId, key: Key) -> Option<Felt> {
        let listed = self.listed.get(&Slot::new(contract, key)).filter(|listed| listed.kind != EntryKind::Scratch);
        listed.map(|listed| listed.first)
    }

    /// Refuses changes, to a state that keeps the rules, that would break them.
    pub(crate) fn check(&self, state: &State, diff: &Diff) -> Result<(), Refusal> {
        let mut spent = BTreeSet::new();
        for (slot, now) in &diff.storage {
            let (slot, now) = (*slot, *now);
            match self.listed.get(&slot) {
                Some(listed) => {
                    listed.check(slot, now, self.shard)?;
                    if listed.kind == EntryKind::Escrow {
                        spent.insert(slot.contract);
                    }
                }
                None if self.closed.contains(&slot.contract) => {
                    let first = state.first(slot.contract, slot.key)?;
                    if now != first && !Mutation::ClosedSlotUnchecked.is_planted() {
                        return Err(Refusal::ClosedSlot { slot, first, now });
                    }
                }
                None => {}
            }
        }
        spent.into_iter().try_for_each(|contract| self.check_escrows(contract, state, diff))
    }

    fn check_escrows(&self, contract: ContractId, state: &State, diff: &Diff) -> Result<(), Refusal> {
        let Some((keys, first)) = self.escrows.get(&contract) else { return Ok(()) };
        // A diff is in order.
        let value = |key: &Key| -> Result<Felt, GroundError> {
            let changed = diff.storage.binary_search_by_key(&Slot::new(contract, *key), |(slot, _)| *slot).ok();
            match changed.and_then(|place| diff.storage.get(place)) {
                Some((_, now)) => Ok(*now),
                None => state.storage_at(contract, *key),
            }
        };
        let mut now = Felt::ZERO;
        for key in keys {
            now += value(key)?;
        }
        if now > *first { Err(Refusal::Escrows { contract, first: *first, now }) } else { Ok(()) }
    }
}

impl Listed {
    fn check(&self, slot: Slot, now: Felt, shard: ShardId) -> Result<(), Refusal> {
        match self.kind {
            EntryKind::Counter if now < self.first => Err(Refusal::CounterFalls { slot, first: self.first, now }),
            EntryKind::Counter | EntryKind::Escrow if now > Felt::from(self.maximum) => {
                Err(Refusal::AboveMaximum { slot, now, maximum: self.maximum })
            }
            EntryKind::Lock if self.guard != shard.0 => Err(Refusal::NotHeld { slot, holder: ShardId(self.guard) }),
            _ => Ok(()),
        }
    }
}
