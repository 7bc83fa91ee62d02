//! What a node that runs says of whether it can do its work, and trying again by hand what it gave up.

use super::{folder, lifecycle::Node, run};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

/// The answer of `/ready`: its first line, and its body.
fn ready(node: &Node) -> (String, String) {
    let mut stream = TcpStream::connect(node.json()["metrics"].as_str().unwrap()).unwrap();
    stream.write_all(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[test]
fn a_node_that_has_nobody_to_work_with_says_so_wherever_it_is_asked() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator", "--metrics-listen", "127.0.0.1:0"]);
    let mut node = Node::start(&root);
    let (head, body) = ready(&node);
    assert_eq!(head, "HTTP/1.1 503 Service Unavailable");
    let expected = "not ready\nprover: no prover to work with is connected (SW-READY-004)\nsettler: no settler to work with is connected \
                    (SW-READY-002)\n";
    assert_eq!(body, expected);
    let metrics = super::metrics::scraped(&node);
    for line in [
        "shardwire_node_ready 0",
        "shardwire_node_unmet{condition=\"disk\"} 0",
        "shardwire_node_unmet{condition=\"execution\"} 0",
        "shardwire_node_unmet{condition=\"load\"} 0",
        "shardwire_node_unmet{condition=\"prover\"} 1",
        "shardwire_node_unmet{condition=\"settler\"} 1",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line} isn't in:\n{metrics}");
    }
    let status = run(&["status", "--data", &root, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(json["ready"], false);
    let unmet = json["unmet"].as_array().unwrap();
    let names: Vec<&str> = unmet.iter().map(|it| it["condition"].as_str().unwrap()).collect();
    assert_eq!(names, ["prover", "settler"]);
    assert_eq!(unmet[1]["cause"]["code"], "SW-READY-002");
    let text = run(&["status", "--data", &root]).out;
    assert!(text.contains("\nready       no\n"), "{text}");
    assert!(
        text.contains("\nnot ready: settler: no settler to work with is connected (SW-READY-002). Check that"),
        "{text}"
    );

    let shard = "0x1234";
    let retried = run(&["shard", "retry", "--data", &root, shard]);
    assert_eq!(retried.code, 1);
    assert!(retried.err.contains("this node is no prover: it has no jobs"), "{}", retried.err);
    assert_eq!(node.stop().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_prover_that_knows_no_job_of_a_shard_says_so_when_it_is_told_to_try_again() {
    let place = tempfile::tempdir().unwrap();
    let worker = concat!(env!("CARGO_MANIFEST_DIR"), "/prover/tests/workers/hangs");
    let root = folder(place.path(), &["--role", "prover", "--worker", worker]);
    let mut node = Node::start(&root);
    let retried = run(&["shard", "retry", "--data", &root, "0x1234", "--json"]);
    assert_eq!(retried.code, 1);
    let error: serde_json::Value = serde_json::from_str(&retried.out).unwrap();
    let (code, message) = (&error["error"]["code"], &error["error"]["message"]);
    assert_eq!(
        (code, message),
        (&serde_json::json!("SW-PROVER-013"), &serde_json::json!("this prover has no job of shard 0x1234"))
    );
    assert_eq!(node.stop().code(), Some(0));
}
