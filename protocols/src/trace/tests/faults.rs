//! What one side does to a peer that breaks a rule.

use super::operator::{Here, Operator, Run, There, chunk, ending, leased, meet, offer, offered, operator, prover};
use crate::{
    Signed,
    testing::{DiskFull, identity, reset, rule, served_rule, small_start},
    timing::ASK_INTERVAL,
    trace::{
        Chunk, Claim, Client, DEPTH, Decline, DeclineReason, Ending, Handler, JobOffer, Lease, LeaseTerms, MAX_CHUNKS,
        Pull, PullResponse, Pulled, Ready, serve,
    },
};
use shardwire_model::{Felt, Hash, MAX_SEGMENTS, Timestamp};
use shardwire_transport::{Branch, SessionError, WireCode};
use tokio::time::Instant;

#[tokio::test]
async fn an_offer_that_contradicts_itself_is_the_operators_fault() {
    let other_name = JobOffer { job: Hash::of(b"other"), ..offer() };
    let other_program = JobOffer { program: Felt::ONE, ..offer() };
    let other_shard = JobOffer { shard: shardwire_model::ShardId(Felt::ONE), ..offer() };
    let short = JobOffer { values: vec![], ..offer() };
    let elsewhere = JobOffer { before: Felt::ONE, ..offer() };
    // A later one may begin with whatever its operator says, under the name that belongs to it.
    let renumbered = JobOffer { segment: 1, before: Felt::ONE, ..offer() };
    let too_late = JobOffer { segment: MAX_SEGMENTS, ..offer() };
    let mut start = small_start(operator().peer());
    start.contracts.clear();
    for (bad, text) in [
        (other_name, "SW-TRACE-013 the job's name is not that of its content"),
        (other_program, "SW-TRACE-013 the job's name is not that of its content"),
        (other_shard, "SW-TRACE-011 the offer names another shard than its start data"),
        (short, "SW-TRACE-012 0 values for 3 entries"),
        (elsewhere, "SW-TRACE-015 the first segment begins with another state than start data and values say"),
        (renumbered, "SW-TRACE-013 the job's name is not that of its content"),
        (too_late, "SW-TRACE-014 segment 64, and a run has at most 64"),
        (JobOffer { start, ..offer() }, "SW-TRACE-010 the start data contradicts itself: contract: 0 given"),
    ] {
        let operator = Operator { offer: bad, ..Operator::with(1) };
        let (a, b) = meet();
        let ready = Client::new(a, prover().peer()).ready(&[]);
        let (asked, served) = tokio::join!(ready, serve(b, &operator));
        assert!(rule(asked).starts_with(text), "{text}");
        assert_eq!(reset(served), WireCode::RuleBroken);
    }
}

/// An operator that follows the protocol up to the lease.
async fn lease_by_hand(session: There, lease: Lease) -> impl std::any::Any {
    let Branch::First(session) = session.enter().offer().await.unwrap() else { panic!("bye") };
    let (_, session) = session.recv::<Ready, _>().await.unwrap();
    let Branch::First(session) = session.choose(offer()).await.unwrap().offer().await.unwrap() else { panic!() };
    let (_, session) = session.recv::<Claim, _>().await.unwrap();
    session.choose(lease).await.unwrap()
}

#[tokio::test]
async fn a_lease_that_is_forged_or_for_another_is_the_operators_fault() {
    let terms = LeaseTerms { job: offer().job, epoch: 1, expires: Timestamp(1), prover: prover().peer() };
    let other_job = LeaseTerms { job: Hash::of(b"other"), ..terms.clone() };
    let other_prover = LeaseTerms { prover: identity(9).peer(), ..terms.clone() };
    for (lease, text) in [
        (Signed::by(&identity(9), terms), "SW-TRACE-002 the signature on the 'shardwire trace lease 1' is not by peer"),
        (Signed::by(&operator(), other_job), "SW-TRACE-002 it leases another job, or to another prover"),
        (Signed::by(&operator(), other_prover), "SW-TRACE-002 it leases another job, or to another prover"),
    ] {
        let (a, b) = meet();
        let claim = async { offered(a, &[]).await.claim().await };
        let (claimed, _held) = tokio::join!(claim, lease_by_hand(b, lease));
        assert!(rule(claimed).starts_with(text), "{text}");
    }
}

/// An operator that answers the first pulls with these responses, then waits.
async fn answer_with(session: There, responses: Vec<PullResponse>) {
    let Branch::First(session) = session.enter().offer().await.unwrap() else { panic!("bye") };
    let (_, session) = session.recv::<Ready, _>().await.unwrap();
    let Branch::First(session) = session.choose(offer()).await.unwrap().offer().await.unwrap() else { panic!() };
    let (Claim { job }, session) = session.recv().await.unwrap();
    let terms = LeaseTerms { job, epoch: 1, expires: Timestamp(1), prover: prover().peer() };
    let mut session = session.choose(Signed::by(&operator(), terms)).await.unwrap().enter();
    for response in responses {
        let Ok(Branch::First(pull)) = session.offer().await else { return };
        let Ok((_, answer)) = pull.recv::<Pull, _>().await else { return };
        let Ok(next) = answer.send(response).await else { return };
        session = next.repeat();
    }
    std::future::pending().await
}

