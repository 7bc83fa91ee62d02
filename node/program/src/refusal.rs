//! Why a transaction is refused.

use shardwire_model::{AccountId, Coded, ContractId, Key, Kind, MAX_INCREMENT, MAX_TRANSACTIONS, Selector, Slot};
use std::{any::Any, fmt, sync::Arc};

/// Why a transaction doesn't enter the shard's sequence. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its account is not in the whitelist.
    #[error("account {0} is not whitelisted in this shard")]
    UnknownAccount(AccountId),
    /// The end event was emitted.
    #[error("the shard has ended: nothing happens after its end event")]
    Ended,
    /// Another transaction of the account has this nonce.
    #[error("nonce {got} of account {account} is used by another transaction; its next is {expected}")]
    UsedNonce {
        /// The account.
        account: AccountId,
        /// The next nonce.
        expected: u32,
        /// The nonce given.
        got: u32,
    },
    /// Not the account's next nonce.
    #[error("account {account} must use nonce {expected}, not {got}")]
    BadNonce {
        /// The account.
        account: AccountId,
        /// The next nonce.
        expected: u32,
        /// The nonce given.
        got: u32,
    },
    /// The contract is not in the whitelist.
    #[error("contract {0} is not whitelisted in this shard")]
    UnknownContract(ContractId),
    /// The storage slot is not in the settlement list.
    #[error("storage slot {0} is not in the shard's settlement list")]
    UnknownEntry(Slot),
    /// The entry is of another contract than the transaction.
    #[error("storage address {key} belongs to contract {owner}, not to {called}")]
    OtherContract {
        /// The entry.
        key: Key,
        /// Its contract.
        owner: ContractId,
        /// The contract that the transaction calls.
        called: ContractId,
    },
    /// The entry merges in another way than the transaction needs.
    #[error("storage slot {slot} is a {got}, and this needs a {needed}")]
    WrongKind {
        /// The entry.
        slot: Slot,
        /// Its kind.
        got: Kind,
        /// The kind needed.
        needed: Kind,
    },
    /// The escrow belongs to another account.
    #[error("escrow {slot} is not account {account}'s to spend")]
    NotOwner {
        /// The escrow.
        slot: Slot,
        /// The account whose transaction it is.
        account: AccountId,
    },
    /// The lock's value is another account.
    #[error("account {account} doesn't hold what lock {slot} guards")]
    NotHolder {
        /// The lock.
        slot: Slot,
        /// The account whose transaction it is.
        account: AccountId,
    },
    /// The receiver is not in the whitelist.
    #[error("account {0} can't receive: it is not whitelisted in this shard")]
    UnknownReceiver(AccountId),
    /// Nothing would move.
    #[error("the amount is zero")]
    ZeroAmount,
    /// From an escrow to itself.
    #[error("escrow {0} can't pass to itself")]
    SameEscrow(Slot),
    /// The value would exceed what the World can keep.
    #[error("{amount} more would take {slot} above 2^128 - 1: it is {value}")]
    Overflow {
        /// The counter or escrow.
        slot: Slot,
        /// Its value.
        value: u128,
        /// What was to be added.
        amount: u128,
    },
    /// The shard would add more to a counter than the World keeps room for.
    #[error("{amount} more would make the shard add more than {MAX_INCREMENT} to counter {slot}: it has added {added}")]
    Increment {
        /// The counter.
        slot: Slot,
        /// What the shard has added.
        added: u128,
        /// What was to be added.
        amount: u128,
    },
    /// The escrow holds less.
    #[error("escrow {slot} holds {value}, which is less than {amount}")]
    Insufficient {
        /// The escrow.
        slot: Slot,
        /// What it holds.
        value: u128,
        /// What was to be taken.
        amount: u128,
    },
    /// The transaction's event is not the one that ends the shard.
    #[error("event {selector} of contract {contract} is not this shard's end event")]
    WrongEvent {
        /// The contract.
        contract: ContractId,
        /// The event.
        selector: Selector,
    },
    /// The signature isn't the account's over its chain of transactions.
    #[error("the signature is not account {0}'s over its transactions up to this one")]
    BadSignature(AccountId),
    /// Only the end event still fits.
    #[error("the shard is full: of its {MAX_TRANSACTIONS} transactions only the one that ends it is left")]
    Full,
    /// A transaction in the form of another program.
    #[error("the shard is one of the fixed rules, and takes neither INVOKEs nor session calls")]
    OtherForm,
    /// A transaction of the fixed rules.
    #[error("the shard is one of contracts, and takes INVOKEs and session calls alone")]
    NoInvoke,
    /// A rule of a program with rules of its own.
    #[error("{0}")]
    Other(Foreign),
    /// This machine can't check it at the moment, which says nothing about the transaction.
    #[error("{0}")]
    Machine(Foreign),
    /// Whether it may enter isn't known before the execution that runs beside has come further.
    #[error("{0}")]
    Later(Foreign),
    /// What it needs of the state that the shard began from isn't here yet: [`Admission::fetch`](crate::Admission::fetch) has it read.
    #[error("{0}")]
    Absent(Foreign),
    /// The snapshot has no usable value for the entry.
    #[error("the snapshot has no usable value for storage slot {0}")]
    NoValue(Slot),
}

