//! What enters a shard's sequence: checked first, applied when the log has it.
//!
//! Checking changes nothing: it says what a transaction would change at a time, or why it is refused. The caller makes the transaction durable
//! and then calls [`Admission::apply`], which can't fail. So the rules are always where the log is: a log that couldn't be written
//! leaves them as they were, and the next transaction is checked as if nothing had come.
//!
//! A program either looks its rules up, or [executes](Admission::executes) a transaction to check it.
//!
//! *Looked up*, a signature costs more than all other rules. A caller that has many transactions at once asks [`Admission::check_rules`], which
//! looks at everything else, checks the signature on another thread, asks again, and applies the change if its
//! [`message`](Change::message) is still the one that was signed. To check transactions against some that aren't logged yet, it applies those to
//! a [`fork`](Admission::fork), which it gives up if they can't be logged.
//!
//! *Executed*, a check takes milliseconds and has no [`message`](Change::message): it is made beside everything else, one after the other.

use crate::{Budget, Refusal};
use shardwire_model::{Felt, ShardStart, ShardTransaction};
use std::{any::Any, fmt, sync::Arc};

/// The state of a shard after all accepted transactions, and what may happen next in it.
///
/// Accepting is idempotent: the same transaction again is a duplicate and keeps its place, whatever its signature. After a restart a
/// new admission is given the log; the same log gives the same state.
pub trait Admission: Send + Sync + fmt::Debug {
    /// What a transaction would change at a time, in seconds since the Unix epoch, if its signature is good. The caller checks that it is one of the change's
    /// [`message`](Change::message), by the transaction's account, before it applies the change. Times don't run back.
    ///
    /// # Errors
    /// The [`Refusal`] of the first rule that it breaks; [`Refusal::OtherForm`] or [`Refusal::NoInvoke`] if it is no transaction of this program, [`Refusal::Machine`] if this machine
    /// can't check it now, [`Refusal::Absent`] if it has to be read first what the check needs.
    fn check_rules(&self, transaction: &ShardTransaction, time: u64) -> Result<Checked, Refusal>;

    /// Whether one proof can take the run with a change that was checked against this state. What is in the log isn't asked again.
    ///
    /// # Errors
    /// [`Refusal::Other`] if it can't; [`Refusal::Later`] if that isn't known before the execution that runs beside has come further.
    fn affords(&self, change: &Change) -> Result<(), Refusal> {
        let _ = change;
        Ok(())
    }

    /// How much of what one proof can take is used; none if the program doesn't count it.
    fn budget(&self) -> Option<Budget> {
        None
    }

    /// Has what a check of this transaction needs read, where a check says that it is [absent](Refusal::Absent): from then on it is here. Takes as long as a network does, so this is a
    /// [`fork`](Self::fork) of the state, and nothing waits for it.
    ///
    /// # Errors
    /// [`Refusal::Machine`] if it can't be read at the moment.
    fn fetch(self: Box<Self>, transaction: &ShardTransaction, time: u64) -> Result<(), Refusal> {
        let _ = (transaction, time);
        Ok(())
    }

    /// Lets go of what is needed for checks alone: the shard is over, and none comes.
    fn let_go(&mut self) {}

    /// Whether a check executes the transaction, so that it belongs on a thread that may wait.
    fn executes(&self) -> bool;

    /// What a transaction would change. Its signature is checked last, because it costs the most.
    ///
    /// # Errors
    /// As [`check_rules`](Self::check_rules), and [`Refusal::BadSignature`] if the account didn't sign it.
    fn check(&self, transaction: &ShardTransaction, time: u64) -> Result<Checked, Refusal> {
        let checked = self.check_rules(transaction, time)?;
        match (&checked, transaction) {
            (Checked::New(Change { message: Some(message), .. }), ShardTransaction::Rules(signed))
                if !signed.signature.verifies(signed.transaction.account, *message) =>
            {
                Err(Refusal::BadSignature(signed.transaction.account))
            }
            _ => Ok(checked),
        }
    }

