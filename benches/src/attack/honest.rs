//! The honest peers: they stream traces with the production client half, without a pause.

use super::{
    Outcome, host, identity,
    meeting::{PeerAddress, SystemClock, hello},
};
use shardwire_model::Cause;
use shardwire_protocols::{
    catalogue,
    handshake::{Handshake, greet},
    trace::{Claimed, Client, Next, Pulled, Trace},
};
use shardwire_transport::{Connection, Endpoint, Profile};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

/// Chunks of a lease. Then the next lease is taken, as for another shard.
const CHUNKS: u32 = 4096;
/// How long a stream may take to begin.
const PATIENCE: Duration = Duration::from_secs(20);
/// How soon a peer that lost its stream connects again.
const PAUSE: Duration = Duration::from_millis(100);

/// The two honest peers.
pub(super) struct Peers {
    received: Arc<AtomicU64>,
    tasks: JoinSet<()>,
}

impl Peers {
    pub(super) fn start(victim: &PeerAddress, numbers: [u8; 2]) -> Self {
        let received = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for number in numbers {
            let (victim, received) = (*victim, received.clone());
            tasks.spawn(async move {
                let mut said = String::new();
                loop {
                    if let Err(error) = stream(number, victim, &received).await {
                        let error = format!("an honest peer lost its stream: {error}");
                        if error != said {
                            eprintln!("{error}");
                        }
                        said = error;
                    }
                    sleep(PAUSE).await;
                }
            });
        }
        Self { received, tasks }
    }

    /// Waits until both receive chunks.
    pub(super) async fn streaming(&self) -> Outcome<()> {
        let begin = async {
            while self.received.load(Ordering::Relaxed) == 0 {
                sleep(PAUSE).await;
            }
        };
        Ok(timeout(PATIENCE, begin).await.map_err(|_| "the honest peers get nothing, although nobody attacks")?)
    }

    /// Bytes a second, measured over this time.
    #[allow(clippy::cast_precision_loss)] // gigabytes
    pub(super) async fn throughput(&self, length: Duration) -> f64 {
        let (began, before) = (Instant::now(), self.received.load(Ordering::Relaxed));
        sleep(length).await;
        (self.received.load(Ordering::Relaxed) - before) as f64 / began.elapsed().as_secs_f64()
    }

    pub(super) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Streams until something fails.
async fn stream(number: u8, victim: PeerAddress, received: &AtomicU64) -> Outcome<()> {
    let settings = catalogue::settings(Profile::default());
    let endpoint = Endpoint::bind((host(number), 0).into(), identity(number), &settings, &mut rand::rng())?;
    let connection = endpoint.connect(victim.address, Some(victim.peer)).await?;
    greet(connection.open::<Handshake>().await?, hello(&SystemClock)).await?;
    loop {
        lease(&connection, number, received).await?;
    }
}

/// Takes a lease and streams its chunks.
pub(super) async fn lease(connection: &Connection, number: u8, received: &AtomicU64) -> Outcome<()> {
    let client = Client::new(connection.open::<Trace>().await?, identity(number).peer());
    let Next::Offered(_, offered) = client.ready(&[]).await? else { return Err("no job".into()) };
    let Claimed::Leased(_, mut fetch) = offered.claim().await? else { return Err("no lease".into()) };
    for _ in 0..CHUNKS {
        let Pulled::Chunk(chunk) = fetch.next().await? else { return Err("no chunk".into()) };
        received.fetch_add(chunk.body.len() as u64, Ordering::Relaxed);
    }
    fetch.stop().await?.abandon(Cause::new("SW-BENCH-001", "enough of this one")).await?;
    Ok(())
}
