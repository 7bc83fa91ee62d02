//! What one proof can take: counted by the replay, held against what enters.

use crate::{
    Contracts, Limits,
    dungeon::{self, ANNA, BEGINS, BERT, GOLD, WORLD},
};
use shardwire_contracts::cost::{Cost, END};
use shardwire_model::{AccountKey, Coded as _, Felt, Logged, PeerId, ShardStart, ShardTransaction};
use shardwire_native::Refusal as Native;
use shardwire_program::{Admission, Budget, Change, Checked, ExecuteError, Execution, Program as _, Refusal};
use std::{
    iter,
    sync::{Arc, LazyLock, mpsc},
    thread,
};

/// One whose runs have one segment, of which a proof may take so many bytes.
fn program(proof_bytes: u64) -> Contracts {
    program_of(proof_bytes, 1)
}

fn program_of(proof_bytes: u64, segments: u32) -> Contracts {
    static GROUNDS: LazyLock<Arc<crate::Grounds>> = LazyLock::new(|| Arc::new(dungeon::geneses().into()));
    Contracts::with_limits(GROUNDS.clone(), Limits { proof_bytes, segments })
}

/// An operator's two halves: what enters, and the replay behind it.
struct Operator {
    start: ShardStart,
    admission: Box<dyn Admission>,
    log: Vec<Logged>,
    feed: mpsc::Sender<Logged>,
    asked: mpsc::Receiver<()>,
    /// The segments.
    replay: thread::JoinHandle<Result<Vec<Execution>, ExecuteError>>,
}

impl Operator {
    /// One that begins, or begins again with a log.
    fn with(program: &Contracts, log: Vec<Logged>) -> Self {
        let (start, values) = dungeon::shard(PeerId([7; 32]));
        let mut admission = program.admission(start.clone(), &values).unwrap();
        let (feed, fed) = mpsc::channel();
        let (asks, asked) = mpsc::channel();
        let replay = {
            let (program, start) = (program.clone(), start.clone());
            thread::spawn(move || {
                let mut next = iter::from_fn(|| {
                    asks.send(()).ok()?;
                    fed.recv().ok()
                });
                let mut segments = Vec::new();
                let mut cut = |segment| {
                    segments.push(segment);
                    Ok(())
                };
                let last = program.execute_in_segments(&start, &values, &mut next, &mut cut, &mut |_| Ok(()))?;
                segments.push(last);
                Ok(segments)
            })
        };
        asked.recv().unwrap();
        for logged in &log {
            // What is in the log isn't asked again.
            admission.take_in(&logged.transaction, logged.time).unwrap();
        }
        let operator = Self { start, admission, log, feed, asked, replay };
        for logged in &operator.log {
            operator.feed.send(logged.clone()).unwrap();
            operator.asked.recv().unwrap();
        }
        operator
    }

    fn check(&self, transaction: &ShardTransaction) -> Change {
        match self.admission.check(transaction, BEGINS).unwrap() {
            Checked::New(change) => change,
            Checked::Duplicate { .. } => panic!("it is new"),
        }
    }

    /// Has a transaction enter, and replayed.
    fn submit(&mut self, transaction: ShardTransaction) -> Result<(), Refusal> {
        let change = self.check(&transaction);
        self.admission.affords(&change)?;
        self.admission.apply(change);
        let logged = Logged { transaction, time: BEGINS, reverted: false };
        self.log.push(logged.clone());
        self.feed.send(logged).unwrap();
        // After the last one it asks for no further.
        if !self.admission.ended() {
            self.asked.recv().unwrap();
        }
        Ok(())
    }

    /// How much is used; once it has ended that is known with its replay alone.
    fn used(&self) -> u64 {
        self.admission.budget().map_or(0, |budget| budget.used_bytes)
    }

    fn train(&self, nonce: u64) -> ShardTransaction {
        dungeon::invoke(&self.start, ANNA, nonce, WORLD, "train", &[5]).into()
    }
}

fn native(refusal: &Refusal) -> Native {
    refusal.inside::<Native>().unwrap().clone()
}

