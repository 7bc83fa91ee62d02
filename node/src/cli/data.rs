//! `shardwire data check` and `data export`: a folder that no node uses.

use super::{
    failure::Failure,
    output::{Answer, columns, plain},
    runtime,
};
use crate::offline::{self, Report};
use clap::{Args, Subcommand};
use serde_json::json;
use shardwire_files::{
    output,
    path::Exact,
    whole::{Existing, Readers, Whole},
};
use std::{
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// Read everything and compare it: what a start reads, records, histories with their signatures, proofs, chunks, the World
    #[command(
        after_help = "What is wrong is named with its file and what to do, and ends with exit code 1. The folder and its disk need\n\
        not be writable; that no node of this user can write there is a finding, too.\n\nExample:\n  shardwire data check --data ./settler"
    )]
    Check,
    /// Write what the folder holds, a JSON object a line
    #[command(
        after_help = "The key of each object says what it is: node, storage, shard (of the World), operated, job, history.\n\nExamples:\n  \
        shardwire data export --data ./settler --out settler.jsonl\n  \
        shardwire data export --data ./settler --out - | grep history"
    )]
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The file, which must not exist yet; - is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl DataCommand {
    pub(super) fn run(self, root: Option<PathBuf>) -> Result<Answer, Failure> {
        match self {
            Self::Check => check(root),
            Self::Export(args) => export(root, &args),
        }
    }
}

fn check(root: Option<PathBuf>) -> Result<Answer, Failure> {
    let root = root.ok_or_else(Failure::no_data)?;
    let report = alone(offline::check(&root))??;
    let mut answer = Answer::new(describe(&report), &report);
    answer.failed = !report.findings.is_empty();
    Ok(answer)
}

/// Runs what has nothing to wait for but the disk.
fn alone<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = runtime::begin(&mut tokio::runtime::Builder::new_current_thread())?;
    Ok(runtime.block_on(work))
}

fn describe(report: &Report) -> String {
    let Report { histories, proofs, shards, older, outdated, findings, more, .. } = report;
    let of = |found: u64, expected: u64| {
        if found == expected { found.to_string() } else { format!("{found} of {expected}") }
    };
    let (records, chunks) = (of(report.records, report.records_expected), of(report.chunks, report.chunks_expected));
    let read = format!(
        "{records} records, {histories} histories, {proofs} proofs, {chunks} chunks, {shards} shards of the World"
    );
    let read = match older.as_slice() {
        [] => read,
        older => format!(
            "{read}\n{} of an older layout, read as what it becomes: a node that starts here migrates it and aborts what is open, {outdated} shards or jobs",
            older.join(" and ")
        ),
    };
    if findings.is_empty() {
        return format!("sound: {read}");
    }
    let rows: Vec<_> = findings.iter().map(|it| [it.file.clone(), it.code.clone(), it.what.clone()]).collect();
    let rest = if *more > 0 { format!("\nand {more} more") } else { String::new() };
    let mut steps: Vec<String> = Vec::new();
    for step in findings.iter().map(|it| format!("next, {}: {}", it.code, plain(&it.next_step))) {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    let (found, steps) = (findings.len() as u64 + more, steps.join("\n"));
    format!("{}{rest}\n\n{steps}\n\nNOT SOUND: {found} findings in {read}", columns(&rows))
}

fn export(root: Option<PathBuf>, args: &ExportArgs) -> Result<Answer, Failure> {
    let root = root.ok_or_else(Failure::no_data)?;
    let unwritable = |reason: &io::Error| {
        Failure::new(
            "SW-CLI-010",
            format!("{} can't be written: {reason}", args.out.display()),
            "Name a file that doesn't exist yet, in a folder with room; - is standard output.",
        )
    };
    if args.out == Path::new("-") {
        let written = alone(offline::export(&root, &mut BufWriter::new(io::stdout().lock())))??;
        let lines = *written.as_ref().unwrap_or(&0);
        // Who has gone (`| head`) has read enough.
        let _ = output::outcome(written.map(|_| ())).map_err(|error| Failure::of(&error))?;
        return Ok(Answer::new("", &json!({ "lines": lines, "out": "-" })));
    }
    let mut out = Whole::begin(&args.out, Existing::Refused, Readers::Usual).map_err(|reason| unwritable(&reason))?;
    let lines = alone(offline::export(&root, &mut out))??.map_err(|reason| unwritable(&reason))?;
    out.finish().map_err(|reason| unwritable(&reason))?;
    let text = format!("{lines} lines in {}", args.out.display());
    Ok(Answer::new(text, &json!({ "lines": lines, "out": Exact(&args.out) })))
}
