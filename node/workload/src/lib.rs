//! A workload: a World's first storage, a shard over it, and the players' transactions, in a file of JSON.
//!
//! `shardwire shard start` and `shard submit` read it, `testnet` reads or generates it, `testnet workload` writes it.
//! The format is in `docs/workload.md`; the example there is parsed by a test here.
//!
//! Reading refuses, with the line: what is not JSON or has unknown fields; names, keys, contracts and accounts that are not
//! listed; calls that do not fit what they name; amounts of zero; transactions after the one that ends the shard. It does
//! *not* refuse transactions that break a rule of the game (too little escrow, somebody else's lock): those the operator
//! refuses, with a receipt.
//!
//! Bounds: [`MAX_FILE_BYTES`], [`MAX_STORAGE`], [`MAX_NAME_CHARS`] and those of [`shardwire_model`].
//!
//! This is a room for people's tools, the command line and testnet: it holds players' secret keys. What a running node does never enters it.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod check;
mod error;
mod read;
mod sign;
#[cfg(test)]
mod tests;
mod value;
mod write;

pub use error::{Problem, WorkloadError};

use serde::{Deserialize, Serialize};
use shardwire_model::{
    AccountId, AccountKey, Call, ContractId, EntryRequest, EventId, Felt, Key, Kind, MAX_ENTRIES, PeerId, Slot,
    StartRequest, Terms,
};
use std::fmt;

/// The version of the format that is read and written.
pub const VERSION: u64 = 1;
/// Largest file that is read: 65,536 transactions of the longest form (some 400 bytes each) fit.
pub const MAX_FILE_BYTES: u64 = 32 << 20;
/// Most characters in a name or label.
pub const MAX_NAME_CHARS: usize = 40;
/// Most storage addresses that a workload gives a new World: what one shard can settle.
pub const MAX_STORAGE: usize = MAX_ENTRIES;

/// A World's first storage, a shard over it, and what its players do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// What people call it.
    pub name: String,
    /// What the World has before.
    pub world: World,
    /// The shard.
    pub start: Start,
    /// The players, each with the secret to sign for it.
    pub players: Vec<Player>,
    /// What they do, in this order. At least one, at most [`shardwire_model::MAX_TRANSACTIONS`].
    pub transactions: Vec<UnsignedTransaction>,
}

/// What a new World has in its storage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// At most [`MAX_STORAGE`].
    pub storage: Vec<Storage>,
}

/// One storage address of a new World.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// The contract whose storage it is.
    pub contract: ContractId,
    /// The storage address.
    pub key: Key,
    /// Whether it is a counter, an escrow or a lock.
    pub kind: Kind,
    /// Its value: below 2^128 unless it is a lock.
    #[serde(deserialize_with = "value::deserialize")]
    pub value: Felt,
    /// For people: what it is, such as "gold".
    #[serde(default)]
    pub name: Option<String>,
    /// For people: whose it is, such as a player's name.
    #[serde(default)]
    pub of: Option<String>,
}

/// What the shard is started with: a [`StartRequest`] without the operator, which the network decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// See [`StartRequest::salt`].
    pub salt: u64,
    /// See [`StartRequest::program`]; if absent, the program is chosen when the shard is started.
    pub program: Option<Felt>,
    /// See [`StartRequest::contracts`].
    pub contracts: Vec<ContractId>,
    /// See [`StartRequest::accounts`].
    pub accounts: Vec<AccountId>,
    /// See [`StartRequest::end_event`].
    pub end_event: EventId,
    /// See [`StartRequest::entries`].
    pub entries: Vec<EntryRequest>,
}

/// Somebody who acts, with the secret to sign for it: a workload is for tests and demonstrations.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Player {
    /// Its name: what transactions say.
    pub name: String,
    /// The secret: see [`AccountKey::from_secret`].
    #[serde(with = "value::secret")]
    pub secret: [u8; 32],
}

/// One transaction, not yet signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnsignedTransaction {
    /// The name of the player.
    pub player: String,
    /// The contract it calls.
    pub contract: ContractId,
    /// What it does.
    pub call: Call,
}

impl Storage {
    /// Which storage slot it is.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        Slot::new(self.contract, self.key)
    }
}

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Player {
    /// The key it signs with.
    #[must_use]
    pub fn key(&self) -> AccountKey {
        AccountKey::from_secret(self.secret)
    }
}

impl Start {
    /// What to ask the World for, with this operator, and with this program if the workload names none.
    #[must_use]
    pub fn request(&self, operator: PeerId, program: Felt) -> StartRequest {
        StartRequest {
            salt: self.salt,
            program: self.program.unwrap_or(program),
            operator,
            contracts: self.contracts.clone(),
            accounts: self.accounts.clone(),
            end_event: self.end_event,
            entries: self.entries.clone(),
            terms: Terms::Rules,
        }
    }
}

impl Workload {
    /// What to ask the World for, with this operator, and with this program if the workload names none.
    #[must_use]
    pub fn start_request(&self, operator: PeerId, program: Felt) -> StartRequest {
        self.start.request(operator, program)
    }

    /// Whether the last transaction emits the event that ends the shard.
    ///
    /// # Errors
    /// [`Problem::Endless`] if not.
    pub fn ends(&self) -> Result<(), WorkloadError> {
        match self.transactions.last() {
            Some(step) if step.call == Call::Finish && step.contract == self.start.end_event.from => Ok(()),
            _ => Err(Problem::Endless.into()),
        }
    }
}
