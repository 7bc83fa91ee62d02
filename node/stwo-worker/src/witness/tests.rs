//! Well-formed and broken witnesses; the numbers in them describe no run that could be proven.

use super::*;

/// Two steps, forty cells, a padded range check segment at 10..26, output at 26..28.
fn sample() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(2u64.to_le_bytes());
    bytes.extend(40u64.to_le_bytes());
    bytes.extend(3u32.to_le_bytes());
    bytes.extend(9u32.to_le_bytes());
    let mut segments = [(0u64, 0u64); 9];
    segments[0] = (26, 28);
    segments[2] = (10, 26);
    for (begin, stop) in segments {
        bytes.extend(begin.to_le_bytes());
        bytes.extend(stop.to_le_bytes());
    }
    for address in [1u32, 2, 40] {
        bytes.extend(address.to_le_bytes());
    }
    for register in [1u32, 5, 5, 3, 6, 5] {
        bytes.extend(register.to_le_bytes());
    }
    for cell in 0..40u32 {
        bytes.extend(cell.to_le_bytes());
        bytes.extend([0; 28]);
    }
    bytes
}

const SEGMENTS_AT: usize = HEADER_BYTES as usize;
const PUBLIC_AT: usize = SEGMENTS_AT + 16 * 9;
const TRACE_AT: usize = PUBLIC_AT + 4 * 3;
const MEMORY_AT: usize = TRACE_AT + 12 * 2;

fn read_bytes(bytes: &[u8]) -> Result<Witness, Malformed> {
    read(&mut &bytes[..], None)
}

fn refused(bytes: &[u8]) -> String {
    read_bytes(bytes).unwrap_err().to_string()
}

/// The sample with one little-endian number replaced.
fn with<const N: usize>(at: usize, number: [u8; N]) -> Vec<u8> {
    let mut bytes = sample();
    bytes[at..at + N].copy_from_slice(&number);
    bytes
}

#[test]
fn a_well_formed_witness_is_read_as_written() {
    let bytes = sample();
    for length in [None, Some(bytes.len() as u64)] {
        let witness = read(&mut &bytes[..], length).unwrap();
        assert_eq!((witness.steps(), witness.cells()), (2, 40));
        assert_eq!(witness.public_addresses, [1, 2, 40]);
        assert_eq!(witness.memory[39], [39, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!((witness.trace[1].pc, witness.trace[1].ap, witness.trace[1].fp), (3, 6, 5));
        let segment = witness.builtins.range_check_builtin.unwrap();
        assert_eq!((segment.begin_addr, segment.stop_ptr), (10, 26));
        assert!(witness.builtins.pedersen_builtin.is_none());
    }
}

#[test]
fn every_truncation_is_refused() {
    let bytes = sample();
    for length in 0..bytes.len() {
        let error = read_bytes(&bytes[..length]).unwrap_err();
        assert!(matches!(error, Malformed::Truncated(_)), "cut at {length}: {error}");
    }
    assert_eq!(refused(&bytes[..7]), "it ends inside the magic");
    assert_eq!(refused(&bytes[..TRACE_AT + 1]), "it ends inside the trace");
    assert_eq!(refused(&bytes[..MEMORY_AT + 33]), "it ends inside the memory");
}

#[test]
fn a_file_of_another_length_is_refused_before_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w");
    let bytes = sample();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let error = read_file(&path).unwrap_err();
    assert_eq!(error.code(), "SW-WORKER-003");
    assert_eq!(
        error.to_string(),
        format!("malformed witness: it is {} bytes long, and its header says {}", bytes.len() - 1, bytes.len())
    );
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(read_file(&path).unwrap().steps(), 2);
}

#[test]
fn a_missing_file_is_named() {
    let error = read_file(Path::new("/nowhere/witness")).unwrap_err();
    assert_eq!(error.code(), "SW-WORKER-002");
    assert!(error.to_string().starts_with("can't read the witness /nowhere/witness: "), "{error}");
}

#[test]
fn trailing_bytes_and_another_magic_are_refused() {
    let mut bytes = sample();
    bytes.push(0);
    assert_eq!(refused(&bytes), "it goes on after its end");
    assert_eq!(refused(&with(0, *b"SWWITNS2")), "it doesn't begin with SWWITNS1");
}

#[test]
fn counts_are_bounded_before_anything_is_allocated() {
    let huge = u64::MAX.to_le_bytes();
    assert_eq!(refused(&with(8, huge)), format!("steps: {}, allowed 2 to {MAX_STEPS}", u64::MAX));
    assert_eq!(refused(&with(8, 1u64.to_le_bytes())), format!("steps: 1, allowed 2 to {MAX_STEPS}"));
    assert_eq!(refused(&with(16, huge)), format!("memory cells: {}, allowed 1 to {MAX_CELLS}", u64::MAX));
    assert_eq!(refused(&with(24, 41u32.to_le_bytes())), "public addresses: 41, allowed 0 to 40");
    assert_eq!(refused(&with(28, 8u32.to_le_bytes())), "builtins: 8, allowed 9 to 9");
}

#[test]
fn segments_lie_in_the_memory_and_are_padded() {
    let range_check = SEGMENTS_AT + 32;
    let mut bytes = with(range_check + 8, 42u64.to_le_bytes());
    assert_eq!(refused(&bytes), "builtin range_check: segment 10..42: it doesn't lie in the memory");
    bytes[range_check + 8..range_check + 16].copy_from_slice(&9u64.to_le_bytes());
    assert_eq!(refused(&bytes), "builtin range_check: segment 10..9: it doesn't lie in the memory");
    bytes[range_check + 8..range_check + 16].copy_from_slice(&27u64.to_le_bytes());
    assert_eq!(
        refused(&bytes),
        "builtin range_check: segment 10..27: its instances aren't padded to a power of two, at least 16"
    );
    let pedersen = SEGMENTS_AT + 16;
    let mut bytes = with(pedersen, 1u64.to_le_bytes());
    bytes[pedersen + 8..pedersen + 16].copy_from_slice(&3u64.to_le_bytes());
    assert_eq!(refused(&bytes), "builtin pedersen: segment 1..3: it isn't a whole number of instances");
}

#[test]
fn public_addresses_rise_inside_the_memory() {
    assert_eq!(
        refused(&with(PUBLIC_AT + 8, 41u32.to_le_bytes())),
        "public address 2 is 41: it doesn't lie in the memory"
    );
    assert_eq!(refused(&with(PUBLIC_AT + 4, 1u32.to_le_bytes())), "public address 1 is 1: addresses must rise");
}

#[test]
fn registers_are_addresses() {
    assert_eq!(refused(&with(TRACE_AT, 41u32.to_le_bytes())), "step 0: pc is 41, outside the memory");
    let ap = with(TRACE_AT + 16, ADDRESS_BOUND.to_le_bytes());
    assert_eq!(refused(&ap), "step 1: ap is 536870912, outside the memory");
    assert_eq!(refused(&with(TRACE_AT + 20, 0u32.to_le_bytes())), "step 1: fp is 0, outside the memory");
}

#[test]
fn values_are_below_the_prime() {
    let mut prime = [0u8; 32];
    for (bytes, word) in prime.chunks_exact_mut(4).zip(PRIME) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    assert_eq!(refused(&with(MEMORY_AT + 64, prime)), "the cell at address 3 isn't below the prime");
    let mut below = prime;
    below[0] = 0;
    assert!(read_bytes(&with(MEMORY_AT, below)).is_ok());
    assert!(read_bytes(&with(MEMORY_AT, [0xff; 32])).is_err());
}
