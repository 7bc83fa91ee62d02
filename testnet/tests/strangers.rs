//! Peers that claim what they don't have, hold what they don't do, and take more than their share, against real nodes.

mod stranger;

use serde_json::Value;
use shardwire::{
    client::NodeClient,
    host::{Platform, clock::SystemClock},
};
use shardwire_model::{Cause, Clock as _, Felt, Hash, PeerId, Role, ShardId, Timestamp, state_commitment};
use shardwire_protocols::{
    Failure, Signed,
    handoff::AssignmentTerms,
    handshake::{Hello, Instance, spoken},
    keepalive::Keepalive,
    proof::{self, Proof, Reply, StoredProof},
    trace::{
        self, ChunkAnswer, Claimed, Client, DeclineReason, Fetch, Finished, Grant, JobOffer, Next, Progress,
        Progressed, ProverStage, ResumableJob, Trace, job_id,
    },
};
use shardwire_transport::{Identity, WireCode, message::encode};
use std::{future::pending, path::Path, time::Duration};
use stranger::{PATIENCE, Stranger, dungeon, frame, header, hello, log_says, programs, settler, shardwire, world};
use testnet::network::{NetworkFolder, Node, Programs};
use tokio::time::{Instant, sleep, timeout};

/// A settler and an operator that is configured with this prover, and a shard there.
async fn with_a_shard(folder: &NetworkFolder, configured: PeerId) -> (Node, Node) {
    let workload = dungeon();
    let settler = settler(folder, &workload, &[]).await;
    let world = settler.data().join("world.json");
    let mut operator = Node::init(Role::Operator, &programs(), folder.path(), Some(&world)).await.expect("a folder");
    let peers = [format!("{}@{}", settler.peer(), settler.listen()), configured.to_string()];
    operator.start(&peers).await.expect("an operator");
    let mut control = NodeClient::connect(settler.data(), &Platform::system()).await.expect("control");
    let request = workload.start_request(operator.peer(), shardwire_program::rules::hash());
    control.start_shard(request, None).await.expect("a shard");
    control.close().await;
    (settler, operator)
}

/// A prover at an operator.
async fn prover(identity: Identity, settler: &Node, operator: &Node) -> (Stranger, Client) {
    let stranger = Stranger::dial_as(identity, operator).await;
    stranger.greet(hello(&world(settler), Role::Prover, spoken())).await.expect("greeted");
    let session = stranger.connection.open::<Trace>().await.expect("a session");
    let client = Client::new(session, stranger.identity.peer());
    (stranger, client)
}

/// Asks until there is a job, and takes it.
async fn take(mut client: Client) -> (JobOffer, Fetch) {
    loop {
        client = match client.ready(&[]).await.expect("an answer") {
            Next::Nothing(client) => client,
            Next::Offered(offer, offered) => match offered.claim().await.expect("an answer") {
                Claimed::Leased(_, fetch) => return (*offer, *fetch),
                Claimed::Refused(_, client) => client,
            },
        };
    }
}

fn fresh() -> Identity {
    Identity::generate(&mut rand::rng())
}

#[tokio::test]
async fn a_prover_that_only_gives_signs_of_life_loses_its_job_to_a_configured_one_that_waits() {
    let (folder, configured) = (NetworkFolder::new(None).expect("a place"), fresh());
    let (mut settler, mut operator) = with_a_shard(&folder, configured.peer()).await;
    let (holder, client) = prover(fresh(), &settler, &operator).await;
    let (_, fetch) = timeout(PATIENCE, take(client)).await.expect("a job");
    let taken = Instant::now();
    let mut working = fetch.stop().await.expect("it goes on");
    let holds = async {
        loop {
            let (progressed, next) = working.report(ProverStage::Proving, 0, 0).await.expect("an answer");
            if let Progressed::Lost { epoch } = progressed {
                return epoch;
            }
            working = next;
            sleep(Duration::from_secs(2)).await;
        }
    };
    let (waiting, client) = prover(configured, &settler, &operator).await;
    let waits = async {
        let (_, fetch) = timeout(PATIENCE, take(client)).await.expect("the job");
        // A minute for a run of no steps, and the question that is held.
        let had = taken.elapsed();
        assert!((58..75).contains(&had.as_secs()), "{had:?}");
        fetch
    };
    let (lost, fetch) = tokio::join!(holds, waits);
    assert_eq!((lost, fetch.epoch()), (2, 2), "fenced");
    drop(fetch);
    holder.leave().await;
    waiting.leave().await;
    operator.stop().await;
    settler.stop().await;
}

