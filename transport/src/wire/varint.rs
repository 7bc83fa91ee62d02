//! Lengths: unsigned LEB128 as postcard writes its integers, at most 5 bytes, shortest form only.
//!
//! A longer form of the same number is refused: two spellings of one frame would make recorded bytes and their hashes
//! ambiguous.

/// The longest encoding of a `u32`, in bytes: ⌈32 / 7⌉.
pub(crate) const MAX_LEN: usize = 5;

/// The number at the beginning of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A whole number and the length of its encoding.
    Whole {
        /// The number that was read.
        value: u32,
        /// The length of its encoding.
        len: usize,
    },
    /// The input ends before the number does.
    Partial,
    /// No `u32` in its shortest form begins like this.
    Malformed,
}

/// Reads a number from the front of `bytes`.
pub(crate) fn parse(bytes: impl IntoIterator<Item = u8>) -> Parsed {
    let mut value: u32 = 0;
    for (position, byte) in bytes.into_iter().take(MAX_LEN).enumerate() {
        let payload = u32::from(byte & 0x7f);
        let last = byte & 0x80 == 0;
        if position == MAX_LEN - 1 && (!last || payload > 0x0f) {
            return Parsed::Malformed; // more than 32 bits
        }
        value |= payload << (7 * position);
        if last {
            // A zero in the last place of several adds nothing: not the shortest form.
            return if position > 0 && payload == 0 {
                Parsed::Malformed
            } else {
                Parsed::Whole { value, len: position + 1 }
            };
        }
    }
    Parsed::Partial
}

/// Encodes `value`. Returns a buffer and how many of its bytes are the encoding.
pub(crate) fn write(mut value: u32) -> ([u8; MAX_LEN], usize) {
    let mut bytes = [0; MAX_LEN];
    let mut len = 0;
    for byte in &mut bytes {
        len += 1;
        *byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            break;
        }
        *byte |= 0x80;
    }
    (bytes, len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(value: u32, rest: Vec<u8>) {
            let (bytes, len) = write(value);
            prop_assert_eq!(parse(bytes[..len].iter().copied().chain(rest)), Parsed::Whole { value, len });
            for cut in 0..len {
                prop_assert_eq!(parse(bytes[..cut].iter().copied()), Parsed::Partial);
            }
        }

        #[test]
        fn it_is_postcards_varint(value: u32) {
            let (bytes, len) = write(value);
            prop_assert_eq!(&bytes[..len], &postcard::to_stdvec(&value).unwrap()[..]);
        }

        #[test]
        fn any_bytes_have_one_reading(bytes: Vec<u8>) {
            if let Parsed::Whole { value, len } = parse(bytes.iter().copied()) {
                let (again, again_len) = write(value);
                prop_assert_eq!(&again[..again_len], &bytes[..len]);
            }
        }
    }

    #[test]
    fn longer_forms_and_larger_numbers_are_refused() {
        for bytes in
            [&[0x80, 0x00][..], &[0xff, 0x80, 0x00], &[0xff, 0xff, 0xff, 0xff, 0x10], &[0x80, 0x80, 0x80, 0x80, 0x80]]
        {
            assert_eq!(parse(bytes.iter().copied()), Parsed::Malformed, "{bytes:?}");
        }
    }
}
