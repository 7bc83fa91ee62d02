//! The store on the system's disk and on one that fails.

use proptest::prelude::*;
use redb::{Database, TableDefinition};
use shardwire_disk::{Medium, SimulatedDisk, Survives};
use shardwire_model::{Coded, Felt, ShardId};
use shardwire_store::{Backend, Disk, DiskError, Layout, Store, StoreError, SystemDisk, Table};
use std::{path::Path, sync::LazyLock};

const EPOCHS: Table<ShardId, u64> = Table::new("epochs", 1);
const LAYOUT: Layout = Layout { tables: &[&[EPOCHS.description()]], migrations: &[], formats: &[] };

fn id(n: u64) -> ShardId {
    ShardId(Felt::from(n))
}

#[test]
fn records_survive_reopening_and_come_back_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    let store = Store::open(&SystemDisk, &path, &LAYOUT).unwrap();
    for n in [3, 1, 2] {
        store.put(&EPOCHS, &id(n), &n).unwrap();
    }
    drop(store);
    let epochs: Vec<u64> = Store::open(&SystemDisk, &path, &LAYOUT)
        .unwrap()
        .all(&EPOCHS)
        .unwrap()
        .iter()
        .map(|(_, epoch)| *epoch)
        .collect();
    assert_eq!(epochs, [1, 2, 3]);
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let store = Store::in_memory(&LAYOUT).unwrap();
    let result: Result<(), StoreError> = store.write(|write| {
        write.put(&EPOCHS, &id(1), &1)?;
        Err(StoreError::Foreign)
    });
    assert!(result.is_err());
    assert_eq!(store.get(&EPOCHS, &id(1)).unwrap(), None);
}

/// Before, a crash in the middle of it left a file that was refused ever after.
#[test]
fn a_store_whose_making_was_cut_short_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, partial) = (folder.path().join("node.redb"), folder.path().join("node.redb.partial"));
    std::fs::write(&partial, [0; 4096]).unwrap();
    drop(Store::open(&SystemDisk, &path, &LAYOUT).unwrap());
    assert!(path.exists() && !partial.exists());
}

#[test]
fn every_refusal_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");

    let first = Store::open(&SystemDisk, &path, &LAYOUT).unwrap();
    let error = Store::open(&SystemDisk, &path, &LAYOUT).unwrap_err();
    assert_eq!(error.to_string(), "the data folder's node.redb is in use by another process");
    assert_eq!(error.code(), "SW-STORE-001");
    assert_eq!(error.next_step(), "Stop the other node, or give this one a data folder of its own.");
    drop(first);

    let foreign = folder.path().join("foreign.redb");
    let database = Database::create(&foreign).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<u64, u64>::new("theirs")).unwrap().insert(1, 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = refused(&foreign);
    assert_eq!(error.to_string(), "node.redb is not a shardwire node's file");
    assert_eq!(error.code(), "SW-STORE-002");
    assert!(Database::open(&foreign).is_ok(), "a foreign file stays usable");

    let text = folder.path().join("text.redb");
    std::fs::write(&text, "not a database, but long enough to look like one".repeat(400)).unwrap();
    let error = refused(&text);
    assert_eq!(error.to_string(), "node.redb is damaged: it is not a redb file");
    assert_eq!(error.code(), "SW-STORE-004");
}

/// Refused, and byte for byte as before.
fn refused(path: &Path) -> StoreError {
    let before = std::fs::read(path).unwrap();
    let error = Store::open(&SystemDisk, path, &LAYOUT).unwrap_err();
    assert!(std::fs::read(path).unwrap() == before, "the file has changed: {error}");
    error
}

/// A store as a crash leaves it: copied while it was open.
static CRASHED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    let store = Store::open(&SystemDisk, &path, &LAYOUT).unwrap();
    for n in 0..40 {
        store.put(&EPOCHS, &id(n), &n).unwrap();
    }
    std::fs::read(&path).unwrap()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is flipped or cut off of a file that a crash left: no panic gets out, and what is refused stays as it was.
    #[test]
    fn damage_is_refused_and_never_overwritten(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255u8), 0..6),
        near in any::<bool>(),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = CRASHED.clone();
        let range = if near { 4096.min(bytes.len()) } else { bytes.len() };
        for (at, flip) in &flips {
            bytes[at.index(range)] ^= flip;
        }
        if let Some(cut) = cut {
            bytes.truncate(1 + cut.index(bytes.len() - 1));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.redb");
        std::fs::write(&path, &bytes).unwrap();
        // Looking never changes anything.
        let looked = Store::view(&SystemDisk, &path, &LAYOUT).map(|store| store.each(&EPOCHS, drop).is_ok());
        prop_assert!(std::fs::read(&path).unwrap() == bytes);
        match Store::open(&SystemDisk, &path, &LAYOUT) {
            Err(error) => {
                prop_assert!(!error.code().is_empty());
                prop_assert!(std::fs::read(&path).unwrap() == bytes, "the file has changed: {}", error);
            }
            Ok(store) => {
                prop_assert!(looked.is_ok(), "{:?}", looked);
                if flips.is_empty() && cut.is_none() {
                    prop_assert_eq!(store.all(&EPOCHS).unwrap().len(), 40);
                }
            }
        }
    }
}

