//! Runs one job in one process until it ends.
//!
//! It waits for four things at once: what the process reports, its end, the deadline, and cancellation. Whichever
//! comes first, the process is gone when [`prove`] returns, with all of its [group](super::group), and a failed job leaves no file.

use shardwire_model::MAX_PROOF_BYTES;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};

use super::event::{Events, printable};
use super::group::Group;
use super::{ProveError, Worker, WorkerEvent};

/// The bytes of a worker's standard error that are kept: its last lines, for the error's text.
const MAX_STDERR_BYTES: usize = 4096;
/// The longest reason in an error, in characters.
const MAX_REASON_CHARS: usize = 600;
/// How long a worker's pipes may stay open after its end (a process that it started may hold them).
const DRAIN: Duration = Duration::from_secs(2);
/// Bytes read from a pipe at once.
const READ_BYTES: usize = 4096;
/// The beginning of the message that Rust's runtime prints when memory is refused, before it ends the process with
/// SIGABRT.
const OUT_OF_MEMORY: &str = "memory allocation of";
const SIGABRT: i32 = 6;
/// The code of a refusal that is none: the prover's library failed at the witness, by a panic say. That may be this machine's memory or threads as well.
const PROVER_FAILED: &str = "SW-WORKER-005";

/// A job for a worker.
#[derive(Clone, Debug)]
pub struct ProveRequest {
    /// The witness file.
    pub witness: PathBuf,
    /// The proof's file. An existing one is replaced.
    pub proof: PathBuf,
    /// The most bytes of memory that the worker may use.
    pub memory_limit: u64,
    /// How long the worker may take.
    pub time_limit: Duration,
    /// Threads to prove with; `None` means one a core.
    pub threads: Option<u16>,
}

/// A job that ended with a proof file. It isn't verified yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proved {
    /// The proof's length, in bytes.
    pub proof_bytes: u64,
    /// Seconds it took, including reading the witness.
    pub prove_s: f64,
    /// Seconds of CPU it took.
    pub cpu_s: f64,
    /// The most memory it used at once, in bytes.
    pub peak_bytes: u64,
}

/// Proves one witness in a process of its own.
///
/// `cancelled` ends the job when it completes (pass [`pending`](std::future::pending) for never), and so does
/// dropping the returned future. `on_event` is called for each event between waits, and must not block.
///
/// # Errors
/// [`ProveError::Start`] if the process can't be started; [`ProveError::Refused`], [`ProveError::Broke`], [`ProveError::Failed`], [`ProveError::Misuse`], [`ProveError::Memory`], [`ProveError::Killed`],
/// [`ProveError::TimedOut`] or [`ProveError::Cancelled`] by how it ended; [`ProveError::BadOutput`], [`ProveError::NoProof`] or [`ProveError::TooLarge`] if it ended well and gave no
/// proof; [`ProveError::Io`] if a file or a pipe fails here. No proof file is left then.
pub async fn prove(
    worker: &Worker,
    request: &ProveRequest,
    cancelled: impl Future<Output = ()>,
    mut on_event: impl FnMut(&WorkerEvent),
) -> Result<Proved, ProveError> {
    // An earlier try's proof must not be taken for this one's.
    remove(&request.proof).map_err(|source| ProveError::Io { what: "remove an earlier proof", source })?;
    let result = attempt(worker, request, cancelled, &mut on_event).await;
    if result.is_err() {
        let _ = remove(&request.proof);
        let _ = remove(&partial(&request.proof));
    }
    result
}

async fn attempt(
    worker: &Worker,
    request: &ProveRequest,
    cancelled: impl Future<Output = ()>,
    on_event: &mut impl FnMut(&WorkerEvent),
) -> Result<Proved, ProveError> {
    let mut child = start(worker, request)?;
    // Ended before the child is let go of, however this ends.
    let group = Group::led_by(child.id());
    // Its standard input is the lifeline. It is taken out, because `Child::wait` would close it.
    let _lifeline = child.stdin.take();
    let mut session = Session::default();
    let watched = session.watch(&mut child, request, cancelled, on_event).await;
    drop(group);
    // Killing a process that has ended does nothing.
    let killed = child.kill().await;
    let status = watched?;
    killed.map_err(|source| ProveError::Io { what: "end the prover worker", source })?;
    session.judge(status, request)?;
    let done = session.done.ok_or_else(|| bad("it ended without a 'done' event"))?;
    check_proof(&request.proof, done.proof_bytes)?;
    Ok(done)
}