#[test]
fn a_shard_takes_what_one_proof_can_and_can_be_ended_then() {
    let begun = Operator::with(&program(u64::MAX), Vec::new()).used();
    let most = begun + END.bytes() - Cost::ZERO.bytes() + 700_000_000;
    let mut operator = Operator::with(&program(most), Vec::new());
    assert_eq!(operator.admission.budget(), Some(Budget { used_bytes: begun, most_bytes: most }));
    let mut last = begun;
    let refusal = loop {
        let next = operator.train(operator.log.len() as u64);
        match operator.submit(next) {
            Ok(()) => assert!(operator.used() > last, "each takes something"),
            Err(refusal) => break refusal,
        }
        last = operator.used();
    };
    let Native::OverBudget { bytes, .. } = native(&refusal) else { panic!("{refusal}") };
    assert!(bytes > most && operator.log.len() > 5, "{bytes} after {}", operator.log.len());
    assert_eq!(
        (refusal.code(), refusal.to_string(), refusal.next_step()),
        (
            "SW-NATIVE-130",
            format!(
                "with this transaction the proof of the shard's last segment would take {} MB of its prover's memory, and {} MB are allowed",
                bytes / 1_000_000,
                most / 1_000_000
            ),
            "End the shard and start another one; `shardwire shard status` shows how much of the budget of its segment is used."
                .into()
        )
    );
    assert!(!refusal.is_of_this_machine());

    // One that begins again with the log has used as much, and says the same.
    let mut again = Operator::with(&program(most), operator.log.clone());
    assert_eq!((again.used(), again.admission.accepted()), (last, operator.admission.accepted()));
    let next = again.train(again.log.len() as u64);
    assert_eq!(native(&again.submit(next).unwrap_err()), native(&refusal));

    // The end has room of its own, and what is proven is within the budget.
    let finish = dungeon::invoke(&again.start, ANNA, again.log.len() as u64, WORLD, "finish", &[]);
    again.submit(finish.into()).unwrap();
    let [run] = &again.replay.join().unwrap().unwrap()[..] else { panic!("it is one segment") };
    assert_eq!(run.output.count as usize, again.log.len());
    let used = again.admission.budget().unwrap().used_bytes;
    assert!((begun..=most).contains(&used), "{used}");
}

/// Where there is another segment, what doesn't fit one is the first of the next, and nobody waits for the replay to know that.
#[test]
fn what_does_not_fit_a_segment_begins_the_next_one_and_the_last_one_takes_what_it_can() {
    let begun = Operator::with(&program(u64::MAX), Vec::new()).used();
    let most = begun + END.bytes() - Cost::ZERO.bytes() + 700_000_000;
    let in_one = {
        let mut operator = Operator::with(&program(most), Vec::new());
        while operator.submit(operator.train(operator.log.len() as u64)).is_ok() {}
        operator.log.len()
    };
    let mut operator = Operator::with(&program_of(most, 3), Vec::new());
    let mut ahead = operator.admission.fork();
    for nonce in 0..=in_one as u64 {
        let Checked::New(change) = ahead.check(&operator.train(nonce), BEGINS).unwrap() else { panic!("it is new") };
        match ahead.affords(&change) {
            Ok(()) => ahead.apply(change),
            // Each that waits may begin a segment, so with more than there are segments that has to be known.
            Err(refusal) => {
                assert!(matches!(refusal, Refusal::Later(_)) && nonce > 1, "{refusal:?} at {nonce}");
                break;
            }
        }
    }
    let refusal = loop {
        match operator.submit(operator.train(operator.log.len() as u64)) {
            Ok(()) => assert!(operator.used() <= most),
            Err(refusal) => break refusal,
        }
    };
    assert!(matches!(native(&refusal), Native::OverBudget { .. }), "{refusal}");
    let taken = operator.log.len();
    assert!((2 * in_one..=3 * in_one).contains(&taken), "{taken} in three, {in_one} in one");

    let mut again = Operator::with(&program_of(most, 3), operator.log.clone());
    let next = again.train(again.log.len() as u64);
    assert_eq!(native(&again.submit(next).unwrap_err()), native(&refusal), "it says the same");
    let finish = dungeon::invoke(&again.start, ANNA, again.log.len() as u64, WORLD, "finish", &[]);
    again.submit(finish.into()).unwrap();
    let segments = again.replay.join().unwrap().unwrap();
    let ends: Vec<_> = segments.iter().map(|it| (it.output.segment, it.output.ended)).collect();
    assert_eq!(ends, [(0, false), (1, false), (2, true)]);
    assert_eq!(segments.iter().map(|it| it.output.count).sum::<u32>() as usize, taken + 1);
}

