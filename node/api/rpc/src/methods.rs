//! What each of Starknet's methods answers.

use crate::{
    Version,
    answer::{self, Form, Shardwire},
    block::{BlockId, Place, View},
    bounds,
    chain::{Chain, RefusalKind, Session},
    envelope::Called,
    error::RpcError,
    events::{self, Filter, PageBounds, Token},
    journal::{Counted, Entry, Held},
    params,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use shardwire_model::{
    ContractId, Felt, Key,
    execution::{Simulate, Simulated, Status},
};
use std::sync::Arc;
use tokio::{sync::Semaphore, task::spawn_blocking};

/// Submits a session call.
pub(crate) const ADD_SESSION_CALL: &str = "shardwire_addSessionCall";
/// How far a session key's chain is here.
pub(crate) const SESSION_LINK: &str = "shardwire_sessionLink";

/// A shard as one caller sees it.
pub(crate) struct Endpoint {
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) version: Version,
    /// Places for what takes a thread: this caller's, then everybody's.
    pub(crate) executions: [Arc<Semaphore>; 2],
}

impl Endpoint {
    /// The result of a call.
    ///
    /// # Errors
    /// [`RpcError`]: Starknet's own, or that a shard doesn't do this.
    pub(crate) async fn result(&self, called: &Called<'_>) -> Result<Box<RawValue>, RpcError> {
        let (method, params) = (&*called.method, called.params);
        match method {
            ADD_SESSION_CALL => return self.add_session_call(params::read(method, params)?).await,
            SESSION_LINK => return self.session_link(params::read(method, params)?).await,
            _ => {}
        }
        let Some(name) = method.strip_prefix("starknet_") else { return Err(RpcError::NoMethod(cut(method))) };
        match name {
            "specVersion" => json(&self.version.specification()),
            "chainId" => json(&self.chain.chain_id()),
            "syncing" => json(&false),
            "blockNumber" => json(&self.number()),
            "blockHashAndNumber" => self.hash_and_number(),
            "getBlockWithTxHashes" => self.block(params::read(method, params)?, Form::Hashes).await,
            "getBlockWithTxs" => self.block(params::read(method, params)?, Form::Whole).await,
            "getBlockWithReceipts" => self.block(params::read(method, params)?, Form::Receipts).await,
            "getBlockTransactionCount" => self.count(params::read(method, params)?),
            "getStateUpdate" => self.state_update(params::read(method, params)?).await,
            "getTransactionByHash" => self.transaction(params::read(method, params)?).await,
            "getTransactionByBlockIdAndIndex" => self.transaction_at(params::read(method, params)?).await,
            "getTransactionReceipt" => self.receipt(params::read(method, params)?).await,
            "getTransactionStatus" => self.status(&params::read(method, params)?),
            "traceTransaction" => self.trace(params::read(method, params)?).await,
            "getEvents" => self.events(method, params::read::<params::Events>(method, params)?.filter).await,
            "getNonce" => self.nonce(params::read(method, params)?).await,
            "getStorageAt" => self.storage(params::read(method, params)?).await,
            "getClassHashAt" => self.class_hash(params::read(method, params)?).await,
            "getClassAt" => self.class_at(params::read(method, params)?).await,
            "getClass" => self.class(params::read(method, params)?).await,
            "call" => self.call(params::read(method, params)?).await,
            "estimateFee" => self.estimate(method, params::read(method, params)?).await,
            "simulateTransactions" => self.simulate(method, params::read(method, params)?).await,
            "addInvokeTransaction" => self.add_invoke(method, &params::read(method, params)?).await,
            _ => match not_here(name) {
                Some(why) => Err(RpcError::NotHere { method: method.into(), why }),
                None => Err(RpcError::NoMethod(cut(method))),
            },
        }
    }

