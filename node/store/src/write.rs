//! Changes that become durable together.

use crate::{
    RecordKey, StoreError, Table,
    table::{Bytes, records},
};
use redb::{ReadableTable as _, TableDefinition};
use serde::{Serialize, de::DeserializeOwned};

/// Most bytes one record may take: the largest is an assignment with the model's bounds exhausted (about 200 KiB).
pub const MAX_RECORD_BYTES: usize = 1 << 20;
/// Most callers' changes in one commit, so that the first ones of many aren't held up by the last.
pub const MAX_GROUP: usize = 512;

/// Changes that become durable together.
#[allow(missing_debug_implementations)]
pub struct Write<'t> {
    transaction: &'t redb::WriteTransaction,
    /// What was written so far.
    bytes: u64,
    /// What the rows held that were changed, the latest last, while [`attempt`](Self::attempt) may take them back.
    before: Option<Vec<Before>>,
}

/// A row before it was changed.
struct Before {
    table: &'static str,
    key: Vec<u8>,
    record: Option<Vec<u8>>,
}

impl<'t> Write<'t> {
    pub(crate) fn new(transaction: &'t redb::WriteTransaction) -> Self {
        Self { transaction, bytes: 0, before: None }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes back what `changes` did if it fails; the outer error is that of taking back.
    pub(crate) fn attempt<T, E>(
        &mut self,
        changes: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<Result<T, E>, StoreError> {
        self.before = Some(Vec::new());
        let result = changes(self);
        let before = self.before.take().unwrap_or_default();
        if result.is_err() {
            for Before { table, key, record } in before.into_iter().rev() {
                let mut open = self.transaction.open_table(TableDefinition::<Bytes, Bytes>::new(table))?;
                match record {
                    Some(record) => drop(open.insert(&*key, &*record)?),
                    None => drop(open.remove(&*key)?),
                }
            }
        }
        Ok(result)
    }

    /// As [`Store::get`](crate::Store::get), with what was changed so far. Nobody else changes anything meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if the disk fails, [`StoreError::Damaged`] if the record can't be read.
    pub fn get<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<Option<V>, StoreError> {
        let open = self.transaction.open_table(table.definition())?;
        let found = open.get(&*key.to_bytes())?;
        found.map(|bytes| table.decode(bytes.value())).transpose()
    }

    /// As [`Store::with_prefix`](crate::Store::with_prefix), with what was changed so far. Nobody else changes anything meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if the disk fails, [`StoreError::Damaged`] if a record can't be read.
    pub fn with_prefix<K: RecordKey, V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        prefix: &[u8],
    ) -> Result<Vec<(K, V)>, StoreError> {
        records(table, &self.transaction.open_table(table.definition())?, prefix)
    }

    /// Stores a record, over what was there.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] if the record is, another one if the disk fails.
    pub fn put<K: RecordKey, V: Serialize + DeserializeOwned>(
        &mut self,
        table: &Table<K, V>,
        key: &K,
        value: &V,
    ) -> Result<(), StoreError> {
        let bytes = postcard::to_allocvec(value)
            .ok()
            .filter(|bytes| bytes.len() <= MAX_RECORD_BYTES)
            .ok_or(StoreError::TooLarge { table: table.name, max: MAX_RECORD_BYTES })?;
        let key = key.to_bytes();
        {
            let mut open = self.transaction.open_table(table.definition())?;
            let before = open.insert(&*key, &*bytes)?;
            if let Some(log) = &mut self.before {
                log.push(Before { table: table.name, key, record: before.map(|it| it.value().to_vec()) });
            }
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Removes a record, if it is there.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if the disk fails.
    pub fn remove<K: RecordKey, V: Serialize + DeserializeOwned>(
        &mut self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<(), StoreError> {
        let key = key.to_bytes();
        let mut open = self.transaction.open_table(table.definition())?;
        let before = open.remove(&*key)?;
        if let (Some(log), Some(before)) = (&mut self.before, before) {
            log.push(Before { table: table.name, key, record: Some(before.value().to_vec()) });
        }
        Ok(())
    }
}
