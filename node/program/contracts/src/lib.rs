//! The program `contracts`: real Starknet contracts, executed natively elsewhere, replayed and checked here in a Cairo program that is proven.
//! No network, no storage, no native execution.
//!
//! - [`tree`]: what native execution found, call by call. [`Start`]: what the shard was started with. [`Class`]: compiled code.
//!
//! Bounds are the `MAX_…` constants of [`start`] and [`class`].
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod class;
pub mod start;
pub mod tree;

pub use class::{Class, ClassError};
pub use start::{Start, StartError};
