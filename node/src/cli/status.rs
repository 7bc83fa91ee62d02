//! `shardwire status`.

use super::{
    failure::Failure,
    node::ask,
    output::{Answer, columns, plain},
    shard,
};
use crate::{administration::RECORDS, data::DataPaths};
use serde::Serialize;
use shardwire_model::{Address, Trust};
use shardwire_protocols::{
    administration::{Client, ClockStatus, NodeStatus, Overview, PeerStatus},
    handshake::SKEW_NOTICED,
};
use std::path::PathBuf;

/// The condition whose figures `load` has.
const LOAD: &str = "load";

/// What is asked of a node about itself.
#[derive(Serialize)]
struct Status {
    #[serde(flatten)]
    node: NodeStatus,
    /// Whether it can do its work, of everybody: `unmet` says what it can't.
    ready: bool,
    /// What others dial, if that isn't where it listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    advertise: Option<Address>,
    /// How loaded it is, and what it did with whom.
    load: Overview,
}

pub(super) async fn status(root: Option<PathBuf>) -> Result<Answer, Failure> {
    let asked = async |client: &mut Client| Ok((client.status().await?, client.overview().await?));
    let (node, load) = ask(root.clone(), asked).await?;
    let running = DataPaths::of_running(&root.ok_or_else(Failure::no_data)?);
    let advertise = running.ok().and_then(|(_, running)| running.advertise);
    let status = Status { ready: node.unmet.is_empty(), node, advertise, load };
    Ok(Answer::new(describe(&status), &status))
}

fn describe(Status { node: status, advertise, load, .. }: &Status) -> String {
    let roles: Vec<String> = status.roles.iter().map(ToString::to_string).collect();
    let mut rows = vec![
        ["id".to_owned(), status.peer.to_string()],
        ["network".to_owned(), status.network.clone()],
        ["roles".to_owned(), roles.join(", ")],
        ["listens on".to_owned(), status.listen.clone()],
        ["runs".to_owned(), format!("{}, for {} s", status.agent, status.clock.now.since(status.since).as_secs())],
    ];
    if let Some(address) = advertise {
        rows.push(["dialled at".to_owned(), address.to_string()]);
    }
    rows.push(["clock".to_owned(), clock(&status.clock)]);
    rows.push(["ready".to_owned(), if status.unmet.is_empty() { "yes" } else { "no" }.to_owned()]);
    let mut parts = vec![columns(&rows)];
    if !status.unmet.is_empty() {
        parts.push(unmet(status, load));
    }
    parts.push(peers(&status.peers));
    // Where the records couldn't be read, that there are none isn't known.
    if !status.shards.is_empty() || status.unmet.iter().all(|unmet| unmet.condition != RECORDS) {
        parts.push(shard::list(&status.shards));
    }
    if status.more_shards > 0 {
        parts.push(format!("and {} older shards", status.more_shards));
    }
    parts.join("\n\n")
}

/// A difference of two clocks, for a person: the other one's from here.
fn apart(ahead_ms: i64) -> String {
    let seconds = ahead_ms.unsigned_abs() / 1000;
    format!("{seconds} s {}", if ahead_ms < 0 { "behind" } else { "ahead" })
}

/// Whether a node's date is right, as far as it knows.
fn clock(clock: &ClockStatus) -> String {
    let ClockStatus { trust, agree, apart: differ, .. } = clock;
    let peers = |count: u32| format!("{count} {}", if count == 1 { "peer" } else { "peers" });
    let trust = match trust {
        Trust::Confirmed if *agree == 0 => "nobody could be asked whether it is right".to_owned(),
        Trust::Confirmed => format!("right by the clocks of {}", peers(*agree)),
        Trust::Unconfirmed => "no peer was asked yet whether it is right".to_owned(),
        Trust::Contradicted => format!(
            "wrong by the clocks of {} of {}: no shard is started, and none that was taken up ends by its deadline; set the system's clock",
            peers(*differ),
            agree.saturating_add(*differ)
        ),
    };
    match clock.jumped_ms {
        None => trust,
        Some(ahead) => format!("{trust}; the system's clock has jumped, is {} and not believed", apart(ahead)),
    }
}

