//! The state machine: which step may follow which.

use super::Stage;
use crate::{Cause, Coded, Felt, Hash, PeerId, Role, Timestamp, felt};
use serde::{Deserialize, Serialize};

/// How a shard ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// Settled by this proof.
    Settled {
        /// The hash of its bytes.
        proof: Hash,
    },
    /// It was aborted.
    Aborted,
}

/// A step of a shard's life, with the content that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The World has started it.
    Started {
        /// The commitment of what the World fixed.
        #[serde(with = "felt::wire")]
        commitment: Felt,
        /// Who asked for it.
        by: PeerId,
        /// When it is aborted unless it is settled.
        deadline: Timestamp,
    },
    /// Its operator has accepted it.
    Assigned {
        /// The commitment of what the World fixed.
        #[serde(with = "felt::wire")]
        commitment: Felt,
        /// The other side: the operator at the settler, the settler at the operator.
        peer: PeerId,
    },
    /// It has accepted transactions.
    Executing {
        /// The hash of the first.
        first: Hash,
    },
    /// Its end event was emitted.
    Ended {
        /// How many transactions were accepted.
        transactions: u32,
        /// The hash of all of them, in their sequence.
        log: Hash,
    },
    /// A prover fetches its witness. At the operator: of the whole run.
    Streaming {
        /// The job.
        job: Hash,
    },
    /// A prover has the whole witness.
    Proving {
        /// The hash of its chunks' hashes.
        witness: Hash,
    },
    /// There is a proof. At the operator: the first that a settler found to hold. At a prover: the first that it made, which may have been lost since.
    Proven {
        /// The hash of the proof's bytes.
        proof: Hash,
    },
    /// A proof holds, and its output is applied next.
    Verified {
        /// The hash of the proof's bytes.
        proof: Hash,
        /// Who made it.
        prover: PeerId,
    },
    /// Its output is applied.
    Settled {
        /// The proof that settled it; none if that is another prover's, which this one hasn't seen.
        proof: Option<Hash>,
    },
    /// This node has given it up; others may go on with it, and so may this one when a person says so.
    Failed {
        /// The reason: a stable code, and words for a person.
        cause: Cause,
    },
    /// It is given up for good; escrow and locks have returned.
    Aborted {
        /// Who or what ended it.
        why: AbortCause,
    },
}

/// Why a shard was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbortCause {
    /// Somebody asked for it.
    Asked {
        /// The peer that asked: the one that started the shard, or an administrator of the settler.
        by: PeerId,
    },
    /// Its deadline had passed.
    TimedOut,
    /// This node was told so.
    Told {
        /// The peer that said so.
        by: PeerId,
    },
    /// It was open in a data folder of an older layout, of which nothing is executed, proven or settled any more.
    Outdated,
    /// A proof of it holds, and the World can't take its output in: a counter is full, say. No other proof of that run could settle it.
    Unmergeable,
}

/// Why a shard is aborted. The World checks what it can: a deadline is a date, who asks is the submitter's to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AbortReason {
    /// The peer that started it, or an administrator of the settler, asked for it.
    Asked {
        /// The peer that asks.
        by: PeerId,
    },
    /// Its deadline has passed. Refused before that.
    Deadline,
    /// It is of an older layout, so no proof can settle it. Refused for any other shard. A World that noted no reasons for its aborts
    /// has this one for all of them, once it is migrated.
    Outdated,
    /// Its output is proven, and the World has refused to merge it, which it would do again: that is the submitter's to check.
    Unmergeable,
}

impl Step {
    /// The stage that it reaches.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Started { .. } => Stage::Started,
            Self::Assigned { .. } => Stage::Assigned,
            Self::Executing { .. } => Stage::Executing,
            Self::Ended { .. } => Stage::Ended,
            Self::Streaming { .. } => Stage::Streaming,
            Self::Proving { .. } => Stage::Proving,
            Self::Proven { .. } => Stage::Proven,
            Self::Verified { .. } => Stage::Verified,
            Self::Settled { .. } => Stage::Settled,
            Self::Failed { .. } => Stage::Failed,
            Self::Aborted { .. } => Stage::Aborted,
        }
    }
}

/// Why a step can't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another role sees that.
    #[error("a shard isn't {stage} at a {role}")]
    Foreign {
        /// The role whose part of the life it is.
        role: Role,
        /// The stage that the step reaches.
        stage: Stage,
    },
    /// A life begins otherwise.
    #[error("a shard's life at a {role} doesn't begin with being {stage}")]
    First {
        /// The role whose part of the life it is.
        role: Role,
        /// The stage that the step reaches.
        stage: Stage,
    },
    /// It is over.
    #[error("the shard is {stage}, and stays so")]
    Over {
        /// How it ended.
        stage: Stage,
    },
    /// It was further already.
    #[error("the shard is {from} and can't be {to} any more")]
    Backward {
        /// Where it stands.
        from: Stage,
        /// The stage that the step reaches.
        to: Stage,
    },
    /// It was there already, with another content.
    #[error("the shard is {stage} already, in another way")]
    Contradiction {
        /// The stage that the step reaches.
        stage: Stage,
    },
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Foreign { .. } => "SW-LIFE-001",
            Self::First { .. } => "SW-LIFE-002",
            Self::Over { .. } => "SW-LIFE-003",
            Self::Backward { .. } => "SW-LIFE-004",
            Self::Contradiction { .. } => "SW-LIFE-005",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Over { .. } => "Start another shard.",
            _ => "Nothing has changed; `shardwire shard history` shows how the shard got where it is.",
        }
        .into()
    }
}

