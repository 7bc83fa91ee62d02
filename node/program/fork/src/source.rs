//! Who is asked.
//!
//! A network may be known by several nodes. They are asked in turn, each until it can't answer, or says that something isn't there; what is told in the end is why the first one couldn't. Before it is asked for
//! anything else, a node is asked which network it is of and whether it has the block, once.

use crate::{ForkError, PinError, Pinned, Question, Wanted};
use rand_chacha::ChaCha8Rng;
use serde_json::{json, value::RawValue};
use shardwire_model::{Felt, ForkId};
use shardwire_starknet::{MAX_BATCH, Question as Asked, Rpc, RpcError};
use shardwire_transport::Backoff;
use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

/// How often a node is asked a question before it has no answer.
pub const ATTEMPTS: usize = 3;
/// The waits between.
const WAITS: Backoff = Backoff::between(Duration::from_millis(250), Duration::from_secs(2));
/// How long the answers to a hundred questions may take, whichever nodes are asked: others wait for the transaction that asks.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Starknet's codes for what isn't there.
const NO_CONTRACT: i64 = 20;
const NO_BLOCK: i64 = 24;
const NO_CLASS: i64 = 28;

/// Answers questions about the state at one block. It may take as long as a network does.
pub trait Source: Send + Sync + fmt::Debug {
    /// The answers, in the questions' order; none to a question about what isn't there.
    ///
    /// # Errors
    /// [`ForkError`] if there is no answer to one of them at the moment.
    fn ask(&self, questions: &[Question]) -> Result<Vec<Option<Felt>>, ForkError>;

    /// What each of those says who can be asked, with its name, the first one first. What one says isn't there is no answer of another.
    ///
    /// # Errors
    /// [`ForkError`] if one of them has no answer at the moment.
    fn ask_each(&self, question: Question) -> Result<Vec<(String, Option<Felt>)>, ForkError>;

    /// The JSON of a declared class, if there is one of this hash.
    ///
    /// # Errors
    /// [`ForkError`] if there is no answer at the moment.
    fn class(&self, hash: Felt) -> Result<Option<Vec<u8>>, ForkError>;
}

/// The nodes of a network, asked about one block.
#[derive(Debug)]
pub struct Network {
    nodes: Arc<Nodes>,
    runtime: Handle,
}

#[derive(Debug)]
struct Nodes {
    fork: ForkId,
    nodes: Vec<Node>,
    randomness: Mutex<ChaCha8Rng>,
}

#[derive(Debug)]
struct Node {
    rpc: Rpc,
    /// The block, once this node was found to have it.
    pinned: OnceLock<Pinned>,
}

impl Network {
    /// Asks these nodes about this block, the first one first. Answers are awaited on `runtime`.
    #[must_use]
    pub fn new(fork: ForkId, nodes: impl IntoIterator<Item = Rpc>, runtime: Handle, randomness: ChaCha8Rng) -> Self {
        let nodes = nodes.into_iter().map(|rpc| Node { rpc, pinned: OnceLock::new() }).collect();
        Self { nodes: Arc::new(Nodes { fork, nodes, randomness: Mutex::new(randomness) }), runtime }
    }

    /// Has the nodes asked on the runtime, and waits here. This belongs on a thread that may wait: on one of the runtime's own, the asking may be behind the waiting, and then there is no answer.
    fn asked<T: Send + 'static, F: Future<Output = Result<T, ForkError>> + Send>(
        &self,
        ask: impl FnOnce(Arc<Nodes>) -> F + Send + 'static,
    ) -> Result<T, ForkError> {
        if self.nodes.nodes.is_empty() {
            return Err(ForkError::Nobody);
        }
        let (nodes, (tell, told)) = (self.nodes.clone(), mpsc::sync_channel(1));
        self.runtime.spawn(async move {
            let host = nodes.nodes.first().map(|it| it.rpc.host()).unwrap_or_default();
            let answer = timeout(PATIENCE, ask(nodes)).await.unwrap_or(Err(ForkError::Late { host }));
            // Who asked waits for it.
            let _ = tell.send(answer);
        });
        told.recv_timeout(PATIENCE * 2).unwrap_or(Err(ForkError::Stopped))
    }
}

