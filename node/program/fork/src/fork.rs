//! The state at a block, and what is known of it.

use crate::{Answers, ForkError, Question, Source};
use shardwire_model::{ContractId, Felt, ForkId, Key, Slot};
use shardwire_native::{Class, ClassError, Forked, Ground, GroundError};
use shardwire_starknet::MAX_BATCH;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// Answers that are kept of one block. As many as a genesis file has slots: a shard reads fewer, the rest is what strangers ask its door for. What is read
/// beyond that is asked for each time.
pub const MAX_ANSWERS: usize = 1 << 18;

/// Compiles the class of a Sierra file.
pub type Compile = dyn Fn(&[u8]) -> Result<Class, ClassError> + Send + Sync;

/// The state of a network at a block.
pub struct Fork {
    id: ForkId,
    source: Box<dyn Source>,
    answers: Box<dyn Answers>,
    compile: Arc<Compile>,
    known: Mutex<Known>,
    /// Notified when a question had no answer.
    troubled: Arc<Notify>,
    most: usize,
}

#[derive(Default)]
struct Known {
    values: HashMap<Question, Felt>,
    classes: HashMap<Felt, Arc<Class>>,
    trouble: Option<Trouble>,
}

/// What couldn't be read the last time.
#[derive(Clone, Debug)]
struct Trouble {
    questions: Vec<Question>,
    class: Option<Felt>,
    error: ForkError,
}

impl fmt::Debug for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fork").field("id", &self.id).field("source", &self.source).finish_non_exhaustive()
    }
}

impl Fork {
    /// The state at this block, with what was kept of it. `compile` makes a class of the JSON that the network has of it. Nothing is asked yet.
    ///
    /// # Errors
    /// [`ForkError::Kept`] if what was kept can't be read.
    pub fn open(
        id: ForkId,
        source: impl Source + 'static,
        answers: Box<dyn Answers>,
        compile: Arc<Compile>,
    ) -> Result<Self, ForkError> {
        let values = answers.load().map_err(ForkError::Kept)?.into_iter().collect();
        let known = Known { values, ..Known::default() };
        let source = Box::new(source);
        Ok(Self { id, source, answers, compile, known: Mutex::new(known), troubled: Arc::default(), most: MAX_ANSWERS })
    }

    /// The same, of which only so many answers are kept.
    #[cfg(test)]
    pub(crate) fn with_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// The same, which notifies this when a question had no answer.
    pub(crate) fn telling(self, troubled: Arc<Notify>) -> Self {
        Self { troubled, ..self }
    }

