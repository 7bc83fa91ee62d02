//! How a session fails: the peer breaks the protocol, the stream is lost, or this side can't go on.

use crate::wire::code::WireCode;
use shardwire_model::{Coded, PeerId};
use std::{borrow::Cow, fmt, time::Duration};

/// Why a session ended before its protocol did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The peer didn't keep to the protocol.
    #[error(transparent)]
    Violation(Box<Violation>),
    /// The stream or the connection is gone.
    #[error(transparent)]
    Lost(Box<Lost>),
    /// This side could not do its part.
    #[error(transparent)]
    Local(Box<Local>),
}

/// Whose fault a violation is. Only [`Peer`](Self::Peer) may count against the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blame {
    /// The peer's: no network and no load explains it.
    Peer,
    /// The peer's, or that of the network between: something was too slow.
    Unclear,
}

/// A peer's breach of a protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The peer that broke the protocol.
    pub peer: PeerId,
    /// The protocol's name; `?` before the stream's header was read.
    pub protocol: Cow<'static, str>,
    /// This side's state, such as `awaiting Chunk`.
    pub state: String,
    /// What the peer did.
    pub kind: ViolationKind,
    /// Bytes received in this session, those at fault included.
    pub received: u64,
    /// Bytes sent in this session.
    pub sent: u64,
}

/// What was wrong with what the peer sent, or didn't.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViolationKind {
    /// A length that is no number, or not in its shortest form.
    MalformedLength,
    /// A frame isn't the message that is due.
    Malformed {
        /// Why decoding failed.
        reason: String,
    },
    /// A frame announced longer than the message may be.
    TooLong {
        /// The announced length, in bytes.
        announced: u32,
        /// The message's limit, in bytes.
        max: u32,
    },
    /// What was due didn't come in time, or not all of it.
    Late {
        /// The deadline that passed.
        after: Duration,
        /// Bytes of it that had come by then.
        have: usize,
    },
    /// The peer didn't take what this side sent in time.
    Stalled {
        /// The deadline that passed.
        after: Duration,
    },
    /// A branch tag that is neither 0 nor 1.
    UnknownBranch {
        /// The tag.
        tag: u8,
    },
    /// The stream ended where something was due.
    EndedEarly,
    /// The stream ended within a frame.
    Truncated {
        /// Bytes of the frame that had come, its length prefix included.
        have: usize,
    },
    /// Data after the end of the protocol.
    AfterEnd {
        /// How many bytes of it were seen.
        bytes: usize,
    },
    /// Data while it was this side's turn.
    OutOfTurn {
        /// How many bytes of it were seen.
        bytes: usize,
    },
    /// A protocol or version that this node doesn't serve.
    UnknownProtocol {
        /// The protocol's name.
        name: String,
        /// The protocol's version.
        version: u16,
    },
    /// A well-formed message that breaks a rule which the type can't express. The protocol's own code finds it.
    RuleBroken {
        /// The rule's own code, such as `SW-TRACE-003`.
        rule: &'static str,
        /// How the message breaks it.
        detail: String,
    },
}

impl Violation {
    /// Whose fault it is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self.kind {
            ViolationKind::Late { .. } | ViolationKind::Stalled { .. } => Blame::Unclear,
            _ => Blame::Peer,
        }
    }
}

impl ViolationKind {
    pub(crate) fn wire(&self) -> WireCode {
        match self {
            Self::MalformedLength | Self::Malformed { .. } => WireCode::Malformed,
            Self::TooLong { .. } => WireCode::TooLong,
            Self::Late { .. } => WireCode::Late,
            Self::Stalled { .. } => WireCode::Stalled,
            Self::UnknownBranch { .. } => WireCode::UnknownBranch,
            Self::EndedEarly | Self::Truncated { .. } => WireCode::Truncated,
            Self::AfterEnd { .. } => WireCode::AfterEnd,
            Self::OutOfTurn { .. } => WireCode::OutOfTurn,
            Self::UnknownProtocol { .. } => WireCode::UnknownProtocol,
            Self::RuleBroken { .. } => WireCode::RuleBroken,
        }
    }

