//! The command line's half.

use super::{After, Lives, Request, Response};
use crate::{
    Signed,
    exchange::{self, ControlError},
};
use shardwire_model::{ShardId, ShardStart, StartRequest, Timestamp, life::HistoryEntry};

/// Asks a node.
pub type Client = exchange::Client<Lives>;

impl Client {
    /// Starts a shard; when it is aborted unless it is settled.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn start(
        &mut self,
        request: StartRequest,
        timeout_s: Option<u64>,
    ) -> Result<(ShardStart, Timestamp), ControlError> {
        match self.request(Request::Start { request, timeout_s }).await? {
            Response::Started { start, deadline } => Ok((*start, deadline)),
            _ => self.unexpected(),
        }
    }

    /// Aborts a shard; since when it is.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn abort(&mut self, shard: ShardId) -> Result<Timestamp, ControlError> {
        match self.request(Request::Abort { shard }).await? {
            Response::Aborted { at } => Ok(at),
            _ => self.unexpected(),
        }
    }

    /// What the node has signed about a shard, all pages. Pages must go forward, so this ends.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn history(&mut self, shard: ShardId) -> Result<Vec<Signed<HistoryEntry>>, ControlError> {
        let mut all: Vec<Signed<HistoryEntry>> = Vec::new();
        loop {
            let after = all.last().map(|entry| After::of(&entry.statement));
            let Response::History { entries, more } = self.request(Request::History { shard, after }).await? else {
                return self.unexpected();
            };
            let places = entries.iter().map(|entry| After::of(&entry.statement));
            let forward = after.into_iter().chain(places).is_sorted_by(|a, b| a < b);
            let asked = entries.iter().all(|entry| entry.statement.part.shard == shard);
            if !forward || !asked || (more && entries.is_empty()) {
                return self.unexpected();
            }
            all.extend(entries);
            if !more {
                return Ok(all);
            }
        }
    }
}
