//! What is known of the chains of session keys while a run goes on.

use cairo_vm::types::relocatable::Relocatable;
use shardwire_model::{Felt, Signature};
use std::collections::HashMap;

/// The chains of session keys, by key.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    /// The last access to it; its last cell points to how far the chain is.
    pub(crate) accesses: HashMap<Felt, Relocatable>,
    /// The newest signature.
    pub(crate) signatures: HashMap<Felt, Signature>,
}

impl Chains {
    /// How many keys there are.
    pub(crate) fn keys(&self) -> usize {
        self.accesses.len()
    }
}
