//! The bytes of each table's records, of each version, are pinned.
//!
//! A type that changes fails here: raise the version of the table, write a migration, and let `WRITE_VECTORS=1 cargo test -p shardwire-store
//! --test records` add the bytes of the new version. Bytes of a version that is pinned are only ever rewritten before the first release, by
//! deleting them first.

use redb::{ReadableDatabase as _, ReadableTable as _, TableHandle as _};
use serde::{Serialize, de::DeserializeOwned};
use shardwire_model::{
    AccountKey, Call, ContractId, Entry, EventId, Felt, ForkId, Hash, Key, Kind, Logged, Output, PeerId, SegmentId,
    SessionCall, ShardId, ShardStart, Signature, SignedTransaction, Terms, Timestamp, Transaction, Update,
    finished_selector,
    life::{EntryForm, Part},
    without_terms,
};
use shardwire_reputation::{Blame, Breach, Event, Listing, Policy, Record};
use shardwire_store::{
    RecordKey, Store, SystemDisk, Table,
    records::{
        ACCUSED, ASSIGNED, ASSIGNMENTS, Assignment, CUTS, EVIDENCE, EXECUTIONS, EntryKey, EvidenceKey, EvidencePart,
        Executed, FORK_ANSWERS, FORKS, Figures, ForkAnswerKey, HANDOFFS, HISTORY, Handoff, INTENTS, Intent, JOB_LEASES,
        JOBS, Job, KeptCause, KeptEvidence, KeptFork, KeptOutput, KeptVerdict, LAYOUT, LEASES, LEASES_SEEN, LeaseKey,
        LogKey, MAX_FORK_QUESTION_BYTES, Manifest, OUTPUTS, PEERS, RUNS, SignedBytes, SignedEntry, StoredChunk,
        TRANSACTIONS, TraceLease, VERDICTS, WORDS, WireFelt,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

type Pinned = BTreeMap<String, BTreeMap<u64, Bytes>>;

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Bytes {
    key: String,
    record: String,
}

fn start() -> ShardStart {
    let contract = ContractId(Felt::from(5));
    ShardStart {
        shard: ShardId(Felt::from(77)),
        program: Felt::from(78),
        operator: PeerId([2; 32]),
        contracts: vec![contract],
        accounts: vec![AccountKey::from_secret([9; 32]).id()],
        end_event: EventId { from: contract, selector: finished_selector() },
        deadline: Timestamp(400_000),
        entries: vec![Entry { kind: Kind::Escrow, contract, key: Key(Felt::from(6)), guard: Felt::from(7) }],
        terms: Terms::Rules,
    }
}

fn output() -> Output {
    Output {
        program: Felt::from(78),
        shard: ShardId(Felt::from(77)),
        segment: 1,
        before: Felt::from(2),
        after: Felt::from(3),
        reads: Felt::from(8),
        transactions: Felt::from(4),
        count: 5,
        ended: true,
        updates: vec![Update {
            kind: Kind::Counter,
            contract: ContractId(Felt::from(5)),
            key: Key(Felt::from(6)),
            value: Felt::from(7),
        }],
    }
}

fn transaction() -> SignedTransaction {
    let (account, contract) = (AccountKey::from_secret([9; 32]).id(), ContractId(Felt::from(5)));
    let call = Call::Add { counter: Key(Felt::from(6)), amount: 7 };
    SignedTransaction {
        transaction: Transaction { account, nonce: 1, contract, call },
        signature: Signature { r: Felt::from(8), s: Felt::from(9) },
    }
}

/// One record of each table, in a store.
struct Samples {
    store: Store,
    bytes: BTreeMap<String, (u64, Bytes)>,
}

impl Samples {
    fn put<K: RecordKey, V: Serialize + DeserializeOwned>(&mut self, table: &Table<K, V>, key: &K, record: &V) {
        self.store.put(table, key, record).unwrap();
        let found = self.store.all(table).unwrap();
        let encoded = |record: &V| hex::encode(postcard::to_allocvec(record).unwrap());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].0.to_bytes(), encoded(&found[0].1)), (key.to_bytes(), encoded(record)), "read as written");
        let description = table.description();
        let bytes = Bytes { key: hex::encode(key.to_bytes()), record: encoded(record) };
        self.bytes.insert(description.name.to_owned(), (description.version, bytes));
    }
}

