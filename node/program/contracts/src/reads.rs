//! What a run took from the state that it was forked from. The list goes with the proof; the program's output has its commitment.

use crate::start::Start;
use shardwire_model::{Felt, program_hash};
use std::collections::BTreeMap;

/// What a run took from the state that it was forked from.
///
/// A settler computes the commitment anew, compares it with the proof's, and each value with the genesis or with the pinned block; that each
/// compiled class is what its class compiles to, it checks once for a pair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// By the contract's place and the key: the value at the beginning, of each slot that was touched and of each listed one.
    pub storage: BTreeMap<(usize, Felt), Felt>,
    /// By the contract's place: the first nonce of each account that sent a transaction.
    pub nonces: BTreeMap<usize, Felt>,
}

impl Reads {
    /// The felts, as the program hashes them: for each contract its address, class, compiled class, how many slots, and each slot's key and
    /// value, ascending; then each account that sent a transaction, and its first nonce.
    #[must_use]
    pub fn to_felts(&self, start: &Start) -> Vec<Felt> {
        let mut felts = Vec::new();
        for (place, contract) in start.contracts.iter().enumerate() {
            let slots = || self.storage.range((place, Felt::ZERO)..=(place, Felt::MAX));
            let pair = start.classes.get(contract.class);
            felts.extend([
                contract.address,
                pair.map(|pair| pair.class_hash).unwrap_or_default(),
                pair.map(|pair| pair.compiled_class_hash).unwrap_or_default(),
                (slots().count() as u64).into(),
            ]);
            felts.extend(slots().flat_map(|((_, key), value)| [*key, *value]));
        }
        felts.extend(self.nonces.iter().flat_map(|(place, nonce)| {
            [start.contracts.get(*place).map(|contract| contract.address).unwrap_or_default(), *nonce]
        }));
        felts
    }

    /// What stands for them in the output.
    #[must_use]
    pub fn commitment(&self, start: &Start) -> Felt {
        program_hash(&self.to_felts(start))
    }
}
