//! Where answers are kept.

use crate::Question;
use shardwire_model::Felt;
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A question and its answer.
pub type Answered = (Question, Felt);

/// Keeps what a network answered about one block. That something isn't there is no answer that is kept.
pub trait Answers: Send + Sync + fmt::Debug {
    /// All that was kept of it, but for classes.
    ///
    /// # Errors
    /// The reason, if the disk can't tell.
    fn load(&self) -> Result<Vec<Answered>, String>;

    /// Keeps answers. They are durable when this returns.
    ///
    /// # Errors
    /// The reason, if the disk doesn't take them.
    fn keep(&self, answered: &[Answered]) -> Result<(), String>;

    /// The file of a class that was kept.
    ///
    /// # Errors
    /// The reason, if the disk can't tell.
    fn class(&self, hash: Felt) -> Result<Option<Vec<u8>>, String>;

    /// Keeps the file of a class. It is durable when this returns.
    ///
    /// # Errors
    /// The reason, if the disk doesn't take it.
    fn keep_class(&self, hash: Felt, file: &[u8]) -> Result<(), String>;
}

/// Keeps answers for as long as the process runs. Clones have the same.
#[derive(Clone, Debug, Default)]
pub struct InMemory(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    values: BTreeMap<Question, Felt>,
    classes: HashMap<Felt, Vec<u8>>,
}

impl InMemory {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers for InMemory {
    fn load(&self) -> Result<Vec<Answered>, String> {
        Ok(self.kept().values.iter().map(|(question, value)| (*question, *value)).collect())
    }

    fn keep(&self, answered: &[Answered]) -> Result<(), String> {
        self.kept().values.extend(answered.iter().copied());
        Ok(())
    }

    fn class(&self, hash: Felt) -> Result<Option<Vec<u8>>, String> {
        Ok(self.kept().classes.get(&hash).cloned())
    }

    fn keep_class(&self, hash: Felt, file: &[u8]) -> Result<(), String> {
        self.kept().classes.insert(hash, file.to_vec());
        Ok(())
    }
}
