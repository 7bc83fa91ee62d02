//! The tables of a file, their versions, and how an older file becomes a present one.
//!
//! The file says the version of each of its tables. Those that are older are migrated, all in one transaction; a file with a table that is newer
//! or unknown is refused, and so is one from which no migration leads here. Nothing has changed then.
//!
//! Before format 3 a file said one number for all of its tables: its format. Such a file becomes one with a version a table by a
//! [`FormatMigration`], and is then migrated as any other, in the same transaction.

use crate::{MAX_RECORD_BYTES, StoreError, table::Description};
use redb::{
    ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError, TableHandle as _,
    WriteTransaction,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The layout of the table of versions itself. The formats before had one version for all tables.
const FORMAT: u64 = 3;
/// What the file is, so that another program's redb file is never taken for ours. No table is called so.
const MAGIC: &str = "shardwire node";
/// The versions of the tables, by their names.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// What a file has to hold.
#[derive(Debug)]
pub struct Layout {
    /// Its tables, in groups: one a role.
    pub tables: &'static [&'static [Description]],
    /// How older tables become present ones, in the order in which they are run.
    pub migrations: &'static [Migration],
    /// How files of older formats become ones with a version a table.
    pub formats: &'static [FormatMigration],
}

/// How a table of one version becomes one of the next.
#[derive(Debug)]
pub struct Migration {
    /// The name of the table whose version it raises.
    pub table: &'static str,
    /// The version before.
    pub from: u64,
    /// Changes its rows, and those of others if it has to. What a peer has signed stays as the bytes that it signed.
    pub run: Run,
}

/// What a migration does.
type Run = fn(&mut Rows<'_>) -> Result<(), StoreError>;

/// How a file of an older format, with one number for all tables, becomes one with a version a table.
#[derive(Debug)]
pub struct FormatMigration {
    /// The number that such a file has.
    pub format: u64,
    /// The tables that such a file may have, each with the version that it has afterwards.
    pub tables: &'static [(&'static str, u64)],
    /// As [`Migration::run`].
    pub run: Run,
}

/// What a file says of itself.
enum Found {
    /// It is a new one.
    Nothing,
    /// The version of each table.
    Versions(BTreeMap<String, u64>),
    /// An older format, and the tables.
    Older { format: u64, tables: Vec<String> },
}

impl Layout {
    /// The tables, of all rooms.
    pub fn tables(&self) -> impl Iterator<Item = &'static Description> {
        self.tables.iter().copied().flatten()
    }

    fn table(&self, name: &str) -> Option<&'static Description> {
        self.tables().find(|table| table.name == name)
    }

    /// Brings a file to this layout, or refuses it; whether it was of an older one.
    pub(crate) fn admit(&self, database: &redb::Database) -> Result<bool, StoreError> {
        let mut steps = Vec::new();
        let found = match versions(&database.begin_read()?)? {
            Found::Nothing => BTreeMap::new(),
            Found::Versions(found) => found,
            Found::Older { format, tables } => {
                let older = self.older(format, &tables)?;
                steps.push(older.run);
                older.tables.iter().map(|(name, version)| ((*name).to_owned(), *version)).collect()
            }
        };
        self.refuse_unknown(&found)?;
        steps.extend(self.steps(&found)?.into_iter().map(|migration| migration.run));
        let current = self.tables().all(|table| found.get(table.name) == Some(&table.version));
        if current && steps.is_empty() {
            return Ok(false);
        }
        let transaction = database.begin_write()?;
        for run in &steps {
            run(&mut Rows(&transaction))?;
        }
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert(MAGIC, FORMAT)?;
            for table in self.tables() {
                meta.insert(table.name, table.version)?;
                transaction.open_table(rows(table.name))?;
            }
        }
        transaction.commit()?;
        Ok(!steps.is_empty())
    }

    /// The migration from an older format, if the file has no other tables than that.
    fn older(&self, format: u64, tables: &[String]) -> Result<&'static FormatMigration, StoreError> {
        let older = self.formats.iter().find(|it| it.format == format);
        let older = older.ok_or_else(|| StoreError::of_version("its table of versions", format, FORMAT))?;
        let unknown = tables.iter().find(|table| !older.tables.iter().any(|(name, _)| name == table));
        unknown.map_or(Ok(older), |table| Err(StoreError::UnknownTable { table: table.clone() }))
    }

    fn refuse_unknown(&self, found: &BTreeMap<String, u64>) -> Result<(), StoreError> {
        for (name, version) in found {
            let table = self.table(name).ok_or_else(|| StoreError::UnknownTable { table: name.clone() })?;
            if *version > table.version {
                return Err(StoreError::of_version(name, *version, table.version));
            }
        }
        Ok(())
    }

    /// The migrations that lead here, in their order.
    fn steps(&self, found: &BTreeMap<String, u64>) -> Result<Vec<&'static Migration>, StoreError> {
        let mut needed = BTreeSet::new();
        for (name, version) in found {
            let Some(table) = self.table(name) else { continue };
            for from in *version..table.version {
                if !self.migrations.iter().any(|migration| migration.table == name && migration.from == from) {
                    return Err(StoreError::of_version(name, *version, table.version));
                }
                needed.insert((table.name, from));
            }
        }
        let migrations = self.migrations.iter();
        Ok(migrations.filter(|migration| needed.contains(&(migration.table, migration.from))).collect())
    }
}

