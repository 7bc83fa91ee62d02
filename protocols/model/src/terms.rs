//! What a shard's program needs to know beyond what every shard is started with. The requester gives it, the World copies it, and the shard's
//! name is a hash of it, too.
//!
//! A shard of *contracts* goes on from a state that a genesis file describes: classes, contracts, their storage. Its contracts run the code of the listed classes; its accounts
//! are contracts; its settlement list says what of their storage settles. [`ShardStart::for_contracts`](crate::ShardStart::for_contracts) is all of it in the program's order.
//!
//! Lists are bounded while they are read; contradictions are refused by [`ShardStart::validate`](crate::ShardStart::validate).

use crate::{
    ContractId, Felt, Hash, Slot, amount, bounded,
    entry::{MAX_CONTRACTS, MAX_ENTRIES},
    felt,
};
use serde::{Deserialize, Serialize};

/// Most classes of a shard.
pub const MAX_CLASSES: usize = 64;
/// Most keys that may change and don't settle.
pub const MAX_SCRATCH: usize = 1024;

/// A class, and the compiled form that stands for it. Settlers check that the one is what the other compiles to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassPair {
    /// The hash of the Sierra.
    #[serde(with = "felt::wire")]
    pub class_hash: Felt,
    /// The hash of the CASM, version 2 (Blake).
    #[serde(with = "felt::wire")]
    pub compiled_class_hash: Felt,
}

/// Which slots of a contract may differ after a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Listed ones alone: every other slot has its first value again when a transaction ends.
    Closed,
    /// Any; what isn't listed is forgotten when the shard ends.
    Scratch,
}

/// What a shard is started with beyond what every shard has, by the kind of its program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Terms {
    /// Nothing more: a shard of the fixed rules.
    #[default]
    Rules,
    /// A shard of real contracts.
    Contracts(Box<ContractTerms>),
}

/// What a shard of contracts is started with beyond what every shard has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractTerms {
    /// The content hash of the genesis file: the state that the shard goes on from, but for what settles, whose values are the World's.
    pub genesis: Hash,
    /// The time before which no transaction is, in seconds since the Unix epoch.
    pub begins: u64,
    /// The number of the first transaction's block, from 1; each transaction is a block.
    pub first_block: u64,
    /// What contracts are told as the sequencer's address.
    pub sequencer: ContractId,
    /// The classes that its contracts may be of, ascending by class hash.
    #[serde(deserialize_with = "bounded::wire_list::<_, _, MAX_CLASSES>")]
    pub classes: Vec<ClassPair>,
    /// Of each of the start data's contracts, in their order, what it is.
    #[serde(deserialize_with = "bounded::wire_list::<_, _, MAX_CONTRACTS>")]
    pub instances: Vec<Instance>,
    /// Of each of the start data's entries, in their order, the largest value: of a lock zero.
    #[serde(deserialize_with = "bounded::wire_list::<_, _, MAX_ENTRIES>")]
    pub maxima: Vec<Maximum>,
    /// Storage addresses of closed contracts that may change and don't settle, such as allowances; ascending.
    #[serde(default, deserialize_with = "bounded::wire_list::<_, _, MAX_SCRATCH>")]
    pub scratch: Vec<Slot>,
}

/// What a contract is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The hash of its class.
    #[serde(with = "felt::wire")]
    pub class: Felt,
    /// Which of its slots may change.
    pub rule: Rule,
}

/// The largest value that an entry may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Maximum(#[serde(with = "amount")] pub u128);

impl Terms {
    /// What a shard's name is a hash of besides: nothing for rules. Each list is a part of its own, so no two terms have the same parts.
    pub(crate) fn hashed(&self) -> Vec<Vec<u8>> {
        let Self::Contracts(terms) = self else { return Vec::new() };
        let ContractTerms { genesis, begins, first_block, sequencer, classes, instances, maxima, scratch } = &**terms;
        let fixed = [&genesis.0[..], &begins.to_le_bytes(), &first_block.to_le_bytes(), &sequencer.0.to_bytes_be()];
        let rule = |rule: Rule| u8::from(rule == Rule::Closed);
        vec![
            fixed.concat(),
            classes
                .iter()
                .flat_map(|it| [it.class_hash, it.compiled_class_hash])
                .flat_map(|it| it.to_bytes_be())
                .collect(),
            instances.iter().flat_map(|it| it.class.to_bytes_be().into_iter().chain([rule(it.rule)])).collect(),
            maxima.iter().flat_map(|it| it.0.to_le_bytes()).collect(),
            scratch.iter().flat_map(|it| it.to_bytes_be()).collect(),
        ]
    }
}
