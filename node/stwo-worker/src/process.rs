//! What this process asks of the system: output of events, memory limit, lifeline, resource use, the proof file.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use serde_json::json;

use crate::error::Error;

/// An event on standard output, one JSON object a line.
pub(crate) enum Event {
    /// The witness is read and well formed.
    Loaded { steps: u64, cells: u64 },
    /// The prover has its input. There is no further event until it ends.
    Proving { log_domain: u32 },
    /// The proof is in its place.
    Done { proof_bytes: u64, usage: Used },
    /// Of this witness there is no proof: a code, and why.
    Refused { code: &'static str, reason: String },
}

/// Writes an event. A closed pipe doesn't stop proving: that is for the lifeline to decide.
pub(crate) fn emit(event: &Event) {
    let object = match event {
        Event::Loaded { steps, cells } => json!({"event": "loaded", "steps": steps, "cells": cells}),
        Event::Refused { code, reason } => {
            json!({"event": "refused", "code": code, "reason": cut(reason)})
        }
        Event::Proving { log_domain } => json!({"event": "proving", "log_domain": log_domain}),
        Event::Done { proof_bytes, usage } => json!({
            "event": "done",
            "proof_bytes": proof_bytes,
            "prove_s": round(usage.wall_s),
            "cpu_s": round(usage.cpu_s),
            "peak_bytes": usage.peak_bytes,
        }),
    };
    print_line(&object.to_string());
}

/// A reason that fits into an event's line, however its characters are escaped.
fn cut(reason: &str) -> String {
    const MAX_REASON_CHARS: usize = 500;
    reason.chars().take(MAX_REASON_CHARS).collect()
}

/// Writes one line to standard output and flushes it.
pub(crate) fn print_line(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// Makes the system refuse this process more than `bytes` of data memory.
///
/// `RLIMIT_DATA` counts writable private memory. Unlike with `RLIMIT_AS`, reserved address space costs nothing.
pub(crate) fn limit_memory(bytes: u64) -> Result<(), Error> {
    let refused = |e: nix::Error| Error::MemoryLimit { bytes, reason: e.to_string() };
    let (_, hard) = getrlimit(Resource::RLIMIT_DATA).map_err(refused)?;
    let limit = bytes.min(hard);
    setrlimit(Resource::RLIMIT_DATA, limit, limit).map_err(refused)
}

/// Writes an error to standard error. The process that started this one may be gone, and the pipe's other end with
/// it. Then the message is lost, which must not keep this process from ending.
pub(crate) fn complain(error: &str, code: &str) {
    let _ = writeln!(std::io::stderr(), "error: {error} [{code}]");
}

/// Ends the process when standard input closes.
pub(crate) fn end_with_stdin() {
    std::thread::spawn(|| {
        let mut ignored = [0u8; 256];
        let mut stdin = std::io::stdin().lock();
        loop {
            match stdin.read(&mut ignored) {
                Ok(0) => break,
                Err(e) if e.kind() != std::io::ErrorKind::Interrupted => break,
                _ => {}
            }
        }
        complain("standard input closed, so what started this job is gone", "SW-WORKER-009");
        std::process::exit(1);
    });
}

/// Writes a file so that it is there whole or not at all, and returns its length.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<u64, Error> {
    let partial = partial_path(path);
    let write = || {
        let mut file = File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    };
    match write() {
        Ok(()) => Ok(bytes.len() as u64),
        Err(source) => {
            let _ = std::fs::remove_file(&partial);
            Err(Error::Unwritable { path: path.to_owned(), source })
        }
    }
}

fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Resource use since the work began.
pub(crate) struct Usage {
    started: Instant,
}

/// What the job used.
pub(crate) struct Used {
    wall_s: f64,
    cpu_s: f64,
    peak_bytes: u64,
}

impl Usage {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    pub(crate) fn stop(self) -> Used {
        let wall_s = self.started.elapsed().as_secs_f64();
        // Zero if this fails: the figures are for people, and no reason to fail a proof.
        let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
            return Used { wall_s, cpu_s: 0.0, peak_bytes: 0 };
        };
        let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
        // Linux counts in KiB, macOS in bytes.
        let unit = if cfg!(target_os = "linux") { 1024 } else { 1 };
        Used {
            wall_s,
            cpu_s: seconds(usage.user_time()) + seconds(usage.system_time()),
            peak_bytes: u64::try_from(usage.max_rss()).unwrap_or(0) * unit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proof_file_replaces_an_older_one_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.proof");
        std::fs::write(&path, b"old").unwrap();
        assert_eq!(write_whole(&path, b"new proof").unwrap(), 9);
        assert_eq!(std::fs::read(&path).unwrap(), b"new proof");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn unwritable_place_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("missing").join("p.proof");
        let error = write_whole(&path, b"x").unwrap_err();
        assert_eq!(error.code(), "SW-WORKER-006");
        assert!(error.to_string().starts_with("can't write the proof "), "{error}");
    }
}
