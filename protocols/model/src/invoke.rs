//! An INVOKE of version 3, as wallets make it: what an account asks a shard of contracts to do.

use crate::{ContractId, Felt, bounded};
use serde::{Deserialize, Serialize};
use starknet_types_core::hash::{Poseidon, StarkHash as _};

/// Felts of a transaction's, or a call's, calldata: Starknet's own bound.
pub const MAX_CALLDATA_FELTS: usize = 5_000;
/// Felts of a transaction's signature. A wallet with several signers needs some dozens.
pub const MAX_SIGNATURE_FELTS: usize = 256;

/// The most that a transaction may use of each resource. The prices are zero, all three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceBounds {
    /// `l1_gas.max_amount`.
    pub l1_gas: u64,
    /// `l2_gas.max_amount`: the limit of what the account's two entry points may use together.
    pub l2_gas: u64,
    /// `l1_data_gas.max_amount`.
    pub l1_data_gas: u64,
}

/// An INVOKE of version 3. What wallets leave zero or empty in a shard has no place here: prices, tip, paymaster data, account deployment data, proof
/// facts; both data availability modes are L1. The chain id is the shard's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoke {
    /// The account.
    pub sender: ContractId,
    /// How many transactions the account had before.
    pub nonce: u64,
    /// What both entry points of the account are called with: the calls.
    #[serde(serialize_with = "bounded::serialize_felts", deserialize_with = "bounded::felts::<_, MAX_CALLDATA_FELTS>")]
    pub calldata: Vec<Felt>,
    /// What the account contract checks.
    #[serde(
        serialize_with = "bounded::serialize_felts",
        deserialize_with = "bounded::felts::<_, MAX_SIGNATURE_FELTS>"
    )]
    pub signature: Vec<Felt>,
    /// The most that it may use.
    pub bounds: ResourceBounds,
}

/// The version of a transaction.
const VERSION: Felt = Felt::THREE;
/// 2^128 + 3: the version of one that is only asked about.
const QUERY: Felt = Felt::from_hex_unchecked("0x100000000000000000000000000000003");

impl Invoke {
    /// The transaction's hash in the chain with this id: what the account signs.
    #[must_use]
    pub fn hash(&self, chain: Felt) -> Felt {
        self.hash_of(VERSION, chain)
    }

    /// The hash of the same as a query, which can't be submitted: what wallets sign who only estimate or simulate.
    #[must_use]
    pub fn query_hash(&self, chain: Felt) -> Felt {
        self.hash_of(QUERY, chain)
    }

    fn hash_of(&self, version: Felt, chain: Felt) -> Felt {
        let ResourceBounds { l1_gas, l2_gas, l1_data_gas } = self.bounds;
        let nothing = Poseidon::hash_array(&[]);
        let tip = Felt::ZERO;
        let fee = [tip, bound(b"L1_GAS", l1_gas), bound(b"L2_GAS", l2_gas), bound(b"L1_DATA", l1_data_gas)];
        let (paymaster_data, availability, deployment_data) = (nothing, Felt::ZERO, nothing);
        Poseidon::hash_array(&[
            Felt::from_bytes_be_slice(b"invoke"),
            version,
            self.sender.0,
            Poseidon::hash_array(&fee),
            paymaster_data,
            chain,
            self.nonce.into(),
            availability,
            deployment_data,
            Poseidon::hash_array(&self.calldata),
        ])
    }
}

/// The name of a resource, its amount in 64 bits, and its price in 128: zero.
fn bound(name: &[u8], amount: u64) -> Felt {
    (Felt::from_bytes_be_slice(name) * Felt::TWO.pow(64u32) + Felt::from(amount)) * Felt::TWO.pow(128u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invoke(calldata: usize, signature: usize) -> Invoke {
        Invoke {
            sender: ContractId(Felt::from(0xacc)),
            nonce: 3,
            calldata: vec![Felt::MAX; calldata],
            signature: vec![Felt::ONE; signature],
            bounds: ResourceBounds { l1_gas: 0, l2_gas: 1 << 40, l1_data_gas: 1 },
        }
    }

    #[test]
    fn an_invoke_comes_back_from_the_wire_and_from_json_and_is_refused_beyond_its_bounds() {
        for (calldata, signature, fits) in [
            (2, 2, true),
            (MAX_CALLDATA_FELTS, MAX_SIGNATURE_FELTS, true),
            (MAX_CALLDATA_FELTS + 1, 2, false),
            (2, MAX_SIGNATURE_FELTS + 1, false),
        ] {
            let invoke = invoke(calldata, signature);
            let wire = postcard::from_bytes::<Invoke>(&postcard::to_allocvec(&invoke).unwrap());
            let json = serde_json::from_str::<Invoke>(&serde_json::to_string(&invoke).unwrap());
            assert_eq!(wire.ok(), fits.then(|| invoke.clone()));
            assert_eq!(json.ok(), fits.then_some(invoke));
        }
    }

    #[test]
    fn every_field_but_the_signature_is_in_the_hash() {
        let (first, chain) = (invoke(2, 2), Felt::from_bytes_be_slice(b"SW_TEST"));
        let changes: [fn(&mut Invoke); 6] = [
            |it| it.sender = ContractId(Felt::ONE),
            |it| it.nonce += 1,
            |it| it.calldata[1] = Felt::ONE,
            |it| it.bounds.l1_gas = 1,
            |it| it.bounds.l2_gas += 1,
            |it| it.bounds.l1_data_gas += 1,
        ];
        let changed = changes.map(|change| {
            let mut other = first.clone();
            change(&mut other);
            other.hash(chain)
        });
        let mut hashes = vec![first.hash(chain), first.query_hash(chain), first.hash(Felt::ONE)];
        hashes.extend(changed);
        assert!((0..hashes.len()).all(|i| !hashes[..i].contains(&hashes[i])), "{hashes:?}");
        assert_eq!(Invoke { signature: Vec::new(), ..first.clone() }.hash(chain), first.hash(chain));
    }
}
