//! The large files of a folder: proofs, and the witness chunks of what is under way. Each is read, and compared with the hash that is known of it.
//!
//! A proof that is missing is lost; a chunk that is missing is made or fetched again, so it is counted and no more. A chunk with another content than it
//! should have is named, though it is made again as well: a disk that changes one file changes others. So is a list of what a run read.

use super::{Report, Stage};
use crate::offline::Folder;
use shardwire_model::{
    Coded, Hash, MAX_PROOF_BYTES, Role, SegmentId,
    life::{Life, Part},
};
use shardwire_operator::chunk_is_whole;
use shardwire_prover::kept_chunk;
use shardwire_store::{
    ArtefactError, Artefacts, Disk as _, List, RecordKey as _, Store, StoreError, SystemDisk,
    records::{ASSIGNMENTS, EXECUTIONS, JOBS},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
};

/// Hashes each proof; those that are what their names say.
pub(super) fn proofs(folder: &Folder, report: &mut Report) -> BTreeSet<Hash> {
    let mut whole = BTreeSet::new();
    let Ok(files) = fs::read_dir(folder.claim.paths().root().join("proofs")) else { return whole };
    for file in files.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        // What a crash left half written has another ending, and is written over.
        let Ok(hash) = name.parse::<Hash>() else { continue };
        report.proofs += 1;
        let at = format!("proofs/{name}");
        match SystemDisk.read(&file.path(), u64::from(MAX_PROOF_BYTES) + 1) {
            Err(error) => report.error(&at, &ArtefactError::from(error)),
            Ok(Some(bytes)) if Hash::of(&bytes) == hash => drop(whole.insert(hash)),
            Ok(Some(_)) => report.contradiction(&at, "its content doesn't have its hash"),
            // It was there a moment ago.
            Ok(None) => {}
        }
    }
    whole
}

/// Reads each chunk of the runs and jobs that go on.
pub(super) fn chunks(
    folder: &Folder,
    store: &Store,
    lives: &BTreeMap<Part, Life>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let root = folder.claim.paths().root();
    let artefacts = Artefacts::new(root.to_owned(), Arc::new(SystemDisk));
    let named = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    for (shard, _) in store.all(&ASSIGNMENTS)? {
        let goes_on = lives.get(&Part::of(SegmentId::first(shard), Role::Operator)).is_some_and(|life| !life.is_over());
        if !goes_on {
            continue;
        }
        for (segment, executed) in store.with_prefix(&EXECUTIONS, &shard.to_bytes())? {
            for (stored, index) in executed.chunks.iter().zip(0..) {
                let whole = chunk_is_whole(&artefacts, segment, index, stored);
                one(&named(&artefacts.operator_chunk(segment, index)), whole, report);
            }
            let path = artefacts.operator_reads(segment);
            list(&named(&path), artefacts.list(&path, executed.output.reads), report);
        }
    }
    for (id, job) in store.all(&JOBS)? {
        let segment = SegmentId { shard: job.start.shard, segment: job.segment };
        let stage = lives.get(&Part::of_job(segment, id)).and_then(Life::stage);
        let Some(manifest) = job.manifest.filter(|_| stage == Some(Stage::Proving)) else { continue };
        for (expected, index) in manifest.chunks.iter().zip(0..) {
            let kept = kept_chunk(&artefacts, id, index);
            let whole = kept.map(|found| found.map(|hash| hash == Some(*expected)));
            one(&named(&artefacts.fetched_chunk(id, index)), whole, report);
        }
        let path = artefacts.fetched_reads(id);
        list(&named(&path), artefacts.list(&path, manifest.output.reads), report);
    }
    Ok(())
}

/// Names a list that is another one than it should be.
fn list(file: &str, found: Result<List, ArtefactError>, report: &mut Report) {
    match found {
        Ok(List::Damaged) => report.contradiction(file, "it isn't the list that the run's output commits to"),
        Ok(List::Missing | List::Whole(_)) => {}
        Err(error) => report.error(file, &error),
    }
}

/// Counts a chunk that should be there.
fn one<E: Coded>(file: &str, whole: Result<Option<bool>, E>, report: &mut Report) {
    report.chunks_expected += 1;
    match whole {
        Ok(Some(true)) => report.chunks += 1,
        Ok(Some(false)) => report.contradiction(file, "its content doesn't have its hash"),
        Ok(None) => {}
        Err(error) => report.error(file, &error),
    }
}
