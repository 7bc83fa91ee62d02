//! What every World has to pass, whatever keeps it: [`vectors`], written by hand and by a program of their own, and [`histories`], random operations whose
//! every answer is compared with a plain [model](model) in memory.
//!
//! An implementation's tests say how a World is made, and run both:
//!
//! ```
//! # use shardwire_world::{EmbeddedLedger, EmbeddedWorld, World, suite::{self, Setup}};
//! # use std::sync::Arc;
//! # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # rt.block_on(async {
//! let make = |Setup { identity, genesis, clock }: Setup| -> Arc<dyn World> {
//!     let backend = redb::backends::InMemoryBackend::new();
//!     let ledger = EmbeddedLedger::create_with_backend(backend, &identity, &genesis).unwrap();
//!     Arc::new(EmbeddedWorld::new(ledger, clock, shardwire_store::Work::AtOnce))
//! };
//! suite::vectors(&make).await;
//! suite::histories(&make, 0..10).await;
//! # });
//! ```
//!
//! A World may keep any operation pending: the suite waits for its decision. It panics with what differs.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "tests say what differs by panicking"
)]

mod histories;
mod model;
mod vectors;

pub use histories::histories;
pub use vectors::vectors;

use crate::{
    Genesis, MAX_STORAGE_PAGE, Operation, Receipt, Refusal, Standing, StorageEntry, World, WorldIdentity, decided,
};
use shardwire_model::{Clock, Felt, Hash, Timestamp};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The program whose shards settle in the suite's Worlds.
const PROGRAM: Felt = Felt::from_hex_unchecked("0x50");
/// The deadline of a shard whose vector names none, from its start.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A World to be made.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Which World it is.
    pub identity: WorldIdentity,
    /// What it begins with.
    pub genesis: Genesis,
    /// Its clock, which the suite sets.
    pub clock: Arc<dyn Clock>,
}

/// A clock that is set.
#[derive(Debug, Default)]
struct SetClock(AtomicU64);

impl SetClock {
    fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// Submits an operation and waits for the World's decision, which has to stay what it was.
async fn carry_out(world: &dyn World, operation: &Operation) -> Result<Receipt, Refusal> {
    let ticket = operation.ticket(world.identity().network());
    let mut standing = world.submit(operation.clone()).await.expect("a World that works");
    if matches!(standing, Standing::Pending) {
        standing = decided(world, ticket).await.expect("a World that works");
    }
    let later = world.standing(ticket).await.expect("a World that works");
    match standing {
        Standing::Final(receipt) => {
            assert!(matches!(later, Standing::Final(_)), "{operation:?} was final, then {later:?}");
            Ok(receipt)
        }
        Standing::Refused(refusal) => {
            assert!(
                later == Standing::Unknown || later == Standing::Refused(refusal.clone()),
                "{operation:?} was refused, then {later:?}"
            );
            Err(refusal)
        }
        standing => panic!("{operation:?} was submitted and is {standing:?}"),
    }
}

/// Reads all storage, page by page.
async fn storage(world: &dyn World) -> Vec<StorageEntry> {
    let mut all: Vec<StorageEntry> = Vec::new();
    loop {
        let after = all.last().map(StorageEntry::slot);
        let page = world.storage(after, MAX_STORAGE_PAGE).await.expect("a World that works");
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// A hash over all storage: of each slot in order its kind, contract, key, value, escrow and holder, each a felt.
fn root(storage: &[StorageEntry]) -> Hash {
    let bytes = |entry: &StorageEntry| {
        let holder = entry.held_by.map_or(Felt::ZERO, |shard| shard.0);
        let (kind, in_escrow) = (Felt::from(entry.kind.number()), Felt::from(entry.in_escrow));
        let felts = [kind, entry.contract.0, entry.key.0, entry.value, in_escrow, holder];
        felts.into_iter().flat_map(|felt| felt.to_bytes_be()).collect::<Vec<u8>>()
    };
    Hash::of_parts("shardwire storage", &[&storage.iter().flat_map(bytes).collect::<Vec<u8>>()])
}
