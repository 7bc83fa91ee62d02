//! What a settler can't do, and what it refuses of a proof.

use super::segments::CutMismatch;
use shardwire_host::clock::ALONE_AFTER;
use shardwire_model::life::Ended;
use shardwire_model::{
    Cause, Coded, ShardId,
    life::{self, MAX_TIMEOUT},
};
use shardwire_protocols::proof::SkipReason;
use shardwire_proving::{
    origin::{OriginError, OriginMismatch},
    segments::OutOfOrder,
    settle::Disbelief,
};
use shardwire_store::{ArtefactError, StoreError};
use shardwire_world::{Refusal, WorldError};

/// The settler can't do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SettlerError {
    /// The World can't be used.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The World refuses the operation.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The World hasn't decided yet.
    #[error("what is to be done about shard {shard} is pending in the World")]
    Pending {
        /// The shard that the operation is about.
        shard: ShardId,
    },
    /// The World answered another operation than the one that was submitted.
    #[error("the World answers about shard {shard} what it wasn't asked")]
    Receipt {
        /// The shard that the operation was about.
        shard: ShardId,
    },
    /// The store can't be read or written.
    #[error(transparent)]
    Store(StoreError),
    /// A proof's file can't be written or read.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    /// This program's verifier ended without an answer.
    #[error("verification ended without an answer")]
    Verifier,
    /// This machine computes one thing and then another.
    #[error("a proof was found not to hold, and then to hold: this machine's memory or processor errs")]
    Wavers,
    /// A shard that could never settle, or holds its escrow too long.
    #[error("a time-out of {seconds} s is not between one second and {} days", MAX_TIMEOUT.as_secs() / (24 * 60 * 60))]
    Timeout {
        /// What was asked for.
        seconds: u64,
    },
    /// A shard's deadline would be by a wrong date, and fixed for ever.
    #[error("most peers of this settler contradict its date, and the shard's deadline would be by it")]
    Date,
    /// The same, of a date that nobody has confirmed who could.
    #[error("no peer that this settler names has confirmed its date yet, and the shard's deadline would be by it")]
    Unconfirmed,
    /// The state that a shard is to begin from can't be opened, or isn't what the shard is asked for with.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// That isn't known yet.
    #[error("the state that shard {shard} is to begin from is still being read, and its classes compiled")]
    Opening {
        /// The shard that was asked for.
        shard: ShardId,
    },
    /// A shard can't get there.
    #[error(transparent)]
    Life(#[from] life::Refusal),
}

impl Coded for SettlerError {
    fn code(&self) -> &'static str {
        match self {
            Self::World(error) => error.code(),
            Self::Refused(refusal) => refusal.code(),
            Self::Pending { .. } => "SW-SETTLER-008",
            Self::Receipt { .. } => "SW-SETTLER-009",
            Self::Store(error) => error.code(),
            Self::Artefact(error) => error.code(),
            Self::Verifier => "SW-SETTLER-001",
            Self::Timeout { .. } => "SW-SETTLER-007",
            Self::Date => "SW-SETTLER-010",
            Self::Unconfirmed => "SW-SETTLER-011",
            Self::Wavers => "SW-SETTLER-012",
            Self::Origin(error) => error.code(),
            Self::Opening { .. } => "SW-SETTLER-014",
            Self::Life(refusal) => refusal.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::World(error) => error.next_step(),
            Self::Refused(refusal) => refusal.next_step(),
            Self::Pending { shard } => format!("Wait: `shardwire shard status {shard}` says what becomes of it."),
            Self::Receipt { .. } => "Report it; what was noted is kept and tried again.".into(),
            Self::Store(error) => error.next_step(),
            Self::Artefact(error) => error.next_step(),
            Self::Verifier => "Nothing was applied; the proof is fetched again. Report it if it repeats.".into(),
            Self::Wavers => "Nothing was applied and nobody is to blame; the proof is fetched again. Test this machine's memory.".into(),
            Self::Timeout { .. } => "Give a time within these bounds, or none for the node's own.".into(),
            Self::Date => "Set the clock of the settler's system, or of its peers: `shardwire status` shows which is apart. Nothing was started.".into(),
            Self::Unconfirmed => format!(
                "Start the shard again when one of them is connected, or {} minutes after this settler was started: it goes by its own date then. Nothing was started.",
                ALONE_AFTER.as_secs() / 60
            ),
            Self::Origin(error) => format!("{} Nothing was started.", error.next_step()),
            Self::Opening { .. } => "Ask for the same shard again in a minute. Nothing was started.".into(),
            Self::Life(refusal) => refusal.next_step(),
        }
    }

    fn told(&self) -> String {
        match self {
            Self::World(error) => error.told(),
            Self::Store(error) => error.told(),
            Self::Artefact(error) => error.told(),
            Self::Origin(error) => error.told(),
            _ => self.to_string(),
        }
    }
}

