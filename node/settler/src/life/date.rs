//! What a settler's date decides: which open shards are [late](crate::deadlines), and whether one may start.
//!
//! Who asks for an abort doesn't wait for the date to be confirmed. A wrong date would be in a shard's start data for ever, so none starts by one that is
//! contradicted, or that nobody has confirmed yet though the configuration names peers who could: in the moment after a node began a start waits for the first peer's date,
//! [`FIRST_WORD`] at most, and is refused then.

use crate::{Settler, SettlerError};
use shardwire_model::{ShardId, Timestamp, Trust};
use std::time::Duration;
use tokio::time::timeout;

/// How long a start waits for the first peer's date: two connected peers tell each other at once, and a dial takes no longer.
const FIRST_WORD: Duration = Duration::from_secs(5);

impl Settler {
    /// Notes the deadline of a shard that this process starts.
    pub(super) fn note_deadline(&self, shard: ShardId, date: Timestamp) {
        self.deadlines.note(shard, date, self.host.clock.now());
    }

    /// The shards that are late.
    pub(super) fn due(&self) -> Vec<ShardId> {
        self.deadlines.due(self.host.clock.now(), self.host.clock.trust() == Trust::Confirmed)
    }

    /// Whether a deadline may be fixed by the date that this node has.
    ///
    /// # Errors
    /// [`SettlerError::Date`] if most peers have another one, [`SettlerError::Unconfirmed`] if none has told its own that could.
    pub(super) async fn has_a_date(&self) -> Result<(), SettlerError> {
        let heard = async {
            loop {
                let changed = self.host.clock.trust_changed();
                match self.host.clock.trust() {
                    Trust::Contradicted => return Err(SettlerError::Date),
                    Trust::Unconfirmed if self.host.peers.names_any() => changed.await,
                    Trust::Unconfirmed | Trust::Confirmed => return Ok(()),
                }
            }
        };
        timeout(FIRST_WORD, heard).await.unwrap_or(Err(SettlerError::Unconfirmed))
    }
}
