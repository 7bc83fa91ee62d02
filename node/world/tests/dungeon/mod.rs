//! A small World that the tests share: experience, the gold of two players, a sword.
#![allow(dead_code, unreachable_pub)]

use shardwire_model::life::AbortReason;
use shardwire_model::{
    AccountId, Coded, ContractId, EntryRequest, EventId, Felt, Hash, Key, Kind, Output, PeerId, ShardId, StartRequest,
    Terms, Timestamp, Update, finished_selector,
};
use shardwire_world::{
    Aborted, EmbeddedLedger, Genesis, Operation, Receipt, Refusal, Settlement, ShardRecord, Started, StorageEntry,
    WorldError, WorldIdentity,
};
use std::{fmt, time::Duration};

pub const NETWORK: &str = "test";
pub const GENESIS: &str = r#"{"storage":[
    {"contract":"0xc1","key":"0x10","kind":"counter","value":5},
    {"contract":"0xc1","key":"0x20","kind":"escrow","value":1000},
    {"contract":"0xc1","key":"0x21","kind":"escrow","value":300},
    {"contract":"0xc1","key":"0x30","kind":"lock","value":"0xa1"}
]}"#;

pub const EXPERIENCE: Key = Key(Felt::from_hex_unchecked("0x10"));
pub const GOLD: Key = Key(Felt::from_hex_unchecked("0x20"));
pub const GOLD_2: Key = Key(Felt::from_hex_unchecked("0x21"));
pub const SWORD: Key = Key(Felt::from_hex_unchecked("0x30"));
pub const ANNA: AccountId = AccountId(Felt::from_hex_unchecked("0xa1"));
pub const BERT: AccountId = AccountId(Felt::from_hex_unchecked("0xa2"));
pub const GAME: ContractId = ContractId(Felt::from_hex_unchecked("0xc1"));

pub fn genesis() -> Genesis {
    Genesis::from_json(GENESIS).unwrap()
}

pub const PROGRAM: Felt = Felt::from_hex_unchecked("0x50");
pub const SETTLER: PeerId = PeerId([1; 32]);
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub fn identity() -> WorldIdentity {
    of(NETWORK, &genesis())
}

pub fn of(network: &str, genesis: &Genesis) -> WorldIdentity {
    WorldIdentity::new(network, genesis.hash().unwrap(), [SETTLER], [PROGRAM]).unwrap()
}

/// Why something wasn't done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Not {
    Refused(Refusal),
    Failed(WorldError),
}

impl fmt::Display for Not {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl Coded for Not {
    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Failed(error) => error.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.next_step(),
            Self::Failed(error) => error.next_step(),
        }
    }
}

impl std::error::Error for Not {}

impl From<Refusal> for Not {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The operations, one by one.
pub trait Acts {
    fn act(&self, operation: &Operation, now: Timestamp) -> Result<Receipt, Not>;

    fn start(&self, request: &StartRequest, now: Timestamp) -> Result<Started, Not> {
        let (request, deadline) = (request.clone(), now.plus(DAY));
        match self.act(&Operation::Start { request, deadline }, now)? {
            Receipt::Started(started) => Ok(*started),
            receipt => panic!("no start but {receipt:?}"),
        }
    }

    fn settle(&self, output: &Output, proof: Hash, now: Timestamp) -> Result<Settlement, Not> {
        match self.act(&Operation::Settle { output: output.clone(), proof }, now)? {
            Receipt::Settled(settlement) => Ok(*settlement),
            receipt => panic!("no settlement but {receipt:?}"),
        }
    }

    fn abort(&self, shard: ShardId, now: Timestamp) -> Result<Aborted, Not> {
        match self.act(&Operation::Abort { shard, reason: AbortReason::Asked { by: SETTLER } }, now)? {
            Receipt::Aborted(aborted) => Ok(aborted),
            receipt => panic!("no abort but {receipt:?}"),
        }
    }
}

impl Acts for EmbeddedLedger {
    fn act(&self, operation: &Operation, now: Timestamp) -> Result<Receipt, Not> {
        Ok(self.apply(operation, now).map_err(Not::Failed)??)
    }
}

pub fn world() -> EmbeddedLedger {
    EmbeddedLedger::create_with_backend(redb::backends::InMemoryBackend::new(), &identity(), &genesis()).unwrap()
}

pub fn now() -> Timestamp {
    Timestamp(1_000)
}

pub fn proof(n: u8) -> Hash {
    Hash([n; 32])
}

pub fn counter(key: Key) -> EntryRequest {
    EntryRequest { kind: Kind::Counter, contract: GAME, key, owner: None, amount: 0 }
}

pub fn escrow(key: Key, owner: AccountId, amount: u128) -> EntryRequest {
    EntryRequest { kind: Kind::Escrow, contract: GAME, key, owner: Some(owner), amount }
}

pub fn lock(key: Key) -> EntryRequest {
    EntryRequest { kind: Kind::Lock, contract: GAME, key, owner: None, amount: 0 }
}

pub fn request(salt: u64, entries: Vec<EntryRequest>) -> StartRequest {
    StartRequest {
        salt,
        program: PROGRAM,
        operator: PeerId([7; 32]),
        contracts: vec![GAME],
        accounts: vec![ANNA, BERT],
        end_event: EventId { from: GAME, selector: finished_selector() },
        entries,
        terms: Terms::Rules,
    }
}

/// Everything that there is.
pub fn run(salt: u64, gold: u128, gold_2: u128) -> StartRequest {
    request(salt, vec![counter(EXPERIENCE), escrow(GOLD, ANNA, gold), escrow(GOLD_2, BERT, gold_2), lock(SWORD)])
}

/// The output of a run of a started shard that ends with these values.
pub fn output(started: &Started, values: &[Felt]) -> Output {
    let updates = started.start.entries.iter().zip(values);
    Output {
        program: started.start.program,
        shard: started.start.shard,
        segment: 0,
        before: started.before,
        after: Felt::from(1),
        reads: Felt::ZERO,
        transactions: Felt::from(2),
        count: 3,
        ended: true,
        updates: updates
            .map(|(entry, value)| Update { kind: entry.kind, contract: entry.contract, key: entry.key, value: *value })
            .collect(),
    }
}

pub fn felts(values: [u64; 4]) -> Vec<Felt> {
    values.into_iter().map(Felt::from).collect()
}

/// All that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    pub storage: Vec<StorageEntry>,
    pub shards: Vec<ShardRecord>,
    pub open: Vec<ShardId>,
}

pub fn dump(world: &EmbeddedLedger) -> Dump {
    let shards = world.shards(None, usize::MAX).unwrap();
    let mut operators: Vec<PeerId> = shards.iter().map(|it| it.operator).collect();
    operators.sort_unstable();
    operators.dedup();
    Dump {
        storage: world.storage(None, usize::MAX).unwrap(),
        shards: shards.iter().map(|it| world.shard(it.shard).unwrap().unwrap()).collect(),
        open: operators.into_iter().flat_map(|it| world.open_shards(it, None, usize::MAX).unwrap()).collect(),
    }
}

/// The value of an address, what is in escrow, and who holds it.
pub fn at(world: &EmbeddedLedger, key: Key) -> (Felt, u128, Option<ShardId>) {
    let entry = world.storage(None, usize::MAX).unwrap().into_iter().find(|entry| entry.key == key).unwrap();
    (entry.value, entry.in_escrow, entry.held_by)
}
