//! `shardwire wire decode`: what recorded bytes of a session are. Needs no node and no data folder.
//!
//! Two inputs. With `--side`: the raw bytes of one direction, as they were on the stream. Without: a recording of both
//! directions, one JSON object a line in the order in which the bytes were seen,
//!
//! ```text
//! {"from":"initiator","bytes":"0b096b656570616c6976650100028101"}
//! {"from":"responder","bytes":"0381017f"}
//! ```
//!
//! A line may also name a `message`, as the steps of the sessions in `protocols/vectors` do; it isn't believed.
//!
//! Bounds: a piece of [`PROOF_CHUNK_BYTES`] is read at a time, a line has at most [`MAX_LINE_BYTES`]; what the dissector holds is bounded
//! by the protocol's type. Frames are printed as they are found, so that a recording may be of any length.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a recording is a file")]

use super::{
    failure::Failure,
    output::{Answer, say},
    protocol,
};
use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shardwire_files::output::Reader;
use shardwire_model::Coded;
use shardwire_protocols::{
    describe::Speaker,
    dissect::{Both, Deviation, End, Frame, One},
};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

#[derive(Debug, Subcommand)]
pub(super) enum WireCommand {
    /// Say frame by frame what recorded bytes are, up to the first violation
    #[command(
        after_help = "With --side: the raw bytes of one direction, as they were on the stream. Without: a recording of both, a\n\
        JSON object a line in the order in which the bytes were seen:\n  \
        {\"from\":\"initiator\",\"bytes\":\"0b096b656570616c6976650100028101\"}\n  \
        {\"from\":\"responder\",\"bytes\":\"0381017f\"}\n\n\
        One direction alone doesn't tell what the other side chose; a frame that could be several messages is said to\n\
        be each of them. A violation is named with its byte and ends with exit code 1. With --json an object a\n\
        frame, and one on the last line that says how it ended.\n\nExamples:\n  \
        shardwire wire decode --protocol keepalive --from session.jsonl\n  \
        shardwire wire decode --protocol trace --from prover.bin --side initiator --json"
    )]
    Decode(DecodeArgs),
}

#[derive(Debug, Args)]
pub(super) struct DecodeArgs {
    /// The protocol; with @ and a number that version of it
    #[arg(long, value_name = "NAME")]
    protocol: String,
    /// The recorded bytes; - is standard input
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Whose bytes they are, if they are raw bytes of one direction
    #[arg(long, value_enum, value_name = "SIDE")]
    side: Option<Side>,
    /// The bytes begin after the stream's header
    #[arg(long)]
    no_header: bool,
}

/// A side of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Side {
    /// The peer that opened the stream
    Initiator,
    /// The other one
    Responder,
}

impl From<Side> for Speaker {
    fn from(side: Side) -> Self {
        match side {
            Side::Initiator => Self::Initiator,
            Side::Responder => Self::Responder,
        }
    }
}

impl WireCommand {
    pub(super) fn run(self, json: bool) -> Result<Answer, Failure> {
        let Self::Decode(args) = self;
        decode(&args, json)
    }
}

/// Bytes of a direction that are read at a time.
const PROOF_CHUNK_BYTES: usize = 64 << 10;
/// Longest line of a recording: a piece of half a mebibyte in hexadecimal digits.
const MAX_LINE_BYTES: u64 = (1 << 20) + 256;

/// A recording that can't be read.
#[derive(Debug, thiserror::Error)]
enum RecordingError {
    /// The disk, or standard input.
    #[error("{path} can't be read: {reason}", path = path.display())]
    Unreadable { path: PathBuf, reason: io::Error },
    /// Not a line of a recording.
    #[error("line {line} of {path} is no piece of a recording: {reason}", path = path.display())]
    Malformed { path: PathBuf, line: u64, reason: String },
}

impl Coded for RecordingError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "SW-WIRE-002",
            Self::Malformed { .. } => "SW-WIRE-003",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Unreadable { .. } => "Check the path and its permissions; `-` is standard input.".into(),
            Self::Malformed { .. } => {
                "A line is {\"from\":\"initiator\",\"bytes\":\"HEX\"}, or from the responder. For raw bytes of one direction add \
                 --side initiator or --side responder."
                    .into()
            }
        }
    }
}

impl From<RecordingError> for Failure {
    fn from(error: RecordingError) -> Self {
        Self::of(&error)
    }
}

/// A line of a recording.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    from: Sender,
    bytes: String,
    /// What somebody took it for; not looked at.
    #[serde(default, rename = "message")]
    _message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sender {
    Initiator,
    Responder,
}

/// A frame as JSON has it: numbered, and its only reading unless there are several.
#[derive(Serialize)]
struct Numbered<'a> {
    frame: u64,
    #[serde(flatten)]
    content: &'a Frame,
}

