//! Load shedding: an overloaded node refuses work, from the lowest tier up.
//!
//! Three gauges, each with a watermark. The gauge that is highest relative to its watermark decides: at the watermark
//! tier low is refused, at one and a half times the watermark tier normal too, at twice the watermark everybody.
//! Configured peers are never counted below their tier.

use crate::Tier;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A node's gauges of load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gauges {
    /// Requests that wait to be handled.
    pub queue_depth: u64,
    /// How late the event loop's timers are.
    pub loop_delay: Duration,
    /// Memory in use, in bytes.
    pub memory_bytes: u64,
}

/// The watermarks from which on a node refuses work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watermarks {
    /// Waiting requests. 1024: a second's worth, and more than honest peers have outstanding.
    pub queue_depth: u64,
    /// How late timers are. 250 ms: a round trip around the world, and far from any deadline.
    pub loop_delay: Duration,
    /// Memory in bytes. 4 GiB: the proving worker, which needs more, is another process.
    pub memory_bytes: u64,
}

impl Default for Watermarks {
    fn default() -> Self {
        Self { queue_depth: 1024, loop_delay: Duration::from_millis(250), memory_bytes: 4 << 30 }
    }
}

/// The highest tier whose work is refused; `None` if none is.
#[must_use]
pub fn refused(gauges: &Gauges, watermarks: &Watermarks) -> Option<Tier> {
    let halves = |gauge: u128, mark: u128| gauge.saturating_mul(2) / mark.max(1);
    let highest = [
        halves(gauges.queue_depth.into(), watermarks.queue_depth.into()),
        halves(gauges.loop_delay.as_micros(), watermarks.loop_delay.as_micros()),
        halves(gauges.memory_bytes.into(), watermarks.memory_bytes.into()),
    ]
    .into_iter()
    .fold(0, u128::max);
    match highest {
        0 | 1 => None,
        2 => Some(Tier::Low),
        3 => Some(Tier::Normal),
        _ => Some(Tier::High),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn work_is_refused_from_the_lowest_tier_up() {
        let marks = Watermarks { queue_depth: 100, ..Watermarks::default() };
        let at = |queue_depth| refused(&Gauges { queue_depth, ..Gauges::default() }, &marks);
        assert_eq!([0, 99, 100, 149].map(at), [None, None, Some(Tier::Low), Some(Tier::Low)]);
        assert_eq!([150, 199, 200].map(at), [Some(Tier::Normal), Some(Tier::Normal), Some(Tier::High)]);
        let late = Gauges { loop_delay: Duration::from_millis(375), ..Gauges::default() };
        assert_eq!(refused(&late, &marks), Some(Tier::Normal));
        let full = Gauges { memory_bytes: u64::MAX, ..Gauges::default() };
        assert_eq!(refused(&full, &marks), Some(Tier::High));
    }

    proptest! {
        #[test]
        fn more_load_never_refuses_less(queue in any::<u64>(), memory in any::<u64>(), more in any::<u64>()) {
            let gauges = |queue_depth, memory_bytes| Gauges { queue_depth, memory_bytes, ..Gauges::default() };
            let marks = Watermarks::default();
            let before = refused(&gauges(queue, memory), &marks);
            prop_assert!(refused(&gauges(queue.saturating_add(more), memory), &marks) >= before);
            prop_assert!(refused(&gauges(queue, memory.saturating_add(more)), &marks) >= before);
        }
    }
}
