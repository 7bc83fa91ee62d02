//! Artefacts: the large things of a shard that are files, not records: witness chunks, witnesses, proofs.
//!
//! A file appears whole or not at all (written beside its place, synced, renamed), and is never believed: who reads one checks
//! its hash, or for the [list](shardwire_model::reads) of what a run read the commitment. Reading is bounded by the caller's limit, so a damaged length can't fill the memory. What can be made again (a
//! chunk or a list, by executing; a witness, from its chunks) may be deleted at any time; a proof is kept until it is settled. All that is here is the node's own: what else
//! is in the place of a file that is written (a folder, a pipe) is removed.

use crate::{Disk, DiskError, partial};
use shardwire_model::{
    Coded, Felt, Hash, SegmentId, ShardId,
    reads::{self, MAX_READS_BYTES},
};
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

/// What there is of the list of what a run read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum List {
    /// No file.
    Missing,
    /// A file that isn't the list with that commitment.
    Damaged,
    /// The list.
    Whole(Vec<Felt>),
}

impl List {
    /// The list, if it is whole.
    #[must_use]
    pub fn whole(self) -> Option<Vec<Felt>> {
        if let Self::Whole(felts) = self { Some(felts) } else { None }
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

    /// An operator's list of what a run read.
    #[must_use]
    pub fn operator_reads(&self, segment: SegmentId) -> PathBuf {
        self.segment(segment).join("reads")
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

    /// A prover's copy of the list of what a run read.
    #[must_use]
    pub fn fetched_reads(&self, job: Hash) -> PathBuf {
        self.job(job).join("reads")
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
        self.clearing(path, || self.disk.write(path, parts, durable))
    }

    /// Makes a file; what is in its place, or in that of the unfinished one, and is none, is removed first. Nothing else is.
    fn clearing<T>(&self, path: &Path, make: impl Fn() -> Result<T, DiskError>) -> Result<T, ArtefactError> {
        let places = [path.to_owned(), partial(path)];
        for _ in &places {
            match make() {
                Err(error) if error.is_no_file() && places.contains(&error.path) => self.disk.remove(&error.path)?,
                made => return Ok(made?),
            }
        }
        Ok(make()?)
    }

    /// Writes the list of what a run read as [`write`](Self::write) does; an empty one has no file.
    ///
    /// # Errors
    /// [`ArtefactError::Disk`] if the disk fails.
    pub fn write_list(&self, path: &Path, felts: &[Felt], durable: bool) -> Result<(), ArtefactError> {
        if felts.is_empty() { Ok(()) } else { self.write(path, &[&reads::join(felts, &[])], durable) }
    }

    /// The list of what a run read that has this commitment; without one it is empty.
    ///
    /// # Errors
    /// [`ArtefactError::Disk`] if the disk fails.
    pub fn list(&self, path: &Path, commitment: Felt) -> Result<List, ArtefactError> {
        if commitment == Felt::ZERO {
            return Ok(List::Whole(Vec::new()));
        }
        let bytes = match self.read(path, MAX_READS_BYTES as u64) {
            Err(ArtefactError::TooLarge { .. }) => return Ok(List::Damaged),
            read => read?,
        };
        let Some(bytes) = bytes else { return Ok(List::Missing) };
        Ok(match reads::split(&bytes) {
            Ok((felts, [])) if reads::commitment(&felts) == commitment => List::Whole(felts),
            _ => List::Damaged,
        })
    }

    /// Begins a file that is written piece by piece and flushed at its end.
    ///
    /// # Errors
    /// [`ArtefactError::Disk`] if the disk fails.
    pub fn create(&self, path: &Path) -> Result<Box<dyn Write + Send>, ArtefactError> {
        self.clearing(path, || self.disk.create(path))
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

    /// The same, of a file that is made again if it isn't whole: what can't be one that this node wrote, because it is larger, a folder or a pipe, is as good as none.
    ///
    /// # Errors
    /// [`ArtefactError::Disk`] if the disk fails.
    pub fn read_own(&self, path: &Path, max: u64) -> Result<Option<Vec<u8>>, ArtefactError> {
        match self.read(path, max) {
            Err(ArtefactError::TooLarge { .. }) => Ok(None),
            Err(ArtefactError::Disk(error)) if error.is_no_file() => Ok(None),
            read => read,
        }
    }

    /// Whether there is such a file. None of it is read.
    ///
    /// # Errors
    /// [`ArtefactError::Disk`] if the disk fails.
    pub fn is_there(&self, path: &Path) -> Result<bool, ArtefactError> {
        match self.disk.read(path, 0) {
            Err(error) if error.is_no_file() => Ok(false),
            read => Ok(read?.is_some()),
        }
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

    /// A fixed bug: a chunk or a proof in whose place there was a folder could neither be read nor written any more.
    #[cfg(unix)]
    #[test]
    fn what_is_no_file_of_this_nodes_counts_as_none_and_gives_way_to_one() {
        let folder = tempfile::tempdir().unwrap();
        let artefacts = artefacts(folder.path());
        let fill = |place: &Path, what: &str| match what {
            "a folder" => fs::create_dir_all(place.join("full")).unwrap(),
            "a pipe" => assert!(std::process::Command::new("mkfifo").arg(place).status().unwrap().success()),
            _ => std::os::unix::fs::symlink(folder.path().join("nowhere"), place).unwrap(),
        };
        for what in ["a folder", "a pipe", "a link"] {
            let path = folder.path().join(format!("written over {what}"));
            fill(&path, what);
            fill(&partial(&path), what);
            assert_eq!(artefacts.read_own(&path, 10).unwrap(), None, "{what}");
            assert!(!artefacts.is_there(&path).unwrap(), "{what}");
            artefacts.write(&path, &[b"seven!!"], true).unwrap();
            assert_eq!(artefacts.read_own(&path, 7).unwrap().unwrap(), b"seven!!", "{what}");
            assert_eq!(artefacts.read_own(&path, 6).unwrap(), None, "it is larger than one of this node's");
            let path = folder.path().join(format!("created over {what}"));
            fill(&path, what);
            artefacts.create(&path).unwrap().flush().unwrap();
            assert!(artefacts.is_there(&path).unwrap(), "{what}");
        }
        assert!(!folder.path().join("nowhere").exists());
    }

    #[test]
    fn a_list_is_the_one_with_its_commitment_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let (artefacts, path) = (artefacts(folder.path()), folder.path().join("reads"));
        let felts = [Felt::ONE, Felt::MAX];
        let commitment = reads::commitment(&felts);
        assert_eq!(artefacts.list(&path, commitment).unwrap(), List::Missing);
        artefacts.write_list(&path, &[], true).unwrap();
        assert!(!path.exists(), "nothing was read");
        assert_eq!(artefacts.list(&path, Felt::ZERO).unwrap(), List::Whole(Vec::new()));
        artefacts.write_list(&path, &felts, true).unwrap();
        assert_eq!(artefacts.list(&path, commitment).unwrap().whole().unwrap(), felts);
        assert_eq!(artefacts.list(&path, commitment + Felt::ONE).unwrap().whole(), None);
        let whole = fs::read(&path).unwrap();
        for damaged in [&whole[..40], &[&whole[..], &[0]].concat(), &vec![0; MAX_READS_BYTES + 1], b""] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(artefacts.list(&path, commitment).unwrap(), List::Damaged);
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