    /// The violation's stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::MalformedLength => "SW-SESSION-001",
            Self::Malformed { .. } => "SW-SESSION-002",
            Self::TooLong { .. } => "SW-SESSION-003",
            Self::Late { .. } => "SW-SESSION-004",
            Self::Stalled { .. } => "SW-SESSION-005",
            Self::UnknownBranch { .. } => "SW-SESSION-006",
            Self::EndedEarly => "SW-SESSION-007",
            Self::Truncated { .. } => "SW-SESSION-008",
            Self::AfterEnd { .. } => "SW-SESSION-009",
            Self::UnknownProtocol { .. } => "SW-SESSION-010",
            Self::RuleBroken { rule, .. } => rule,
            Self::OutOfTurn { .. } => "SW-SESSION-012",
        }
    }
}

impl fmt::Display for ViolationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MalformedLength => f.write_str("a frame's length is not a number in its shortest form"),
            Self::Malformed { reason } => write!(f, "the frame is not that message: {reason}"),
            Self::TooLong { announced, max } => {
                write!(f, "a frame of {announced} bytes, where at most {max} are allowed")
            }
            Self::Late { after, have: 0 } => write!(f, "nothing came within {after:?}"),
            Self::Late { after, have } => write!(f, "only {have} bytes of it came within {after:?}"),
            Self::Stalled { after } => write!(f, "our message was not taken within {after:?}"),
            Self::UnknownBranch { tag } => write!(f, "branch tag {tag} is neither 0 nor 1"),
            Self::EndedEarly => f.write_str("the peer ended the stream"),
            Self::Truncated { have } => write!(f, "the peer ended the stream after {have} bytes of a frame"),
            Self::AfterEnd { bytes } => write!(f, "{bytes} bytes came after the end of the protocol"),
            Self::OutOfTurn { bytes } => write!(f, "{bytes} bytes came that nobody asked for"),
            Self::UnknownProtocol { name, version } => {
                write!(f, "asked for {name} version {version}, which is not served here")
            }
            Self::RuleBroken { detail, .. } => f.write_str(detail),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with peer {}, {}: {}", self.protocol, self.peer.short(), self.state, self.kind)
    }
}

impl std::error::Error for Violation {}

impl Coded for Violation {
    fn code(&self) -> &'static str {
        self.kind.code()
    }

    fn next_step(&self) -> String {
        match &self.kind {
            ViolationKind::Late { .. } | ViolationKind::Stalled { .. } => {
                "Check the network and the load on both sides; the session can be opened again.".to_owned()
            }
            ViolationKind::UnknownProtocol { .. } => {
                "Check which versions both sides run; the older one must upgrade.".to_owned()
            }
            _ => {
                "Nothing was accepted from it. Report it to the people who run the peer, with both versions.".to_owned()
            }
        }
    }
}

/// The loss of a stream or connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The peer at the other end.
    pub peer: PeerId,
    /// The protocol's name.
    pub protocol: Cow<'static, str>,
    /// This side's state, such as `awaiting Chunk`.
    pub state: String,
    /// The cause of the loss.
    pub cause: LostCause,
}

