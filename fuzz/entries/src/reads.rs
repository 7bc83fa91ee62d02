//! The list of what a run of contracts read, and the proof behind it: what a prover sends a settler, an operator a prover, and what lies in their files.
//!
//! What must hold: no panic, an end that is either a list or an error with a code, and one form. Bytes that are read are those that would be written of what was read, and so are
//! felts that are the list of a shard. If there were two forms, a run's list wouldn't be the one that its proof commits to.

use shardwire_model::{
    Coded, ContractId, EventId, Felt, PeerId, Reads, ReadsError, Selector, ShardId,
    contracts::{ClassPair, Contract, Rule, Start},
    reads::{commitment, join, split},
};

/// What stands behind the list in the corpus' first file.
const PROOF: &[u8] = b"what a verifier reads";

/// A shard of three contracts, two of them accounts, of two classes.
fn start() -> Start {
    let felt = |number: u64| Felt::from(number);
    let pair = |number| ClassPair { class_hash: felt(number), compiled_class_hash: felt(number + 1) };
    let contract = |address, class, account| Contract { address: felt(address), class, rule: Rule::Scratch, account };
    Start {
        shard: ShardId(felt(1)),
        program: felt(2),
        operator: PeerId([3; 32]),
        end_event: EventId { from: ContractId(felt(12)), selector: Selector(felt(4)) },
        begins: 5,
        deadline: 6,
        first_block: 7,
        sequencer: felt(8),
        classes: vec![pair(20), pair(30)],
        contracts: vec![contract(10, 0, true), contract(11, 0, true), contract(12, 1, false)],
        entries: Vec::new(),
    }
}

/// A list, if the bytes begin with one, and a proof.
pub fn reads(bytes: &[u8]) {
    let (felts, proof) = match split(bytes) {
        Ok(parts) => parts,
        Err(error) => return refused(&error),
    };
    assert!(join(&felts, proof) == bytes, "there is one form of {} felts", felts.len());
    let start = start();
    match Reads::from_felts(&start, &felts) {
        Ok(list) => {
            assert!(list.to_felts(&start) == felts, "there is one list of {} felts", felts.len());
            assert_eq!(list.commitment(&start), commitment(&felts));
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &ReadsError) {
    assert!(error.code().starts_with("SW-CONTRACTS-"), "{error}");
    assert!(!error.to_string().is_empty() && !error.next_step().is_empty());
}

/// A list as honest peers send it, with a proof: what the corpus begins with.
///
/// # Panics
/// If it isn't one of the shard that the entry has.
#[must_use]
pub fn honest_reads() -> Vec<u8> {
    let felt = |number: u64| Felt::from(number);
    let slots = [(0, 100, 1), (0, 101, 0), (2, 7, 1 << 40), (2, 9, 3)];
    let list = Reads {
        storage: slots.map(|(place, key, value)| ((place, felt(key)), felt(value))).into(),
        nonces: [(0, felt(0)), (1, felt(4))].into(),
    };
    let start = start();
    let felts = list.to_felts(&start);
    assert!(Reads::from_felts(&start, &felts).is_ok_and(|read| read == list), "it is a list of the shard");
    join(&felts, PROOF)
}
