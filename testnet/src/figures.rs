//! What the three nodes say about the shard, as one account of it.

use shardwire_model::{Felt, ShardId, Update};
use shardwire_protocols::control::{Role, ShardStatus, Stage};
use std::time::Duration;

/// How far the shard is, and what it has cost. What nobody knows yet is zero or empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The shard.
    pub shard: ShardId,
    /// How far each role is.
    pub stages: Stages,
    /// Transactions accepted.
    pub transactions: u32,
    /// Transactions refused.
    pub refused: u32,
    /// Steps of the run.
    pub steps: u64,
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

/// How far each role is; what it has not heard of is `Started`.
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
    /// The account of these statuses, of whatever roles. Each figure is the largest that somebody knows: who doesn't know says zero.
    #[must_use]
    pub fn of(shard: ShardId, statuses: &[ShardStatus]) -> Self {
        let most = |figure: fn(&ShardStatus) -> u64| statuses.iter().map(figure).max().unwrap_or_default();
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
            chunks: count(|it| it.chunks),
            witness_bytes_raw: most(|it| it.witness_bytes_raw),
            witness_bytes_wire: most(|it| it.witness_bytes_wire),
            execute: millis(|it| it.execute_ms),
            stream: millis(|it| it.stream_ms),
            prove: millis(|it| it.prove_ms),
            prove_cpu: millis(|it| it.prove_cpu_ms),
            prove_peak_bytes: most(|it| it.prove_peak_bytes),
            verify: Duration::from_micros(most(|it| it.verify_us)),
            proof_bytes: most(|it| it.proof_bytes),
            program_hash: statuses.iter().find_map(|it| it.program_hash),
            updates: statuses.iter().map(|it| &it.updates).find(|it| !it.is_empty()).cloned().unwrap_or_default(),
        }
    }
}
