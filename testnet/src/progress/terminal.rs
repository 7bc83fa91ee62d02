//! Bars and spinners.

use super::{Mark, Progress, stages};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::time::Duration;

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// A stage's bar, and the mark it was last drawn with.
type Stage = (ProgressBar, Option<Mark>);

/// Draws on standard error.
#[derive(Debug, Default)]
pub struct Terminal {
    /// Absent until there is progress to show.
    bars: Option<(MultiProgress, Vec<Stage>)>,
}

/// Templates are constants of ours; a broken one would only look plain.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Terminal {
    pub(super) fn say(&self, line: &str) {
        match &self.bars {
            Some((all, _)) => drop(all.println(line)),
            None => shardwire_files::output::complain(line),
        }
    }

    pub(super) fn show(&mut self, progress: &Progress) {
        let lines = stages(progress);
        let (_, bars) = self.bars.get_or_insert_with(|| {
            let all = MultiProgress::new();
            let bars = lines.iter().map(|_| (all.add(ProgressBar::new(1)), None)).collect();
            (all, bars)
        });
        for (index, (line, (bar, mark))) in lines.into_iter().zip(bars).enumerate() {
            if *mark == Some(Mark::Done) {
                continue;
            }
            if index == 0 {
                bar.set_length(progress.of.into());
                bar.set_position(progress.receipts.into());
            }
            bar.set_prefix(line.name);
            bar.set_message(line.text);
            if *mark != Some(line.mark) {
                *mark = Some(line.mark);
                turn(bar, line.mark, index == 0);
            }
        }
    }

    pub(super) fn finish(&mut self) {
        for (bar, mark) in self.bars.take().into_iter().flat_map(|(_, bars)| bars) {
            if mark != Some(Mark::Done) {
                bar.abandon();
            }
        }
    }
}

/// Makes a bar look as its stage is.
fn turn(bar: &ProgressBar, mark: Mark, measured: bool) {
    match mark {
        Mark::Waiting => bar.set_style(style("  {prefix:8.dim}")),
        Mark::Running => {
            let bars = if measured { "{bar:16.cyan/dim} " } else { "" };
            bar.set_style(style(&format!("{{spinner:.cyan}} {{prefix:8.bold}} {bars}{{wide_msg}}")));
            bar.enable_steady_tick(TICK);
        }
        Mark::Done => {
            bar.set_style(style("{spinner:.green} {prefix:8.bold} {wide_msg}").tick_chars("✓✓"));
            bar.finish();
        }
    }
}
