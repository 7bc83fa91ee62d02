//! What can go wrong with the game of contracts, beyond what can with every run.

use super::{MAX_PLAYERS, MAX_TRANSACTIONS};
use shardwire_model::Coded;
use shardwire_native::ClassError;
use shardwire_program::{ExecuteError, Refusal};
use shardwire_starknet::RpcError;

/// The game of contracts can't be played on.
#[derive(Debug, thiserror::Error)]
pub enum ContractsError {
    /// Too few or too many players.
    #[error("a game of contracts has 1 to {MAX_PLAYERS} players, not {0}")]
    Players(usize),
    /// Too few or too many transactions.
    #[error("a game of contracts has 1 to {MAX_TRANSACTIONS} transactions, not {0}")]
    Transactions(usize),
    /// A class of the game doesn't compile.
    #[error("the class of {name} doesn't compile: {error}")]
    Class {
        /// The contract's name.
        name: &'static str,
        /// What the compiler says.
        error: ClassError,
    },
    /// A player's key can't sign.
    #[error("{0}'s key can't sign a transaction")]
    Key(String),
    /// The operator refuses a transaction, or its door doesn't answer.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The operator opened no door.
    #[error("the operator serves no wallets")]
    NoDoor,
    /// The door's answers can't be.
    #[error("the operator's door says what can't be: {0}")]
    Absurd(String),
    /// A shard without a network refuses what is played.
    #[error("the shard refuses a transaction of the game: {0}")]
    Refused(#[from] Refusal),
    /// A shard without a network can't be executed.
    #[error("the game's shard can't be executed: {0}")]
    Execute(#[from] ExecuteError),
}

impl ContractsError {
    /// Whether the flags are what is wrong.
    #[must_use]
    pub const fn is_misuse(&self) -> bool {
        matches!(self, Self::Players(_) | Self::Transactions(_))
    }
}

impl Coded for ContractsError {
    fn code(&self) -> &'static str {
        match self {
            Self::Players(_) => "SW-TESTNET-201",
            Self::Transactions(_) => "SW-TESTNET-202",
            Self::Class { .. } => "SW-TESTNET-203",
            Self::Key(_) => "SW-TESTNET-204",
            Self::Rpc(error) => error.code(),
            Self::NoDoor => "SW-TESTNET-205",
            Self::Absurd(_) => "SW-TESTNET-206",
            Self::Refused(error) => error.code(),
            Self::Execute(error) => error.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Players(_) => "Choose another number with --players.".into(),
            Self::Transactions(_) => "Choose another number with --transactions.".into(),
            Self::Class { .. } => "Restore node/program/contracts/game, and build the testnet again.".into(),
            Self::Key(_) => "Choose another game with --seed.".into(),
            Self::Rpc(error) => error.next_step(),
            Self::Refused(error) => error.next_step(),
            Self::Execute(error) => error.next_step(),
            Self::NoDoor | Self::Absurd(_) => {
                "Run it again with --data DIR and read DIR/operator.log; build the node again if it is older than the testnet.".into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_to_do() {
        let shown = |error: ContractsError| format!("{} {error} {}", error.code(), error.next_step());
        assert_eq!(
            shown(ContractsError::Players(65)),
            "SW-TESTNET-201 a game of contracts has 1 to 64 players, not 65 Choose another number with --players."
        );
        assert_eq!(
            shown(ContractsError::Transactions(0)),
            "SW-TESTNET-202 a game of contracts has 1 to 16384 transactions, not 0 Choose another number with --transactions."
        );
        assert!(ContractsError::Players(0).is_misuse() && !ContractsError::NoDoor.is_misuse());
        assert!(
            shown(ContractsError::NoDoor).starts_with("SW-TESTNET-205 the operator serves no wallets Run it again")
        );
    }
}
