//! What a stranger may send over HTTP, and what it costs nobody else.

use crate::{client::Client, dungeon, opened};
use serde_json::{Value, json};
use shardwire_rpc::{Chain, bounds};
use std::sync::Arc;
use tokio::time::{Duration, timeout};

const NUMBER: &str = r#"{"jsonrpc":"2.0","id":1,"method":"starknet_blockNumber"}"#;

#[tokio::test]
async fn only_json_by_post_is_answered_and_browsers_may_ask() {
    let address = opened(vec![dungeon::shard(7)]).await;
    let mut client = Client::connect(address).await;
    let mut refused = async |method: &str, path: &str, headers: &str, status: u16, code: &str| {
        let answer = client.request(method, path, headers, NUMBER).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.head.contains(&"access-control-allow-origin: *".to_owned()), "{answer:?}");
        let text = answer.json()["error"]["data"].to_string();
        assert!(text.contains(code), "{text}");
    };
    let json = "content-type: application/json\r\n";
    refused("GET", "/", json, 405, "SW-RPC-204").await;
    refused("PUT", "/", json, 405, "SW-RPC-204").await;
    refused("POST", "/", "", 415, "SW-RPC-205").await;
    refused("POST", "/", "content-type: text/plain\r\n", 415, "SW-RPC-205").await;
    refused("POST", "/", &format!("{json}content-encoding: gzip\r\n"), 415, "SW-RPC-206").await;
    refused("POST", "/metrics", json, 404, "SW-RPC-201").await;
    refused("POST", "/shard/0x8/rpc/v0_10", json, 404, "SW-RPC-202").await;
    refused("POST", "/shard/0x7/rpc/v0_8", json, 404, "SW-RPC-201").await;
    let asked = "origin: https://game.example\r\naccess-control-request-method: POST\r\naccess-control-request-headers: content-type\r\n";
    let answer = client.request("OPTIONS", "/shard/0x7/rpc/v0_10", asked, "").await;
    assert_eq!((answer.status, &*answer.body), (204, ""));
    for line in [
        "access-control-allow-origin: *",
        "access-control-allow-methods: post, options",
        "access-control-allow-headers: *",
    ] {
        assert!(answer.head.contains(&line.to_owned()), "{line}: {answer:?}");
    }
}

#[tokio::test]
async fn the_default_path_is_the_only_shard() {
    let number =
        async |address, path| Client::connect(address).await.call(path, "starknet_blockNumber", json!([])).await;
    let one = opened(vec![dungeon::shard(7)]).await;
    for path in ["/", "/rpc", "/rpc/v0_9", "/rpc/v0_10", "/shard/0x7/rpc/v0_9", "/shard/0x07/rpc/v0_10/"] {
        assert_eq!(number(one, path).await.unwrap(), 999, "{path}");
    }
    for (shards, text) in [
        (
            Vec::new(),
            "the path names no shard, and this node has 0 (SW-RPC-203). Start a shard of contracts at this node first.",
        ),
        (
            vec![dungeon::shard(7), dungeon::shard(8)],
            "the path names no shard, and this node has 2 (SW-RPC-203). POST to /shard/<id>/rpc/v0_10 or /shard/<id>/rpc/v0_9; there is /shard/0x7 /shard/0x8.",
        ),
    ] {
        let address = opened(shards.into_iter().map(|shard| shard as Arc<dyn Chain>).collect()).await;
        let refused = Client::connect(address).await.post("/", NUMBER).await;
        assert_eq!((refused.status, &refused.json()["error"]["data"]), (404, &json!(text)));
    }
}

