//! A long run is cut, at the same places each time, and no segment is more than one proof takes.

use crate::{
    Contracts,
    dungeon::{self, ANNA, BEGINS, BERT, GOLD, WORLD},
};
use shardwire_contracts::{
    Spent,
    cost::{Cost, END},
};
use shardwire_model::{AccountKey, Coded as _, Felt, Logged, PeerId, ShardStart, ShardTransaction};
use shardwire_program::{ExecuteError, Execution, Program as _};
use shardwire_proving::{segments::Segments, settle::check_segment};
use std::sync::Arc;

struct Shard {
    program: Contracts,
    start: ShardStart,
    values: Vec<Felt>,
    log: Vec<Logged>,
}

impl Shard {
    /// Anna trains, by INVOKE and by the calls of a key, and pays Bert; then the end.
    fn played() -> Self {
        let program = Contracts::new(Arc::new(dungeon::geneses().into()));
        let (start, values) = dungeon::shard(PeerId([7; 32]));
        let key = AccountKey::from_secret([5; 32]);
        let mut previous = dungeon::first_link(&start, &key);
        let mut log: Vec<ShardTransaction> =
            vec![dungeon::allow(&start, ANNA, 0, &key, BEGINS + 10, &["train"]).into()];
        for round in 0..4 {
            let call = dungeon::session_call(ANNA, &key, previous, "train", &[3]);
            previous = call.link();
            log.push(call.into());
            log.push(dungeon::invoke(&start, ANNA, 2 * round + 1, WORLD, "train", &[5]).into());
            log.push(dungeon::invoke(&start, ANNA, 2 * round + 2, GOLD, "transfer", &[BERT, 1, 0]).into());
            log.push(dungeon::invoke(&start, BERT, round, GOLD, "transfer", &[ANNA, 2, 0]).into());
        }
        log.push(dungeon::invoke(&start, ANNA, 9, WORLD, "finish", &[]).into());
        let times = BEGINS..;
        let logged = |(transaction, time)| Logged { transaction, time, reverted: false };
        let log = log.into_iter().zip(times.map(|time| time.min(BEGINS + 9))).map(logged).collect();
        Self { program, start, values, log }
    }

    fn opening(&self) -> u64 {
        self.program.admission(self.start.clone(), &self.values).unwrap().budget().unwrap().used_bytes
    }

    /// The segments of the first transactions of the log under a budget, and what each costs; why it didn't come to the end, if so.
    fn segments(&self, most: u64, transactions: usize) -> (Vec<(Execution, Cost)>, Option<ExecuteError>) {
        let native = self.program.open(&self.start, &self.values).unwrap();
        let mut log = self.log[..transactions].iter().cloned();
        let mut segments =
            crate::Segments::of(native, crate::Limits { proof_bytes: most, ..crate::Limits::DEFAULT }, &mut log)
                .unwrap();
        let mut all = Vec::new();
        loop {
            let mut cost = Cost::ZERO;
            match segments.next(&mut |spent: Spent| cost = spent.cost, &mut |_| Ok(())) {
                Ok(Some(segment)) => all.push((segment, cost)),
                Ok(None) => return (all, None),
                Err(error) => return (all, Some(error)),
            }
        }
    }
}

#[test]
fn a_log_is_cut_at_the_same_places_and_no_segment_is_over_the_budget() {
    let shard = Shard::played();
    let count = shard.log.len();
    let (whole, _) = shard.segments(u64::MAX, count);
    let [(whole, _)] = whole.as_slice() else { panic!("nothing is cut that fits") };
    let most = shard.opening() + END.bytes() - Cost::ZERO.bytes() + 400_000_000;
    let (all, error) = shard.segments(most, count);
    assert!(error.is_none(), "{error:?}");
    assert!((2..=6).contains(&all.len()), "{} segments", all.len());

    let mut taken = Segments::new(&shard.start, whole.output.before);
    for (segment, cost) in &all {
        let bytes = cost.bytes();
        println!("{} transactions, {} steps, {} MB", segment.output.count, segment.steps, bytes / 1_000_000);
        assert!(bytes <= most, "{bytes} of {most}");
        let expected = taken.next();
        check_segment(shard.start.program, &segment.output, &segment.reads, &expected).unwrap();
        taken.take(segment.output.clone()).unwrap();
    }
    let joined = taken.whole().unwrap();
    assert_eq!((joined.count, joined.after), (whole.output.count, whole.output.after));
    assert_eq!(joined.updates, whole.output.updates);

    // Who executes the log again cuts it there, and the witness is the same; so is what was there before the log was whole.
    let (again, _) = shard.segments(most, count);
    let manifests = |all: &[(Execution, Cost)]| all.iter().map(|(it, _)| it.manifest.clone()).collect::<Vec<_>>();
    assert_eq!(manifests(&again), manifests(&all));
    for kept in [0, 1, count - 1] {
        let (some, error) = shard.segments(most, kept);
        let error = error.expect("the log isn't at its end");
        assert!(matches!(error, ExecuteError::Dry), "{}", error.code());
        assert!(some.len() < all.len());
        assert_eq!(manifests(&some), manifests(&all)[..some.len()]);
    }
}

/// It is in the log: somebody executes it, whatever it takes.
#[test]
fn a_transaction_that_is_over_the_budget_alone_has_a_segment_of_its_own() {
    let shard = Shard::played();
    let (all, error) = shard.segments(1, 3);
    assert!(matches!(error, Some(ExecuteError::Dry)), "{error:?}");
    assert_eq!(all.iter().map(|(it, _)| it.output.count).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_log_that_breaks_a_rule_says_where_whichever_segment_it_is() {
    let mut shard = Shard::played();
    shard.log[3] = shard.log[2].clone();
    let (_, error) = shard.segments(1, 5);
    let Some(ExecuteError::Broken { transaction, reason }) = error else { panic!("{error:?}") };
    assert_eq!((transaction, reason.as_str()), (4, "it is in the log twice"));
}
