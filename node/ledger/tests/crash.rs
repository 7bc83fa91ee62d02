//! The power fails at every write and sync of a transition: whatever of the unsynced writes survives, the ledger opens as it was before the
//! transition or after it, and what was confirmed is there.

mod dungeon;

use dungeon::*;
use redb::StorageBackend;
use shardwire_ledger::{EmbeddedLedger, LedgerError, Started, World};
use shardwire_model::Coded;
use std::{
    io::{Error, Result},
    sync::{Arc, Mutex, MutexGuard},
};

/// The smallest piece of a write that a disk writes whole.
const SECTOR: usize = 512;

/// A disk whose writes reach the medium when it is synced, and which fails for good at the `fails_at`-th write, resize or sync.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What is read.
    current: Vec<u8>,
    /// What is on the medium for certain.
    synced: Vec<u8>,
    /// What may be.
    unsynced: Vec<Change>,
    acts: usize,
    fails_at: Option<usize>,
}

#[derive(Clone, Debug)]
enum Change {
    Length(usize),
    Write(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write(at, data) => {
                if bytes.len() < at + data.len() {
                    bytes.resize(at + data.len(), 0);
                }
                bytes[*at..at + data.len()].copy_from_slice(data);
            }
        }
    }
}

/// What survives of the unsynced changes.
#[derive(Clone, Copy, Debug)]
enum Survives {
    Nothing,
    All,
    /// Each with a probability of one half, torn into sectors.
    Some(u64),
}

