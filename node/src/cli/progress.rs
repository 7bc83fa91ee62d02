//! The progress of long work: a bar on a terminal, a plain line now and then elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal as _, Write as _};

/// How many plain lines a work has.
const PLAIN_LINES: usize = 10;

/// Shows how far some work is, on standard error.
pub(super) enum Progress {
    Bar(ProgressBar),
    Plain { what: &'static str, next: usize },
}

impl Progress {
    pub(super) fn new(what: &'static str, of: usize) -> Self {
        if !io::stderr().is_terminal() {
            return Self::Plain { what, next: of.div_ceil(PLAIN_LINES) };
        }
        let bar = ProgressBar::new(of as u64);
        // The template is fixed; were it wrong, the plain style is shown.
        if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}  {per_sec}  {eta}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self::Bar(bar)
    }

    pub(super) fn at(&mut self, done: usize, of: usize) {
        match self {
            Self::Bar(bar) => bar.set_position(done as u64),
            Self::Plain { what, next } if done >= *next => {
                *next = done + of.div_ceil(PLAIN_LINES);
                // Nobody reads it if standard error is closed.
                let _ = writeln!(io::stderr(), "{what}: {done} of {of}");
            }
            Self::Plain { .. } => {}
        }
    }

    pub(super) fn done(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
