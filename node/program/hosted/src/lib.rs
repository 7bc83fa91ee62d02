//! The program `contracts` as an operator runs it. No network, no storage: files are read, and classes compiled, by what the caller gives.
//!
//! [`Contracts`] is a [`Program`](shardwire_program::Program): what enters a shard is executed natively (`shardwire_native`) and refused there if
//! it breaks a rule; what is logged is executed once more beside its replay on cairo-vm (`shardwire_contracts`), which cuts the witness while the game
//! is played. Both begin from the genesis that the start data names by its content hash, one of the node's [`Geneses`].
//!
//! A shard is refused, before anything is accepted for it, if its terms aren't of contracts, its genesis isn't here or isn't what it is called
//! ([`GenesisFileError`]), doesn't have what the start data lists, or if the World's values don't fit it. What can't be read or compiled at the moment
//! refuses nothing: it is this machine's trouble.
//!
//! Bounds: those of the two rooms, and [`MAX_GENESES`].
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod admission;
#[cfg(any(test, feature = "testing"))]
pub mod dungeon;
mod geneses;
mod program;
#[cfg(test)]
mod tests;

pub use geneses::{Geneses, GenesisFileError, MAX_GENESES, ReadFile};
pub use program::Contracts;
pub use shardwire_native::{Class, ClassError};
