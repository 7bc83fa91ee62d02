//! Felts, hashes, peers: one text and one encoding each, and nothing else is accepted.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use shardwire_model::{AccountId, Felt, Hash, Key, Kind, PeerId, ShardId, Timestamp, felt, finished_selector};
use std::time::Duration;

const PRIME: [u8; 32] = {
    let mut bytes = [0; 32];
    (bytes[0], bytes[7], bytes[31]) = (0x08, 0x11, 0x01);
    bytes
};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wired(#[serde(with = "felt::wire")] Felt);

fn any_felt() -> impl Strategy<Value = Felt> {
    prop_oneof![any::<[u8; 32]>().prop_map(|bytes| Felt::from_bytes_be(&bytes)), (0..4u64).prop_map(Felt::from)]
}

proptest! {
    #[test]
    fn a_felt_survives_text_json_and_postcard(felt in any_felt()) {
        let text = format!("{felt:#x}");
        prop_assert_eq!(felt::parse(&text), Ok(felt));
        prop_assert_eq!(Key(felt).to_string(), text.clone());
        let json = serde_json::to_string(&Wired(felt)).unwrap();
        prop_assert_eq!(&json, &format!("\"{text}\""));
        prop_assert_eq!(serde_json::from_str::<Wired>(&json).unwrap(), Wired(felt));
        prop_assert_eq!(serde_json::from_str::<ShardId>(&json).unwrap(), ShardId(felt));
        let bytes = postcard::to_stdvec(&Wired(felt)).unwrap();
        prop_assert_eq!(&bytes, &felt.to_bytes_be().to_vec());
        prop_assert_eq!(postcard::from_bytes::<Wired>(&bytes).unwrap(), Wired(felt));
        prop_assert_eq!(postcard::from_bytes::<AccountId>(&bytes).unwrap(), AccountId(felt));
    }

    #[test]
    fn bytes_are_a_felt_only_below_the_prime(bytes in any::<[u8; 32]>()) {
        // Below the prime in the order of bytes, which for big-endian numbers is that of numbers.
        let canonical = bytes < PRIME;
        prop_assert_eq!(felt::from_canonical(&bytes).is_some(), canonical);
        prop_assert_eq!(postcard::from_bytes::<Wired>(&bytes).is_ok(), canonical);
        prop_assert_eq!(felt::parse(&format!("0x{}", hex(&bytes))).is_ok(), canonical);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,80}") {
        let _ = (felt::parse(&text), text.parse::<Hash>(), text.parse::<PeerId>(), text.parse::<Key>());
    }

    #[test]
    fn hashes_and_peers_survive_text_json_and_postcard(bytes in any::<[u8; 32]>()) {
        let (hash, peer) = (Hash(bytes), PeerId(bytes));
        prop_assert_eq!(hash.to_string().parse::<Hash>(), Ok(hash));
        prop_assert_eq!(peer.to_string().parse::<PeerId>(), Ok(peer));
        let json = serde_json::to_string(&(hash, peer)).unwrap();
        prop_assert_eq!(&json, &format!("[\"{0}\",\"{0}\"]", hex(&bytes)));
        prop_assert_eq!(serde_json::from_str::<(Hash, PeerId)>(&json).unwrap(), (hash, peer));
        let wire = postcard::to_stdvec(&(hash, peer)).unwrap();
        prop_assert_eq!(wire.len(), 64);
        prop_assert_eq!(postcard::from_bytes::<(Hash, PeerId)>(&wire).unwrap(), (hash, peer));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_is_no_felt() {
    let prime = format!("0x{}", hex(&PRIME));
    let mut last = PRIME;
    last[31] = 0;
    assert_eq!(felt::parse(&format!("0x{}", hex(&last))), Ok(Felt::MAX));
    assert_eq!(felt::from_canonical(&PRIME), None);
    let long = format!("0x{}", "0".repeat(65));
    for text in [&prime, &long, "", "0x", "1", "0X1", "0xg", "0x-1", "0x+1", " 0x1", "0x1 ", "0x٣"] {
        let error = felt::parse(text).unwrap_err().to_string();
        let expected = format!(
            "'{text}' is not a field element: expected 0x and up to 64 hexadecimal digits, below the Stark prime"
        );
        assert_eq!(error, expected);
        let json = serde_json::to_string(text).unwrap();
        let error = serde_json::from_str::<Key>(&json).unwrap_err().to_string();
        assert!(error.starts_with(&expected), "{error}");
    }
    // Leading zeros and either case are a matter of writing.
    assert_eq!(felt::parse("0x00fF"), felt::parse("0xff"));
    // What is shown of a text is bounded.
    assert!(felt::parse(&"x".repeat(10_000)).unwrap_err().to_string().len() < 300);
    let error = postcard::from_bytes::<Wired>(&PRIME).unwrap_err();
    assert_eq!(error.to_string(), postcard::Error::SerdeDeCustom.to_string());
}

#[test]
fn what_is_no_hash() {
    for text in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &format!("0x{}", "0".repeat(62))] {
        assert_eq!(text.parse::<Hash>().unwrap_err().to_string(), "expected 64 hexadecimal digits");
        let error = serde_json::from_str::<PeerId>(&serde_json::to_string(text).unwrap()).unwrap_err();
        assert!(error.to_string().starts_with("expected 64 hexadecimal digits"), "{error}");
    }
}

#[test]
fn short_names() {
    assert_eq!(ShardId(Felt::from(0x1234_5678_9abc_u64)).short(), "0x12345678");
    assert_eq!(ShardId(Felt::ONE).short(), "0x1");
    assert_eq!(Hash([0xab; 32]).short(), "ababababab");
    assert_eq!(PeerId([0xcd; 32]).short(), "cdcdcdcdcd");
    assert_eq!(format!("{:?} {:?}", Key(Felt::TWO), PeerId([0; 32])), format!("Key(0x2) PeerId({})", "0".repeat(64)));
}

#[test]
fn kinds_have_numbers_and_names() {
    for (kind, number, name) in [(Kind::Counter, 1, "counter"), (Kind::Escrow, 2, "escrow"), (Kind::Lock, 3, "lock")] {
        assert_eq!((kind.number(), kind.to_string().as_str()), (number, name));
        assert_eq!(Kind::from_felt(Felt::from(number)), Some(kind));
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{name}\""));
    }
    for felt in [Felt::ZERO, Felt::from(4), Felt::MAX, Felt::from(1u128 << 64) + Felt::ONE] {
        assert_eq!(Kind::from_felt(felt), None);
    }
}

