//! What is asked of a World, where that stands, and what it came to.

use crate::Refusal;
use serde::{Deserialize, Serialize};
use shardwire_model::life::AbortReason;
use shardwire_model::{Felt, Hash, Output, ShardId, ShardStart, StartRequest, Terms, Timestamp, without_terms};
use std::fmt;

/// A change of the World. Its content names it ([`ticket`](Self::ticket)): the same operation twice is one operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Starts a shard: escrow moves out of balances, locks are taken.
    Start {
        /// What the shard may touch, who executes it, and by which program.
        request: StartRequest,
        /// From when on it may be aborted by anybody.
        deadline: Timestamp,
    },
    /// Merges the output of a run whose proof the submitter has verified.
    Settle {
        /// The output that was proven.
        output: Output,
        /// The content hash of the proof.
        proof: Hash,
    },
    /// Gives a shard up: escrow and locks return.
    Abort {
        /// The shard to give up.
        shard: ShardId,
        /// Why it is given up; the World refuses a reason that doesn't hold.
        reason: AbortReason,
    },
}

/// What the name of a start is a hash of: the operation without its terms.
#[derive(Serialize)]
enum Content {
    Start { request: without_terms::Request, deadline: Timestamp },
}

/// The name of an operation in a World of one network: a hash of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ticket(pub Hash);

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Operation {
    /// Its name in the World of this network: a hash of its encoding. The terms of a start are a part of their own, and those of the fixed rules none: ledgers have
    /// operations from before there were terms.
    #[must_use]
    pub fn ticket(&self, network: &str) -> Ticket {
        // Plain structs and enums: they always encode, and in one way.
        let terms = match self {
            Self::Start { request, .. } if request.terms != Terms::Rules => postcard::to_stdvec(&request.terms).ok(),
            _ => None,
        };
        let content = match self {
            Self::Start { request, deadline } => {
                let started = Content::Start { request: without_terms::Request::from(request), deadline: *deadline };
                postcard::to_stdvec(&started)
            }
            _ => postcard::to_stdvec(self),
        };
        let content = content.unwrap_or_default();
        let parts: Vec<&[u8]> = [network.as_bytes(), &content].into_iter().chain(terms.as_deref()).collect();
        Ticket(Hash::of_parts("shardwire operation", &parts))
    }

    /// The shard that it is about.
    #[must_use]
    pub fn shard(&self, network: &str) -> ShardId {
        match self {
            Self::Start { request, .. } => request.shard_id(network),
            Self::Settle { output, .. } => output.shard,
            Self::Abort { shard, .. } => *shard,
        }
    }
}

/// Where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The World has no such operation: it was never submitted, or was refused and that is forgotten. Submit it, again.
    Unknown,
    /// It is noted and not decided.
    Pending,
    /// It is applied, and nothing takes it back.
    Final(Receipt),
    /// It is not applied and never will be, unless it is submitted again and judged anew.
    Refused(Refusal),
}

/// What a final operation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// The shard was started.
    Started(Box<Started>),
    /// The shard was settled: by this operation, or by the same one earlier.
    Settled(Box<Settlement>),
    /// The shard was aborted: by this operation, or by an earlier one.
    Aborted(Aborted),
}

/// A shard that started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// What the World fixed.
    pub start: ShardStart,
    /// The value of each entry of the settlement list when it started.
    pub values: Vec<Felt>,
    /// The commitment to both, which the shard's output has to name.
    pub before: Felt,
    /// When it started, on the World's clock.
    pub at: Timestamp,
}

/// The record of a settlement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// What was applied.
    pub output: Output,
    /// The content hash of its proof.
    pub proof: Hash,
    /// When it was applied, on the World's clock.
    pub at: Timestamp,
}

/// The answer to an abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted {
    /// The shard that was aborted.
    pub shard: ShardId,
    /// Why it was aborted: by the abort that was first.
    pub reason: AbortReason,
    /// When the shard was aborted, on the World's clock.
    pub at: Timestamp,
}
