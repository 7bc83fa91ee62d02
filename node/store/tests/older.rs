//! A file of schema 2 becomes one of today's layout with everything in it, or is refused and stays as it is.

use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition, TableHandle as _};
use serde::Serialize;
use shardwire_disk::{Medium, SimulatedDisk, Survives};
use shardwire_model::{
    Coded as _, Hash, PeerId, Role, SegmentId, ShardId, ShardStart, Timestamp, abi_1,
    life::{AbortCause, AbortReason, EntryForm, Part},
    without_terms,
};
use shardwire_reputation::Listing;
use shardwire_store::{
    Layout, Store, SystemDisk, Table,
    older::{self, OPERATOR, OlderFolder, PROVER, SETTLER},
    records::{
        ACCUSED, ASSIGNMENTS, EVIDENCE, EXECUTIONS, EntryKey, EvidencePart, Figures, HISTORY, INTENTS, Intent,
        JOB_LEASES, JOBS, LAYOUT, LEASES, LEASES_SEEN, SignedBytes, SignedEntry, TRANSACTIONS, VERDICTS, WORDS,
    },
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

type Bytes = &'static [u8];
type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn folder(of: OlderFolder) -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    of.unpack(&SystemDisk, place.path()).unwrap();
    let path = place.path().join("node.redb");
    (place, path)
}

fn open(path: &Path) -> Store {
    Store::open(&SystemDisk, path, &LAYOUT).unwrap()
}

/// Each table as the older program wrote it. Looked at in a copy: opening repairs what a kill left.
fn written(path: &Path) -> BTreeMap<String, Rows> {
    let copy = path.with_extension("copy");
    fs::copy(path, &copy).unwrap();
    let database = redb::Database::open(&copy).unwrap();
    let read = database.begin_read().unwrap();
    let names: Vec<String> = read.list_tables().unwrap().map(|table| table.name().to_owned()).collect();
    let rows = |name: &str| {
        let table = read.open_table(TableDefinition::<Bytes, Bytes>::new(name)).unwrap();
        let rows = table.iter().unwrap().map(|row| {
            let (key, record) = row.unwrap();
            (key.value().to_vec(), record.value().to_vec())
        });
        rows.collect()
    };
    names.iter().filter(|name| *name != "meta").map(|name| (name.clone(), rows(name))).collect()
}

