//! What a shard that is over had accepted, for those who ask again: a receipt may be lost, and the shard settle meanwhile.
//!
//! The log stays in the store. Of each transaction only its place is held, four bytes, from the first question on.

use shardwire_model::{ShardStart, SignedTransaction};
use shardwire_protocols::ingress::Outcome;
use shardwire_store::records::{LogKey, TRANSACTIONS};
use shardwire_store::{RecordKey as _, Store, StoreError};

/// The places in the log of each account's transactions, in the order of the whitelist and of the nonces.
#[derive(Debug)]
pub(super) struct Archive(Vec<Vec<u32>>);

impl Archive {
    pub(super) fn of(store: &Store, start: &ShardStart) -> Result<Self, StoreError> {
        let mut places = vec![Vec::new(); start.accounts.len()];
        for (key, signed) in store.with_prefix(&TRANSACTIONS, &start.shard.to_bytes())? {
            let account = start.account_index(signed.transaction.account);
            if let Some(places) = account.and_then(|index| places.get_mut(index)) {
                places.push(key.sequence);
            }
        }
        Ok(Self(places))
    }

    pub(super) fn accepted(&self) -> u32 {
        self.0.iter().map(|places| count(places)).sum()
    }

    pub(super) fn next_nonces(&self) -> Vec<u32> {
        self.0.iter().map(|places| count(places).saturating_add(1)).collect()
    }

    /// What the receipt of this transaction says, if it was accepted.
    pub(super) fn outcome(
        &self,
        store: &Store,
        start: &ShardStart,
        signed: &SignedTransaction,
    ) -> Result<Option<Outcome>, StoreError> {
        let transaction = &signed.transaction;
        let places = start.account_index(transaction.account).and_then(|index| self.0.get(index));
        let place = transaction.nonce.checked_sub(1).and_then(|nonce| places?.get(nonce as usize));
        let Some(&sequence) = place else { return Ok(None) };
        let logged = store.get(&TRANSACTIONS, &LogKey { shard: start.shard, sequence })?;
        let is_that = logged.is_some_and(|logged| logged.transaction == *transaction);
        Ok(is_that.then_some(Outcome::Accepted { sequence, duplicate: true }))
    }
}

fn count(places: &[u32]) -> u32 {
    // A log has at most `MAX_TRANSACTIONS`.
    u32::try_from(places.len()).unwrap_or(u32::MAX)
}