#[test]
fn what_is_not_replayed_yet_counts_with_its_bound_and_nothing_is_said_where_that_decides() {
    let begun = Operator::with(&program(u64::MAX), Vec::new()).used();
    let most = begun + END.bytes() - Cost::ZERO.bytes() + 900_000_000;
    let program = program(most);
    let mut operator = Operator::with(&program, Vec::new());
    let mut ahead = operator.admission.fork();
    let mut accepted = 0;
    let refusal = loop {
        let Checked::New(change) = ahead.check(&operator.train(accepted), BEGINS).unwrap() else { panic!("it is new") };
        match ahead.affords(&change) {
            Ok(()) => ahead.apply(change),
            Err(refusal) => break refusal,
        }
        accepted += 1;
    };
    assert!(matches!(refusal, Refusal::Later(_)) && refusal.is_of_this_machine(), "{refusal:?}");
    assert_eq!(
        (refusal.code(), refusal.to_string(), refusal.next_step()),
        (
            "SW-NATIVE-132",
            format!(
                "the replay is behind: 0 of {accepted} transactions are replayed, and whether a proof can take one more isn't known"
            ),
            "Submit the transaction again in a moment.".into()
        )
    );
    // Replayed, they take less than their bounds.
    for nonce in 0..accepted {
        operator.submit(operator.train(nonce)).unwrap();
    }
    let Checked::New(change) = ahead.check(&operator.train(accepted), BEGINS).unwrap() else { panic!("it is new") };
    assert_eq!(ahead.affords(&change), Ok(()));
    assert!(ahead.budget().unwrap().used_bytes == operator.used());
}

#[test]
fn a_transaction_that_no_proof_could_take_is_refused_alone() {
    let begun = Operator::with(&program(u64::MAX), Vec::new()).used();
    let most = begun + 1_000_000;
    let operator = Operator::with(&program(most), Vec::new());
    let key = AccountKey::from_secret([5; 32]);
    let transactions: [ShardTransaction; 2] =
        [operator.train(0), dungeon::allow(&operator.start, ANNA, 0, &key, BEGINS + 10, &["train"]).into()];
    for transaction in transactions {
        let refusal = operator.admission.affords(&operator.check(&transaction)).unwrap_err();
        let Native::TooCostly { bytes, .. } = native(&refusal) else { panic!("{refusal}") };
        assert_eq!(
            (refusal.code(), refusal.to_string(), refusal.next_step()),
            (
                "SW-NATIVE-131",
                format!(
                    "this transaction alone would take {} MB of its prover's memory, and {} MB are allowed a proof",
                    bytes / 1_000_000,
                    most / 1_000_000
                ),
                "Make several transactions of it, with fewer calls or shorter loops.".into()
            )
        );
    }
}

#[test]
fn session_calls_and_failures_are_counted_as_they_are_replayed() {
    let mut operator = Operator::with(&program(u64::MAX), Vec::new());
    let key = AccountKey::from_secret([5; 32]);
    let allow = dungeon::allow(&operator.start, ANNA, 0, &key, BEGINS + 10, &["train", "doom", "finish"]);
    operator.submit(allow.into()).unwrap();
    let bert = dungeon::invoke(&operator.start, BERT, 0, GOLD, "transfer", &[ANNA, 30, 0]);
    operator.submit(bert.into()).unwrap();
    let mut previous = dungeon::first_link(&operator.start, &key);
    let mut grown: Vec<u64> = Vec::new();
    for (name, arguments) in [("train", &[5][..]), ("train", &[6]), ("train", &[7]), ("doom", &[]), ("finish", &[])] {
        let call = dungeon::session_call(ANNA, &key, previous, name, arguments);
        previous = call.link();
        let before = operator.used();
        operator.submit(call.into()).unwrap();
        grown.push(operator.used().saturating_sub(before));
    }
    // The first of a key pays for its signature, which is the only one; equal hashes are made once.
    assert!(grown[0] > grown[1] && grown[1].abs_diff(grown[2]) < 1_000_000, "{grown:?}");
    let [run] = &operator.replay.join().unwrap().unwrap()[..] else { panic!("it is one segment") };
    assert_eq!((run.output.count, run.output.ended), (7, true));
    assert_ne!(previous, Felt::ZERO);
}