fn samples(path: &Path) -> Samples {
    let store = Store::open(&SystemDisk, path, &LAYOUT).unwrap();
    let mut samples = Samples { store, bytes: BTreeMap::new() };
    let (shard, job, peer) = (ShardId(Felt::from(77)), Hash::of(b"job"), PeerId([3; 32]));
    let segment = SegmentId { shard, segment: 1 };
    let signed = SignedBytes { statement: vec![1, 2, 3], signature: vec![4; 64] };
    let fault = Some(KeptCause { code: "SW-TEST-001".to_owned(), reason: "it broke".to_owned() });
    let values = vec![WireFelt(Felt::from(3))];

    samples.put(
        &ASSIGNMENTS,
        &shard,
        &Assignment { start: start(), values: values.clone(), settler: peer, epoch: 300 },
    );
    samples.put(&ASSIGNED, &shard, &signed);
    let logged = Logged { transaction: transaction().into(), time: 400, reverted: true };
    samples.put(&TRANSACTIONS, &LogKey { shard, sequence: 300 }, &logged);
    let stored = StoredChunk { hash: Hash::of(b"chunk"), raw_bytes: 300, wire_bytes: 200 };
    samples.put(
        &EXECUTIONS,
        &segment,
        &Executed { chunks: vec![stored], steps: 300, output: output(), execute_ms: 400 },
    );
    samples.put(
        &LEASES,
        &segment,
        &TraceLease { epoch: 300, prover: peer, expires: Timestamp(400), proof: Some(Hash::of(b"proof")) },
    );
    let figures = Figures {
        steps: 1,
        chunks: 2,
        bytes_raw: 3,
        bytes_wire: 4,
        stream_ms: 5,
        prove_ms: 6,
        prove_cpu_ms: 7,
        prove_peak_bytes: 8,
        proof_bytes: 9,
    };
    let before = values.iter().map(|value| value.0).collect::<Vec<Felt>>();
    let kept = Job {
        start: start(),
        values,
        segment: 1,
        before: WireFelt(shardwire_model::state_commitment(start().commitment(), &before)),
        operator: peer,
        epoch: 300,
        manifest: Some(Manifest { chunks: vec![Hash::of(b"chunk")], steps: 300, output: output() }),
        attempts: 2,
        proof: Some(Hash::of(b"proof")),
        figures,
        receipt: Some(signed.clone()),
        disputes: BTreeMap::from([(peer, signed.clone())]),
        fault: fault.clone(),
    };
    samples.put(&JOBS, &job, &kept);
    samples.put(&JOB_LEASES, &job, &signed);
    samples.put(&HANDOFFS, &shard, &Handoff { epoch: 300 });
    samples.put(&INTENTS, &segment, &Intent::Settle { proof: Hash::of(b"proof"), output: output() });
    samples.put(
        &VERDICTS,
        &segment,
        &KeptVerdict { proof: Hash::of(b"proof"), prover: peer, bytes: 300, verify_us: 400, fault },
    );
    samples.put(&CUTS, &segment, &WireFelt(Felt::from(3)));
    samples.put(&OUTPUTS, &segment, &KeptOutput { proof: Hash::of(b"proof"), prover: peer, output: output() });
    samples.put(&LEASES_SEEN, &LeaseKey { job, epoch: 300 }, &signed);
    let entry = SignedEntry { form: EntryForm::Second, signed };
    samples.put(&HISTORY, &EntryKey { part: Part::of_job(SegmentId::first(shard), job), number: 300 }, &entry);
    samples.put(&ACCUSED, &peer, &vec![KeptEvidence { hash: Hash::of(b"piece"), bytes: 300, at: Timestamp(400) }]);
    samples.put(&EVIDENCE, &EvidenceKey { peer, number: 1, part: 2 }, &EvidencePart { whole: 300, bytes: vec![5; 3] });
    let broke = Event::Broke { breach: Breach::Contradiction, blame: Blame::Peer };
    samples.put(&PEERS, &peer, &Record::default().after(&broke, Timestamp(400_000), &Policy::default()));
    samples.put(&WORDS, &peer, &Listing::Denied);
    samples.put(&RUNS, &peer, &Timestamp(400));
    let fork = ForkId { chain: Felt::from(5), number: 300, hash: Felt::from(6) };
    let hash = Hash::of(&fork.to_bytes());
    samples.put(&FORKS, &hash, &KeptFork { fork, used: 301 });
    let question = vec![1; MAX_FORK_QUESTION_BYTES];
    samples.put(&FORK_ANSWERS, &ForkAnswerKey { fork: hash, question }, &WireFelt(Felt::from(7)));
    samples
}

