//! What a session type says about itself: the protocol graph, and for each state the facts that violations, deadlines
//! and the end of a stream need.
//!
//! All of it is derived by walking the type ([`State`]), so it can't disagree with what sessions do.

use crate::algebra::{Choose, Eps, FIRST, Offer, Rec, Recv, S, SECOND, Sealed, Send, Var, Z};
use crate::message::{self, Body, DecodeError, Message};
use crate::shape::Shape;
use bytes::Bytes;
use std::{fmt, time::Duration};

mod frames;
mod unread;
pub use frames::Split;
pub use unread::Unread;

/// How long a side waits for a branch tag that comes without a message. The type doesn't say; a control message
/// usually has as long.
pub const BARE_TAG_DEADLINE: Duration = Duration::from_secs(60);

/// A state of a protocol: every type of the [algebra](crate::algebra) is one.
pub trait State: Sealed + Sized + 'static {
    /// Whether this side may still send. If not, the stream's sending side ends with the last message.
    const SPEAKS: bool;
    /// Whether neither side sends anything more.
    const OVER: bool = false;
    /// How long the peer may take to begin in this state: the longest deadline among the first messages.
    const OPENING: Duration;
    /// The longest message that this side may receive from here on, in bytes.
    const LONGEST_IN: u32;
    /// The longest message that this side may send from here on, in bytes.
    const LONGEST_OUT: u32;
    /// Adds the names of the messages with which this state may begin.
    fn first_messages(names: &mut Vec<&'static str>);
    /// Adds to `graph` what happens from state `here` on. `tags` are the branch tags that lead from there to this
    /// type.
    fn describe(graph: &mut Graph, here: usize, tags: &[u8], loops: &mut Vec<usize>);
}

impl<M: Message, P: State> State for Send<M, P> {
    const SPEAKS: bool = true;
    const OPENING: Duration = M::DEADLINE;
    const LONGEST_IN: u32 = P::LONGEST_IN;
    const LONGEST_OUT: u32 = larger(M::MAX_BYTES, P::LONGEST_OUT);
    fn first_messages(names: &mut Vec<&'static str>) {
        names.push(M::NAME);
    }
    fn describe(graph: &mut Graph, here: usize, tags: &[u8], loops: &mut Vec<usize>) {
        let next = graph.step(here, Side::Here, tags, Some(MessageInfo::of::<M>()));
        P::describe(graph, next, &[], loops);
    }
}

impl<M: Message, P: State> State for Recv<M, P> {
    const SPEAKS: bool = P::SPEAKS;
    const OPENING: Duration = M::DEADLINE;
    const LONGEST_IN: u32 = larger(M::MAX_BYTES, P::LONGEST_IN);
    const LONGEST_OUT: u32 = P::LONGEST_OUT;
    fn first_messages(names: &mut Vec<&'static str>) {
        names.push(M::NAME);
    }
    fn describe(graph: &mut Graph, here: usize, tags: &[u8], loops: &mut Vec<usize>) {
        let next = graph.step(here, Side::There, tags, Some(MessageInfo::of::<M>()));
        P::describe(graph, next, &[], loops);
    }
}

impl<P: State, Q: State> State for Choose<P, Q> {
    const SPEAKS: bool = true;
    const OPENING: Duration = longer(P::OPENING, Q::OPENING);
    const LONGEST_IN: u32 = larger(P::LONGEST_IN, Q::LONGEST_IN);
    const LONGEST_OUT: u32 = larger(P::LONGEST_OUT, Q::LONGEST_OUT);
    fn first_messages(names: &mut Vec<&'static str>) {
        P::first_messages(names);
        Q::first_messages(names);
    }
    fn describe(graph: &mut Graph, here: usize, tags: &[u8], loops: &mut Vec<usize>) {
        branches::<P, Q>(graph, here, Side::Here, tags, loops);
    }
}

impl<P: State, Q: State> State for Offer<P, Q> {
    const SPEAKS: bool = P::SPEAKS || Q::SPEAKS;
    const OPENING: Duration = longer(P::OPENING, Q::OPENING);
    const LONGEST_IN: u32 = larger(P::LONGEST_IN, Q::LONGEST_IN);
    const LONGEST_OUT: u32 = larger(P::LONGEST_OUT, Q::LONGEST_OUT);
    fn first_messages(names: &mut Vec<&'static str>) {
        P::first_messages(names);
        Q::first_messages(names);
    }
    fn describe(graph: &mut Graph, here: usize, tags: &[u8], loops: &mut Vec<usize>) {
        branches::<P, Q>(graph, here, Side::There, tags, loops);
    }
}

impl<P: State> State for Rec<P> {
    const SPEAKS: bool = P::SPEAKS;
    const OVER: bool = P::OVER;
    const OPENING: Duration = P::OPENING;
    const LONGEST_IN: u32 = P::LONGEST_IN;
    const LONGEST_OUT: u32 = P::LONGEST_OUT;
    fn first_messages(names: &mut Vec<&'static str>) {
        P::first_messages(names);
    }
    fn describe(graph: &mut Graph, here: usize, tags: &[u8], loops: &mut Vec<usize>) {
        let body = graph.settled(here, tags);
        loops.push(body);
        P::describe(graph, body, &[], loops);
        loops.pop();
    }
}

