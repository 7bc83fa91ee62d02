//! A job's chunks on the prover's disk: each with its hash and length before it, so that what survived a crash can be told from
//! what didn't.
//!
//! All of this unpacks, hashes or waits for the disk: call it off the async threads. A chunk is hashed when it comes, to see whether the
//! operator sent what it said, and when it is read again, to see whether the disk kept it.

use super::error::ProverError;
use shardwire_model::Hash;
use shardwire_protocols::trace::{Chunk, MAX_CHUNK_RAW, MAX_CHUNK_WIRE};
use shardwire_store::Artefacts;
use shardwire_witness::decompress;

/// Length (4 bytes, little-endian) and hash before the compressed body.
const HEAD_BYTES: usize = 4 + 32;
/// Most bytes of a chunk's file.
const MAX_FILE_BYTES: u64 = MAX_CHUNK_WIRE as u64 + HEAD_BYTES as u64;

/// The body of a chunk that just came, if it is what its hash says.
pub(super) fn unpack(chunk: &Chunk) -> Result<Vec<u8>, String> {
    let body = decompress(&chunk.body, chunk.raw_bytes as usize).map_err(|error| error.to_string())?;
    if Hash::of(&body) == chunk.hash { Ok(body) } else { Err("its content doesn't have its hash".into()) }
}

/// Stores a chunk of a job's witness.
pub(super) fn keep(artefacts: &Artefacts, job: Hash, chunk: &Chunk) -> Result<(), ProverError> {
    if chunk.raw_bytes > MAX_CHUNK_RAW {
        return Err(ProverError::ChunkSize);
    }
    let path = artefacts.fetched_chunk(job, chunk.index);
    Ok(artefacts.write(&path, &[&chunk.raw_bytes.to_le_bytes(), &chunk.hash.0, &chunk.body], false)?)
}

/// A chunk as it was kept.
pub(super) struct Kept {
    /// The hash that stands before it.
    hash: Hash,
    pub(super) body: Vec<u8>,
    /// Its length on the wire.
    pub(super) wire: u64,
}

impl Kept {
    /// What a file holds, if it is a chunk's and unpacks.
    fn of(file: &[u8]) -> Option<Self> {
        let (length, rest) = file.split_at_checked(4)?;
        let (hash, wire) = rest.split_at_checked(32)?;
        let length = u32::from_le_bytes(length.try_into().ok()?);
        let hash = Hash(hash.try_into().ok()?);
        let body = (length <= MAX_CHUNK_RAW).then(|| decompress(wire, length as usize).ok()).flatten()?;
        Some(Self { hash, body, wire: wire.len() as u64 })
    }

    fn is_whole(&self) -> bool {
        Hash::of(&self.body) == self.hash
    }
}

/// A chunk that was kept, if the disk gives it out and it unpacks. Whatever is wrong with the file, it is fetched again into a new one: if the disk takes none, that is said then.
pub(super) fn kept(artefacts: &Artefacts, job: Hash, index: u32) -> Option<Kept> {
    Kept::of(&artefacts.read(&artefacts.fetched_chunk(job, index), MAX_FILE_BYTES).ok()??)
}

/// The hash of a chunk that was kept, if its content has it; the outer none: there is no such file.
///
/// # Errors
/// [`ProverError::Artefact`] if it can't be read.
pub fn kept_chunk(artefacts: &Artefacts, job: Hash, index: u32) -> Result<Option<Option<Hash>>, ProverError> {
    let file = artefacts.read(&artefacts.fetched_chunk(job, index), MAX_FILE_BYTES)?;
    Ok(file.map(|file| Kept::of(&file).filter(Kept::is_whole).map(|it| it.hash)))
}

/// The chunks from the first on that are whole: the hash of each.
pub(super) fn whole(artefacts: &Artefacts, job: Hash) -> Vec<Hash> {
    let kept = (0..).map_while(|index| kept(artefacts, job, index).filter(Kept::is_whole));
    kept.map(|it| it.hash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_store::SystemDisk;
    use shardwire_witness::compress;
    use std::sync::Arc;

    #[test]
    fn only_whole_chunks_count_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let (artefacts, job) = (Artefacts::new(folder.path().into(), Arc::new(SystemDisk)), Hash::of(b"job"));
        let bodies: Vec<Vec<u8>> = (0..4u8).map(|n| vec![n; 100]).collect();
        for (body, index) in bodies.iter().zip(0..) {
            let body_wire = compress(body).into();
            let chunk = Chunk { index, hash: Hash::of(body), raw_bytes: 100, body: body_wire };
            assert_eq!(unpack(&chunk).as_ref(), Ok(body));
            keep(&artefacts, job, &chunk).unwrap();
        }
        assert_eq!(whole(&artefacts, job).len(), 4);
        let path = artefacts.fetched_chunk(job, 2);
        let mut torn = std::fs::read(&path).unwrap();
        torn.truncate(torn.len() - 3);
        std::fs::write(&path, torn).unwrap();
        let hashes: Vec<Hash> = bodies[..2].iter().map(|body| Hash::of(body)).collect();
        assert_eq!(whole(&artefacts, job), hashes);
    }

    #[test]
    fn a_chunk_that_is_not_its_hash_is_refused() {
        let body = compress(&[1; 50]).into();
        let chunk = Chunk { index: 0, hash: Hash::of(b"other"), raw_bytes: 50, body };
        assert_eq!(unpack(&chunk), Err("its content doesn't have its hash".into()));
        assert!(unpack(&Chunk { raw_bytes: 49, ..chunk }).unwrap_err().contains("doesn't decompress"));
    }
}
