//! Why a run ends without settling its shard.

use crate::{
    contracts::ContractsError,
    dungeon::DungeonError,
    limits::{PATIENCE, TIME_LIMIT},
    network::{NetworkError, binary::BinaryError, worker::WorkerError},
    recompute::Broken,
};
use shardwire::client::ClientError;
use shardwire_files::output::OutputError;
use shardwire_model::{Coded, Role, ShardId, Stage};
use shardwire_workload::WorkloadError;
use std::path::PathBuf;

/// Why a run ends without settling its shard.
#[derive(Debug, thiserror::Error)]
pub enum TestnetError {
    /// The options describe no dungeon run.
    #[error(transparent)]
    Dungeon(#[from] DungeonError),
    /// The workload can't be used.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The workload breaks a rule.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The game of contracts can't be played on.
    #[error(transparent)]
    Contracts(#[from] ContractsError),
    /// The node's program wasn't found or couldn't be built.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// The proving worker wasn't found or couldn't be built.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The processes couldn't be started, or one ended.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A node doesn't do what it is asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A node runs but doesn't answer.
    #[error("the {role} has not answered for {} s: {last}", PATIENCE.as_secs())]
    Unreachable {
        /// The node's role.
        role: Role,
        /// What happened the last time.
        last: ClientError,
    },
    /// The operator refused a transaction that obeys the rules.
    #[error("transaction {number} was refused ({code}): {reason}; {of} were refused in all")]
    Refused {
        /// The transaction's number, from 1.
        number: usize,
        /// The rule's code.
        code: String,
        /// The operator's reason.
        reason: String,
        /// How many were refused.
        of: usize,
    },
    /// A node says that the shard can't go on.
    #[error("shard {} {stage}, says the {role}: {reason}", shard.short())]
    Shard {
        /// The shard.
        shard: ShardId,
        /// How it ended.
        stage: Stage,
        /// Who says so.
        role: Role,
        /// Its code and reason.
        reason: String,
    },
    /// The shard isn't settled in time.
    #[error("the shard is not settled after {} min; the settler says {settler}, the operator {operator}, the prover {prover}", TIME_LIMIT.as_secs() / 60)]
    Late {
        /// How far the settler is.
        settler: Stage,
        /// How far the operator is.
        operator: Stage,
        /// How far the prover is.
        prover: Stage,
    },
    /// A data folder that a crash has left can't be read.
    #[error("the data folder {} can't be read: {reason}", folder.display())]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// Its code and reason.
        reason: Box<dyn Coded + Send + Sync>,
    },
    /// The user pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The runtime, a signal handler or standard output failed.
    #[error("{what}: {reason}")]
    System {
        /// What failed.
        what: &'static str,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// What came out can't be said.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The flags can't be read.
    #[error("{0}")]
    Flags(String),
}

impl TestnetError {
    /// The exit code: 2 for misuse, otherwise 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let misuse = match self {
            Self::Dungeon(_) | Self::Flags(_) => true,
            Self::Contracts(error) => error.is_misuse(),
            _ => false,
        };
        if misuse { 2 } else { 1 }
    }
}

impl Coded for TestnetError {
    fn code(&self) -> &'static str {
        match self {
            Self::Dungeon(error) => error.code(),
            Self::Workload(error) => error.code(),
            Self::Broken(error) => error.code(),
            Self::Contracts(error) => error.code(),
            Self::Binary(error) => error.code(),
            Self::Worker(error) => error.code(),
            Self::Network(error) => error.code(),
            Self::Client(error) => error.code(),
            Self::Unreachable { .. } => "SW-TESTNET-007",
            Self::Refused { .. } => "SW-TESTNET-008",
            Self::Shard { .. } => "SW-TESTNET-009",
            Self::Late { .. } => "SW-TESTNET-010",
            Self::Interrupted => "SW-TESTNET-011",
            Self::System { .. } => "SW-TESTNET-012",
            Self::Output(error) => error.code(),
            Self::Unreadable { .. } => "SW-TESTNET-013",
            Self::Flags(_) => "SW-TESTNET-014",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Dungeon(error) => error.next_step(),
            Self::Workload(error) => error.next_step(),
            Self::Broken(error) => error.next_step(),
            Self::Contracts(error) => error.next_step(),
            Self::Binary(error) => error.next_step(),
            Self::Worker(error) => error.next_step(),
            Self::Network(error) => error.next_step(),
            Self::Output(error) => error.next_step(),
            Self::Client(error) => error.next_step(),
            Self::Unreachable { role, .. } | Self::Shard { role, .. } => format!("Read the {role}'s log."),
            Self::Refused { .. } => "Run it again with --data DIR and read DIR/operator.log.".into(),
            Self::Late { .. } => "Try fewer transactions, or read the logs of the one that is behind.".into(),
            Self::Unreadable { reason, .. } => reason.next_step(),
            Self::Flags(_) => "`testnet --help` shows what there is.".into(),
            Self::Interrupted => "Start it again: every run begins anew.".into(),
            Self::System { .. } => "Check the limits and the free space of this machine.".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_read_says_which_and_why() {
        let reason: Box<dyn Coded + Send + Sync> = Box::new(BinaryError::Missing("/x".into()));
        let next = reason.next_step();
        let error = TestnetError::Unreadable { folder: "/net/prover-3".into(), reason };
        let text = "the data folder /net/prover-3 can't be read: there is no /x";
        assert_eq!((error.code(), error.to_string().as_str()), ("SW-TESTNET-013", text));
        assert_eq!(error.next_step(), next);
    }
}
