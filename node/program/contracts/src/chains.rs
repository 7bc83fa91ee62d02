//! What is known of the chains of session keys while a run goes on.

use cairo_vm::types::relocatable::Relocatable;
use shardwire_model::{Felt, Signature};
use std::collections::HashMap;

/// The chains of session keys, by key.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    /// The last access to it; its last cell points to how far the chain is.
    pub(crate) accesses: HashMap<Felt, Relocatable>,
    /// Where the record is of each that goes on from a segment before.
    pub(crate) records: HashMap<Felt, Relocatable>,
    /// The newest signature.
    pub(crate) signatures: HashMap<Felt, Signature>,
}

impl Chains {
    /// How many keys made calls.
    pub(crate) fn called(&self) -> usize {
        self.accesses.len()
    }

    /// How many keys there are.
    pub(crate) fn keys(&self) -> usize {
        self.records.len() + self.accesses.keys().filter(|key| !self.records.contains_key(key)).count()
    }
}
