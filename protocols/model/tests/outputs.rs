//! The program's output: what is written is read, and what is read is exactly what was written.

use proptest::prelude::*;
use shardwire_model::{
    ABI_VERSION, Coded, ContractId, Felt, HEADER_FELTS, Key, Kind, MAX_ENTRIES, MAX_TRANSACTIONS, Output, ShardId,
    UPDATE_FELTS, Update,
};

fn felt() -> impl Strategy<Value = Felt> {
    prop_oneof![any::<[u8; 32]>().prop_map(|bytes| Felt::from_bytes_be(&bytes)), (0..4u64).prop_map(Felt::from)]
}

fn update() -> impl Strategy<Value = Update> {
    let kind = prop_oneof![Just(Kind::Counter), Just(Kind::Escrow), Just(Kind::Lock)];
    (kind, felt(), felt(), felt()).prop_map(|(kind, contract, key, value)| {
        let (contract, key) = (ContractId(contract), Key(key));
        Update { kind, contract, key, value }
    })
}

fn output() -> impl Strategy<Value = Output> {
    let felts = (felt(), felt(), felt(), felt(), felt(), felt());
    let updates = proptest::collection::vec(update(), 0..8);
    (felts, any::<u32>(), 0..=MAX_TRANSACTIONS, any::<bool>(), updates).prop_map(
        |((program, shard, before, after, reads, transactions), segment, count, ended, updates)| {
            let shard = ShardId(shard);
            Output { program, shard, segment, before, after, reads, transactions, count, ended, updates }
        },
    )
}

proptest! {
    #[test]
    fn an_output_survives_its_felts_json_and_postcard(output in output()) {
        let felts = output.to_felts();
        prop_assert_eq!(felts.len(), HEADER_FELTS + UPDATE_FELTS * output.updates.len());
        prop_assert_eq!(&Output::from_felts(&felts).unwrap(), &output);
        prop_assert_eq!(&serde_json::from_str::<Output>(&serde_json::to_string(&output).unwrap()).unwrap(), &output);
        prop_assert_eq!(&postcard::from_bytes::<Output>(&postcard::to_stdvec(&output).unwrap()).unwrap(), &output);
    }

    /// Whatever the felts: no panic, and an output that is read is the only one with these felts.
    #[test]
    fn arbitrary_felts_are_read_exactly_or_refused(
        output in output(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), felt()), 0..4),
        length in proptest::option::of(0..60usize),
    ) {
        let mut felts = output.to_felts();
        for (at, felt) in changes {
            let at = at.index(felts.len());
            felts[at] = felt;
        }
        if let Some(length) = length {
            felts.resize(length, Felt::ONE);
        }
        match Output::from_felts(&felts) {
            Ok(read) => prop_assert_eq!(read.to_felts(), felts),
            Err(error) => prop_assert_eq!(error.code(), "SW-OUTPUT-001"),
        }
    }

    #[test]
    fn noise_is_no_output(felts in proptest::collection::vec(felt(), 0..30)) {
        if let Ok(read) = Output::from_felts(&felts) {
            prop_assert_eq!(read.to_felts(), felts);
        }
    }
}

#[test]
fn the_layout() {
    let updates = vec![
        Update {
            kind: Kind::Counter,
            contract: ContractId(Felt::from(30)),
            key: Key(Felt::from(20)),
            value: Felt::from(21),
        },
        Update {
            kind: Kind::Lock,
            contract: ContractId(Felt::from(31)),
            key: Key(Felt::from(22)),
            value: Felt::from(23),
        },
    ];
    let output = Output {
        program: Felt::from(10),
        shard: ShardId(Felt::from(11)),
        segment: 12,
        before: Felt::from(13),
        after: Felt::from(14),
        reads: Felt::from(9),
        transactions: Felt::from(15),
        count: 16,
        ended: true,
        updates,
    };
    let felts = [2, 10, 11, 12, 13, 14, 9, 15, 16, 1, 2, 1, 30, 20, 21, 3, 31, 22, 23].map(Felt::from);
    assert_eq!(output.to_felts(), felts);
    assert_eq!(ABI_VERSION, 2);
}

#[test]
fn what_is_no_output() {
    let good = [2, 10, 11, 12, 13, 14, 0, 15, 16, 1, 1, 1, 30, 20, 21].map(Felt::from);
    assert!(Output::from_felts(&good).is_ok());
    let with = |at: usize, felt: Felt| {
        let mut felts = good.to_vec();
        felts[at] = felt;
        felts
    };
    let big = Felt::from(1u64 << 32);
    for (felts, why) in [
        (good[..10].to_vec(), "shorter than its header"),
        (vec![], "shorter than its header"),
        (with(0, Felt::ONE), "another abi version"),
        (with(3, big), "segment out of range"),
        (with(3, -Felt::ONE), "segment out of range"),
        (with(8, Felt::from(MAX_TRANSACTIONS + 1)), "too many transactions"),
        (with(9, Felt::TWO), "ended is neither 0 nor 1"),
        (with(10, Felt::from(MAX_ENTRIES as u64 + 1)), "too many updates"),
        (with(10, Felt::MAX), "too many updates"),
        (with(10, Felt::TWO), "another number of updates than it says"),
        (good[..14].to_vec(), "another number of updates than it says"),
        ([good.to_vec(), vec![Felt::ONE]].concat(), "another number of updates than it says"),
        (with(11, Felt::from(4)), "an unknown kind"),
        (with(11, Felt::ZERO), "an unknown kind"),
    ] {
        let error = Output::from_felts(&felts).unwrap_err();
        assert_eq!(error.to_string(), format!("the program's output is malformed: {why}"));
        assert_eq!(error.code(), "SW-OUTPUT-001");
        assert!(error.next_step().contains("ask its prover for one of this shard"));
    }
    assert!(Output::from_felts(&with(8, Felt::from(MAX_TRANSACTIONS))).is_ok());
}
