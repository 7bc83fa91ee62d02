//! Each method, asked by hand: in both versions, by name and in order.

use crate::{
    client::Client,
    dungeon::{self, BEGINS, FUNDS, GOLD, WORLD, balance, class, selector},
    opened,
    player::Player,
};
use serde_json::{Value, json};
use shardwire_live::InMemory;
use shardwire_model::{Felt, execution::Status};
use shardwire_rpc::{Chain as _, bounds};
use shardwire_starknet::to_json;
use std::sync::Arc;

const V0_10: &str = "/shard/0x7/rpc/v0_10";
const V0_9: &str = "/shard/0x7/rpc/v0_9";

fn hex(felt: impl Into<Felt>) -> String {
    format!("{:#x}", felt.into())
}

/// A shard with two transfers, the second of which reverts, and a client.
async fn played() -> (Arc<InMemory>, Vec<Player>, Client, [String; 2]) {
    let (shard, players) = (dungeon::shard(7), dungeon::players());
    let mut client = Client::connect(opened(vec![shard.clone()]).await).await;
    let mut hashes = Vec::new();
    for (nonce, amount) in [(0, 10), (1, FUNDS)] {
        let invoke = players[0].transfer(&shard, nonce, players[1].address, amount);
        let added = client.call(V0_10, "starknet_addInvokeTransaction", json!([to_json(&invoke)])).await.unwrap();
        assert_eq!(added["shardwire"], json!({ "shard": "0x7", "stage": "executing" }));
        hashes.push(added["transaction_hash"].as_str().unwrap().to_owned());
    }
    (shard, players, client, hashes.try_into().unwrap())
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_chain_says_which_it_is() {
    let (shard, _, mut client, _) = played().await;
    for (path, version) in [(V0_10, "0.10.0"), (V0_9, "0.9.0")] {
        assert_eq!(client.call(path, "starknet_specVersion", json!([])).await.unwrap(), version);
        assert_eq!(client.call(path, "starknet_chainId", json!({})).await.unwrap(), hex(shard.chain_id()));
        assert_eq!(client.call(path, "starknet_blockNumber", json!([])).await.unwrap(), 1_001);
        assert_eq!(client.call(path, "starknet_syncing", json!([])).await.unwrap(), false);
        let head = client.call(path, "starknet_blockHashAndNumber", json!([])).await.unwrap();
        let by_hash = json!({ "block_id": { "block_hash": head["block_hash"] } });
        let block = client.call(path, "starknet_getBlockWithTxHashes", by_hash).await.unwrap();
        assert_eq!(block["block_number"], 1_001);
    }
}

#[tokio::test]
async fn each_transaction_is_a_block() {
    let (shard, players, mut client, hashes) = played().await;
    let hash = |height| hex(shard.journal().block_hash(height).unwrap());
    let block = async |client: &mut Client, path, method: &str, id: Value| {
        client.call(path, &format!("starknet_getBlockWith{method}"), json!([id])).await.unwrap()
    };
    let first = block(&mut client, V0_10, "TxHashes", json!({ "block_number": 1_000 })).await;
    let price = json!({ "price_in_fri": "0x0", "price_in_wei": "0x0" });
    assert_eq!(
        first,
        json!({
            "status": "ACCEPTED_ON_L2", "block_hash": hash(1), "parent_hash": hash(0), "block_number": 1_000, "new_root": "0x0",
            "timestamp": BEGINS, "sequencer_address": "0x5", "l1_gas_price": price, "l2_gas_price": price, "l1_data_gas_price": price,
            "l1_da_mode": "CALLDATA", "starknet_version": shardwire_native::starknet_version(), "event_commitment": "0x0", "transaction_commitment": "0x0",
            "receipt_commitment": "0x0", "state_diff_commitment": "0x0", "event_count": 1, "transaction_count": 1, "state_diff_length": 3,
            "transactions": [hashes[0]], "shardwire": { "shard": "0x7", "stage": "executing" },
        })
    );
    let older = block(&mut client, V0_9, "TxHashes", json!({ "block_number": 1_000 })).await;
    let missing: Vec<_> = keys(&first).into_iter().filter(|key| older.get(key).is_none()).collect();
    assert_eq!(
        missing,
        [
            "event_commitment",
            "event_count",
            "receipt_commitment",
            "state_diff_commitment",
            "state_diff_length",
            "transaction_commitment",
            "transaction_count"
        ]
    );
    let whole = block(&mut client, V0_9, "Txs", json!("latest")).await;
    let mut wanted = to_json(&players[0].transfer(&shard, 1, players[1].address, FUNDS));
    wanted["transaction_hash"] = json!(hashes[1]);
    assert_eq!(whole["transactions"], json!([wanted]));
    let receipts = block(&mut client, V0_10, "Receipts", json!("latest")).await;
    let pair = &receipts["transactions"][0];
    assert_eq!(
        (&pair["transaction"]["nonce"], &pair["receipt"]["transaction_hash"]),
        (&json!("0x1"), &json!(hashes[1]))
    );
    assert!(pair["receipt"].get("block_hash").is_none());
    // The state that the shard began from, and the block that comes next.
    let begin = block(&mut client, V0_10, "Txs", json!("l1_accepted")).await;
    assert_eq!(
        (&begin["block_number"], &begin["parent_hash"], &begin["transactions"]),
        (&json!(999), &json!("0x0"), &json!([]))
    );
    let next = block(&mut client, V0_10, "Txs", json!("pre_confirmed")).await;
    assert_eq!(
        keys(&next),
        [
            "block_number",
            "l1_da_mode",
            "l1_data_gas_price",
            "l1_gas_price",
            "l2_gas_price",
            "sequencer_address",
            "shardwire",
            "starknet_version",
            "timestamp",
            "transactions"
        ]
    );
    assert_eq!(next["block_number"], 1_002);
    for (id, count) in [(json!("latest"), 1), (json!("pre_confirmed"), 0), (json!({ "block_number": 999 }), 0)] {
        assert_eq!(client.call(V0_10, "starknet_getBlockTransactionCount", json!([id])).await.unwrap(), count);
    }
    let error = client.call(V0_10, "starknet_getBlockWithTxs", json!([{ "block_number": 1_002 }])).await.unwrap_err();
    assert_eq!((&error["code"], &error["message"]), (&json!(24), &json!("Block not found")));
}

#[tokio::test]
async fn a_transaction_has_a_receipt_and_a_status() {
    let (shard, players, mut client, hashes) = played().await;
    let receipt = client.call(V0_10, "starknet_getTransactionReceipt", json!([hashes[0]])).await.unwrap();
    let (block, gas) = (hex(shard.journal().block_hash(1).unwrap()), shard.journal().entry(0).unwrap().receipt.gas);
    let gas = gas.total();
    let [from, to] = [players[0].address, players[1].address].map(hex);
    assert_eq!(
        receipt,
        json!({
            "type": "INVOKE", "transaction_hash": hashes[0], "actual_fee": { "amount": "0x0", "unit": "FRI" },
            "finality_status": "ACCEPTED_ON_L2", "execution_status": "SUCCEEDED", "messages_sent": [],
            "events": [{ "from_address": hex(GOLD), "keys": [hex(selector("Transfer")), from, to], "data": ["0xa", "0x0"] }],
            "execution_resources": { "l1_gas": 0, "l1_data_gas": 0, "l2_gas": gas }, "block_hash": block, "block_number": 1_000,
            "shardwire": { "shard": "0x7", "stage": "executing" },
        })
    );
    let reverted =
        client.call(V0_9, "starknet_getTransactionReceipt", json!({ "transaction_hash": hashes[1] })).await.unwrap();
    let of = |key: &str| reverted[key].clone();
    assert_eq!((of("execution_status"), of("events")), (json!("REVERTED"), json!([])));
    let reason = of("revert_reason");
    assert!(reason.as_str().unwrap().contains("not enough gold"), "{reason}");
    let status = client.call(V0_10, "starknet_getTransactionStatus", json!([hashes[1]])).await.unwrap();
    let shardwire = json!({ "shard": "0x7", "stage": "executing" });
    assert_eq!(
        status,
        json!({ "finality_status": "ACCEPTED_ON_L2", "execution_status": "REVERTED", "failure_reason": reason, "shardwire": shardwire })
    );
    let one = client.call(V0_10, "starknet_getTransactionByHash", json!([hashes[0]])).await.unwrap();
    let same = client
        .call(V0_9, "starknet_getTransactionByBlockIdAndIndex", json!([{ "block_number": 1_000 }, 0]))
        .await
        .unwrap();
    assert_eq!(one, same);
    let flagged =
        client.call(V0_10, "starknet_getTransactionByHash", json!([hashes[0], ["INCLUDE_PROOF_FACTS"]])).await.unwrap();
    assert_eq!(flagged["proof_facts"], json!([]));
    let error = client.call(V0_10, "starknet_getTransactionByBlockIdAndIndex", json!(["latest", 1])).await.unwrap_err();
    assert_eq!(error["code"], 27);
    for method in ["getTransactionByHash", "getTransactionReceipt", "getTransactionStatus"] {
        let error = client.call(V0_10, &format!("starknet_{method}"), json!(["0x1"])).await.unwrap_err();
        assert_eq!((&error["code"], &error["message"]), (&json!(29), &json!("Transaction hash not found")));
    }
    // An abort undoes it.
    shard.abort();
    let error = client.call(V0_10, "starknet_getTransactionStatus", json!([hashes[0]])).await.unwrap_err();
    assert!(error["data"].as_str().unwrap().contains("is undone (SW-RPC-115)"), "{error}");
    assert_eq!(client.call(V0_10, "starknet_blockNumber", json!([])).await.unwrap(), 999);
    let nonce = client.call(V0_10, "starknet_getNonce", json!(["latest", from])).await.unwrap();
    assert_eq!(nonce, "0x0");
    let next = to_json(&players[0].transfer(&shard, 2, players[1].address, 1));
    let error = client.call(V0_10, "starknet_addInvokeTransaction", json!([next])).await.unwrap_err();
    assert!(error["data"].as_str().unwrap().contains("the shard was aborted"), "{error}");
    let last = json!({ "request": { "contract_address": hex(GOLD), "entry_point_selector": hex(selector("total_supply")), "calldata": [] }, "block_id": "latest" });
    assert_eq!(client.call(V0_10, "starknet_call", last).await.unwrap_err()["code"], 24);
}

#[tokio::test]
async fn the_state_is_read_at_each_block() {
    let (_, players, mut client, _) = played().await;
    let (token, from, slot) = (hex(GOLD), hex(players[0].address), hex(balance(players[0].address).0));
    let (file, gold) = class("gold");
    for (block, nonce, balance) in [
        (json!("l1_accepted"), "0x0", hex(FUNDS)),
        (json!({ "block_number": 1_000 }), "0x1", hex(FUNDS - 10)),
        (json!("latest"), "0x2", hex(FUNDS - 10)),
        (json!("pre_confirmed"), "0x2", hex(FUNDS - 10)),
    ] {
        assert_eq!(client.call(V0_10, "starknet_getNonce", json!([block, from])).await.unwrap(), nonce);
        let held = client.call(V0_9, "starknet_getStorageAt", json!([token, slot, block])).await.unwrap();
        assert_eq!(held, balance);
        let class = client.call(V0_10, "starknet_getClassHashAt", json!([block, token])).await.unwrap();
        assert_eq!(class, hex(gold));
    }
    let flags = json!([token, slot, "latest", ["INCLUDE_LAST_UPDATE_BLOCK"]]);
    let held = client.call(V0_10, "starknet_getStorageAt", flags).await.unwrap();
    assert_eq!(held, json!({ "value": hex(FUNDS - 10), "last_update_block": 1_000 }));
    let class = client.call(V0_10, "starknet_getClassAt", json!(["latest", token])).await.unwrap();
    assert_eq!(class, client.call(V0_9, "starknet_getClass", json!(["latest", hex(gold)])).await.unwrap());
    // As its file has it; the ABI as the text that the class hash covers.
    let file: Value = serde_json::from_str(file).unwrap();
    for key in ["sierra_program", "contract_class_version"] {
        assert_eq!(class[key], file[key]);
    }
    let selectors = |class: &Value| {
        let points = class["entry_points_by_type"]["EXTERNAL"].as_array().unwrap();
        points.iter().map(|it| (it["selector"].clone(), it["function_idx"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(selectors(&class), selectors(&file));
    assert_eq!(serde_json::from_str::<Value>(class["abi"].as_str().unwrap()).unwrap(), file["abi"]);
    for (method, params, code) in [
        ("getNonce", json!(["latest", "0x1"]), 20),
        ("getStorageAt", json!(["0x1", "0x1", "latest"]), 20),
        ("getClassHashAt", json!(["latest", "0x1"]), 20),
        ("getClassAt", json!(["latest", "0x1"]), 20),
        ("getClass", json!(["latest", "0x1"]), 28),
        ("getClass", json!([{ "block_number": 1 }, hex(gold)]), 24),
    ] {
        let error = client.call(V0_10, &format!("starknet_{method}"), params).await.unwrap_err();
        assert_eq!(error["code"], code, "{method}");
    }
    let update = client.call(V0_10, "starknet_getStateUpdate", json!([{ "block_number": 1_000 }])).await.unwrap();
    assert_eq!(update["state_diff"]["nonces"], json!([{ "contract_address": from, "nonce": "0x1" }]));
    let diff = &update["state_diff"]["storage_diffs"][0];
    assert_eq!(diff["address"], token);
    let changed = json!({ "key": slot, "value": hex(FUNDS - 10) });
    assert!(diff["storage_entries"].as_array().unwrap().contains(&changed), "{diff}");
    assert_eq!(update["state_diff"]["migrated_compiled_classes"], json!([]));
    let next = client.call(V0_9, "starknet_getStateUpdate", json!(["pre_confirmed"])).await.unwrap();
    assert_eq!(keys(&next), ["old_root", "state_diff"]);
    let next = client.call(V0_10, "starknet_getStateUpdate", json!(["pre_confirmed"])).await.unwrap();
    assert_eq!(keys(&next), ["state_diff"]);
}

#[tokio::test]
async fn calls_estimates_and_simulations_change_nothing() {
    let (shard, players, mut client, _) = played().await;
    let call = |name, calldata: Value| json!({ "request": { "contract_address": hex(GOLD), "entry_point_selector": hex(selector(name)), "calldata": calldata }, "block_id": "latest" });
    let from = hex(players[0].address);
    let balance = client.call(V0_10, "starknet_call", call("balance_of", json!([from]))).await.unwrap();
    assert_eq!(balance, json!([hex(FUNDS - 10), "0x0"]));
    let error = client.call(V0_10, "starknet_call", call("balance_of", json!([]))).await.unwrap_err();
    let reason = error["data"]["revert_error"].as_str().unwrap();
    assert!(error["code"] == 40 && reason.starts_with("the call fails: "), "{error}");
    assert!(reason.contains("Input too short for arguments") && reason.contains("(SW-NATIVE-122)"), "{error}");
    let error = client.call(V0_10, "starknet_call", call("other", json!([]))).await.unwrap_err();
    let data = format!(
        "contract {} has no entry point {} (SW-NATIVE-103). Call what the contract's class has: starknet_getClassAt lists it.",
        hex(GOLD),
        hex(selector("other"))
    );
    assert_eq!((&error["code"], &error["data"]), (&json!(21), &json!(data)));
    let two = [
        to_json(&players[0].transfer(&shard, 2, players[1].address, 1)),
        to_json(&players[0].transfer(&shard, 3, players[1].address, FUNDS)),
    ];
    let estimates = client.call(V0_9, "starknet_estimateFee", json!([[two[0]], [], "pre_confirmed"])).await.unwrap();
    let gas = estimates[0]["l2_gas_consumed"].as_str().unwrap();
    assert!(Felt::from_hex(gas).is_ok_and(|gas| gas > Felt::from(100_000)), "{gas}");
    let estimate = json!({
        "l1_gas_consumed": "0x0", "l1_gas_price": "0x0", "l2_gas_consumed": gas, "l2_gas_price": "0x0", "l1_data_gas_consumed": "0x0",
        "l1_data_gas_price": "0x0", "overall_fee": "0x0", "unit": "FRI",
    });
    assert_eq!(estimates, json!([estimate]));
    let error =
        client.call(V0_10, "starknet_estimateFee", json!([two, ["SKIP_VALIDATE"], "latest"])).await.unwrap_err();
    let text = error["data"]["execution_error"].as_str().unwrap();
    assert_eq!((&error["code"], &error["data"]["transaction_index"]), (&json!(41), &json!(1)));
    assert!(text.starts_with("the transaction would be reverted: ") && text.contains("not enough gold"), "{text}");
    let step = "(SW-RPC-122). Correct the calls, or set l2_gas.max_amount and submit it as it is.";
    assert!(text.ends_with(step), "{text}");
    let flags = json!(["SKIP_FEE_CHARGE"]);
    let simulated = client.call(V0_10, "starknet_simulateTransactions", json!(["latest", two, flags])).await.unwrap();
    let (first, second) = (&simulated[0], &simulated[1]);
    assert_eq!(first["fee_estimation"], estimate);
    let inner = &first["transaction_trace"]["execute_invocation"]["calls"][0];
    assert_eq!((&inner["contract_address"], &inner["call_type"]), (&json!(hex(GOLD)), &json!("CALL")));
    assert_eq!(inner["events"][0]["order"], 0);
    assert_eq!(keys(&second["transaction_trace"]["execute_invocation"]), ["revert_reason"]);
    let error = client.call(V0_10, "starknet_estimateFee", json!([[two[1]], [], "latest"])).await.unwrap_err();
    assert_eq!((&error["code"], &error["data"]["transaction_index"]), (&json!(41), &json!(0)));
    assert_eq!(client.call(V0_10, "starknet_blockNumber", json!([])).await.unwrap(), 1_001);
    // What was estimated is what it takes.
    client.call(V0_10, "starknet_addInvokeTransaction", json!([two[0]])).await.unwrap();
    assert_eq!(hex(shard.journal().entry(2).unwrap().receipt.gas.total()), gas);
    let past = json!({ "request": { "contract_address": hex(GOLD), "entry_point_selector": "0x1", "calldata": [] }, "block_id": { "block_number": 999 } });
    assert_eq!(client.call(V0_10, "starknet_call", past).await.unwrap_err()["code"], 24);
}

#[tokio::test]
async fn a_wallets_mistakes_are_starknets_errors() {
    let (shard, players, mut client, _) = played().await;
    let good = players[0].transfer(&shard, 2, players[1].address, 1);
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut value = to_json(&good);
        change(&mut value);
        value
    };
    let set = |key: &'static str, to: Value| changed(&move |value| value[key] = to.clone());
    let bound =
        |key: &'static str, to: Value| changed(&move |value| value["resource_bounds"]["l2_gas"][key] = to.clone());
    for (transaction, code, text) in [
        (set("nonce", json!("0x7")), 52, "must use nonce 2, not 7"),
        (set("nonce", json!("0xffffffffffffffffffff")), 52, "is not the account's next"),
        (set("signature", json!(["0x1", "0x2"])), 55, "doesn't accept the transaction"),
        (set("sender_address", json!("0x1")), 58, "is not one of this shard's"),
        (to_json(&players[0].transfer(&shard, 1, players[1].address, FUNDS)), 59, "is in the log, at place 1"),
        (bound("max_amount", json!("0x0")), 53, "l2_gas.max_amount is 0"),
        (bound("max_price_per_unit", json!("0x1")), 63, "max_price_per_unit of a transaction must be 0"),
        (set("tip", json!("0x1")), 63, "tip of a transaction must be 0"),
        (set("paymaster_data", json!(["0x1"])), 63, "paymaster_data of a transaction must be empty"),
        (set("account_deployment_data", json!(["0x1"])), 63, "account_deployment_data of a transaction must be empty"),
        (set("fee_data_availability_mode", json!("L2")), 63, "the data availability mode of a transaction must be L1"),
        (set("proof_facts", json!(["0x1"])), 63, "proof_facts of a transaction must be empty"),
        (set("proof", json!("AAAA")), 63, "proof of a transaction must be empty"),
        (set("version", json!("0x1")), 61, "not INVOKE of version 0x1"),
        (set("version", json!("0x100000000000000000000000000000003")), 61, "not a query of version 3"),
        (set("type", json!("DECLARE")), 61, "not DECLARE of version 0x3"),
        (set("calldata", json!(vec!["0x1"; 5_001])), -32_602, "at most 5000 elements"),
        (set("signature", json!(vec!["0x1"; 257])), -32_602, "at most 256 elements"),
        (set("calldata", json!(["1"])), -32_602, "is not a field element"),
        (set("nonce", json!(7)), -32_602, "expected"),
        (bound("max_amount", json!("0x10000000000000000")), -32_602, "max_amount of l2_gas exceeds 64 bits"),
        (bound("max_amount", json!("12")), -32_602, "a number is 0x and up to 32 hexadecimal digits"),
    ] {
        let error = client.call(V0_10, "starknet_addInvokeTransaction", json!([transaction])).await.unwrap_err();
        let data = error["data"].as_str().unwrap_or_default();
        assert!(error["code"] == code && data.contains(text), "{text}: {error}");
    }
    // Nothing of it happened, and what is good is taken.
    let added = client
        .call(V0_9, "starknet_addInvokeTransaction", json!({ "invoke_transaction": to_json(&good) }))
        .await
        .unwrap();
    assert_eq!(added["transaction_hash"], hex(good.hash(shard.chain_id())));
    assert_eq!(shard.journal().height(), 3);
}

#[tokio::test]
async fn what_is_in_the_log_is_traced_as_it_was_simulated() {
    let (shard, players, mut client, [stands, reverted]) = played().await;
    let next = to_json(&players[0].transfer(&shard, 2, players[1].address, 3));
    let simulated = client.call(V0_10, "starknet_simulateTransactions", json!(["latest", [next], []])).await.unwrap();
    let added = client.call(V0_10, "starknet_addInvokeTransaction", json!([next])).await.unwrap();
    let traced = client.call(V0_10, "starknet_traceTransaction", json!([added["transaction_hash"]])).await.unwrap();
    assert_eq!(traced, simulated[0]["transaction_trace"]);
    assert_eq!(traced["execute_invocation"]["calls"][0]["contract_address"], hex(GOLD));
    let traced = client.call(V0_9, "starknet_traceTransaction", json!({ "transaction_hash": stands })).await.unwrap();
    assert_eq!((&traced["type"], &traced["execute_invocation"]["is_reverted"]), (&json!("INVOKE"), &json!(false)));
    let traced = client.call(V0_10, "starknet_traceTransaction", json!([reverted])).await.unwrap();
    let reason = traced["execute_invocation"]["revert_reason"].as_str().unwrap();
    assert!(reason.contains("not enough gold"), "{reason}");
    let error = client.call(V0_10, "starknet_traceTransaction", json!(["0x7"])).await.unwrap_err();
    assert_eq!(error["code"], 29);
}

#[tokio::test]
async fn what_a_shard_does_not_do_is_said() {
    let (_, _, mut client, _) = played().await;
    for (method, why) in [
        ("addDeclareTransaction", "its classes are those that it was started with"),
        ("addDeployAccountTransaction", "its accounts are those that it was started with"),
        ("getStorageProof", "it keeps no tries; its proof is made when it has ended"),
        ("traceBlockTransactions", "each block has one transaction: ask for its trace"),
        ("getMessagesStatus", "it has no messages from L1"),
    ] {
        let error = client.call(V0_10, &format!("starknet_{method}"), json!([])).await.unwrap_err();
        let text = format!(
            "starknet_{method} is not available in a shard: {why} (SW-RPC-106). Do this on the chain, before the shard starts or after it has settled."
        );
        assert_eq!((&error["code"], &error["data"]), (&json!(-32_601), &json!(text)));
    }
    for method in ["starknet_other", "eth_blockNumber", ""] {
        let error = client.call(V0_10, method, json!([])).await.unwrap_err();
        assert_eq!((&error["code"], &error["message"]), (&json!(-32_601), &json!("Method not found")));
    }
    for params in [json!([]), json!(["latest", 1, 2]), json!([1]), json!({ "block": "latest" })] {
        let error = client.call(V0_10, "starknet_getBlockWithTxs", params).await.unwrap_err();
        let text = error["data"].as_str().unwrap();
        assert!(text.starts_with("the arguments don't fit starknet_getBlockWithTxs: "), "{text}");
        assert!(
            text.ends_with("(SW-RPC-104). Give the arguments of Starknet's JSON-RPC 0.9 or 0.10, by name or in order."),
            "{text}"
        );
    }
}

#[tokio::test]
async fn events_are_filtered() {
    let (_, players, mut client, hashes) = played().await;
    let ask = |filter: Value| json!([filter]);
    let all = client.call(V0_10, "starknet_getEvents", ask(json!({ "chunk_size": 10 }))).await.unwrap();
    let event = &all["events"][0];
    assert_eq!(
        (&event["block_number"], &event["transaction_hash"], &event["transaction_index"], &event["event_index"]),
        (&json!(1_000), &json!(hashes[0]), &json!(0), &json!(0))
    );
    assert_eq!((all["events"].as_array().map(Vec::len), all.get("continuation_token")), (Some(1), None));
    let older = client.call(V0_9, "starknet_getEvents", ask(json!({ "chunk_size": 10 }))).await.unwrap();
    assert_eq!(
        keys(&older["events"][0]),
        ["block_hash", "block_number", "data", "from_address", "keys", "transaction_hash"]
    );
    let (token, to) = (hex(GOLD), hex(players[1].address));
    for (filter, count) in [
        (json!({ "chunk_size": 10, "address": token }), 1),
        (json!({ "chunk_size": 10, "address": ["0x1", token] }), 1),
        (json!({ "chunk_size": 10, "address": "0x1" }), 0),
        (json!({ "chunk_size": 10, "keys": [[], [], [to]] }), 1),
        (json!({ "chunk_size": 10, "keys": [[], [to]] }), 0),
        (json!({ "chunk_size": 10, "from_block": "latest", "to_block": "latest" }), 0),
        (json!({ "chunk_size": 10, "from_block": { "block_number": 1_002 } }), 0),
    ] {
        let found = client.call(V0_10, "starknet_getEvents", ask(filter.clone())).await.unwrap();
        assert_eq!(found["events"].as_array().map(Vec::len), Some(count), "{filter}");
    }
    for (path, filter, code) in [
        (V0_10, json!({ "chunk_size": 0 }), -32_602),
        (V0_10, json!({ "chunk_size": 1_025 }), 31),
        (V0_10, json!({ "chunk_size": 1, "continuation_token": "x" }), 33),
        (V0_10, json!({ "chunk_size": 1, "keys": [vec!["0x1"; 1_025]] }), 34),
        (V0_10, json!({ "chunk_size": 1, "to_block": { "block_number": 1_002 } }), 24),
        (V0_9, json!({ "chunk_size": 1, "address": ["0x1"] }), -32_602),
    ] {
        let error = client.call(path, "starknet_getEvents", ask(filter.clone())).await.unwrap_err();
        assert_eq!(error["code"], code, "{filter}: {error}");
    }
}

#[tokio::test]
async fn a_long_transaction_is_answered_like_a_short_one() {
    let (shard, players, mut client, _) = played().await;
    // Its own thread writes what is longer than this; a failure that the world forgives.
    let length = bounds::MAX_SHORT_FELTS + 1;
    let calldata = [vec![GOLD.into(), Felt::ONE, length.into()], vec![Felt::TWO; length]].concat();
    let long = players[0].call(&shard, 2, WORLD, "try_call", &calldata);
    let added = client.call(V0_10, "starknet_addInvokeTransaction", json!([to_json(&long)])).await.unwrap();
    let hash = added["transaction_hash"].clone();
    assert_eq!(shard.journal().entry(2).unwrap().receipt.status, Status::Succeeded);
    let mut wanted = to_json(&long);
    wanted["transaction_hash"] = hash.clone();
    let mut ask = async |method: &str, params: Value| client.call(V0_10, method, params).await.unwrap();
    assert_eq!(ask("starknet_getTransactionByHash", json!([hash])).await, wanted);
    assert_eq!(ask("starknet_getTransactionByBlockIdAndIndex", json!(["latest", 0])).await, wanted);
    assert_eq!(ask("starknet_getBlockWithTxs", json!(["latest"])).await["transactions"], json!([wanted]));
    let receipt = ask("starknet_getTransactionReceipt", json!([hash])).await;
    assert_eq!((&receipt["execution_status"], &receipt["block_number"]), (&json!("SUCCEEDED"), &json!(1_002)));
    let receipts = ask("starknet_getBlockWithReceipts", json!(["latest"])).await;
    assert_eq!(receipts["transactions"][0]["receipt"]["events"], receipt["events"]);
    let update = ask("starknet_getStateUpdate", json!(["latest"])).await;
    assert_eq!(update["state_diff"]["nonces"][0]["nonce"], "0x3");
}
