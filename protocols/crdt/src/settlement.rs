//! From a shard's output to one delta for each entry of its settlement list: the rules that need the whole list.

use crate::{Claim, Delta, MergeError, Sum};
use shardwire_model::{AccountId, ContractId, Entry, Felt, MAX_INCREMENT, ShardStart, Slot, Terms, Update};
use std::collections::BTreeMap;

/// What a settlement does to each storage address, in the settlement list's order.
///
/// `claims` are those of the shard's start, in the same order.
///
/// # Errors
/// [`MergeError::Length`] or [`MergeError::Order`] if the updates are not exactly the settlement list (each entry once, in order, with its
/// kind), [`MergeError::Increment`] if a counter grew by more than a shard adds, [`MergeError::Range`] or [`MergeError::Owner`] if a value is out of its range (a number below 2^128; for a lock of a shard of rules a
/// whitelisted account, or the value it had: contracts decide what their locks hold), [`MergeError::Created`] if the escrows of a contract return more than they had.
pub fn settlement(start: &ShardStart, claims: &[Claim], updates: &[Update]) -> Result<Vec<(Slot, Delta)>, MergeError> {
    let expected = start.entries.len();
    if updates.len() != expected || claims.len() != expected {
        return Err(MergeError::Length { expected, got: updates.len() });
    }
    let mut sums = BTreeMap::<ContractId, (Sum, Sum)>::new();
    let mut deltas = Vec::with_capacity(expected);
    for (index, ((entry, claim), update)) in start.entries.iter().zip(claims).zip(updates).enumerate() {
        if update.slot() != entry.slot() || update.kind != entry.kind || claim.kind() != entry.kind {
            let (expected, got) = ((entry.kind, entry.slot()), (update.kind, update.slot()));
            return Err(MergeError::Order { index, expected, got });
        }
        let delta = match *claim {
            Claim::Counter => match number(update)? {
                increment @ 0..=MAX_INCREMENT => Delta::Counter { increment },
                increment => return Err(MergeError::Increment { slot: entry.slot(), increment }),
            },
            Claim::Escrow { amount } => {
                let returned = number(update)?;
                let sum = sums.entry(entry.contract).or_default();
                *sum = (sum.0.plus(amount), sum.1.plus(returned));
                Delta::Escrow { deposited: amount, returned }
            }
            Claim::Lock { fence, value } => {
                let new = AccountId(update.value);
                // A lock of contracts could be given to a stranger, and then nothing of the shard would settle.
                if start.terms == Terms::Rules && new != value && !start.accounts.contains(&new) {
                    return Err(MergeError::Owner { slot: entry.slot(), account: new });
                }
                Delta::Lock { shard: start.shard, fence, value: new }
            }
        };
        deltas.push((entry.slot(), delta));
    }
    match sums.into_iter().find(|(_, (deposited, returned))| returned > deposited) {
        Some((contract, (deposited, returned))) => Err(MergeError::Created { contract, deposited, returned }),
        None => Ok(deltas),
    }
}

/// What an abort does to each storage address: counters stay, escrows return whole, locks are freed with the value they had.
#[must_use]
pub fn undo(start: &ShardStart, claims: &[Claim]) -> Vec<(Slot, Delta)> {
    let back = |(entry, claim): (&Entry, &Claim)| {
        let delta = match *claim {
            Claim::Counter => Delta::Counter { increment: 0 },
            Claim::Escrow { amount } => Delta::Escrow { deposited: amount, returned: amount },
            Claim::Lock { fence, value } => Delta::Lock { shard: start.shard, fence, value },
        };
        (entry.slot(), delta)
    };
    start.entries.iter().zip(claims).map(back).collect()
}

fn number(update: &Update) -> Result<u128, MergeError> {
    let Update { kind, value, .. } = *update;
    u128::try_from(value).map_err(|_: <u128 as TryFrom<Felt>>::Error| MergeError::Range {
        kind,
        slot: update.slot(),
        value,
    })
}
