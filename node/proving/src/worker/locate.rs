//! Finds the prover worker, and makes sure that it is one.
//!
//! In this order: `SHARDWIRE_STWO_WORKER`, beside the running executable, on `PATH`, and in a checkout the one that was built there. The first that
//! exists is taken; if it is no worker for this node, that is an error rather than a reason to take another one silently. Nothing is built here:
//! the error names the command that does that.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde::Deserialize;
use shardwire_model::Coded;

use super::event::printable;
use super::group::Group;

/// The contract between node and worker that this node speaks.
pub const INTERFACE: &str = "shardwire-prover/1";
/// The variable that names the worker.
const VARIABLE: &str = "SHARDWIRE_STWO_WORKER";
/// The program's name.
const PROGRAM: &str = "stwo-worker";
/// Where a checkout has the worker's sources, and cargo what it makes of them; `shardwire-worker-build` puts it there.
const SOURCES: &str = "node/stwo-worker";
/// How long a worker may take to say what it is.
const VERSION_TIME: Duration = Duration::from_secs(20);
/// Longest answer to that question, in bytes.
const MAX_VERSION_BYTES: u64 = 16 * 1024;

/// A worker that was asked what it is and speaks this node's contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    path: PathBuf,
    name: String,
    version: String,
}

impl Worker {
    /// The program.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it calls itself, for logs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its own version, for logs.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether its file is there still.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.path.is_file()
    }

    /// Asks the program at `path` what it is. Blocks for up to 20 s.
    ///
    /// # Errors
    /// [`LocateError::NoWorker`] if it doesn't answer as a worker does, [`LocateError::Stale`] if it speaks another interface.
    pub fn at(path: &Path) -> Result<Self, LocateError> {
        let described = describe(path, VERSION_TIME)?;
        if described.interface != INTERFACE {
            return Err(LocateError::Stale { path: path.to_owned(), interface: described.interface });
        }
        Ok(Self { path: path.to_owned(), name: described.worker, version: described.version })
    }
}

/// What `version --json` says; other fields are for people.
#[derive(Deserialize)]
struct Described {
    worker: String,
    version: String,
    interface: String,
}

/// No worker to prove with.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// None of the places has one.
    #[error("there is no prover worker")]
    Missing,
    /// The variable names a file that isn't there.
    #[error("{VARIABLE} names {}, and there is no such file", path.display())]
    Named {
        /// The file's path.
        path: PathBuf,
    },
    /// A program that isn't a worker.
    #[error("{} is no prover worker: {reason}", path.display())]
    NoWorker {
        /// The program.
        path: PathBuf,
        /// What it did when asked.
        reason: String,
    },
    /// A worker of another release.
    #[error("the prover worker {} speaks {interface}, and this node speaks {INTERFACE}", path.display())]
    Stale {
        /// The program.
        path: PathBuf,
        /// The interface that the worker says it has.
        interface: String,
    },
}

impl Coded for LocateError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "SW-WORKER-101",
            Self::Named { .. } => "SW-WORKER-102",
            Self::NoWorker { .. } => "SW-WORKER-103",
            Self::Stale { .. } => "SW-WORKER-104",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Missing => format!(
                "Put {PROGRAM} beside this program or on PATH, or set {VARIABLE}; in a checkout \
                 `cargo run --release -p shardwire-worker-build` builds it."
            ),
            Self::Named { .. } => format!("Correct {VARIABLE}, or unset it to look in the usual places."),
            Self::NoWorker { .. } => {
                format!(
                    "Name a worker instead: by `worker.path` (--worker) if that named this one, else by {VARIABLE}; docs/prover-worker.md says what one is."
                )
            }
            Self::Stale { .. } => {
                "Install the worker of this node's release, or build it again from the same checkout.".into()
            }
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Missing | Self::Named { .. } => "there is no prover worker".into(),
            Self::NoWorker { .. } => "what is named as the prover worker is none".into(),
            Self::Stale { interface, .. } => {
                format!("the prover worker speaks {interface}, and this node speaks {INTERFACE}")
            }
        }
    }
}

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct WorkerPaths {
    /// The file that `SHARDWIRE_STWO_WORKER` names.
    pub named: Option<PathBuf>,
    /// The folder of the running executable.
    pub beside: Option<PathBuf>,
    /// The search path, as `PATH` has it.
    pub path: Option<OsString>,
    /// Where the checkout's worker lies once it is built.
    pub built: Option<PathBuf>,
}

