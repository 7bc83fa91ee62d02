//! One direction of a recorded session.

use super::{Deviation, DeviationKind, End, Frame, Reading, header, read, served};
use crate::describe::{Speaker, state_name};
use shardwire_transport::graph::{Graph, Split};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Readings that are followed side by side: each ends its frames elsewhere.
pub const MAX_PATHS: usize = 32;
/// Frames that a reading may be ahead of what all readings agree on.
pub const MAX_UNDECIDED: usize = 1024;

/// Reads what one side of a session said: [`push`](Self::push) what comes next, then take frames with [`next`](Self::next) until there
/// is none, and after the last piece with [`finish`](Self::finish).
#[derive(Debug)]
pub struct One {
    graph: Graph,
    side: Speaker,
    header: Option<(Graph, &'static str, u16)>,
    bytes: Vec<u8>,
    /// Bytes of this side before `bytes`.
    offset: u64,
    paths: Vec<Path>,
    /// Of the readings that came to nothing, the one that went furthest.
    failed: Option<(Deviation, VecDeque<Frame>)>,
    ready: VecDeque<Frame>,
    over: bool,
}

/// A way to read the bytes so far.
#[derive(Clone, Debug, Default)]
struct Path {
    /// Bytes read, from the front of the buffer.
    at: usize,
    /// The states in which this side may be about to speak, or the end.
    states: BTreeSet<usize>,
    /// Frames that not all paths agree on yet.
    frames: VecDeque<Frame>,
    /// Whether it needs more bytes.
    waits: bool,
}

impl One {
    /// Of what `side` said in a protocol, given by its initiator's graph; an initiator's stream begins with a header.
    #[must_use]
    pub fn new(protocol: &'static str, version: u16, graph: Graph, side: Speaker, with_header: bool) -> Self {
        let with_header = with_header && side == Speaker::Initiator;
        let states = turns(&graph, side, [0].into());
        Self {
            graph,
            side,
            header: with_header.then(|| (header(), protocol, version)),
            bytes: Vec::new(),
            offset: 0,
            paths: vec![Path { states, ..Path::default() }],
            failed: None,
            ready: VecDeque::new(),
            over: false,
        }
    }

    /// What comes next in the recording.
    pub fn push(&mut self, piece: &[u8]) {
        let read = self.paths.iter().map(|path| path.at).min().unwrap_or(self.bytes.len());
        self.bytes.drain(..read);
        self.offset += read as u64;
        self.bytes.extend_from_slice(piece);
        for path in &mut self.paths {
            path.at -= read;
            path.waits = false;
        }
    }

    /// The next frame; none if more has to be pushed first.
    ///
    /// # Errors
    /// [`Deviation`]: the first one. Further calls return the same.
    #[allow(clippy::should_implement_trait)] // it isn't over when there is no frame
    pub fn next(&mut self) -> Result<Option<Frame>, Deviation> {
        match self.begin() {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(deviation) => {
                self.failed = Some((deviation, VecDeque::new()));
                self.header = None;
                self.paths.clear();
                self.over = true;
            }
        }
        while self.ready.is_empty() && !self.over && self.advance() {
            self.agree();
        }
        match (self.ready.pop_front(), &self.failed) {
            (Some(frame), _) => Ok(Some(frame)),
            (None, Some((deviation, _))) if self.over => Err(deviation.clone()),
            (None, _) => Ok(None),
        }
    }

    /// Reads the header, if it is due; whether it is read.
    fn begin(&mut self) -> Result<bool, Deviation> {
        let Some((graph, protocol, version)) = &self.header else { return Ok(true) };
        let deviation = |at: usize, kind| Deviation::violation(self.side, self.offset + at as u64, None, kind);
        match graph.split(0, &self.bytes) {
            Split::Partial => Ok(false),
            Split::Wrong { at, kind } => Err(deviation(at, kind)),
            Split::Frame { edge, body, bytes } => {
                let begins = bytes - body.len();
                served(body, protocol, *version).map_err(|kind| deviation(begins, kind))?;
                let reading = read(None, edge, body).map_err(|kind| deviation(begins, kind))?;
                let frame =
                    Frame { from: self.side, offset: self.offset, bytes: bytes as u64, readings: vec![reading] };
                self.ready.push_back(frame);
                self.paths.iter_mut().for_each(|path| path.at = bytes);
                self.header = None;
                Ok(true)
            }
        }
    }

    /// Takes the path that is furthest behind one frame further. `false` if all wait for more bytes.
    fn advance(&mut self) -> bool {
        let behind = self.paths.iter().enumerate().filter(|(_, path)| !path.waits).min_by_key(|(_, path)| path.at);
        let Some((which, _)) = behind else { return false };
        let path = self.paths.swap_remove(which);
        let mut waiting = BTreeSet::new();
        // By where the frame ends: the readings of it, and the states after it.
        let mut frames: BTreeMap<usize, (Vec<Reading>, BTreeSet<usize>)> = BTreeMap::new();
        let mut deviations = Vec::new();
        let bytes = self.bytes.get(path.at..).unwrap_or_default();
        for state in &path.states {
            let deviation = |at: usize, kind| {
                Deviation::violation(self.side, self.offset + (path.at + at) as u64, Some(*state), kind)
            };
            match self.graph.split(*state, bytes) {
                Split::Partial => drop(waiting.insert(*state)),
                Split::Wrong { at, kind } => deviations.push(deviation(at, kind)),
                Split::Frame { edge, body, bytes } => match read(Some(*state), edge, body) {
                    Ok(reading) => {
                        let (readings, next) = frames.entry(bytes).or_default();
                        readings.push(reading);
                        next.insert(edge.to);
                    }
                    Err(kind) => deviations.push(deviation(bytes - body.len(), kind)),
                },
            }
        }
        let (side, offset) = (self.side, self.offset + path.at as u64);
        let went_on: Vec<Path> = frames
            .into_iter()
            .map(|(length, (readings, next))| {
                let mut frames = path.frames.clone();
                frames.push_back(Frame { from: side, offset, bytes: length as u64, readings });
                let states = turns(&self.graph, side, next);
                Path { at: path.at + length, states, frames, waits: false }
            })
            .collect();
        if went_on.is_empty() && waiting.is_empty() {
            self.fail(deviations, path.frames);
        } else {
            went_on.into_iter().for_each(|path| self.add(path));
            if !waiting.is_empty() {
                self.add(Path { states: waiting, waits: true, ..path });
            }
        }
        self.bound();
        true
    }

