//! Migrates a ledger of schema 1, of ABI 1. There storage was known by its address alone, a World by its network's name, and neither starts nor aborts said much.
//!
//! - A storage address becomes a slot of the contract that the shards which used it named. One that no shard ever used belongs to none: it is
//!   found under contract `0x0`. One that shards of two contracts used can't be said to be either's; such a file is refused.
//! - Start data and outputs become today's ([`abi_1`]); an aborted shard gets the reason [outdated](AbortReason::Outdated), because its own wasn't noted. The
//!   operations of that time aren't known, so none has a ticket.
//! - The World gets an identity. Its genesis is what its shards began with: what is there, with all that they did taken back. The sum of all
//!   balances, which the file did note, has to be that of the genesis.
//!
//! Open shards stay open, with what they hold, until a settler aborts them.
//!
//! All of it is one transaction; shards are changed one at a time. A damaged file is refused, and so is an identity of another network or genesis.

use super::tables::{
    self, LedgerError, META, Meta, OPERATIONS, SETTLEMENTS, SHARDS, STAGES, STORAGE, ShardRow, StageRow, Value, name,
};
use crate::{
    Genesis, GenesisEntry, GenesisValue, IdentityError, Settlement, ShardStage, Ticket, WorldError, WorldIdentity,
};
use redb::{ReadTransaction, ReadableDatabase as _, TableDefinition};
use serde::Deserialize;
use shardwire_crdt::{Cell, Claim, Delta, settlement};
use shardwire_model::{ContractId, Hash, Key, PeerId, ShardStart, Slot, Timestamp, abi_1, life::AbortReason};
use std::collections::BTreeMap;

pub(super) const SCHEMA: u32 = 1;

/// Storage by its address.
const STORAGE_1: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("storage");
/// A ticket that no operation has.
const NO_TICKET: Ticket = Ticket(Hash([0; 32]));

#[derive(Deserialize)]
struct ShardRow1 {
    start: abi_1::Start,
    values: Vec<Value>,
    before: Value,
    claims: Vec<Claim>,
}

impl ShardRow1 {
    fn into_present(self) -> ShardRow {
        let Self { start, values, before, claims } = self;
        ShardRow { ticket: NO_TICKET, start: start.into_next().into_present(), values, before, claims }
    }
}

#[derive(Deserialize)]
struct StageRow1 {
    operator: PeerId,
    started_at: Timestamp,
    stage: Stage1,
}

#[derive(Deserialize)]
enum Stage1 {
    Started,
    Settled { proof: Hash, at: Timestamp },
    Aborted { at: Timestamp },
}

#[derive(Deserialize)]
struct Settlement1 {
    output: abi_1::Output,
    proof: Hash,
    at: Timestamp,
}

impl Settlement1 {
    fn into_present(self, start: &ShardStart) -> Result<Settlement, LedgerError> {
        let Self { output, proof, at } = self;
        let other = || LedgerError::Damaged(format!("the settlement of shard {} isn't of its list", start.shard));
        Ok(Settlement { output: output.into_present(start).ok_or_else(other)?, proof, at })
    }
}

/// What a file of this schema says of its World.
pub(super) struct Older {
    network: String,
    balances: u128,
    cells: BTreeMap<Slot, Cell>,
    genesis: Hash,
}

impl Older {
    /// Reads all of it, and takes back what its shards did.
    pub(super) fn read(txn: &ReadTransaction, place: &str) -> Result<Self, LedgerError> {
        let meta = txn.open_table(META)?;
        let (network, balances) =
            (tables::need::<32, _>(&meta, &name("network"))?, tables::need::<32, u128>(&meta, &name("balances"))?);
        let contracts = contracts(txn, place)?;
        let mut cells = BTreeMap::new();
        for row in tables::rows::<Cell>(&txn.open_table(STORAGE_1)?, None)? {
            let (key, cell) = row?;
            let key = Key(key);
            cells.insert(Slot::new(contracts.get(&key).copied().unwrap_or_default(), key), cell);
        }
        let genesis = genesis(txn, &cells, balances)?;
        Ok(Self { network, balances, cells, genesis })
    }

    /// The identity that the World has with these settlers and programs.
    pub(super) fn identity(
        &self,
        settlers: impl IntoIterator<Item = PeerId>,
        programs: impl IntoIterator<Item = shardwire_model::Felt>,
    ) -> Result<WorldIdentity, IdentityError> {
        WorldIdentity::new(&self.network, self.genesis, settlers, programs)
    }
}

/// Whose each storage address is that a shard used.
fn contracts(txn: &ReadTransaction, place: &str) -> Result<BTreeMap<Key, ContractId>, LedgerError> {
    let mut contracts = BTreeMap::new();
    for row in tables::rows::<ShardRow1>(&txn.open_table(SHARDS)?, None)? {
        for entry in row?.1.start.entries {
            if *contracts.entry(entry.key).or_insert(entry.contract) != entry.contract {
                return Err(WorldError::Shared { place: place.into(), key: entry.key }.into());
            }
        }
    }
    Ok(contracts)
}

