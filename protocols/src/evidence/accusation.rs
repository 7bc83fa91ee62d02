//! A piece of evidence as bytes: what a node keeps, and what is in the file that somebody else gets.

use super::{Evidence, MAX_EVIDENCE_BYTES, NoEvidence, Shown, Verifier};
use serde::{Deserialize, Serialize};
use shardwire_model::PeerId;

/// How each piece begins, so that a file is known for what it is.
pub const MAGIC: &[u8] = b"shardwire evidence 1\n";

/// Evidence, and against whom it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accusation {
    /// The peer that signed what is shown.
    pub accused: PeerId,
    /// What it is.
    pub evidence: Evidence,
}

impl Accusation {
    /// What it shows.
    ///
    /// # Errors
    /// [`NoEvidence`] if it shows nothing, as [`Evidence::check`] says.
    pub fn check(&self, verifier: &dyn Verifier) -> Result<Shown, NoEvidence> {
        self.evidence.check(&self.accused, verifier)
    }

    /// Its bytes: [`MAGIC`], then postcard.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Plain structs, which postcard always encodes.
        [MAGIC, &postcard::to_allocvec(self).unwrap_or_default()].concat()
    }

    /// Reads it. What it shows isn't known before it is [checked](Self::check).
    ///
    /// # Errors
    /// [`NoEvidence::Unreadable`] if the bytes are no piece of evidence.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NoEvidence> {
        if bytes.len() > MAX_EVIDENCE_BYTES as usize {
            return Err(NoEvidence::Unreadable("it is longer than evidence may be"));
        }
        let body = bytes.strip_prefix(MAGIC).ok_or(NoEvidence::Unreadable("it doesn't begin as one"))?;
        let (piece, rest) =
            postcard::take_from_bytes(body).map_err(|_| NoEvidence::Unreadable("it is damaged or cut short"))?;
        if rest.is_empty() { Ok(piece) } else { Err(NoEvidence::Unreadable("bytes follow its end")) }
    }
}
