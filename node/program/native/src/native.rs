//! A shard of contracts as it stands: what may happen next, what happened, and questions to it.

use crate::{
    Class, GenesisError, Ground, GroundError, Outcome, Refusal, bounds,
    execute::{self, Block, Mode},
    fit::fit,
    session::Chain,
    settle::Settle,
    state::State,
    touched::{self, Touched},
    transaction::{bounded, check_bounds},
};
use shardwire_contracts::{Start, StartError, cost::Work, sessions, start::chain_id, tree};
use shardwire_model::{
    ContractId, EventId, Felt, Invoke, Key, MAX_CALLDATA_FELTS, MAX_TRANSACTIONS, Mutation, Slot,
    execution::{Receipt, Simulate, Simulated},
};
use std::{borrow::Cow, collections::HashMap, num::NonZeroU64, sync::Arc};

/// A shard of contracts after all transactions in its log. The same log gives the same state.
///
/// Cloning it copies what was written and shares the rest: a clone is where transactions are checked that the log doesn't have yet.
#[derive(Clone, Debug)]
pub struct Native {
    start: Arc<Start>,
    chain: Arc<str>,
    first_block: NonZeroU64,
    settle: Arc<Settle>,
    pub(crate) state: State,
    touched: Touched,
    receipts: Vec<Arc<Receipt>>,
    places: HashMap<Felt, u32>,
    /// The contract that keeps sessions.
    pub(crate) sessions: Option<ContractId>,
    /// By session key.
    pub(crate) chains: HashMap<Felt, Chain>,
}

/// A transaction that isn't refused.
#[derive(Debug)]
pub enum Checked {
    /// It would be new in the log.
    New(Change),
    /// It is in the log already.
    Duplicate {
        /// Its place, from 0.
        index: u32,
    },
}

/// What a transaction does. Good for one [`apply`](Native::apply) to the shard that it was checked against, and one to each clone of it.
#[derive(Clone, Debug)]
pub struct Change {
    receipt: Arc<Receipt>,
    tree: Arc<tree::Transaction>,
    outcome: Arc<Outcome>,
    /// Of a session call: its key, and how far the key's chain is with it.
    chain: Option<(Felt, Chain)>,
    /// The slots that no transaction before it has touched.
    touched: Arc<[Slot]>,
    work: Arc<Work>,
    /// The places of the classes whose code ran.
    classes: Arc<[usize]>,
}

impl Change {
    /// The receipt that it will have.
    #[must_use]
    pub fn receipt(&self) -> &Arc<Receipt> {
        &self.receipt
    }

    /// What the program replays.
    #[must_use]
    pub const fn tree(&self) -> &Arc<tree::Transaction> {
        &self.tree
    }

    /// All that its execution found.
    #[must_use]
    pub const fn outcome(&self) -> &Arc<Outcome> {
        &self.outcome
    }

    /// What its cost to a prover follows from.
    #[must_use]
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// The places in the start data of the classes whose code it ran, ascending.
    #[must_use]
    pub const fn classes(&self) -> &Arc<[usize]> {
        &self.classes
    }
}

impl Native {
    /// A shard before its first transaction. `values` are the World's values of the entries that settle, in their order; they go over the ground.
    ///
    /// # Errors
    /// [`GenesisError::Start`] if the start data contradicts itself; [`GenesisError::NoClass`], [`GenesisError::Class`], [`GenesisError::OldAccount`], [`GenesisError::Missing`] or
    /// [`GenesisError::OtherClass`] if it lists a class or a contract that the ground doesn't have as it says; [`GenesisError::Values`], [`GenesisError::FirstValue`] or
    /// [`GenesisError::Sessions`] if the values don't fit it; [`GenesisError::Ground`] if the ground can't be read.
    pub fn open(ground: Arc<dyn Ground>, start: &Start, values: &[Felt]) -> Result<Self, GenesisError> {
        fit(&*ground, start)?;
        let first_block = NonZeroU64::new(start.first_block).ok_or(StartError::Block)?;
        let keeper = sessions::place(start)?.and_then(|place| start.contracts.get(place));
        let settle = Settle::new(start, values)?;
        let start = Arc::new(start.clone());
        let mut state = State::new(ground, start.clone());
        for (entry, value) in start.settled().zip(values) {
            if let Some(contract) = start.contracts.get(entry.contract) {
                state.set(ContractId(contract.address), entry.key, *value);
            }
        }
        Ok(Self {
            chain: chain_id(start.shard).into(),
            first_block,
            sessions: keeper.map(|contract| ContractId(contract.address)),
            touched: Touched::new(&start),
            start,
            settle: Arc::new(settle),
            state,
            receipts: Vec::new(),
            places: HashMap::new(),
            chains: HashMap::new(),
        })
    }

