//! A network at a block, as a ground: what more is asked of it than of a genesis.
//!
//! Here are the traits alone. Who asks networks is given from above, so that nothing here knows one.

use crate::{Ground, GroundError};
use shardwire_model::{ContractId, ForkId, Slot};
use std::{fmt, sync::Arc};

/// A network at a block.
pub trait Forked: Ground {
    /// When the block was made, in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`GroundError`] if this can't be found out at the moment.
    fn time(&self) -> Result<u64, GroundError>;

    /// Has the class hash and the nonce of these contracts, and the values of these slots, read together: later they are answered without waiting.
    ///
    /// # Errors
    /// [`GroundError`] if one of them can't be found out at the moment.
    fn prepare(&self, contracts: &[ContractId], slots: &[Slot]) -> Result<(), GroundError>;

    /// Asks again what of these contracts couldn't be found out the last time.
    ///
    /// # Errors
    /// [`GroundError`] if one of it still can't be found out.
    fn retry(&self, contracts: &[ContractId]) -> Result<(), GroundError>;

    /// The same for who must not wait: it has what was read before. Of what wasn't it says so ([`GroundError::is_absent`]).
    fn here(self: Arc<Self>) -> Arc<dyn Ground>;

    /// The same for who looks at a shard, and may be anybody.
    fn shown(self: Arc<Self>) -> Arc<dyn Ground>;

    /// The same, but what it says is asked for anew, of everybody who knows: for who is about to say that somebody else is wrong.
    fn again(self: Arc<Self>) -> Arc<dyn Ground>;
}

/// Reads networks at a block.
pub trait Networks: Send + Sync + fmt::Debug {
    /// The network at this block; none if this node isn't told where that network is read.
    ///
    /// # Errors
    /// [`GroundError`] if this machine can't say at the moment.
    fn at(&self, fork: &ForkId) -> Result<Option<Arc<dyn Forked>>, GroundError>;
}
