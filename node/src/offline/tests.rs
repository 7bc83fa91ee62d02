//! Folders as nodes leave them, and as they shouldn't be.

use super::*;
use crate::{
    config::Setting,
    data::{Belongs, DataFolder, DataPaths, init, world::KEPT_IN},
    programs,
};
use rand::{SeedableRng, rngs::StdRng};
use shardwire_host::{history::Advance as _, signed};
use shardwire_model::{
    ContractId, EventId, Felt, Hash, Output, SegmentId, ShardStart, Terms, Timestamp, finished_selector,
    life::{Part, Step},
    reads, state_commitment,
};
use shardwire_prover::ProverError;
use shardwire_store::{
    Artefacts, RecordKey, SystemDisk, Table,
    records::{EntryKey, Figures, HISTORY, JOBS, Job, LAYOUT, LogKey, Manifest, SignedBytes, TRANSACTIONS, WireFelt},
};
use shardwire_witness::compress;
use std::{collections::BTreeMap, fs, io, path::PathBuf};

pub(super) const WORLD: &str = r#"{"storage":[{"contract":"0x1","key":"0x1","kind":"counter","value":0},{"contract":"0x1","key":"0x2","kind":"escrow","value":1000}]}"#;

/// A settler's folder whose node has begun one job as a prover, too.
pub(crate) fn folder(place: &Path) -> (PathBuf, DataPaths) {
    let root = place.join("node");
    fs::write(place.join("world.json"), WORLD).unwrap();
    let roles = Flags::default().with(Setting::Roles, ["settler", "prover"]);
    let config = Config::draft(&Environment::default(), roles).unwrap();
    let belongs = Belongs::To { genesis: &place.join("world.json"), settlers: &[] };
    let created = init(&root, &config, belongs, &programs::hashes(), &mut StdRng::seed_from_u64(7)).unwrap();
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
pub(super) fn bytes(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
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
        terms: Terms::Rules,
    };
    Job {
        before: WireFelt(state_commitment(start.commitment(), &[])),
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
pub(crate) fn proven(root: &Path, paths: &DataPaths) -> (Part, Hash) {
    let store = Store::open(&SystemDisk, &paths.store(), &LAYOUT).unwrap();
    let identity = DataFolder::open(root).unwrap().identity().clone();
    let job = job();
    let (id, proof) = (check::name_of(&job), Hash::of(b"the proof"));
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
    assert_eq!((report.findings.len(), report.histories, report.proofs), (0, 1, 1));
    assert_eq!((report.records, report.records_expected), (4, 4));
    let looked = Folder::look(&root).unwrap();
    let (peer, entries) = (looked.peer(), looked.history(part.shard).unwrap());
    assert_eq!(looked.shards().unwrap(), [part.shard].into());
    drop(looked);
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
    let next: Vec<_> = check(&root).unwrap().findings.into_iter().map(|it| it.next_step).collect();
    assert_eq!(
        next,
        [
            "Start no node here: restore the folder from a copy. `shardwire data export` shows what can be read of this one.".to_owned(),
            ProverError::ProofLost.next_step()
        ]
    );
    fs::remove_file(&file).unwrap();
    assert_eq!(found(&root), [missing]);
    fs::write(&file, b"the proof").unwrap();

    // An entry that somebody changed.
    let store = Store::open(&SystemDisk, &paths.store(), &LAYOUT).unwrap();
    let key = EntryKey { part, number: 1 };
    let mut entry: Signed<HistoryEntry> = signed::read_entry(&store.get(&HISTORY, &key).unwrap().unwrap()).unwrap();
    entry.statement.at = Timestamp(6);
    store.put(&HISTORY, &key, &signed::stored_entry(&entry)).unwrap();
    drop(store);
    let findings = found(&root);
    assert!(findings[0].contains("SW-LIFE-006: the history of shard"), "{findings:?}");
    assert!(findings[0].contains("as prover: entry 1 is not signed by"), "{findings:?}");

    // A receipt that is none: before, it was shown as if there were none.
    let store = Store::open(&SystemDisk, &paths.store(), &LAYOUT).unwrap();
    let id = part.job.unwrap();
    let sound = store.get(&JOBS, &id).unwrap().unwrap();
    let receipt = Some(SignedBytes { statement: vec![1], signature: vec![2; 64] });
    store.put(&JOBS, &id, &Job { receipt, ..sound.clone() }).unwrap();
    drop(store);
    let damaged = "node.redb is damaged: a 'shardwire proof receipt 1' can't be read";
    assert_eq!(found(&root), [format!("node.redb SW-STORE-004: {damaged}")]);
    assert_eq!(export(&root, &mut Vec::new()).unwrap_err().to_string(), damaged);
    let store = Store::open(&SystemDisk, &paths.store(), &LAYOUT).unwrap();
    store.put(&JOBS, &id, &sound).unwrap();
    drop(store);

    // A record that is none.
    let store = Store::open(&SystemDisk, &paths.store(), &LAYOUT).unwrap();
    store
        .put(&Table::<LogKey, u8>::new("operator.transactions", 2), &LogKey { shard: part.shard, sequence: 0 }, &7)
        .unwrap();
    assert!(store.all(&TRANSACTIONS).is_err());
    drop(store);
    assert_eq!(
        found(&root),
        [
            "node.redb SW-STORE-004: node.redb is damaged: a record of 'operator.transactions' can't be read",
            "node.redb SW-DATA-006: table 'operator.transactions' has 0 records of 1"
        ]
    );

    // Files that aren't databases.
    fs::write(paths.store(), "not a database, but long enough to look like one".repeat(400)).unwrap();
    fs::write(paths.root().join(KEPT_IN), "nor this one".repeat(400)).unwrap();
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
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[1].ends_with(&format!("table '{}' has 0 records of 1", table.name)), "{found:?}");
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

/// Each page of the store, one after the other, with a bit of it flipped: nothing panics, nothing changes, and nothing that was there is missed in silence.
#[test]
fn a_flipped_bit_in_any_page_is_found_and_what_is_left_is_counted() {
    let place = tempfile::tempdir().unwrap();
    let (root, paths) = folder(place.path());
    proven(&root, &paths);
    let sound = fs::read(paths.store()).unwrap();
    let before = check(&root).unwrap();
    let mut found_in = 0;
    let used = |page: &usize| sound[page * 4096..][..4096].iter().any(|byte| *byte != 0);
    for page in (1..sound.len() / 4096).filter(used) {
        let mut bytes = sound.clone();
        // Where the page's own kind stands, its count, and some of its content.
        for at in [0, 2, 100, 700] {
            bytes[page * 4096 + at] ^= 1;
        }
        fs::write(paths.store(), &bytes).unwrap();
        let report = check(&root).unwrap();
        assert!(fs::read(paths.store()).unwrap() == bytes, "page {page}");
        if report.findings.is_empty() {
            // A page that nothing is in.
            assert_eq!(report, before, "page {page}");
        } else {
            found_in += 1;
            assert!(report.findings[0].code == "SW-STORE-004", "page {page}: {:?}", report.findings);
        }
    }
    assert!(found_in > 5, "{found_in} pages hold something");
}

#[test]
fn a_store_that_was_used_and_is_gone_or_empty_is_found_by_check_as_by_a_start() {
    let place = tempfile::tempdir().unwrap();
    let (root, paths) = folder(place.path());
    assert_eq!(found(&root), [""; 0], "a folder that is really new");
    proven(&root, &paths);
    fs::remove_dir_all(root.join("proofs")).unwrap();
    let kept = fs::read(paths.store()).unwrap();
    fs::write(paths.store(), "").unwrap();
    assert_eq!(found(&root), ["node.redb SW-STORE-004: node.redb is damaged: it is empty"]);
    fs::remove_file(paths.store()).unwrap();
    let lost = "node.redb SW-STORE-009: node.redb is gone: this data folder has been used, and what its node promised was in that file";
    assert_eq!(found(&root), [lost]);
    assert_eq!(export(&root, &mut Vec::new()).unwrap_err().code(), "SW-STORE-009");
    let refused = Store::open(&SystemDisk, &paths.store(), &LAYOUT).unwrap_err();
    assert_eq!(
        format!("error[{}]: {refused}\n  next: {}", refused.code(), refused.next_step()),
        "error[SW-STORE-009]: node.redb is gone: this data folder has been used, and what its node promised was in that file\n  next: Restore \
         node.redb from a copy, or make a new data folder with `shardwire init`: a node that forgets what it signed breaks its word."
    );
    assert!(!paths.store().exists());
    fs::write(paths.store(), kept).unwrap();
    assert!(Store::open(&SystemDisk, &paths.store(), &LAYOUT).is_ok());
}

/// Each of these a start refuses, with the same code.
#[test]
fn check_finds_what_a_start_refuses() {
    let place = tempfile::tempdir().unwrap();
    let (root, paths) = folder(place.path());
    let world = fs::read(paths.world()).unwrap();
    fs::write(paths.world(), "{}").unwrap();
    let findings = found(&root);
    assert!(findings.iter().any(|it| it.starts_with("world.json SW-WORLD-010")), "{findings:?}");
    fs::remove_file(paths.world()).unwrap();
    assert!(found(&root).iter().any(|it| it.starts_with("world.json SW-WORLD-020")));
    fs::write(paths.world(), world).unwrap();

    let config = fs::read_to_string(paths.config()).unwrap();
    fs::write(paths.config(), config.replace("network = \"local\"", "network = \"other\"")).unwrap();
    assert!(found(&root).iter().any(|it| it.starts_with("world.json SW-WORLD-022")));
    fs::write(paths.config(), config.replace("roles = [", "roles = [] # [")).unwrap();
    assert!(found(&root).iter().any(|it| it.starts_with("shardwire.toml SW-CONFIG-005")));
    let shown = "# path = \"/usr/local/bin/stwo-worker\"";
    assert!(config.contains(shown), "{config}");
    let named = config.replace(shown, "path = \"/nonexistent/worker\"");
    fs::write(paths.config(), &named).unwrap();
    assert!(found(&root).iter().any(|it| it.starts_with("shardwire.toml SW-WORKER-103")));
    let proves_nothing = named.replace(", \"prover\"]", "]");
    assert_ne!(proves_nothing, named);
    fs::write(paths.config(), proves_nothing).unwrap();
    assert_eq!(found(&root), [""; 0], "it needs no worker");
    fs::write(paths.config(), &config).unwrap();

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(paths.identity(), fs::Permissions::from_mode(0o444)).unwrap();
        let findings = found(&root);
        assert!(findings[0].starts_with("identity.key SW-IDENTITY-003"), "{findings:?}");
        assert!(export(&root, &mut Vec::new()).unwrap().is_ok(), "to look needs no secret");
        fs::set_permissions(paths.identity(), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let ledger = fs::read(paths.root().join(KEPT_IN)).unwrap();
    fs::remove_file(paths.root().join(KEPT_IN)).unwrap();
    assert!(found(&root).iter().any(|it| it.starts_with("shardwire.toml SW-CONFIG-008")));
    fs::write(paths.root().join(KEPT_IN), &ledger[..ledger.len() / 2]).unwrap();
    assert!(found(&root).iter().any(|it| it.starts_with("ledger.redb SW-LEDGER-004")));
    fs::write(paths.root().join(KEPT_IN), ledger).unwrap();
    assert_eq!(found(&root), [""; 0]);
}

/// Start data with a bit flipped, in a record that can still be read.
#[test]
fn start_data_that_is_not_what_was_signed_for_is_found() {
    let place = tempfile::tempdir().unwrap();
    let (root, paths) = folder(place.path());
    let (part, _) = proven(&root, &paths);
    let store = Store::open(&SystemDisk, &paths.store(), &LAYOUT).unwrap();
    let id = part.job.unwrap();
    let mut job = store.get(&JOBS, &id).unwrap().unwrap();
    job.start.deadline = Timestamp(job.start.deadline.0 ^ 1);
    store.put(&JOBS, &id, &job).unwrap();
    drop(store);
    assert_eq!(
        found(&root),
        [format!("node.redb SW-DATA-006: job {id} isn't about the start data and values that it has")]
    );
}

#[test]
fn chunks_are_read_and_counted() {
    let place = tempfile::tempdir().unwrap();
    let (root, paths) = folder(place.path());
    let (id, chunks) = (check::name_of(&job()), [b"first".as_slice(), b"second"]);
    let store = Store::open(&SystemDisk, &paths.store(), &LAYOUT).unwrap();
    let identity = DataFolder::open(&root).unwrap().identity().clone();
    let part = Part::of_job(SegmentId::first(job().start.shard), id);
    let output = Output {
        program: Felt::ONE,
        shard: job().start.shard,
        segment: 0,
        before: Felt::ZERO,
        after: Felt::ZERO,
        reads: reads::commitment(&[Felt::ONE]),
        transactions: Felt::ZERO,
        count: 0,
        ended: true,
        updates: Vec::new(),
    };
    let manifest = Manifest { chunks: chunks.map(Hash::of).to_vec(), steps: 2, output };
    store
        .write(|write| {
            write.put(&JOBS, &id, &Job { manifest: Some(manifest), ..job() })?;
            for step in [Step::Streaming { job: id }, Step::Proving { witness: id }] {
                write.advance::<ProverError>(&identity, Timestamp(5), part, step)?;
            }
            Ok::<_, ProverError>(())
        })
        .unwrap();
    drop(store);
    let report = check(&root).unwrap();
    assert_eq!((report.findings.len(), report.chunks, report.chunks_expected), (0, 0, 2), "they are fetched again");
    let artefacts = Artefacts::new(root.clone(), std::sync::Arc::new(SystemDisk));
    for (body, index) in chunks.iter().zip(0..) {
        let file = [&u32::try_from(body.len()).unwrap().to_le_bytes()[..], &Hash::of(body).0, &compress(body)].concat();
        artefacts.write(&artefacts.fetched_chunk(id, index), &[&file], true).unwrap();
    }
    let report = check(&root).unwrap();
    assert_eq!((report.findings.len(), report.chunks, report.chunks_expected), (0, 2, 2));
    let path = artefacts.fetched_chunk(id, 1);
    let mut file = fs::read(&path).unwrap();
    *file.last_mut().unwrap() ^= 1;
    fs::write(&path, file).unwrap();
    let file = path.strip_prefix(&root).unwrap().display().to_string();
    let chunk = format!("{file} SW-DATA-006: its content doesn't have its hash");
    assert_eq!(found(&root), std::slice::from_ref(&chunk));
    let path = artefacts.fetched_reads(id);
    artefacts.write_list(&path, &[Felt::ONE], true).unwrap();
    assert_eq!(found(&root), std::slice::from_ref(&chunk));
    artefacts.write_list(&path, &[Felt::TWO], true).unwrap();
    let file = path.strip_prefix(&root).unwrap().display().to_string();
    let list = format!("{file} SW-DATA-006: it isn't the list that the run's output commits to");
    assert_eq!(found(&root), [chunk, list]);
}

/// As another user who may read but not write, where this test may become one.
#[test]
#[cfg(unix)]
fn looking_needs_no_writable_disk() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().unwrap();
    let (root, paths) = folder(place.path());
    let (part, _) = proven(&root, &paths);
    fs::remove_file(root.join("lock")).unwrap();
    for (path, _) in bytes(&root) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o444)).unwrap();
    }
    fs::set_permissions(&root, fs::Permissions::from_mode(0o555)).unwrap();
    assert!(export(&root, &mut Vec::new()).unwrap().is_ok());
    assert_eq!(Folder::look(&root).unwrap().history(part.shard).unwrap().len(), 3);
    let may_write = fs::write(root.join("letter"), "").is_ok();
    let _ = fs::remove_file(root.join("letter"));
    let (denied, others): (Vec<String>, Vec<String>) =
        check(&root).unwrap().findings.into_iter().map(|it| it.code).partition(|code| code == "SW-DATA-001");
    assert_eq!(others, ["SW-IDENTITY-003"], "the key is open to others, and no node starts with it; all else is sound");
    assert_eq!(denied.is_empty(), may_write, "nor does one where it can't write");
    assert!(!root.join("lock").exists(), "looking makes nothing");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
}
