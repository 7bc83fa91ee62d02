//! Whether a shard can be started so, and why not.
//!
//! Start data is refused where it contradicts itself, before anything moves.

use crate::{
    Coded, Slot, contracts,
    entry::{Entry, Kind, MAX_ACCOUNTS, MAX_CONTRACTS, MAX_ENTRIES, finished_selector},
    felt::{AccountId, ContractId, Felt, Selector},
    start::ShardStart,
    terms::Terms,
};
use std::{collections::BTreeSet, fmt};

/// A start that can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A list is empty or longer than its bound.
    #[error("{what}: {got} given, 1 to {max} allowed")]
    Size {
        /// What the list is of, such as "account".
        what: &'static str,
        /// How many elements it has.
        got: usize,
        /// How many it may have at most.
        max: usize,
    },
    /// Something is listed twice.
    #[error("{what} {which} is listed twice")]
    Twice {
        /// What the list is of, such as "account".
        what: &'static str,
        /// The element that occurs twice, as it is written.
        which: String,
    },
    /// An entry or the end event names a contract that is not whitelisted.
    #[error("{what} names contract {contract}, which is not whitelisted")]
    ForeignContract {
        /// What names it.
        what: String,
        /// The contract.
        contract: ContractId,
    },
    /// An escrow whose owner is not a whitelisted account.
    #[error("escrow {slot} belongs to {owner:#x}, which is not a whitelisted account")]
    ForeignOwner {
        /// The escrow.
        slot: Slot,
        /// Its owner.
        owner: Felt,
    },
    /// An owner or an amount on an entry that has none.
    #[error("{kind} {slot} can't have an owner or an amount: only escrows do")]
    NotEscrow {
        /// Its kind.
        kind: Kind,
        /// The entry.
        slot: Slot,
    },
    /// A counter or a lock with a guard that is not its own.
    #[error("{kind} {slot} has a wrong guard")]
    Guard {
        /// Its kind.
        kind: Kind,
        /// The entry.
        slot: Slot,
    },
    /// The terms of a shard of contracts contradict themselves or the rest.
    #[error(transparent)]
    Contracts(#[from] contracts::StartError),
    /// The event can't be emitted by any transaction.
    #[error("the end event's selector {selector} is none that a transaction can emit, so the shard could never end")]
    Endless {
        /// The selector.
        selector: Selector,
    },
}

impl Coded for StartError {
    fn code(&self) -> &'static str {
        match self {
            Self::Size { .. } => "SW-START-001",
            Self::Twice { .. } => "SW-START-002",
            Self::ForeignContract { .. } => "SW-START-003",
            Self::ForeignOwner { .. } => "SW-START-004",
            Self::NotEscrow { .. } => "SW-START-005",
            Self::Guard { .. } => "SW-START-006",
            Self::Contracts(error) => error.code(),
            Self::Endless { .. } => "SW-START-007",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Size { .. } => "Split the work over several shards, or list what is missing.".into(),
            Self::Twice { .. } => "Remove one of the two.".into(),
            Self::ForeignContract { .. } => "Add the contract to the whitelist, or correct the address.".into(),
            Self::ForeignOwner { .. } => "Add the account to the whitelist, or correct the owner.".into(),
            Self::NotEscrow { .. } => "Remove the owner and the amount, or make it an escrow.".into(),
            Self::Guard { .. } => "Take the start data from the World as it is.".into(),
            Self::Contracts(error) => error.next_step(),
            Self::Endless { .. } => {
                format!("Use the selector of the event 'Finished': {}.", finished_selector())
            }
        }
    }
}

fn listed<T: Ord + fmt::Display + Copy>(what: &'static str, list: &[T], max: usize) -> Result<BTreeSet<T>, StartError> {
    if list.is_empty() || list.len() > max {
        return Err(StartError::Size { what, got: list.len(), max });
    }
    let mut set = BTreeSet::new();
    match list.iter().find(|it| !set.insert(**it)) {
        Some(again) => Err(StartError::Twice { what, which: again.to_string() }),
        None => Ok(set),
    }
}

impl ShardStart {
    /// Refuses start data that contradicts itself or exceeds a bound.
    ///
    /// # Errors
    /// [`StartError::Size`] if a list is empty or too long, [`StartError::Twice`], [`StartError::ForeignContract`], [`StartError::ForeignOwner`], [`StartError::NotEscrow`],
    /// [`StartError::Guard`] or [`StartError::Endless`] if it contradicts itself, [`StartError::Contracts`] if its terms do: the first that is found.
    pub fn validate(&self) -> Result<(), StartError> {
        let contracts = listed("contract", &self.contracts, MAX_CONTRACTS)?;
        let accounts = listed("account", &self.accounts, MAX_ACCOUNTS)?;
        let slots: Vec<Slot> = self.entries.iter().map(Entry::slot).collect();
        listed("storage slot", &slots, MAX_ENTRIES)?;
        if !contracts.contains(&self.end_event.from) {
            return Err(StartError::ForeignContract { what: "the end event".into(), contract: self.end_event.from });
        }
        for entry in &self.entries {
            let (Entry { kind, contract, guard, .. }, slot) = (entry, entry.slot());
            if !contracts.contains(contract) {
                return Err(StartError::ForeignContract { what: format!("{kind} {slot}"), contract: *contract });
            }
            match kind {
                Kind::Lock if *guard != self.shard.0 => return Err(StartError::Guard { kind: *kind, slot }),
                Kind::Counter if *guard != Felt::ZERO => return Err(StartError::Guard { kind: *kind, slot }),
                _ => {}
            }
        }
        match &self.terms {
            Terms::Contracts(terms) => {
                terms.validate()?;
                Ok(contracts::Start::of(self, terms)?.validate()?)
            }
            Terms::Rules => self.validate_rules(&accounts),
        }
    }

    /// What only a shard of the fixed rules must be.
    fn validate_rules(&self, accounts: &BTreeSet<AccountId>) -> Result<(), StartError> {
        if self.end_event.selector != finished_selector() {
            return Err(StartError::Endless { selector: self.end_event.selector });
        }
        let foreign = |it: &&Entry| it.kind == Kind::Escrow && !accounts.contains(&AccountId(it.guard));
        match self.entries.iter().find(foreign) {
            Some(entry) => Err(StartError::ForeignOwner { slot: entry.slot(), owner: entry.guard }),
            None => Ok(()),
        }
    }

    /// The start data as the program of contracts reads it.
    ///
    /// # Errors
    /// [`contracts::StartError::Rules`] if the shard is none of contracts; others as from [`validate`](Self::validate).
    pub fn for_contracts(&self) -> Result<contracts::Start, contracts::StartError> {
        match &self.terms {
            Terms::Contracts(terms) => contracts::Start::of(self, terms),
            Terms::Rules => Err(contracts::StartError::Rules),
        }
    }
}
