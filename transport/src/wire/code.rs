//! Why a stream was reset, as a number on the wire.

use std::fmt;

/// The code with which a session's stream is reset and stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WireCode {
    /// The program that held the session let go of it before its end: a fault or a crash on that side.
    Dropped,
    /// The session was given up on purpose.
    Abandoned,
    /// The side that resets failed for a reason of its own.
    Failed,
    /// No capacity for this session now.
    Busy,
    /// A frame that is not the message due.
    Malformed,
    /// A frame longer than its message may be.
    TooLong,
    /// A message did not come in time.
    Late,
    /// A branch tag other than 0 and 1.
    UnknownBranch,
    /// Data after the end of the protocol.
    AfterEnd,
    /// The stream ended within the protocol.
    Truncated,
    /// Nobody read what was sent in time.
    Stalled,
    /// A protocol or version that this peer doesn't serve.
    UnknownProtocol,
    /// A well-formed message that breaks a rule of the protocol.
    RuleBroken,
    /// Data when it was the other side's turn.
    OutOfTurn,
    /// A code of a later version.
    Unknown(u64),
}

/// Each code and its number; the numbers are part of the wire format.
const CODES: [(WireCode, u64); 14] = [
    (WireCode::Dropped, 0x01),
    (WireCode::Abandoned, 0x02),
    (WireCode::Failed, 0x03),
    (WireCode::Busy, 0x04),
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
    /// Its number on the wire.
    #[must_use]
    pub fn number(self) -> u64 {
        if let Self::Unknown(number) = self {
            return number;
        }
        CODES.iter().find(|(code, _)| *code == self).map_or(0, |(_, number)| *number)
    }

    /// The code of a number.
    #[must_use]
    pub fn of(number: u64) -> Self {
        CODES.iter().find(|(_, n)| *n == number).map_or(Self::Unknown(number), |(code, _)| *code)
    }
}

impl fmt::Display for WireCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dropped => "the peer's program let go of the session",
            Self::Abandoned => "the peer gave the session up",
            Self::Failed => "the peer failed for a reason of its own",
            Self::Busy => "the peer has no capacity for it now",
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
        assert_eq!(WireCode::of(77).number(), 77);
    }
}
