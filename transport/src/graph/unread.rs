//! How many bytes of one side the other may not have read yet: the type's answer to "how large must a buffer be?".
//!
//! A side may speak until the type makes it wait for the other. The other speaks only after it has read everything so
//! far. So the most that can be unread is the longest run of one side's messages without one of the other's, each at
//! its largest, with tags and length prefixes.
//!
//! A request that may be [pipelined](crate::pipeline) goes out up to
//! [`Message::PIPELINE_DEPTH`](crate::Message::PIPELINE_DEPTH) times before its first response is read, so it and its
//! response count that many times. A loop in which only one side speaks has no such bound ([`Unread::Endless`]):
//! there, QUIC's stream window makes the speaker wait.

use super::{Edge, Graph, Node, Side};
use crate::wire::varint;
use std::fmt;

/// An amount of unread bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unread {
    /// At most this many bytes.
    Bytes(u64),
    /// The type sets no bound: the side may speak without end. The stream's window bounds it.
    Endless,
}

impl Unread {
    fn plus(self, bytes: u64) -> Self {
        match self {
            Self::Bytes(more) => Self::Bytes(more.saturating_add(bytes)),
            Self::Endless => Self::Endless,
        }
    }

    /// The bound in bytes, if the type sets one.
    #[must_use]
    pub fn bytes(self) -> Option<u64> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes}"),
            Self::Endless => f.write_str("endless"),
        }
    }
}

impl Edge {
    /// The most bytes that this transition takes on the stream: tags, length prefix, body.
    #[must_use]
    pub fn max_wire_bytes(&self) -> u64 {
        let frame = self.message.map_or(0, |message| {
            let (_, length) = varint::write(message.max_bytes);
            length as u64 + u64::from(message.max_bytes)
        });
        self.tags.len() as u64 + frame
    }
}

impl Graph {
    /// How much `side` may send from this state on before it has to wait for the other side. Possibly none of it has
    /// been read.
    #[must_use]
    pub fn may_send(&self, state: usize, side: Side) -> Unread {
        self.run(state, side, &mut Vec::new())
    }

    /// The most bytes of `side` that can be unread at any time. The stream's header, which the initiator sends first,
    /// isn't counted.
    #[must_use]
    pub fn unread(&self, side: Side) -> Unread {
        (0..self.states.len()).map(|state| self.may_send(state, side)).max().unwrap_or(Unread::Bytes(0))
    }

    /// How many times the message of this edge may be sent from `from` before the first response is read. More than
    /// once only for a request with a single response that leads back to `from`.
    #[must_use]
    pub fn pipeline_depth(&self, from: usize, edge: &Edge) -> u64 {
        let depth = edge.message.map_or(1, |message| message.pipeline_depth.max(1) as u64);
        let asker = self.states.get(from).and_then(|node| node.speaker);
        let pipelined = self.response(asker, edge).is_some_and(|response| response.to == from);
        if pipelined { depth } else { 1 }
    }

    /// The other side's response to this edge, if there is exactly one.
    fn response(&self, asker: Option<Side>, edge: &Edge) -> Option<&Edge> {
        let Node { speaker, edges } = self.states.get(edge.to)?;
        let [response] = edges.as_slice() else { return None };
        (speaker.is_some() && *speaker != asker).then_some(response)
    }

    /// The pipelined request that this state answers, and its depth.
    fn answers(&self, state: usize) -> Option<(&Edge, u64)> {
        let requests =
            self.states.iter().enumerate().flat_map(|(from, node)| node.edges.iter().map(move |edge| (from, edge)));
        let deep =
            requests.filter(|(_, edge)| edge.to == state).map(|(from, edge)| (edge, self.pipeline_depth(from, edge)));
        deep.filter(|(_, depth)| *depth > 1).max_by_key(|(edge, depth)| depth.saturating_mul(edge.max_wire_bytes()))
    }

    fn run(&self, state: usize, side: Side, path: &mut Vec<usize>) -> Unread {
        if path.contains(&state) {
            return Unread::Endless;
        }
        let Some(Node { speaker: Some(speaker), edges }) = self.states.get(state) else { return Unread::Bytes(0) };
        if *speaker != side {
            // The other side's turn. Of pipelined requests, all but the one answered here may still be on their way.
            let ahead =
                self.answers(state).map_or(0, |(request, depth)| (depth - 1).saturating_mul(request.max_wire_bytes()));
            return Unread::Bytes(ahead);
        }
        // This side's turn: one of its messages and what follows, or as many responses as there may be requests under
        // way.
        let answers = self.answers(state).map_or(1, |(_, depth)| depth);
        path.push(state);
        let runs = edges.iter().map(|edge| {
            let times = self.pipeline_depth(state, edge);
            let bytes = edge.max_wire_bytes();
            if times.max(answers) > 1 {
                Unread::Bytes(bytes.saturating_mul(times.max(answers)))
            } else {
                self.run(edge.to, side, path).plus(bytes)
            }
        });
        let longest = runs.max().unwrap_or(Unread::Bytes(0));
        path.pop();
        longest
    }
}
