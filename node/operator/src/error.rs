//! What an operator can't do.

use crate::submit::MAX_FETCHES;
use shardwire_host::dated::Undated;
use shardwire_model::{Cause, Coded, ShardId, life::Refusal};
use shardwire_program::{ExecuteError, UnknownProgram};
use shardwire_protocols::{ingress, trace};
use shardwire_store::{ArtefactError, StoreError};

/// The operator can't go on with a shard, or not begin it.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// Too many at a time.
    #[error("this operator already runs {most} shards")]
    Full {
        /// How many it runs at most.
        most: usize,
    },
    /// A shard of a program that isn't here.
    #[error(transparent)]
    Program(#[from] UnknownProgram),
    /// A shard that its program can't execute.
    #[error(transparent)]
    Execution(#[from] ExecuteError),
    /// A transaction can't be looked at on this machine at the moment.
    #[error(transparent)]
    Unable(shardwire_program::Refusal),
    /// The store can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A chunk's file can't be written or read.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    /// The log holds what the rules refuse.
    #[error("the log of shard {} doesn't replay: transaction {sequence} is refused: {cause}", shard.short())]
    Log {
        /// The shard whose log it is.
        shard: ShardId,
        /// The transaction's place in the log, from 0.
        sequence: u32,
        /// The rule that refuses it.
        cause: Cause,
    },
    /// No thread for the execution.
    #[error("no thread could be made for an execution: {0}")]
    Thread(std::io::Error),
    /// This program's own part ended without an answer.
    #[error("a chunk couldn't be read: its reader ended")]
    Reader,
    /// This program's own part that executes a run.
    #[error("the execution ended without an answer: it stopped at '{panic}'")]
    Panicked {
        /// What it stopped at.
        panic: String,
    },
    /// No such shard here.
    #[error("this operator doesn't run shard {shard}")]
    Unknown {
        /// The id that was asked for.
        shard: ShardId,
    },
    /// What is submitted couldn't be made durable, because this machine's disk fails.
    #[error("this operator's disk fails, and shard {} takes nothing until it works again", shard.short())]
    Disk {
        /// The shard that was to be opened.
        shard: ShardId,
    },
    /// What was accepted before it couldn't be logged.
    #[error("the log of shard {} couldn't be written", shard.short())]
    Behind {
        /// The shard whose log it is.
        shard: ShardId,
    },
    /// The shard takes no further transactions.
    #[error("shard {} is over", shard.short())]
    Over {
        /// The shard that is over.
        shard: ShardId,
    },
    /// The shard was aborted: no proof of it is wanted.
    #[error("shard {} was aborted", shard.short())]
    Aborted {
        /// The shard that was aborted.
        shard: ShardId,
    },
    /// Another proof was first.
    #[error("shard {} is settled", shard.short())]
    Settled {
        /// The shard that is settled.
        shard: ShardId,
    },
    /// A shard can't get there.
    #[error(transparent)]
    Life(#[from] Refusal),
    /// An earlier failure stopped it.
    #[error("shard {} has stopped: {cause}", shard.short())]
    Stopped {
        /// The shard that has stopped.
        shard: ShardId,
        /// The failure that stopped it.
        cause: Cause,
    },
    /// This machine couldn't take it up again, and tries to.
    #[error("shard {} isn't taken up again yet: {cause}", shard.short())]
    NotYet {
        /// The shard that isn't.
        shard: ShardId,
        /// What this machine couldn't.
        cause: Cause,
    },
    /// A time that is logged would be by a date that this operator can't rely on, and a log's time never runs back.
    #[error("this operator can't rely on its date, and shard {} takes nothing until it can: {why}", shard.short())]
    Date {
        /// The shard that takes nothing.
        shard: ShardId,
        /// Why it can't.
        why: Undated,
    },
    /// As many transactions wait for what has to be read for them as may.
    #[error("{MAX_FETCHES} transactions of shard {} wait for what they need to be read, the most there may be", shard.short())]
    Fetching {
        /// The shard.
        shard: ShardId,
    },
    /// Another prover has the job.
    #[error("the job is leased to prover {prover}")]
    Leased {
        /// The prover that has it.
        prover: String,
    },
    /// The prover holds as many as its tier may.
    #[error("the prover holds {held} leases, and a peer of its tier may hold {most}")]
    LeasesHeld {
        /// How many it holds.
        held: usize,
        /// How many it may.
        most: u32,
    },
    /// No job of this name.
    #[error("this operator has no such job")]
    NoJob,
}

impl OperatorError {
    /// Whether it is this machine's disk: others are told no more of it than that.
    pub(super) const fn is_of_disk(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Artefact(_) | Self::Behind { .. })
    }

    /// Whether it is about this machine, not about a shard or its log.
    pub(super) fn is_of_this_machine(&self) -> bool {
        match self {
            Self::Execution(error) => error.is_of_this_machine(),
            Self::Unable(_) | Self::Artefact(_) | Self::Thread(_) | Self::Date { .. } | Self::Fetching { .. } => true,
            _ => false,
        }
    }

    /// Whether a shard is declined for it: this operator can't execute it, now or later. A fault of this machine's is no such word.
    pub(super) const fn declines(&self) -> bool {
        match self {
            Self::Full { .. } | Self::Program(_) => true,
            Self::Execution(error) => !error.is_of_this_machine(),
            _ => false,
        }
    }

    /// A shard's log has a transaction that the rules refuse.
    pub(super) fn not_replayed(shard: ShardId, sequence: u32, refusal: shardwire_program::Refusal) -> Self {
        if refusal.is_of_this_machine() {
            Self::Unable(refusal)
        } else {
            Self::Log { shard, sequence, cause: refusal.into() }
        }
    }
}

/// What a prover is told whose claim is refused.
impl From<OperatorError> for trace::Refused {
    fn from(error: OperatorError) -> Self {
        let reason = match &error {
            OperatorError::Aborted { .. } => trace::RefusalReason::Aborted,
            OperatorError::Settled { .. } => trace::RefusalReason::Settled,
            OperatorError::Leased { .. } => trace::RefusalReason::Leased,
            OperatorError::LeasesHeld { .. } => trace::RefusalReason::Quota,
            _ => trace::RefusalReason::Unavailable,
        };
        Self { reason, cause: error.into() }
    }
}

/// What a client is told that opens a shard.
impl From<OperatorError> for ingress::Refused {
    fn from(error: OperatorError) -> Self {
        let reason = match &error {
            OperatorError::Unknown { .. } => ingress::RefusalReason::Unknown,
            OperatorError::Over { .. } | OperatorError::Aborted { .. } | OperatorError::Settled { .. } => {
                ingress::RefusalReason::Over
            }
            OperatorError::Disk { .. }
            | OperatorError::NotYet { .. }
            | OperatorError::Date { .. }
            | OperatorError::Fetching { .. } => ingress::RefusalReason::Later,
            _ => ingress::RefusalReason::Stopped,
        };
        Self { reason, cause: error.into() }
    }
}

impl Coded for OperatorError {
    fn code(&self) -> &'static str {
        match self {
            Self::Program(error) => error.code(),
            Self::Execution(error) => error.code(),
            Self::Unable(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Artefact(error) => error.code(),
            Self::Full { .. } => "SW-OPERATOR-001",
            Self::Log { .. } => "SW-OPERATOR-002",
            Self::Thread(_) => "SW-OPERATOR-003",
            Self::Unknown { .. } => "SW-OPERATOR-004",
            Self::Over { .. } => "SW-OPERATOR-005",
            Self::Stopped { .. } => "SW-OPERATOR-006",
            Self::Leased { .. } => "SW-OPERATOR-007",
            Self::NoJob => "SW-OPERATOR-008",
            Self::LeasesHeld { .. } => "SW-OPERATOR-009",
            Self::Reader => "SW-OPERATOR-010",
            Self::Behind { .. } => "SW-OPERATOR-011",
            Self::Disk { .. } => "SW-OPERATOR-012",
            Self::Panicked { .. } => "SW-OPERATOR-013",
            Self::NotYet { .. } => "SW-OPERATOR-014",
            Self::Date { .. } => "SW-OPERATOR-015",
            Self::Fetching { .. } => "SW-OPERATOR-016",
            Self::Aborted { .. } => "SW-OPERATOR-020",
            Self::Settled { .. } => "SW-OPERATOR-021",
            Self::Life(refusal) => refusal.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Program(error) => error.next_step(),
            Self::Execution(error) => error.next_step(),
            Self::Unable(error) => error.next_step(),
            Self::Store(error) => error.next_step(),
            Self::Artefact(error) => error.next_step(),
            Self::Full { .. } => {
                "Wait until one of its shards is settled, or start the shard with another operator.".into()
            }
            Self::Log { .. } => "Restore the data folder from a copy; the log was left as it is.".into(),
            Self::Thread(_) => "Raise the limit of processes for this user, then start the node again.".into(),
            Self::Unknown { .. } => {
                "Check the shard's id, and that it was started with this operator: `shardwire shard status`.".into()
            }
            Self::Behind { .. } => {
                "Submit it again; if that fails as well, the operator's log says what its disk has.".into()
            }
            Self::Panicked { .. } => {
                "Nothing: it is executed again from the log by itself. Report it if it repeats, or test this machine's memory.".into()
            }
            Self::Disk { .. } => {
                "Submit again later: what was accepted is kept. At the operator `shardwire status` says what its disk lacks.".into()
            }
            Self::NotYet { .. } => {
                "Ask again later: it is tried again by itself. At the operator `shardwire status` says what it waits for.".into()
            }
            Self::Date { .. } => {
                "Submit it again later: what was accepted is kept. At the operator `shardwire status` shows whose clock is apart.".into()
            }
            Self::Fetching { .. } => {
                "Submit it again in a moment. At the operator `shardwire status` says whether a network can't be read.".into()
            }
            Self::Over { .. } => "Start another shard.".into(),
            Self::Aborted { .. } | Self::Settled { .. } => "Forget the job: no proof of it is of use any more.".into(),
            Self::Life(refusal) => refusal.next_step(),
            Self::Stopped { .. } => {
                "Mend what it names: the shard is executed again from its log by itself, each hour at the latest, and at the operator's next start.".into()
            }
            Self::Leased { .. } => "Ask again: the lease ends when its prover falls silent.".into(),
            Self::NoJob | Self::Reader => "Ask for a job again.".into(),
            Self::LeasesHeld { .. } => {
                "Finish one of them, or give it up; a peer that has worked may hold more.".into()
            }
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Program(error) => error.told(),
            Self::Execution(error) => error.told(),
            Self::Unable(error) => error.told(),
            Self::Store(error) => error.told(),
            Self::Artefact(error) => error.told(),
            Self::Thread(_) => "no thread could be made for an execution".into(),
            Self::Panicked { .. } => "the execution ended without an answer".into(),
            // What stopped it is for the operator's own people; who asks knows it by its code.
            Self::Stopped { shard, cause } => format!("shard {} has stopped: {}", shard.short(), cause.code),
            Self::NotYet { shard, cause } => {
                format!("shard {} isn't taken up again yet: {}", shard.short(), cause.code)
            }
            _ => self.to_string(),
        }
    }
}
