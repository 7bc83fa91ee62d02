//! The life of a shard: what may follow what, and which entries are a history.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use shardwire_model::{
    Cause, Coded, Felt, Hash, PeerId, Role, SegmentId, ShardId, Stage, Timestamp,
    life::{AbortCause, EntryForm, History, HistoryEntry, Life, MAX_STEPS, Part, Step},
};

const SEGMENT: SegmentId = SegmentId::first(ShardId(Felt::ONE));
const ROLES: [Role; 3] = [Role::Settler, Role::Operator, Role::Prover];

fn part(role: Role) -> Part {
    if role == Role::Prover { Part::of_job(SEGMENT, Hash([7; 32])) } else { Part::of(SEGMENT, role) }
}

/// Any step, with one of two contents.
fn step() -> impl Strategy<Value = Step> {
    (0..11u8, 1..=2u8).prop_map(|(stage, content)| {
        let (hash, peer, commitment) = (Hash([content; 32]), PeerId([content; 32]), Felt::from(content));
        match stage {
            0 => Step::Started { commitment, by: peer, deadline: Timestamp(5) },
            1 => Step::Assigned { commitment, peer },
            2 => Step::Executing { first: hash },
            3 => Step::Ended { transactions: 3, log: hash },
            4 => Step::Streaming { job: hash },
            5 => Step::Proving { witness: hash },
            6 => Step::Proven { proof: hash },
            7 => Step::Verified { proof: hash, prover: peer },
            8 => Step::Settled { proof: (content == 1).then_some(Hash([1; 32])) },
            9 => Step::Failed { cause: Cause::new("SW-TEST-001", &content.to_string()) },
            _ => Step::Aborted { why: AbortCause::Told { by: peer } },
        }
    })
}

/// How far a stage is, said once more.
fn order(stage: Stage) -> usize {
    let stages = [
        Stage::Started,
        Stage::Assigned,
        Stage::Executing,
        Stage::Ended,
        Stage::Streaming,
        Stage::Proving,
        Stage::Proven,
        Stage::Verified,
    ];
    stages.iter().position(|it| *it == stage).unwrap_or(stages.len())
}

fn lived(role: Role, steps: &[Step]) -> Life {
    steps.iter().fold(Life::new(role), |life, step| life.after(step).unwrap_or(life))
}

proptest! {
    /// Whatever is tried: a life goes forward only, ends once, and what was seen is never seen otherwise.
    #[test]
    fn a_life_only_goes_forward_and_nothing_follows_its_end(
        role in prop::sample::select(&ROLES[..]),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let mut life = Life::new(role);
        for step in &steps {
            let before = life.clone();
            match life.after(step) {
                Ok(after) if after == before => prop_assert!(before.steps().contains(step), "only a repeat changes nothing"),
                Ok(after) => {
                    prop_assert!(!before.is_over(), "{:?} after the end", step);
                    prop_assert!(!before.steps().contains(step));
                    prop_assert_eq!(&after.steps()[..before.steps().len()], before.steps());
                    prop_assert_eq!(after.steps().last(), Some(step));
                    if let (Some(from), Some(to)) = (before.reached(), after.reached()) {
                        let given_up = step.stage() == Stage::Failed;
                        prop_assert!(order(from) < order(to) || (given_up && from == to), "{} to {}", from, to);
                    }
                    life = after;
                }
                Err(_) => prop_assert!(!before.steps().contains(step), "what was seen is repeated without harm"),
            }
        }
        prop_assert!(life.steps().len() <= MAX_STEPS);
        let ends = life.steps().iter().filter(|it| matches!(it.stage(), Stage::Settled | Stage::Aborted)).count();
        prop_assert!(ends <= 1);
    }

    /// Repeating any of it, in any order, changes nothing.
    #[test]
    fn repeats_are_idempotent(
        role in prop::sample::select(&ROLES[..]),
        steps in prop::collection::vec(step(), 0..40),
        again in any::<prop::sample::Index>(),
    ) {
        let life = lived(role, &steps);
        if !life.steps().is_empty() {
            let step = again.get(life.steps());
            prop_assert_eq!(life.after(step), Ok(life.clone()));
        }
    }
}

