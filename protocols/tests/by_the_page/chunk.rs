//! A chunk of a witness, read by the page.

use crate::values::{blake2s, hex, kept};
use serde_json::Value;

/// Takes a number off the front.
pub(crate) fn take_number(bytes: &mut &[u8]) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = take(bytes, 1)[0];
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

fn skip_numbers(bytes: &mut &[u8], n: usize) {
    for _ in 0..n {
        take_number(bytes);
    }
}

pub(crate) fn take<'a>(bytes: &mut &'a [u8], n: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(n);
    *bytes = rest;
    taken
}

/// An LZ4 block, decompressed.
fn decompressed(mut block: &[u8]) -> Vec<u8> {
    fn length(block: &mut &[u8], nibble: u8) -> usize {
        let mut length = usize::from(nibble);
        let mut more = nibble == 15;
        while more {
            let byte = take(block, 1)[0];
            length += usize::from(byte);
            more = byte == 255;
        }
        length
    }
    let mut out = Vec::new();
    loop {
        let token = take(&mut block, 1)[0];
        let literals = length(&mut block, token >> 4);
        out.extend_from_slice(take(&mut block, literals));
        if block.is_empty() {
            return out;
        }
        let offset = take(&mut block, 2);
        let from = out.len() - usize::from(u16::from_le_bytes([offset[0], offset[1]]));
        let copied = length(&mut block, token & 15) + 4;
        (0..copied).for_each(|at| out.push(out[from + at]));
    }
}

#[test]
fn a_chunk_is_read_to_its_last_byte() {
    let file = kept("shard/chunk.json");
    let raw = decompressed(&hex(&file["block"]));
    assert_eq!(Value::from(raw.len()), file["raw_bytes"]);
    assert_eq!(blake2s(&[&raw]).to_vec(), hex(&file["hash"]));
    let bytes = &mut &raw[..];
    let last = take(bytes, 1)[0];
    let (first, steps) = (take_number(bytes), take_number(bytes));
    assert_eq!((last, first, Value::from(steps)), (1, 0, file["steps"].clone()));
    // All of it ran in one segment, the program's.
    assert_eq!([take_number(bytes), take_number(bytes), take_number(bytes)], [1, 0, steps]);
    let planes: [&[u8]; 12] = std::array::from_fn(|_| take(bytes, steps));
    // The frame pointer and the allocation pointer begin at the same cell.
    let first_of = |register: usize| u32::from_le_bytes(std::array::from_fn(|plane| planes[4 * register + plane][0]));
    assert_eq!(first_of(1), first_of(2));
    for _ in 0..take_number(bytes) {
        let (_segment, _offset, cells) = (take_number(bytes), take_number(bytes), take_number(bytes));
        for _ in 0..cells {
            match take(bytes, 1)[0] {
                33 => skip_numbers(bytes, 2),
                n => assert_ne!(take(bytes, n.into()).last(), Some(&0)),
            }
        }
    }
    let segments = take_number(bytes);
    skip_numbers(bytes, segments);
    for _ in 0..take_number(bytes) {
        assert!(take(bytes, 1)[0] < 9 && take_number(bytes) < segments);
    }
    for _ in 0..take_number(bytes) {
        assert!(take_number(bytes) < segments);
        skip_numbers(bytes, 2);
    }
    assert!(bytes.is_empty());
}
