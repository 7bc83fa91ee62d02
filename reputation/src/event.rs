//! Events: what a node sees a peer do.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt, time::Duration};

/// Whose fault something is, as far as this node can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The peer's: no honest peer does this.
    Peer,
    /// The peer's, ours or the network's: an honest peer may suffer it.
    Unclear,
    /// Ours: a full disk, a time-out of our own, a bug in this program.
    Local,
}

/// Something that a peer did or cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer broke a rule.
    Broke {
        /// What it broke.
        breach: Breach,
        /// Whose fault it was.
        blame: Blame,
    },
    /// The peer was useful.
    Worked(Work),
    /// The peer cost something.
    Spent {
        /// Bytes sent to it.
        bytes: u64,
        /// Processor time spent on it.
        cpu: Duration,
    },
}

/// A rule that a peer broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breach {
    /// It broke a protocol.
    Violation {
        /// The stable code of the violation.
        code: &'static str,
        /// The protocol's name.
        protocol: Cow<'static, str>,
        /// This side's state in the protocol.
        state: Cow<'static, str>,
    },
    /// It missed a deadline.
    Deadline {
        /// The protocol's name.
        protocol: Cow<'static, str>,
        /// This side's state in the protocol.
        state: Cow<'static, str>,
    },
    /// It held a lease and neither finished nor gave it back.
    Lease,
    /// It sent a proof that doesn't verify.
    Proof,
    /// It offered a job that no settler of the World has assigned to it.
    Job,
    /// It signed two statements that exclude each other.
    Contradiction,
}

/// How a peer was useful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A proof that verified.
    Proof,
    /// A lease that it finished.
    Lease,
    /// Requested bytes with the promised content.
    Bytes(u64),
    /// This many valid transactions.
    Transactions(u64),
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation { code, protocol, state } => write!(f, "violation {code} of {protocol}, {state}"),
            Self::Deadline { protocol, state } => write!(f, "deadline of {protocol} missed, {state}"),
            Self::Lease => f.write_str("lease broken"),
            Self::Proof => f.write_str("invalid proof"),
            Self::Job => f.write_str("a job that no settler has assigned to it"),
            Self::Contradiction => f.write_str("signed statements that contradict each other"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broke { breach, .. } => breach.fmt(f),
            Self::Worked(Work::Proof) => f.write_str("valid proof"),
            Self::Worked(Work::Lease) => f.write_str("lease kept"),
            Self::Worked(Work::Bytes(bytes)) => write!(f, "{bytes} useful bytes"),
            Self::Worked(Work::Transactions(count)) => write!(f, "{count} valid transactions"),
            Self::Spent { bytes, cpu } => write!(f, "{bytes} bytes and {cpu:?} of processor time spent"),
        }
    }
}
