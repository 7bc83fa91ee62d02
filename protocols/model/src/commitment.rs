//! The felts of a shard's start, and the commitments to it.

use crate::{abi_1, contracts, felt::Felt, start::ShardStart, terms::Terms};
use starknet_types_core::hash::{Poseidon, StarkHash};

/// The version of the output's and the start data's layout.
pub const ABI_VERSION: u64 = 2;

impl ShardStart {
    /// The felts that the [commitment](Self::commitment) hashes and the shard program reads. In a shard of contracts they are
    /// [those](contracts::Start::to_felts) of the start data in the program's order; where it contradicts itself, none. In a shard of rules, in this order: abi version,
    /// shard, program, operator (low 128 bits, high 128 bits of its id as a big-endian number), end event (from, selector), deadline
    /// (milliseconds), number of contracts, of accounts, of entries; the contracts; the accounts; (kind, contract's index, key, guard) of each entry.
    ///
    /// A contract that is not whitelisted has the index `n_contracts`, which the shard program refuses. Start data that [names no
    /// program](Self::is_outdated) is of ABI 1, which has neither program nor deadline, so its commitment is what it was.
    #[must_use]
    pub fn to_felts(&self) -> Vec<Felt> {
        if let Terms::Contracts(terms) = &self.terms {
            return contracts::Start::of(self, terms).map(|start| start.to_felts()).unwrap_or_default();
        }
        let count = |n: usize| Felt::from(n as u64);
        let (operator, end) = (self.operator.to_felts(), [self.end_event.from.0, self.end_event.selector.0]);
        let mut felts = if self.is_outdated() {
            [&[Felt::from(abi_1::VERSION), self.shard.0], &operator[..], &end].concat()
        } else {
            let (abi, deadline) = (Felt::from(ABI_VERSION), [Felt::from(self.deadline.0)]);
            [&[abi, self.shard.0, self.program], &operator[..], &end, &deadline].concat()
        };
        felts.extend([self.contracts.len(), self.accounts.len(), self.entries.len()].map(count));
        felts.extend(self.contracts.iter().map(|contract| contract.0));
        felts.extend(self.accounts.iter().map(|account| account.0));
        for entry in &self.entries {
            let contract = self.contract_index(entry.contract).unwrap_or(self.contracts.len());
            felts.extend([Felt::from(entry.kind.number()), count(contract), entry.key.0, entry.guard]);
        }
        felts
    }

    /// What everything in the shard is bound to: Poseidon (Starknet's sponge, `poseidon_hash_many`) of [`Self::to_felts`].
    #[must_use]
    pub fn commitment(&self) -> Felt {
        Poseidon::hash_array(&self.to_felts())
    }
}

/// The commitment to a state of a shard: Poseidon of the start commitment and the value of each entry, in the settlement list's order.
#[must_use]
pub fn state_commitment(start_commitment: Felt, values: &[Felt]) -> Felt {
    let felts: Vec<Felt> = std::iter::once(start_commitment).chain(values.iter().copied()).collect();
    Poseidon::hash_array(&felts)
}
