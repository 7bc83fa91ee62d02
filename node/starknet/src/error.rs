//! What went wrong with a question.

use shardwire_model::Coded;

/// A question that has no answer, or a refusal for one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The address can't be asked.
    #[error("that is no address of a Starknet node: {0}")]
    Address(String),
    /// This machine can't speak TLS.
    #[error("no secure connection can be made from this machine: {0}")]
    Tls(String),
    /// Nobody answered, or too late.
    #[error("{host} didn't answer: {reason}")]
    Silent {
        /// Who was asked.
        host: String,
        /// What the connection said.
        reason: String,
    },
    /// The server answered, but not with JSON-RPC: it is busy, or has nothing at this path.
    #[error("{host} answered with the HTTP status {status}")]
    Status {
        /// Who was asked.
        host: String,
        /// The status.
        status: u16,
    },
    /// The answer is longer than any that is expected.
    #[error("{host} sent an answer of more than {most} bytes")]
    Long {
        /// Who was asked.
        host: String,
        /// How many bytes it may have.
        most: usize,
    },
    /// The answer isn't JSON-RPC's, or not what the method answers.
    #[error("{host} sent an answer to {method} that can't be read: {reason}")]
    Answer {
        /// Who was asked.
        host: String,
        /// What was asked.
        method: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The node refused.
    #[error("{host} refused {method}: {message} (code {code})")]
    Refused {
        /// Who was asked.
        host: String,
        /// What was asked.
        method: &'static str,
        /// JSON-RPC's code, or Starknet's own.
        code: i64,
        /// The node's words, with its data if it gave any; what is beyond [`MAX_WORDS`](Self::MAX_WORDS) is cut.
        message: String,
    },
}

impl RpcError {
    /// Most characters of another's words in an error.
    pub const MAX_WORDS: usize = 400;

    /// Whether the same question may have an answer later.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Silent { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::Address(_) | Self::Tls(_) | Self::Long { .. } | Self::Answer { .. } | Self::Refused { .. } => false,
        }
    }

    /// The code with which the node refused, if it did.
    #[must_use]
    pub const fn refusal(&self) -> Option<i64> {
        if let Self::Refused { code, .. } = self { Some(*code) } else { None }
    }

    /// Another's words, in bounds and without characters that would change a terminal.
    pub(crate) fn words(text: &str) -> String {
        text.chars().filter(|it| !it.is_control()).take(Self::MAX_WORDS).collect()
    }
}

impl Coded for RpcError {
    fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "SW-STARKNET-001",
            Self::Tls(_) => "SW-STARKNET-002",
            Self::Silent { .. } => "SW-STARKNET-003",
            Self::Status { .. } => "SW-STARKNET-004",
            Self::Long { .. } => "SW-STARKNET-005",
            Self::Answer { .. } => "SW-STARKNET-006",
            Self::Refused { .. } => "SW-STARKNET-007",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Address(_) => "Give an address such as http://127.0.0.1:5050/rpc.".into(),
            Self::Tls(_) => "Install the system's CA certificates, or give an http:// address that you trust.".into(),
            Self::Silent { .. } => "Look whether the node runs and is reached from here; then try again.".into(),
            Self::Status { status: 429, .. } => {
                "Try again later, or ask a node that allows you more questions a second.".into()
            }
            Self::Status { .. } => "Look whether the path of the address is right; if it is, try again later.".into(),
            Self::Long { .. } | Self::Answer { .. } => {
                "Give the address of a Starknet node whose JSON-RPC has version 0.9 or 0.10.".into()
            }
            Self::Refused { .. } => "Correct what the node says, and try again.".into(),
        }
    }
}
