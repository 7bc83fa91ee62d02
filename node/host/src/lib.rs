//! What every role of a node needs, and how a role joins a node.
//!
//! - [`Platform`]: what comes from outside: the date, the network, the disk, threads, randomness, telemetry.
//! - [`Host`]: what the roles of one node share: identity, World, clock, durable memory, [peers](peers), [tasks](Tasks).
//! - [`clock`]: what date the node believes it is, whatever the system's clock is set to; [`dated`]: what may be decided by it.
//! - [`Services`]: which protocols a role serves and which it consumes, a line each. The node's network runs what stands there.
//! - [`disk_health`]: whether the disk can be used, as a condition for the node to be ready.
//! - [`history`], [`evidence`], [`signed`]: what a role has signed of the lives of shards, and what it can prove against peers, in its store.
//!
//! Refused: a step of a life that can't follow, evidence beyond its bounds, a protocol that nobody serves. The bounds stand where they are
//! kept; nothing here waits for a peer. It knows no role, no virtual machine and no command line.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod changes;
pub mod clock;
pub mod dated;
pub mod disk_health;
pub mod events;
pub mod evidence;
pub mod history;
mod host;
pub mod names;
pub mod peers;
pub mod platform;
pub mod services;
pub mod signed;
mod tasks;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod turns;

pub use changes::{Changes, ChangesOf};
pub use host::Host;
pub use platform::{Platform, Randomness};
pub use services::Services;
pub use tasks::{Spawner, Tasks};
pub use turns::{Turn, Turns};
