//! What a session leaves to the next one of its connection: its timer and its small buffer.
//!
//! A session that carries one request is over in microseconds; setting and clearing a timer, and a buffer of its own,
//! would be a good part of its cost. A timer that is left keeps ticking, wakes nobody, and is moved when it is next
//! used.

use super::timer::Timer;
use bytes::BytesMut;
use std::sync::Mutex;

/// Spares that a connection keeps: as many as requests are usually under way at once. About 300 bytes each.
const MAX_SPARES: usize = 64;
/// A larger buffer isn't kept, in bytes: what most headers and small messages need.
const MAX_SMALL_BYTES: usize = 512;

/// What can be used again.
#[derive(Debug, Default)]
pub(super) struct Spare {
    pub(super) timer: Timer,
    pub(super) small: BytesMut,
}

/// The spares of a connection. Nobody waits for them: whoever finds them in use does without.
#[derive(Debug, Default)]
pub(crate) struct Spares(Mutex<Vec<Spare>>);

impl Spares {
    pub(super) fn take(&self) -> Option<Spare> {
        self.0.try_lock().ok()?.pop()
    }

    pub(super) fn keep(&self, mut spare: Spare) {
        if spare.small.capacity() > MAX_SMALL_BYTES {
            spare.small = BytesMut::new();
        }
        spare.timer.release();
        if let Ok(mut spares) = self.0.try_lock()
            && spares.len() < MAX_SPARES
        {
            spares.push(spare);
        }
    }
}
