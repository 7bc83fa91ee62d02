use super::*;
use crate::RpcError;
use serde_json::{Value, json};
use shardwire_model::Coded as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

/// A server that answers one request with these bytes, and tells what the request's body was.
async fn answering(answer: Vec<u8>) -> (Rpc, JoinHandle<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        let body = loop {
            let mut some = [0; 4096];
            let read = stream.read(&mut some).await.unwrap();
            assert!(read > 0, "the request ended early");
            request.extend_from_slice(&some[..read]);
            let Some(end) = request.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
            if let Ok(body) = serde_json::from_slice(&request[end + 4..]) {
                break body;
            }
        };
        // Who has read enough hangs up.
        let _ = stream.write_all(&answer).await;
        body
    });
    (Rpc::new(&format!("http://{address}/rpc/with-a-secret-key")).unwrap(), server)
}

fn http(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into_bytes()
}

async fn asked(answer: Vec<u8>) -> Result<String, RpcError> {
    let (rpc, server) = answering(answer).await;
    let result = rpc.ask("starknet_chainId", json!([])).await;
    assert_eq!(server.await.unwrap(), json!({ "jsonrpc": "2.0", "id": 0, "method": "starknet_chainId", "params": [] }));
    result
}

#[tokio::test]
async fn a_question_has_its_answer() {
    let answer = http("200 OK", r#"{"jsonrpc":"2.0","id":0,"result":"0x1"}"#);
    assert_eq!(asked(answer).await.unwrap(), "0x1");
}

#[tokio::test]
async fn what_is_no_answer_is_told_with_a_code_and_never_with_the_whole_address() {
    let refused = r#"{"id":0,"error":{"code":55,"message":"Account validation\u001b[31m failed","data":"no"}}"#;
    let long = format!(r#"{{"id":0,"result":"{}"}}"#, "x".repeat(MAX_ANSWER_BYTES));
    let cases = [
        (http("200 OK", refused), "SW-STARKNET-007", r#"Account validation[31m failed: "no" (code 55)"#, false),
        (http("200 OK", "<html>"), "SW-STARKNET-006", "starknet_chainId that can't be read: expected value", false),
        (http("200 OK", r#"{"id":0,"result":7}"#), "SW-STARKNET-006", "expected a string", false),
        (http("200 OK", r#"{"id":0}"#), "SW-STARKNET-006", "no answer to what was asked", false),
        (http("429 Too Many Requests", ""), "SW-STARKNET-004", "the HTTP status 429", true),
        (http("503 Service Unavailable", ""), "SW-STARKNET-004", "503", true),
        (http("404 Not Found", "nothing"), "SW-STARKNET-004", "404", false),
        (
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec(),
            "SW-STARKNET-004",
            "302",
            false,
        ),
        (http("200 OK", &long), "SW-STARKNET-005", "an answer of more than 16777216 bytes", false),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{".to_vec(), "SW-STARKNET-003", "didn't answer", true),
        (Vec::new(), "SW-STARKNET-003", "didn't answer", true),
    ];
    for (answer, code, text, passes) in cases {
        let error = asked(answer).await.unwrap_err();
        let told = error.to_string();
        assert!(told.contains(text) && told.contains("127.0.0.1:"), "{told}");
        assert!(!told.contains("secret") && !told.contains('\u{1b}'), "{told}");
        assert_eq!((error.code(), error.is_passing()), (code, passes), "{told}");
        assert_eq!(error.refusal(), (code == "SW-STARKNET-007").then_some(55));
    }
}

#[tokio::test]
async fn nobody_there_is_a_passing_trouble() {
    // A port that was free a moment ago, and that nobody else is given meanwhile.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let rpc = Rpc::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = rpc.ask::<Value>("starknet_chainId", json!([])).await.unwrap_err();
    assert!(matches!(error, RpcError::Silent { .. }) && error.is_passing(), "{error}");
}

async fn both(body: &str) -> Result<Vec<String>, RpcError> {
    let (rpc, server) = answering(http("200 OK", body)).await;
    let of = |method| Question { method, params: json!([]) };
    let result = rpc.ask_all(&[of("starknet_chainId"), of("starknet_specVersion")]).await;
    assert_eq!(server.await.unwrap()[1]["method"], "starknet_specVersion");
    result
}

#[tokio::test]
async fn answers_of_a_batch_find_their_questions_in_any_order() {
    let body = r#"[{"id":1,"result":"0.10.0"},{"id":0,"result":"0x1"}]"#;
    assert_eq!(both(body).await.unwrap(), ["0x1", "0.10.0"]);
}

#[tokio::test]
async fn a_batch_with_an_answer_too_few_twice_or_to_nothing_is_none() {
    for body in [
        r#"[{"id":0,"result":"a"}]"#,
        r#"[{"id":0,"result":"a"},{"id":0,"result":"b"}]"#,
        r#"[{"id":0,"result":"a"},{"id":2,"result":"b"}]"#,
        r#"{"id":null,"result":"a"}"#,
        "[]",
    ] {
        let error = both(body).await.unwrap_err();
        assert!(matches!(error, RpcError::Answer { .. }), "{body}: {error}");
    }
    let refused = both(r#"{"id":null,"error":{"code":-32600,"message":"no batches"}}"#).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(-32600));
}

#[test]
fn an_address_that_cannot_be_asked_is_refused() {
    for (address, text) in [
        ("", "relative URL without a base"),
        ("ftp://node", "its scheme is ftp"),
        ("localhost:5050", "its scheme is localhost"),
        ("http://", "empty host"),
    ] {
        let error = Rpc::new(address).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(error.code(), "SW-STARKNET-001");
    }
    assert_eq!(Rpc::new("http://node:5050/rpc").unwrap().host(), "node:5050");
}
