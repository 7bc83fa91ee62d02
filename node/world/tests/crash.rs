//! The power fails at every write and sync of a transition: whatever of the unsynced writes survives, the ledger opens as it was before the
//! transition or after it, and what was confirmed is there.

mod dungeon;

use dungeon::*;
use shardwire_disk::{Medium, Survives};
use shardwire_model::Coded;
use shardwire_world::{EmbeddedLedger, Started};

const NAME: &str = "ledger.redb";

/// A disk with this ledger on it, whose power fails at an act.
fn disk(bytes: Vec<u8>, fails_at: Option<u64>) -> Medium {
    let disk = Medium::with_file(0, NAME, bytes);
    if let Some(acts) = fails_at {
        disk.power_off_after(acts);
    }
    disk
}

fn after_crash(disk: &Medium, survives: Survives) -> Vec<u8> {
    disk.image(NAME, survives).unwrap_or_default()
}

fn open(bytes: Vec<u8>) -> EmbeddedLedger {
    EmbeddedLedger::open_with_backend(disk(bytes, None).storage(NAME), &identity()).unwrap()
}

fn survivals(seed: u64) -> impl Iterator<Item = Survives> {
    let some = (0..4).map(move |n| Survives::Some(0x9e37_79b9_7f4a_7c15 ^ (seed * 4 + n + 1)));
    [Survives::Nothing, Survives::All].into_iter().chain(some)
}

/// Tries `transition` with a crash at each act; returns how many there were.
fn crash_everywhere<T>(image: &[u8], transition: impl Fn(&EmbeddedLedger) -> std::result::Result<T, Not>) -> u64 {
    let before = dump(&open(image.to_vec()));
    let (after, acts) = {
        let disk = disk(image.to_vec(), None);
        let world = EmbeddedLedger::open_with_backend(disk.storage(NAME), &identity()).unwrap();
        assert!(transition(&world).is_ok());
        let after = dump(&world);
        drop(world);
        (after, disk.acts())
    };
    assert_ne!(before, after);
    let mut seen = [false; 2];
    for fails_at in 0..=acts {
        let disk = disk(image.to_vec(), Some(fails_at));
        let confirmed = match EmbeddedLedger::open_with_backend(disk.storage(NAME), &identity()) {
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
            let world = open(after_crash(&disk, survives));
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
    let disk = Medium::new(0);
    let world = EmbeddedLedger::create_with_backend(disk.storage(NAME), &identity(), &genesis()).unwrap();
    let result = prepare(&world);
    drop(world);
    (after_crash(&disk, Survives::All), result)
}

fn start(world: &EmbeddedLedger) -> Started {
    world.start(&run(1, 100, 50), now()).unwrap()
}

/// A fixed bug: after one write that failed, the ledger refused everything until it was opened anew.
#[test]
fn a_ledger_whose_disk_was_full_or_failed_once_goes_on_by_itself() {
    let (image, ()) = image(|_| ());
    let medium = disk(image.clone(), None);
    let world = EmbeddedLedger::open_with_backend(medium.storage(NAME), &identity()).unwrap();
    // Shards that don't get into each other's way.
    let of = |salt| request(salt, vec![counter(EXPERIENCE)]);
    let mut shard = 0;
    // Until the file has to grow.
    let error = loop {
        medium.set_capacity(Some(medium.used()));
        shard += 1;
        match world.start(&of(shard), now()) {
            Ok(_) => assert!(shard < 10_000, "it never grows"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), "SW-LEDGER-009", "{error}");
    assert!(world.start(&of(shard), now()).is_err(), "for as long as it is full");
    medium.set_capacity(None);
    world.start(&of(shard), now()).unwrap();
    world.audit().unwrap();

    for acts in 0..12 {
        shard += 1;
        medium.fail_once_after(acts);
        let first = world.start(&of(shard), now());
        if first.is_err() && world.shard(of(shard).shard_id("dungeon")).unwrap().is_none() {
            world.start(&of(shard), now()).unwrap();
        }
        world.audit().unwrap();
    }
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
    let whole = Medium::new(0);
    drop(EmbeddedLedger::create_with_backend(whole.storage(NAME), &identity(), &genesis()).unwrap());
    for fails_at in 0..=whole.acts() {
        let disk = disk(Vec::new(), Some(fails_at));
        let created = EmbeddedLedger::create_with_backend(disk.storage(NAME), &identity(), &genesis()).is_ok();
        for survives in survivals(fails_at) {
            match EmbeddedLedger::open_with_backend(
                self::disk(after_crash(&disk, survives), None).storage(NAME),
                &identity(),
            ) {
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
