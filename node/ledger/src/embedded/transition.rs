//! The three transitions of a shard, each inside one write transaction that the caller commits, or drops if there is an error.

use super::tables::{self, Fault, OPEN, SETTLEMENTS, SHARDS, STAGES, STORAGE, ShardRow, StageRow, Value};
use crate::{Aborted, LedgerError, Settled, Settlement, Stage, Started};
use redb::WriteTransaction;
use shardwire_crdt::{Cell, Delta, settlement, undo};
use shardwire_model::{Hash, Mutation, Output, ShardId, ShardStart, Slot, StartRequest, Timestamp, state_commitment};

/// The one segment that a run has today: from the snapshot to the end event.
const FIRST_SEGMENT: u32 = 0;

/// An answer, and whether anything changed.
type Answer<T> = Result<(T, bool), Fault>;

/// `start` is what the request was validated to.
pub(super) fn start(
    txn: &WriteTransaction,
    request: &StartRequest,
    start: ShardStart,
    now: Timestamp,
) -> Answer<Started> {
    let at = start.shard.0.to_bytes_be();
    let mut stages = txn.open_table(STAGES)?;
    if tables::get::<32, StageRow>(&stages, &at)?.is_some() {
        return Err(LedgerError::AlreadyStarted { shard: start.shard }.into());
    }
    let mut storage = txn.open_table(STORAGE)?;
    let (mut claims, mut values) = (Vec::new(), Vec::new());
    for entry in &request.entries {
        let slot = entry.slot();
        let key = slot.to_bytes_be();
        let cell: Cell = tables::get(&storage, &key)?.ok_or(LedgerError::UnknownStorage { slot })?;
        let claimed = cell.claim(slot, entry.kind, start.shard, entry.amount)?;
        tables::put(&mut storage, &key, &claimed.cell)?;
        claims.push(claimed.claim);
        values.push(claimed.value);
    }
    let before = state_commitment(start.commitment(), &values);
    let stage = StageRow { operator: start.operator, started_at: now, stage: Stage::Started };
    tables::put(&mut stages, &at, &stage)?;
    txn.open_table(OPEN)?.insert(&tables::open_key(start.operator, &at), ())?;
    let row = ShardRow { start, values: values.iter().copied().map(Value).collect(), before: Value(before), claims };
    tables::put(&mut txn.open_table(SHARDS)?, &at, &row)?;
    Ok((Started { start: row.start, values, before, at: now }, true))
}

pub(super) fn settle(txn: &WriteTransaction, output: &Output, proof: Hash, now: Timestamp) -> Answer<Settled> {
    let shard = output.shard;
    let at = shard.0.to_bytes_be();
    let stage =
        tables::get::<32, StageRow>(&txn.open_table(STAGES)?, &at)?.ok_or(LedgerError::UnknownShard { shard })?;
    match stage.stage {
        Stage::Started => {}
        Stage::Aborted { .. } => return Err(LedgerError::Aborted { shard }.into()),
        Stage::Settled { proof: first, .. } if first != proof => {
            return Err(LedgerError::AlreadySettled { shard, proof: first }.into());
        }
        Stage::Settled { .. } => {
            let settlement: Settlement = tables::need(&txn.open_table(SETTLEMENTS)?, &at)?;
            if settlement.output != *output {
                return Err(LedgerError::OtherOutput { shard, proof }.into());
            }
            return Ok((Settled { settlement, repeated: true }, false));
        }
    }
    let row: ShardRow = tables::need(&txn.open_table(SHARDS)?, &at)?;
    if output.segment != FIRST_SEGMENT {
        return Err(LedgerError::Segment { shard, expected: FIRST_SEGMENT, got: output.segment }.into());
    }
    if output.before != row.before.0 {
        return Err(LedgerError::Before { shard, expected: row.before.0, got: output.before }.into());
    }
    if !output.ended {
        return Err(LedgerError::NotEnded { shard }.into());
    }
    let deltas = settlement(&row.start, &row.claims, &output.updates)?;
    merge(txn, &deltas)?;
    if Mutation::AppliedTwice.is_planted() {
        let grown: Vec<_> = deltas.into_iter().filter(|(_, delta)| matches!(delta, Delta::Counter { .. })).collect();
        merge(txn, &grown)?;
    }
    let settlement = Settlement { output: output.clone(), proof, at: now };
    tables::put(&mut txn.open_table(SETTLEMENTS)?, &at, &settlement)?;
    close(txn, shard, &StageRow { stage: Stage::Settled { proof, at: now }, ..stage })?;
    Ok((Settled { settlement, repeated: false }, true))
}

pub(super) fn abort(txn: &WriteTransaction, shard: ShardId, now: Timestamp) -> Answer<Aborted> {
    let at = shard.0.to_bytes_be();
    let stage =
        tables::get::<32, StageRow>(&txn.open_table(STAGES)?, &at)?.ok_or(LedgerError::UnknownShard { shard })?;
    match stage.stage {
        Stage::Started => {}
        Stage::Aborted { at } => return Ok((Aborted { at, repeated: true }, false)),
        Stage::Settled { proof, .. } => return Err(LedgerError::AlreadySettled { shard, proof }.into()),
    }
    let row: ShardRow = tables::need(&txn.open_table(SHARDS)?, &at)?;
    let mut back = undo(&row.start, &row.claims);
    if Mutation::LockKept.is_planted() {
        back.retain(|(_, delta)| !matches!(delta, Delta::Lock { .. }));
    }
    merge(txn, &back)?;
    close(txn, shard, &StageRow { stage: Stage::Aborted { at: now }, ..stage })?;
    Ok((Aborted { at: now, repeated: false }, true))
}

fn merge(txn: &WriteTransaction, deltas: &[(Slot, Delta)]) -> Result<(), Fault> {
    let mut storage = txn.open_table(STORAGE)?;
    for (slot, delta) in deltas {
        let at = slot.to_bytes_be();
        let cell: Cell = tables::need(&storage, &at)?;
        tables::put(&mut storage, &at, &cell.merge(*slot, *delta)?)?;
    }
    Ok(())
}

fn close(txn: &WriteTransaction, shard: ShardId, stage: &StageRow) -> Result<(), Fault> {
    let at = shard.0.to_bytes_be();
    tables::put(&mut txn.open_table(STAGES)?, &at, stage)?;
    txn.open_table(OPEN)?.remove(&tables::open_key(stage.operator, &at))?;
    Ok(())
}
