//! A shard from its request to its output, kept in `protocols/vectors/shard`: what docs/wire.md has computed, with all that goes into it. The
//! output is that of a real run; `by_the_page` computes all of it again from the page alone.

#![allow(missing_docs)]

use serde_json::{Value, json};
use shardwire_model::{
    AccountKey, Call, ContractId, EntryRequest, EventId, Felt, Key, Kind, PeerId, ShardStart, ShardTransaction,
    SignedTransaction, StartRequest, Terms, Timestamp, finished_selector, program_hash, state_commitment,
};
use shardwire_program::rules;
use shardwire_protocols::trace::job_id;
use shardwire_sample::Player;
use shardwire_witness::compress;
use std::{fs, path::Path};

const NETWORK: &str = "local";
/// The public ed25519 key of the secret that repeats the byte 2.
const OPERATOR: &str = "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394";
/// The accounts' secrets repeat these bytes; the highest six bits of a secret don't count.
const SECRETS: [u8; 2] = [9, 8];

fn game() -> ContractId {
    ContractId(Felt::from(0xc1))
}

fn bank() -> ContractId {
    ContractId(Felt::from(0xc2))
}

fn slot(n: u64) -> Key {
    Key(Felt::from(n))
}

fn hexes(felts: &[Felt]) -> Vec<String> {
    felts.iter().map(|felt| format!("{felt:#x}")).collect()
}

fn bytes(value: &impl serde::Serialize) -> String {
    hex::encode(postcard::to_allocvec(value).unwrap())
}

fn keys() -> [AccountKey; 2] {
    SECRETS.map(|byte| AccountKey::from_secret([byte; 32]))
}

/// A counter, an escrow of each account, a lock.
fn request() -> StartRequest {
    let [anna, bert] = keys().map(|key| key.id());
    let mut operator = [0; 32];
    hex::decode_to_slice(OPERATOR, &mut operator).unwrap();
    let entry = |kind, contract, key, owner, amount| EntryRequest { kind, contract, key: slot(key), owner, amount };
    StartRequest {
        salt: 300,
        program: rules::hash(),
        operator: PeerId(operator),
        contracts: vec![game(), bank()],
        accounts: vec![anna, bert],
        end_event: EventId { from: game(), selector: finished_selector() },
        entries: vec![
            entry(Kind::Counter, game(), 0x10, None, 0),
            entry(Kind::Escrow, bank(), 0x20, Some(bert), 1 << 100),
            entry(Kind::Escrow, bank(), 0x21, Some(anna), 1),
            entry(Kind::Lock, game(), 0x30, None, 0),
        ],
        terms: Terms::Rules,
    }
}

fn values() -> Vec<Felt> {
    vec![Felt::from(5), Felt::from(1u128 << 100), Felt::ONE, keys()[0].id().0]
}

/// A transaction of each kind, and whose it is.
fn transactions(start: &ShardStart) -> Vec<(usize, Player, SignedTransaction)> {
    let mut players = keys().map(|key| Player::new(start, &key));
    let calls = [
        (0, game(), Call::Add { counter: slot(0x10), amount: (1 << 70) + 7 }),
        (1, bank(), Call::Spend { escrow: slot(0x20), amount: 30 }),
        (1, bank(), Call::Pass { from: slot(0x20), to: slot(0x21), amount: 1 << 96 }),
        (0, game(), Call::Give { lock: slot(0x30), to: keys()[1].id() }),
        (1, game(), Call::Finish),
    ];
    let signed = |(who, contract, call): (usize, _, _)| {
        let signed = players[who].sign(start, contract, call);
        (who, players[who].clone(), signed)
    };
    calls.into_iter().map(signed).collect()
}

/// The file of this name has this, or gets it.
fn kept(name: &str, made: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protocols/vectors/shard").join(name);
    if std::env::var_os("WRITE_VECTORS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("{made:#}\n")).unwrap();
    }
    let kept: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(*made, kept, "WRITE_VECTORS=1 writes {name} anew");
}

#[test]
fn the_shard_that_is_kept_is_what_its_request_makes_it() {
    let (request, deadline) = (request(), Timestamp(1_800_000_000_000));
    let start = request.validate(NETWORK, deadline).unwrap();
    let (commitment, values) = (start.commitment(), values());
    let before = state_commitment(commitment, &values);
    // The largest number of one word, the smallest of eight.
    let program = [Felt::from(5), Felt::from((1u64 << 63) - 1), Felt::from(1u64 << 63), Felt::MAX];
    kept(
        "start.json",
        &json!({
            "network": NETWORK,
            "request": request,
            "request_bytes": bytes(&request),
            "shard": start.shard,
            "deadline": deadline,
            "start": start,
            "start_bytes": bytes(&start),
            "start_felts": hexes(&start.to_felts()),
            "start_commitment": format!("{commitment:#x}"),
            "values": hexes(&values),
            "state_commitment": format!("{before:#x}"),
            "segment": 0,
            "job": job_id(start.program, commitment, before, 0),
            "program_data": hexes(&program),
            "program_hash_of_data": format!("{:#x}", program_hash(&program)),
        }),
    );
}

#[test]
fn the_transactions_the_output_and_the_chunk_that_are_kept_are_those_of_a_run() {
    let start = request().validate(NETWORK, Timestamp(1_800_000_000_000)).unwrap();
    let transactions = transactions(&start);
    let steps: Vec<Value> = transactions
        .iter()
        .map(|(account, player, signed)| {
            json!({
                "account": account,
                "transaction": signed,
                "bytes": bytes(signed),
                "hash": ShardTransaction::from(signed).hash(),
                "words": signed.transaction.words(&start).unwrap(),
                "head": hex::encode(player.head.0),
                "message": format!("{:#x}", player.head.message()),
            })
        })
        .collect();
    let accounts: Vec<Value> = keys()
        .iter()
        .zip(SECRETS)
        .map(|(key, byte)| {
            let mut secret = [byte; 32];
            secret[0] &= 0x03;
            let head = Player::new(&start, key).head;
            json!({ "secret": hex::encode(secret), "account": key.id(), "head": hex::encode(head.0) })
        })
        .collect();
    kept(
        "transactions.json",
        &json!({
            "start_commitment": format!("{:#x}", start.commitment()), "accounts": accounts, "transactions": steps,
        }),
    );

    let mut chunks = Vec::new();
    let run = rules::execute(&start, &values(), transactions.iter().map(|(.., signed)| *signed), |chunk| {
        chunks.push(chunk);
        Ok(())
    })
    .unwrap();
    let felts: Vec<Felt> = run.output.to_felts();
    kept("output.json", &json!({ "output": run.output, "bytes": bytes(&run.output), "felts": hexes(&felts) }));
    let [chunk] = &chunks[..] else { panic!("{} chunks", chunks.len()) };
    kept(
        "chunk.json",
        &json!({
            "index": chunk.index,
            "hash": chunk.hash,
            "raw_bytes": chunk.body.len(),
            "block": hex::encode(compress(&chunk.body)),
            "last": chunk.closing,
            "steps": chunk.steps,
        }),
    );
}
