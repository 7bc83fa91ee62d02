//! What the tests of the roles share: a host of one's own, and a clock that goes with the timers.

use crate::{Host, peers, platform::Work, tasks::Tasks};
use shardwire_config::{Config, Environment, Flags};
use shardwire_model::{Clock, Felt, Hash, Timestamp};
use shardwire_store::{Artefacts, Store, StoreError, SystemDisk, records::LAYOUT};
use shardwire_telemetry::Telemetry;
use shardwire_transport::Identity;
use shardwire_world::WorldIdentity;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
        mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::time::Instant;

/// The program of the World of these tests.
pub const PROGRAM: Felt = Felt::from_hex_unchecked("0x70726f6772616d");

/// Milliseconds since the test began.
#[derive(Debug)]
pub struct TestClock(Instant);

impl TestClock {
    /// A clock at zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Instant::now()))
    }
}

/// A system's clock that goes with the timers and that a test sets.
#[derive(Debug)]
pub struct SetWall {
    began: Instant,
    first: Timestamp,
    jumped: AtomicI64,
}

impl SetWall {
    /// A clock that shows this date.
    #[must_use]
    pub fn at(first: Timestamp) -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), first, jumped: AtomicI64::new(0) })
    }

    /// Sets it so many milliseconds ahead, or back if they are negative.
    pub fn jump(&self, by: i64) {
        self.jumped.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for SetWall {
    fn now(&self) -> Timestamp {
        self.first.plus(self.began.elapsed()).moved(self.jumped.load(Ordering::SeqCst))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// The store of a folder. If a host had it before, the thread that made its last commit lets go of it a moment later than the host does.
///
/// # Panics
/// If it can't be opened, for another reason than that.
#[must_use]
pub fn store(folder: &Path) -> Store {
    loop {
        match Store::open(&SystemDisk, &folder.join("node.redb"), &LAYOUT) {
            Err(StoreError::InUse) => thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// The store of a folder that a host on this runtime had before. What its tasks held is let go of when the runtime has dropped them, so it has to run meanwhile.
///
/// # Panics
/// As [`store`].
pub async fn store_again(folder: &Path) -> Store {
    loop {
        match Store::open(&SystemDisk, &folder.join("node.redb"), &LAYOUT) {
            Err(StoreError::InUse) => tokio::task::yield_now().await,
            opened => return opened.unwrap(),
        }
    }
}

/// Holds up every commit of a store until it is dropped, as a disk does that takes its time.
#[derive(Debug)]
pub struct HeldCommits {
    release: Option<SyncSender<()>>,
    holder: Option<JoinHandle<()>>,
}

/// Longer than anything that a test does meanwhile: a thread that waits for the disk shows by that.
const HELD_FOR: Duration = Duration::from_secs(60);

impl HeldCommits {
    /// Holds them up from now on.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "a thread of its own waits for the disk here")]
    pub fn of(store: &Store) -> Self {
        let (release, released) = sync_channel(0);
        let (holds, held) = sync_channel(0);
        let store = store.clone();
        let holder = thread::spawn(move || {
            let hold = store.write(|_| {
                holds.send(()).unwrap();
                let waited = released.recv_timeout(HELD_FOR);
                assert_ne!(waited, Err(RecvTimeoutError::Timeout), "the test's own thread waits for the disk");
                Ok::<_, StoreError>(())
            });
            hold.unwrap();
        });
        held.recv().unwrap();
        Self { release: Some(release), holder: Some(holder) }
    }
}

impl Drop for HeldCommits {
    fn drop(&mut self) {
        self.release = None;
        let held = self.holder.take().map(JoinHandle::join);
        if !thread::panicking() {
            held.unwrap().unwrap();
        }
    }
}

/// The World in which these hosts work: settlers are the identities 1 and 9 (of secrets that repeat one byte).
pub fn world() -> WorldIdentity {
    let settlers = [1, 9].map(|number| Identity::from_secret(&[number; 32]).peer());
    WorldIdentity::new("test", Hash([0; 32]), settlers, [PROGRAM]).unwrap()
}

/// A host that is configured with these lines. Its tasks end with what comes with it.
pub fn host(
    identity: Identity,
    store: Store,
    folder: &Path,
    clock: Arc<dyn Clock>,
    config: &str,
) -> (Arc<Host>, Tasks) {
    let tasks = Tasks::default();
    let config = Config::parse(Path::new("f"), config, &Environment::default(), Flags::default()).unwrap();
    let telemetry = Telemetry::default();
    let host = Host {
        peers: peers::recall(&config, identity.peer(), clock.clone(), &store, &telemetry).unwrap(),
        identity,
        world: Arc::new(world()),
        clock,
        store,
        artefacts: Artefacts::new(folder.to_owned(), Arc::new(SystemDisk)),
        work: Work::Beside,
        randomness: crate::platform::Randomness::from_seed(1),
        telemetry,
        tasks: tasks.spawner(),
    };
    (Arc::new(host), tasks)
}
