//! A World in a page: maps in memory, each rule once, nothing shared with an implementation but the vocabulary.
//!
//! It knows contracts' one game, two accounts, and requests and outputs that are well-formed but for what [`histories`](super::histories) gets wrong on purpose.

use super::PROGRAM;
use crate::{MAX_TIMEOUT, StorageEntry};
use shardwire_model::{AccountId, Felt, Hash, Kind, Output, ShardId, ShardStart, Slot, StartRequest, Timestamp};
use std::collections::BTreeMap;

/// A code, as refusals have one.
pub(super) type Code = &'static str;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Settled(Hash, Box<Output>),
    Aborted,
}

#[derive(Clone, Debug)]
pub(super) struct Shard {
    pub(super) start: ShardStart,
    pub(super) values: Vec<Felt>,
    pub(super) before: Felt,
    amounts: Vec<u128>,
    pub(super) end: Option<End>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) storage: BTreeMap<Slot, StorageEntry>,
    pub(super) shards: BTreeMap<ShardId, Shard>,
}

fn number(value: Felt) -> Option<u128> {
    u128::try_from(value).ok()
}

impl Model {
    pub(super) fn start(
        &mut self,
        network: &str,
        request: &StartRequest,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Result<ShardId, Code> {
        let start = request.to_start(network, deadline);
        let shard = start.shard;
        if let Some(known) = self.shards.get(&shard) {
            return if known.start.deadline == deadline { Ok(shard) } else { Err("SW-LEDGER-011") };
        }
        if start.program != PROGRAM {
            return Err("SW-WORLD-001");
        }
        if deadline <= now {
            return Err("SW-WORLD-002");
        }
        if deadline > now.plus(MAX_TIMEOUT) {
            return Err("SW-WORLD-003");
        }
        let open = self.shards.values().filter(|shard| shard.end.is_none()).count() as u128;
        let mut after = self.storage.clone();
        let mut values = Vec::new();
        for entry in &request.entries {
            let cell = after.get_mut(&entry.slot()).ok_or("SW-LEDGER-010")?;
            if cell.kind != entry.kind {
                return Err("SW-MERGE-005");
            }
            values.push(match entry.kind {
                Kind::Counter if number(cell.value).and_then(|it| it.checked_add((open + 1) << 96)).is_none() => {
                    return Err("SW-MERGE-013");
                }
                Kind::Counter => cell.value,
                Kind::Escrow => {
                    let left = number(cell.value).and_then(|it| it.checked_sub(entry.amount)).ok_or("SW-MERGE-002")?;
                    cell.value = left.into();
                    cell.in_escrow += entry.amount;
                    entry.amount.into()
                }
                Kind::Lock => {
                    if cell.held_by.is_some() {
                        return Err("SW-MERGE-003");
                    }
                    cell.held_by = Some(shard);
                    cell.value
                }
            });
        }
        self.storage = after;
        let before = shardwire_model::state_commitment(start.commitment(), &values);
        let amounts = request.entries.iter().map(|entry| entry.amount).collect();
        self.shards.insert(shard, Shard { start, values, before, amounts, end: None });
        Ok(shard)
    }

    pub(super) fn settle(&mut self, output: &Output, proof: Hash) -> Result<(), Code> {
        let shard = self.shards.get(&output.shard).ok_or("SW-LEDGER-012")?;
        match &shard.end {
            Some(End::Aborted) => return Err("SW-LEDGER-015"),
            Some(End::Settled(first, _)) if *first != proof => return Err("SW-LEDGER-013"),
            Some(End::Settled(_, same)) if **same != *output => return Err("SW-LEDGER-014"),
            Some(End::Settled(..)) => return Ok(()),
            None => {}
        }
        if output.segment != 0 {
            return Err("SW-LEDGER-016");
        }
        if output.before != shard.before {
            return Err("SW-LEDGER-017");
        }
        if !output.ended {
            return Err("SW-LEDGER-018");
        }
        if output.updates.len() != shard.start.entries.len() {
            return Err("SW-MERGE-006");
        }
        let (mut deposited, mut returned) = (0u128, 0u128);
        for (((entry, update), amount), before) in
            shard.start.entries.iter().zip(&output.updates).zip(&shard.amounts).zip(&shard.values)
        {
            if (entry.kind, entry.slot()) != (update.kind, update.slot()) {
                return Err("SW-MERGE-007");
            }
            match entry.kind {
                Kind::Counter if number(update.value).ok_or("SW-MERGE-008")? > 1 << 96 => return Err("SW-MERGE-012"),
                Kind::Counter => {}
                Kind::Escrow => {
                    deposited += amount;
                    returned += number(update.value).ok_or("SW-MERGE-008")?;
                }
                Kind::Lock if update.value == *before || shard.start.accounts.contains(&AccountId(update.value)) => {}
                Kind::Lock => return Err("SW-MERGE-009"),
            }
        }
        if returned > deposited {
            return Err("SW-MERGE-010");
        }
        let mut after = self.storage.clone();
        for (update, amount) in output.updates.iter().zip(&shard.amounts) {
            let cell = after.get_mut(&update.slot()).ok_or("an address that vanished")?;
            let (stood, by) = (number(cell.value).unwrap_or(0), number(update.value).unwrap_or(0));
            match update.kind {
                Kind::Counter => cell.value = stood.checked_add(by).ok_or("SW-MERGE-001")?.into(),
                Kind::Escrow => {
                    cell.in_escrow -= amount;
                    cell.value = (stood + by).into();
                }
                Kind::Lock => (cell.value, cell.held_by) = (update.value, None),
            }
        }
        self.storage = after;
        self.end(output.shard, End::Settled(proof, Box::new(output.clone())));
        Ok(())
    }

    /// `by_deadline`: for no other reason.
    pub(super) fn abort(&mut self, id: ShardId, by_deadline: bool, now: Timestamp) -> Result<(), Code> {
        let shard = self.shards.get(&id).ok_or("SW-LEDGER-012")?;
        match shard.end {
            Some(End::Aborted) => return Ok(()),
            Some(End::Settled(..)) => return Err("SW-LEDGER-013"),
            None if by_deadline && now < shard.start.deadline => return Err("SW-WORLD-004"),
            None => {}
        }
        for (entry, amount) in shard.start.entries.iter().zip(&shard.amounts) {
            let cell = self.storage.get_mut(&entry.slot()).ok_or("an address that vanished")?;
            match entry.kind {
                Kind::Counter => {}
                Kind::Escrow => {
                    cell.in_escrow -= amount;
                    cell.value += Felt::from(*amount);
                }
                Kind::Lock => cell.held_by = None,
            }
        }
        self.end(id, End::Aborted);
        Ok(())
    }

    fn end(&mut self, id: ShardId, end: End) {
        if let Some(shard) = self.shards.get_mut(&id) {
            shard.end = Some(end);
        }
    }
}
