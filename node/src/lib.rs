//! The shardwire node: settler, operator and prover roles, and what the command line needs.
//!
//! [`run()`] is the node: from a [`config`] and a [`data`] folder until it is told to stop. Its rooms, from the outside in: the
//! network (connections, handshakes, which session goes to which role), the roles (what the node does), their records
//! (what it has promised). What it has on its disk goes through `shardwire-store`.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod administration;
pub mod cli;
pub mod client;
pub mod clock;
pub mod data;
mod evidence;
pub mod facts;
mod history;
mod inspect;
mod metrics;
mod network;
mod offline;
mod peers;
pub mod proofs;
mod roles;
pub mod run;
mod signed;
pub mod surroundings;
mod tasks;
pub mod world;

pub use inspect::inspect;
pub use run::run;
pub use shardwire_config as config;
