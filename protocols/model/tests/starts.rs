//! Start data: what is refused and how it reads, and that a shard's name depends on all of its request.

use proptest::prelude::*;
use shardwire_model::{
    AccountId, Call, Coded, ContractId, EntryRequest, EventId, Felt, Key, Kind, MAX_ACCOUNTS, MAX_CONTRACTS,
    MAX_ENTRIES, PeerId, Selector, ShardId, ShardStart, Slot, StartError, StartRequest, Terms, Timestamp, Transaction,
    finished_selector,
};
use std::collections::BTreeSet;

const DEADLINE: Timestamp = Timestamp(1_800_000_000_000);

fn contract(n: u64) -> ContractId {
    ContractId(Felt::from(n))
}

fn account(n: u64) -> AccountId {
    AccountId(Felt::from(n))
}

fn entry(kind: Kind, contract_n: u64, key: u64, owner: Option<u64>, amount: u128) -> EntryRequest {
    EntryRequest { kind, contract: contract(contract_n), key: Key(Felt::from(key)), owner: owner.map(account), amount }
}

fn request() -> StartRequest {
    StartRequest {
        salt: 7,
        program: Felt::from(0xfeed),
        operator: PeerId(std::array::from_fn(|n| n as u8)),
        contracts: vec![contract(0xc1), contract(0xc2)],
        accounts: vec![account(0xa1), account(0xa2)],
        end_event: EventId { from: contract(0xc1), selector: finished_selector() },
        entries: vec![
            entry(Kind::Counter, 0xc1, 0x10, None, 0),
            entry(Kind::Escrow, 0xc2, 0x20, Some(0xa2), 100),
            entry(Kind::Lock, 0xc1, 0x30, None, 0),
        ],
        terms: Terms::Rules,
    }
}

#[track_caller]
fn refused(change: impl FnOnce(&mut StartRequest), code: &str, text: &str, next: &str) {
    let mut request = request();
    change(&mut request);
    reads(&request.validate("test", DEADLINE).unwrap_err(), code, text, next);
}

#[track_caller]
fn reads(error: &StartError, code: &str, text: &str, next: &str) {
    assert_eq!(error.to_string(), text);
    assert_eq!(error.code(), code);
    assert!(error.next_step().contains(next), "{}", error.next_step());
}

#[test]
fn every_refusal() {
    let split = "Split the work";
    refused(|it| it.contracts.clear(), "SW-START-001", "contract: 0 given, 1 to 320 allowed", split);
    refused(|it| it.accounts.clear(), "SW-START-001", "account: 0 given, 1 to 256 allowed", split);
    refused(|it| it.entries.clear(), "SW-START-001", "storage slot: 0 given, 1 to 1024 allowed", split);
    let many = |n: usize| (0..=n as u64).map(|n| n + 0xa1);
    refused(
        |it| it.contracts = many(MAX_CONTRACTS).map(contract).collect(),
        "SW-START-001",
        "contract: 321 given, 1 to 320 allowed",
        split,
    );
    refused(
        |it| it.accounts = many(MAX_ACCOUNTS).map(account).collect(),
        "SW-START-001",
        "account: 257 given, 1 to 256 allowed",
        split,
    );
    refused(
        |it| it.entries = many(MAX_ENTRIES).map(|n| entry(Kind::Counter, 0xc1, n, None, 0)).collect(),
        "SW-START-001",
        "storage slot: 1025 given, 1 to 1024 allowed",
        split,
    );

    let remove = "Remove one of the two";
    refused(|it| it.contracts.push(contract(0xc1)), "SW-START-002", "contract 0xc1 is listed twice", remove);
    refused(|it| it.accounts.push(account(0xa2)), "SW-START-002", "account 0xa2 is listed twice", remove);
    let again = entry(Kind::Lock, 0xc1, 0x10, None, 0);
    refused(|it| it.entries.push(again), "SW-START-002", "storage slot 0xc1/0x10 is listed twice", remove);

    // The same key in another contract is another slot.
    let mut other = request();
    other.entries.push(entry(Kind::Counter, 0xc2, 0x10, None, 0));
    let start = other.validate("test", DEADLINE).unwrap();
    let index = |n: u64| start.entry_index(Slot::new(contract(n), Key(Felt::from(0x10))));
    assert_eq!((index(0xc1), index(0xc2), index(0xc3)), (Some(0), Some(3), None));

    let add = "Add the contract";
    refused(
        |it| it.end_event.from = contract(0xc3),
        "SW-START-003",
        "the end event names contract 0xc3, which is not whitelisted",
        add,
    );
    refused(
        |it| it.entries[0].contract = contract(0xc3),
        "SW-START-003",
        "counter 0xc3/0x10 names contract 0xc3, which is not whitelisted",
        add,
    );
    refused(
        |it| it.entries[1].owner = Some(account(0xa3)),
        "SW-START-004",
        "escrow 0xc2/0x20 belongs to 0xa3, which is not a whitelisted account",
        "Add the account",
    );
    refused(
        |it| it.entries[1].owner = None,
        "SW-START-004",
        "escrow 0xc2/0x20 belongs to 0x0, which is not a whitelisted account",
        "Add the account",
    );
    let misplaced = "make it an escrow";
    let text = "counter 0xc1/0x10 can't have an owner or an amount: only escrows do";
    refused(|it| it.entries[0].amount = 1, "SW-START-005", text, misplaced);
    let text = "lock 0xc1/0x30 can't have an owner or an amount: only escrows do";
    refused(|it| it.entries[2].owner = Some(account(0xa1)), "SW-START-005", text, misplaced);
    refused(
        |it| it.end_event.selector = Selector(Felt::ONE),
        "SW-START-007",
        "the end event's selector 0x1 is none that a transaction can emit, so the shard could never end",
        &finished_selector().to_string(),
    );

    let start = request().validate("test", DEADLINE).unwrap();
    for (index, text) in [(0, "counter 0xc1/0x10 has a wrong guard"), (2, "lock 0xc1/0x30 has a wrong guard")] {
        let mut start = start.clone();
        start.entries[index].guard = Felt::TWO;
        reads(&start.validate().unwrap_err(), "SW-START-006", text, "from the World");
    }
}

