//! The fixed rules once more, in plain Rust.

use shardwire_model::{
    Call, ChainHead, Felt, Kind, Output, ShardStart, ShardTransaction, SignedTransaction, Slot, Update,
    state_commitment, transactions_commitment,
};

/// What the shard program puts out, by its rules as docs/workload.md states them.
pub(super) fn execute(start: &ShardStart, values: &[Felt], transactions: &[ShardTransaction]) -> Option<Output> {
    let commitment = start.commitment();
    let mut heads: Vec<ChainHead> =
        start.accounts.iter().map(|account| ChainHead::start(commitment, *account)).collect();
    let mut now = values.to_vec();
    let mut order = Vec::new();
    let mut ended = false;
    for transaction in transactions {
        let ShardTransaction::Rules(SignedTransaction { transaction, .. }) = transaction else { return None };
        let account = start.account_index(transaction.account)?;
        let head = heads.get_mut(account)?;
        *head = head.extend(transaction.words(start).ok()?);
        order.push(u32::try_from(account).ok()?);
        let slot = |key| Slot::new(transaction.contract, key);
        let mut change = |key, by: &dyn Fn(Felt) -> Felt| -> Option<()> {
            let value = now.get_mut(start.entry_index(slot(key))?)?;
            *value = by(*value);
            Some(())
        };
        match transaction.call {
            Call::Add { counter, amount } => change(counter, &|value| value + Felt::from(amount))?,
            Call::Spend { escrow, amount } => change(escrow, &|value| value - Felt::from(amount))?,
            Call::Pass { from, to, amount } => {
                change(from, &|value| value - Felt::from(amount))?;
                change(to, &|value| value + Felt::from(amount))?;
            }
            Call::Give { lock, to } => change(lock, &|_| to.0)?,
            Call::Finish => ended = true,
        }
    }
    let update = |((entry, before), after): ((&shardwire_model::Entry, &Felt), &Felt)| Update {
        kind: entry.kind,
        contract: entry.contract,
        key: entry.key,
        value: if entry.kind == Kind::Counter { *after - *before } else { *after },
    };
    Some(Output {
        program: start.program,
        shard: start.shard,
        segment: 0,
        before: state_commitment(commitment, values),
        after: state_commitment(commitment, &now),
        reads: Felt::ZERO,
        transactions: transactions_commitment(&heads, &order),
        count: u32::try_from(transactions.len()).ok()?,
        ended,
        updates: start.entries.iter().zip(values).zip(&now).map(update).collect(),
    })
}
