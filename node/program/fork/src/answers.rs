//! Where answers are kept.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
};

/// Keeps what the network answered, for as long as a shard lives. Questions and answers are bytes; a question is never longer than 97.
pub trait Answers: Send + Sync + fmt::Debug {
    /// The answer to a question that was asked before.
    ///
    /// # Errors
    /// The reason, if the disk can't tell.
    fn get(&self, question: &[u8]) -> Result<Option<Vec<u8>>, String>;

    /// Keeps an answer. It is durable when this returns.
    ///
    /// # Errors
    /// The reason, if the disk doesn't take it.
    fn keep(&self, question: &[u8], answer: &[u8]) -> Result<(), String>;
}

/// Keeps answers for as long as the process runs.
#[derive(Debug, Default)]
pub struct InMemory(Mutex<HashMap<Vec<u8>, Vec<u8>>>);

impl Answers for InMemory {
    fn get(&self, question: &[u8]) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(question).cloned())
    }

    fn keep(&self, question: &[u8], answer: &[u8]) -> Result<(), String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(question.to_vec(), answer.to_vec());
        Ok(())
    }
}
