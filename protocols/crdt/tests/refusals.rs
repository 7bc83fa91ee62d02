//! Every refusal, with the text that a person reads.

use shardwire_crdt::{Cell, Claim, Counter, Delta, Escrow, Lock, MergeError, settlement};
use shardwire_model::{
    AccountId, Coded, ContractId, Entry, EventId, Felt, Key, Kind, MAX_INCREMENT, PeerId, ShardId, ShardStart, Slot,
    Terms, Timestamp, Update, finished_selector,
};

const GAME: ContractId = ContractId(Felt::ONE);
const TOKEN: ContractId = ContractId(Felt::TWO);

fn key(n: u64) -> Key {
    Key(Felt::from(n))
}

fn slot(n: u64) -> Slot {
    Slot::new(GAME, key(n))
}

fn shard(n: u64) -> ShardId {
    ShardId(Felt::from(n))
}

fn reads(error: &MergeError, code: &str, text: &str, next: &str) {
    assert_eq!(error.to_string(), text);
    assert_eq!(error.code(), code);
    assert!(error.next_step().contains(next), "{}", error.next_step());
}

fn start(entries: &[(Kind, ContractId, u64)]) -> ShardStart {
    let entry = |(kind, contract, n): &(Kind, ContractId, u64)| Entry {
        kind: *kind,
        contract: *contract,
        key: key(*n),
        guard: Felt::ZERO,
    };
    ShardStart {
        shard: shard(9),
        program: Felt::ONE,
        operator: PeerId([1; 32]),
        contracts: vec![GAME, TOKEN],
        accounts: vec![AccountId(Felt::from(50))],
        end_event: EventId { from: GAME, selector: finished_selector() },
        deadline: Timestamp(1),
        entries: entries.iter().map(entry).collect(),
        terms: Terms::Rules,
    }
}

fn update(kind: Kind, n: u64, value: impl Into<Felt>) -> Update {
    Update {
        kind,
        contract: if n == 3 && kind == Kind::Escrow { TOKEN } else { GAME },
        key: key(n),
        value: value.into(),
    }
}

#[test]
fn a_full_counter() {
    let error = Counter::new(u128::MAX - 1).merge(slot(3), 2).unwrap_err();
    let text = "counter 0x1/0x3 stands at 340282366920938463463374607431768211454 and can't grow by 2: that is beyond 2^128 - 1";
    reads(&error, "SW-MERGE-001", text, "Abort the shard");
    assert_eq!(Counter::new(u128::MAX - 1).merge(slot(3), 1).map(Counter::value), Ok(u128::MAX));
}

#[test]
fn a_counter_without_room_for_another_shard() {
    let stands = u128::MAX - 3 * MAX_INCREMENT;
    let counter = Counter::new(stands);
    assert_eq!(counter.room(slot(3), 3), Ok(()));
    let error = counter.room(slot(3), 4).unwrap_err();
    let text = format!(
        "counter 0x1/0x3 stands at {stands}: below 2^128 it has no room for 4 open shards, which may add 79228162514264337593543950336 each"
    );
    reads(&error, "SW-MERGE-013", &text, "Wait until open shards are settled or aborted");
    let error = Counter::new(u128::MAX).room(slot(3), 1).unwrap_err();
    assert_eq!(error.next_step(), "List another counter: this one is as good as full.");
    assert!(Counter::new(0).room(slot(3), u64::MAX).is_err());
    assert_eq!(Cell::Escrow(Escrow::new(u128::MAX)).room(slot(3), u64::MAX), Ok(()), "counters alone grow");
}

#[test]
fn a_counter_that_grew_by_more_than_a_shard_adds() {
    let (start, claims) = (start(&[(Kind::Counter, GAME, 3)]), [Claim::Counter]);
    let settle = |by: u128| settlement(&start, &claims, &[update(Kind::Counter, 3, Felt::from(by))]);
    assert!(settle(MAX_INCREMENT).is_ok());
    let error = settle(MAX_INCREMENT + 1).unwrap_err();
    let text =
        "counter 0x1/0x3 grew by 79228162514264337593543950337, and a shard adds at most 79228162514264337593543950336";
    reads(&error, "SW-MERGE-012", text, "Refuse this output");
}

