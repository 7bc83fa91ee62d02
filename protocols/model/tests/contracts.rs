//! Start data of shards of contracts: what is refused and how it reads, the program's order, and that the shard's name depends on all of it.
#![allow(missing_docs)]

use shardwire_model::{
    AccountId, Coded, ContractId, ContractTerms, EntryRequest, EventId, Felt, ForkId, Hash, Instance, Key, Kind,
    MAX_CONTRACTS, MAX_ENTRIES, Maximum, OriginId, PeerId, Selector, ShardId, ShardStart, Slot, StartError,
    StartRequest, Terms, Timestamp,
    contracts::{ClassPair, EntryKind, MAX_AMOUNT, MAX_CLASSES, MAX_SCRATCH, Rule, chain_id},
};
use std::collections::BTreeSet;

const BEGINS: u64 = 1_764_460_800;
/// What is left of the last second counts for nothing.
const DEADLINE: Timestamp = Timestamp((BEGINS + 600) * 1000 + 999);

const FORK: ForkId =
    ForkId { chain: Felt::from_hex_unchecked("0x534e5f4d41494e"), number: 3, hash: Felt::from_hex_unchecked("0xb10c") };

fn contract(n: u64) -> ContractId {
    ContractId(n.into())
}

fn slot(contract_n: u64, key: u64) -> Slot {
    Slot::new(contract(contract_n), Key(key.into()))
}

fn entry(kind: Kind, contract_n: u64, key: u64, amount: u128) -> EntryRequest {
    EntryRequest { kind, contract: contract(contract_n), key: Key(key.into()), owner: None, amount }
}

fn terms() -> ContractTerms {
    let pair = |n: u64| ClassPair { class_hash: n.into(), compiled_class_hash: (n + 1).into() };
    let instance = |class: u64, rule| Instance { class: class.into(), rule };
    ContractTerms {
        origin: Hash::of(b"genesis").into(),
        begins: BEGINS,
        first_block: 9,
        sequencer: contract(0x5e9),
        classes: vec![pair(0x10), pair(0x20), pair(0x30)],
        instances: vec![instance(0x30, Rule::Scratch), instance(0x10, Rule::Closed), instance(0x20, Rule::Scratch)],
        maxima: [1000, 5000, 0].map(Maximum).to_vec(),
        scratch: vec![slot(0xc1, 1), slot(0xc1, 4)],
    }
}

/// An account 0xa1, gold 0xc1 with an escrow and a lock, a world 0xc2 with a counter.
fn request() -> StartRequest {
    let mut request = StartRequest {
        salt: 7,
        program: Felt::from(0xfeed),
        operator: PeerId(std::array::from_fn(|n| n as u8)),
        contracts: [0xa1, 0xc1, 0xc2].map(contract).to_vec(),
        accounts: vec![AccountId(0xa1_u64.into())],
        end_event: EventId { from: contract(0xc2), selector: Selector(Felt::from(5)) },
        entries: vec![
            entry(Kind::Escrow, 0xc1, 2, 40),
            entry(Kind::Lock, 0xc1, 3, 0),
            entry(Kind::Counter, 0xc2, 2, 0),
        ],
        terms: Terms::Contracts(Box::new(terms())),
    };
    with_terms(&mut request, |it| it.maxima = [5000, 0, 1000].map(Maximum).to_vec());
    request
}

fn with_terms(request: &mut StartRequest, change: impl FnOnce(&mut ContractTerms)) {
    let Terms::Contracts(terms) = &mut request.terms else { panic!("no contracts") };
    change(terms);
}

