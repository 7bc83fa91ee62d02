//! What is seen of a peer.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt, time::Duration};

/// Whose fault something is, as far as this side can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The peer's: no honest peer does this.
    Peer,
    /// The peer's, ours or the network's: an honest peer may suffer it.
    Unclear,
    /// Ours: a full disk, a time-out of our own, a fault of this program.
    Local,
}

/// Something that a peer did, or that was done for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It broke something.
    Broke {
        /// What.
        breach: Breach,
        /// Whose fault it was.
        blame: Blame,
    },
    /// It was useful.
    Worked(Work),
    /// It cost something.
    Spent {
        /// Bytes sent to it.
        bytes: u64,
        /// Processor time spent on it.
        cpu: Duration,
    },
}

/// What a peer broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breach {
    /// A protocol.
    Violation {
        /// The stable code of the violation.
        code: &'static str,
        /// In which protocol.
        protocol: Cow<'static, str>,
        /// In which state of it.
        state: Cow<'static, str>,
    },
    /// A deadline.
    Deadline {
        /// In which protocol.
        protocol: Cow<'static, str>,
        /// In which state of it.
        state: Cow<'static, str>,
    },
    /// A lease that it held and neither finished nor gave back.
    Lease,
    /// The truth: a proof that does not verify.
    Proof,
    /// Authority that it doesn't have: it signed what only a settler of the World may say.
    Presumption,
    /// Its word: two signed statements that exclude each other.
    Contradiction,
}

/// How a peer was useful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A proof that verified.
    Proof,
    /// A lease that it held and finished.
    Lease,
    /// Bytes that were asked for and held what was promised.
    Bytes(u64),
    /// Valid transactions.
    Transactions(u64),
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation { code, protocol, state } => write!(f, "violation {code} of {protocol}, {state}"),
            Self::Deadline { protocol, state } => write!(f, "deadline of {protocol} missed, {state}"),
            Self::Lease => f.write_str("lease broken"),
            Self::Proof => f.write_str("invalid proof"),
            Self::Presumption => f.write_str("a signed verdict of a peer that is no settler"),
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
