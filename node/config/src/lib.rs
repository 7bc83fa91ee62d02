//! The node's configuration: flags over environment over `shardwire.toml` over defaults.
//!
//! [`Config::load`] reads the sources and checks each value where all of them meet, so that an error says which value is
//! bad *and where it stands*: a line of the file, an environment variable or a flag. [`Config::check`] then refuses what
//! contradicts the data folder. A list that a stronger source gives replaces a weaker one's.
//!
//! Refused: an unknown setting in the file (with the one probably meant), no role, a peer that is the node itself, a peer
//! or an address given twice, a limit of zero, a settler without a ledger. Not refused but [warned of](Config::warnings): a
//! listener that is reachable from elsewhere, and an unknown `SHARDWIRE_…` variable.
//!
//! Bounds: [`MAX_PEERS`], [`MAX_ADMINS`], [`MAX_LISTED`], [`MAX_QUOTAS`], [`MAX_FORK_NODES`], a file of 256 KiB.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod config;
mod error;
mod file;
mod load;
mod origin;
mod setting;
mod source;
#[cfg(test)]
mod tests;
mod value;

pub use config::{
    Config, DEFAULT_NETWORK, DEFAULT_PROOF_MEMORY_BYTES, DEFAULT_SHARD_TIMEOUT, DEFAULT_WORKER_DEADLINE,
    DEFAULT_WORKER_MEMORY_BYTES, FolderContents, Log, MAX_ADMINS, MAX_FORK_NODES, MAX_LISTED, MAX_NETWORK_BYTES,
    MAX_PEERS, MAX_QUOTAS, Operator, Reputation, Settler, Warning, Worker,
};
pub use error::ConfigError;
pub use origin::Origin;
pub use setting::Setting;
pub use shardwire_model::Role;
pub use shardwire_transport::Profile;
pub use source::{Environment, Flags};
pub use value::{ForkNode, LogFormat, MAX_URL_BYTES, ParseValueError, Peer};
