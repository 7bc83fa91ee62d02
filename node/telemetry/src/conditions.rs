//! What a node can't do now, and why: each room registers the conditions that it knows of, and they are read when somebody looks.
//!
//! A condition has a name that never changes its meaning (`worker`, `disk`), for programs; while it isn't met it has a code, words and a next step,
//! for people. A node is ready while all are met. `/ready`, `shardwire status` and the metrics read the same list.
//!
//! Refused: a name that a peer could choose. Bound: [`MAX_CONDITIONS`]; further ones aren't taken in.

use crate::{Family, Telemetry};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Most conditions of a node: the code fixes how many there are, some ten.
pub const MAX_CONDITIONS: usize = 32;
/// The room under which readiness is in the metrics.
const ROOM: &str = "node";

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

type Read = dyn Fn() -> Option<Shortfall> + Send + Sync;

/// The conditions of a node, by their names.
#[derive(Clone, Default)]
pub(crate) struct Conditions(Arc<Mutex<BTreeMap<&'static str, Arc<Read>>>>);

impl Conditions {
    fn known(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<Read>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each condition, and why it isn't met. They are read unlocked: a room may hold locks of its own when it registers.
    fn look(&self) -> Vec<(&'static str, Option<Shortfall>)> {
        let all: Vec<_> = self.known().iter().map(|(name, read)| (*name, read.clone())).collect();
        all.into_iter().map(|(name, read)| (name, read())).collect()
    }
}

impl fmt::Debug for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.known().keys()).finish()
    }
}

impl Telemetry {
    /// Takes in a condition for this node to be ready: `read` says why it isn't met, while it isn't. It is called when somebody looks and must not
    /// wait. One of the same name is replaced.
    pub fn condition(&self, name: &'static str, read: impl Fn() -> Option<Shortfall> + Send + Sync + 'static) {
        let first = {
            let mut known = self.conditions.known();
            let first = known.is_empty();
            if known.len() < MAX_CONDITIONS || known.contains_key(name) {
                known.insert(name, Arc::new(read));
            }
            first
        };
        if first {
            self.register_readiness();
        }
    }

    /// What this node isn't ready for; nothing if it is ready.
    #[must_use]
    pub fn unmet(&self) -> Vec<Unmet> {
        let found = self.conditions.look().into_iter();
        found.filter_map(|(condition, why)| why.map(|shortfall| Unmet { condition, shortfall })).collect()
    }

    fn register_readiness(&self) {
        let conditions = self.conditions.clone();
        self.read_gauges(Family::of(ROOM, "ready", "Whether the node is ready: 1 or 0"), [], move || {
            let ready = conditions.look().iter().all(|(_, why)| why.is_none());
            vec![([], u32::from(ready))]
        });
        let conditions = self.conditions.clone();
        let help = "Whether a condition for the node to be ready isn't met: 1 or 0";
        self.read_gauges(Family::of(ROOM, "unmet", help), ["condition"], move || {
            conditions.look().into_iter().map(|(name, why)| ([name], u32::from(why.is_some()))).collect()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn a_node_is_ready_while_every_condition_is_met_and_each_has_its_name_in_the_metrics() {
        let telemetry = Telemetry::default();
        assert_eq!(telemetry.unmet(), []);
        let full = Arc::new(AtomicBool::new(false));
        let why = Shortfall { code: "SW-X-1".into(), why: "it is full".into(), next_step: "Free some.".into() };
        let (is_full, said) = (full.clone(), why.clone());
        telemetry.condition("disk", move || is_full.load(Ordering::Relaxed).then(|| said.clone()));
        telemetry.condition("worker", || None);
        assert_eq!(telemetry.unmet(), []);
        let says = |line: &str| telemetry.to_text().lines().any(|it| it == line);
        assert!(says("shardwire_node_ready 1") && says("shardwire_node_unmet{condition=\"disk\"} 0"));
        full.store(true, Ordering::Relaxed);
        assert_eq!(telemetry.clone().unmet(), [Unmet { condition: "disk", shortfall: why }]);
        assert!(says("shardwire_node_ready 0") && says("shardwire_node_unmet{condition=\"disk\"} 1"));
        assert!(says("shardwire_node_unmet{condition=\"worker\"} 0"));
        full.store(false, Ordering::Relaxed);
        assert_eq!(telemetry.unmet(), [], "it is read each time");
    }

    #[test]
    fn there_is_a_bound() {
        let telemetry = Telemetry::default();
        for number in 0..=MAX_CONDITIONS {
            let name: &'static str = Box::leak(number.to_string().into_boxed_str());
            telemetry.condition(name, || {
                Some(Shortfall { code: String::new(), why: String::new(), next_step: String::new() })
            });
        }
        assert_eq!(telemetry.unmet().len(), MAX_CONDITIONS);
    }
}
