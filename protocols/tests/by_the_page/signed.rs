//! Signed statements and evidence, checked by the page: those of `protocols/vectors/signed`.

use crate::{
    chunk::{take, take_number},
    values::{blake2s, hash_of_parts, hex, kept, small},
};
use ed25519_dalek::{Signature, VerifyingKey};

fn is_signed(peer: &[u8], context: &str, statement: &[u8], signature: &[u8]) -> bool {
    let length = (context.len() as u64).to_le_bytes();
    let message = [b"shardwire-signature-1", &length[..], context.as_bytes(), statement].concat();
    let key = VerifyingKey::from_bytes(peer.try_into().unwrap()).unwrap();
    key.verify_strict(&message, &Signature::from_slice(signature).unwrap()).is_ok()
}

#[test]
fn statements_of_each_kind_are_signed_by_the_page() {
    let file = kept("signed/statements.json");
    for it in file.as_array().unwrap() {
        let context = it["context"].as_str().unwrap();
        assert!(crate::PAGE.contains(&format!("`{context}`")), "{context}");
        assert!(is_signed(&hex(&it["peer"]), context, &hex(&it["bytes"]), &hex(&it["signature"])), "{context}");
        assert!(!is_signed(&hex(&it["peer"]), "another", &hex(&it["bytes"]), &hex(&it["signature"])));
    }
    let table = crate::PAGE.split("generated: contexts -->").nth(1).unwrap();
    for row in table.lines().filter(|row| row.contains("`shardwire ")) {
        let context = row.split('`').nth(5).unwrap();
        assert!(
            file.as_array().unwrap().iter().any(|it| it["context"] == context),
            "no statement of '{context}' is kept"
        );
    }
}

#[test]
fn evidence_is_read_by_the_page() {
    let file = kept("signed/evidence.json");
    let pieces = file.as_array().unwrap();
    for (it, number) in pieces.iter().zip(0..) {
        let bytes = hex(&it["bytes"]);
        let mut rest = bytes.strip_prefix(b"shardwire evidence 1\n").unwrap();
        let accused = take(&mut rest, 32);
        assert_eq!((accused.to_vec(), take_number(&mut rest)), (hex(&it["accused"]), number));
        let whole = rest;
        let signed = |rest: &mut &[u8], context: &str, length: usize| {
            let (statement, signature) = (take(rest, length), take(rest, 64));
            assert!(is_signed(accused, context, statement, signature), "{context}");
        };
        match number {
            // Job, epoch 300, expires, prover; twice.
            0 => (0..2).for_each(|_| signed(&mut rest, "shardwire trace lease 1", 32 + 2 + 6 + 32)),
            // Shard, transaction, account, a nonce, accepted, at 0, no duplicate, not reverted; twice.
            1 => (0..2).for_each(|_| signed(&mut rest, "shardwire ingress receipt 2", 32 + 32 + 32 + 2 + 4)),
            _ => {
                let ready = 32 + 1 + 32 + 32 + 1;
                let leased = 1 + 32 + (32 + 1 + 6 + 32) + 64;
                signed(&mut rest, "shardwire proof announcement 1", ready + leased);
                let (start, before) = (take(&mut rest, 32), take(&mut rest, 32));
                let length = take_number(&mut rest);
                assert_eq!(blake2s(&[take(&mut rest, length)]), whole[65..97]);
                // Program 2 of this file.
                let job = hash_of_parts("shardwire job 1", &[&small(2), start, before, &[0; 4]]);
                assert_eq!(job, whole[33..65]);
            }
        }
        assert!(rest.is_empty(), "{number}");
    }
    assert_eq!(pieces.len(), 3);
}