#[test]
fn the_bytes_of_each_version_are_pinned() {
    let folder = tempfile::tempdir().unwrap();
    let samples = samples(&folder.path().join("node.redb"));
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/records.json");
    let mut pinned: Pinned = serde_json::from_str(&std::fs::read_to_string(&file).unwrap_or("{}".into())).unwrap();
    if std::env::var_os("WRITE_VECTORS").is_some() {
        for (table, (version, bytes)) in &samples.bytes {
            pinned.entry(table.clone()).or_default().entry(*version).or_insert_with(|| bytes.clone());
        }
        std::fs::write(&file, serde_json::to_string_pretty(&pinned).unwrap() + "\n").unwrap();
    }
    for (table, (version, bytes)) in samples.bytes {
        let versions = pinned.remove(&table).unwrap_or_default();
        assert!(versions.keys().copied().eq(1..=version), "'{table}' is in version {version}: {:?}", versions.keys());
        assert!(
            versions[&version] == bytes,
            "records of '{table}' changed: raise its version and write a migration\nwas {:?}\nis  {bytes:?}",
            versions[&version]
        );
    }
    assert_eq!(pinned.keys().collect::<Vec<_>>(), [""; 0], "tables that are gone need a migration, too");
}

#[test]
fn a_full_folder_has_the_tables_of_the_layout_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    let listed: BTreeSet<String> = LAYOUT.tables().map(|table| table.name.to_owned()).collect();
    let samples = samples(&path);
    assert_eq!(samples.bytes.keys().cloned().collect::<BTreeSet<_>>(), listed, "each has a sample");
    for table in LAYOUT.tables() {
        let mut records = 0;
        samples.store.check(table, |_| {}, |record| records += u32::from(record.is_ok())).unwrap();
        assert_eq!(records, 1, "{}", table.name);
    }
    drop(samples);
    let database = redb::Database::open(&path).unwrap();
    let read = database.begin_read().unwrap();
    let tables: BTreeSet<String> = read.list_tables().unwrap().map(|table| table.name().to_owned()).collect();
    let mut expected = listed;
    expected.insert("meta".into());
    assert_eq!(tables, expected);
}

/// Two segments of one shard, and of two shards, are told apart by their keys and sort by them.
#[test]
fn segments_are_not_mixed_up() {
    let store = Store::in_memory(&LAYOUT).unwrap();
    let key = |shard: u64, segment| SegmentId { shard: ShardId(Felt::from(shard)), segment };
    let keys = [key(1, 0), key(1, 1), key(1, 256), key(2, 0)];
    for (key, epoch) in keys.iter().zip(1..) {
        let lease = TraceLease { epoch, prover: PeerId([3; 32]), expires: Timestamp(0), proof: None };
        store.put(&LEASES, key, &lease).unwrap();
    }
    let found = store.all(&LEASES).unwrap();
    assert_eq!(
        found.iter().map(|(key, lease)| (*key, lease.epoch)).collect::<Vec<_>>(),
        keys.into_iter().zip(1..).collect::<Vec<_>>()
    );
    assert_eq!(store.with_prefix(&LEASES, &RecordKey::to_bytes(&ShardId(Felt::ONE))).unwrap().len(), 3);
    assert_eq!(SegmentId::from_bytes(&[0; 35]), None);
}

/// A file with one row of a table in some version; all other tables are empty ones of today.
fn older(path: &Path, table: &str, version: u64, Bytes { key, record }: &Bytes) -> Store {
    let database = redb::Database::create(path).unwrap();
    let write = database.begin_write().unwrap();
    {
        let mut meta = write.open_table(redb::TableDefinition::<&str, u64>::new("meta")).unwrap();
        meta.insert("shardwire node", 3).unwrap();
        for it in LAYOUT.tables() {
            meta.insert(it.name, if it.name == table { version } else { it.version }).unwrap();
            write.open_table(redb::TableDefinition::<&[u8], &[u8]>::new(it.name)).unwrap();
        }
        let mut rows = write.open_table(redb::TableDefinition::<&[u8], &[u8]>::new(table)).unwrap();
        rows.insert(&*hex::decode(key).unwrap(), &*hex::decode(record).unwrap()).unwrap();
    }
    write.commit().unwrap();
    drop(database);
    Store::open(&SystemDisk, path, &LAYOUT).unwrap()
}

