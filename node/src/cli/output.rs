//! How answers and failures are printed.

use super::failure::Failure;
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    io::{self, Write as _},
    process::ExitCode,
};

/// What a command has to say.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// For people; may have several lines, may be empty.
    pub(super) text: String,
    /// The same for programs: what `--json` prints.
    pub(super) json: Value,
    /// Whether it is that something failed, in an answer that says more than an error could.
    pub(super) failed: bool,
}

impl Answer {
    /// An answer whose JSON is that of a value.
    pub(super) fn new(text: impl Into<String>, json: &impl Serialize) -> Self {
        // Types that are printed have plain fields: they always encode.
        Self { text: text.into(), json: serde_json::to_value(json).unwrap_or_default(), failed: false }
    }
}

/// Prints how a command ended.
pub(super) fn finish(result: Result<Answer, Failure>, json: bool) -> ExitCode {
    match (result, json) {
        (Ok(answer), json) => {
            let text = if json { answer.json.to_string() } else { answer.text };
            if !text.is_empty() {
                say(&text);
            }
            if answer.failed { ExitCode::from(1) } else { ExitCode::SUCCESS }
        }
        (Err(failure), true) => {
            say(&json!({ "error": failure }).to_string());
            exit_code(&failure)
        }
        (Err(failure), false) => {
            // Nobody reads it if standard error is closed.
            let _ = writeln!(io::stderr(), "{failure}");
            exit_code(&failure)
        }
    }
}

fn exit_code(failure: &Failure) -> ExitCode {
    ExitCode::from(if failure.misuse { 2 } else { 1 })
}

/// Prints a line on standard output at once. A reader that has gone away (`| head`) is no error.
pub(super) fn say(line: &str) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Prints a help text: to standard error, as misuse, if nothing was asked for.
pub(super) fn help(error: &clap::Error) -> ExitCode {
    // Nobody reads it if the stream is closed.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

/// Rows with their columns aligned, two spaces between.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{}{}", plain(cell), " ".repeat(width.saturating_sub(cell.chars().count()))))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A text without control characters: peers' words get to a person's terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_plain() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        assert_eq!(columns(&[row("peer", "x"), row("ä", "\u{1b}[31m")]), "peer  x\nä      [31m");
        assert_eq!(columns::<2>(&[]), "");
    }
}
