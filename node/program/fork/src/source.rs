//! Who is asked.

use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use shardwire_model::{ContractId, Felt, Key};
use shardwire_native::GroundError;
use shardwire_starknet::{Rpc, RpcError};
use shardwire_transport::Backoff;
use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{runtime::Handle, time::sleep};

/// How often a question is asked before it has no answer.
pub const ATTEMPTS: usize = 3;
/// The waits between.
const WAITS: Backoff = Backoff::between(Duration::from_millis(250), Duration::from_secs(2));

/// Starknet's codes for what isn't there.
const NO_CONTRACT: i64 = 20;
const NO_BLOCK: i64 = 24;
const NO_CLASS: i64 = 28;

/// What is asked of the state at a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// The value of a slot.
    Storage(ContractId, Key),
    /// The nonce of a contract.
    Nonce(ContractId),
    /// The class of a contract.
    ClassHash(ContractId),
    /// A declared class, by its hash.
    Class(Felt),
}

impl Question {
    /// What stands for it in a store: the block, a number for its kind, its operands.
    pub(crate) fn bytes(self, block: Felt) -> Vec<u8> {
        let (kind, operands) = match self {
            Self::Storage(contract, key) => (0, vec![contract.0, key.0]),
            Self::Nonce(contract) => (1, vec![contract.0]),
            Self::ClassHash(contract) => (2, vec![contract.0]),
            Self::Class(hash) => (3, vec![hash]),
        };
        let operands = operands.iter().flat_map(|it| it.to_bytes_be());
        block.to_bytes_be().into_iter().chain([kind]).chain(operands).collect()
    }
}

/// Answers questions about the state at one block. It may take as long as a network does.
pub trait Source: Send + Sync + fmt::Debug {
    /// The answer: 32 bytes of a value, the JSON of a class, or `None` if there is no such thing.
    ///
    /// # Errors
    /// [`GroundError`] if there is no answer at the moment.
    fn ask(&self, question: Question) -> Result<Option<Vec<u8>>, GroundError>;
}

/// A node of the network.
#[derive(Debug)]
pub struct Network {
    rpc: Rpc,
    /// The block's hash.
    block: Felt,
    runtime: Handle,
    randomness: Mutex<ChaCha8Rng>,
}

impl Network {
    /// Asks this node about the state at the block with this hash. Its answers are awaited on `runtime`, by threads that aren't the runtime's own.
    #[must_use]
    pub const fn new(rpc: Rpc, block: Felt, runtime: Handle, randomness: ChaCha8Rng) -> Self {
        Self { rpc, block, runtime, randomness: Mutex::new(randomness) }
    }

    async fn answer(&self, question: Question) -> Result<Option<Vec<u8>>, RpcError> {
        let block_id = json!({ "block_hash": self.block });
        let (method, params) = match question {
            Question::Storage(contract_address, key) => (
                "starknet_getStorageAt",
                json!({ "contract_address": contract_address, "key": key, "block_id": block_id }),
            ),
            Question::Nonce(contract) => {
                ("starknet_getNonce", json!({ "contract_address": contract, "block_id": block_id }))
            }
            Question::ClassHash(contract) => {
                ("starknet_getClassHashAt", json!({ "contract_address": contract, "block_id": block_id }))
            }
            Question::Class(hash) => {
                let class: Value =
                    self.rpc.ask("starknet_getClass", json!({ "class_hash": hash, "block_id": block_id })).await?;
                return Ok(Some(class.to_string().into_bytes()));
            }
        };
        let Answered(value) = self.rpc.ask(method, params).await?;
        Ok(Some(value.to_bytes_be().to_vec()))
    }

    async fn persevere(&self, question: Question) -> Result<Option<Vec<u8>>, GroundError> {
        let mut waits = WAITS.start(&mut *self.randomness.lock().unwrap_or_else(PoisonError::into_inner));
        let mut attempt = 1;
        loop {
            match self.answer(question).await {
                Ok(answer) => return Ok(answer),
                Err(error) if matches!(error.refusal(), Some(NO_CONTRACT | NO_CLASS)) => return Ok(None),
                Err(error) if error.refusal() == Some(NO_BLOCK) => {
                    let (host, block) = (self.rpc.host(), self.block);
                    return Err(GroundError(format!("{host} doesn't know block {block:#x} (any more)")));
                }
                Err(error) if error.is_passing() && attempt < ATTEMPTS => sleep(waits.after_failure()).await,
                Err(error) => return Err(GroundError(error.to_string())),
            }
            attempt += 1;
        }
    }
}

/// A felt, as nodes write it.
#[derive(serde::Deserialize)]
struct Answered(#[serde(with = "shardwire_model::felt::wire")] Felt);

impl Source for Network {
    fn ask(&self, question: Question) -> Result<Option<Vec<u8>>, GroundError> {
        self.runtime.block_on(self.persevere(question))
    }
}