    /// The same shard over another ground, which has the same state, or says less of it.
    #[must_use]
    pub fn over(self, ground: Arc<dyn Ground>) -> Self {
        Self { state: self.state.over(ground), ..self }
    }

    /// Executes a transaction at a time, in seconds since the Unix epoch, and says what it changes. Nothing changes yet.
    ///
    /// # Errors
    /// The [`Refusal`] of the first rule that it breaks, of the transaction ([`Refusal::Nonce`], [`Refusal::TooLong`], …), its execution ([`Refusal::Invalid`], [`Refusal::Syscall`], …)
    /// or what it would settle ([`Refusal::ClosedSlot`], [`Refusal::Escrows`], …); [`Refusal::Ground`] or [`Refusal::Machine`] if this machine can't check it now.
    pub fn check(&self, invoke: &Invoke, time: u64) -> Result<Checked, Refusal> {
        check_bounds(invoke)?;
        if invoke.bounds.l2_gas == 0 {
            return Err(Refusal::ZeroGas);
        }
        let hash = invoke.hash(self.chain_id());
        if let Some(index) = self.places.get(&hash) {
            return Ok(Checked::Duplicate { index: *index });
        }
        self.check_time(time)?;
        self.check_account(&self.state, invoke)?;
        let index = self.next_place()?;
        let block = self.block(index, time);
        let mode = Mode { validate: true, only_query: false, gas: invoke.bounds.l2_gas };
        let outcome = execute::transaction(&self.state, &block, invoke, hash, mode)?;
        // A transaction in the log was validated, so its tree is there.
        let tree = outcome.tree(invoke, hash, time).ok_or_else(|| Refusal::Broken("it was not validated".into()))?;
        self.change(index, &block, outcome, tree, invoke.nonce, None)
    }

    /// Refuses a time at which nothing can happen any more, or not yet.
    pub(crate) fn check_time(&self, time: u64) -> Result<(), Refusal> {
        if self.ended() {
            return Err(Refusal::Ended);
        }
        let from = if Mutation::TimeRunsBack.is_planted() { self.start.begins } else { self.time() };
        let to = self.start.deadline;
        if (from..=to).contains(&time) { Ok(()) } else { Err(Refusal::Time { time, from, to }) }
    }

    /// The place in the log of the next transaction.
    pub(crate) fn next_place(&self) -> Result<u32, Refusal> {
        let index = self.accepted();
        if index < MAX_TRANSACTIONS { Ok(index) } else { Err(Refusal::Full) }
    }

    /// What an execution in this block comes to, if the shard can settle after it.
    pub(crate) fn change(
        &self,
        index: u32,
        block: &Block,
        outcome: Outcome,
        tree: tree::Transaction,
        nonce: u64,
        chain: Option<(Felt, Chain)>,
    ) -> Result<Checked, Refusal> {
        self.settle.check(&self.state, &outcome.diff)?;
        let ends = self.ends(&outcome);
        if index + 1 == MAX_TRANSACTIONS && !ends {
            return Err(Refusal::Full);
        }
        let touched = self.touched.check(outcome.touched().chain(touched::permission(self.sessions, &tree)), ends)?;
        let work = Arc::new(outcome.work(matches!(tree, tree::Transaction::Invoke(_)), touched.len()));
        let classes = outcome.classes(&self.start).into();
        let Outcome { status, events, returned, gas, diff, .. } = &outcome;
        let receipt = Receipt {
            index,
            block: block.number,
            time: block.time,
            hash: tree.hash(),
            nonce,
            status: status.clone(),
            events: events.clone(),
            returned: returned.clone(),
            gas: *gas,
            diff: diff.clone(),
            ends,
        };
        let (receipt, tree, outcome) = (Arc::new(receipt), Arc::new(tree), Arc::new(outcome));
        Ok(Checked::New(Change { receipt, tree, outcome, chain, touched: touched.into(), work, classes }))
    }