impl Disk {
    fn with(bytes: Vec<u8>, fails_at: Option<usize>) -> Self {
        let (current, synced) = (bytes.clone(), bytes);
        Self(Arc::new(Mutex::new(State { current, synced, fails_at, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn act(&self) -> Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.acts += 1;
        if state.fails_at.is_some_and(|at| state.acts > at) {
            return Err(Error::other("the power failed"));
        }
        Ok(state)
    }

    fn after_crash(&self, survives: Survives) -> Vec<u8> {
        let state = self.state();
        let mut bytes = state.synced.clone();
        let mut seed = if let Survives::Some(seed) = survives { seed } else { 0 };
        // A xorshift: the test needs no more.
        let mut coin = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed & 1 == 1
        };
        for change in &state.unsynced {
            match (survives, change) {
                (Survives::Nothing, _) => {}
                (Survives::All, _) => change.apply(&mut bytes),
                (Survives::Some(_), Change::Length(_)) => {
                    if coin() {
                        change.apply(&mut bytes);
                    }
                }
                (Survives::Some(_), Change::Write(at, data)) => {
                    for (n, sector) in data.chunks(SECTOR).enumerate() {
                        if coin() {
                            Change::Write(at + n * SECTOR, sector.to_vec()).apply(&mut bytes);
                        }
                    }
                }
            }
        }
        bytes
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64> {
        Ok(self.state().current.len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let state = self.state();
        let at = offset as usize;
        let bytes = state.current.get(at..at + out.len()).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }
    fn set_len(&self, len: u64) -> Result<()> {
        let mut state = self.act()?;
        let change = Change::Length(len as usize);
        change.apply(&mut state.current);
        state.unsynced.push(change);
        Ok(())
    }
    fn sync_data(&self) -> Result<()> {
        let mut state = self.act()?;
        state.synced = state.current.clone();
        state.unsynced.clear();
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut state = self.act()?;
        let change = Change::Write(offset as usize, data.to_vec());
        change.apply(&mut state.current);
        state.unsynced.push(change);
        Ok(())
    }
}

fn open(bytes: Vec<u8>) -> EmbeddedLedger {
    EmbeddedLedger::open_with_backend(Disk::with(bytes, None), NETWORK).unwrap()
}

fn survivals(seed: usize) -> impl Iterator<Item = Survives> {
    let some = (0..4).map(move |n| Survives::Some(0x9e37_79b9_7f4a_7c15 ^ (seed as u64 * 4 + n + 1)));
    [Survives::Nothing, Survives::All].into_iter().chain(some)
}

/// Tries `transition` with a crash at each act; returns how many there were.
fn crash_everywhere<T>(
    image: &[u8],
    transition: impl Fn(&EmbeddedLedger) -> std::result::Result<T, LedgerError>,
) -> usize {
    let before = dump(&open(image.to_vec()));
    let (after, acts) = {
        let disk = Disk::with(image.to_vec(), None);
        let world = EmbeddedLedger::open_with_backend(disk.clone(), NETWORK).unwrap();
        assert!(transition(&world).is_ok());
        let after = dump(&world);
        drop(world);
        let acts = disk.state().acts;
        (after, acts)
    };
    assert_ne!(before, after);
    let mut seen = [false; 2];
    for fails_at in 0..=acts {
        let disk = Disk::with(image.to_vec(), Some(fails_at));
        let confirmed = match EmbeddedLedger::open_with_backend(disk.clone(), NETWORK) {
            Err(error) => {
                assert_eq!(error.code(), "SW-LEDGER-009", "{error}");
                false
            }
            Ok(world) => match transition(&world) {
                Ok(_) => true,
                Err(error) => {
                    assert_eq!(error.code(), "SW-LEDGER-009", "{error}");
                    assert!(error.next_step().contains("nothing that was confirmed is lost"));
                    false
                }
            },
        };
        for survives in survivals(fails_at) {
            let world = open(disk.after_crash(survives));
            let now = dump(&world);
            assert!(
                now == after || (now == before && !confirmed),
                "at {fails_at} of {acts}, {survives:?}, {confirmed}"
            );
            seen[usize::from(now == after)] = true;
            world.audit().unwrap();
            // And it goes on from there.
            if now == before {
                assert!(transition(&world).is_ok());
                assert_eq!(dump(&world), after);
            }
        }
    }
    assert_eq!(seen, [true; 2]);
    acts
}

/// A ledger, closed, with what `prepare` did to it.
fn image<T>(prepare: impl Fn(&EmbeddedLedger) -> T) -> (Vec<u8>, T) {
    let disk = Disk::default();
    let world = EmbeddedLedger::create_with_backend(disk.clone(), NETWORK, &genesis()).unwrap();
    let result = prepare(&world);
    drop(world);
    let bytes = disk.state().current.clone();
    (bytes, result)
}

fn start(world: &EmbeddedLedger) -> Started {
    world.start(&run(1, 100, 50), now()).unwrap()
}

#[test]
fn a_start_is_there_or_not() {
    let (image, ()) = image(|_| ());
    let acts = crash_everywhere(&image, |world| world.start(&run(1, 100, 50), now()));
    assert!(acts > 5, "{acts}");
}

#[test]
fn a_settlement_is_there_or_not() {
    let (image, started) = image(start);
    let output = output(&started, &felts([12, 50, 70, 0xa2]));
    crash_everywhere(&image, |world| world.settle(&output, proof(1), now()));
}

#[test]
fn an_abort_is_there_or_not() {
    let (image, started) = image(start);
    crash_everywhere(&image, |world| world.abort(started.start.shard, now()));
}

#[test]
fn a_creation_is_there_or_refused() {
    let disk = Disk::default();
    drop(EmbeddedLedger::create_with_backend(disk.clone(), NETWORK, &genesis()).unwrap());
    let acts = disk.state().acts;
    for fails_at in 0..=acts {
        let disk = Disk::with(Vec::new(), Some(fails_at));
        let created = EmbeddedLedger::create_with_backend(disk.clone(), NETWORK, &genesis()).is_ok();
        for survives in survivals(fails_at) {
            match EmbeddedLedger::open_with_backend(Disk::with(disk.after_crash(survives), None), NETWORK) {
                Ok(world) => assert_eq!(dump(&world), dump(&dungeon::world())),
                Err(error) => {
                    assert!(!created, "{error}");
                    let code = error.code();
                    assert!(["SW-LEDGER-003", "SW-LEDGER-004"].contains(&code), "{error}");
                }
            }
        }
    }
}
