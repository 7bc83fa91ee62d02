//! Lies about what a run of contracts read: only the list that the proof commits to goes through, and only with the proof's shard.

use crate::{
    settle::{Believed, Disbelief, Expected, OutputMismatch, believe},
    verify::{Proven, Verify, VerifyError},
};
use shardwire_model::{
    AccountId, Coded as _, ContractId, ContractTerms, Entry, EventId, Felt, Hash, Instance, Key, Kind, Maximum, Output,
    PeerId, Reads, Selector, ShardId, ShardStart, Terms, Timestamp, Update,
    contracts::{ClassPair, Rule},
    reads::join,
    state_commitment,
};

const PROGRAM: Felt = Felt::THREE;

/// Believes bytes that are felts, as the output.
struct Believer;

impl std::fmt::Debug for Believer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Believer")
    }
}

impl Verify for Believer {
    fn verify(&self, bytes: &[u8]) -> Result<Proven, VerifyError> {
        let (felts, rest) = bytes.as_chunks::<32>();
        if felts.is_empty() || !rest.is_empty() {
            return Err(VerifyError::Undecodable("no felts".into()));
        }
        Ok(Proven { program: PROGRAM, output: felts.iter().map(Felt::from_bytes_be).collect() })
    }
}

fn felt(number: u64) -> Felt {
    number.into()
}

/// An account 0xa1 and a contract 0xa2 with a counter.
fn start() -> ShardStart {
    let contracts = [0xa1, 0xa2].map(|address| ContractId(felt(address))).to_vec();
    let terms = ContractTerms {
        origin: Hash::of(b"genesis").into(),
        begins: 1,
        first_block: 1,
        sequencer: contracts[0],
        classes: vec![ClassPair { class_hash: felt(0x10), compiled_class_hash: felt(0x11) }],
        instances: vec![Instance { class: felt(0x10), rule: Rule::Scratch }; 2],
        maxima: vec![Maximum(9)],
        scratch: Vec::new(),
    };
    ShardStart {
        shard: ShardId(felt(7)),
        program: PROGRAM,
        operator: PeerId([9; 32]),
        accounts: vec![AccountId(felt(0xa1))],
        end_event: EventId { from: contracts[1], selector: Selector(felt(5)) },
        deadline: Timestamp(9_000),
        entries: vec![Entry { kind: Kind::Counter, contract: contracts[1], key: Key(felt(3)), guard: Felt::ZERO }],
        terms: Terms::Contracts(Box::new(terms)),
        contracts,
    }
}

fn reads() -> Reads {
    let storage = [((0, felt(8)), felt(80)), ((1, felt(3)), felt(30))].into();
    Reads { storage, nonces: [(0, felt(6))].into() }
}

fn output(start: &ShardStart, reads: Felt) -> Output {
    let update =
        |entry: &Entry| Update { kind: entry.kind, contract: entry.contract, key: entry.key, value: Felt::ONE };
    Output {
        program: PROGRAM,
        shard: start.shard,
        segment: 0,
        before: state_commitment(start.commitment(), &[felt(30)]),
        after: Felt::ONE,
        reads,
        transactions: Felt::ONE,
        count: 1,
        ended: true,
        updates: start.entries.iter().map(update).collect(),
    }
}

/// The proof of a run that read a list with this commitment.
fn proof(start: &ShardStart, reads: Felt) -> Vec<u8> {
    output(start, reads).to_felts().iter().flat_map(Felt::to_bytes_be).collect()
}

fn believed(start: &ShardStart, bytes: &[u8]) -> Result<Believed, Disbelief> {
    let before = state_commitment(start.commitment(), &[felt(30)]);
    believe(&Believer, bytes, &Expected { start, segment: 0, before })
}

#[test]
fn a_list_is_handed_out_if_the_proof_commits_to_it_and_every_lie_about_it_is_refused() {
    let start = start();
    let ordered = start.for_contracts().unwrap();
    let (felts, commitment) = (reads().to_felts(&ordered), reads().commitment(&ordered));
    let proof = proof(&start, commitment);
    let bytes = join(&felts, &proof);
    let all = Believed { output: output(&start, commitment), reads: Some(reads()) };
    assert_eq!(believed(&start, &bytes).unwrap(), all);

    let refused = |bytes: &[u8]| {
        let error = believed(&start, bytes).unwrap_err();
        assert!(!error.next_step().is_empty());
        (error.code(), error.to_string())
    };
    // One value changed, and the list of another run.
    for at in 0..felts.len() {
        let mut lie = felts.clone();
        lie[at] += Felt::ONE;
        let (code, text) = refused(&join(&lie, &proof));
        assert_eq!(code, "SW-SETTLE-007", "{text}");
        assert!(text.ends_with(&format!(", and the proof commits to {commitment:#x}")), "{text}");
    }
    let mut other = reads();
    other.storage.remove(&(0, felt(8)));
    assert_eq!(refused(&join(&other.to_felts(&ordered), &proof)).0, "SW-SETTLE-007");
    // No list, half of one, and one with something behind it.
    let text = format!("the list of what the run read has commitment 0x0, and the proof commits to {commitment:#x}");
    assert_eq!(refused(&proof), ("SW-SETTLE-007", text));
    let text = "what stands before the proof is no list of what the run read: it is cut short";
    assert_eq!(refused(&bytes[..100]), ("SW-CONTRACTS-035", text.to_owned()));
    assert_eq!(refused(&bytes[..bytes.len() - proof.len()]).0, "SW-VERIFY-002", "the list alone");
    for cut in 0..bytes.len() {
        assert!(believed(&start, &bytes[..cut]).is_err(), "cut at {cut}");
    }
    assert_eq!(refused(&[&bytes[..], &[0]].concat()).0, "SW-VERIFY-002");
    assert_eq!(refused(&join(&felts, &bytes)).0, "SW-VERIFY-002", "the list twice");
}

#[test]
fn a_list_that_the_proof_commits_to_and_that_is_not_of_the_shard_is_refused() {
    let start = start();
    let ordered = start.for_contracts().unwrap();
    // As a program might read that isn't the one of contracts.
    let felts = [felt(1), felt(2)];
    let of = |start: &ShardStart, felts: &[Felt]| {
        let bytes = join(felts, &proof(start, shardwire_model::reads::commitment(felts)));
        believed(start, &bytes).unwrap_err()
    };
    let error = of(&start, &felts);
    assert!(matches!(error, Disbelief::Mismatch(OutputMismatch::List(_))), "the program's doing: {error:?}");
    assert_eq!(error.code(), "SW-CONTRACTS-031");
    assert_eq!(of(&start, &[]).code(), "SW-CONTRACTS-031", "a run of contracts that read nothing");
    let rules = ShardStart { terms: Terms::Rules, ..start };
    let error = of(&rules, &reads().to_felts(&ordered));
    assert_eq!(error.code(), "SW-CONTRACTS-036");
    let text = "there can be no list of what the run read: the start data has no terms of contracts: it is of a shard of rules";
    assert_eq!(error.to_string(), text);
    let alone = believed(&rules, &proof(&rules, Felt::ZERO)).unwrap();
    assert_eq!(alone, Believed { output: output(&rules, Felt::ZERO), reads: None });
}