/// What a node isn't ready for, why, and what a person can do.
fn unmet(status: &NodeStatus, load: &Overview) -> String {
    let lines = status.unmet.iter().map(|unmet| {
        let over = if unmet.condition == LOAD { over(load) } else { String::new() };
        let [condition, cause, next] =
            [&unmet.condition, &unmet.cause.to_string(), &unmet.next_step].map(|it| plain(it));
        format!("not ready: {condition}: {cause}{over}. {next}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// By how much a node is loaded beyond its watermarks.
fn over(load: &Overview) -> String {
    let mut over = Vec::new();
    if load.queue_depth >= load.queue_watermark {
        over.push(format!("{} handshakes and requests wait, of {}", load.queue_depth, load.queue_watermark));
    }
    if load.loop_delay_us >= load.loop_watermark_us {
        let ms = |us: u64| us / 1000;
        over.push(format!("timers are {} ms late, of {}", ms(load.loop_delay_us), ms(load.loop_watermark_us)));
    }
    if load.memory_bytes >= load.memory_watermark_bytes {
        let mib = |bytes: u64| bytes >> 20;
        over.push(format!("{} MiB of memory in use, of {}", mib(load.memory_bytes), mib(load.memory_watermark_bytes)));
    }
    if over.is_empty() { String::new() } else { format!(": {}", over.join("; ")) }
}

fn peers(peers: &[PeerStatus]) -> String {
    if peers.is_empty() {
        return "no peers".to_owned();
    }
    let head = ["peer", "address", "roles", "state", "round trip", "clock"].map(ToOwned::to_owned);
    let noticed = |skew: &i64| u128::from(skew.unsigned_abs()) >= SKEW_NOTICED.as_millis();
    let rows = peers.iter().map(|peer| {
        [
            peer.peer.short(),
            if peer.addr.is_empty() { "-".to_owned() } else { plain(&peer.addr) },
            if peer.roles.is_empty() { "-".to_owned() } else { peer.roles.join(", ") },
            if peer.connected { "connected" } else { "not connected" }.to_owned(),
            peer.round_trip_us.map_or_else(|| "-".to_owned(), |us| format!("{us} µs")),
            peer.skew_ms.filter(noticed).map_or_else(|| "-".to_owned(), apart),
        ]
    });
    let table = columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    let troubles = peers.iter().filter_map(|peer| Some((peer, peer.trouble.as_ref()?)));
    let troubles = troubles.map(|(peer, trouble)| format!("\n{}: {}", peer.peer.short(), plain(&trouble.to_string())));
    std::iter::once(table).chain(troubles).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::{Cause, PeerId, Role, Timestamp};
    use shardwire_protocols::administration::{Counts, Unmet};
    use shardwire_reputation::Tier;

    fn overview() -> Overview {
        let counts = Counts::default();
        Overview {
            refused_tier: None,
            queue_depth: 3,
            queue_watermark: 1024,
            loop_delay_us: 10,
            loop_watermark_us: 250_000,
            memory_bytes: 64 << 20,
            memory_watermark_bytes: 4 << 30,
            connections: 2,
            reserved: 0,
            low: counts,
            normal: counts,
            high: counts,
            admitted: 2,
            retried: 0,
            refused: 0,
            ignored: 0,
            turned_away: 0,
        }
    }

    #[test]
    fn a_node_that_is_not_ready_says_for_whom_and_why() {
        let loaded = Overview {
            refused_tier: Some(Tier::Normal),
            queue_depth: 1600,
            loop_delay_us: 300_000,
            memory_bytes: 5 << 30,
            ..overview()
        };
        let mut status = node();
        status.unmet = vec![
            Unmet::new("disk", "SW-DISK-001", "the disk is full", "Free some."),
            Unmet::new("load", "SW-PEERS-001", "peers up to tier normal are refused", "Wait."),
        ];
        let described = describe(&Status { node: status, ready: false, advertise: None, load: loaded });
        let lines: Vec<&str> = described.lines().filter(|line| line.contains("ready")).collect();
        assert_eq!(
            lines,
            [
                "ready       no",
                "not ready: disk: the disk is full (SW-DISK-001). Free some.",
                "not ready: load: peers up to tier normal are refused (SW-PEERS-001): 1600 handshakes and requests wait, of 1024; timers \
                 are 300 ms late, of 250; 5120 MiB of memory in use, of 4096. Wait.",
            ]
        );
    }

    #[test]
    fn a_node_says_whether_its_date_is_right() {
        let status =
            |trust, agree, apart, jumped_ms| clock(&ClockStatus { now: Timestamp(0), jumped_ms, trust, agree, apart });
        assert_eq!(status(Trust::Confirmed, 2, 1, None), "right by the clocks of 2 peers");
        assert_eq!(status(Trust::Confirmed, 0, 0, None), "nobody could be asked whether it is right");
        assert_eq!(status(Trust::Unconfirmed, 0, 0, None), "no peer was asked yet whether it is right");
        assert_eq!(
            status(Trust::Contradicted, 1, 2, None),
            "wrong by the clocks of 2 peers of 3: no shard is started, and none that was taken up ends by its deadline; set the system's clock"
        );
        assert_eq!(
            status(Trust::Confirmed, 1, 0, Some(-172_800_000)),
            "right by the clocks of 1 peer; the system's clock has jumped, is 172800 s behind and not believed"
        );
    }

    fn node() -> NodeStatus {
        let peer = PeerStatus {
            peer: PeerId([0x22; 32]),
            addr: "127.0.0.1:7001".into(),
            roles: vec!["operator".into()],
            connected: true,
            round_trip_us: Some(120),
            skew_ms: Some(-4_999),
            trouble: None,
        };
        let waiting = PeerStatus {
            peer: PeerId([0x33; 32]),
            addr: String::new(),
            roles: Vec::new(),
            connected: false,
            round_trip_us: None,
            skew_ms: None,
            trouble: Some(Cause::new("SW-NETWORK-001", "another node has this node's key")),
        };
        NodeStatus {
            peer: PeerId([0x11; 32]),
            network: "local".into(),
            roles: vec![Role::Settler, Role::Prover],
            listen: "127.0.0.1:7000".into(),
            agent: "shardwire/0.1.0".into(),
            since: Timestamp(1_000),
            clock: ClockStatus { now: Timestamp(61_000), agree: 1, ..ClockStatus::default() },
            unmet: Vec::new(),
            peers: vec![peer, waiting],
            shards: Vec::new(),
            more_shards: 2,
        }
    }

    #[test]
    fn a_node_is_described() {
        let mut status =
            Status { node: node(), ready: true, advertise: Some("settler:7000".parse().unwrap()), load: overview() };
        assert_eq!(
            describe(&status),
            "id          1111111111111111111111111111111111111111111111111111111111111111\n\
             network     local\n\
             roles       settler, prover\n\
             listens on  127.0.0.1:7000\n\
             runs        shardwire/0.1.0, for 60 s\n\
             dialled at  settler:7000\n\
             clock       right by the clocks of 1 peer\n\
             ready       yes\n\n\
             peer        address         roles     state          round trip  clock\n\
             2222222222  127.0.0.1:7001  operator  connected      120 µs      -\n\
             3333333333  -               -         not connected  -           -\n\
             3333333333: another node has this node's key (SW-NETWORK-001)\n\n\
             no shards\n\n\
             and 2 older shards"
        );
        let told = Unmet::new(RECORDS, "SW-STORE-006", "node.redb can't be read or written", "Check the disk.");
        let unread = Status {
            ready: false,
            node: NodeStatus { unmet: vec![told], ..node() },
            advertise: None,
            load: overview(),
        };
        let described = describe(&unread);
        assert!(
            described
                .contains("\nnot ready: records: node.redb can't be read or written (SW-STORE-006). Check the disk.\n")
        );
        assert!(!described.contains("no shards"), "nobody knows: {described}");
        status.node.peers[0].skew_ms = Some(-5_000);
        assert!(describe(&status).contains("120 µs      5 s behind"));
    }
}