#[test]
fn bounds_are_inclusive() {
    let mut request = request();
    request.contracts = (0..MAX_CONTRACTS as u64).map(|n| contract(0xc1 + n)).collect();
    request.accounts = (0..MAX_ACCOUNTS as u64).map(|n| account(0xa1 + n)).collect();
    request.entries = (0..MAX_ENTRIES as u64).map(|n| entry(Kind::Counter, 0xc1, n, None, 0)).collect();
    let start = request.validate("test", DEADLINE).unwrap();
    assert_eq!(start.to_felts().len(), 11 + MAX_CONTRACTS + MAX_ACCOUNTS + 4 * MAX_ENTRIES);
}

#[test]
fn guards_follow_from_the_request() {
    let start = request().validate("test", DEADLINE).unwrap();
    assert_eq!(start.shard, request().shard_id("test"));
    let guards: Vec<Felt> = start.entries.iter().map(|entry| entry.guard).collect();
    assert_eq!(guards, [Felt::ZERO, Felt::from(0xa2), start.shard.0]);
    assert_eq!(serde_json::from_str::<ShardStart>(&serde_json::to_string(&start).unwrap()).unwrap(), start);
    assert_eq!(postcard::from_bytes::<ShardStart>(&postcard::to_stdvec(&start).unwrap()).unwrap(), start);
}

#[test]
fn the_deadline_is_no_part_of_the_name_and_is_in_the_commitment() {
    let (one, two) = (request().to_start("test", DEADLINE), request().to_start("test", Timestamp(0)));
    assert_eq!(one.shard, two.shard);
    assert_ne!(one.commitment(), two.commitment());
}