/// Why a stream was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LostCause {
    /// The peer reset the stream, with this code.
    Reset(WireCode),
    /// The peer closed the connection in good order.
    Closed,
    /// The connection failed; the text is QUIC's reason.
    Connection(String),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with peer {} was lost, {}: ", self.protocol, self.peer.short(), self.state)?;
        match &self.cause {
            LostCause::Reset(code) => write!(f, "{code}"),
            LostCause::Closed => f.write_str("the peer closed the connection"),
            LostCause::Connection(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Lost {}

impl Coded for Lost {
    fn code(&self) -> &'static str {
        match self.cause {
            LostCause::Reset(_) => "SW-SESSION-020",
            LostCause::Closed => "SW-SESSION-021",
            LostCause::Connection(_) => "SW-SESSION-022",
        }
    }

    fn next_step(&self) -> String {
        match self.cause {
            LostCause::Reset(WireCode::UnknownProtocol) => {
                "Check which versions both sides run; the older one must upgrade."
            }
            LostCause::Reset(WireCode::Busy | WireCode::RetryAfter { .. }) => "Try again later, or another peer.",
            LostCause::Reset(WireCode::Failed) => {
                "It is the peer's own trouble: try again later. Its log says what failed."
            }
            LostCause::Reset(_) => "Look at the peer's log for the reason; the session can be opened again.",
            LostCause::Closed => "Connect again when the peer is back.",
            LostCause::Connection(_) => "Check that the peer runs and is reachable, then connect again.",
        }
        .to_owned()
    }
}

/// A failure of this side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Local {
    /// A message couldn't be sent.
    #[error("{protocol}: {message} can't be sent: {reason}")]
    Unsendable {
        /// The protocol's name.
        protocol: Cow<'static, str>,
        /// The message's name.
        message: &'static str,
        /// Why it can't be sent.
        reason: String,
    },
    /// More requests than the pipeline's depth.
    #[error("{protocol}: {depth} requests are outstanding, as many as the pipeline may have")]
    PipelineFull {
        /// The protocol's name.
        protocol: Cow<'static, str>,
        /// The pipeline's depth.
        depth: usize,
    },
    /// Every slot for sessions that carry bulk to us from this peer is taken.
    #[error("{protocol}: there is no place for another session that carries bulk from this peer")]
    NoBulkSlot {
        /// The protocol's name.
        protocol: Cow<'static, str>,
    },
    /// A pipeline was left while requests were outstanding, or asked for a response while none was.
    #[error("{protocol}: {outstanding} requests are outstanding")]
    Outstanding {
        /// The protocol's name.
        protocol: Cow<'static, str>,
        /// How many requests were outstanding.
        outstanding: usize,
    },
}

impl Coded for Local {
    fn code(&self) -> &'static str {
        match self {
            Self::Unsendable { .. } => "SW-SESSION-030",
            Self::PipelineFull { .. } => "SW-SESSION-031",
            Self::Outstanding { .. } => "SW-SESSION-032",
            Self::NoBulkSlot { .. } => "SW-SESSION-033",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Unsendable { .. } => "Split what is sent, or keep it within the message's limit.",
            Self::NoBulkSlot { .. } => "End one of the others first; the peer may try again.",
            Self::PipelineFull { .. } | Self::Outstanding { .. } => "This is a fault of the program: please report it.",
        }
        .to_owned()
    }
}

impl Coded for SessionError {
    fn code(&self) -> &'static str {
        match self {
            Self::Violation(error) => error.code(),
            Self::Lost(error) => error.code(),
            Self::Local(error) => error.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Violation(error) => error.next_step(),
            Self::Lost(error) => error.next_step(),
            Self::Local(error) => error.next_step(),
        }
    }
}

impl SessionError {
    /// The violation, if it is one.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        if let Self::Violation(violation) = self { Some(violation) } else { None }
    }

    /// How long the peer asks to wait before the session is opened again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Lost(lost) => match lost.cause {
                LostCause::Reset(code) => code.wait(),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether opening the session again may succeed: the loss of a connection, not a breach and not a refusal.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Violation(violation) => violation.blame() == Blame::Unclear,
            Self::Lost(lost) => {
                !matches!(lost.cause, LostCause::Reset(code) if !matches!(code, WireCode::Dropped | WireCode::Abandoned | WireCode::Failed | WireCode::Busy | WireCode::RetryAfter { .. }))
            }
            Self::Local(_) => false,
        }
    }
}
