//! Which slots a shard has touched: each is in the list that travels with its proof, and a list that is too long would leave the shard unsettleable.
//!
//! A slot counts if the start data lists it, if a call read or wrote it (what a failed call did counts as well), or if it says what a session key may call. As with the
//! number of transactions, the end has room of its own: a shard that is full of slots can still be ended.

use crate::{
    Outcome, Refusal,
    bounds::{END_SLOTS, MAX_SLOTS},
};
use blockifier::execution::call_info::CallInfo;
use shardwire_contracts::{Start, tree};
use shardwire_model::{ContractId, Key, Slot};
use std::collections::HashSet;

/// The slots that the transactions so far have touched.
#[derive(Clone, Debug)]
pub(crate) struct Touched(HashSet<Slot>);

impl Touched {
    /// Before the first transaction.
    pub(crate) fn new(start: &Start) -> Self {
        Self(start.entries.iter().map(|entry| start.slot(entry)).collect())
    }

    /// Those of these slots that are new; refused if that is too many, for a transaction that ends the shard or for any other.
    pub(crate) fn check(&self, slots: impl IntoIterator<Item = Slot>, ends: bool) -> Result<Vec<Slot>, Refusal> {
        let mut new: Vec<Slot> = slots.into_iter().filter(|slot| !self.0.contains(slot)).collect();
        new.sort_unstable();
        new.dedup();
        let most = if ends { MAX_SLOTS } else { MAX_SLOTS - END_SLOTS };
        let all = self.count() + new.len();
        if all > most { Err(Refusal::Slots { all, most }) } else { Ok(new) }
    }

    /// How many they are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Takes in what [`check`](Self::check) found.
    pub(crate) fn add(&mut self, new: &[Slot]) {
        self.0.extend(new);
    }
}

impl Outcome {
    /// The slots that its calls touched, some more than once.
    pub(crate) fn touched(&self) -> impl Iterator<Item = Slot> {
        let calls = self.validate.iter().chain([&self.execute]).flat_map(CallInfo::iter);
        calls.flat_map(|call| {
            let contract = ContractId(call.call.storage_address.into());
            let keys = &call.storage_access_tracker.accessed_storage_keys;
            keys.iter().map(move |key| Slot::new(contract, Key(*key.0.key())))
        })
    }
}

/// The slot in which the keeper of sessions has that a session call is allowed.
pub(crate) fn permission(keeper: Option<ContractId>, transaction: &tree::Transaction) -> Option<Slot> {
    match transaction {
        tree::Transaction::Invoke(_) => None,
        tree::Transaction::Session(session) => Some(Slot::new(keeper?, session.call.permission())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::{Coded as _, Felt};

    fn slots(numbers: std::ops::Range<usize>) -> impl Iterator<Item = Slot> {
        numbers.map(|number| Slot::new(ContractId(Felt::ONE), Key(Felt::from(number))))
    }

    #[test]
    fn a_shard_touches_a_bounded_number_of_slots_and_its_end_has_room_of_its_own() {
        let mut touched = Touched(slots(0..10).collect());
        assert_eq!(touched.check(slots(0..10), false).unwrap(), [], "none is new");
        let new = touched.check(slots(5..12).chain(slots(5..12)), false).unwrap();
        assert_eq!(new, slots(10..12).collect::<Vec<_>>());
        touched.add(&new);
        let full = MAX_SLOTS - END_SLOTS;
        let refused = touched.check(slots(0..full + 1), false).unwrap_err();
        let text = "the shard would touch 16321 storage slots, and 16320 are allowed: the list that travels with its proof is bounded";
        assert_eq!((refused.code(), refused.to_string().as_str()), ("SW-NATIVE-129", text));
        let next = "Settle the shard and start another one; let contracts keep what belongs together in fewer slots.";
        assert_eq!((refused.next_step().as_str(), refused.is_of_this_machine()), (next, false));
        touched.add(&touched.check(slots(0..full), false).unwrap());
        assert_eq!(touched.check(slots(0..full), false).unwrap(), [], "what it has touched it may touch on");
        assert!(touched.check(slots(full..full + 1), false).is_err());
        assert_eq!(touched.check(slots(full..MAX_SLOTS), true).unwrap().len(), END_SLOTS);
        assert!(touched.check(slots(full..MAX_SLOTS + 1), true).is_err());
    }
}
