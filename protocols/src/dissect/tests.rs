use super::*;
use crate::{
    catalogue,
    describe::Speaker::{self, Initiator, Responder},
};
use proptest::prelude::*;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shardwire_transport::{
    Shape,
    graph::{MessageInfo, Side},
};

fn entry(name: &str) -> catalogue::Entry {
    catalogue::all().into_iter().find(|entry| entry.name == name).unwrap()
}

fn both(name: &str) -> Both {
    both_of(&entry(name))
}

fn both_of(entry: &catalogue::Entry) -> Both {
    Both::new(entry.name, entry.version, entry.initiator(), true)
}

fn one(name: &str, side: Speaker) -> One {
    one_of(&entry(name), side)
}

fn one_of(entry: &catalogue::Entry, side: Speaker) -> One {
    One::new(entry.name, entry.version, entry.initiator(), side, true)
}

fn info_of(graph: &Graph, name: &str) -> MessageInfo {
    let edges = graph.states.iter().flat_map(|node| &node.edges);
    edges.filter_map(|edge| edge.message).find(|message| message.name == name).unwrap()
}

/// The longest frame of a graph, its tags and its length among it.
fn longest(graph: &Graph) -> u64 {
    graph.states.iter().flat_map(|node| &node.edges).map(Edge::max_wire_bytes).max().unwrap_or(0)
}

/// A piece of a recording: who, and what.
type Recorded = (Speaker, Vec<u8>);

/// All frames and how it ends.
fn dissect(mut both: Both, pieces: &[Recorded]) -> Result<(Vec<Frame>, End), (Vec<Frame>, Deviation)> {
    let mut frames = Vec::new();
    for (from, bytes) in pieces {
        both.push(*from, bytes);
        loop {
            match both.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(deviation) => {
                    assert_eq!(both.next(), Err(deviation.clone()), "the same again");
                    return Err((frames, deviation));
                }
            }
        }
    }
    Ok((frames, both.end()))
}

fn alone(mut one: One, pieces: &[&[u8]]) -> Result<(Vec<Frame>, End), (Vec<Frame>, Deviation)> {
    let mut frames = Vec::new();
    for bytes in pieces {
        one.push(bytes);
        loop {
            match one.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(deviation) => return Err((frames, deviation)),
            }
        }
    }
    let (rest, end) = one.finish();
    frames.extend(rest);
    Ok((frames, end))
}

fn header_of(entry: &catalogue::Entry) -> Vec<u8> {
    let name = entry.name.as_bytes();
    [&[name.len() as u8 + 2, name.len() as u8], name, &[u8::try_from(entry.version).unwrap()]].concat()
}

fn frame(tags: &[u8], body: &[u8]) -> Vec<u8> {
    let mut length = body.len();
    let mut bytes = tags.to_vec();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    [bytes, body.to_vec()].concat()
}

/// A random legal body.
fn body(message: &MessageInfo, random: &mut ChaCha8Rng) -> Vec<u8> {
    let budget = (message.max_bytes as usize).min(400);
    let mut samples = (0..500).map(|_| message.shape().sample(random, budget));
    samples
        .find(|body| message.reread(Bytes::copy_from_slice(body)).is_ok())
        .unwrap_or_else(|| panic!("no {}", message.name))
}

/// A session of random legal messages, in order, at most `steps` long.
fn session(entry: &catalogue::Entry, seed: u64, steps: usize) -> Vec<Recorded> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let graph = entry.initiator();
    let mut pieces = vec![(Initiator, header_of(entry))];
    let mut state = 0;
    for step in 0..steps {
        let Some(speaker) = graph.states[state].speaker else { break };
        let edges = &graph.states[state].edges;
        // Towards the end of the steps prefer the last branch: usually it leads out.
        let at = if step * 4 > steps * 3 { edges.len() - 1 } else { random.next_u64() as usize % edges.len() };
        let edge = &edges[at];
        let body = body(&edge.message.unwrap(), &mut random);
        pieces.push((Speaker::of(speaker), frame(&edge.tags, &body)));
        state = edge.to;
    }
    pieces
}

