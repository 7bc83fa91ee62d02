//! The node answers its command line: how it is, what it does with shards, what it thinks of its peers; and does as it is told.
//!
//! A file a topic, as in [`shardwire_protocols::administration`]: [`node`], [`shard`] (and the World that a settler keeps), [`peer`]; [`status`] makes
//! messages of what the roles know, who know none. What is refused:
//! a peer that is neither this node nor one of its administrators, but for a shard's starter, who may abort it; what another role's node would have
//! to do, or isn't known here ([`Impossible`]). Bounds are those of the protocol's lists; nothing is kept between two requests.

mod node;
mod peer;
mod shard;
mod status;

pub(crate) use node::RECORDS;

use crate::network::Node;
use shardwire_model::{Coded, PeerId, ShardId};
use shardwire_protocols::administration::{self, Failed, Handler, Request, Response};
use shardwire_prover::Prover;
use shardwire_settler::Settler;
use std::sync::Arc;

/// A request that this node can't do.
#[derive(Debug, thiserror::Error)]
enum Impossible {
    /// Only a settler can do it.
    #[error("this node is no settler: it has no World")]
    NoSettler,
    /// Only a prover can do it.
    #[error("this node is no prover: it has no jobs")]
    NoProver,
    /// Nothing known of it.
    #[error("this node knows no shard {0}")]
    UnknownShard(ShardId),
    /// It is this node, or may control it.
    #[error("{} is this node itself, or may control it", .0.short())]
    Own(PeerId),
    /// Longer than a year, or no time at all.
    #[error("a ban of {0} s is not between one second and a year")]
    Length(u64),
    /// Nothing would happen to the shard, and its escrow and locks would be held until its deadline.
    #[error(
        "this settler has never met operator {0}: nobody would execute the shard, and its escrow would be locked until the deadline"
    )]
    UnknownOperator(PeerId),
    /// The same, because the peer has other roles.
    #[error(
        "peer {0} is no operator: it would not execute the shard, and its escrow would be locked until the deadline"
    )]
    NoOperator(PeerId),
    /// There is no such piece.
    #[error("there is no evidence {number} against {}", peer.short())]
    NoEvidence {
        /// The peer that was asked about.
        peer: PeerId,
        /// Its number, from 0.
        number: u32,
    },
}

impl Coded for Impossible {
    fn code(&self) -> &'static str {
        match self {
            Self::NoSettler => "SW-NODE-001",
            Self::UnknownShard(_) => "SW-NODE-002",
            Self::Own(_) => "SW-NODE-003",
            Self::Length(_) => "SW-NODE-004",
            Self::NoEvidence { .. } => "SW-NODE-005",
            Self::NoProver => "SW-NODE-006",
            Self::UnknownOperator(_) => "SW-NODE-010",
            Self::NoOperator(_) => "SW-NODE-011",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::NoSettler => "Ask the settler: give the data folder of a node with the role settler.",
            Self::NoProver => "Ask the prover that has given the job up: give its data folder.",
            Self::UnknownShard(_) => {
                "Check the id; `shardwire shard status` without one lists the shards of this node."
            }
            Self::Own(_) => "Take it out of the node's administrators first, or name another peer.",
            Self::Length(_) => "Give a length within these bounds, or none to shut the peer out for ever.",
            Self::NoEvidence { .. } => "`shardwire peer show` says how many pieces there are.",
            Self::UnknownOperator(_) => {
                "Correct the operator's id, connect it, or name it among this settler's `peers`; nothing was locked. Insist with --unknown-operator."
            }
            Self::NoOperator(_) => {
                "Name a node with the role operator (`shardwire status` lists peers with their roles); nothing was locked. Insist with --unknown-operator."
            }
        }
        .to_owned()
    }
}

impl Node {
    /// Whether this peer may ask and tell: the node itself, and its administrators.
    fn may_control(&self, peer: PeerId) -> bool {
        peer == self.host.identity.peer() || self.admins.contains(&peer)
    }

    fn prover(&self) -> Result<&Prover, Impossible> {
        self.roles.prover.as_deref().ok_or(Impossible::NoProver)
    }

    fn settler(&self) -> Result<&Arc<Settler>, Impossible> {
        self.roles.settler.as_ref().ok_or(Impossible::NoSettler)
    }
}

impl Handler for Node {
    /// Who started a shard may abort it, whether it still controls the node or not.
    fn allows(&self, peer: PeerId, request: &Request) -> bool {
        let started = |shard| self.roles.settler.as_ref().is_some_and(|it| it.starter(shard) == Some(peer));
        let is_own = |request: &Request| matches!(request, Request::Shard(administration::shard::Request::Abort { shard }) if started(*shard));
        self.may_control(peer) || is_own(request)
    }

    async fn handle(&self, peer: PeerId, request: Request) -> Result<Response, Failed> {
        Ok(match request {
            Request::Node(request) => self.about_node(&request).await?.into(),
            Request::Shard(request) => self.about_shards(peer, request).await?.into(),
            Request::World(request) => self.about_world(&request).await?.into(),
            Request::Peer(request) => self.about_peers(request).await?.into(),
        })
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
        assert_eq!(
            said(Impossible::NoProver),
            "SW-NODE-006 this node is no prover: it has no jobs | Ask the prover that has given the job up: give its data folder."
        );
        let text = said(Impossible::UnknownShard(ShardId(Felt::from(7))));
        assert!(text.starts_with("SW-NODE-002 this node knows no shard 0x"), "{text}");
        assert!(text.ends_with("`shardwire shard status` without one lists the shards of this node."), "{text}");
        let (operator, id) = (PeerId([0x22; 32]), "22".repeat(32));
        assert_eq!(
            said(Impossible::UnknownOperator(operator)),
            format!(
                "SW-NODE-010 this settler has never met operator {id}: nobody would execute the shard, and its escrow would be locked until \
                 the deadline | Correct the operator's id, connect it, or name it among this settler's `peers`; nothing was locked. Insist \
                 with --unknown-operator."
            )
        );
        assert_eq!(
            said(Impossible::NoOperator(operator)),
            format!(
                "SW-NODE-011 peer {id} is no operator: it would not execute the shard, and its escrow would be locked until the deadline | \
                 Name a node with the role operator (`shardwire status` lists peers with their roles); nothing was locked. Insist with \
                 --unknown-operator."
            )
        );
    }
}
