//! Data folders of an older layout, on the command line: checked, exported and read as they are, taken up by a node, which aborts what is open.

use super::{lifecycle::Node, run};
use serde_json::Value;
use shardwire_model::{
    PeerId, Role, SegmentId, Timestamp,
    life::{AbortReason, Part},
};
use shardwire_store::{
    Store, StoreError, SystemDisk,
    older::{self, OPERATOR, OlderFolder, PROVER, SETTLER},
    records::{HISTORY, INTENTS, Intent, LAYOUT, history_of},
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

const OUTDATED: &str = "outdated";

/// An older folder, whose node listens wherever there is room and, if it proves, has a worker.
fn folder(of: OlderFolder) -> (TempDir, String) {
    let place = tempfile::tempdir().unwrap();
    of.unpack(&SystemDisk, place.path()).unwrap();
    fs::set_permissions(place.path().join("identity.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let (config, worker) =
        (place.path().join("shardwire.toml"), concat!(env!("CARGO_MANIFEST_DIR"), "/prover/tests/workers/hangs"));
    let mut text = fs::read_to_string(&config).unwrap();
    for port in [7101, 7102, 7103] {
        text = text.replace(&format!("listen = \"127.0.0.1:{port}\""), "listen = \"127.0.0.1:0\"");
        text = text.replace(&format!("@127.0.0.1:{port}\""), "\"");
    }
    fs::write(&config, text.replace("[worker]\n", &format!("[worker]\npath = \"{worker}\"\n"))).unwrap();
    let root = place.path().display().to_string();
    (place, root)
}

/// The bytes of every file, but the lock.
fn bytes(root: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.is_file() && !path.ends_with("lock"));
    files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[track_caller]
fn object(arguments: &[&str]) -> Value {
    let ended = run(&[arguments, &["--json"]].concat());
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{arguments:?}: {}", ended.out);
    serde_json::from_str(ended.out.lines().last().unwrap()).unwrap()
}

/// Whether `new` says all that `old` says.
fn says(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            old.iter().all(|(name, old)| new.get(name).is_some_and(|new| says(new, old)))
        }
        (Value::Array(new), Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| says(new, old))
        }
        _ => new == old,
    }
}