#[test]
fn a_balance_that_does_not_suffice() {
    let error = Escrow::new(5).deposit(slot(3), 6).unwrap_err();
    reads(&error, "SW-MERGE-002", "escrow 0x1/0x3 needs 6, but its balance is 5", "Ask for less");
}

#[test]
fn a_lock_that_is_held() {
    let lock = Lock::new(AccountId::default()).take(slot(3), shard(7)).unwrap();
    for by in [7, 8] {
        let error = lock.take(slot(3), shard(by)).unwrap_err();
        reads(&error, "SW-MERGE-003", "lock 0x1/0x3 is held by shard 0x7", "shardwire shard status 0x7");
    }
}

#[test]
fn a_lock_released_by_another_or_late() {
    let value = AccountId::default();
    let first = Lock::new(value).take(slot(3), shard(7)).unwrap();
    let error = first.release(slot(3), shard(8), 1, value).unwrap_err();
    reads(&error, "SW-MERGE-004", "lock 0x1/0x3 is not held by shard 0x8", "Refuse this output");
    let free = first.release(slot(3), shard(7), 1, AccountId(Felt::ONE)).unwrap();
    assert_eq!((free.holder(), free.value(), free.fence()), (None, AccountId(Felt::ONE), 1));
    // Even the same shard needs the number of its latest taking.
    let again = free.take(slot(3), shard(7)).unwrap();
    assert!(matches!(again.release(slot(3), shard(7), 1, value), Err(MergeError::NotHeld { .. })));
    assert!(again.release(slot(3), shard(7), 2, value).is_ok());
}

#[test]
fn another_kind() {
    let cells =
        [Cell::Counter(Counter::new(1)), Cell::Escrow(Escrow::new(1)), Cell::Lock(Lock::new(AccountId::default()))];
    for cell in cells {
        for kind in [Kind::Counter, Kind::Escrow, Kind::Lock].into_iter().filter(|kind| *kind != cell.kind()) {
            let error = cell.claim(slot(3), kind, shard(7), 0).unwrap_err();
            let text = format!("storage slot 0x1/0x3 is of kind {}, not {kind}", cell.kind());
            reads(&error, "SW-MERGE-005", &text, &format!("as {}", cell.kind()));
        }
        let delta = match cell {
            Cell::Counter(_) => Delta::Escrow { deposited: 0, returned: 0 },
            _ => Delta::Counter { increment: 0 },
        };
        assert!(matches!(cell.merge(slot(3), delta), Err(MergeError::Kind { .. })));
    }
}

#[test]
fn updates_that_are_not_the_settlement_list() {
    let start = start(&[(Kind::Counter, GAME, 1), (Kind::Escrow, GAME, 2)]);
    let claims = [Claim::Counter, Claim::Escrow { amount: 5 }];
    let (first, second) = (update(Kind::Counter, 1, 4u64), update(Kind::Escrow, 2, 5u64));
    let refused = |updates: &[Update]| settlement(&start, &claims, updates).unwrap_err();

    let text = "the output has 1 updates, the settlement list 2";
    reads(&refused(&[first]), "SW-MERGE-006", text, "Refuse this output");
    assert!(matches!(refused(&[first, second, second]), MergeError::Length { expected: 2, got: 3 }));
    let text = "update 0 is of escrow 0x1/0x2, where the settlement list has counter 0x1/0x1";
    reads(&refused(&[second, first]), "SW-MERGE-007", text, "Refuse this output");
    assert!(matches!(refused(&[first, first]), MergeError::Order { index: 1, .. }));
    assert!(matches!(refused(&[first, update(Kind::Counter, 2, 5u64)]), MergeError::Order { index: 1, .. }));
    // The same key of another contract is another slot.
    let elsewhere = Update { contract: TOKEN, ..second };
    let text = "update 1 is of escrow 0x2/0x2, where the settlement list has escrow 0x1/0x2";
    reads(&refused(&[first, elsewhere]), "SW-MERGE-007", text, "Refuse this output");
    assert_eq!(settlement(&start, &claims, &[first, second]).map(|deltas| deltas.len()), Ok(2));
}

