//! A dissector: what recorded bytes of a session are, frame by frame, and the first violation with its place.
//!
//! It knows a protocol by its graph, so every protocol of the [catalogue](crate::catalogue) is covered. No network, no clock: deadlines can't
//! be seen in bytes. What it calls a violation is what a session that reads these bytes would: the same kinds and codes.
//!
//! - [`Both`] reads both directions in the order in which they were recorded, and knows the state at every byte.
//! - [`One`] reads one direction alone. What the other side chose isn't in it, so it follows every state that is
//!   possible; a frame that could be several messages is said to be each of them.
//!
//! **Bounds.** Both hold no more than the longest message of the protocol and the piece that was pushed last; of the side whose turn it
//! isn't, [`Both`] holds what the type lets it send ahead, and calls more than that out of turn. [`One`] follows at most [`MAX_PATHS`] readings
//! and remembers at most [`MAX_UNDECIDED`] frames of each; a recording that needs more needs its other direction.

mod both;
mod one;
#[cfg(test)]
mod tests;
mod value;

pub use both::Both;
pub use one::{MAX_PATHS, MAX_UNDECIDED, One};
pub use value::{MAX_SHOWN_BYTES, MAX_SHOWN_ELEMENTS, Value};

use crate::describe::{Speaker, state_name};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use shardwire_model::Coded;
use shardwire_transport::{
    Bytes, Message, ViolationKind,
    graph::{Edge, Graph},
    message::Body,
    session::Header,
};
use std::fmt;

/// A frame: the tags of a choice, a length and a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// Who says it.
    pub from: Speaker,
    /// Where it begins: bytes of this side before it.
    pub offset: u64,
    /// Bytes of all of it.
    pub bytes: u64,
    /// What it is; more than one thing if one direction alone doesn't tell.
    pub readings: Vec<Reading>,
}

/// What a frame is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// In which state of the protocol; none of the stream's header.
    pub state: Option<String>,
    /// The branch tags.
    pub tags: Vec<u8>,
    /// The message; none if the tags are all.
    pub message: Option<&'static str>,
    /// What is in it.
    pub fields: Value,
    /// Whether its bytes are those that an encoder makes. Others that mean the same are read by some and refused by others.
    pub canonical: bool,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:>8} {:>8} B  ", self.from, self.offset, self.bytes)?;
        for (at, Reading { state, message, fields, canonical, .. }) in self.readings.iter().enumerate() {
            let between = if at == 0 { "" } else { "  or  " };
            let state = state.as_deref().unwrap_or("header");
            let message = message.unwrap_or("a choice");
            write!(f, "{between}{state}  {message} {fields}")?;
            f.write_str(if *canonical { "" } else { "  (not the shortest encoding)" })?;
        }
        Ok(())
    }
}

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// Who sent it.
    pub from: Speaker,
    /// Where it begins: bytes of this side before it.
    pub offset: u64,
    /// In which state; with one direction alone one of those that are possible, the one that fits longest. None within the header.
    pub state: Option<String>,
    /// What is wrong with it.
    pub kind: DeviationKind,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviationKind {
    /// What a session calls a violation.
    Violation(ViolationKind),
    /// One direction alone has too many readings.
    Undecided,
}

impl Deviation {
    fn violation(from: Speaker, offset: u64, state: Option<usize>, kind: ViolationKind) -> Self {
        Self { from, offset, state: state.map(state_name), kind: DeviationKind::Violation(kind) }
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, offset, .. } = self;
        let state = self.state.as_deref().unwrap_or("the header");
        match &self.kind {
            DeviationKind::Violation(kind) => write!(f, "{from}, byte {offset}, {state}: {kind}"),
            DeviationKind::Undecided => {
                write!(f, "{from}, byte {offset}: one direction alone doesn't tell what follows")
            }
        }
    }
}

impl std::error::Error for Deviation {}

impl Coded for Deviation {
    fn code(&self) -> &'static str {
        match &self.kind {
            DeviationKind::Violation(kind) => kind.code(),
            DeviationKind::Undecided => "SW-WIRE-001",
        }
    }

    fn next_step(&self) -> String {
        match &self.kind {
            DeviationKind::Violation(_) => {
                format!(
                    "Check that the recording is whole and of this protocol; else look at what the {} sends.",
                    self.from
                )
            }
            DeviationKind::Undecided => "Give both directions, as a recording.".into(),
        }
    }
}

impl Serialize for Deviation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut deviation = serializer.serialize_struct("Deviation", 5)?;
        deviation.serialize_field("from", &self.from)?;
        deviation.serialize_field("offset", &self.offset)?;
        deviation.serialize_field("state", &self.state)?;
        deviation.serialize_field("code", self.code())?;
        deviation.serialize_field("message", &self.to_string())?;
        deviation.end()
    }
}

/// Where a recording without a deviation ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "end", rename_all = "lowercase")]
pub enum End {
    /// With the protocol.
    Whole,
    /// Somewhere before the end.
    Open {
        /// In which state, or in one of which; none within the header.
        states: Vec<String>,
        /// Whose frame is due.
        due: Speaker,
        /// Where that frame begins: bytes of that side before it.
        offset: u64,
        /// Bytes of it that are there. None: the recording ends between two frames.
        have: u64,
    },
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("the session is whole"),
            Self::Open { states, due, offset, have } => {
                let states = if states.is_empty() { "the header".to_owned() } else { states.join(" or ") };
                write!(f, "the recording ends in {states}, {due}, byte {offset}: ")?;
                match have {
                    0 => f.write_str("between two frames"),
                    have => write!(f, "within a frame of which {have} bytes are there"),
                }
            }
        }
    }
}

/// The graph of a stream's header, which initiators say first: one message, then the end.
fn header() -> Graph {
    Graph::of::<shardwire_transport::algebra::Send<Header, shardwire_transport::algebra::Eps>>()
}

/// What a body is in this step; why it isn't its message, if not.
fn read(state: Option<usize>, edge: &Edge, body: &[u8]) -> Result<Reading, ViolationKind> {
    let state = state.map(state_name);
    let Some(message) = edge.message else {
        return Ok(Reading { state, tags: edge.tags.clone(), message: None, fields: Value::Nothing, canonical: true });
    };
    let bytes = Bytes::copy_from_slice(body);
    let again = message.reread(bytes).map_err(|error| ViolationKind::Malformed { reason: error.to_string() })?;
    Ok(Reading {
        state,
        tags: edge.tags.clone(),
        message: Some(message.name),
        fields: Value::of(&message.shape(), body),
        canonical: again == body,
    })
}

/// Whether a stream's header names this protocol and version.
fn served(body: &[u8], protocol: &str, version: u16) -> Result<(), ViolationKind> {
    let header = Header::decode(Body::from(Bytes::copy_from_slice(body)));
    let header = header.map_err(|error| ViolationKind::Malformed { reason: error.to_string() })?;
    if &header.protocol == protocol && header.version == version {
        return Ok(());
    }
    Err(ViolationKind::UnknownProtocol { name: header.protocol.to_string(), version: header.version })
}
