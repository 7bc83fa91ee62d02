//! How a shard is, for people.

use super::{Operator, chunk_store::Extent, run::Run};
use shardwire_model::{Role, ShardStart, Stage, life::Step};
use shardwire_protocols::administration::ShardStatus;

impl Operator {
    /// How each shard is.
    pub fn shards(&self) -> Vec<ShardStatus> {
        self.runs().iter().map(|run| run.status()).collect()
    }
}

impl Run {
    /// How the shard is.
    pub(super) fn status(&self) -> ShardStatus {
        let Extent { chunks, steps, bytes_raw, bytes_wire, execute_ms } = self.chunk_store.extent();
        let (lease, transactions) = (self.leases.present(), self.accepted());
        let state = self.state();
        let start: &ShardStart = &self.assignment.start;
        let stage = match &state.fault {
            Some(_) if !state.life.is_over() => Stage::Failed,
            _ => state.life.stage().unwrap_or_default(),
        };
        let proof = match state.life.steps().last() {
            Some(Step::Settled { proof }) => *proof,
            _ => lease.as_ref().and_then(|lease| lease.proof),
        };
        ShardStatus {
            stage,
            prover: lease.map(|lease| lease.prover),
            transactions,
            refused: state.refused,
            steps,
            chunks,
            witness_bytes_raw: bytes_raw,
            witness_bytes_wire: bytes_wire,
            execute_ms,
            proof,
            program_hash: Some(start.program),
            error: state.fault.clone().or_else(|| state.interrupted.clone()),
            ..ShardStatus::new(self.shard, Role::Operator, start.operator)
        }
    }
}
