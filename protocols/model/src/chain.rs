//! The hash chains that transactions form: one an account, and one commitment to all of a shard's transactions.
//!
//! Blake2s-256 over 64 bytes a link, because inside the proof that is one instruction. The layouts are what the shard
//! program computes; see ARCHITECTURE.md, "Commitments".

use crate::felt::{AccountId, Felt};
use blake2::{Blake2s256, Digest};

/// The head of an account's chain: a commitment to every transaction of that account in one shard so far, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainHead(pub [u8; 32]);

impl ChainHead {
    /// Before an account's first transaction: Blake2s(start commitment ‖ account), each 32 bytes little-endian. It binds every
    /// signature to one shard and its start data.
    #[must_use]
    pub fn start(start_commitment: Felt, account: AccountId) -> Self {
        Self::link(start_commitment.to_bytes_le(), account.0.to_bytes_le())
    }

    /// After one more transaction: Blake2s(head ‖ words), the words as 32-bit little-endian numbers.
    #[must_use]
    pub fn extend(self, words: [u32; 8]) -> Self {
        let mut bytes = [0; 32];
        for (four, word) in bytes.chunks_exact_mut(4).zip(words) {
            four.copy_from_slice(&word.to_le_bytes());
        }
        Self::link(self.0, bytes)
    }

    /// What the account signs: the head as a felt, Σ wordᵢ·2^(32·i) modulo the prime, that is, its bytes as a
    /// little-endian number.
    #[must_use]
    pub fn message(self) -> Felt {
        Felt::from_bytes_le(&self.0)
    }

    fn link(first: [u8; 32], second: [u8; 32]) -> Self {
        Self(Blake2s256::new().chain_update(first).chain_update(second).finalize().into())
    }
}

/// The commitment to a shard's transactions and their order: Blake2s(final head of each account, in the whitelist's order ‖
/// the index of each transaction's account as a 32-bit little-endian word, in order), as a felt.
///
/// Each head commits to the transactions of one account, the indices to how they interleave.
#[must_use]
pub fn transactions_commitment(heads: &[ChainHead], order: &[u32]) -> Felt {
    let mut hasher = Blake2s256::new();
    for head in heads {
        hasher.update(head.0);
    }
    for index in order {
        hasher.update(index.to_le_bytes());
    }
    Felt::from_bytes_le(&hasher.finalize().into())
}
