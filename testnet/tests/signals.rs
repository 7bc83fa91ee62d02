//! What a service manager, a terminal and an upgrade do to a prover that proves: signals to its whole process group, a worker that is killed, one whose
//! file is gone for a while. The job goes on, and no such thing is a verdict on it.
#![cfg(unix)]

mod stranger;

use shardwire::{client::NodeClient, host::Platform};
use shardwire_model::Role;
use shardwire_proving::worker::INTERFACE;
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command, time::Duration};
use stranger::{PATIENCE, dungeon, log_says, programs, settler, shardwire};
use testnet::network::{NetworkFolder, Node, Programs};
use tokio::time::{Instant, sleep};

/// A worker that proves for as long as there is a file `hold` beside it, and writes down which processes it was.
const WORKER: &str = r#"#!/bin/sh
here=$(dirname "$0")
if [ "$1" = version ]; then
    echo '{"worker":"a test","version":"1","interface":"INTERFACE"}'
    exit 0
fi
while [ "$1" != --proof ]; do shift; done
echo $$ >> "$here/processes"
echo '{"event":"loaded","steps":1}'
while [ -e "$here/hold" ]; do sleep 0.05; done
printf 'a proof' > "$2"
echo '{"event":"done","proof_bytes":7,"prove_s":1.0,"cpu_s":1.0,"peak_bytes":1}'
"#;

/// Where the worker is, and what it leaves.
struct Workshop(PathBuf);

impl Workshop {
    fn in_folder(folder: &NetworkFolder) -> Self {
        let workshop = Self(folder.path().join("workshop"));
        fs::create_dir(&workshop.0).expect("a folder");
        fs::write(workshop.0.join("hold"), "").expect("written");
        workshop.install();
        workshop
    }

    fn program(&self) -> PathBuf {
        self.0.join("worker")
    }

    /// Puts the worker where it belongs, whole.
    fn install(&self) {
        let beside = self.0.join("worker.new");
        fs::write(&beside, WORKER.replace("INTERFACE", INTERFACE)).expect("written");
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).expect("executable");
        fs::rename(beside, self.program()).expect("in its place");
    }

    /// Waits until the worker was started this many times; the process that it is.
    async fn started(&self, times: usize) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let processes = fs::read_to_string(self.0.join("processes")).unwrap_or_default();
            if let Some(process) = processes.lines().nth(times - 1) {
                assert_eq!(processes.lines().count(), times, "one at a time");
                return process.to_owned();
            }
            assert!(Instant::now() < end, "no worker was started {times} times: {processes}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn kill(signal: &str, whom: &str) -> bool {
    Command::new("kill")
        .args([signal, "--", whom])
        .stderr(std::process::Stdio::null())
        .status()
        .expect("kill")
        .success()
}

/// Sends a signal to all of the node's process group, and waits until it has ended in good order.
async fn ends_by(signal: &str, node: &mut Node) {
    assert!(kill(signal, &format!("-{}", node.pid().expect("it runs"))));
    let end = Instant::now() + PATIENCE;
    loop {
        match node.alive() {
            Ok(()) => assert!(Instant::now() < end, "it goes on after {signal}"),
            Err(ended) => {
                assert!(ended.to_string().contains("exit status: 0"), "{ended}");
                return;
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn is_gone(process: &str) {
    let end = Instant::now() + PATIENCE;
    while kill("-0", process) {
        assert!(Instant::now() < end, "the worker {process} goes on");
        sleep(Duration::from_millis(20)).await;
    }
}

fn status(node: &Node, arguments: &[&str]) -> serde_json::Value {
    let data = node.data().display().to_string();
    let said = shardwire(&[arguments, &["--json", "--data", &data]].concat()).expect("a status");
    serde_json::from_str(&said).expect("JSON")
}

#[tokio::test]
async fn a_job_goes_on_whatever_signals_end_its_prover_and_its_worker() {
    let folder = NetworkFolder::new(None).expect("a place");
    let (workload, workshop) = (dungeon(), Workshop::in_folder(&folder));
    let programs = Programs { worker: workshop.program(), ..programs() };
    let mut settler = settler(&folder, &workload, &[]).await;
    let world = settler.data().join("world.json");
    let mut operator = Node::init(Role::Operator, &programs, folder.path(), Some(&world)).await.expect("a folder");
    let at_settler = format!("{}@{}", settler.peer(), settler.listen());
    operator.start(std::slice::from_ref(&at_settler)).await.expect("an operator");
    let mut prover = Node::init(Role::Prover, &programs, folder.path(), Some(&world)).await.expect("a folder");
    let at_operator = format!("{}@{}", operator.peer(), operator.listen());
    prover.start(&[at_settler, at_operator]).await.expect("a prover");

    let mut control = NodeClient::connect(settler.data(), &Platform::system()).await.expect("control");
    let request = workload.start_request(operator.peer(), shardwire_program::rules::hash());
    let shard = control.start_shard(request, None).await.expect("a shard").shard.to_string();
    control.close().await;
    log_says(&folder.path().join("operator.log"), "shardwire_operator::shard_assigned").await;
    let (data, moves) = (operator.data().display().to_string(), folder.path().join("workload.json"));
    let submit = ["shard", "submit", "--data", &data, "--shard", &shard, "--workload", &moves.display().to_string()];
    shardwire(&submit).expect("played");

    // A service manager, and Ctrl-C in a terminal: both reach all of the group.
    for (times, signal) in [(1, "-TERM"), (2, "-INT")] {
        let worker = workshop.started(times).await;
        ends_by(signal, &mut prover).await;
        is_gone(&worker).await;
        prover.restart().await.expect("it starts again");
    }
    // The system, or a person, kills the worker: the node tries again by itself.
    let log = folder.path().join("prover.log");
    assert!(kill("-KILL", &workshop.started(3).await));
    log_says(&log, "SW-PROVE-005").await;
    // An upgrade: the file is gone for a while.
    let worker = workshop.started(4).await;
    fs::remove_file(workshop.program()).expect("removed");
    assert!(kill("-KILL", &worker));
    log_says(&log, "SW-WORKER-103").await;
    let lacks = status(&prover, &["status"]);
    let unmet: Vec<&str> =
        lacks["unmet"].as_array().expect("a list").iter().filter_map(|it| it["condition"].as_str()).collect();
    assert!(unmet.contains(&"worker"), "{lacks}");
    workshop.install();
    workshop.started(5).await;
    // What this worker writes is no proof: the node sees that before anybody else does, and tries again by itself.
    fs::remove_file(workshop.0.join("hold")).expect("removed");
    log_says(&log, "SW-PROVER-015").await;

    let stage = status(&prover, &["shard", "status", &shard]);
    assert!(!stage.to_string().contains("\"failed\"") && !stage.to_string().contains("\"proven\""), "{stage}");
    let said = fs::read_to_string(&log).expect("a log");
    assert!(!said.contains("job_failed") && !said.contains("proof_made"), "{said}");
    for node in [&mut prover, &mut operator, &mut settler] {
        node.stop().await;
    }
}
