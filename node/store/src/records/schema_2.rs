//! Migrates files of schema 2: the layout with one version for all tables, of ABI 1.
//!
//! | table | what it becomes |
//! |---|---|
//! | `operator.assignments`, `prover.jobs` | start data and outputs as of version 1; start data [names no program](ShardStart::is_outdated), and that is the mark of an outdated shard |
//! | `operator.executions`, `operator.leases`, `settler.verdicts`, `settler.intents` | under the first segment of their shards |
//! | `prover.leases`, `settler.leases` | the bytes that were signed, and the signature over them |
//! | `node.history` | under the first segment; the bytes that were signed, as entries of the [first form](EntryForm::First) |
//! | all other tables | what they are |
//!
//! What was about to be done in a World can't be done as it was noted: a start without its request, the output of a proof of ABI 1. It
//! becomes a note that the shard is given up, so that those who ask are told. The shards that are open are aborted by their roles when the node
//! starts, because that is signed: a migration signs nothing.
//!
//! A record that can't be read, and one whose output isn't of its shard's settlement list, is damage; the file is refused and stays as it is.

use super::{
    Executed, Figures, KeptCause, Manifest, SignedBytes, SignedEntry, StoredChunk, WireFelt, operator::AssignmentOf1,
    prover::JobOf1, settler::IntentOf1,
};
use crate::{FormatMigration, RecordKey as _, Rows, StoreError, table::read};
use serde::{Deserialize, Serialize};
use shardwire_model::{
    Hash, Output, PeerId, SegmentId, ShardId, ShardStart, Timestamp, abi_1,
    life::{AbortCause, AbortReason, EntryForm},
};
use std::collections::BTreeMap;

/// Bytes of a shard's id.
const SHARD_BYTES: usize = 32;

pub(super) const MIGRATION: FormatMigration = FormatMigration {
    format: 2,
    tables: &[
        ("operator.assignments", 1),
        ("operator.transactions", 1),
        ("operator.executions", 1),
        ("operator.leases", 1),
        ("prover.jobs", 1),
        ("prover.leases", 1),
        ("settler.handoffs", 1),
        ("settler.intents", 1),
        ("settler.verdicts", 1),
        ("settler.leases", 1),
        ("node.history", 2),
        ("node.accused", 1),
        ("node.evidence", 1),
        ("node.peers", 1),
        ("node.words", 1),
    ],
    run,
};

#[derive(Serialize, Deserialize)]
struct OlderAssignment {
    start: abi_1::Start,
    values: Vec<WireFelt>,
    settler: PeerId,
    epoch: u64,
}

