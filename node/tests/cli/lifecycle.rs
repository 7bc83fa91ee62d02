//! A node from its first line to its end: by lifeline, by signal, by force.

use super::{folder, run, shardwire};
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
};

/// A running node; killed when dropped, so that a failed test leaves none behind.
pub(crate) struct Node {
    child: Child,
    pub(super) lifeline: Option<ChildStdin>,
    first_line: String,
}

impl Node {
    pub(crate) fn start(root: &str) -> Self {
        let mut child = shardwire(&["run", "--data", root, "--lifeline", "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut first_line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first_line).unwrap();
        let lifeline = child.stdin.take();
        Self { child, lifeline, first_line }
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.first_line).unwrap()
    }

    pub(super) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Ends it in good order.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        drop(self.lifeline.take());
        self.wait()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.wait();
    }

    pub(super) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Fails if it has ended, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn announcement(root: &str) -> std::path::PathBuf {
    Path::new(root).join("running.json")
}

#[test]
fn a_node_announces_itself_answers_and_ends_with_its_lifeline() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    let mut node = Node::start(&root);
    let first = node.json();
    assert_eq!((&first["roles"], &first["network"]), (&serde_json::json!(["operator"]), &"local".into()));
    let announced: serde_json::Value = serde_json::from_slice(&std::fs::read(announcement(&root)).unwrap()).unwrap();
    for field in ["peer", "listen", "network", "pid"] {
        assert_eq!(announced[field], first[field], "{field}");
    }

    let status = run(&["status", "--data", &root, "--json"]);
    assert_eq!((status.code, status.err.as_str()), (0, ""));
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!((&status["peer"], &status["roles"]), (&first["peer"], &first["roles"]));
    let text = run(&["shard", "status", "--data", &root]);
    assert_eq!((text.code, text.out.as_str()), (0, "no shards\n"));
    let world = run(&["world", "show", "--data", &root]);
    assert!(world.code == 1 && world.err.starts_with("error[SW-"), "an operator has no World: {}", world.err);

    let second = run(&["run", "--data", &root]);
    assert_eq!(second.code, 1);
    let pid = node.child.id();
    assert!(
        second.err.starts_with(&format!("error[SW-DATA-003]: {root} is in use by another process ({pid})\n")),
        "{}",
        second.err
    );

    drop(node.lifeline.take());
    assert_eq!(node.wait().code(), Some(0));
    assert!(!announcement(&root).exists());
}

#[test]
fn a_node_that_is_told_to_stop_has_stopped_when_the_answer_comes() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    let mut node = Node::start(&root);
    let told = run(&["stop", "--data", &root, "--json"]);
    assert_eq!((told.code, told.out.as_str(), told.err.as_str()), (0, "{\"stopped\":true}\n", ""));
    assert!(!announcement(&root).exists());
    assert_eq!(node.wait().code(), Some(0));
    assert!(run(&["stop", "--data", &root]).err.starts_with("error[SW-DATA-004]"));
}

#[test]
fn a_signal_ends_a_node_in_good_order() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    for signal in ["-TERM", "-INT"] {
        let mut node = Node::start(&root);
        node.signal(signal);
        assert_eq!(node.wait().code(), Some(0), "{signal}");
        assert!(!announcement(&root).exists());
    }
}

#[test]
fn a_killed_node_is_noticed_and_can_be_started_again() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    let mut node = Node::start(&root);
    let peer = node.json()["peer"].clone();
    node.signal("-KILL");
    node.wait();
    assert!(announcement(&root).exists());
    let status = run(&["status", "--data", &root]);
    assert_eq!(status.code, 1);
    assert!(
        status.err.starts_with(&format!("error[SW-DATA-004]: no node is running in {root}: the last one was killed\n")),
        "{}",
        status.err
    );
    let mut node = Node::start(&root);
    assert_eq!(node.json()["peer"], peer, "the same node");
    drop(node.lifeline.take());
    assert_eq!(node.wait().code(), Some(0));
}
