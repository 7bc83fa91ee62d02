//! A cell of relocatable memory: empty, a felt, or an address whose place is known when the run has ended.

use super::bytes::{Malformed, Reader, put_number};
use shardwire_model::Felt;

/// What a written cell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A field element.
    Felt(Felt),
    /// The address of another cell.
    Address {
        /// The segment.
        segment: u32,
        /// The place in it.
        offset: u32,
    },
}

/// The length byte that stands for an address; a felt has 0 to 32 bytes.
const ADDRESS: u8 = 33;

impl Value {
    /// Appends this value: for a felt the number of its significant bytes, then those, the lowest first.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Felt(felt) => {
                let bytes = felt.to_bytes_le();
                let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                #[allow(clippy::cast_possible_truncation)] // At most 32.
                out.push(length as u8);
                out.extend_from_slice(bytes.get(..length).unwrap_or_default());
            }
            Self::Address { segment, offset } => {
                out.push(ADDRESS);
                put_number(out, u64::from(*segment));
                put_number(out, u64::from(*offset));
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let length = reader.byte()?;
        if length == ADDRESS {
            return Ok(Self::Address { segment: reader.small()?, offset: reader.small()? });
        }
        let mut bytes = [0; 32];
        let significant = reader.take(usize::from(length))?;
        if significant.last() == Some(&0) {
            return Err(Malformed("a felt with needless bytes"));
        }
        bytes
            .get_mut(..significant.len())
            .ok_or(Malformed("a felt longer than 32 bytes"))?
            .copy_from_slice(significant);
        let felt = Felt::from_bytes_le(&bytes);
        if felt.to_bytes_le() == bytes {
            Ok(Self::Felt(felt))
        } else {
            Err(Malformed("a felt that is not below the prime"))
        }
    }
}

/// A cell in 32 bytes: a felt leaves the top bits of the last of four words free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell([u64; 4]);

const EMPTY: u64 = 1 << 63;
const IS_ADDRESS: u64 = 1 << 62;

impl Cell {
    pub(crate) const EMPTY: Self = Self([0, 0, 0, EMPTY]);

    pub(crate) fn new(value: &Value) -> Self {
        match value {
            Value::Felt(felt) => {
                let bytes = felt.to_bytes_le();
                Self(std::array::from_fn(|i| u64::from_le_bytes(std::array::from_fn(|j| bytes[8 * i + j]))))
            }
            Value::Address { segment, offset } => Self([u64::from(*segment), u64::from(*offset), 0, IS_ADDRESS]),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0[3] == EMPTY
    }

    /// The segment and the place in it, if this is an address.
    pub(crate) fn address(&self) -> Option<(u64, u64)> {
        (self.0[3] == IS_ADDRESS).then_some((self.0[0], self.0[1]))
    }

    /// The felt, if this is one.
    pub(crate) fn felt(&self) -> Option<Felt> {
        (!self.is_empty() && self.address().is_none()).then(|| Felt::from_bytes_le(&self.bytes()))
    }

    /// The 32 bytes of a felt, the lowest first.
    pub(crate) fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (eight, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            eight.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_felt_has_one_encoding() {
        let read = |bytes: &[u8]| Value::read(&mut Reader::new(bytes));
        assert_eq!(read(&[0]), Ok(Value::Felt(Felt::ZERO)));
        assert_eq!(read(&[1, 0]), Err(Malformed("a felt with needless bytes")));
        assert_eq!(read(&[34]), Err(Malformed("it ends early")));
        assert_eq!(read(&[&[34][..], &[1; 34]].concat()), Err(Malformed("a felt longer than 32 bytes")));
        assert_eq!(read(&[&[32][..], &[255; 32]].concat()), Err(Malformed("a felt that is not below the prime")));
    }
}
