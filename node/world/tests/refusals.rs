//! Every refusal of a transition: its text, its code, its next step, and that nothing changed.

mod dungeon;

use dungeon::*;
use redb::backends::InMemoryBackend;
use shardwire_model::{Coded, ContractId, Felt, Key, Kind, MAX_INCREMENT, Output, ShardId, StartRequest, Timestamp};
use shardwire_world::{EmbeddedLedger, Genesis, GenesisEntry, GenesisError, GenesisValue, Refusal};

#[track_caller]
fn reads(error: &impl Coded, code: &str, text: &str, next: &str) {
    assert_eq!(error.to_string(), text);
    assert_eq!(error.code(), code);
    assert!(error.next_step().contains(next), "{}", error.next_step());
}

/// Refused, and everything as before.
#[track_caller]
fn refused<T: std::fmt::Debug>(world: &EmbeddedLedger, act: impl FnOnce(&EmbeddedLedger) -> Result<T, Not>) -> Not {
    let before = dump(world);
    let error = act(world).unwrap_err();
    assert_eq!(dump(world), before);
    world.audit().unwrap();
    error
}

#[track_caller]
fn start_refused(world: &EmbeddedLedger, request: &StartRequest) -> Not {
    refused(world, |world| world.start(request, now()))
}

#[test]
fn starts() {
    let world = world();
    let unknown = Key(Felt::from(0x99));
    // The refused entry comes last each time, after others that would succeed.
    let error = start_refused(&world, &request(1, vec![escrow(GOLD, ANNA, 5), lock(SWORD), counter(unknown)]));
    reads(&error, "SW-LEDGER-010", "the World has no storage slot 0xc1/0x99", "shardwire world show");
    let error = start_refused(&world, &request(1, vec![escrow(GOLD, ANNA, 5), lock(EXPERIENCE)]));
    reads(&error, "SW-MERGE-005", "storage slot 0xc1/0x10 is of kind counter, not lock", "as counter");
    let error = start_refused(&world, &run(1, 100, 301));
    reads(&error, "SW-MERGE-002", "escrow 0xc1/0x21 needs 301, but its balance is 300", "Ask for less");
    let mut endless = run(1, 1, 1);
    endless.accounts.push(ANNA);
    let error = start_refused(&world, &endless);
    reads(&error, "SW-START-002", "account 0xa1 is listed twice", "Remove one");

    let holder = world.start(&run(1, 100, 50), now()).unwrap().start.shard;
    let error = start_refused(&world, &run(2, 100, 50));
    let text = format!("lock 0xc1/0x30 is held by shard {holder}");
    reads(&error, "SW-MERGE-003", &text, &format!("shardwire shard status {holder}"));
    // The same operation is done once; at another time the request has another deadline.
    assert_eq!(world.start(&run(1, 100, 50), now()).unwrap().start.shard, holder);
    let again = |world: &EmbeddedLedger| world.start(&run(1, 100, 50), Timestamp(now().0 + 1));
    let error = refused(&world, again);
    reads(&error, "SW-LEDGER-011", &format!("shard {holder} was started before"), "another salt");
    // Neither after it is closed.
    world.abort(holder, now()).unwrap();
    assert_eq!(refused(&world, again), Not::Refused(Refusal::AlreadyStarted { shard: holder }));
}