#[test]
fn the_program_reads_it_in_its_own_order() {
    let start = request().validate("test", DEADLINE).unwrap();
    assert_eq!(start.entries[0].guard, Felt::ZERO, "contracts say who may spend an escrow");
    let it = start.for_contracts().unwrap();
    it.validate().unwrap();
    let listed: Vec<_> = it.contracts.iter().map(|it| (it.class, it.rule, it.account)).collect();
    assert_eq!(listed, [(2, Rule::Scratch, true), (0, Rule::Closed, false), (1, Rule::Scratch, false)]);
    let entries: Vec<_> = it.entries.iter().map(|it| (it.contract, it.key, it.kind, it.maximum)).collect();
    let key = |n: u64| Key(n.into());
    assert_eq!(
        entries,
        [
            (1, key(1), EntryKind::Scratch, 0),
            (1, key(2), EntryKind::Escrow, 5000),
            (1, key(3), EntryKind::Lock, 0),
            (1, key(4), EntryKind::Scratch, 0),
            (2, key(2), EntryKind::Counter, 1000),
        ]
    );
    // What settles has the order of the settlement list, which outputs have.
    let settled = it.settled().map(|entry| it.slot(entry));
    assert!(settled.eq(start.entries.iter().map(|entry| entry.slot())));
    assert_eq!((it.begins, it.deadline), (BEGINS, BEGINS + 600));
    assert_eq!(start.to_felts(), it.to_felts());
    assert_eq!(start.commitment(), it.commitment());
    // The operator's id as in start data of rules.
    let rules = ShardStart { terms: Terms::Rules, ..start.clone() }.to_felts();
    assert_eq!(it.to_felts()[3..5], rules[3..5]);
    assert_eq!(it.to_felts().len(), 16 + 3 * 2 + 3 * 4 + 5 * 5);

    assert_eq!(serde_json::from_str::<ShardStart>(&serde_json::to_string(&start).unwrap()).unwrap(), start);
    assert_eq!(postcard::from_bytes::<ShardStart>(&postcard::to_stdvec(&start).unwrap()).unwrap(), start);
}

#[test]
fn a_chain_id_is_the_shards_own() {
    assert_eq!(chain_id(ShardId(Felt::ZERO)), "SW_AAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(chain_id(ShardId(Felt::from(0x3f))), "SW_AAAAAAAAAAAAAAAAAAAAAAAAAAB7");
    let start = request().validate("test", DEADLINE).unwrap().for_contracts().unwrap();
    let text = String::from_utf8(start.chain_id().to_bytes_be()[1..].to_vec()).unwrap();
    assert_eq!(text, chain_id(start.shard));
}

#[track_caller]
fn refused(change: impl FnOnce(&mut StartRequest), code: &str, text: &str, next: &str) {
    let mut request = request();
    change(&mut request);
    let error = request.validate("test", DEADLINE).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (code, text));
    assert!(error.next_step().contains(next), "{}", error.next_step());
}

