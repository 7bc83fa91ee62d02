//! The one third-party crate that the worker can't take from the registry as it is.
//!
//! stwo-cairo-common 1.3.0 calls `Mask::to_int`, which portable SIMD renamed to `Mask::to_simd` before Rust 1.95: with its `prover` feature
//! it doesn't compile any more. The whole change is that one word in one line. It isn't ours to commit, so a copy is made from cargo's registry at
//! build time, into a folder that git ignores, and the worker's workspace patches the crate with it. The main workspace doesn't use that
//! feature and takes the crate unchanged.
//!
//! Original and result are compared with pinned hashes, so nothing but these sources and this change ever gets into a worker. The copy is
//! made beside its place and renamed, so that it is there whole or not at all; [`build`](super::build()) holds a lock meanwhile.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::BuildError;

const CRATE: &str = "stwo-cairo-common";
const VERSION: &str = "1.3.0";
/// Where in the crate, and what.
const FILE: &str = "src/prover_types/simd.rs";
const BEFORE: &str = "                .to_int()\n";
const AFTER: &str = "                .to_simd()\n";
/// [`digest`] of the sources as published.
const ORIGINAL: &str = "6254772dffc3bc77cb9a2a90566c98f1627d7d99e751d14365e142fa170a3b04";
/// [`digest`] of the sources with the change.
const PATCHED: &str = "81d19a1d334a712a813a88b54fea284dc40e86e49941278c835a57a97607d8d4";
/// Most bytes of one source file: ten times the largest. Read whole, so bounded.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Makes the patched copy under the worker's `vendor` folder, unless it is there.
pub(super) fn ensure(checkout: &Path, worker: &Path) -> Result<(), BuildError> {
    let vendor = worker.join("vendor");
    let place = vendor.join(CRATE);
    if digest(&place).is_ok_and(|found| found == PATCHED) {
        return Ok(());
    }
    let original = registry_copy(checkout)?;
    let found = digest(&original).map_err(io_error("read", &original))?;
    if found != ORIGINAL {
        return Err(BuildError::Altered { path: original, found });
    }
    // The lock is ours, so whatever lies here was left by a build that was interrupted.
    let fresh = vendor.join(".fresh");
    remove(&fresh).map_err(io_error("remove", &fresh))?;
    copy_sources(&original, &fresh).map_err(io_error("write", &fresh))?;
    change(&fresh.join(FILE)).map_err(io_error("change", &fresh))?;
    keep_time(&original.join(FILE), &fresh.join(FILE)).map_err(io_error("change", &fresh))?;
    let found = digest(&fresh).map_err(io_error("read", &fresh))?;
    if found != PATCHED {
        return Err(BuildError::Altered { path: fresh, found });
    }
    remove(&place).map_err(io_error("remove", &place))?;
    fs::rename(&fresh, &place).map_err(io_error("write", &place))
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::Io { what, path, source }
}

/// Where cargo has the crate's sources. The main workspace depends on the same version, so cargo knows it, and fetches it if it must.
fn registry_copy(checkout: &Path) -> Result<PathBuf, BuildError> {
    let mut command = super::cargo();
    command.args(["metadata", "--format-version", "1", "--locked"]).current_dir(checkout);
    let output = command.output().map_err(|source| BuildError::Cargo { source })?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).trim().chars().take(1000).collect();
        return Err(BuildError::Failed { what: "cargo metadata", reason });
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|e| BuildError::Failed { what: "cargo metadata", reason: e.to_string() })?;
    let manifest = metadata["packages"].as_array().into_iter().flatten().find_map(|package| {
        let this = package["name"] == CRATE && package["version"] == VERSION;
        this.then(|| package["manifest_path"].as_str()).flatten()
    });
    let folder = manifest.and_then(|path| Path::new(path).parent());
    folder.map(Path::to_owned).ok_or_else(|| BuildError::Failed {
        what: "cargo metadata",
        reason: format!("it doesn't name {CRATE} {VERSION}"),
    })
}

/// The files that the build reads, relative, in order: the manifest and all sources.
fn sources(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = vec![PathBuf::from("Cargo.toml")];
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}

/// SHA-256 over each file's path, length and bytes.
fn digest(root: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    for file in sources(root)? {
        let bytes = read_bounded(&root.join(&file))?;
        // The same on every system.
        let name = file.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        hasher.update((name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
    Ok(super::hex(&hasher.finalize()))
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > MAX_FILE_BYTES {
        return Err(io::Error::other("a source file of more than a megabyte"));
    }
    fs::read(path)
}

fn copy_sources(from: &Path, to: &Path) -> io::Result<()> {
    for file in sources(from)? {
        let target = to.join(&file);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        let source = from.join(file);
        fs::write(&target, read_bounded(&source)?)?;
        keep_time(&source, &target)?;
    }
    Ok(())
}

/// Cargo goes by times: without this, a new checkout would compile the prover again in a target folder that has it.
fn keep_time(from: &Path, to: &Path) -> io::Result<()> {
    fs::File::options().write(true).open(to)?.set_modified(fs::metadata(from)?.modified()?)
}

fn change(file: &Path) -> io::Result<()> {
    let text = fs::read_to_string(file)?;
    if text.matches(BEFORE).count() != 1 {
        return Err(io::Error::other("the line to change isn't there exactly once"));
    }
    fs::write(file, text.replacen(BEFORE, AFTER, 1))
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_with(line: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("src/prover_types")).unwrap();
        fs::write(root.path().join("Cargo.toml"), "[package]\n").unwrap();
        fs::write(root.path().join(FILE), format!("a\n{line}b\n")).unwrap();
        root
    }

    #[test]
    fn exactly_one_line_changes() {
        let root = crate_with(BEFORE);
        let before = digest(root.path()).unwrap();
        change(&root.path().join(FILE)).unwrap();
        assert_eq!(fs::read_to_string(root.path().join(FILE)).unwrap(), format!("a\n{AFTER}b\n"));
        assert_ne!(digest(root.path()).unwrap(), before);
        assert!(change(&root.path().join(FILE)).is_err(), "a second time there is nothing to change");
    }

    #[test]
    fn a_copy_has_the_digest_of_its_original() {
        let root = crate_with(BEFORE);
        fs::write(root.path().join("README"), "not a source").unwrap();
        let copy = tempfile::tempdir().unwrap();
        copy_sources(root.path(), copy.path()).unwrap();
        assert_eq!(digest(copy.path()).unwrap(), digest(root.path()).unwrap());
        assert!(!copy.path().join("README").exists());
        let modified = |root: &Path| fs::metadata(root.join(FILE)).unwrap().modified().unwrap();
        assert_eq!(modified(copy.path()), modified(root.path()));
    }

    #[test]
    fn the_copy_in_this_checkout_is_the_patched_one() {
        let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stwo-worker");
        let place = worker.join("vendor").join(CRATE);
        if place.exists() {
            assert_eq!(digest(&place).unwrap(), PATCHED);
        }
    }
}
