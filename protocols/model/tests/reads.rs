//! The list of what a run of contracts read: one form for each list, as felts and as bytes, and every other is refused in words.
#![allow(missing_docs)]

use proptest::prelude::*;
use shardwire_model::{
    Coded, EventId, Felt, Key, PeerId, Reads, ReadsError, Selector, ShardId,
    contracts::{ClassPair, Contract, Entry, EntryKind, Rule, Start, StartError},
    reads::{MAGIC, MAX_READS, MAX_READS_BYTES, commitment, join, split},
};

fn felt(number: u64) -> Felt {
    number.into()
}

/// Two accounts of one class, 0xa1 and 0xa3, and a contract 0xa2 of another.
fn start() -> Start {
    let contract = |address, class, account| Contract { address: felt(address), class, rule: Rule::Scratch, account };
    let pair = |class| ClassPair { class_hash: felt(class), compiled_class_hash: felt(class + 1) };
    Start {
        shard: ShardId(felt(7)),
        program: felt(0xfeed),
        operator: PeerId([9; 32]),
        end_event: EventId { from: shardwire_model::ContractId(felt(0xa2)), selector: Selector(felt(5)) },
        begins: 1,
        deadline: 2,
        first_block: 1,
        sequencer: felt(1),
        classes: vec![pair(0x10), pair(0x20)],
        contracts: vec![contract(0xa1, 1, true), contract(0xa2, 0, false), contract(0xa3, 1, true)],
        entries: vec![Entry {
            kind: EntryKind::Counter,
            contract: 1,
            key: Key(felt(3)),
            guard: Felt::ZERO,
            maximum: 9,
        }],
    }
}

fn reads() -> Reads {
    let slots = [((0, 4), 40), ((1, 2), 20), ((1, 3), 30), ((2, 1), 0)];
    Reads {
        storage: slots.map(|((place, key), value)| ((place, felt(key)), felt(value))).into(),
        nonces: [(0, felt(6)), (2, felt(0))].into(),
    }
}

#[test]
fn the_felts_are_contracts_with_their_slots_and_then_accounts() {
    let expected: Vec<Felt> = [
        [0xa1, 0x20, 0x21, 1].as_slice(),
        &[4, 40],
        &[0xa2, 0x10, 0x11, 2],
        &[2, 20, 3, 30],
        &[0xa3, 0x20, 0x21, 1],
        &[1, 0],
        &[0xa1, 6, 0xa3, 0],
    ]
    .concat()
    .into_iter()
    .map(felt)
    .collect();
    let felts = reads().to_felts(&start());
    assert_eq!(felts, expected);
    assert_eq!(Reads::from_felts(&start(), &felts), Ok(reads()));
    assert_eq!(reads().commitment(&start()), commitment(&felts));
    assert_eq!(commitment(&[]), Felt::ZERO, "no list");
}

#[test]
fn what_is_no_list_of_the_shard_is_refused_in_words() {
    let felts = reads().to_felts(&start());
    let refused = |change: &dyn Fn(&mut Vec<Felt>)| {
        let mut felts = felts.clone();
        change(&mut felts);
        let error = Reads::from_felts(&start(), &felts).unwrap_err();
        assert!(error.next_step().contains("ask for the list of this shard's run"));
        (error.code(), error.to_string())
    };
    let length = ("SW-CONTRACTS-031", "the list of what the run read has another length than it says".to_owned());
    assert_eq!(refused(&|it| it.clear()), length);
    assert_eq!(refused(&|it| it.truncate(3)), length);
    assert_eq!(refused(&|it| it.truncate(it.len() - 1)), length);
    assert_eq!(refused(&|it| it.push(felt(0xa3))), length);
    assert_eq!(refused(&|it| it[3] = Felt::MAX), length);
    assert_eq!(refused(&|it| it[3] = felt(u64::MAX)), length);
    assert_eq!(refused(&|it| it[17] = felt(100)), length, "more slots than there are");
    let text = "the list of what the run read has another address or class where contract 0xa1 is due".to_owned();
    for place in 0..3 {
        assert_eq!(refused(&|it| it[place] += Felt::ONE), ("SW-CONTRACTS-032", text.clone()));
    }
    let text = "the list of what the run read has slot 0x2 of contract 0xa2 out of order".to_owned();
    assert_eq!(refused(&|it| it[12] = felt(2)), ("SW-CONTRACTS-033", text));
    let account = |account: &str| {
        let text = format!("the list of what the run read has {account} where an account is due, or out of order");
        ("SW-CONTRACTS-034", text)
    };
    assert_eq!(refused(&|it| it[20] = felt(0xa2)), account("0xa2"), "no account");
    assert_eq!(refused(&|it| it[20] = felt(0xa9)), account("0xa9"), "not listed");
    assert_eq!(refused(&|it| it[22] = felt(0xa1)), account("0xa1"), "twice");
    let text = "the list of what the run read has 34561 felts, at most 34560 are allowed".to_owned();
    assert_eq!(refused(&|it| it.resize(MAX_READS + 1, Felt::ZERO)), ("SW-CONTRACTS-030", text));
    let rules = ReadsError::from(StartError::Rules);
    let text = "there can be no list of what the run read: the start data has no terms of contracts: it is of a shard of rules";
    assert_eq!((rules.code(), rules.to_string().as_str()), ("SW-CONTRACTS-036", text));
}

