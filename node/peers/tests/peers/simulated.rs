//! The same on real endpoints, quinn and TLS included, in a simulated network and in simulated time.

use super::{Moving, named};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use shardwire_model::Coded;
use shardwire_peers::{ConfiguredPeers, Peers, Rules, receive, sessions};
use shardwire_protocols::{
    Failure, ServeError, catalogue,
    keepalive::{self, Keepalive},
};
use shardwire_reputation::{Event, Standing, Tier, Work};
use shardwire_telemetry::Telemetry;
use shardwire_transport::{
    Connection, Endpoint, Identity, LostCause, Pause, Profile, SessionError, WireCode,
    sim::{Host, Internet, Link},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};

fn ip(n: u8) -> IpAddr {
    Ipv4Addr::new(10, n, 0, 1).into()
}

fn open_on(host: &Host, number: u8) -> Endpoint {
    let mut rng = ChaCha20Rng::from_seed([number; 32]);
    let identity = Identity::from_secret(&[number; 32]);
    let address = SocketAddr::new(host.ip(), 7000);
    Endpoint::open(host, address, identity, &catalogue::settings(Profile::Internet), &mut rng).unwrap()
}

/// A node that serves nothing but keepalive, and whose every proof attempt fails for want of disk.
struct World {
    internet: Internet,
    peers: Arc<Peers>,
    node: Endpoint,
}

#[derive(Debug)]
struct DiskFull;
impl std::fmt::Display for DiskFull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the disk is full")
    }
}
impl std::error::Error for DiskFull {}
impl Coded for DiskFull {
    fn code(&self) -> &'static str {
        "SW-TEST-001"
    }
    fn next_step(&self) -> String {
        "Buy a larger one.".to_owned()
    }
}

impl World {
    fn new(named: ConfiguredPeers, disk_full: bool) -> Self {
        let internet = Internet::new(5);
        internet.set_links(Link { latency: Duration::from_millis(10), ..Link::default() });
        let node = open_on(&internet.host(ip(1)), 1);
        let clock = Arc::new(Moving(Instant::now()));
        let peers = Peers::new(&Rules::default(), named, [], BTreeMap::new(), clock, &Telemetry::default());
        let tending = peers.clone();
        tokio::spawn(async move { tending.maintain(|_| std::future::ready(()), || 0).await });
        tokio::spawn(receive(peers.clone(), node.clone(), move |connection, presence| async move {
            sessions(&connection, &presence, &Pause::default(), move |incoming| async move {
                if disk_full {
                    return Err(ServeError::Handler(Failure::from(DiskFull)));
                }
                let clock = Moving(Instant::now());
                if !incoming.is::<Keepalive>() {
                    return Err(incoming.unserved().into());
                }
                Ok(keepalive::serve(incoming.serve::<Keepalive>().await?, &clock).await?)
            })
            .await;
        }));
        Self { internet, peers, node }
    }

    async fn dial(&self, from: &Endpoint) -> Result<Connection, shardwire_transport::ConnectError> {
        from.connect(self.node.address(), None).await
    }
}

/// Asks once, on a session of its own.
async fn ask(connection: &Connection) -> Result<(), SessionError> {
    let client = keepalive::Client::new(connection.open::<Keepalive>().await?);
    let (_, client) = client.ping(&Moving(Instant::now())).await?;
    client.close().await
}

/// Sends what no honest peer sends: a frame longer than its message may be.
async fn misbehave(connection: &Connection) {
    let (mut send, mut recv) = connection.quinn().open_bi().await.unwrap();
    send.write_all(&[0x0b, 0x09, b'k', b'e', b'e', b'p', b'a', b'l', b'i', b'v', b'e', 1, 0, 0xff, 0xff, 0xff, 0x7f])
        .await
        .unwrap();
    let _ = recv.read_to_end(100).await; // it is reset
}