impl Source for Network {
    fn ask(&self, questions: &[Question]) -> Result<Vec<Option<Felt>>, ForkError> {
        let mut answers = Vec::with_capacity(questions.len());
        for some in questions.chunks(MAX_BATCH) {
            let some = some.to_vec();
            answers.extend(self.asked(|nodes| async move { nodes.values(&some).await })?);
        }
        Ok(answers)
    }

    fn ask_each(&self, question: Question) -> Result<Vec<(String, Option<Felt>)>, ForkError> {
        self.asked(move |nodes| async move { nodes.each(question).await })
    }

    fn class(&self, hash: Felt) -> Result<Option<Vec<u8>>, ForkError> {
        self.asked(move |nodes| async move { nodes.class(hash).await })
    }
}

type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, RpcError>> + Send + 'a>>;

/// Something that a node is asked, when it is known to have the block.
trait Ask<T>: Send + Sync + 'static {
    fn of<'a>(&'a self, node: &'a Node, pinned: &'a Pinned) -> Asking<'a, T>;
}

/// Questions with one value each.
struct Values(Vec<Question>);

/// A class, by its hash.
struct Class(Felt);

impl Ask<Vec<Option<Felt>>> for Values {
    fn of<'a>(&'a self, node: &'a Node, pinned: &'a Pinned) -> Asking<'a, Vec<Option<Felt>>> {
        Box::pin(node.values(&self.0, pinned))
    }
}

