//! The hash that stands for a program in start data, records and messages.

use crate::Felt;
use blake2::{Blake2s256, Digest};

/// Set in the first word of a long felt; no felt has it, since the prime is below 2^255.
const LONG: u32 = 1 << 31;

/// The hash of the program with this data section (as in the compiled JSON): Cairo's Blake2s, as the verifier computes it of the
/// program in a proof. A felt below 2^63 is hashed as two 32-bit words, any other as eight with the top bit set; the highest word
/// comes first, each little-endian. The digest is read as a little-endian number.
#[must_use]
pub fn program_hash(data: &[Felt]) -> Felt {
    let mut hasher = Blake2s256::new();
    for felt in data {
        let bytes = felt.to_bytes_be();
        let words = bytes.chunks_exact(4).map(|four| four.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)));
        let short = u64::try_from(*felt).is_ok_and(|number| number < 1 << 63);
        for (place, word) in words.enumerate().skip(if short { 6 } else { 0 }) {
            let word = if place == 0 { word | LONG } else { word };
            hasher.update(word.to_le_bytes());
        }
    }
    Felt::from_bytes_le(&hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_cairos_hash() {
        // The vector of cairo-air's own test: 2,421,522,214 + 635,981,307·2^32 + …
        let data = [0x90ab_cdef_1234_5678u64, 0x3456_7890_abcd_ef12];
        let expected = "115645365096977585374207223166120623839439046970571781411593222716768222992";
        assert_eq!(program_hash(&data.map(Felt::from)), Felt::from_dec_str(expected).unwrap());
    }
}
