//! How many lines of one kind of event are written: what strangers can bring about can't fill a disk.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Lines of one kind of event that may come at once: a network that starts, or stops, with all of its shards.
pub const LINES_AT_ONCE: u32 = 600;
/// How soon one more may be written then: one a second makes some 20 MB a day.
pub const LINE_EVERY: Duration = Duration::from_secs(1);

/// What to do with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It is written, after so many that weren't.
    Written { held_back: u64 },
    /// It isn't written.
    HeldBack,
}

#[derive(Debug)]
struct Room {
    /// Lines that may be written now.
    left: u32,
    /// When that was so.
    at: Instant,
    held_back: u64,
}

/// The lines of one kind of event.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<Option<Room>>);

impl Lines {
    /// Decides about one more line.
    pub(crate) fn next(&self) -> Line {
        let now = Instant::now();
        let mut room = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = room.get_or_insert(Room { left: LINES_AT_ONCE, at: now, held_back: 0 });
        let more = u32::try_from(now.saturating_duration_since(room.at).as_secs() / LINE_EVERY.as_secs());
        let more = more.unwrap_or(u32::MAX);
        if more > 0 {
            room.left = room.left.saturating_add(more).min(LINES_AT_ONCE);
            room.at += LINE_EVERY.saturating_mul(more);
        }
        match room.left.checked_sub(1) {
            Some(left) => {
                room.left = left;
                Line::Written { held_back: std::mem::take(&mut room.held_back) }
            }
            None => {
                room.held_back += 1;
                Line::HeldBack
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_flood_writes_a_line_a_second_and_says_how_many_it_held_back() {
        let lines = Lines::default();
        for _ in 0..LINES_AT_ONCE {
            assert_eq!(lines.next(), Line::Written { held_back: 0 });
        }
        for _ in 0..5 {
            assert_eq!(lines.next(), Line::HeldBack);
        }
        advance(LINE_EVERY).await;
        assert_eq!([lines.next(), lines.next()], [Line::Written { held_back: 5 }, Line::HeldBack]);
        advance(LINE_EVERY * 2 * LINES_AT_ONCE).await;
        assert_eq!(lines.next(), Line::Written { held_back: 1 });
        for _ in 1..LINES_AT_ONCE {
            assert_eq!(lines.next(), Line::Written { held_back: 0 });
        }
        assert_eq!(lines.next(), Line::HeldBack);
    }
}
