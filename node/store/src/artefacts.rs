//! Artefacts: the large things of a shard that are files, not records: witness chunks, witnesses, proofs.
//!
//! A file appears whole or not at all (written beside its place, synced, renamed), and is never believed: who reads one checks
//! its hash. Reading is bounded by the caller's limit, so a damaged length can't fill the memory. What can be made again (a
//! chunk, by executing; a witness, from its chunks) may be deleted at any time; a proof is kept until it is settled.

use crate::{Disk, DiskError};
use shardwire_model::{Coded, Hash, SegmentId, ShardId};
use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

/// An artefact could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArtefactError {
    /// The disk failed, or the file isn't there.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Larger than it may be.
    #[error("{path} has more than {max} bytes")]
    TooLarge {
        /// The artefact's file.
        path: PathBuf,
        /// The most bytes that it may have.
        max: u64,
    },
}

impl Coded for ArtefactError {
    fn code(&self) -> &'static str {
        match self {
            Self::Disk(_) => "SW-ARTEFACT-001",
            Self::TooLarge { .. } => "SW-ARTEFACT-002",
        }
    }
    fn next_step(&self) -> String {
        match self {
            Self::Disk(_) => "Check that the disk has room and that the data folder is writable, then start again.",
            Self::TooLarge { .. } => "Something else wrote it: remove the file; the node makes it again.",
        }
        .into()
    }

    fn told(&self) -> String {
        match self {
            Self::Disk(DiskError { what, .. }) => format!("a file can't be {what}"),
            Self::TooLarge { max, .. } => format!("a file has more than {max} bytes"),
        }
    }
}

/// The part of a data folder where artefacts are.
#[derive(Clone, Debug)]
pub struct Artefacts {
    root: PathBuf,
    disk: Arc<dyn Disk>,
}

impl Artefacts {
    /// The folders in a data folder that artefacts are in.
    pub const FOLDERS: [&str; 4] = ["shards", "jobs", "proofs", "probe"];

    /// Those below this folder.
    #[must_use]
    pub fn new(root: PathBuf, disk: Arc<dyn Disk>) -> Self {
        Self { root, disk }
    }

    /// An operator's witness chunk.
    #[must_use]
    pub fn operator_chunk(&self, segment: SegmentId, index: u32) -> PathBuf {
        self.segment(segment).join(format!("chunk-{index:05}"))
    }

    /// Where an operator keeps what belongs to a shard.
    #[must_use]
    pub fn shard(&self, shard: ShardId) -> PathBuf {
        self.root.join("shards").join(shard.to_string())
    }

    /// Where an operator keeps what belongs to a segment of it.
    #[must_use]
    pub fn segment(&self, SegmentId { shard, segment }: SegmentId) -> PathBuf {
        self.shard(shard).join(segment.to_string())
    }

    /// A prover's copy of a chunk.
    #[must_use]
    pub fn fetched_chunk(&self, job: Hash, index: u32) -> PathBuf {
        self.job(job).join(format!("chunk-{index:05}"))
    }

    /// The flat witness that a worker reads.
    #[must_use]
    pub fn witness(&self, job: Hash) -> PathBuf {
        self.job(job).join("witness")
    }

    /// The proof that a worker writes.
    #[must_use]
    pub fn worker_proof(&self, job: Hash) -> PathBuf {
        self.job(job).join("proof")
    }

    /// Where a prover keeps what belongs to a job.
    #[must_use]
    pub fn job(&self, job: Hash) -> PathBuf {
        self.root.join("jobs").join(job.to_string())
    }

    /// A proof, by its hash.
    #[must_use]
    pub fn proof(&self, hash: Hash) -> PathBuf {
        self.root.join("proofs").join(hash.to_string())
    }