fn said_by(pieces: &[Recorded], side: Speaker) -> Vec<u8> {
    pieces.iter().filter(|(from, _)| *from == side).flat_map(|(_, bytes)| bytes.clone()).collect()
}

fn names(frames: &[Frame]) -> Vec<Option<&'static str>> {
    frames.iter().map(|frame| frame.readings[0].message).collect()
}

#[test]
fn a_session_is_said_frame_by_frame() {
    let keepalive = header_of(&entry("keepalive"));
    let pieces = [
        (Initiator, [keepalive, frame(&[0], &[0x81, 1])].concat()),
        (Responder, frame(&[], &[0x81, 1, 127])),
        (Initiator, frame(&[1], &[])),
    ];
    let (frames, end) = dissect(both("keepalive"), &pieces).unwrap();
    let shown: Vec<String> = frames.iter().map(Frame::to_string).collect();
    assert_eq!(
        shown,
        [
            "initiator        0       12 B  header  Header {protocol: \"keepalive\", version: 1}",
            "initiator       12        4 B  s0  Ping {sent: 129}",
            "responder        0        4 B  s1  Pong {sent: 129, received: 127}",
            "initiator       16        2 B  s0  Bye {}",
        ]
    );
    assert_eq!((end.to_string(), end), ("the session is whole".to_owned(), End::Whole));
    assert_eq!(
        serde_json::to_value(&frames[2]).unwrap(),
        serde_json::json!({
            "from": "responder", "offset": 0, "bytes": 4,
            "readings": [{"state": "s1", "tags": [], "message": "Pong", "fields": {"sent": 129, "received": 127}, "canonical": true}],
        })
    );
}

#[test]
fn the_first_violation_is_named_with_its_byte() {
    let told = |pieces: &[Recorded]| {
        let (_, deviation) = dissect(both("keepalive"), pieces).unwrap_err();
        assert!(deviation.next_step().contains("recording"));
        format!("{} {deviation}", deviation.code())
    };
    let header = header_of(&entry("keepalive"));
    let says = |bytes: &[u8]| vec![(Initiator, header.clone()), (Initiator, bytes.to_vec())];
    assert_eq!(told(&says(&[2])), "SW-SESSION-006 initiator, byte 12, s0: branch tag 2 is neither 0 nor 1");
    assert_eq!(
        told(&says(&[0, 0x80, 0])),
        "SW-SESSION-001 initiator, byte 13, s0: a frame's length is not a number in its shortest form"
    );
    assert_eq!(
        told(&says(&[0, 11])),
        "SW-SESSION-003 initiator, byte 13, s0: a frame of 11 bytes, where at most 10 are allowed"
    );
    assert_eq!(
        told(&says(&[0, 2, 1, 1])),
        "SW-SESSION-002 initiator, byte 14, s0: the frame is not that message: 1 bytes after the message"
    );
    assert_eq!(
        told(&says(&[1, 0, 7])),
        "SW-SESSION-009 initiator, byte 14, s2: 1 bytes came after the end of the protocol"
    );
    let early = [(Initiator, header.clone()), (Responder, vec![1])];
    assert_eq!(told(&early), "SW-SESSION-012 responder, byte 0, s0: 1 bytes came that nobody asked for");
    let other = [(Initiator, header_of(&entry("proof")))];
    assert_eq!(
        told(&other),
        "SW-SESSION-010 initiator, byte 1, the header: asked for proof version 1, which is not served here"
    );
}

#[test]
fn requests_sent_ahead_are_in_turn_up_to_their_depth() {
    let ingress = entry("ingress");
    let graph = ingress.initiator();
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut said = |name| body(&info_of(&graph, name), &mut random);
    let mut pieces = vec![
        (Initiator, [header_of(&ingress), frame(&[], &said("Open"))].concat()),
        (Responder, frame(&[1], &said("Opened"))),
    ];
    for _ in 0..crate::ingress::DEPTH {
        pieces.push((Initiator, frame(&[0], &said("Submit"))));
    }
    let (frames, end) = dissect(both("ingress"), &pieces).unwrap();
    assert_eq!(names(&frames), [Some("Header"), Some("Open"), Some("Opened"), Some("Submit")], "the first of them");
    assert!(matches!(end, End::Open { due: Responder, have: 0, .. }), "{end:?}");
    let depth = crate::ingress::DEPTH as u64 * u64::from(info_of(&graph, "Submit").max_bytes + 3);
    pieces.push((Initiator, vec![0; usize::try_from(depth).unwrap()]));
    let (_, deviation) = dissect(both("ingress"), &pieces).unwrap_err();
    assert_eq!((deviation.code(), deviation.from), ("SW-SESSION-012", Initiator));
}

