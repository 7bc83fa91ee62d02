//! Tables: a name, a version, the type of the keys and the type of the records.

use crate::StoreError;
use redb::{ReadOnlyTable, ReadableTable, TableDefinition};
use serde::{Serialize, de::DeserializeOwned};
use shardwire_model::{Hash, PeerId, ShardId, felt};
use std::marker::PhantomData;

pub(crate) type Bytes = &'static [u8];

/// A table of records of type `V` by keys of type `K`.
#[derive(Debug)]
pub struct Table<K, V> {
    pub(crate) name: &'static str,
    version: u64,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: RecordKey, V: Serialize + DeserializeOwned> Table<K, V> {
    /// The table of this name, and the version of its records. The first version is 1.
    #[must_use]
    pub const fn new(name: &'static str, version: u64) -> Self {
        Self { name, version, types: PhantomData }
    }

    /// What a layout says of it.
    #[must_use]
    pub const fn description(&self) -> Description {
        Description { name: self.name, version: self.version, check: check::<K, V> }
    }

    pub(crate) fn definition(&self) -> TableDefinition<'static, Bytes, Bytes> {
        TableDefinition::new(self.name)
    }

    pub(crate) fn key(&self, bytes: &[u8]) -> Result<K, StoreError> {
        K::from_bytes(bytes).ok_or_else(|| StoreError::Damaged(format!("a key of '{}' can't be read", self.name)))
    }

    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<V, StoreError> {
        read(self.name, bytes)
    }
}

/// Reads a record of a table.
pub(crate) fn read<V: DeserializeOwned>(table: &str, bytes: &[u8]) -> Result<V, StoreError> {
    postcard::from_bytes(bytes).map_err(|_| StoreError::Damaged(format!("a record of '{table}' can't be read")))
}

/// The records of an open table whose key begins with `prefix`, in the order of their keys.
pub(crate) fn records<K: RecordKey, V: Serialize + DeserializeOwned>(
    table: &Table<K, V>,
    open: &impl ReadableTable<Bytes, Bytes>,
    prefix: &[u8],
) -> Result<Vec<(K, V)>, StoreError> {
    let mut records = Vec::new();
    for record in open.range(prefix..)? {
        let (key, value) = record?;
        if !key.value().starts_with(prefix) {
            break;
        }
        records.push((table.key(key.value())?, table.decode(value.value())?));
    }
    Ok(records)
}

/// Hands over each record of an open table, or why it can't be read.
pub(crate) fn each<K: RecordKey, V: Serialize + DeserializeOwned>(
    table: &Table<K, V>,
    open: &impl ReadableTable<Bytes, Bytes>,
    mut record: impl FnMut(Result<(K, V), StoreError>),
) -> Result<(), StoreError> {
    for found in open.range::<&[u8]>(..)? {
        let (key, value) = found?;
        let read = || Ok((table.key(key.value())?, table.decode(value.value())?));
        record(read());
    }
    Ok(())
}

/// Hands over for each record of the open table whether it can be read.
type Check =
    fn(&Description, &ReadOnlyTable<Bytes, Bytes>, &mut dyn FnMut(Result<(), StoreError>)) -> Result<(), StoreError>;

/// A table, whatever its types.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The name that the file has it under.
    pub name: &'static str,
    /// The version of its records.
    pub version: u64,
    pub(crate) check: Check,
}

impl Description {
    pub(crate) fn definition(&self) -> TableDefinition<'static, Bytes, Bytes> {
        TableDefinition::new(self.name)
    }
}

fn check<K: RecordKey, V: Serialize + DeserializeOwned>(
    described: &Description,
    open: &ReadOnlyTable<Bytes, Bytes>,
    record: &mut dyn FnMut(Result<(), StoreError>),
) -> Result<(), StoreError> {
    each(&Table::<K, V>::new(described.name, described.version), open, |found| record(found.map(drop)))
}

/// A key: bytes that sort as the key does.
pub trait RecordKey: Sized {
    /// The bytes of this key.
    fn to_bytes(&self) -> Vec<u8>;
    /// The key with these bytes.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl RecordKey for ShardId {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes_be().to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        felt::from_canonical(bytes.try_into().ok()?).map(Self)
    }
}

impl RecordKey for Hash {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl RecordKey for PeerId {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}
