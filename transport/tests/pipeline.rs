//! Pipelining: it saves round trips, keeps order and bounds, doesn't deadlock, and loses nothing when a wait is
//! dropped.

mod bulk;

use bulk::*;
use shardwire_model::Coded;
use shardwire_transport::{
    Initiator,
    session::{pair, pair_over},
    *,
};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

type Consumer = Initiator<Bulk>;

#[tokio::test(start_paused = true)]
async fn requests_need_no_round_trip() {
    let (initiator, responder) = pair::<Bulk>();
    let (session, responder) =
        tokio::join!(async { initiator.send(Request { job: 0 }).await.unwrap().recv().await.unwrap().1 }, async {
            let (_, session) = responder.recv().await.unwrap();
            session.send(Manifest { chunks: 0 }).await.unwrap()
        });
    // The responder's half doesn't run while these requests are made: none of them can wait for it.
    let mut pipeline = session.enter().pipeline::<8>();
    for index in 0..8 {
        pipeline.request(Pull { index }).await.unwrap();
    }
    assert!(!pipeline.has_room());
    let full = pipeline.request(Pull { index: 8 }).await.unwrap_err();
    assert_eq!(
        format!("{} {full}", full.code()),
        "SW-SESSION-031 bulk: 8 requests are outstanding, as many as the pipeline may have"
    );

    let served = async {
        let mut session = responder.enter();
        for _ in 0..8 {
            let Branch::First(pull) = session.offer().await.unwrap() else { panic!("only pulls were sent") };
            let (pull, next) = pull.recv().await.unwrap();
            session = next.send(chunk(pull.index)).await.unwrap().repeat();
        }
        session
    };
    let collected = async {
        for index in 0..8 {
            assert_eq!(pipeline.response().await.unwrap(), chunk(index)); // in order
        }
    };
    let (session, ()) = tokio::join!(served, collected);
    let none = pipeline.response().await.unwrap_err();
    assert_eq!(format!("{} {none}", none.code()), "SW-SESSION-032 bulk: 0 requests are outstanding");
    let (ended, served) = tokio::join!(async { pipeline.finish()?.second().send(Done).await?.close().await }, async {
        let Branch::Second(more) = session.offer().await? else { panic!("the second branch was chosen") };
        let Branch::Second(done) = more.offer().await? else { panic!("and its second") };
        done.recv().await?.1.close().await
    });
    assert_eq!((ended, served), (Ok(()), Ok(())));
}

async fn pull_all<const DEPTH: usize>(session: Consumer, chunks: u32) -> Result<(), SessionError> {
    let (_, session) = session.send(Request { job: 0 }).await?.recv().await?;
    let mut pipeline = session.enter().pipeline::<DEPTH>();
    pull_chunks(&mut pipeline, chunks).await?;
    // Another branch of the choice, then requests again.
    let (_, session) = pipeline.pause()?.choose(Renew).await?.recv().await?;
    session.repeat().choose(Done).await?.close().await
}

#[tokio::test(start_paused = true)]
async fn narrow_channels_in_both_directions_do_not_deadlock() {
    for capacity in [20, 1000, 70_000, 200_000] {
        let (initiator, responder) = pair_over::<Bulk>(Channel::pair_between(channel::MEMORY_PEERS, capacity));
        let (consumed, produced) = tokio::join!(pull_all::<16>(initiator, 40), answer(responder));
        assert_eq!((consumed, produced), (Ok(()), Ok(40)), "capacity {capacity}");
    }
}

/// A consumer in its loop, whose peer the test plays.
async fn looping() -> (Pipeline2, Channel) {
    let (channel, mut peer) = Channel::pair();
    let session = session::initiate::<Bulk>(channel).unwrap().send(Request { job: 1 }).await.unwrap();
    assert!(peer.write_raw(vec![1, 0]).await);
    let (_, session) = session.recv().await.unwrap();
    (session.enter().pipeline::<2>(), peer)
}
type Loop = pipeline::Requests<
    Pull,
    Chunk,
    algebra::Choose<
        algebra::Send<Renew, algebra::Recv<Renewed, algebra::Var<algebra::Z>>>,
        algebra::Send<Done, algebra::Eps>,
    >,
>;
type Pipeline2 = Pipeline<
    Bulk,
    Pull,
    Chunk,
    algebra::Choose<
        algebra::Send<Renew, algebra::Recv<Renewed, algebra::Var<algebra::Z>>>,
        algebra::Send<Done, algebra::Eps>,
    >,
    (),
    2,