    /// Which block it is.
    #[must_use]
    pub const fn id(&self) -> ForkId {
        self.id
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the block was made, in seconds since the Unix epoch. The first time, a node is asked whether it has the block.
    ///
    /// # Errors
    /// [`ForkError`] if that isn't known and can't be found out at the moment.
    pub fn made(&self) -> Result<u64, ForkError> {
        let time = self.value(Question::Time)?.unwrap_or_default();
        Ok(u64::try_from(time).unwrap_or(u64::MAX))
    }

    /// Has these questions answered that aren't yet, in as few requests as they fit in; before them what had no answer the last time, so that whoever needed it finds it.
    ///
    /// # Errors
    /// [`ForkError`] if one of them has no answer at the moment.
    pub fn read(&self, questions: &[Question]) -> Result<(), ForkError> {
        let missing: Vec<Question> = {
            let known = self.known();
            let again = known.trouble.iter().flat_map(|it| &it.questions).filter(|it| !questions.contains(it));
            again.chain(questions).filter(|it| !known.values.contains_key(it)).copied().collect()
        };
        self.ask(&missing).map(drop)
    }

    /// Why the last question that was asked had no answer; none if it had one.
    #[must_use]
    pub fn trouble(&self) -> Option<ForkError> {
        self.known().trouble.as_ref().map(|it| it.error.clone())
    }

    /// Asks again what had no answer the last time. Takes as long as a network does.
    pub fn try_again(&self) {
        let Some(Trouble { questions, class, .. }) = self.known().trouble.clone() else { return };
        // Whether it succeeds, `trouble` says.
        let _ = self.ask(&questions);
        if let Some(hash) = class {
            let _ = self.class(hash);
        }
    }

    /// Notes whether a question had an answer.
    fn noted<T>(
        &self,
        answer: Result<T, ForkError>,
        questions: &[Question],
        class: Option<Felt>,
    ) -> Result<T, ForkError> {
        let trouble =
            answer.as_ref().err().map(|error| Trouble { questions: questions.to_vec(), class, error: error.clone() });
        let is_troubled = trouble.is_some();
        self.known().trouble = trouble;
        if is_troubled {
            self.troubled.notify_one();
        }
        answer
    }

    /// What the network says, which is kept before it is used.
    fn ask(&self, questions: &[Question]) -> Result<Vec<Option<Felt>>, ForkError> {
        let mut answers = Vec::with_capacity(questions.len());
        // What is answered is kept, also if the rest isn't.
        while let Some(rest) = questions.get(answers.len()..).filter(|rest| !rest.is_empty()) {
            let some = rest.get(..MAX_BATCH).unwrap_or(rest);
            let told = self.source.ask(some).and_then(|told| {
                let told: Vec<_> = some.iter().copied().zip(told).collect();
                self.refuse_pruned(&told)?;
                self.keep(&told)
            });
            answers.extend(self.noted(told, rest, None)?);
        }
        Ok(answers)
    }

    /// A contract that has a class has a state. Who says otherwise doesn't have the whole state of the block; zero for each of its slots would be a lie.
    fn refuse_pruned(&self, answers: &[(Question, Option<Felt>)]) -> Result<(), ForkError> {
        let without = answers.iter().filter_map(|(question, answer)| match question {
            Question::Storage(contract, _) | Question::Nonce(contract) if answer.is_none() => Some(*contract),
            _ => None,
        });
        let mut without = without.collect::<Vec<_>>();
        without.dedup();
        for contract in without {
            let question = Question::ClassHash(contract);
            let beside = answers.iter().any(|(asked, answer)| *asked == question && answer.is_some());
            let known = self.known().values.contains_key(&question);
            if beside || known || self.source.ask(&[question])?.first().is_some_and(Option::is_some) {
                return Err(ForkError::Pruned(contract));
            }
        }
        Ok(())
    }

    /// Keeps the answers that are new; what was answered before stays, whatever is said now.
    fn keep(&self, answers: &[(Question, Option<Felt>)]) -> Result<Vec<Option<Felt>>, ForkError> {
        let mut known = self.known();
        let room = self.most.saturating_sub(known.values.len());
        let new: Vec<_> = answers
            .iter()
            .filter(|(question, _)| !known.values.contains_key(question))
            .filter_map(|(question, answer)| Some((*question, (*answer)?)))
            .take(room)
            .collect();
        if !new.is_empty() {
            self.answers.keep(&new).map_err(ForkError::Kept)?;
        }
        known.values.extend(new);
        Ok(answers.iter().map(|(question, answer)| known.values.get(question).copied().or(*answer)).collect())
    }

    fn value(&self, question: Question) -> Result<Option<Felt>, ForkError> {
        let known = self.known().values.get(&question).copied();
        match known {
            Some(value) => Ok(Some(value)),
            None => Ok(self.ask(&[question])?.first().copied().flatten()),
        }
    }

    fn find_class(&self, hash: Felt) -> Result<Option<Arc<Class>>, ForkError> {
        if let Some(file) = self.answers.class(hash).map_err(ForkError::Kept)?
            && let Ok(class) = self.compiled(hash, &file)
        {
            return Ok(Some(class));
        }
        // It isn't kept, or damaged.
        let Some(file) = self.source.class(hash)? else { return Ok(None) };
        let class = self.compiled(hash, &file)?;
        self.answers.keep_class(hash, &file).map_err(ForkError::Kept)?;
        Ok(Some(class))
    }

    fn compiled(&self, hash: Felt, file: &[u8]) -> Result<Arc<Class>, ForkError> {
        let unusable = |reason: String| ForkError::Class { hash, reason };
        let class = (self.compile)(file).map_err(|error| unusable(error.to_string()))?;
        match class.hash() == hash {
            true => Ok(Arc::new(class)),
            false => Err(unusable(format!("what the network has under this name hashes to {:#x}", class.hash()))),
        }
    }
}

impl Forked for Fork {
    fn time(&self) -> Result<u64, GroundError> {
        Ok(self.made()?)
    }

    fn prepare(&self, contracts: &[ContractId], slots: &[Slot]) -> Result<(), GroundError> {
        let of_contracts = contracts.iter().flat_map(|it| [Question::ClassHash(*it), Question::Nonce(*it)]);
        let of_slots = slots.iter().map(|it| Question::Storage(it.contract, it.key));
        Ok(self.read(&of_contracts.chain(of_slots).collect::<Vec<_>>())?)
    }
}

impl Ground for Fork {
    fn storage_at(&self, contract: ContractId, key: Key) -> Result<Felt, GroundError> {
        // No slot has such a key, and a node would refuse the question: a stranger may ask for it.
        if key.0 >= Felt::TWO.pow(251_u32) {
            return Ok(Felt::ZERO);
        }
        Ok(self.value(Question::Storage(contract, key))?.unwrap_or_default())
    }

    fn nonce_at(&self, contract: ContractId) -> Result<u64, GroundError> {
        let nonce = self.value(Question::Nonce(contract))?.unwrap_or_default();
        Ok(u64::try_from(nonce).map_err(|_| ForkError::Nonce { contract, nonce })?)
    }

    fn class_hash_at(&self, contract: ContractId) -> Result<Option<Felt>, GroundError> {
        Ok(self.value(Question::ClassHash(contract))?)
    }

    fn class(&self, hash: Felt) -> Result<Option<Arc<Class>>, GroundError> {
        if let Some(class) = self.known().classes.get(&hash) {
            return Ok(Some(class.clone()));
        }
        let Some(class) = self.noted(self.find_class(hash), &[], Some(hash))? else { return Ok(None) };
        Ok(Some(self.known().classes.entry(hash).or_insert(class).clone()))
    }
}

#[cfg(test)]
mod tests;
