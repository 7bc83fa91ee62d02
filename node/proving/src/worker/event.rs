//! The events that a worker writes to its standard output: one JSON object a line.

use serde_json::Value;
use shardwire_model::{MAX_CODE, MAX_REASON, plain::plain};

/// The longest line of a worker, in bytes. Its events have about a hundred.
pub const MAX_LINE_BYTES: usize = 4096;
/// The most lines of a worker. Ours writes three; another may report its stages.
pub const MAX_EVENTS: usize = 10_000;

/// An event of a worker. Events with other names belong to other versions and are skipped.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerEvent {
    /// The witness is read and well formed.
    Loaded {
        /// Steps of the run.
        steps: u64,
    },
    /// Proving began. There is no further event until it is done.
    Proving,
    /// The proof is in its place.
    Done {
        /// The proof's length, in bytes.
        proof_bytes: u64,
        /// Seconds it took.
        prove_s: f64,
        /// Seconds of CPU it took.
        cpu_s: f64,
        /// The most memory it used at once, in bytes.
        peak_bytes: u64,
    },
    /// Of this witness there is no proof. The worker ends after it, with exit code 1.
    Refused {
        /// A stable code of the worker's.
        code: String,
        /// Why, in words.
        reason: String,
    },
    /// An event of another version.
    Other,
}

/// Parses a stream of bytes into events.
#[derive(Default)]
pub(super) struct Events {
    line: Vec<u8>,
    seen: usize,
}

/// Why output isn't a worker's.
pub(super) type Junk = String;

impl Events {
    /// Takes bytes and passes the event of each whole line to `found`.
    pub(super) fn push(&mut self, bytes: &[u8], mut found: impl FnMut(WorkerEvent)) -> Result<(), Junk> {
        for byte in bytes {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                if !line.trim_ascii().is_empty() {
                    found(self.parse(&line)?);
                }
            } else if self.line.len() < MAX_LINE_BYTES {
                self.line.push(*byte);
            } else {
                return Err(format!("a line of more than {MAX_LINE_BYTES} bytes"));
            }
        }
        Ok(())
    }

    /// Ends the stream: nothing may be left over.
    pub(super) fn end(&self) -> Result<(), Junk> {
        if self.line.trim_ascii().is_empty() { Ok(()) } else { Err("it ends within a line".into()) }
    }

    fn parse(&mut self, line: &[u8]) -> Result<WorkerEvent, Junk> {
        self.seen += 1;
        if self.seen > MAX_EVENTS {
            return Err(format!("more than {MAX_EVENTS} lines"));
        }
        event(line).ok_or_else(|| format!("the line '{}'", printable(line, 80)))
    }
}

/// Parsed into a `Value` first, because serde's tagged enums lose numbers when another crate turns on serde_json's
/// arbitrary precision.
fn event(line: &[u8]) -> Option<WorkerEvent> {
    let object: Value = serde_json::from_slice(line).ok()?;
    let whole = |name| object.get(name).and_then(Value::as_u64);
    let words = |name, most| Some(printable(object.get(name)?.as_str()?.as_bytes(), most));
    let seconds = |name| object.get(name).and_then(Value::as_f64).filter(|s| s.is_finite() && *s >= 0.0);
    Some(match object.get("event")?.as_str()? {
        "loaded" => WorkerEvent::Loaded { steps: whole("steps")? },
        "proving" => WorkerEvent::Proving,
        "done" => WorkerEvent::Done {
            proof_bytes: whole("proof_bytes")?,
            prove_s: seconds("prove_s")?,
            cpu_s: seconds("cpu_s")?,
            peak_bytes: whole("peak_bytes")?,
        },
        "refused" => WorkerEvent::Refused { code: words("code", MAX_CODE)?, reason: words("reason", MAX_REASON)? },
        _ => WorkerEvent::Other,
    })
}

/// Bytes as one line of at most `max` characters, without control sequences for a terminal.
pub(super) fn printable(bytes: &[u8], max: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    plain(text.trim()).chars().take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&[u8]]) -> Result<Vec<WorkerEvent>, Junk> {
        let mut events = Events::default();
        let mut found = Vec::new();
        for chunk in chunks {
            events.push(chunk, |event| found.push(event))?;
        }
        events.end()?;
        Ok(found)
    }

    #[test]
    fn events_arrive_in_any_pieces() {
        let text = br#"{"event":"loaded","steps":7,"cells":9}
{"event":"stage","name":"fri"}

{"event":"proving","log_domain":22}
{"event":"done","proof_bytes":3,"prove_s":1.5,"cpu_s":2,"peak_bytes":4}
"#;
        let expected = [
            WorkerEvent::Loaded { steps: 7 },
            WorkerEvent::Other,
            WorkerEvent::Proving,
            WorkerEvent::Done { proof_bytes: 3, prove_s: 1.5, cpu_s: 2.0, peak_bytes: 4 },
        ];
        assert_eq!(all(&[text]).unwrap(), expected);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(all(&bytes).unwrap(), expected);
    }

    #[test]
    fn a_refusal_has_a_code_and_words() {
        let refused = WorkerEvent::Refused { code: "SW-W-1".into(), reason: "too  long".into() };
        assert_eq!(
            all(&[b"{\"event\":\"refused\",\"code\":\"SW-W-1\",\"reason\":\"too\\n long\"}\n"]).unwrap(),
            [refused]
        );
        assert!(all(&[b"{\"event\":\"refused\"}\n"]).is_err());
    }

    #[test]
    fn junk_is_bounded_and_named() {
        assert_eq!(all(&[b"proving \x1b[31m now\n"]).unwrap_err(), "the line 'proving  [31m now'");
        assert_eq!(all(&[b"{\"event\":\"done\"}\n"]).unwrap_err(), "the line '{\"event\":\"done\"}'");
        assert_eq!(all(&[b"{\"event\":"]).unwrap_err(), "it ends within a line");
        assert_eq!(all(&[&[b'x'; 5000]]).unwrap_err(), "a line of more than 4096 bytes");
        let many = b"{\"event\":\"x\"}\n".repeat(MAX_EVENTS + 1);
        assert_eq!(all(&[&many]).unwrap_err(), "more than 10000 lines");
    }
}