impl Ask<Option<Vec<u8>>> for Class {
    fn of<'a>(&'a self, node: &'a Node, pinned: &'a Pinned) -> Asking<'a, Option<Vec<u8>>> {
        let params = json!({ "class_hash": self.0, "block_id": { "block_hash": pinned.hash } });
        Box::pin(async move {
            // As it was written: an object in it, written in another order, would be another class.
            match node.rpc.ask::<Box<RawValue>>("starknet_getClass", params).await {
                Ok(class) => Ok(Some(class.get().as_bytes().to_vec())),
                Err(error) if error.refusal() == Some(NO_CLASS) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }
}

impl Nodes {
    /// The values. What one node says isn't there, the next one is asked for: it may have what the first one has dropped.
    async fn values(&self, questions: &[Question]) -> Result<Vec<Option<Felt>>, ForkError> {
        let mut told: Vec<Option<Felt>> = vec![None; questions.len()];
        let (mut has_answered, mut first) = (false, None);
        for node in &self.nodes {
            let open = told.iter_mut().zip(questions).filter(|(told, _)| told.is_none());
            let (places, asked): (Vec<&mut Option<Felt>>, Vec<Question>) = open.unzip();
            if asked.is_empty() {
                break;
            }
            match self.persevere(node, &Values(asked)).await {
                Ok(answers) => {
                    has_answered = true;
                    places.into_iter().zip(answers).for_each(|(place, answer)| *place = answer);
                }
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        if has_answered { Ok(told) } else { Err(first.unwrap_or(ForkError::Nobody)) }
    }

    /// The class, of the first node that has it.
    async fn class(&self, hash: Felt) -> Result<Option<Vec<u8>>, ForkError> {
        let (mut has_answered, mut first) = (false, None);
        for node in &self.nodes {
            match self.persevere(node, &Class(hash)).await {
                Ok(Some(class)) => return Ok(Some(class)),
                Ok(None) => has_answered = true,
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        if has_answered { Ok(None) } else { Err(first.unwrap_or(ForkError::Nobody)) }
    }

    /// What each node says.
    async fn each(&self, question: Question) -> Result<Vec<(String, Option<Felt>)>, ForkError> {
        let mut told = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let answers = self.persevere(node, &Values(vec![question])).await?;
            told.push((node.rpc.host(), answers.into_iter().next().flatten()));
        }
        if told.is_empty() { Err(ForkError::Nobody) } else { Ok(told) }
    }

    async fn persevere<T>(&self, node: &Node, about: &impl Ask<T>) -> Result<T, ForkError> {
        let mut waits = WAITS.start(&mut *self.randomness.lock().unwrap_or_else(PoisonError::into_inner));
        let mut attempt = 1;
        loop {
            let answer = match node.pin(&self.fork).await {
                Ok(pinned) => about.of(node, pinned).await.map_err(ForkError::from),
                Err(error) => Err(error),
            };
            match answer {
                Ok(answer) => return Ok(answer),
                Err(ForkError::Rpc(error) | ForkError::Pin(PinError::Rpc(error)))
                    if error.refusal() == Some(NO_BLOCK) =>
                {
                    return Err(ForkError::Gone { host: node.rpc.host(), hash: self.fork.hash });
                }
                Err(ForkError::Rpc(error) | ForkError::Pin(PinError::Rpc(error)))
                    if error.is_passing() && attempt < ATTEMPTS =>
                {
                    sleep(waits.after_failure()).await;
                }
                Err(error) => return Err(error),
            }
            attempt += 1;
        }
    }
}

impl Node {
    /// The block, if this node is one of the network and has it.
    async fn pin(&self, fork: &ForkId) -> Result<&Pinned, ForkError> {
        if let Some(pinned) = self.pinned.get() {
            return Ok(pinned);
        }
        // Of another network it wouldn't know the block, which is the less helpful word.
        let (host, got) = (self.rpc.host(), self.rpc.chain_id().await?);
        if got != fork.chain {
            return Err(ForkError::Chain { host, wanted: fork.chain, got });
        }
        let pinned = Pinned::find(&self.rpc, Wanted::Hash(fork.hash)).await?;
        if pinned.number != fork.number {
            return Err(ForkError::Number { host, hash: fork.hash, wanted: fork.number, got: pinned.number });
        }
        Ok(self.pinned.get_or_init(|| pinned))
    }

    async fn values(&self, questions: &[Question], pinned: &Pinned) -> Result<Vec<Option<Felt>>, RpcError> {
        let asked: Vec<Asked> = questions.iter().filter_map(|question| asked(*question, pinned.hash)).collect();
        let told = if asked.len() > 1 { self.rpc.ask_all::<Told>(&asked).await } else { Ok(Vec::new()) };
        let mut told = match told {
            Ok(told) if !told.is_empty() => told.into_iter().map(|Told(value)| Some(value)).collect(),
            // A node that takes no batch refuses it whole, and so is one in which something isn't there.
            Ok(_) | Err(RpcError::Refused { .. } | RpcError::Answer { .. }) => {
                let mut told = Vec::with_capacity(asked.len());
                for question in asked {
                    told.push(self.value(question).await?);
                }
                told
            }
            Err(error) => return Err(error),
        }
        .into_iter();
        let answer = |question: &Question| match question {
            Question::Time => Some(pinned.time.into()),
            _ => told.next().flatten(),
        };
        Ok(questions.iter().map(answer).collect())
    }

    async fn value(&self, Asked { method, params }: Asked) -> Result<Option<Felt>, RpcError> {
        match self.rpc.ask(method, params).await {
            Ok(Told(value)) => Ok(Some(value)),
            Err(error) if error.refusal() == Some(NO_CONTRACT) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// How a node is asked; none for what is known with the block.
fn asked(question: Question, block: Felt) -> Option<Asked> {
    let block_id = json!({ "block_hash": block });
    let (method, params) = match question {
        Question::Time => return None,
        Question::Storage(contract, key) => {
            ("starknet_getStorageAt", json!({ "contract_address": contract, "key": key, "block_id": block_id }))
        }
        Question::Nonce(contract) => {
            ("starknet_getNonce", json!({ "contract_address": contract, "block_id": block_id }))
        }
        Question::ClassHash(contract) => {
            ("starknet_getClassHashAt", json!({ "contract_address": contract, "block_id": block_id }))
        }
    };
    Some(Asked { method, params })
}

/// A felt, as nodes write it.
#[derive(serde::Deserialize)]
struct Told(#[serde(with = "shardwire_model::felt::wire")] Felt);

#[cfg(test)]
pub(crate) mod tests;
