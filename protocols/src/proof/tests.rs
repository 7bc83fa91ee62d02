use super::*;
use crate::{
    Failure, ServeError, Signed,
    testing::{DiskFull, LARGEST, distant_halves, fits, halves, identity, largest_cause, reset, rule, served_rule},
    timing::HOLD,
    trace::LeaseTerms,
};
use shardwire_model::{Felt, Hash, MAX_PROOF_BYTES, PeerId, ShardId, Timestamp};
use shardwire_transport::{Branch, Bytes, Identity, Initiator, Responder, Session, WireCode, message::encode};
use std::{collections::VecDeque, future::pending, sync::Mutex, time::Duration};
use tokio::time::Instant;

#[derive(Default)]
struct Prover {
    proofs: Mutex<VecDeque<StoredProof>>,
    replies: Mutex<Vec<(Hash, Reply)>>,
}

impl Handler for Prover {
    async fn next(&self, _: PeerId) -> Result<StoredProof, Failure> {
        let proof = self.proofs.lock().unwrap().pop_front();
        match proof {
            Some(proof) => Ok(proof),
            None => pending().await,
        }
    }

    async fn replied(&self, _: PeerId, proof: Hash, reply: Reply) -> Result<(), Failure> {
        self.replies.lock().unwrap().push((proof, reply));
        Ok(())
    }
}

fn held(length: usize) -> StoredProof {
    let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
    StoredProof {
        shard: ShardId(Felt::from(7)),
        segment: 0,
        job: Hash::of(b"job"),
        proof: Hash::of(&bytes),
        bytes: Bytes::from(bytes),
        leased: None,
    }
}

/// Under a lease of this job to this prover.
fn leased(job: Hash, prover: u8) -> Leased {
    let terms = LeaseTerms { job, epoch: 4, expires: Timestamp(5), prover: identity(prover).peer() };
    Leased::by(identity(3).peer(), &Signed::by(&identity(3), terms))
}

fn settler() -> Identity {
    identity(1)
}

fn prover(proofs: impl Into<VecDeque<StoredProof>>) -> Prover {
    Prover { proofs: Mutex::new(proofs.into()), ..Prover::default() }
}

type There = Responder<Proof>;

fn meet() -> (Client, There) {
    let (a, b) = halves::<Proof>(&settler(), &identity(2));
    (Client::new(a), b)
}

async fn served(session: Responder<Proof>, prover: &Prover) -> Result<(), ServeError> {
    serve(session, &identity(2), prover).await
}

async fn ready(client: Client) -> (Ready, Offered) {
    match client.ask().await.unwrap() {
        Next::Ready(ready, offered) => (ready, offered),
        Next::Nothing(_) => panic!("nothing"),
    }
}

#[tokio::test(start_paused = true)]
async fn proofs_are_fetched_settled_disputed_and_skipped_and_an_idle_prover_answers_nothing() {
    let chunk = PROOF_CHUNK_BYTES as usize;
    // Whole chunks, one byte more, one less, one byte in all: every edge of the cut.
    let proofs: Vec<StoredProof> = [1_300_000, 2 * chunk, 2 * chunk + 1, chunk - 1, 1].into_iter().map(held).collect();
    let prover = prover(proofs.clone());
    let (mut client, session) = meet();
    let settle = async {
        let mut replies = Vec::new();
        for (at, proof) in proofs.iter().enumerate() {
            let (ready, offered) = ready(client).await;
            assert_eq!((ready.proof, ready.bytes as usize), (proof.proof, proof.bytes.len()));
            client = match at {
                0..=1 => {
                    let (bytes, offered) = offered.fetch().await.unwrap();
                    assert!(bytes == proof.bytes);
                    let (receipt, client) = offered.settled(&settler(), Timestamp(9)).await.unwrap();
                    replies.push(Reply::Settled(receipt));
                    client
                }
                2 => {
                    let (bytes, offered) = offered.fetch().await.unwrap();
                    assert!(bytes == proof.bytes);
                    let (dispute, client) = offered.dispute(&settler(), DiskFull).await.unwrap();
                    replies.push(Reply::Disputed(dispute));
                    client
                }
                3 => {
                    // Settled before: no need to fetch it again.
                    let (receipt, client) = offered.settled(&settler(), Timestamp(9)).await.unwrap();
                    replies.push(Reply::Settled(receipt));
                    client
                }
                _ => {
                    let (_, offered) = offered.fetch().await.unwrap();
                    replies.push(Reply::Skipped {
                        shard: ready.shard,
                        reason: SkipReason::OtherJob,
                        cause: DiskFull.into(),
                    });
                    offered.skip(SkipReason::OtherJob, DiskFull).await.unwrap()
                }
            };
        }
        let asked = Instant::now();
        let Next::Nothing(client) = client.ask().await.unwrap() else { panic!("something") };
        assert_eq!(asked.elapsed(), HOLD);
        client.close().await.unwrap();
        replies
    };
    let (replies, served) = tokio::join!(settle, served(session, &prover));
    served.unwrap();
    let expected: Vec<(Hash, Reply)> = proofs.iter().map(|it| it.proof).zip(replies).collect();
    assert_eq!(*prover.replies.lock().unwrap(), expected);
    let Reply::Disputed(dispute) = &expected[2].1 else { panic!("no dispute") };
    let objection = dispute.verify(&settler().peer()).unwrap();
    assert_eq!((objection.proof, objection.cause.code.as_str()), (proofs[2].proof, "SW-TEST-001"));
}