/// Puts a row in a file, as the older program would have.
fn put(path: &Path, table: &str, key: &[u8], record: &[u8]) {
    let database = redb::Database::open(path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(TableDefinition::<Bytes, Bytes>::new(table)).unwrap().insert(key, record).unwrap();
    write.commit().unwrap();
}

#[track_caller]
fn refused(path: &Path, code: &str, text: &str) {
    let before = fs::read(path).unwrap();
    for error in
        [Store::view(&SystemDisk, path, &LAYOUT).unwrap_err(), Store::open(&SystemDisk, path, &LAYOUT).unwrap_err()]
    {
        assert_eq!((error.code(), error.to_string()), (code, format!("node.redb {text}")));
    }
    assert!(fs::read(path).unwrap() == before, "the file has changed");
}

fn id(text: &str) -> ShardId {
    text.parse().unwrap()
}

fn key(shard: &str) -> Vec<u8> {
    id(shard).0.to_bytes_be().to_vec()
}

#[test]
fn every_record_of_an_older_folder_is_found() {
    for (of, records) in [(SETTLER, 21), (OPERATOR, 67), (PROVER, 14)] {
        let (_place, path) = folder(of);
        let older = written(&path);
        assert_eq!(older.values().map(BTreeMap::len).sum::<usize>(), records);
        let store = open(&path);
        assert!(store.was_older());
        for table in LAYOUT.tables() {
            let mut found = 0;
            store.check(table, |_| {}, |record| found += usize::from(record.is_ok())).unwrap();
            assert_eq!(found, older.get(table.name).map_or(0, BTreeMap::len), "{}", table.name);
        }
        drop(store);
        assert!(!open(&path).was_older(), "it isn't migrated twice");
    }
}

#[test]
fn what_was_signed_stays_as_it_was_signed() {
    for of in [SETTLER, OPERATOR, PROVER] {
        let (_place, path) = folder(of);
        let mut older = written(&path);
        let store = open(&path);
        let mut entries = older.remove("node.history").unwrap().into_iter();
        for (_, entry) in store.all(&HISTORY).unwrap() {
            let (_, record) = entries.next().unwrap();
            assert_eq!(entry.form, EntryForm::First);
            assert!([entry.signed.statement, entry.signed.signature].concat() == record);
        }
        assert!(entries.next().is_none());
        for (name, table) in [
            ("prover.leases", store.all(&JOB_LEASES).unwrap().into_iter().map(|it| it.1).collect()),
            ("settler.leases", store.all(&LEASES_SEEN).unwrap().into_iter().map(|it| it.1).collect::<Vec<_>>()),
        ] {
            let records: Vec<Vec<u8>> = older.remove(name).unwrap_or_default().into_values().collect();
            assert!(
                table.into_iter().map(|lease| [lease.statement, lease.signature].concat()).collect::<Vec<_>>()
                    == records
            );
        }
    }
}

#[test]
fn records_are_todays_and_shards_are_marked() {
    let (_place, path) = folder(OPERATOR);
    let older = written(&path);
    let store = open(&path);
    let assignments = BTreeMap::from_iter(store.all(&ASSIGNMENTS).unwrap());
    assert!(assignments.len() == 4 && assignments.values().all(|it| it.start.is_outdated()));
    let log = store.all(&TRANSACTIONS).unwrap();
    assert_eq!((log.len(), older["operator.transactions"].len()), (40, 40));
    let executions = store.all(&EXECUTIONS).unwrap();
    assert_eq!(executions.len(), 2);
    for (at, executed) in executions {
        assert_eq!(at.segment, 0);
        assert!(executed.output.ended && executed.output.program == assignments[&at.shard].start.program);
        let slots = executed.output.updates.iter().map(|update| update.slot());
        assert!(slots.eq(assignments[&at.shard].start.entries.iter().map(|entry| entry.slot())));
    }
    assert_eq!(store.all(&LEASES).unwrap().len(), older["operator.leases"].len());

    let (_place, path) = folder(PROVER);
    let jobs = open(&path).all(&JOBS).unwrap();
    assert_eq!(jobs.len(), 3);
    let settled = &jobs.iter().find(|(_, job)| job.start.shard == id(older::SETTLED)).unwrap().1;
    assert!(settled.proof.is_some() && settled.receipt.is_some() && settled.start.is_outdated());
    let proving = &jobs.iter().find(|(_, job)| job.start.shard == id(older::PROVING)).unwrap().1;
    assert_eq!(proving.manifest.as_ref().unwrap().output.updates.len(), proving.start.entries.len());

    let (_place, path) = folder(SETTLER);
    let store = open(&path);
    assert!(store.get(&VERDICTS, &SegmentId::first(id(older::SETTLED))).unwrap().unwrap().fault.is_none());
    assert_eq!(store.get(&WORDS, &older::DENIED.parse().unwrap()).unwrap(), Some(Listing::Denied));
}

#[derive(Serialize)]
enum OlderIntent {
    Start { by: PeerId, deadline: Timestamp },
    Settle { proof: Hash, output: abi_1::Output },
    Abort { why: AbortCause },
}

#[test]
fn what_was_about_to_be_done_becomes_what_can_be_and_evidence_is_kept() {
    let (_place, path) = folder(SETTLER);
    let peer = PeerId([7; 32]);
    let output = abi_1::Output {
        shard: id("0x2"),
        segment: 0,
        before: 1.into(),
        after: 2.into(),
        transactions: 3.into(),
        count: 4,
        ended: true,
        updates: vec![],
    };
    let proof = Hash::of(b"proof");
    let intents = [
        (
            OlderIntent::Start { by: peer, deadline: Timestamp(9) },
            Intent::OlderStart { by: peer, deadline: Timestamp(9) },
        ),
        (OlderIntent::Settle { proof, output }, Intent::Abort { reason: AbortReason::Outdated }),
        (
            OlderIntent::Abort { why: AbortCause::Asked { by: peer } },
            Intent::Abort { reason: AbortReason::Asked { by: peer } },
        ),
        (OlderIntent::Abort { why: AbortCause::TimedOut }, Intent::Abort { reason: AbortReason::Deadline }),
    ];
    for ((older, _), n) in intents.iter().zip(1..) {
        put(&path, "settler.intents", &key(&format!("{n:#x}")), &postcard::to_allocvec(older).unwrap());
    }
    // A piece, its part, and the list of pieces: what they hold isn't looked at here.
    let accused = vec![(proof, 300_u32, Timestamp(400))];
    put(&path, "node.accused", &peer.0, &postcard::to_allocvec(&accused).unwrap());
    let part = EvidencePart { whole: 300, bytes: vec![5; 300] };
    put(&path, "node.evidence", &[&peer.0[..], &[0; 8]].concat(), &postcard::to_allocvec(&part).unwrap());

    let store = open(&path);
    for ((_, present), n) in intents.into_iter().zip(1..) {
        let key = SegmentId::first(id(&format!("{n:#x}")));
        assert_eq!(store.get(&INTENTS, &key).unwrap(), Some(present));
    }
    assert_eq!(store.get(&ACCUSED, &peer).unwrap().unwrap()[0].hash, proof);
    assert_eq!(store.all(&EVIDENCE).unwrap()[0].1, part);
}

#[test]
fn a_damaged_older_file_is_refused_as_it_is() {
    let junk = |table: &str| format!("is damaged: a record of '{table}' can't be read");
    for table in [
        "operator.assignments",
        "operator.executions",
        "prover.jobs",
        "settler.intents",
        "prover.leases",
        "settler.leases",
        "node.history",
    ] {
        let (_place, path) = folder(SETTLER);
        put(&path, table, &[0; 32], &[0xff; 3]);
        refused(&path, "SW-STORE-004", &junk(table));
    }
    for table in ["operator.executions", "operator.leases", "settler.intents", "settler.verdicts", "node.history"] {
        let (_place, path) = folder(OPERATOR);
        let sound = written(&path).remove(table).and_then(|rows| rows.into_values().next());
        let intent = || postcard::to_allocvec(&OlderIntent::Abort { why: AbortCause::TimedOut }).unwrap();
        put(&path, table, &[0xff; 7], &sound.unwrap_or_else(intent));
        refused(&path, "SW-STORE-004", &format!("is damaged: a key of '{table}' can't be read"));
    }
    // An output of another list than the shard's.
    let (_place, path) = folder(OPERATOR);
    let executions = &written(&path)["operator.executions"];
    put(&path, "operator.executions", &key(older::ASSIGNED), executions.values().next().unwrap());
    refused(
        &path,
        "SW-STORE-004",
        "is damaged: an output in 'operator.executions' isn't of its shard's settlement list",
    );
}

#[test]
fn damaged_pages_of_an_older_file_never_change_it() {
    let (_place, path) = folder(SETTLER);
    let sound = fs::read(&path).unwrap();
    let mut refusals = 0;
    for page in 0..sound.len() / 4096 {
        let mut damaged = sound.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0xa5);
        fs::write(&path, &damaged).unwrap();
        if Store::open(&SystemDisk, &path, &LAYOUT).is_err() {
            refusals += 1;
            assert!(fs::read(&path).unwrap() == damaged, "page {page}");
        }
    }
    assert!(refusals > 3, "{refusals}");
}

