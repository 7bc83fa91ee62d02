//! The state after all transactions that were applied: the ground, and what was written over it.

use crate::{Class, Ground, GroundError, Refusal};
use blockifier::{
    execution::contract_class::RunnableCompiledClass,
    state::{
        errors::StateError,
        state_api::{StateReader, StateResult},
    },
};
use shardwire_contracts::Start;
use shardwire_model::{ContractId, Felt, Key, Slot, execution::Diff};
use starknet_api::{
    core::{ClassHash, CompiledClassHash, ContractAddress, Nonce},
    state::StorageKey,
};
use std::{cell::RefCell, collections::HashMap, sync::Arc};

/// The state now. Cloning it copies what was written, not the ground.
#[derive(Clone, Debug)]
pub(crate) struct State {
    ground: Arc<dyn Ground>,
    /// What contracts, accounts and classes there are: no other exists here.
    start: Arc<Start>,
    slots: HashMap<Slot, Felt>,
    nonces: HashMap<ContractId, u64>,
}

impl State {
    /// The ground as it is. The start has been validated: its lists are in order.
    pub(crate) fn new(ground: Arc<dyn Ground>, start: Arc<Start>) -> Self {
        Self { ground, start, slots: HashMap::new(), nonces: HashMap::new() }
    }

    pub(crate) fn over(self, ground: Arc<dyn Ground>) -> Self {
        Self { ground, ..self }
    }

    pub(crate) fn storage_at(&self, contract: ContractId, key: Key) -> Result<Felt, GroundError> {
        match self.slots.get(&Slot::new(contract, key)) {
            Some(value) => Ok(*value),
            None => self.first(contract, key),
        }
    }

    /// The value before the first transaction.
    pub(crate) fn first(&self, contract: ContractId, key: Key) -> Result<Felt, GroundError> {
        if self.is_listed(contract) { self.ground.storage_at(contract, key) } else { Ok(Felt::ZERO) }
    }

    pub(crate) fn nonce_at(&self, contract: ContractId) -> Result<u64, GroundError> {
        match self.nonces.get(&contract) {
            Some(nonce) => Ok(*nonce),
            None if self.is_listed(contract) => self.ground.nonce_at(contract),
            None => Ok(0),
        }
    }

    pub(crate) fn class_hash_at(&self, contract: ContractId) -> Result<Option<Felt>, GroundError> {
        if self.is_listed(contract) { self.ground.class_hash_at(contract) } else { Ok(None) }
    }

    pub(crate) fn class(&self, hash: Felt) -> Result<Option<Arc<Class>>, GroundError> {
        let listed = self.start.classes.binary_search_by_key(&hash, |pair| pair.class_hash).is_ok();
        if listed { self.ground.class(hash) } else { Ok(None) }
    }

    pub(crate) fn is_listed(&self, contract: ContractId) -> bool {
        self.start.contract_place(contract.0).is_some()
    }

    /// Sets a slot, before the first transaction: the World's snapshot goes over the ground.
    pub(crate) fn set(&mut self, contract: ContractId, key: Key, value: Felt) {
        self.slots.insert(Slot::new(contract, key), value);
    }

    /// Slots that were written to.
    pub(crate) fn written(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn apply(&mut self, diff: &Diff) {
        self.slots.extend(diff.storage.iter().copied());
        self.nonces.insert(diff.account, diff.nonce);
    }
}

/// What blockifier reads during one execution, which notes what it shouldn't have asked, and why it had no answer.
pub(crate) struct View<'a> {
    state: &'a State,
    trouble: RefCell<Option<Refusal>>,
}

impl<'a> View<'a> {
    pub(crate) const fn new(state: &'a State) -> Self {
        Self { state, trouble: RefCell::new(None) }
    }

    /// The first question that was wrong, or had no answer.
    pub(crate) fn trouble(&self) -> Option<Refusal> {
        self.trouble.borrow().clone()
    }

    fn note(&self, refusal: Refusal) {
        self.trouble.borrow_mut().get_or_insert(refusal);
    }

    fn stop<T>(&self, refusal: Refusal) -> StateResult<T> {
        let text = refusal.to_string();
        self.note(refusal);
        Err(StateError::StateReadError(text))
    }

    fn found<T>(&self, read: Result<T, GroundError>) -> StateResult<T> {
        read.or_else(|error| self.stop(error.into()))
    }
}

impl StateReader for View<'_> {
    fn get_storage_at(&self, contract: ContractAddress, key: StorageKey) -> StateResult<Felt> {
        self.found(self.state.storage_at(ContractId(contract.into()), Key(*key.0.key())))
    }

    fn get_nonce_at(&self, contract: ContractAddress) -> StateResult<Nonce> {
        self.found(self.state.nonce_at(ContractId(contract.into()))).map(|nonce| Nonce(Felt::from(nonce)))
    }

    fn get_class_hash_at(&self, contract: ContractAddress) -> StateResult<ClassHash> {
        let contract = ContractId(contract.into());
        let hash = self.found(self.state.class_hash_at(contract))?;
        // As on Starknet, where nothing is; a run that asked is refused for the answer in the end, or for a deployment.
        Ok(ClassHash(hash.unwrap_or_else(|| {
            self.note(Refusal::UnknownContract(contract));
            Felt::ZERO
        })))
    }

    fn get_compiled_class(&self, hash: ClassHash) -> StateResult<RunnableCompiledClass> {
        match self.found(self.state.class(hash.0))? {
            Some(class) => Ok(class.runnable()),
            None => self.stop(Refusal::UnknownClass(hash.0)),
        }
    }

    fn get_compiled_class_hash(&self, hash: ClassHash) -> StateResult<CompiledClassHash> {
        let class = self.found(self.state.class(hash.0))?;
        Ok(CompiledClassHash(class.map_or(Felt::ZERO, |class| class.compiled_hash())))
    }
}
