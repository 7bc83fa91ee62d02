//! The three operations on a shard. What each changes is computed first, from what is there, with every check; then it is written. So one that is
//! refused has written nothing, also where several share a transaction.

use super::tables::{
    self, LedgerError, OPEN, OPERATIONS, SETTLEMENTS, SHARDS, STAGES, STORAGE, ShardRow, StageRow, Value,
};
use crate::{
    Aborted, MAX_TIMEOUT, Operation, Receipt, Refusal, Settlement, ShardStage, Started, Ticket, WorldIdentity,
};
use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata as _, WriteTransaction};
use shardwire_crdt::{Cell, Delta, settlement, undo};
use shardwire_model::life::AbortReason;
use shardwire_model::{
    Felt, Hash, Kind, Mutation, Output, SegmentId, ShardId, ShardStart, Slot, StartRequest, Terms, Timestamp,
    state_commitment,
};
use std::collections::BTreeMap;

/// What an operation writes.
#[derive(Debug)]
pub(super) struct Change {
    shard: ShardId,
    ticket: Ticket,
    cells: BTreeMap<Slot, Cell>,
    /// Where the shard stands afterwards; none if that doesn't change.
    stage: Option<StageRow>,
    /// What the shard was started with, if the operation is a start.
    row: Option<ShardRow>,
    /// The record of the settlement, if the operation is one.
    settlement: Option<Settlement>,
}

/// What an operation comes to: its receipt, and what it writes unless that was done before.
type Answer = Result<(Receipt, Option<Change>), LedgerError>;

/// Judges an operation at this time; nothing is written.
pub(super) fn judge(txn: &WriteTransaction, world: &WorldIdentity, operation: &Operation, now: Timestamp) -> Answer {
    let ticket = operation.ticket(world.network());
    match operation {
        Operation::Start { request, deadline } => {
            let known = txn.open_table(OPERATIONS)?.get(&ticket.0.0)?.is_some();
            match known {
                true => Ok((Receipt::Started(Box::new(started(txn, request.shard_id(world.network()))?)), None)),
                false => start(txn, world, request, *deadline, (ticket, now)),
            }
        }
        Operation::Settle { output, proof } => settle(txn, output, *proof, (ticket, now)),
        Operation::Abort { shard, reason } => abort(txn, *shard, *reason, (ticket, now)),
    }
}

impl StageRow {
    /// The date of the end, if it is now. No shard ends before it started: a clock that was set back meanwhile counts as standing still.
    fn ends_at(&self, now: Timestamp) -> Timestamp {
        now.max(self.started_at)
    }
}

impl Change {
    pub(super) fn write(self, txn: &WriteTransaction) -> Result<(), LedgerError> {
        let at = self.shard.0.to_bytes_be();
        {
            let mut storage = txn.open_table(STORAGE)?;
            for (slot, cell) in &self.cells {
                tables::put(&mut storage, &slot.to_bytes_be(), cell)?;
            }
        }
        if let Some(row) = &self.row {
            tables::put(&mut txn.open_table(SHARDS)?, &at, row)?;
        }
        if let Some(settlement) = &self.settlement {
            tables::put(&mut txn.open_table(SETTLEMENTS)?, &at, settlement)?;
        }
        tables::put(&mut txn.open_table(OPERATIONS)?, &self.ticket.0.0, &self.shard)?;
        let Some(stage) = self.stage else { return Ok(()) };
        tables::put(&mut txn.open_table(STAGES)?, &at, &stage)?;
        let (mut open, key) = (txn.open_table(OPEN)?, tables::open_key(stage.operator, &at));
        match stage.stage {
            ShardStage::Started => open.insert(&key, ())?,
            ShardStage::Settled { .. } | ShardStage::Aborted { .. } => open.remove(&key)?,
        };
        Ok(())
    }
}

