//! Bars and spinners.

use super::{Mark, Progress, stages};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::time::Duration;

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// Draws on standard error.
#[derive(Debug, Default)]
pub struct Terminal {
    /// Absent until there is progress to show.
    bars: Option<(MultiProgress, Vec<ProgressBar>)>,
}

/// Templates are constants of ours; a broken one would only look plain.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Terminal {
    pub(super) fn say(&self, line: &str) {
        match &self.bars {
            Some((all, _)) => drop(all.println(line)),
            None => eprintln!("{line}"),
        }
    }

    pub(super) fn show(&mut self, progress: &Progress) {
        let lines = stages(progress);
        let (_, bars) = self.bars.get_or_insert_with(|| {
            let all = MultiProgress::new();
            let bar = |_| all.add(ProgressBar::new(1));
            let bars = lines.iter().map(bar).collect();
            (all, bars)
        });
        for (index, (line, bar)) in lines.iter().zip(bars).enumerate() {
            if bar.is_finished() {
                continue;
            }
            bar.set_prefix(line.name);
            bar.set_message(line.text.clone());
            match line.mark {
                Mark::Waiting => bar.set_style(style("  {prefix:8.dim}")),
                Mark::Running if index == 0 => {
                    bar.set_length(progress.of.into());
                    bar.set_position(progress.receipts.into());
                    bar.set_style(style("{spinner:.cyan} {prefix:8.bold} {bar:16.cyan/dim} {wide_msg}"));
                    bar.enable_steady_tick(TICK);
                }
                Mark::Running => {
                    bar.set_style(style("{spinner:.cyan} {prefix:8.bold} {wide_msg}"));
                    bar.enable_steady_tick(TICK);
                }
                Mark::Done => {
                    bar.set_style(style("✓ {prefix:8.bold} {wide_msg}"));
                    bar.finish();
                }
            }
        }
    }

    pub(super) fn finish(&mut self) {
        for bar in self.bars.take().into_iter().flat_map(|(_, bars)| bars) {
            if !bar.is_finished() {
                bar.abandon();
            }
        }
    }
}