/// The history of what of these steps can be taken.
fn written(role: Role, steps: &[Step]) -> Vec<HistoryEntry> {
    let mut history = History::new(part(role));
    let mut entries = Vec::new();
    for (step, at) in steps.iter().zip(0..) {
        if let Ok(Some(entry)) = history.next(Timestamp(at), step.clone()) {
            history = history.with(&entry).unwrap();
            entries.push(entry);
        }
    }
    entries
}

fn said(error: impl Coded) -> String {
    format!("{} {error} | {}", error.code(), error.next_step())
}

#[test]
fn a_step_that_cannot_be_taken_says_why() {
    let proof = Hash([1; 32]);
    let other = Hash([2; 32]);
    let started = Step::Started { commitment: Felt::ONE, by: PeerId([1; 32]), deadline: Timestamp(5) };
    let verified = Step::Verified { proof, prover: PeerId([2; 32]) };
    let unchanged = "Nothing has changed; `shardwire shard history` shows how the shard got where it is.";
    let life = lived(Role::Settler, &[started.clone(), verified]);
    let refused = |step: Step| said(life.after(&step).unwrap_err());
    assert_eq!(refused(Step::Proven { proof }), format!("SW-LIFE-001 a shard isn't proven at a settler | {unchanged}"));
    assert_eq!(
        said(Life::new(Role::Prover).after(&Step::Proven { proof }).unwrap_err()),
        format!("SW-LIFE-002 a shard's life at a prover doesn't begin with being proven | {unchanged}")
    );
    let over = life.after(&Step::Settled { proof: Some(proof) }).unwrap();
    assert_eq!(
        said(over.after(&Step::Aborted { why: AbortCause::TimedOut }).unwrap_err()),
        "SW-LIFE-003 the shard is settled, and stays so | Start another shard."
    );
    assert_eq!(
        refused(Step::Assigned { commitment: Felt::ONE, peer: PeerId([3; 32]) }),
        format!("SW-LIFE-004 the shard is verified and can't be assigned any more | {unchanged}")
    );
    let contradiction = format!("SW-LIFE-005 the shard is settled already, in another way | {unchanged}");
    assert_eq!(refused(Step::Settled { proof: Some(other) }), contradiction, "another proof was verified");
    assert_eq!(said(over.after(&Step::Settled { proof: Some(other) }).unwrap_err()), contradiction);
    // Several provers may have a proof, and the operator heard of the first.
    let operator = lived(Role::Operator, &[Step::Assigned { commitment: Felt::ONE, peer: PeerId([3; 32]) }]);
    let proven = operator.after(&Step::Proven { proof }).unwrap();
    assert!(proven.after(&Step::Settled { proof: Some(other) }).is_ok());
    assert!(life.has_reached(Stage::Assigned) && !life.has_reached(Stage::Settled) && !life.is_over());
}

#[test]
fn what_was_given_up_goes_on_where_it_was() {
    let hash = Hash([1; 32]);
    let failed = |words| Step::Failed { cause: Cause::new("SW-TEST-001", words) };
    let life = lived(Role::Prover, &[Step::Streaming { job: hash }, Step::Proving { witness: hash }, failed("first")]);
    assert_eq!((life.stage(), life.reached()), (Some(Stage::Failed), Some(Stage::Proving)));
    assert!(life.has_reached(Stage::Proving) && !life.has_reached(Stage::Proven));
    assert_eq!(life.after(&Step::Proving { witness: hash }), Ok(life.clone()), "the witness is the same");
    assert!(life.after(&failed("second")).is_err(), "it is noted once");
    let proven = life.after(&Step::Proven { proof: hash }).unwrap();
    assert_eq!((proven.stage(), proven.steps().len()), (Some(Stage::Proven), 4));
    assert!(life.after(&Step::Aborted { why: AbortCause::TimedOut }).unwrap().is_over());
}