/// The hash of what the World began with.
fn genesis(txn: &ReadTransaction, cells: &BTreeMap<Slot, Cell>, balances: u128) -> Result<Hash, LedgerError> {
    let disagree = |what: &str| LedgerError::Damaged(format!("rows contradict each other about {what}"));
    let now = |cell: &Cell| match cell {
        Cell::Counter(counter) => Some(GenesisValue::Number(counter.value())),
        Cell::Escrow(escrow) => escrow.balance().checked_add(escrow.in_escrow()).map(GenesisValue::Number),
        Cell::Lock(lock) => Some(GenesisValue::Hex(lock.value().0)),
    };
    let mut begun = BTreeMap::new();
    for (slot, cell) in cells {
        begun.insert(*slot, (cell.kind(), now(cell).ok_or_else(|| disagree("the sum of all balances"))?));
    }
    let settlements = txn.open_table(SETTLEMENTS)?;
    for row in tables::rows::<ShardRow1>(&txn.open_table(SHARDS)?, None)? {
        let (shard, row) = row?;
        let row = row.into_present();
        for (entry, claim) in row.start.entries.iter().zip(&row.claims) {
            // The first that took the lock found what was there in the beginning.
            if let (Claim::Lock { fence: 1, value }, Some(it)) = (claim, begun.get_mut(&entry.slot())) {
                it.1 = GenesisValue::Hex(value.0);
            }
        }
        let Some(settled) = tables::get::<32, Settlement1>(&settlements, &shard.to_bytes_be())? else { continue };
        let settled = settled.into_present(&row.start)?;
        for (slot, delta) in settlement(&row.start, &row.claims, &settled.output.updates)? {
            let Some((_, GenesisValue::Number(number))) = begun.get_mut(&slot) else { continue };
            let earlier = match delta {
                Delta::Counter { increment } => number.checked_sub(increment),
                Delta::Escrow { deposited, returned } => {
                    number.checked_add(deposited).and_then(|sum| sum.checked_sub(returned))
                }
                Delta::Lock { .. } => Some(*number),
            };
            *number = earlier.ok_or_else(|| disagree(&format!("what shards did to {slot}")))?;
        }
    }
    let mut sum = Some(0_u128);
    for (kind, value) in begun.values() {
        if let (shardwire_model::Kind::Escrow, GenesisValue::Number(balance)) = (kind, value) {
            sum = sum.and_then(|sum| sum.checked_add(*balance));
        }
    }
    if sum != Some(balances) {
        return Err(disagree("the sum of all balances"));
    }
    let entry = |(slot, (kind, value)): (Slot, _)| GenesisEntry { contract: slot.contract, key: slot.key, kind, value };
    let genesis = Genesis { storage: begun.into_iter().map(entry).collect() };
    genesis.hash().map_err(|error| LedgerError::Damaged(error.to_string()))
}

/// Makes the file one of today's schema, of the World with this identity.
pub(super) fn migrate(database: &redb::Database, identity: &WorldIdentity, place: &str) -> Result<(), LedgerError> {
    // What is read stays as it was while it is written over.
    let read = database.begin_read()?;
    let Older { network, balances, cells, genesis } = Older::read(&read, place)?;
    if network != identity.network() {
        let (found, asked) = (network, identity.network().into());
        return Err(WorldError::Network { place: place.into(), found, asked }.into());
    }
    if genesis != identity.genesis() {
        let (world, expected) = (identity.hash(), identity.genesis());
        return Err(WorldError::from(IdentityError::Genesis { world, expected, got: genesis }).into());
    }
    let mut txn = database.begin_write()?;
    txn.set_quick_repair(true);
    txn.delete_table(STORAGE_1)?;
    {
        let mut storage = txn.open_table(STORAGE)?;
        for (slot, cell) in &cells {
            tables::put(&mut storage, &slot.to_bytes_be(), cell)?;
        }
        let settlements = read.open_table(SETTLEMENTS)?;
        for row in tables::rows::<ShardRow1>(&read.open_table(SHARDS)?, None)? {
            let (shard, row) = row?;
            let (at, row) = (shard.to_bytes_be(), row.into_present());
            if let Some(settled) = tables::get::<32, Settlement1>(&settlements, &at)? {
                tables::put(&mut txn.open_table(SETTLEMENTS)?, &at, &settled.into_present(&row.start)?)?;
            }
            tables::put(&mut txn.open_table(SHARDS)?, &at, &row)?;
        }
        let mut stages = txn.open_table(STAGES)?;
        for row in tables::rows::<StageRow1>(&read.open_table(STAGES)?, None)? {
            let (shard, StageRow1 { operator, started_at, stage }) = row?;
            let stage = match stage {
                Stage1::Started => ShardStage::Started,
                Stage1::Settled { proof, at } => ShardStage::Settled { proof, at },
                Stage1::Aborted { at } => ShardStage::Aborted { reason: AbortReason::Outdated, at },
            };
            tables::put(&mut stages, &shard.to_bytes_be(), &StageRow { operator, started_at, stage })?;
        }
        txn.open_table(OPERATIONS)?;
        txn.open_table(META)?.remove(&name("network"))?;
    }
    Meta { identity: identity.clone(), balances }.store(&txn)?;
    Ok(txn.commit()?)
}
