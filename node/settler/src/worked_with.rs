//! The operators that came for an open shard of their own since this settler began: these are operators, whatever others say that they are.
//!
//! Bound: [`MAX_OPERATORS`] are noted. A shard is opened for an operator by who controls this settler, so there are few.

use shardwire_model::PeerId;
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Most operators that are noted. One that doesn't fit isn't.
const MAX_OPERATORS: usize = 1024;

/// See the module's page.
#[derive(Debug, Default)]
pub(super) struct WorkedWith(Mutex<BTreeSet<PeerId>>);

impl WorkedWith {
    fn operators(&self) -> MutexGuard<'_, BTreeSet<PeerId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An operator has come that has an open shard.
    pub(super) fn note(&self, operator: PeerId) {
        let mut operators = self.operators();
        if operators.len() < MAX_OPERATORS {
            operators.insert(operator);
        }
    }

    pub(super) fn has(&self, operator: PeerId) -> bool {
        self.operators().contains(&operator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life_tests::{MINUTE, Machine, request, somebody};
    use shardwire_host::testing::TestClock;
    use shardwire_protocols::handoff::Handler as _;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn an_operator_is_noted_when_it_comes_for_its_shard_and_a_stranger_is_not() {
        let (machine, clock) = (Machine::new(), TestClock::new());
        let run = machine.settler(&clock).await.unwrap();
        let start = run.settler.start(&request(1), somebody(), None).await.unwrap();
        assert!(!run.settler.has_worked_with(start.operator), "it hasn't come yet");
        run.settler.next(start.operator, &[], &[]).await.unwrap();
        assert!(timeout(MINUTE, run.settler.next(somebody(), &[], &[])).await.is_err(), "there is nothing for it");
        assert!(run.settler.has_worked_with(start.operator) && !run.settler.has_worked_with(somebody()));
    }

    #[test]
    fn so_many_are_noted_and_no_more() {
        let noted = WorkedWith::default();
        let operator = |number: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_le_bytes());
            PeerId(id)
        };
        for number in 0..=MAX_OPERATORS {
            noted.note(operator(number));
        }
        assert!(
            noted.has(operator(0)) && noted.has(operator(MAX_OPERATORS - 1)) && !noted.has(operator(MAX_OPERATORS))
        );
    }
}
