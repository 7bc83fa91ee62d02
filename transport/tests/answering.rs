//! The other side of a pipeline: it reads ahead, keeps order and bounds, doesn't deadlock, and its peer can't tell.

mod bulk;

use bulk::*;
use rand::{Rng as _, SeedableRng, rngs::StdRng};
use shardwire_model::Coded;
use shardwire_transport::{
    session::{pair, pair_over},
    *,
};
use std::{
    cell::RefCell,
    future::{Future, Ready, pending, ready},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

type Outcome<T> = Result<T, SessionError>;

/// The producer's half, reading so far ahead. Each pull is taken by `take`.
async fn ahead<const AHEAD: usize, F, A>(session: Responder<Bulk>, mut take: impl FnMut(u32) -> F) -> Outcome<()>
where
    F: Future<Output = Outcome<A>>,
    A: Future<Output = Outcome<Chunk>>,
{
    let (_, session) = session.recv().await?;
    let mut session = session.send(Manifest { chunks: 0 }).await?.enter();
    loop {
        let onward = session.answer_ahead::<AHEAD, _, _, _>(|Pull { index }| take(index)).await?;
        session = offer!(onward => {
            Renew(_), next => next.send(Renewed { count: 0 }).await?.repeat(),
            Done(_), next => return next.close().await,
        });
    }
}

/// A consumer's requests, made ahead of their answers.
async fn pull_all<const DEPTH: usize>(session: Initiator<Bulk>, chunks: u32) -> Outcome<()> {
    let (_, session) = session.send(Request { job: 0 }).await?.recv().await?;
    let mut pipeline = session.enter().pipeline::<DEPTH>();
    pull_chunks(&mut pipeline, chunks).await?;
    // Another branch of the choice, then requests again.
    let (_, session) = pipeline.pause()?.choose(Renew).await?.recv().await?;
    let mut pipeline = session.repeat().pipeline::<DEPTH>();
    pipeline.request(Pull { index: 7 }).await?;
    assert_eq!(pipeline.response().await?, chunk(7));
    pipeline.pause()?.choose(Done).await?.close().await
}

fn at_once(index: u32) -> Ready<Outcome<Ready<Outcome<Chunk>>>> {
    ready(Ok(ready(Ok(chunk(index)))))
}

/// A producer's session whose peer the test plays, over a channel of so many bytes. The consumer's first message is sent.
async fn played(capacity: usize) -> (Responder<Bulk>, Channel) {
    let (channel, mut peer) = Channel::pair_between(channel::MEMORY_PEERS, capacity);
    assert!(peer.write_raw(vec![1, 1]).await);
    let (unused, _) = Channel::pair();
    (pair_over::<Bulk>((unused, channel)).1, peer)
}

#[tokio::test(start_paused = true)]
async fn a_request_is_taken_before_earlier_ones_are_answered_and_answers_keep_their_order() {
    let (initiator, responder) = pair::<Bulk>();
    let answers = RefCell::new(Vec::new());
    let produce = ahead::<8, _, _>(responder, |index| {
        let (answer, known) = oneshot::channel::<()>();
        answers.borrow_mut().push(answer);
        ready(Ok(async move {
            known.await.unwrap();
            Ok(chunk(index))
        }))
    });
    let consume = async {
        let (_, session) = initiator.send(Request { job: 0 }).await?.recv().await?;
        let mut pipeline = session.enter().pipeline::<8>();
        for index in 0..8 {
            pipeline.request(Pull { index }).await?;
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!(answers.borrow().len(), 8, "all are taken, none is answered");
        // The last one is known first.
        let mut known = std::mem::take(&mut *answers.borrow_mut());
        while let Some(answer) = known.pop() {
            answer.send(()).unwrap();
        }
        for index in 0..8 {
            assert_eq!(pipeline.response().await?, chunk(index));
        }
        pipeline.finish()?.choose(Done).await?.close().await
    };
    assert_eq!(tokio::join!(consume, produce), (Ok(()), Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_goes_step_by_step_is_answered_step_by_step() {
    let (initiator, responder) = pair::<Bulk>();
    assert_eq!(tokio::join!(pull_all::<1>(initiator, 20), ahead::<70, _, _>(responder, at_once)), (Ok(()), Ok(())));
}

#[tokio::test(start_paused = true)]
async fn narrow_channels_in_both_directions_do_not_deadlock() {
    for capacity in [20, 1000, 70_000, 200_000] {
        let (initiator, responder) = pair_over::<Bulk>(Channel::pair_between(channel::MEMORY_PEERS, capacity));
        let both = tokio::join!(pull_all::<16>(initiator, 40), ahead::<16, _, _>(responder, at_once));
        assert_eq!(both, (Ok(()), Ok(())), "capacity {capacity}");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_takes_how_long_the_consumer_sees_the_same() {
    for seed in 0..40 {
        let rng = RefCell::new(StdRng::seed_from_u64(seed));
        let some_time = || Duration::from_millis(rng.borrow_mut().random_range(0..200));
        let (initiator, responder) = pair_over::<Bulk>(Channel::pair_between(channel::MEMORY_PEERS, 3_000));
        let produce = ahead::<16, _, _>(responder, |index| {
            let (taking, answering) = (some_time(), some_time());
            async move {
                sleep(taking).await;
                let known = Instant::now() + answering;
                Ok(async move {
                    tokio::time::sleep_until(known).await;
                    Ok(chunk(index))
                })
            }
        });
        assert_eq!(tokio::join!(pull_all::<16>(initiator, 60), produce), (Ok(()), Ok(())), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn more_requests_than_the_credit_are_out_of_turn() {
    let (session, mut peer) = played(1_000).await;
    let produce = ahead::<2, _, _>(session, |_| ready(Ok(pending::<Outcome<Chunk>>())));
    let flood = async {
        assert!(peer.write_raw(vec![0, 1, 1, 0, 1, 2, 0]).await);
        drain(&mut peer).await
    };
    let (produced, code) = tokio::join!(produce, flood);
    let error = produced.unwrap_err();
    assert_eq!(
        format!("{} {error}", error.code()),
        "SW-SESSION-012 bulk with peer b2b2b2b2b2, awaiting Pull | Renew | Done: 1 bytes came that nobody asked for"
    );
    assert_eq!(code, WireCode::OutOfTurn);
}

#[tokio::test(start_paused = true)]
async fn the_peers_deadline_runs_only_while_it_is_the_peers_turn() {
    let (session, mut peer) = played(100_000).await;
    let began = Instant::now();
    let produce = ahead::<2, _, _>(session, |index| {
        ready(Ok(async move {
            sleep(Duration::from_secs(1_000)).await;
            Ok(chunk(index))
        }))
    });
    let ask = async {
        assert!(peer.write_raw(vec![0, 1, 1]).await);
        drain(&mut peer).await
    };
    let (produced, _) = tokio::join!(produce, ask);
    assert_eq!(
        produced.unwrap_err().to_string(),
        "bulk with peer b2b2b2b2b2, awaiting Pull | Renew | Done: nothing came within 600s"
    );
    assert_eq!(began.elapsed(), Duration::from_secs(1_600));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_its_answers_stalls() {
    let (session, mut peer) = played(100).await;
    let asked = async {
        assert!(peer.write_raw(vec![0, 1, 1]).await);
        peer
    };
    let (served, _peer) = tokio::join!(ahead::<2, _, _>(session, at_once), asked);
    assert_eq!(
        served.unwrap_err().to_string(),
        "bulk with peer b2b2b2b2b2, sending Chunk: our message was not taken within 60s"
    );
}

#[tokio::test(start_paused = true)]
async fn what_fails_here_ends_the_session_and_is_returned() {
    for late in [false, true] {
        let (initiator, responder) = pair::<Bulk>();
        let failure = || {
            let protocol = "bulk".into();
            SessionError::Local(Box::new(Local::PipelineFull { protocol, depth: 3 }))
        };
        let produce = ahead::<8, _, _>(responder, |_| {
            let (taken, answer) = if late { (Ok(()), Err(failure())) } else { (Err(failure()), Err(failure())) };
            ready(taken.map(|()| ready(answer)))
        });
        let consume = pull_all::<4>(initiator, 4);
        let (consumed, produced) = tokio::join!(consume, produce);
        assert_eq!(produced, Err(failure()));
        assert!(matches!(consumed, Err(SessionError::Lost(_))), "{consumed:?}");
    }
}

async fn drain(peer: &mut Channel) -> WireCode {
    loop {
        match peer.read_raw().await {
            Ok(_) => {}
            Err(code) => return code,
        }
    }
}
