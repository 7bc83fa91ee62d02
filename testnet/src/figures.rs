//! What the three nodes report about the shard, combined.

use shardwire_model::{Felt, Role, ShardId, Stage, Update};
use shardwire_protocols::administration::ShardStatus;
use std::time::Duration;

/// How far the shard is, and what it has cost. Figures that no node knows yet are zero or empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The shard.
    pub shard: ShardId,
    /// The stage of each role.
    pub stages: Stages,
    /// Transactions accepted.
    pub transactions: u32,
    /// Transactions refused.
    pub refused: u32,
    /// Steps of the run.
    pub steps: u64,
    /// In how many segments it is.
    pub segments: u32,
    /// Chunks of its witness.
    pub chunks: u32,
    /// Bytes of the witness.
    pub witness_bytes_raw: u64,
    /// Bytes of the witness on the wire.
    pub witness_bytes_wire: u64,
    /// How long it executed.
    pub execute: Duration,
    /// How long its witness was fetched.
    pub stream: Duration,
    /// How long it was proven.
    pub prove: Duration,
    /// CPU time of proving.
    pub prove_cpu: Duration,
    /// Most memory that proving held, in bytes.
    pub prove_peak_bytes: u64,
    /// How long the proof was verified.
    pub verify: Duration,
    /// The proof's length.
    pub proof_bytes: u64,
    /// The hash of the program that was proven.
    pub program_hash: Option<Felt>,
    /// What is settled.
    pub updates: Vec<Update>,
}

/// The stage of each role; one that hasn't heard of the shard is at `Started`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// The settler.
    pub settler: Stage,
    /// The operator.
    pub operator: Stage,
    /// The prover.
    pub prover: Stage,
}

impl Figures {
    /// Combines these statuses. Each figure is the largest that a role reports, because a node that doesn't know it
    /// reports zero. What a prover reports of a run's segments is added up, but for the memory, which one proof holds at a time.
    #[must_use]
    pub fn of(shard: ShardId, statuses: &[ShardStatus]) -> Self {
        let most = |figure: fn(&ShardStatus) -> u64| {
            let of = |role| statuses.iter().filter(|it| it.role == role).map(figure).sum();
            [Role::Settler, Role::Operator, Role::Prover].map(of).into_iter().max().unwrap_or_default()
        };
        let count = |figure: fn(&ShardStatus) -> u32| statuses.iter().map(figure).max().unwrap_or_default();
        let millis = |figure| Duration::from_millis(most(figure));
        let stage =
            |role: Role| statuses.iter().filter(|it| it.role == role).map(|it| it.stage).max().unwrap_or_default();
        Self {
            shard,
            stages: Stages {
                settler: stage(Role::Settler),
                operator: stage(Role::Operator),
                prover: stage(Role::Prover),
            },
            transactions: count(|it| it.transactions),
            refused: count(|it| it.refused),
            steps: most(|it| it.steps),
            segments: count(|it| it.segments),
            chunks: count(|it| it.chunks),
            witness_bytes_raw: most(|it| it.witness_bytes_raw),
            witness_bytes_wire: most(|it| it.witness_bytes_wire),
            execute: millis(|it| it.execute_ms),
            stream: millis(|it| it.stream_ms),
            prove: millis(|it| it.prove_ms),
            prove_cpu: millis(|it| it.prove_cpu_ms),
            prove_peak_bytes: statuses.iter().map(|it| it.prove_peak_bytes).max().unwrap_or_default(),
            verify: Duration::from_micros(most(|it| it.verify_us)),
            proof_bytes: most(|it| it.proof_bytes),
            program_hash: statuses.iter().find_map(|it| it.program_hash),
            updates: statuses.iter().map(|it| &it.updates).find(|it| !it.is_empty()).cloned().unwrap_or_default(),
        }
    }

    /// Fills in what was known before: a node that restarts, or has cleaned up, reports zero.
    #[must_use]
    pub fn or_before(mut self, before: &Self) -> Self {
        self.transactions = self.transactions.max(before.transactions);
        self.refused = self.refused.max(before.refused);
        self.steps = self.steps.max(before.steps);
        self.segments = self.segments.max(before.segments);
        self.chunks = self.chunks.max(before.chunks);
        self.witness_bytes_raw = self.witness_bytes_raw.max(before.witness_bytes_raw);
        self.witness_bytes_wire = self.witness_bytes_wire.max(before.witness_bytes_wire);
        self.execute = self.execute.max(before.execute);
        self.stream = self.stream.max(before.stream);
        self.prove = self.prove.max(before.prove);
        self.prove_cpu = self.prove_cpu.max(before.prove_cpu);
        self.prove_peak_bytes = self.prove_peak_bytes.max(before.prove_peak_bytes);
        self.verify = self.verify.max(before.verify);
        self.proof_bytes = self.proof_bytes.max(before.proof_bytes);
        self.program_hash = self.program_hash.or(before.program_hash);
        if self.updates.is_empty() {
            self.updates.clone_from(&before.updates);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::PeerId;

    #[test]
    fn each_figure_is_the_largest_that_somebody_knows_or_knew() {
        let shard = ShardId(Felt::ONE);
        let status = |role| ShardStatus::new(shard, role, PeerId([1; 32]));
        let operator = ShardStatus { stage: Stage::Ended, steps: 70, execute_ms: 5, ..status(Role::Operator) };
        let prover = ShardStatus { stage: Stage::Streaming, steps: 60, stream_ms: 9, ..status(Role::Prover) };
        let before = Figures::of(shard, &[operator, prover]);
        assert_eq!((before.steps, before.execute.as_millis(), before.stream.as_millis()), (70, 5, 9));
        let part =
            |segment| ShardStatus { segment, steps: 35, proof_bytes: 4, prove_peak_bytes: 9, ..status(Role::Prover) };
        let parts = Figures::of(shard, &[part(0), part(1), ShardStatus { segments: 2, ..status(Role::Operator) }]);
        assert_eq!((parts.segments, parts.steps, parts.proof_bytes, parts.prove_peak_bytes), (2, 70, 8, 9));
        assert_eq!((before.stages.operator, before.stages.settler), (Stage::Ended, Stage::Started));
        let after = Figures::of(shard, &[status(Role::Operator)]).or_before(&before);
        assert_eq!((after.steps, after.execute.as_millis()), (70, 5));
        assert_eq!(after.stages.operator, Stage::Started, "stages are as they are now");
    }
}