/// What a role has seen of a shard's life so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    role: Role,
    /// In their order, at most one a stage.
    steps: Vec<Step>,
}

impl Life {
    /// A life without steps.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self { role, steps: Vec::new() }
    }

    /// Where the shard stands; nowhere if nothing was seen of it.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        self.steps.last().map(Step::stage)
    }

    /// How far it is, whether it was given up there or not.
    #[must_use]
    pub fn reached(&self) -> Option<Stage> {
        self.steps.iter().rev().map(Step::stage).find(|stage| *stage != Stage::Failed)
    }

    /// Whether it has got this far, or further.
    #[must_use]
    pub fn has_reached(&self, stage: Stage) -> bool {
        self.reached().is_some_and(|now| rank(now) >= rank(stage))
    }

    /// Whether it is settled or aborted.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stage().is_some_and(is_over)
    }

    /// How the shard ended, if it did. Settled by a proof that wasn't seen is no answer that others may be given.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        match self.steps.last()? {
            Step::Settled { proof: Some(proof) } => Some(Ended::Settled { proof: *proof }),
            Step::Aborted { .. } => Some(Ended::Aborted),
            _ => None,
        }
    }

    /// What was seen, in its order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The step that reached a stage, if it did.
    #[must_use]
    pub fn step(&self, stage: Stage) -> Option<&Step> {
        self.steps.iter().find(|step| step.stage() == stage)
    }

    /// The life after this step: the one function that says what may follow. A repeated step changes nothing.
    ///
    /// # Errors
    /// [`Refusal::Foreign`] if the role doesn't see such steps, [`Refusal::First`] if its life begins with another, [`Refusal::Over`] or
    /// [`Refusal::Backward`] if the shard is over or further already, [`Refusal::Contradiction`] if the content isn't what was seen before.
    pub fn after(&self, step: &Step) -> Result<Self, Refusal> {
        let (role, stage) = (self.role, step.stage());
        if let Some(same) = self.step(stage) {
            return if same == step { Ok(self.clone()) } else { Err(Refusal::Contradiction { stage }) };
        }
        if !sees(role, stage) {
            return Err(Refusal::Foreign { role, stage });
        }
        match self.reached() {
            None if stage != first(role) => return Err(Refusal::First { role, stage }),
            Some(now) if is_over(now) => return Err(Refusal::Over { stage: now }),
            Some(now) if rank(now) > rank(stage) => return Err(Refusal::Backward { from: now, to: stage }),
            _ => {}
        }
        if !self.agrees(step) {
            return Err(Refusal::Contradiction { stage });
        }
        Ok(Self { role, steps: self.steps.iter().chain([step]).cloned().collect() })
    }

    /// Whether a proof is the one that was verified before. One that was only made needn't be: several provers may have one, and a prover that has lost
    /// its own makes another.
    fn agrees(&self, step: &Step) -> bool {
        let Step::Settled { proof: Some(by) } = step else { return true };
        self.steps.iter().all(|seen| !matches!(seen, Step::Verified { proof, .. } if proof != by))
    }
}

const fn is_over(stage: Stage) -> bool {
    matches!(stage, Stage::Settled | Stage::Aborted)
}

/// The order of the stages. Both ends come last. To be given up is no progress, so it comes after whatever was reached.
const fn rank(stage: Stage) -> u8 {
    match stage {
        Stage::Started => 0,
        Stage::Assigned => 1,
        Stage::Executing => 2,
        Stage::Ended => 3,
        Stage::Streaming => 4,
        Stage::Proving => 5,
        Stage::Proven => 6,
        Stage::Verified => 7,
        Stage::Failed => 8,
        Stage::Settled | Stage::Aborted => 9,
    }
}

/// With which a life begins.
const fn first(role: Role) -> Stage {
    match role {
        Role::Settler => Stage::Started,
        Role::Operator => Stage::Assigned,
        Role::Prover => Stage::Streaming,
    }
}

/// Which stages a role sees.
const fn sees(role: Role, stage: Stage) -> bool {
    match stage {
        Stage::Started | Stage::Verified => matches!(role, Role::Settler),
        Stage::Assigned => !matches!(role, Role::Prover),
        Stage::Executing | Stage::Ended => matches!(role, Role::Operator),
        Stage::Streaming | Stage::Proving | Stage::Proven => !matches!(role, Role::Settler),
        Stage::Failed => matches!(role, Role::Prover),
        Stage::Settled | Stage::Aborted => true,
    }
}
