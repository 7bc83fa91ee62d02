//! Sessions between real halves: recorded as they meet, and replayed to each half alone.

use crate::{
    file::{From, Recorded, RecordedMessage},
    scripts::{self, Ended, INITIATOR, RESPONDER, Script},
};
use bytes::{Buf, Bytes};
use shardwire_protocols::catalogue::Entry;
use shardwire_transport::{
    Channel,
    graph::{Graph, Side},
};

/// What a memory channel holds: more than any session here says.
const CAPACITY: usize = 1 << 20;

/// The initiator's end and the responder's.
fn channel() -> (Channel, Channel) {
    Channel::pair_between([INITIATOR.peer(), RESPONDER.peer()], CAPACITY)
}

/// Lets the halves of each script meet, and writes down what they say.
pub(crate) async fn record(entry: &Entry) -> Vec<Recorded> {
    let mut recorded = Vec::new();
    for script in scripts::of(entry) {
        let (near, tapped_near) = channel();
        let (tapped_far, far) = channel();
        let (initiator, responder, said) =
            tokio::join!((script.initiator)(near), (script.responder)(far), tap(tapped_near, tapped_far));
        initiator.unwrap_or_else(|error| panic!("{}: the initiator: {error}", script.name));
        responder.unwrap_or_else(|error| panic!("{}: the responder: {error}", script.name));
        let steps = steps(&entry.initiator(), said).unwrap_or_else(|error| panic!("{}: {error}", script.name));
        recorded.push(Recorded { name: script.name.clone(), steps });
    }
    recorded
}

/// Carries bytes both ways to the end of both, and returns what each side said.
async fn tap(mut near: Channel, mut far: Channel) -> [Bytes; 2] {
    let (mut initiator, mut responder) = (Vec::new(), Vec::new());
    let (mut near_open, mut far_open) = (true, true);
    while near_open || far_open {
        tokio::select! { biased;
            read = near.read_raw(), if near_open => match read.expect("the initiator ends in order") {
                Some(bytes) => { initiator.extend_from_slice(&bytes); far.write_raw(bytes).await; }
                None => { near_open = false; far.finish_raw(); }
            },
            read = far.read_raw(), if far_open => match read.expect("the responder ends in order") {
                Some(bytes) => { responder.extend_from_slice(&bytes); near.write_raw(bytes).await; }
                None => { far_open = false; near.finish_raw(); }
            },
        }
    }
    [initiator.into(), responder.into()]
}

/// Splits what both sides said into messages, along the protocol's graph.
fn steps(graph: &Graph, [mut initiator, mut responder]: [Bytes; 2]) -> Result<Vec<RecordedMessage>, String> {
    let step = |from, message: &str, bytes: Bytes| RecordedMessage {
        from,
        message: message.to_owned(),
        bytes: hex::encode(bytes),
    };
    let header = frame(&initiator, 0)?;
    let mut steps = vec![step(From::Initiator, "Header", initiator.split_to(header))];
    let mut state = 0;
    while let Some(node) = graph.states.get(state)
        && let Some(speaker) = node.speaker
    {
        let (from, said) = match speaker {
            Side::Here => (From::Initiator, &mut initiator),
            Side::There => (From::Responder, &mut responder),
        };
        let edge = node.edges.iter().find(|edge| said.starts_with(&edge.tags)).ok_or("a tag that leads nowhere")?;
        let (name, len) = match edge.message {
            Some(message) => (message.name, frame(said, edge.tags.len())?),
            None => ("", edge.tags.len()),
        };
        steps.push(step(from, name, said.split_to(len)));
        state = edge.to;
    }
    if initiator.is_empty() && responder.is_empty() { Ok(steps) } else { Err("bytes after the end".to_owned()) }
}

/// How many bytes the branch tags at the front and the frame after them have.
fn frame(said: &Bytes, tags: usize) -> Result<usize, String> {
    let mut rest = said.get(tags..).unwrap_or_default();
    let (mut len, mut shift) = (0_usize, 0);
    loop {
        let byte = rest.has_remaining().then(|| rest.get_u8()).ok_or("a session that ends within a length")?;
        len |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let whole = said.len() - rest.len() + len;
    if whole <= said.len() { Ok(whole) } else { Err("a session that ends within a frame".to_owned()) }
}

/// Gives each half alone what the other one said, and demands that it says what it said.
pub(crate) async fn replay(entry: &Entry, session: &Recorded) -> Result<(), String> {
    let scripts = scripts::of(entry);
    let script: &Script = scripts
        .iter()
        .find(|script| script.name == session.name)
        .ok_or_else(|| format!("there is no script of the session '{}'", session.name))?;
    let (near, far) = channel();
    meet((script.initiator)(near), drive(far, From::Initiator, session)).await?;
    let (near, far) = channel();
    meet((script.responder)(far), drive(near, From::Responder, session)).await
}

async fn meet(
    half: impl Future<Output = Ended>,
    driver: impl Future<Output = Result<(), String>>,
) -> Result<(), String> {
    let (half, driven) = tokio::join!(half, driver);
    match (half, driven) {
        (half, Err(what)) => Err(half.err().map_or(what.clone(), |error| format!("{what}: {error}"))),
        (Err(error), Ok(())) => Err(error.to_string()),
        (Ok(()), Ok(())) => Ok(()),
    }
}

/// Plays the other side of `half`, byte by byte as recorded.
async fn drive(mut channel: Channel, half: From, session: &Recorded) -> Result<(), String> {
    let mut heard: Vec<u8> = Vec::new();
    let ours = |step: &&RecordedMessage| step.from != half;
    let mut to_say = session.steps.iter().filter(ours).count();
    for step in &session.steps {
        let bytes = hex::decode(&step.bytes).map_err(|error| error.to_string())?;
        let at = || format!("session '{}': {} of the {half:?}", session.name, step.message);
        if step.from != half {
            channel.write_raw(bytes).await;
            to_say -= 1;
            if to_say == 0 {
                channel.finish_raw();
            }
            continue;
        }
        while heard.len() < bytes.len() {
            match channel.read_raw().await {
                Ok(Some(more)) => heard.extend_from_slice(&more),
                Ok(None) => return Err(format!("{} is missing", at())),
                Err(code) => return Err(format!("{} is missing ({code})", at())),
            }
        }
        let said: Vec<u8> = heard.drain(..bytes.len()).collect();
        if said != bytes {
            return Err(format!("{} is now {}, and was {}", at(), hex::encode(said), step.bytes));
        }
    }
    if to_say > 0 {
        channel.finish_raw();
    }
    match channel.read_raw().await {
        Ok(None) if heard.is_empty() => Ok(()),
        _ => Err(format!("session '{}': the {half:?} says more than it did", session.name)),
    }
}
