//! A run's witness chunks on their way to a prover: files in the data folder, and what is known of each.
//!
//! The execution's thread writes, sessions read. A chunk can be made again by executing, so its file needn't survive a crash; once the
//! run has ended, its list of chunks is durable, and a restarted operator whose files are whole executes nothing. The same holds for the list of what a run
//! of contracts read, which is a file of its own: its commitment is in the output.
//!
//! **What is sent is what was cut.** A damaged chunk that is sent would be this operator's offence, so each is checked whenever it is read. It is unpacked for that once in a process:
//! from then on the hash of the compressed bytes is known, and a prover that pulls a chunk again and again costs a reading and a hash of these.
//!
//! **A file that is missing or damaged** is made again, by executing, and so is one that couldn't be read [`READS_IN_VAIN`] times in a row: a sector that is worn out stays so until something
//! is written anew. Bounds: those of a run, and 40 bytes for each chunk.

use super::lease::Work;
use shardwire_model::{Felt, Hash, SegmentId};
use shardwire_protocols::trace;
use shardwire_store::{
    ArtefactError, Artefacts, DiskError, List,
    records::{Executed, StoredChunk},
};
use shardwire_witness::{self as witness, Chunk};
use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Mutex, PoisonError},
};
use tokio::time::Instant;

// Whatever a run cuts can be sent.
const _: () =
    assert!(witness::MAX_CHUNK_BYTES <= trace::MAX_CHUNK_RAW as usize && witness::MAX_CHUNKS <= trace::MAX_CHUNKS);

/// How often in a row a chunk's file can't be read before it counts as lost: twice may pass by itself, such as a want of open files.
const READS_IN_VAIN: u32 = 3;

/// What a chunk store has.
#[derive(Debug, Default)]
struct Contents {
    chunks: Vec<StoredChunk>,
    steps: u64,
    executed: Option<Executed>,
    /// When that was noted.
    ended: Option<Instant>,
    /// Of each chunk's file, what its content hashes to, once that was found to be the chunk.
    checked: BTreeMap<u32, Hash>,
    /// How often in a row a chunk's file couldn't be read, or that of the list.
    unread: BTreeMap<Option<u32>, u32>,
}

/// What comes next of a run's witness.
#[derive(Debug)]
pub(super) enum Found {
    /// This chunk, whose file is to be read.
    Chunk(StoredChunk),
    /// Nothing: the run has ended like this.
    End(Box<Executed>),
}

/// The chunks of one segment of a run.
#[derive(Debug)]
pub(super) struct ChunkStore {
    artefacts: Artefacts,
    segment: SegmentId,
    contents: Mutex<Contents>,
}

/// How far a run's witness is, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Chunks that were cut.
    pub chunks: u32,
    /// Steps that they cover.
    pub steps: u64,
    /// Their size before compression, in bytes.
    pub bytes_raw: u64,
    /// Their size compressed, in bytes.
    pub bytes_wire: u64,
    /// How long the run was executed, in milliseconds; zero until it has ended.
    pub execute_ms: u64,
}

impl Extent {
    /// Of two parts of a run together.
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            chunks: self.chunks.saturating_add(other.chunks),
            steps: self.steps.saturating_add(other.steps),
            bytes_raw: self.bytes_raw.saturating_add(other.bytes_raw),
            bytes_wire: self.bytes_wire.saturating_add(other.bytes_wire),
            execute_ms: self.execute_ms.saturating_add(other.execute_ms),
        }
    }
}

impl ChunkStore {
    pub(super) fn new(artefacts: Artefacts, segment: SegmentId) -> Self {
        Self { artefacts, segment, contents: Mutex::default() }
    }

    fn contents(&self) -> std::sync::MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next chunk. Called by the execution, in order.
    pub(super) fn push(&self, chunk: &Chunk) -> io::Result<()> {
        let wire = witness::compress(&chunk.body);
        self.artefacts
            .write(&self.artefacts.operator_chunk(self.segment, chunk.index), &[&wire], false)
            .map_err(io::Error::other)?;
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut contents = self.contents();
        contents.chunks.push(StoredChunk {
            hash: chunk.hash,
            raw_bytes: length(&chunk.body),
            wire_bytes: length(&wire),
        });
        contents.steps = chunk.steps;
        contents.checked.insert(chunk.index, Hash::of(&wire));
        Ok(())
    }

    /// What there is to do for a prover.
    pub(super) fn work(&self) -> Work {
        let contents = self.contents();
        let chunks = u32::try_from(contents.chunks.len()).unwrap_or(u32::MAX);
        Work { steps: contents.steps, chunks, ended: contents.ended }
    }

    /// The chunks so far, once execution has ended.
    pub(super) fn chunks(&self) -> Vec<StoredChunk> {
        self.contents().chunks.clone()
    }

    /// Keeps the list of what the run read. Called by the execution, at its end.
    pub(super) fn keep_reads(&self, felts: &[Felt]) -> Result<(), ArtefactError> {
        self.artefacts.write_list(&self.artefacts.operator_reads(self.segment), felts, false)
    }

