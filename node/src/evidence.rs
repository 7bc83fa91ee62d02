//! What can be proven against peers, kept whole in the store: whoever gets it needs nothing of this node to check it.
//!
//! A piece is kept in parts, all in one transaction, because a proof is longer than a record may be.

use crate::store::{Store, StoreError, records::EVIDENCE};
use serde::{Deserialize, Serialize};
use shardwire_model::PeerId;
use shardwire_protocols::reputation::PART_BYTES;

/// Where a part is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EvidenceKey {
    /// Against whom.
    pub(crate) peer: PeerId,
    /// Which piece, from 0.
    pub(crate) number: u32,
    /// Which part of it, from 0.
    pub(crate) part: u32,
}

/// A part of a piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EvidencePart {
    /// The length of the piece.
    pub(crate) whole: u32,
    /// [`PART_BYTES`] of it, or the rest.
    pub(crate) bytes: Vec<u8>,
}

/// How many pieces are kept against a peer.
pub(crate) fn pieces(store: &Store, peer: PeerId) -> Result<usize, StoreError> {
    Ok(store.keys_with_prefix(&EVIDENCE, &peer.0)?.iter().filter(|key| key.part == 0).count())
}

/// A part of a piece from this byte on: at most [`PART_BYTES`], nothing past its end; `None` if there is no such piece.
pub(crate) fn read(store: &Store, peer: PeerId, number: u32, from: u32) -> Result<Option<EvidencePart>, StoreError> {
    let size = u32::try_from(PART_BYTES).unwrap_or(u32::MAX);
    let (part, offset) = (from / size, (from % size) as usize);
    if let Some(EvidencePart { whole, bytes }) = store.get(&EVIDENCE, &EvidenceKey { peer, number, part })? {
        return Ok(Some(EvidencePart { whole, bytes: bytes.get(offset..).unwrap_or_default().to_vec() }));
    }
    let first = store.get(&EVIDENCE, &EvidenceKey { peer, number, part: 0 })?;
    Ok(first.map(|EvidencePart { whole, .. }| EvidencePart { whole, bytes: Vec::new() }))
}
