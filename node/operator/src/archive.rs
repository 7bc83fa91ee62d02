//! What a shard that is over had accepted, for those who ask again: a receipt may be lost, and the shard settle meanwhile.
//!
//! The log stays in the store. Of each transaction only its place and a part of its hash are held, eight bytes, from the first question on.

use shardwire_model::{Hash, ShardStart, ShardTransaction, Terms};
use shardwire_protocols::ingress::Outcome;
use shardwire_store::records::{LogKey, TRANSACTIONS};
use shardwire_store::{RecordKey as _, Store, StoreError};

/// What a shard had accepted.
#[derive(Debug)]
pub(super) struct Archive {
    /// Of each account, in the order of the whitelist.
    next_nonces: Vec<u64>,
    /// Of each transaction the first bytes of its hash, and its place; ascending.
    places: Vec<([u8; 4], u32)>,
}

/// The part of a hash that is held.
fn part(hash: Hash) -> [u8; 4] {
    let [a, b, c, d, ..] = hash.0;
    [a, b, c, d]
}

impl Archive {
    pub(super) fn of(store: &Store, start: &ShardStart) -> Result<Self, StoreError> {
        // In a shard of contracts an account that did nothing goes on from what the state has, which isn't looked up any more.
        let first = if start.terms == Terms::Rules { 1 } else { 0 };
        let (mut next_nonces, mut places) = (vec![first; start.accounts.len()], Vec::new());
        for (key, logged) in store.with_prefix(&TRANSACTIONS, &start.shard.to_bytes())? {
            let account = start.account_index(logged.transaction.account());
            if let (Some(next), Some(nonce)) =
                (account.and_then(|index| next_nonces.get_mut(index)), logged.transaction.nonce())
            {
                *next = nonce.saturating_add(1);
            }
            places.push((part(logged.transaction.hash()), key.sequence));
        }
        places.sort_unstable();
        Ok(Self { next_nonces, places })
    }

    pub(super) fn accepted(&self) -> u32 {
        // A log has at most `MAX_TRANSACTIONS`.
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn next_nonces(&self) -> Vec<u64> {
        self.next_nonces.clone()
    }

    /// What the receipt of this transaction says, if it was accepted, whatever its signature.
    pub(super) fn outcome(
        &self,
        store: &Store,
        start: &ShardStart,
        transaction: &ShardTransaction,
    ) -> Result<Option<Outcome>, StoreError> {
        let hash = transaction.hash();
        let from = self.places.partition_point(|(of, _)| *of < part(hash));
        let same = self.places.iter().skip(from).take_while(|(of, _)| *of == part(hash));
        for (_, sequence) in same {
            let sequence = *sequence;
            let logged = store.get(&TRANSACTIONS, &LogKey { shard: start.shard, sequence })?;
            if let Some(logged) = logged.filter(|logged| logged.transaction.hash() == hash) {
                return Ok(Some(Outcome::Accepted { sequence, duplicate: true, reverted: logged.reverted }));
            }
        }
        Ok(None)
    }
}
