//! A session of any protocol: one of its sides, honest and with handlers that never fail, against a peer that says the given bytes.
//!
//! The first byte says which side is fed and whether the peer ends its stream after the rest or falls silent
//! ([`INITIATOR`], [`SILENT`]). Time is virtual, so silence costs nothing. What must hold: no panic, and an end that is either good or
//! an error with a code.
//!
//! A protocol of the catalogue needs nothing here: its sides are derived from its type. Those with [real halves](halves) are
//! played by them instead.

mod halves;
mod peers;
mod sessions;

use sessions::{Halves, play, run};
pub use sessions::{INITIATOR, SILENT};
use shardwire_protocols::catalogue::{self, Entry};

/// The frame decoder: a header, then frames of any length with branch tags between them, cut as the bytes say.
pub fn frames(bytes: &[u8]) {
    run(sessions::frames(bytes));
}

fn halves_of(entry: Entry) -> Halves {
    halves::of(entry.name).unwrap_or_else(|| Halves::derived(entry))
}

/// A session of a protocol of the catalogue.
pub fn session(entry: Entry, bytes: &[u8]) {
    run(play(bytes, halves_of(entry)));
}

/// What the two sides of an honest session of each protocol say, by its name.
pub async fn honest() -> Vec<(&'static str, [Vec<u8>; 2])> {
    let mut all = Vec::new();
    for entry in catalogue::all() {
        all.push((entry.name, sessions::recorded(halves_of(entry)).await));
    }
    all
}
