//! A real node whose disk takes nothing more for a while, its own log included. It lives, says what it lacks, loses nothing, and goes on by itself.
#![cfg(target_os = "linux")]

mod stranger;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;
use shardwire::{client::NodeClient, host::Platform};
use shardwire_model::Role;
use std::time::Duration;
use stranger::{PATIENCE, dungeon, log_says, programs, settler, shardwire};
use testnet::network::{NetworkFolder, Node};
use tokio::time::{Instant, sleep};

/// How large the node's files may be from now on: a write beyond that fails, as on a disk that is full.
fn files_of(node: &Node, at_most: Option<u64>) {
    let pid = node.pid().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let bound = Rlimit { current: at_most, maximum: None };
    prlimit(Some(pid.expect("it runs")), Resource::Fsize, bound).expect("bounded");
}

fn status(node: &Node) -> Value {
    let data = node.data().display().to_string();
    serde_json::from_str(&shardwire(&["status", "--json", "--data", &data]).expect("a status")).expect("JSON")
}

/// Waits until the node says that it lacks its disk, or that it doesn't; what it says then.
async fn lacks_its_disk(node: &Node, lacks: bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let said = status(node);
        let unmet = said["unmet"].as_array().expect("a list");
        if let Some(disk) = unmet.iter().find(|it| it["condition"] == "disk") {
            assert_eq!((&said["ready"], &disk["cause"]["code"]), (&false.into(), &"SW-READY-006".into()), "{said}");
            if lacks {
                return said;
            }
        } else if !lacks {
            return said;
        }
        assert!(Instant::now() < end, "{said}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn nodes_whose_disk_was_full_for_a_while_go_on_by_themselves_and_have_lost_nothing() {
    let folder = NetworkFolder::new(None).expect("a place");
    let workload = dungeon();
    let mut settler = settler(&folder, &workload, &[]).await;
    let world = settler.data().join("world.json");
    let mut operator = Node::init(Role::Operator, &programs(), folder.path(), Some(&world)).await.expect("a folder");
    operator.start(&[format!("{}@{}", settler.peer(), settler.listen())]).await.expect("an operator");

    // The settler's: what it was asked for is refused, not half done.
    let mut control = NodeClient::connect(settler.data(), &Platform::system()).await.expect("control");
    let request = workload.start_request(operator.peer(), shardwire_program::rules::hash());
    files_of(&settler, Some(0));
    let refused = control.start_shard(request.clone(), None).await.expect_err("nothing can be written");
    println!("refused: {refused}");
    lacks_its_disk(&settler, true).await;
    files_of(&settler, None);
    lacks_its_disk(&settler, false).await;
    let shard = control.start_shard(request, None).await.expect("a shard").shard.to_string();
    control.close().await;

    // The operator's, in the middle of a shard.
    let log = folder.path().join("operator.log");
    log_says(&log, "shardwire_operator::shard_assigned").await;
    let (data, moves) = (operator.data().display().to_string(), folder.path().join("workload.json"));
    let submit = ["shard", "submit", "--data", &data, "--shard", &shard, "--workload", &moves.display().to_string()];
    files_of(&operator, Some(0));
    let refused = shardwire(&submit).expect_err("nothing can be written");
    assert!(refused.contains("SW-"), "{refused}");
    lacks_its_disk(&operator, true).await;
    files_of(&operator, None);
    lacks_its_disk(&operator, false).await;
    log_says(&log, "disk_recovered").await;
    shardwire(&submit).expect("played");
    log_says(&log, "shardwire_operator::shard_ended").await;

    let said = shardwire(&["shard", "status", &shard, "--json", "--data", &data]).expect("a status");
    assert!(!said.contains("\"failed\""), "{said}");
    for node in [&mut operator, &mut settler] {
        node.alive().expect("the same process all the time");
        node.stop().await;
    }
}
