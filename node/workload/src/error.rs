//! What can be wrong with a workload file. Every error names the file and the line, if there is one.

use super::{MAX_FILE_BYTES, MAX_NAME_CHARS, VERSION};
use shardwire_files::text::NotText;
use shardwire_model::{Coded, Kind, Slot, StartError, TransactionError};
use std::{fmt, path::PathBuf};

/// A workload that can't be used: where, and why.
#[derive(Debug)]
pub struct WorkloadError {
    /// The file, if it came from one.
    pub path: Option<PathBuf>,
    /// The line in the file, from 1, if the problem has one.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a workload.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file can't be read or written.
    #[error("{doing} failed: {source}")]
    File {
        /// "reading" or "writing".
        doing: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is larger than the bound.
    #[error("the file has more than the {MAX_FILE_BYTES} bytes that are read")]
    TooLarge,
    /// The file isn't text in UTF-8.
    #[error(transparent)]
    NotText(NotText),
    /// Not the JSON that is expected.
    #[error("{reason} (column {column})")]
    Json {
        /// The parser's reason.
        reason: String,
        /// The column in the line, from 1.
        column: usize,
    },
    /// A field that means nothing, probably misspelt.
    #[error("{what} has the unknown field '{field}'")]
    UnknownField {
        /// What has it.
        what: String,
        /// Where it is.
        field: String,
    },
    /// Another version of the format.
    #[error("the file has format version {0}; this build reads version {VERSION}")]
    Version(u64),
    /// A list is empty or too long.
    #[error("{what}: {got} given, 1 to {max} allowed")]
    Count {
        /// What the list is of, such as "account".
        what: &'static str,
        /// How many elements it has.
        got: usize,
        /// How many it may have at most.
        max: usize,
    },
    /// A name or label that is empty, too long or not printable.
    #[error("{what} must have 1 to {MAX_NAME_CHARS} printable characters")]
    Name {
        /// What has the name.
        what: String,
    },
    /// The same thing twice.
    #[error("{what} is listed twice")]
    Twice {
        /// What occurs twice, in words.
        what: String,
    },
    /// An amount beyond what an amount can be.
    #[error("{kind} {slot} has the value {value}, which is not below 2^128")]
    Value {
        /// Its kind.
        kind: Kind,
        /// The storage address.
        slot: Slot,
        /// Its value.
        value: String,
    },
    /// The start data contradict themselves.
    #[error("the start data can't be: {0}")]
    Start(#[source] StartError),
    /// An entry that the World does not have, or has as another kind.
    #[error("start entry {number} ({entry}) is {found} in the world's storage")]
    Entry {
        /// Which entry, from 1.
        number: usize,
        /// Its kind and key.
        entry: String,
        /// What the World has instead.
        found: String,
    },
    /// A player whose account may not act in the shard.
    #[error("player '{player}' has the account {account}, which is not among start.accounts")]
    Outsider {
        /// The player.
        player: String,
        /// Its account.
        account: String,
    },
    /// A transaction of somebody unknown.
    #[error("transaction {number} is of player '{player}', who is not listed")]
    UnknownPlayer {
        /// Which transaction, from 1.
        number: usize,
        /// The name.
        player: String,
    },
    /// A transaction that names something that the start data does not list.
    #[error("transaction {number}: {source}")]
    Unlisted {
        /// Which transaction, from 1.
        number: usize,
        /// What is not listed.
        source: TransactionError,
    },
    /// A transaction over nothing.
    #[error("transaction {number} has the amount 0")]
    Zero {
        /// Which transaction, from 1.
        number: usize,
    },
    /// A call that does not fit what it names.
    #[error("transaction {number}: {reason}")]
    Misfit {
        /// Which transaction, from 1.
        number: usize,
        /// Why it does not fit.
        reason: String,
    },
    /// A transaction after the one that ends the shard.
    #[error("transaction {number} comes after the one that ends the shard")]
    AfterEnd {
        /// Which transaction, from 1.
        number: usize,
    },
    /// No transaction emits the end event.
    #[error("no transaction emits the end event, so the shard would never end")]
    Endless,
    /// A message that ECDSA on the Stark curve can't sign (probability 2^-55).
    #[error("transaction {number} can't be signed: its hash is beyond the curve's range")]
    Unsignable {
        /// Which transaction, from 1.
        number: usize,
    },
}

impl Problem {
    /// The problem, in a line of the file.
    pub(super) const fn at(self, line: usize) -> WorkloadError {
        WorkloadError { path: None, line: Some(line), problem: self }
    }
}

impl From<Problem> for WorkloadError {
    fn from(problem: Problem) -> Self {
        Self { path: None, line: None, problem }
    }
}

impl fmt::Display for WorkloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.path, self.line) {
            (Some(path), Some(line)) => write!(f, "{}:{line}: ", path.display())?,
            (Some(path), None) => write!(f, "{}: ", path.display())?,
            (None, Some(line)) => write!(f, "line {line}: ")?,
            (None, None) => {}
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for WorkloadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.problem.source()
    }
}

