//! A run's witness chunks on their way to a prover: files in the data folder, and what is known of each.
//!
//! The execution's thread writes, sessions read. A chunk can be made again by executing, so its file needn't survive a crash; once the
//! run has ended, its list of chunks is durable, and a restarted operator whose files are whole executes nothing.

use super::lease::Work;
use shardwire_model::{Hash, SegmentId};
use shardwire_protocols::trace;
use shardwire_store::{
    ArtefactError, Artefacts, DiskError,
    records::{Executed, StoredChunk},
};
use shardwire_witness::{self as witness, Chunk};
use std::{
    io,
    sync::{Mutex, PoisonError},
};
use tokio::time::Instant;

// Whatever a run cuts can be sent.
const _: () =
    assert!(witness::MAX_CHUNK_BYTES <= trace::MAX_CHUNK_RAW as usize && witness::MAX_CHUNKS <= trace::MAX_CHUNKS);

/// What a chunk store has.
#[derive(Debug, Default)]
struct Contents {
    chunks: Vec<StoredChunk>,
    steps: u64,
    executed: Option<Executed>,
    /// When that was noted.
    ended: Option<Instant>,
}

/// What comes next of a run's witness.
#[derive(Debug)]
pub(super) enum Found {
    /// This chunk, whose file is to be read.
    Chunk(StoredChunk),
    /// Nothing: the run has ended.
    End(Box<trace::Ending>),
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

    /// Whether execution has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.contents().executed.is_some()
    }

    /// Whether each chunk's file holds what it should.
    pub(super) fn is_whole(&self, executed: &Executed) -> bool {
        let whole = |(stored, index)| chunk_is_whole(&self.artefacts, self.segment, index, stored);
        executed.chunks.iter().zip(0..).all(|chunk| matches!(whole(chunk), Ok(Some(true))))
    }

    /// A chunk's file, if it holds what it should. What doesn't isn't sent: that would be the operator's offence, and is its disk's.
    fn read(&self, index: u32, stored: &StoredChunk) -> Result<Option<Vec<u8>>, ArtefactError> {
        let path = self.artefacts.operator_chunk(self.segment, index);
        match self.artefacts.read(&path, u64::from(trace::MAX_CHUNK_WIRE)) {
            Err(ArtefactError::TooLarge { .. }) => Ok(None),
            read => Ok(read?.filter(|wire| holds(wire, stored))),
        }
    }

    /// Whether there is a chunk, or how the run ended; `None` if there is neither yet. Reads no file.
    pub(super) fn find(&self, index: u32) -> Option<Found> {
        let contents = self.contents();
        match contents.chunks.get(index as usize) {
            Some(stored) => Some(Found::Chunk(*stored)),
            None => contents.executed.as_ref().map(|executed| Found::End(Box::new(ending(executed)))),
        }
    }

    /// A chunk that was found; one whose file is damaged counts as missing. Waits for the disk, unpacks and hashes: call it off the async threads.
    pub(super) fn chunk(&self, index: u32, stored: StoredChunk) -> Result<trace::ChunkAnswer, ArtefactError> {
        let missing = || {
            DiskError::of(&self.artefacts.operator_chunk(self.segment, index), "read")(io::ErrorKind::NotFound.into())
        };
        let wire = self.read(index, &stored)?.ok_or_else(missing)?;
        let StoredChunk { hash, raw_bytes, .. } = stored;
        Ok(trace::ChunkAnswer::Chunk(trace::Chunk { index, hash, raw_bytes, body: wire.into() }))
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

fn ending(executed: &Executed) -> trace::Ending {
    trace::Ending {
        chunks: executed.chunks.iter().map(|chunk| chunk.hash).collect(),
        steps: executed.steps,
        output: executed.output.clone(),
    }
}
