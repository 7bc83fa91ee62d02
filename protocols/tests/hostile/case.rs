//! One misbehaviour: an honest side in the state, a peer that misbehaves, an honest session beside them.

use crate::{
    ALLOCATOR,
    attack::{Act, Attack, Expected, frame, sample},
    route::{self, Leg},
};
use rand_chacha::ChaCha20Rng;
use shardwire_model::Coded;
use shardwire_protocols::catalogue::Entry;
use shardwire_transport::{
    Bytes, Channel, LostCause, Message, SessionError, WireCode,
    channel::MEMORY_PEERS,
    graph::{Graph, MessageInfo, Side},
    message::encode,
    session::{Header, drive::Driver},
};
use std::{collections::VecDeque, time::Duration};
use tokio::{
    task::yield_now,
    time::{Instant, sleep},
};

/// Bytes that a channel holds each way. One byte for a peer that doesn't read.
const UNDER_WAY: usize = 16 * 1024;
/// What a case may hold beyond the bytes of messages: futures, the graph's names, this test's own lists.
const OVERHEAD: usize = 128 * 1024;

/// What a case may hold: the longest message due, once as it came and once decoded; what is under way in both directions of
/// both sessions, once in the channel and once read; and the overhead.
pub(crate) fn bound(attack: &Attack) -> usize {
    2 * attack.holds as usize + 8 * UNDER_WAY + OVERHEAD
}

/// Says what a script says, and gives up when it ends.
#[derive(Debug, Default)]
struct Script {
    branches: VecDeque<bool>,
    bodies: VecDeque<Bytes>,
}

impl Script {
    fn add(&mut self, leg: &Leg, body: &[u8]) {
        self.branches.extend(leg.edge.tags.iter().map(|tag| *tag == 1));
        if leg.edge.message.is_some() {
            self.bodies.push_back(Bytes::copy_from_slice(body));
        }
    }
}

impl Driver for Script {
    fn message(&mut self, _: MessageInfo) -> Option<Bytes> {
        self.bodies.pop_front()
    }

    fn choose(&mut self) -> Option<bool> {
        self.branches.pop_front()
    }
}

/// The bytes of a leg, and its body.
fn words(leg: &Leg, random: &mut ChaCha20Rng) -> (Vec<u8>, Vec<u8>) {
    match leg.edge.message {
        None => (leg.edge.tags.clone(), vec![]),
        Some(message) => {
            let body = sample(&message, random);
            (frame(&leg.edge.tags, &body), body)
        }
    }
}

fn header(entry: &Entry) -> Vec<u8> {
    let header = Header::new(entry.name, entry.version).unwrap();
    frame(&[], &encode(&header).unwrap())
}

