//! What a link between two hosts does to datagrams, one way.

use std::time::Duration;

/// One in a million, the unit of chances: whole numbers are the same on every machine.
pub const PPM: u32 = 1_000_000;

/// A link's properties, one way. Change them at any time with [`Internet::set_link`](super::Internet::set_link); what is under way arrives as it
/// would have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// How long a datagram takes at least. Timers tick in milliseconds, so less than one is one.
    pub latency: Duration,
    /// How much longer it may take. Those behind it wait for it, unless they are [reordered](Self::reordered).
    pub jitter: Duration,
    /// What passes in a second; any amount if none.
    pub bytes_per_second: Option<u64>,
    /// How long a datagram waits at most for those before it to have passed: one that would wait longer is dropped.
    pub queue: Duration,
    /// How many in a million are lost.
    pub lost: u32,
    /// How many in a million arrive twice.
    pub duplicated: u32,
    /// How many in a million overtake or are overtaken.
    pub reordered: u32,
    /// By how much, at most.
    pub reordered_by: Duration,
    /// Longer datagrams vanish, in bytes.
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