/// Why a proof is not believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Objection {
    /// A check of the proof failed.
    #[error(transparent)]
    Proof(#[from] Disbelief),
    /// The run began from another state than it had to.
    #[error(transparent)]
    Origin(#[from] OriginMismatch),
    /// The run's operator has cut it elsewhere.
    #[error(transparent)]
    Cut(#[from] CutMismatch),
    /// With the segments that are proven it makes no run.
    #[error(transparent)]
    Order(#[from] OutOfOrder),
    /// The World refuses its output.
    #[error("the World refuses the output: {0}")]
    World(Refusal),
    /// Another proof of the shard was verified before.
    #[error(transparent)]
    Life(life::Refusal),
    /// The shard is over.
    #[error("the shard ended before its proof was verified")]
    Ended(Ended),
}

impl Coded for Objection {
    fn code(&self) -> &'static str {
        match self {
            Self::Proof(error) => error.code(),
            Self::Origin(mismatch) => mismatch.code(),
            Self::Cut(_) => "SW-SETTLER-016",
            Self::Order(error) => error.code(),
            Self::World(error) => error.code(),
            Self::Life(refusal) => refusal.code(),
            Self::Ended(_) => "SW-SETTLER-006",
        }
    }

    fn next_step(&self) -> String {
        "Nothing was applied. The proof is kept as evidence; another prover can still prove the shard.".into()
    }
}

/// Why a proof isn't fetched at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwanted {
    /// Not a shard of this World.
    #[error("this settler has no shard {shard}")]
    Unknown {
        /// The shard that the proof names.
        shard: ShardId,
    },
    /// Its shard was aborted.
    #[error("shard {shard} was aborted")]
    Aborted {
        /// The shard that was aborted.
        shard: ShardId,
    },
    /// Of another job than the World's: begun from another state, or with another program, or another slice.
    #[error("the proof of shard {shard} is of another job than this settler's")]
    OtherJob {
        /// The shard that the proof names.
        shard: ShardId,
    },
    /// It may be wanted later.
    #[error("what becomes of shard {shard} is pending in the World")]
    Pending {
        /// The shard that an operation is pending for.
        shard: ShardId,
    },
    /// Where its segment begins or ends isn't known yet.
    #[error("where segment {segment} of shard {shard} begins or ends isn't known yet: its operator says that")]
    Uncut {
        /// The shard that the proof names.
        shard: ShardId,
        /// The segment.
        segment: u32,
    },
    /// Its segment is proven, by it or by another proof.
    #[error("segment {segment} of shard {shard} is proven, and the run's others aren't yet")]
    Proven {
        /// The shard that the proof names.
        shard: ShardId,
        /// The segment.
        segment: u32,
    },
    /// Whether its run began from the right state can't be looked at now.
    #[error("what shard {shard} began from can't be looked at: {why}")]
    Unopened {
        /// The shard that the proof names.
        shard: ShardId,
        /// What this settler lacks.
        why: Cause,
    },
    /// Another proof was first.
    #[error("shard {shard} is settled by another proof")]
    Late {
        /// The shard that is settled.
        shard: ShardId,
    },
}

impl Unwanted {
    /// What the prover acts on.
    pub(crate) const fn reason(&self) -> SkipReason {
        match self {
            Self::Unknown { .. } => SkipReason::Unknown,
            Self::Aborted { .. } => SkipReason::Aborted,
            Self::OtherJob { .. } => SkipReason::OtherJob,
            Self::Late { .. } => SkipReason::Settled,
            Self::Pending { .. } | Self::Unopened { .. } | Self::Uncut { .. } | Self::Proven { .. } => {
                SkipReason::Pending
            }
        }
    }
}

impl Coded for Unwanted {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "SW-SETTLER-002",
            Self::Aborted { .. } => "SW-SETTLER-003",
            Self::Late { .. } => "SW-SETTLER-004",
            Self::Pending { .. } => "SW-SETTLER-008",
            Self::OtherJob { .. } => "SW-SETTLER-005",
            Self::Unopened { .. } => "SW-SETTLER-015",
            Self::Uncut { .. } => "SW-SETTLER-017",
            Self::Proven { .. } => "SW-SETTLER-018",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Pending { .. } | Self::Unopened { .. } | Self::Uncut { .. } | Self::Proven { .. } => {
                "Offer the proof again in a while.".into()
            }
            _ => "The proof is of no use to this settler; it may be deleted.".into(),
        }
    }
}
