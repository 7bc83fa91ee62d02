//! Why a network can't be read at a block.

use crate::{MAX_FORKS, PinError, views::MAX_VISITORS};
use shardwire_model::{Coded, ContractId, Felt};
use shardwire_native::GroundError;
use shardwire_starknet::RpcError;

/// A network can't be read at a block, at the moment. That is no word on the shard that goes on from it: another try may succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// A node can't tell which block that is, or none that a shard can go on from.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// A node doesn't answer, or not what was asked.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// A node is one of another network.
    #[error("{host} is a node of chain {got:#x}, and the shard goes on from a block of chain {wanted:#x}")]
    Chain {
        /// Who was asked.
        host: String,
        /// The chain that the shard's start names.
        wanted: Felt,
        /// The chain of the node.
        got: Felt,
    },
    /// The block has another number.
    #[error("block {hash:#x} has the number {got} at {host}, and the shard's start says {wanted}")]
    Number {
        /// Who was asked.
        host: String,
        /// The block's hash.
        hash: Felt,
        /// The number that the shard's start names.
        wanted: u64,
        /// The number that the node tells.
        got: u64,
    },
    /// A node doesn't know the block, or not any more.
    #[error("{host} doesn't know block {hash:#x} (any more)")]
    Gone {
        /// Who was asked.
        host: String,
        /// The block's hash.
        hash: Felt,
    },
    /// A node tells a contract's class and then that there is no such contract: it doesn't have the whole state of the block.
    #[error("the node that was asked has no state of contract {0} at the block, and knows the contract's class")]
    Pruned(ContractId),
    /// What a node has under a class hash is another class, or none that a shard runs.
    #[error("class {hash:#x}: {reason}")]
    Class {
        /// The hash that was asked for.
        hash: Felt,
        /// What is wrong with it.
        reason: String,
    },
    /// A value is none that a contract can have.
    #[error("{contract} has the nonce {nonce:#x}, above 64 bits")]
    Nonce {
        /// The contract.
        contract: ContractId,
        /// What the node told.
        nonce: Felt,
    },
    /// What was read can't be kept, or what was kept can't be read.
    #[error("what was read of the block can't be kept: {0}")]
    Kept(String),
    /// Shards go on from as many other blocks as may be.
    #[error("shards go on from {MAX_FORKS} other blocks")]
    Full,
    /// The node stops.
    #[error("this node stops, and asks nothing any more")]
    Stopped,
    /// There is nobody to ask: a folder is looked at that no node uses.
    #[error("nobody is asked about networks here, and this wasn't read of the block before")]
    Nobody,
    /// Nodes of the same network tell different things, or one tells another than before.
    #[error("{first} and {second} tell different things of {question} at the block")]
    Contradiction {
        /// What they were asked.
        question: String,
        /// Who was asked first.
        first: String,
        /// Who tells something else.
        second: String,
    },
    /// As many visitors wait for networks as may.
    #[error("{MAX_VISITORS} others wait for what networks tell, the most there may be")]
    Busy,
    /// It wasn't read so far, and who asks doesn't wait for it.
    #[error("what the transaction needs of the block isn't read yet")]
    Absent,
    /// No answer came in the time that there is for one.
    #[error("{host} has taken longer than a transaction can wait for its answers")]
    Late {
        /// Who was asked first.
        host: String,
    },
}

impl Coded for ForkError {
    fn code(&self) -> &'static str {
        match self {
            Self::Pin(error) => error.code(),
            Self::Rpc(error) => error.code(),
            Self::Chain { .. } => "SW-FORK-003",
            Self::Number { .. } => "SW-FORK-004",
            Self::Gone { .. } => "SW-FORK-005",
            Self::Pruned(_) => "SW-FORK-006",
            Self::Class { .. } => "SW-FORK-007",
            Self::Nonce { .. } => "SW-FORK-008",
            Self::Kept(_) => "SW-FORK-009",
            Self::Full => "SW-FORK-010",
            Self::Stopped => "SW-FORK-011",
            Self::Late { .. } => "SW-FORK-012",
            Self::Nobody => "SW-FORK-013",
            Self::Contradiction { .. } => "SW-FORK-014",
            Self::Busy => "SW-FORK-015",
            Self::Absent => "SW-FORK-016",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Pin(error) => error.next_step(),
            Self::Rpc(error) => error.next_step(),
            Self::Chain { .. } => {
                "Name a node of that chain in `fork.nodes` of shardwire.toml, and start this node again.".into()
            }
            Self::Number { .. } => "Start a shard with the block's own number; this one can't be played.".into(),
            Self::Gone { .. } | Self::Pruned(_) => {
                "Name a node in `fork.nodes` that keeps the state of older blocks, and start this node again. If the network itself gave the block up, abort the shard and start one from another block.".into()
            }
            Self::Class { .. } | Self::Nonce { .. } => "Name another node of the network in `fork.nodes`.".into(),
            Self::Kept(_) => "Free space on the disk of the data folder, or mend it; the node tries again.".into(),
            Self::Full => "Wait until one of those shards is settled, or start the shard with another operator.".into(),
            Self::Stopped => "Start the node again.".into(),
            Self::Nobody => "Nothing: a node that runs in this folder asks for it.".into(),
            Self::Contradiction { .. } => {
                "Find out which of the nodes in `fork.nodes` is wrong, take it out, and start this node again.".into()
            }
            Self::Busy | Self::Absent => "Ask again in a moment.".into(),
            Self::Late { .. } => {
                "Look whether the nodes in `fork.nodes` are reached from here, or name faster ones; this node tries again.".into()
            }
        }
    }

    fn told(&self) -> String {
        "a network can't be read at the moment".into()
    }
}

impl From<ForkError> for GroundError {
    fn from(error: ForkError) -> Self {
        let told = Self::of(&error);
        if error == ForkError::Absent { told.absent() } else { told }
    }
}