impl WorkerPaths {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let executable = std::env::current_exe().ok();
        Self {
            named: std::env::var_os(VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from),
            beside: executable.as_deref().and_then(Path::parent).map(Path::to_owned),
            path: std::env::var_os("PATH"),
            built: built(),
        }
    }
}

/// Where the worker of the checkout that this was compiled in lies once it is built, else that of the checkout around the current folder.
fn built() -> Option<PathBuf> {
    let compiled_in = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned);
    let current = std::env::current_dir().ok();
    let around = current.iter().flat_map(|folder| folder.ancestors()).map(Path::to_owned);
    let sources = compiled_in.into_iter().chain(around).map(|folder| folder.join(SOURCES));
    let sources = sources.into_iter().find(|sources| sources.join("Cargo.toml").is_file())?;
    let target = match std::env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) {
        Some(shared) => std::path::absolute(shared).ok()?.join(PROGRAM),
        None => sources.join("target"),
    };
    Some(target.join("release").join(format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX)))
}

/// Finds the worker.
///
/// Blocks for up to 20 s: ask before the runtime starts, or on a thread for such things.
///
/// # Errors
/// [`LocateError::Missing`] if there is none, [`LocateError::Named`] if the variable names no file; [`LocateError::NoWorker`] and
/// [`LocateError::Stale`] if what was found isn't one for this node.
pub fn locate() -> Result<Worker, LocateError> {
    locate_in(&WorkerPaths::of_process())
}

/// [`locate`] with the places given.
///
/// # Errors
/// Those of [`locate`].
pub fn locate_in(places: &WorkerPaths) -> Result<Worker, LocateError> {
    if let Some(path) = &places.named {
        if !path.is_file() {
            return Err(LocateError::Named { path: path.clone() });
        }
        return Worker::at(path);
    }
    let program = format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
    let on_path = places.path.iter().flat_map(std::env::split_paths);
    let folders = places.beside.iter().cloned().chain(on_path).map(|folder| folder.join(&program));
    let mut candidates = folders.chain(places.built.clone());
    Worker::at(&candidates.find(|path| path.is_file()).ok_or(LocateError::Missing)?)
}

fn describe(path: &Path, within: Duration) -> Result<Described, LocateError> {
    let refuse = |reason: String| LocateError::NoWorker { path: path.to_owned(), reason };
    let mut command = Command::new(path);
    command.args(["version", "--json"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    Group::of_its_own(&mut command);
    let mut child = command.spawn().map_err(|e| refuse(format!("it can't be started: {e}")))?;
    let group = Group::led_by(Some(child.id()));
    let Some(stdout) = child.stdout.take() else { return Err(refuse("it has no output".into())) };
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut answer = Vec::new();
        let read = stdout.take(MAX_VERSION_BYTES).read_to_end(&mut answer);
        let _ = tell.send(read.map(|_| answer));
    });
    let answer = told.recv_timeout(within);
    // It has answered, or it won't: either way it is asked no more. The thread ends with the pipe, which nobody holds then.
    drop(group);
    let _ = child.kill();
    let _ = child.wait();
    let answer = match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(refuse(format!("its answer can't be read: {error}"))),
        Err(_) => {
            return Err(refuse(format!("asked for its version, it didn't answer within {} s", within.as_secs())));
        }
    };
    serde_json::from_slice(&answer)
        .map_err(|_| refuse(format!("asked for its version, it answered '{}'", printable(&answer, 80))))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::{fs, thread::yield_now};

    /// Whether a process runs. One that has ended and wasn't waited for yet doesn't.
    fn runs(pid: &str) -> bool {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('Z')))
    }

    /// A fixed bug: the worker alone was ended, so what it had started stayed, and a thread that read from it: once a minute, for as long as the worker hung.
    #[test]
    fn a_worker_that_hangs_is_ended_with_all_that_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let (worker, pid) = (folder.path().join("worker"), folder.path().join("worker.pid"));
        let hangs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workers/hangs");
        std::os::unix::fs::symlink(hangs, &worker).unwrap();
        let mut within = Duration::from_secs(1);
        let started = loop {
            let error = describe(&worker, within).err().expect("it doesn't answer").to_string();
            assert!(error.contains("asked for its version, it didn't answer within"), "{error}");
            match fs::read_to_string(&pid) {
                Ok(started) if started.ends_with('\n') => break started,
                // The machine was too busy for it to begin.
                _ => within *= 2,
            }
        };
        while runs(started.trim()) {
            yield_now();
        }
    }
}
