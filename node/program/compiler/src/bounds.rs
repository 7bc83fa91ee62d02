//! The bounds of one compilation.

use std::time::Duration;

/// Bytes of a process' answer: bytecode of the most felts as text, with its hints.
pub const MAX_ANSWER_BYTES: usize = 64 << 20;
/// Bytes of its standard error that are kept: its last, for the error's text.
pub const MAX_COMPLAINT_BYTES: usize = 4_096;

/// What one compilation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of data memory.
    pub memory_bytes: u64,
    /// Seconds of processor time.
    pub cpu_s: u64,
    /// How long it may take by the clock.
    pub wall: Duration,
}

impl Bounds {
    /// Many times what the largest class takes that is within a class' bounds. By the clock it may take longer: the machine may have other work to do.
    #[must_use]
    pub const fn recommended() -> Self {
        Self { memory_bytes: 2 << 30, cpu_s: 60, wall: Duration::from_secs(300) }
    }
}
