//! A session call: one call in an account's name, signed by a key that the account allowed to make it.
//!
//! The account allows it in a transaction of its own, to the contract `sessions/sessions.cairo` of the program `contracts`: which contracts and selectors
//! a key may call, and until when. No wallet asks its owner again, no account contract validates, and of all calls of a key one signature is proven.
//!
//! The calls of a key form a chain. Its first link binds the key to one shard; each further one is a hash of the link before, of what is called, and of the
//! calldata. The key signs the link, so that its last signature stands for all calls before. A call has the link before it instead of a number: it is its
//! place among the key's calls, and the call alone says what is hashed and signed.
//!
//! **A key vouches for every link before the one that it signs.** So a client adds to links that it signed itself, and never to one that a node tells it.
//! One that has lost them has its account allow another key.

use crate::{
    AccountKey, ContractId, Felt, Key, MAX_CALLDATA_FELTS, Signature, bounded,
    felt::{self, AccountId},
    program_hash, starknet_keccak,
};
use serde::{Deserialize, Serialize};
use starknet_types_core::hash::{Pedersen, StarkHash as _};
use std::sync::LazyLock;

/// The selector of the variable in which the contract that keeps sessions has what is allowed.
static ALLOWED: LazyLock<Felt> = LazyLock::new(|| starknet_keccak("allowed"));

/// The L2 gas that a session call may use. Its key doesn't say how much it may, so it is little: a million steps.
pub const SESSION_GAS: u64 = 100_000_000;

/// A call in an account's name, with the signature of a session key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCall {
    /// The account: who calls, as the contract is told.
    pub account: ContractId,
    /// The session key: the x coordinate of a public key on the Stark curve.
    #[serde(with = "felt::wire")]
    pub key: Felt,
    /// The link of the key's call before, or the [first](SessionCall::first_link).
    #[serde(with = "felt::wire")]
    pub previous: Felt,
    /// The contract that is called; never the account itself.
    pub contract: ContractId,
    /// The entry point.
    #[serde(with = "felt::wire")]
    pub selector: Felt,
    /// Its arguments.
    #[serde(serialize_with = "bounded::serialize_felts", deserialize_with = "bounded::felts::<_, MAX_CALLDATA_FELTS>")]
    pub calldata: Vec<Felt>,
    /// The key's signature over the [link](SessionCall::link).
    pub signature: Signature,
}

/// What is hashed of a session call. The permission is four Pedersen hashes, so who needs both computes them once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionHashes {
    /// The slot, of the contract that keeps sessions, with the time from which the call isn't allowed any more; zero if it never was.
    pub permission: Key,
    /// The call's link: H(link before, permission, calldata). It is what the key signs, and the transaction's hash.
    pub link: Felt,
}

impl SessionCall {
    /// What the chain of a key begins with in the chain with this id: H('SESSION', chain id, key). H is [`program_hash`].
    #[must_use]
    pub fn first_link(chain: Felt, key: Felt) -> Felt {
        program_hash(&[Felt::from_bytes_be_slice(b"SESSION"), chain, key])
    }

    /// What is hashed of it.
    #[must_use]
    pub fn hashes(&self) -> SessionHashes {
        let names = [self.account.0, self.key, self.contract.0, self.selector];
        let permission = names.iter().fold(*ALLOWED, |slot, name| Pedersen::hash(&slot, name));
        let mut felts = vec![self.previous, permission];
        felts.extend(&self.calldata);
        SessionHashes { permission: Key(permission), link: program_hash(&felts) }
    }

    /// Its [link](SessionHashes::link).
    #[must_use]
    pub fn link(&self) -> Felt {
        self.hashes().link
    }

    /// Signs it. `None` with a probability of 2^-55; then call with other arguments.
    #[must_use]
    pub fn sign(self, key: &AccountKey) -> Option<Self> {
        let signature = key.sign(self.link())?;
        Some(Self { signature, ..self })
    }

    /// Whether the key signed it.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.signature.verifies(AccountId(self.key), self.link())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(calldata: usize) -> SessionCall {
        let key = AccountKey::from_secret([3; 32]);
        let unsigned = SessionCall {
            account: ContractId(Felt::from(0xacc)),
            key: key.id().0,
            previous: SessionCall::first_link(Felt::from_bytes_be_slice(b"SW_TEST"), key.id().0),
            contract: ContractId(Felt::from(0xc0)),
            selector: Felt::from(0x5e1),
            calldata: vec![Felt::MAX; calldata],
            signature: Signature::NONE,
        };
        assert!(!unsigned.is_signed());
        unsigned.sign(&key).unwrap()
    }

    #[test]
    fn a_call_comes_back_from_the_wire_and_from_json_and_is_refused_beyond_its_bounds() {
        for (calldata, fits) in [(0, true), (MAX_CALLDATA_FELTS, true), (MAX_CALLDATA_FELTS + 1, false)] {
            let call = call(calldata);
            let wire = postcard::from_bytes::<SessionCall>(&postcard::to_allocvec(&call).unwrap());
            let json = serde_json::from_str::<SessionCall>(&serde_json::to_string(&call).unwrap());
            assert_eq!(wire.ok(), fits.then(|| call.clone()));
            assert_eq!(json.ok(), fits.then_some(call));
        }
    }

    #[test]
    fn a_signature_is_for_one_call_at_one_place_in_one_chain() {
        let signed = call(2);
        assert!(signed.is_signed());
        let changes: [fn(&mut SessionCall); 8] = [
            |it| it.account = ContractId(Felt::ONE),
            |it| it.key = AccountKey::from_secret([4; 32]).id().0,
            |it| it.previous += Felt::ONE,
            |it| it.contract = ContractId(Felt::ONE),
            |it| it.selector += Felt::ONE,
            |it| it.calldata[1] = Felt::ONE,
            |it| it.calldata.truncate(1),
            |it| it.calldata.push(Felt::ZERO),
        ];
        let mut links = vec![signed.link()];
        for change in changes {
            let mut other = signed.clone();
            change(&mut other);
            assert!(!other.is_signed() && !links.contains(&other.link()), "{other:?}");
            links.push(other.link());
        }
        let [one, other] = [Felt::ONE, Felt::TWO].map(|chain| SessionCall::first_link(chain, signed.key));
        assert_ne!(one, other);
    }
}