    /// Forgets the chunks: execution begins again, and makes the same.
    pub(super) fn begin_again(&self) {
        *self.contents() = Contents::default();
    }

    /// Notes that execution has ended.
    pub(super) fn end(&self, executed: Executed) {
        let mut contents = self.contents();
        contents.chunks.clone_from(&executed.chunks);
        contents.steps = executed.steps;
        contents.executed = Some(executed);
        contents.ended = Some(Instant::now());
    }

    /// How execution ended, once it has.
    pub(super) fn executed(&self) -> Option<Executed> {
        self.contents().executed.clone()
    }

    /// Whether execution has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.contents().executed.is_some()
    }

    /// Whether each chunk's file holds what it should, and so does that of the list.
    pub(super) fn is_whole(&self, executed: &Executed) -> bool {
        let mut chunks = executed.chunks.iter().zip(0..);
        matches!(self.list(executed), Ok(List::Whole(_)))
            && chunks.all(|(stored, index)| matches!(self.read(index, stored), Ok(Some(_))))
    }

    /// The list of what a run read that ended like this.
    fn list(&self, executed: &Executed) -> Result<List, ArtefactError> {
        self.artefacts.list(&self.artefacts.operator_reads(self.segment), executed.output.reads)
    }

    /// A chunk's file, if it holds what it should. What doesn't isn't sent: that would be the operator's offence, and is its disk's.
    fn read(&self, index: u32, stored: &StoredChunk) -> Result<Option<Vec<u8>>, ArtefactError> {
        let path = self.artefacts.operator_chunk(self.segment, index);
        let read = self.artefacts.read_own(&path, u64::from(trace::MAX_CHUNK_WIRE));
        let Some(wire) = self.tried(Some(index), read)?.flatten() else { return Ok(None) };
        let hash = Hash::of(&wire);
        let checked = self.contents().checked.get(&index).copied();
        match checked {
            Some(checked) => Ok((hash == checked).then_some(wire)),
            None if holds(&wire, stored) => {
                self.contents().checked.insert(index, hash);
                Ok(Some(wire))
            }
            None => Ok(None),
        }
    }

    /// What was read of a chunk's file, or of that of the list; none if it couldn't be, too often in a row.
    fn tried<T>(&self, chunk: Option<u32>, read: Result<T, ArtefactError>) -> Result<Option<T>, ArtefactError> {
        let unread = &mut self.contents().unread;
        match read {
            Ok(read) => {
                unread.remove(&chunk);
                Ok(Some(read))
            }
            Err(error) => {
                let times = unread.entry(chunk).or_default();
                *times += 1;
                if *times < READS_IN_VAIN { Err(error) } else { Ok(None) }
            }
        }
    }

    /// Whether there is a chunk, or how the run ended; `None` if there is neither yet. Reads no file.
    pub(super) fn find(&self, index: u32) -> Option<Found> {
        let contents = self.contents();
        match contents.chunks.get(index as usize) {
            Some(stored) => Some(Found::Chunk(*stored)),
            None => contents.executed.as_ref().map(|executed| Found::End(Box::new(executed.clone()))),
        }
    }

    /// A chunk that was found; one whose file is damaged counts as missing. Waits for the disk, hashes, and unpacks if it is the first time: call it off the async threads.
    pub(super) fn chunk(&self, index: u32, stored: StoredChunk) -> Result<trace::ChunkAnswer, ArtefactError> {
        let path = self.artefacts.operator_chunk(self.segment, index);
        let wire = self.read(index, &stored)?.ok_or_else(|| missing(&path))?;
        let StoredChunk { hash, raw_bytes, .. } = stored;
        Ok(trace::ChunkAnswer::Chunk(trace::Chunk { index, hash, raw_bytes, body: wire.into() }))
    }

    /// How a run ended, with the list of what it read; one whose file is damaged counts as missing. Waits for the disk and hashes: call it off the async threads.
    pub(super) fn ending(&self, executed: Executed) -> Result<trace::ChunkAnswer, ArtefactError> {
        let list = self.tried(None, self.list(&executed))?.and_then(List::whole);
        let reads = list.ok_or_else(|| missing(&self.artefacts.operator_reads(self.segment)))?;
        let Executed { chunks, steps, output, .. } = executed;
        let chunks = chunks.iter().map(|chunk| chunk.hash).collect();
        Ok(trace::ChunkAnswer::End(trace::Ending { chunks, steps, output, reads }.into()))
    }

    /// Removes the files of the shard's chunks. Waits for the disk.
    pub(super) fn remove(&self) -> Result<(), ArtefactError> {
        self.artefacts.remove(&self.artefacts.shard(self.segment.shard))
    }

    pub(super) fn extent(&self) -> Extent {
        let contents = self.contents();
        let sum = |bytes: fn(&StoredChunk) -> u32| contents.chunks.iter().map(|chunk| u64::from(bytes(chunk))).sum();
        Extent {
            chunks: u32::try_from(contents.chunks.len()).unwrap_or(u32::MAX),
            steps: contents.steps,
            bytes_raw: sum(|chunk| chunk.raw_bytes),
            bytes_wire: sum(|chunk| chunk.wire_bytes),
            execute_ms: contents.executed.as_ref().map_or(0, |executed| executed.execute_ms),
        }
    }
}

