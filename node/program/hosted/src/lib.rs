//! The program `contracts` as an operator runs it, and the states that its shards begin from, as a settler looks at them. No network, no storage: files are read, and classes
//! compiled, by what the caller gives.
//!
//! [`Contracts`] is a [`Program`](shardwire_program::Program): what enters a shard is executed natively (`shardwire_native`) and refused there if
//! it breaks a rule; what is logged is executed once more beside its replay on cairo-vm (`shardwire_contracts`), which cuts the witness while the game
//! is played. Both begin from the state that the start data names, one of the node's [`Grounds`]: a genesis by its content hash, one of its [`Geneses`], or a network at a
//! block, which one of its [`Networks`] reads.
//!
//! The replay counts what a proof will cost its prover. [`Segments`] executes a run in as many parts as it takes for one proof each; what no part could take is refused before it is logged (`budget`).
//!
//! A shard is refused, before anything is accepted for it, if its terms aren't of contracts, its genesis isn't here or isn't what it is called
//! ([`GenesisFileError`]), the node isn't told where its network is read ([`BeginError`]), the state doesn't have what the start data lists, or if the World's values don't fit it. What can't be read or
//! compiled at the moment refuses nothing: it is this machine's trouble.
//!
//! A settler executes nothing. [`Grounds`] are its [`Origins`](shardwire_proving::origin::Origins): what a run read is compared with the state, whose classes it compiles itself.
//!
//! Bounds: those of the two rooms, [`MAX_GENESES`] and [`MAX_KEPT_CLASSES`].
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod admission;
mod budget;
#[cfg(test)]
mod budget_tests;
mod cutting;
#[cfg(test)]
mod cutting_tests;
#[cfg(any(test, feature = "testing"))]
pub mod dungeon;
mod geneses;
mod grounds;
#[cfg(test)]
mod grounds_tests;
mod origins;
#[cfg(test)]
mod origins_tests;
mod program;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vector_tests;

pub use budget::Limits;
pub use cutting::Segments;
pub use geneses::{Geneses, GenesisFileError, MAX_GENESES, MAX_KEPT_CLASSES, ReadFile};
pub use grounds::{BeginError, Grounds};
pub use program::{Contracts, execute_from};
/// The program's hash.
pub use shardwire_contracts::hash;
pub use shardwire_native::{Class, ClassError, Networks};
