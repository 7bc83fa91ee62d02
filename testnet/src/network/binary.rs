//! Where the node's program is.
//!
//! In a checkout, where this program lies in a folder of cargo's, it is built first, with the same profile, unless it is newer than all of its
//! source: so that the nodes are of the same source as the testnet. The node's library is part of this program, so all that is left to compile
//! is the program `shardwire` itself. Elsewhere it lies beside this program.

use shardwire_model::Coded;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

/// No node to start.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// Where this program is can't be told.
    #[error("this program's own path is unknown: {0}")]
    Own(#[source] io::Error),
    /// cargo isn't there.
    #[error("{cargo} can't be started: {reason}", cargo = cargo.display())]
    Cargo {
        /// What was to be started.
        cargo: PathBuf,
        /// The system's error.
        reason: io::Error,
    },
    /// It doesn't build.
    #[error("building shardwire failed ({0})")]
    Build(ExitStatus),
    /// It isn't beside this program.
    #[error("there is no {}", .0.display())]
    Missing(PathBuf),
}

impl Coded for BinaryError {
    fn code(&self) -> &'static str {
        match self {
            Self::Own(_) => "SW-TESTNET-101",
            Self::Cargo { .. } => "SW-TESTNET-102",
            Self::Build(_) => "SW-TESTNET-103",
            Self::Missing(_) => "SW-TESTNET-104",
        }
    }
    fn next_step(&self) -> String {
        match self {
            Self::Own(_) => "Start it by its path.".into(),
            Self::Cargo { .. } => "Install Rust (rustup.rs), or start testnet by `cargo run --release -p testnet`.".into(),
            Self::Build(_) => "Read the compiler's messages above.".into(),
            Self::Missing(_) => "Put the program shardwire beside this one, or start testnet in a checkout by `cargo run --release -p testnet`.".into(),
        }
    }
}

/// How cargo is asked for the same program again.
#[derive(Debug, PartialEq, Eq)]
struct Checkout {
    target: PathBuf,
    profile: String,
    manifest: PathBuf,
}

/// The node's program; in a checkout it is built if it isn't fresh. `say` hears of that. Blocks.
///
/// # Errors
/// [`BinaryError::Own`] if this program's path is unknown, [`BinaryError::Cargo`] or [`BinaryError::Build`] if none can be built,
/// [`BinaryError::Missing`] if there is none afterwards.
pub fn locate(say: &mut dyn FnMut(&str)) -> Result<PathBuf, BinaryError> {
    let own = std::env::current_exe().map_err(BinaryError::Own)?;
    let folder = own.parent().unwrap_or(Path::new("."));
    // Tests and examples lie one deeper.
    let nested = folder.file_name().is_some_and(|name| name == "deps" || name == "examples");
    let folder = if nested { folder.parent().unwrap_or(folder) } else { folder };
    let program = folder.join(format!("shardwire{}", std::env::consts::EXE_SUFFIX));
    if let Some(checkout) = checkout(folder, Path::new(env!("CARGO_MANIFEST_DIR"))).filter(|it| !it.is_fresh(&program))
    {
        build(&checkout, say)?;
    }
    if program.is_file() { Ok(program) } else { Err(BinaryError::Missing(program)) }
}

/// What the node is made of, beside the manifest.
const SOURCES: [&str; 5] = ["Cargo.lock", "node", "protocols", "reputation", "transport"];
/// What lies among it and is none of it: the worker and what builds it, what cargo makes, and what only tests and people read.
const NO_SOURCES: [&str; 6] = ["stwo-worker", "worker-build", "target", "tests", "examples", "vectors"];

