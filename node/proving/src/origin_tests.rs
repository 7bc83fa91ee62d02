//! What runs may say that they began with, and what each lie is called.

use crate::origin::{Compared, Origin, OriginError, OriginMismatch, compare};
use proptest::prelude::*;
use shardwire_model::{
    AccountId, Cause, Coded, ContractId, ContractTerms, EntryRequest, EventId, Felt, Hash, Instance, Key, Kind,
    Maximum, PeerId, Reads, Selector, ShardStart, Slot, StartRequest, Terms, Timestamp,
    contracts::{ClassPair, Rule},
};

const ACCOUNTS: [u64; 2] = [0xa1, 0xa2];
const GOLD: u64 = 0xc1;
const WORLD: u64 = 0xc2;

fn contract(n: u64) -> ContractId {
    ContractId(n.into())
}

fn slot(of: u64, key: u64) -> Slot {
    Slot::new(contract(of), Key(key.into()))
}

/// Two accounts; gold with an escrow, a lock and a key that may change; a world with a counter.
fn start() -> ShardStart {
    let entry = |kind, of: u64, key: u64, amount| EntryRequest {
        kind,
        contract: contract(of),
        key: Key(key.into()),
        owner: None,
        amount,
    };
    let instance = |rule| Instance { class: Felt::from(0x10), rule };
    let request = StartRequest {
        salt: 7,
        program: Felt::from(0xfeed),
        operator: PeerId([1; 32]),
        contracts: [ACCOUNTS[0], ACCOUNTS[1], GOLD, WORLD].map(contract).to_vec(),
        accounts: ACCOUNTS.map(|n| AccountId(n.into())).to_vec(),
        end_event: EventId { from: contract(WORLD), selector: Selector(Felt::from(5)) },
        entries: vec![
            entry(Kind::Escrow, GOLD, 2, 40),
            entry(Kind::Lock, GOLD, 3, 0),
            entry(Kind::Counter, WORLD, 2, 0),
        ],
        terms: Terms::Contracts(Box::new(ContractTerms {
            origin: Hash::of(b"genesis").into(),
            begins: 1,
            first_block: 1,
            sequencer: contract(0x5e9),
            classes: vec![ClassPair { class_hash: Felt::from(0x10), compiled_class_hash: Felt::from(0x11) }],
            instances: [Rule::Scratch, Rule::Scratch, Rule::Closed, Rule::Scratch].map(instance).to_vec(),
            maxima: [1000, 0, 1000].map(Maximum).to_vec(),
            scratch: vec![slot(GOLD, 9)],
        })),
    };
    request.validate("test", Timestamp(60_000)).unwrap()
}

/// The World's values: 40 gold, a lock that 0xa1 has, a counter at 7.
fn values() -> Vec<Felt> {
    [40_u64, 0xa1, 7].map(Felt::from).to_vec()
}

/// A state in which each slot has the sum of its contract and its key, and each account a nonce; or one that can't be read.
#[derive(Debug)]
struct State {
    broken: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("a bad sector")]
struct BadSector;

impl Coded for BadSector {
    fn code(&self) -> &'static str {
        "SW-X-001"
    }
    fn next_step(&self) -> String {
        "Mend it.".into()
    }
}

impl Origin for State {
    fn storage(&self, contract: ContractId, key: Key) -> Result<Felt, OriginError> {
        if self.broken { Err(OriginError::unable(BadSector)) } else { Ok(contract.0 + key.0) }
    }
    fn nonce(&self, account: AccountId) -> Result<Felt, OriginError> {
        if self.broken { Err(OriginError::unable(BadSector)) } else { Ok(account.0 + Felt::ONE) }
    }
}

/// What a run read that touched these slots too, by the place of their contract and their key, and that these accounts sent transactions in.
fn reads(touched: &[(usize, u64)], accounts: &[usize]) -> Reads {
    let contracts = [ACCOUNTS[0], ACCOUNTS[1], GOLD, WORLD];
    let mut reads = Reads::default();
    for (place, key) in touched {
        reads.storage.insert((*place, Felt::from(*key)), Felt::from(contracts[*place] + key));
    }
    for ((place, key), value) in [(2, 2_u64), (2, 3), (3, 2)].into_iter().zip(values()) {
        reads.storage.insert((place, key.into()), value);
    }
    reads.storage.insert((2, Felt::from(9)), Felt::from(GOLD + 9));
    reads.nonces.extend(accounts.iter().map(|place| (*place, Felt::from(ACCOUNTS[*place] + 1))));
    reads
}

fn compared(reads: &Reads) -> Result<(), Compared> {
    compare(reads, &start(), &values(), &State { broken: false })
}

fn refused(reads: &Reads) -> String {
    match compared(reads) {
        Err(Compared::Mismatch(mismatch)) => format!("{} {mismatch} {}", mismatch.code(), mismatch.next_step()),
        other => panic!("no mismatch: {other:?}"),
    }
}

const NEXT: &str = "Nothing was applied. Refuse the proof; its operator has to execute the shard from the state that the start data names.";