#[derive(Serialize, Deserialize)]
struct OlderExecuted {
    chunks: Vec<StoredChunk>,
    steps: u64,
    output: abi_1::Output,
    execute_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct OlderJob {
    start: abi_1::Start,
    values: Vec<WireFelt>,
    segment: u32,
    operator: PeerId,
    epoch: u64,
    manifest: Option<OlderManifest>,
    attempts: u32,
    proof: Option<Hash>,
    figures: Figures,
    receipt: Option<Vec<u8>>,
    disputes: BTreeMap<PeerId, Vec<u8>>,
    fault: Option<KeptCause>,
}

#[derive(Serialize, Deserialize)]
struct OlderManifest {
    chunks: Vec<Hash>,
    steps: u64,
    output: abi_1::Output,
}

#[derive(Serialize, Deserialize)]
enum OlderIntent {
    Start { by: PeerId, deadline: Timestamp },
    Settle { proof: Hash, output: abi_1::Output },
    Abort { why: AbortCause },
}

fn run(rows: &mut Rows<'_>) -> Result<(), StoreError> {
    let starts = assignments(rows)?;
    executions(rows, &starts)?;
    jobs(rows)?;
    intents(rows)?;
    for table in ["operator.leases", "settler.verdicts"] {
        for (key, record) in rows.all(table)? {
            rows.remove(table, &key)?;
            rows.put(table, &in_first_segment(table, &key)?, &record)?;
        }
    }
    for table in ["prover.leases", "settler.leases"] {
        for (key, record) in rows.all(table)? {
            rows.put_record(table, &key, &SignedBytes::of_message(table, &record)?)?;
        }
    }
    histories(rows)
}

fn assignments(rows: &mut Rows<'_>) -> Result<BTreeMap<ShardId, ShardStart>, StoreError> {
    let table = "operator.assignments";
    let mut starts = BTreeMap::new();
    for (key, record) in rows.all(table)? {
        let OlderAssignment { start, values, settler, epoch } = read(table, &record)?;
        let start = start.into_next();
        starts.insert(start.shard, start.clone().into_present());
        rows.put_record(table, &key, &AssignmentOf1 { start, values, settler, epoch })?;
    }
    Ok(starts)
}

fn executions(rows: &mut Rows<'_>, starts: &BTreeMap<ShardId, ShardStart>) -> Result<(), StoreError> {
    let table = "operator.executions";
    for (key, record) in rows.all(table)? {
        let OlderExecuted { chunks, steps, output, execute_ms } = read(table, &record)?;
        let output = present(table, output, starts.get(&shard(table, &key)?))?;
        rows.remove(table, &key)?;
        let executed = Executed { chunks, steps, output, execute_ms };
        rows.put_record(table, &in_first_segment(table, &key)?, &executed)?;
    }
    Ok(())
}

fn jobs(rows: &mut Rows<'_>) -> Result<(), StoreError> {
    let table = "prover.jobs";
    for (key, record) in rows.all(table)? {
        let job: OlderJob = read(table, &record)?;
        let start = job.start.into_next();
        let known = start.clone().into_present();
        let manifest = job.manifest.map(|OlderManifest { chunks, steps, output }| {
            Ok::<_, StoreError>(Manifest { chunks, steps, output: present(table, output, Some(&known))? })
        });
        let manifest = manifest.transpose()?;
        let job = JobOf1 {
            start,
            values: job.values,
            segment: job.segment,
            operator: job.operator,
            epoch: job.epoch,
            manifest,
            attempts: job.attempts,
            proof: job.proof,
            figures: job.figures,
            receipt: job.receipt,
            disputes: job.disputes,
            fault: job.fault,
        };
        rows.put_record(table, &key, &job)?;
    }
    Ok(())
}

fn intents(rows: &mut Rows<'_>) -> Result<(), StoreError> {
    let table = "settler.intents";
    for (key, record) in rows.all(table)? {
        let intent = match read(table, &record)? {
            OlderIntent::Start { by, deadline } => IntentOf1::OlderStart { by, deadline },
            OlderIntent::Abort { why: AbortCause::Asked { by } } => {
                IntentOf1::Abort { reason: AbortReason::Asked { by } }
            }
            OlderIntent::Abort { why: AbortCause::TimedOut } => IntentOf1::Abort { reason: AbortReason::Deadline },
            OlderIntent::Abort { .. } | OlderIntent::Settle { .. } => {
                IntentOf1::Abort { reason: AbortReason::Outdated }
            }
        };
        rows.remove(table, &key)?;
        rows.put_record(table, &in_first_segment(table, &key)?, &intent)?;
    }
    Ok(())
}

fn histories(rows: &mut Rows<'_>) -> Result<(), StoreError> {
    let table = "node.history";
    for (key, record) in rows.all(table)? {
        let entry = SignedEntry { form: EntryForm::First, signed: SignedBytes::of_message(table, &record)? };
        rows.remove(table, &key)?;
        rows.put_record(table, &in_first_segment(table, &key)?, &entry)?;
    }
    Ok(())
}

/// The output of a run over this start data, as outputs are today.
fn present(table: &str, output: abi_1::Output, start: Option<&ShardStart>) -> Result<Output, StoreError> {
    let present = start.and_then(|start| output.into_present(start));
    present.ok_or_else(|| StoreError::Damaged(format!("an output in '{table}' isn't of its shard's settlement list")))
}

fn shard(table: &str, key: &[u8]) -> Result<ShardId, StoreError> {
    let shard = key.get(..SHARD_BYTES).and_then(ShardId::from_bytes);
    shard.ok_or_else(|| StoreError::Damaged(format!("a key of '{table}' can't be read")))
}

/// A key that begins with a shard, with the first segment after it.
fn in_first_segment(table: &str, key: &[u8]) -> Result<Vec<u8>, StoreError> {
    let first = SegmentId::first(shard(table, key)?).to_bytes();
    Ok([&first, key.get(SHARD_BYTES..).unwrap_or_default()].concat())
}
