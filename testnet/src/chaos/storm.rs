//! Kills nodes at random and starts them again.

use crate::{
    dice::Dice,
    network::{NetworkError, Node},
};
use shardwire_model::Role;
use std::time::Duration;
use tokio::{task::JoinSet, time::sleep};

/// The shortest and the longest time from one kill to the next.
pub(super) const PAUSE: (Duration, Duration) = (Duration::from_millis(900), Duration::from_millis(2100));
/// How often a settler, an operator and a prover are killed, relative to each other. Each of two provers is hit every
/// 25 seconds or so, so about every second proof is finished.
pub(super) const WEIGHTS: [(Role, u64); 3] = [(Role::Settler, 4), (Role::Operator, 4), (Role::Prover, 1)];
/// How long a killed node stays away, at most.
const AWAY: Duration = Duration::from_millis(800);

/// Kills the nodes that it is given, and starts them again.
#[derive(Debug)]
pub(super) struct Storm {
    /// The running nodes. The others are being started.
    up: Vec<Node>,
    down: JoinSet<Result<Node, NetworkError>>,
    dice: Dice,
    kills: u64,
    over: bool,
}

impl Storm {
    pub(super) fn new(up: Vec<Node>, dice: Dice) -> Self {
        Self { up, down: JoinSet::new(), dice, kills: 0, over: false }
    }

    /// How many were killed so far.
    pub(super) fn kills(&self) -> u64 {
        self.kills
    }

    /// Whether it has [passed](Self::pass).
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The time until the next kill.
    pub(super) fn pause(&mut self) -> Duration {
        self.dice.between(PAUSE.0, PAUSE.1)
    }

    /// Kills a running node.
    pub(super) async fn strike(&mut self) -> Result<(), NetworkError> {
        while let Some(back) = self.down.try_join_next() {
            self.back(back)?;
        }
        if self.up.is_empty() {
            let back = self.down.join_next().await;
            back.map_or(Ok(()), |back| self.back(back))?;
        }
        let Some(victim) = self.victim() else { return Ok(()) };
        let mut node = self.up.swap_remove(victim);
        let away = self.dice.between(Duration::ZERO, AWAY);
        self.kills += 1;
        self.down.spawn(async move {
            node.kill().await;
            sleep(away).await;
            node.restart().await?;
            Ok(node)
        });
        Ok(())
    }

    fn victim(&mut self) -> Option<usize> {
        let weight = |node: &Node| WEIGHTS.iter().find(|(role, _)| *role == node.role()).map_or(0, |it| it.1);
        let all: u64 = self.up.iter().map(weight).sum();
        let mut drawn = self.dice.below(all.max(1));
        self.up.iter().position(|node| {
            let (hit, weight) = (drawn < weight(node), weight(node));
            drawn = drawn.saturating_sub(weight);
            hit
        })
    }

    fn back(&mut self, back: Result<Result<Node, NetworkError>, tokio::task::JoinError>) -> Result<(), NetworkError> {
        // A task that was cancelled or panicked has dropped its node, which then shows when the folders are read.
        if let Ok(node) = back {
            self.up.push(node?);
        }
        Ok(())
    }

    /// Waits until all nodes run. No node is killed any more.
    pub(super) async fn pass(&mut self) -> Result<(), NetworkError> {
        while let Some(back) = self.down.join_next().await {
            self.back(back)?;
        }
        self.over = true;
        Ok(())
    }

    /// Checks that the nodes which should run do.
    pub(super) fn alive(&mut self) -> Result<(), NetworkError> {
        self.up.iter_mut().try_for_each(Node::alive)
    }

    /// Returns the nodes.
    pub(super) fn end(self) -> Vec<Node> {
        self.up
    }
}
