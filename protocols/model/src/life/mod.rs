//! The life of a shard: where it stands, as an explicit state machine, and its history, which can't be changed unseen.
//!
//! A shard's [`Life`] is a list of [`Step`]s, each with the content that it is about and the [`Stage`] that it reaches. [`Life::after`] is the one
//! function that says what may follow: stages go forward only, nothing follows a shard that is settled or aborted, a repeated step changes
//! nothing. What a node has given up ([`Stage::Failed`], noted once) it may take up again where it was. Each role of a node sees a [`Part`] of it: the settler what the World decides, the operator the run, a prover one job.
//!
//! Every step is made durable before what follows from it leaves the node, as a [`HistoryEntry`] with the hash of the entry before it. So the
//! life *is* the history: [reading](History::read) the entries shows where the shard stands, and that none of them was changed, left out or
//! moved. The chain can't show that its last entries are missing. Nodes sign their entries; signatures are the business of
//! `shardwire_protocols::history`, because identities are transport's.
//!
//! What it refuses: a step that can't be taken ([`Refusal`]), an entry that doesn't follow ([`HistoryError`]). Bounds: a part has at most
//! [`MAX_STEPS`] entries; a shard times out after at most [`MAX_TIMEOUT`].

mod history;
mod stage;
mod step;

pub use history::{EntryForm, History, HistoryEntry, HistoryError, MAX_STEPS, Part};
pub use stage::Stage;
pub use step::{AbortCause, AbortReason, Ended, Life, Refusal, Step};

use std::time::Duration;

/// The longest time until a shard that isn't settled is aborted: thirty days. Escrow and locks are away for as long.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
