//! The door from outside: over HTTP, by hand and by clients that others wrote.

mod client;
mod hostile;
mod indexer;
mod methods;
mod player;
mod starknet_js;
mod starknet_rust;
mod toy;

use shardwire_model::{Felt, ShardId};
use shardwire_rpc::{Chain, Door, Settings, Shards};
use std::{net::SocketAddr, sync::Arc};

/// The shards of a node.
struct Node(Vec<Arc<dyn Chain>>);

impl Shards for Node {
    fn shard(&self, id: ShardId) -> Option<Arc<dyn Chain>> {
        self.0.iter().find(|chain| chain.journal().origin().shard == id).cloned()
    }

    fn ids(&self) -> Vec<ShardId> {
        self.0.iter().map(|chain| chain.journal().origin().shard).collect()
    }
}

/// A door on a free port, with these shards behind it, for as long as the test's runtime lives.
async fn opened(shards: Vec<Arc<dyn Chain>>) -> SocketAddr {
    let door = Door::open(Settings::recommended()).await.unwrap();
    let address = door.address();
    tokio::spawn(door.serve(Arc::new(Node(shards))));
    address
}

/// What a client that others wrote plays: three players with accounts, who send each other gold; the first ends it.
struct Game {
    chain: Arc<dyn Chain>,
    players: Vec<player::Player>,
    /// The contract with the gold: `transfer`, `balance_of`.
    token: Felt,
    /// The contract with `finish`.
    finisher: Felt,
    /// What each player has at first.
    funds: u64,
}

impl Game {
    /// One that a test executes by itself.
    fn toy() -> Self {
        let (toy, players) = player::shard(7, 3);
        Self { chain: toy, players, token: toy::TOKEN.into(), finisher: toy::TOKEN.into(), funds: toy::FUNDS }
    }
}
