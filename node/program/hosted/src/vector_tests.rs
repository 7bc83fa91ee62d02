//! A shard of contracts from its request to its output, kept in `protocols/vectors/shard/contracts.json`: an INVOKE by which an account allows a session key, two calls of that
//! key, and an INVOKE of another account. The output is that of a real run; the test `by_the_page` of the protocols computes all of it again from docs/wire.md alone.

use crate::{
    Contracts,
    dungeon::{self, ANNA, BEGINS, BERT, DEADLINE, GOLD, WORLD},
};
use serde_json::{Value, json};
use shardwire_model::{
    AccountKey, ContractId, Felt, Logged, PeerId, Reads, ShardStart, ShardTransaction, Slot, StartRequest, Terms,
    Timestamp, contracts::chain_id, starknet_keccak, state_commitment,
};
use shardwire_program::Program as _;
use std::{fs, path::Path, sync::Arc};

const NETWORK: &str = "local";
/// The secret of the session key repeats this byte; the highest six bits of a secret don't count.
const SECRET: u8 = 5;

fn hexes(felts: &[Felt]) -> Vec<String> {
    felts.iter().map(|felt| format!("{felt:#x}")).collect()
}

/// That of the dungeon, with a slot that may change and doesn't settle.
fn request() -> StartRequest {
    let mut request = dungeon::request(PeerId([7; 32]));
    let Terms::Contracts(terms) = &mut request.terms else { panic!("terms of contracts") };
    terms.scratch = vec![Slot::new(ContractId(GOLD.into()), dungeon::key("allowances", &[ANNA, BERT]))];
    request
}

/// What is played, and when.
fn transactions(start: &ShardStart, key: &AccountKey) -> Vec<(ShardTransaction, u64)> {
    let allow = dungeon::allow(start, ANNA, 0, key, DEADLINE, &["train", "finish"]);
    let train = dungeon::session_call(ANNA, key, dungeon::first_link(start, key), "train", &[5]);
    let pay = dungeon::invoke(start, BERT, 0, GOLD, "transfer", &[ANNA, 30, 0]);
    let finish = dungeon::session_call(ANNA, key, train.link(), "finish", &[]);
    vec![(allow.into(), BEGINS), (train.into(), BEGINS + 1), (pay.into(), BEGINS + 1), (finish.into(), BEGINS + 300)]
}

/// A transaction, and what stands for it in the output's commitment.
fn kept(transaction: &ShardTransaction, time: u64, chain: Felt) -> Value {
    let (name, of) = match transaction {
        ShardTransaction::Invoke(invoke) => ("hash", invoke.hash(chain)),
        ShardTransaction::Session(call) => ("link", call.link()),
        ShardTransaction::Rules(_) => panic!("a transaction of rules"),
    };
    let bytes = hex::encode(postcard::to_allocvec(transaction).unwrap());
    let mut kept =
        json!({ "transaction": transaction, "bytes": bytes, "time": time, "hash_in_receipts": transaction.hash() });
    kept[name] = json!(format!("{of:#x}"));
    kept
}

#[test]
fn the_shard_of_contracts_that_is_kept_is_what_its_request_and_its_run_make_it() {
    let (request, key) = (request(), AccountKey::from_secret([SECRET; 32]));
    let start = request.validate(NETWORK, Timestamp(DEADLINE * 1_000)).unwrap();
    let (ordered, commitment) = (start.for_contracts().unwrap(), start.commitment());
    let given = [(GOLD, "balances", ANNA, 50), (GOLD, "balances", BERT, 50), (WORLD, "xp", ANNA, 7)];
    let values = dungeon::values(&start, &given);
    let transactions = transactions(&start, &key);
    let log: Vec<_> = transactions
        .iter()
        .map(|(transaction, time)| Logged { transaction: transaction.clone(), time: *time, reverted: false })
        .collect();
    let program = Contracts::new(Arc::new(dungeon::geneses().into()));
    let run = program.execute(&start, &values, &mut log.into_iter(), &mut |_| Ok(())).unwrap();
    assert_eq!(Reads::from_felts(&ordered, &run.reads).unwrap().commitment(&ordered), run.output.reads);
    let steps: Vec<_> =
        transactions.iter().map(|(transaction, time)| kept(transaction, *time, ordered.chain_id())).collect();
    let bytes = |bytes: Result<Vec<u8>, postcard::Error>| hex::encode(bytes.unwrap());
    let made = json!({
        "network": NETWORK,
        "request": request,
        "request_bytes": bytes(postcard::to_allocvec(&request)),
        "shard": start.shard,
        "start": start,
        "start_bytes": bytes(postcard::to_allocvec(&start)),
        "chain_id": chain_id(start.shard),
        "start_felts": hexes(&start.to_felts()),
        "start_commitment": format!("{commitment:#x}"),
        "values": hexes(&values),
        "state_commitment": format!("{:#x}", state_commitment(commitment, &values)),
        "session_key": key.id(),
        "first_link": format!("{:#x}", dungeon::first_link(&start, &key)),
        "allowed": format!("{:#x}", starknet_keccak("allowed")),
        "transactions": steps,
        "reads": hexes(&run.reads),
        "output": run.output,
        "output_bytes": bytes(postcard::to_allocvec(&run.output)),
        "output_felts": hexes(&run.output.to_felts()),
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../protocols/vectors/shard/contracts.json");
    if std::env::var_os("WRITE_VECTORS").is_some() {
        fs::write(&path, format!("{made:#}\n")).unwrap();
    }
    let kept: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(made, kept, "WRITE_VECTORS=1 writes it anew");
}
