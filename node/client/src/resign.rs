//! Signing anew what was refused only because a transaction before it was.
//!
//! An account signs over the chain of its transactions, and a refused one is not in it: all that were signed to follow it are refused as well, until somebody signs them over
//! the chain as it is. That chain is the client's own: the transactions that have receipts. What the operator says is due is compared with it and never taken instead, since
//! an account that took a chain from its operator would authorise whatever the operator says came before.
//!
//! Refused, so left as they are: transactions of accounts whose key isn't here, and of those that another client plays for, too, because their chain isn't known.

use shardwire_model::{AccountId, AccountKey, ChainHead, ShardStart, SignedTransaction, Transaction};
use shardwire_protocols::ingress::Outcome;
use std::collections::BTreeMap;

/// The keys of accounts, and the shard that they sign for.
#[derive(Debug)]
pub(super) struct Signers<'a> {
    start: &'a ShardStart,
    keys: BTreeMap<AccountId, &'a AccountKey>,
}

impl<'a> Signers<'a> {
    pub(super) fn new(start: &'a ShardStart, keys: &'a [AccountKey]) -> Self {
        Self { start, keys: keys.iter().map(|key| (key.id(), key)).collect() }
    }

    /// Of the transactions so far, and what became of each: those that were refused only because they follow a refused one, signed anew, by their places.
    pub(super) fn anew(
        &self,
        transactions: &[SignedTransaction],
        outcomes: &[Option<Outcome>],
    ) -> Vec<(usize, SignedTransaction)> {
        let accounts = self.keys.iter();
        accounts.flat_map(|(account, key)| self.of(*account, key, transactions, outcomes).unwrap_or_default()).collect()
    }

    /// The same, of one account; none if nothing can be signed.
    fn of(
        &self,
        account: AccountId,
        key: &AccountKey,
        transactions: &[SignedTransaction],
        outcomes: &[Option<Outcome>],
    ) -> Option<Vec<(usize, SignedTransaction)>> {
        let own = transactions.iter().zip(outcomes).enumerate();
        let own: Vec<_> = own.filter(|(_, (signed, _))| signed.transaction.account == account).collect();
        let mut accepted: Vec<&Transaction> = Vec::new();
        let (mut follow, mut last) = (Vec::new(), None);
        for (index, (signed, outcome)) in &own {
            match outcome {
                Some(Outcome::Accepted { .. }) => accepted.push(&signed.transaction),
                Some(Outcome::Refused { due: Some(due), .. }) => {
                    last = Some(*due);
                    // One that had the nonce that was due broke another rule.
                    if u64::from(signed.transaction.nonce) > *due {
                        follow.push((*index, signed.transaction));
                    }
                }
                Some(Outcome::Refused { due: None, .. }) | None => {}
            }
        }
        accepted.sort_by_key(|transaction| transaction.nonce);
        let mut head = ChainHead::start(self.start.commitment(), account);
        for (transaction, nonce) in accepted.iter().zip(1..) {
            if transaction.nonce != nonce {
                return None;
            }
            head = head.extend(transaction.words(self.start).ok()?);
        }
        let mut nonce = u32::try_from(accepted.len()).ok()?.checked_add(1)?;
        if last != Some(nonce.into()) {
            return None;
        }
        let mut signed = Vec::with_capacity(follow.len());
        for (index, transaction) in follow {
            let transaction = Transaction { nonce, ..transaction };
            head = head.extend(transaction.words(self.start).ok()?);
            signed.push((index, SignedTransaction { transaction, signature: key.sign(head.message())? }));
            nonce = nonce.checked_add(1)?;
        }
        Some(signed)
    }
}