impl Checkout {
    /// Whether the program is newer than all of its source. Asking cargo would do, were it not for tests: where these were built, dependencies have
    /// the features that the tests need, and cargo would build them again without.
    fn is_fresh(&self, program: &Path) -> bool {
        let Ok(built) = fs::metadata(program).and_then(|it| it.modified()) else { return false };
        let root = self.manifest.parent().unwrap_or(Path::new("."));
        let mut sources: Vec<PathBuf> =
            SOURCES.iter().map(|name| root.join(name)).chain([self.manifest.clone()]).collect();
        while let Some(path) = sources.pop() {
            let Ok(about) = fs::symlink_metadata(&path) else { continue };
            if about.is_dir() {
                let Ok(entries) = fs::read_dir(&path) else { return false };
                let named = |entry: &fs::DirEntry| NO_SOURCES.iter().any(|it| entry.file_name() == *it);
                sources.extend(entries.flatten().filter(|entry| !named(entry)).map(|entry| entry.path()));
            } else if !about.modified().is_ok_and(|changed| changed <= built) {
                return false;
            }
        }
        true
    }
}

/// The checkout that this was built in, if it is still there, and `folder` is where cargo puts programs.
fn checkout(folder: &Path, compiled_in: &Path) -> Option<Checkout> {
    let manifest = compiled_in.parent()?.join("Cargo.toml");
    let target = folder.parent()?;
    let profile = match folder.file_name()?.to_str()? {
        "debug" => "dev",
        other => other,
    };
    let of_cargo =
        target.join("CACHEDIR.TAG").is_file() && compiled_in.join("Cargo.toml").is_file() && manifest.is_file();
    of_cargo.then(|| Checkout { target: target.into(), profile: profile.into(), manifest })
}

fn build(checkout: &Checkout, say: &mut dyn FnMut(&str)) -> Result<(), BinaryError> {
    say("Building the node: cargo build -p shardwire --bin shardwire");
    let mut command = shardwire_worker_build::cargo();
    // Both packages are named so that the features of their dependencies are those this program was built with: else half of
    // the workspace would be built again.
    command.args(["build", "--quiet", "--package", "testnet", "--package", "shardwire", "--bin", "shardwire"]);
    command.args(["--profile", &checkout.profile]).arg("--manifest-path").arg(&checkout.manifest);
    command.arg("--target-dir").arg(&checkout.target).stdin(Stdio::null()).stdout(Stdio::null());
    let status =
        command.status().map_err(|reason| BinaryError::Cargo { cargo: command.get_program().into(), reason })?;
    if status.success() { Ok(()) } else { Err(BinaryError::Build(status)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_is_told_from_an_installation() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["target/release", "checkout/testnet", "bin"] {
            std::fs::create_dir_all(path(name)).expect("a folder");
        }
        for name in ["target/CACHEDIR.TAG", "checkout/Cargo.toml", "checkout/testnet/Cargo.toml"] {
            std::fs::write(path(name), "").expect("a file");
        }
        let compiled_in = path("checkout/testnet");
        let found = checkout(&path("target/release"), &compiled_in).expect("a checkout");
        let manifest = path("checkout/Cargo.toml");
        assert_eq!(found, Checkout { target: path("target"), profile: "release".into(), manifest });

        let program = path("target/release/shardwire");
        assert!(!found.is_fresh(&program), "it isn't there");
        let touch = |file: &Path, seconds: u64| {
            let file = std::fs::File::create(file).expect("a file");
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).expect("a date");
        };
        for name in ["checkout/node/src", "checkout/node/target"] {
            std::fs::create_dir_all(path(name)).expect("a folder");
        }
        touch(&path("checkout/Cargo.toml"), 1);
        touch(&path("checkout/node/src/lib.rs"), 2);
        touch(&path("checkout/node/target/made"), 9);
        touch(&program, 2);
        assert!(found.is_fresh(&program));
        touch(&path("checkout/node/src/main.rs"), 3);
        assert!(!found.is_fresh(&program), "a source is newer");

        assert_eq!(checkout(&path("bin"), &compiled_in), None);
        assert_eq!(checkout(&path("target/release"), &path("gone/testnet")), None);
    }

    #[test]
    fn errors_say_what_to_do() {
        let error = BinaryError::Missing("/x/shardwire".into());
        assert_eq!((error.code(), error.to_string().as_str()), ("SW-TESTNET-104", "there is no /x/shardwire"));
        assert!(error.next_step().contains("cargo run --release -p testnet"));
    }
}