/// The number of loops that a `Var` leaves.
pub trait Depth {
    /// How many loops.
    const DEPTH: usize;
}
impl Depth for Z {
    const DEPTH: usize = 0;
}
impl<N: Depth> Depth for S<N> {
    const DEPTH: usize = N::DEPTH + 1;
}

impl<N: Depth + 'static> State for Var<N> {
    /// Whether the loop speaks isn't known here. `true` only leaves the end of the stream to `close`.
    const SPEAKS: bool = true;
    const OPENING: Duration = BARE_TAG_DEADLINE;
    const LONGEST_IN: u32 = 0;
    const LONGEST_OUT: u32 = 0;
    fn first_messages(_: &mut Vec<&'static str>) {}
    fn describe(graph: &mut Graph, here: usize, tags: &[u8], loops: &mut Vec<usize>) {
        let here = graph.settled(here, tags);
        if let Some(target) = loops.iter().rev().nth(N::DEPTH) {
            graph.alias(here, *target);
        }
    }
}

impl State for Eps {
    const SPEAKS: bool = false;
    const OVER: bool = true;
    const OPENING: Duration = BARE_TAG_DEADLINE;
    const LONGEST_IN: u32 = 0;
    const LONGEST_OUT: u32 = 0;
    fn first_messages(_: &mut Vec<&'static str>) {}
    fn describe(graph: &mut Graph, here: usize, tags: &[u8], _: &mut Vec<usize>) {
        graph.settled(here, tags);
    }
}

const fn larger(a: u32, b: u32) -> u32 {
    if a > b { a } else { b }
}

const fn longer(a: Duration, b: Duration) -> Duration {
    if a.as_nanos() > b.as_nanos() { a } else { b }
}

fn branches<P: State, Q: State>(graph: &mut Graph, here: usize, chooser: Side, tags: &[u8], loops: &mut Vec<usize>) {
    let (here, tags) = graph.turn(here, chooser, tags);
    for (tag, describe) in [(FIRST, P::describe as Walk), (SECOND, Q::describe as Walk)] {
        let mut tags = tags.clone();
        tags.push(tag);
        describe(graph, here, &tags, loops);
    }
}

type Walk = fn(&mut Graph, usize, &[u8], &mut Vec<usize>);

/// A side of a session, as seen by the side whose type was walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The side whose type this is.
    Here,
    /// The peer's side.
    There,
}

/// A message and its limits, with functions that read its body. Two are equal if their names and limits are.
#[derive(Debug, Clone, Copy)]
pub struct MessageInfo {
    /// [`Message::NAME`].
    pub name: &'static str,
    /// [`Message::MAX_BYTES`].
    pub max_bytes: u32,
    /// [`Message::DEADLINE`].
    pub deadline: Duration,
    /// [`Message::PIPELINE_DEPTH`].
    pub pipeline_depth: usize,
    shape: fn() -> Shape,
    read: fn(Bytes) -> Result<Box<dyn fmt::Debug>, DecodeError>,
    reread: fn(Bytes) -> Result<Bytes, DecodeError>,
}

impl PartialEq for MessageInfo {
    fn eq(&self, other: &Self) -> bool {
        let limits = |it: &Self| (it.name, it.max_bytes, it.deadline, it.pipeline_depth);
        limits(self) == limits(other)
    }
}

impl Eq for MessageInfo {}

impl MessageInfo {
    /// The facts of a message type.
    #[must_use]
    pub const fn of<M: Message>() -> Self {
        Self {
            name: M::NAME,
            max_bytes: M::MAX_BYTES,
            deadline: M::DEADLINE,
            pipeline_depth: M::PIPELINE_DEPTH,
            shape: M::shape,
            read: read::<M>,
            reread: reread::<M>,
        }
    }

    /// The shape of the message's body.
    #[must_use]
    pub fn shape(&self) -> Shape {
        (self.shape)()
    }

    /// Decodes a body, to show the message.
    ///
    /// # Errors
    /// [`DecodeError`] if the body is longer than the message's limit or isn't such a message.
    pub fn read(&self, body: Bytes) -> Result<Box<dyn fmt::Debug>, DecodeError> {
        (self.read)(body)
    }

    /// Decodes a body and encodes the message again. The result is the same body, unless the message has two
    /// encodings.
    ///
    /// # Errors
    /// [`DecodeError`] if the body isn't such a message, or the message can't be encoded.
    pub fn reread(&self, body: Bytes) -> Result<Bytes, DecodeError> {
        (self.reread)(body)
    }
}