fn cause(error: &SessionError) -> &LostCause {
    match error {
        SessionError::Lost(lost) => &lost.cause,
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn breaches_lead_to_a_ban_that_ends_the_connection_and_is_felt_before_the_next_handshake() {
    let world = World::new(named(), false);
    let stranger = open_on(&world.internet.host(ip(3)), 3);
    let connection = world.dial(&stranger).await.unwrap();
    ask(&connection).await.unwrap();
    for _ in 0..3 {
        misbehave(&connection).await;
    }
    let began = Instant::now();
    let gone = connection.closed().await;
    let LostCause::Reset(WireCode::RetryAfter { ms }) = gone else { panic!("{gone:?}") };
    assert!((59_000..=60_000).contains(&ms), "{ms}");
    assert!(began.elapsed() <= Duration::from_secs(1), "{:?}", began.elapsed());
    // A peer from there gets no handshake.
    let before = world.peers.figures().admission;
    let refused = world.dial(&stranger).await.unwrap_err();
    assert_eq!(refused.code(), "SW-TRANSPORT-023", "{refused}");
    let after = world.peers.figures().admission;
    assert_eq!((after.admitted, after.refused), (before.admitted, before.refused + 1));
    // Others are not concerned.
    let honest = open_on(&world.internet.host(ip(5)), 5);
    ask(&world.dial(&honest).await.unwrap()).await.unwrap();
    assert_eq!(world.peers.standing(honest.identity().peer()), Standing::Admitted(Tier::Low));
    sleep(Duration::from_secs(61)).await;
    ask(&world.dial(&stranger).await.unwrap()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_session_too_many_is_refused_with_the_time_to_wait_and_a_flood_waits_for_itself() {
    let world = World::new(named(), false);
    let stranger = open_on(&world.internet.host(ip(3)), 3);
    let connection = world.dial(&stranger).await.unwrap();
    // Eight at a time in tier low.
    let mut held = Vec::new();
    for _ in 0..8 {
        let client = keepalive::Client::new(connection.open::<Keepalive>().await.unwrap());
        held.push(client.ping(&Moving(Instant::now())).await.unwrap());
    }
    let refused = ask(&connection).await.unwrap_err();
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)), "{refused}");
    assert!(matches!(cause(&refused), LostCause::Reset(WireCode::RetryAfter { .. })), "{refused}");
    // A flood of 200: sixteen are answered a second, the rest waits its turn.
    let began = Instant::now();
    let mut flood = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let connection = connection.clone();
        flood.spawn(async move { ask(&connection).await });
    }
    while let Some(asked) = flood.join_next().await {
        drop(asked.unwrap());
    }
    let took = began.elapsed().as_secs();
    assert!((10..=15).contains(&took), "{took} s");
    // The others gave up before it was their turn.
    let refused = world.peers.figures().low.refused;
    assert!((100..=201).contains(&refused), "{refused}");
    // What it had goes on.
    for (_, client) in held {
        client.ping(&Moving(Instant::now())).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_tier_is_felt_on_an_open_connection_within_a_second() {
    let world = World::new(named(), false);
    let stranger = open_on(&world.internet.host(ip(3)), 3);
    let (peer, connection) = (stranger.identity().peer(), world.dial(&stranger).await.unwrap());
    let mut held = Vec::new();
    for _ in 0..8 {
        let client = keepalive::Client::new(connection.open::<Keepalive>().await.unwrap());
        held.push(client.ping(&Moving(Instant::now())).await.unwrap());
    }
    assert!(ask(&connection).await.is_err());
    let began = Instant::now();
    for _ in 0..2 {
        world.peers.note(peer, &Event::Worked(Work::Proof));
    }
    // Tier normal has 32 sessions.
    timeout(Duration::from_secs(1), ask(&connection)).await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(1));
    world.peers.ban(peer, Duration::from_secs(5));
    let gone = timeout(Duration::from_secs(1), connection.closed()).await.unwrap();
    assert!(matches!(gone, LostCause::Reset(WireCode::RetryAfter { .. })), "{gone:?}");
}

#[tokio::test(start_paused = true)]
async fn a_local_fault_punishes_nobody() {
    let world = World::new(named(), true);
    let peer = open_on(&world.internet.host(ip(3)), 3);
    let connection = world.dial(&peer).await.unwrap();
    for _ in 0..5 {
        assert!(ask(&connection).await.is_err(), "the node's disk is full");
    }
    // Nor does a connection that breaks off.
    connection.close();
    sleep(Duration::from_secs(40)).await;
    let view = world.peers.view(peer.identity().peer());
    assert_eq!((view.components.harm, view.components.late, view.components.broken), (0, 0, 0), "{view:?}");
    assert_eq!(view.standing, Standing::Admitted(Tier::Low));
}

#[tokio::test(start_paused = true)]
async fn configured_peers_get_in_while_strangers_hold_every_place() {
    let configured = Identity::from_secret(&[2; 32]).peer();
    let named =
        ConfiguredPeers { own: BTreeSet::new(), configured: BTreeMap::from([(configured, Some(ip(2)))]), ..named() };
    let world = World::new(named, false);
    let mut held = Vec::new();
    for n in 0..80_u8 {
        let host = world.internet.host(Ipv4Addr::new(172, 16, n, 1).into());
        let stranger = open_on(&host, 100 + n);
        for _ in 0..4 {
            if let Ok(connection) = world.dial(&stranger).await {
                held.push((connection, stranger.clone()));
            }
        }
    }
    let (open, _) = world.peers.open();
    assert!(open >= 192, "{open} places are taken");
    let friend = open_on(&world.internet.host(ip(2)), 2);
    let began = Instant::now();
    ask(&world.dial(&friend).await.unwrap()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}
