//! A session that the peer opened is held to a rate, and a refusal says how long to wait.

mod bulk;

use bulk::*;
use shardwire_model::Coded;
use shardwire_transport::{channel::Channel, offer, session::initiate, *};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// A meter of one frame a second, which asks to wait in halves.
#[derive(Debug, Default)]
struct Slow {
    halves_owed: AtomicU64,
    bytes: AtomicU64,
}

impl Meter for Slow {
    fn used(&self, frames: u32, bytes: u64) -> Duration {
        self.bytes.fetch_add(bytes, Relaxed);
        let owed = self.halves_owed.fetch_add(2 * u64::from(frames), Relaxed) + 2 * u64::from(frames);
        if frames == 0 && owed > 0 {
            self.halves_owed.fetch_sub(1, Relaxed);
        }
        if self.halves_owed.load(Relaxed) == 0 { Duration::ZERO } else { Duration::from_millis(500) }
    }
}

async fn produce(incoming: Incoming) -> Result<(u64, u64), SessionError> {
    let (_, session) = incoming.serve::<Bulk>().await?.recv().await?;
    let mut session = session.send(Manifest { chunks: 0 }).await?.enter();
    loop {
        session = offer!(session => {
            Pull(pull), next => next.send(chunk(pull.index)).await?.repeat(),
            Renew(_), next => next.send(Renewed { count: 0 }).await?.repeat(),
            Done(_), next => {
                let traffic = next.traffic();
                next.close().await?;
                return Ok(traffic);
            },
        });
    }
}

#[tokio::test(start_paused = true)]
async fn more_is_read_when_what_was_used_is_paid_and_nothing_is_lost() {
    let (a, b) = Channel::pair();
    let meter = Arc::new(Slow::default());
    let began = Instant::now();
    let consume = async {
        let session = initiate::<Bulk>(a).unwrap().send(Request { job: 0 }).await?;
        let mut session = session.recv().await?.1.enter();
        for index in 0..4 {
            let (got, next) = session.choose(Pull { index }).await?.recv().await?;
            assert_eq!(got, chunk(index));
            session = next.repeat();
        }
        session.choose(Done).await?.close().await
    };
    let (consumed, produced) = tokio::join!(consume, produce(Incoming::new(b).metered(meter.clone())));
    assert_eq!(consumed, Ok(()));
    let (received, sent) = produced.unwrap();
    // The header, the request and four pulls are paid for before what follows each is read; the last frame ends the session.
    assert_eq!(began.elapsed(), Duration::from_secs(6));
    let told = meter.bytes.load(Relaxed);
    assert!(told > sent && told <= received + sent, "{told} bytes told, {received} received, {sent} sent");
}

#[tokio::test(start_paused = true)]
async fn dropping_a_wait_neither_pays_nor_forgets() {
    let (a, b) = Channel::pair();
    let asking = tokio::spawn(async { initiate::<Bulk>(a)?.send(Request { job: 0 }).await?.recv().await });
    let began = Instant::now();
    let mut incoming = Incoming::new(b).metered(Arc::new(Slow::default()));
    incoming.header().await.unwrap();
    let mut session = incoming.serve::<Bulk>().await.unwrap();
    for _ in 0..7 {
        let _ = timeout(Duration::from_millis(10), session.arrived()).await;
    }
    session.arrived().await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(1), "the header's frame, however often one looked meanwhile");
    let (_, session) = session.recv().await.unwrap();
    drop(session);
    asking.await.unwrap().unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_when_to_try_again() {
    let (a, b) = Channel::pair();
    let asking = tokio::spawn(async { initiate::<Bulk>(a)?.send(Request { job: 0 }).await?.recv().await });
    let mut incoming = Incoming::new(b);
    incoming.header().await.unwrap();
    incoming.refuse_for(Duration::from_millis(1500));
    let error = asking.await.unwrap().map(drop).unwrap_err();
    assert_eq!((error.retry_after(), error.is_transient()), (Some(Duration::from_millis(1500)), true));
    assert!(error.to_string().ends_with("the peer allows us no more now, but again after 1.5s"), "{error}");
    assert_eq!((error.code(), error.next_step().as_str()), ("SW-SESSION-020", "Try again later, or another peer."));
}