/// A log with forms of transactions that came later has the same version: the bytes of those that there were are the same, and no older build
/// was ever released that would read the others.
#[test]
fn a_logged_session_call_is_found_in_the_table_of_today() {
    let store = Store::in_memory(&LAYOUT).unwrap();
    let call = SessionCall {
        account: ContractId(Felt::ONE),
        key: Felt::TWO,
        previous: Felt::THREE,
        contract: ContractId(Felt::TWO),
        selector: Felt::MAX,
        calldata: vec![Felt::ONE; 3],
        signature: Signature { r: Felt::ONE, s: Felt::TWO },
    };
    let key = |sequence| LogKey { shard: ShardId(Felt::from(77)), sequence };
    let logged =
        [transaction().into(), call.into()].map(|transaction| Logged { transaction, time: 400, reverted: true });
    for (entry, sequence) in logged.iter().zip(0..) {
        store.put(&TRANSACTIONS, &key(sequence), entry).unwrap();
        assert_eq!(store.get(&TRANSACTIONS, &key(sequence)).unwrap().as_ref(), Some(entry));
    }
    // The first byte is the form's number.
    let first = |entry: &Logged| postcard::to_allocvec(entry).unwrap()[0];
    assert_eq!(logged.each_ref().map(first), [0, 2]);
}

/// The bytes of the version before today's that are pinned become those of today, whose samples say the same.
#[test]
fn what_the_version_before_has_written_is_found() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/records.json");
    let pinned: Pinned = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut migrated = 0;
    for table in LAYOUT.tables() {
        let versions = &pinned[table.name];
        for (version, bytes) in versions.iter().filter(|(version, _)| **version + 1 == table.version) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("node.redb");
            let store = older(&path, table.name, *version, bytes);
            assert!(store.was_older());
            if table.name == TRANSACTIONS.description().name {
                // When it was accepted wasn't noted.
                let logged = Logged { transaction: transaction().into(), time: 0, reverted: false };
                assert!(store.all(&TRANSACTIONS).unwrap().into_iter().map(|(_, it)| it).eq([logged]));
            } else {
                drop(store);
                let database = redb::Database::open(&path).unwrap();
                let read = database.begin_read().unwrap();
                let rows = read.open_table(redb::TableDefinition::<&[u8], &[u8]>::new(table.name)).unwrap();
                let row = rows.iter().unwrap().next().unwrap().unwrap();
                let found = Bytes { key: hex::encode(row.0.value()), record: hex::encode(row.1.value()) };
                assert_eq!(found, versions[&table.version], "{} {version}", table.name);
            }
            migrated += 1;
        }
    }
    assert_eq!(migrated, 5, "of each table that has changed");
}

/// What was about to be started before there were terms is started as it was asked for.
#[test]
fn a_start_that_was_noted_without_terms_is_of_the_fixed_rules() {
    #[derive(Serialize)]
    enum Noted {
        Start { by: PeerId, request: without_terms::Request, deadline: Timestamp },
    }
    let contract = ContractId(Felt::from(5));
    let request = without_terms::Request {
        salt: 1,
        program: Felt::from(78),
        operator: PeerId([2; 32]),
        contracts: vec![contract],
        accounts: vec![AccountKey::from_secret([9; 32]).id()],
        end_event: EventId { from: contract, selector: finished_selector() },
        entries: vec![],
    };
    let (by, deadline, segment) = (PeerId([3; 32]), Timestamp(9), SegmentId::first(ShardId(Felt::from(77))));
    let noted = Noted::Start { by, request: request.clone(), deadline };
    let bytes = Bytes {
        key: hex::encode(RecordKey::to_bytes(&segment)),
        record: hex::encode(postcard::to_allocvec(&noted).unwrap()),
    };
    let folder = tempfile::tempdir().unwrap();
    let store = older(&folder.path().join("node.redb"), "settler.intents", 1, &bytes);
    let request = request.into_present();
    assert_eq!(request.terms, Terms::Rules);
    assert_eq!(store.get(&INTENTS, &segment).unwrap(), Some(Intent::Start { by, request, deadline }));
}
