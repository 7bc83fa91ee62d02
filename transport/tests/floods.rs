//! Peers that open more sessions or handshakes than anybody needs. On the simulated network, in virtual time.

mod bulk;

use bulk::*;
use peak_alloc::PeakAlloc;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use shardwire_transport::{
    settings::{HANDSHAKE_DEADLINE, MAX_HANDSHAKES, MAX_SESSIONS},
    sim::{Host, Internet},
    *,
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

/// Counts the memory of this process, which holds both sides of every connection: the bounds are those of two nodes.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;
/// The tests of this binary run one after the other, so that each counts only its own memory.
static COUNTED: Mutex<()> = Mutex::const_new(());

const PORT: u16 = 7000;
/// The most bytes that a session which is opened and never served may hold at both ends: streams, frames, futures,
/// and what this test keeps of it.
const SESSION_BYTES: usize = 16 * 1024;
/// The most bytes that a connection may hold at both ends beside its sessions. QUIC reserves some of it for streams
/// that may come.
const CONNECTION_BYTES: usize = 512 * 1024;
/// The most bytes that a handshake which isn't admitted yet may hold at both ends.
const HANDSHAKE_BYTES: usize = 96 * 1024;

fn open_on(internet: &Internet, host: u8) -> Endpoint {
    let mut rng = ChaCha20Rng::seed_from_u64(host.into());
    let identity = Identity::generate(&mut rng);
    let host: Host = internet.host(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)));
    Endpoint::open(&host, SocketAddr::new(host.ip(), PORT), identity, &Settings::default(), &mut rng).unwrap()
}

async fn connected(a: &Endpoint, b: &Endpoint) -> (Connection, Connection) {
    let (dialled, accepted) = tokio::join!(a.connect(b.address(), Some(b.identity().peer())), async {
        b.accept().await.unwrap().admit().await
    });
    (dialled.unwrap(), accepted.unwrap())
}

/// A whole session between two honest nodes.
async fn honest(dialled: &Connection, accepted: &Connection) {
    let produced = async { produce(accepted.accept().await.unwrap()).await };
    assert_eq!(tokio::join!(consume(dialled.clone(), 5), produced), (Ok(()), Ok(5)));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_streams_stops_at_the_limit_and_harms_nobody_else() {
    let _alone = COUNTED.lock().await;
    let internet = Internet::new(1);
    let (node, honest_peer, hostile) = (open_on(&internet, 1), open_on(&internet, 2), open_on(&internet, 3));
    let (dialled, accepted) = connected(&honest_peer, &node).await;
    let (flooding, flooded) = connected(&hostile, &node).await;

    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let mut opened = Vec::new();
    let opening = async || flooding.open::<PingPong>().await.unwrap().enter().choose(Ping(1)).await.unwrap();
    // The node serves no session: it is as slow as a node can be.
    while let Ok(session) = timeout(Duration::from_secs(5), opening()).await {
        opened.push(session);
    }
    let held = ALLOCATOR.peak_usage() - before;
    assert_eq!(opened.len(), MAX_SESSIONS as usize);
    let bound = CONNECTION_BYTES + MAX_SESSIONS as usize * SESSION_BYTES;
    assert!(held <= bound, "{held} bytes held where {bound} are allowed");

    honest(&dialled, &accepted).await;
    // Streams that end make room for as many, no more. (QUIC announces room for several streams at a time.)
    let ended = opened.len() / 2;
    for session in opened.drain(..ended) {
        flooded.accept().await.unwrap().refuse();
        let error = session.recv::<Pong, _>().await.unwrap_err();
        assert!(error.to_string().ends_with("the peer has no capacity for it now"), "{error}");
    }
    while let Ok(session) = timeout(Duration::from_secs(5), opening()).await {
        opened.push(session);
    }
    assert!(opened.len() > MAX_SESSIONS as usize - ended && opened.len() <= MAX_SESSIONS as usize, "{}", opened.len());
    honest(&dialled, &accepted).await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_handshakes_is_ignored_above_the_limit_and_the_next_peer_gets_in() {
    const FLOOD: usize = MAX_HANDSHAKES + 100;
    let _alone = COUNTED.lock().await;
    let internet = Internet::new(3);
    let (node, honest_peer, hostile) = (open_on(&internet, 1), open_on(&internet, 2), open_on(&internet, 3));
    let (dialled, accepted) = connected(&honest_peer, &node).await;

    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let mut flood = JoinSet::new();
    for _ in 0..FLOOD {
        let (hostile, address) = (hostile.clone(), node.address());
        flood.spawn(async move { hostile.connect(address, None).await.map(drop) });
    }
    // The node admits no new peer meanwhile. Connected peers don't notice.
    honest(&dialled, &accepted).await;
    for ended in flood.join_all().await {
        assert_eq!(ended, Err(ConnectError::NoAnswer { address: node.address() }));
    }
    let held = ALLOCATOR.peak_usage() - before;
    let bound = CONNECTION_BYTES + FLOOD * HANDSHAKE_BYTES;
    assert!(held <= bound, "{held} bytes held where {bound} are allowed");

    sleep(Duration::from_secs(1)).await; // what the flood still has under way arrives
    // A peer that comes after the flood gets in as soon as the node has looked at what is left of it: at most the
    // limit, however many came.
    let began = Instant::now();
    let next = open_on(&internet, 4);
    let admitting = async {
        let mut left = 0;
        loop {
            let arrival = node.accept().await.unwrap();
            if arrival.address() == next.address() {
                break (left, arrival.admit().await);
            }
            arrival.ignore();
            left += 1;
        }
    };
    let (dialled, (left, accepted)) = tokio::join!(next.connect(node.address(), None), admitting);
    assert_eq!(left, MAX_HANDSHAKES);
    honest(&dialled.unwrap(), &accepted.unwrap()).await;
    assert!(began.elapsed() < HANDSHAKE_DEADLINE);
}
