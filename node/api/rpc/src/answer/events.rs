//! How a page of events is told to a wallet.

use crate::{Version, block::View, events::Found};
use serde::Serialize;
use shardwire_model::{ContractId, Felt, execution::Event};

/// `EVENT`.
#[derive(Serialize)]
pub(super) struct Emitted {
    from_address: ContractId,
    keys: Vec<Felt>,
    data: Vec<Felt>,
}

impl From<&Event> for Emitted {
    fn from(event: &Event) -> Self {
        Self { from_address: event.from, keys: event.keys.clone(), data: event.data.clone() }
    }
}

/// `EVENTS_CHUNK`.
#[derive(Serialize)]
pub(crate) struct Chunk {
    events: Vec<PlacedEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continuation_token: Option<String>,
}

#[derive(Serialize)]
struct PlacedEvent {
    #[serde(flatten)]
    event: Emitted,
    block_hash: Felt,
    block_number: u64,
    transaction_hash: Felt,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_index: Option<usize>,
}

pub(crate) fn chunk(view: View<'_>, version: Version, found: &[Found], token: Option<String>) -> Chunk {
    let placed = |found: &Found| {
        let height = found.place.saturating_add(1);
        Some(PlacedEvent {
            event: found.entry.receipt.events.get(found.event)?.into(),
            block_hash: view.journal.block_hash(height).unwrap_or_default(),
            block_number: view.journal.number(height),
            transaction_hash: found.entry.receipt.hash,
            transaction_index: version.since_0_10(0),
            event_index: version.since_0_10(found.event),
        })
    };
    Chunk { events: found.iter().filter_map(placed).collect(), continuation_token: token }
}