fn versions(transaction: &ReadTransaction) -> Result<Found, StoreError> {
    let meta = match transaction.open_table(META) {
        // A crash between making a file and its first transaction leaves it without a table.
        Err(TableError::TableDoesNotExist(_)) if transaction.list_tables()?.next().is_none() => {
            return Ok(Found::Nothing);
        }
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Err(StoreError::Foreign),
        Ok(meta) => meta,
    };
    let mut found = BTreeMap::new();
    for row in meta.iter()? {
        let (name, version) = row?;
        found.insert(name.value().to_owned(), version.value());
    }
    let format = found.remove(MAGIC).ok_or(StoreError::Foreign)?;
    let tables = transaction.list_tables()?.map(|table| table.name().to_owned()).filter(|name| name != META.name());
    match format {
        FORMAT => {
            let mut tables = tables;
            let unknown = tables.find(|table| !found.contains_key(table));
            unknown.map_or(Ok(Found::Versions(found)), |table| Err(StoreError::UnknownTable { table }))
        }
        _ if format < FORMAT => Ok(Found::Older { format, tables: tables.collect() }),
        _ => Err(StoreError::of_version("its table of versions", format, FORMAT)),
    }
}

fn rows(table: &str) -> TableDefinition<'_, &'static [u8], &'static [u8]> {
    TableDefinition::new(table)
}

/// A key and its record, as bytes.
pub type Row = (Vec<u8>, Vec<u8>);

/// The rows of all tables, as bytes, to a migration. What it changes is there with the migration's end, or not at all.
#[allow(missing_debug_implementations)]
pub struct Rows<'t>(&'t WriteTransaction);

impl Rows<'_> {
    /// Every row of a table, in the order of the keys: key and record.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if the disk fails.
    pub fn all(&self, table: &str) -> Result<Vec<Row>, StoreError> {
        let open = self.0.open_table(rows(table))?;
        let mut all = Vec::new();
        for row in open.iter()? {
            let (key, record) = row?;
            all.push((key.value().to_vec(), record.value().to_vec()));
        }
        Ok(all)
    }

    /// Puts a row in a table.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if the disk fails.
    pub fn put(&mut self, table: &str, key: &[u8], record: &[u8]) -> Result<(), StoreError> {
        self.0.open_table(rows(table))?.insert(key, record)?;
        Ok(())
    }

    /// Puts a record in a table.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] if it exceeds its bound, [`StoreError::Disk`] if the disk fails.
    pub(crate) fn put_record(
        &mut self,
        table: &'static str,
        key: &[u8],
        record: &impl Serialize,
    ) -> Result<(), StoreError> {
        let too_large = StoreError::TooLarge { table, max: MAX_RECORD_BYTES };
        let bytes = postcard::to_allocvec(record).ok().filter(|bytes| bytes.len() <= MAX_RECORD_BYTES);
        self.put(table, key, &bytes.ok_or(too_large)?)
    }

    /// Removes a row of a table, if it is there.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if the disk fails.
    pub fn remove(&mut self, table: &str, key: &[u8]) -> Result<(), StoreError> {
        self.0.open_table(rows(table))?.remove(key)?;
        Ok(())
    }
}
