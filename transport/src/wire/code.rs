//! The number on the wire that says why a stream was reset. A connection that isn't closed in good order (0) is
//! closed with one of these, too.

use std::{fmt, time::Duration};

/// From this number on, a code says how long to wait: the number less this, in milliseconds.
const RETRY_AFTER: u64 = 1 << 32;

/// The code with which a session's stream is reset and stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WireCode {
    /// The program panicked within the session: a bug on that side.
    Dropped,
    /// The session was given up on purpose.
    Abandoned,
    /// The side that resets the stream failed for a reason of its own, its disk say. The same may succeed later.
    Failed,
    /// There is no capacity for this session now.
    Busy,
    /// The peer is connected with another node that has the same key and began later: this one yields.
    Superseded,
    /// The peer has used more than it may, and may try again after this time. `0x1_0000_0000` plus the milliseconds.
    RetryAfter {
        /// The time to wait, in milliseconds.
        ms: u32,
    },
    /// A frame isn't the message that is due.
    Malformed,
    /// A frame is longer than its message may be.
    TooLong,
    /// A message didn't come in time.
    Late,
    /// A branch tag other than 0 and 1.
    UnknownBranch,
    /// Data after the end of the protocol.
    AfterEnd,
    /// The stream ended within the protocol.
    Truncated,
    /// What was sent wasn't read in time.
    Stalled,
    /// A protocol or version that this peer doesn't serve.
    UnknownProtocol,
    /// A well-formed message that breaks a rule of the protocol.
    RuleBroken,
    /// Data came while it was the other side's turn.
    OutOfTurn,
    /// A code that this version doesn't know.
    Unknown(u64),
}

/// Each code and its number; the numbers are part of the wire format.
const CODES: [(WireCode, u64); 15] = [
    (WireCode::Dropped, 0x01),
    (WireCode::Abandoned, 0x02),
    (WireCode::Failed, 0x03),
    (WireCode::Busy, 0x04),
    (WireCode::Superseded, 0x05),
    (WireCode::Malformed, 0x10),
    (WireCode::TooLong, 0x11),
    (WireCode::Late, 0x12),
    (WireCode::UnknownBranch, 0x13),
    (WireCode::AfterEnd, 0x14),
    (WireCode::Truncated, 0x15),
    (WireCode::Stalled, 0x16),
    (WireCode::UnknownProtocol, 0x17),
    (WireCode::RuleBroken, 0x18),
    (WireCode::OutOfTurn, 0x19),
];

impl WireCode {
    /// The code's number on the wire.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::Unknown(number) => return number,
            Self::RetryAfter { ms } => return RETRY_AFTER + u64::from(ms),
            _ => {}
        }
        CODES.iter().find(|(code, _)| *code == self).map_or(0, |(_, number)| *number)
    }

    /// Every code with a number of its own, in the order of the numbers.
    pub fn all() -> impl Iterator<Item = Self> {
        CODES.into_iter().map(|(code, _)| code)
    }

    /// The code with this number.
    #[must_use]
    pub fn of(number: u64) -> Self {
        if let Some(ms) = number.checked_sub(RETRY_AFTER).and_then(|ms| u32::try_from(ms).ok()) {
            return Self::RetryAfter { ms };
        }
        CODES.iter().find(|(_, n)| *n == number).map_or(Self::Unknown(number), |(code, _)| *code)
    }

    /// The code that asks for this wait, rounded up to milliseconds.
    #[must_use]
    pub fn retry_after(wait: Duration) -> Self {
        Self::RetryAfter { ms: u32::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX) }
    }

    /// How long the code asks to wait, if it does.
    #[must_use]
    pub fn wait(self) -> Option<Duration> {
        if let Self::RetryAfter { ms } = self { Some(Duration::from_millis(ms.into())) } else { None }
    }
}

impl fmt::Display for WireCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dropped => "the peer's program let go of the session",
            Self::Abandoned => "the peer gave the session up",
            Self::Failed => "the peer failed for a reason of its own",
            Self::Busy => "the peer has no capacity for it now",
            Self::Superseded => "the peer is connected with another node of our key, which began later",
            Self::RetryAfter { ms } => {
                let wait = Duration::from_millis((*ms).into());
                return write!(f, "the peer allows us no more now, but again after {wait:?}");
            }
            Self::Malformed => "the peer could not read our message",
            Self::TooLong => "the peer found our message too long",
            Self::Late => "the peer found us too late",
            Self::UnknownBranch => "the peer doesn't know the branch we took",
            Self::AfterEnd => "the peer saw data after the end",
            Self::Truncated => "the peer saw the stream end too early",
            Self::Stalled => "the peer found that we didn't read in time",
            Self::UnknownProtocol => "the peer doesn't serve this protocol or version",
            Self::RuleBroken => "the peer says that we broke a rule of the protocol",
            Self::OutOfTurn => "the peer says that it was not our turn",
            Self::Unknown(number) => return write!(f, "the peer gave code {number}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_are_each_others_inverse() {
        for (code, number) in CODES {
            assert_eq!(code.number(), number);
            assert_eq!(WireCode::of(number), code);
        }
        for number in [77, RETRY_AFTER - 1, RETRY_AFTER, RETRY_AFTER + 1500, RETRY_AFTER << 1, u64::MAX] {
            assert_eq!(WireCode::of(number).number(), number);
        }
    }

    #[test]
    fn a_wait_travels_in_the_code() {
        let code = WireCode::retry_after(Duration::from_micros(1_499_001));
        assert_eq!((code, code.number()), (WireCode::RetryAfter { ms: 1500 }, 0x1_0000_05dc));
        assert_eq!(code.wait(), Some(Duration::from_millis(1500)));
        assert_eq!(code.to_string(), "the peer allows us no more now, but again after 1.5s");
        assert_eq!(WireCode::retry_after(Duration::MAX), WireCode::RetryAfter { ms: u32::MAX });
        assert_eq!(WireCode::Busy.wait(), None);
    }
}
