//! Whether this node's disk can be used: the condition `disk`, and how the node finds out that it can again.
//!
//! An error is noted where it happens ([`WatchedDisk`]). From then on the disk is probed, at first soon and then less often ([`TRY_AGAIN`]); once there is
//! room for [`ROOM`] and the store takes a commit, it is forgiven. While nothing fails a small probe is made every [`LOOK_EVERY`], so that a node that
//! has nothing to write notices, too.

use crate::{
    Host,
    events::{self, DiskRecovered},
};
use shardwire_store::{StoreError, WatchedDisk};
use shardwire_telemetry::{Events, Shortfall};
use shardwire_transport::Backoff;
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// How often a disk that doesn't fail is probed.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Between probes of a disk that fails.
const TRY_AGAIN: Backoff = Backoff::between(Duration::from_secs(1), Duration::from_secs(15));
/// What a probe of a disk that doesn't fail writes: a page.
const PAGE: usize = 4 << 10;
/// What there has to be room for on a disk that has failed: some chunks of a witness.
const ROOM: usize = 1 << 20;

/// Takes in the condition, and looks after the disk for as long as the node runs.
pub fn watch(host: &Arc<Host>, disk: WatchedDisk) {
    let watched = disk.clone();
    host.telemetry.condition("disk", move || {
        watched.failing().map(|why| Shortfall {
            code: "SW-READY-006".to_owned(),
            why,
            next_step:
                "Free space, make the data folder readable and writable again, or let this user open more files, whichever it is; the node goes on by itself then."
                    .to_owned(),
        })
    });
    let (tended, events) = (host.clone(), host.telemetry.events());
    host.tasks.spawn(async move { tend(&tended, &disk, &events).await });
}

async fn tend(host: &Host, disk: &WatchedDisk, events: &Events<events::Room>) {
    loop {
        let _ = timeout(LOOK_EVERY, disk.failed()).await;
        if disk.failing().is_none() {
            probe(host, disk, PAGE).await;
        }
        if disk.failing().is_some() {
            let mut waits = TRY_AGAIN.start(host.randomness.clone());
            while disk.failing().is_some() {
                sleep(waits.after_failure()).await;
                probe(host, disk, ROOM).await;
            }
            events.emit(DiskRecovered {});
        }
    }
}

/// Tries whether the disk takes so much now; it is well again if it does.
#[allow(clippy::disallowed_methods, reason = "beside the async threads")]
async fn probe(host: &Host, disk: &WatchedDisk, bytes: usize) {
    let (failures, artefacts, store) = (disk.failures(), host.artefacts.clone(), host.store.clone());
    let works = move || artefacts.probe(bytes).is_ok() && store.write(|_| Ok::<_, StoreError>(())).is_ok();
    if host.work.run(works).await == Some(true) {
        disk.recovered(failures);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tasks, clock::SystemClock, testing};
    use shardwire_disk::{Medium, SimulatedDisk, Trouble};
    use shardwire_model::{Coded as _, PeerId};
    use shardwire_store::{
        Artefacts, Store,
        records::{LAYOUT, WORDS},
    };
    use shardwire_transport::Identity;
    use std::path::Path;

    fn host(medium: &Medium) -> (Arc<Host>, Tasks) {
        let disk = WatchedDisk::new(Arc::new(SimulatedDisk::new(medium)));
        let store = Store::open(&disk, Path::new("/node/node.redb"), &LAYOUT).unwrap();
        let me = Identity::from_secret(&[1; 32]);
        let (host, tasks) = testing::host(me, store, Path::new("/node"), Arc::new(SystemClock), "");
        let artefacts = Artefacts::new("/node".into(), Arc::new(disk.clone()));
        let host = Arc::new(Host { artefacts, ..Arc::try_unwrap(host).unwrap() });
        watch(&host, disk);
        (host, tasks)
    }

    fn unmet(host: &Host) -> Vec<(&'static str, String)> {
        host.telemetry.unmet().into_iter().map(|it| (it.condition, it.shortfall.why)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_disk_is_noticed_also_by_an_idle_node_and_forgiven_when_there_is_room_again() {
        let medium = Medium::new(1);
        let (host, _tasks) = host(&medium);
        sleep(LOOK_EVERY * 2).await;
        assert_eq!(unmet(&host), []);
        medium.set_capacity(Some(medium.used()));
        sleep(LOOK_EVERY * 2).await;
        let [(name, why)] = unmet(&host).try_into().unwrap();
        assert_eq!(name, "disk");
        assert!(why.starts_with("/node/probe/room can't be written: "), "{why}");
        // Room for little isn't enough: the next write would fail again.
        medium.set_capacity(Some(medium.used() + 16 * PAGE));
        sleep(TRY_AGAIN.longest * 2).await;
        assert_eq!(unmet(&host).len(), 1);
        medium.set_capacity(None);
        sleep(TRY_AGAIN.longest).await;
        assert_eq!(unmet(&host), []);
    }

    /// Read only, no quota, no file left to open: each is a state of this node that says what the system says, and is over when it is.
    #[tokio::test(start_paused = true)]
    async fn whatever_the_system_refuses_is_shown_and_forgiven_as_a_full_disk_is() {
        for trouble in Trouble::ALL {
            let medium = Medium::new(1);
            let (host, _tasks) = host(&medium);
            sleep(LOOK_EVERY * 2).await;
            assert_eq!(unmet(&host), []);
            medium.trouble(Some(trouble));
            sleep(LOOK_EVERY * 2).await;
            let [(name, why)] = unmet(&host).try_into().unwrap();
            assert_eq!(name, "disk");
            assert!(why.contains("os error"), "{why}");
            let put = |n| host.store.put(&WORDS, &PeerId([n; 32]), &shardwire_reputation::Listing::Allowed);
            if trouble == Trouble::ReadOnly {
                assert_eq!(put(1).unwrap_err().code(), "SW-STORE-006");
            }
            medium.trouble(None);
            sleep(TRY_AGAIN.longest).await;
            assert_eq!(unmet(&host), [], "{trouble:?}");
            put(2).unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_of_the_database_counts_at_once_and_is_over_when_the_disk_works_again() {
        let medium = Medium::new(1);
        let (host, _tasks) = host(&medium);
        sleep(Duration::from_secs(1)).await;
        medium.fail_once_after(0);
        assert!(host.store.put(&WORDS, &PeerId([1; 32]), &shardwire_reputation::Listing::Allowed).is_err());
        let [(name, why)] = unmet(&host).try_into().unwrap();
        assert_eq!(name, "disk");
        assert!(why.starts_with("/node/node.redb can't be "), "{why}");
        sleep(TRY_AGAIN.first * 2).await;
        assert_eq!(unmet(&host), []);
        host.store.put(&WORDS, &PeerId([1; 32]), &shardwire_reputation::Listing::Allowed).unwrap();
    }
}
