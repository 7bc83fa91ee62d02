//! The state at a block, and what is kept of it.

use crate::{Answers, Question, Source};
use shardwire_model::{ContractId, Felt, Key};
use shardwire_native::{Class, ClassError, Ground, GroundError};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Answers that one shard keeps. As many as a genesis file has slots; a shard that reads more is no game.
pub const MAX_ANSWERS: usize = 1 << 18;

type Compile = dyn Fn(&[u8]) -> Result<Class, ClassError> + Send + Sync;

/// The state of a network at a block.
pub struct Fork {
    /// The block's hash: of another block, other answers are kept.
    block: Felt,
    source: Box<dyn Source>,
    answers: Box<dyn Answers>,
    compile: Box<Compile>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    values: HashMap<Question, Option<Felt>>,
    classes: HashMap<Felt, Option<Arc<Class>>>,
}

impl fmt::Debug for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fork").field("block", &self.block).field("source", &self.source).finish_non_exhaustive()
    }
}

impl Fork {
    /// The state at the block with this hash. `compile` makes a class of the JSON that the network has of it.
    #[must_use]
    pub fn new(
        block: Felt,
        source: impl Source + 'static,
        answers: impl Answers + 'static,
        compile: impl Fn(&[u8]) -> Result<Class, ClassError> + Send + Sync + 'static,
    ) -> Self {
        let (source, answers) = (Box::new(source), Box::new(answers));
        Self { block, source, answers, compile: Box::new(compile), known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was kept, or what the network says, which is kept first: nothing that a run has used is ever another.
    fn answer(&self, question: Question) -> Result<Option<Vec<u8>>, GroundError> {
        let bytes = question.bytes(self.block);
        let kept = self.answers.get(&bytes).map_err(GroundError)?;
        if let Some(kept) = kept {
            return unpack(&kept);
        }
        let known = self.known();
        if known.values.len() + known.classes.len() >= MAX_ANSWERS {
            return Err(GroundError(format!("the shard has read {MAX_ANSWERS} values of it, the most there may be")));
        }
        drop(known);
        let answer = self.source.ask(question)?;
        self.answers.keep(&bytes, &pack(answer.as_deref())).map_err(GroundError)?;
        Ok(answer)
    }

    fn value(&self, question: Question) -> Result<Option<Felt>, GroundError> {
        if let Some(value) = self.known().values.get(&question) {
            return Ok(*value);
        }
        let answer = self.answer(question)?;
        let felt = |bytes: Vec<u8>| match <[u8; 32]>::try_from(bytes) {
            Ok(bytes) => Ok(Felt::from_bytes_be(&bytes)),
            Err(_) => Err(GroundError("what was kept of it isn't a value".into())),
        };
        let value = answer.map(felt).transpose()?;
        self.known().values.insert(question, value);
        Ok(value)
    }
}

impl Ground for Fork {
    fn storage_at(&self, contract: ContractId, key: Key) -> Result<Felt, GroundError> {
        Ok(self.value(Question::Storage(contract, key))?.unwrap_or_default())
    }

    fn nonce_at(&self, contract: ContractId) -> Result<u64, GroundError> {
        let nonce = self.value(Question::Nonce(contract))?.unwrap_or_default();
        u64::try_from(nonce).map_err(|_| GroundError(format!("{contract} has the nonce {nonce:#x}, above 64 bits")))
    }

    fn class_hash_at(&self, contract: ContractId) -> Result<Option<Felt>, GroundError> {
        self.value(Question::ClassHash(contract))
    }

    fn class(&self, hash: Felt) -> Result<Option<Arc<Class>>, GroundError> {
        if let Some(class) = self.known().classes.get(&hash) {
            return Ok(class.clone());
        }
        let unusable = |reason: String| GroundError(format!("class {hash:#x}: {reason}"));
        let class = match self.answer(Question::Class(hash))? {
            None => None,
            Some(file) => {
                let class = (self.compile)(&file).map_err(|error| unusable(error.to_string()))?;
                if class.hash() != hash {
                    return Err(unusable(format!(
                        "what the network has under this name hashes to {:#x}",
                        class.hash()
                    )));
                }
                Some(Arc::new(class))
            }
        };
        self.known().classes.insert(hash, class.clone());
        Ok(class)
    }
}

/// A byte that says whether there is something, and what there is.
fn pack(answer: Option<&[u8]>) -> Vec<u8> {
    answer.map_or_else(|| vec![0], |bytes| [&[1], bytes].concat())
}

fn unpack(kept: &[u8]) -> Result<Option<Vec<u8>>, GroundError> {
    match kept.split_first() {
        Some((0, [])) => Ok(None),
        Some((1, bytes)) => Ok(Some(bytes.to_vec())),
        _ => Err(GroundError("what was kept of it can't be read".into())),
    }
}

#[cfg(test)]
mod tests;