#[test]
fn every_refusal() {
    let of = |change: fn(&mut ContractTerms)| move |it: &mut StartRequest| with_terms(it, change);
    let split = "Split the work";
    refused(of(|it| it.classes.clear()), "SW-CONTRACTS-003", "contract 0xa1 needs a class that isn't listed", "Add it");
    refused(of(|it| it.instances.truncate(2)), "SW-CONTRACTS-001", "instances: 2 given, 3 to 3 allowed", split);
    refused(of(|it| it.maxima.push(Maximum(1))), "SW-CONTRACTS-001", "maxima: 4 given, 3 to 3 allowed", split);
    refused(
        of(|it| it.scratch = (0..=MAX_SCRATCH as u64).map(|n| slot(0xc1, 100 + n)).collect()),
        "SW-CONTRACTS-001",
        "scratch keys: 1025 given, 0 to 1024 allowed",
        split,
    );
    refused(
        of(|it| {
            let pair = |n: usize| ClassPair { class_hash: (n as u64).into(), compiled_class_hash: Felt::ONE };
            it.classes = (0x10..=0x10 + MAX_CLASSES).map(pair).collect();
        }),
        "SW-CONTRACTS-001",
        "classes: 65 given, 1 to 64 allowed",
        split,
    );

    let sort = "Sort the list";
    refused(of(|it| it.classes.swap(0, 1)), "SW-CONTRACTS-002", "class 0x10 isn't above the one before it", sort);
    refused(|it| it.contracts.swap(0, 1), "SW-CONTRACTS-002", "contract 0xa1 isn't above the one before it", sort);
    refused(
        |it| it.accounts = [0xc1_u64, 0xa1].map(|n| AccountId(n.into())).to_vec(),
        "SW-CONTRACTS-002",
        "account 0xa1 isn't above the one before it",
        sort,
    );
    refused(
        |it| it.entries.swap(1, 2),
        "SW-CONTRACTS-002",
        "storage slot 0xc1/0x3 isn't above the one before it",
        sort,
    );
    refused(
        of(|it| it.scratch.push(slot(0xc1, 4))),
        "SW-CONTRACTS-002",
        "scratch key 0xc1/0x4 isn't above the one before it",
        sort,
    );
    let text = "storage slot 0xc1/0x3 isn't above the one before it";
    refused(of(|it| it.scratch = vec![slot(0xc1, 3)]), "SW-CONTRACTS-002", text, sort);

    refused(
        |it| it.accounts.push(AccountId(0xa2_u64.into())),
        "SW-CONTRACTS-003",
        "account 0xa2 needs a contract that isn't listed",
        "Add it",
    );
    refused(
        of(|it| it.scratch.push(slot(0xc3, 1))),
        "SW-CONTRACTS-003",
        "storage slot 0xc3/0x1 needs a contract that isn't listed",
        "Add it",
    );

    let doesnt_fit =
        |slot: &str| format!("storage slot {slot} has a maximum, a guard or a contract that doesn't go with its kind");
    let closed = "escrows and locks are of closed contracts";
    for (maximum, place, at) in [(0, 0, "0xc1/0x2"), (MAX_AMOUNT + 1, 2, "0xc2/0x2"), (1, 1, "0xc1/0x3")] {
        let change = |it: &mut StartRequest| with_terms(it, |it| it.maxima[place] = Maximum(maximum));
        refused(change, "SW-CONTRACTS-004", &doesnt_fit(at), closed);
    }
    refused(of(|it| it.instances[1].rule = Rule::Scratch), "SW-CONTRACTS-004", &doesnt_fit("0xc1/0x2"), closed);
    let owned = |it: &mut StartRequest| it.entries[0].owner = Some(AccountId(0xa1_u64.into()));
    refused(owned, "SW-CONTRACTS-004", &doesnt_fit("0xc1/0x2"), closed);

    refused(
        of(|it| it.begins = BEGINS + 600),
        "SW-CONTRACTS-006",
        "the shard begins at 1764461400 and its deadline is 1764461400, in seconds since 1970",
        "a deadline after",
    );
    refused(
        of(|it| it.first_block = 0),
        "SW-CONTRACTS-007",
        "the first transaction's block can't have the number 0: that is the block of the state before it",
        "from 1",
    );
    // What holds for every shard holds for these.
    refused(
        |it| it.end_event.from = contract(0xc3),
        "SW-START-003",
        "the end event names contract 0xc3, which is not whitelisted",
        "Add the contract",
    );
    // Start data of the program's own, which nobody else's is asked of.
    let mut start = request().validate("test", DEADLINE).unwrap().for_contracts().unwrap();
    start.end_event.from = contract(0xc3);
    let error = start.validate().unwrap_err();
    let text = "the end event is one of 0xc3, which isn't a listed contract, so the shard could never end";
    assert_eq!((error.code(), error.to_string().as_str()), ("SW-CONTRACTS-005", text));
    assert!(error.next_step().contains("Add the contract"));
    let rules = ShardStart { terms: Terms::Rules, ..request().to_start("test", DEADLINE) };
    let error = rules.for_contracts().unwrap_err();
    let text = "the start data has no terms of contracts: it is of a shard of rules";
    assert_eq!((error.code(), error.to_string().as_str()), ("SW-CONTRACTS-008", text));
    assert!(error.next_step().contains("`terms`"));
    assert!(matches!(rules.validate(), Err(StartError::Endless { .. })), "its end event is none of the fixed rules'");
}

#[test]
fn bounds_are_inclusive() {
    let mut request = request();
    request.contracts = (0..MAX_CONTRACTS as u64).map(|n| contract(0xa1 + n)).collect();
    request.entries = (0..MAX_ENTRIES as u64).map(|n| entry(Kind::Counter, 0xa1, n, 0)).collect();
    with_terms(&mut request, |it| {
        let pair = |n: usize| ClassPair { class_hash: (n as u64).into(), compiled_class_hash: Felt::ONE };
        it.classes = (0x10..0x10 + MAX_CLASSES).map(pair).collect();
        it.instances = vec![Instance { class: Felt::from(0x10), rule: Rule::Closed }; MAX_CONTRACTS];
        it.maxima = vec![Maximum(MAX_AMOUNT); MAX_ENTRIES];
        it.scratch = (0..MAX_SCRATCH as u64).map(|n| slot(0xa2, n)).collect();
    });
    let start = request.validate("test", DEADLINE).unwrap();
    let felts = 16 + 2 * MAX_CLASSES + 4 * MAX_CONTRACTS + 5 * (MAX_ENTRIES + MAX_SCRATCH);
    assert_eq!(start.to_felts().len(), felts);
}

