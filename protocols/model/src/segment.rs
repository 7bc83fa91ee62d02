//! A segment of a shard's run: what is executed, proven and settled in one piece.

use crate::ShardId;

/// Most segments of a run.
pub const MAX_SEGMENTS: u32 = 64;

/// A segment of a shard's run, which has at most [`MAX_SEGMENTS`]. Ordered by shard, then by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId {
    /// The shard.
    pub shard: ShardId,
    /// The number of the segment in the shard's run, from 0.
    pub segment: u32,
}

impl SegmentId {
    /// The segment that every run has: it begins with the state at the shard's start.
    #[must_use]
    pub const fn first(shard: ShardId) -> Self {
        Self { shard, segment: 0 }
    }

    /// Whether it is its run's first one.
    #[must_use]
    pub const fn is_first(self) -> bool {
        self.segment == 0
    }
}