const NAME: &str = "node.redb";

fn open(disk: &Medium) -> Result<Store, StoreError> {
    Store::open(&SimulatedDisk::new(disk), Path::new(NAME), &LAYOUT)
}

fn epochs(store: &Store) -> Vec<u64> {
    store.all(&EPOCHS).unwrap().iter().map(|(_, epoch)| *epoch).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// What a role was told is stored, it finds again: whatever act the power fails at, and whatever the disk had got to.
    #[test]
    fn a_crash_takes_nothing_that_was_confirmed(crashes in prop::collection::vec((0..60u64, any::<u64>()), 1..8)) {
        let disk = Medium::new(0);
        drop(open(&disk).unwrap());
        let mut confirmed = 0;
        for (acts, seed) in crashes {
            disk.power_off_after(acts);
            let mut attempted = confirmed;
            let failed = open(&disk).and_then(|store| loop {
                attempted = confirmed + 1;
                // One transaction: both records are there, or neither.
                store.write(|write| {
                    write.put(&EPOCHS, &id(0), &attempted)?;
                    write.put(&EPOCHS, &id(1), &attempted)
                })?;
                confirmed = attempted;
            });
            let failed: Result<(), StoreError> = failed;
            prop_assert_eq!(failed.unwrap_err().code(), "SW-STORE-006");
            disk.power_on(Survives::Some(seed));
            let found = epochs(&open(&disk).unwrap());
            prop_assert!(found.is_empty() || found.len() == 2 && found[0] == found[1], "{:?}", found);
            let found = found.first().copied().unwrap_or(0);
            prop_assert!(found == confirmed || found == attempted, "{} of {} to {}", found, confirmed, attempted);
            confirmed = found;
        }
    }
}

#[test]
fn a_full_disk_is_said_to_be_one_and_keeps_what_it_has() {
    let disk = Medium::new(0);
    let store = open(&disk).unwrap();
    store.put(&EPOCHS, &id(0), &1).unwrap();
    disk.set_capacity(Some(disk.used()));
    let much: Result<(), StoreError> =
        store.write(|write| (1..200_000).try_for_each(|n| write.put(&EPOCHS, &id(n), &n)));
    let error = much.unwrap_err();
    assert_eq!(error.to_string(), "node.redb can't be read or written: I/O error: no storage space");
    assert_eq!(error.code(), "SW-STORE-006");
    assert_eq!(
        error.next_step(),
        "Check that the disk has room and that the data folder is writable. A node that runs goes on by itself then; one that has ended is to be started again."
    );
    disk.set_capacity(None);
    assert_eq!(epochs(&store), [1], "the same store goes on");
    store.put(&EPOCHS, &id(1), &1).unwrap();
    drop(store);
    assert_eq!(epochs(&open(&disk).unwrap()), [1, 1], "all of a transaction or nothing");
}

/// Whatever act the disk fails at: the same store goes on, with all of the change or nothing.
#[test]
fn a_store_goes_on_after_its_disk_has_failed_once() {
    for acts in 0.. {
        let disk = Medium::new(0);
        let store = open(&disk).unwrap();
        store.put(&EPOCHS, &id(0), &1).unwrap();
        disk.fail_once_after(acts);
        let put: Result<(), StoreError> =
            store.write(|write| [1, 2].into_iter().try_for_each(|n| write.put(&EPOCHS, &id(n), &7)));
        if disk.will_fail_once() {
            assert!(acts > 1 && put.is_ok());
            break;
        }
        let found = epochs(&store);
        assert!(found == [1, 7, 7] || put.is_err() && found == [1], "{found:?}: {put:?}");
        store.put(&EPOCHS, &id(3), &9).unwrap();
        drop(store);
        assert_eq!(epochs(&open(&disk).unwrap()), [found, vec![9]].concat());
    }
}

/// A disk that nothing may be written to.
#[derive(Debug)]
struct ReadOnly(SystemDisk);

impl ReadOnly {
    fn refused<T>(path: &Path, what: &'static str) -> Result<T, DiskError> {
        Err(DiskError::of(path, what)(std::io::ErrorKind::ReadOnlyFilesystem.into()))
    }
}

