//! The tables: the World before and after, and what the shard cost. They fit eighty columns with 8 players as with
//! 32.
//!
//! Storage that is labelled with an owner (`of`) stands in the owner's row, a column a name; other storage follows.
//! If the labels make no such grid, each storage address gets a row.

use super::Report;
use crate::{figures::Figures, recompute::State, units};
use comfy_table::{CellAlignment, Table, modifiers::UTF8_ROUND_CORNERS, presets::UTF8_FULL_CONDENSED};
use shardwire_model::{Call, Felt, Kind, Slot};
use shardwire_workload::UnsignedTransaction;
use shardwire_workload::{Storage, Workload};
use std::{collections::BTreeMap, fmt::Write as _};

/// Most rows of the first table; the rest is only in the JSON.
const MAX_ROWS: usize = 64;
/// Most columns of amounts: what fits beside the names in eighty columns.
const MAX_COLUMNS: usize = 2;
/// Most characters of a name.
const MAX_NAME: usize = 16;

/// Both tables and the verdict.
#[must_use]
pub fn tables(report: &Report) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}\n\n{}\n", world(report), shard(report));
    if report.is_ok() {
        text.push_str("✓ The settled state equals the recomputation of the workload.\n");
    } else {
        let places = units::things(report.differences.len() as u64, "place");
        let _ = writeln!(text, "✗ The settled state differs from the recomputation in {places}:");
        for difference in &report.differences {
            let _ = writeln!(text, "  {difference}");
        }
    }
    text
}

/// What people call storage and accounts.
struct Names<'a> {
    players: BTreeMap<Felt, &'a str>,
}

impl<'a> Names<'a> {
    fn of(workload: &'a Workload) -> Self {
        Self { players: workload.players.iter().map(|it| (it.key().id().0, it.name.as_str())).collect() }
    }

    fn value(&self, kind: Kind, value: Felt) -> String {
        match self.players.get(&value) {
            Some(name) if kind == Kind::Lock => units::cut(name, MAX_NAME),
            _ => units::felt(value),
        }
    }
}

/// Before and after of one storage address.
struct Change {
    before: String,
    after: String,
}

impl Change {
    fn of(storage: &Storage, settled: &State, names: &Names<'_>) -> Self {
        let after = settled.get(&storage.slot()).map_or_else(|| "missing".into(), |it| names.value(it.kind, it.value));
        Self { before: names.value(storage.kind, storage.value), after }
    }
}

/// A column of changes: the arrows stand below each other.
fn aligned(changes: &[Option<Change>]) -> Vec<String> {
    let width = |side: fn(&Change) -> &str| changes.iter().flatten().map(|it| side(it).chars().count()).max();
    let before = width(|it| &it.before).unwrap_or_default();
    let after = width(|it| &it.after).unwrap_or_default();
    let cell = |it: &Option<Change>| match it {
        Some(Change { before: from, after: to }) => format!("{from:>before$} → {to:>after$}"),
        None => String::new(),
    };
    changes.iter().map(cell).collect()
}

pub(crate) fn table(header: Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).apply_modifier(UTF8_ROUND_CORNERS).set_header(header);
    table
}

