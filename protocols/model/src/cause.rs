//! Why somebody refuses, declines, disputes or failed: what a [`Coded`] error becomes on the wire.

use crate::{Coded, bounded, plain::plain};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest code in bytes; ours have about 16.
pub const MAX_CODE: usize = 32;
/// Longest reason in bytes: a sentence or two; longer ones are cut.
pub const MAX_REASON: usize = 512;

/// A stable code and what it means here, in words. The words come from a peer: show them, never act on them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Such as `SW-TX-002`.
    #[serde(deserialize_with = "bounded::text::<_, MAX_CODE>")]
    pub code: String,
    /// A sentence for a person.
    #[serde(deserialize_with = "bounded::text::<_, MAX_REASON>")]
    pub reason: String,
}

impl Cause {
    /// The whole of an error, for the people of this node alone: what is sent to others is made with [`From`].
    #[must_use]
    pub fn whole(error: &(impl Coded + ?Sized)) -> Self {
        Self::new(error.code(), &error.to_string())
    }

    /// A cause; what is longer than its bound is cut, so that a cause can always be sent.
    #[must_use]
    pub fn new(code: &str, reason: &str) -> Self {
        Self { code: bounded::cut(code, MAX_CODE), reason: bounded::cut(reason, MAX_REASON) }
    }
}

/// What others are [told](Coded::told) of an error.
impl<E: Coded> From<E> for Cause {
    fn from(error: E) -> Self {
        Self::new(error.code(), &error.told())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A peer's words go to a person's terminal.
        write!(f, "{} ({})", plain(&self.reason), plain(&self.code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("/home/me/it can't be read: input/output error")]
    struct Unread;

    impl Coded for Unread {
        fn code(&self) -> &'static str {
            "SW-X-002"
        }
        fn next_step(&self) -> String {
            "Look at the disk.".into()
        }
        fn told(&self) -> String {
            "a file can't be read".into()
        }
    }

    #[test]
    fn others_are_told_no_more_of_an_error_than_it_says_they_are() {
        assert_eq!(Cause::from(Unread).to_string(), "a file can't be read (SW-X-002)");
        assert_eq!(Cause::whole(&Unread).to_string(), "/home/me/it can't be read: input/output error (SW-X-002)");
    }

    #[test]
    fn a_cause_is_cut_to_its_bounds_and_shown_without_control_characters() {
        let cause = Cause::new(&"C".repeat(40), &"\u{1b}[31mß".repeat(200));
        assert!(cause.code.len() == MAX_CODE && cause.reason.len() <= MAX_REASON);
        assert!(!cause.to_string().contains('\u{1b}'));
        let bytes = postcard::to_allocvec(&cause).unwrap();
        assert_eq!(postcard::from_bytes::<Cause>(&bytes).unwrap(), cause);
        assert_eq!(Cause::new("SW-X-001", "no room").to_string(), "no room (SW-X-001)");
    }
}