#[test]
fn a_run_that_began_with_gold_of_its_own_is_named_by_its_first_slot() {
    let honest = reads(&[(0, 1), (2, 5), (3, 8)], &[0, 1]);
    compared(&honest).unwrap();
    let with = |place, key: u64, value: u64| {
        let mut lie = honest.clone();
        lie.storage.insert((place, Felt::from(key)), Felt::from(value));
        refused(&lie)
    };
    // What isn't listed is the origin's.
    assert_eq!(
        with(2, 5, 1_000_000),
        format!("SW-SETTLE-008 the run began with 0xf4240 in slot 0xc1/0x5, and it has 0xc6 {NEXT}")
    );
    // Nor is it what the origin doesn't have.
    assert_eq!(
        with(0, 77, 1),
        format!("SW-SETTLE-008 the run began with 0x1 in slot 0xa1/0x4d, and it has 0xee {NEXT}")
    );
    // What settles is the World's, whatever the origin has there.
    for (place, key, name, has) in [(2, 2, "0xc1/0x2", "0x28"), (2, 3, "0xc1/0x3", "0xa1"), (3, 2, "0xc2/0x2", "0x7")] {
        let text = format!("SW-SETTLE-008 the run began with 0xc4 in slot {name}, and it has {has} {NEXT}");
        assert_eq!(with(place, key, 0xc4), text);
    }
    // A key that may change and doesn't settle is the origin's.
    assert_eq!(with(2, 9, 0), format!("SW-SETTLE-008 the run began with 0x0 in slot 0xc1/0x9, and it has 0xca {NEXT}"));
    // An escrow of another contract with the same key is another slot.
    assert_eq!(
        with(0, 2, 40),
        format!("SW-SETTLE-008 the run began with 0x28 in slot 0xa1/0x2, and it has 0xa3 {NEXT}")
    );
}

#[test]
fn a_run_that_began_with_another_nonce_is_named_by_its_account() {
    let mut lie = reads(&[], &[0, 1]);
    lie.nonces.insert(1, Felt::ZERO);
    assert_eq!(
        refused(&lie),
        format!("SW-SETTLE-009 the run began with nonce 0x0 of account 0xa2, and it has 0xa3 {NEXT}")
    );
}

#[test]
fn what_cannot_be_read_is_no_verdict() {
    let error = compare(&reads(&[(0, 1)], &[]), &start(), &values(), &State { broken: true }).unwrap_err();
    let Compared::Origin(error @ OriginError::Unable(_)) = error else { panic!("no trouble: {error:?}") };
    assert_eq!((error.code(), &*error.to_string(), &*error.next_step()), ("SW-X-001", "a bad sector", "Mend it."));
    let error = OriginError::refused(BadSector);
    assert_eq!((error.code(), &*error.to_string(), &*error.next_step()), ("SW-X-001", "a bad sector", "Mend it."));
    // A shard of the fixed rules has no such list.
    let rules = ShardStart { terms: Terms::Rules, ..start() };
    let error = compare(&reads(&[], &[]), &rules, &values(), &State { broken: false }).unwrap_err();
    assert!(matches!(error, Compared::Origin(OriginError::Refused(_))), "{error:?}");
}

proptest! {
    /// Whatever a run touched: with true values it is believed, with one false value that slot is named.
    #[test]
    fn every_false_value_is_found(
        touched in prop::collection::vec((0..4_usize, any::<u64>()), 0..40),
        lie in any::<prop::sample::Index>(),
        by in 1..u64::MAX,
    ) {
        let honest = reads(&touched.iter().map(|(place, key)| (*place, key >> 8)).collect::<Vec<_>>(), &[0, 1]);
        prop_assert!(compared(&honest).is_ok());
        let mut lies = honest.clone();
        let places: Vec<_> = honest.storage.keys().copied().collect();
        let (place, key) = *lie.get(&places);
        *lies.storage.get_mut(&(place, key)).unwrap() += Felt::from(by);
        let contracts = [ACCOUNTS[0], ACCOUNTS[1], GOLD, WORLD];
        let named = Slot::new(contract(contracts[place]), Key(key));
        match compared(&lies) {
            Err(Compared::Mismatch(OriginMismatch::Slot { slot, expected, actual })) => {
                prop_assert_eq!((slot, actual), (named, expected + Felt::from(by)));
                prop_assert_eq!(expected, honest.storage[&(place, key)]);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

#[test]
fn others_are_told_no_more_than_the_error_itself_has_for_them() {
    #[derive(Debug, thiserror::Error)]
    #[error("/home/anna/genesis can't be read")]
    struct Unread;
    impl Coded for Unread {
        fn code(&self) -> &'static str {
            "SW-X-002"
        }
        fn next_step(&self) -> String {
            "Mend it.".into()
        }
        fn told(&self) -> String {
            "a file can't be read".into()
        }
    }
    for error in [OriginError::unable(Unread), OriginError::refused(Unread)] {
        assert_eq!(error.to_string(), "/home/anna/genesis can't be read");
        assert_eq!(Cause::from(error).to_string(), "a file can't be read (SW-X-002)");
    }
}

/// A state that somebody tells wrong the first time.
#[derive(Debug)]
struct Wavering;

impl Origin for Wavering {
    fn storage(&self, contract: ContractId, _: Key) -> Result<Felt, OriginError> {
        Ok(contract.0)
    }
    fn nonce(&self, account: AccountId) -> Result<Felt, OriginError> {
        Ok(account.0)
    }
    fn storage_again(&self, contract: ContractId, key: Key) -> Result<Felt, OriginError> {
        State { broken: false }.storage(contract, key)
    }
    fn nonce_again(&self, account: AccountId) -> Result<Felt, OriginError> {
        State { broken: false }.nonce(account)
    }
}

#[test]
fn no_run_is_said_to_be_false_before_its_state_was_asked_for_anew() {
    let honest = reads(&[(0, 1), (2, 5), (3, 8)], &[0, 1]);
    compare(&honest, &start(), &values(), &Wavering).unwrap();
    let mut lie = honest;
    lie.nonces.insert(0, Felt::from(99));
    let error = compare(&lie, &start(), &values(), &Wavering).unwrap_err();
    assert!(matches!(error, Compared::Mismatch(OriginMismatch::Nonce { .. })), "{error}");
}
