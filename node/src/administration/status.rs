//! What the roles know of shards and the World, as the messages of `administration`.

use shardwire_model::Role;
use shardwire_operator::{Extent, RunStatus};
use shardwire_protocols::administration::{MAX_STORAGE_LISTED, ShardStatus, StorageStatus, world};
use shardwire_prover::JobStatus;
use shardwire_settler::SettlementStatus;
use shardwire_store::records::Figures;
use shardwire_world::{MAX_STORAGE_PAGE, StorageEntry};

// A World answers for a whole page of the message.
const _: () = assert!(MAX_STORAGE_LISTED <= MAX_STORAGE_PAGE);

/// A run, as its operator sees it.
pub(super) fn of_run(run: RunStatus) -> ShardStatus {
    let (budget_used_bytes, budget_bytes) = run.budget.map_or((0, 0), |it| (it.used_bytes, it.most_bytes));
    let Extent { chunks, steps, bytes_raw, bytes_wire, execute_ms } = run.witness;
    ShardStatus {
        stage: run.stage,
        prover: run.prover,
        transactions: run.transactions,
        refused: run.refused,
        budget_used_bytes,
        budget_bytes,
        segments: run.segments,
        steps,
        chunks,
        witness_bytes_raw: bytes_raw,
        witness_bytes_wire: bytes_wire,
        execute_ms,
        proof: run.proof,
        program_hash: Some(run.program),
        error: run.error,
        ..ShardStatus::new(run.shard, Role::Operator, run.operator)
    }
}

/// A job, as its prover sees it.
pub(super) fn of_job(job: JobStatus) -> ShardStatus {
    let Figures {
        steps,
        chunks,
        bytes_raw,
        bytes_wire,
        stream_ms,
        prove_ms,
        prove_cpu_ms,
        prove_peak_bytes,
        proof_bytes,
    } = job.figures;
    ShardStatus {
        stage: job.stage,
        prover: Some(job.prover),
        segment: job.segment,
        steps,
        chunks,
        witness_bytes_raw: bytes_raw,
        witness_bytes_wire: bytes_wire,
        stream_ms,
        prove_ms,
        prove_cpu_ms,
        prove_peak_bytes,
        proof: job.proof,
        proof_bytes,
        program_hash: Some(job.program),
        error: job.error,
        ..ShardStatus::new(job.shard, Role::Prover, job.operator)
    }
}

/// A shard, as its settler sees it.
pub(super) fn of_settlement(it: SettlementStatus) -> ShardStatus {
    let mut status = ShardStatus {
        stage: it.stage,
        program_hash: it.program,
        segments: if it.cuts > 0 { it.cuts + 1 } else { 0 },
        segments_proven: it.proven_segments,
        error: it.error,
        ..ShardStatus::new(it.shard, Role::Settler, it.operator)
    };
    if let Some(verdict) = it.verdict {
        status.prover = Some(verdict.prover);
        status.proof = Some(verdict.proof);
        status.proof_bytes = verdict.bytes;
        status.verify_us = verdict.verify_us;
    }
    if let Some(settlement) = it.settlement {
        status.proof = Some(settlement.proof);
        status.transactions = settlement.output.count;
        status.updates = settlement.output.updates;
    }
    status
}

/// A page of the World's storage, for which so many entries were asked: only a shorter one is certainly the last.
pub(super) fn storage_page(entries: Vec<StorageEntry>, limit: usize) -> world::Response {
    let more = entries.len() >= limit;
    let storage = entries.into_iter().map(|entry| StorageStatus {
        contract: entry.contract,
        key: entry.key,
        kind: entry.kind,
        value: entry.value,
        in_escrow: entry.in_escrow,
        held_by: entry.held_by,
    });
    world::Response::Storage { storage: storage.collect(), more }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::{ContractId, Felt, Key, Kind};

    /// A World gives no page longer than its own bound, which is the message's as well: asking for one entry more to see whether there is one
    /// showed the first page only.
    #[test]
    fn a_full_page_of_storage_is_not_taken_for_the_last() {
        let entry = |key: u64| StorageEntry {
            contract: ContractId(Felt::ONE),
            key: Key(Felt::from(key)),
            kind: Kind::Counter,
            value: Felt::from(key),
            in_escrow: 0,
            held_by: None,
        };
        let more = |entries: u64| {
            let world::Response::Storage { storage, more } = storage_page((0..entries).map(entry).collect(), 3);
            assert_eq!(storage.len() as u64, entries);
            more
        };
        assert_eq!([more(0), more(2), more(3)], [false, false, true]);
    }
}
