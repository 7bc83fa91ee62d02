//! Why a transaction, or a question, is refused.

use crate::{GroundError, bounds};
use shardwire_model::{Coded, ContractId, Felt, MAX_TRANSACTIONS, ShardId, Slot};

/// Why a transaction doesn't enter the shard's log. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The account isn't listed.
    #[error("account {0} is not one of this shard's")]
    UnknownAccount(ContractId),
    /// No contract can have the sender's address.
    #[error("{0} can't be the address of an account")]
    Sender(ContractId),
    /// Something in the transaction is too long.
    #[error("the {what} has {got} felts, and {max} are allowed")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// How long it is.
        got: usize,
        /// How long it may be.
        max: usize,
    },
    /// The transaction may use no gas.
    #[error(
        "l2_gas.max_amount is 0: a shard takes no fee, but it counts gas, and the amount is the transaction's limit"
    )]
    ZeroGas,
    /// Not the account's next nonce.
    #[error("account {account} must use nonce {expected}, not {got}")]
    Nonce {
        /// The account.
        account: ContractId,
        /// The next nonce.
        expected: u64,
        /// The nonce given.
        got: u64,
    },
    /// The end event is in the log.
    #[error("the shard has ended: nothing happens after its end event")]
    Ended,
    /// Only the end event still fits.
    #[error("the shard is full: of its {MAX_TRANSACTIONS} transactions only one that ends it is left")]
    Full,
    /// The time is before that of the transaction before, or outside of the shard's.
    #[error("the time is {time} s, and it must be from {from} s to {to} s")]
    Time {
        /// The time given.
        time: u64,
        /// The time of the last transaction, or when the shard begins.
        from: u64,
        /// The shard's deadline.
        to: u64,
    },
    /// `__validate__` panicked, ran out of gas, or returned something else than `VALID`.
    #[error("account {account} doesn't accept the transaction: {reason}")]
    Invalid {
        /// The account.
        account: ContractId,
        /// What it says.
        reason: String,
    },
    /// The virtual machine stopped the run.
    #[error("the run breaks a rule of the machine: {0}")]
    Broken(String),
    /// Calls within calls, too many.
    #[error("calls are nested deeper than {}", bounds::MAX_CALL_DEPTH)]
    TooDeep,
    /// An event beyond its bounds, or too many.
    #[error("{0}")]
    Events(String),
    /// A contract made a system call that no proof covers.
    #[error("contract {contract} makes system call {name}, which a shard can't prove")]
    Syscall {
        /// The contract.
        contract: ContractId,
        /// The system call.
        name: &'static str,
    },
    /// A call to, or a question about, a contract that the start data doesn't list.
    #[error("contract {0} is not one of this shard's")]
    UnknownContract(ContractId),
    /// A library call to a class that the start data doesn't list.
    #[error("class {0:#x} is not one of this shard's")]
    UnknownClass(Felt),
    /// A slot of a closed contract that doesn't settle would have another value.
    #[error("slot {slot} of a closed contract would be {now:#x}, and it began as {first:#x}")]
    ClosedSlot {
        /// The slot.
        slot: Slot,
        /// Its first value.
        first: Felt,
        /// What it would be.
        now: Felt,
    },
    /// The escrows of a contract would hold more than they began with.
    #[error("the escrows of contract {contract} would hold {now}, and they began with {first}")]
    Escrows {
        /// The contract.
        contract: ContractId,
        /// What they began with.
        first: Felt,
        /// What they would hold.
        now: Felt,
    },
    /// A counter would fall.
    #[error("counter {slot} would be {now:#x}, less than the {first:#x} that it began with")]
    CounterFalls {
        /// The counter.
        slot: Slot,
        /// Its first value.
        first: Felt,
        /// What it would be.
        now: Felt,
    },
    /// A counter or an escrow would exceed its maximum.
    #[error("entry {slot} would be {now:#x}, above its maximum {maximum}")]
    AboveMaximum {
        /// The entry.
        slot: Slot,
        /// What it would be.
        now: Felt,
        /// What it may be.
        maximum: u128,
    },
    /// A lock that another shard holds would change.
    #[error("lock {slot} is held by shard {holder}: it can't change here")]
    NotHeld {
        /// The lock.
        slot: Slot,
        /// Who holds it.
        holder: ShardId,
    },
    /// A session call in a shard that lists no contract that keeps sessions.
    #[error("the shard has no contract that keeps sessions")]
    NoSessions,
    /// A session call of what no session may call.
    #[error("a session calls neither its account, nor the contract that keeps sessions, nor __execute__")]
    BeyondSessions,
    /// A session call that the account doesn't allow, or not any more.
    #[error(
        "account {account} doesn't allow key {key:#x} to call {selector:#x} of {contract} at {time} s: it may until {expires} s"
    )]
    NotAllowed {
        /// The account.
        account: ContractId,
        /// The session key.
        key: Felt,
        /// The contract.
        contract: ContractId,
        /// The entry point.
        selector: Felt,
        /// When the call was to happen.
        time: u64,
        /// When it expired; zero if it was never allowed, or was taken back.
        expires: u64,
    },
    /// A session call that follows another link than the key's last one.
    #[error("the last of the {calls} calls of key {key:#x} has link {last:#x}, and this one follows {got:#x}")]
    Link {
        /// The session key.
        key: Felt,
        /// How many calls it made.
        calls: u64,
        /// The link of the last one, or the first link.
        last: Felt,
        /// The link that the call follows.
        got: Felt,
    },
    /// The session key didn't sign this call.
    #[error("the signature isn't that of key {0:#x} over this call")]
    Unsigned(Felt),
    /// More slots than the list that travels with the proof can hold.
    #[error(
        "the shard would touch {all} storage slots, and {most} are allowed: the list that travels with its proof is bounded"
    )]
    Slots {
        /// How many it would have touched.
        all: usize,
        /// How many it may.
        most: usize,
    },
    /// No proof can take the transaction after those before it, and there is no other segment for it.
    #[error(
        "with this transaction the proof of the shard's last segment would take {} MB of its prover's memory, and {} MB are allowed", .bytes / 1_000_000, .most / 1_000_000
    )]
    OverBudget {
        /// How many bytes it would take.
        bytes: u64,
        /// How many it may.
        most: u64,
    },
    /// One proof can't take the transaction, even if it were the shard's only one.
    #[error(
        "this transaction alone would take {} MB of its prover's memory, and {} MB are allowed a proof", .bytes / 1_000_000, .most / 1_000_000
    )]
    TooCostly {
        /// How many bytes it would take.
        bytes: u64,
        /// How many it may.
        most: u64,
    },
    /// Whether one proof can take it isn't known yet: the replay, which counts, hasn't come so far.
    #[error(
        "the replay is behind: {replayed} of {accepted} transactions are replayed, and whether a proof can take one more isn't known"
    )]
    Behind {
        /// How many are replayed.
        replayed: u32,
        /// How many there are before this one.
        accepted: u32,
    },
    /// A read-only call of an entry point that isn't there.
    #[error("contract {contract} has no entry point {selector:#x}")]
    NoEntryPoint {
        /// The contract.
        contract: ContractId,
        /// What was called.
        selector: Felt,
    },
    /// A read-only call panicked.
    #[error("the call fails: {0}")]
    CallFailed(String),
    /// The state can't be read at the moment.
    #[error(transparent)]
    Ground(#[from] GroundError),
    /// This machine couldn't, which says nothing about the transaction.
    #[error("the transaction can't be executed at the moment: {0}")]
    Machine(String),
}

