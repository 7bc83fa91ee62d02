//! Reads everything and compares it: what a person does before trusting a file, and a test after each step.

use super::{
    EmbeddedLedger,
    tables::{
        self, LedgerError, META, Meta, OPEN, OPERATIONS, SETTLEMENTS, SHARDS, STAGES, STORAGE, ShardRow, StageRow,
    },
};
use crate::{Audit, Settlement, ShardStage, WorldError};
use redb::{ReadTransaction, ReadableTable as _, ReadableTableMetadata};
use shardwire_crdt::{Cell, Claim, Delta, Sum, settlement};
use shardwire_model::{ShardId, Slot};
use std::collections::BTreeMap;

impl EmbeddedLedger {
    /// Reads every row and checks that they agree: balances, escrows and spends add up to the balances of the genesis; what is in
    /// escrow, and which locks are held, is what open shards hold; the list of open shards is complete.
    ///
    /// Takes time in proportion to the file, and memory to the number of storage addresses.
    ///
    /// # Errors
    /// [`WorldError::Damaged`] names the first contradiction.
    pub fn audit(&self) -> Result<Audit, WorldError> {
        self.read(|txn| audit(txn, &self.place))
    }
}

fn audit(txn: &ReadTransaction, place: &str) -> Result<Audit, LedgerError> {
    let meta = Meta::load(&txn.open_table(META)?, place)?;
    let mut audit = Audit::default();
    let mut escrows = BTreeMap::<Slot, Sum>::new();
    let mut locks = BTreeMap::<Slot, (ShardId, u64)>::new();
    let (shards, settlements, open) = (txn.open_table(SHARDS)?, txn.open_table(SETTLEMENTS)?, txn.open_table(OPEN)?);
    for row in tables::rows::<StageRow>(&txn.open_table(STAGES)?, None)? {
        let (felt, stage) = row?;
        let (shard, at) = (ShardId(felt), felt.to_bytes_be());
        let row: ShardRow = tables::need(&shards, &at)?;
        audit.shards += 1;
        let is_open = stage.stage == ShardStage::Started;
        agree(
            open.get(&tables::open_key(stage.operator, &at))?.is_some() == is_open,
            "the list of open shards",
            shard,
        )?;
        agree(row.start.shard == shard && row.claims.len() == row.start.entries.len(), "the start of shard", shard)?;
        if is_open {
            audit.open += 1;
            for (entry, claim) in row.start.entries.iter().zip(&row.claims) {
                match *claim {
                    Claim::Counter => {}
                    Claim::Escrow { amount } => {
                        let sum = escrows.entry(entry.slot()).or_default();
                        *sum = sum.plus(amount);
                    }
                    Claim::Lock { fence, .. } => {
                        agree(
                            locks.insert(entry.slot(), (shard, fence)).is_none(),
                            "two holders of lock",
                            entry.slot(),
                        )?;
                    }
                }
            }
        } else if let ShardStage::Settled { proof, .. } = stage.stage {
            let settled: Settlement = tables::need(&settlements, &at)?;
            agree(settled.proof == proof, "the settlement of shard", shard)?;
            for (_, delta) in settlement(&row.start, &row.claims, &settled.output.updates)? {
                if let Delta::Escrow { deposited, returned } = delta {
                    // Below zero for one escrow, but not for all of a shard.
                    audit.spent = audit.spent.wrapping_add(deposited).wrapping_sub(returned);
                }
            }
        }
    }
    agree(shards.len()? == audit.shards && open.len()? == audit.open, "the number of shards", audit.shards)?;
    for row in tables::storage_rows::<Cell>(&txn.open_table(STORAGE)?, None)? {
        let (slot, cell) = row?;
        audit.storage += 1;
        let held = locks.remove(&slot);
        match cell {
            Cell::Escrow(escrow) => {
                let claimed = escrows.remove(&slot).unwrap_or_default();
                agree(claimed == Sum::default().plus(escrow.in_escrow()), "what shards hold of escrow", slot)?;
                audit.balances = audit.balances.wrapping_add(escrow.balance());
                audit.in_escrow = audit.in_escrow.wrapping_add(escrow.in_escrow());
            }
            Cell::Lock(lock) => {
                let holder = lock.holder().map(|shard| (shard, lock.fence()));
                agree(holder == held, "who holds lock", slot)?;
            }
            Cell::Counter(_) => {}
        }
        agree(held.is_none() || matches!(cell, Cell::Lock(_)), "the kind of", slot)?;
    }
    let stages = txn.open_table(STAGES)?;
    for row in txn.open_table(OPERATIONS)?.iter()? {
        let ticket = row?.0;
        let shard: ShardId = tables::need(&txn.open_table(OPERATIONS)?, ticket.value())?;
        agree(stages.get(&shard.0.to_bytes_be())?.is_some(), "the operations of shard", shard)?;
    }
    if let Some(key) = escrows.keys().chain(locks.keys()).next() {
        agree(false, "what shards hold of", *key)?;
    }
    let total = audit.balances.wrapping_add(audit.in_escrow).wrapping_add(audit.spent);
    agree(total == meta.balances, "the sum of all balances", meta.balances)?;
    Ok(audit)
}

fn agree(agrees: bool, what: &str, which: impl std::fmt::Display) -> Result<(), LedgerError> {
    if agrees { Ok(()) } else { Err(LedgerError::Damaged(format!("rows contradict each other about {what} {which}"))) }
}
