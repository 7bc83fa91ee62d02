//! Accounts sign with ECDSA on the Stark curve, as Starknet's do.

use crate::felt::{self, AccountId, Felt};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An ECDSA signature on the Stark curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The x coordinate of the nonce's point.
    #[serde(with = "felt::wire")]
    pub r: Felt,
    /// The proof of knowledge.
    #[serde(with = "felt::wire")]
    pub s: Felt,
}

impl Signature {
    /// What stands in the place of a signature that isn't made yet, or doesn't matter.
    pub const NONE: Self = Self { r: Felt::ZERO, s: Felt::ZERO };

    /// Whether `account` signed `message`. False for every value outside the ranges ECDSA allows; never panics.
    #[must_use]
    pub fn verifies(&self, account: AccountId, message: Felt) -> bool {
        starknet_crypto::verify(&account.0, &message, &self.r, &self.s).unwrap_or(false)
    }
}

/// The secret key of an account.
#[derive(Clone)]
pub struct AccountKey(Felt);

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey(of {})", self.id())
    }
}

impl AccountKey {
    /// The key with this secret, from 32 bytes of good randomness: their lowest 250 bits, which is below the curve's order.
    /// Zero becomes one.
    #[must_use]
    pub fn from_secret(mut secret: [u8; 32]) -> Self {
        secret[0] &= 0x03;
        let secret = Felt::from_bytes_be(&secret);
        Self(if secret == Felt::ZERO { Felt::ONE } else { secret })
    }

    /// The key with this secret, as a wallet has it; none if it is zero, which signs nothing.
    #[must_use]
    pub fn from_scalar(secret: Felt) -> Option<Self> {
        (secret != Felt::ZERO).then_some(Self(secret))
    }

    /// The account that this key signs for.
    #[must_use]
    pub fn id(&self) -> AccountId {
        AccountId(starknet_crypto::get_public_key(&self.0))
    }

    /// Signs a message; the nonce is derived as RFC 6979 says, so that no randomness is needed.
    ///
    /// `None` for a message of 2^251 or more: a felt that is a hash is so with a probability of 2^-55.
    #[must_use]
    pub fn sign(&self, message: Felt) -> Option<Signature> {
        // A nonce may be unusable (probability about 2^-192 each); RFC 6979 then goes on with the next seed.
        (0u64..4).find_map(|attempt| {
            let seed = (attempt > 0).then(|| Felt::from(attempt));
            let k = starknet_crypto::rfc6979_generate_k(&message, &self.0, seed.as_ref());
            let signature = starknet_crypto::sign(&self.0, &message, &k).ok()?;
            Some(Signature { r: signature.r, s: signature.s })
        })
    }
}
