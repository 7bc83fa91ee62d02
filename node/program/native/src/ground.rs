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
#[error("the state that the shard began from can't be read: {why}")]
pub struct GroundError {
    why: String,
    code: &'static str,
    next_step: String,
    is_absent: bool,
}

impl GroundError {
    /// The code of one that has no other.
    const CODE: &'static str = "SW-NATIVE-020";

    /// That it can't be read, for this reason.
    #[must_use]
    pub fn new(why: impl Into<String>) -> Self {
        let next_step = "Submit the transaction again; if this lasts, look at what the operator reads the state from.";
        Self { why: why.into(), code: Self::CODE, next_step: next_step.into(), is_absent: false }
    }

    /// That it can't be read because of this, whose code and next step it has.
    #[must_use]
    pub fn of(error: &impl Coded) -> Self {
        Self { why: error.to_string(), code: error.code(), next_step: error.next_step(), is_absent: false }
    }

    /// The same: it could be read, and who asked doesn't wait for that.
    #[must_use]
    pub fn absent(self) -> Self {
        Self { is_absent: true, ..self }
    }

    /// Whether it could be read, and who asked doesn't wait for that.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        self.is_absent
    }
}

impl Coded for GroundError {
    fn code(&self) -> &'static str {
        self.code
    }

    fn next_step(&self) -> String {
        self.next_step.clone()
    }

    fn told(&self) -> String {
        // Where a node reads a network is its own people's business.
        "the state that the shard began from can't be read at the moment".into()
    }
}