    /// Takes in what [`check`](Self::check) found, here or in a clone that was where this is. Nothing may have been applied since then.
    pub fn apply(&mut self, change: &Change) {
        debug_assert_eq!(change.receipt.index, self.accepted(), "a change is applied where it was checked");
        self.state.apply(&change.receipt.diff);
        self.places.insert(change.receipt.hash, change.receipt.index);
        self.receipts.push(change.receipt.clone());
        self.chains.extend(change.chain);
        self.touched.add(&change.touched);
    }

    /// What transactions would do if they came next, one after the other, at a time. Their rules are those of [`check`](Self::check), with what a
    /// simulation leaves out. Nothing changes.
    ///
    /// # Errors
    /// The place in the list, from 0, and the [`Refusal`] of the first that breaks a rule, as [`check`](Self::check) has it.
    pub fn simulate(&self, transactions: &[Simulate], time: u64) -> Result<Vec<Simulated>, (usize, Refusal)> {
        let (mut state, mut all) = (Cow::Borrowed(&self.state), Vec::with_capacity(transactions.len()));
        for (index, (place, simulate)) in (self.accepted()..).zip(transactions.iter().enumerate()) {
            let block = self.block(index, time.max(self.time()));
            let outcome = self.simulate_one(&state, &block, simulate).map_err(|refusal| (place, refusal))?;
            if place + 1 < transactions.len() {
                state.to_mut().apply(&outcome.diff);
            }
            all.push(outcome.simulated());
        }
        Ok(all)
    }

    fn simulate_one(&self, state: &State, block: &Block, simulate: &Simulate) -> Result<Outcome, Refusal> {
        let Simulate { transaction: invoke, skip_validate, only_query } = simulate;
        check_bounds(invoke)?;
        self.check_account(state, invoke)?;
        // Wallets estimate with amounts of zero: what then limits the run is the shard's own bound.
        let unlimited = bounds::MAX_VALIDATE_GAS + bounds::MAX_EXECUTE_GAS;
        let gas = if invoke.bounds.l2_gas == 0 { unlimited } else { invoke.bounds.l2_gas };
        let mode = Mode { validate: !skip_validate, only_query: *only_query, gas };
        let chain = self.chain_id();
        let hash = if *only_query { invoke.query_hash(chain) } else { invoke.hash(chain) };
        let outcome = execute::transaction(state, block, invoke, hash, mode)?;
        self.settle.check(state, &outcome.diff)?;
        self.touched.check(outcome.touched(), self.ends(&outcome))?;
        Ok(outcome)
    }

    /// Calls an entry point to read, at a time. Nothing changes.
    ///
    /// # Errors
    /// [`Refusal::UnknownContract`] if the contract isn't the shard's, [`Refusal::NoEntryPoint`] if it has no such entry point, [`Refusal::CallFailed`] if the call panics,
    /// [`Refusal::Broken`], [`Refusal::TooDeep`] or [`Refusal::Syscall`] if the machine stops it, [`Refusal::Ground`] or [`Refusal::Machine`] if this machine can't run it now.
    pub fn call(
        &self,
        contract: ContractId,
        selector: Felt,
        calldata: &[Felt],
        time: u64,
    ) -> Result<Vec<Felt>, Refusal> {
        if !self.state.is_listed(contract) {
            return Err(Refusal::UnknownContract(contract));
        }
        bounded("calldata", calldata.len(), MAX_CALLDATA_FELTS)?;
        let block = self.block(self.accepted(), time.max(self.time()));
        execute::call(&self.state, &block, contract, selector, calldata)
    }

    /// The value of a slot now; zero if it was never written or the contract isn't the shard's.
    ///
    /// # Errors
    /// [`GroundError`] if this can't be found out at the moment.
    pub fn storage_at(&self, contract: ContractId, key: Key) -> Result<Felt, GroundError> {
        self.state.storage_at(contract, key)
    }

    /// The value of a slot before the first transaction.
    ///
    /// # Errors
    /// [`GroundError`] if this can't be found out at the moment.
    pub fn first_storage_at(&self, contract: ContractId, key: Key) -> Result<Felt, GroundError> {
        self.settle.first(contract, key).map_or_else(|| self.state.first(contract, key), Ok)
    }

