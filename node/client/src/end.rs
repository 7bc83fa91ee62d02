//! Ending a shard whose end event doesn't come: because the transaction that was to emit it was refused, say, or its player is gone.
//!
//! The program settles no run without its end event, and takes it from every account of the shard. So who has the key of one can end the shard at any time, and what was
//! played until then is proven and settled. An account that has played nothing is safest: its chain begins with what the World fixed, so nobody has to be believed about it.
//! One that has played signs over its own transactions as they were planned; if others were accepted the signature is good for nothing, and the next account is tried.
//!
//! Bound: one transaction for each account of the shard.

use super::{
    ClientError, Dialler, NodeAddress,
    submit::{Refusal, opened, submit},
};
use shardwire_model::{AccountId, AccountKey, Call, ChainHead, ShardStart, SignedTransaction, Transaction};

/// What became of ending a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct EndReport {
    /// Whether its end event is in its log.
    pub ended: bool,
    /// The account that ended it now; none if it had ended before.
    pub by: Option<AccountId>,
    /// How many transactions it has, the one that ends it included.
    pub transactions: u32,
    /// Why accounts couldn't end it, each by its place in the shard's list of accounts.
    pub refused: Vec<Refusal>,
}

/// Ends a shard with the first account whose key can. `planned` are the transactions that the accounts were to play.
///
/// # Errors
/// As [`submit`].
pub async fn end(
    dialler: &Dialler,
    operator: &NodeAddress,
    start: &ShardStart,
    planned: &[SignedTransaction],
    keys: &[AccountKey],
) -> Result<EndReport, ClientError> {
    let stands = opened(dialler, operator, start.shard).await?;
    if stands.ended {
        return Ok(EndReport { ended: true, transactions: stands.accepted, ..EndReport::default() });
    }
    let accounts = start.accounts.iter().zip(stands.nonces).enumerate();
    let own = accounts.filter_map(|(index, (account, due))| {
        let key = keys.iter().find(|key| key.id() == *account)?;
        Some((due, index, key))
    });
    let mut own: Vec<_> = own.collect();
    // Those that have played nothing first.
    own.sort_by_key(|(due, index, _)| (*due, *index));
    let mut report = EndReport { transactions: stands.accepted, ..EndReport::default() };
    for (due, index, key) in own {
        let Some(signed) = last(start, planned, key, due) else { continue };
        let told = submit(dialler, operator, start.shard, &[signed], |_| {}).await?;
        let Some(refusal) = told.refused.into_iter().next() else {
            let transactions = stands.accepted.saturating_add(1);
            return Ok(EndReport { ended: true, by: Some(key.id()), transactions, ..report });
        };
        report.refused.push(Refusal { index, ..refusal });
    }
    Ok(report)
}

/// The transaction with this nonce that ends the shard, over the account's chain as it was planned; none if no such chain is.
fn last(start: &ShardStart, planned: &[SignedTransaction], key: &AccountKey, due: u64) -> Option<SignedTransaction> {
    let due = u32::try_from(due).ok()?;
    let account = key.id();
    let before = due.checked_sub(1)?;
    let mut own = planned.iter().map(|signed| signed.transaction).filter(|it| it.account == account);
    let mut head = ChainHead::start(start.commitment(), account);
    for nonce in 1..=before {
        head = head.extend(own.next().filter(|it| it.nonce == nonce)?.words(start).ok()?);
    }
    let transaction = Transaction { account, nonce: due, contract: start.end_event.from, call: Call::Finish };
    let head = head.extend(transaction.words(start).ok()?);
    Some(SignedTransaction { transaction, signature: key.sign(head.message())? })
}
