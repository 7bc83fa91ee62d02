//! The messages: each holds what one of the topics has to say.

use super::{node, peer, shard, world};
use crate::{size, timing};
use serde::{Deserialize, Serialize};
use shardwire_model::{Cause, Coded, MAX_REASON, bounded};
use shardwire_transport::message;

/// What a node may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// About the node. Answer: [`Response::Node`].
    Node(node::Request),
    /// About its shards. Answer: [`Response::Shard`].
    Shard(shard::Request),
    /// About the World. Answer: [`Response::World`].
    World(world::Request),
    /// About its peers. Answer: [`Response::Peer`].
    Peer(peer::Request),
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// About the node.
    Node(node::Response),
    /// About its shards.
    Shard(shard::Response),
    /// About the World.
    World(world::Response),
    /// About its peers.
    Peer(peer::Response),
    /// It can't do what was asked.
    Failed(Failed),
}

impl Response {
    /// Leaves out what would exceed a list's bound, so that a response can always be sent.
    #[must_use]
    pub fn within_bounds(self) -> Self {
        match self {
            Self::Node(response) => Self::Node(response.within_bounds()),
            Self::Shard(response) => Self::Shard(response.within_bounds()),
            Self::World(response) => Self::World(response.within_bounds()),
            Self::Peer(response) => Self::Peer(response.within_bounds()),
            Self::Failed(failed) => Self::Failed(failed),
        }
    }
}

impl From<node::Response> for Response {
    fn from(response: node::Response) -> Self {
        Self::Node(response)
    }
}

impl From<shard::Response> for Response {
    fn from(response: shard::Response) -> Self {
        Self::Shard(response)
    }
}

impl From<world::Response> for Response {
    fn from(response: world::Response) -> Self {
        Self::World(response)
    }
}

impl From<peer::Response> for Response {
    fn from(response: peer::Response) -> Self {
        Self::Peer(response)
    }
}

/// Why a request can't be done: what a client acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailedReason {
    /// The peer may not ask for that.
    NotAllowed,
    /// The World has started a shard from this request before: the answer to an earlier attempt was lost.
    AlreadyStarted,
    /// The shard is settled, so it can't be aborted.
    AlreadySettled,
    /// Anything else: it is for a person.
    Other,
}

/// A request can't be done. Any [`Coded`] error becomes one with `?`, for a reason that is for a person alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// What the client acts on.
    pub reason: FailedReason,
    /// The same for a person.
    pub cause: Cause,
    /// What that person should do next.
    #[serde(deserialize_with = "bounded::text::<_, MAX_REASON>")]
    pub next_step: String,
}

impl Failed {
    /// Of its words, which are for a person. What is longer than its bound is cut.
    #[must_use]
    pub fn new(code: &str, words: &str, next_step: &str) -> Self {
        Self {
            reason: FailedReason::Other,
            cause: Cause::new(code, words),
            next_step: bounded::cut(next_step, MAX_REASON),
        }
    }

    /// Of an error, whose words are for a person.
    #[must_use]
    pub fn of(error: &(dyn Coded + '_)) -> Self {
        Self::new(error.code(), &error.to_string(), &error.next_step())
    }

    /// The same for a reason that a client acts on.
    #[must_use]
    pub fn because(self, reason: FailedReason) -> Self {
        Self { reason, ..self }
    }
}

impl<E: Coded> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::of(&error)
    }
}

/// No further request comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {}

const REQUEST: u32 =
    size::TAG + size::max(size::max(node::REQUEST, shard::REQUEST), size::max(world::REQUEST, peer::REQUEST));
const FAILED: u32 = size::TAG + size::CAUSE + size::text(MAX_REASON);
const RESPONSE: u32 = size::TAG
    + size::max(
        FAILED,
        size::max(size::max(node::RESPONSE, shard::RESPONSE), size::max(world::RESPONSE, peer::RESPONSE)),
    );

message!(Request, max_bytes = REQUEST, deadline = timing::IDLE);
message!(Response, max_bytes = RESPONSE, deadline = timing::ANSWER);
message!(Bye, max_bytes = 0, deadline = timing::IDLE);
