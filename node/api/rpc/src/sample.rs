//! Journals for the tests of this crate.

use crate::{
    Journal,
    chain::{Amounts, Invoke},
    journal::{Diff, Entry, Event, Origin, Status},
};
use shardwire_model::{ContractId, Felt, ShardId};
use std::num::NonZeroU64;

pub(crate) fn origin() -> Origin {
    Origin {
        shard: ShardId(7.into()),
        commitment: Felt::ONE,
        first_block: NonZeroU64::new(100).unwrap(),
        begins: 1_000,
        sequencer: Felt::THREE,
        starknet_version: "0.14.0".into(),
    }
}

pub(crate) fn entry(sender: u64, nonce: u64, events: Vec<Event>) -> Entry {
    let sender = ContractId(sender.into());
    Entry {
        hash: Felt::from(1_000_000 + nonce),
        transaction: Invoke {
            sender,
            nonce,
            calldata: vec![Felt::ONE],
            signature: vec![Felt::TWO],
            amounts: Amounts { l1_gas: 0, l2_gas: 500, l1_data_gas: 0 },
        },
        time: 1_000 + nonce,
        status: Status::Succeeded,
        events,
        gas: 77,
        diff: Diff { storage: Vec::new(), nonces: vec![(sender, nonce + 1)] },
        receipt: vec![0xab],
    }
}

/// A journal whose transactions have so many events each, of few contracts and keys.
pub(crate) fn journal_of(counts: &[usize]) -> Journal {
    let journal = Journal::new(origin());
    for (nonce, count) in (0u64..).zip(counts) {
        let event = |i: u64| Event {
            from: ContractId(((nonce + i) % 4).into()),
            keys: (0..i % 3).map(|k| ((nonce + i + k) % 3).into()).collect(),
            data: vec![i.into(); usize::try_from(i % 5).unwrap()],
        };
        journal.push(entry(9, nonce, (0..u64::try_from(*count).unwrap()).map(event).collect()));
    }
    journal
}

pub(crate) fn journal(transactions: usize) -> Journal {
    journal_of(&vec![1; transactions])
}
