use super::*;
use crate::config::{Environment, Flags};
use redb::backends::InMemoryBackend;
use shardwire_model::Timestamp;
use shardwire_reputation::{Breach, Fault, Work};
use std::path::Path;

const OWN: PeerId = PeerId([9; 32]);
const STRANGER: PeerId = PeerId([1; 32]);
const CONFIGURED: PeerId = PeerId([2; 32]);

/// Stands still: what these tests wait for is the runtime's time.
#[derive(Debug)]
struct Still;
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(1_790_000_000_000)
    }
}

fn store() -> Store {
    Store::with_backend(InMemoryBackend::new(), true).unwrap()
}

fn recalled(store: &Store) -> Arc<Peers> {
    let file = format!("roles = ['prover']\npeers = ['{CONFIGURED}@10.0.0.2:1']");
    let config = Config::parse(Path::new("f"), &file, &Environment::default(), Flags::default()).unwrap();
    Arc::new(Peers::recall(&config, OWN, Arc::new(Still), store).unwrap())
}

fn place(peers: &Arc<Peers>, address: [u8; 4]) -> Place {
    match peers.knock(address.into(), true) {
        Knock::Admit { place, .. } => place,
        other => panic!("{other:?}"),
    }
}

fn broke(breach: Breach) -> Event {
    Event::Broke { breach, fault: Fault::Peer }
}

fn violation() -> Event {
    broke(Breach::Violation { code: "SW-SESSION-003", protocol: "trace".into(), state: "awaiting Pull".into() })
}

#[tokio::test(start_paused = true)]
async fn a_ban_ends_the_connection_and_outlives_a_restart() {
    let store = store();
    let peers = recalled(&store);
    let presence = peers.enter(STRANGER, &place(&peers, [10, 0, 0, 1])).unwrap();
    assert!(presence.session("trace").unwrap().is_some());
    peers.note(STRANGER, &broke(Breach::Proof));
    assert_eq!(presence.shut_out().await, Duration::from_secs(60));
    assert!(presence.session("trace").is_err());
    peers.keep(&store);

    let peers = recalled(&store);
    let wait = peers.enter(STRANGER, &place(&peers, [10, 0, 0, 1])).map(drop).unwrap_err();
    assert_eq!(wait, Duration::from_secs(60));
    assert_eq!(peers.dialled(STRANGER).map(drop).unwrap_err(), wait);
    // From where a banned peer came, nobody is shaken hands with.
    assert!(matches!(peers.knock([10, 0, 0, 1].into(), true), Knock::Refuse));
    assert!(matches!(peers.knock([10, 0, 0, 3].into(), true), Knock::Admit { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_tier_takes_effect_on_open_sessions_within_a_second() {
    let peers = recalled(&store());
    for _ in 0..2 {
        peers.note(STRANGER, &Event::Worked(Work::Proof));
    }
    let presence = peers.enter(STRANGER, &place(&peers, [10, 0, 0, 1])).unwrap();
    let meter = presence.session("trace").unwrap().unwrap();
    // A second's worth in tier normal, four in tier low.
    assert_eq!(meter.used(8_000, 0), Duration::ZERO);
    peers.note(STRANGER, &violation());
    let began = Instant::now();
    let mut wait = meter.used(8_000, 0);
    while !wait.is_zero() {
        assert!(wait <= Duration::from_secs(1));
        tokio::time::sleep(wait).await;
        wait = meter.used(0, 0);
    }
    assert!((3..=4).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn sessions_beyond_the_quota_are_told_when_and_the_nodes_own_are_not_counted() {
    let peers = recalled(&store());
    let stranger = peers.enter(STRANGER, &place(&peers, [10, 0, 0, 1])).unwrap();
    let held: Vec<_> = (0..8).map(|_| stranger.session("trace").unwrap()).collect();
    assert_eq!(stranger.session("trace").map(drop).unwrap_err(), Duration::from_secs(1));
    drop(held);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(stranger.session("trace").is_ok());
    let own = peers.enter(OWN, &place(&peers, [127, 0, 0, 1])).unwrap();
    for _ in 0..1000 {
        assert!(own.session("control").unwrap().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_cant_cut_a_configured_peer_off() {
    let peers = recalled(&store());
    let mut flood = Vec::new();
    for n in 0..=255 {
        for m in 0..=1 {
            if let Knock::Admit { place, .. } = peers.knock([192, 168, n, m].into(), true) {
                flood.push(place);
            }
        }
    }
    // The hard limit, and the slots in which it is seen who comes.
    assert_eq!(flood.len(), 256 + 64);
    assert!(flood.iter().filter(|place| place.reserved()).all(|place| peers.enter(STRANGER, place).is_err()));
    flood.retain(|place| !place.reserved());
    let place = place(&peers, [10, 0, 0, 2]);
    let presence = peers.enter(CONFIGURED, &place).unwrap();
    assert!(place.reserved() && presence.session("trace").is_ok());
    drop((flood, place));
    assert!(matches!(peers.knock([192, 168, 0, 1].into(), false), Knock::Admit { .. }));
}
