//! How a shard's run is, for people.

use super::{Operator, chunk_store::Extent, run::Run};
use shardwire_model::{Cause, Felt, Hash, PeerId, ShardId, Stage, life::Step};
use shardwire_program::Budget;

/// How a shard's run is at its operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStatus {
    /// The shard.
    pub shard: ShardId,
    /// How far it is.
    pub stage: Stage,
    /// Who executes it: the operator that the start data names.
    pub operator: PeerId,
    /// Who holds the lease of its job; of a run in segments, of the latest that is leased.
    pub prover: Option<PeerId>,
    /// In how many segments it is so far.
    pub segments: u32,
    /// Transactions in its log.
    pub transactions: u32,
    /// Transactions that a rule refused.
    pub refused: u32,
    /// How much of what one proof can take its log uses, while it takes transactions, if its program counts that.
    pub budget: Option<Budget>,
    /// Its witness, as far as it goes.
    pub witness: Extent,
    /// The proof that settled it; until then, the one that a settler has found to hold. That a prover has one, it may only say.
    pub proof: Option<Hash>,
    /// The program that it executes.
    pub program: Felt,
    /// Why it has stopped, waits to be executed again, or can't look at transactions.
    pub error: Option<Cause>,
}

impl Operator {
    /// How the run of each shard is.
    pub fn shards(&self) -> Vec<RunStatus> {
        self.runs().iter().map(|run| run.status()).collect()
    }

    /// How far a shard is; none if it isn't here.
    pub fn stage(&self, shard: ShardId) -> Option<Stage> {
        Some(self.run(shard)?.stage())
    }
}

impl Run {
    fn stage(&self) -> Stage {
        let state = self.state();
        match &state.fault {
            Some(_) if !state.life.is_over() => Stage::Failed,
            _ => state.life.stage().unwrap_or_default(),
        }
    }

    fn status(&self) -> RunStatus {
        let segments = self.segments.all();
        let witness = segments.iter().map(|segment| segment.chunk_store.extent()).fold(Extent::default(), Extent::and);
        // Of several who has the last one that anybody has.
        let lease = segments.iter().rev().find_map(|segment| segment.leases.present());
        let transactions = self.accepted();
        let (stage, budget) = (self.stage(), self.budget());
        let state = self.state();
        let start = &self.assignment.start;
        let proof = match (state.life.steps().last(), state.life.step(Stage::Proven)) {
            (Some(Step::Settled { proof }), _) => *proof,
            (_, Some(Step::Proven { proof })) => Some(*proof),
            _ => None,
        };
        RunStatus {
            shard: self.shard,
            stage,
            operator: start.operator,
            prover: lease.map(|lease| lease.prover),
            segments: u32::try_from(segments.len()).unwrap_or(u32::MAX),
            transactions,
            refused: state.refused,
            budget,
            witness,
            proof,
            program: start.program,
            error: [&state.fault, &state.interrupted, &state.unable].into_iter().find_map(Clone::clone),
        }
    }
}
