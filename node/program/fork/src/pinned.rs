//! Which block a shard begins from.

use serde::Deserialize;
use serde_json::{Value, json};
use shardwire_model::{Coded, Felt, ForkId, felt};
use shardwire_starknet::{Rpc, RpcError};

/// Which block is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The last one that is accepted.
    Latest,
    /// The one with this number.
    Number(u64),
    /// The one with this hash.
    Hash(Felt),
}

/// A block of a network, fixed by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The network's chain id.
    pub chain: Felt,
    /// The block's number. A shard's own blocks begin with the next.
    pub number: u64,
    /// The block's hash.
    pub hash: Felt,
    /// When it was made, in seconds since the Unix epoch.
    pub time: u64,
    /// Who made it.
    pub sequencer: Felt,
}

/// A block that a shard can't begin from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// The node can't tell.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The block isn't accepted, or never will be.
    #[error("block {number} is {status}, and a shard begins from one that is accepted")]
    NotAccepted {
        /// Its number.
        number: u64,
        /// What the node says of it.
        status: String,
    },
    /// The node answered with another block.
    #[error("block {wanted} was asked for, and {host} answered with {got}")]
    Another {
        /// Who was asked.
        host: String,
        /// What was asked for.
        wanted: String,
        /// What came.
        got: String,
    },
}

impl Coded for PinError {
    fn code(&self) -> &'static str {
        match self {
            Self::Rpc(error) => error.code(),
            Self::NotAccepted { .. } => "SW-FORK-001",
            Self::Another { .. } => "SW-FORK-002",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Rpc(error) => error.next_step(),
            Self::NotAccepted { .. } => "Name an earlier block, or wait until it is accepted.".into(),
            Self::Another { .. } => "Ask another node of the network.".into(),
        }
    }
}

#[derive(Deserialize)]
struct Block {
    status: String,
    #[serde(with = "felt::wire")]
    block_hash: Felt,
    block_number: u64,
    timestamp: u64,
    #[serde(with = "felt::wire")]
    sequencer_address: Felt,
}

impl Pinned {
    /// What names it in the start of a shard.
    #[must_use]
    pub const fn id(&self) -> ForkId {
        ForkId { chain: self.chain, number: self.number, hash: self.hash }
    }

    /// Asks which block that is.
    ///
    /// # Errors
    /// [`PinError::Rpc`] if the node doesn't tell, or knows no such block; [`PinError::NotAccepted`] and [`PinError::Another`].
    pub async fn find(rpc: &Rpc, wanted: Wanted) -> Result<Self, PinError> {
        let chain = rpc.chain_id().await?;
        let id = match wanted {
            Wanted::Latest => json!("latest"),
            Wanted::Number(number) => json!({ "block_number": number }),
            Wanted::Hash(hash) => json!({ "block_hash": hash }),
        };
        let block: Value = rpc.ask("starknet_getBlockWithTxHashes", json!({ "block_id": id })).await?;
        let method = "starknet_getBlockWithTxHashes";
        let Block { status, block_hash, block_number: number, timestamp, sequencer_address } =
            serde_json::from_value(block).map_err(|error| RpcError::Answer {
                host: rpc.host(),
                method,
                reason: error.to_string(),
            })?;
        if !matches!(status.as_str(), "ACCEPTED_ON_L2" | "ACCEPTED_ON_L1") {
            return Err(PinError::NotAccepted { number, status: status.chars().take(32).collect() });
        }
        let another = match wanted {
            Wanted::Number(asked) if asked != number => Some((asked.to_string(), number.to_string())),
            Wanted::Hash(asked) if asked != block_hash => Some((format!("{asked:#x}"), format!("{block_hash:#x}"))),
            _ => None,
        };
        if let Some((wanted, got)) = another {
            return Err(PinError::Another { host: rpc.host(), wanted, got });
        }
        Ok(Self { chain, number, hash: block_hash, time: timestamp, sequencer: sequencer_address })
    }
}
