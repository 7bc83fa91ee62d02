//! Executes compiled Starknet contracts natively, live. No network, no storage.
//!
//! A shard of contracts begins from a [`Genesis`] (classes, contracts, their storage) and the [`Start`](shardwire_contracts::Start) that the World fixed.
//! [`Native::open`] checks both against each other ([`fit()`]); [`Native::check`] executes one INVOKE v3 and says what it changes, or why it is refused;
//! [`Native::check_session`] does so for a session call; [`Native::apply`] takes the change in once the log has it. What is checked is done by `blockifier`, the crate that executes Starknet itself:
//! account contracts validate, gas is counted as on Starknet, a transaction that panics is reverted and in the log too.
//!
//! - [`Class`]: a Sierra class, compiled here; what it may use, and what a shard refuses.
//! - [`Genesis`]: the file that a shard of contracts is started with.
//! - [`Ground`]: what the state was before the first transaction. A genesis is one; a network at a block is another ([`Forked`]).
//! - [`Native`]: the state now, its receipts, and questions to it ([`call`](Native::call), [`simulate`](Native::simulate)).
//! - [`Outcome`]: all that an execution found; its [`tree`](Outcome::tree) is what the program replays and proves.
//!
//! What is refused ([`Refusal`]), before anything is logged:
//! - an account or a contract that the start data doesn't list, another version than INVOKE v3, zero gas, a wrong nonce, a time that runs back;
//! - an account's `__validate__` that panics, doesn't answer `VALID`, or runs out of its gas; a run that the machine stops (recursion, an event
//!   beyond its bound, bytecode that breaks a rule of Cairo);
//! - a session call that its account doesn't allow now, that its key didn't sign, or that doesn't follow the key's last one;
//! - a system call that no proof covers: deploy, replace class, messages, keccak, SHA-256, secp, block hashes, meta transactions;
//! - what would leave the shard unsettleable: a change of an unlisted slot of a *closed* contract, more in an asset's escrows than it began
//!   with, a counter that falls, a lock that another shard holds, more slots touched than the list that travels with the proof holds.
//!
//! What a transaction costs a prover follows from its [`Change`]: whether that is too much is asked where a replay runs beside, with [`Refusal::OverBudget`] as the answer.
//!
//! Whatever else a transaction does is its contracts' business. The bounds are the constants of [`bounds`].
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod bounds;
mod class;
mod constants;
mod execute;
mod fit;
mod forked;
mod genesis;
mod ground;
mod json;
mod native;
mod outcome;
mod refusal;
mod session;
mod settle;
mod state;
mod touched;
mod transaction;
mod tree;
mod work;

pub use class::{Class, ClassError, Compiled, compile};
pub use constants::starknet_version;
pub use fit::fit;
pub use forked::{Forked, Networks};
pub use genesis::{Genesis, GenesisError};
pub use ground::{Ground, GroundError};
pub use native::{Change, Checked, Native};
pub use outcome::Outcome;
pub use refusal::Refusal;
