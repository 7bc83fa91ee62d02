use super::*;
use crate::{
    ingress::Outcome,
    proof::{Announced, Ready},
    testing::{identity, largest_cause},
};
use shardwire_model::{AccountId, MAX_PROOF_BYTES, ShardId, Timestamp};

const PROGRAM: Felt = Felt::THREE;
const START: Felt = Felt::ONE;
const BEFORE: Felt = Felt::TWO;

/// Believes what is the encoding of an output.
struct Reader;

impl Verifier for Reader {
    fn program(&self) -> Felt {
        PROGRAM
    }

    fn output(&self, proof: &[u8]) -> Result<Output, Cause> {
        postcard::from_bytes(proof).map_err(|_| Cause::new("SW-TEST-002", "it proves nothing"))
    }
}

fn output() -> Output {
    Output {
        program: PROGRAM,
        shard: ShardId(Felt::from(7)),
        segment: 0,
        before: BEFORE,
        after: START,
        reads: Felt::ZERO,
        transactions: START,
        count: 1,
        ended: true,
        updates: vec![],
    }
}

/// What prover 1 announced with these bytes.
fn announced(bytes: Vec<u8>) -> BadProof {
    let ready = Ready {
        shard: output().shard,
        segment: 0,
        job: trace::job_id(PROGRAM, START, BEFORE, 0),
        proof: Hash::of(&bytes),
        bytes: u32::try_from(bytes.len()).unwrap(),
    };
    let announcement = Signed::by(&identity(1), Announced { ready, leased: None });
    BadProof { announcement, start: START, before: BEFORE, bytes }
}

fn proves(output: &Output) -> BadProof {
    announced(postcard::to_allocvec(output).unwrap())
}

fn check(evidence: &Evidence) -> Result<Shown, NoEvidence> {
    evidence.check(&identity(1).peer(), &Reader)
}

fn lease(signer: u8, epoch: u64, prover: u8) -> Signed<trace::LeaseTerms> {
    let terms =
        trace::LeaseTerms { job: Hash([7; 32]), epoch, expires: Timestamp(epoch), prover: PeerId([prover; 32]) };
    Signed::by(&identity(signer), terms)
}

fn receipt(shard: u64, transaction: u8, outcome: Outcome) -> Signed<ingress::ReceiptContent> {
    let content = ingress::ReceiptContent {
        shard: ShardId(Felt::from(shard)),
        transaction: Hash([transaction; 32]),
        account: AccountId(Felt::ONE),
        nonce: Some(3),
        outcome,
    };
    Signed::by(&identity(1), content)
}

fn at(sequence: u32) -> Outcome {
    Outcome::Accepted { sequence, duplicate: false, reverted: false }
}

#[test]
fn a_job_leased_twice_under_one_epoch_shows_who_did_it() {
    let check = |first, second| check(&Evidence::Leases(Box::new([first, second])));
    let contradiction = check(lease(1, 5, 8), lease(1, 5, 9)).unwrap();
    assert_eq!(contradiction.to_string(), "one job was leased to two provers under one epoch");
    let consistent = check(lease(1, 5, 8), lease(1, 6, 9)).unwrap_err();
    assert_eq!(
        (consistent.code(), consistent.to_string().as_str()),
        ("SW-EVIDENCE-001", "the two statements don't contradict each other")
    );
    assert_eq!(consistent.next_step(), "Nothing is shown against the peer: don't act on it.");
    assert_eq!(check(lease(1, 5, 8), lease(1, 5, 8)), Err(NoEvidence::Consistent));
}

#[test]
fn nobody_is_shown_anything_against_by_what_another_signed() {
    let framed = Evidence::Leases(Box::new([lease(1, 5, 8), lease(2, 5, 9)]));
    let forged = check(&framed).unwrap_err();
    assert_eq!(forged.code(), "SW-SIGNED-001");
    assert!(forged.to_string().contains("is not by peer"), "{forged}");
    assert!(forged.next_step().starts_with("Nothing is shown against that peer"));
    let mut changed = lease(1, 6, 9);
    changed.statement.epoch = 5;
    let altered = Evidence::Leases(Box::new([lease(1, 5, 8), changed]));
    assert!(matches!(check(&altered), Err(NoEvidence::Forged(_))));
}

#[test]
fn a_sequence_that_forks_is_shown_by_two_receipts() {
    let check = |first, second| check(&Evidence::Receipts(Box::new([first, second])));
    assert_eq!(check(receipt(1, 8, at(4)), receipt(1, 9, at(4))), Ok(Shown::TwoTransactions));
    assert_eq!(check(receipt(1, 8, at(4)), receipt(1, 8, at(5))), Ok(Shown::TwoPlaces));
    let duplicate = Outcome::Accepted { sequence: 4, duplicate: true, reverted: false };
    let refused = Outcome::Refused { cause: Cause::new("SW-TX-002", "the nonce is 4, not 3"), due: Some(3) };
    for (second, why) in [
        (receipt(1, 8, duplicate), "asked again"),
        (receipt(1, 8, refused), "refused at another time"),
        (receipt(1, 9, at(5)), "the next"),
        (receipt(2, 9, at(4)), "another shard"),
    ] {
        assert_eq!(check(receipt(1, 8, at(4)), second), Err(NoEvidence::Consistent), "{why}");
    }
}

