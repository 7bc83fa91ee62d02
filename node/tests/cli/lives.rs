//! A shard's life on the command line: started with a deadline, aborted, its history shown and checked, the folder checked and exported.

use super::{folder, lifecycle::Node, run};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

const WORLD: &str = r#"{"storage":[{"contract":"0x1","key":"0x4","kind":"escrow","value":1000}]}"#;

fn settler(place: &Path) -> String {
    let world = place.join("world.json");
    fs::write(&world, WORLD).unwrap();
    folder(place, &["--role", "settler", "--world", &world.display().to_string()])
}

fn request(place: &Path, salt: u64) -> String {
    let file = place.join(format!("request-{salt}.json"));
    let operator = "11".repeat(32);
    let text = format!(
        r#"{{"salt":{salt},"operator":"{operator}","contracts":["0x1"],"accounts":["0x2"],"end_event":{{"from":"0x1","selector":"0x17116b3fdba9e18aaec97e9b506d9c8ffdc20857f6d213e79c5a13289dc6fc8"}},
        "entries":[{{"kind":"escrow","contract":"0x1","key":"0x4","owner":"0x2","amount":400}}]}}"#
    );
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn object(arguments: &[&str]) -> Value {
    let ended = run(&[arguments, &["--json"]].concat());
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{arguments:?}: {}", ended.out);
    serde_json::from_str(ended.out.lines().last().unwrap()).unwrap()
}

#[test]
fn a_shard_is_started_with_a_deadline_aborted_and_its_history_verifies_with_and_without_its_node() {
    let place = tempfile::tempdir().unwrap();
    let root = settler(place.path());
    let mut node = Node::start(&root);
    let file = request(place.path(), 1);
    // Nobody has ever met its operator: refused, before anything is locked, unless that is wanted.
    let refused = run(&["shard", "start", "--data", &root, "--request", &file]);
    assert!(refused.code == 1 && refused.err.starts_with("error[SW-NODE-010]"), "{}", refused.err);
    assert!(refused.err.contains("--unknown-operator"), "{}", refused.err);
    assert_eq!(object(&["world", "show", "--data", &root])["storage"][0]["in_escrow"], 0);
    let started =
        object(&["shard", "start", "--data", &root, "--request", &file, "--timeout", "3600", "--unknown-operator"]);
    assert_eq!(started["operator_connected"], false);
    let shard = started["shard"].as_str().unwrap().to_owned();
    assert!(started["deadline"].as_u64().unwrap() > 0 && started["entries"].is_array(), "{started}");
    let wrong = run(&["shard", "start", "--data", &root, "--request", &file, "--timeout", "0", "--unknown-operator"]);
    assert!(
        wrong.code == 1 && wrong.err.starts_with("error[SW-SETTLER-007]: a time-out of 0 s is not"),
        "{}",
        wrong.err
    );

    let in_use = run(&["data", "check", "--data", &root]);
    assert!(in_use.code == 1 && in_use.err.starts_with("error[SW-DATA-003]"), "{}", in_use.err);
    let aborted = run(&["shard", "abort", "--data", &root, &shard]);
    assert_eq!((aborted.code, aborted.err.as_str()), (0, ""));
    assert_eq!(aborted.out, format!("aborted shard {shard}: its escrow and locks have returned\n"));
    let again = object(&["shard", "abort", "--data", &root, &shard]);
    assert_eq!(again["shard"], shard.as_str());
    let unknown = run(&["shard", "abort", "--data", &root, "0x1234"]);
    assert!(unknown.code == 1 && unknown.err.starts_with("error[SW-LEDGER-012]"), "{}", unknown.err);
    let world = object(&["world", "show", "--data", &root]);
    assert_eq!(world["storage"][0]["in_escrow"], 0);
    let status = object(&["shard", "status", "--data", &root, &shard]);
    assert_eq!(status["shards"][0]["stage"], "aborted");

    let history = ["shard", "history", "--data", &root, &shard, "--verify"];
    let running = object(&history);
    let steps: Vec<&str> = running["histories"][0]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|entry| entry["statement"]["step"].as_object().unwrap().keys().map(String::as_str))
        .collect();
    assert_eq!((steps, &running["histories"][0]["verified"]), (vec!["started", "aborted"], &true.into()));
    assert_eq!(node.stop().code(), Some(0));
    assert_eq!(object(&history), running, "the folder says what the node said");
    let text = run(&history);
    assert!(text.code == 0 && text.out.contains("as settler: whole and unchanged\n"), "{}", text.out);
    let unknown = run(&["shard", "history", "--data", &root, "0x1234"]);
    assert!(unknown.err.starts_with("error[SW-NODE-002]: this node knows no shard 0x1234\n"), "{}", unknown.err);

    let checked = object(&["data", "check", "--data", &root]);
    assert_eq!((&checked["findings"], &checked["histories"]), (&serde_json::json!([]), &1.into()));
    assert!(run(&["data", "check", "--data", &root]).out.starts_with("sound: "));
    let out = place.path().join("out.jsonl").display().to_string();
    let exported = object(&["data", "export", "--data", &root, "--out", &out]);
    let lines = fs::read_to_string(&out).unwrap();
    assert_eq!(exported["lines"].as_u64().unwrap(), lines.lines().count() as u64);
    let shown = run(&["data", "export", "--data", &root, "--out", "-"]);
    assert_eq!((shown.code, shown.out), (0, lines));
    let refused = run(&["data", "export", "--data", &root, "--out", &out]);
    assert!(
        refused.code == 1 && refused.err.starts_with(&format!("error[SW-CLI-010]: {out} can't be written: ")),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("next: Name a file that doesn't exist yet"), "{}", refused.err);
}

