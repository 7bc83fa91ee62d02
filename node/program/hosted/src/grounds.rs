//! The states that shards of contracts begin from on this node: its genesis files, and networks at a block.
//!
//! Who reads networks is given from above ([`Networks`]); a node that isn't told where a network is read has no shard that goes on from it. Refused: a shard that begins before the
//! block that it goes on from, since contracts have seen that time. Before a state is used, all that is asked of it on threads that can't wait is
//! [read together](Forked::prepare): the class and the nonce of each listed contract.

use crate::{Geneses, GenesisFileError, geneses::is_of_this_machine};
use shardwire_model::{Coded, ContractId, ContractTerms, Felt, ForkId, OriginId, Slot, contracts};
use shardwire_native::{Forked, GenesisError, Ground, GroundError, Networks, fit};
use std::sync::Arc;

/// The states that shards of contracts begin from on this node.
#[derive(Debug)]
pub struct Grounds {
    geneses: Geneses,
    networks: Option<Arc<dyn Networks>>,
}

impl From<Geneses> for Grounds {
    fn from(geneses: Geneses) -> Self {
        Self { geneses, networks: None }
    }
}

/// What a shard begins from.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) ground: Arc<dyn Ground>,
    /// The same, if it is a network's.
    pub(crate) forked: Option<Arc<dyn Forked>>,
}

impl Grounds {
    /// The same, with networks.
    #[must_use]
    pub fn with_networks(self, networks: Arc<dyn Networks>) -> Self {
        Self { networks: Some(networks), ..self }
    }

    /// The state that a shard with these terms begins from, which has what its start data lists. Reading and compiling take their time: call it on a thread that may wait.
    ///
    /// # Errors
    /// [`BeginError::Genesis`] if a genesis isn't here or isn't what it is called, [`BeginError::Unknown`] if this node doesn't know the network, [`BeginError::Early`] if the shard begins before the block;
    /// [`BeginError::Unfit`] if the state lacks what the start data lists; [`BeginError::Ground`] if this machine can't say.
    pub(crate) fn begin(&self, terms: &ContractTerms, start: &contracts::Start) -> Result<Found, BeginError> {
        let found = match &terms.origin {
            OriginId::Genesis(genesis) => Found { ground: self.geneses.find(*genesis)?, forked: None },
            OriginId::Fork(fork) => self.open_fork(fork, terms, start)?,
        };
        let forked = found.forked.is_some();
        let unfit = |error: GenesisError| match error {
            GenesisError::Ground(error) => BeginError::Ground(error),
            error => BeginError::Unfit { error, forked },
        };
        match (fit(&*found.ground, start).map_err(unfit), &found.forked) {
            // That is a word on the shard, which one node that is wrong doesn't say alone.
            (Err(error), Some(forked)) if !error.is_of_this_machine() => {
                fit(&*forked.clone().again(), start).map_err(unfit)?;
            }
            (fits, _) => fits?,
        }
        Ok(found)
    }

    fn open_fork(&self, fork: &ForkId, terms: &ContractTerms, start: &contracts::Start) -> Result<Found, BeginError> {
        let unknown = || BeginError::Unknown { chain: fork.chain };
        let networks = self.networks.as_ref().ok_or_else(unknown)?;
        let forked = networks.at(fork)?.ok_or_else(unknown)?;
        let time = forked.time()?;
        if terms.begins < time {
            return Err(BeginError::Early { begins: terms.begins, time });
        }
        let contracts: Vec<ContractId> = start.contracts.iter().map(|it| ContractId(it.address)).collect();
        forked.prepare(&contracts, &[])?;
        Ok(Found { ground: forked.clone(), forked: Some(forked) })
    }
}

impl Found {
    /// Has these slots read together, where they have to be asked for.
    pub(crate) fn prepare(&self, slots: &[Slot]) -> Result<(), GroundError> {
        self.forked.as_ref().map_or(Ok(()), |forked| forked.prepare(&[], slots))
    }

    /// Has read again what couldn't be of these contracts.
    pub(crate) fn retry(&self, contracts: &[ContractId]) -> Result<(), GroundError> {
        self.forked.as_ref().map_or(Ok(()), |forked| forked.retry(contracts))
    }

    /// The same state, asked for anew of everybody who knows it.
    pub(crate) fn again(&self) -> Arc<dyn Ground> {
        self.forked.as_ref().map_or_else(|| self.ground.clone(), |forked| forked.clone().again())
    }
}

/// No shard can begin like this here, or this machine can't say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// The genesis isn't here or isn't what it is called.
    #[error(transparent)]
    Genesis(#[from] GenesisFileError),
    /// Nobody told this node where that network is read.
    #[error("this node isn't told who knows the network of chain {chain:#x}")]
    Unknown {
        /// The chain's id.
        chain: Felt,
    },
    /// The shard begins before the block that it goes on from.
    #[error(
        "the shard begins at {begins}, and the block that it goes on from was made at {time}, in seconds since 1970"
    )]
    Early {
        /// When the shard begins.
        begins: u64,
        /// When the block was made.
        time: u64,
    },
    /// The start data lists what the state hasn't, or otherwise.
    #[error("{error}")]
    Unfit {
        /// What is wrong with it.
        error: GenesisError,
        /// Whether the state is a network's.
        forked: bool,
    },
    /// The state can't be read at the moment.
    #[error(transparent)]
    Ground(#[from] GroundError),
}

impl BeginError {
    /// Whether this machine couldn't, which says nothing about the shard: another try may succeed.
    #[must_use]
    pub const fn is_of_this_machine(&self) -> bool {
        match self {
            Self::Genesis(error) => error.is_of_this_machine(),
            Self::Unfit { error, .. } => is_of_this_machine(error),
            Self::Ground(_) => true,
            Self::Unknown { .. } | Self::Early { .. } => false,
        }
    }
}

impl Coded for BeginError {
    fn code(&self) -> &'static str {
        match self {
            Self::Genesis(error) => error.code(),
            Self::Unknown { .. } => "SW-PROGRAM-010",
            Self::Early { .. } => "SW-PROGRAM-011",
            Self::Unfit { error, .. } => error.code(),
            Self::Ground(error) => error.code(),
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Genesis(error) => error.next_step(),
            Self::Unknown { chain } => format!(
                "Add a node of that network to `fork.nodes` in the shardwire.toml of settler and operator (\"{chain:#x}=https://…\"), and start them again."
            ),
            Self::Early { .. } => "Let `begins` be no earlier than the block's time, or name an earlier block.".into(),
            Self::Unfit { error: GenesisError::NoClass(_) | GenesisError::Missing(_), forked: true } => {
                "Take it out of the start data, or name a block of the network at which it is there.".into()
            }
            Self::Unfit { error: GenesisError::OtherClass { .. }, forked: true } => {
                "Write the start data from the network at this block: a contract's class may have been replaced since."
                    .into()
            }
            Self::Unfit { error, .. } => error.next_step(),
            Self::Ground(error) => error.next_step(),
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Genesis(error) => error.told(),
            Self::Ground(error) => error.told(),
            _ => self.to_string(),
        }
    }
}