/// Says that it is an operator, and offers this job to all who ask.
struct Inventor(JobOffer);

impl trace::Handler for Inventor {
    async fn offer(&self, _: PeerId, _: &[ResumableJob]) -> Result<JobOffer, Failure> {
        Ok(self.0.clone())
    }

    async fn claim(&self, _: PeerId, _: Hash) -> Result<Grant, Failure> {
        panic!("the job is claimed")
    }

    async fn declined(&self, _: PeerId, _: Hash, reason: DeclineReason, _: Cause) -> Result<(), Failure> {
        assert_eq!(reason, DeclineReason::Unassigned);
        Ok(())
    }

    async fn chunk(&self, _: PeerId, _: Hash, _: u64, _: u32) -> Result<ChunkAnswer, Failure> {
        pending().await
    }

    async fn progress(&self, _: PeerId, _: Hash, _: Progress) -> Result<Progressed, Failure> {
        pending().await
    }

    async fn finished(&self, _: PeerId, _: Hash, _: u64, _: Hash) -> Result<Finished, Failure> {
        pending().await
    }

    async fn abandoned(&self, _: PeerId, _: Hash, _: u64, _: Cause) -> Result<(), Failure> {
        pending().await
    }
}

#[tokio::test]
async fn a_prover_takes_no_job_of_a_stranger_that_says_it_is_an_operator_and_bans_it() {
    let (folder, workload) = (NetworkFolder::new(None).expect("a place"), dungeon());
    let mut settler = settler(&folder, &workload, &[]).await;
    let (of, at_settler) = (world(&settler), format!("{}@{}", settler.peer(), settler.listen()));
    let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node/prover/tests/workers/hangs");
    let programs = Programs { worker, ..programs() };
    let file = settler.data().join("world.json");
    let mut prover = Node::init(Role::Prover, &programs, folder.path(), Some(&file)).await.expect("a folder");
    prover.start(&[at_settler]).await.expect("a prover");
    for in_the_name_of_the_settler in [false, true] {
        let stranger = Stranger::dial(&prover).await;
        let me = stranger.identity.peer();
        let request = workload.start_request(me, shardwire_program::rules::hash());
        let start = request.to_start(of.network(), Timestamp(1 << 50));
        let values = vec![Felt::ZERO; start.entries.len()];
        let (program, commitment) = (start.program, start.commitment());
        let before = state_commitment(commitment, &values);
        let job = job_id(program, commitment, before, 0);
        let assigned = Signed::by(&stranger.identity, AssignmentTerms::of(&start, &values)).signature;
        let by = if in_the_name_of_the_settler { settler.peer() } else { me };
        let shard = start.shard;
        let offer =
            JobOffer { job, shard, segment: 0, start, values, before, program, ended: true, settler: by, assigned };
        let inventor = Inventor(offer);
        stranger.greet(hello(&of, Role::Operator, spoken())).await.expect("greeted");
        let offers = async {
            while let Ok(mut incoming) = stranger.connection.accept().await {
                if incoming.header().await.is_ok()
                    && incoming.is::<Trace>()
                    && let Ok(session) = incoming.serve::<Trace>().await
                {
                    let _ = trace::serve(session, &inventor).await;
                }
            }
        };
        timeout(PATIENCE, offers).await.expect("it is shut out");
        let log = log_says(&folder.path().join("prover.log"), &job.short()).await;
        assert!(log.contains("shardwire_prover::job_unassigned"), "{log}");
        stranger.leave().await;
    }
    assert!(!prover.data().join("jobs").exists());
    prover.stop().await;
    settler.stop().await;
}

