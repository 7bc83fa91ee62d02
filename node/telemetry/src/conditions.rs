//! What a node can't do now, and why: each room registers the conditions that it knows of, and they are read when somebody looks.
//!
//! A condition has a name that never changes its meaning (`worker`, `disk`), for programs; while it isn't met it has a code, words and a next step,
//! for people. A node is ready while all are met. `/ready`, `shardwire status` and the metrics read the same list.
//!
//! Refused: a name that a peer could choose. Bound: [`MAX_CONDITIONS`]; further ones aren't taken in.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Most conditions of a node: the code fixes how many there are, some ten.
pub const MAX_CONDITIONS: usize = 32;

/// Why a condition isn't met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// A stable code.
    pub code: String,
    /// What is wrong, in words.
    pub why: String,
    /// What a person can do.
    pub next_step: String,
}

/// A condition that isn't met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The condition's name.
    pub condition: &'static str,
    /// Why it isn't met.
    pub shortfall: Shortfall,
}

/// Says why a condition isn't met, while it isn't.
pub(crate) type Read = dyn Fn() -> Option<Shortfall> + Send + Sync;

/// The conditions of a node, by their names.
#[derive(Clone, Default)]
pub(crate) struct Conditions(Arc<Mutex<BTreeMap<&'static str, Arc<Read>>>>);

impl Conditions {
    fn known(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<Read>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a condition, or replaces the one of the same name. Whether it is the first.
    pub(crate) fn take_in(&self, name: &'static str, read: Arc<Read>) -> bool {
        let mut known = self.known();
        let first = known.is_empty();
        if known.len() < MAX_CONDITIONS || known.contains_key(name) {
            known.insert(name, read);
        }
        first
    }

    /// Each condition, and why it isn't met. They are read unlocked: a room may hold locks of its own when it registers.
    pub(crate) fn look(&self) -> Vec<(&'static str, Option<Shortfall>)> {
        let all: Vec<_> = self.known().iter().map(|(name, read)| (*name, read.clone())).collect();
        all.into_iter().map(|(name, read)| (name, read())).collect()
    }
}

impl fmt::Debug for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.known().keys()).finish()
    }
}