#[test]
fn settlements() {
    let world = world();
    let started = world.start(&run(1, 100, 50), now()).unwrap();
    let shard = started.start.shard;
    let good = output(&started, &felts([12, 50, 70, 0xa2]));
    let settle = |change: &dyn Fn(&mut Output)| {
        let mut output = good.clone();
        change(&mut output);
        refused(&world, |world| world.settle(&output, proof(1), now()))
    };

    let error = settle(&|output| output.shard = ShardId(Felt::ONE));
    reads(&error, "SW-LEDGER-012", "the World has no shard 0x1", "Correct the id");
    let error = settle(&|output| output.segment = 1);
    let text = format!("the output of shard {shard} is of segment 1, expected is 0");
    reads(&error, "SW-LEDGER-016", &text, "Refuse this proof");
    let error = settle(&|output| output.before = Felt::ONE);
    let text = format!(
        "the output of shard {shard} is of a run from state 0x1, but the shard was started from {:#x}",
        started.before
    );
    reads(&error, "SW-LEDGER-017", &text, "Refuse this proof");
    let error = settle(&|output| output.ended = false);
    let text = format!("the output of shard {shard} is of a run without the end event");
    reads(&error, "SW-LEDGER-018", &text, "Refuse this proof");
    let error = settle(&|output| output.updates.truncate(3));
    reads(&error, "SW-MERGE-006", "the output has 3 updates, the settlement list 4", "Refuse this output");
    let error = settle(&|output| output.updates.swap(0, 1));
    let text = "update 0 is of escrow 0xc1/0x20, where the settlement list has counter 0xc1/0x10";
    reads(&error, "SW-MERGE-007", text, "Refuse this output");
    let error = settle(&|output| output.updates[0].kind = Kind::Lock);
    assert_eq!(error.code(), "SW-MERGE-007");
    let error = settle(&|output| output.updates[0].value = -Felt::ONE);
    assert_eq!(error.code(), "SW-MERGE-008");
    let error = settle(&|output| output.updates[3].value = Felt::ONE);
    reads(&error, "SW-MERGE-009", "lock 0xc1/0x30 was given to 0x1, which is not an account of the shard", "Refuse");
    let error = settle(&|output| output.updates[1].value = Felt::from(81));
    reads(&error, "SW-MERGE-010", "the escrows of contract 0xc1 return 151, but held 150", "Refuse this output");
    let error = settle(&|output| output.updates[0].value = Felt::from(MAX_INCREMENT + 1));
    let text = "counter 0xc1/0x10 grew by 79228162514264337593543950337, and a shard adds at most 79228162514264337593543950336";
    reads(&error, "SW-MERGE-012", text, "Refuse this output");

    world.settle(&good, proof(1), now()).unwrap();
    let error = refused(&world, |world| world.settle(&good, proof(2), now()));
    let text = format!("shard {shard} is settled, with proof {}", proof(1));
    reads(&error, "SW-LEDGER-013", &text, "Nothing is left to do");
    let error = settle(&|output| output.count = 4);
    let text = format!("shard {shard} was settled with this proof {}, but with another output", proof(1));
    reads(&error, "SW-LEDGER-014", &text, "Refuse this proof");
    let error = refused(&world, |world| world.abort(shard, now()));
    assert_eq!(error, Not::Refused(Refusal::AlreadySettled { shard, proof: proof(1) }));
}

#[test]
fn aborts() {
    let world = world();
    let error = refused(&world, |world| world.abort(ShardId(Felt::ONE), now()));
    assert_eq!(error, Not::Refused(Refusal::UnknownShard { shard: ShardId(Felt::ONE) }));
    let started = world.start(&run(1, 100, 50), now()).unwrap();
    let shard = started.start.shard;
    world.abort(shard, Timestamp(2)).unwrap();
    let late = output(&started, &felts([12, 50, 70, 0xa2]));
    let error = refused(&world, |world| world.settle(&late, proof(1), now()));
    reads(&error, "SW-LEDGER-015", &format!("shard {shard} is aborted"), "Start another shard");
}

#[test]
fn value_does_not_cross_contracts() {
    let token = ContractId(Felt::from(0xc2));
    let mut genesis = dungeon::genesis();
    // The same key in another contract is another slot.
    let gold_2 = genesis.storage.iter().find(|entry| entry.key == GOLD_2).copied().unwrap();
    genesis.storage.push(GenesisEntry { contract: token, ..gold_2 });
    let identity = of(NETWORK, &genesis);
    let world = EmbeddedLedger::create_with_backend(InMemoryBackend::new(), &identity, &genesis).unwrap();
    let mut request = request(1, vec![escrow(GOLD, ANNA, 10), escrow(GOLD_2, BERT, 10)]);
    request.contracts.push(token);
    request.entries[1].contract = token;
    let started = world.start(&request, now()).unwrap();
    let settle = |world: &EmbeddedLedger, a, b| world.settle(&output(&started, &[a, b]), proof(1), now());
    let error = refused(&world, |world| settle(world, Felt::from(9), Felt::from(11)));
    assert_eq!(error.to_string(), "the escrows of contract 0xc2 return 11, but held 10");
    settle(&world, Felt::from(9), Felt::from(10)).unwrap();
}

