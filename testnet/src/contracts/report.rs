//! What came out: a table for people, one object for programs.

use super::play::Played;
use crate::{
    figures::Figures,
    recompute::State,
    report::{Outcome, proved_in, rendered, table, witness},
    units,
};
use serde::Serialize;
use serde_json::Value;
use shardwire_model::{Felt, Kind, ShardId, Update};
use shardwire_workload::{Storage, World};
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

/// Most rows of the first table.
const MAX_ROWS: usize = 64;

/// What a recomputation counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Transactions of accounts; the others are session calls.
    pub(crate) invokes: u64,
    /// Calls that the players' deeds made, nested ones included.
    pub(crate) calls: u64,
    /// Calls inside that failed and were forgiven.
    pub(crate) inner_failures: u64,
    /// Transactions that were undone whole.
    pub(crate) reverted: u64,
}

/// A game whose shard was settled.
#[derive(Debug)]
pub struct Report {
    pub(super) figures: Figures,
    pub(super) counts: Counts,
    /// What the World had before.
    pub(super) world: World,
    /// Who the players are, by account.
    pub(super) names: BTreeMap<Felt, String>,
    /// What it has now.
    pub(super) settled: State,
    /// The differences from the recomputation, a sentence each.
    pub(super) differences: Vec<String>,
    /// Time from the shard's start to its settlement.
    pub(super) took: Duration,
    pub(super) played: Played,
}

#[derive(Serialize)]
struct Object<'a> {
    ok: bool,
    shard_id: ShardId,
    transactions: u32,
    invokes: u64,
    session_calls: u64,
    calls: u64,
    inner_failures: u64,
    reverted: u64,
    steps: u64,
    segments: u32,
    prove_cpu_s: f64,
    proof_bytes: u64,
    updates: &'a [Update],
    tx_per_s: f64,
    receipt_p50_ms: f64,
    receipt_p99_ms: f64,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    differences: &'a [String],
}

impl Report {
    /// Whether the settled World is the recomputed one.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.differences.is_empty()
    }

    /// The object of the last line.
    fn object_of(&self) -> Value {
        let thousandths = |number: f64| (number * 1e3).round() / 1e3;
        let millis = |share| thousandths(self.played.wait(share).as_secs_f64() * 1e3);
        let object = Object {
            ok: self.is_ok(),
            shard_id: self.figures.shard,
            transactions: self.figures.transactions,
            invokes: self.counts.invokes,
            session_calls: u64::from(self.figures.transactions) - self.counts.invokes,
            calls: self.counts.calls,
            inner_failures: self.counts.inner_failures,
            reverted: self.counts.reverted,
            steps: self.figures.steps,
            segments: self.figures.segments,
            prove_cpu_s: thousandths(self.figures.prove_cpu.as_secs_f64()),
            proof_bytes: self.figures.proof_bytes,
            updates: &self.figures.updates,
            tx_per_s: thousandths(self.rate()),
            receipt_p50_ms: millis(50),
            receipt_p99_ms: millis(99),
            differences: &self.differences,
        };
        // Its fields are plain: they always encode.
        serde_json::to_value(object).unwrap_or_default()
    }

    /// Transactions a second, from the first that was sent to the last receipt.
    fn rate(&self) -> f64 {
        let seconds = self.played.took.as_secs_f64();
        if seconds > 0.0 { f64::from(self.figures.transactions) / seconds } else { 0.0 }
    }

    fn value(&self, kind: Kind, value: Felt) -> String {
        match self.names.get(&value) {
            Some(name) if kind == Kind::Lock => name.clone(),
            _ => units::felt(value),
        }
    }

    fn world_table(&self) -> String {
        let mut table = table(vec!["game of contracts".into(), "before → after".into()]);
        for it in self.world.storage.iter().take(MAX_ROWS) {
            let Storage { kind, value, name, of, .. } = it;
            let name = name.as_deref().unwrap_or_default();
            let label = of.as_ref().map_or_else(|| name.to_owned(), |of| format!("{name} of {of}"));
            let after =
                self.settled.get(&it.slot()).map_or_else(|| "missing".into(), |it| self.value(it.kind, it.value));
            table.add_row([label, format!("{} → {after}", self.value(*kind, *value))]);
        }
        let mut text = rendered(&table);
        if self.world.storage.len() > MAX_ROWS {
            let _ = write!(text, "\n… and {} more", self.world.storage.len() - MAX_ROWS);
        }
        text
    }

    fn shard_table(&self) -> String {
        let Self { figures, counts, played, .. } = self;
        let mut table = table(vec!["shard".into(), units::felt(figures.shard.0)]);
        let rows = [
            (
                "transactions",
                format!(
                    "{}: {} INVOKEs, the others session calls; {} reverted",
                    units::count(figures.transactions.into()),
                    units::count(counts.invokes),
                    units::count(counts.reverted)
                ),
            ),
            (
                "calls",
                format!(
                    "{}, {} failed inside and were forgiven",
                    units::count(counts.calls),
                    units::count(counts.inner_failures)
                ),
            ),
            ("played in", format!("{} ({} transactions a second)", units::time(played.took), units::rate(self.rate()))),
            (
                "receipts in",
                format!("{} (half), {} (99 of 100)", units::time(played.wait(50)), units::time(played.wait(99))),
            ),
            ("steps", units::count(figures.steps)),
            ("witness", witness(figures)),
            ("proved in", proved_in(figures)),
            (
                "proof",
                format!(
                    "{}, {}, verified in {}",
                    units::bytes(figures.proof_bytes),
                    units::things(self.figures.segments.into(), "segment"),
                    units::time(figures.verify)
                ),
            ),
            ("updates", units::count(figures.updates.len() as u64)),
            ("in all", units::time(self.took)),
        ];
        for (name, value) in rows {
            table.add_row([name.to_owned(), value]);
        }
        rendered(&table)
    }
}

impl Outcome for Report {
    fn is_ok(&self) -> bool {
        Self::is_ok(self)
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n\n{}\n\n", self.world_table(), self.shard_table());
        if self.is_ok() {
            text.push_str("✓ The settled World equals the recomputation of the game.\n");
            return text;
        }
        let things = units::things(self.differences.len() as u64, "difference");
        let _ = writeln!(text, "✗ {things} from the recomputation of the game:");
        for difference in &self.differences {
            let _ = writeln!(text, "  {difference}");
        }
        text
    }

    fn object(&self) -> Value {
        self.object_of()
    }
}