pub(crate) fn rendered(table: &Table) -> String {
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Owners by the order in which they appear, and the columns likewise, if the labels make a grid.
fn grid(storage: &[Storage]) -> Option<(Vec<&str>, Vec<&str>)> {
    let (mut owners, mut columns, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    for it in storage.iter().filter(|it| it.kind != Kind::Lock) {
        let (Some(name), Some(of)) = (it.name.as_deref(), it.of.as_deref()) else { return None };
        if !owners.contains(&of) {
            owners.push(of);
        }
        if !columns.contains(&name) {
            columns.push(name);
        }
        cells.push((of, name));
    }
    let many = cells.len();
    cells.sort_unstable();
    cells.dedup();
    (cells.len() == many && (1..=MAX_COLUMNS).contains(&columns.len())).then_some((owners, columns))
}

fn world(report: &Report) -> String {
    let storage = &report.workload.world.storage;
    let names = Names::of(&report.workload);
    let (table, rows) = match grid(storage) {
        Some((owners, columns)) => (by_owner(report, &names, &owners, &columns), owners.len()),
        None => (by_key(report, &names), storage.len()),
    };
    let mut text = rendered(&table);
    if rows > MAX_ROWS {
        let _ = write!(text, "\n… and {} more (--json has all)", rows - MAX_ROWS);
    }
    text
}

fn by_owner(report: &Report, names: &Names<'_>, owners: &[&str], columns: &[&str]) -> Table {
    let storage = &report.workload.world.storage;
    let shown: Vec<&str> = owners.iter().copied().take(MAX_ROWS).collect();
    let find = |of: &str, name: &str| {
        storage
            .iter()
            .find(|it| it.kind != Kind::Lock && it.of.as_deref() == Some(of) && it.name.as_deref() == Some(name))
    };
    let cells: Vec<Vec<String>> = columns
        .iter()
        .map(|name| {
            let change = |of: &&str| find(of, name).map(|it| Change::of(it, &report.settled, names));
            aligned(&shown.iter().map(change).collect::<Vec<_>>())
        })
        .collect();
    let title = report.workload.name.as_str();
    let header = std::iter::once(title).chain(columns.iter().copied()).map(|it| units::cut(it, MAX_NAME));
    let locks: Vec<&Storage> = storage.iter().filter(|it| it.kind == Kind::Lock).collect();
    let lock_names =
        locks.iter().take(MAX_COLUMNS).map(|it| units::cut(it.name.as_deref().unwrap_or("lock"), MAX_NAME));
    let mut table = table(header.chain(lock_names).collect());
    for (row, of) in shown.iter().enumerate() {
        let amounts = cells.iter().map(|column| column.get(row).cloned().unwrap_or_default());
        let held = locks.iter().take(MAX_COLUMNS).map(|lock| holding(report, names, lock, of));
        table.add_row(std::iter::once(units::cut(of, MAX_NAME)).chain(amounts).chain(held));
    }
    for column in 1..=columns.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// An owner's relation to a lock: had it, has it, or neither.
fn holding(report: &Report, names: &Names<'_>, lock: &Storage, of: &str) -> String {
    let is = |value: Option<Felt>| value.and_then(|it| names.players.get(&it)).is_some_and(|name| *name == of);
    let (had, has) = (is(Some(lock.value)), is(report.settled.get(&lock.slot()).map(|it| it.value)));
    match (had, has) {
        (true, true) => "had it, has it",
        (true, false) => "had it",
        (false, true) => "has it",
        (false, false) => "",
    }
    .into()
}

fn by_key(report: &Report, names: &Names<'_>) -> Table {
    let storage = &report.workload.world.storage;
    let label = |it: &Storage| match (&it.name, &it.of) {
        (Some(name), Some(of)) => units::cut(&format!("{name} of {of}"), 2 * MAX_NAME),
        (Some(name), None) => units::cut(name, 2 * MAX_NAME),
        _ => format!("{}/{}", units::felt(it.contract.0), units::felt(it.key.0)),
    };
    let shown: Vec<&Storage> = storage.iter().take(MAX_ROWS).collect();
    let changes = aligned(&shown.iter().map(|it| Some(Change::of(it, &report.settled, names))).collect::<Vec<_>>());
    let mut table =
        table(vec![units::cut(&report.workload.name, 2 * MAX_NAME), "kind".into(), "before → after".into()]);
    for (it, change) in shown.iter().zip(changes) {
        table.add_row([label(it), it.kind.to_string(), change]);
    }
    table
}

/// How often a lock was given.
fn gifts(workload: &Workload, slot: Slot) -> u64 {
    let given = |transaction: &&UnsignedTransaction| matches!(transaction.call, Call::Give { lock, .. } if Slot::new(transaction.contract, lock) == slot);
    workload.transactions.iter().filter(given).count() as u64
}

/// How much witness there was.
pub(crate) fn witness(figures: &Figures) -> String {
    let [raw, wire] = [figures.witness_bytes_raw, figures.witness_bytes_wire].map(units::bytes);
    format!("{raw} raw, {wire} on the wire, {}", units::things(figures.chunks.into(), "chunk"))
}

/// What the proof cost.
pub(crate) fn proved_in(figures: &Figures) -> String {
    let [took, cpu] = [figures.prove, figures.prove_cpu].map(units::time);
    format!("{took} ({cpu} of CPU, {} at the peak)", units::bytes(figures.prove_peak_bytes))
}

fn shard(report: &Report) -> String {
    let figures = &report.figures;
    let per = |amount: u64, seconds: f64| units::rate(if seconds > 0.0 { amount as f64 / seconds } else { 0.0 });
    let mut table = table(vec!["shard".into(), units::felt(figures.shard.0)]);
    let execute = figures.execute.as_secs_f64();
    let mut row = |what: &str, how: String| {
        table.add_row([what.to_owned(), how]);
    };
    row("transactions", format!("{}, the last one ends the shard", units::count(figures.transactions.into())));
    row("steps", format!("{} ({} a second)", units::count(figures.steps), per(figures.steps, execute)));
    row("witness", witness(figures));
    row("executed in", units::time(figures.execute));
    row("streamed in", format!("{} (while it executed)", units::time(figures.stream)));
    row("proved in", proved_in(figures));
    row("verified in", units::time(figures.verify));
    row("proof", units::bytes(figures.proof_bytes));
    row("program", figures.program_hash.map_or_else(|| "unknown".into(), units::felt));
    row("updates", units::count(figures.updates.len() as u64));
    for lock in report.workload.world.storage.iter().filter(|it| it.kind == Kind::Lock).take(MAX_COLUMNS) {
        let names = Names::of(&report.workload);
        let Change { before, after } = Change::of(lock, &report.settled, &names);
        let times = units::things(gifts(&report.workload, lock.slot()), "time");
        let name = units::cut(lock.name.as_deref().unwrap_or("lock"), MAX_NAME);
        row(&name, format!("{before} → {after}, given {times}"));
    }
    row("in all", units::time(report.took));
    rendered(&table)
}