#[test]
fn another_format_and_an_unknown_table_are_refused_as_they_are() {
    let (_place, path) = folder(PROVER);
    put(&path, "prover.dreams", &[1], &[2]);
    refused(&path, "SW-STORE-007", "has a table 'prover.dreams', which this program doesn't know");

    let (_place, path) = folder(PROVER);
    let database = redb::Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(TableDefinition::<&str, u64>::new("meta")).unwrap().insert("shardwire node", 1).unwrap();
    write.commit().unwrap();
    drop(database);
    refused(&path, "SW-STORE-003", "has its table of versions in version 1, this program reads version 3");
}

/// Entries without a form, as a file of the version before has them, are of the second.
#[test]
fn histories_of_version_1_get_their_form() {
    const HISTORY_1: Table<EntryKey, SignedBytes> = Table::new("node.history", 1);
    const LAYOUT_1: Layout = Layout { tables: &[&[HISTORY_1.description()]], migrations: &[], formats: &[] };
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("node.redb");
    let store = Store::open(&SystemDisk, &path, &LAYOUT_1).unwrap();
    let key = EntryKey { part: Part::of(SegmentId::first(id("0x1")), Role::Settler), number: 0 };
    let signed = SignedBytes { statement: vec![1, 2, 3], signature: vec![4; 64] };
    store.put(&HISTORY_1, &key, &signed).unwrap();
    drop(store);
    assert_eq!(open(&path).all(&HISTORY).unwrap(), [(key, SignedEntry { form: EntryForm::Second, signed })]);
}

