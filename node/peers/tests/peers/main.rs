//! What peers may do, on a clock that the tests move.

mod simulated;

use shardwire_model::{Clock, PeerId, Timestamp};
use shardwire_peers::{ConfiguredPeers, ConnectionSlot, Peers, Rules, admission::Decision};
use shardwire_reputation::{Blame, Breach, Event, Listing, Record, Standing, Tier, Work};
use shardwire_telemetry::Telemetry;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep};

const OWN: PeerId = PeerId([9; 32]);
const STRANGER: PeerId = PeerId([1; 32]);
const CONFIGURED: PeerId = PeerId([2; 32]);

/// The date moves with the runtime's time.
#[derive(Debug)]
struct Moving(Instant);

impl Clock for Moving {
    fn now(&self) -> Timestamp {
        Timestamp(1_790_000_000_000).plus(self.0.elapsed())
    }
}

fn named() -> ConfiguredPeers {
    ConfiguredPeers {
        own: BTreeSet::from([OWN]),
        configured: BTreeMap::from([(CONFIGURED, Some(Ipv4Addr::new(10, 0, 0, 2).into()))]),
        hosts: BTreeSet::from([Ipv4Addr::LOCALHOST.into()]),
        ..ConfiguredPeers::default()
    }
}

fn with(records: Vec<(PeerId, Record)>, said: BTreeMap<PeerId, Listing>) -> Arc<Peers> {
    Peers::new(&Rules::default(), named(), records, said, Arc::new(Moving(Instant::now())), &Telemetry::default())
}

fn peers() -> Arc<Peers> {
    with(vec![], BTreeMap::new())
}

fn slot(peers: &Arc<Peers>, address: impl Into<IpAddr>) -> ConnectionSlot {
    match peers.before_handshake(address.into(), true) {
        Decision::Admit { slot, .. } => slot,
        other => panic!("{other:?}"),
    }
}

fn broke(breach: Breach) -> Event {
    Event::Broke { breach, blame: Blame::Peer }
}

fn violation() -> Event {
    broke(Breach::Violation { code: "SW-SESSION-003", protocol: "trace".into(), state: "awaiting Pull".into() })
}

