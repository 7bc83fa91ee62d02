//! Migrates a ledger of schema 2: start data had no terms, because all shards were of the fixed rules ([`without_terms`]).
//!
//! Nothing else changes: the names of shards and of operations of the fixed rules are what they were, and so are the commitments. All of it is one
//! transaction; shards are changed one at a time. A damaged file is refused and stays as it is.

use super::tables::{self, LedgerError, META, SCHEMA as PRESENT, SHARDS, ShardRow, Value, name};
use crate::Ticket;
use redb::ReadableDatabase as _;
use serde::{Deserialize, Serialize};
use shardwire_crdt::Claim;
use shardwire_model::without_terms;

pub(super) const SCHEMA: u32 = 2;

#[derive(Serialize, Deserialize)]
struct ShardRow2 {
    ticket: Ticket,
    start: without_terms::Start,
    values: Vec<Value>,
    before: Value,
    claims: Vec<Claim>,
}

impl ShardRow2 {
    fn into_present(self) -> ShardRow {
        let Self { ticket, start, values, before, claims } = self;
        ShardRow { ticket, start: start.into_present(), values, before, claims }
    }
}

/// Makes the file one of today's schema.
pub(super) fn migrate(database: &redb::Database) -> Result<(), LedgerError> {
    // What is read stays as it was while it is written over.
    let read = database.begin_read()?;
    let mut txn = database.begin_write()?;
    txn.set_quick_repair(true);
    {
        let mut shards = txn.open_table(SHARDS)?;
        for row in tables::rows::<ShardRow2>(&read.open_table(SHARDS)?, None)? {
            let (shard, row) = row?;
            tables::put(&mut shards, &shard.to_bytes_be(), &row.into_present())?;
        }
        tables::put(&mut txn.open_table(META)?, &name("schema"), &PRESENT)?;
    }
    Ok(txn.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EmbeddedLedger, Genesis, GenesisEntry, GenesisValue, Operation, Receipt, WorldIdentity};
    use redb::backends::InMemoryBackend;
    use shardwire_model::{
        AccountId, ContractId, EntryRequest, EventId, Felt, Key, Kind, PeerId, ShardStart, StartRequest, Terms,
        Timestamp, finished_selector,
    };

    fn backward(start: ShardStart) -> without_terms::Start {
        let ShardStart { shard, program, operator, contracts, accounts, end_event, deadline, entries, terms } = start;
        assert_eq!(terms, Terms::Rules);
        without_terms::Start { shard, program, operator, contracts, accounts, end_event, deadline, entries }
    }

    #[test]
    fn a_ledger_whose_starts_have_no_terms_is_taken_up_whole() {
        let (contract, key, program) = (ContractId(Felt::from(0xd)), Key(Felt::from(0x10)), Felt::from(0xfeed));
        let genesis = Genesis {
            storage: vec![GenesisEntry { contract, key, kind: Kind::Counter, value: GenesisValue::Number(7) }],
        };
        let identity = WorldIdentity::new("test", genesis.hash().unwrap(), [PeerId([1; 32])], [program]).unwrap();
        let ledger = EmbeddedLedger::create_with_backend(InMemoryBackend::new(), &identity, &genesis).unwrap();
        let start = |salt| Operation::Start {
            request: StartRequest {
                salt,
                program,
                operator: PeerId([2; 32]),
                contracts: vec![contract],
                accounts: vec![AccountId(Felt::ONE)],
                end_event: EventId { from: contract, selector: finished_selector() },
                entries: vec![EntryRequest { kind: Kind::Counter, contract, key, owner: None, amount: 0 }],
                terms: Terms::Rules,
            },
            deadline: Timestamp(90_000),
        };
        let receipt = ledger.apply(&start(1), Timestamp(1)).unwrap().unwrap();
        let Receipt::Started(started) = &receipt else { panic!("{receipt:?}") };

        // As the file was before there were terms.
        let held = ledger.database.get::<LedgerError>().unwrap();
        let database = held.get().unwrap();
        let rows = |wanted: u32| {
            let read = database.begin_read().unwrap();
            let schema: u32 = tables::need(&read.open_table(META).unwrap(), &name("schema")).unwrap();
            assert_eq!(schema, wanted);
            read.open_table(SHARDS).unwrap()
        };
        let txn = database.begin_write().unwrap();
        for row in tables::rows::<ShardRow>(&rows(PRESENT), None).unwrap() {
            let (shard, ShardRow { ticket, start, values, before, claims }) = row.unwrap();
            let older = ShardRow2 { ticket, start: backward(start), values, before, claims };
            tables::put(&mut txn.open_table(SHARDS).unwrap(), &shard.to_bytes_be(), &older).unwrap();
        }
        tables::put(&mut txn.open_table(META).unwrap(), &name("schema"), &SCHEMA).unwrap();
        txn.commit().unwrap();
        let older = tables::rows::<ShardRow>(&rows(SCHEMA), None).unwrap().next().unwrap();
        assert!(older.is_err(), "a row of the older schema is none of today's");

        migrate(database).unwrap();
        drop(rows(PRESENT));
        assert_eq!(ledger.shard(started.start.shard).unwrap().unwrap().start, started.start);
        // The operation has the name that it had: handed in again it is the same, and starts nothing.
        assert_eq!(ledger.apply(&start(1), Timestamp(9)).unwrap().unwrap(), receipt);
        assert!(matches!(ledger.apply(&start(2), Timestamp(9)).unwrap().unwrap(), Receipt::Started(_)));
    }
}
