//! Folders as nodes leave them, and as they shouldn't be.

use super::*;
use crate::{
    config::Setting,
    data::{Belongs, DataPaths, init},
};
use rand::{SeedableRng, rngs::StdRng};
use shardwire_host::{history::Advance as _, signed};
use shardwire_model::{
    ContractId, EventId, Felt, Hash, SegmentId, ShardStart, Timestamp, finished_selector,
    life::{Part, Step},
};
use shardwire_prover::ProverError;
use shardwire_store::{
    RecordKey, SystemDisk, Table,
    records::{EntryKey, Figures, HISTORY, JOBS, Job, LAYOUT, LogKey, TRANSACTIONS},
};
use std::{collections::BTreeMap, fs, io, path::PathBuf};

const WORLD: &str = r#"{"storage":[{"contract":"0x1","key":"0x1","kind":"counter","value":0},{"contract":"0x1","key":"0x2","kind":"escrow","value":1000}]}"#;

/// A settler's folder whose node has begun one job as a prover, too.
fn folder(place: &Path) -> (PathBuf, DataPaths) {
    let root = place.join("node");
    fs::write(place.join("world.json"), WORLD).unwrap();
    let roles = Flags::default().with(Setting::Roles, ["settler", "prover"]);
    let config = Config::draft(&Environment::default(), roles).unwrap();
    let belongs = Belongs::To { genesis: &place.join("world.json"), settlers: &[] };
    let created = init(&root, &config, belongs, &[Felt::ONE], &mut StdRng::seed_from_u64(7)).unwrap();
    (root, created.paths)
}

fn alone<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn check(root: &Path) -> Result<Report, RunError> {
    alone(super::check(root))
}

fn export(root: &Path, out: &mut dyn io::Write) -> Result<io::Result<u64>, RunError> {
    alone(super::export(root, out))
}

/// The bytes of every file, but the lock.
fn bytes(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            all.extend(bytes(&entry.path()));
        } else if entry.file_name() != "lock" {
            all.insert(entry.path(), fs::read(entry.path()).unwrap());
        }
    }
    all
}

fn found(root: &Path) -> Vec<String> {
    let before = bytes(root);
    let report = check(root).unwrap();
    assert!(bytes(root) == before, "looking has changed something");
    report.findings.iter().map(|it| format!("{} {}: {}", it.file, it.code, it.what)).collect()
}

fn job() -> Job {
    let contract = ContractId(Felt::from(5));
    let start = ShardStart {
        shard: ShardId(Felt::from(77)),
        program: Felt::ONE,
        operator: PeerId([2; 32]),
        contracts: vec![contract],
        accounts: vec![],
        end_event: EventId { from: contract, selector: finished_selector() },
        deadline: Timestamp(1 << 50),
        entries: vec![],
    };
    Job {
        start,
        values: vec![],
        segment: 0,
        operator: PeerId([2; 32]),
        epoch: 1,
        manifest: None,
        attempts: 0,
        proof: None,
        figures: Figures::default(),
        receipt: None,
        disputes: BTreeMap::new(),
        fault: None,
    }
}

/// Stores a proven job with its history and its proof.
fn proven(root: &Path, paths: &DataPaths) -> (Part, Hash) {
    let store = Store::open(&SystemDisk, &paths.store(), &LAYOUT).unwrap();
    let identity = DataFolder::look(root).unwrap().identity().clone();
    let job = job();
    let (id, proof) = (Hash::of(b"job"), Hash::of(b"the proof"));
    let part = Part::of_job(SegmentId::first(job.start.shard), id);
    let job = Job { proof: Some(proof), ..job };
    store
        .write(|write| {
            write.put(&JOBS, &id, &job)?;
            for step in [Step::Streaming { job: id }, Step::Proving { witness: id }, Step::Proven { proof }] {
                write.advance::<ProverError>(&identity, Timestamp(5), part, step)?;
            }
            Ok::<_, ProverError>(())
        })
        .unwrap();
    fs::create_dir_all(root.join("proofs")).unwrap();
    fs::write(root.join("proofs").join(proof.to_string()), b"the proof").unwrap();
    (part, proof)
}