#[tokio::test(start_paused = true)]
async fn a_piece_costs_no_round_trip() {
    let prover = prover([held(16 * PROOF_CHUNK_BYTES as usize)]);
    let latency = Duration::from_millis(50);
    let (a, session) = distant_halves::<Proof>(&settler(), &identity(2), latency);
    let fetch = async {
        let (_, offered) = ready(Client::new(a)).await;
        let began = Instant::now();
        let (_, offered) = offered.fetch().await.unwrap();
        let took = began.elapsed();
        offered.skip(SkipReason::OtherJob, DiskFull).await.unwrap().close().await.unwrap();
        took
    };
    let (took, served) = tokio::join!(fetch, served(session, &prover));
    served.unwrap();
    // Two windows of eight chunks; stepwise it would be 16 round trips of 100 ms.
    assert!(took <= Duration::from_millis(400), "{took:?}");
}

#[tokio::test]
async fn bytes_that_are_not_the_promised_ones_are_the_provers_fault() {
    let wrong = StoredProof { proof: Hash::of(b"other"), ..held(300_000) };
    let empty = StoredProof { bytes: Bytes::new(), ..held(1) };
    for (bad, text) in [
        (wrong, "SW-PROOF-007 the proof's bytes don't have the promised hash"),
        (empty, "SW-PROOF-005 a proof of 0 bytes"),
        (held(MAX_PROOF_BYTES as usize + 1), "SW-PROOF-005 a proof of 4194305 bytes, where 1 to 4194304 are allowed"),
    ] {
        let prover = prover([bad]);
        let (client, session) = meet();
        let fetch = async {
            match client.ask().await? {
                Next::Ready(_, offered) => offered.fetch().await.map(drop),
                Next::Nothing(_) => panic!("nothing"),
            }
        };
        let (fetched, served) = tokio::join!(fetch, served(session, &prover));
        assert!(rule(fetched).starts_with(text), "{text}");
        assert_eq!(reset(served), WireCode::RuleBroken);
    }
}

#[tokio::test]
async fn a_piece_that_was_not_asked_for_is_the_provers_fault() {
    let body = |length| Bytes::from(vec![0; length]);
    for (chunk, text) in [
        (ProofChunk { index: 1, body: body(100) }, "SW-PROOF-006 chunk 1 of 100 bytes, where chunk 0 of 100 was due"),
        (ProofChunk { index: 0, body: body(99) }, "SW-PROOF-006 chunk 0 of 99 bytes, where chunk 0 of 100 was due"),
    ] {
        let (client, session) = meet();
        let cheat = async {
            let Branch::First(session) = session.enter().offer().await.unwrap() else { panic!("bye") };
            let (_, session) = session.recv::<Ask, _>().await.unwrap();
            let announcement = held(100).announce(&identity(2));
            let session = session.choose(announcement).await.unwrap().enter();
            let Branch::First(session) = session.offer().await.unwrap() else { panic!("no pull") };
            let (_, session) = session.recv::<Pull, _>().await.unwrap();
            session.send(chunk).await.unwrap()
        };
        let fetch = async { ready(client).await.1.fetch().await };
        let (fetched, _held) = tokio::join!(fetch, cheat);
        assert_eq!(rule(fetched), text);
    }
}

