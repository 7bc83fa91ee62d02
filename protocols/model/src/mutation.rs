//! Bugs that are planted on purpose, to see that the simulator finds them.
//!
//! Without the feature `mutations`, which only the simulator's own test builds with, none can be planted: every question is answered with no before
//! the program is compiled.

macro_rules! mutations {
    ($($(#[doc = $doc:literal])+ $mutation:ident = $name:literal,)+) => {
        /// A bug that can be planted, to see that tests find it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutation { $($(#[doc = $doc])+ $mutation,)+ }

        impl Mutation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$mutation,)+];

            /// What it is called on a command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$mutation => $name,)+ }
            }
        }
    };
}

mutations! {
    /// A transaction's receipt leaves before the log is written.
    EffectBeforeRecord = "effect-before-record",
    /// A lease's epoch isn't compared with the valid one.
    EpochUnchecked = "epoch-unchecked",
    /// More is asked for than the protocol lets be under way.
    CreditUnbounded = "credit-unbounded",
    /// A settled shard's updates are applied twice.
    AppliedTwice = "applied-twice",
    /// Locks stay with a shard that was aborted.
    LockKept = "lock-kept",
    /// A fetch that goes on after an interruption counts one too far.
    ResumedOffByOne = "resumed-off-by-one",
    /// What failed is tried again at once.
    NoBackOff = "no-back-off",
    /// A lease that was extended ends when it would have ended before.
    TimerNotCancelled = "timer-not-cancelled",
    /// Whatever ends a worker counts against its job.
    LocalEndCounts = "local-end-counts",
    /// A restarted operator doesn't replay the last transaction of its log.
    LogCutShort = "log-cut-short",
    /// The system's clock decides alone what date it is, and what is late.
    WallClockDecides = "wall-clock-decides",
    /// Who says that it has a proof is believed, whatever a settler says.
    ClaimBelieved = "claim-believed",
    /// A receipt, a dispute or a skip of any peer counts.
    AnybodySettles = "anybody-settles",
    /// A prover works for every peer that says that it is an operator.
    AnybodyOperates = "anybody-operates",
    /// A prover offers what its worker wrote without looking whether it holds.
    OwnProofBelieved = "own-proof-believed",
    /// Signs of life hold a job for ever.
    LeaseUnbounded = "lease-unbounded",
    /// A database whose disk has failed once fails until its node is started again.
    DiskErrorStays = "disk-error-stays",
    /// Of what a transaction of contracts did that failed, the part of one contract stays.
    UndoForgets = "undo-forgets-a-contract",
    /// What a run of contracts read isn't compared with the state that it had to begin from.
    ReadNotCompared = "read-not-compared",
    /// A closed contract's slots aren't looked at.
    ClosedSlotUnchecked = "closed-slot-unchecked",
    /// A transaction's time may be before that of the one before it.
    TimeRunsBack = "time-runs-back",
}

#[cfg(feature = "mutations")]
mod planted {
    use super::Mutation;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Its place in the list, from 1; 0 for none.
    static PLANTED: AtomicUsize = AtomicUsize::new(0);

    impl Mutation {
        /// Plants this bug in the whole program.
        pub fn plant(self) {
            PLANTED.store(self as usize + 1, Ordering::Relaxed);
        }

        /// Whether it is there.
        #[must_use]
        pub fn is_planted(self) -> bool {
            PLANTED.load(Ordering::Relaxed) == self as usize + 1
        }
    }
}

#[cfg(not(feature = "mutations"))]
impl Mutation {
    /// Whether it is there: it isn't.
    #[must_use]
    pub const fn is_planted(self) -> bool {
        false
    }
}