/// Decodes a body that is within the message's limit, as a session does.
fn decode<M: Message>(body: Bytes) -> Result<M, DecodeError> {
    if body.len() > M::MAX_BYTES as usize {
        return Err(DecodeError::new(format!("{} bytes, where at most {} are allowed", body.len(), M::MAX_BYTES)));
    }
    M::decode(Body::from(body))
}

fn read<M: Message>(body: Bytes) -> Result<Box<dyn fmt::Debug>, DecodeError> {
    Ok(Box::new(decode::<M>(body)?))
}

fn reread<M: Message>(body: Bytes) -> Result<Bytes, DecodeError> {
    message::encode(&decode::<M>(body)?).map_err(|error| DecodeError::new(error.to_string()))
}

/// A transition out of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The branch tags that come before the message.
    pub tags: Vec<u8>,
    /// The message; `None` if the transition consists of tags alone.
    pub message: Option<MessageInfo>,
    /// The state that follows: an index into [`Graph::states`].
    pub to: usize,
}

/// A state of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// The side that speaks; `None` at the end.
    pub speaker: Option<Side>,
    /// The transitions out of this state.
    pub edges: Vec<Edge>,
}

impl Node {
    /// The state's name: `awaiting Chunk`, `sending Pull | Done`, `the end`.
    #[must_use]
    pub fn name(&self) -> String {
        let names: Vec<_> =
            self.edges.iter().map(|edge| edge.message.map_or("a tag", |message| message.name)).collect();
        match self.speaker {
            Some(Side::Here) => format!("sending {}", names.join(" | ")),
            Some(Side::There) => format!("awaiting {}", names.join(" | ")),
            None => "the end".to_owned(),
        }
    }
}

/// The states of a protocol as one side sees them. State 0 is the initial one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// The states.
    pub states: Vec<Node>,
    aliases: Vec<(usize, usize)>,
}

impl Graph {
    /// The graph of a session type.
    #[must_use]
    pub fn of<P: State>() -> Self {
        let mut graph = Self { states: vec![Node::default()], aliases: Vec::new() };
        P::describe(&mut graph, 0, &[], &mut Vec::new());
        graph.compact();
        graph
    }

    fn node(&mut self, at: usize) -> &mut Node {
        &mut self.states[at] // indices come from `step` and the walk's beginning only
    }

    /// The state in which `side` speaks, and the tags that it sends there. If the tags so far are the other side's,
    /// they become a transition of their own.
    fn turn(&mut self, here: usize, side: Side, tags: &[u8]) -> (usize, Vec<u8>) {
        let others = self.node(here).speaker.is_some_and(|speaker| speaker != side);
        let (here, tags) = if others { (self.settled(here, tags), Vec::new()) } else { (here, tags.to_vec()) };
        self.node(here).speaker = Some(side);
        (here, tags)
    }

    /// Adds an edge from `here` to a new state.
    fn step(&mut self, here: usize, side: Side, tags: &[u8], message: Option<MessageInfo>) -> usize {
        let (here, tags) = self.turn(here, side, tags);
        self.states.push(Node::default());
        let to = self.states.len() - 1;
        self.node(here).edges.push(Edge { tags, message, to });
        to
    }

    /// The state after `tags`, if there are any, else `here`.
    fn settled(&mut self, here: usize, tags: &[u8]) -> usize {
        if tags.is_empty() {
            return here;
        }
        self.states.push(Node::default());
        let to = self.states.len() - 1;
        self.node(here).edges.push(Edge { tags: tags.to_vec(), message: None, to });
        to
    }

    fn alias(&mut self, from: usize, to: usize) {
        self.aliases.push((from, to));
    }

    /// Replaces each state that only leads back into a loop by the loop's state, and merges the ends.
    fn compact(&mut self) {
        let end = self
            .states
            .iter()
            .enumerate()
            .position(|(at, node)| node.speaker.is_none() && !self.aliases.iter().any(|(from, _)| *from == at));
        let target = |at: usize| -> usize {
            let looped = self.aliases.iter().find(|(from, _)| *from == at).map_or(at, |(_, to)| *to);
            if self.states[looped].speaker.is_none() { end.unwrap_or(looped) } else { looped }
        };
        let kept: Vec<usize> = (0..self.states.len()).filter(|at| target(*at) == *at).collect();
        let place = |at: usize| kept.iter().position(|old| *old == target(at)).unwrap_or(0);
        self.states = kept
            .iter()
            .map(|old| {
                let mut node = self.states[*old].clone();
                for edge in &mut node.edges {
                    edge.to = place(edge.to);
                }
                node
            })
            .collect();
        self.aliases.clear();
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, node) in self.states.iter().enumerate() {
            writeln!(f, "s{at}: {}", node.name())?;
            for edge in &node.edges {
                write!(f, "  --{:?}", edge.tags)?;
                if let Some(message) = edge.message {
                    write!(f, " {} (at most {} bytes, {:?})", message.name, message.max_bytes, message.deadline)?;
                }
                writeln!(f, "--> s{}", edge.to)?;
            }
        }
        Ok(())
    }
}