async fn fetched_from(responses: Vec<PullResponse>) -> SessionError {
    let (a, b) = meet();
    let fetch = async {
        let mut fetch = leased(a).await;
        let error = loop {
            match fetch.next().await {
                Ok(Pulled::Chunk(_)) => {}
                Ok(other) => panic!("{other:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!(fetch.next().await.unwrap_err(), error, "it stays so");
        assert_eq!(fetch.stop().await.unwrap_err(), error);
        error
    };
    tokio::select! { biased;
        error = fetch => error,
        () = answer_with(b, responses) => panic!("the operator ended first"),
    }
}

fn response(index: u32) -> PullResponse {
    PullResponse::Chunk(chunk(index))
}

#[tokio::test]
async fn an_answer_to_another_pull_than_the_oldest_is_the_operators_fault() {
    let error = fetched_from(vec![response(0), response(2)]).await;
    assert_eq!(rule::<()>(Err(error)), "SW-TRACE-003 chunk 2 where chunk 1 was due");
    let error = fetched_from(vec![response(0), PullResponse::Pending { index: 0 }]).await;
    assert_eq!(rule::<()>(Err(error)), "SW-TRACE-003 chunk 0 is pending where chunk 1 was due");
}

#[tokio::test]
async fn an_end_that_contradicts_the_chunks_is_the_operators_fault() {
    let other = |index: u32| PullResponse::Chunk(Chunk { hash: Hash::of(b"other"), ..chunk(index) });
    let end = |chunks| PullResponse::End(ending(chunks).into());
    let more_steps = PullResponse::End(Ending { steps: 7, ..ending(2) }.into());
    for (responses, text) in [
        (vec![response(0), other(1), end(2)], "SW-TRACE-004 chunk 1 is not the one of the manifest"),
        (vec![response(0), response(1), response(2), end(2)], "SW-TRACE-004 chunk 2 is not the one of the manifest"),
        (vec![response(0), end(2)], "SW-TRACE-004 the end where chunk 1 of the manifest was due"),
        (vec![response(0), response(1), end(2), more_steps], "SW-TRACE-004 two ends that differ"),
        (vec![response(0), response(1), end(2), response(3)], "SW-TRACE-004 chunk 3 is not the one of the manifest"),
    ] {
        let error = fetched_from(responses).await;
        assert_eq!(rule::<()>(Err(error)), text);
    }
}

#[tokio::test]
async fn a_chunk_that_is_not_what_its_hash_says_is_the_operators_fault() {
    let operator = Operator::with(5);
    let (a, b) = meet();
    let fetch = async {
        let mut fetch = leased(a).await;
        let Pulled::Chunk(chunk) = fetch.next().await.unwrap() else { panic!("no chunk") };
        fetch.reject(chunk.index, "the hash of its content is another")
    };
    let (error, served) = tokio::join!(fetch, serve(b, &operator));
    assert_eq!(rule::<()>(Err(error)), "SW-TRACE-005 chunk 0: the hash of its content is another");
    assert_eq!(reset(served), WireCode::RuleBroken);
}

#[tokio::test]
async fn a_witness_without_end_is_the_operators_fault() {
    let (a, b) = meet();
    let last = u32::try_from(MAX_CHUNKS).unwrap();
    let fetch = async {
        let mut fetch = leased(a).await;
        fetch.resume((0..last).map(|index| (index, chunk(index).hash)));
        fetch.next().await
    };
    tokio::select! { biased;
        result = fetch => assert_eq!(rule(result), "SW-TRACE-006 more than 8192 chunks"),
        () = answer_with(b, vec![response(last)]) => panic!("the operator ended first"),
    }
}

async fn considered<H: Handler>(session: Here, operator: (There, &H), claim: bool) -> Result<(), crate::ServeError> {
    let cheat = async {
        let answered = session.enter().choose(Ready { resume: vec![] }).await.unwrap();
        let Branch::Second(session) = answered.offer().await.unwrap() else { panic!("nothing") };
        let (_, session) = session.recv::<JobOffer, _>().await.unwrap();
        let job = Hash::of(b"other");
        let held: Box<dyn std::any::Any> = if claim {
            Box::new(session.choose(Claim { job }).await.unwrap())
        } else {
            Box::new(
                session.choose(Decline { job, reason: DeclineReason::Later, cause: DiskFull.into() }).await.unwrap(),
            )
        };
        held
    };
    tokio::join!(cheat, serve(operator.0, operator.1)).1
}

#[tokio::test]
async fn claiming_or_declining_another_job_is_the_provers_fault() {
    for (claim, text) in [
        (true, "SW-TRACE-001 it claims another job than the one offered"),
        (false, "SW-TRACE-001 it declines another job than the one offered"),
    ] {
        let (operator, _run) = Operator::new(Run { produced: 1, ended: true });
        let (a, b) = meet();
        assert_eq!(served_rule(considered(a, (b, &operator), claim).await), text);
        assert_eq!(operator.heard.lock().unwrap().epoch, 0, "nothing was leased");
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_does_not_hold_pulls_is_asked_once_a_second_and_pull() {
    let (a, b) = meet();
    let fetch = async {
        let mut fetch = leased(a).await;
        let began = Instant::now();
        // Chunk by chunk pending, ten rounds of it, answered at once; then the first chunk.
        assert!(matches!(fetch.next().await.unwrap(), Pulled::Chunk(_)));
        began.elapsed()
    };
    let depth = u32::try_from(DEPTH).unwrap();
    let mut responses: Vec<PullResponse> =
        (0..10 * depth).map(|at| PullResponse::Pending { index: at % depth }).collect();
    responses.push(response(0));
    tokio::select! { biased;
        took = fetch => assert!(took >= 9 * ASK_INTERVAL, "{took:?}"),
        () = answer_with(b, responses) => panic!("the operator ended first"),
    }
}
