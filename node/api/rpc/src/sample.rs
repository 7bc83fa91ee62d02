//! Journals for the tests of this crate.

use crate::{
    Journal,
    journal::{Entry, Origin},
};
use shardwire_model::{
    ContractId, Felt, Invoke, ResourceBounds, SessionCall, ShardId, Signature,
    execution::{Diff, Event, Gas, Receipt, Sent, Status},
};
use std::{num::NonZeroU64, sync::Arc};

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
        transaction: Sent::Invoke(Invoke {
            sender,
            nonce,
            calldata: vec![Felt::ONE],
            signature: vec![Felt::TWO],
            bounds: ResourceBounds { l1_gas: 0, l2_gas: 500, l1_data_gas: 0 },
        }),
        receipt: Arc::new(Receipt {
            index: u32::try_from(nonce).unwrap(),
            block: 100 + nonce,
            time: 1_000 + nonce,
            hash: Felt::from(1_000_000 + nonce),
            nonce,
            status: Status::Succeeded,
            events,
            returned: Vec::new(),
            gas: Gas { validate: 7, execute: 70 },
            diff: Diff { storage: Vec::new(), account: sender, nonce: nonce + 1 },
            ends: false,
        }),
        signed: vec![0xab],
    }
}

/// The fourth call of a session key of an account with this next nonce.
pub(crate) fn session(account: u64, next: u64) -> Entry {
    let mut entry = entry(account, next, Vec::new());
    entry.transaction = Sent::Session(SessionCall {
        account: ContractId(account.into()),
        key: Felt::from(0x7e),
        previous: Felt::from(0x11),
        contract: ContractId(Felt::from(0xc0)),
        selector: Felt::from(0x5e1),
        calldata: vec![Felt::ONE, Felt::TWO],
        signature: Signature { r: Felt::THREE, s: Felt::from(4) },
    });
    let receipt = Arc::make_mut(&mut entry.receipt);
    (receipt.hash, receipt.nonce, receipt.diff.nonce) = (Felt::from(2_000_000 + next), 3, next);
    entry
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
