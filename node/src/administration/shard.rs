//! Shards: starting and aborting them, trying again what was given up, how they are, what this node has signed about them; and the World that they change.

use super::{Impossible, status};
use crate::network::{Met, Node};
use shardwire_host::history::Lives as _;
use shardwire_model::life::AbortReason;
use shardwire_model::{Clock as _, PeerId, Role, ShardId};
use shardwire_protocols::administration::{
    Failed, FailedReason, HistoryCursor, MAX_ENTRIES_LISTED, MAX_SHARDS_LISTED, MAX_STORAGE_LISTED, ShardStatus,
    shard::{Request, Response},
    world,
};
use shardwire_settler::SettlerError;
use shardwire_world::Refusal;
use std::time::Duration;

/// How long a start waits for an operator that this node has never met: one that has just been started dials in a moment.
const MAY_CONNECT: Duration = Duration::from_secs(3);

impl Node {
    pub(super) async fn about_shards(&self, peer: PeerId, request: Request) -> Result<Response, Failed> {
        Ok(match request {
            Request::Start { request, timeout_s, unknown_operator } => {
                let settler = self.settler()?;
                if self.met(request.operator) == Met::Never {
                    let connects = self.links.meets(request.operator, Role::Operator);
                    drop(tokio::time::timeout(MAY_CONNECT, connects).await);
                }
                let met = self.met(request.operator);
                // Before anything is locked.
                match met {
                    Met::Never if !unknown_operator => return Err(Impossible::UnknownOperator(request.operator).into()),
                    Met::AsAnother if !unknown_operator => return Err(Impossible::NoOperator(request.operator).into()),
                    _ => {}
                }
                let start = settler.start(&request, peer, timeout_s).await.map_err(|error| failed(&error))?;
                let left_s = start.deadline.since(self.clock.now()).as_millis().div_ceil(1000);
                Response::Started {
                    start: Box::new(start),
                    left_s: u64::try_from(left_s).unwrap_or(u64::MAX),
                    operator_connected: met == Met::Connected,
                }
            }
            Request::Abort { shard } => {
                let aborted = self.settler()?.abort(shard, AbortReason::Asked { by: peer }).await;
                let at = aborted.map_err(|error| failed(&error))?;
                Response::Aborted { at }
            }
            Request::Retry { shard } => Response::Retried { jobs: self.prover()?.retry(shard).await? },
            Request::Status { shard } => Response::Shards(self.shards(shard).await?),
            Request::History { shard, after } => self.history(shard, after)?,
        })
    }

    /// How this node knows an operator: as itself, as a peer that is connected or was, or by name.
    fn met(&self, operator: PeerId) -> Met {
        if operator == self.host.identity.peer() {
            return if self.roles.operator.is_some() { Met::Connected } else { Met::AsAnother };
        }
        match self.links.met(operator, Role::Operator) {
            Met::Never if self.is_listed(operator) => Met::Before,
            met => met,
        }
    }

    pub(super) async fn about_world(&self, request: &world::Request) -> Result<world::Response, Failed> {
        let world::Request::Storage { after } = request;
        let entries = self.settler()?.storage(*after, MAX_STORAGE_LISTED).await?;
        Ok(status::storage_page(entries, MAX_STORAGE_LISTED))
    }

    /// One shard, or all that a role of this node knows.
    pub(super) async fn shards(&self, only: Option<ShardId>) -> Result<Vec<ShardStatus>, Failed> {
        let mut shards = self.settlements(only).await?;
        shards.extend(self.runs_and_jobs());
        if let Some(only) = only {
            shards.retain(|status| status.shard == only);
            if shards.is_empty() {
                return Err(Impossible::UnknownShard(only).into());
            }
        }
        Ok(shards)
    }

    /// What the settler has on its disk.
    pub(super) async fn settlements(&self, only: Option<ShardId>) -> Result<Vec<ShardStatus>, Failed> {
        let Some(settler) = &self.roles.settler else { return Ok(Vec::new()) };
        Ok(settler.shards(only, MAX_SHARDS_LISTED).await?.into_iter().map(status::of_settlement).collect())
    }

    /// What the operator and the prover have in memory.
    pub(super) fn runs_and_jobs(&self) -> impl Iterator<Item = ShardStatus> {
        let runs = self.roles.operator.iter().flat_map(|operator| operator.shards()).map(status::of_run);
        runs.chain(self.roles.prover.iter().flat_map(|prover| prover.shards()).map(status::of_job))
    }

    fn history(&self, shard: ShardId, after: Option<HistoryCursor>) -> Result<Response, Failed> {
        let mut entries = self.host.store.entries(&shard.0.to_bytes_be())?;
        if entries.is_empty() {
            return Err(Impossible::UnknownShard(shard).into());
        }
        entries.retain(|entry| Some(HistoryCursor::of(&entry.statement)) > after);
        let more = entries.len() > MAX_ENTRIES_LISTED;
        entries.truncate(MAX_ENTRIES_LISTED);
        Ok(Response::History { entries, more })
    }
}

/// What a settler's error is to a client: two of the World's refusals say that an earlier attempt got through.
fn failed(error: &SettlerError) -> Failed {
    let reason = match error {
        SettlerError::Refused(Refusal::AlreadyStarted { .. }) => FailedReason::AlreadyStarted,
        SettlerError::Refused(Refusal::AlreadySettled { .. }) => FailedReason::AlreadySettled,
        _ => FailedReason::Other,
    };
    Failed::of(error).because(reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::{Felt, Hash};

    #[test]
    fn what_an_earlier_attempt_did_is_a_reason_that_a_client_acts_on() {
        let shard = ShardId(Felt::ONE);
        let told = |error: SettlerError| {
            let Failed { reason, cause, .. } = failed(&error);
            (reason, cause.code)
        };
        let started = SettlerError::Refused(Refusal::AlreadyStarted { shard });
        assert_eq!(told(started), (FailedReason::AlreadyStarted, "SW-LEDGER-011".to_owned()));
        let settled = SettlerError::Refused(Refusal::AlreadySettled { shard, proof: Hash([7; 32]) });
        assert_eq!(told(settled), (FailedReason::AlreadySettled, "SW-LEDGER-013".to_owned()));
        let unknown = SettlerError::Refused(Refusal::UnknownShard { shard });
        assert_eq!(told(unknown), (FailedReason::Other, "SW-LEDGER-012".to_owned()));
    }
}
