//! How a block is told to a wallet.

use super::{ACCEPTED, Shardwire, Transaction, ZERO, transaction::Receipt};
use crate::{Version, block::View};
use serde::Serialize;
use shardwire_model::Felt;

const FREE: Price = Price { price_in_fri: ZERO, price_in_wei: ZERO };

#[derive(Serialize)]
struct Price {
    price_in_fri: &'static str,
    price_in_wei: &'static str,
}

/// A block with its transactions in one of three forms.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Block {
    Confirmed(Box<Confirmed>),
    PreConfirmed(Box<PreConfirmed>),
}

#[derive(Serialize)]
pub(crate) struct Confirmed {
    status: &'static str,
    block_hash: Felt,
    parent_hash: Felt,
    #[serde(flatten)]
    head: Head,
    new_root: &'static str,
    #[serde(flatten)]
    commitments: Option<Commitments>,
    transactions: Transactions,
    shardwire: Shardwire,
}

#[derive(Serialize)]
pub(crate) struct PreConfirmed {
    #[serde(flatten)]
    head: Head,
    transactions: [(); 0],
    shardwire: Shardwire,
}

#[derive(Serialize)]
struct Head {
    block_number: u64,
    timestamp: u64,
    sequencer_address: Felt,
    l1_gas_price: Price,
    l2_gas_price: Price,
    l1_data_gas_price: Price,
    l1_da_mode: &'static str,
    starknet_version: String,
}

/// What 0.10 adds to the head of a block. Without tries there is no commitment; the specification then has 0.
#[derive(Serialize)]
struct Commitments {
    event_commitment: &'static str,
    transaction_commitment: &'static str,
    receipt_commitment: &'static str,
    state_diff_commitment: &'static str,
    event_count: usize,
    transaction_count: usize,
    state_diff_length: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Hashes,
    Whole,
    Receipts,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Transactions {
    Hashes(Vec<Felt>),
    Whole(Vec<Transaction>),
    Receipts(Vec<WithReceipt>),
}

#[derive(Serialize)]
struct WithReceipt {
    transaction: Transaction,
    receipt: Receipt,
}

fn head(view: View<'_>, height: u32, time: u64) -> Head {
    let origin = view.journal.origin();
    Head {
        block_number: view.journal.number(height),
        timestamp: time,
        sequencer_address: origin.sequencer,
        l1_gas_price: FREE,
        l2_gas_price: FREE,
        l1_data_gas_price: FREE,
        l1_da_mode: "CALLDATA",
        starknet_version: origin.starknet_version.clone(),
    }
}

fn time(view: View<'_>, height: u32) -> u64 {
    view.entry_of(height).map_or(view.journal.origin().begins, |entry| entry.receipt.time)
}

/// The block at a height.
pub(crate) fn block(view: View<'_>, version: Version, height: u32, form: Form, proof_facts: bool) -> Block {
    let entry = view.entry_of(height);
    let hash = |height: Option<u32>| height.and_then(|height| view.journal.block_hash(height)).unwrap_or_default();
    let commitments = version.since_0_10(Commitments {
        event_commitment: ZERO,
        transaction_commitment: ZERO,
        receipt_commitment: ZERO,
        state_diff_commitment: ZERO,
        event_count: entry.as_ref().map_or(0, |entry| entry.receipt.events.len()),
        transaction_count: entry.iter().count(),
        state_diff_length: entry
            .as_ref()
            .map_or(0, |entry| entry.receipt.diff.storage.len() + usize::from(entry.uses_nonce())),
    });
    let transactions = match form {
        Form::Hashes => Transactions::Hashes(entry.iter().map(|entry| entry.receipt.hash).collect()),
        Form::Whole => {
            Transactions::Whole(entry.iter().map(|entry| Transaction::new(entry, true, proof_facts)).collect())
        }
        Form::Receipts => Transactions::Receipts(
            entry
                .iter()
                .map(|entry| WithReceipt {
                    transaction: Transaction::new(entry, false, proof_facts),
                    receipt: Receipt::new(view, entry),
                })
                .collect(),
        ),
    };
    Block::Confirmed(Box::new(Confirmed {
        status: ACCEPTED,
        block_hash: hash(Some(height)),
        parent_hash: hash(height.checked_sub(1)),
        head: head(view, height, time(view, height)),
        new_root: ZERO,
        commitments,
        transactions,
        shardwire: Shardwire::of(view),
    }))
}

/// The block that comes next.
pub(crate) fn pre_confirmed(view: View<'_>) -> Block {
    let head = head(view, view.height.saturating_add(1), time(view, view.height));
    Block::PreConfirmed(Box::new(PreConfirmed { head, transactions: [], shardwire: Shardwire::of(view) }))
}