#[test]
fn values_out_of_range() {
    let start = start(&[(Kind::Counter, GAME, 1), (Kind::Escrow, GAME, 2), (Kind::Lock, GAME, 3)]);
    let claims =
        [Claim::Counter, Claim::Escrow { amount: 5 }, Claim::Lock { fence: 1, value: AccountId(Felt::from(40)) }];
    let settle = |counter: Felt, escrow: Felt, lock: u64| {
        let updates = [update(Kind::Counter, 1, counter), update(Kind::Escrow, 2, escrow), update(Kind::Lock, 3, lock)];
        settlement(&start, &claims, &updates)
    };
    let beyond = Felt::from(u128::MAX) + Felt::ONE;
    let error = settle(beyond, Felt::ZERO, 50).unwrap_err();
    reads(
        &error,
        "SW-MERGE-008",
        "the value 0x100000000000000000000000000000000 of counter 0x1/0x1 is not below 2^128",
        "Refuse this output",
    );
    assert!(matches!(settle(Felt::ZERO, -Felt::ONE, 50), Err(MergeError::Range { kind: Kind::Escrow, .. })));
    let error = settle(Felt::ZERO, Felt::ZERO, 51).unwrap_err();
    reads(
        &error,
        "SW-MERGE-009",
        "lock 0x1/0x3 was given to 0x33, which is not an account of the shard",
        "Refuse this output",
    );
    // To an account of the shard, or where it was.
    assert!(settle(Felt::from(MAX_INCREMENT), Felt::from(5), 50).is_ok());
    assert!(settle(Felt::ZERO, Felt::ZERO, 40).is_ok());
}

#[test]
fn value_does_not_cross_contracts() {
    let start = start(&[(Kind::Escrow, GAME, 1), (Kind::Escrow, GAME, 2), (Kind::Escrow, TOKEN, 3)]);
    let claims = [Claim::Escrow { amount: 5 }, Claim::Escrow { amount: 5 }, Claim::Escrow { amount: 5 }];
    let settle = |a: u128, b: u128, c: u128| {
        let updates = [update(Kind::Escrow, 1, a), update(Kind::Escrow, 2, b), update(Kind::Escrow, 3, c)];
        settlement(&start, &claims, &updates)
    };
    assert!(settle(10, 0, 5).is_ok());
    assert!(settle(0, 0, 0).is_ok());
    let error = settle(4, 7, 0).unwrap_err();
    reads(&error, "SW-MERGE-010", "the escrows of contract 0x1 return 11, but held 10", "Refuse this output");
    assert!(matches!(settle(0, 0, 6), Err(MergeError::Created { contract, .. }) if contract == TOKEN));
    assert!(matches!(settle(u128::MAX, u128::MAX, 6), Err(MergeError::Created { contract, .. }) if contract == GAME));
}

#[test]
fn sums_beyond_the_range_of_amounts_are_compared_all_the_same() {
    let start = start(&[(Kind::Escrow, GAME, 1), (Kind::Escrow, GAME, 2), (Kind::Escrow, GAME, 4)]);
    let claims = [Claim::Escrow { amount: u128::MAX }, Claim::Escrow { amount: 9 }, Claim::Escrow { amount: 0 }];
    let settle = |a: u128, b: u128, c: u128| {
        let updates = [update(Kind::Escrow, 1, a), update(Kind::Escrow, 2, b), update(Kind::Escrow, 4, c)];
        settlement(&start, &claims, &updates)
    };
    assert!(settle(u128::MAX, 9, 0).is_ok());
    assert!(settle(u128::MAX - 1, 9, 1).is_ok());
    let error = settle(u128::MAX, 9, 1).unwrap_err();
    let text = "the escrows of contract 0x1 return 2^128 or more, but held 2^128 or more";
    reads(&error, "SW-MERGE-010", text, "Refuse this output");
}

#[test]
fn a_cell_that_contradicts_its_shards() {
    let error = Escrow::new(5).settle(slot(3), 1, 0).unwrap_err();
    let text = "what is stored for 0x1/0x3 contradicts what its shards hold";
    reads(&error, "SW-MERGE-011", text, "check its ledger");
}