impl Coded for WorkloadError {
    fn code(&self) -> &'static str {
        match self.problem {
            Problem::File { .. } => "SW-WORKLOAD-001",
            Problem::TooLarge => "SW-WORKLOAD-002",
            Problem::Json { .. } => "SW-WORKLOAD-003",
            Problem::UnknownField { .. } => "SW-WORKLOAD-004",
            Problem::Version(_) => "SW-WORKLOAD-005",
            Problem::Count { .. } => "SW-WORKLOAD-006",
            Problem::Name { .. } => "SW-WORKLOAD-007",
            Problem::Twice { .. } => "SW-WORKLOAD-008",
            Problem::Start(_) => "SW-WORKLOAD-009",
            Problem::Entry { .. } => "SW-WORKLOAD-010",
            Problem::Outsider { .. } => "SW-WORKLOAD-011",
            Problem::UnknownPlayer { .. } => "SW-WORKLOAD-012",
            Problem::Unlisted { .. } => "SW-WORKLOAD-013",
            Problem::Zero { .. } => "SW-WORKLOAD-014",
            Problem::Misfit { .. } => "SW-WORKLOAD-015",
            Problem::AfterEnd { .. } => "SW-WORKLOAD-016",
            Problem::Endless => "SW-WORKLOAD-017",
            Problem::Unsignable { .. } => "SW-WORKLOAD-018",
            Problem::Value { .. } => "SW-WORKLOAD-019",
            Problem::NotText(_) => "SW-WORKLOAD-020",
        }
    }

    fn next_step(&self) -> String {
        match &self.problem {
            Problem::File { .. } => "Check the path and its permissions.".into(),
            Problem::TooLarge | Problem::Count { .. } => {
                "Split the work over several shards, or list what is missing.".into()
            }
            Problem::NotText(_) => "Save it as UTF-8 in an editor, or write it again with `testnet workload`.".into(),
            Problem::Json { .. } | Problem::UnknownField { .. } => {
                "Correct the line; docs/workload.md describes the format and `testnet workload` writes an example."
                    .into()
            }
            Problem::Version(_) => {
                format!("Write the workload again for version {VERSION}, or use a build that reads it.")
            }
            Problem::Name { .. } => "Choose a shorter name of letters, digits, spaces and punctuation.".into(),
            Problem::Twice { .. } => "Remove one of the two.".into(),
            Problem::Value { .. } => "Give a smaller amount, or make it a lock.".into(),
            Problem::Start(source) => source.next_step(),
            Problem::Entry { .. } => "Add the storage to world.storage, or correct the entry's key or kind.".into(),
            Problem::Outsider { .. } => "Add the account to start.accounts, or remove the player.".into(),
            Problem::UnknownPlayer { .. } => "Add the player to 'players', or correct the name.".into(),
            Problem::Unlisted { source, .. } => match source {
                TransactionError::Contract(_) => "Add the contract to start.contracts, or correct the address.".into(),
                TransactionError::Entry(_) => "Add the storage to start.entries, or correct the key.".into(),
                TransactionError::Account(_) => "Add the account to start.accounts, or correct it.".into(),
            },
            Problem::Zero { .. } => "Give an amount of 1 or more, or remove the transaction.".into(),
            Problem::Misfit { .. } => "Correct the call: docs/workload.md lists what each call may name.".into(),
            Problem::AfterEnd { .. } => "Move the transaction that ends the shard to the end.".into(),
            Problem::Endless => {
                "Add a last transaction with the call \"finish\" to the contract of start.end_event.".into()
            }
            Problem::Unsignable { .. } => "Change start.salt, so that all hashes change.".into(),
        }
    }
}
