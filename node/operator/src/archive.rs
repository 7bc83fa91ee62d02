//! What a shard that is over had accepted, for those who ask again: a receipt may be lost, and the shard settle meanwhile.
//!
//! The log stays in the store. Of each transaction only its place is held, four bytes, from the first question on.

use shardwire_model::{ShardStart, ShardTransaction, Terms};
use shardwire_protocols::ingress::Outcome;
use shardwire_store::records::{LogKey, TRANSACTIONS};
use shardwire_store::{RecordKey as _, Store, StoreError};

/// What each account did, in the order of the whitelist.
#[derive(Debug)]
pub(super) struct Archive(Vec<Account>);

/// What an account did.
#[derive(Clone, Debug)]
struct Account {
    /// The nonce of its first transaction.
    first: u64,
    /// The places in the log of its transactions, in the order of their nonces.
    places: Vec<u32>,
}

impl Archive {
    pub(super) fn of(store: &Store, start: &ShardStart) -> Result<Self, StoreError> {
        // In a shard of contracts an account that did nothing goes on from what the state has, which isn't looked up any more.
        let first = if start.terms == Terms::Rules { 1 } else { 0 };
        let mut accounts = vec![Account { first, places: Vec::new() }; start.accounts.len()];
        for (key, logged) in store.with_prefix(&TRANSACTIONS, &start.shard.to_bytes())? {
            let index = start.account_index(logged.transaction.account());
            if let Some(account) = index.and_then(|index| accounts.get_mut(index)) {
                if account.places.is_empty() {
                    account.first = logged.transaction.nonce();
                }
                account.places.push(key.sequence);
            }
        }
        Ok(Self(accounts))
    }

    pub(super) fn accepted(&self) -> u32 {
        self.0.iter().map(|account| count(&account.places)).sum()
    }

    pub(super) fn next_nonces(&self) -> Vec<u64> {
        self.0.iter().map(|account| account.first.saturating_add(count(&account.places).into())).collect()
    }

    /// What the receipt of this transaction says, if it was accepted.
    pub(super) fn outcome(
        &self,
        store: &Store,
        start: &ShardStart,
        transaction: &ShardTransaction,
    ) -> Result<Option<Outcome>, StoreError> {
        let account = start.account_index(transaction.account()).and_then(|index| self.0.get(index));
        let place = account.and_then(|account| {
            let behind = transaction.nonce().checked_sub(account.first)?;
            account.places.get(usize::try_from(behind).ok()?)
        });
        let Some(&sequence) = place else { return Ok(None) };
        let logged = store.get(&TRANSACTIONS, &LogKey { shard: start.shard, sequence })?;
        let that = logged.filter(|logged| is_the_same(&logged.transaction, transaction));
        Ok(that.map(|logged| Outcome::Accepted { sequence, duplicate: true, reverted: logged.reverted }))
    }
}

/// Whether two transactions are one, whatever their signatures.
fn is_the_same(one: &ShardTransaction, other: &ShardTransaction) -> bool {
    match (one, other) {
        (ShardTransaction::Rules(one), ShardTransaction::Rules(other)) => one.transaction == other.transaction,
        (ShardTransaction::Invoke(one), ShardTransaction::Invoke(other)) => {
            (one.sender, one.nonce, &one.calldata, one.bounds)
                == (other.sender, other.nonce, &other.calldata, other.bounds)
        }
        _ => false,
    }
}

fn count(places: &[u32]) -> u32 {
    // A log has at most `MAX_TRANSACTIONS`.
    u32::try_from(places.len()).unwrap_or(u32::MAX)
}