/// Only a settler of the World is offered a proof, so what another peer says of one is never due, in whatever order.
#[tokio::test]
async fn receipts_and_disputes_of_a_fresh_key_are_violations_and_ban_it_at_the_third() {
    let (folder, workload) = (NetworkFolder::new(None).expect("a place"), dungeon());
    let mut settler = settler(&folder, &workload, &[]).await;
    let file = settler.data().join("world.json");
    let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node/prover/tests/workers/hangs");
    let mut prover = Node::init(Role::Prover, &Programs { worker, ..programs() }, folder.path(), Some(&file))
        .await
        .expect("a folder");
    prover.start(&[format!("{}@{}", settler.peer(), settler.listen())]).await.expect("a prover");
    let stranger = Stranger::dial(&prover).await;
    // It serves nothing, so nothing is asked of it.
    let greeting = Hello { serves: Vec::new(), ..hello(&world(&settler), Role::Settler, spoken()) };
    stranger.greet(greeting).await.expect("greeted");

    let (shard, segment, proof) = (ShardId(Felt::ONE), 0, Hash::of(b"a proof"));
    let settlement = proof::Settlement { shard, segment, proof, settled_at: SystemClock.now() };
    let cause = Cause::new("SW-PROOF-999", "it is not for you");
    let receipt = encode(&Signed::by(&stranger.identity, settlement)).expect("a receipt");
    let dispute = encode(&Signed::by(&stranger.identity, proof::Objection { shard, segment, proof, cause }));
    let dispute = dispute.expect("a dispute");
    let log = folder.path().join("prover.log");
    for (said, reset, code) in [
        (frame(&[1, 1, 0], &dispute), WireCode::TooLong, "SW-SESSION-003"),
        (frame(&[1, 0], &receipt), WireCode::AfterEnd, "SW-SESSION-009"),
        ([frame(&[0], &[]), frame(&[1, 0], &receipt)].concat(), WireCode::OutOfTurn, "SW-SESSION-012"),
    ] {
        assert!(!stranger.connection.is_closed(), "not before the third");
        let heard = stranger.hears(&[header("proof"), said].concat()).await;
        match heard {
            Err(told) => assert!(told.ends_with(&reset.number().to_string()), "{code}: {told}"),
            Ok(heard) => assert!(reset == WireCode::AfterEnd && heard.is_empty(), "{code}: the end was said before"),
        }
        assert!(log_says(&log, code).await.contains("shardwire_peers::protocol_violated"));
    }
    let banned = log_says(&log, "to=banned").await;
    assert!(banned.contains(&format!("standing peer={} ", stranger.identity.peer().short())), "{banned}");
    let why = timeout(PATIENCE, stranger.connection.closed()).await.expect("it is shut out");
    assert!(format!("{why:?}").contains("RetryAfter"), "{why:?}");
    stranger.leave().await;
    prover.stop().await;
    settler.stop().await;
}

/// A prover with bytes that prove nothing.
struct Liar {
    offer: JobOffer,
    bytes: Vec<u8>,
}

impl proof::Handler for Liar {
    async fn next(&self, _: PeerId) -> Result<StoredProof, Failure> {
        let (proof, bytes) = (Hash::of(&self.bytes), self.bytes.clone().into());
        Ok(StoredProof { shard: self.offer.shard, segment: 0, job: self.offer.job, proof, bytes, leased: None })
    }

    async fn replied(&self, _: PeerId, _: Hash, _: Reply) -> Result<(), Failure> {
        Ok(())
    }
}

#[tokio::test]
async fn a_proof_that_a_settler_disputes_frees_the_job_at_once_and_one_that_nobody_sees_within_a_minute() {
    let folder = NetworkFolder::new(None).expect("a place");
    let (mut settler, mut operator) = with_a_shard(&folder, fresh().peer()).await;
    // One that shows its proof to the settler.
    let (liar, client) = prover(fresh(), &settler, &operator).await;
    let (offer, fetch) = timeout(PATIENCE, take(client)).await.expect("a job");
    let lie = Liar { offer, bytes: vec![7; 1000] };
    fetch.stop().await.expect("it goes on").finish(Hash::of(&lie.bytes)).await.expect("it is noted");
    let told = Stranger::dial_as(liar.identity.clone(), &settler).await;
    told.greet(hello(&world(&settler), Role::Prover, spoken())).await.expect("greeted");
    let lies = async {
        while let Ok(mut incoming) = told.connection.accept().await {
            incoming.header().await.expect("a header");
            if incoming.is::<Proof>() {
                // Banned for it, it is shut out.
                let _ = proof::serve(incoming.serve().await.expect("a session"), &told.identity, &lie).await;
            }
        }
    };
    let (second, client) = prover(fresh(), &settler, &operator).await;
    let claimed = Instant::now();
    let next = async { timeout(PATIENCE, take(client)).await.expect("the job").1 };
    let (fetch, ()) = tokio::join!(next, lies);
    assert!(claimed.elapsed() < Duration::from_secs(45), "{:?}", claimed.elapsed());
    log_says(&folder.path().join("operator.log"), "shardwire_operator::claim_disputed").await;

    // Several that show theirs to nobody have a minute together.
    let began = Instant::now();
    fetch.stop().await.expect("it goes on").finish(Hash::of(b"one")).await.expect("it is noted");
    for number in 0..3_u8 {
        let (again, client) = prover(fresh(), &settler, &operator).await;
        let (_, fetch) = timeout(PATIENCE, take(client)).await.expect("the job");
        fetch.stop().await.expect("it goes on").finish(Hash::of(&[number])).await.expect("it is noted");
        again.leave().await;
    }
    let (last, client) = prover(fresh(), &settler, &operator).await;
    drop(timeout(PATIENCE, take(client)).await.expect("the job"));
    assert!(began.elapsed() < Duration::from_secs(80), "{:?}", began.elapsed());
    for stranger in [liar, told, second, last] {
        stranger.leave().await;
    }
    operator.stop().await;
    settler.stop().await;
}

