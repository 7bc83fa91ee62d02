//! The trait of a World, and what one says of its shards and its storage.

use crate::{Operation, Refusal, Settlement, Standing, Ticket, WorldError, WorldIdentity};
use serde::{Deserialize, Serialize};
use shardwire_model::life::AbortReason;
use shardwire_model::{ContractId, Felt, Hash, Key, Kind, PeerId, ShardId, ShardStart, Slot, Timestamp};
use std::{fmt, future::Future, pin::Pin, sync::Arc};

/// Most storage addresses in one answer: with about 100 bytes each, what a message of the command line holds.
pub const MAX_STORAGE_PAGE: usize = 1024;
/// Most shards in one answer.
pub const MAX_SHARD_PAGE: usize = 1024;

/// An answer of a World.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where shards start and settle. See the crate's page for the rules.
///
/// Any future may be dropped. How far the World got with a submitted operation is unknown then; to submit it again tells.
pub trait World: Send + Sync + fmt::Debug {
    /// Which World this is.
    fn identity(&self) -> &Arc<WorldIdentity>;

    /// Submits an operation. When this returns, the World has noted it durably, and says where it stands: some Worlds decide at once,
    /// others take minutes. An operation that is pending or final is not done twice: submitting it again says where it stands.
    /// One that was refused is judged anew.
    ///
    /// # Errors
    /// [`WorldError::Disk`] or [`WorldError::Damaged`] if the World can't be reached, read or written. It is unknown then whether the operation was noted: submit it again.
    fn submit(&self, operation: Operation) -> Answering<'_, Result<Standing, WorldError>>;

    /// Where an operation stands.
    ///
    /// # Errors
    /// [`WorldError::Disk`] or [`WorldError::Damaged`] if the World can't be reached or read.
    fn standing(&self, ticket: Ticket) -> Answering<'_, Result<Standing, WorldError>>;

    /// A number that differs after each change of anything that this World says. An operation that is handed in again changes nothing.
    fn revision(&self) -> u64;

    /// Completes once [`revision`](Self::revision) isn't this one any more.
    fn changed(&self, since: u64) -> Answering<'_, ()>;

    /// Everything about a shard.
    ///
    /// # Errors
    /// [`WorldError::Disk`] or [`WorldError::Damaged`] if the World can't be reached or read.
    fn shard(&self, shard: ShardId) -> Answering<'_, Result<Option<ShardRecord>, WorldError>>;

    /// Shards in the order of their ids, from after the given one; at most `limit` and [`MAX_SHARD_PAGE`].
    ///
    /// # Errors
    /// [`WorldError::Disk`] or [`WorldError::Damaged`] if the World can't be reached or read.
    fn shards(&self, after: Option<ShardId>, limit: usize) -> Answering<'_, Result<Vec<ShardSummary>, WorldError>>;

    /// The open shards of an operator, in the order of their ids, from after the given one; at most `limit` and
    /// [`MAX_SHARD_PAGE`].
    ///
    /// # Errors
    /// [`WorldError::Disk`] or [`WorldError::Damaged`] if the World can't be reached or read.
    fn open_shards(
        &self,
        operator: PeerId,
        after: Option<ShardId>,
        limit: usize,
    ) -> Answering<'_, Result<Vec<ShardId>, WorldError>>;

    /// Storage in the order of its addresses, from after the given one; at most `limit` and [`MAX_STORAGE_PAGE`].
    ///
    /// # Errors
    /// [`WorldError::Disk`] or [`WorldError::Damaged`] if the World can't be reached or read.
    fn storage(&self, after: Option<Slot>, limit: usize) -> Answering<'_, Result<Vec<StorageEntry>, WorldError>>;

    /// Reads everything that this node has of the World and checks that it agrees.
    ///
    /// # Errors
    /// [`WorldError::Damaged`] names the first contradiction; others if the World can't be read.
    fn audit(&self) -> Answering<'_, Result<Audit, WorldError>>;
}

/// Waits until an operation isn't pending any more, for as long as that takes, and says what became of it.
///
/// # Errors
/// [`WorldError::Disk`] or [`WorldError::Damaged`] if the World can't be reached or read.
pub async fn decided(world: &dyn World, ticket: Ticket) -> Result<Standing, WorldError> {
    loop {
        let revision = world.revision();
        match world.standing(ticket).await? {
            Standing::Pending => world.changed(revision).await,
            decided => return Ok(decided),
        }
    }
}

/// What a World holds in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// How many storage addresses there are.
    pub storage: u64,
    /// How many shards were ever started.
    pub shards: u64,
    /// How many of them may still settle.
    pub open: u64,
    /// The sum of all balances, without what is in escrow.
    pub balances: u128,
    /// The sum of what open shards hold in escrow.
    pub in_escrow: u128,
    /// The sum of what settled shards spent.
    pub spent: u128,
}

/// Everything about a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardRecord {
    /// What it was started with.
    pub start: ShardStart,
    /// The value of each entry of the settlement list when it started.
    pub values: Vec<Felt>,
    /// The commitment to both.
    pub before: Felt,
    /// When it started, on the World's clock.
    pub started_at: Timestamp,
    /// What became of it.
    pub state: ShardState,
}

/// What became of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardState {
    /// It may settle or be aborted.
    Started,
    /// Its output was applied.
    Settled(Box<Settlement>),
    /// It was given up and never settles.
    Aborted {
        /// Why it was aborted: by the abort that was first.
        reason: AbortReason,
        /// When it was aborted, on the World's clock.
        at: Timestamp,
    },
}

/// Where a shard stands in the World, in short. A node's own stage of it is [`shardwire_model::Stage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShardStage {
    /// It may settle or be aborted.
    Started,
    /// Its output was applied.
    Settled {
        /// The content hash of its proof.
        proof: Hash,
        /// When it was applied, on the World's clock.
        at: Timestamp,
    },
    /// It was given up and never settles.
    Aborted {
        /// Why it was aborted: by the abort that was first.
        reason: AbortReason,
        /// When it was aborted, on the World's clock.
        at: Timestamp,
    },
}

/// A shard in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardSummary {
    /// The shard's id, which says who started it and with what.
    pub shard: ShardId,
    /// The peer that executes it.
    pub operator: PeerId,
    /// When it started.
    pub started_at: Timestamp,
    /// Where it stands.
    pub stage: ShardStage,
}

/// A storage address of the World.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageEntry {
    /// The contract whose storage it is.
    pub contract: ContractId,
    /// The address in it.
    pub key: Key,
    /// Whether it is a counter, an escrow or a lock.
    pub kind: Kind,
    /// Where the counter stands, the balance (without what is in escrow), the lock's value.
    #[serde(with = "shardwire_model::felt::wire")]
    pub value: Felt,
    /// What running shards hold of the balance.
    #[serde(with = "shardwire_model::amount")]
    pub in_escrow: u128,
    /// The shard that holds the lock.
    pub held_by: Option<ShardId>,
}

impl StorageEntry {
    /// Which storage slot it is of.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        Slot::new(self.contract, self.key)
    }
}

impl ShardState {
    /// Why an operation can't close this shard any more; none if it can.
    #[must_use]
    pub fn closed(&self, shard: ShardId) -> Option<Refusal> {
        match self {
            Self::Started => None,
            Self::Settled(settlement) => Some(Refusal::AlreadySettled { shard, proof: settlement.proof }),
            Self::Aborted { .. } => Some(Refusal::Aborted { shard }),
        }
    }
}