    /// Writes so many bytes as everything else is written, and removes them: whether there is room, and the disk takes them.
    ///
    /// # Errors
    /// [`ArtefactError::Disk`] if the disk fails.
    pub fn probe(&self, bytes: usize) -> Result<(), ArtefactError> {
        let folder = self.root.join("probe");
        let written = self.disk.write(&folder.join("room"), &[&vec![0; bytes]], true);
        let removed = self.disk.remove(&folder);
        written?;
        Ok(removed?)
    }

    /// Writes a file so that it is there whole, or not at all; makes the folder if it is missing. `durable`: it is on the disk when
    /// this returns.
    ///
    /// # Errors
    /// [`ArtefactError::Disk`] if the disk fails; then there is no such file, or the earlier one.
    pub fn write(&self, path: &Path, parts: &[&[u8]], durable: bool) -> Result<(), ArtefactError> {
        Ok(self.disk.write(path, parts, durable)?)
    }

    /// Begins a file that is written piece by piece and flushed at its end.
    ///
    /// # Errors
    /// [`ArtefactError::Disk`] if the disk fails.
    pub fn create(&self, path: &Path) -> Result<Box<dyn Write + Send>, ArtefactError> {
        Ok(self.disk.create(path)?)
    }

    /// Reads a file of at most `max` bytes; `None` if there is none.
    ///
    /// # Errors
    /// [`ArtefactError::Disk`] if the disk fails, [`ArtefactError::TooLarge`] if the file is larger.
    pub fn read(&self, path: &Path, max: u64) -> Result<Option<Vec<u8>>, ArtefactError> {
        match self.disk.read(path, max.saturating_add(1))? {
            Some(bytes) if bytes.len() as u64 > max => Err(ArtefactError::TooLarge { path: path.to_owned(), max }),
            bytes => Ok(bytes),
        }
    }

    /// Whether there is such a file. None of it is read.
    ///
    /// # Errors
    /// [`ArtefactError::Disk`] if the disk fails.
    pub fn is_there(&self, path: &Path) -> Result<bool, ArtefactError> {
        Ok(self.disk.read(path, 0)?.is_some())
    }

    /// Removes a file, or a folder and all in it; does nothing if there is neither.
    ///
    /// # Errors
    /// [`ArtefactError::Disk`] if the disk fails.
    pub fn remove(&self, path: &Path) -> Result<(), ArtefactError> {
        Ok(self.disk.remove(path)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemDisk;
    use std::fs;

    fn artefacts(root: &Path) -> Artefacts {
        Artefacts::new(root.to_owned(), Arc::new(SystemDisk))
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (artefacts, path) = (artefacts(folder.path()), folder.path().join("deep/in/it"));
        assert!(artefacts.read(&path, 10).unwrap().is_none());
        artefacts.write(&path, &[b"first"], true).unwrap();
        artefacts.write(&path, &[b"sec", b"ond"], false).unwrap();
        assert_eq!(artefacts.read(&path, 6).unwrap().unwrap(), b"second");
        assert!(artefacts.is_there(&path).unwrap() && !artefacts.is_there(&folder.path().join("other")).unwrap());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no partial file is left");
        for gone in [&path, &folder.path().join("deep"), &path] {
            artefacts.remove(gone).unwrap();
            assert!(!gone.exists() && folder.path().exists());
        }
    }

    #[test]
    fn every_error_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let (artefacts, path) = (artefacts(folder.path()), folder.path().join("it"));
        artefacts.write(&path, &[b"seven!!"], false).unwrap();
        let error = artefacts.read(&path, 6).unwrap_err();
        assert_eq!(error.to_string(), format!("{} has more than 6 bytes", path.display()));
        assert_eq!((error.code(), error.told().as_str()), ("SW-ARTEFACT-002", "a file has more than 6 bytes"));
        let error = artefacts.write(&path.join("below a file"), &[], false).unwrap_err();
        assert!(error.to_string().contains("can't be made"), "{error}");
        assert_eq!(error.told(), "a file can't be made");
        assert_eq!(error.code(), "SW-ARTEFACT-001");
        assert!(error.next_step().starts_with("Check that the disk has room"));
    }
}