#[tokio::test]
async fn a_key_has_its_connections_and_credit_and_no_peer_makes_a_node_log_errors() {
    let folder = NetworkFolder::new(None).expect("a place");
    let mut settler = settler(&folder, &dungeon(), &[]).await;
    let stranger = Stranger::dial(&settler).await;
    // It says that it is connected with another node of the settler's key, which began later.
    let other = Instance { since: Timestamp(u64::MAX), nonce: 7 };
    let greeting = hello(&world(&settler), Role::Prover, spoken());
    stranger.greet(Hello { capabilities: vec![other.met()], ..greeting }).await.expect("greeted");
    // The settler asks it for proofs.
    let _asked = timeout(PATIENCE, stranger.connection.accept()).await.expect("a session").expect("a connection");

    // Connections without a role: some, and no more.
    let mut others = Vec::new();
    let refused = loop {
        let connection = stranger.endpoint.connect(settler.listen(), Some(settler.peer())).await.expect("a handshake");
        match timeout(Duration::from_secs(1), connection.closed()).await {
            Err(_) => others.push(connection),
            Ok(why) => break why,
        }
    };
    assert_eq!(others.len() + 1, 8);
    assert!(format!("{refused:?}").contains("RetryAfter"), "{refused:?}");

    // Sessions with long questions beyond those that it may have, one of which the node has opened itself: refused, and no error of the node's.
    let header = [&[9, 7][..], b"handoff", &[1]].concat();
    let asks = [&header[..], &[0, 3, 0, 0, 0]].concat();
    let mut sessions = Vec::new();
    for _ in 0..12 {
        let (mut send, receive) = stranger.connection.quinn().open_bi().await.expect("a stream");
        send.write_all(&asks).await.expect("written");
        sessions.push((send, receive));
    }
    let mut refused = Vec::new();
    for (send, receive) in &mut sessions {
        let said = timeout(Duration::from_millis(200), receive.read_to_end(1 << 10)).await;
        if let Ok(Err(reset)) = said {
            refused.push(reset.to_string());
        }
        // One that was refused is over already.
        let _ = send.reset(0_u32.into());
    }
    // Its quota is eight as well, and that tells it when to come again; of the eight one had no place for its answers.
    let no_place = format!(" {}", WireCode::Busy.number());
    assert!(refused.len() < 12 && refused.iter().any(|reset| reset.ends_with(&no_place)), "{refused:?}");
    // Until it may open others.
    sleep(Duration::from_secs(2)).await;

    // More pings than one without an answer.
    let (mut send, mut receive) = stranger.connection.quinn().open_bi().await.expect("a stream");
    let header = [&[11, 9][..], b"keepalive", &[1]].concat();
    let ping = [0, 1, 0];
    send.write_all(&[header, ping.repeat(3)].concat()).await.expect("written");
    let reset = timeout(PATIENCE, receive.read_to_end(1 << 10)).await.expect("an answer").expect_err("a reset");
    let out_of_turn = WireCode::OutOfTurn.number();
    assert!(reset.to_string().contains(&out_of_turn.to_string()), "{reset}");
    drop(stranger.connection.open::<Keepalive>().await.expect("the connection goes on"));

    settler.alive().expect("the settler runs");
    let log = std::fs::read_to_string(folder.path().join("settler.log")).expect("a log");
    assert!(!log.contains("ERROR") && !log.contains("SW-NETWORK-001"), "{log}");
    drop(others);
    stranger.leave().await;
    settler.stop().await;
}

