//! Which block is meant, and what is there. Pure.
//!
//! A block is named by its height: how many transactions the shard had then. `latest` is the last transaction's. `pre_confirmed` is the block after it,
//! which is empty: a transaction is confirmed at once. `l1_accepted` is the state that the shard began from, which is the chain's.

use crate::{Journal, chain::At, error::RpcError, journal::Entry};
use serde::{Deserialize, Deserializer, de::Error as _};
use shardwire_model::{Felt, Stage, felt};
use std::sync::Arc;

/// A block as callers name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockId {
    Latest,
    PreConfirmed,
    L1Accepted,
    Number(u64),
    Hash(Felt),
}

impl<'de> Deserialize<'de> for BlockId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Tag(String),
            Named(Named),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Named {
            block_number: Option<u64>,
            block_hash: Option<String>,
        }

        const EXPECTED: &str = "a block is 'latest', 'pre_confirmed', 'l1_accepted', {block_number} or {block_hash}";
        match Form::deserialize(deserializer).map_err(|_| D::Error::custom(EXPECTED))? {
            Form::Tag(tag) => match &*tag {
                "latest" => Ok(Self::Latest),
                "pre_confirmed" => Ok(Self::PreConfirmed),
                "l1_accepted" => Ok(Self::L1Accepted),
                _ => Err(D::Error::custom(EXPECTED)),
            },
            Form::Named(Named { block_number: Some(number), block_hash: None }) => Ok(Self::Number(number)),
            Form::Named(Named { block_number: None, block_hash: Some(hash) }) => {
                felt::parse(&hash).map(Self::Hash).map_err(D::Error::custom)
            }
            Form::Named(_) => Err(D::Error::custom(EXPECTED)),
        }
    }
}

/// What a shard's journal shows at one moment: what comes later isn't seen, and of an aborted shard only what it began from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) journal: &'a Journal,
    /// How many transactions there are.
    pub(crate) height: u32,
    pub(crate) stage: Stage,
}

/// A block that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// After so many transactions.
    Block(u32),
    /// The block that comes next.
    PreConfirmed,
}

impl<'a> View<'a> {
    pub(crate) fn new(journal: &'a Journal, stage: Stage) -> Self {
        let height = if stage == Stage::Aborted { 0 } else { journal.height() };
        Self { journal, height, stage }
    }

    /// The block that is meant.
    ///
    /// # Errors
    /// [`RpcError::NoBlock`] if there is none.
    pub(crate) fn place(self, id: BlockId) -> Result<Place, RpcError> {
        let found = match id {
            BlockId::Latest => self.height,
            BlockId::PreConfirmed => return Ok(Place::PreConfirmed),
            BlockId::L1Accepted => 0,
            BlockId::Number(number) => {
                let (first, last) = (self.journal.number(0), self.journal.number(self.height));
                let height = number.checked_sub(first).and_then(|height| u32::try_from(height).ok());
                match height.filter(|height| *height <= self.height) {
                    Some(height) => height,
                    None => {
                        let reason = format!("there is no block {number}: the shard has those from {first} to {last}");
                        return Err(RpcError::NoBlock(reason));
                    }
                }
            }
            BlockId::Hash(hash) => match self.journal.height_of(hash).filter(|height| *height <= self.height) {
                Some(height) => height,
                None => return Err(RpcError::NoBlock(format!("there is no block {hash:#x} in this shard"))),
            },
        };
        Ok(Place::Block(found))
    }

    /// How many transactions the state of the block that is meant is after.
    ///
    /// # Errors
    /// [`RpcError::NoBlock`] if there is none.
    pub(crate) fn height_at(self, id: BlockId) -> Result<u32, RpcError> {
        Ok(match self.place(id)? {
            Place::Block(height) => height,
            Place::PreConfirmed => self.height,
        })
    }

    /// The state of the block that is meant.
    ///
    /// # Errors
    /// [`RpcError::NoBlock`] if there is none.
    pub(crate) fn state_at(self, id: BlockId) -> Result<At, RpcError> {
        match id {
            // Transactions that come meanwhile are of no harm; of an aborted shard the first state is left.
            BlockId::Latest | BlockId::PreConfirmed if self.stage != Stage::Aborted => Ok(At::Now),
            id => self.height_at(id).map(At::After),
        }
    }

