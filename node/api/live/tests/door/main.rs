//! The door from outside: over HTTP, by hand and by clients that others wrote.

mod client;
mod dungeon;
mod fork;
mod hostile;
mod indexer;
mod methods;
mod player;
mod sessions;
mod starknet_js;
mod starknet_rust;

use shardwire_model::ShardId;
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