/// What shards may add has room, whatever they do: so none of them is ever too much for a counter.
#[test]
fn a_start_over_a_counter_without_room_for_what_it_may_add() {
    let mut genesis = dungeon::genesis();
    let stands = u128::MAX - 2 * MAX_INCREMENT;
    genesis.storage.iter_mut().filter(|entry| entry.key == EXPERIENCE).for_each(|entry| {
        entry.value = GenesisValue::Number(stands);
    });
    let identity = of(NETWORK, &genesis);
    let world = EmbeddedLedger::create_with_backend(InMemoryBackend::new(), &identity, &genesis).unwrap();
    let start = |salt| world.start(&request(salt, vec![counter(EXPERIENCE)]), now());
    let open = [start(1).unwrap(), start(2).unwrap()];
    let error = start_refused(&world, &request(3, vec![escrow(GOLD, ANNA, 5), counter(EXPERIENCE)]));
    let text = format!(
        "counter 0xc1/0x10 stands at {stands}: below 2^128 it has no room for 3 open shards, which may add {MAX_INCREMENT} each"
    );
    reads(&error, "SW-MERGE-013", &text, "Wait until open shards are settled or aborted");
    // Both may add all that they may.
    for (started, number) in open.iter().zip(1..) {
        world.settle(&output(started, &[Felt::from(MAX_INCREMENT)]), proof(number), now()).unwrap();
    }
    let error = start_refused(&world, &request(4, vec![counter(EXPERIENCE)]));
    assert_eq!(error.next_step(), "List another counter: this one is as good as full.");
    world.start(&request(5, vec![escrow(GOLD, ANNA, 5)]), now()).unwrap();
}

#[test]
fn geneses() {
    let genesis = |text: &str| Genesis::from_json(text).unwrap_err();
    let syntax = |text: &str, says: &str| {
        let error = genesis(text);
        assert_eq!(error.code(), "SW-GENESIS-001");
        assert!(error.to_string().starts_with("the genesis can't be read: "), "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.next_step().contains("it should look like"), "{}", error.next_step());
    };
    syntax("", "EOF while parsing a value at line 1 column 0");
    syntax(r#"{"storage":[],"more":1}"#, "unknown field `more`");
    syntax(r#"{"storage":[{"contract":"0xc1","key":"1","kind":"counter","value":0}]}"#, "'1' is not a field element");
    syntax(r#"{"storage":[{"contract":"0xc1","key":"0x1","kind":"set","value":0}]}"#, "unknown variant `set`");
    for value in ["-1", "1.5", "18446744073709551616", "null"] {
        let text = format!(r#"{{"storage":[{{"contract":"0xc1","key":"0x1","kind":"counter","value":{value}}}]}}"#);
        syntax(
            &text,
            "a whole number from 0 to 2^128 - 1, in quotes if it is above 2^53, or, for a lock, an account \"0x…\"",
        );
    }
    let error = genesis(
        r#"{"storage":[{"contract":"0xc1","key":"0x1","kind":"counter","value":"0x100000000000000000000000000000000"}]}"#,
    );
    let text = "the genesis gives counter 0xc1/0x1 a number above 2^128 - 1, or an account";
    reads(&error, "SW-GENESIS-004", text, "a number");
    let error = genesis(r#"{"storage":[{"contract":"0xc1","key":"0x1","kind":"lock","value":1}]}"#);
    reads(&error, "SW-GENESIS-004", "the genesis gives lock 0xc1/0x1 a number", "an account");
    let error = genesis(
        r#"{"storage":[{"contract":"0xc1","key":"0x1","kind":"counter","value":0},{"contract":"0xc1","key":"0x01","kind":"escrow","value":0}]}"#,
    );
    reads(&error, "SW-GENESIS-003", "the genesis lists storage slot 0xc1/0x1 twice", "Remove one");
    let error = genesis(
        r#"{"storage":[{"contract":"0xc1","key":"0x1","kind":"escrow","value":"340282366920938463463374607431768211455"},{"contract":"0xc1","key":"0x2","kind":"escrow","value":1}]}"#,
    );
    reads(
        &error,
        "SW-GENESIS-005",
        "the balances of the genesis exceed 2^128 - 1 in sum, at escrow 0xc1/0x2",
        "smaller",
    );
    let entry = dungeon::genesis().storage[0];
    let error = Genesis { storage: vec![entry; shardwire_world::MAX_GENESIS + 1] }.validate().unwrap_err();
    let text = "the genesis has 65537 storage addresses, at most 65536 are allowed";
    reads(&error, "SW-GENESIS-002", text, "fewer");
    let long = " ".repeat(shardwire_world::MAX_GENESIS_BYTES + 1);
    assert!(matches!(genesis(&long), GenesisError::Size { what: "bytes", .. }));
    // What was read is what is written.
    let text = serde_json::to_string(&dungeon::genesis()).unwrap();
    assert_eq!(Genesis::from_json(&text).unwrap(), dungeon::genesis());
}
