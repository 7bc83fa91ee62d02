//! Progress while a shard runs: bars with rates on a terminal, occasional lines elsewhere. Always on standard error;
//! standard output belongs to the result.
//!
//! [`stages()`] says what there is to show; [`Reporter`] shows it. Bound: without a terminal, a stage under way gets a
//! line at most every [`PLAIN_EVERY`].

mod plain;
mod stages;
mod terminal;
#[cfg(test)]
mod tests;

pub use plain::PLAIN_EVERY;
pub use stages::{Line, Mark, Progress, stages};

use plain::Plain;
use std::io::IsTerminal;
use terminal::Terminal;

/// Shows progress to people.
#[derive(Debug)]
pub enum Reporter {
    /// Bars on a terminal.
    Terminal(Box<Terminal>),
    /// Lines for a log.
    Plain(Box<Plain<std::io::Stderr>>),
}

impl Reporter {
    /// Bars if standard error is a terminal and neither `NO_COLOR` nor `CI` is set, otherwise lines.
    #[must_use]
    pub fn for_this_process() -> Self {
        let asked = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if std::io::stderr().is_terminal() && !asked("NO_COLOR") && !asked("CI") {
            Self::Terminal(Box::default())
        } else {
            Self::Plain(Box::new(Plain::new(std::io::stderr())))
        }
    }

    /// Prints a line about a single event.
    pub fn say(&mut self, line: &str) {
        match self {
            Self::Terminal(terminal) => terminal.say(line),
            Self::Plain(plain) => plain.say(line),
        }
    }

    /// Shows the current progress.
    pub fn show(&mut self, progress: &Progress) {
        match self {
            Self::Terminal(terminal) => terminal.show(progress),
            Self::Plain(plain) => plain.show(progress),
        }
    }

    /// Ends the display and leaves the terminal in order.
    pub fn finish(&mut self) {
        if let Self::Terminal(terminal) = self {
            terminal.finish();
        }
    }
}
