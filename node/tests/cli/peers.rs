//! What the operator says about peers, through restarts of a real node; what a node says of itself; evidence without a node.

use super::{folder, lifecycle::Node, metrics::scraped, run};
use serde_json::{Value, json};

fn json_of(arguments: &[&str]) -> Value {
    let answer = run(&[arguments, &["--json"]].concat());
    assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{}", answer.out);
    serde_json::from_str(answer.out.lines().last().unwrap()).unwrap()
}

/// How a peer stands.
fn stands(root: &str, peer: &str) -> Value {
    json_of(&["peer", "show", "--data", root, peer])["standing"].clone()
}

#[test]
fn what_the_operator_says_holds_through_a_crash_until_it_is_taken_back() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    let [denied, banned, allowed] = ["11", "22", "33"].map(|pair| pair.repeat(32));
    let mut node = Node::start(&root);
    let at_once = json_of(&["peer", "ban", "--data", &root, &denied]);
    assert_eq!(at_once["standing"], "denied");
    json_of(&["peer", "ban", "--data", &root, &banned, "--seconds", "86400"]);
    json_of(&["peer", "allow", "--data", &root, &allowed]);

    // What was answered is durable: nothing is lost with the process.
    node.signal("-KILL");
    node.wait();
    let mut node = Node::start(&root);
    assert_eq!(stands(&root, &denied), "denied");
    assert!(stands(&root, &banned)["banned"]["until"].is_u64());
    assert_eq!(stands(&root, &allowed), json!({ "admitted": "normal" }));
    let listed = json_of(&["peer", "list", "--data", &root]);
    let ids: Vec<&str> = listed["peers"].as_array().unwrap().iter().map(|it| it["peer"].as_str().unwrap()).collect();
    assert!([&denied, &banned, &allowed].iter().all(|peer| ids.contains(&peer.as_str())), "{ids:?}");

    for peer in [&denied, &banned] {
        assert_eq!(json_of(&["peer", "unban", "--data", &root, peer])["standing"], json!({ "admitted": "low" }));
    }
    json_of(&["peer", "allow", "--data", &root, &allowed, "--withdraw"]);
    node.signal("-KILL");
    node.wait();
    let _node = Node::start(&root);
    for peer in [&denied, &banned, &allowed] {
        assert_eq!(stands(&root, peer), json!({ "admitted": "low" }), "it stays taken back");
    }
}

#[test]
fn a_node_says_whether_it_is_ready() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    let _node = Node::start(&root);
    let status = json_of(&["status", "--data", &root]);
    let unmet: Vec<&Value> = status["unmet"].as_array().unwrap().iter().map(|unmet| &unmet["condition"]).collect();
    assert_eq!((&status["ready"], unmet), (&json!(false), vec![&json!("prover"), &json!("settler")]), "it is alone");
    assert_eq!(status["load"]["refused_tier"], Value::Null);
    assert!(status["load"]["memory_watermark_bytes"].as_u64() > Some(0));
    let text = run(&["status", "--data", &root]).out;
    assert!(text.contains("\nready       no\n"), "{text}");
    assert!(text.contains("\nnot ready: settler: no settler to work with is connected (SW-READY-002). "), "{text}");
}

#[test]
fn a_node_beyond_its_memory_watermark_is_not_ready_and_says_why() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator", "--memory-watermark-bytes", "1"]);
    let _node = Node::start(&root);
    // It looks every 200 ms.
    let text = loop {
        let text = run(&["status", "--data", &root]).out;
        if text.contains("\nnot ready: load: ") {
            break text;
        }
    };
    assert!(text.contains("\nready       no\n"), "{text}");
    assert!(text.contains("\nnot ready: load: peers up to tier high are refused (SW-READY-001)"), "{text}");
    assert!(text.contains("MiB of memory in use, of 0"), "{text}");
    assert_eq!(json_of(&["status", "--data", &root])["ready"], false);
}

#[test]
fn metrics_are_served_where_the_configuration_says_and_nowhere_else() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator", "--metrics-listen", "127.0.0.1:0"]);
    let node = Node::start(&root);
    let first = node.json();
    let answer = scraped(&node);
    assert!(answer.contains("\nshardwire_peers_connected{tier=\"normal\"} "), "{answer}");

    let second = tempfile::tempdir().unwrap();
    let other = folder(second.path(), &["--role", "operator"]);
    assert!(Node::start(&other).json().get("metrics").is_none());
    let taken = first["metrics"].as_str().unwrap();
    let refused = run(&["run", "--data", &other, "--metrics-listen", taken, "--log", "off"]);
    assert!(
        refused.err.starts_with(&format!("error[SW-METRICS-001]: metrics can't be served on {taken}: ")),
        "{}",
        refused.err
    );
}

#[cfg(unix)]
#[test]
fn a_hangup_reads_the_lists_again() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    let mut node = Node::start(&root);
    let peer = "44".repeat(32);
    assert_eq!(stands(&root, &peer), json!({ "admitted": "low" }));
    let file = place.path().join("node/shardwire.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    let denies = before.replace("\n[reputation]\n", &format!("\n[reputation]\ndeny = ['{peer}']\n"));
    assert_ne!(denies, before);
    std::fs::write(&file, &denies).unwrap();
    node.signal("-HUP");
    while stands(&root, &peer) != "denied" {}

    // A file that can't be read changes nothing, and ends nothing.
    std::fs::write(&file, "oops").unwrap();
    let refused = run(&["peer", "reload", "--data", &root]);
    assert!(refused.code == 1 && refused.err.starts_with("error["), "{}", refused.err);
    node.signal("-HUP");
    assert_eq!(stands(&root, &peer), "denied");
    std::fs::write(&file, &before).unwrap();
    node.signal("-HUP");
    while stands(&root, &peer) == "denied" {}
    drop(node.lifeline.take());
    assert_eq!(node.wait().code(), Some(0));
}

#[test]
fn there_is_no_evidence_against_a_peer_that_did_nothing() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    let _node = Node::start(&root);
    let peer = "55".repeat(32);
    let none = run(&["peer", "evidence", "--data", &root, &peer]);
    assert_eq!((none.code, none.out.as_str()), (0, "nothing is known against 5555555555\n"));
    assert_eq!(json_of(&["peer", "evidence", "--data", &root, &peer]), json!({ "peer": peer, "pieces": [] }));
}

#[test]
fn a_file_that_is_no_evidence_is_told_from_one_that_is_not_there() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("x.evidence").display().to_string();
    let missing = run(&["evidence", "check", &file]);
    assert_eq!(missing.code, 1);
    assert_eq!(missing.err, format!("error[SW-EVIDENCE-007]: there is no file {file}\n  next: Check the path.\n"));
    std::fs::write(&file, "hello").unwrap();
    let other = run(&["evidence", "check", &file]);
    assert_eq!(
        (other.code, other.err.as_str()),
        (
            1,
            "error[SW-EVIDENCE-002]: this is no piece of evidence: it doesn't begin as one\n  next: Check that it is the right file, and \
             that it is whole.\n"
        )
    );
    let folder = run(&["evidence", "check", &place.path().display().to_string()]);
    assert!(folder.code == 1 && folder.err.starts_with("error[SW-EVIDENCE-006]: "), "{}", folder.err);
    assert!(
        folder.err.ends_with("next: Check the path, its permissions, and that the disk has room.\n"),
        "{}",
        folder.err
    );
}
