//! Session calls: added over HTTP by the project's own client, and read by one that others wrote.

use crate::{
    client::Client,
    dungeon::{self, ARENA, BEGINS, FIRST_BLOCK, SESSIONS, WORLD, selector},
    opened,
};
use serde_json::{Value, json};
use shardwire_live::InMemory;
use shardwire_model::{AccountKey, ContractId, Felt, Selector, SessionCall, Stage};
use shardwire_rpc::Chain as _;
use shardwire_starknet::{Call, Rpc, Session, add_session_call, allow, forbid, to_json};
use starknet_rust_core::types::{
    BlockId, BlockTag, EventFilter, ExecutionResult, InvokeTransaction, InvokeTransactionV3,
    MaybePreConfirmedBlockWithReceipts, MaybePreConfirmedBlockWithTxs, MaybePreConfirmedStateUpdate, Transaction,
    TransactionReceipt, TransactionStatus,
};
use starknet_rust_providers::{JsonRpcClient, Provider as _, Url, jsonrpc::HttpTransport};
use std::{net::SocketAddr, sync::Arc};

const PATH: &str = "/shard/0x7/rpc/v0_10";
const EXPIRES: u64 = BEGINS + 60;

fn call(name: &str, arguments: &[u64]) -> Call {
    let calldata = arguments.iter().map(|it| Felt::from(*it)).collect();
    Call { to: ContractId(WORLD.into()), selector: Selector(selector(name)), calldata }
}

/// What the session may call.
fn scope() -> Vec<(ContractId, Selector)> {
    ["train", "doom", "adventure"].map(|name| (ContractId(WORLD.into()), Selector(selector(name)))).to_vec()
}

/// A shard in which a player allowed a key, its door, and the key's session.
async fn allowed() -> (Arc<InMemory>, SocketAddr, Session) {
    let shard = dungeon::shard(7);
    let address = opened(vec![shard.clone()]).await;
    let session = Session::new(shard.chain_id(), ContractId(player()), AccountKey::from_secret([9; 32]));
    open(&shard, address, 0, allow(ContractId(SESSIONS.into()), session.key(), EXPIRES, &scope())).await;
    (shard, address, session)
}

fn player() -> Felt {
    dungeon::players()[1].address
}

/// The player's account makes a call.
async fn open(shard: &InMemory, address: SocketAddr, nonce: u64, call: Call) {
    let invoke = dungeon::players()[1].account().invoke(shard.chain_id(), nonce, &[call], 100_000_000).unwrap();
    let mut client = Client::connect(address).await;
    client.call(PATH, "starknet_addInvokeTransaction", json!([to_json(&invoke)])).await.unwrap();
}

fn door(address: SocketAddr) -> Rpc {
    Rpc::new(&format!("http://{address}{PATH}")).unwrap()
}

#[tokio::test]
async fn a_session_plays_and_its_client_keeps_the_links() {
    let (shard, address, mut session) = allowed().await;
    let door = door(address);
    let train = session.sign(call("train", &[5])).unwrap();
    let added = add_session_call(&door, &train).await.unwrap();
    assert_eq!((added.transaction_hash, added.shardwire.receipt.clone()), (train.link(), None));
    // A lost answer is asked for again.
    assert_eq!(add_session_call(&door, &train).await.unwrap(), added);
    assert_eq!(shard.journal().height(), 2);
    // One that fails is in the log, and the next follows it.
    let doom = session.sign(call("doom", &[])).unwrap();
    add_session_call(&door, &doom).await.unwrap();
    // One that is refused isn't.
    let gamble = session.sign(call("gamble", &[6])).unwrap();
    let error = add_session_call(&door, &gamble).await.unwrap_err();
    assert!(error.to_string().contains("doesn't allow key") && error.refusal() == Some(63), "{error}");
    let lost = session.sign(call("train", &[1])).unwrap();
    let error = add_session_call(&door, &lost).await.unwrap_err();
    assert!(error.to_string().contains("of the 2 calls of key") && error.refusal() == Some(52), "{error}");
    session.refused(&gamble);
    let train = session.sign(call("train", &[2])).unwrap();
    add_session_call(&door, &train).await.unwrap();
    let told: Value = door.ask("shardwire_sessionLink", json!({ "session_key": session.key() })).await.unwrap();
    assert_eq!(
        told,
        json!({ "sessions": format!("{SESSIONS:#x}"), "link": session.link(), "calls": 3, "shardwire": { "shard": "0x7", "stage": "executing" } })
    );
    // What the account takes back is refused at once.
    open(&shard, address, 1, forbid(ContractId(SESSIONS.into()), session.key(), &scope())).await;
    let late = session.sign(call("train", &[1])).unwrap();
    let error = add_session_call(&door, &late).await.unwrap_err();
    assert!(error.to_string().contains("SW-NATIVE-126"), "{error}");
    assert_eq!(shard.journal().height(), 5);
}

