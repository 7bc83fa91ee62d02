//! The state at a block, and what is known of it.
//!
//! What is known is under a lock that is never held while a network or the disk is waited for: threads that can't wait look at it.

use crate::{
    Answers, ForkError, Question, Source,
    trouble::Trouble,
    views::{Again, Here, Shown, Visitors},
};
use shardwire_model::{ContractId, Felt, ForkId, Slot};
use shardwire_native::{Class, ClassError, Forked, Ground, GroundError};
use shardwire_starknet::MAX_BATCH;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::Notify, time::Instant};

/// Slots that are kept of one block, as many as a genesis file has; of what [visitors](Forked::shown) ask for, half as many. What is read beyond that is asked for each time. Besides, there are the class
/// and the nonce of each contract that a shard lists.
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
    /// Held while answers are kept: of two that are told at the same time, the first one stays.
    keeping: Mutex<()>,
    /// Notified when a question had no answer.
    troubled: Arc<Notify>,
    visitors: Arc<Visitors>,
    most: usize,
}

#[derive(Default)]
struct Known {
    values: HashMap<Question, Felt>,
    /// How many of them are of slots.
    slots: usize,
    classes: HashMap<Felt, Arc<Class>>,
    trouble: Option<Trouble>,
}

impl Known {
    fn add(&mut self, question: Question, value: Felt) {
        let is_new = self.values.insert(question, value).is_none();
        self.slots += usize::from(is_new && question.is_of_a_slot());
    }
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
        let mut known = Known::default();
        for (question, value) in answers.load().map_err(ForkError::Kept)? {
            known.add(question, value);
        }
        Ok(Self {
            id,
            source: Box::new(source),
            answers,
            compile,
            known: Mutex::new(known),
            keeping: Mutex::default(),
            troubled: Arc::default(),
            visitors: Arc::default(),
            most: MAX_ANSWERS,
        })
    }

    /// The same, of which only so many slots are kept.
    #[cfg(test)]
    pub(crate) fn with_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// The same, which notifies this when a question had no answer, and counts visitors here.
    pub(crate) fn of_node(self, troubled: Arc<Notify>, visitors: Arc<Visitors>) -> Self {
        Self { troubled, visitors, ..self }
    }

    /// Which block it is.
    #[must_use]
    pub const fn id(&self) -> ForkId {
        self.id
    }

    pub(crate) const fn most(&self) -> usize {
        self.most
    }

    pub(crate) fn visitors(&self) -> &Visitors {
        &self.visitors
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn known_value(&self, question: Question) -> Option<Felt> {
        self.known().values.get(&question).copied()
    }

    pub(crate) fn known_class(&self, hash: Felt) -> Option<Arc<Class>> {
        self.known().classes.get(&hash).cloned()
    }

    /// Whether no slot more is kept.
    pub(crate) fn is_full(&self) -> bool {
        self.known().slots >= self.most
    }

    /// When the block was made, in seconds since the Unix epoch. The first time, a node is asked whether it has the block.
    ///
    /// # Errors
    /// [`ForkError`] if that isn't known and can't be found out at the moment.
    pub fn made(&self) -> Result<u64, ForkError> {
        let time = match self.known_value(Question::Time) {
            Some(time) => Some(time),
            None => self.ask_one(Question::Time, self.most)?,
        };
        Ok(u64::try_from(time.unwrap_or_default()).unwrap_or(u64::MAX))
    }

    /// Has these questions answered that aren't yet, in as few requests as they fit in.
    ///
    /// # Errors
    /// [`ForkError`] if one of them has no answer at the moment.
    pub fn read(&self, questions: &[Question]) -> Result<(), ForkError> {
        let missing: Vec<Question> = {
            let known = self.known();
            let asked = questions.iter().filter(|it| it.can_be_asked());
            asked.filter(|it| !known.values.contains_key(it)).copied().collect()
        };
        self.ask(&missing, self.most).map(drop)
    }

    /// Why a question had no answer that still hasn't.
    #[must_use]
    pub fn trouble(&self) -> Option<ForkError> {
        self.known().trouble.as_ref().map(|it| it.error.clone())
    }

    /// The same, where no shard goes on from the block any more, or not yet.
    pub(crate) fn remembered_trouble(&self, now: Instant) -> Option<ForkError> {
        self.known().trouble.as_ref().filter(|it| it.is_remembered(now)).map(|it| it.error.clone())
    }

    /// Asks again what had no answer the last time. Takes as long as a network does.
    pub fn try_again(&self) {
        let Some(before) = self.known().trouble.clone() else { return };
        // Whether it succeeds, `trouble` says.
        let _ = self.ask_again(&before.error, &before.questions);
        for hash in &before.classes {
            let _ = self.find(*hash);
        }
        if let Some(trouble) = &mut self.known().trouble {
            trouble.asked_again(&before);
        }
    }

    /// Asks what had no answer for this reason.
    fn ask_again(&self, why: &ForkError, questions: &[Question]) -> Result<(), ForkError> {
        match why {
            // One of the answers is known already.
            ForkError::Contradiction { .. } => questions.iter().try_for_each(|it| self.confirm(*it).map(drop)),
            _ => self.read(questions),
        }
    }

    /// Notes whether these questions, or this class, had an answer.
    fn noted<T>(
        &self,
        answer: Result<T, ForkError>,
        questions: &[Question],
        class: Option<Felt>,
    ) -> Result<T, ForkError> {
        let mut known = self.known();
        match &answer {
            Ok(_) => Trouble::remove(&mut known.trouble, questions, class),
            Err(error) => {
                Trouble::add(&mut known.trouble, questions, class, error.clone());
                self.troubled.notify_one();
            }
        }
        drop(known);
        answer
    }

    /// What the network says, which is kept before it is used, as long as no more slots than this are kept.
    fn ask(&self, questions: &[Question], most: usize) -> Result<Vec<Option<Felt>>, ForkError> {
        let mut answers = Vec::with_capacity(questions.len());
        // What is answered is kept, also if the rest isn't.
        while let Some(rest) = questions.get(answers.len()..).filter(|rest| !rest.is_empty()) {
            let some = rest.get(..MAX_BATCH).unwrap_or(rest);
            let taken = self.source.ask(some).and_then(|told| {
                let told: Vec<_> = some.iter().copied().zip(told).collect();
                self.take(&told, most)
            });
            match self.noted(taken, some, None) {
                Ok(taken) => answers.extend(taken),
                // The others have no answer either.
                Err(error) => return self.noted(Err(error), rest, None),
            }
        }
        Ok(answers)
    }

    pub(crate) fn ask_one(&self, question: Question, most: usize) -> Result<Option<Felt>, ForkError> {
        Ok(self.ask(&[question], most)?.first().copied().flatten())
    }

    /// Takes in what the network says, where that can be.
    fn take(&self, told: &[(Question, Option<Felt>)], most: usize) -> Result<Vec<Option<Felt>>, ForkError> {
        told.iter().try_for_each(|(question, answer)| can_be(*question, *answer))?;
        let kept = self.keep(told, most)?;
        self.refuse_pruned(told)?;
        Ok(kept)
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
            let known = self.known_value(question).is_some();
            if beside || known || self.source.ask(&[question])?.first().is_some_and(Option::is_some) {
                return Err(ForkError::Pruned(contract));
            }
        }
        Ok(())
    }

    /// Keeps the answers that are new; what was answered before stays, whatever is said now.
    fn keep(&self, answers: &[(Question, Option<Felt>)], most: usize) -> Result<Vec<Option<Felt>>, ForkError> {
        let _one = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<_> = {
            let known = self.known();
            let mut room = most.saturating_sub(known.slots);
            let unknown = answers.iter().filter(|(question, _)| !known.values.contains_key(question));
            let told = unknown.filter_map(|(question, answer)| Some((*question, (*answer)?)));
            let has_room = |(question, _): &(Question, Felt)| {
                let has_room = room > 0 || !question.is_of_a_slot();
                room = room.saturating_sub(usize::from(question.is_of_a_slot()));
                has_room
            };
            told.filter(has_room).collect()
        };
        if !new.is_empty() {
            self.answers.keep(&new).map_err(ForkError::Kept)?;
        }
        let mut known = self.known();
        new.into_iter().for_each(|(question, value)| known.add(question, value));
        Ok(answers.iter().map(|(question, answer)| known.values.get(question).copied().or(*answer)).collect())
    }

    /// What each node says now, whatever is known: before others are told that they are wrong. Nodes that contradict each other are found by it. What is known of slots and nonces stays, since shards were
    /// executed with it.
    pub(crate) fn confirm(&self, question: Question) -> Result<Option<Felt>, ForkError> {
        let told = self.source.ask_each(question).and_then(|told| {
            let mut told = told.into_iter();
            let Some((first, answer)) = told.next() else { return Err(ForkError::Nobody) };
            if let Some((second, _)) = told.find(|(_, other)| *other != answer) {
                return Err(ForkError::Contradiction { question: question.to_string(), first, second });
            }
            can_be(question, answer)?;
            self.refuse_pruned(&[(question, answer)])?;
            Ok(answer)
        });
        let answer = self.noted(told, &[question], None)?;
        // With another class, no shard of this node has begun that any settler has.
        if let (Question::ClassHash(_), Some(value)) = (question, answer) {
            let _one = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
            if self.known_value(question) != answer {
                self.answers.keep(&[(question, value)]).map_err(ForkError::Kept)?;
                self.known().add(question, value);
            }
        }
        Ok(answer)
    }

    /// The class with this hash, if the network has it.
    pub(crate) fn find(&self, hash: Felt) -> Result<Option<Arc<Class>>, ForkError> {
        if let Some(class) = self.known_class(hash) {
            return Ok(Some(class));
        }
        let Some(class) = self.noted(self.find_class(hash), &[], Some(hash))? else { return Ok(None) };
        Ok(Some(self.known().classes.entry(hash).or_insert(class).clone()))
    }

    fn find_class(&self, hash: Felt) -> Result<Option<Arc<Class>>, ForkError> {
        // One that isn't kept, is damaged or can't be read, is asked for.
        let kept = self.answers.class(hash);
        if let Ok(Some(file)) = &kept
            && let Ok(class) = self.compiled(hash, file)
        {
            return Ok(Some(class));
        }
        let file = match (self.source.class(hash), kept) {
            (Ok(Some(file)), _) => file,
            (Ok(None), _) => return Ok(None),
            (Err(_), Err(unread)) => return Err(ForkError::Kept(unread)),
            (Err(error), Ok(_)) => return Err(error),
        };
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

/// Refuses a value that nothing can have.
fn can_be(question: Question, answer: Option<Felt>) -> Result<(), ForkError> {
    match (question, answer) {
        (Question::Nonce(contract), Some(nonce)) if u64::try_from(nonce).is_err() => {
            Err(ForkError::Nonce { contract, nonce })
        }
        _ => Ok(()),
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

    fn retry(&self, contracts: &[ContractId]) -> Result<(), GroundError> {
        let Some(Trouble { questions, error, .. }) = self.known().trouble.clone() else { return Ok(()) };
        let is_theirs = |it: &Question| it.contract().is_some_and(|it| contracts.contains(&it));
        Ok(self.ask_again(&error, &questions.into_iter().filter(is_theirs).collect::<Vec<_>>())?)
    }

    fn here(self: Arc<Self>) -> Arc<dyn Ground> {
        Arc::new(Here(self))
    }

    fn shown(self: Arc<Self>) -> Arc<dyn Ground> {
        Arc::new(Shown(self))
    }

    fn again(self: Arc<Self>) -> Arc<dyn Ground> {
        Arc::new(Again(self))
    }
}

#[cfg(test)]
mod tests;