#[tokio::test(start_paused = true)]
async fn a_ban_ends_the_connection_outlives_a_restart_and_shuts_the_host() {
    let before = peers();
    let presence = before.after_handshake(STRANGER, &slot(&before, [10, 0, 0, 1])).unwrap();
    assert!(presence.session("trace").unwrap().is_some());
    before.note(STRANGER, &broke(Breach::Proof));
    assert_eq!(presence.shut_out().await, Duration::from_secs(60));
    assert!(presence.session("trace").is_err());
    // An identity costs nothing: no peer from a banned peer's host gets a handshake for as long.
    assert!(matches!(before.before_handshake([10, 0, 0, 1].into(), true), Decision::Refuse));
    sleep(Duration::from_secs(61)).await;
    assert!(matches!(before.before_handshake([10, 0, 0, 1].into(), true), Decision::Admit { .. }));
    // The next ban from there, under another identity, lasts twice as long.
    let next = PeerId([7; 32]);
    let _presence = before.after_handshake(next, &slot(&before, [10, 0, 0, 1])).unwrap();
    before.note(next, &broke(Breach::Proof));
    sleep(Duration::from_secs(61)).await;
    assert!(matches!(before.before_handshake([10, 0, 0, 1].into(), true), Decision::Refuse));
    sleep(Duration::from_secs(60)).await;
    assert!(matches!(before.before_handshake([10, 0, 0, 1].into(), true), Decision::Admit { .. }));

    before.note(STRANGER, &broke(Breach::Proof));
    let kept = before.take_changed().into_iter().filter_map(|(peer, record)| Some((peer, record?))).collect();
    let after = with(kept, BTreeMap::new());
    let wait = after.after_handshake(STRANGER, &slot(&after, [10, 0, 0, 1])).map(drop).unwrap_err();
    assert!(wait > Duration::from_secs(60), "{wait:?}");
    assert!(after.dialled(STRANGER, Ipv4Addr::new(10, 0, 0, 1).into()).is_err());
    assert!(matches!(after.before_handshake([10, 0, 0, 3].into(), true), Decision::Admit { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_tier_takes_effect_on_open_sessions_within_a_second() {
    let peers = peers();
    for _ in 0..2 {
        peers.note(STRANGER, &Event::Worked(Work::Proof));
    }
    let presence = peers.after_handshake(STRANGER, &slot(&peers, [10, 0, 0, 1])).unwrap();
    let meter = presence.session("ingress").unwrap().unwrap();
    // A second's worth in tier normal, four in tier low.
    assert_eq!(meter.used(8_000, 0), Duration::ZERO);
    peers.note(STRANGER, &violation());
    let began = Instant::now();
    let mut wait = meter.used(8_000, 0);
    while !wait.is_zero() {
        assert!(wait <= Duration::from_secs(1));
        sleep(wait).await;
        wait = meter.used(0, 0);
    }
    assert!((3..=4).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    let changes: Vec<String> = peers.changes(STRANGER).iter().map(|told| told.change.reason.to_string()).collect();
    assert_eq!(changes, ["valid proof", "violation SW-SESSION-003 of trace, awaiting Pull"]);
    let figures = peers.figures();
    assert_eq!((figures.low.connected, figures.normal.connected, figures.normal.sessions), (1, 0, 1));
    assert!(figures.low.waits > 0);
}

#[tokio::test(start_paused = true)]
async fn sessions_beyond_the_quota_are_told_when_and_the_nodes_own_are_not_counted() {
    let peers = peers();
    let stranger = peers.after_handshake(STRANGER, &slot(&peers, [10, 0, 0, 1])).unwrap();
    let held: Vec<_> = (0..8).map(|_| stranger.session("trace").unwrap()).collect();
    assert_eq!(stranger.session("trace").map(drop).unwrap_err(), Duration::from_secs(1));
    drop(held);
    sleep(Duration::from_secs(1)).await;
    assert!(stranger.session("trace").is_ok());
    let own = peers.after_handshake(OWN, &slot(&peers, [127, 0, 0, 1])).unwrap();
    for _ in 0..1000 {
        assert!(own.session("administration").unwrap().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_cant_cut_a_configured_peer_off() {
    let peers = peers();
    let mut flood = Vec::new();
    for n in 0..=255 {
        // More than a second's worth of strangers takes its time.
        sleep(Duration::from_millis(50)).await;
        for m in 0..=1 {
            if let Decision::Admit { slot, .. } = peers.before_handshake([192, 168, n, m].into(), true) {
                flood.push(slot);
            }
        }
    }
    // The hard limit, and the reserved slots in which the handshake shows who comes.
    assert_eq!(flood.len(), 256 + 64);
    assert!(flood.iter().filter(|slot| slot.reserved()).all(|slot| peers.after_handshake(STRANGER, slot).is_err()));
    flood.retain(|slot| !slot.reserved());
    let slot = slot(&peers, [10, 0, 0, 2]);
    let presence = peers.after_handshake(CONFIGURED, &slot).unwrap();
    assert!(slot.reserved() && presence.session("trace").is_ok());
    drop((flood, slot));
    sleep(Duration::from_secs(1)).await;
    assert!(matches!(peers.before_handshake([192, 168, 0, 1].into(), false), Decision::Admit { .. }));
}

/// A peer that is configured by the name of its host has a reserved slot where it was found, also before it was ever connected.
#[tokio::test(start_paused = true)]
async fn a_flood_cant_cut_a_peer_off_that_is_configured_by_name() {
    const NAMED: PeerId = PeerId([3; 32]);
    let peers = peers();
    let by_name = |named: ConfiguredPeers| {
        let configured = named.configured.into_iter().chain([(NAMED, None)]).collect();
        ConfiguredPeers { configured, ..named }
    };
    peers.configure(by_name(named()));
    let here: IpAddr = Ipv4Addr::new(10, 0, 0, 3).into();
    peers.found(STRANGER, [here]);
    let mut flood = Vec::new();
    for n in 0..=255 {
        sleep(Duration::from_millis(50)).await;
        for m in 0..=1 {
            if let Decision::Admit { slot, .. } = peers.before_handshake([192, 168, n, m].into(), true) {
                flood.push(slot);
            }
        }
    }
    flood.retain(|slot| !slot.reserved());
    let there: IpAddr = Ipv4Addr::new(10, 0, 0, 4).into();
    let admitted = |from| {
        let slots: Vec<_> = (0..65).map(|_| peers.before_handshake(from, true)).collect();
        slots.iter().filter(|it| matches!(it, Decision::Admit { .. })).count()
    };
    assert!(admitted(here) <= 8, "as its host isn't known, it has a stranger's rate");
    sleep(Duration::from_secs(1)).await;
    peers.found(NAMED, [here, there]);
    assert_eq!((admitted(here), admitted(there)), (64, 64), "every reserved slot");
    let slot = slot(&peers, here);
    assert!(slot.reserved() && peers.after_handshake(NAMED, &slot).is_ok());
    // It moved, and is then not configured any more.
    let third: IpAddr = Ipv4Addr::new(10, 0, 0, 5).into();
    peers.found(NAMED, [third]);
    sleep(Duration::from_secs(1)).await;
    assert!(admitted(there) <= 8);
    assert_eq!(admitted(third), 63);
    peers.configure(named());
    sleep(Duration::from_secs(1)).await;
    assert!(admitted(third) <= 8);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_and_a_network_of_ipv6_have_limits_whatever_address_they_take() {
    let peers = peers();
    let at = |network: u16, subscriber: u16, n: u16| IpAddr::from([0x2001, 0xdb8, network, subscriber, 0, 0, 0, n]);
    let mut places = Vec::new();
    let mut enters = async |from: IpAddr| {
        // Slowly enough for every rate.
        sleep(Duration::from_millis(200)).await;
        match peers.before_handshake(from, true) {
            Decision::Admit { slot, .. } => places.push(slot),
            refused => return Err(format!("{refused:?}")),
        }
        Ok(())
    };
    for n in 0..32 {
        enters(at(1, 1, n)).await.unwrap();
    }
    assert_eq!(enters(at(1, 1, 999)).await, Err("Refuse".to_owned()), "a /64 is one host");
    for n in 0..32 {
        enters(at(1, 2 + n, 1)).await.unwrap();
    }
    assert_eq!(enters(at(1, 999, 1)).await, Err("Refuse".to_owned()), "a /48 is one network");
    enters(at(2, 1, 1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn strangers_who_come_and_go_are_slowed_down_and_known_peers_are_not() {
    let peers = peers();
    let mut did = [0; 4];
    let mut knock = |from: [u8; 4], validated| {
        let index = match peers.before_handshake(from.into(), validated) {
            Decision::Admit { .. } => 0,
            Decision::Retry => 1,
            Decision::Refuse => 2,
            Decision::Ignore => 3,
        };
        did[index] += 1;
        index
    };
    // From one host: eight a second, then a token is asked for, then it is refused.
    assert!((0..8).all(|_| knock([10, 7, 0, 1], false) == 0));
    assert_eq!([knock([10, 7, 0, 1], false), knock([10, 7, 0, 1], true)], [1, 2]);
    // From one network: 32.
    assert_eq!((1..10).flat_map(|n| [n; 8]).filter(|n| knock([10, 7, 0, *n], true) == 0).count(), 32 - 8);
    // In all: 64.
    assert_eq!((0..100).filter(|n| knock([10, 8, *n, 1], true) == 0).count(), 64 - 32);
    // Configured peers have no rate.
    assert!((0..100).all(|_| knock([10, 0, 0, 2], true) == 0));
    // Those who aren't let in are answered 512 times a second.
    assert!((0..1000).any(|_| knock([10, 7, 0, 1], true) == 3));
    assert_eq!(did[1] + did[2], 512);
    let admission = peers.figures().admission;
    assert_eq!([admission.admitted, admission.retried, admission.refused, admission.ignored], did);
    sleep(Duration::from_secs(1)).await;
    assert!(matches!(peers.before_handshake([10, 7, 0, 1].into(), false), Decision::Admit { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_network_that_sends_too_many_first_datagrams_is_not_heard_for_the_rest_of_the_second_unless_it_is_known() {
    let peers = peers();
    let tended = peers.clone();
    tokio::spawn(async move { tended.maintain(|_| std::future::ready(()), || 0).await });
    let heard = |peers: &Peers, address: [u8; 4]| (0..1000).filter(|_| peers.hears(address.into())).count();
    assert_eq!(heard(&peers, [10, 0, 7, 1]), 128);
    assert_eq!(heard(&peers, [10, 0, 7, 200]), 0, "it is of the same network");
    assert_eq!(peers.figures().admission.ignored, 1872);
    assert_eq!(heard(&peers, [10, 0, 8, 1]), 128, "this one isn't");
    // A configured peer and the node's own command line, and one in good standing.
    assert_eq!(heard(&peers, [10, 0, 0, 2]), 1000);
    assert_eq!(heard(&peers, [127, 0, 0, 1]), 1000);
    for _ in 0..2 {
        peers.note(STRANGER, &Event::Worked(Work::Proof));
    }
    let _here = peers.after_handshake(STRANGER, &slot(&peers, [10, 0, 9, 1])).unwrap();
    assert_eq!(heard(&peers, [10, 0, 9, 1]), 1000);
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(heard(&peers, [10, 0, 7, 1]), 128, "another second");
}

#[tokio::test(start_paused = true)]
async fn the_operators_word_holds_at_once_and_is_stronger_than_the_configuration() {
    let peers = peers();
    let presence = peers.after_handshake(STRANGER, &slot(&peers, [10, 0, 0, 1])).unwrap();
    peers.set_listing(STRANGER, Some(Listing::Denied));
    assert_eq!(presence.shut_out().await, Duration::from_secs(24 * 60 * 60));
    peers.set_listing(STRANGER, Some(Listing::Allowed));
    assert_eq!(peers.standing(STRANGER), Standing::Admitted(Tier::Normal));
    peers.note(STRANGER, &broke(Breach::Proof));
    assert_eq!(peers.standing(STRANGER), Standing::Admitted(Tier::Normal), "it is never banned");

    // The lists of the configuration change while it runs.
    let other = PeerId([5; 32]);
    peers.configure(ConfiguredPeers { denied: BTreeSet::from([other, STRANGER, OWN]), ..named() });
    assert_eq!(peers.standing(other), Standing::Denied);
    assert_eq!(peers.standing(STRANGER), Standing::Admitted(Tier::Normal), "what was said at run time is stronger");
    assert_eq!(peers.standing(OWN), Standing::Admitted(Tier::Normal), "nobody locks himself out");
    peers.set_listing(STRANGER, None);
    assert_eq!(peers.standing(STRANGER), Standing::Denied);
    peers.configure(named());
    assert_eq!(peers.standing(other), Standing::Admitted(Tier::Low));
    assert!(matches!(peers.standing(STRANGER), Standing::Banned { .. }));
    peers.unban(STRANGER);
    assert_eq!(peers.standing(STRANGER), Standing::Admitted(Tier::Low));
    peers.ban(STRANGER, Duration::from_secs(10));
    assert!(matches!(peers.standing(STRANGER), Standing::Banned { .. }));
    sleep(Duration::from_secs(10)).await;
    assert_eq!(peers.standing(STRANGER), Standing::Admitted(Tier::Low));

    let again = with(vec![], BTreeMap::from([(STRANGER, Listing::Denied)]));
    assert_eq!((again.standing(STRANGER), again.run_time_listing(STRANGER)), (Standing::Denied, Some(Listing::Denied)));
}

#[tokio::test(start_paused = true)]
async fn above_a_watermark_newcomers_are_refused_and_configured_peers_are_not() {
    let peers = peers();
    let tending = peers.clone();
    let memory = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let used = memory.clone();
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    tokio::spawn(async move { tending.maintain(|_| std::future::ready(()), move || used.load(relaxed)).await });
    let stranger = peers.after_handshake(STRANGER, &slot(&peers, [10, 0, 0, 1])).unwrap();
    let configured = peers.after_handshake(CONFIGURED, &slot(&peers, [10, 0, 0, 2])).unwrap();
    memory.store(Rules::default().watermarks.memory_bytes, relaxed);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(peers.load().refused(), Some(Tier::Low));
    assert_eq!(stranger.session("trace").map(drop).unwrap_err(), Duration::from_secs(5));
    assert!(configured.session("trace").is_ok());
    assert!(matches!(peers.before_handshake([10, 0, 0, 3].into(), true), Decision::Refuse));
    assert!(matches!(peers.before_handshake([10, 0, 0, 3].into(), false), Decision::Ignore));
    assert!(matches!(peers.before_handshake([10, 0, 0, 2].into(), true), Decision::Admit { .. }));
    memory.store(0, relaxed);
    sleep(Duration::from_secs(1)).await;
    assert!(stranger.session("trace").is_ok());
}
