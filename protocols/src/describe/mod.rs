//! What a protocol's type says, for people and programs: states, who speaks, messages with limits, tags, unread bytes and the
//! bytes of each message.
//!
//! A [`Description`] is derived from the protocol's graph and nothing else, so it can't disagree with what sessions do. It is shown
//! as [tables](Description::tables), as a [Mermaid diagram](Description::mermaid) or, being serde's `Serialize`, as JSON.
//! [`chapters`] are what of all protocols goes into `docs/wire.md`.

mod diagram;
mod page;
mod table;
#[cfg(test)]
mod tests;
mod types;

pub use page::{Chapters, chapters};
pub use table::markdown;
pub use types::{Body, Field, Variant};

use serde::Serialize;
use shardwire_transport::{
    Message,
    graph::{Graph, MessageInfo, Side, Unread},
    session::Header,
};
use std::fmt;

/// One of the two sides of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The side that opened the stream.
    Initiator,
    /// The side that accepted it.
    Responder,
}

impl Speaker {
    /// The speaker that is `side` in an initiator's graph.
    #[must_use]
    pub const fn of(side: Side) -> Self {
        match side {
            Side::Here => Self::Initiator,
            Side::There => Self::Responder,
        }
    }

    /// Which side it is in an initiator's graph.
    #[must_use]
    pub const fn side(self) -> Side {
        match self {
            Self::Initiator => Side::Here,
            Self::Responder => Side::There,
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }
}

impl fmt::Display for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initiator => "initiator",
            Self::Responder => "responder",
        })
    }
}

/// Something that each of the two sides has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sides<T> {
    /// Of the side that opened the stream.
    pub initiator: T,
    /// Of the other.
    pub responder: T,
}

/// A protocol. Bytes that are `null` in JSON have no bound in the type: the stream's window bounds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Description {
    /// Its name.
    pub protocol: &'static str,
    /// Its version.
    pub version: u16,
    /// The most bytes of each side that the other one may have to hold unread; the stream's header is among the initiator's.
    pub unread_bytes: Sides<Option<u64>>,
    /// Its states; the first is the beginning.
    pub states: Vec<StateSummary>,
    /// Its messages, in the order in which the states name them.
    pub messages: Vec<MessageSummary>,
}

/// A state of the session: who speaks in it, and what may follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateSummary {
    /// Its name: `s` and its number.
    pub state: String,
    /// Who speaks; nobody at the end.
    pub speaks: Option<Speaker>,
    /// What each side may send from here on before it has to wait for the other.
    pub may_send_bytes: Sides<Option<u64>>,
    /// What may happen.
    pub steps: Vec<Transition>,
}

/// A way out of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transition {
    /// The branch tags that come first, a byte each.
    pub tags: Vec<u8>,
    /// The message, unless the tags are all.
    pub message: Option<&'static str>,
    /// The state that follows.
    pub next: String,
}

/// A message, with its limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageSummary {
    /// Its name.
    pub message: &'static str,
    /// Who says it.
    pub from: Speaker,
    /// The longest body.
    pub max_bytes: u32,
    /// How long the other side waits for the whole of it.
    pub deadline_ms: u64,
    /// How many may be sent before the answer to the first is read.
    pub pipeline_depth: usize,
    /// What its body is.
    pub body: Body,
}

impl Description {
    /// Of a protocol, from its initiator's graph.
    #[must_use]
    pub fn of(protocol: &'static str, version: u16, graph: &Graph) -> Self {
        let header = 1 + u64::from(Header::MAX_BYTES); // the length takes one byte
        let unread = |side| graph.unread(side).bytes();
        let opening = graph.may_send(0, Side::Here).bytes().map(|bytes| bytes.saturating_add(header));
        Self {
            protocol,
            version,
            unread_bytes: Sides {
                initiator: unread(Side::Here).zip(opening).map(|(later, first)| later.max(first)),
                responder: unread(Side::There),
            },
            states: (0..graph.states.len()).map(|state| StateSummary::of(graph, state)).collect(),
            messages: messages(graph),
        }
    }
}

impl StateSummary {
    fn of(graph: &Graph, state: usize) -> Self {
        let node = graph.states.get(state);
        let may_send = |side| Unread::bytes(graph.may_send(state, side));
        let edges = node.map_or(&[][..], |node| &node.edges[..]);
        Self {
            state: state_name(state),
            speaks: node.and_then(|node| node.speaker).map(Speaker::of),
            may_send_bytes: Sides { initiator: may_send(Side::Here), responder: may_send(Side::There) },
            steps: edges
                .iter()
                .map(|edge| Transition {
                    tags: edge.tags.clone(),
                    message: edge.message.map(|message| message.name),
                    next: state_name(edge.to),
                })
                .collect(),
        }
    }
}

/// What a state is called.
pub(crate) fn state_name(state: usize) -> String {
    format!("s{state}")
}

fn messages(graph: &Graph) -> Vec<MessageSummary> {
    let mut seen: Vec<(Side, MessageInfo)> = Vec::new();
    for node in &graph.states {
        let said = node.edges.iter().filter_map(|edge| node.speaker.zip(edge.message));
        for step in said {
            if !seen.contains(&step) {
                seen.push(step);
            }
        }
    }
    let summary = |(side, message): (Side, MessageInfo)| MessageSummary {
        message: message.name,
        from: Speaker::of(side),
        max_bytes: message.max_bytes,
        deadline_ms: u64::try_from(message.deadline.as_millis()).unwrap_or(u64::MAX),
        pipeline_depth: message.pipeline_depth,
        body: Body::of(&message.shape()),
    };
    seen.into_iter().map(summary).collect()
}