#[tokio::test]
async fn a_clients_mistakes_are_said() {
    let (shard, address, mut session) = allowed().await;
    let mut client = Client::connect(address).await;
    let good = session.sign(call("train", &[5])).unwrap();
    let value = serde_json::to_value(&good).unwrap();
    let set = |key: &str, to: Value| {
        let mut value = value.clone();
        value[key] = to;
        value
    };
    let without = |key: &str| {
        let mut value = value.clone();
        value.as_object_mut().unwrap().remove(key);
        value
    };
    let resigned = |change: fn(&mut SessionCall)| {
        let mut call = good.clone();
        change(&mut call);
        serde_json::to_value(call.sign(&AccountKey::from_secret([9; 32])).unwrap()).unwrap()
    };
    for (call, code, text) in [
        (without("previous"), -32_602, "missing field `previous`"),
        (set("key", json!("7")), -32_602, "is not a field element"),
        (set("calldata", json!(vec!["0x1"; 5_001])), -32_602, "at most 5000 elements"),
        (set("signature", json!(["0x1"])), -32_602, "invalid length"),
        (json!("0x1"), -32_602, "the page of crate shardwire-rpc"),
        (set("signature", json!({ "r": "0x1", "s": "0x2" })), 55, "SW-NATIVE-128"),
        (resigned(|it| it.previous = Felt::ONE), 52, "SW-NATIVE-127"),
        (resigned(|it| it.account = ContractId(Felt::ONE)), 58, "SW-NATIVE-101"),
        (resigned(|it| it.contract = ContractId(Felt::ONE)), 63, "SW-NATIVE-115"),
        (resigned(|it| it.contract = it.account), 63, "SW-NATIVE-125"),
        (resigned(|it| it.selector = Felt::ONE), 63, "SW-NATIVE-126"),
    ] {
        let error = client.call(PATH, "shardwire_addSessionCall", json!([call])).await.unwrap_err();
        let data = error["data"].as_str().unwrap_or_default();
        assert!(error["code"] == code && data.contains(text), "{text}: {error}");
    }
    for (method, params, code) in [
        ("shardwire_addSessionCall", json!([]), -32_602),
        ("shardwire_sessionLink", json!([7]), -32_602),
        ("shardwire_sessionLink", json!({ "key": "0x7" }), -32_602),
        ("shardwire_other", json!([]), -32_601),
    ] {
        assert_eq!(client.call(PATH, method, params).await.unwrap_err()["code"], code, "{method}");
    }
    // Nothing of it happened, and what is good is taken, by name, in both versions.
    let added = client.call("/rpc/v0_9", "shardwire_addSessionCall", json!({ "session_call": value })).await.unwrap();
    assert_eq!(
        added,
        json!({ "transaction_hash": good.link(), "shardwire": { "shard": "0x7", "stage": "executing" } })
    );
    let unknown = client.call(PATH, "shardwire_sessionLink", json!(["0x7"])).await.unwrap();
    let first = SessionCall::first_link(shard.chain_id(), Felt::from(7));
    assert_eq!((&unknown["link"], &unknown["calls"]), (&json!(first), &json!(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starknet_rust_reads_what_sessions_did() {
    let (shard, address, mut session) = allowed().await;
    let door = door(address);
    let mut hashes = Vec::new();
    for made in [call("adventure", &[3]), call("doom", &[])] {
        let call = session.sign(made).unwrap();
        hashes.push(add_session_call(&door, &call).await.unwrap().transaction_hash);
    }
    let url = Url::parse(&format!("http://{address}{PATH}")).unwrap();
    let provider = JsonRpcClient::new(HttpTransport::new(url));
    let transaction = provider.get_transaction_by_hash(hashes[1], None).await.unwrap();
    let Transaction::Invoke(InvokeTransaction::V3(doom)) = &transaction else { panic!("{transaction:?}") };
    let calldata = [Felt::ONE, WORLD.into(), selector("doom"), Felt::ZERO];
    assert_eq!((doom.sender_address, &doom.calldata[..]), (player(), &calldata[..]));
    assert_eq!((doom.nonce, doom.signature.len(), doom.resource_bounds.l2_gas.max_amount), (Felt::ONE, 0, 100_000_000));
    let InvokeTransactionV3 { transaction_hash, .. } = doom;
    assert_eq!(*transaction_hash, hashes[1]);

    let latest = BlockId::Tag(BlockTag::Latest);
    let MaybePreConfirmedBlockWithTxs::Block(block) = provider.get_block_with_txs(latest, None).await.unwrap() else {
        panic!("it is confirmed")
    };
    assert_eq!(block.transactions, [transaction]);
    provider.get_block_with_tx_hashes(latest).await.unwrap();
    let number = BlockId::Number(FIRST_BLOCK + 1);
    let MaybePreConfirmedBlockWithReceipts::Block(block) =
        provider.get_block_with_receipts(number, None).await.unwrap()
    else {
        panic!("it is confirmed")
    };
    let receipts: Vec<_> = block.transactions.iter().map(|it| &it.receipt).collect();
    let [TransactionReceipt::Invoke(receipt)] = receipts[..] else { panic!("{receipts:?}") };
    assert_eq!((receipt.transaction_hash, receipt.events.len()), (hashes[0], 3));
    let TransactionStatus::AcceptedOnL2(result) = provider.get_transaction_status(hashes[1]).await.unwrap() else {
        panic!("it is in the log")
    };
    assert!(matches!(result, ExecutionResult::Reverted { .. }), "{result:?}");
    // A session call uses no nonce of its account.
    assert_eq!(provider.get_nonce(latest, player()).await.unwrap(), Felt::ONE);
    let MaybePreConfirmedStateUpdate::Update(update) = provider.get_state_update(number).await.unwrap() else {
        panic!("it is confirmed")
    };
    assert_eq!((update.state_diff.nonces.len(), update.state_diff.storage_diffs.is_empty()), (0, false));
    let filter = EventFilter { from_block: Some(number), to_block: Some(latest), address: None, keys: None };
    let page = provider.get_events(filter, None, 10).await.unwrap();
    let events: Vec<_> = page.events.iter().map(|it| (it.block_number, it.transaction_hash, it.keys[0])).collect();
    let wanted = ["Gained", "Fought", "Transfer"].map(|name| (Some(FIRST_BLOCK + 1), hashes[0], selector(name)));
    assert_eq!(events, wanted);
    assert!(page.events.iter().any(|it| it.from_address == ARENA.into()));
    assert_eq!((shard.stage(), shard.journal().height()), (Stage::Executing, 3));
}