#[tokio::test]
async fn a_body_is_bounded_whether_it_is_announced_or_not() {
    let address = opened(vec![dungeon::shard(7)]).await;
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let mut client = Client::connect(address).await;
    // Announced: refused before any of it arrives.
    client.write(format!("{head}content-length: {}\r\n\r\n", bounds::MAX_BODY_BYTES + 1).as_bytes()).await.unwrap();
    let answer = client.read().await;
    assert_eq!(answer.status, 413);
    assert!(answer.json()["error"]["data"].to_string().contains("a request has at most 1048576 bytes (SW-RPC-207)"));
    // In pieces without an end.
    let mut client = Client::connect(address).await;
    client.write(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
    let piece = [format!("{:x}\r\n", 65_536).into_bytes(), vec![b' '; 65_536], b"\r\n".to_vec()].concat();
    // The connection may close while more is sent.
    for _ in 0..bounds::MAX_BODY_BYTES / 65_536 + 1 {
        if client.write(&piece).await.is_err() {
            break;
        }
    }
    assert_eq!(client.read().await.status, 413);
    // The longest is read.
    let mut client = Client::connect(address).await;
    let longest = format!("{NUMBER}{}", " ".repeat(bounds::MAX_BODY_BYTES - NUMBER.len()));
    assert_eq!(client.post("/", &longest).await.json()["result"], 999);
}

#[tokio::test(start_paused = true)]
async fn a_slow_caller_is_told_or_cut_off() {
    let address = opened(vec![dungeon::shard(7)]).await;
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let mut client = Client::connect(address).await;
    client.write(format!("{head}content-length: 100\r\n\r\n{{").as_bytes()).await.unwrap();
    let answer = client.read().await;
    assert_eq!(answer.status, 408);
    assert!(answer.json()["error"]["data"].to_string().contains("longer than 10 s to arrive (SW-RPC-208)"));
}

#[tokio::test]
async fn deep_json_and_batches_of_batches_are_errors_of_their_own() {
    let address = opened(vec![dungeon::shard(7)]).await;
    let mut client = Client::connect(address).await;
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    let answer = client.post("/", &deep).await;
    assert_eq!(answer.json()[0]["error"]["code"], -32_600);
    let unclosed = "[".repeat(500_000);
    assert_eq!(client.post("/", &unclosed).await.json()["error"]["code"], -32_700);
    let params = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"starknet_call","params":{}{}}}"#,
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    assert_eq!(client.post("/", &params).await.json()["error"]["code"], -32_602);
    let nested = format!("[[{NUMBER}],{NUMBER},1,{{}}]");
    let answers = client.post("/", &nested).await.json();
    let codes: Vec<_> = answers.as_array().unwrap().iter().map(|it| it["error"]["code"].as_i64()).collect();
    assert_eq!(codes, [Some(-32_600), None, Some(-32_600), Some(-32_600)]);
    assert_eq!(answers[1]["result"], 999);
}

#[tokio::test]
async fn batches_are_bounded_and_notifications_have_no_answer() {
    let address = opened(vec![dungeon::shard(7)]).await;
    let mut client = Client::connect(address).await;
    let batch = |count: usize| format!("[{}]", vec![NUMBER; count].join(","));
    let full = client.post("/", &batch(bounds::MAX_BATCH)).await.json();
    assert_eq!(full.as_array().map(Vec::len), Some(bounds::MAX_BATCH));
    let error = client.post("/", &batch(bounds::MAX_BATCH + 1)).await.json();
    assert_eq!(error["error"]["data"], "a batch has at most 1024 calls (SW-RPC-103). Send several batches.");
    let silent = r#"{"jsonrpc":"2.0","method":"starknet_blockNumber"}"#;
    assert_eq!(client.post("/", silent).await.status, 204);
    assert_eq!(client.post("/", &format!("[{silent},{silent}]")).await.status, 204);
    let mixed = client.post("/", &format!("[{silent},{NUMBER}]")).await.json();
    assert_eq!(mixed, json!([{ "jsonrpc": "2.0", "id": 1, "result": 999 }]));
}

#[tokio::test]
async fn ids_come_back_as_they_were() {
    let address = opened(vec![dungeon::shard(7)]).await;
    let mut client = Client::connect(address).await;
    for id in ["1", "\"a\"", "null", "-7", "123456789012345678901234567890", "1.5"] {
        let answer = client.post("/", &NUMBER.replace("\"id\":1", &format!("\"id\":{id}"))).await;
        assert!(answer.body.contains(&format!("\"id\":{id},")), "{answer:?}");
    }
    for id in ["{}", "[1]", "true"] {
        let answer = client.post("/", &NUMBER.replace("\"id\":1", &format!("\"id\":{id}"))).await.json();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(-32_600)));
    }
}

#[tokio::test]
async fn silent_connections_keep_nobody_out() {
    let address = opened(vec![dungeon::shard(7)]).await;
    let mut silent = Vec::new();
    for _ in 0..bounds::MAX_CONNECTIONS - 1 {
        silent.push(Client::connect(address).await);
    }
    let asked = async { Client::connect(address).await.post("/", NUMBER).await.status };
    assert_eq!(timeout(Duration::from_secs(20), asked).await.unwrap(), 200);
}
