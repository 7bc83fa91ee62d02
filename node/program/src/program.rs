//! What a program is.

use crate::{Admission, ExecuteError, Execution};
use shardwire_model::{Felt, Logged, ShardStart};
use shardwire_witness::Chunk;
use std::{fmt, io};

/// Takes each chunk of a witness as soon as it is cut. An error stops the run.
pub type Sink<'a> = dyn FnMut(Chunk) -> io::Result<()> + 'a;

/// Takes each segment of a run that isn't its last, when it has ended: the chunks that come then are of the next one. An error stops the run.
pub type Cutter<'a> = dyn FnMut(Execution) -> Result<(), ExecuteError> + 'a;

/// What a shard executes: the rules for what may happen in it, and a run that can be proven. Its hash is in the start data of its
/// shards, and so in all that is bound to those.
pub trait Program: Send + Sync + fmt::Debug {
    /// What people call it.
    fn name(&self) -> &'static str;

    /// The hash that stands for it: of what is proven, as [`shardwire_model::program_hash`] computes it.
    fn hash(&self) -> Felt;

    /// The state of a shard before its first transaction. `start` has been validated; where the snapshot has no usable value for an
    /// entry, transactions that touch it are refused (and execution refuses the snapshot).
    ///
    /// # Errors
    /// [`ExecuteError::Terms`], [`ExecuteError::Other`] or [`ExecuteError::Unable`] if this program, or this machine, can't execute such a shard.
    fn admission(&self, start: ShardStart, values: &[Felt]) -> Result<Box<dyn Admission>, ExecuteError>;

    /// Runs a shard to its end event in one segment, live: `transactions` may block until there is a further one, and ends the run when it ends. What
    /// it yields was accepted by this program's [`admission`](Self::admission), in that order.
    ///
    /// # Errors
    /// [`ExecuteError::Start`], [`ExecuteError::Values`], [`ExecuteError::Value`], [`ExecuteError::Program`], [`ExecuteError::Terms`] or [`ExecuteError::Other`] if the start data or
    /// the snapshot can't be executed, [`ExecuteError::Dry`] if the transactions end before the shard does, [`ExecuteError::Broken`] if one breaks a rule, [`ExecuteError::TooLong`] if the
    /// run exceeds a witness, [`ExecuteError::Vm`], [`ExecuteError::Sink`] or [`ExecuteError::Unable`] if this machine can't go on.
    fn execute(
        &self,
        start: &ShardStart,
        values: &[Felt],
        transactions: &mut dyn Iterator<Item = Logged>,
        sink: &mut Sink<'_>,
    ) -> Result<Execution, ExecuteError>;

    /// The same in as many segments as it takes for each to be proven by itself. Where it is cut follows from the transactions alone. The last segment is the result. A program that doesn't say
    /// otherwise cuts nowhere.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), and what `cut` says.
    fn execute_in_segments(
        &self,
        start: &ShardStart,
        values: &[Felt],
        transactions: &mut dyn Iterator<Item = Logged>,
        cut: &mut Cutter<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Execution, ExecuteError> {
        let _ = cut;
        self.execute(start, values, transactions, sink)
    }
}