#[tokio::test]
async fn a_reply_that_is_forged_or_on_another_proof_is_the_settlers_fault() {
    let settlement = |proof| Settlement { shard: held(1).shard, segment: 0, proof, settled_at: Timestamp(1) };
    let objection = |proof| Objection { shard: held(1).shard, segment: 0, proof, cause: DiskFull.into() };
    let (right, wrong) = (held(1).proof, Hash::of(b"other"));
    type Loop = (Fetching, (Turn, ()));
    fn held_open(session: impl std::any::Any) -> Box<dyn std::any::Any> {
        Box::new(session)
    }
    async fn offered(session: Initiator<Proof>) -> Session<Proof, Fetching, Loop> {
        let Branch::Second(session) = session.enter().choose(Ask {}).await.unwrap().offer().await.unwrap() else {
            panic!("nothing")
        };
        session.recv::<Announcement, _>().await.unwrap().1.enter()
    }
    for (at, text) in [
        "SW-PROOF-002 the signature on the 'shardwire proof receipt 1' is not by peer",
        "SW-PROOF-002 it is for another proof",
        "SW-PROOF-003 the signature on the 'shardwire proof dispute 1' is not by peer",
        "SW-PROOF-003 it is of another proof",
        "SW-PROOF-004 it skips another shard",
        "SW-PROOF-001 chunk 1 of a proof of 1 bytes",
    ]
    .into_iter()
    .enumerate()
    {
        let prover = prover([held(1)]);
        let (a, session) = halves::<Proof>(&settler(), &identity(2));
        let cheat = async {
            let session = offered(a).await;
            let other = identity(9);
            let sent = match at {
                0 => {
                    session.choose(Signed::by(&other, settlement(right))).await.map(|it| held_open(it.outer().repeat()))
                }
                1 => session
                    .choose(Signed::by(&settler(), settlement(wrong)))
                    .await
                    .map(|it| held_open(it.outer().repeat())),
                2 => {
                    session.choose(Signed::by(&other, objection(right))).await.map(|it| held_open(it.outer().repeat()))
                }
                3 => session
                    .choose(Signed::by(&settler(), objection(wrong)))
                    .await
                    .map(|it| held_open(it.outer().repeat())),
                4 => {
                    let skip = Skip { shard: ShardId(Felt::ONE), reason: SkipReason::Unknown, cause: DiskFull.into() };
                    session.choose(skip).await.map(|it| held_open(it.outer().repeat()))
                }
                _ => session.choose(Pull { index: 1 }).await.map(held_open),
            };
            sent.unwrap()
        };
        let (_held, served) = tokio::join!(cheat, served(session, &prover));
        assert!(served_rule(served).starts_with(text), "{text}");
        assert!(prover.replies.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_a_prover_announces_is_signed_with_the_lease_under_which_it_was_made() {
    let proof = StoredProof { leased: Some(leased(held(1).job, 2)), ..held(1) };
    let prover = prover([proof.clone()]);
    let (client, session) = meet();
    let settle = async {
        let (ready, offered) = ready(client).await;
        let announcement = offered.announcement().clone();
        let announced = announcement.verify(&identity(2).peer()).unwrap();
        assert_eq!((announced.ready, &announced.leased), (ready, &proof.leased));
        let lease = announced.leased.as_ref().unwrap().lease();
        assert_eq!(lease.verify(&identity(3).peer()).unwrap().prover, identity(2).peer());
        offered.skip(SkipReason::OtherJob, DiskFull).await.unwrap().close().await.unwrap();
    };
    let ((), served) = tokio::join!(settle, served(session, &prover));
    served.unwrap();
}

#[tokio::test]
async fn an_announcement_that_others_could_not_believe_is_the_provers_fault() {
    let job = held(1).job;
    let mut altered = leased(job, 2);
    altered.terms.epoch += 1;
    let under = |leased| StoredProof { leased: Some(leased), ..held(1) };
    for (held, signer, text) in [
        (held(1), 9, "SW-PROOF-008 the signature on the 'shardwire proof announcement 1' is not by peer"),
        (under(leased(job, 4)), 2, "SW-PROOF-009 the lease is of another job, or to another prover"),
        (under(leased(Hash::of(b"other"), 2)), 2, "SW-PROOF-009 the lease is of another job, or to another prover"),
        (under(altered), 2, "SW-PROOF-009 the signature on the 'shardwire trace lease 1' is not by peer"),
    ] {
        let prover = prover([held]);
        let (client, session) = meet();
        let signer = identity(signer);
        let (asked, served) = tokio::join!(client.ask(), serve(session, &signer, &prover));
        assert!(rule(asked).starts_with(text), "{text}");
        assert_eq!(reset(served), WireCode::RuleBroken);
    }
}

#[test]
fn the_largest_messages_fit() {
    let (shard, segment, proof) = (ShardId(LARGEST), u32::MAX, Hash([255; 32]));
    fits(&Ask {});
    fits(&Nothing {});
    let terms = LeaseTerms { job: proof, epoch: u64::MAX, expires: Timestamp(u64::MAX), prover: PeerId([255; 32]) };
    let leased = Leased::by(settler().peer(), &Signed::by(&settler(), terms));
    let ready = Ready { shard, segment, job: proof, proof, bytes: u32::MAX };
    fits(&Signed::by(&settler(), Announced { ready, leased: Some(leased) }));
    fits(&Pull { index: u32::MAX });
    let chunk = ProofChunk { index: u32::MAX, body: Bytes::from(vec![7; PROOF_CHUNK_BYTES as usize]) };
    fits(&chunk);
    assert!(
        encode(&ProofChunk { index: u32::MAX, body: Bytes::from(vec![7; PROOF_CHUNK_BYTES as usize + 1]) }).is_err()
    );
    fits(&Skip { shard, reason: SkipReason::Aborted, cause: largest_cause() });
    fits(&Signed::by(&settler(), Settlement { shard, segment, proof, settled_at: Timestamp(u64::MAX) }));
    fits(&Signed::by(&settler(), Objection { shard, segment, proof, cause: largest_cause() }));
    fits(&Bye {});
}