#[test]
fn a_shard_is_named_by_all_of_its_terms() {
    type Change = fn(&mut ContractTerms);
    let changes: [Change; 20] = [
        |it| it.origin = Hash::of(b"another genesis").into(),
        |it| it.origin = FORK.into(),
        |it| it.origin = ForkId { chain: Felt::TWO, ..FORK }.into(),
        |it| it.origin = ForkId { number: 4, ..FORK }.into(),
        |it| it.origin = ForkId { hash: Felt::TWO, ..FORK }.into(),
        // The same bytes, shared out otherwise.
        |it| (it.origin, it.begins) = (Hash(FORK.chain.to_bytes_be()).into(), FORK.number),
        |it| it.begins += 1,
        |it| it.first_block += 1,
        |it| (it.begins, it.first_block) = (it.first_block, it.begins),
        |it| it.sequencer = contract(1),
        |it| it.classes[0].class_hash = Felt::ONE,
        |it| it.classes[0].compiled_class_hash = Felt::ONE,
        |it| it.classes.truncate(2),
        |it| it.instances[0].class = Felt::from(0x20),
        |it| it.instances[0].rule = Rule::Closed,
        |it| it.instances.truncate(2),
        |it| it.maxima[0] = Maximum(1),
        |it| it.maxima.swap(0, 2),
        |it| it.scratch.truncate(1),
        |it| it.scratch[0] = slot(0xc2, 1),
    ];
    let rules = StartRequest { terms: Terms::Rules, ..request() };
    let mut names = BTreeSet::from([request().shard_id("test"), rules.shard_id("test")]);
    for change in changes {
        let mut request = request();
        with_terms(&mut request, change);
        names.insert(request.shard_id("test"));
    }
    assert_eq!(names.len(), changes.len() + 2);
}

#[test]
fn a_request_in_json_names_its_terms() {
    let json = serde_json::to_value(request()).unwrap();
    assert_eq!(json["terms"]["contracts"]["instances"][1]["rule"], "closed");
    assert_eq!(json["terms"]["contracts"]["maxima"][0], 5000);
    assert_eq!(json["terms"]["contracts"]["scratch"][0], "0xc1/0x1");
    assert_eq!(serde_json::from_value::<StartRequest>(json.clone()).unwrap(), request());
    let mut forked = request();
    with_terms(&mut forked, |it| it.origin = FORK.into());
    let written = serde_json::to_value(&forked).unwrap();
    let fork = serde_json::json!({"chain": "0x534e5f4d41494e", "number": 3, "hash": "0xb10c"});
    assert_eq!(written["terms"]["forked"]["fork"], fork);
    let mut others = json["terms"]["contracts"].clone();
    others.as_object_mut().unwrap().remove("genesis");
    others.as_object_mut().unwrap().insert("fork".into(), fork);
    assert_eq!(written["terms"]["forked"], others, "all else is the same");
    assert_eq!(serde_json::from_value::<StartRequest>(written).unwrap(), forked);
    let mut rules = json;
    rules.as_object_mut().unwrap().remove("terms");
    assert_eq!(serde_json::from_value::<StartRequest>(rules).unwrap().terms, Terms::Rules);
}

#[test]
fn a_shard_that_begins_from_a_genesis_is_encoded_as_before_there_were_forks() {
    #[derive(serde::Serialize)]
    enum Before {
        #[allow(dead_code, reason = "it has the first number")]
        Rules,
        Contracts(Hash, u64, u64, ContractId, Vec<ClassPair>, Vec<Instance>, Vec<Maximum>, Vec<Slot>),
    }
    let ContractTerms { origin, begins, first_block, sequencer, classes, instances, maxima, scratch } = terms();
    assert_eq!(origin, OriginId::Genesis(Hash::of(b"genesis")));
    let before =
        Before::Contracts(Hash::of(b"genesis"), begins, first_block, sequencer, classes, instances, maxima, scratch);
    let now = postcard::to_allocvec(&Terms::Contracts(Box::new(terms()))).unwrap();
    assert_eq!(now, postcard::to_allocvec(&before).unwrap());
    let forked = Terms::Contracts(Box::new(ContractTerms { origin: FORK.into(), ..terms() }));
    let bytes = postcard::to_allocvec(&forked).unwrap();
    assert_eq!((bytes[0], now[0]), (2, 1));
    assert_eq!(postcard::from_bytes::<Terms>(&bytes).unwrap(), forked);
}

#[test]
fn a_shard_has_no_block_that_the_network_has() {
    let mut request = request();
    for (number, refused) in [(8, false), (9, true), (u64::MAX, true)] {
        with_terms(&mut request, |it| it.origin = ForkId { number, ..FORK }.into());
        let validated = request.validate("test", DEADLINE).map(drop);
        let told = validated.map_err(|error| format!("{} {error}", error.code()));
        let expected = format!(
            "SW-CONTRACTS-009 the shard goes on from block {number}, and its first transaction's block has the number 9"
        );
        assert_eq!(told, if refused { Err(expected) } else { Ok(()) });
    }
}
