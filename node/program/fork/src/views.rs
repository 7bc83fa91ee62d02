//! The state at a block as those have it who must not wait for it, must not fill what is kept, or must be sure.

use crate::{Fork, ForkError, Question};
use shardwire_model::{ContractId, Felt, Key};
use shardwire_native::{Class, Ground, GroundError};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Most visitors for whom networks are asked at a time. A door executes for twice as many, so who asks for what is here finds room.
pub const MAX_VISITORS: usize = 2;

/// Answers one question about the state at a block.
pub(crate) trait View: Send + Sync + fmt::Debug {
    fn fork(&self) -> &Fork;

    fn value(&self, question: Question) -> Result<Option<Felt>, ForkError>;

    fn class_of(&self, hash: Felt) -> Result<Option<Arc<Class>>, ForkError> {
        self.fork().find(hash)
    }
}

macro_rules! grounds {
    ($($view:ident),+) => {$(
        impl Ground for $view {
            fn storage_at(&self, contract: ContractId, key: Key) -> Result<Felt, GroundError> {
                let question = Question::Storage(contract, key);
                // A node would refuse the question, and a stranger may ask for it.
                if !question.can_be_asked() {
                    return Ok(Felt::ZERO);
                }
                Ok(self.value(question)?.unwrap_or_default())
            }

            fn nonce_at(&self, contract: ContractId) -> Result<u64, GroundError> {
                let nonce = self.value(Question::Nonce(contract))?.unwrap_or_default();
                Ok(u64::try_from(nonce).map_err(|_| ForkError::Nonce { contract, nonce })?)
            }

            fn class_hash_at(&self, contract: ContractId) -> Result<Option<Felt>, GroundError> {
                Ok(self.value(Question::ClassHash(contract))?)
            }

            fn class(&self, hash: Felt) -> Result<Option<Arc<Class>>, GroundError> {
                Ok(self.class_of(hash)?)
            }
        }
    )+};
}

grounds!(Fork, Here, Shown, Again);

impl View for Fork {
    fn fork(&self) -> &Fork {
        self
    }

    fn value(&self, question: Question) -> Result<Option<Felt>, ForkError> {
        match self.known_value(question) {
            Some(value) => Ok(Some(value)),
            None => self.ask_one(question, self.most()),
        }
    }
}

/// What is here already. Nobody is asked; but where nothing more is kept, there is nothing to wait for.
#[derive(Debug)]
pub(crate) struct Here(pub(crate) Arc<Fork>);

impl View for Here {
    fn fork(&self) -> &Fork {
        &self.0
    }

    fn value(&self, question: Question) -> Result<Option<Felt>, ForkError> {
        match self.0.known_value(question) {
            Some(value) => Ok(Some(value)),
            None if self.0.is_full() => self.0.ask_one(question, self.0.most()),
            None => Err(ForkError::Absent),
        }
    }

    fn class_of(&self, hash: Felt) -> Result<Option<Arc<Class>>, ForkError> {
        self.0.known_class(hash).map(Some).ok_or(ForkError::Absent)
    }
}

/// What visitors are shown. Of what they ask for, half as much is kept as of what shards read.
#[derive(Debug)]
pub(crate) struct Shown(pub(crate) Arc<Fork>);

impl View for Shown {
    fn fork(&self) -> &Fork {
        &self.0
    }

    fn value(&self, question: Question) -> Result<Option<Felt>, ForkError> {
        if let Some(value) = self.0.known_value(question) {
            return Ok(Some(value));
        }
        let _place = self.0.visitors().enter().ok_or(ForkError::Busy)?;
        self.0.ask_one(question, self.0.most() / 2)
    }
}

/// What each node says now.
#[derive(Debug)]
pub(crate) struct Again(pub(crate) Arc<Fork>);

impl View for Again {
    fn fork(&self) -> &Fork {
        &self.0
    }

    fn value(&self, question: Question) -> Result<Option<Felt>, ForkError> {
        self.0.confirm(question)
    }
}

/// Counts those who wait for a network because they look at a shard.
#[derive(Debug, Default)]
pub(crate) struct Visitors(AtomicUsize);

/// A visitor's place.
#[derive(Debug)]
pub(crate) struct Place<'a>(&'a AtomicUsize);

impl Visitors {
    /// A place, if one is free.
    fn enter(&self) -> Option<Place<'_>> {
        let one_more = |count: usize| (count < MAX_VISITORS).then_some(count + 1);
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).ok().map(|_| Place(&self.0))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
