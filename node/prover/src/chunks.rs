//! A job's chunks on the prover's disk: each with its hash and length before it, so that what survived a crash can be told from
//! what didn't.
//!
//! All of this unpacks, hashes or waits for the disk: call it off the async threads. A chunk is hashed when it comes, to see whether the
//! operator sent what it said, and when it is read again, to see whether the disk kept it; the assembler's own hash serves for that.

use super::error::ProverError;
use shardwire_model::Hash;
use shardwire_protocols::trace::{Chunk, MAX_CHUNK_RAW, MAX_CHUNK_WIRE};
use shardwire_store::Artefacts;
use shardwire_witness::decompress;

/// Length (4 bytes, little-endian) and hash before the compressed body.
const HEAD_BYTES: usize = 4 + 32;

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

/// A chunk as it was kept, and what its hash should be.
pub(super) struct Kept {
    /// What it was when it was kept: the user of the body compares.
    pub(super) hash: Hash,
    pub(super) body: Vec<u8>,
    /// Its length on the wire.
    pub(super) wire: u64,
}

/// A chunk that was kept, if it unpacks.
pub(super) fn kept(artefacts: &Artefacts, job: Hash, index: u32) -> Result<Option<Kept>, ProverError> {
    let most = u64::from(MAX_CHUNK_WIRE) + HEAD_BYTES as u64;
    let Some(file) = artefacts.read(&artefacts.fetched_chunk(job, index), most)? else { return Ok(None) };
    let whole = || {
        let (length, rest) = file.split_at_checked(4)?;
        let (hash, wire) = rest.split_at_checked(32)?;
        let length = u32::from_le_bytes(length.try_into().ok()?);
        let hash = Hash(hash.try_into().ok()?);
        let body = (length <= MAX_CHUNK_RAW).then(|| decompress(wire, length as usize).ok()).flatten()?;
        Some(Kept { hash, body, wire: wire.len() as u64 })
    };
    Ok(whole())
}

/// The hash of a chunk that was kept, if its content has it; the outer none: there is no such file.
///
/// # Errors
/// [`ProverError::Artefact`] if it can't be read.
pub fn kept_chunk(artefacts: &Artefacts, job: Hash, index: u32) -> Result<Option<Option<Hash>>, ProverError> {
    if artefacts.is_there(&artefacts.fetched_chunk(job, index)).is_ok_and(|there| !there) {
        return Ok(None);
    }
    let whole = kept(artefacts, job, index)?.filter(|it| Hash::of(&it.body) == it.hash);
    Ok(Some(whole.map(|it| it.hash)))
}

/// The chunks from the first on that are whole: the hash of each. One that can't be read counts as one that isn't there: it is fetched again, and a sector that is worn out is
/// replaced by that.
pub(super) fn whole(artefacts: &Artefacts, job: Hash) -> Vec<Hash> {
    let mut hashes = Vec::new();
    for index in 0.. {
        match kept(artefacts, job, index) {
            Ok(Some(Kept { hash, body, .. })) if Hash::of(&body) == hash => hashes.push(hash),
            _ => break,
        }
    }
    hashes
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
