//! A figure that was measured several times, and shares of many samples.

use std::{fmt, time::Duration};

/// One figure, a value a round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    /// Adds a round's.
    pub(crate) fn push(&mut self, value: f64) {
        let at = self.0.partition_point(|other| *other < value);
        self.0.insert(at, value);
    }

    /// The value in the middle.
    pub(crate) fn median(&self) -> f64 {
        let at = |index: usize| self.0.get(index).copied().unwrap_or_default();
        let n = self.0.len();
        if n.is_multiple_of(2) { f64::midpoint(at(n / 2), at((n / 2).saturating_sub(1))) } else { at(n / 2) }
    }

    /// The least and the most.
    pub(crate) fn range(&self) -> (f64, f64) {
        (self.0.first().copied().unwrap_or_default(), self.0.last().copied().unwrap_or_default())
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median() < 100.0 { 2 } else { 0 };
        let (least, most) = self.range();
        write!(f, "{:.digits$} ({least:.digits$} to {most:.digits$})", self.median())
    }
}

/// The value below which this share of the samples lies, in microseconds.
pub(crate) fn percentile(samples: &mut [Duration], share: f64) -> f64 {
    samples.sort_unstable();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // a position
    let at = (samples.len() as f64 * share) as usize;
    samples.get(at.min(samples.len().saturating_sub(1))).map_or(0.0, |sample| sample.as_secs_f64() * 1e6)
}
