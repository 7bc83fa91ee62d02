//! Who is told what enters a shard, because it shows the shard to others: the door for wallets.
//!
//! A watcher is told of each transaction once it is in the log, in the log's order, and when a node starts again of the whole log anew. It holds up what
//! comes next, so it only notes.

use shardwire_model::{Felt, Logged, ShardStart};
use shardwire_program::Change;
use shardwire_protocols::ingress::Receipt;
use std::fmt;

/// Makes the watchers of an operator's shards.
pub trait Watch: Send + Sync + fmt::Debug {
    /// A shard before its first transaction; none if there is nothing to show of it. May take its time.
    fn shard(&self, start: &ShardStart, values: &[Felt]) -> Option<Box<dyn Watcher>>;
}

/// Is told what enters a shard.
pub trait Watcher: Send + Sync + fmt::Debug {
    /// This transaction is in the log, and made this change. The receipt is the one that its account was given.
    fn logged(&self, logged: &Logged, change: &Change, receipt: Receipt);
}
