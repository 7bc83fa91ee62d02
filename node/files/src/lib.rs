//! Files that people give to a program and get from it. What a node keeps for itself is the storage room's.
//!
//! - [`text`]: a file that a person wrote, read whole as text in UTF-8. A byte order mark is skipped; UTF-16 and other bytes are refused with what they are.
//! - [`special`]: what is no file at all, which nobody should open to read a file.
//! - [`secret`]: a file that holds keys. Its owner alone may read it, from its first byte on, also if it was there before.
//! - [`output`]: standard output, the one writer of all programs here. What can't be written is an error, a reader that has gone is none.
//! - [`whole`]: a file that appears whole, or not at all.
//! - [`path`]: a path as JSON has it, without loss.
//!
//! Refused: a file larger than its reader's bound, text that isn't UTF-8. Bounds are the callers'; a written line may be of any length.
#![deny(unsafe_code)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these are people's files")]

#[cfg(unix)]
mod closed;
pub mod output;
pub mod path;
pub mod secret;
pub mod special;
pub mod text;
pub mod whole;
