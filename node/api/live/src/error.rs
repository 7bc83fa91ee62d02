//! What a wallet is told of a refusal.

use shardwire_model::Coded;
use shardwire_native::{GroundError, Refusal as Native};
use shardwire_rpc::{Refusal, RefusalKind as Kind};

/// Why a live shard doesn't do what execution would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiveError {
    /// The state at a block that isn't the last.
    #[error("the state after {after} transactions isn't kept: there are {accepted}")]
    Past {
        /// After how many transactions it would be.
        after: u32,
        /// How many there are.
        accepted: u32,
    },
    /// The transaction is in the log.
    #[error("the transaction is in the log, at place {index}")]
    Duplicate {
        /// Its place, from 0.
        index: u32,
    },
    /// The shard was aborted.
    #[error("the shard was aborted: it takes no transaction")]
    Aborted,
    /// The thread that executes ended early.
    #[error("the execution ended early: {0}")]
    Interrupted(String),
}

impl Coded for LiveError {
    fn code(&self) -> &'static str {
        match self {
            Self::Past { .. } => "SW-RPC-301",
            Self::Duplicate { .. } => "SW-RPC-302",
            Self::Aborted => "SW-RPC-303",
            Self::Interrupted(_) => "SW-RPC-304",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Past { .. } => "Ask for 'latest'; storage, nonces and receipts are there at every block.".into(),
            Self::Duplicate { .. } => "Ask for its receipt.".into(),
            Self::Aborted => "Start another shard.".into(),
            Self::Interrupted(_) => "Ask for the transaction's status, and submit it again if there is none.".into(),
        }
    }
}

impl From<LiveError> for Refusal {
    fn from(error: LiveError) -> Self {
        let kind = match error {
            LiveError::Past { .. } => Kind::Past,
            LiveError::Duplicate { .. } => Kind::Duplicate,
            LiveError::Aborted => Kind::Rule,
            LiveError::Interrupted(_) => Kind::Unavailable,
        };
        Self::new(kind, &error)
    }
}

/// A refusal of execution, as one of Starknet's errors.
#[must_use]
pub fn refused(refusal: &Native) -> Refusal {
    let kind = match refusal {
        Native::UnknownAccount(_) | Native::Sender(_) => Kind::NoAccount,
        Native::Nonce { .. } | Native::Link { .. } => Kind::Nonce,
        Native::Invalid { .. } | Native::Unsigned(_) => Kind::Validation,
        Native::ZeroGas => Kind::Gas,
        Native::UnknownContract(_) => Kind::NoContract,
        Native::NoEntryPoint { .. } => Kind::NoEntryPoint,
        Native::CallFailed(_) => Kind::Failed,
        Native::Ground(_) | Native::Machine(_) | Native::Behind { .. } => Kind::Unavailable,
        Native::TooLong { .. }
        | Native::Ended
        | Native::Full
        | Native::Time { .. }
        | Native::Broken(_)
        | Native::TooDeep
        | Native::Events(_)
        | Native::Syscall { .. }
        | Native::UnknownClass(_)
        | Native::ClosedSlot { .. }
        | Native::Escrows { .. }
        | Native::CounterFalls { .. }
        | Native::AboveMaximum { .. }
        | Native::NotHeld { .. }
        | Native::Slots { .. }
        | Native::OverBudget { .. }
        | Native::TooCostly { .. }
        | Native::NoSessions
        | Native::BeyondSessions
        | Native::NotAllowed { .. } => Kind::Rule,
    };
    Refusal::new(kind, refusal)
}

/// What can't be read at the moment.
pub(crate) fn unreadable(error: GroundError) -> Refusal {
    Refusal::new(Kind::Unavailable, &error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::{ContractId, Felt};

    #[test]
    fn a_rule_of_execution_is_one_of_starknets_errors() {
        let (contract, zero) = (ContractId(Felt::ONE), Felt::ZERO);
        for (rule, kind) in [
            (Native::UnknownAccount(contract), Kind::NoAccount),
            (Native::Sender(contract), Kind::NoAccount),
            (Native::ZeroGas, Kind::Gas),
            (Native::Nonce { account: contract, expected: 0, got: 1 }, Kind::Nonce),
            (Native::Link { key: zero, calls: 0, last: zero, got: zero }, Kind::Nonce),
            (Native::Invalid { account: contract, reason: String::new() }, Kind::Validation),
            (Native::Unsigned(zero), Kind::Validation),
            (Native::UnknownContract(contract), Kind::NoContract),
            (Native::NoEntryPoint { contract, selector: zero }, Kind::NoEntryPoint),
            (Native::CallFailed(String::new()), Kind::Failed),
            (Native::Machine(String::new()), Kind::Unavailable),
            (Native::Behind { replayed: 1, accepted: 2 }, Kind::Unavailable),
            (Native::OverBudget { bytes: 2, most: 1 }, Kind::Rule),
            (Native::TooCostly { bytes: 2, most: 1 }, Kind::Rule),
            (Native::UnknownClass(zero), Kind::Rule),
            (Native::Ended, Kind::Rule),
            (Native::NoSessions, Kind::Rule),
            (Native::BeyondSessions, Kind::Rule),
        ] {
            let refusal = refused(&rule);
            assert_eq!((refusal.kind(), refusal.code()), (kind, rule.code()), "{rule}");
        }
    }

    #[test]
    fn every_error_has_its_text_and_its_kind() {
        let errors = [
            LiveError::Past { after: 3, accepted: 5 },
            LiveError::Duplicate { index: 7 },
            LiveError::Aborted,
            LiveError::Interrupted("it panicked".into()),
        ];
        let read: Vec<_> = errors.iter().map(|it| format!("{} {it}. {}", it.code(), it.next_step())).collect();
        assert_eq!(
            read,
            [
                "SW-RPC-301 the state after 3 transactions isn't kept: there are 5. Ask for 'latest'; storage, nonces and receipts are there at every block.",
                "SW-RPC-302 the transaction is in the log, at place 7. Ask for its receipt.",
                "SW-RPC-303 the shard was aborted: it takes no transaction. Start another shard.",
                "SW-RPC-304 the execution ended early: it panicked. Ask for the transaction's status, and submit it again if there is none.",
            ]
        );
        let kinds = errors.map(|error| Refusal::from(error).kind());
        assert_eq!(kinds, [Kind::Past, Kind::Duplicate, Kind::Rule, Kind::Unavailable]);
        assert_eq!(unreadable(GroundError::new("gone")).kind(), Kind::Unavailable);
    }
}
