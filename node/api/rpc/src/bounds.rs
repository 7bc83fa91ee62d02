//! The bounds of the door, each with its unit and reason.

use std::time::Duration;

/// Connections at a time, over all shards. Wallets and tools keep one or two open; further ones wait to be accepted. Each may hold a body while it
/// arrives and an answer while it leaves: with one address' share, 32 × 25 MiB at worst.
pub const MAX_CONNECTIONS: usize = 256;
/// Connections of one address that isn't this machine's.
pub const MAX_ADDRESS_CONNECTIONS: usize = 32;
/// Bytes of a request's body: a batch of the most calls, or the longest transaction three times.
pub const MAX_BODY_BYTES: usize = 1 << 20;
/// Bytes of a request's head. Browsers send a few hundred.
pub const MAX_HEAD_BYTES: usize = 16 << 10;
/// How long a request's head may take to arrive; this is also how long a connection may be idle.
pub const HEAD_DEADLINE: Duration = Duration::from_secs(30);
/// How long a request's body may take to arrive.
pub const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// How long an answer may take, the calls of a batch together: many times the longest execution.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// How long a connection lives, so that one that reads its answers slowly gives its place back.
pub const CONNECTION_DEADLINE: Duration = Duration::from_secs(120);
/// Requests that are answered at a time, over all connections: one for each connection of eight addresses.
pub const MAX_REQUESTS: usize = 256;
/// Executions at a time (calls, estimates, simulations, classes, pages of events, long answers), over all shards: they take a core each.
pub const MAX_EXECUTIONS: usize = 4;
/// Executions at a time for one address that isn't this machine's.
pub const MAX_ADDRESS_EXECUTIONS: usize = 2;
/// What an execution counts of an address' calls: it costs some hundred times what a look-up costs.
pub const EXECUTION_CALLS: u32 = 20;
/// Calls of one batch. Indexers send up to 1,024.
pub const MAX_BATCH: usize = 1_024;
/// Bytes of an answer: the receipt of a transaction with the most events and data. A call that would go beyond has an error instead.
pub const MAX_ANSWER_BYTES: usize = 24 << 20;
/// Bytes of a call's id.
pub const MAX_ID_BYTES: usize = 256;
/// Events of one page of `getEvents`.
pub const MAX_CHUNK: u64 = 1_024;
/// Felts of the events of one page: keys and data, about 70 bytes each as text. The event that goes beyond still fits.
pub const MAX_PAGE_FELTS: usize = 100_000;
/// Transactions that one page of `getEvents` looks through. A page may end early, with a token, without events.
pub const MAX_PAGE_TRANSACTIONS: u32 = 8_192;
/// Keys of a filter of events, over all places.
pub const MAX_FILTER_KEYS: usize = 1_024;
/// Addresses of a filter of events.
pub const MAX_FILTER_ADDRESSES: usize = 1_024;
/// Transactions of one estimate or simulation.
pub const MAX_SIMULATED: usize = 32;
/// Felts of an answer that is written where it is asked for, in some 0.3 ms. A longer one takes a place among the executions, and their thread.
pub const MAX_SHORT_FELTS: usize = 4_096;
/// Characters of what a contract or a library says in an error.
pub const MAX_REASON_CHARS: usize = 2_000;
/// Addresses that are counted for their own limit. Those beyond share one.
pub const MAX_ADDRESSES: usize = 16_384;