#[test]
fn a_shard_times_out_where_it_was_started_and_a_store_that_is_none_is_found() {
    let place = tempfile::tempdir().unwrap();
    let root = settler(place.path());
    let mut node = Node::start(&root);
    let file = request(place.path(), 2);
    let started =
        object(&["shard", "start", "--data", &root, "--request", &file, "--timeout", "1", "--unknown-operator"]);
    let shard = started["shard"].as_str().unwrap().to_owned();
    let stage = |shard: &str| object(&["shard", "status", "--data", &root, shard])["shards"][0]["stage"].clone();
    let began = Instant::now();
    while stage(&shard) != "aborted" {
        assert!(began.elapsed() < Duration::from_secs(60), "not aborted");
    }
    // Killed before the deadline, started after it: it knows nobody whom it could ask what date it is, so for ten minutes it doesn't believe that the deadline has passed.
    let file = request(place.path(), 3);
    let started =
        object(&["shard", "start", "--data", &root, "--request", &file, "--timeout", "1", "--unknown-operator"]);
    let other = started["shard"].as_str().unwrap().to_owned();
    node.kill();
    let mut node = Node::start(&root);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(8) {
        assert_eq!(stage(&other), "started");
    }
    assert_eq!(run(&["shard", "abort", "--data", &root, &other]).code, 0, "who asks for it isn't held up");
    let history = run(&["shard", "history", "--data", &root, &shard, "--verify"]);
    assert!(history.code == 0 && history.out.contains("its deadline had passed"), "{}", history.out);
    assert_eq!(node.stop().code(), Some(0));

    // Not a database any more: refused, and left as it is.
    let store = Path::new(&root).join("node.redb");
    let noise = "no database".repeat(2000);
    fs::write(&store, &noise).unwrap();
    let check = run(&["data", "check", "--data", &root]);
    assert!(
        check.code == 1 && check.out.contains("SW-STORE-004") && check.out.contains("NOT SOUND: 1 findings"),
        "{}",
        check.out
    );
    let refused = run(&["run", "--data", &root]);
    assert!(refused.code == 1 && refused.err.contains("error[SW-STORE-004]: node.redb is damaged"), "{}", refused.err);
    assert_eq!(fs::read_to_string(&store).unwrap(), noise);
}
