//! The five stages of a shard's life as people follow them, each a line.

use crate::{figures::Figures, units};
use shardwire_model::Stage;
use std::time::Duration;

/// How far the shard is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Time since the shard's start.
    pub elapsed: Duration,
    /// Receipts that the client holds.
    pub receipts: u32,
    /// Transactions of the workload.
    pub of: u32,
    /// Time from the first transaction to the last receipt, or until now.
    pub playing: Duration,
    /// Time since the prover began to prove, while it does.
    pub proving: Duration,
    /// What the nodes report.
    pub figures: Figures,
}

/// The state of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It hasn't begun.
    Waiting,
    /// It has begun and isn't over.
    Running,
    /// It is over.
    Done,
}

/// A line of the display: one stage of the shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The stage's name.
    pub name: &'static str,
    /// The stage's state.
    pub mark: Mark,
    /// The stage's progress.
    pub text: String,
}

fn mark(running: bool, done: bool) -> Mark {
    match (running, done) {
        (_, true) => Mark::Done,
        (true, false) => Mark::Running,
        (false, false) => Mark::Waiting,
    }
}

fn rate(amount: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    units::rate(if seconds > 0.0 { amount as f64 / seconds } else { 0.0 })
}

/// The stages, in the order in which they end.
#[must_use]
pub fn stages(progress: &Progress) -> [Line; 5] {
    let Progress { receipts, of, playing, proving, figures, .. } = progress;
    let stages = figures.stages;
    let seen = |text: String, mark: Mark| if mark == Mark::Waiting { String::new() } else { text };
    let line = |name, mark, text| Line { name, mark, text: seen(text, mark) };

    let play = mark(*receipts > 0, receipts >= of);
    // The end event comes a little before the last steps, and the figures with those.
    let executed = stages.operator >= Stage::Ended && !figures.execute.is_zero();
    let execute = mark(stages.operator >= Stage::Executing, executed);
    let fetched = stages.prover >= Stage::Proving;
    let stream = mark(stages.prover >= Stage::Streaming, fetched);
    let prove = mark(stages.prover >= Stage::Proving, stages.prover >= Stage::Proven);
    let settle = mark(stages.settler >= Stage::Verified, stages.settler >= Stage::Settled);
    [
        line(
            "play",
            play,
            format!(
                "{} of {} transactions, {} a second",
                units::count((*receipts).into()),
                units::count((*of).into()),
                rate((*receipts).into(), *playing)
            ),
        ),
        line(
            "execute",
            execute,
            match execute {
                Mark::Done => format!("{} steps in {}", units::count(figures.steps), units::time(figures.execute)),
                _ => format!("{} steps", units::count(figures.steps)),
            },
        ),
        line(
            "stream",
            stream,
            format!(
                "{}, {} of witness as {} on the wire{}",
                units::things(figures.chunks.into(), "chunk"),
                units::bytes(figures.witness_bytes_raw),
                units::bytes(figures.witness_bytes_wire),
                if stream == Mark::Done { format!(" in {}", units::time(figures.stream)) } else { String::new() }
            ),
        ),
        line(
            "prove",
            prove,
            match prove {
                Mark::Done => {
                    format!("{} of proof in {}", units::bytes(figures.proof_bytes), units::time(figures.prove))
                }
                _ => format!("{} s so far", proving.as_secs()),
            },
        ),
        line(
            "settle",
            settle,
            format!(
                "verified in {}, {}",
                units::time(figures.verify),
                units::things(figures.updates.len() as u64, "update")
            ),
        ),
    ]
}