/// Whether a chunk's file holds what it should; none if there is no such file.
///
/// # Errors
/// [`ArtefactError::Disk`] or [`ArtefactError::TooLarge`] if it can't be read.
pub fn chunk_is_whole(
    artefacts: &Artefacts,
    segment: SegmentId,
    index: u32,
    stored: &StoredChunk,
) -> Result<Option<bool>, ArtefactError> {
    let wire = artefacts.read(&artefacts.operator_chunk(segment, index), u64::from(trace::MAX_CHUNK_WIRE))?;
    Ok(wire.map(|wire| holds(&wire, stored)))
}

/// Whether this is the chunk, compressed.
fn holds(wire: &[u8], stored: &StoredChunk) -> bool {
    witness::decompress(wire, stored.raw_bytes as usize).is_ok_and(|body| Hash::of(&body) == stored.hash)
}

/// That a file isn't there, or isn't what it should be.
fn missing(path: &Path) -> ArtefactError {
    DiskError::of(path, "read")(io::ErrorKind::NotFound.into()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_disk::{Medium, SimulatedDisk};
    use shardwire_model::{Felt, Output, ShardId};
    use std::sync::Arc;

    const SEGMENT: SegmentId = SegmentId::first(ShardId(Felt::ONE));

    fn chunk_store(medium: &Medium) -> ChunkStore {
        ChunkStore::new(Artefacts::new("/node".into(), Arc::new(SimulatedDisk::new(medium))), SEGMENT)
    }

    fn read(store: &ChunkStore, stored: StoredChunk) -> Result<(), String> {
        store.chunk(0, stored).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn a_chunk_is_unpacked_once_in_a_process_and_checked_each_time() {
        let medium = Medium::new(1);
        let (before, body) = (chunk_store(&medium), vec![7; 5000]);
        let chunk = Chunk { index: 0, hash: Hash::of(&body), body, steps: 9, closing: false };
        before.push(&chunk).unwrap();
        let stored = before.chunks()[0];
        // What it should unpack to is looked at no more.
        let other = StoredChunk { hash: Hash::of(b"other"), ..stored };
        read(&before, other).unwrap();

        let after = chunk_store(&medium);
        assert!(read(&after, other).is_err(), "a process before may have written anything");
        read(&after, stored).unwrap();
        read(&after, other).unwrap();

        let file = Artefacts::new("/node".into(), Arc::new(SimulatedDisk::new(&medium))).operator_chunk(SEGMENT, 0);
        assert!(medium.damage(&file.to_string_lossy(), 3));
        for store in [before, after] {
            assert!(read(&store, stored).unwrap_err().contains("can't be read"), "it is checked all the same");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_counts_as_lost_after_some_times_in_a_row() {
        let medium = Medium::new(1);
        let (store, body) = (chunk_store(&medium), vec![7; 5000]);
        store.push(&Chunk { index: 0, hash: Hash::of(&body), body, steps: 9, closing: false }).unwrap();
        let stored = store.chunks()[0];
        let lost = || {
            let Err(ArtefactError::Disk(error)) = store.chunk(0, stored) else { panic!("it can't be read") };
            error.reason.kind() == io::ErrorKind::NotFound
        };
        for _ in 0..2 {
            medium.fail_reads(1_000_000);
            assert!(!lost() && !lost());
            medium.fail_reads(0);
            read(&store, stored).unwrap();
        }
        let file = store.artefacts.operator_chunk(SEGMENT, 0);
        assert!(medium.wear_out(&file.to_string_lossy()));
        assert!(!lost() && !lost() && lost() && lost());
    }

    #[test]
    fn a_list_that_cannot_be_read_counts_as_lost_after_as_many_times() {
        let medium = Medium::new(1);
        let (store, felts) = (chunk_store(&medium), [Felt::ONE, Felt::TWO]);
        store.keep_reads(&felts).unwrap();
        let output = Output {
            program: Felt::THREE,
            shard: SEGMENT.shard,
            segment: 0,
            before: Felt::ONE,
            after: Felt::ONE,
            reads: shardwire_model::reads::commitment(&felts),
            transactions: Felt::ONE,
            count: 1,
            ended: true,
            updates: Vec::new(),
        };
        let executed = Executed { chunks: Vec::new(), steps: 9, output, execute_ms: 1 };
        let lost = || match store.ending(executed.clone()) {
            Err(ArtefactError::Disk(error)) => error.reason.kind() == io::ErrorKind::NotFound,
            other => panic!("it can't be read: {other:?}"),
        };
        let file = store.artefacts.operator_reads(SEGMENT);
        assert!(medium.wear_out(&file.to_string_lossy()));
        assert!(!lost() && !lost() && lost() && lost());
        store.keep_reads(&felts).unwrap();
        assert!(store.ending(executed).is_ok());
    }
}