/// Says each frame, and counts them.
struct Output {
    json: bool,
    frames: u64,
    /// How printing ended, if it did before the frames.
    ended: Option<Result<(), Failure>>,
}

impl Output {
    fn frame(&mut self, frame: &Frame) {
        if self.ended.is_some() {
            return;
        }
        self.frames += 1;
        let text = match self.json {
            true => {
                let numbered = Numbered { frame: self.frames, content: frame };
                serde_json::to_string(&numbered).unwrap_or_default() // plain fields: they always encode
            }
            false => frame.to_string(),
        };
        self.ended = match say(&text) {
            Ok(Reader::There) => None,
            Ok(Reader::Gone) => Some(Ok(())),
            Err(failure) => Some(Err(failure)),
        };
    }

    fn violation(&self, deviation: &Deviation) -> Answer {
        let text = format!("violation[{}]: {deviation}\n  next: {}", deviation.code(), deviation.next_step());
        let json = json!({ "frames": self.frames, "violation": deviation, "next_step": deviation.next_step() });
        Answer { text, json, failed: true }
    }

    fn end(&self, end: &End) -> Answer {
        let text = format!("{} frames: {end}", self.frames);
        let mut json = serde_json::to_value(end).unwrap_or_default();
        if let Some(object) = json.as_object_mut() {
            object.insert("frames".into(), self.frames.into());
        }
        Answer { text, json, failed: false }
    }
}

fn decode(args: &DecodeArgs, json: bool) -> Result<Answer, Failure> {
    let entry = protocol::find(&args.protocol)?;
    let path = &args.from;
    let unreadable = |reason| RecordingError::Unreadable { path: path.clone(), reason };
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(unreadable)?)
    };
    let mut output = Output { json, frames: 0, ended: None };
    let answer = match args.side {
        Some(side) => {
            let one = One::new(entry.name, entry.version, entry.initiator(), side.into(), !args.no_header);
            direction(input, one, &mut output).map_err(|reason| unreadable(reason).into())
        }
        None => {
            let both = Both::new(entry.name, entry.version, entry.initiator(), !args.no_header);
            recording(BufReader::new(input), both, &mut output, path).map_err(Failure::from)
        }
    };
    match output.ended {
        None => answer,
        Some(ended) => ended.map(|()| Answer { text: String::new(), json: json!({}), failed: false }),
    }
}

/// Raw bytes of one direction.
fn direction(mut input: impl Read, mut one: One, output: &mut Output) -> Result<Answer, io::Error> {
    let mut piece = vec![0; PROOF_CHUNK_BYTES];
    while output.ended.is_none() {
        let n = match input.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if n == 0 {
            break;
        }
        one.push(piece.get(..n).unwrap_or_default());
        loop {
            match one.next() {
                Ok(Some(frame)) => output.frame(&frame),
                Ok(None) => break,
                Err(deviation) => return Ok(output.violation(&deviation)),
            }
        }
    }
    let (rest, end) = one.finish();
    rest.iter().for_each(|frame| output.frame(frame));
    Ok(output.end(&end))
}

/// Lines of JSON, of both directions.
fn recording(
    mut input: impl BufRead,
    mut both: Both,
    output: &mut Output,
    path: &Path,
) -> Result<Answer, RecordingError> {
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        let malformed = |reason: String| RecordingError::Malformed { path: path.to_owned(), line: number, reason };
        let read = input.by_ref().take(MAX_LINE_BYTES).read_line(&mut line);
        let read = read.map_err(|reason| match reason.kind() {
            io::ErrorKind::InvalidData => malformed("it is no text".to_owned()),
            _ => RecordingError::Unreadable { path: path.to_owned(), reason },
        })?;
        if read == 0 || output.ended.is_some() {
            break;
        }
        if read as u64 == MAX_LINE_BYTES && !line.ends_with('\n') {
            return Err(malformed(format!("it is longer than {MAX_LINE_BYTES} bytes")));
        }
        if line.trim().is_empty() {
            continue;
        }
        // Some editors put a byte order mark before the first line.
        let text = line.strip_prefix('\u{feff}').filter(|_| number == 1).unwrap_or(&line);
        let piece: Line = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let bytes = hex::decode(&piece.bytes).map_err(|error| malformed(error.to_string()))?;
        both.push(
            match piece.from {
                Sender::Initiator => Speaker::Initiator,
                Sender::Responder => Speaker::Responder,
            },
            &bytes,
        );
        loop {
            match both.next() {
                Ok(Some(frame)) => output.frame(&frame),
                Ok(None) => break,
                Err(deviation) => return Ok(output.violation(&deviation)),
            }
        }
    }
    Ok(output.end(&both.end()))
}
