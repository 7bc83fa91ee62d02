//! The tables of a file, their versions, and how an older file becomes a present one.
//!
//! The file says the version of each of its tables. Those that are older are migrated, all in one transaction; a file with a table that is newer
//! or unknown is refused, and so is one from which no migration leads here. Nothing has changed then.

use crate::{StoreError, table::Description};
use redb::{
    ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError, TableHandle as _,
    WriteTransaction,
};
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
}

/// How a table of one version becomes one of the next.
#[derive(Debug)]
pub struct Migration {
    /// Which table.
    pub table: &'static str,
    /// The version before.
    pub from: u64,
    /// Changes its rows, and those of others if it has to. What a peer has signed stays as the bytes that it signed.
    pub run: fn(&mut Rows<'_>) -> Result<(), StoreError>,
}

impl Layout {
    /// Each table.
    pub fn tables(&self) -> impl Iterator<Item = &'static Description> {
        self.tables.iter().copied().flatten()
    }

    fn table(&self, name: &str) -> Option<&'static Description> {
        self.tables().find(|table| table.name == name)
    }

    /// Brings a file to this layout, or refuses it.
    pub(crate) fn admit(&self, database: &redb::Database) -> Result<(), StoreError> {
        let found = versions(&database.begin_read()?)?;
        let mut steps = Vec::new();
        if let Some(found) = &found {
            self.refuse_unknown(found)?;
            steps = self.steps(found)?;
        }
        let found = found.unwrap_or_default();
        let current = self.tables().all(|table| found.get(table.name) == Some(&table.version));
        if current {
            return Ok(());
        }
        let transaction = database.begin_write()?;
        for migration in steps {
            (migration.run)(&mut Rows(&transaction))?;
        }
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert(MAGIC, FORMAT)?;
            for table in self.tables() {
                meta.insert(table.name, table.version)?;
                transaction.open_table(rows(table.name))?;
            }
        }
        Ok(transaction.commit()?)
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

/// The version of each table; none if the file is a new one.
fn versions(transaction: &ReadTransaction) -> Result<Option<BTreeMap<String, u64>>, StoreError> {
    let meta = match transaction.open_table(META) {
        // A crash between making a file and its first transaction leaves it without a table.
        Err(TableError::TableDoesNotExist(_)) if transaction.list_tables()?.next().is_none() => return Ok(None),
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Err(StoreError::Foreign),
        Ok(meta) => meta,
    };
    let mut found = BTreeMap::new();
    for row in meta.iter()? {
        let (name, version) = row?;
        found.insert(name.value().to_owned(), version.value());
    }
    match found.remove(MAGIC) {
        Some(FORMAT) => {}
        Some(format) => return Err(StoreError::of_version("its table of versions", format, FORMAT)),
        None => return Err(StoreError::Foreign),
    }
    for table in transaction.list_tables()? {
        if table.name() != "meta" && !found.contains_key(table.name()) {
            return Err(StoreError::UnknownTable { table: table.name().to_owned() });
        }
    }
    Ok(Some(found))
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
    /// [`StoreError`] if the disk fails.
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
    /// [`StoreError`] if the disk fails.
    pub fn put(&mut self, table: &str, key: &[u8], record: &[u8]) -> Result<(), StoreError> {
        self.0.open_table(rows(table))?.insert(key, record)?;
        Ok(())
    }

    /// Removes a row of a table, if it is there.
    ///
    /// # Errors
    /// [`StoreError`] if the disk fails.
    pub fn remove(&mut self, table: &str, key: &[u8]) -> Result<(), StoreError> {
        self.0.open_table(rows(table))?.remove(key)?;
        Ok(())
    }
}