/// The status of a node, as JSON.
fn status(node: &Node) -> Value {
    let data = node.data().display().to_string();
    serde_json::from_str(&shardwire(&["status", "--json", "--data", &data]).expect("a status")).expect("an object")
}

#[tokio::test]
async fn of_two_nodes_with_one_key_the_one_that_began_first_yields_and_all_say_so() {
    let folder = NetworkFolder::new(None).expect("a place");
    let mut settler = settler(&folder, &dungeon(), &[]).await;
    let world = settler.data().join("world.json");
    let mut first = Node::init(Role::Operator, &programs(), folder.path(), Some(&world)).await.expect("a folder");
    let mut second = first.copied("copy").expect("a copy");
    let peers = [format!("{}@{}", settler.peer(), settler.listen())];
    first.start(&peers).await.expect("an operator");
    let [settlers, firsts, seconds] = ["settler.log", "operator.log", "copy.log"].map(|log| folder.path().join(log));
    log_says(&settlers, "shardwire_network::connected").await;
    second.start(&peers).await.expect("another one");

    let yields = log_says(&firsts, "SW-NETWORK-001").await;
    assert!(yields.contains("ERROR") && yields.contains("shardwire_network::identity_shared"), "{yields}");
    log_says(&seconds, "SW-NETWORK-002").await;
    // The settler is sure of it when the first one comes again.
    log_says(&settlers, "SW-NETWORK-003").await;
    let connected = std::fs::read_to_string(&settlers).expect("a log").matches("network::connected").count();
    assert!(connected <= 3, "{connected} connections in half a minute");
    for (node, code) in [(&first, "SW-NETWORK-001"), (&second, "SW-NETWORK-002"), (&settler, "SW-NETWORK-003")] {
        let shown = status(node);
        assert_eq!(shown["peers"][0]["trouble"]["code"], code, "{shown}");
        let data = node.data().display().to_string();
        assert!(shardwire(&["status", "--data", &data]).expect("a status").contains(code));
    }
    assert_eq!(status(&second)["peers"][0]["connected"], true);
    assert_eq!(status(&first)["peers"][0]["connected"], false);
    for node in [&mut first, &mut second, &mut settler] {
        node.stop().await;
    }
}

#[tokio::test]
async fn what_a_node_announces_it_serves_also_to_a_peer_that_does_not_wait_for_its_answer() {
    let (folder, configured) = (NetworkFolder::new(None).expect("a place"), fresh());
    let (mut settler, mut operator) = with_a_shard(&folder, configured.peer()).await;
    let world = world(&settler);
    for (node, log) in [(&settler, "settler.log"), (&operator, "operator.log")] {
        for role in [Role::Settler, Role::Operator, Role::Prover] {
            let stranger = Stranger::dial(node).await;
            // Sessions that are opened while the greeting is under way.
            let hurry = async {
                let mut pinged = shardwire_protocols::keepalive::Client::new(
                    stranger.connection.open::<Keepalive>().await.expect("a session"),
                );
                for _ in 0..2 {
                    pinged = pinged.ping(&SystemClock).await.expect("a pong").1;
                }
            };
            let (agreed, ()) = tokio::join!(biased; stranger.greet(hello(&world, role, spoken())), hurry);
            // Each that was announced, without a word in it.
            let mut open = Vec::new();
            for (name, version) in agreed.expect("greeted").opens {
                let (mut send, receive) = stranger.connection.quinn().open_bi().await.expect("a stream");
                let length = u8::try_from(name.len()).expect("a short name");
                let version = u8::try_from(version).expect("a small version");
                let header = [&[length + 2, length][..], name.as_bytes(), &[version]].concat();
                send.write_all(&header).await.expect("written");
                open.push((name, send, receive));
            }
            assert!(open.len() > 1, "{open:?}");
            for (name, _send, receive) in &mut open {
                let said = timeout(Duration::from_millis(200), receive.read_to_end(1 << 10)).await;
                assert!(said.is_err(), "{name} is taken up and waits: {said:?}");
            }
            stranger.leave().await;
        }
        let log = std::fs::read_to_string(folder.path().join(log)).expect("a log");
        assert!(!log.contains("protocol_violated"), "{log}");
    }
    operator.stop().await;
    settler.stop().await;
}
