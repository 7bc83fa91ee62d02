//! What enters a shard of contracts.

use crate::{budget::ShardBudget, program::Opened};
use shardwire_model::{ContractId, Felt, Key, ShardStart, ShardTransaction, execution::Status};
use shardwire_native::{self as native, Class, Ground, GroundError, Native};
use shardwire_program::{Admission, Budget, Change, Checked, Foreign, Refusal};
use std::sync::Arc;

/// The state of a shard of contracts.
#[derive(Clone, Debug)]
pub(crate) struct ContractsAdmission {
    start: Arc<ShardStart>,
    /// Over what is here.
    native: Native,
    /// What more there is, where that has to be waited for.
    further: Option<Arc<dyn Ground>>,
    budget: ShardBudget,
}

impl ContractsAdmission {
    pub(crate) fn new(start: ShardStart, opened: Opened, budget: ShardBudget) -> Self {
        let Opened { native, found } = opened;
        let start = Arc::new(start);
        match found.forked {
            None => Self { start, native, further: None, budget },
            Some(forked) => Self { start, native: native.over(forked.here()), further: Some(found.ground), budget },
        }
    }
}

/// What a shard that is over begins from: nothing is asked of it any more.
#[derive(Debug)]
struct Gone;

impl Gone {
    fn said<T>() -> Result<T, GroundError> {
        Err(GroundError::new("the shard is over"))
    }
}

impl Ground for Gone {
    fn storage_at(&self, _: ContractId, _: Key) -> Result<Felt, GroundError> {
        Self::said()
    }

    fn nonce_at(&self, _: ContractId) -> Result<u64, GroundError> {
        Self::said()
    }

    fn class_hash_at(&self, _: ContractId) -> Result<Option<Felt>, GroundError> {
        Self::said()
    }

    fn class(&self, _: Felt) -> Result<Option<Arc<Class>>, GroundError> {
        Self::said()
    }
}

/// What native execution refuses, in the words of every program's admission.
fn refused(refusal: native::Refusal) -> Refusal {
    match refusal.is_of_this_machine() {
        true if matches!(&refusal, native::Refusal::Ground(error) if error.is_absent()) => {
            Refusal::Absent(Foreign::new(refusal))
        }
        true if matches!(refusal, native::Refusal::Behind { .. }) => Refusal::Later(Foreign::new(refusal)),
        true => Refusal::Machine(Foreign::new(refusal)),
        false => Refusal::Other(Foreign::new(refusal)),
    }
}

/// Executes a transaction, and says what it changes.
pub(crate) fn checked(native: &Native, transaction: &ShardTransaction, time: u64) -> Result<native::Checked, Refusal> {
    match transaction {
        ShardTransaction::Invoke(invoke) => native.check(invoke, time).map_err(refused),
        ShardTransaction::Session(call) => native.check_session(call, time).map_err(refused),
        ShardTransaction::Rules(_) => Err(Refusal::NoInvoke),
    }
}

impl Admission for ContractsAdmission {
    fn check_rules(&self, transaction: &ShardTransaction, time: u64) -> Result<Checked, Refusal> {
        Ok(match checked(&self.native, transaction, time)? {
            native::Checked::Duplicate { index } => Checked::Duplicate { sequence: index },
            native::Checked::New(change) => {
                let receipt = change.receipt();
                let reverted = matches!(receipt.status, Status::Reverted { .. });
                let (index, ends) = (receipt.index, receipt.ends);
                Checked::New(Change::new(index, ends, None, Arc::new(change)).with_reverted(reverted))
            }
        })
    }

    fn fetch(self: Box<Self>, transaction: &ShardTransaction, time: u64) -> Result<(), Refusal> {
        let Self { native, further, .. } = *self;
        let Some(further) = further else { return Ok(()) };
        match checked(&native.over(further), transaction, time) {
            Err(refusal) if refusal.is_of_this_machine() => Err(refusal),
            // Whatever else comes of it, comes of the check.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn let_go(&mut self) {
        self.further = None;
        self.native = self.native.clone().over(Arc::new(Gone));
    }

    fn take_in(&mut self, transaction: &ShardTransaction, time: u64) -> Result<Checked, Refusal> {
        let mut checked = self.check(transaction, time);
        if let Err(Refusal::Absent(_)) = checked {
            Box::new(self.clone()).fetch(transaction, time)?;
            checked = self.check(transaction, time);
        }
        let checked = checked?;
        if let Checked::New(change) = &checked {
            self.apply(change.clone());
        }
        Ok(checked)
    }

    fn affords(&self, change: &Change) -> Result<(), Refusal> {
        change
            .inside::<native::Change>()
            .map_or(Ok(()), |change| self.budget.affords(&self.native, change).map_err(refused))
    }

    fn budget(&self) -> Option<Budget> {
        self.budget.used(self.native.ended())
    }

    fn executes(&self) -> bool {
        true
    }

    fn apply(&mut self, change: Change) {
        let inside = change.inside::<native::Change>();
        debug_assert!(inside.is_some(), "a change is good for the program that it is of");
        if let Some(change) = inside {
            self.native.apply(change);
            self.budget.apply(change);
        }
    }

    fn fork(&self) -> Box<dyn Admission> {
        Box::new(self.clone())
    }

    fn accepted(&self) -> u32 {
        self.native.accepted()
    }

    fn ended(&self) -> bool {
        self.native.ended()
    }

    fn next_nonces(&self) -> Vec<u64> {
        // What can't be read at the moment is said to be 0: who signs for that is told the nonce that is due.
        let nonce = |account: &shardwire_model::AccountId| self.native.nonce_at(ContractId(account.0)).unwrap_or(0);
        self.start.accounts.iter().map(nonce).collect()
    }

    fn values(&self) -> Vec<Felt> {
        self.native.values().unwrap_or_else(|_| vec![Felt::ZERO; self.start.entries.len()])
    }

    fn start(&self) -> &ShardStart {
        &self.start
    }
}
