//! What a link between two hosts does to datagrams, in one direction.

use std::time::Duration;

/// Chances are whole numbers of parts per million, which are the same on every machine.
pub const PPM: u32 = 1_000_000;

/// A link's properties in one direction. Change them at any time with
/// [`Internet::set_link`](super::Internet::set_link); datagrams under way arrive as they would have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// How long a datagram takes at least. Timers tick in milliseconds, so anything less counts as one.
    pub latency: Duration,
    /// How much longer a datagram may take. Those behind it wait for it, unless they are
    /// [reordered](Self::reordered).
    pub jitter: Duration,
    /// Bandwidth in bytes a second; unlimited if `None`.
    pub bytes_per_second: Option<u64>,
    /// The longest that a datagram waits for the bandwidth; one that would wait longer is dropped.
    pub queue: Duration,
    /// Parts per million that are lost.
    pub lost: u32,
    /// Parts per million that arrive twice.
    pub duplicated: u32,
    /// Parts per million that overtake others or are overtaken.
    pub reordered: u32,
    /// How far, at most, a reordered datagram moves in time.
    pub reordered_by: Duration,
    /// The largest datagram that passes, in bytes; larger ones vanish.
    pub mtu: u16,
}

impl Default for Link {
    /// A good line between two cities.
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(10),
            jitter: Duration::ZERO,
            bytes_per_second: None,
            queue: Duration::from_millis(200),
            lost: 0,
            duplicated: 0,
            reordered: 0,
            reordered_by: Duration::from_millis(20),
            mtu: 1500,
        }
    }
}
