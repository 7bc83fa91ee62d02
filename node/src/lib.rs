//! The shardwire node: it puts the roles together, gives them a network, and has the command line.
//!
//! [`run()`] is the node: from a [`config`] and a [`data`] folder until it is told to stop. Its rooms, from the outside in: the command line,
//! administration, and the network (connections, handshakes, which session goes to which role). The roles (what the node does) are crates of
//! their own over [`host`], and their records (what it has promised) are in `shardwire-store`, through which goes all that is on its disk.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod administration;
pub mod cli;
pub mod contents;
mod door;
mod forks;
mod inspect;
mod network;
mod offline;
mod programs;
pub mod proofs;
pub mod run;

pub use inspect::inspect;
pub use run::run;
pub use shardwire_client as client;
pub use shardwire_config as config;
pub use shardwire_data as data;
pub use shardwire_data::world;
pub use shardwire_host as host;
