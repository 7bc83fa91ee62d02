//! How answers and failures are printed.

use super::failure::Failure;
use serde::Serialize;
use serde_json::{Value, json};
use shardwire_files::output::{self, Reader, complain};
pub(super) use shardwire_model::plain::plain;
use std::process::ExitCode;

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
    match result {
        Ok(answer) => {
            let text = if json { answer.json.to_string() } else { answer.text };
            let told = if text.is_empty() { Ok(Reader::There) } else { say(&text) };
            match told {
                Ok(_) if answer.failed => ExitCode::from(1),
                Ok(_) => ExitCode::SUCCESS,
                Err(untold) => {
                    // What was done must not be lost with the output: the id of a shard, say.
                    complain(&format!("{untold}\n{text}"));
                    exit_code(&untold)
                }
            }
        }
        Err(failure) => {
            match json.then(|| say(&json!({ "error": failure }).to_string())) {
                Some(Ok(_)) => {}
                None => complain(&failure.shown()),
                Some(Err(untold)) => complain(&format!("{untold}\n{failure}")),
            }
            exit_code(&failure)
        }
    }
}

fn exit_code(failure: &Failure) -> ExitCode {
    ExitCode::from(if failure.misuse { 2 } else { 1 })
}

/// Prints a line on standard output at once. A reader that has gone away (`| head`) is no error.
pub(super) fn say(line: &str) -> Result<Reader, Failure> {
    output::line(line).map_err(|error| Failure::of(&error))
}

/// Prints a help text: to standard error, as misuse, if nothing was asked for.
pub(super) fn help(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    // Nobody reads it if standard error is closed.
    if error.use_stderr() { ExitCode::from(2) } else { output::end_of_text(printed) }
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
