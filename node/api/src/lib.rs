//! What a node says to others than peers. Today metrics and readiness, for those who watch it: two pages over plain HTTP, off unless `metrics.listen` is set.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics` | what the rooms of this node have registered ([`Telemetry`](shardwire_telemetry::Telemetry)), as OpenMetrics text |
//! | `/ready` | 200 if every [condition](shardwire_telemetry::Telemetry::condition) is met that the rooms have registered, else 503 and a line for each that isn't: its name, why, a code |
//!
//! Nothing can be changed here, and nothing is said of single peers. Refused: other methods than GET, other paths, a request whose head is longer than
//! [`MAX_REQUEST_BYTES`] or that is slower than [`DEADLINE`]. Bound: [`MAX_CONNECTIONS`] at a time; further ones wait to be accepted.
//!
//! The door for wallets is a crate of its own (`rpc/`), and so is the loop that accepts both's connections (`listener/`). This is no part of a node in simulation: `run` of the `shardwire` crate opens it beside the node.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod metrics;

pub use metrics::{DEADLINE, MAX_CONNECTIONS, MAX_REQUEST_BYTES, Metrics, MetricsError};
