//! The witness: what a prover needs of a run, in chunks while it runs, as one flat file when it has ended.
//!
//! A [`Chunk`] holds the registers of [`CHUNK_STEPS`] steps and the memory cells that became known in them. Where cells are more than
//! [`MAX_CHUNK_CELLS`], chunks that have cells only come before it. Chunks are cut by the numbers of steps and cells alone, so the same
//! transactions give the same chunks, with the same hashes, however fast they came; a restarted operator goes on where the stream
//! stopped. The last one, the closing chunk, holds the rest: how long each segment became, where the builtins are, what is public.
//! A [`Manifest`] lists all of a run's chunks.
//!
//! Code may run in any segment: the program's, or one that the program loaded. The cells of the latter come in the last chunks, because what
//! of them counts is known only when the run has ended.
//!
//! An [`Assembler`] takes the chunks of a run, in order, and writes the flat witness file that a proving worker reads
//! (docs/prover-worker.md): memory relocated to addresses from 1, without holes, and the trace. It runs no VM and believes
//! nothing: a chunk that contradicts another, points nowhere or exceeds a bound is an [`AssembleError`]. It can't see whether the
//! steps are right ones; a proof of a wrong step fails.
//!
//! Nothing here knows a program. A run's program is the content of its first segment, and the assembler is told its hash; the
//! nine [`BUILTINS`] and their sizes are the proving worker's, whatever the program.
//!
//! On the wire a body is compressed ([`compress`], [`decompress`]); its hash is of the uncompressed body.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod assemble;
mod bytes;
mod cell;
mod chunk;
mod flat;
mod manifest;
mod wire;

pub use assemble::{AssembleError, Assembled, Assembler};
pub use bytes::Malformed;
pub use cell::Value;
pub use chunk::{Body, Chunk, Closing, Registers, Run};
pub use manifest::{Manifest, ManifestError, witness_hash};
pub use wire::{WireError, compress, decompress};

/// The builtins that a proving worker knows, in the flat witness's order; a builtin's place is its number in a closing chunk.
pub const BUILTINS: [&str; 9] =
    ["output", "pedersen", "range_check", "bitwise", "ec_op", "poseidon", "range_check96", "add_mod", "mul_mod"];
/// Steps in a chunk. About 150 transactions and 0.3 MB: small enough to stream a run while it goes on, large enough that
/// a chunk's own costs vanish.
pub const CHUNK_STEPS: usize = 1 << 14;
/// Most bytes of a chunk's body: 16 a step, 44 for each of [`MAX_CHUNK_CELLS`] if no two are neighbours, and in the closing one the lengths of
/// [`MAX_SEGMENTS`] segments, which take 1.4 MB if they have [`MAX_CELLS`] together. So an honest chunk never exceeds it.
pub const MAX_CHUNK_BYTES: usize = 4 << 20;
/// Most cells in a chunk: three times what 2^14 steps fill in the mean.
pub const MAX_CHUNK_CELLS: usize = 3 * CHUNK_STEPS;
/// Most chunks of a run. With it a run has at most 2^24 steps, more than twice what the most transactions of a shard make.
pub const MAX_CHUNKS: usize = 1 << 10;
/// Most steps of a run.
pub const MAX_STEPS: usize = MAX_CHUNKS * CHUNK_STEPS;
/// Most memory segments of a run. `rules` has one an account and some 30; a contract makes one with each array, some 40 a transaction.
pub const MAX_SEGMENTS: usize = 1 << 20;
/// Most memory cells of a run, holes included: 1 GiB as a flat file.
pub const MAX_CELLS: usize = 1 << 25;
/// Most bytes of a flat witness: the fixed part of its head, 4 a cell that is public, 12 a step, 32 a cell.
pub const MAX_WITNESS_BYTES: u64 = 176 + (4 + 32) * MAX_CELLS as u64 + 12 * MAX_STEPS as u64;
