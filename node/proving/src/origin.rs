//! Where a run of contracts must have begun, and whether it did.
//!
//! A proof of such a run commits to a list of what the run read ([`Reads`]): it says what follows from those values, not whether they are true. They are of the state that the start data
//! names, the [`Origin`], but for the slots that settle, which have the World's values. [`compare`] holds a list against both. Who doesn't do that believes a run that began with gold of its own.
//!
//! That each compiled class in the list is what its class compiles to is looked at when an origin is [opened](Origins::open), since the classes are the start data's. CASM is no sandbox: a hand-made
//! one could jump into the program and prove anything.
//!
//! What opens origins needs a Cairo compiler, and is given from above: no virtual machine and no Cairo compiler is linked here. A shard of the fixed rules reads the World's values alone and has no origin.

use shardwire_model::{AccountId, Coded, ContractId, Felt, Key, Mutation, Reads, ShardStart, Slot};
use std::{collections::BTreeMap, fmt};

/// Opens the states that runs begin from.
pub trait Origins: Send + Sync + fmt::Debug {
    /// The state that a shard with this start data begins from, but for what settles; none for a shard that reads nothing else. Its contracts are of the classes that the
    /// start data says, and each class compiles to what the start data says. Reading and compiling take their time: call it on a thread that may wait.
    ///
    /// # Errors
    /// [`OriginError::Refused`] if no shard can begin like this, [`OriginError::Unable`] if this machine can't say.
    fn open(&self, start: &ShardStart) -> Result<Option<Box<dyn Origin>>, OriginError>;
}

/// The state that a run begins from.
pub trait Origin: Send + Sync + fmt::Debug {
    /// Says which slots will be asked for, so that a state that isn't here is asked for all of them together.
    ///
    /// # Errors
    /// [`OriginError::Unable`] if this machine can't say one of them.
    fn prepare(&self, _slots: &[Slot]) -> Result<(), OriginError> {
        Ok(())
    }

    /// The value of a slot; zero if it was never written.
    ///
    /// # Errors
    /// [`OriginError::Unable`] if this machine can't say.
    fn storage(&self, contract: ContractId, key: Key) -> Result<Felt, OriginError>;

    /// The nonce of an account; zero if it never had a transaction.
    ///
    /// # Errors
    /// [`OriginError::Unable`] if this machine can't say.
    fn nonce(&self, account: AccountId) -> Result<Felt, OriginError>;

    /// The value of a slot of which a run says otherwise. A state that others tell is asked of them anew, of each: one that is wrong makes no run a false one.
    ///
    /// # Errors
    /// [`OriginError::Unable`] if this machine can't say.
    fn storage_again(&self, contract: ContractId, key: Key) -> Result<Felt, OriginError> {
        self.storage(contract, key)
    }

    /// The nonce of an account of which a run says otherwise, in the same way.
    ///
    /// # Errors
    /// [`OriginError::Unable`] if this machine can't say.
    fn nonce_again(&self, account: AccountId) -> Result<Felt, OriginError> {
        self.nonce(account)
    }
}

/// An origin can't be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// No shard can begin like this, here or elsewhere.
    #[error("{0}")]
    Refused(Box<dyn Coded + Send + Sync>),
    /// This machine can't say at the moment, for want of a file, say. That is no word on the shard: another try may succeed.
    #[error("{0}")]
    Unable(Box<dyn Coded + Send + Sync>),
}

impl OriginError {
    /// That no shard can begin like this.
    pub fn refused(error: impl Coded + Send + Sync + 'static) -> Self {
        Self::Refused(Box::new(error))
    }

    /// That this machine can't say.
    pub fn unable(error: impl Coded + Send + Sync + 'static) -> Self {
        Self::Unable(Box::new(error))
    }
}

impl Coded for OriginError {
    fn code(&self) -> &'static str {
        match self {
            Self::Refused(error) | Self::Unable(error) => error.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Refused(error) | Self::Unable(error) => error.next_step(),
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Refused(error) | Self::Unable(error) => error.told(),
        }
    }
}

/// A run that began from another state than it had to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginMismatch {
    /// A slot had another value.
    #[error("the run began with {actual:#x} in slot {slot}, and it has {expected:#x}")]
    Slot {
        /// The slot.
        slot: Slot,
        /// Its value: the World's if it settles, else the origin's.
        expected: Felt,
        /// The one that the run read.
        actual: Felt,
    },
    /// An account had another nonce.
    #[error("the run began with nonce {actual:#x} of account {account}, and it has {expected:#x}")]
    Nonce {
        /// The account.
        account: AccountId,
        /// Its nonce in the origin.
        expected: Felt,
        /// The one that the run began with.
        actual: Felt,
    },
}

impl Coded for OriginMismatch {
    fn code(&self) -> &'static str {
        match self {
            Self::Slot { .. } => "SW-SETTLE-008",
            Self::Nonce { .. } => "SW-SETTLE-009",
        }
    }

    fn next_step(&self) -> String {
        "Nothing was applied. Refuse the proof; its operator has to execute the shard from the state that the start data names.".into()
    }
}

/// What a comparison comes to, if not to an agreement.
#[derive(Debug, thiserror::Error)]
pub enum Compared {
    /// The run began elsewhere.
    #[error(transparent)]
    Mismatch(#[from] OriginMismatch),
    /// The origin can't be read.
    #[error(transparent)]
    Origin(#[from] OriginError),
}

/// Compares what a run read with the state that it had to begin from: slots that settle with the World's `values`, which are in the order of the start data's entries, all others and nonces with
/// the origin.
///
/// # Errors
/// [`Compared::Mismatch`]: the first slot or nonce that differs; [`Compared::Origin`] if that can't be said.
pub fn compare(reads: &Reads, start: &ShardStart, values: &[Felt], origin: &dyn Origin) -> Result<(), Compared> {
    let contracts = start.for_contracts().map_err(OriginError::refused)?.contracts;
    let settled: BTreeMap<Slot, Felt> =
        start.entries.iter().map(|entry| entry.slot()).zip(values.iter().copied()).collect();
    // A place that isn't in the list has no address, and no list has it: see Reads::from_felts.
    let address = |place: &usize| contracts.get(*place).map(|contract| contract.address).unwrap_or_default();
    let at = |(place, key): &(usize, Felt)| Slot::new(ContractId(address(place)), Key(*key));
    let asked: Vec<Slot> = reads.storage.keys().map(at).filter(|it| !settled.contains_key(it)).collect();
    origin.prepare(&asked)?;
    for ((place, key), actual) in &reads.storage {
        let slot = Slot::new(ContractId(address(place)), Key(*key));
        let expected = match settled.get(&slot) {
            Some(value) => *value,
            None => match origin.storage(slot.contract, slot.key)? {
                other if other != *actual => origin.storage_again(slot.contract, slot.key)?,
                same => same,
            },
        };
        if *actual != expected && !Mutation::ReadNotCompared.is_planted() {
            return Err(OriginMismatch::Slot { slot, expected, actual: *actual }.into());
        }
    }
    for (place, actual) in &reads.nonces {
        let account = AccountId(address(place));
        let mut expected = origin.nonce(account)?;
        if *actual != expected {
            expected = origin.nonce_again(account)?;
        }
        if *actual != expected {
            return Err(OriginMismatch::Nonce { account, expected, actual: *actual }.into());
        }
    }
    Ok(())
}
