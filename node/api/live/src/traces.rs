//! What the newest transactions did, call by call: for `starknet_traceTransaction`.
//!
//! A trace isn't in the log, and what is past isn't executed again; so a shard keeps as many as these bounds allow: [`MAX_TRACES`], [`MAX_FELTS`].

use std::{collections::VecDeque, sync::Arc};

/// Most transactions of a shard whose calls are kept.
pub(crate) const MAX_TRACES: usize = 1_024;
/// Most felts that they have together, some 40 MB. What has more alone isn't kept.
pub(crate) const MAX_FELTS: usize = 1 << 20;

/// See the [module](self). `T` is what an execution found.
#[derive(Debug)]
pub(crate) struct Traces<T> {
    /// By their places in the log, ascending; each with its felts.
    kept: VecDeque<(u32, usize, Arc<T>)>,
    felts: usize,
}

impl<T> Default for Traces<T> {
    fn default() -> Self {
        Self { kept: VecDeque::new(), felts: 0 }
    }
}

impl<T> Traces<T> {
    /// Keeps what the transaction at this place did, in so many felts, and lets go of the oldest beyond the bounds.
    pub(crate) fn keep(&mut self, place: u32, felts: usize, trace: Arc<T>) {
        self.felts += felts;
        self.kept.push_back((place, felts, trace));
        while self.felts > MAX_FELTS || self.kept.len() > MAX_TRACES {
            let Some((_, felts, _)) = self.kept.pop_front() else { return };
            self.felts -= felts;
        }
    }

    /// What the transaction at this place did, if it is kept.
    pub(crate) fn get(&self, place: u32) -> Option<Arc<T>> {
        let found = self.kept.binary_search_by_key(&place, |(place, ..)| *place).ok()?;
        self.kept.get(found).map(|(_, _, trace)| trace.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_within_the_bounds() {
        let mut traces = Traces::default();
        for place in 0..2_000 {
            traces.keep(place, 10, Arc::new(place));
        }
        let kept = |traces: &Traces<u32>, place| traces.get(place).map(|it| *it);
        assert_eq!([975, 976, 1_999, 2_000].map(|place| kept(&traces, place)), [None, Some(976), Some(1_999), None]);
        traces.keep(2_000, MAX_FELTS - 30, Arc::new(2_000));
        assert_eq!([1_996, 1_997, 2_000].map(|place| kept(&traces, place)), [None, Some(1_997), Some(2_000)]);
        traces.keep(2_001, MAX_FELTS + 1, Arc::new(2_001));
        assert!(traces.kept.is_empty() && traces.felts == 0, "what is too long alone takes no room");
    }
}
