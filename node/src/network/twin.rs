//! Two nodes with one key: a data folder was copied, and both run.
//!
//! A peer has one connection with a key. The run that began later prevails ([`Instance`]): it is how a node that was started again replaces
//! what is left of its last run, and all peers decide alike. The other one yields: it is told by how its connection ends, says so loudly,
//! shows it in `status`, and comes again after [`YIELDS`] only, in case it is alone by then. The peer says so as well, and so does the one that
//! prevails, which can't tell such a node from its own last run. When a run began is kept, so that the next one of this folder began later also on a clock that was set back.
//!
//! Refused: nothing; who holds the key is the peer. Bound: one note a peer, shown for [`SHOWN`].

use shardwire_host::Host;
use shardwire_model::{Cause, Coded, Timestamp};
use shardwire_protocols::handshake::Instance;
use shardwire_store::{StoreError, records::RUNS};
use shardwire_transport::Backoff;
use std::time::Duration;
use tokio::time::Instant;

/// Between attempts of a node that yields: the first one after a connection that nobody has at its other end is gone.
pub(super) const YIELDS: Backoff = Backoff::between(Duration::from_secs(30), Duration::from_secs(300));
/// How long a node shows that there was another one with its key, or with a peer's, after it last saw that: as long as one that yields stays away.
const SHOWN: Duration = Duration::from_secs(300);

/// When a run that begins now began, as peers are told: later than any before it. Durable before anybody is told, as far as the disk takes it.
///
/// # Errors
/// [`StoreError`] if the store can't be read.
pub(crate) async fn begins(host: &Host) -> Result<Timestamp, StoreError> {
    let (me, now) = (host.identity.peer(), host.clock.now());
    let last = host.store.get(&RUNS, &me)?;
    let since = last.map_or(now, |last| now.max(last.plus(Duration::from_millis(1))));
    // A node begins on a full disk, too, which is shown as such; the next one is earlier than this one then only if the clock is set back as well.
    let _ = host.store.commit(move |write| write.put(&RUNS, &me, &since)).await;
    Ok(since)
}

/// Another node with the same key was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Twin {
    /// This one yields.
    #[error("the peer is connected with another node that has this node's key and began later: this one yields")]
    Yields,
    /// This one prevails.
    #[error(
        "the peer was still connected with another run under this node's key, which began earlier: this one replaces it"
    )]
    Prevails,
    /// Both are met here.
    #[error("two nodes have this peer's key: one of them is connected, the other one yields")]
    Met,
}

impl Coded for Twin {
    fn code(&self) -> &'static str {
        match self {
            Self::Yields => "SW-NETWORK-001",
            Self::Prevails => "SW-NETWORK-002",
            Self::Met => "SW-NETWORK-003",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Yields => "Stop one of the two nodes, and make a data folder of its own for it: `shardwire init`.",
            Self::Prevails => {
                "If this node wasn't just started again, find the other one: its data folder is a copy of this one."
            }
            Self::Met => "Ask who runs the peer to stop one of its two nodes.",
        }
        .to_owned()
    }
}

/// When such a thing was last seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    twin: Twin,
    at: Instant,
}

impl Seen {
    pub(super) fn now(twin: Twin) -> Self {
        Self { twin, at: Instant::now() }
    }

    /// What is shown of it, while it is news.
    pub(super) fn shown(&self) -> Option<Cause> {
        (self.at.elapsed() < SHOWN).then(|| Cause::from(self.twin))
    }
}

/// What a node with this key has met at a peer that is connected with another run of it.
pub(super) fn met(mine: Instance, other: Instance) -> Option<Twin> {
    match other.cmp(&mine) {
        std::cmp::Ordering::Less => Some(Twin::Prevails),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some(Twin::Yields),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_host::testing::{SetWall, host, store};
    use shardwire_model::Clock as _;
    use shardwire_transport::Identity;

    #[test]
    fn the_run_that_began_later_prevails_and_each_side_says_what_to_do() {
        let of = |since| Instance { since: Timestamp(since), nonce: 1 };
        assert_eq!([1, 2, 3].map(|other| met(of(2), of(other))), [Some(Twin::Prevails), None, Some(Twin::Yields)]);
        let told = |twin: Twin| format!("{}: {twin}. {}", twin.code(), twin.next_step());
        assert_eq!(
            told(Twin::Yields),
            "SW-NETWORK-001: the peer is connected with another node that has this node's key and began later: this one yields. \
             Stop one of the two nodes, and make a data folder of its own for it: `shardwire init`."
        );
        assert_eq!(
            told(Twin::Prevails),
            "SW-NETWORK-002: the peer was still connected with another run under this node's key, which began earlier: this one \
             replaces it. If this node wasn't just started again, find the other one: its data folder is a copy of this one."
        );
        assert_eq!(
            told(Twin::Met),
            "SW-NETWORK-003: two nodes have this peer's key: one of them is connected, the other one yields. Ask who runs \
             the peer to stop one of its two nodes."
        );
    }

    /// A fixed bug: a node that was started again after its clock had been set back began earlier than its last run, to which a peer was still connected, so it yielded to itself.
    #[tokio::test(start_paused = true)]
    async fn a_run_begins_later_than_the_last_one_of_its_folder_though_the_clock_was_set_back() {
        let folder = tempfile::tempdir().unwrap();
        let wall = SetWall::at(Timestamp(1_800_000_000_000));
        let (host, _tasks) =
            host(Identity::from_secret(&[1; 32]), store(folder.path()), folder.path(), wall.clone(), "");
        let first = begins(&host).await.unwrap();
        assert_eq!(first, wall.now());
        wall.jump(-24 * 60 * 60 * 1000);
        let again = [begins(&host).await.unwrap(), begins(&host).await.unwrap()];
        assert_eq!(again, [1, 2].map(|later| Timestamp(first.0 + later)));
        wall.jump(2 * 24 * 60 * 60 * 1000);
        assert_eq!(begins(&host).await.unwrap(), wall.now());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_shown_for_as_long_as_the_other_one_may_stay_away() {
        let seen = Seen::now(Twin::Met);
        assert_eq!(seen.shown().unwrap().code, "SW-NETWORK-003");
        tokio::time::advance(SHOWN).await;
        assert!(seen.shown().is_none());
    }
}
