//! `shardwire status`.

use super::{
    failure::Failure,
    output::{Answer, columns, plain},
    shard,
};
use crate::{client::ControlClient, clock::SystemClock, surroundings::Surroundings};
use shardwire_model::{Clock as _, Timestamp};
use shardwire_protocols::control::{NodeStatus, PeerStatus};
use std::path::PathBuf;

/// The node that runs in a data folder.
pub(super) async fn connect(root: Option<PathBuf>) -> Result<ControlClient, Failure> {
    let root = root.ok_or_else(Failure::no_data)?;
    Ok(ControlClient::connect(&root, &Surroundings::system()).await?)
}

pub(super) async fn status(root: Option<PathBuf>) -> Result<Answer, Failure> {
    let mut client = connect(root).await?;
    let status = client.status().await;
    client.close().await;
    let status = status?;
    Ok(Answer::new(describe(&status, SystemClock.now()), &status))
}

fn describe(status: &NodeStatus, now: Timestamp) -> String {
    let roles: Vec<String> = status.roles.iter().map(ToString::to_string).collect();
    let rows = [
        ["id".to_owned(), status.peer.to_string()],
        ["network".to_owned(), status.network.clone()],
        ["roles".to_owned(), roles.join(", ")],
        ["listens on".to_owned(), status.listen.clone()],
        ["runs".to_owned(), format!("{}, for {} s", status.agent, now.since(status.since).as_secs())],
    ];
    let mut parts = vec![columns(&rows), peers(&status.peers), shard::list(&status.shards)];
    if status.more_shards > 0 {
        parts.push(format!("and {} older shards", status.more_shards));
    }
    parts.join("\n\n")
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
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::PeerId;
    use shardwire_protocols::control::Role;

    #[test]
    fn a_node_is_described() {
        let peer = PeerStatus {
            peer: PeerId([0x22; 32]),
            addr: "127.0.0.1:7001".into(),
            roles: vec!["operator".into()],
            connected: true,
            round_trip_us: Some(120),
            skew_ms: None,
        };
        let waiting = PeerStatus {
            peer: PeerId([0x33; 32]),
            addr: String::new(),
            roles: Vec::new(),
            connected: false,
            round_trip_us: None,
            skew_ms: None,
        };
        let status = NodeStatus {
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
        assert_eq!(
            describe(&status, Timestamp(61_000)),
            "id          1111111111111111111111111111111111111111111111111111111111111111\n\
             network     local\n\
             roles       settler, prover\n\
             listens on  127.0.0.1:7000\n\
             runs        shardwire/0.1.0, for 60 s\n\n\
             peer        address         roles     state          round trip\n\
             2222222222  127.0.0.1:7001  operator  connected      120 µs\n\
             3333333333  -               -         not connected  -\n\n\
             no shards\n\n\
             and 2 older shards"
        );
    }
}
