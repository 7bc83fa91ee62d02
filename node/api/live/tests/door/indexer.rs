//! A reader in the manner of torii: it asks for the number of the last block, then in one batch for the pages of events since the block before,
//! and in another for the receipts and blocks of all that it found, while players submit as fast as they can.

use crate::{
    client::Client,
    dungeon::{self, FIRST_BLOCK, FUNDS, GOLD, PLAYERS, selector},
    opened,
};
use serde_json::{Value, json};
use shardwire_rpc::Chain as _;
use shardwire_starknet::to_json;
use std::collections::{BTreeMap, BTreeSet};

const PATH: &str = "/shard/0x7/rpc/v0_9";
const TRANSFERS: u64 = 60;

/// Posts a batch of calls and gives their results in the calls' order.
async fn batch(client: &mut Client, calls: &[(&str, Value)]) -> Vec<Value> {
    let bodies = (0..).zip(calls).map(|(id, (method, params))| {
        json!({ "jsonrpc": "2.0", "id": id, "method": format!("starknet_{method}"), "params": params })
    });
    let body = Value::Array(bodies.collect()).to_string();
    let answers = client.post(PATH, &body).await.json();
    let mut by_id: BTreeMap<u64, Value> = BTreeMap::new();
    for answer in answers.as_array().unwrap() {
        let result = answer.get("result").unwrap_or_else(|| panic!("{answer}"));
        by_id.insert(answer["id"].as_u64().unwrap(), result.clone());
    }
    by_id.into_values().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batched_reader_misses_no_event_at_full_speed() {
    let (shard, players) = (dungeon::shard(7), dungeon::players());
    let address = opened(vec![shard.clone()]).await;
    let mut playing = tokio::task::JoinSet::new();
    for (i, player) in (0u64..).zip(players.clone()) {
        let (shard, to) = (shard.clone(), players[usize::try_from((i + 1) % PLAYERS).unwrap()].address);
        playing.spawn(async move {
            let mut client = Client::connect(address).await;
            for nonce in 0..TRANSFERS {
                let invoke = player.transfer(&shard, nonce, to, 1 + nonce);
                client.call(PATH, "starknet_addInvokeTransaction", json!([to_json(&invoke)])).await.unwrap();
            }
        });
    }
    let finishing = tokio::spawn({
        let (shard, player) = (shard.clone(), players[0]);
        async move {
            while playing.join_next().await.transpose().unwrap().is_some() {}
            let invoke = player.finish(&shard, TRANSFERS);
            Client::connect(address)
                .await
                .call(PATH, "starknet_addInvokeTransaction", json!([to_json(&invoke)]))
                .await
                .unwrap();
        }
    });

    let finished = format!("{:#x}", selector("Finished"));
    let mut client = Client::connect(address).await;
    let (mut next, mut seen) = (FIRST_BLOCK - 1, Vec::new());
    'reading: loop {
        let head = client.call(PATH, "starknet_blockNumber", json!([])).await.unwrap().as_u64().unwrap();
        if head < next {
            tokio::task::yield_now().await;
            continue;
        }
        let filter =
            json!({ "from_block": { "block_number": next }, "to_block": { "block_number": head }, "chunk_size": 7 });
        let mut pages = vec![filter.clone()];
        let mut events = Vec::new();
        while !pages.is_empty() {
            let calls: Vec<_> = pages.drain(..).map(|filter| ("getEvents", json!([filter]))).collect();
            for page in batch(&mut client, &calls).await {
                events.extend(page["events"].as_array().unwrap().iter().cloned());
                if let Some(token) = page.get("continuation_token") {
                    let mut filter = filter.clone();
                    filter["continuation_token"] = token.clone();
                    pages.push(filter);
                }
            }
        }
        let hashes: BTreeSet<String> =
            events.iter().map(|event| event["transaction_hash"].as_str().unwrap().to_owned()).collect();
        let calls: Vec<_> = hashes
            .iter()
            .map(|hash| ("getTransactionReceipt", json!([hash])))
            .chain(hashes.iter().map(|hash| ("getTransactionByHash", json!([hash]))))
            .collect();
        if !calls.is_empty() {
            let answers = batch(&mut client, &calls).await;
            let (receipts, transactions) = answers.split_at(hashes.len());
            for (receipt, transaction) in receipts.iter().zip(transactions) {
                assert_eq!(receipt["transaction_hash"], transaction["transaction_hash"]);
                assert!(receipt["block_number"].as_u64().is_some_and(|number| (next..=head).contains(&number)));
            }
        }
        next = head + 1;
        let ended = events.iter().any(|event| event["keys"][0] == finished);
        seen.extend(events);
        if ended {
            break 'reading;
        }
    }
    finishing.await.unwrap();
    // Each transaction has one event; the last has the one that ends the shard.
    let all = u64::from(shard.journal().height());
    assert_eq!(all, PLAYERS * TRANSFERS + 1);
    let numbers: Vec<_> = seen.iter().map(|event| event["block_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (FIRST_BLOCK..FIRST_BLOCK + all).collect::<Vec<_>>());
    assert_eq!(seen.last().unwrap()["keys"][0], finished);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_asks_for_the_latest_is_answered_while_transactions_come() {
    let (shard, players) = (dungeon::shard(7), dungeon::players());
    let address = opened(vec![shard.clone()]).await;
    let (giver, taker) = (players[0], players[1].address);
    let mut client = Client::connect(address).await;
    let playing = tokio::spawn({
        let shard = shard.clone();
        async move {
            let mut client = Client::connect(address).await;
            for nonce in 0..TRANSFERS {
                let invoke = giver.transfer(&shard, nonce, taker, 1);
                client.call(PATH, "starknet_addInvokeTransaction", json!([to_json(&invoke)])).await.unwrap();
            }
        }
    });
    let request = json!({ "contract_address": format!("{GOLD:#x}"), "entry_point_selector": format!("{:#x}", selector("balance_of")), "calldata": [format!("{taker:#x}")] });
    let simulated = to_json(&players[2].transfer(&shard, 0, taker, 1));
    let mut balances = Vec::new();
    while !playing.is_finished() {
        let balance = client.call(PATH, "starknet_call", json!([request, "latest"])).await.unwrap();
        balances.push(u64::from_str_radix(&balance[0].as_str().unwrap()[2..], 16).unwrap());
        client.call(PATH, "starknet_estimateFee", json!([[simulated], [], "pre_confirmed"])).await.unwrap();
    }
    playing.await.unwrap();
    assert!(!balances.is_empty() && balances.is_sorted(), "{balances:?}");
    let after = client.call(PATH, "starknet_call", json!([request, "latest"])).await.unwrap();
    assert_eq!(after[0], format!("{:#x}", FUNDS + TRANSFERS));
}
