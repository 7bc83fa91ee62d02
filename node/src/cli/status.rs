//! `shardwire status`.

use super::{
    failure::Failure,
    node::ask,
    output::{Answer, columns, plain},
    shard,
};
use serde::Serialize;
use shardwire_host::clock::SystemClock;
use shardwire_model::{Clock as _, Timestamp};
use shardwire_protocols::administration::{Client, NodeStatus, Overview, PeerStatus};
use std::path::PathBuf;

/// What is asked of a node about itself.
#[derive(Serialize)]
struct Status {
    #[serde(flatten)]
    node: NodeStatus,
    /// Whether it takes work of everybody.
    ready: bool,
    /// How loaded it is, and what it did with whom.
    load: Overview,
}

pub(super) async fn status(root: Option<PathBuf>) -> Result<Answer, Failure> {
    let asked = async |client: &mut Client| Ok((client.status().await?, client.overview().await?));
    let (node, load) = ask(root, asked).await?;
    let status = Status { node, ready: load.ready, load };
    Ok(Answer::new(describe(&status, SystemClock.now()), &status))
}

fn describe(Status { node: status, load, .. }: &Status, now: Timestamp) -> String {
    let roles: Vec<String> = status.roles.iter().map(ToString::to_string).collect();
    let mut rows = vec![
        ["id".to_owned(), status.peer.to_string()],
        ["network".to_owned(), status.network.clone()],
        ["roles".to_owned(), roles.join(", ")],
        ["listens on".to_owned(), status.listen.clone()],
        ["runs".to_owned(), format!("{}, for {} s", status.agent, now.since(status.since).as_secs())],
    ];
    rows.push(["ready".to_owned(), readiness(load)]);
    let mut parts = vec![columns(&rows), peers(&status.peers), shard::list(&status.shards)];
    if status.more_shards > 0 {
        parts.push(format!("and {} older shards", status.more_shards));
    }
    parts.join("\n\n")
}

/// Whether a node takes work of everybody, and if not, of whom it doesn't and why.
fn readiness(load: &Overview) -> String {
    let Some(tier) = load.refused_tier else { return "yes".to_owned() };
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
    format!("no, peers up to tier {tier} are refused: {}", over.join("; "))
}

fn peers(peers: &[PeerStatus]) -> String {
    if peers.is_empty() {
        return "no peers".to_owned();
    }
    let head = ["peer", "address", "roles", "state", "round trip"].map(ToOwned::to_owned);
    let rows = peers.iter().map(|peer| {
        [
            peer.peer.short(),
            if peer.addr.is_empty() { "-".to_owned() } else { plain(&peer.addr) },
            if peer.roles.is_empty() { "-".to_owned() } else { peer.roles.join(", ") },
            if peer.connected { "connected" } else { "not connected" }.to_owned(),
            peer.round_trip_us.map_or_else(|| "-".to_owned(), |us| format!("{us} µs")),
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
    use shardwire_model::{Cause, PeerId, Role};
    use shardwire_protocols::administration::Counts;
    use shardwire_reputation::Tier;

    fn overview() -> Overview {
        let counts = Counts::default();
        Overview {
            ready: true,
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
        assert_eq!(readiness(&overview()), "yes");
        let loaded = Overview {
            ready: false,
            refused_tier: Some(Tier::Normal),
            queue_depth: 1600,
            loop_delay_us: 300_000,
            memory_bytes: 5 << 30,
            ..overview()
        };
        assert_eq!(
            readiness(&loaded),
            "no, peers up to tier normal are refused: 1600 handshakes and requests wait, of 1024; timers are 300 ms late, of 250; 5120 \
             MiB of memory in use, of 4096"
        );
    }

    #[test]
    fn a_node_is_described() {
        let peer = PeerStatus {
            peer: PeerId([0x22; 32]),
            addr: "127.0.0.1:7001".into(),
            roles: vec!["operator".into()],
            connected: true,
            round_trip_us: Some(120),
            skew_ms: None,
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
        let node = NodeStatus {
            peer: PeerId([0x11; 32]),
            network: "local".into(),
            roles: vec![Role::Settler, Role::Prover],
            listen: "127.0.0.1:7000".into(),
            agent: "shardwire/0.1.0".into(),
            since: Timestamp(1_000),
            peers: vec![peer, waiting],
            shards: Vec::new(),
            more_shards: 2,
        };
        let status = Status { node, ready: true, load: overview() };
        assert_eq!(
            describe(&status, Timestamp(61_000)),
            "id          1111111111111111111111111111111111111111111111111111111111111111\n\
             network     local\n\
             roles       settler, prover\n\
             listens on  127.0.0.1:7000\n\
             runs        shardwire/0.1.0, for 60 s\n\
             ready       yes\n\n\
             peer        address         roles     state          round trip\n\
             2222222222  127.0.0.1:7001  operator  connected      120 µs\n\
             3333333333  -               -         not connected  -\n\
             3333333333: another node has this node's key (SW-NETWORK-001)\n\n\
             no shards\n\n\
             and 2 older shards"
        );
    }
}