#[test]
fn a_sound_folder_has_no_finding_and_what_is_exported_names_all_of_it() {
    let place = tempfile::tempdir().unwrap();
    let (root, paths) = folder(place.path());
    assert_eq!(found(&root), [""; 0], "a node that never ran");
    let (part, proof) = proven(&root, &paths);
    let report = check(&root).unwrap();
    assert_eq!((report.findings.len(), report.histories, report.proofs, report.records), (0, 1, 1, 4));
    let (peer, entries) = history(&root, part.shard).unwrap();
    assert!(shardwire_protocols::history::verify(&peer, part, &entries).is_ok());

    let mut out = Vec::new();
    assert_eq!(export(&root, &mut out).unwrap().unwrap(), 1 + 2 + 1 + 3);
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["node"]["peer"], peer.to_string());
    assert_eq!(lines[2]["storage"]["kind"], "escrow");
    assert_eq!(lines[3]["job"]["proof"], proof.to_string());
    assert_eq!(lines[6]["history"]["statement"]["step"]["proven"]["proof"], proof.to_string());
}

#[test]
fn what_is_wrong_is_named_with_its_file() {
    let place = tempfile::tempdir().unwrap();
    let (root, paths) = folder(place.path());
    let (part, proof) = proven(&root, &paths);

    let file = root.join("proofs").join(proof.to_string());
    fs::write(&file, b"another").unwrap();
    let of_proof = format!("proofs/{proof}");
    let missing = format!("{of_proof} SW-PROVER-008: the proof of job {} is missing", part.job.unwrap());
    assert_eq!(found(&root), [format!("{of_proof} SW-DATA-006: its content doesn't have its hash"), missing.clone()]);
    fs::remove_file(&file).unwrap();
    assert_eq!(found(&root), [missing]);
    fs::write(&file, b"the proof").unwrap();

    // An entry that somebody changed.
    let store = Store::open(&SystemDisk, &paths.store(), &LAYOUT).unwrap();
    let key = EntryKey { part, number: 1 };
    let mut entry: Signed<HistoryEntry> = signed::read(&store.get(&HISTORY, &key).unwrap().unwrap()).unwrap();
    entry.statement.at = Timestamp(6);
    store.put(&HISTORY, &key, &signed::stored(&entry)).unwrap();
    drop(store);
    let findings = found(&root);
    assert!(findings[0].contains("SW-LIFE-006: the history of shard"), "{findings:?}");
    assert!(findings[0].contains("as prover: entry 1 is not signed by"), "{findings:?}");

    // A record that is none.
    let store = Store::open(&SystemDisk, &paths.store(), &LAYOUT).unwrap();
    store
        .put(&Table::<LogKey, u8>::new("operator.transactions", 1), &LogKey { shard: part.shard, sequence: 0 }, &7)
        .unwrap();
    assert!(store.all(&TRANSACTIONS).is_err());
    drop(store);
    assert_eq!(
        found(&root),
        ["node.redb SW-STORE-004: node.redb is damaged: a record of 'operator.transactions' can't be read"]
    );

    // Files that aren't databases.
    fs::write(paths.store(), "not a database, but long enough to look like one".repeat(400)).unwrap();
    fs::write(paths.ledger(), "nor this one".repeat(400)).unwrap();
    let findings = found(&root);
    assert!(findings[0].starts_with("ledger.redb SW-LEDGER-003"), "{findings:?}");
    assert_eq!(findings[1], "node.redb SW-STORE-004: node.redb is damaged: it is not a redb file");
}

/// Every table of the layout, one after the other: none is left out.
#[test]
fn a_damaged_record_is_found_in_whatever_table_it_is() {
    let place = tempfile::tempdir().unwrap();
    let (root, paths) = folder(place.path());
    drop(Store::open(&SystemDisk, &paths.store(), &LAYOUT).unwrap());
    let sound = fs::read(paths.store()).unwrap();
    for table in LAYOUT.tables() {
        fs::write(paths.store(), &sound).unwrap();
        let store = Store::open(&SystemDisk, &paths.store(), &LAYOUT).unwrap();
        // No record is as short as this, and no key.
        store.put(&Table::<Nothing, ()>::new(table.name, table.version), &Nothing, &()).unwrap();
        drop(store);
        let found = found(&root);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("SW-STORE-004") && found[0].contains(table.name), "{found:?}");
    }
}

/// A key that isn't one of any table.
struct Nothing;

impl RecordKey for Nothing {
    fn to_bytes(&self) -> Vec<u8> {
        vec![7]
    }
    fn from_bytes(_: &[u8]) -> Option<Self> {
        None
    }
}

#[test]
fn a_folder_in_use_and_one_that_is_none_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let (root, _) = folder(place.path());
    let _running = DataFolder::open(&root).unwrap();
    let error = check(&root).unwrap_err();
    assert_eq!(error.code(), "SW-DATA-003");
    assert!(error.to_string().ends_with("is in use by another process"), "{error}");
    assert_eq!(export(&root, &mut Vec::new()).unwrap_err().code(), "SW-DATA-003");
    assert_eq!(check(place.path()).unwrap_err().code(), "SW-DATA-002");
}
