//! Lines for a log: when a stage begins or ends, and now and then in between.

use super::{Mark, Progress, stages};
use std::{io::Write, time::Duration};

/// How often a stage under way gets a line: often enough to see that it runs, seldom enough for a log.
pub const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Writes a line when a stage begins or ends, and now and then in between.
#[derive(Debug)]
pub struct Plain<W> {
    out: W,
    last: [(Option<Mark>, String, Duration); 5],
}

impl<W: Write> Plain<W> {
    /// A reporter that has written nothing yet.
    pub fn new(out: W) -> Self {
        Self { out, last: Default::default() }
    }

    pub(super) fn say(&mut self, line: &str) {
        // If standard error is closed, that is no reason to fail.
        let _ = writeln!(self.out, "{line}");
    }

    pub(super) fn show(&mut self, progress: &Progress) {
        let now = progress.elapsed;
        for (line, (mark, text, at)) in stages(progress).into_iter().zip(&mut self.last) {
            let changed = *mark != Some(line.mark);
            let due = line.mark == Mark::Running && line.text != *text && now.saturating_sub(*at) >= PLAIN_EVERY;
            if line.mark == Mark::Waiting || !(changed || due) {
                continue;
            }
            let done = if line.mark == Mark::Done { "done, " } else { "" };
            let _ = writeln!(self.out, "[{:7.1} s] {:<8} {done}{}", now.as_secs_f64(), line.name, line.text);
            (*mark, *text, *at) = (Some(line.mark), line.text, now);
        }
    }
}
