//! What a settler's date decides: which open shards are [late](crate::deadlines), and whether one may start.
//!
//! Who asks for an abort doesn't wait for the date to be confirmed. A wrong date would be in a shard's start data for ever, so none starts by one that this node
//! [can't rely on](shardwire_host::dated).

use crate::{Settler, SettlerError};
use shardwire_host::dated::Undated;
use shardwire_model::{ShardId, Timestamp, Trust};

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
        match self.host.dated().await {
            Ok(_) => Ok(()),
            Err(Undated::Contradicted) => Err(SettlerError::Date),
            Err(Undated::Unconfirmed) => Err(SettlerError::Unconfirmed),
        }
    }
}