/// Runs a case, and panics if anything but the expected comes of it.
pub(crate) async fn run(
    entry: &Entry,
    victim: Side,
    graph: &Graph,
    state: usize,
    route: &[Leg],
    attack: &Attack,
    random: &mut ChaCha20Rng,
) {
    let about =
        format!("{} as {victim:?}, s{state} {}, {}: {attack:?}", entry.name, graph.states[state].name(), attack.name);
    // Who is to be attacked says its part of the way and what follows; the peer its own part of the way.
    let mut script = Script::default();
    let mut way = Vec::new();
    for leg in route {
        let (bytes, body) = words(leg, random);
        if leg.speaker == Side::Here {
            script.add(leg, &body);
        }
        way.push((leg.speaker, bytes));
    }
    let deaf = attack.acts.iter().any(|act| matches!(act, Act::Deaf));
    for leg in &attack.onward {
        let (mut bytes, mut body) = words(leg, random);
        while deaf && bytes.len() < 2 {
            (bytes, body) = words(leg, random);
        }
        script.add(leg, &body);
    }
    let opens = victim == Side::Here;
    way.insert(0, (if opens { Side::Here } else { Side::There }, header(entry)));
    let beside = honest(entry, random);

    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let (near, far) = Channel::pair_between(MEMORY_PEERS, if deaf { 1 } else { UNDER_WAY });
    let (channel, peer) = if opens { (near, far) } else { (far, near) };
    let playing = async {
        let ended = match victim {
            Side::Here => entry.drive_initiator(channel, &mut script).await,
            Side::There => entry.drive_responder(channel, &mut script).await,
        };
        (ended, Instant::now())
    };
    let ((ended, at), misbehaved, ()) = tokio::join!(biased; playing, misbehave(peer, &way, &attack.acts), beside);
    let held = ALLOCATOR.peak_usage().saturating_sub(before);

    assert!(held <= bound(attack), "{held} bytes held where {} are allowed; {about}", bound(attack));
    let error = ended.expect_err(&about);
    assert!(error.code().starts_with("SW-SESSION-"), "{error} {about}");
    let took = at - misbehaved;
    match (&attack.expected, &error) {
        (Expected::Violation { kind, blame, state, after }, SessionError::Violation(found)) => {
            let debug = format!("{:?} ", found.kind);
            assert!(debug.starts_with(kind), "{debug} {about}");
            assert_eq!((found.blame(), &found.state), (*blame, state), "{debug} {about}");
            assert_eq!(found.protocol, entry.name, "{about}");
            assert_eq!(found.peer, MEMORY_PEERS[usize::from(opens)], "{about}");
            assert_eq!(took, *after, "{debug} {about}");
        }
        (Expected::Lost { state }, SessionError::Lost(found)) => {
            assert_eq!((&found.state, &found.cause), (state, &LostCause::Reset(WireCode::Abandoned)), "{about}");
            assert_eq!((found.protocol.as_ref(), took), (entry.name, Duration::ZERO), "{about}");
        }
        _ => panic!("{error:?} {about}"),
    }
}

/// Goes the way into the state, then misbehaves. Says when the state was reached: from then on the time runs.
async fn misbehave(mut peer: Channel, way: &[(Side, Vec<u8>)], acts: &[Act]) -> Instant {
    let mut heard = 0;
    let mut said = 0;
    for (speaker, bytes) in way {
        match speaker {
            Side::There => assert!(peer.write_raw(bytes.clone()).await),
            Side::Here => {
                said += bytes.len();
                while heard < said {
                    heard += peer.read_raw().await.unwrap().unwrap().len();
                }
            }
        }
    }
    // The last words are read before the clock can move on: the state is reached now.
    settle().await;
    let reached = Instant::now();
    let mut open = true;
    for act in acts {
        match act {
            Act::Say(bytes) => open = open && peer.write_raw(bytes.clone()).await,
            Act::Flood(block) => while peer.write_raw(block.clone()).await {},
            Act::Wait(time) => sleep(*time).await,
            Act::End => peer.finish_raw(),
            Act::Reset => {
                settle().await; // a reset overtakes what is under way
                peer.reset_raw(WireCode::Abandoned);
            }
            Act::Deaf => sleep(Duration::from_secs(24 * 3600)).await,
        }
    }
    while let Ok(Some(_)) = peer.read_raw().await {}
    // A side that has ended its own stream is gone when nobody takes bytes any more; silence is left to its deadline.
    sleep(Duration::from_secs(24 * 3600)).await;
    reached
}

/// Lets the other side do all that it can do now. The clock stands while anybody is busy.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

/// A session in which both sides keep to the protocol, to its end.
fn honest(entry: &Entry, random: &mut ChaCha20Rng) -> impl Future<Output = ()> {
    let graph = entry.initiator();
    let end = graph.states.iter().position(|node| node.speaker.is_none()).expect("a protocol ends");
    let route = route::to_every_state(&graph).swap_remove(end);
    let (mut initiator, mut responder) = (Script::default(), Script::default());
    for leg in &route {
        let (_, body) = words(leg, random);
        let script = if leg.speaker == Side::Here { &mut initiator } else { &mut responder };
        script.add(leg, &body);
    }
    let entry = *entry;
    async move {
        let (near, far) = Channel::pair_between(MEMORY_PEERS, UNDER_WAY);
        let ends =
            tokio::join!(entry.drive_initiator(near, &mut initiator), entry.drive_responder(far, &mut responder));
        assert_eq!(ends, (Ok(()), Ok(())), "an honest session of {} beside it", entry.name);
    }
}

const _: () = assert!(Header::MAX_BYTES < 128, "a header's length is one byte");
