//! What attackers do to an operator and a prover, in the protocols' own words: they take jobs and hold them, say that they have proofs, sign receipts that
//! aren't theirs to sign, and come as somebody new.

use super::{Kind, Meeting, Outcome, counted};
use crate::attack::{
    honest::JOBS,
    meeting::{host, identity},
};
use shardwire_model::{Cause, Felt, Hash, PeerId, Role, ShardId, Timestamp};
use shardwire_protocols::{
    Signed,
    proof::{Receipt, Settlement},
    trace::{Claimed, Client, Fetch, Next, Progressed, ProverStage, Pulled, ResumableJob, Trace, Working},
};
use shardwire_transport::{Connection, Identity, message::encode};
use std::time::Duration;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

/// Jobs that a newcomer may have at a time.
pub(super) const JOBS_EACH: usize = 2;
/// How often those give signs of life that only hold a job.
const ALIVE: Duration = Duration::from_secs(5);
/// How soon an attacker opens a session again that was refused.
const REFUSED: Duration = Duration::from_millis(20);
/// Sessions in which receipts are sent on a connection.
const RECEIPTS: u8 = 4;
/// How long one that sends receipts waits for an answer.
const ANSWER: Duration = Duration::from_millis(500);
/// The header of a session of proof, version 1.
const PROOF: &[u8] = b"\x07\x05proof\x01";
/// A settler's question, and the tags of a receipt.
const ASK: &[u8] = &[0, 0];
const RECEIPT: &[u8] = &[1, 0];

/// The jobs that an attacker has seen: it says that it has begun them all.
#[derive(Debug, Default)]
struct Seen(Vec<ResumableJob>);

impl Seen {
    fn note(&mut self, job: Hash) {
        if !self.0.iter().any(|it| it.job == job) && self.0.len() < JOBS {
            self.0.push(ResumableJob { job, have: 0 });
        }
    }
}

/// Asks until it has a job.
async fn take(connection: &Connection, me: PeerId, seen: &mut Seen) -> Outcome<(Hash, Fetch)> {
    let mut client = Client::new(connection.open::<Trace>().await?, me);
    loop {
        client = match client.ready(&seen.0).await? {
            Next::Nothing(client) => client,
            Next::Offered(offer, offered) => match offered.claim().await? {
                Claimed::Leased(_, fetch) => {
                    seen.note(offer.job);
                    return Ok((offer.job, *fetch));
                }
                Claimed::Refused(_, client) => client,
            },
        };
    }
}

/// A proof that nobody has.
fn no_proof(job: Hash) -> Hash {
    Hash::of(&[&job.0[..], &rand::random::<[u8; 8]>()[..]].concat())
}

/// Takes jobs and does with each what its kind does, in as many sessions as it may have jobs, until the connection ends. A session that is refused is opened again.
pub(super) async fn take_jobs(connection: &Connection, me: PeerId, kind: Kind) {
    let mut sessions = JoinSet::new();
    for _ in 0..JOBS_EACH {
        let connection = connection.clone();
        sessions.spawn(async move {
            let mut seen = Seen::default();
            while !connection.is_closed() {
                if one_job(&connection, me, kind, &mut seen).await.is_err() {
                    sleep(REFUSED).await;
                }
            }
        });
    }
    while sessions.join_next().await.is_some() {}
}

async fn one_job(connection: &Connection, me: PeerId, kind: Kind, seen: &mut Seen) -> Outcome<()> {
    let (job, mut fetch) = take(connection, me, seen).await?;
    match kind {
        Kind::HoldLease => hold(fetch.stop().await?, Duration::ZERO).await,
        Kind::FalseFinish => {
            fetch.stop().await?.finish(no_proof(job)).await?;
            counted(kind).acted();
            Ok(())
        }
        // The others fetch it and give it back.
        _ => {
            while let Pulled::Chunk(_) = fetch.next().await? {
                counted(kind).acted();
            }
            Ok(fetch.stop().await?.abandon(Cause::new("SW-BENCH-002", "enough of this one")).await?)
        }
    }
}

/// Gives signs of life until the lease is lost.
async fn hold(mut working: Working, pause: Duration) -> Outcome<()> {
    loop {
        let (progressed, next) = working.report(ProverStage::Proving, 0, 0).await?;
        working = next;
        counted(Kind::HoldLease).acted();
        if let Progressed::Lost { .. } = progressed {
            return Ok(working.abandon(Cause::new("SW-BENCH-003", "it is lost")).await?);
        }
        sleep(pause).await;
    }
}

/// Says that it is a settler, asks for proofs, and sends receipts that it signed itself.
pub(super) async fn sign_receipts(connection: &Connection, identity: &Identity) -> Outcome<()> {
    for number in 0..RECEIPTS {
        let (mut send, mut recv) = connection.quinn().open_bi().await?;
        let settlement = Settlement {
            shard: ShardId(Felt::from(number)),
            segment: 0,
            proof: Hash::of(&[number]),
            settled_at: Timestamp::default(),
        };
        let receipt: Receipt = Signed::by(identity, settlement);
        let body = encode(&receipt).map_err(|error| error.to_string())?;
        let length = [u8::try_from(body.len() & 0x7f)? | 0x80, u8::try_from(body.len() >> 7)?];
        // Every other one asks first and waits, as a settler does that is owed a proof.
        let asks = if number % 2 == 0 { ASK } else { &[] };
        send.write_all(&[PROOF, asks, RECEIPT, &length, &body].concat()).await?;
        counted(Kind::FalseReceipt).acted();
        let _ = timeout(ANSWER, recv.read_to_end(64)).await; // it is reset, or held
    }
    Ok(())
}

/// Takes a job and goes away with it.
pub(super) async fn claim_one(connection: &Connection, me: PeerId) -> Outcome<()> {
    let (_, fetch) = take(connection, me, &mut Seen::default()).await?;
    counted(Kind::ClaimAndGo).acted();
    drop(fetch);
    Ok(())
}

/// Takes jobs, says of each that it has a proof, takes it again and holds it.
pub(super) async fn spend(victim: &Meeting, number: u8) -> Outcome<()> {
    let endpoint = Meeting::endpoint(host(number, 0), identity(number))?;
    let (connection, me) = (victim.greeted(&endpoint, Role::Prover).await?, identity(number).peer());
    let mut held = Vec::new();
    for _ in 0..JOBS_EACH {
        let (job, fetch) = take(&connection, me, &mut Seen::default()).await?;
        fetch.stop().await?.finish(no_proof(job)).await?;
        let mut again = Seen(vec![ResumableJob { job, have: 0 }]);
        let (_, fetch) = take(&connection, me, &mut again).await?;
        held.push(fetch.stop().await?);
    }
    let mut ended = JoinSet::new();
    for working in held {
        ended.spawn(hold(working, ALIVE));
    }
    while let Some(end) = ended.join_next().await {
        end??;
    }
    Ok(())
}