impl Refusal {
    /// Whether this machine couldn't check the transaction: no verdict, and no refusal of it.
    #[must_use]
    pub const fn is_of_this_machine(&self) -> bool {
        matches!(self, Self::Machine(_) | Self::Later(_) | Self::Absent(_))
    }

    /// What a program with rules of its own says; none if that is of another type, or a rule of every program.
    #[must_use]
    pub fn inside<T: Any>(&self) -> Option<&T> {
        let (Self::Other(foreign) | Self::Machine(foreign) | Self::Later(foreign) | Self::Absent(foreign)) = self
        else {
            return None;
        };
        let inside: &dyn Any = &*foreign.0;
        inside.downcast_ref()
    }
}

/// Why a program with rules of its own refuses a transaction: its own error, by its type. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Foreign(Arc<dyn Inside>);

/// What a refusal is to its program.
trait Inside: Any + Coded + Send + Sync {}
impl<T: Any + Coded + Send + Sync> Inside for T {}

impl Foreign {
    /// This error.
    pub fn new(error: impl Coded + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Foreign {
    fn eq(&self, other: &Self) -> bool {
        (self.0.code(), self.to_string()) == (other.0.code(), other.to_string())
    }
}

impl Eq for Foreign {}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownAccount(_) => "SW-REFUSED-001",
            Self::Ended => "SW-REFUSED-002",
            Self::UsedNonce { .. } => "SW-REFUSED-003",
            Self::BadNonce { .. } => "SW-REFUSED-004",
            Self::UnknownContract(_) => "SW-REFUSED-005",
            Self::UnknownEntry(_) => "SW-REFUSED-006",
            Self::OtherContract { .. } => "SW-REFUSED-007",
            Self::WrongKind { .. } => "SW-REFUSED-008",
            Self::NotOwner { .. } => "SW-REFUSED-009",
            Self::NotHolder { .. } => "SW-REFUSED-010",
            Self::UnknownReceiver(_) => "SW-REFUSED-011",
            Self::ZeroAmount => "SW-REFUSED-012",
            Self::SameEscrow(_) => "SW-REFUSED-013",
            Self::Overflow { .. } => "SW-REFUSED-014",
            Self::Insufficient { .. } => "SW-REFUSED-015",
            Self::WrongEvent { .. } => "SW-REFUSED-016",
            Self::BadSignature(_) => "SW-REFUSED-017",
            Self::Full => "SW-REFUSED-018",
            Self::NoValue(_) => "SW-REFUSED-019",
            Self::Increment { .. } => "SW-REFUSED-020",
            Self::OtherForm => "SW-REFUSED-021",
            Self::NoInvoke => "SW-REFUSED-022",
            Self::Other(foreign) | Self::Machine(foreign) | Self::Later(foreign) | Self::Absent(foreign) => {
                foreign.0.code()
            }
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::UnknownAccount(_)
            | Self::UnknownContract(_)
            | Self::UnknownEntry(_)
            | Self::UnknownReceiver(_)
            | Self::OtherContract { .. }
            | Self::WrongKind { .. } => "Use what the shard was started with: `shardwire shard status` lists it.".into(),
            Self::Ended | Self::Full => "Start another shard.".into(),
            Self::UsedNonce { expected, .. } | Self::BadNonce { expected, .. } => {
                format!("Sign it with nonce {expected}, over the account's chain up to there.")
            }
            Self::NotOwner { .. } => "Let the escrow's owner sign it.".into(),
            Self::NotHolder { .. } => "Let the account sign it that holds the thing now.".into(),
            Self::ZeroAmount => "Give an amount from 1.".into(),
            Self::SameEscrow(_) => "Name another escrow as the receiver.".into(),
            Self::Overflow { .. } => "Add less.".into(),
            Self::Increment { .. } => "Add less; another shard may add as much again.".into(),
            Self::Insufficient { .. } => "Take less, or have the escrow filled first.".into(),
            Self::WrongEvent { .. } => "Emit the event from the contract that the shard's start data names.".into(),
            Self::BadSignature(_) => {
                "Sign the head of the account's chain after this transaction; the chain begins with the start's commitment.".into()
            }
            Self::Other(foreign) | Self::Machine(foreign) | Self::Later(foreign) | Self::Absent(foreign) => {
                foreign.0.next_step()
            }
            Self::NoInvoke => "Submit it to a shard of the fixed rules; this one takes what wallets send.".into(),
            Self::OtherForm => "Submit it to a shard of contracts; `shardwire shard submit` sends what this one takes.".into(),
            Self::NoValue(_) => "Take start data and snapshot from the World together.".into(),
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Machine(_) | Self::Absent(_) => "this machine can't look at the transaction at the moment".into(),
            _ => self.to_string(),
        }
    }
}