    fn view(&self) -> View<'_> {
        View::new(self.chain.journal(), self.chain.stage())
    }

    fn number(&self) -> u64 {
        let view = self.view();
        view.journal.number(view.height)
    }

    fn hash_and_number(&self) -> Result<Box<RawValue>, RpcError> {
        #[derive(Serialize)]
        struct Answer {
            block_hash: Felt,
            block_number: u64,
        }
        let view = self.view();
        let block_hash = view.journal.block_hash(view.height).unwrap_or_default();
        json(&Answer { block_hash, block_number: view.journal.number(view.height) })
    }

    async fn block(&self, asked: params::Block, form: Form) -> Result<Box<RawValue>, RpcError> {
        let view = self.view();
        let height = match view.place(asked.block_id)? {
            Place::Block(height) => height,
            Place::PreConfirmed => return json(&answer::pre_confirmed(view)),
        };
        let entry = if form == Form::Hashes { None } else { view.entry_of(height) };
        let (version, proof_facts) = (self.version, proof_facts(&asked.response_flags));
        self.written(view, entry.as_deref(), move |view| answer::block(view, version, height, form, proof_facts)).await
    }

    fn count(&self, asked: params::Block) -> Result<Box<RawValue>, RpcError> {
        json(&match self.view().place(asked.block_id)? {
            Place::Block(height) => transactions(height),
            Place::PreConfirmed => 0,
        })
    }

    async fn state_update(&self, asked: params::StateUpdate) -> Result<Box<RawValue>, RpcError> {
        let view = self.view();
        let height = match view.place(asked.block_id)? {
            Place::Block(height) => Some(height),
            Place::PreConfirmed => None,
        };
        let (version, entry) = (self.version, height.and_then(|height| view.entry_of(height)));
        self.written(view, entry.as_deref(), move |view| {
            answer::state_update(view, version, height, asked.contract_addresses.as_deref())
        })
        .await
    }

    async fn transaction(&self, asked: params::Transaction) -> Result<Box<RawValue>, RpcError> {
        let view = self.view();
        let (_, entry) = view.transaction(asked.transaction_hash.0)?;
        self.sent(view, entry, &asked.response_flags).await
    }

    /// The answer with a transaction.
    async fn sent(
        &self,
        view: View<'_>,
        entry: Arc<Entry>,
        flags: &[params::TransactionFlag],
    ) -> Result<Box<RawValue>, RpcError> {
        let (sent, proof_facts) = (entry.clone(), proof_facts(flags));
        self.written(view, Some(&entry), move |_| answer::Transaction::new(&sent, true, proof_facts)).await
    }

    async fn transaction_at(&self, asked: params::BlockIndex) -> Result<Box<RawValue>, RpcError> {
        let view = self.view();
        let (height, entry) = match view.place(asked.block_id)? {
            Place::Block(height) => (height, view.entry_of(height)),
            Place::PreConfirmed => (view.height.saturating_add(1), None),
        };
        match entry {
            Some(entry) if asked.index == 0 => self.sent(view, entry, &asked.response_flags).await,
            entry => {
                let count = entry.map_or(0, |_| 1);
                Err(RpcError::NoIndex { number: view.journal.number(height), count })
            }
        }
    }

    async fn receipt(&self, asked: params::Transaction) -> Result<Box<RawValue>, RpcError> {
        let view = self.view();
        let (place, entry) = view.transaction(asked.transaction_hash.0)?;
        let received = entry.clone();
        self.written(view, Some(&entry), move |view| answer::receipt(view, place, &received)).await
    }

    fn status(&self, asked: &params::Transaction) -> Result<Box<RawValue>, RpcError> {
        let view = self.view();
        let (_, entry) = view.transaction(asked.transaction_hash.0)?;
        json(&answer::status(view, &entry))
    }

    async fn trace(&self, asked: params::Transaction) -> Result<Box<RawValue>, RpcError> {
        let hash = asked.transaction_hash.0;
        let (place, entry) = self.view().transaction(hash)?;
        let version = self.version;
        self.blocking(move |chain| {
            let traced = chain.trace(place).ok_or(RpcError::NoTrace(hash))?;
            json(&answer::trace(version, traced, entry.uses_nonce()))
        })
        .await?
    }

    async fn events(&self, method: &str, asked: params::Filter) -> Result<Box<RawValue>, RpcError> {
        let params = |reason: &str| RpcError::Params { method: method.into(), reason: reason.into() };
        if asked.chunk_size == 0 {
            return Err(params("chunk_size is at least 1"));
        }
        let addresses = match asked.address {
            None => Vec::new(),
            Some(params::Address::One(address)) => vec![address],
            Some(params::Address::Several(addresses)) => match self.version.since_0_10(addresses) {
                Some(addresses) => addresses,
                None => return Err(params("several addresses are for version 0.10")),
            },
        };
        let keys = asked.keys.unwrap_or_default();
        if keys.iter().map(|keys| keys.0.len()).sum::<usize>() > bounds::MAX_FILTER_KEYS
            || keys.len() > bounds::MAX_FILTER_KEYS
        {
            return Err(RpcError::FilterKeys);
        }
        let filter = Filter {
            from: asked.from_block,
            to: asked.to_block,
            addresses: addresses.into_iter().collect(),
            keys: keys.into_iter().map(|keys| keys.0.into_iter().map(|key| key.0).collect()).collect(),
        };
        let token = asked.continuation_token.as_deref().map(Token::read).transpose()?;
        let (limits, version) = (PageBounds::of(asked.chunk_size)?, self.version);
        // Some thousand events, or transactions without one, take a while.
        self.blocking(move |chain| {
            let view = View::new(chain.journal(), chain.stage());
            let (found, next) = events::page(view, &filter, token, limits)?;
            json(&answer::chunk(view, version, &found, next.map(Token::to_text)))
        })
        .await?
    }

    async fn nonce(&self, asked: params::ContractAt) -> Result<Box<RawValue>, RpcError> {
        let view = self.view();
        let contract = asked.contract_address;
        match view.journal.nonce(contract, view.height_at(asked.block_id)?) {
            Counted::Nonce(nonce) => json(&answer::number(nonce)),
            Counted::First => {
                self.class_of(contract).await?;
                let nonce = self.blocking(move |chain| chain.nonce(contract)).await?;
                json(&nonce.map_err(RpcError::Read)?)
            }
        }
    }

    async fn storage(&self, asked: params::Slot) -> Result<Box<RawValue>, RpcError> {
        #[derive(Serialize)]
        struct WithBlock {
            value: Felt,
            last_update_block: u64,
        }
        let params::Slot { contract_address: contract, key, block_id, response_flags } = asked;
        let view = self.view();
        let (value, last_update_block) = match view.journal.value(contract, key, view.height_at(block_id)?) {
            Held::Written(place, value) => (value, view.journal.number(place.saturating_add(1))),
            Held::First => self.first(contract, key).await?,
        };
        if response_flags.contains(&params::StorageFlag::IncludeLastUpdateBlock) {
            json(&WithBlock { value, last_update_block })
        } else {
            json(&value)
        }
    }

    /// What a slot held before the first transaction, and the block since which that is known: the first; 0 if there is nothing in it.
    async fn first(&self, contract: ContractId, key: Key) -> Result<(Felt, u64), RpcError> {
        self.class_of(contract).await?;
        let value = self.blocking(move |chain| chain.first_storage(contract, key)).await?.map_err(RpcError::Read)?;
        let block = if value == Felt::ZERO { 0 } else { self.chain.journal().number(0) };
        Ok((value, block))
    }

    async fn class_hash(&self, asked: params::ContractAt) -> Result<Box<RawValue>, RpcError> {
        self.view().place(asked.block_id)?;
        json(&self.class_of(asked.contract_address).await?)
    }

    async fn class_at(&self, asked: params::ContractAt) -> Result<Box<RawValue>, RpcError> {
        self.view().place(asked.block_id)?;
        let hash = self.class_of(asked.contract_address).await?;
        self.class_with(hash).await
    }

    async fn class(&self, asked: params::ClassOf) -> Result<Box<RawValue>, RpcError> {
        self.view().place(asked.block_id)?;
        self.class_with(asked.class_hash.0).await
    }

    async fn class_of(&self, contract: ContractId) -> Result<Felt, RpcError> {
        let hash = self.blocking(move |chain| chain.class_hash(contract)).await?.map_err(RpcError::Read)?;
        hash.ok_or(RpcError::NoContract(contract))
    }

    async fn class_with(&self, hash: Felt) -> Result<Box<RawValue>, RpcError> {
        self.blocking(move |chain| {
            let class = chain.class(hash).map_err(RpcError::Read)?.ok_or(RpcError::NoClass(hash))?;
            json(&answer::ContractClass::from(&*class))
        })
        .await?
    }

    async fn call(&self, asked: params::Calling) -> Result<Box<RawValue>, RpcError> {
        let at = self.view().state_at(asked.block_id)?;
        let call = asked.request.into();
        self.blocking(move |chain| json(&chain.call(&call, at).map_err(RpcError::Read)?)).await?
    }

    async fn estimate(&self, method: &str, asked: params::Estimate<'_>) -> Result<Box<RawValue>, RpcError> {
        let params::Estimate { request, simulation_flags, block_id } = asked;
        self.simulated(method, &request, &simulation_flags, block_id, |simulated| {
            let estimates = simulated.into_iter().enumerate().map(|(place, simulated)| match simulated.status {
                Status::Succeeded => Ok(answer::estimate(simulated.gas.total())),
                Status::Reverted { reason } => {
                    Err(RpcError::Simulate { place, reason: Box::new(RpcError::Reverted(reason)) })
                }
            });
            json(&estimates.collect::<Result<Vec<_>, _>>()?)
        })
        .await
    }

    async fn simulate(&self, method: &str, asked: params::Simulation<'_>) -> Result<Box<RawValue>, RpcError> {
        let params::Simulation { block_id, transactions, simulation_flags } = asked;
        let version = self.version;
        self.simulated(method, &transactions, &simulation_flags, block_id, move |simulated| {
            let answers = simulated.into_iter().map(|simulated| answer::simulation(version, simulated));
            json(&answers.collect::<Vec<_>>())
        })
        .await
    }

    /// Simulates transactions, and writes the answer where they ran: it has all of their calls.
    async fn simulated(
        &self,
        method: &str,
        transactions: &[&RawValue],
        flags: &[params::SimulationFlag],
        block: BlockId,
        answer: impl FnOnce(Vec<Simulated>) -> Result<Box<RawValue>, RpcError> + Send + 'static,
    ) -> Result<Box<RawValue>, RpcError> {
        let at = self.view().state_at(block)?;
        let skip_validate = flags.contains(&params::SimulationFlag::SkipValidate);
        let mut read = Vec::new();
        for (place, transaction) in transactions.iter().enumerate() {
            let params::Broadcast { invoke, only_query } =
                params::broadcast(method, transaction).map_err(|error| match error {
                    error @ RpcError::Params { .. } => error,
                    error => RpcError::Simulate { place, reason: Box::new(error) },
                })?;
            read.push(Simulate { transaction: invoke, skip_validate, only_query });
        }
        let refused = |(place, refusal)| RpcError::Simulate { place, reason: Box::new(RpcError::Submit(refusal)) };
        self.blocking(move |chain| answer(chain.simulate(&read, at).map_err(refused)?)).await?
    }

    async fn add_invoke(&self, method: &str, asked: &params::AddInvoke<'_>) -> Result<Box<RawValue>, RpcError> {
        let params::Broadcast { invoke, only_query } = params::broadcast(method, asked.invoke_transaction)?;
        if only_query {
            return Err(RpcError::TransactionVersion("a query of version 3, which is for estimates".into()));
        }
        let accepted = self.chain.submit(invoke.into()).await.map_err(RpcError::Submit)?;
        self.added(accepted.hash, &accepted.signed)
    }

    async fn add_session_call(&self, asked: params::AddSessionCall) -> Result<Box<RawValue>, RpcError> {
        let call = asked.session_call;
        match self.chain.submit(call.clone().into()).await {
            Ok(accepted) => self.added(accepted.hash, &accepted.signed),
            // Who lost the answer gets it again: the receipt says that it is a duplicate.
            Err(refusal) if refusal.kind() == RefusalKind::Duplicate => self.added(call.link(), refusal.signed()),
            Err(refusal) => Err(RpcError::Submit(refusal)),
        }
    }

    /// The answer for a transaction that is in the log.
    fn added(&self, transaction_hash: Felt, signed: &[u8]) -> Result<Box<RawValue>, RpcError> {
        #[derive(Serialize)]
        struct Answer {
            transaction_hash: Felt,
            shardwire: Shardwire,
        }
        json(&Answer { transaction_hash, shardwire: Shardwire::with(self.view(), signed) })
    }

    async fn session_link(&self, asked: params::SessionLink) -> Result<Box<RawValue>, RpcError> {
        #[derive(Serialize)]
        struct Answer {
            sessions: ContractId,
            link: Felt,
            calls: u64,
            shardwire: Shardwire,
        }
        let key = asked.session_key.0;
        let session = self.blocking(move |chain| chain.session(key)).await?;
        let Session { keeper: sessions, link, calls } = session.map_err(RpcError::Read)?;
        json(&Answer { sessions, link, calls, shardwire: Shardwire::of(self.view()) })
    }

    /// Writes an answer about a transaction: a long one on a thread that may wait.
    async fn written<T: Serialize>(
        &self,
        view: View<'_>,
        entry: Option<&Entry>,
        answer: impl FnOnce(View<'_>) -> T + Send + 'static,
    ) -> Result<Box<RawValue>, RpcError> {
        if entry.is_none_or(|entry| entry.felts() <= bounds::MAX_SHORT_FELTS) {
            return json(&answer(view));
        }
        let View { height, stage, .. } = view;
        self.blocking(move |chain| json(&answer(View { journal: chain.journal(), height, stage }))).await?
    }

    /// Asks the shard on a thread that may wait. Once begun it ends, and keeps its place until then, even if nobody waits for it.
    async fn blocking<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Chain) -> T + Send + 'static,
    ) -> Result<T, RpcError> {
        let failed = |why: String| RpcError::Internal(why);
        let mut places = Vec::new();
        for executions in &self.executions {
            places.push(executions.clone().acquire_owned().await.map_err(|error| failed(error.to_string()))?);
        }
        let chain = self.chain.clone();
        let asked = spawn_blocking(move || {
            let answer = ask(&*chain);
            drop(places);
            answer
        });
        asked.await.map_err(|error| failed(if error.is_panic() { "it panicked".into() } else { error.to_string() }))
    }
}

