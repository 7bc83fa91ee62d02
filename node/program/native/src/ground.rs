//! What the state was before a shard's first transaction.

use crate::Class;
use shardwire_model::{Coded, ContractId, Felt, Key};
use std::{fmt, sync::Arc};

/// The state that a shard begins from: a genesis, or a network at a block. Accounts are contracts here.
///
/// The same question has the same answer for as long as the shard lives.
pub trait Ground: Send + Sync + fmt::Debug {
    /// The value of a slot; zero if it was never written.
    ///
    /// # Errors
    /// [`GroundError`] if this can't be found out at the moment.
    fn storage_at(&self, contract: ContractId, key: Key) -> Result<Felt, GroundError>;

    /// The nonce of a contract; zero if it never had a transaction.
    ///
    /// # Errors
    /// [`GroundError`] if this can't be found out at the moment.
    fn nonce_at(&self, contract: ContractId) -> Result<u64, GroundError>;

    /// The class of a contract, if there is one at this address.
    ///
    /// # Errors
    /// [`GroundError`] if this can't be found out at the moment.
    fn class_hash_at(&self, contract: ContractId) -> Result<Option<Felt>, GroundError>;

    /// The class with this hash, if it is declared.
    ///
    /// # Errors
    /// [`GroundError`] if this can't be found out at the moment.
    fn class(&self, hash: Felt) -> Result<Option<Arc<Class>>, GroundError>;
}

/// The state that a shard began from can't be read at the moment, which says nothing about the transaction that asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state that the shard began from can't be read: {0}")]
pub struct GroundError(pub String);

impl Coded for GroundError {
    fn code(&self) -> &'static str {
        "SW-NATIVE-020"
    }

    fn next_step(&self) -> String {
        "Submit the transaction again; if this lasts, look at what the operator reads the state from.".into()
    }
}