fn start(
    txn: &WriteTransaction,
    world: &WorldIdentity,
    request: &StartRequest,
    deadline: Timestamp,
    (ticket, now): (Ticket, Timestamp),
) -> Answer {
    let start = request.validate(world.network(), deadline).map_err(Refusal::from)?;
    let shard = start.shard;
    let at = shard.0.to_bytes_be();
    if tables::get::<32, StageRow>(&txn.open_table(STAGES)?, &at)?.is_some() {
        return Err(Refusal::AlreadyStarted { shard }.into());
    }
    if !world.programs().contains(&start.program) {
        return Err(Refusal::Program { program: start.program }.into());
    }
    if deadline <= now {
        return Err(Refusal::DeadlinePassed { shard, late: now.since(deadline) }.into());
    }
    if deadline.since(now) > MAX_TIMEOUT {
        return Err(Refusal::DeadlineFar { shard, ahead: deadline.since(now) }.into());
    }
    let storage = txn.open_table(STORAGE)?;
    let shards = txn.open_table(OPEN)?.len()?.saturating_add(1);
    let (mut cells, mut claims, mut values) = (BTreeMap::new(), Vec::new(), Vec::new());
    for entry in &request.entries {
        let slot = entry.slot();
        // The start data lists each slot once.
        let cell: Cell = tables::get(&storage, &slot.to_bytes_be())?.ok_or(Refusal::UnknownStorage { slot })?;
        let claimed = cell.claim(slot, entry.kind, shard, entry.amount)?;
        cell.room(slot, shards)?;
        cells.insert(slot, claimed.cell);
        claims.push(claimed.claim);
        values.push(claimed.value);
    }
    within_maxima(&start, &values)?;
    let before = state_commitment(start.commitment(), &values);
    let stage = StageRow { operator: start.operator, started_at: now, stage: ShardStage::Started };
    let receipt = Started { start: start.clone(), values: values.clone(), before, at: now };
    let values = values.into_iter().map(Value).collect();
    let row = ShardRow { ticket, start, values, before: Value(before), claims };
    let change = Change { shard, ticket, cells, stage: Some(stage), row: Some(row), settlement: None };
    Ok((Receipt::Started(Box::new(receipt)), Some(change)))
}

/// Refuses a shard of contracts in which a counter or an escrow would begin above its maximum: no run of it could be proven.
fn within_maxima(start: &ShardStart, values: &[Felt]) -> Result<(), Refusal> {
    let Terms::Contracts(terms) = &start.terms else { return Ok(()) };
    let listed = start.entries.iter().zip(&terms.maxima).zip(values);
    let mut above =
        listed.filter(|((entry, maximum), value)| entry.kind != Kind::Lock && **value > Felt::from(maximum.0));
    match above.next() {
        None => Ok(()),
        Some(((entry, maximum), value)) => {
            Err(Refusal::AboveMaximum { slot: entry.slot(), value: *value, maximum: maximum.0 })
        }
    }
}

fn settle(txn: &WriteTransaction, output: &Output, proof: Hash, (ticket, now): (Ticket, Timestamp)) -> Answer {
    let shard = output.shard;
    let at = shard.0.to_bytes_be();
    let stage = stage(txn, shard)?;
    match stage.stage {
        ShardStage::Started => {}
        ShardStage::Aborted { .. } => return Err(Refusal::Aborted { shard }.into()),
        ShardStage::Settled { proof: first, .. } if first != proof => {
            return Err(Refusal::AlreadySettled { shard, proof: first }.into());
        }
        ShardStage::Settled { .. } => {
            let settlement: Settlement = tables::need(&txn.open_table(SETTLEMENTS)?, &at)?;
            if settlement.output != *output {
                return Err(Refusal::OtherOutput { shard, proof }.into());
            }
            return Ok((Receipt::Settled(Box::new(settlement)), None));
        }
    }
    let row: ShardRow = tables::need(&txn.open_table(SHARDS)?, &at)?;
    if row.start.is_outdated() {
        return Err(Refusal::Program { program: row.start.program }.into());
    }
    let SegmentId { segment: expected, .. } = SegmentId::first(shard);
    if output.segment != expected {
        return Err(Refusal::Segment { shard, expected, got: output.segment }.into());
    }
    if output.before != row.before.0 {
        return Err(Refusal::Before { shard, expected: row.before.0, got: output.before }.into());
    }
    if !output.ended {
        return Err(Refusal::NotEnded { shard }.into());
    }
    let mut deltas = settlement(&row.start, &row.claims, &output.updates)?;
    if Mutation::AppliedTwice.is_planted() {
        let grown: Vec<_> =
            deltas.iter().filter(|(_, delta)| matches!(delta, Delta::Counter { .. })).copied().collect();
        deltas.extend(grown);
    }
    let (cells, at) = (merged(txn, &deltas)?, stage.ends_at(now));
    let settlement = Settlement { output: output.clone(), proof, at };
    let stage = StageRow { stage: ShardStage::Settled { proof, at }, ..stage };
    let receipt = settlement.clone();
    let change = Change { shard, ticket, cells, stage: Some(stage), row: None, settlement: Some(settlement) };
    Ok((Receipt::Settled(Box::new(receipt)), Some(change)))
}

