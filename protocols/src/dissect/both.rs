//! Both directions of a recorded session.

use super::{Deviation, End, Frame, header, read, served};
use crate::describe::{Speaker, state_name};
use shardwire_transport::{
    ViolationKind,
    graph::{Graph, Split, Unread},
};

/// Reads a session of which both directions were recorded, in the order in which their bytes were seen: [`push`](Self::push) what
/// comes next, then take frames with [`next`](Self::next) until there is none.
#[derive(Debug)]
pub struct Both {
    graph: Graph,
    /// The header that is due first: its graph, and what it has to say.
    header: Option<(Graph, &'static str, u16)>,
    state: usize,
    initiator: Lane,
    responder: Lane,
    deviation: Option<Deviation>,
}

/// The bytes of one side that aren't read yet, and how many were read before.
#[derive(Debug, Default)]
struct Lane {
    bytes: Vec<u8>,
    /// Those at the front of `bytes` that are read.
    read: usize,
    offset: u64,
}

impl Lane {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.read..).unwrap_or_default()
    }

    fn skip(&mut self, n: usize) {
        self.read += n;
        self.offset += n as u64;
    }

    fn push(&mut self, piece: &[u8]) {
        self.bytes.drain(..self.read.min(self.bytes.len()));
        self.read = 0;
        self.bytes.extend_from_slice(piece);
    }
}

impl Both {
    /// Of a protocol, by its initiator's graph; a stream begins with a header, a recording of a session without a stream doesn't.
    #[must_use]
    pub fn new(protocol: &'static str, version: u16, graph: Graph, with_header: bool) -> Self {
        Self {
            graph,
            header: with_header.then(|| (header(), protocol, version)),
            state: 0,
            initiator: Lane::default(),
            responder: Lane::default(),
            deviation: None,
        }
    }

    /// What comes next in the recording.
    pub fn push(&mut self, from: Speaker, piece: &[u8]) {
        if self.deviation.is_none() {
            self.lane(from).push(piece);
        }
    }

    fn lane(&mut self, of: Speaker) -> &mut Lane {
        match of {
            Speaker::Initiator => &mut self.initiator,
            Speaker::Responder => &mut self.responder,
        }
    }

    /// The next frame; none if more has to be pushed first.
    ///
    /// # Errors
    /// [`Deviation`]: the first one. Further calls return the same.
    #[allow(clippy::should_implement_trait)] // it isn't over when there is no frame
    pub fn next(&mut self) -> Result<Option<Frame>, Deviation> {
        if let Some(deviation) = &self.deviation {
            return Err(deviation.clone());
        }
        self.frame().inspect_err(|deviation| self.deviation = Some(deviation.clone()))
    }

    fn frame(&mut self) -> Result<Option<Frame>, Deviation> {
        let (graph, state, name) = match &self.header {
            Some((graph, ..)) => (graph, 0, None),
            None => (&self.graph, self.state, Some(self.state)),
        };
        let speaker = graph.states.get(state).and_then(|node| node.speaker).map(Speaker::of);
        let Some(from) = speaker else { return self.after_end() };
        let lane = match from {
            Speaker::Initiator => &self.initiator,
            Speaker::Responder => &self.responder,
        };
        let deviation = |at: usize, kind| Deviation::violation(from, lane.offset + at as u64, name, kind);
        match graph.split(state, lane.rest()) {
            Split::Wrong { at, kind } => Err(deviation(at, kind)),
            Split::Partial => self.in_turn(from.other()),
            Split::Frame { edge, body, bytes } => {
                let begins = bytes - body.len();
                if let Some((_, protocol, version)) = &self.header {
                    served(body, protocol, *version).map_err(|kind| deviation(begins, kind))?;
                }
                let reading = read(name, edge, body).map_err(|kind| deviation(begins, kind))?;
                let (offset, to) = (lane.offset, edge.to);
                if self.header.take().is_none() {
                    self.state = to;
                }
                self.lane(from).skip(bytes);
                Ok(Some(Frame { from, offset, bytes: bytes as u64, readings: vec![reading] }))
            }
        }
    }

    /// Nothing may be said after the end.
    fn after_end(&self) -> Result<Option<Frame>, Deviation> {
        for (from, lane) in [(Speaker::Initiator, &self.initiator), (Speaker::Responder, &self.responder)] {
            let bytes = lane.rest().len();
            if bytes > 0 {
                let kind = ViolationKind::AfterEnd { bytes };
                return Err(Deviation::violation(from, lane.offset, Some(self.state), kind));
            }
        }
        Ok(None)
    }

    /// The other side has to wait, except for what it may have sent ahead.
    fn in_turn(&self, other: Speaker) -> Result<Option<Frame>, Deviation> {
        let ahead = match self.header {
            Some(_) => Unread::Bytes(0),
            None => self.graph.may_send(self.state, other.side()),
        };
        let lane = match other {
            Speaker::Initiator => &self.initiator,
            Speaker::Responder => &self.responder,
        };
        let bytes = lane.rest().len();
        if ahead.bytes().is_some_and(|ahead| bytes as u64 > ahead) {
            let state = self.header.is_none().then_some(self.state);
            return Err(Deviation::violation(other, lane.offset, state, ViolationKind::OutOfTurn { bytes }));
        }
        Ok(None)
    }

    /// The recording is over: where it ends. To be asked after [`next`](Self::next) had nothing more.
    #[must_use]
    pub fn end(&self) -> End {
        let (graph, state) = match &self.header {
            Some((graph, ..)) => (graph, 0),
            None => (&self.graph, self.state),
        };
        let Some(side) = graph.states.get(state).and_then(|node| node.speaker) else { return End::Whole };
        let due = Speaker::of(side);
        let lane = match due {
            Speaker::Initiator => &self.initiator,
            Speaker::Responder => &self.responder,
        };
        let states = if self.header.is_some() { Vec::new() } else { vec![state_name(state)] };
        End::Open { states, due, offset: lane.offset, have: lane.rest().len() as u64 }
    }

    /// Bytes that are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.initiator.bytes.len() + self.responder.bytes.len()
    }
}