    /// The place and the entry of the transaction with this hash.
    ///
    /// # Errors
    /// [`RpcError::NoTransaction`], or [`RpcError::Undone`] if an abort undid it.
    pub(crate) fn transaction(self, hash: Felt) -> Result<(u32, Arc<Entry>), RpcError> {
        let place = self.journal.place(hash);
        let entry =
            place.filter(|place| *place < self.height).and_then(|place| Some((place, self.journal.entry(place)?)));
        match entry {
            Some(found) => Ok(found),
            None if place.is_some() && self.stage == Stage::Aborted => Err(RpcError::Undone(hash)),
            None => Err(RpcError::NoTransaction(hash)),
        }
    }

    /// The transaction of the block at a height; the first block has none.
    pub(crate) fn entry_of(self, height: u32) -> Option<Arc<Entry>> {
        height.checked_sub(1).and_then(|place| self.journal.entry(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_block_is_named_in_five_ways() {
        for (text, id) in [
            (r#""latest""#, BlockId::Latest),
            (r#""pre_confirmed""#, BlockId::PreConfirmed),
            (r#""l1_accepted""#, BlockId::L1Accepted),
            (r#"{"block_number":7}"#, BlockId::Number(7)),
            (r#"{"block_hash":"0x00ff"}"#, BlockId::Hash(255.into())),
        ] {
            assert_eq!(serde_json::from_str::<BlockId>(text).unwrap(), id);
        }
        for text in [
            r#""pending""#,
            "7",
            "{}",
            r#"{"block_number":-1}"#,
            r#"{"block_number":"0x1"}"#,
            r#"{"block_number":1,"block_hash":"0x1"}"#,
            r#"{"block_number":1,"more":1}"#,
        ] {
            let error = serde_json::from_str::<BlockId>(text).unwrap_err().to_string();
            let wanted = "a block is 'latest', 'pre_confirmed', 'l1_accepted', {block_number} or {block_hash}";
            assert!(error.starts_with(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn numbers_and_hashes_lead_to_the_same_blocks() {
        let journal = sample::journal(3);
        let view = View::new(&journal, Stage::Executing);
        for height in 0..=3 {
            let hash = journal.block_hash(height).unwrap();
            assert_eq!(view.place(BlockId::Hash(hash)), Ok(Place::Block(height)));
            assert_eq!(view.place(BlockId::Number(journal.number(height))), Ok(Place::Block(height)));
        }
        assert_eq!(view.height_at(BlockId::Latest), Ok(3));
        assert_eq!(view.height_at(BlockId::PreConfirmed), Ok(3));
        assert_eq!(view.height_at(BlockId::L1Accepted), Ok(0));
        for number in [0, 98, 103, u64::MAX] {
            let error = view.place(BlockId::Number(number)).unwrap_err();
            assert_eq!(error.to_string(), format!("there is no block {number}: the shard has those from 99 to 102"));
        }
        let error = view.place(BlockId::Hash(Felt::ONE)).unwrap_err();
        assert_eq!(error.to_string(), "there is no block 0x1 in this shard");
    }

    #[test]
    fn an_abort_undoes_all_blocks_but_the_first() {
        let journal = sample::journal(3);
        let (second, hash) = (journal.block_hash(2).unwrap(), journal.entry(1).unwrap().receipt.hash);
        assert!(View::new(&journal, Stage::Ended).transaction(hash).is_ok());
        let view = View::new(&journal, Stage::Aborted);
        assert_eq!(view.height_at(BlockId::Latest), Ok(0));
        assert!(view.place(BlockId::Hash(second)).is_err());
        assert_eq!(view.transaction(hash).unwrap_err(), RpcError::Undone(hash));
        assert_eq!(view.transaction(Felt::ONE).unwrap_err(), RpcError::NoTransaction(Felt::ONE));
    }
}