fn abort(txn: &WriteTransaction, shard: ShardId, reason: AbortReason, (ticket, now): (Ticket, Timestamp)) -> Answer {
    let stage = stage(txn, shard)?;
    match stage.stage {
        ShardStage::Started => {}
        ShardStage::Aborted { reason, at } => {
            // Another reason makes it another operation, which is final as well.
            let is_known = txn.open_table(OPERATIONS)?.get(&ticket.0.0)?.is_some();
            let change = Change { shard, ticket, cells: BTreeMap::new(), stage: None, row: None, settlement: None };
            let receipt = Receipt::Aborted(Aborted { shard, reason, at });
            return Ok((receipt, (!is_known).then_some(change)));
        }
        ShardStage::Settled { proof, .. } => return Err(Refusal::AlreadySettled { shard, proof }.into()),
    }
    let row: ShardRow = tables::need(&txn.open_table(SHARDS)?, &shard.0.to_bytes_be())?;
    if reason == AbortReason::Deadline && now < row.start.deadline {
        return Err(Refusal::TooEarly { shard, left: row.start.deadline.since(now) }.into());
    }
    if reason == AbortReason::Outdated && !row.start.is_outdated() {
        return Err(Refusal::NotOutdated { shard }.into());
    }
    let mut back = undo(&row.start, &row.claims);
    if Mutation::LockKept.is_planted() {
        back.retain(|(_, delta)| !matches!(delta, Delta::Lock { .. }));
    }
    let (cells, at) = (merged(txn, &back)?, stage.ends_at(now));
    let stage = StageRow { stage: ShardStage::Aborted { reason, at }, ..stage };
    let change = Change { shard, ticket, cells, stage: Some(stage), row: None, settlement: None };
    Ok((Receipt::Aborted(Aborted { shard, reason, at }), Some(change)))
}

fn stage(txn: &WriteTransaction, shard: ShardId) -> Result<StageRow, LedgerError> {
    let row = tables::get(&txn.open_table(STAGES)?, &shard.0.to_bytes_be())?;
    Ok(row.ok_or(Refusal::UnknownShard { shard })?)
}

/// The cells as they are with these deltas.
fn merged(txn: &WriteTransaction, deltas: &[(Slot, Delta)]) -> Result<BTreeMap<Slot, Cell>, LedgerError> {
    let storage = txn.open_table(STORAGE)?;
    let mut cells = BTreeMap::new();
    for (slot, delta) in deltas {
        let cell: Cell = match cells.get(slot) {
            Some(cell) => *cell,
            None => tables::need(&storage, &slot.to_bytes_be())?,
        };
        cells.insert(*slot, cell.merge(*slot, *delta)?);
    }
    Ok(cells)
}

/// What a start came to that is final.
fn started(txn: &WriteTransaction, shard: ShardId) -> Result<Started, LedgerError> {
    let at = shard.0.to_bytes_be();
    let row: ShardRow = tables::need(&txn.open_table(SHARDS)?, &at)?;
    let stage: StageRow = tables::need(&txn.open_table(STAGES)?, &at)?;
    Ok(row.started(stage.started_at))
}

/// What a final operation came to; none if there is no such one.
pub(super) fn recall(txn: &ReadTransaction, ticket: Ticket) -> Result<Option<Receipt>, LedgerError> {
    let Some(shard) = tables::get::<32, ShardId>(&txn.open_table(OPERATIONS)?, &ticket.0.0)? else { return Ok(None) };
    let at = shard.0.to_bytes_be();
    let stage: StageRow = tables::need(&txn.open_table(STAGES)?, &at)?;
    let row: ShardRow = tables::need(&txn.open_table(SHARDS)?, &at)?;
    // A shard has at most two final operations: its start, and what ended it.
    if row.ticket == ticket {
        return Ok(Some(Receipt::Started(Box::new(row.started(stage.started_at)))));
    }
    Ok(Some(match stage.stage {
        ShardStage::Aborted { reason, at } => Receipt::Aborted(Aborted { shard, reason, at }),
        ShardStage::Settled { .. } => Receipt::Settled(Box::new(tables::need(&txn.open_table(SETTLEMENTS)?, &at)?)),
        ShardStage::Started => return Err(LedgerError::Damaged(format!("shard {shard} has an end and is open"))),
    }))
}
