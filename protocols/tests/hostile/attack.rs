//! What a hostile peer may do in a state, and what must come of it.

use crate::route::{self, Leg};
use rand_chacha::ChaCha20Rng;
use shardwire_transport::{
    Blame, Bytes,
    graph::{BARE_TAG_DEADLINE, Edge, Graph, MessageInfo, Side},
    session::CLOSE_DEADLINE,
};
use std::time::Duration;

/// What every protocol must meet in some state; the others depend on what a protocol has (branches, bodies that can be wrong).
pub(crate) const EVERYWHERE: [&str; 11] = [
    "malformed length",
    "malformed body",
    "too long",
    "truncated",
    "slow loris",
    "silence",
    "end",
    "another state's message",
    "reset",
    "unasked",
    "after the end",
];

/// Most bytes of a sampled message: enough for every field, little enough for thousands of cases.
const SAMPLE_BYTES: usize = 600;

/// What the peer does, one after the other.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Say(Vec<u8>),
    /// Says these bytes again and again, until nobody takes them.
    Flood(Bytes),
    Wait(Duration),
    End,
    Reset,
    /// Reads nothing from now on.
    Deaf,
}

/// How the session must end.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// With a violation whose kind begins so in its debug form.
    Violation { kind: &'static str, blame: Blame, state: String, after: Duration },
    /// Lost by the peer's reset, in one of these states.
    Lost { state: String },
}

/// A misbehaviour in a state.
#[derive(Clone, Debug)]
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) acts: Vec<Act>,
    /// What the honest side does in the state before it notices.
    pub(crate) onward: Vec<Leg>,
    pub(crate) expected: Expected,
    /// The longest message that may be held.
    pub(crate) holds: u32,
}

/// A body that this message accepts.
pub(crate) fn sample(message: &MessageInfo, random: &mut ChaCha20Rng) -> Vec<u8> {
    let budget = SAMPLE_BYTES.min(message.max_bytes as usize);
    for _ in 0..10_000 {
        let body = message.shape().sample(random, budget);
        if message.reread(body.clone().into()).is_ok() {
            return body;
        }
    }
    panic!("no sample of {} is accepted", message.name)
}

pub(crate) fn frame(tags: &[u8], body: &[u8]) -> Vec<u8> {
    [tags, &varint(u32::try_from(body.len()).unwrap()), body].concat()
}

fn varint(value: u32) -> Vec<u8> {
    postcard::to_allocvec(&value).unwrap()
}

/// Everything that can go wrong in this state.
pub(crate) fn possible(graph: &Graph, state: usize, random: &mut ChaCha20Rng) -> Vec<Attack> {
    let node = &graph.states[state];
    match node.speaker {
        Some(Side::There) => {
            let mut attacks = while_awaiting(graph, state);
            for edge in &node.edges {
                if let Some(message) = edge.message {
                    attacks.extend(with_message(graph, edge, message, random));
                }
            }
            attacks
        }
        Some(Side::Here) => while_sending(graph, state),
        None => at_the_end(),
    }
}

const PEER: Blame = Blame::Peer;

fn attack(name: &'static str, acts: Vec<Act>, holds: u32, expected: Expected) -> Attack {
    Attack { name, acts, onward: vec![], expected, holds }
}

fn violation(kind: &'static str, state: String) -> Expected {
    Expected::Violation { kind, blame: PEER, state, after: Duration::ZERO }
}

fn late(state: String, after: Duration) -> Expected {
    Expected::Violation { kind: "Late", blame: Blame::Unclear, state, after }
}

/// How long the peer has for its first word: the longest of what may come.
fn opening(edges: &[Edge]) -> Duration {
    edges.iter().map(|edge| edge.message.map_or(BARE_TAG_DEADLINE, |it| it.deadline)).max().unwrap()
}

/// Wrong from the first byte on, or none at all.
fn while_awaiting(graph: &Graph, state: usize) -> Vec<Attack> {
    let node = &graph.states[state];
    let (name, opening) = (node.name(), opening(&node.edges));
    let mut attacks = vec![
        attack("silence", vec![], 0, late(name.clone(), opening)),
        attack("end", vec![Act::End], 0, violation("EndedEarly", name.clone())),
        attack("reset", vec![Act::Reset], 0, Expected::Lost { state: name.clone() }),
    ];
    if node.edges.iter().all(|edge| !edge.tags.is_empty()) {
        for tag in [2, 0x80, 0xff] {
            let expected = violation("UnknownBranch", name.clone());
            attacks.push(attack("unknown tag", vec![Act::Say(vec![tag])], 0, expected));
        }
    }
    attacks
}