/// What settlers signed is kept as the bytes that they signed, not as the message that it came in.
#[test]
fn jobs_of_version_1_keep_what_settlers_signed() {
    #[derive(Serialize, serde::Deserialize)]
    struct JobOf1 {
        start: without_terms::Start,
        values: Vec<u8>,
        segment: u32,
        operator: PeerId,
        epoch: u64,
        manifest: Option<()>,
        attempts: u32,
        proof: Option<Hash>,
        figures: Figures,
        receipt: Option<Vec<u8>>,
        disputes: BTreeMap<PeerId, Vec<u8>>,
        fault: Option<(String, String)>,
    }
    const JOBS_1: Table<Hash, JobOf1> = Table::new("prover.jobs", 1);
    const LAYOUT_1: Layout = Layout { tables: &[&[JOBS_1.description()]], migrations: &[], formats: &[] };
    let (_place, older) = folder(PROVER);
    let ShardStart { shard, program, operator, contracts, accounts, end_event, deadline, entries, terms: _ } =
        open(&older).all(&JOBS).unwrap().remove(0).1.start;
    let start = without_terms::Start { shard, program, operator, contracts, accounts, end_event, deadline, entries };
    let (peer, message) = (PeerId([7; 32]), [&[1, 2, 3][..], &[4; 64]].concat());
    let job = |receipt| JobOf1 {
        start: start.clone(),
        values: vec![],
        segment: 0,
        operator: peer,
        epoch: 5,
        manifest: None,
        attempts: 0,
        proof: None,
        figures: Figures::default(),
        receipt: Some(receipt),
        disputes: BTreeMap::from([(peer, message.clone())]),
        fault: Some(("SW-TEST-001".into(), "it broke".into())),
    };
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("node.redb");
    let store = Store::open(&SystemDisk, &path, &LAYOUT_1).unwrap();
    let id = Hash::of(b"job");
    store.put(&JOBS_1, &id, &job(message.clone())).unwrap();
    drop(store);
    let kept = open(&path).get(&JOBS, &id).unwrap().unwrap();
    let signed = SignedBytes { statement: vec![1, 2, 3], signature: vec![4; 64] };
    assert_eq!((kept.receipt, kept.disputes), (Some(signed.clone()), BTreeMap::from([(peer, signed)])));
    let fault = kept.fault.unwrap();
    assert_eq!((fault.code.as_str(), fault.reason.as_str(), kept.epoch), ("SW-TEST-001", "it broke", 5));

    // What is shorter than a signature was never signed.
    let short = place.path().join("short.redb");
    let store = Store::open(&SystemDisk, &short, &LAYOUT_1).unwrap();
    store.put(&JOBS_1, &id, &job(vec![4; 63])).unwrap();
    drop(store);
    refused(&short, "SW-STORE-004", "is damaged: a record of 'prover.jobs' can't be read");
}

/// Whatever act the power fails at while an older file is migrated: afterwards it is the older one or today's, with everything in it.
#[test]
fn a_crash_while_migrating_leaves_the_older_file_or_todays() {
    let (root, path) = (Path::new("node"), Path::new("node/node.redb"));
    let mut crashes = 0;
    for acts in 0.. {
        let medium = Medium::new(acts);
        SETTLER.unpack(&SimulatedDisk::new(&medium), root).unwrap();
        medium.power_off_after(acts);
        drop(Store::open(&SimulatedDisk::new(&medium), path, &LAYOUT));
        if medium.is_powered() {
            break;
        }
        crashes += 1;
        medium.power_on(Survives::Some(acts));
        let store = Store::open(&SimulatedDisk::new(&medium), path, &LAYOUT).unwrap();
        assert_eq!(store.all(&HISTORY).unwrap().len(), 11, "{acts}");
        assert!(store.all(&VERDICTS).unwrap().len() == 1 && store.all(&LEASES_SEEN).unwrap().len() == 1, "{acts}");
    }
    assert!(crashes > 5, "{crashes}");
}

/// Packs the folders that `make.sh` made.
#[test]
#[ignore = "makes the fixture: FOLDERS names what make.sh made"]
fn pack() {
    let folders = PathBuf::from(std::env::var_os("FOLDERS").expect("FOLDERS"));
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("older");
    fs::copy(folders.join("genesis.json"), fixture.join("genesis.json")).unwrap();
    for node in ["settler", "operator", "prover"] {
        for name in ["identity.key", "shardwire.toml", "node.redb", "ledger.redb", "exported.jsonl"] {
            let Ok(bytes) = fs::read(folders.join(node).join(name)) else { continue };
            let (to, bytes) = match name {
                "identity.key" | "shardwire.toml" => (name.to_owned(), bytes),
                _ => (format!("{name}.lz4"), lz4_flex::compress_prepend_size(&bytes)),
            };
            fs::write(fixture.join(node).join(to), bytes).unwrap();
        }
    }
}