/// How many calls a call counts.
pub(crate) fn cost(method: &str) -> u32 {
    match method.strip_prefix("starknet_") {
        Some(
            "call"
            | "estimateFee"
            | "simulateTransactions"
            | "addInvokeTransaction"
            | "getClass"
            | "getClassAt"
            | "traceTransaction",
        ) => bounds::EXECUTION_CALLS,
        None if method == ADD_SESSION_CALL => bounds::EXECUTION_CALLS,
        _ => 1,
    }
}

/// Whether a call does something, so that it also has a sense as a notification.
pub(crate) fn acts(method: &str) -> bool {
    matches!(method, "starknet_addInvokeTransaction" | ADD_SESSION_CALL)
}

/// Why a method of Starknet's isn't served.
fn not_here(name: &str) -> Option<&'static str> {
    Some(match name {
        "addDeclareTransaction" => "its classes are those that it was started with",
        "addDeployAccountTransaction" => "its accounts are those that it was started with",
        "estimateMessageFee" | "getMessagesStatus" => "it has no messages from L1",
        "getStorageProof" => "it keeps no tries; its proof is made when it has ended",
        "traceBlockTransactions" => "each block has one transaction: ask for its trace",
        "getCompiledCasm" => "compile the class of starknet_getClass",
        _ => return None,
    })
}

/// How many transactions the block at a height has.
fn transactions(height: u32) -> u64 {
    if height == 0 { 0 } else { 1 }
}

fn proof_facts(flags: &[params::TransactionFlag]) -> bool {
    flags.contains(&params::TransactionFlag::IncludeProofFacts)
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

fn json(value: &impl Serialize) -> Result<Box<RawValue>, RpcError> {
    to_raw_value(value).map_err(|error| RpcError::Internal(error.to_string()))
}