impl Disk for ReadOnly {
    fn write(&self, path: &Path, _: &[&[u8]], _: bool) -> Result<(), DiskError> {
        Self::refused(path, "written")
    }
    fn create(&self, path: &Path) -> Result<Box<dyn std::io::Write + Send>, DiskError> {
        Self::refused(path, "made")
    }
    fn read(&self, path: &Path, most: u64) -> Result<Option<Vec<u8>>, DiskError> {
        self.0.read(path, most)
    }
    fn rename(&self, _: &Path, to: &Path) -> Result<(), DiskError> {
        Self::refused(to, "renamed")
    }
    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        Self::refused(path, "removed")
    }
    fn database(&self, path: &Path) -> Result<Option<Backend>, DiskError> {
        Self::refused(path, "opened")
    }
    fn database_to_read(&self, path: &Path) -> Result<Option<Backend>, DiskError> {
        self.0.database_to_read(path)
    }
    fn create_database(&self, path: &Path) -> Result<Backend, DiskError> {
        Self::refused(path, "made")
    }
}

#[test]
fn to_look_at_a_store_needs_no_writable_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    let store = Store::open(&SystemDisk, &path, &LAYOUT).unwrap();
    store.put(&EPOCHS, &id(1), &7).unwrap();
    // As a crash leaves it, so that opening would repair it.
    let crashed = std::fs::read(&path).unwrap();
    for disk in [&ReadOnly(SystemDisk) as &dyn Disk, &SystemDisk] {
        let error = Store::view(disk, &path, &LAYOUT).unwrap_err();
        assert_eq!(error, StoreError::InUse, "a node has it");
    }
    drop(store);
    for bytes in [crashed, std::fs::read(&path).unwrap()] {
        std::fs::write(&path, &bytes).unwrap();
        Store::verify(&ReadOnly(SystemDisk), &path, &LAYOUT).unwrap();
        let view = Store::view(&ReadOnly(SystemDisk), &path, &LAYOUT).unwrap();
        let another = Store::view(&ReadOnly(SystemDisk), &path, &LAYOUT).unwrap();
        assert_eq!((view.get(&EPOCHS, &id(1)).unwrap(), another.get(&EPOCHS, &id(1)).unwrap()), (Some(7), Some(7)));
        assert_eq!(Store::open(&SystemDisk, &path, &LAYOUT).unwrap_err(), StoreError::InUse, "somebody looks at it");
        drop((view, another));
        assert!(std::fs::read(&path).unwrap() == bytes);
    }
}

/// Every page of the file, one after the other, zeroed or with a bit of it flipped, closed properly or as after a crash: opening, reading, writing and
/// closing never panic, and what is refused stays as it was.
#[test]
fn damage_in_any_page_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    let store = Store::open(&SystemDisk, &path, &LAYOUT).unwrap();
    for commit in 0..5 {
        let sixty = 60 * commit..60 * (commit + 1);
        store.write(|write| sixty.clone().try_for_each(|n| write.put(&EPOCHS, &id(n), &n))).unwrap();
    }
    let crashed = std::fs::read(&path).unwrap();
    drop(store);
    let closed = std::fs::read(&path).unwrap();
    let damage: [fn(&mut [u8]); 4] =
        [|page| page.fill(0), |page| page[1] ^= 1, |page| page[600] ^= 0x10, |page| page[..8].fill(0x7f)];
    let mut refused = 0;
    for sound in [closed, crashed] {
        let used = |page: &usize| sound[page * 4096..][..4096].iter().any(|byte| *byte != 0);
        for page in (0..sound.len() / 4096).filter(used) {
            for harm in &damage {
                let mut bytes = sound.clone();
                harm(&mut bytes[page * 4096..][..4096]);
                std::fs::write(&path, &bytes).unwrap();
                // Pages are believed here, as in a file that is too large for a start to read it whole.
                if let Ok(view) = Store::view(&SystemDisk, &path, &LAYOUT) {
                    let _ = view.all(&EPOCHS);
                    let _ = view.put(&EPOCHS, &id(1000), &1);
                    let _ = view.write(|write| {
                        for n in 0..300 {
                            write.remove(&EPOCHS, &id(n))?;
                        }
                        Ok::<_, StoreError>(())
                    });
                }
                match Store::open(&SystemDisk, &path, &LAYOUT) {
                    Err(_) => {
                        refused += 1;
                        assert!(std::fs::read(&path).unwrap() == bytes, "page {page}: it was refused and has changed");
                    }
                    Ok(store) => {
                        let all = store.all(&EPOCHS).unwrap();
                        // A crash may have torn the last commit, for all that anybody can tell.
                        assert!(all.len() >= 240, "page {page}: {} records of 300", all.len());
                        store.put(&EPOCHS, &id(1000), &1).unwrap();
                    }
                }
            }
        }
    }
    assert!(refused > 10, "{refused}");
}
