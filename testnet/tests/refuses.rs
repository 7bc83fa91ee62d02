//! What real nodes refuse of peers that are wrong or lie; nothing here proves anything.

mod stranger;

use shardwire::{client::NodeClient, data::DataPaths, host::Platform};
use shardwire_model::{Felt, Hash, Kind, PeerId, Role, ShardId, ShardStart, Stage, state_commitment};
use shardwire_protocols::{
    Failure,
    handshake::{Spoken, spoken},
    proof::{self, Proof, Reply, StoredProof},
    trace::job_id,
};
use shardwire_workload::Workload;
use shardwire_world::WorldIdentity;
use stranger::{PATIENCE, Stranger, dungeon, hello, log_says, programs, settler, shardwire, world};
use testnet::network::{NetworkFolder, Node};
use tokio::{
    sync::{Mutex, mpsc},
    time::sleep,
};

#[tokio::test]
async fn a_node_of_another_network_is_told_which_side_is_wrong_and_what_to_do() {
    let folder = NetworkFolder::new(None).expect("a place");
    let mut settler = settler(&folder, &dungeon(), &[]).await;
    let mut other = Node::init(Role::Operator, &programs(), folder.path(), None).await.expect("a folder");
    let config = format!(
        "network = \"elsewhere\"\nroles = [\"operator\"]\nlisten = \"127.0.0.1:0\"\npeers = [\"{}@{}\"]\n",
        settler.peer(),
        settler.listen()
    );
    std::fs::write(other.data().join("shardwire.toml"), config).expect("written");
    let (world, program) = (world(&settler), world(&settler).programs().iter().copied().next());
    let elsewhere = WorldIdentity::new("elsewhere", world.genesis(), [settler.peer()], program).expect("a World");
    std::fs::write(other.data().join("world.json"), elsewhere.to_json()).expect("written");
    // Starts as it is configured here.
    other.restart().await.expect("an operator");

    let mismatch = "the dialling peer belongs to network 'elsewhere', the accepting peer to 'testnet'";
    let told = log_says(&folder.path().join("operator.log"), "shardwire_network::dial_failed").await;
    let next = "Correct `network` in the configuration of the peer that is wrong.";
    assert!(told.contains(&format!("{mismatch} (SW-HANDSHAKE-001) (SW-HANDSHAKE-001). {next}")), "{told}");
    let noted = log_says(&folder.path().join("settler.log"), "shardwire_network::handshake_refused").await;
    assert!(noted.contains(mismatch) && noted.contains("SW-HANDSHAKE-001"), "{noted}");

    // Both go on.
    settler.alive().expect("the settler runs");
    other.alive().expect("the operator runs");
    other.stop().await;
    settler.stop().await;
}

#[tokio::test]
async fn a_peer_without_a_common_version_is_told_who_must_upgrade() {
    let folder = NetworkFolder::new(None).expect("a place");
    let mut settler = settler(&folder, &dungeon(), &[]).await;
    let mut newer = spoken();
    newer.iter_mut().filter(|it| it.name == "handoff").for_each(|it| (it.min, it.max) = (7, 9));

    let stranger = Stranger::dial(&settler).await;
    let refused = stranger.greet(hello(&world(&settler), Role::Operator, newer)).await.expect_err("no common version");
    assert_eq!(
        refused.to_string(),
        "the peer refuses the connection: protocol handoff: the dialling peer speaks version 7 to 9, the accepting peer \
         1 to 1; the accepting peer must upgrade (SW-HANDSHAKE-002)"
    );
    stranger.leave().await;

    // Protocols, roles and versions beyond those it knows are none of its business.
    let mut more = spoken();
    more.push(Spoken { name: "dance".into(), min: 1, max: 3 });
    more.iter_mut().filter(|it| it.name == "handoff").for_each(|it| it.max = 9);
    let stranger = Stranger::dial(&settler).await;
    let agreed = stranger.greet(hello(&world(&settler), Role::Operator, more)).await.expect("greeted");
    assert_eq!((agreed.opens.get("handoff"), agreed.opens.get("dance")), (Some(&1), None));
    stranger.leave().await;
    settler.alive().expect("the settler runs");
    settler.stop().await;
}

/// A prover with bytes that prove nothing.
struct Liar {
    shard: ShardId,
    job: Hash,
    bytes: Vec<u8>,
    replies: mpsc::Sender<Reply>,
    offered: Mutex<bool>,
}

impl proof::Handler for Liar {
    async fn next(&self, _: PeerId) -> Result<StoredProof, Failure> {
        let mut offered = self.offered.lock().await;
        if std::mem::replace(&mut *offered, true) {
            std::future::pending::<()>().await;
        }
        let proof = Hash::of(&self.bytes);
        let (shard, job, bytes) = (self.shard, self.job, self.bytes.clone().into());
        Ok(StoredProof { shard, segment: 0, job, proof, bytes, leased: None })
    }

