//! What stands in a flat witness (docs/prover-worker.md), as far as a notary looks at it.

use shardwire_model::{Felt, ShardStart, program_hash, state_commitment};
use std::collections::BTreeSet;

/// Where the header ends.
const HEADER_BYTES: usize = 176;

/// The memory of a flat witness.
pub(super) struct Memory<'a> {
    cells: &'a [[u8; 32]],
    output: (usize, usize),
}

impl<'a> Memory<'a> {
    pub(super) fn of(witness: &'a [u8]) -> Option<Self> {
        let number = |at: usize, length: usize| {
            let mut bytes = [0; 8];
            bytes.get_mut(..length)?.copy_from_slice(witness.get(at..at + length)?);
            usize::try_from(u64::from_le_bytes(bytes)).ok()
        };
        let (steps, public) = (number(8, 8)?, number(24, 4)?);
        let output = (number(32, 8)?, number(40, 8)?);
        let (cells, _) = witness.get(HEADER_BYTES + 4 * public + 12 * steps..)?.as_chunks::<32>();
        Some(Self { cells, output })
    }

    fn cell(&self, address: usize) -> Option<Felt> {
        Some(Felt::from_bytes_le(self.cells.get(address.checked_sub(1)?)?))
    }

    pub(super) fn output(&self) -> Option<Vec<Felt>> {
        (self.output.0..self.output.1).map(|address| self.cell(address)).collect()
    }

    /// The values that the run begins from: they stand behind the start's commitment, and their commitment is in the output.
    pub(super) fn values(&self, start: &ShardStart, before: Felt) -> Option<Vec<Felt>> {
        let commitment = start.commitment();
        let wanted = commitment.to_bytes_le();
        let places = self.cells.iter().zip(1..).filter(|(cell, _)| **cell == wanted);
        let mut states = places.filter_map(|(_, address)| {
            (1..=start.entries.len()).map(|offset| self.cell(address + offset)).collect::<Option<Vec<Felt>>>()
        });
        states.find(|values| state_commitment(commitment, values) == before)
    }

    /// The transactions' hashes, each with its time, in the order of the log, which has so many of these: a run of contracts lists them one after the other, and their commitment is in
    /// the output.
    pub(super) fn order(&self, known: &BTreeSet<Felt>, count: usize, commitment: Felt) -> Option<Vec<(Felt, Felt)>> {
        let wanted: BTreeSet<[u8; 32]> = known.iter().map(Felt::to_bytes_le).collect();
        let listed = |place: &usize| {
            let pair = |number| Some((self.cells.get(place + 2 * number)?, self.cells.get(place + 2 * number + 1)?));
            let pairs = (0..count).map(|number| pair(number).filter(|(hash, _)| wanted.contains(*hash)));
            let pairs: Vec<_> = pairs.collect::<Option<_>>()?;
            let felts: Vec<Felt> =
                pairs.into_iter().flat_map(|(hash, time)| [hash, time]).map(Felt::from_bytes_le).collect();
            (program_hash(&felts) == commitment).then_some(felts)
        };
        let mut places =
            (0..self.cells.len()).filter(|place| self.cells.get(*place).is_some_and(|it| wanted.contains(it)));
        let felts = places.find_map(|place| listed(&place))?;
        Some(felts.as_chunks::<2>().0.iter().map(|[hash, time]| (*hash, *time)).collect())
    }
}
