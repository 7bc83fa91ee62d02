//! The node answers its command line.

use crate::{
    network::{AGENT, Node},
    roles::settler::Settler,
};
use shardwire_model::{Coded, PeerId, ShardId};
use shardwire_protocols::control::{
    Answer as _, Control, Handler, MAX_SHARDS_LISTED, NodeStatus, Request, Response, ShardStatus,
};

/// A request that this node can't do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Impossible {
    /// Another node's business.
    #[error("this node is no settler: it has no World")]
    NoSettler,
    /// Nothing known of it.
    #[error("this node knows no shard {0}")]
    UnknownShard(ShardId),
}

impl Coded for Impossible {
    fn code(&self) -> &'static str {
        match self {
            Self::NoSettler => "SW-NODE-001",
            Self::UnknownShard(_) => "SW-NODE-002",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::NoSettler => "Ask the settler: give the data folder of a node with the role settler.".into(),
            Self::UnknownShard(_) => {
                "Check the id; `shardwire shard status` without one lists the shards of this node.".into()
            }
        }
    }
}

/// Why a request failed.
pub(crate) type Failed = Box<dyn Coded + Send + Sync>;

pub(crate) fn failed(error: impl Coded + Send + Sync + 'static) -> Failed {
    Box::new(error)
}

impl Node {
    /// Whether this peer may ask and tell: the node itself, and its administrators.
    pub(crate) fn may_control(&self, peer: PeerId) -> bool {
        peer == self.host.identity.peer() || self.admins.contains(&peer)
    }

    async fn shards(&self, only: Option<ShardId>) -> Result<Vec<ShardStatus>, Failed> {
        let mut shards = Vec::new();
        if let Some(settler) = &self.roles.settler {
            shards.extend(settler.shards(only).await.map_err(failed)?);
        }
        if let Some(operator) = &self.roles.operator {
            shards.extend(operator.shards());
        }
        if let Some(prover) = &self.roles.prover {
            shards.extend(prover.shards());
        }
        if let Some(only) = only {
            shards.retain(|status| status.shard == only);
            if shards.is_empty() {
                return Err(failed(Impossible::UnknownShard(only)));
            }
        }
        Ok(shards)
    }

    pub(crate) fn settler(&self) -> Result<&Settler, Failed> {
        self.roles.settler.as_deref().ok_or_else(|| failed(Impossible::NoSettler))
    }

    async fn answer(&self, peer: PeerId, request: Request) -> Result<Response, Failed> {
        Ok(match request {
            Request::Status => {
                let mut shards = self.shards(None).await?;
                let more_shards = u32::try_from(shards.len().saturating_sub(MAX_SHARDS_LISTED)).unwrap_or(u32::MAX);
                shards.truncate(MAX_SHARDS_LISTED);
                Response::Status(Box::new(NodeStatus {
                    peer: self.host.identity.peer(),
                    network: self.host.world.network().to_owned(),
                    roles: self.roles.names(),
                    listen: self.endpoint.address().to_string(),
                    agent: AGENT.to_owned(),
                    since: self.since,
                    peers: self.links.status(),
                    shards,
                    more_shards,
                }))
            }
            Request::StartShard(request) => {
                let (start, _) = self.settler()?.start(&request, peer, None).await.map_err(failed)?;
                Response::Started(Box::new(start))
            }
            Request::ShardStatus { shard } => Response::Shards(self.shards(shard).await?),
            Request::World { after } => {
                let (storage, more) = self.settler()?.storage(after).await.map_err(failed)?;
                Response::World { storage, more }
            }
            Request::Peers => Response::Peers(self.links.status()),
            Request::Stop => {
                tracing::info!("told to stop");
                self.told.send_replace(true);
                Response::Stopping
            }
        })
    }
}

impl Handler<Control> for Node {
    fn allows(&self, peer: PeerId, _: &Request) -> bool {
        self.may_control(peer)
    }

    async fn handle(&self, peer: PeerId, request: Request) -> Response {
        match self.answer(peer, request).await {
            Ok(response) => response,
            Err(error) => Response::failed(&*error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::Felt;

    #[test]
    fn what_a_node_cannot_do_says_whom_to_ask() {
        let said = |error: Impossible| format!("{} {error} | {}", error.code(), error.next_step());
        assert_eq!(
            said(Impossible::NoSettler),
            "SW-NODE-001 this node is no settler: it has no World | Ask the settler: give the data folder of a node with the \
             role settler."
        );
        let text = said(Impossible::UnknownShard(ShardId(Felt::from(7))));
        assert!(text.starts_with("SW-NODE-002 this node knows no shard 0x"), "{text}");
        assert!(text.ends_with("`shardwire shard status` without one lists the shards of this node."), "{text}");
    }
}
