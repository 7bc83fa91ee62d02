//! Artefacts: the large things of a shard that are files, not records: witness chunks, witnesses, proofs.
//!
//! A file appears whole or not at all (written beside its place, synced, renamed), and is never believed: who reads one checks
//! its hash. Reading is bounded by the caller's limit, so a damaged length can't fill the memory. What can be made again (a
//! chunk, by executing; a witness, from its chunks) may be deleted at any time; a proof is kept until it is settled.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "artefacts are files")]

use shardwire_model::{Coded, Hash, ShardId};
use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

/// An artefact could not be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArtefactError {
    /// The disk.
    #[error("{path} can't be {what}: {reason}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        reason: io::Error,
    },
    /// Larger than it may be.
    #[error("{path} has more than {max} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        max: u64,
    },
}

impl Coded for ArtefactError {
    fn code(&self) -> &'static str {
        match self {
            Self::Disk { .. } => "SW-ARTEFACT-001",
            Self::TooLarge { .. } => "SW-ARTEFACT-002",
        }
    }
    fn next_step(&self) -> String {
        match self {
            Self::Disk { .. } => "Check that the disk has room and that the data folder is writable, then start again.",
            Self::TooLarge { .. } => "Something else wrote it: remove the file; the node makes it again.",
        }
        .into()
    }
}

/// The part of a data folder where artefacts are.
#[derive(Clone, Debug)]
pub(crate) struct Artefacts {
    root: PathBuf,
}

impl Artefacts {
    /// Those below this folder.
    #[must_use]
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// An operator's witness chunk.
    #[must_use]
    pub(crate) fn spooled_chunk(&self, shard: ShardId, index: u32) -> PathBuf {
        self.shard(shard).join(format!("chunk-{index:05}"))
    }

    /// Where an operator keeps what belongs to a shard.
    #[must_use]
    pub(crate) fn shard(&self, shard: ShardId) -> PathBuf {
        self.root.join("shards").join(shard.to_string())
    }

    /// A prover's copy of a chunk.
    #[must_use]
    pub(crate) fn fetched_chunk(&self, job: Hash, index: u32) -> PathBuf {
        self.job(job).join(format!("chunk-{index:05}"))
    }

    /// The flat witness that a worker reads.
    #[must_use]
    pub(crate) fn witness(&self, job: Hash) -> PathBuf {
        self.job(job).join("witness")
    }

    /// The proof that a worker writes.
    #[must_use]
    pub(crate) fn worker_proof(&self, job: Hash) -> PathBuf {
        self.job(job).join("proof")
    }

    /// Where a prover keeps what belongs to a job.
    #[must_use]
    pub(crate) fn job(&self, job: Hash) -> PathBuf {
        self.root.join("jobs").join(job.to_string())
    }

    /// A proof, by its hash.
    #[must_use]
    pub(crate) fn proof(&self, hash: Hash) -> PathBuf {
        self.root.join("proofs").join(hash.to_string())
    }
}

fn disk(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> ArtefactError {
    let path = path.to_owned();
    move |reason| ArtefactError::Disk { path, what, reason }
}

/// Writes a file so that it is there whole, or not at all; makes the folder if it is missing. `durable`: it is on the disk when
/// this returns.
///
/// # Errors
/// If the disk fails; then there is no such file, or the earlier one.
pub(crate) fn write(path: &Path, parts: &[&[u8]], durable: bool) -> Result<(), ArtefactError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(disk(folder, "made"))?;
    let partial = path.with_extension("partial");
    let mut file = File::create(&partial).map_err(disk(&partial, "made"))?;
    for part in parts {
        file.write_all(part).map_err(disk(&partial, "written"))?;
    }
    if durable {
        file.sync_all().map_err(disk(&partial, "synced"))?;
    }
    drop(file);
    fs::rename(&partial, path).map_err(disk(path, "renamed"))?;
    if durable {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(disk(folder, "synced"))?;
    }
    Ok(())
}

/// Reads a file of at most `max` bytes; `None` if there is none.
///
/// # Errors
/// If the disk fails or the file is larger.
pub(crate) fn read(path: &Path, max: u64) -> Result<Option<Vec<u8>>, ArtefactError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(disk(path, "opened")(error)),
    };
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(disk(path, "read"))?;
    if bytes.len() as u64 > max {
        return Err(ArtefactError::TooLarge { path: path.to_owned(), max });
    }
    Ok(Some(bytes))
}

/// Removes a folder and all in it; does nothing if there is none.
///
/// # Errors
/// If the disk fails.
pub(crate) fn remove_folder(path: &Path) -> Result<(), ArtefactError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk(path, "removed")(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/in/it");
        assert!(read(&path, 10).unwrap().is_none());
        write(&path, &[b"first"], true).unwrap();
        write(&path, &[b"sec", b"ond"], false).unwrap();
        assert_eq!(read(&path, 6).unwrap().unwrap(), b"second");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no partial file is left");
    }

    #[test]
    fn every_error_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it");
        write(&path, &[b"seven!!"], false).unwrap();
        let error = read(&path, 6).unwrap_err();
        assert_eq!(error.to_string(), format!("{} has more than 6 bytes", path.display()));
        assert_eq!(error.code(), "SW-ARTEFACT-002");
        let error = write(&path.join("below a file"), &[], false).unwrap_err();
        assert!(error.to_string().contains("can't be made"), "{error}");
        assert_eq!(error.code(), "SW-ARTEFACT-001");
        assert!(error.next_step().starts_with("Check that the disk has room"));
    }
}
