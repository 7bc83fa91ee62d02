//! What becomes of operations: the same for every World. The room that submits an operation and is told what became of it emits these.

use crate::{Operation, Refusal, Ticket};
use shardwire_model::ShardId;
use shardwire_telemetry::{Label as _, events, labels};

labels! {
    /// A kind of operation.
    pub enum Kind { Start = "start", Settlement = "settlement", Abort = "abort" }
}

impl From<&Operation> for Kind {
    fn from(operation: &Operation) -> Self {
        match operation {
            Operation::Start { .. } => Self::Start,
            Operation::Settle { .. } => Self::Settlement,
            Operation::Abort { .. } => Self::Abort,
        }
    }
}

events! {
    pub room "world";

    /// An operation is handed in
    OperationSubmitted = "operation_submitted" { shard: ShardId, ticket: Ticket, operation: Kind }
        by { operation: Kind = *operation }
        => DEBUG : (shard = %shard.short(), %ticket, "the {} is submitted to the World", operation.text());

    /// An operation is noted, and will be decided
    OperationPending = "operation_pending" { shard: ShardId, ticket: Ticket, operation: Kind }
        by { operation: Kind = *operation }
        => INFO : (shard = %shard.short(), %ticket, "{} is pending in the World", operation.text());

    /// An operation is done, for good
    OperationFinal = "operation_final" { shard: ShardId, ticket: Ticket, operation: Kind }
        by { operation: Kind = *operation }
        => DEBUG : (shard = %shard.short(), %ticket, "the {} is final in the World", operation.text());

    /// An operation was refused, and changed nothing
    OperationRefused = "operation_refused" { shard: ShardId, operation: Kind, code: &'static str, refusal: Refusal }
        by { operation: Kind = *operation }
        => WARN : (shard = %shard.short(), code, "the World refuses the {}: {refusal}", operation.text());
}
