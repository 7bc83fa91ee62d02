//! The tables of the file, and the encoding of their rows.
//!
//! | table | key | row |
//! |---|---|---|
//! | `meta` | name | `format`, `schema`, `identity`, `balances` (those of the genesis, in sum) |
//! | `storage` | contract ‖ storage address | [`Cell`](shardwire_crdt::Cell) |
//! | `shards` | shard | [`ShardRow`]: what it was started with and holds; never changes |
//! | `stages` | shard | [`StageRow`]: where it stands |
//! | `settlements` | shard | [`Settlement`](crate::Settlement) |
//! | `operations` | ticket | the shard of each operation that is final |
//! | `open` | operator ‖ shard | nothing: the shards that are neither settled nor aborted |
//!
//! Felts as keys are 32 bytes big-endian. A row is postcard, followed by the first [`SEAL`] bytes of a hash over its key and itself, so that
//! a damaged or misplaced row is seen when it is read. All of it is schema [`SCHEMA`]; `format` and `schema` keep their
//! encoding in every later schema.

use crate::{Genesis, IdentityError, Refusal, ShardStage, Started, Ticket, WorldError, WorldIdentity};
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shardwire_crdt::{Cell, Claim, MergeError};
use shardwire_model::{Felt, Hash, PeerId, ShardStart, Slot, Timestamp, felt::from_canonical};
use shardwire_store::{Contradiction, DiskError};
use std::ops::Bound;

/// The version of tables and rows.
pub const SCHEMA: u32 = 3;
/// What every redb file begins with.
pub(super) const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";
/// Bytes of hash after a row: against damage, not against forgery, for which 8 are plenty.
const SEAL: usize = 8;
const FORMAT: &str = "shardwire ledger";

pub(super) const META: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("meta");
pub(super) const STORAGE: TableDefinition<'_, &[u8; 64], &[u8]> = TableDefinition::new("storage");
pub(super) const SHARDS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("shards");
pub(super) const STAGES: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("stages");
pub(super) const SETTLEMENTS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("settlements");
pub(super) const OPERATIONS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("operations");
pub(super) const OPEN: TableDefinition<'_, &[u8; 64], ()> = TableDefinition::new("open");

/// A felt in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Value(#[serde(with = "shardwire_model::felt::wire")] pub(super) Felt);

/// What a shard was started with and holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ShardRow {
    /// The operation that started it.
    pub(super) ticket: Ticket,
    pub(super) start: ShardStart,
    pub(super) values: Vec<Value>,
    pub(super) before: Value,
    pub(super) claims: Vec<Claim>,
}

impl ShardRow {
    pub(super) fn started(self, at: Timestamp) -> Started {
        let values = self.values.iter().map(|value| value.0).collect();
        let Self { start, before, .. } = self;
        Started { start, values, before: before.0, at }
    }
}

/// Where a shard stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct StageRow {
    pub(super) operator: PeerId,
    pub(super) started_at: Timestamp,
    pub(super) stage: ShardStage,
}

/// What a ledger says of itself.
#[derive(Clone, Debug)]
pub(super) struct Meta {
    pub(super) identity: WorldIdentity,
    pub(super) balances: u128,
}

impl Meta {
    pub(super) fn of(identity: &WorldIdentity, genesis: &Genesis) -> Result<Self, WorldError> {
        let (world, expected, got) = (identity.hash(), identity.genesis(), genesis.hash()?);
        if got != expected {
            return Err(IdentityError::Genesis { world, expected, got }.into());
        }
        let balance = |cell: &Cell| if let Cell::Escrow(escrow) = cell { escrow.balance() } else { 0 };
        // The genesis has seen that the sum is below 2^128.
        let balances = genesis.cells()?.values().map(balance).sum();
        Ok(Self { identity: identity.clone(), balances })
    }

    pub(super) fn store(&self, txn: &WriteTransaction) -> Result<(), LedgerError> {
        let mut table = txn.open_table(META)?;
        put(&mut table, &name("format"), &FORMAT)?;
        put(&mut table, &name("schema"), &SCHEMA)?;
        put(&mut table, &name("identity"), &self.identity.to_json())?;
        put(&mut table, &name("balances"), &self.balances)
    }

    /// The schema of a ledger.
    pub(super) fn schema(table: &impl Rows, place: &str) -> Result<u32, LedgerError> {
        match get::<32, String>(table, &name("format"))? {
            Some(format) if format == FORMAT => need(table, &name("schema")),
            _ => Err(WorldError::Foreign { place: place.into(), why: "it does not say that it is one".into() }.into()),
        }
    }

    pub(super) fn load(table: &impl Rows, place: &str) -> Result<Self, LedgerError> {
        let found = Self::schema(table, place)?;
        if found != SCHEMA {
            return Err(WorldError::Schema { place: place.into(), found, known: SCHEMA }.into());
        }
        let identity: String = need(table, &name("identity"))?;
        let identity = WorldIdentity::from_json(&identity).map_err(|error| LedgerError::Damaged(error.to_string()))?;
        Ok(Self { identity, balances: need(table, &name("balances"))? })
    }
}

/// A name as a key: padded with zeros.
pub(super) fn name(text: &str) -> [u8; 32] {
    let mut key = [0; 32];
    for (to, from) in key.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    key
}

