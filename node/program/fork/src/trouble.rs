//! What of a block couldn't be read, until it can.
//!
//! A question without an answer is remembered until it has one: it is asked again by itself, so that whoever needs it finds it. Bounds: [`MAX_TROUBLED`]; and what nobody has needed for
//! [`REMEMBERED`] is forgotten when no shard goes on from the block, so that a start with a wrong block, which is refused, leaves nothing.

use crate::{ForkError, Question};
use shardwire_model::Felt;
use shardwire_starknet::MAX_BATCH;
use std::time::Duration;
use tokio::time::Instant;

/// Most questions, and most classes, that are remembered: as many as one request asks. Others are asked when somebody needs them.
pub(crate) const MAX_TROUBLED: usize = MAX_BATCH;
/// How long they are, where no shard goes on from the block. Who is to start or to take one asks more often.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(10 * 60);

/// What had no answer the last time that it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) questions: Vec<Question>,
    pub(crate) classes: Vec<Felt>,
    /// Why the last of them had none.
    pub(crate) error: ForkError,
    /// When somebody needed one of them last.
    needed: Instant,
}

impl Trouble {
    /// These had no answer, beside those that had none before.
    pub(crate) fn add(before: &mut Option<Self>, questions: &[Question], class: Option<Felt>, error: ForkError) {
        let new = || Self { questions: Vec::new(), classes: Vec::new(), error: error.clone(), needed: Instant::now() };
        let trouble = before.get_or_insert_with(new);
        (trouble.error, trouble.needed) = (error.clone(), Instant::now());
        for question in questions {
            if trouble.questions.len() < MAX_TROUBLED && !trouble.questions.contains(question) {
                trouble.questions.push(*question);
            }
        }
        if let Some(class) = class.filter(|it| trouble.classes.len() < MAX_TROUBLED && !trouble.classes.contains(it)) {
            trouble.classes.push(class);
        }
    }

    /// These have one: nothing is left of the trouble if they were all.
    pub(crate) fn remove(before: &mut Option<Self>, questions: &[Question], class: Option<Felt>) {
        let Some(trouble) = before else { return };
        trouble.questions.retain(|it| !questions.contains(it));
        trouble.classes.retain(|it| Some(*it) != class);
        if trouble.questions.is_empty() && trouble.classes.is_empty() {
            *before = None;
        }
    }

    /// Asking again is no need: it is as old as it was.
    pub(crate) fn asked_again(&mut self, before: &Self) {
        self.needed = self.needed.min(before.needed);
    }

    /// Whether it still counts, if no shard goes on from the block.
    pub(crate) fn is_remembered(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.needed) < REMEMBERED
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::{ContractId, Key};

    fn slots(keys: impl IntoIterator<Item = u64>) -> Vec<Question> {
        keys.into_iter().map(|key| Question::Storage(ContractId(Felt::ONE), Key(key.into()))).collect()
    }

    #[test]
    fn it_lasts_until_all_that_had_no_answer_has_one() {
        let mut trouble = None;
        Trouble::add(&mut trouble, &slots([1, 2]), None, ForkError::Stopped);
        Trouble::add(&mut trouble, &slots([2, 3]), Some(Felt::TWO), ForkError::Nobody);
        let Trouble { questions, classes, error, .. } = trouble.clone().unwrap();
        assert_eq!((questions, classes, error), (slots([1, 2, 3]), vec![Felt::TWO], ForkError::Nobody));
        Trouble::remove(&mut trouble, &slots([1, 2, 3, 4]), None);
        assert!(trouble.is_some());
        Trouble::remove(&mut trouble, &[], Some(Felt::TWO));
        assert!(trouble.is_none());
        Trouble::add(&mut trouble, &slots(0..1_000), None, ForkError::Stopped);
        assert_eq!(trouble.unwrap().questions.len(), MAX_TROUBLED);
    }

    #[test]
    fn what_nobody_needs_is_forgotten() {
        let mut trouble = None;
        Trouble::add(&mut trouble, &slots([1]), None, ForkError::Stopped);
        let mut trouble = trouble.unwrap();
        let before = trouble.clone();
        assert!(trouble.is_remembered(before.needed + REMEMBERED / 2));
        assert!(!trouble.is_remembered(before.needed + REMEMBERED));
        // Asking again by itself is no need.
        trouble.needed = before.needed + REMEMBERED;
        trouble.asked_again(&before);
        assert_eq!(trouble.needed, before.needed);
    }
}