#[test]
fn one_direction_follows_every_state_that_is_possible() {
    // A ready prover's next words may be a claim or that it is ready again: one byte of body isn't a claim.
    let trace = entry("trace");
    let said =
        [header_of(&trace), frame(&[0], &[0]), frame(&[0], &[0]), frame(&[0], &[7; 32]), frame(&[0], &[1, 2])].concat();
    let (frames, end) = alone(one("trace", Initiator), &[&said]).unwrap();
    assert_eq!(names(&frames), [Some("Header"), Some("Ready"), Some("Ready"), Some("Claim"), Some("Pull")]);
    let End::Open { states, due: Initiator, have: 0, .. } = end else { panic!("{end:?}") };
    assert_eq!(states.len(), 1);
    // Two answers whose bytes are the same.
    let graph = trace.initiator();
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let mut told = |name| frame(&[1], &body(&info_of(&graph, name), &mut random));
    let answers = [told("JobOffer"), told("Lease"), frame(&[], &[1, 5])].concat();
    let (frames, _) = alone(one("trace", Responder), &[&answers]).unwrap();
    let readings: Vec<_> = frames[2].readings.iter().map(|reading| reading.message.unwrap()).collect();
    assert_eq!(readings, ["PullResponse", "Progressed", "Finished"]);
    let (frames, deviation) = alone(one("trace", Initiator), &[&header_of(&trace), &[0, 1, 0, 9]]).unwrap_err();
    assert_eq!(
        (frames.len(), deviation.offset, deviation.code()),
        (2, header_of(&trace).len() as u64 + 3, "SW-SESSION-006")
    );
}

#[test]
fn too_many_readings_of_one_direction_are_not_guessed() {
    use shardwire_transport::algebra::{Choose, Eps, Offer, Rec, Recv, Send, Var, Z};
    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct Word {}
    shardwire_transport::message!(Word, max_bytes = 0, deadline = std::time::Duration::from_secs(1));
    // A zero is an empty answer, or the tag before one.
    type Puzzle = Rec<Choose<Send<Word, Recv<Word, Var<Z>>>, Send<Word, Offer<Recv<Word, Var<Z>>, Recv<Word, Eps>>>>>;
    let mut one = One::new("puzzle", 1, Graph::of::<Puzzle>(), Responder, false);
    one.push(&[0; 100]);
    let deviation = one.next().unwrap_err();
    assert!(
        deviation.to_string().starts_with("responder, byte ")
            && deviation.to_string().ends_with(": one direction alone doesn't tell what follows")
    );
    assert_eq!(
        (deviation.code(), deviation.next_step().as_str()),
        ("SW-WIRE-001", "Give both directions, as a recording.")
    );
    assert_eq!(one.next(), Err(deviation), "the same again");
}

#[test]
fn every_truncation_of_a_good_recording_says_where_it_ends() {
    for entry in catalogue::all() {
        let pieces = session(&entry, 11, 9);
        let (frames, _) = dissect(both_of(&entry), &pieces).unwrap();
        assert_eq!(frames.len(), pieces.len(), "{}", entry.name);
        let all: usize = pieces.iter().map(|(_, bytes)| bytes.len()).sum();
        for cut in 0..all {
            let mut left = cut;
            let mut short = Vec::new();
            for (from, bytes) in &pieces {
                let n = left.min(bytes.len());
                short.push((*from, bytes[..n].to_vec()));
                left -= n;
            }
            let whole = pieces
                .iter()
                .scan(0, |sum, (_, bytes)| {
                    *sum += bytes.len();
                    Some(*sum)
                })
                .filter(|end| *end <= cut)
                .count();
            let (frames, end) = dissect(both_of(&entry), &short).unwrap();
            assert_eq!(frames.len(), whole, "{} cut at {cut}", entry.name);
            let End::Open { due, offset, have, .. } = end else { panic!("{} cut at {cut}: {end}", entry.name) };
            assert_eq!(due, pieces[whole].0);
            assert_eq!(offset + have, said_by(&short, due).len() as u64);
            for side in [Initiator, Responder] {
                alone(one_of(&entry, side), &[&said_by(&short, side)]).unwrap();
            }
        }
    }
}