pub(super) fn open_key(operator: PeerId, shard: &[u8; 32]) -> [u8; 64] {
    let mut key = [0; 64];
    let (first, second) = key.split_at_mut(32);
    first.copy_from_slice(&operator.0);
    second.copy_from_slice(shard);
    key
}

/// A table of sealed rows, open for reading.
pub(super) trait Rows<const N: usize = 32>: ReadableTable<&'static [u8; N], &'static [u8]> {}
impl<const N: usize, T: ReadableTable<&'static [u8; N], &'static [u8]>> Rows<N> for T {}

fn seal(key: &[u8], row: &[u8]) -> Hash {
    Hash::of_parts("shardwire ledger row", &[key, row])
}

fn unseal<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, LedgerError> {
    let damaged = || LedgerError::Damaged(format!("the row of {} does not match its seal", shown(key)));
    let (row, mark) = bytes.split_last_chunk::<SEAL>().ok_or_else(damaged)?;
    if !seal(key, row).0.starts_with(mark) {
        return Err(damaged());
    }
    postcard::from_bytes(row).map_err(|error| LedgerError::Damaged(error.to_string()))
}

pub(super) fn put<const N: usize, T: Serialize>(
    table: &mut Table<'_, &'static [u8; N], &'static [u8]>,
    key: &[u8; N],
    row: &T,
) -> Result<(), LedgerError> {
    let mut bytes = postcard::to_stdvec(row).map_err(|error| LedgerError::Disk(error.to_string()))?;
    let hash = seal(key, &bytes);
    bytes.extend(hash.0.iter().take(SEAL));
    table.insert(key, bytes.as_slice())?;
    Ok(())
}

pub(super) fn get<const N: usize, T: DeserializeOwned>(
    table: &impl Rows<N>,
    key: &[u8; N],
) -> Result<Option<T>, LedgerError> {
    table.get(key)?.map(|row| unseal(key, row.value())).transpose()
}

/// A row that has to be there.
pub(super) fn need<const N: usize, T: DeserializeOwned>(table: &impl Rows<N>, key: &[u8; N]) -> Result<T, LedgerError> {
    get(table, key)?.ok_or_else(|| LedgerError::Damaged(format!("the row of {} is missing", shown(key))))
}

/// A key, for people: the felts that it is made of.
fn shown(key: &[u8]) -> String {
    let felts: Vec<String> = key.chunks(32).map(|felt| format!("{:#x}", Felt::from_bytes_be_slice(felt))).collect();
    felts.join("/")
}

/// The rows from after a key.
pub(super) fn rows<T: DeserializeOwned>(
    table: &impl Rows,
    after: Option<Felt>,
) -> Result<impl Iterator<Item = Result<(Felt, T), LedgerError>>, LedgerError> {
    keyed_rows(table, after.map(|felt| felt.to_bytes_be()), from_canonical)
}

/// The rows of storage from after a slot.
pub(super) fn storage_rows<T: DeserializeOwned>(
    table: &impl Rows<64>,
    after: Option<Slot>,
) -> Result<impl Iterator<Item = Result<(Slot, T), LedgerError>>, LedgerError> {
    keyed_rows(table, after.map(Slot::to_bytes_be), Slot::from_bytes_be)
}

fn keyed_rows<const N: usize, K, T: DeserializeOwned>(
    table: &impl Rows<N>,
    after: Option<[u8; N]>,
    read: fn(&[u8; N]) -> Option<K>,
) -> Result<impl Iterator<Item = Result<(K, T), LedgerError>>, LedgerError> {
    let first = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let range = table.range::<&[u8; N]>((first, Bound::Unbounded))?;
    Ok(range.map(move |row| {
        let (key, row) = row?;
        let it = read(key.value()).ok_or_else(|| LedgerError::Damaged("a key is no felt".into()))?;
        Ok((it, unseal(key.value(), row.value())?))
    }))
}

/// Why a transaction did not happen, before it is known where.
#[derive(Debug)]
pub(super) enum LedgerError {
    Refused(Refusal),
    Error(WorldError),
    Damaged(String),
    Disk(String),
    InUse,
}

impl LedgerError {
    pub(super) fn at(self, place: &str) -> WorldError {
        let place = place.to_owned();
        match self {
            // Only what is judged is refused; what was applied before can't be.
            Self::Refused(refusal) => WorldError::Damaged { place, what: refusal.to_string() },
            Self::Error(error) => error,
            Self::Damaged(what) => WorldError::Damaged { place, what },
            Self::Disk(why) => WorldError::Disk { place, why },
            Self::InUse => WorldError::InUse { place },
        }
    }
}

impl From<WorldError> for LedgerError {
    fn from(error: WorldError) -> Self {
        Self::Error(error)
    }
}

impl From<Refusal> for LedgerError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<MergeError> for LedgerError {
    fn from(error: MergeError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<std::io::Error> for LedgerError {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error.to_string())
    }
}

impl From<DiskError> for LedgerError {
    fn from(error: DiskError) -> Self {
        error.reason.into()
    }
}

impl From<Contradiction> for LedgerError {
    fn from(contradiction: Contradiction) -> Self {
        Self::Damaged(contradiction.to_string())
    }
}

shardwire_store::from_redb!(LedgerError);
