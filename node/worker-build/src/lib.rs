//! Builds the proving worker in a checkout, for people, testnet, the benches and CI.
//!
//! A node never runs cargo: it finds a worker that is there already (`shardwire_proving::worker::locate`). This room is for those who
//! build from source. [`build`] makes the worker in release and tells where it lies; cargo decides what there is to do, unless the
//! sources are those of the last build: their digest lies beside the binary, and a build that has nothing to do costs a few
//! milliseconds. [`cargo`] is how any program that cargo started starts cargo again.
//!
//! It refuses registry sources that aren't the published ones (`vendor.rs`).
//!
//! Bounds: [`MAX_FILES`] sources, [`LAST_LINES`] of cargo's output in an error. Builds take turns by a lock on a file; how long one takes is up to cargo.
#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "building is reading and writing files; no node does it"
)]

mod vendor;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};
use shardwire_model::Coded;

/// The worker's program.
const PROGRAM: &str = "stwo-worker";
/// The worker's folder in a checkout.
const WORKER: &str = "node/stwo-worker";
/// What else its binary depends on, besides `src`.
const MANIFESTS: [&str; 3] = ["Cargo.toml", "Cargo.lock", ".cargo/config.toml"];
/// How many of cargo's last lines are kept for an error.
pub const LAST_LINES: usize = 30;
/// Most files under the worker's `src`: a bound on a walk, far above what is there.
pub const MAX_FILES: usize = 1000;

/// A worker that couldn't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Cargo can't be started.
    #[error("can't start cargo: {source}")]
    Cargo {
        /// The system's error.
        source: io::Error,
    },
    /// Cargo failed.
    #[error("{what} failed: {reason}")]
    Failed {
        /// The command that failed, for people.
        what: &'static str,
        /// Its last lines.
        reason: String,
    },
    /// Sources that aren't the published ones.
    #[error("{} isn't what was published: its digest is {found}", path.display())]
    Altered {
        /// The folder.
        path: PathBuf,
        /// The digest of what is there, in hex.
        found: String,
    },
    /// A file or folder failed.
    #[error("can't {what} {}: {source}", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// The path that was to be written.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl Coded for BuildError {
    fn code(&self) -> &'static str {
        match self {
            Self::Cargo { .. } => "SW-BUILD-001",
            Self::Failed { .. } => "SW-BUILD-002",
            Self::Altered { .. } => "SW-BUILD-003",
            Self::Io { .. } => "SW-BUILD-004",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Cargo { .. } => {
                "Install Rust (rustup), or set SHARDWIRE_STWO_WORKER to a worker that is built.".into()
            }
            Self::Failed { .. } => {
                "Run `cargo run --release -p shardwire-worker-build` in the checkout to see the whole output.".into()
            }
            Self::Altered { path, .. } => {
                format!("Remove {} and let cargo fetch it again.", path.display())
            }
            Self::Io { .. } => "Check free space and who may write in the checkout, then try again.".into(),
        }
    }
}

/// Builds the worker of this checkout, in release, and returns its path. Tells `say` what it does, line by line.
///
/// Blocks for as long as it takes: some minutes the first time. Two processes at once take turns.
///
/// # Errors
/// [`BuildError::Cargo`] if cargo can't be started, [`BuildError::Failed`] if it fails, [`BuildError::Altered`] if the registry's sources
/// aren't the published ones, [`BuildError::Io`] if a file can't be read or written.
pub fn build(checkout: &Path, say: &mut dyn FnMut(&str)) -> Result<PathBuf, BuildError> {
    let worker = checkout.join(WORKER);
    let target = target_folder(&worker)?;
    let binary = place(checkout)?;
    let stamp = target.join("release").join("stwo-worker.sources");
    // Always in this order. The first guards the vendored copy, the second the binary and what is written beside it.
    let _vendor = lock(&worker.join("vendor"), say)?;
    let _target = lock(&target, say)?;
    let sources =
        sources_digest(&worker).map_err(|source| BuildError::Io { what: "read", path: worker.clone(), source })?;
    if binary.is_file() && fs::read_to_string(&stamp).is_ok_and(|last| last == sources) {
        return Ok(binary);
    }
    say("building the prover worker in release: some minutes the first time, nothing afterwards");
    vendor::ensure(checkout, &worker)?;
    run_cargo(&worker, &target, say)?;
    let written = fs::write(&stamp, sources);
    written.map_err(|source| BuildError::Io { what: "write", path: stamp, source })?;
    say("the prover worker is built");
    Ok(binary)
}

/// Where the worker of this checkout lies once it is built.
///
/// # Errors
/// [`BuildError::Io`] if the current folder, which a relative `CARGO_TARGET_DIR` begins at, can't be found.
pub fn place(checkout: &Path) -> Result<PathBuf, BuildError> {
    let target = target_folder(&checkout.join(WORKER))?;
    Ok(target.join("release").join(format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX)))
}

/// Does what must come before cargo can be used in the worker's workspace at all: makes the patched copy of the crate that the registry's
/// version can't be used of. [`build`] does it itself.
///
/// # Errors
/// Those of [`build`].
pub fn prepare(checkout: &Path, say: &mut dyn FnMut(&str)) -> Result<(), BuildError> {
    let worker = checkout.join(WORKER);
    let _vendor = lock(&worker.join("vendor"), say)?;
    vendor::ensure(checkout, &worker)
}

