//! What can't be taken back waits for a date that the node can rely on: the deadline of a shard is fixed for ever, and the time of a log never runs back.
//!
//! A date that peers contradict is no such date, nor is one that nobody has confirmed yet though the configuration names peers who could. In the moment after a node
//! began it is waited for the first peer's date, [`FIRST_WORD`] at most. While peers contradict the date, a node that needs one isn't ready (condition [`CONDITION`]). Nothing
//! is refused for ever: when the clock is right, what waited goes on.

use crate::Host;
use shardwire_model::{Timestamp, Trust};
use shardwire_telemetry::Shortfall;
use std::time::Duration;
use tokio::time::timeout;

/// The name of the condition.
pub const CONDITION: &str = "date";
/// How long it is waited for the first peer's date: two connected peers tell each other at once, and a dial takes no longer.
pub const FIRST_WORD: Duration = Duration::from_secs(5);

/// Why a node can't rely on its date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undated {
    /// Most peers have another one.
    #[error("most of its peers contradict it")]
    Contradicted,
    /// None has told its own that could.
    #[error("no peer that it names has confirmed it yet")]
    Unconfirmed,
}

impl Host {
    /// The date, if what can't be taken back may be decided by it.
    ///
    /// # Errors
    /// [`Undated::Contradicted`] if most peers have another one, [`Undated::Unconfirmed`] if none has told its own that could.
    pub fn date(&self) -> Result<Timestamp, Undated> {
        match self.clock.trust() {
            Trust::Contradicted => Err(Undated::Contradicted),
            Trust::Unconfirmed if self.peers.names_any() => Err(Undated::Unconfirmed),
            Trust::Unconfirmed | Trust::Confirmed => Ok(self.clock.now()),
        }
    }

    /// The same. If nobody has confirmed the date yet who could, waits for the first one to do so, [`FIRST_WORD`] at most.
    ///
    /// # Errors
    /// As [`date`](Self::date).
    pub async fn dated(&self) -> Result<Timestamp, Undated> {
        let heard = async {
            loop {
                let changed = self.clock.trust_changed();
                match self.date() {
                    Err(Undated::Unconfirmed) => changed.await,
                    decided => return decided,
                }
            }
        };
        timeout(FIRST_WORD, heard).await.unwrap_or(Err(Undated::Unconfirmed))
    }
}

/// Takes in the condition, for a role that needs a date.
pub fn register(host: &Host) {
    let clock = host.clock.clone();
    host.telemetry.condition(CONDITION, move || {
        (clock.trust() == Trust::Contradicted).then(|| Shortfall {
            code: "SW-READY-007".to_owned(),
            why: "most of its peers contradict this node's date".to_owned(),
            next_step: "Set the clock of this node's system, or of its peers: `shardwire status` shows which is apart. The node goes on by itself then."
                .to_owned(),
        })
    });
}
