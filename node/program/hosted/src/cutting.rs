//! A run in segments: executed and replayed until the next transaction could be more than one proof takes, and from there on again.
//!
//! **Where it is cut follows from the log and the budget alone.** The replay counts exactly what the segment has cost so far, with its closing; the next transaction counts with
//! what it takes at most, and so does the one that ends the shard. If that is over the budget, the segment ends before it. So who executes a log again cuts at the same places, and each
//! segment has the same chunks. A transaction that is over the budget alone has a segment of its own: it is in the log, and not refused here.
//!
//! The first segment begins from the shard's ground and World, each other one from what the one before [handed on](Carried). What each has read is of before the run.
//!
//! The last segment that a run may have isn't cut: what would go over there is refused before it is logged.
//!
//! Bounds: those of a run, and one transaction that waits for the next segment.

use crate::{
    admission::checked,
    budget::{Limits, bytes_with},
    program::{First, cannot, classes, run_error},
};
use shardwire_contracts::{Carried, Class, ReplayError, Segment, Spent, replay_segment};
use shardwire_model::{Logged, MAX_READS};
use shardwire_native::{Change, Checked, Native};
use shardwire_program::{ExecuteError, Execution, Refusal, Sink};
use std::{
    cell::{Cell, RefCell},
    iter, mem,
};

/// Why a log can't be executed on.
enum Stop {
    Refused(Refusal),
    Twice,
}

/// The segments of a run that is executed. [`next`](Self::next) gives one after the other.
pub struct Segments<'a> {
    /// Before the run's first transaction.
    begun: Native,
    /// After the last one that was taken from the log.
    native: Native,
    classes: Vec<Class>,
    transactions: &'a mut dyn Iterator<Item = Logged>,
    limits: Limits,
    /// The number of the next one.
    number: u32,
    /// What was taken and is of the next segment.
    pending: Option<Change>,
    /// What the next segment goes on from; nothing before the first.
    from: Option<Carried>,
    taken: u64,
    is_over: bool,
}

impl std::fmt::Debug for Segments<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segments").field("taken", &self.taken).field("is_over", &self.is_over).finish_non_exhaustive()
    }
}

impl<'a> Segments<'a> {
    /// Those of a shard before its first transaction, for provers that take so much. `transactions` may block.
    ///
    /// # Errors
    /// [`ExecuteError::Unable`] if this machine can't read its classes, [`ExecuteError::Vm`] if they are gone.
    pub fn of(
        native: Native,
        limits: Limits,
        transactions: &'a mut dyn Iterator<Item = Logged>,
    ) -> Result<Self, ExecuteError> {
        let classes = classes(&native)?;
        let (begun, pending, from) = (native.clone(), None, None);
        Ok(Self { begun, native, classes, transactions, limits, number: 0, pending, from, taken: 0, is_over: false })
    }

    /// The number of the next segment, from 0.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The next segment, replayed to where it is cut or to the end event; none after that, nor after an error. `told` is what it has cost before each transaction, `sink` gets the chunks of its witness.
    ///
    /// # Errors
    /// As [`Program::execute`](shardwire_program::Program::execute).
    pub fn next(
        &mut self,
        told: &mut dyn FnMut(Spent),
        sink: &mut Sink<'_>,
    ) -> Result<Option<Execution>, ExecuteError> {
        // What stopped with an error isn't gone on with.
        if mem::replace(&mut self.is_over, true) {
            return Ok(None);
        }
        let Self { begun, native, classes, transactions, pending, from, taken, .. } = self;
        let (most, may_cut) = (self.limits.proof_bytes, self.limits.have_another(self.number));
        let first = First::of(begun);
        let (is_cut, spent, mut stopped) = (Cell::new(false), RefCell::new(None::<Spent>), None);
        let (is_later, mut has_begun) = (from.is_some(), false);
        let mut trees = iter::from_fn(|| {
            let change = match pending.take() {
                Some(change) => change,
                None => {
                    let logged = transactions.next()?;
                    *taken += 1;
                    match checked(native, &logged.transaction, logged.time) {
                        Ok(Checked::New(change)) => {
                            native.apply(&change);
                            change
                        }
                        Ok(Checked::Duplicate { .. }) => {
                            stopped = Some(Stop::Twice);
                            return None;
                        }
                        Err(refusal) => {
                            stopped = Some(Stop::Refused(refusal));
                            return None;
                        }
                    }
                }
            };
            let fits = spent.borrow().as_ref().is_none_or(|spent| bytes_with(spent, &change, is_later) <= most);
            if has_begun && may_cut && !fits {
                *pending = Some(change);
                is_cut.set(true);
                return None;
            }
            has_begun = true;
            Some((**change.tree()).clone())
        });
        let mut count = |now: Spent| {
            spent.replace(Some(now.clone()));
            told(now);
        };
        let segment = Segment { from: from.as_ref(), is_cut: &|| is_cut.get() };
        let replayed = replay_segment(begun.start(), classes, &first, segment, &mut trees, &mut count, sink);
        if let Some(error) = first.failure() {
            return Err(cannot(true, error));
        }
        let run = match (replayed, stopped) {
            (Ok(run), _) => run,
            (Err(ReplayError::Dry), Some(stop)) => return Err(self.stopped(stop)),
            (Err(error), _) => return Err(run_error(error)),
        };
        let reads = run.reads.to_felts(self.begun.start());
        if reads.len() > MAX_READS {
            return Err(ExecuteError::Reads { felts: reads.len() });
        }
        self.is_over = run.output.ended;
        self.from = run.carried;
        self.number += 1;
        Ok(Some(Execution { output: run.output, reads, steps: run.steps, manifest: run.manifest }))
    }

    fn stopped(&self, stop: Stop) -> ExecuteError {
        let transaction = self.taken;
        match stop {
            Stop::Refused(refusal) if refusal.is_of_this_machine() => cannot(true, refusal),
            Stop::Refused(refusal) => ExecuteError::Broken { transaction, reason: refusal.to_string() },
            Stop::Twice => ExecuteError::Broken { transaction, reason: "it is in the log twice".to_owned() },
        }
    }
}