>;
type Looping = Session<Bulk, Loop, (Loop, ())>;
const _: fn(Looping) -> Pipeline2 = Session::pipeline::<2>;

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_loses_nothing() {
    let (mut pipeline, mut peer) = looping().await;
    pipeline.request(Pull { index: 3 }).await.unwrap();
    let dribble = async {
        for byte in [5, 3, b'a', b'b', b'c', b'd', 3, 4, b'e', b'f'] {
            assert!(peer.write_raw(vec![byte]).await);
            sleep(Duration::from_secs(1)).await;
        }
    };
    let collect = async {
        let mut dropped = 0;
        let first = loop {
            match timeout(Duration::from_millis(300), pipeline.response()).await {
                Ok(response) => break response.unwrap(),
                Err(_) => dropped += 1,
            }
        };
        assert!(dropped > 10);
        pipeline.request(Pull { index: 4 }).await.unwrap();
        (first, pipeline.response().await.unwrap())
    };
    let (got, ()) = tokio::join!(collect, dribble);
    let chunk = |index, bytes: &'static [u8]| Chunk { index, bytes: Bytes::from_static(bytes) };
    assert_eq!(got, (chunk(3, b"abcd"), chunk(4, b"ef")));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_runs_on_while_waits_are_dropped() {
    let (mut pipeline, _peer) = looping().await;
    pipeline.request(Pull { index: 3 }).await.unwrap();
    let begin = Instant::now();
    let error = loop {
        if let Ok(response) = timeout(Duration::from_secs(7), pipeline.response()).await {
            break response.unwrap_err();
        }
    };
    assert_eq!(error.to_string(), "bulk with peer b2b2b2b2b2, awaiting Chunk: nothing came within 60s");
    assert_eq!(begin.elapsed(), Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_request_counts_from_its_first_poll() {
    // The channel takes three bytes at a time: header, request and answer first, then a pull is dropped half way.
    let (channel, mut peer) = Channel::pair_between(channel::MEMORY_PEERS, 3);
    let read = |n: usize, peer: Channel| async move {
        let (mut peer, mut bytes) = (peer, Vec::new());
        while bytes.len() < n {
            bytes.extend_from_slice(&peer.read_raw().await.unwrap().unwrap());
        }
        (bytes, peer)
    };
    let sending = session::initiate::<Bulk>(channel).unwrap().send(Request { job: 1 });
    let (session, (_, back)) = tokio::join!(sending, read(9, peer));
    peer = back;
    assert!(peer.write_raw(vec![1, 0]).await);
    let (_, session) = session.unwrap().recv().await.unwrap();
    let mut pipeline = session.enter().pipeline::<2>();
    pipeline.request(Pull { index: 1 }).await.unwrap(); // fills the channel
    assert!(timeout(Duration::from_secs(1), pipeline.request(Pull { index: 2 })).await.is_err());
    assert_eq!(pipeline.outstanding(), 2);
    let serve = async {
        let (bytes, mut peer) = read(6, peer).await;
        assert_eq!(bytes, [0, 1, 1, 0, 1, 2]); // the dropped request went out with the wait for a response
        for byte in [1, 1, 1, 2] {
            assert!(peer.write_raw(vec![byte]).await);
        }
        peer
    };
    let (got, _peer) = tokio::join!(
        async { (pipeline.response().await.unwrap().index, pipeline.response().await.unwrap().index) },
        serve
    );
    assert_eq!(got, (1, 2));
}

#[tokio::test(start_paused = true)]
async fn leaving_with_requests_outstanding_is_our_fault_and_unasked_responses_are_the_peers() {
    let (mut pipeline, mut peer) = looping().await;
    pipeline.request(Pull { index: 0 }).await.unwrap();
    let error = pipeline.finish().unwrap_err();
    assert_eq!(format!("{} {error}", error.code()), "SW-SESSION-032 bulk: 1 requests are outstanding");
    assert_eq!(drain(&mut peer).await, WireCode::Failed);

    let (mut pipeline, mut peer) = looping().await;
    pipeline.request(Pull { index: 0 }).await.unwrap();
    assert!(peer.write_raw(vec![1, 0, 1, 1, 1, 2]).await);
    assert_eq!(pipeline.response().await.unwrap().index, 0);
    let error = pipeline.finish().unwrap_err();
    assert_eq!(
        format!("{} {error}", error.code()),
        "SW-SESSION-012 bulk with peer b2b2b2b2b2, sending Pull: 4 bytes came that nobody asked for"
    );
    assert_eq!(drain(&mut peer).await, WireCode::OutOfTurn);
}

async fn drain(peer: &mut Channel) -> WireCode {
    loop {
        if let Err(code) = peer.read_raw().await {
            return code;
        }
    }
}
