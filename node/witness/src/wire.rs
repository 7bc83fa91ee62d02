//! A chunk's body on the wire: one LZ4 block.

use super::MAX_CHUNK_BYTES;
use shardwire_model::Coded;

/// A compressed body that can't be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It says that it is longer than a body may be.
    #[error("a chunk of {got} bytes: at most {MAX_CHUNK_BYTES} are allowed")]
    TooLong {
        /// What it says.
        got: usize,
    },
    /// It doesn't decompress to the length that it says.
    #[error("a compressed chunk doesn't decompress to the {expected} bytes that it says")]
    Corrupt {
        /// What it says.
        expected: usize,
    },
}

impl Coded for WireError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "SW-WITNESS-001",
            Self::Corrupt { .. } => "SW-WITNESS-002",
        }
    }

    fn next_step(&self) -> String {
        "Pull the chunk again; if it comes the same, the operator is at fault: pull from another.".into()
    }
}

/// The body as it goes over the wire.
#[must_use]
pub fn compress(body: &[u8]) -> Vec<u8> {
    lz4_flex::block::compress(body)
}

/// The body of `length` bytes that was compressed to `wire`. Allocates `length` bytes, and never more than
/// [`MAX_CHUNK_BYTES`].
///
/// # Errors
/// [`WireError::TooLong`] if `length` is out of bounds, [`WireError::Corrupt`] if another number of bytes comes out.
pub fn decompress(wire: &[u8], length: usize) -> Result<Vec<u8>, WireError> {
    if length > MAX_CHUNK_BYTES {
        return Err(WireError::TooLong { got: length });
    }
    let mut body = vec![0; length];
    match lz4_flex::block::decompress_into(wire, &mut body) {
        Ok(n) if n == length => Ok(body),
        _ => Err(WireError::Corrupt { expected: length }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_body_comes_back(body in proptest::collection::vec(0u8..4, 0..5000)) {
            prop_assert_eq!(decompress(&compress(&body), body.len()), Ok(body));
        }

        #[test]
        fn arbitrary_bytes_are_an_error_or_a_body(wire: Vec<u8>, length in 0usize..10_000) {
            if let Ok(body) = decompress(&wire, length) {
                prop_assert_eq!(body.len(), length);
            }
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let error = decompress(&[0; 10], MAX_CHUNK_BYTES + 1).expect_err("too long");
        assert_eq!(error.to_string(), "a chunk of 4194305 bytes: at most 4194304 are allowed");
        let error = decompress(&compress(&[7; 1000]), 999).expect_err("another length");
        assert_eq!(error.to_string(), "a compressed chunk doesn't decompress to the 999 bytes that it says");
    }
}