    /// Takes in what [`check`](Self::check) found, here or in a [`fork`](Self::fork) that was where this is. Nothing may have been applied
    /// since then.
    fn apply(&mut self, change: Change);

    /// Another one with this state. What is applied to one of them doesn't change the other.
    fn fork(&self) -> Box<dyn Admission>;

    /// Transactions in the sequence.
    fn accepted(&self) -> u32;

    /// Whether the end event is in the sequence.
    fn ended(&self) -> bool;

    /// The nonce that each account's next transaction has, in the whitelist's order.
    fn next_nonces(&self) -> Vec<u64>;

    /// The value of each entry now, in the settlement list's order; zero where the snapshot had none.
    fn values(&self) -> Vec<Felt>;

    /// The start data.
    fn start(&self) -> &ShardStart;

    /// Checks and applies: for a caller without a log, such as one that reads the log itself.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    fn take_in(&mut self, transaction: &ShardTransaction, time: u64) -> Result<Checked, Refusal> {
        let checked = self.check(transaction, time)?;
        if let Checked::New(change) = &checked {
            self.apply(change.clone());
        }
        Ok(checked)
    }

    /// The same, for a caller that wants to know its place alone.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    fn accept(&mut self, transaction: &ShardTransaction, time: u64) -> Result<Acceptance, Refusal> {
        Ok(match self.take_in(transaction, time)? {
            Checked::Duplicate { sequence } => Acceptance::Duplicate { sequence },
            Checked::New(change) => Acceptance::Accepted { sequence: change.sequence },
        })
    }
}

/// A transaction that isn't refused.
#[derive(Debug)]
pub enum Checked {
    /// It would be new in the sequence.
    New(Change),
    /// It is in the sequence already.
    Duplicate {
        /// Its place, from 0.
        sequence: u32,
    },
}

/// What a transaction changes. Good for one [`apply`](Admission::apply) to the state that it was checked against, and one to each fork of it.
#[derive(Clone, Debug)]
pub struct Change {
    sequence: u32,
    ends: bool,
    reverted: bool,
    message: Option<Felt>,
    /// What only its program understands.
    inside: Arc<dyn Inside>,
}

/// What a change is to its program.
trait Inside: Any + fmt::Debug + Send + Sync {}
impl<T: Any + fmt::Debug + Send + Sync> Inside for T {}

impl Change {
    /// A transaction's change, for its place in the sequence: whether it ends the shard, what its signature has to be of if that isn't checked yet, and what
    /// its program [applies](Self::inside).
    pub fn new<T: Any + fmt::Debug + Send + Sync>(
        sequence: u32,
        ends: bool,
        message: Option<Felt>,
        inside: Arc<T>,
    ) -> Self {
        Self { sequence, ends, reverted: false, message, inside }
    }

    /// The same of a transaction that fails when it is executed: what it did is undone, and it has its place all the same.
    #[must_use]
    pub fn with_reverted(mut self, reverted: bool) -> Self {
        self.reverted = reverted;
        self
    }

    /// The transaction's place in the sequence, from 0.
    #[must_use]
    pub const fn sequence(&self) -> u32 {
        self.sequence
    }

    /// What the signature of the transaction has to be of; none if nothing is left to check.
    #[must_use]
    pub const fn message(&self) -> Option<Felt> {
        self.message
    }

    /// Whether the transaction ends the shard.
    #[must_use]
    pub const fn ends(&self) -> bool {
        self.ends
    }

    /// Whether what the transaction did is undone.
    #[must_use]
    pub const fn reverted(&self) -> bool {
        self.reverted
    }

    /// What its program applies; none if that is of another type.
    #[must_use]
    pub fn inside<T: Any>(&self) -> Option<&T> {
        let inside: &dyn Any = &*self.inside;
        inside.downcast_ref()
    }
}

/// What became of a transaction that isn't refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It is now in the sequence.
    Accepted {
        /// Its place, from 0.
        sequence: u32,
    },
    /// It was in the sequence already.
    Duplicate {
        /// Its place, from 0.
        sequence: u32,
    },
}
