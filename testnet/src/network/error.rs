//! What can go wrong with three processes.

use shardwire_model::{Coded, Role};
use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

/// The network doesn't run.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The data folder holds something.
    #[error("the folder {} is not empty", .0.display())]
    Occupied(PathBuf),
    /// A folder or file can't be made.
    #[error("{}: {reason}", path.display())]
    Folder {
        /// The folder's path.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// The node's program can't be started.
    #[error("the {role} can't be started: {reason}")]
    Spawn {
        /// The role of the node.
        role: Role,
        /// The system's reason.
        reason: io::Error,
    },
    /// `shardwire init` failed.
    #[error("the {role}'s data folder can't be made: {output}")]
    Init {
        /// The role of the node.
        role: Role,
        /// What it wrote to standard error.
        output: String,
    },
    /// It doesn't come up.
    #[error("the {role} doesn't listen {} s after its start", within.as_secs())]
    Silent {
        /// The role of the node.
        role: Role,
        /// How long it had.
        within: Duration,
        /// Where it logs.
        log: PathBuf,
    },
    /// It has ended.
    #[error("the {role} has ended ({status}){}{output}", if output.is_empty() { "" } else { ":\n" })]
    Ended {
        /// The role of the node.
        role: Role,
        /// How the process ended.
        status: ExitStatus,
        /// The end of its log.
        output: String,
        /// Where it logs.
        log: PathBuf,
    },
}

impl Coded for NetworkError {
    fn code(&self) -> &'static str {
        match self {
            Self::Occupied(_) => "SW-TESTNET-001",
            Self::Folder { .. } => "SW-TESTNET-002",
            Self::Spawn { .. } => "SW-TESTNET-003",
            Self::Init { .. } => "SW-TESTNET-004",
            Self::Silent { .. } => "SW-TESTNET-005",
            Self::Ended { .. } => "SW-TESTNET-006",
        }
    }
    fn next_step(&self) -> String {
        match self {
            Self::Occupied(_) => "Choose a new or an empty folder with --data.".into(),
            Self::Folder { .. } => "Check the path, its permissions and the free space.".into(),
            Self::Spawn { .. } | Self::Init { .. } => "Build it again: `cargo build --release`.".into(),
            Self::Silent { log, .. } | Self::Ended { log, .. } => format!("Read its log: {}.", log.display()),
        }
    }
}
