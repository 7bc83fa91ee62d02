//! The contract that keeps sessions: which keys may call what in an account's name, and until when.
//!
//! `sessions/sessions.cairo` is its source. A shard whose players use session calls lists it, as a scratch contract, once; the program knows it by its
//! class hash.

use crate::start::Start;
use shardwire_model::{ContractId, Felt};

/// Its class hash, as `program/types.cairo` has it.
pub const CLASS: Felt = Felt::from_hex_unchecked("0x43c0b2e7d4899834d7f8ce8f3e6a8862de5dd13dd864179a452fbe98c6ad3da");
/// Its class, as a genesis file names it.
pub const SIERRA: &[u8] = include_bytes!("../sessions/sessions.sierra.json");

/// A shard lists more than one contract that keeps sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("contracts {first} and {second} both keep sessions, and a shard has one at most")]
pub struct TwoSessions {
    /// The first of them.
    pub first: ContractId,
    /// The next.
    pub second: ContractId,
}

/// Its place in the list of contracts, if the shard has it.
///
/// # Errors
/// [`TwoSessions`].
pub fn place(start: &Start) -> Result<Option<usize>, TwoSessions> {
    let class = |class: usize| start.classes.get(class).map(|pair| pair.class_hash);
    let mut found = start.contracts.iter().enumerate().filter(|(_, contract)| class(contract.class) == Some(CLASS));
    match (found.next(), found.next()) {
        (Some((_, first)), Some((_, second))) => {
            Err(TwoSessions { first: ContractId(first.address), second: ContractId(second.address) })
        }
        (found, _) => Ok(found.map(|(place, _)| place)),
    }
}