/// Where cargo builds the worker: in its own folder, or under `CARGO_TARGET_DIR`, so that a build server which keeps that folder keeps the worker.
fn target_folder(worker: &Path) -> Result<PathBuf, BuildError> {
    let Some(shared) = std::env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) else {
        return Ok(worker.join("target"));
    };
    let shared = PathBuf::from(shared);
    let absolute = std::path::absolute(&shared);
    let absolute = absolute.map_err(|source| BuildError::Io { what: "find", path: shared, source })?;
    Ok(absolute.join("stwo-worker"))
}

/// Waits for its turn. The lock ends with the file's handle, so with the process, however that ends.
fn lock(folder: &Path, say: &mut dyn FnMut(&str)) -> Result<File, BuildError> {
    let failed = |source| BuildError::Io { what: "lock", path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    let file = File::create(folder.join(".shardwire-lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            say("waiting for another process that builds the prover worker");
            file.lock().map_err(failed)?;
        }
        Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
    }
    Ok(file)
}

fn run_cargo(worker: &Path, target: &Path, say: &mut dyn FnMut(&str)) -> Result<(), BuildError> {
    let mut command = cargo();
    // Cargo finds the worker's .cargo/config.toml by the current folder. What the caller's cargo or shell has set for other builds would
    // win over that file, so it is taken away.
    command.args(["build", "--release", "--locked", "--bin", "stwo-worker", "--target-dir"]).arg(target);
    command.current_dir(worker).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    for variable in
        ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "RUSTC_BOOTSTRAP", "CARGO_BUILD_TARGET"]
    {
        command.env_remove(variable);
    }
    let mut child = command.spawn().map_err(|source| BuildError::Cargo { source })?;
    let mut last = std::collections::VecDeque::with_capacity(LAST_LINES);
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            say(&line);
            if last.len() == LAST_LINES {
                last.pop_front();
            }
            last.push_back(line);
        }
    }
    let status = child.wait().map_err(|source| BuildError::Cargo { source })?;
    if status.success() {
        return Ok(());
    }
    // Without a word of its own it was ended from outside, which only the status tells.
    last.push_back(status.to_string());
    Err(BuildError::Failed { what: "cargo build", reason: Vec::from(last).join("\n") })
}

/// Digest of everything of ours that the binary is made from. Third-party sources follow from the lock file and the pinned vendor copy.
fn sources_digest(worker: &Path) -> io::Result<String> {
    let mut files: Vec<PathBuf> = MANIFESTS.iter().map(|name| worker.join(name)).collect();
    let mut folders = vec![worker.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
        if files.len() > MAX_FILES {
            return Err(io::Error::other("more files than a worker has"));
        }
    }
    files.sort();
    let mut hasher = Sha256::new();
    for file in files {
        let bytes = fs::read(&file)?;
        let name = file.strip_prefix(worker).unwrap_or(&file).to_string_lossy().into_owned();
        hasher.update((name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
    Ok(hex(&hasher.finalize()))
}

/// What cargo tells a program that it runs about the package, besides all that begins with `CARGO_PKG_` or `CARGO_BIN_EXE_`.
const OF_THE_PACKAGE: [&str; 7] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_MANIFEST_LINKS",
    "CARGO_CRATE_NAME",
    "CARGO_BIN_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "OUT_DIR",
];

/// Cargo, as a person at a shell would start it: the one that runs this process, if one does, without what that one has told this process
/// about its package.
///
/// Build scripts may name such variables as what they depend on (`ring`'s does). With another value than last time cargo then builds that crate
/// and all above it again: half of the workspace, and once more when the person returns.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if OF_THE_PACKAGE.contains(&&*text) || text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_BIN_EXE_") {
            command.env_remove(&name);
        }
    }
    command
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The checkout that this was compiled in, if it is still there; else the one around the current folder.
#[must_use]
pub fn checkout() -> Option<PathBuf> {
    let compiled_in = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned);
    let current = std::env::current_dir().ok();
    let around = current.iter().flat_map(|folder| folder.ancestors()).map(Path::to_owned);
    compiled_in.into_iter().chain(around).find(|folder| is_checkout(folder))
}

/// Whether this folder is a checkout with a worker to build.
fn is_checkout(folder: &Path) -> bool {
    folder.join(WORKER).join("Cargo.toml").is_file() && folder.join("Cargo.toml").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_started_by_a_program_of_cargos_sees_what_a_shell_would_show_it() {
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "cargo runs this test");
        let command = cargo();
        let removed: Vec<_> = command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION_MAJOR"] {
            assert!(removed.iter().any(|it| *it == name), "{name} is among them: {removed:?}");
        }
        for kept in ["PATH", "CARGO", "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_INCREMENTAL"] {
            assert!(!removed.iter().any(|it| *it == kept), "{kept} is a person's");
        }
    }

    #[test]
    fn this_checkout_is_found() {
        assert_eq!(checkout().as_deref(), Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2));
    }
}