impl Refusal {
    /// Whether this is about the machine that executes, not about the transaction: another try may succeed.
    #[must_use]
    pub const fn is_of_this_machine(&self) -> bool {
        matches!(self, Self::Ground(_) | Self::Machine(_) | Self::Behind { .. })
    }
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownAccount(_) => "SW-NATIVE-101",
            Self::Sender(_) => "SW-NATIVE-102",
            Self::NoEntryPoint { .. } => "SW-NATIVE-103",
            Self::TooLong { .. } => "SW-NATIVE-104",
            Self::ZeroGas => "SW-NATIVE-105",
            Self::Nonce { .. } => "SW-NATIVE-106",
            Self::Ended => "SW-NATIVE-107",
            Self::Full => "SW-NATIVE-108",
            Self::Time { .. } => "SW-NATIVE-109",
            Self::Invalid { .. } => "SW-NATIVE-110",
            Self::Broken(_) => "SW-NATIVE-111",
            Self::TooDeep => "SW-NATIVE-112",
            Self::Events(_) => "SW-NATIVE-113",
            Self::Syscall { .. } => "SW-NATIVE-114",
            Self::UnknownContract(_) => "SW-NATIVE-115",
            Self::UnknownClass(_) => "SW-NATIVE-116",
            Self::ClosedSlot { .. } => "SW-NATIVE-117",
            Self::Escrows { .. } => "SW-NATIVE-118",
            Self::CounterFalls { .. } => "SW-NATIVE-119",
            Self::AboveMaximum { .. } => "SW-NATIVE-120",
            Self::NotHeld { .. } => "SW-NATIVE-121",
            Self::CallFailed(_) => "SW-NATIVE-122",
            Self::Ground(error) => error.code(),
            Self::Machine(_) => "SW-NATIVE-123",
            Self::NoSessions => "SW-NATIVE-124",
            Self::BeyondSessions => "SW-NATIVE-125",
            Self::NotAllowed { .. } => "SW-NATIVE-126",
            Self::Link { .. } => "SW-NATIVE-127",
            Self::Unsigned(_) => "SW-NATIVE-128",
            Self::Slots { .. } => "SW-NATIVE-129",
            Self::OverBudget { .. } => "SW-NATIVE-130",
            Self::TooCostly { .. } => "SW-NATIVE-131",
            Self::Behind { .. } => "SW-NATIVE-132",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::UnknownAccount(_) => "Use an account that the shard was started with.".into(),
            Self::Sender(_) => "Give the account's address: below 2^251 - 256.".into(),
            Self::TooLong { .. } => "Make fewer calls in one transaction.".into(),
            Self::ZeroGas => "Estimate the transaction and set l2_gas.max_amount, with a price of 0.".into(),
            Self::Nonce { .. } => {
                "Ask for the account's nonce at 'pre_confirmed', and sign the transaction again.".into()
            }
            Self::Ended => "Start another shard, or read the result of this one.".into(),
            Self::Full => "End the shard and start another one.".into(),
            Self::Time { .. } => "Correct the operator's clock; after the deadline, end or abort the shard.".into(),
            Self::Invalid { .. } => {
                "Sign with the account's key, for this shard's chain id and with enough gas.".into()
            }
            Self::Broken(_) => {
                "Correct the calls, or the contract; simulate the transaction to see where it stops.".into()
            }
            Self::TooDeep => "Let the contracts call each other less deeply.".into(),
            Self::Events(_) => format!(
                "Emit at most {} events of {} keys and {} felts of data.",
                bounds::MAX_EVENTS,
                bounds::MAX_EVENT_KEYS,
                bounds::MAX_EVENT_DATA
            ),
            Self::Syscall { .. } => "Do this on the chain, before the shard starts or after it has settled.".into(),
            Self::UnknownContract(_) | Self::UnknownClass(_) => {
                "List it in the start of the next shard, or call what this one has.".into()
            }
            Self::ClosedSlot { .. } => "List the slot when the shard starts, as settled or as a scratch key.".into(),
            Self::Escrows { .. } => "Use only what was put in escrow when the shard started.".into(),
            Self::CounterFalls { .. } => "Settle what can fall as an escrow.".into(),
            Self::AboveMaximum { .. } => "Settle the shard, and start the next with a higher maximum.".into(),
            Self::NotHeld { .. } => "Start a shard that takes the lock.".into(),
            Self::NoSessions => "Send INVOKEs, and list the contract in the start of the next shard.".into(),
            Self::BeyondSessions => "Send an INVOKE of the account.".into(),
            Self::NotAllowed { .. } => {
                "Have the account allow it: an INVOKE that calls open of the contract that keeps sessions.".into()
            }
            Self::Link { .. } => {
                "Sign the call again after the last one that this key signed; if that one is lost, have the account allow another key.".into()
            }
            Self::Unsigned(_) => "Sign the call's link with the session key, for this shard's chain id.".into(),
            Self::Slots { .. } => {
                "Settle the shard and start another one; let contracts keep what belongs together in fewer slots.".into()
            }
            Self::OverBudget { .. } => {
                "End the shard and start another one; `shardwire shard status` shows how much of the budget of its segment is used.".into()
            }
            Self::TooCostly { .. } => "Make several transactions of it, with fewer calls or shorter loops.".into(),
            Self::Behind { .. } => "Submit the transaction again in a moment.".into(),
            Self::NoEntryPoint { .. } => "Call what the contract's class has: starknet_getClassAt lists it.".into(),
            Self::CallFailed(_) => "Correct the call's arguments.".into(),
            Self::Ground(error) => error.next_step(),
            Self::Machine(_) => {
                "Submit the transaction again; if this lasts, free memory on the operator's machine.".into()
            }
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Ground(error) => error.told(),
            _ => self.to_string(),
        }
    }
}
