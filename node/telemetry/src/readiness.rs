//! Whether a node is ready: its conditions, where rooms register them and where they are read.

use crate::{
    conditions::{Shortfall, Unmet},
    registry::{Family, Telemetry},
};
use std::sync::Arc;

/// The room under which readiness is in the metrics.
const ROOM: &str = "node";

impl Telemetry {
    /// Takes in a condition for this node to be ready: `read` says why it isn't met, while it isn't. It is called when somebody looks and must not
    /// wait. One of the same name is replaced.
    pub fn condition(&self, name: &'static str, read: impl Fn() -> Option<Shortfall> + Send + Sync + 'static) {
        if self.conditions.take_in(name, Arc::new(read)) {
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
    use crate::conditions::MAX_CONDITIONS;
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
