//! What blocks and simulations change.

use super::{ZERO, number};
use crate::{Version, block::View};
use serde::Serialize;
use shardwire_model::{ContractId, Felt, Key, execution::Diff};
use std::collections::BTreeMap;

/// `STATE_UPDATE`, or that of the block that comes next.
#[derive(Serialize)]
pub(crate) struct StateUpdate {
    #[serde(skip_serializing_if = "Option::is_none")]
    block_hash: Option<Felt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_root: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_root: Option<&'static str>,
    state_diff: StateDiff,
}

#[derive(Serialize)]
pub(super) struct StateDiff {
    storage_diffs: Vec<StorageDiff>,
    deprecated_declared_classes: [(); 0],
    declared_classes: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    migrated_compiled_classes: Option<[(); 0]>,
    deployed_contracts: [(); 0],
    replaced_classes: [(); 0],
    nonces: Vec<Nonce>,
}

#[derive(Serialize)]
struct StorageDiff {
    address: ContractId,
    storage_entries: Vec<StorageEntry>,
}

#[derive(Serialize)]
struct StorageEntry {
    key: Key,
    value: Felt,
}

#[derive(Serialize)]
struct Nonce {
    contract_address: ContractId,
    nonce: String,
}

/// What changed, of all contracts or of these; nothing, where there was no transaction. The account's nonce, unless it was a session call.
pub(super) fn state_diff(
    version: Version,
    diff: Option<&Diff>,
    uses_nonce: bool,
    only: Option<&[ContractId]>,
) -> StateDiff {
    let wanted = |contract: ContractId| only.is_none_or(|only| only.contains(&contract));
    let slots = diff.into_iter().flat_map(|diff| &diff.storage).filter(|(slot, _)| wanted(slot.contract));
    let mut storage = BTreeMap::<ContractId, Vec<StorageEntry>>::new();
    for (slot, value) in slots {
        storage.entry(slot.contract).or_default().push(StorageEntry { key: slot.key, value: *value });
    }
    let storage = storage.into_iter();
    StateDiff {
        storage_diffs: storage.map(|(address, storage_entries)| StorageDiff { address, storage_entries }).collect(),
        deprecated_declared_classes: [],
        declared_classes: [],
        migrated_compiled_classes: version.since_0_10([]),
        deployed_contracts: [],
        replaced_classes: [],
        nonces: (diff.into_iter().filter(|diff| uses_nonce && wanted(diff.account)))
            .map(|diff| Nonce { contract_address: diff.account, nonce: number(diff.nonce) })
            .collect(),
    }
}

/// What the block at a height changed; nothing, of the block that comes next.
pub(crate) fn state_update(
    view: View<'_>,
    version: Version,
    height: Option<u32>,
    only: Option<&[ContractId]>,
) -> StateUpdate {
    let entry = height.and_then(|height| view.entry_of(height));
    let uses_nonce = entry.as_ref().is_some_and(|entry| entry.uses_nonce());
    let state_diff = state_diff(version, entry.as_ref().map(|entry| &entry.receipt.diff), uses_nonce, only);
    match height {
        Some(height) => StateUpdate {
            block_hash: view.journal.block_hash(height),
            old_root: Some(ZERO),
            new_root: Some(ZERO),
            state_diff,
        },
        None => StateUpdate { block_hash: None, old_root: version.until_0_9(ZERO), new_root: None, state_diff },
    }
}
