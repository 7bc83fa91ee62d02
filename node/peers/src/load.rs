//! Measures the node's load and decides what to refuse.
//!
//! Three gauges: handshakes and requests that wait to be handled ([`Load::begin`]), how late the event loop's timers
//! are, memory in use. They are read every [`LOOK_EVERY`]. The lateness that counts is the *least* of the last
//! [`LOOKS`] readings: one hiccup of a busy machine is no overload.

use shardwire_reputation::{
    Tier,
    shed::{self, Gauges, Watermarks},
};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// How often the gauges are read.
pub const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Readings during which timers have to be late: a second's.
pub const LOOKS: usize = 5;

#[derive(Debug, Default)]
struct Now {
    gauges: Gauges,
    refused: Option<Tier>,
    late: VecDeque<Duration>,
}

/// The node's load. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Load {
    watermarks: Watermarks,
    waiting: Arc<AtomicU64>,
    now: Arc<Mutex<Now>>,
}

/// A handshake or request that waits to be handled, counted until this is dropped.
#[derive(Debug)]
#[must_use = "it counts for as long as this lives"]
pub struct Waiting(Arc<AtomicU64>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Load {
    /// No load yet.
    #[must_use]
    pub fn new(watermarks: Watermarks) -> Self {
        Self { watermarks, waiting: Arc::default(), now: Arc::default() }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more waiting request or handshake.
    pub fn begin(&self) -> Waiting {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self.waiting.clone())
    }

    /// The highest tier whose work is refused; `None` if none is.
    #[must_use]
    pub fn refused(&self) -> Option<Tier> {
        self.now().refused
    }

    /// The last readings of the gauges, and the watermarks.
    #[must_use]
    pub fn gauges(&self) -> (Gauges, Watermarks) {
        (self.now().gauges, self.watermarks)
    }

    /// Reads the gauges. Returns what is refused from now on, if that changed.
    pub(crate) fn look(&self, late: Duration, memory_bytes: u64) -> Option<Option<Tier>> {
        let mut now = self.now();
        now.late.push_back(late);
        if now.late.len() > LOOKS {
            now.late.pop_front();
        }
        let loop_delay =
            if now.late.len() == LOOKS { now.late.iter().min().copied().unwrap_or_default() } else { Duration::ZERO };
        now.gauges = Gauges { queue_depth: self.waiting.load(Ordering::Relaxed), loop_delay, memory_bytes };
        let refused = shed::refused(&now.gauges, &self.watermarks);
        let changed = refused != now.refused;
        now.refused = refused;
        changed.then_some(refused)
    }
}

/// Sleeps until the next reading and returns how late the timer was.
pub(crate) async fn tick() -> Duration {
    let due = Instant::now() + LOOK_EVERY;
    tokio::time::sleep_until(due).await;
    due.elapsed()
}

/// The memory of this process in RAM, in bytes; 0 where the system doesn't say.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "where Linux says how much memory a process has")]
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_refused_while_a_gauge_is_above_its_watermark_and_one_hiccup_is_none() {
        let marks = Watermarks { queue_depth: 2, ..Watermarks::default() };
        let load = Load::new(marks);
        let late = marks.loop_delay;
        let mut told: Vec<_> = (0..LOOKS - 1).filter_map(|_| load.look(late, 0)).collect();
        assert_eq!(told, []);
        told.extend(load.look(late, 0));
        assert_eq!((told, load.refused()), (vec![Some(Tier::Low)], Some(Tier::Low)));
        assert_eq!(load.look(Duration::ZERO, 0), Some(None));
        let waiting: Vec<_> = (0..4).map(|_| load.begin()).collect();
        assert_eq!(load.look(Duration::ZERO, 0), Some(Some(Tier::High)));
        assert_eq!(load.gauges().0.queue_depth, 4);
        drop(waiting);
        assert_eq!(load.look(Duration::ZERO, marks.memory_bytes), Some(Some(Tier::Low)));
        assert_eq!(load.look(Duration::ZERO, 0), Some(None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_has_memory() {
        assert!(resident_bytes() > 1 << 20);
    }
}