#[test]
fn bytes_begin_with_the_list_or_are_the_proof_alone() {
    let felts = reads().to_felts(&start());
    let bytes = join(&felts, b"proof");
    assert_eq!(bytes.len(), 8 + 4 + 32 * felts.len() + 5);
    assert_eq!((&bytes[..8], &bytes[8..12]), (&b"SWREADS1"[..], &[24, 0, 0, 0][..]));
    assert_eq!(split(&bytes), Ok((felts.clone(), &b"proof"[..])));
    assert_eq!(join(&[], b"proof"), b"proof");
    assert_eq!(split(b"proof"), Ok((Vec::new(), &b"proof"[..])));
    assert_eq!(split(&MAGIC[..7]), Ok((Vec::new(), &MAGIC[..7])), "no proof either, as is seen elsewhere");
    assert_eq!(join(&vec![Felt::MAX; MAX_READS], &[]).len(), MAX_READS_BYTES);

    let refused = |bytes: &[u8]| {
        let error = split(bytes).unwrap_err();
        (error.code(), error.to_string())
    };
    let no_list = |why: &str| {
        ("SW-CONTRACTS-035", format!("what stands before the proof is no list of what the run read: {why}"))
    };
    for cut in 8..bytes.len() - 5 {
        assert_eq!(refused(&bytes[..cut]), no_list("it is cut short"), "{cut}");
    }
    assert_eq!(refused(&[&MAGIC[..], &[0; 4], b"proof"].concat()), no_list("it is empty"));
    let mut other = bytes.clone();
    other[12..44].fill(255);
    assert_eq!(refused(&other), no_list("it has a felt that isn't canonical"));
    let text = "the list of what the run read has 4294967295 felts, at most 34560 are allowed".to_owned();
    assert_eq!(refused(&[&MAGIC[..], &[255; 4]].concat()), ("SW-CONTRACTS-030", text));
}

fn any_reads() -> impl Strategy<Value = Reads> {
    let felts = prop_oneof![Just(Felt::ZERO), Just(Felt::MAX), any::<u64>().prop_map(felt)];
    let storage = prop::collection::btree_map((0..3usize, felts.clone()), felts.clone(), 0..40);
    let nonces = prop::collection::btree_map(prop_oneof![Just(0usize), Just(2)], felts, 0..3);
    (storage, nonces).prop_map(|(storage, nonces)| Reads { storage, nonces })
}

proptest! {
    #[test]
    fn a_list_has_one_form(reads in any_reads(), proof: Vec<u8>) {
        let felts = reads.to_felts(&start());
        prop_assert_eq!(Reads::from_felts(&start(), &felts), Ok(reads));
        let bytes = join(&felts, &proof);
        prop_assert_eq!(split(&bytes), Ok((felts, &proof[..])));
    }

    #[test]
    fn another_felt_is_refused_or_has_another_commitment(reads in any_reads(), at: prop::sample::Index, to in any::<u64>()) {
        let felts = reads.to_felts(&start());
        let mut changed = felts.clone();
        let at = at.index(felts.len());
        prop_assume!(changed[at] != felt(to));
        changed[at] = felt(to);
        if let Ok(other) = Reads::from_felts(&start(), &changed) {
            prop_assert_eq!(other.to_felts(&start()), changed.clone());
            prop_assert_ne!(other.commitment(&start()), reads.commitment(&start()));
        }
    }
}
