//! Whether there is somebody to work with: a peer of each role that this node's roles need, and, for a node of several roles, itself.
//!
//! Every role works with both others: an operator gets shards from a settler and has them proven by a prover, a prover takes from the one and hands to
//! the other. Who only says that it has a role is nobody to work with, since a key costs nothing. What counts:
//!
//! | peer | counts |
//! |---|---|
//! | a settler | if the World lists it |
//! | an operator or a prover | if the configuration names it or the operator allows it; if it has worked so much that it is above tier low |
//! | an operator, at a prover | also if a job is kept that a settler of the World has assigned to it |
//! | an operator, at a settler | also if it has come for an open shard of its own since this node began |
//!
//! Changes of readiness, whatever room they come from, are events here, looked for every [`LOOK_EVERY`].

use super::{
    Node, Roles,
    events::{ConditionMet, ConditionUnmet},
};
use shardwire_model::{PeerId, Role};
use shardwire_reputation::Tier;
use shardwire_telemetry::Shortfall;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::sleep;

/// How often it is looked whether the node has become ready, or isn't any more.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long after its start a node isn't said to lack what it is about to get.
const BEGINNING: Duration = Duration::from_secs(5);

/// The role's condition: its name, and its code.
const fn named(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Settler => ("settler", "SW-READY-002"),
        Role::Operator => ("operator", "SW-READY-003"),
        Role::Prover => ("prover", "SW-READY-004"),
    }
}

impl Node {
    /// Takes in what this node's roles need of the network.
    pub(crate) fn register_readiness(self: &Arc<Self>) {
        let own = self.roles.names();
        for role in [Role::Settler, Role::Operator, Role::Prover] {
            if !own.iter().any(|it| *it != role) {
                continue;
            }
            let node = Arc::downgrade(self);
            let (name, code) = named(role);
            self.host.telemetry.condition(name, move || {
                let node = node.upgrade()?;
                (!node.links.has(role, |peer| node.is_to_work_with(peer, role))).then(|| Shortfall {
                    code: code.to_owned(),
                    why: format!("no {role} to work with is connected"),
                    next_step: format!(
                        "Check that the {role} runs, that it and this node know each other (`peers`), and that packets get through; this node tries on.{}",
                        if role == Role::Settler { "" } else { " One that isn't named here counts once it has worked with this node." }
                    ),
                })
            });
        }
        if own.len() > 1 {
            let node = Arc::downgrade(self);
            self.host.telemetry.condition("itself", move || {
                let node = node.upgrade()?;
                let (me, address) = (node.me(), node.endpoint.address());
                (!node.links.is_connected(me)).then(|| Shortfall {
                    code: "SW-READY-005".to_owned(),
                    why: format!("this node's own roles don't reach each other at {address}"),
                    next_step: "Let `listen` be an address that this machine reaches itself at.".to_owned(),
                })
            });
        }
    }

    /// Whether a peer that says that it has this role is somebody to work with: see the module's page.
    fn is_to_work_with(&self, peer: PeerId, role: Role) -> bool {
        let Roles { settler, prover, .. } = &self.roles;
        let is_known = || match role {
            Role::Operator => {
                prover.as_ref().is_some_and(|it| it.has_job_of(peer))
                    || settler.as_ref().is_some_and(|it| it.has_worked_with(peer))
            }
            Role::Settler | Role::Prover => false,
        };
        match role {
            Role::Settler => self.host.world.is_settler(peer),
            Role::Operator | Role::Prover => {
                self.is_listed(peer) || self.host.peers.standing(peer).tier() > Some(Tier::Low) || is_known()
            }
        }
    }

    /// Tells of conditions that are met no more, or again.
    pub(super) async fn tell_readiness(&self) {
        let mut told: BTreeMap<&'static str, String> = BTreeMap::new();
        sleep(BEGINNING).await;
        loop {
            let unmet: BTreeMap<&'static str, Shortfall> =
                self.host.telemetry.unmet().into_iter().map(|it| (it.condition, it.shortfall)).collect();
            for condition in told.keys().filter(|it| !unmet.contains_key(*it)) {
                self.events.emit(ConditionMet { condition });
            }
            for (condition, Shortfall { code, why, next_step }) in &unmet {
                // Another reason is news; more of the same isn't.
                if told.get(condition) != Some(code) {
                    let (code, why, next_step) = (code.clone(), why.clone(), next_step.clone());
                    self.events.emit(ConditionUnmet { condition, code, why, next_step });
                }
            }
            told = unmet.into_iter().map(|(condition, shortfall)| (condition, shortfall.code)).collect();
            sleep(LOOK_EVERY).await;
        }
    }
}