#[test]
fn what_is_shown_of_a_value_is_bounded() {
    let list = Shape::List { of: Box::new(Shape::Unsigned { bits: 32 }), note: None };
    let shown = Value::of(&list, &[vec![100], vec![9; 100]].concat());
    assert_eq!(shown, Value::List(vec![Value::Number(9); MAX_SHOWN_ELEMENTS], 100));
    assert!(shown.to_string().ends_with(", … (100 in all)]"));
    let rest = Value::of(&Shape::Rest { note: None }, &[7; 70]);
    assert_eq!(rest.to_string(), format!("{}… (70 bytes)", "07".repeat(64)));
    let units = Shape::List { of: Box::new(Shape::Unit), note: None };
    let endless = Value::of(&units, &[0xff, 0xff, 0xff, 0xff, 0x7f]);
    assert!(matches!(endless, Value::List(shown, _) if shown.len() == MAX_SHOWN_ELEMENTS));
    let text = Shape::Text { note: None };
    assert_eq!(Value::of(&text, &[3, b'a', 0x1b, b'b']).to_string(), "\"a b\"");
    assert_eq!(Value::of(&Shape::Signed { bits: 64 }, &[3]).to_string(), "-2");
    assert_eq!(Value::of(&Shape::Bool, &[]).to_string(), "(not of this shape)");
}

fn any_side() -> impl Strategy<Value = Speaker> {
    prop_oneof![Just(Initiator), Just(Responder)]
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_hold_little(
        which in 0..catalogue::all().len(),
        with_header: bool,
        pieces in prop::collection::vec((any_side(), prop::collection::vec(prop_oneof![3 => 0..3_u8, 1 => any::<u8>()], 0..40)), 0..12),
    ) {
        let entry = catalogue::all()[which];
        let graph = entry.initiator();
        let bound = 2 * longest(&graph) + graph.unread(Side::Here).bytes().unwrap() + graph.unread(Side::There).bytes().unwrap() + 80;
        let mut two = Both::new(entry.name, entry.version, graph.clone(), with_header);
        for (from, bytes) in &pieces {
            two.push(*from, bytes);
            while let Ok(Some(frame)) = two.next() {
                prop_assert!(!frame.to_string().is_empty());
            }
            prop_assert!(two.held() as u64 <= bound);
        }
        for side in [Initiator, Responder] {
            let mut one = One::new(entry.name, entry.version, graph.clone(), side, with_header);
            for (_, bytes) in &pieces {
                one.push(bytes);
                while let Ok(Some(_)) = one.next() {}
                prop_assert!(one.held() as u64 <= longest(&graph) + 80);
            }
            let (_, end) = one.finish();
            prop_assert!(!end.to_string().is_empty());
        }
    }

    #[test]
    fn one_direction_and_both_agree(which in 0..catalogue::all().len(), seed: u64, cuts in prop::collection::vec(1..50_usize, 1..9)) {
        let entry = catalogue::all()[which];
        let pieces = session(&entry, seed, 12);
        let (frames, _) = dissect(both_of(&entry), &pieces).unwrap();
        for side in [Initiator, Responder] {
            let said = said_by(&pieces, side);
            let mut parts = Vec::new();
            let mut rest = &said[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break }
                let (part, more) = rest.split_at((*cut).min(rest.len()));
                parts.push(part);
                rest = more;
            }
            let (found, _) = alone(one_of(&entry, side), &parts).unwrap();
            let expected: Vec<_> = frames.iter().filter(|frame| frame.from == side).collect();
            prop_assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                prop_assert_eq!((found.offset, found.bytes), (expected.offset, expected.bytes));
                prop_assert!(found.readings.contains(&expected.readings[0]));
            }
        }
    }
}