/// The steps of a shard's only history, which verifies.
#[track_caller]
fn steps(root: &str, shard: &str) -> Vec<Value> {
    let told = object(&["shard", "history", "--data", root, shard, "--verify"]);
    let [history] = told["histories"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!(history["verified"], true, "{history}");
    history["entries"].as_array().unwrap().iter().map(|entry| entry["statement"]["step"].clone()).collect()
}

fn last(root: &str, shard: &str) -> Value {
    steps(root, shard).pop().unwrap()
}

fn aborted(why: impl Into<Value>) -> Value {
    serde_json::json!({ "aborted": { "why": why.into() } })
}

#[test]
fn an_older_folder_is_checked_exported_and_read_as_it_is() {
    for (of, files, records, outdated) in [
        (SETTLER, &["ledger.redb", "node.redb"][..], 21, 2),
        (OPERATOR, &["node.redb"][..], 67, 2),
        (PROVER, &["node.redb"][..], 14, 1),
    ] {
        let (_place, root) = folder(of);
        let before = bytes(&root);
        let report = object(&["data", "check", "--data", &root]);
        assert_eq!(report["findings"], Value::Array(vec![]), "{report}");
        assert_eq!((&report["older"], &report["records"]), (&files.into(), &records.into()));
        assert_eq!(report["outdated"], outdated);
        let text = run(&["data", "check", "--data", &root]).out;
        let expected = format!("{} of an older layout, read as what it becomes", files.join(" and "));
        assert!(text.starts_with("sound: ") && text.contains(&expected), "{text}");

        let exported = run(&["data", "export", "--data", &root, "--out", "-"]);
        assert_eq!((exported.code, exported.err.as_str()), (0, ""));
        let mut lines: Vec<Value> = exported.out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        for line in of.exported().lines() {
            let mut old: Value = serde_json::from_str(line).unwrap();
            // A log has transactions of two sorts now, and their times, which were not noted then.
            let log = old.pointer_mut("/operated/log").and_then(Value::as_array_mut);
            for logged in log.into_iter().flatten() {
                *logged = serde_json::json!({ "transaction": { "rules": logged.take() }, "time": 0 });
            }
            let found = lines.iter().position(|new| says(new, &old));
            lines.remove(found.unwrap_or_else(|| panic!("what the older program exported is missing: {line}")));
        }
        assert!(lines.is_empty(), "what the older program didn't export: {lines:?}");
        for shard in [older::SETTLED, older::ABORTED, older::PROVING] {
            steps(&root, shard);
        }
        assert!(bytes(&root) == before, "looking has changed something");
    }
}

#[test]
fn a_settler_takes_up_an_older_folder_and_gives_up_what_is_open() {
    let (_place, root) = folder(SETTLER);
    let mut node = Node::start(&root);
    assert_eq!(node.json()["network"], older::NETWORK);
    let world: Value = serde_json::from_slice(&fs::read(format!("{root}/world.json")).unwrap()).unwrap();
    assert_eq!((&world["network"], &world["settlers"][0]), (&older::NETWORK.into(), &node.json()["peer"]));

    for shard in [older::PROVING, older::ASSIGNED] {
        assert_eq!(last(&root, shard), aborted(OUTDATED));
        assert_eq!(object(&["shard", "status", "--data", &root, shard])["shards"][0]["stage"], "aborted");
    }
    let history = run(&["shard", "history", "--data", &root, older::ASSIGNED, "--verify"]).out;
    assert!(history.contains("whole and unchanged") && history.contains("of an older layout"), "{history}");
    assert!(last(&root, older::ABORTED)["aborted"]["why"]["asked"].is_object());
    assert!(last(&root, older::SETTLED)["settled"].is_object());
    let storage = object(&["world", "show", "--data", &root]);
    let storage = storage["storage"].as_array().unwrap();
    assert_eq!(storage.len(), 7);
    assert!(storage.iter().all(|entry| entry["in_escrow"] == 0 && entry["held_by"].is_null()), "{storage:?}");
    assert_eq!(object(&["peer", "show", "--data", &root, older::DENIED])["standing"], "denied");
    assert!(node.stop().success());

    let report = object(&["data", "check", "--data", &root]);
    assert!(report["findings"] == Value::Array(vec![]) && report["older"] == Value::Array(vec![]), "{report}");
    assert_eq!(report["outdated"], 0);
    // Nothing is aborted twice.
    let mut again = Node::start(&root);
    assert_eq!(steps(&root, older::ASSIGNED).len(), 3);
    assert!(again.stop().success());
}

/// The job at which the prover was killed, if this is its folder.
fn job(of: OlderFolder) -> Option<String> {
    let lines = of.exported();
    let jobs = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).unwrap().get("job").cloned());
    let mut jobs = jobs.filter(|job| job["shard"] == older::PROVING);
    jobs.next().map(|job| job["job"].as_str().unwrap().to_owned())
}

/// The others can't say which World they are of: their settler's folder says it.
#[test]
fn others_want_the_settlers_world_and_then_give_up_what_is_open() {
    let (_settlers, settler) = folder(SETTLER);
    assert!(Node::start(&settler).stop().success());
    for (of, open) in [(OPERATOR, &[older::PROVING, older::ASSIGNED][..]), (PROVER, &[older::PROVING][..])] {
        let (place, root) = folder(of);
        let before = bytes(&root);
        let refused = run(&["run", "--data", &root]);
        assert_eq!(refused.code, 1);
        assert!(refused.err.contains("error[SW-WORLD-020]"), "{}", refused.err);
        assert!(refused.err.contains("next: Copy world.json from the settler's data folder"), "{}", refused.err);
        assert!(bytes(&root) == before, "a refused node has changed something");

        let fetched = match job(of) {
            Some(job) => place.path().join("jobs").join(job),
            None => place.path().join("shards").join(older::PROVING),
        };
        fs::create_dir_all(&fetched).unwrap();
        fs::write(fetched.join("chunk-00000"), b"a chunk").unwrap();
        fs::copy(format!("{settler}/world.json"), format!("{root}/world.json")).unwrap();
        let mut node = Node::start(&root);
        for shard in open {
            assert_eq!(last(&root, shard), aborted(OUTDATED), "{shard}");
        }
        assert!(last(&root, older::SETTLED)["settled"].is_object());
        assert!(last(&root, older::ABORTED)["aborted"]["why"]["told"].is_object());
        assert!(node.stop().success());
        assert!(!fetched.exists(), "what was fetched or cut is of no use any more");
        let report = object(&["data", "check", "--data", &root]);
        assert!(report["findings"] == Value::Array(vec![]) && report["outdated"] == 0, "{report}");
    }
}

