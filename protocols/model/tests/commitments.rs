//! Commitments, chains and signatures against constants that Python computed (`hashlib.blake2s`, and Poseidon and ECDSA of the PyPI
//! package `cairo-lang`), from the layouts as they are described.

use proptest::prelude::*;
use shardwire_model::{
    AccountId, AccountKey, ChainHead, ContractId, EntryRequest, EventId, Felt, Key, Kind, PeerId, ShardStart,
    Signature, StartRequest, Terms, Timestamp, felt, finished_selector, state_commitment, transactions_commitment,
};

fn hex(text: &str) -> Felt {
    felt::parse(text).unwrap()
}

fn bytes(head: ChainHead) -> String {
    head.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn start() -> ShardStart {
    let contract = |n: u64| ContractId(Felt::from(n));
    let entry = |kind, contract_n, key: u64, owner: Option<u64>, amount| EntryRequest {
        kind,
        contract: contract(contract_n),
        key: Key(Felt::from(key)),
        owner: owner.map(|n| AccountId(Felt::from(n))),
        amount,
    };
    let request = StartRequest {
        salt: 7,
        program: Felt::from(0xfeed),
        operator: PeerId(std::array::from_fn(|n| n as u8)),
        contracts: vec![contract(0xc1), contract(0xc2)],
        accounts: [0xa1u64, 0xa2].map(|n| AccountId(Felt::from(n))).to_vec(),
        end_event: EventId { from: contract(0xc1), selector: finished_selector() },
        entries: vec![
            entry(Kind::Counter, 0xc1, 0x10, None, 0),
            entry(Kind::Escrow, 0xc2, 0x20, Some(0xa2), 100),
            entry(Kind::Lock, 0xc1, 0x30, None, 0),
        ],
        terms: Terms::Rules,
    };
    request.validate("test", Timestamp(1_800_000_000_000)).unwrap()
}

#[test]
fn a_start() {
    let start = start();
    assert_eq!(start.shard.0, hex("0xc96b01f5234c6ee3abff4a698608b2aaabf1164010605f53b5a2c572f5c0dd"));
    let commitment = start.commitment();
    assert_eq!(commitment, hex("0x545a51a828baacc00e9c05f704a85464f72fec38e65353a4d023154451ee6b5"));
    let values = [5u64, 100, 0xa1].map(Felt::from);
    let state = hex("0x296763995f3c47666df6496ae889307342708a037df90dfd7b563e8b7eacf28");
    assert_eq!(state_commitment(commitment, &values), state);
    assert_ne!(state_commitment(commitment, &values[..2]), state);
}

#[test]
fn chains() {
    let commitment = start().commitment();
    let anna = ChainHead::start(commitment, AccountId(Felt::from(0xa1)));
    assert_eq!(bytes(anna), "a3b29b3edfe09a711865fb8bc72ba8b8a8a0073d44579caba98369e2b03e8adb");
    let anna = anna.extend([1, 1, 0, 0, 0, 0xdead_beef, 1, 0]);
    assert_eq!(bytes(anna), "256a25fe2667b4f41fe24c9323656b390d8a3e4747629a3a47eed6b50aea420a");
    assert_eq!(anna.message(), hex("0x242ea0ab5d6ee363a9a6247473e8a0d396b6523934ce21ff4b46726fe256a24"));
    let bert = ChainHead::start(commitment, AccountId(Felt::from(0xa2)));
    assert_eq!(bytes(bert), "260660afea61c959b824f7d87ce0421bcb0305aa00686bf863e19172bbd9240c");
    let all = hex("0x4b2f0e5382793cd20de3054a5b1305ca8d80e302d9d77776f0a81c4e59ac8ce");
    assert_eq!(transactions_commitment(&[anna, bert], &[0, 1, 0]), all);
    assert_ne!(transactions_commitment(&[anna, bert], &[0, 0, 1]), all);
    assert_ne!(transactions_commitment(&[bert, anna], &[0, 1, 0]), all);
}

#[test]
fn a_signature_of_another_implementation() {
    let mut secret = [0x11; 32];
    secret[0] = 0xff;
    let key = AccountKey::from_secret(secret);
    let account = hex("0x57470421a69bad35932daa563096e1300e2d7a99feb75f13f4c0d6febf97369");
    assert_eq!(key.id(), AccountId(account));
    let signature = Signature {
        r: hex("0x64f1fe2cc23754c58f52b7a7fb7011c7cd5aee4610fabda75f1aff289fe9281"),
        s: hex("0x25a03db28f5fbfdc6bff97f597ca2c4b0519a7ccf51e722a2bb50b83ca19dae"),
    };
    let message = hex("0x123456789abcdef");
    assert!(signature.verifies(AccountId(account), message));
    assert!(!signature.verifies(AccountId(account), message + Felt::ONE));
}

#[test]
fn keys() {
    // Never zero, and the highest bits do not matter.
    assert_eq!(
        AccountKey::from_secret([0; 32]).id(),
        AccountKey::from_secret(std::array::from_fn(|n| (n == 31).into())).id()
    );
    let mut high = [0; 32];
    (high[0], high[31]) = (0xfc, 5);
    let mut low = [0; 32];
    low[31] = 5;
    assert_eq!(AccountKey::from_secret(high).id(), AccountKey::from_secret(low).id());
    // A secret is never shown.
    let shown = format!("{:?}", AccountKey::from_secret([7; 32]));
    assert_eq!(shown, format!("AccountKey(of {})", AccountKey::from_secret([7; 32]).id()));
    // A message that ECDSA does not allow.
    assert_eq!(AccountKey::from_secret([7; 32]).sign(Felt::MAX), None);
}

fn any_felt() -> impl Strategy<Value = Felt> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(|bytes| Felt::from_bytes_be(&bytes)),
        (0..4u64).prop_map(Felt::from),
        Just(Felt::MAX),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_signed_verifies_and_nothing_else(secret in any::<[u8; 32]>(), head in any::<[u8; 32]>(), other in any_felt()) {
        let (key, message) = (AccountKey::from_secret(secret), ChainHead(head).message());
        let Some(signature) = key.sign(message) else {
            prop_assert!(message.to_bytes_be()[0] >= 8);
            return Ok(());
        };
        prop_assert!(signature.verifies(key.id(), message));
        prop_assert_eq!(key.sign(message), Some(signature));
        if other != message {
            prop_assert!(!signature.verifies(key.id(), other));
        }
        prop_assert!(!signature.verifies(AccountId(other), message) || AccountId(other) == key.id());
        let other_r = Signature { r: signature.r + Felt::ONE, ..signature };
        let other_s = Signature { s: signature.s + Felt::ONE, ..signature };
        prop_assert!(!other_r.verifies(key.id(), message));
        prop_assert!(!other_s.verifies(key.id(), message));
        let postcard = postcard::to_stdvec(&signature).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Signature>(&postcard).unwrap(), signature);
    }

    #[test]
    fn no_signature_panics(account in any_felt(), message in any_felt(), r in any_felt(), s in any_felt()) {
        let signature = Signature { r, s };
        prop_assert!(!signature.verifies(AccountId(account), message));
    }
}