#[test]
fn hashes_against_another_implementation() {
    // Python: hashlib.blake2s(b"abc"), and of the parts, each after its length.
    let abc = "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982";
    assert_eq!(Hash::of(b"abc").to_string(), abc);
    let parts = "a61fd77cba03a737e431591831e21dbc0e2a2c805c166068d7b0851d6a9403c8";
    assert_eq!(Hash::of_parts("ctx", &[b"a", b"bc"]).to_string(), parts);
    assert_ne!(Hash::of_parts("ctx", &[b"a", b"bc"]), Hash::of_parts("ctx", &[b"ab", b"c"]));
    assert_ne!(Hash::of_parts("ctx", &[b"a"]), Hash::of_parts("ctxa", &[]));
    // sn_keccak("Finished"), from pycryptodome's Keccak-256.
    let selector = "0x17116b3fdba9e18aaec97e9b506d9c8ffdc20857f6d213e79c5a13289dc6fc8";
    assert_eq!(finished_selector().to_string(), selector);
}

#[test]
fn times_stop_at_their_ends() {
    assert_eq!(Timestamp(5).plus(Duration::from_millis(7)), Timestamp(12));
    assert_eq!(Timestamp(u64::MAX - 1).plus(Duration::from_secs(9)), Timestamp(u64::MAX));
    assert_eq!(Timestamp(5).plus(Duration::MAX), Timestamp(u64::MAX));
    assert_eq!(Timestamp(12).since(Timestamp(5)), Duration::from_millis(7));
    assert_eq!(Timestamp(5).since(Timestamp(12)), Duration::ZERO);
}
