//! Reads everything and compares it: what a person does before trusting a file, and a test after each step.

use super::{
    EmbeddedLedger,
    tables::{self, Fault, META, Meta, OPEN, OPERATIONS, SETTLEMENTS, SHARDS, STAGES, STORAGE, ShardRow, StageRow},
};
use crate::{Settlement, Stage, WorldError};
use redb::{ReadTransaction, ReadableTable as _, ReadableTableMetadata};
use shardwire_crdt::{Cell, Claim, Delta, settlement};
use shardwire_model::{Felt, Key, ShardId};
use std::collections::BTreeMap;

/// What a ledger holds in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Storage addresses.
    pub storage: u64,
    /// Shards ever started.
    pub shards: u64,
    /// Shards that may still settle.
    pub open: u64,
    /// All balances.
    pub balances: u128,
    /// What open shards hold.
    pub in_escrow: u128,
    /// What settled shards spent.
    pub spent: u128,
}

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

fn audit(txn: &ReadTransaction, place: &str) -> Result<Audit, Fault> {
    let meta = Meta::load(&txn.open_table(META)?, place)?;
    let mut audit = Audit::default();
    let mut escrows = BTreeMap::<Key, u128>::new();
    let mut locks = BTreeMap::<Key, (ShardId, u64)>::new();
    let (shards, settlements, open) = (txn.open_table(SHARDS)?, txn.open_table(SETTLEMENTS)?, txn.open_table(OPEN)?);
    for row in tables::rows::<StageRow>(&txn.open_table(STAGES)?, None)? {
        let (felt, stage) = row?;
        let (shard, at) = (ShardId(felt), felt.to_bytes_be());
        let row: ShardRow = tables::need(&shards, &at)?;
        audit.shards += 1;
        let is_open = stage.stage == Stage::Started;
        agree(open.get(&tables::open_key(stage.operator, &at))?.is_some() == is_open, "the list of open shards", felt)?;
        agree(row.start.shard == shard && row.claims.len() == row.start.entries.len(), "the start of shard", felt)?;
        if is_open {
            audit.open += 1;
            for (entry, claim) in row.start.entries.iter().zip(&row.claims) {
                match *claim {
                    Claim::Counter => {}
                    Claim::Escrow { amount } => *escrows.entry(entry.key).or_default() += u128::from(amount),
                    Claim::Lock { fence, .. } => {
                        agree(locks.insert(entry.key, (shard, fence)).is_none(), "two holders of lock", entry.key.0)?;
                    }
                }
            }
        } else if let Stage::Settled { proof, .. } = stage.stage {
            let settled: Settlement = tables::need(&settlements, &at)?;
            agree(settled.proof == proof, "the settlement of shard", felt)?;
            for (_, delta) in settlement(&row.start, &row.claims, &settled.output.updates)? {
                if let Delta::Escrow { deposited, returned } = delta {
                    // Below zero for one escrow, but not for all of a shard.
                    audit.spent = audit.spent.wrapping_add(u128::from(deposited)).wrapping_sub(u128::from(returned));
                }
            }
        }
    }
    agree(
        shards.len()? == audit.shards && open.len()? == audit.open,
        "the number of shards",
        Felt::from(audit.shards),
    )?;
    for row in tables::rows::<Cell>(&txn.open_table(STORAGE)?, None)? {
        let (felt, cell) = row?;
        audit.storage += 1;
        let held = locks.remove(&Key(felt));
        match cell {
            Cell::Escrow(escrow) => {
                let claimed = escrows.remove(&Key(felt)).unwrap_or(0);
                agree(claimed == u128::from(escrow.in_escrow()), "what shards hold of escrow", felt)?;
                audit.balances += u128::from(escrow.balance());
                audit.in_escrow += claimed;
            }
            Cell::Lock(lock) => {
                let holder = lock.holder().map(|shard| (shard, lock.fence()));
                agree(holder == held, "who holds lock", felt)?;
            }
            Cell::Counter(_) => {}
        }
        agree(held.is_none() || matches!(cell, Cell::Lock(_)), "the kind of", felt)?;
    }
    let stages = txn.open_table(STAGES)?;
    for row in txn.open_table(OPERATIONS)?.iter()? {
        let ticket = row?.0;
        let shard: ShardId = tables::need(&txn.open_table(OPERATIONS)?, ticket.value())?;
        agree(stages.get(&shard.0.to_bytes_be())?.is_some(), "the operations of shard", shard.0)?;
    }
    if let Some(key) = escrows.keys().chain(locks.keys()).next() {
        agree(false, "what shards hold of", key.0)?;
    }
    let total = audit.balances.wrapping_add(audit.in_escrow).wrapping_add(audit.spent);
    agree(total == u128::from(meta.balances), "the sum of all balances", Felt::from(meta.balances))?;
    Ok(audit)
}

fn agree(agrees: bool, what: &str, which: Felt) -> Result<(), Fault> {
    if agrees { Ok(()) } else { Err(Fault::Damaged(format!("rows contradict each other about {what} {which:#x}"))) }
}