/// The right branch, and then a wrong frame.
fn with_message(graph: &Graph, edge: &Edge, message: MessageInfo, random: &mut ChaCha20Rng) -> Vec<Attack> {
    let (tags, max, deadline) = (&edge.tags[..], message.max_bytes, message.deadline);
    let state = || format!("awaiting {}", message.name);
    let say = |bytes: Vec<u8>| Act::Say([tags, &bytes].concat());
    let body = sample(&message, random);

    // A frame that lacks its last byte; of a message without a body, a length that lacks its end.
    let partial = if max == 0 { vec![0x80] } else { frame(&[], &vec![0; (max as usize).min(64)]) };
    let partial = &partial[..partial.len() - usize::from(max > 0)];

    let mut attacks = vec![
        attack("malformed length", vec![say(vec![0x80, 0x00])], 0, violation("MalformedLength", state())),
        attack("malformed length", vec![say(vec![0xff; 5])], 0, violation("MalformedLength", state())),
        attack("too long", vec![say(varint(max + 1))], 0, violation("TooLong", state())),
        attack(
            "too long",
            vec![say(varint(u32::MAX)), Act::Flood(Bytes::from_static(&[0x55; 4096]))],
            0,
            violation("TooLong", state()),
        ),
        attack("truncated", vec![say(partial.to_vec()), Act::End], max, violation("Truncated", state())),
        attack("late", vec![say(partial.to_vec())], max, late(state(), deadline)),
        attack("reset", vec![say(partial.to_vec()), Act::Reset], max, Expected::Lost { state: state() }),
    ];

    // Byte by byte, so slowly that the deadline comes before the end. Each byte is a sign of life, none renews the deadline. The
    // first wait is for the tag, if there is one: the branch is known by then, so the message's deadline begins anew.
    let rest: Vec<u8> = if max == 0 { vec![0x80; 4] } else { varint(max).into_iter().chain([0; 4]).take(4).collect() };
    if max == 0 || max > 3 {
        let mut acts = vec![Act::Say(tags.to_vec())];
        for byte in rest {
            acts.extend([Act::Say(vec![byte]), Act::Wait(deadline / 3)]);
        }
        attacks.push(attack("slow loris", acts, max, late(state(), deadline)));
    }

    // All that the limit allows is announced, and comes, but for the last byte: what may be held is held, and no more.
    if max > 0 {
        let block = Bytes::from(vec![0; 16 * 1024]);
        let mut acts = vec![say(varint(max))];
        let mut left = max as usize - 1;
        while left > 0 {
            let piece = block.slice(..left.min(block.len()));
            left -= piece.len();
            acts.push(Act::Say(piece.to_vec()));
        }
        attacks.push(attack("the last byte withheld", acts, max, late(state(), deadline)));
    }

    let malformed = [&body[..body.len().saturating_sub(1)], &[&body[..], &[0]].concat(), &[0xff; 16][..], &[0xff; 5]]
        .into_iter()
        .find(|it| it.len() <= max as usize && message.reread(Bytes::copy_from_slice(it)).is_err())
        .map(<[u8]>::to_vec);
    if let Some(body) = malformed {
        attacks.push(attack("malformed body", vec![say(frame(&[], &body))], max, violation("Malformed ", state())));
    }

    let others = graph.states.iter().flat_map(|node| &node.edges).filter_map(|edge| edge.message);
    for other in others.filter(|it| it.name != message.name) {
        let foreign = sample(&other, random);
        let kind = match foreign.len() > max as usize {
            true => "TooLong",
            false if message.reread(foreign.clone().into()).is_err() => "Malformed ",
            false => continue, // its bytes are such a message
        };
        let expected = violation(kind, state());
        attacks.push(attack("another state's message", vec![say(frame(&[], &foreign))], max, expected));
    }
    attacks
}

/// The peer speaks, or doesn't listen, while it is this side's turn.
fn while_sending(graph: &Graph, state: usize) -> Vec<Attack> {
    let mut attacks = Vec::new();
    for edge in &graph.states[state].edges {
        let Some(message) = edge.message else { continue };
        let leg = Leg { speaker: Side::Here, edge: edge.clone() };
        let (then, listening) = route::to_listening(graph, edge.to);
        let onward = [&[leg.clone()][..], &then].concat();

        // More than a channel holds, and no legal word: a side that buffered it would hold it all.
        let there = &graph.states[listening];
        let (kind, name) = match (there.speaker, there.edges.iter().all(|edge| !edge.tags.is_empty())) {
            (None, _) => ("AfterEnd", "at the end".to_owned()),
            (_, true) => ("UnknownBranch", there.name()),
            (_, false) => ("MalformedLength", there.name()),
        };
        let acts = vec![Act::Flood(Bytes::from_static(&[0xff; 4096]))];
        let holds = message.max_bytes;
        attacks.push(Attack { onward, ..attack("unasked", acts, holds, violation(kind, name)) });

        // With a channel of one byte a frame of two is not taken by a peer that doesn't read.
        if message.max_bytes > 0 {
            let state = format!("sending {}", message.name);
            let expected =
                Expected::Violation { kind: "Stalled", blame: Blame::Unclear, state, after: message.deadline };
            let stalled = attack("unread", vec![Act::Deaf], message.max_bytes, expected);
            attacks.push(Attack { onward: vec![leg], ..stalled });
        }
    }
    attacks
}

fn at_the_end() -> Vec<Attack> {
    let state = || "at the end".to_owned();
    vec![
        attack("after the end", vec![Act::Say(vec![1, 2, 3])], 0, violation("AfterEnd", state())),
        attack("after the end", vec![Act::Flood(Bytes::from_static(&[7; 4096]))], 0, violation("AfterEnd", state())),
        attack("silence", vec![], 0, late(state(), CLOSE_DEADLINE)),
        attack("reset", vec![Act::Reset], 0, Expected::Lost { state: state() }),
    ]
}