/// What an older settler had begun in its World when it was killed: a start and a settlement that its history doesn't have yet, and a start that
/// the World never saw.
#[test]
fn what_an_older_settler_was_about_to_do_comes_to_its_end() {
    let (place, root) = folder(SETTLER);
    let store = Store::open(&SystemDisk, &place.path().join("node.redb"), &LAYOUT).unwrap();
    let part = |shard: &str| Part::of(SegmentId::first(shard.parse().unwrap()), Role::Settler);
    let entries = |shard: &str| store.with_prefix(&HISTORY, &history_of(&part(shard))).unwrap();
    let (by, deadline) = (PeerId([7; 32]), Timestamp(1 << 50));
    let start = Intent::OlderStart { by, deadline };
    let settle = Intent::Abort { reason: AbortReason::Outdated };
    let unseen = "0x1234";
    store
        .write(|write| {
            for (key, _) in entries(older::ASSIGNED).iter().chain(entries(older::SETTLED).last()) {
                write.remove(&HISTORY, key)?;
            }
            for (shard, intent) in [(older::ASSIGNED, &start), (older::SETTLED, &settle), (unseen, &start)] {
                write.put(&INTENTS, &SegmentId::first(shard.parse().unwrap()), intent)?;
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert_eq!(entries(older::ASSIGNED).len(), 0);
    drop(store);

    let mut node = Node::start(&root);
    let given_up = steps(&root, older::ASSIGNED);
    assert_eq!((given_up.len(), &given_up[1]), (2, &aborted(OUTDATED)));
    assert_eq!(given_up[0]["started"]["by"], by.to_string());
    assert!(last(&root, older::SETTLED)["settled"].is_object());
    let unknown = run(&["shard", "history", "--data", &root, unseen]);
    assert!(unknown.err.starts_with("error[SW-NODE-002]"), "{}", unknown.err);
    assert!(node.stop().success());
    let report = object(&["data", "check", "--data", &root]);
    assert!(report["findings"] == Value::Array(vec![]), "{report}");
    let store = Store::view(&SystemDisk, Path::new(&root).join("node.redb").as_path(), &LAYOUT).unwrap();
    assert_eq!(store.all(&INTENTS).unwrap(), []);
}

#[test]
fn a_damaged_older_folder_is_refused_and_stays_as_it_is() {
    for name in ["node.redb", "ledger.redb"] {
        let (place, root) = folder(SETTLER);
        let file = place.path().join(name);
        let mut damaged = fs::read(&file).unwrap();
        damaged[4096..].fill(0x5a);
        fs::write(&file, damaged).unwrap();
        let before = bytes(&root);
        let refused = run(&["run", "--data", &root]);
        let code = if name == "node.redb" { "error[SW-STORE-004]" } else { "error[SW-LEDGER-004]" };
        assert!(refused.code == 1 && refused.err.contains(code), "{}", refused.err);
        let after = bytes(&root);
        assert!(before.iter().all(|(path, content)| after[path] == *content), "{name}");
        let report = run(&["data", "check", "--data", &root]);
        assert!(report.code == 1 && report.out.contains("NOT SOUND"), "{}", report.out);
    }
}
