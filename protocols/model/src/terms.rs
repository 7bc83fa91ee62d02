//! What a shard's program needs to know beyond what every shard is started with. The requester gives it, the World copies it, and the shard's
//! name is a hash of it, too.
//!
//! A shard of *contracts* goes on from a state with classes, contracts and their storage: that of a genesis file, or that of a network at a block ([`OriginId`]). Its contracts run the code
//! of the listed classes; its accounts are contracts; its settlement list says what of their storage settles. [`ShardStart::for_contracts`](crate::ShardStart::for_contracts) is all of it in the program's order.
//!
//! Lists are bounded while they are read; contradictions are refused by [`ShardStart::validate`](crate::ShardStart::validate).

mod written;

use crate::{ContractId, Felt, Hash, Slot, amount, contracts::StartError, felt};
use serde::{Deserialize, Serialize};
use written::Written;

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
#[serde(from = "Written", into = "Written")]
pub enum Terms {
    /// Nothing more: a shard of the fixed rules.
    #[default]
    Rules,
    /// A shard of real contracts.
    Contracts(Box<ContractTerms>),
}

/// What names the state that a shard of contracts goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OriginId {
    /// The content hash of a genesis file.
    Genesis(Hash),
    /// A network at a block.
    Fork(ForkId),
}

impl From<Hash> for OriginId {
    fn from(genesis: Hash) -> Self {
        Self::Genesis(genesis)
    }
}

impl From<ForkId> for OriginId {
    fn from(fork: ForkId) -> Self {
        Self::Fork(fork)
    }
}

/// A block of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ForkId {
    /// The network's chain id.
    #[serde(with = "felt::wire")]
    pub chain: Felt,
    /// The block's number. The shard's own blocks come after it.
    pub number: u64,
    /// The block's hash: nodes are asked for the state at this, and for no other of the same number.
    #[serde(with = "felt::wire")]
    pub hash: Felt,
}

/// What a shard of contracts is started with beyond what every shard has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractTerms {
    /// The state that the shard goes on from, but for what settles, whose values are the World's.
    pub origin: OriginId,
    /// The time before which no transaction is, in seconds since the Unix epoch.
    pub begins: u64,
    /// The number of the first transaction's block, from 1; each transaction is a block.
    pub first_block: u64,
    /// What contracts are told as the sequencer's address.
    pub sequencer: ContractId,
    /// The classes that its contracts may be of, ascending by class hash.
    pub classes: Vec<ClassPair>,
    /// Of each of the start data's contracts, in their order, what it is.
    pub instances: Vec<Instance>,
    /// Of each of the start data's entries, in their order, the largest value: of a lock zero.
    pub maxima: Vec<Maximum>,
    /// Storage addresses of closed contracts that may change and don't settle, such as allowances; ascending.
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
        let ContractTerms { origin, begins, first_block, sequencer, classes, instances, maxima, scratch } = &**terms;
        // Of a fork it is longer than of a genesis, so no two have the same bytes.
        let origin = match origin {
            OriginId::Genesis(genesis) => genesis.0.to_vec(),
            OriginId::Fork(fork) => fork.to_bytes(),
        };
        let fixed = [&origin[..], &begins.to_le_bytes(), &first_block.to_le_bytes(), &sequencer.0.to_bytes_be()];
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

impl ContractTerms {
    /// Refuses blocks that run back: contracts have seen the number of the block that the shard goes on from.
    pub(crate) const fn validate(&self) -> Result<(), StartError> {
        match self.origin {
            OriginId::Fork(ForkId { number, .. }) if self.first_block <= number => {
                Err(StartError::Behind { number, first_block: self.first_block })
            }
            OriginId::Fork(_) | OriginId::Genesis(_) => Ok(()),
        }
    }
}

impl ForkId {
    /// Its bytes: chain id, number (little-endian), hash.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { chain, number, hash } = self;
        [&chain.to_bytes_be()[..], &number.to_le_bytes(), &hash.to_bytes_be()].concat()
    }
}
