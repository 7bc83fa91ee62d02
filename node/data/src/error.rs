//! What can be wrong with a data folder.

use crate::world::WorldFileError;
use shardwire_config::ConfigError;
use shardwire_model::Coded;
use shardwire_transport::IdentityError;
use shardwire_workload::WorkloadError;
use shardwire_world::WorldError;
use std::{io, path::PathBuf};

/// A data folder that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder can't be used.
    #[error("{path} can't be {what}: {reason}", path = path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        reason: io::Error,
    },
    /// It isn't one that `init` has made.
    #[error("{path} is no data folder: it has no shardwire.toml", path = path.display())]
    NotInitialised {
        /// The folder that was asked for.
        path: PathBuf,
    },
    /// It was one, and the configuration is gone.
    #[error("{path} is a data folder, but its shardwire.toml is gone", path = path.display())]
    NoConfig {
        /// The folder that was asked for.
        path: PathBuf,
    },
    /// Another process uses the folder.
    #[error("{path} is in use by another process{}", pid.map(|pid| format!(" ({pid})")).unwrap_or_default(), path = path.display())]
    InUse {
        /// The folder that is in use.
        path: PathBuf,
        /// The other process, if it has said so.
        pid: Option<u32>,
    },
    /// No node to talk to.
    #[error("no node is running in {path}{}", if *left_over { ": the last one was killed" } else { "" }, path = path.display())]
    NotRunning {
        /// The folder without a running node.
        path: PathBuf,
        /// Whether one has left its announcement behind.
        left_over: bool,
    },
    /// A process uses the folder, and doesn't say how it is reached.
    #[error("a process uses {path}, and there is no running.json that says how to reach it", path = path.display())]
    NotAnnounced {
        /// The folder that is in use.
        path: PathBuf,
    },
    /// The announcement can't be read.
    #[error("{path} is damaged: {reason}", path = path.display())]
    Announcement {
        /// The file of the announcement.
        path: PathBuf,
        /// What is wrong in it.
        reason: String,
    },
    /// The key can't be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl Coded for DataError {
    fn code(&self) -> &'static str {
        match self {
            Self::Disk { .. } => "SW-DATA-001",
            Self::NotInitialised { .. } => "SW-DATA-002",
            Self::InUse { .. } => "SW-DATA-003",
            Self::NotRunning { .. } => "SW-DATA-004",
            Self::Announcement { .. } => "SW-DATA-005",
            Self::NoConfig { .. } => "SW-DATA-007",
            Self::NotAnnounced { .. } => "SW-DATA-008",
            Self::Identity(error) => error.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Disk { reason, .. } if reason.kind() == io::ErrorKind::PermissionDenied => {
                "Run the command as the user that owns the folder, or let this user in.".into()
            }
            Self::NoConfig { path } => format!(
                "Restore it from a copy, or write a new one: `shardwire init --data OTHER` in another folder shows every setting. `shardwire stop --data {}` \
                 stops a node that still runs there.",
                path.display()
            ),
            Self::Disk { path, reason, .. }
                if matches!(reason.kind(), io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput) =>
            {
                format!("Move {} away: the node has a file of that name.", path.display())
            }
            Self::Disk { path, what: "written", reason } if reason.kind() == io::ErrorKind::NotADirectory => {
                format!("Move {} away: the node has a folder of that name.", path.display())
            }
            Self::Disk { reason, .. } if reason.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                "Mount the disk so that it can be written, or use a copy of the folder on another one.".into()
            }
            Self::Disk { reason, .. }
                if matches!(reason.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists) =>
            {
                "Name a folder: something else is there, or a link that leads nowhere.".into()
            }
            Self::Disk { .. } => {
                "Check that the folder is on a disk with room and that this user may write there.".into()
            }
            Self::NotInitialised { path } => {
                format!("Create it with `shardwire init --data {} --role ROLE`, or correct --data.", path.display())
            }
            Self::InUse { .. } => {
                "One process uses a data folder at a time: stop the other one, or use another folder.".into()
            }
            Self::NotRunning { path, .. } => format!("Start it with `shardwire run --data {}`.", path.display()),
            Self::NotAnnounced { .. } => {
                "Try again in a moment, if the node has just been started. If somebody removed the file, end the node by a signal (SIGTERM) and start it again.".into()
            }
            Self::Announcement { .. } => "Stop the node and start it again: it writes the file anew.".into(),
            Self::Identity(error) => error.next_step(),
        }
    }
}

/// A data folder that can't be made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The folder is a data folder already.
    #[error("{path} is a data folder already", path = path.display())]
    Exists {
        /// The folder that is one already.
        path: PathBuf,
    },
    /// The folder has something else in it.
    #[error("{path} isn't empty: it has {found}", path = path.display())]
    Foreign {
        /// The folder that isn't empty.
        path: PathBuf,
        /// The name of something in it.
        found: String,
    },
    /// A settler needs a World.
    #[error("a settler keeps a World, and no file says what that begins with")]
    NoWorld,
    /// Only a settler has a World.
    #[error("--world is for the role settler, which this node doesn't have")]
    WorldUnused,
    /// The folder can't be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A value for the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file with the World's beginning can't be used.
    #[error(transparent)]
    World(#[from] WorkloadError),
    /// The World can't be made or opened.
    #[error(transparent)]
    Ledger(#[from] WorldError),
    /// The World that it was to join.
    #[error(transparent)]
    Join(#[from] WorldFileError),
}

impl InitError {
    /// Whether the command line itself is what is wrong.
    #[must_use]
    pub fn is_misuse(&self) -> bool {
        match self {
            Self::NoWorld | Self::WorldUnused => true,
            Self::Config(error) => error.is_misuse(),
            _ => false,
        }
    }
}

impl Coded for InitError {
    fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "SW-INIT-001",
            Self::Foreign { .. } => "SW-INIT-002",
            Self::NoWorld => "SW-INIT-003",
            Self::WorldUnused => "SW-INIT-004",
            Self::Data(error) => error.code(),
            Self::Config(error) => error.code(),
            Self::World(error) => error.code(),
            Self::Ledger(error) => error.code(),
            Self::Join(error) => error.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Exists { path } => {
                format!("Use it: `shardwire run --data {}`; or choose another folder. Nothing was changed.", path.display())
            }
            Self::Foreign { .. } => {
                "Choose a new or an empty folder; if this is the rest of an interrupted `shardwire init`, remove it first.".into()
            }
            Self::NoWorld => "Add --world FILE: a workload file, or one with its `world` part only.".into(),
            Self::WorldUnused => "Remove --world, or add --role settler.".into(),
            Self::Data(error) => error.next_step(),
            Self::Config(error) => error.next_step(),
            Self::World(error) => error.next_step(),
            Self::Ledger(error) => error.next_step(),
            Self::Join(error) => error.next_step(),
        }
    }
}