fn start(worker: &Worker, request: &ProveRequest) -> Result<Child, ProveError> {
    let mut command = Command::new(worker.path());
    command.arg("prove").arg("--witness").arg(&request.witness).arg("--proof").arg(&request.proof);
    command.arg("--memory-limit").arg(request.memory_limit.to_string()).arg("--lifeline");
    if let Some(threads) = request.threads {
        command.arg("--threads").arg(threads.to_string());
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // A backtrace would push the reason out of the tail that is kept.
    command.env("RUST_BACKTRACE", "0");
    Group::of_its_own(command.as_std_mut());
    command.spawn().map_err(|source| ProveError::Start { worker: worker.path().to_owned(), source })
}

/// What a process has reported so far.
#[derive(Default)]
struct Session {
    events: Events,
    done: Option<Proved>,
    /// Code and words of its refusal.
    refused: Option<(String, String)>,
    stderr: Vec<u8>,
}

impl Session {
    /// Reads until the process has ended and its pipes are closed.
    async fn watch(
        &mut self,
        child: &mut Child,
        request: &ProveRequest,
        cancelled: impl Future<Output = ()>,
        on_event: &mut impl FnMut(&WorkerEvent),
    ) -> Result<ExitStatus, ProveError> {
        let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
        let (mut read_out, mut read_err) = ([0; READ_BYTES], [0; READ_BYTES]);
        let mut until = Instant::now() + request.time_limit;
        let mut status = None;
        tokio::pin!(cancelled);
        while status.is_none() || stdout.is_some() || stderr.is_some() {
            tokio::select! {
                biased;
                () = &mut cancelled => return Err(ProveError::Cancelled),
                () = sleep_until(until) => match status {
                    // A process that it started holds the pipes; its own output was in them before it ended.
                    Some(_) => break,
                    None => return Err(ProveError::TimedOut { limit: request.time_limit }),
                },
                read = read_open(&mut stdout, &mut read_out) => {
                    let bytes = read.map_err(|source| ProveError::Io { what: "read the worker's events", source })?;
                    let (done, refused) = (&mut self.done, &mut self.refused);
                    let heard = self.events.push(bytes, |event| {
                        match &event {
                            WorkerEvent::Done { proof_bytes, prove_s, cpu_s, peak_bytes } => {
                                let (proof_bytes, prove_s) = (*proof_bytes, *prove_s);
                                let (cpu_s, peak_bytes) = (*cpu_s, *peak_bytes);
                                *done = Some(Proved { proof_bytes, prove_s, cpu_s, peak_bytes });
                            }
                            WorkerEvent::Refused { code, reason } => *refused = Some((code.clone(), reason.clone())),
                            WorkerEvent::Loaded { .. } | WorkerEvent::Proving | WorkerEvent::Other => {}
                        }
                        on_event(&event);
                    });
                    heard.map_err(bad)?;
                }
                read = read_open(&mut stderr, &mut read_err) => {
                    let bytes = read.map_err(|source| ProveError::Io { what: "read the worker's errors", source })?;
                    self.keep(bytes);
                }
                ended = child.wait(), if status.is_none() => {
                    let ended = ended.map_err(|source| ProveError::Io { what: "wait for the worker", source })?;
                    status = Some(ended);
                    until = Instant::now() + DRAIN;
                }
            }
        }
        status.ok_or(ProveError::Cancelled)
    }

    /// Keeps the last bytes of standard error.
    fn keep(&mut self, bytes: &[u8]) {
        self.stderr.extend_from_slice(bytes);
        let excess = self.stderr.len().saturating_sub(MAX_STDERR_BYTES);
        self.stderr.drain(..excess);
    }

    fn reason(&self) -> String {
        let text = printable(&self.stderr, MAX_STDERR_BYTES);
        let skipped = text.chars().count().saturating_sub(MAX_REASON_CHARS);
        let reason: String = text.chars().skip(skipped).collect();
        if reason.is_empty() { "it gave no reason".into() } else { reason }
    }

    /// Turns the way it ended into a result.
    fn judge(&self, status: ExitStatus, request: &ProveRequest) -> Result<(), ProveError> {
        if let Some(signal) = signal_of(status) {
            if signal == SIGABRT && String::from_utf8_lossy(&self.stderr).contains(OUT_OF_MEMORY) {
                return Err(ProveError::Memory { limit: request.memory_limit });
            }
            return Err(ProveError::Killed { signal, reason: self.reason() });
        }
        match (status.code(), &self.refused) {
            (Some(0), Some(_)) => Err(bad("it refused the witness and ended as if it had proven it")),
            (Some(0), None) => self.events.end().map_err(bad),
            (Some(1), Some((code, reason))) if code == PROVER_FAILED => {
                Err(ProveError::Broke { reason: reason.clone() })
            }
            (Some(1), Some((code, reason))) => Err(ProveError::Refused { code: code.clone(), reason: reason.clone() }),
            (Some(2), _) => Err(ProveError::Misuse { reason: self.reason() }),
            _ => Err(ProveError::Failed { reason: self.reason() }),
        }
    }
}

/// Reads from a pipe until it closes; a closed one is never ready.
async fn read_open<'b, R: AsyncRead + Unpin>(pipe: &mut Option<R>, buffer: &'b mut [u8]) -> std::io::Result<&'b [u8]> {
    let Some(open) = pipe else { return std::future::pending().await };
    let n = open.read(buffer).await?;
    if n == 0 {
        *pipe = None;
    }
    Ok(buffer.get(..n).unwrap_or_default())
}

/// Checks that the proof is there, has the reported size, and isn't larger than a verifier accepts.
fn check_proof(path: &Path, reported: u64) -> Result<(), ProveError> {
    let bytes = match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() => meta.len(),
        Ok(_) => return Err(ProveError::NoProof),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(ProveError::NoProof),
        Err(source) => return Err(ProveError::Io { what: "look at the proof", source }),
    };
    if bytes > u64::from(MAX_PROOF_BYTES) {
        return Err(ProveError::TooLarge { bytes });
    }
    if bytes != reported {
        return Err(bad(format!("it reported a proof of {reported} bytes and wrote {bytes}")));
    }
    Ok(())
}

fn bad(what: impl Into<String>) -> ProveError {
    ProveError::BadOutput { what: what.into() }
}

/// The file that a worker writes before it renames it.
fn partial(proof: &Path) -> PathBuf {
    let mut name = proof.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Removes what is in the place of a proof, whatever it is.
fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(_) if path.is_dir() => std::fs::remove_dir_all(path),
        removed => removed,
    }
}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}