#[test]
fn evidence_is_exported_and_read_by_others() {
    let evidence = Evidence::Leases(Box::new([lease(1, 5, 8), lease(1, 5, 9)]));
    let json = serde_json::to_string(&evidence).unwrap();
    assert_eq!(serde_json::from_str::<Evidence>(&json).unwrap(), evidence);
    let piece = Accusation { accused: identity(1).peer(), evidence };
    assert_eq!(Accusation::from_bytes(&piece.to_bytes()).unwrap(), piece);
    assert_eq!(piece.check(&Reader), Ok(Shown::TwoLeases));
}

#[test]
fn a_proof_of_nothing_or_of_something_else_shows_its_prover() {
    let nothing = check(&Evidence::Proof(Box::new(announced(vec![9; 40])))).unwrap();
    assert_eq!(nothing.to_string(), "what was announced as a proof is none: it proves nothing (SW-TEST-002)");
    for other in [
        Output { shard: ShardId(Felt::ONE), ..output() },
        Output { segment: 1, ..output() },
        Output { before: START, ..output() },
    ] {
        let shown = check(&Evidence::Proof(Box::new(proves(&other)))).unwrap();
        assert_eq!(shown.to_string(), "the proof is of another shard, segment or state than was announced");
    }
}

#[test]
fn no_honest_prover_can_be_shown_to_have_lied() {
    let refused = |proof: BadProof| {
        let error = check(&Evidence::Proof(Box::new(proof))).unwrap_err();
        format!("{} {error} | {}", error.code(), error.next_step())
    };
    let dont = "Nothing is shown against the peer: don't act on it.";
    let honest = || proves(&output());
    assert_eq!(refused(honest()), format!("SW-EVIDENCE-005 the proof proves what was announced | {dont}"));
    // Other bytes, said to be what it announced.
    assert_eq!(
        refused(BadProof { bytes: vec![9; 40], ..honest() }),
        format!("SW-EVIDENCE-004 the bytes don't have the hash that was announced | {dont}")
    );
    // Another state or start, said to be that of its job; a job of another program is refused in the same way.
    for proof in [BadProof { before: START, ..honest() }, BadProof { start: BEFORE, ..honest() }] {
        assert_eq!(
            refused(proof),
            "SW-EVIDENCE-003 the job that was announced isn't that of program 0x3 and the state given | Check it with the release of \
             shardwire that proves that program; until then nothing is shown against the peer."
        );
    }
    // Words that it didn't sign.
    let mut forged = announced(vec![9; 40]);
    forged.announcement.statement.ready.bytes += 1;
    assert!(refused(forged).starts_with("SW-SIGNED-001"));
}

#[test]
fn what_is_no_piece_of_evidence_is_refused_and_the_longest_fits() {
    let longest = Accusation {
        accused: identity(1).peer(),
        evidence: Evidence::Proof(Box::new(announced(vec![255; MAX_PROOF_BYTES as usize]))),
    };
    let bytes = longest.to_bytes();
    assert_eq!(Accusation::from_bytes(&bytes).unwrap().check(&Reader).unwrap(), longest.check(&Reader).unwrap());
    let cause = Outcome::Refused { cause: largest_cause(), due: Some(u64::MAX) };
    let refusals = Evidence::Receipts(Box::new([receipt(1, 8, cause.clone()), receipt(1, 9, cause)]));
    assert!(Accusation { accused: identity(1).peer(), evidence: refusals }.to_bytes().len() < 4096);

    let said = |bytes: &[u8]| {
        let error = Accusation::from_bytes(bytes).unwrap_err();
        format!("{} {error} | {}", error.code(), error.next_step())
    };
    let next = "Check that it is the right file, and that it is whole.";
    let unreadable = |why| format!("SW-EVIDENCE-002 this is no piece of evidence: {why} | {next}");
    assert_eq!(said(b"{}"), unreadable("it doesn't begin as one"));
    assert_eq!(said(&bytes[..1000]), unreadable("it is damaged or cut short"));
    assert_eq!(said(&[&bytes[..], &[0]].concat()), unreadable("bytes follow its end"));
    let too_long = vec![0; MAX_EVIDENCE_BYTES as usize + 1];
    assert_eq!(said(&too_long), unreadable("it is longer than evidence may be"));
}
