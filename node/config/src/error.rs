//! What can be wrong with a configuration.

use super::{origin::Origin, setting::Setting};
use shardwire_files::text::NotText;
use shardwire_model::{Coded, PeerId};
use std::path::PathBuf;

/// Longest part of a bad value that is repeated in an error.
const MAX_SHOWN_CHARS: usize = 80;

/// A configuration that can't be read, or that contradicts itself.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read {path}: {reason}", path = path.display())]
    Unreadable {
        /// The file's path.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The file is too large to be one.
    #[error("{path} is larger than {max} bytes", path = path.display())]
    FileSize {
        /// The file's path.
        path: PathBuf,
        /// Largest size, in bytes.
        max: u64,
    },
    /// The file isn't text in UTF-8.
    #[error("{path}: {reason}", path = path.display())]
    NotText {
        /// The file's path.
        path: PathBuf,
        /// What it is.
        reason: NotText,
    },
    /// An environment variable isn't text.
    #[error("environment variable {name} isn't text in UTF-8")]
    VariableNotText {
        /// The variable's name.
        name: &'static str,
    },
    /// The file is no TOML.
    #[error("{path}, line {line}: {message}", path = path.display())]
    Syntax {
        /// The file's path.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// The file names a setting that doesn't exist.
    #[error("{origin}: there is no setting '{name}'")]
    Unknown {
        /// Where the value came from: the file, the environment or a flag.
        origin: Origin,
        /// What it says.
        name: String,
        /// What it probably meant.
        hint: Option<&'static str>,
    },
    /// A value that the setting doesn't take.
    #[error("{setting} ({origin}): '{value}' is not {expects}", expects = setting.names().expects)]
    Value {
        /// The setting.
        setting: Setting,
        /// Where the value came from: the file, the environment or a flag.
        origin: Origin,
        /// The beginning of what it says.
        value: String,
    },
    /// Nothing to do.
    #[error("this node has no role")]
    NoRole,
    /// The node would connect to itself.
    #[error("peers ({origin}): {peer} is this node itself")]
    Oneself {
        /// Its id.
        peer: PeerId,
        /// Where the value came from: the file, the environment or a flag.
        origin: Origin,
    },
    /// A value that must not be there twice.
    #[error("{setting} ({origin}): {value} is there twice")]
    Twice {
        /// The setting.
        setting: Setting,
        /// The value.
        value: String,
        /// Where the second one is.
        origin: Origin,
    },
    /// A settler needs the World.
    #[error("the role settler needs a World, and {path} doesn't exist", path = path.display())]
    NoLedger {
        /// Where it would be.
        path: PathBuf,
    },
    /// A limit under which nothing can run.
    #[error("{setting} ({origin}) is zero")]
    Zero {
        /// The setting.
        setting: Setting,
        /// Where the value came from: the file, the environment or a flag.
        origin: Origin,
    },
    /// A list longer than its bound.
    #[error("{setting} ({origin}): {got} given, at most {max} allowed")]
    TooMany {
        /// The setting.
        setting: Setting,
        /// Where the value came from: the file, the environment or a flag.
        origin: Origin,
        /// How many there are.
        got: usize,
        /// How many there may be.
        max: usize,
    },
}

impl ConfigError {
    pub(super) fn value(setting: Setting, origin: Origin, value: impl Into<String>) -> Self {
        let value = setting.shown(&value.into()).chars().take(MAX_SHOWN_CHARS).collect();
        Self::Value { setting, origin, value }
    }

    /// Whether the command line itself is what is wrong.
    #[must_use]
    pub fn is_misuse(&self) -> bool {
        match self {
            Self::Value { origin, .. }
            | Self::Oneself { origin, .. }
            | Self::Twice { origin, .. }
            | Self::Zero { origin, .. }
            | Self::TooMany { origin, .. } => matches!(origin, Origin::Flag(_)),
            _ => false,
        }
    }
}

impl Coded for ConfigError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "SW-CONFIG-001",
            Self::Syntax { .. } => "SW-CONFIG-002",
            Self::Unknown { .. } => "SW-CONFIG-003",
            Self::Value { .. } => "SW-CONFIG-004",
            Self::NoRole => "SW-CONFIG-005",
            Self::Oneself { .. } => "SW-CONFIG-006",
            Self::Twice { .. } => "SW-CONFIG-007",
            Self::NoLedger { .. } => "SW-CONFIG-008",
            Self::Zero { .. } => "SW-CONFIG-009",
            Self::TooMany { .. } => "SW-CONFIG-010",
            Self::FileSize { .. } => "SW-CONFIG-011",
            Self::NotText { .. } => "SW-CONFIG-012",
            Self::VariableNotText { .. } => "SW-CONFIG-013",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Unreadable { reason, .. } if reason.kind() == std::io::ErrorKind::NotFound => {
                "Create the data folder with `shardwire init --data DIR`, or correct --data.".into()
            }
            Self::Unreadable { reason, .. } if reason.kind() == std::io::ErrorKind::InvalidInput => {
                "Put a file in its place.".into()
            }
            Self::Unreadable { .. } => "Make the file readable for the user that runs the node.".into(),
            Self::Syntax { .. } => "Correct the line; `shardwire init` writes a file with every setting in it.".into(),
            Self::Unknown { hint: Some(hint), .. } => format!("Did you mean '{hint}'?"),
            Self::Unknown { hint: None, .. } => {
                let keys: Vec<&str> = Setting::ALL.iter().map(|it| it.key()).collect();
                format!("Remove it. The settings are {}.", keys.join(", "))
            }
            Self::NotText { .. } => "Save it as UTF-8 in an editor.".into(),
            Self::VariableNotText { .. } => "Correct the variable, or give the value in shardwire.toml or as a flag.".into(),
            Self::Value { origin: Origin::Default, .. } => "Give a value yourself.".into(),
            Self::Value { origin: Origin::Environment(name), value, .. } if value.is_empty() => {
                format!("Unset {name}, so that what shardwire.toml says counts, or give it a value.")
            }
            Self::Value { .. } => "Correct the value, or remove it to get the default.".into(),
            Self::NoRole => {
                "Give at least one of settler, operator, prover: `roles` in shardwire.toml, SHARDWIRE_ROLES or --role."
                    .into()
            }
            Self::Oneself { .. } => "Remove it; `shardwire init` and `shardwire run` print a node's own id.".into(),
            Self::Twice { .. } => "Remove one of the two.".into(),
            Self::NoLedger { .. } => {
                "If it was there, restore it from a copy: what the World holds is in that file. Else create a data folder with \
                 `shardwire init --data DIR --role settler --world FILE`, or remove the role."
                    .into()
            }
            Self::Zero { .. } => "Give a limit above zero, or remove it to get the default.".into(),
            Self::TooMany { .. } => "Shorten the list.".into(),
            Self::FileSize { .. } => "Check that this is the node's configuration file.".into(),
        }
    }
}