#[test]
fn a_history_that_is_none_says_where() {
    let steps = [
        Step::Started { commitment: Felt::ONE, by: PeerId([1; 32]), deadline: Timestamp(5) },
        Step::Aborted { why: AbortCause::TimedOut },
    ];
    let entries = written(Role::Settler, &steps);
    let next = "Don't rely on this history: compare it with those of the other nodes, and restore the data folder from a copy.";
    let refused = |entries: &[HistoryEntry]| said(History::read(part(Role::Settler), entries).unwrap_err());
    let missing = "is not the next one of this history: one is missing, moved or of another";
    assert_eq!(refused(&entries[1..]), format!("SW-LIFE-007 entry 0 {missing} | {next}"));
    let mut of_another = entries.clone();
    of_another[1].part.segment += 1;
    assert_eq!(refused(&of_another), format!("SW-LIFE-007 entry 1 {missing} | {next}"));
    let rewritten = HistoryEntry { at: Timestamp(9), ..entries[0].clone() };
    assert_eq!(
        refused(&[rewritten, entries[1].clone()]),
        format!("SW-LIFE-008 entry 1 doesn't follow the one before it, which was changed | {next}")
    );
    let early = HistoryEntry { step: steps[1].clone(), ..entries[0].clone() };
    assert_eq!(
        refused(&[early]),
        format!(
            "SW-LIFE-009 entry 0 can't follow: a shard's life at a settler doesn't begin with being aborted | {next}"
        )
    );
}

#[test]
fn parts_are_in_the_order_of_shard_segment_role_and_job() {
    let first = Part::of(SEGMENT, Role::Settler);
    let parts = [
        first,
        Part::of(SEGMENT, Role::Operator),
        Part::of_job(SEGMENT, Hash([1; 32])),
        Part::of_job(SEGMENT, Hash([2; 32])),
        Part::of(SegmentId { segment: 1, ..SEGMENT }, Role::Settler),
        Part::of(SegmentId::first(ShardId(Felt::TWO)), Role::Settler),
    ];
    assert!(parts.is_sorted());
}

/// An entry that was signed before runs had segments is what it was, and new ones follow it.
#[test]
fn a_history_of_the_first_form_goes_on_in_the_second() {
    let started = Step::Started { commitment: Felt::ONE, by: PeerId([1; 32]), deadline: Timestamp(5) };
    let [second] = written(Role::Settler, &[started]).try_into().unwrap();
    let first = HistoryEntry { form: EntryForm::First, ..second.clone() };
    // The same but for the segment's byte, after the shard.
    let (statement, mut shorter) = (first.statement(), second.statement());
    shorter.remove(32);
    assert_eq!(statement, shorter);
    assert_eq!(HistoryEntry::from_statement(EntryForm::First, &statement).as_ref(), Some(&first));
    assert_eq!(HistoryEntry::from_statement(EntryForm::Second, &second.statement()).as_ref(), Some(&second));
    assert_eq!(HistoryEntry::from_statement(EntryForm::First, &[1]), None);
    assert_eq!(first.hash(), Hash::of_parts("shardwire life entry 1", &[&statement]));

    let history = History::new(part(Role::Settler)).with(&first).unwrap();
    let next = history.next(Timestamp(9), Step::Aborted { why: AbortCause::Outdated }).unwrap().unwrap();
    assert_eq!((next.form, next.before), (EntryForm::Second, first.hash()));
    assert!(history.with(&next).is_ok());
    assert!(History::new(part(Role::Settler)).with(&second).unwrap().with(&next).is_err(), "it follows the other form");

    // What the form can't say isn't signed, and belongs nowhere.
    let elsewhere = Part { segment: 1, ..part(Role::Settler) };
    let forged = HistoryEntry { part: elsewhere, ..first };
    assert_eq!(forged.statement(), [0; 0]);
    assert!(said(History::new(elsewhere).with(&forged).unwrap_err()).starts_with("SW-LIFE-007"));
}