    /// The nonce of an account's next transaction; zero if the contract isn't the shard's.
    ///
    /// # Errors
    /// [`GroundError`] if this can't be found out at the moment.
    pub fn nonce_at(&self, contract: ContractId) -> Result<u64, GroundError> {
        self.state.nonce_at(contract)
    }

    /// The class of a contract of the shard.
    ///
    /// # Errors
    /// [`GroundError`] if this can't be found out at the moment.
    pub fn class_hash_at(&self, contract: ContractId) -> Result<Option<Felt>, GroundError> {
        self.state.class_hash_at(contract)
    }

    /// A class of the shard.
    ///
    /// # Errors
    /// [`GroundError`] if this can't be found out at the moment.
    pub fn class(&self, hash: Felt) -> Result<Option<Arc<Class>>, GroundError> {
        self.state.class(hash)
    }

    /// The receipt of the transaction at a place in the log.
    #[must_use]
    pub fn receipt(&self, index: u32) -> Option<&Arc<Receipt>> {
        self.receipts.get(usize::try_from(index).ok()?)
    }

    /// The place in the log of the transaction with this hash.
    #[must_use]
    pub fn place(&self, hash: Felt) -> Option<u32> {
        self.places.get(&hash).copied()
    }

    /// Transactions in the log.
    #[must_use]
    pub fn accepted(&self) -> u32 {
        u32::try_from(self.receipts.len()).unwrap_or(u32::MAX) // At most MAX_TRANSACTIONS.
    }

    /// Slots that its transactions have touched, listed ones included: so many its list of what was read will have.
    #[must_use]
    pub fn touched(&self) -> usize {
        self.touched.count()
    }

    /// Slots that its transactions have written to, those that settle included, and session keys that made calls. What a segment hands on has no more of them.
    #[must_use]
    pub fn written(&self) -> (usize, usize) {
        (self.state.written(), self.chains.len())
    }

    /// Whether the end event is in the log.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.receipts.last().is_some_and(|last| last.ends)
    }

    /// When the next transaction may happen at the earliest, in seconds since the Unix epoch.
    #[must_use]
    pub fn time(&self) -> u64 {
        self.receipts.last().map_or(self.start.begins, |last| last.time)
    }

    /// The values of the entries that settle, in their order.
    ///
    /// # Errors
    /// [`GroundError`] if they can't be found out at the moment.
    pub fn values(&self) -> Result<Vec<Felt>, GroundError> {
        let contract = |place: usize| self.start.contracts.get(place).map_or(Felt::ZERO, |it| it.address);
        self.start.settled().map(|entry| self.storage_at(ContractId(contract(entry.contract)), entry.key)).collect()
    }

    /// What the shard was started with.
    #[must_use]
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// The number of the first transaction's block.
    #[must_use]
    pub const fn first_block(&self) -> NonZeroU64 {
        self.first_block
    }

    /// The shard's chain id.
    #[must_use]
    pub fn chain_id(&self) -> Felt {
        tree::short(&self.chain)
    }

    /// The shard's chain id, as text.
    #[must_use]
    pub fn chain(&self) -> &str {
        &self.chain
    }

    /// Refuses what isn't an account of the shard.
    pub(crate) fn check_is_account(&self, account: ContractId) -> Result<(), Refusal> {
        let place = self.start.contract_place(account.0).and_then(|place| self.start.contracts.get(place));
        if place.is_some_and(|contract| contract.account) { Ok(()) } else { Err(Refusal::UnknownAccount(account)) }
    }

    /// The transaction's sender is an account of the shard, and this is its next nonce.
    fn check_account(&self, state: &State, invoke: &Invoke) -> Result<(), Refusal> {
        let account = invoke.sender;
        self.check_is_account(account)?;
        let expected = state.nonce_at(account)?;
        if invoke.nonce != expected {
            return Err(Refusal::Nonce { account, expected, got: invoke.nonce });
        }
        Ok(())
    }

    /// The block of the transaction at a place in the log.
    pub(crate) fn block(&self, index: u32, time: u64) -> Block {
        Block {
            chain: self.chain.to_string(),
            number: self.first_block.get().saturating_add(index.into()),
            time,
            sequencer: self.start.sequencer,
        }
    }

    fn ends(&self, outcome: &Outcome) -> bool {
        let EventId { from, selector } = self.start.end_event;
        outcome.events.iter().any(|event| event.from == from && event.keys.first() == Some(&selector.0))
    }
}