#[test]
fn a_request_in_json_may_leave_out_what_has_no_meaning() {
    let entry: EntryRequest = serde_json::from_str(r#"{"kind":"lock","contract":"0xc1","key":"0x30"}"#).unwrap();
    assert_eq!(entry, request().entries[2]);
}

#[test]
fn a_shard_is_named_by_all_of_its_request() {
    type Change = fn(&mut StartRequest);
    let changes: [Change; 18] = [
        |it| it.salt = 8,
        |it| it.program = Felt::ONE,
        |it| it.operator.0[31] ^= 1,
        |it| it.contracts.truncate(1),
        |it| it.contracts.swap(0, 1),
        |it| it.contracts[1] = contract(0xc4),
        |it| it.accounts.swap(0, 1),
        |it| it.accounts.push(account(0xa3)),
        // The same felts, cut in another place.
        |it| {
            let last = it.contracts.pop().unwrap();
            it.accounts.insert(0, AccountId(last.0));
        },
        |it| it.end_event.from = contract(0xc2),
        |it| it.end_event.selector = Selector(Felt::ONE),
        |it| it.entries.swap(0, 1),
        |it| it.entries[0].kind = Kind::Lock,
        |it| it.entries[0].contract = contract(0xc2),
        |it| it.entries[0].key = Key(Felt::from(0x11)),
        |it| it.entries[1].owner = Some(account(0xa1)),
        |it| it.entries[1].amount = 101,
        |it| it.entries.truncate(2),
    ];
    let mut names = BTreeSet::from([request().shard_id("test"), request().shard_id("tesu"), request().shard_id("")]);
    for change in changes {
        let mut request = request();
        change(&mut request);
        names.insert(request.shard_id("test"));
    }
    assert_eq!(names.len(), changes.len() + 3);
    // Always below 2^250.
    assert!(names.iter().all(|name| name.0.to_bytes_be()[0] < 4));
    assert_eq!(request().shard_id("test"), request().shard_id("test"));
}

proptest! {
    /// A commitment binds every part of the start data: no two starts share their felts.
    #[test]
    fn starts_with_the_same_felts_are_the_same(
        contracts in 1..4u64, accounts in 1..4u64, keys in proptest::collection::vec(0..3u64, 1..4), other in 0..3u64,
    ) {
        let build = |contracts: u64, accounts: u64, keys: &[u64]| {
            let mut it = request();
            it.contracts = (1..=contracts).map(contract).collect();
            it.accounts = (1..=accounts).map(account).collect();
            it.entries = keys.iter().map(|key| entry(Kind::Counter, 1, *key, None, 0)).collect();
            // The id is left out: it alone would tell them apart.
            ShardStart { shard: ShardId(Felt::ONE), ..it.to_start("test", DEADLINE) }
        };
        let one = build(contracts, accounts, &keys);
        let two = build(accounts, contracts, &[keys.as_slice(), &[other]].concat());
        prop_assert_eq!(one.to_felts() == two.to_felts(), one == two);
        prop_assert_eq!(one.to_felts(), build(contracts, accounts, &keys).to_felts());
    }
}

#[test]
fn words_of_transactions() {
    let start = request().validate("test", DEADLINE).unwrap();
    let key = |n: u64| Key(Felt::from(n));
    let words = |contract_n, call| {
        Transaction { account: account(0xa1), nonce: 9, contract: contract(contract_n), call }.words(&start)
    };
    let amount = 0xfedc_ba98_7654_3210_0123_4567_89ab_cdef;
    let parts = |first: [u32; 4]| {
        let [a, b, c, d] = first;
        Ok([a, b, c, d, 0x89ab_cdef, 0x0123_4567, 0x7654_3210, 0xfedc_ba98])
    };
    assert_eq!(words(0xc1, Call::Add { counter: key(0x10), amount }), parts([9, 1, 0, 0]));
    assert_eq!(words(0xc2, Call::Spend { escrow: key(0x20), amount }), parts([9, 2, 1, 0]));
    let give = Call::Give { lock: key(0x30), to: account(0xa2) };
    assert_eq!(words(0xc1, give), Ok([9, 4, 2, 1, 0, 0, 0, 0]));
    assert_eq!(words(0xc2, Call::Finish), Ok([9, 5, 1, 0, 0, 0, 0, 0]));
    // Both ends of `pass` are of the contract that is called.
    let mut two = request();
    two.entries.push(entry(Kind::Escrow, 0xc2, 0x21, Some(0xa1), 1));
    let pass = Call::Pass { from: key(0x20), to: key(0x21), amount: 1 };
    let pass = |n| Transaction { account: account(0xa1), nonce: 9, contract: contract(n), call: pass };
    let two = two.validate("test", DEADLINE).unwrap();
    assert_eq!(pass(0xc2).words(&two), Ok([9, 3, 1, 3, 1, 0, 0, 0]));
    assert_eq!(pass(0xc1).words(&two).unwrap_err().code(), "SW-TX-002");

    let unknown = key(0x99);
    for (contract_n, call, code, text) in [
        (0xc3, Call::Finish, "SW-TX-001", "contract 0xc3 is not whitelisted in this shard"),
        (
            0xc1,
            Call::Add { counter: unknown, amount: 1 },
            "SW-TX-002",
            "storage slot 0xc1/0x99 is not in the shard's settlement list",
        ),
        (
            0xc2,
            Call::Pass { from: key(0x20), to: unknown, amount: 1 },
            "SW-TX-002",
            "storage slot 0xc2/0x99 is not in the shard's settlement list",
        ),
        (
            0xc1,
            Call::Give { lock: key(0x30), to: account(0xa3) },
            "SW-TX-003",
            "account 0xa3 is not whitelisted in this shard",
        ),
    ] {
        let error = words(contract_n, call).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, text));
        assert!(error.next_step().contains("shardwire shard status"));
    }
}
