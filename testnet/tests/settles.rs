//! The whole path: three processes, a real proof, a settled World that is the recomputed one.

mod stranger;

use serde_json::Value;
use shardwire::{data::DataPaths, host::clock::SystemClock};
use shardwire_model::{Clock as _, PeerId, Role, Stage};
use shardwire_protocols::{
    handshake::{Handshake, Hello, greet, spoken},
    proof::{Client, Next, Proof},
};
use shardwire_transport::{Endpoint, Identity, Settings};
use shardwire_world::WorldIdentity;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::Command,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use stranger::{hello, world};
use testnet::{
    crashes::PlannedCrash,
    dungeon::{Options, generate},
    network::{Network, NetworkFolder, Programs, binary, worker},
    progress::Reporter,
    recompute::recompute,
    run::run_workload,
};
use tokio::{sync::Mutex, time::sleep};

/// One proof at a time: each takes gigabytes.
static TURN: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);

fn programs() -> Programs {
    let mut say = |line: &str| eprintln!("{line}");
    let node = binary::locate(&mut say).expect("a node");
    let worker = worker::locate(&mut say).expect("a worker").path().to_owned();
    Programs { node, worker }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_settles_what_the_recomputation_says_and_leaves_the_network_if_asked() {
    let _turn = TURN.lock().await;
    let programs = programs();
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("net");
    let output = Command::new(env!("CARGO_BIN_EXE_testnet"))
        .args(["--json", "--keep", "--players", "3", "--transactions", "40", "--seed", "5", "--data"])
        .arg(&data)
        .env("SHARDWIRE_STWO_WORKER", &programs.worker)
        .output()
        .expect("testnet starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("{told}");
    assert!(output.status.success(), "{told}");
    let stdout = String::from_utf8(output.stdout).expect("text");
    let object: Value = serde_json::from_str(stdout.lines().last().expect("a line")).expect("an object");
    assert_eq!((&object["ok"], &object["transactions"]), (&true.into(), &40.into()));
    for figure in [
        "steps",
        "witness_bytes_raw",
        "witness_bytes_wire",
        "execute_s",
        "stream_s",
        "prove_s",
        "verify_ms",
        "proof_bytes",
    ] {
        assert!(object[figure].as_f64().is_some_and(|it| it > 0.0), "{figure}: {object}");
    }

    let workload = generate(Options { players: 3, transactions: 40, seed: 5 }).expect("a dungeon");
    let expected = recompute(&workload).expect("it obeys the rules");
    let state: BTreeMap<String, Value> = serde_json::from_value(object["state"].clone()).expect("a map");
    let wanted: BTreeMap<String, Value> = expected
        .state
        .iter()
        .map(|(key, it)| (key.to_string(), serde_json::json!({"kind": it.kind, "value": format!("{:#x}", it.value)})))
        .collect();
    assert_eq!(state, wanted);

    // The network is still there, as the printed commands say, and ends when it is told so.
    let printed = |what: &str| {
        let what = format!(" {what} --data ");
        told.lines().filter(|line| line.contains(&what)).map(str::trim).map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |line: &String| {
        let mut words = line.split(' ');
        let output = Command::new(words.next().expect("a program")).args(words).output().expect("it starts");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!((printed("status").len(), printed("stop").len()), (4, 3), "{told}");
    let shown: Vec<String> = printed("status").iter().chain(&printed("world show")).map(run).collect();
    assert!(shown.iter().any(|text| text.contains("settled")), "{shown:?}");
    let ready = |text: &&String| text.contains("\nready       yes\n");
    assert_eq!(shown.iter().filter(ready).count(), 3, "each of them can do its work: {shown:?}");
    printed("stop").iter().for_each(|line| drop(run(line)));
    let runs = |role: &str| DataPaths::existing(&data.join(role)).and_then(|paths| paths.running()).is_ok();
    assert!(!["settler", "operator", "prover"].into_iter().any(runs));
}

/// A fresh key in the role of a settler, at a prover that may be started again meanwhile.
#[derive(Default)]
struct Presumes {
    /// How often it was greeted and asked for one.
    asked: AtomicUsize,
    /// How often it was offered one, and said that it had settled it.
    offered: AtomicUsize,
}

impl Presumes {
    async fn at(&self, prover: PeerId, listen: SocketAddr, world: WorldIdentity) {
        let identity = Identity::generate(&mut rand::rng());
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let endpoint =
            Endpoint::bind(here, identity.clone(), &Settings::default(), &mut rand::rng()).expect("a socket");
        // It serves nothing, so nothing is asked of it.
        let asks = || Hello { serves: Vec::new(), ..hello(&world, Role::Settler, spoken()) };
        loop {
            if let Ok(connection) = endpoint.connect(listen, Some(prover)).await
                && let Ok(session) = connection.open::<Handshake>().await
                && greet(session, asks()).await.is_ok()
                && let Ok(session) = connection.open::<Proof>().await
            {
                self.asked.fetch_add(1, Ordering::SeqCst);
                let mut client = Client::new(session);
                while let Ok(next) = client.ask().await {
                    client = match next {
                        Next::Nothing(client) => client,
                        Next::Ready(_, offered) => {
                            self.offered.fetch_add(1, Ordering::SeqCst);
                            let Ok((_, client)) = offered.settled(&identity, SystemClock.now()).await else { break };
                            client
                        }
                    };
                }
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Meanwhile a fresh key with the role of a settler says of every proof that it is offered that it has settled it: it is offered none, and the settler of the World gets them all.
#[tokio::test(flavor = "multi_thread")]
async fn killed_nodes_that_are_started_again_settle_the_same() {
    let _turn = TURN.lock().await;
    let workload = generate(Options { players: 4, transactions: 1_200, seed: 6 }).expect("a dungeon");
    let expected = recompute(&workload).expect("it obeys the rules");
    let mut network =
        Network::init(NetworkFolder::new(None).expect("a place"), &programs(), &workload).await.expect("folders");
    let mut crashes = vec![
        PlannedCrash {
            role: Role::Operator,
            during: "while it takes transactions and streams their witness",
            when: |it| it.receipts > 200 && it.receipts < it.of,
        },
        PlannedCrash {
            role: Role::Prover,
            during: "while it proves",
            when: |it| it.figures.stages.prover == Stage::Proving && it.proving.as_millis() > 500,
        },
    ];
    network.start(&mut |line| println!("{line}")).await.expect("a network");
    let mut reporter = Reporter::for_this_process();
    let presumes = Arc::new(Presumes::default());
    let (prover, world) = (network.node(Role::Prover), world(network.node(Role::Settler)));
    let (peer, listen, it) = (prover.peer(), prover.listen(), presumes.clone());
    let stranger = tokio::spawn(async move { it.at(peer, listen, world).await });
    let report = run_workload(&mut network, &workload, &expected, &mut crashes, &mut reporter).await;
    stranger.abort();
    network.stop().await;
    assert_eq!(presumes.offered.load(Ordering::SeqCst), 0, "a stranger has no say about proofs");
    assert!(presumes.asked.load(Ordering::SeqCst) > 0, "it was greeted");
    let report = report.expect("settled");
    assert!(crashes.is_empty(), "the moment of {crashes:?} was missed");
    assert!(report.is_ok(), "{:?}", report.differences);
    assert_eq!(report.figures.transactions, 1_200);
}