    /// Adds a path, or its states to one that has read the same frames.
    fn add(&mut self, path: Path) {
        let cuts = |path: &Path| path.frames.iter().map(|frame| (frame.offset, frame.bytes)).collect::<Vec<_>>();
        let twin = self.paths.iter_mut().find(|other| {
            other.at == path.at
                && other.waits == path.waits
                && other.frames.len() == path.frames.len()
                && cuts(other) == cuts(&path)
        });
        match twin {
            Some(twin) => {
                twin.states.extend(path.states);
                for (frame, other) in twin.frames.iter_mut().zip(path.frames) {
                    merge(frame, other);
                }
            }
            None => self.paths.push(path),
        }
    }

    fn fail(&mut self, deviations: Vec<Deviation>, frames: VecDeque<Frame>) {
        let Some(deviation) = deviations.into_iter().max_by_key(|deviation| deviation.offset) else { return };
        if self.failed.as_ref().is_none_or(|(furthest, _)| furthest.offset <= deviation.offset) {
            self.failed = Some((deviation, frames));
        }
    }

    /// Gives up where there are too many readings, or none.
    fn bound(&mut self) {
        let undecided = self.paths.iter().map(|path| path.frames.len()).max().unwrap_or(0);
        if self.paths.len() > 1 && (self.paths.len() > MAX_PATHS || undecided > MAX_UNDECIDED) {
            let at = self.paths.iter().map(|path| path.at).min().unwrap_or(0);
            let deviation = Deviation {
                from: self.side,
                offset: self.offset + at as u64,
                state: None,
                kind: DeviationKind::Undecided,
            };
            self.failed = Some((deviation, VecDeque::new()));
            self.paths.clear();
        }
        if self.paths.is_empty() {
            self.over = true;
            if let Some((_, frames)) = &mut self.failed {
                self.ready.append(frames);
            }
        }
    }

    /// Frames that all paths cut alike are ready.
    fn agree(&mut self) {
        loop {
            let mut firsts = self.paths.iter().map(|path| path.frames.front().map(|frame| (frame.offset, frame.bytes)));
            let Some(Some(first)) = firsts.next() else { return };
            if !firsts.all(|other| other == Some(first)) {
                return;
            }
            let mut agreed: Option<Frame> = None;
            for frame in self.paths.iter_mut().filter_map(|path| path.frames.pop_front()) {
                match &mut agreed {
                    Some(agreed) => merge(agreed, frame),
                    None => agreed = Some(frame),
                }
            }
            self.ready.extend(agreed);
        }
    }

    /// The recording is over: frames that were undecided, and where it ends. Of several readings it takes one that is whole, else
    /// one that ends between two frames, else the one that goes furthest.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Frame>, End) {
        let length = self.bytes.len();
        let over = |path: &Path| path.states.iter().any(|state| ends(&self.graph, *state));
        let best = self.paths.iter().max_by_key(|path| (path.at == length, over(path), path.at));
        let due = self.side;
        if self.header.is_some() {
            return (Vec::new(), End::Open { states: Vec::new(), due, offset: self.offset, have: length as u64 });
        }
        let Some(path) = best.cloned() else {
            return (
                self.ready.into(),
                End::Open { states: Vec::new(), due, offset: self.offset, have: length as u64 },
            );
        };
        let have = (length - path.at) as u64;
        let end = if have == 0 && path.states.iter().any(|state| ends(&self.graph, *state)) {
            End::Whole
        } else {
            let due_states = path.states.iter().filter(|state| !ends(&self.graph, **state));
            let states = due_states.map(|state| state_name(*state)).collect();
            End::Open { states, due, offset: self.offset + path.at as u64, have }
        };
        self.ready.extend(path.frames);
        (self.ready.into(), end)
    }

    /// Bytes that are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.bytes.len()
    }
}

/// Adds the readings of the same frame.
fn merge(frame: &mut Frame, other: Frame) {
    for reading in other.readings {
        if !frame.readings.contains(&reading) {
            frame.readings.push(reading);
        }
    }
}

fn ends(graph: &Graph, state: usize) -> bool {
    graph.states.get(state).is_none_or(|node| node.speaker.is_none())
}

/// The states in which `side` speaks next, or the end, whatever the other side says before.
fn turns(graph: &Graph, side: Speaker, mut left: BTreeSet<usize>) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut turns = BTreeSet::new();
    while let Some(state) = left.pop_first() {
        if !seen.insert(state) {
            continue;
        }
        match graph.states.get(state) {
            Some(node) if node.speaker == Some(side.other().side()) => {
                left.extend(node.edges.iter().map(|edge| edge.to))
            }
            _ => drop(turns.insert(state)),
        }
    }
    turns
}