    async fn replied(&self, _: PeerId, _: Hash, reply: Reply) -> Result<(), Failure> {
        self.replies.send(reply).await.expect("the test listens");
        Ok(())
    }
}

/// The job that settles a shard which was started from this workload.
fn job(workload: &Workload, start: &ShardStart, program: Felt) -> Hash {
    let value =
        |slot| workload.world.storage.iter().find(|it| it.slot() == slot).map(|it| it.value).expect("an address");
    let values: Vec<Felt> = workload
        .start
        .entries
        .iter()
        .map(|entry| if entry.kind == Kind::Escrow { entry.amount.into() } else { value(entry.slot()) })
        .collect();
    let commitment = start.commitment();
    job_id(program, commitment, state_commitment(commitment, &values), 0)
}

#[tokio::test]
async fn a_proof_that_does_not_verify_is_disputed_and_nothing_is_applied() {
    let folder = NetworkFolder::new(None).expect("a place");
    let workload = dungeon();
    let mut settler = settler(&folder, &workload, &[]).await;
    let executes = Stranger::dial(&settler).await;
    executes.greet(hello(&world(&settler), Role::Operator, spoken())).await.expect("greeted");
    let operator = executes.identity.peer();
    let mut control = NodeClient::connect(settler.data(), &Platform::system()).await.expect("control");
    let start = control
        .start_shard(workload.start_request(operator, shardwire_program::rules::hash()), None)
        .await
        .expect("a shard");
    let before = control.world().await.expect("storage");
    let program = control.shard_status(Some(start.shard)).await.expect("a status")[0].program_hash.expect("a program");

    let stranger = Stranger::dial(&settler).await;
    stranger.greet(hello(&world(&settler), Role::Prover, spoken())).await.expect("greeted");
    let (replies, mut heard) = mpsc::channel(1);
    let job = job(&workload, &start, program);
    let liar = Liar { shard: start.shard, job, bytes: vec![7; 300_000], replies, offered: Mutex::new(false) };
    let serve = async {
        loop {
            let mut incoming = stranger.connection.accept().await.expect("the connection stays");
            incoming.header().await.expect("a header");
            if incoming.is::<Proof>() {
                let session = incoming.serve::<Proof>().await.expect("a session");
                // Banned for it, it is shut out.
                let _ = proof::serve(session, &stranger.identity, &liar).await;
            }
        }
    };
    let reply = tokio::select! {
        reply = heard.recv() => reply.expect("a reply"),
        () = serve => unreachable!("it serves for ever"),
        () = sleep(PATIENCE) => panic!("no reply within {PATIENCE:?}"),
    };
    let Reply::Disputed(dispute) = reply else { panic!("no dispute but {reply:?}") };
    // Anybody can check who says so.
    let objection = dispute.verify(&settler.peer()).expect("signed by the settler");
    assert_eq!((objection.shard, objection.proof), (start.shard, Hash::of(&liar.bytes)));
    assert!(objection.cause.to_string().starts_with("the bytes are no proof: "), "{}", objection.cause);

    let status = control.shard_status(Some(start.shard)).await.expect("a status");
    let [status] = &status[..] else { panic!("one status, not {status:?}") };
    assert!(status.stage < Stage::Settled && status.updates.is_empty(), "{status:?}");
    assert_eq!(status.error.as_ref(), Some(&objection.cause));
    assert_eq!(control.world().await.expect("storage"), before);
    // No file is kept of what proves nothing: strangers could fill the disk.
    assert!(!DataPaths::existing(settler.data()).expect("a folder").root().join("proofs").exists());
    control.close().await;

    // What shows to anybody who did it is kept, also after a crash.
    let prover = stranger.identity.peer().to_string();
    stranger.leave().await;
    settler.kill().await;
    settler.restart().await.expect("a settler");
    let data = settler.data().display().to_string();
    let shown = shardwire(&["peer", "show", "--data", &data, &prover]).expect("the peer");
    assert!(shown.contains("evidence   1"), "{shown}");
    let folder = folder.path().join("shown").display().to_string();
    let exported = shardwire(&["peer", "evidence", "--data", &data, &prover, "--to", &folder]).expect("evidence");
    settler.stop().await;
    let (file, shows) = exported.split_once("  ").expect("a file and what it shows");
    assert!(shows.starts_with("what was announced as a proof is none: the bytes are no proof"), "{shows}");
    let checked = shardwire(&["evidence", "check", file]).expect("evidence");
    assert_eq!(checked, format!("against {prover}: {shows}"));

    // A byte of it changed, and it shows nothing.
    let mut forged = std::fs::read(file).expect("the file");
    let middle = forged.len() / 2;
    forged[middle] ^= 1;
    std::fs::write(file, forged).expect("written");
    let refused = shardwire(&["evidence", "check", file]).expect_err("no evidence");
    assert!(
        refused.starts_with("error[SW-EVIDENCE-004]: the bytes don't have the hash that was announced"),
        "{refused}"
    );
}
