//! The pages, and the connections that ask for them.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioTimer, service::TowerToHyperService};
use shardwire_listener::{Connection, Listener};
use shardwire_model::Coded;
use shardwire_telemetry::{Telemetry, Unmet};
use std::{fmt::Write as _, io, net::SocketAddr, time::Duration};
use tokio::time::timeout;

/// The longest head of a request: collectors send a few hundred bytes.
pub const MAX_REQUEST_BYTES: usize = 8 << 10;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;
/// Most connections at a time: a collector or two, and somebody who looks.
pub const MAX_CONNECTIONS: usize = 8;
/// The longest that a connection lives, and so a request: a hundred times what an answer takes.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// The metrics can't be served.
#[derive(Debug, thiserror::Error)]
#[error("metrics can't be served on {address}: {reason}")]
pub struct MetricsError {
    address: SocketAddr,
    reason: io::Error,
}

impl Coded for MetricsError {
    fn code(&self) -> &'static str {
        "SW-METRICS-001"
    }

    fn next_step(&self) -> String {
        "Set metrics.listen to a free port of this machine, or leave it out.".into()
    }
}

/// An open port, on which nothing is answered yet.
#[derive(Debug)]
pub struct Metrics(Listener);

impl Metrics {
    /// Takes the port.
    ///
    /// # Errors
    /// [`MetricsError`] if the address is taken, or not this machine's.
    pub async fn open(address: SocketAddr) -> Result<Self, MetricsError> {
        Listener::open(address).await.map(Self).map_err(|reason| MetricsError { address, reason })
    }

    /// The address that it listens at.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Answers, for as long as it is polled: one request a connection, so that nobody keeps a place.
    pub async fn serve(self, telemetry: Telemetry) {
        let mut http = http1::Builder::new();
        http.keep_alive(false).max_buf_size(MAX_REQUEST_BYTES).max_headers(MAX_HEADERS).timer(TokioTimer::new());
        let pages = TowerToHyperService::new(pages(telemetry));
        let answer = |connection: Connection, _: SocketAddr| {
            let answered = http.serve_connection(connection, pages.clone());
            // One that is too slow, or goes away, has no answer.
            Some(async move { drop(timeout(DEADLINE, answered).await) })
        };
        self.0.serve("metrics", MAX_CONNECTIONS, answer).await;
    }
}

/// The pages.
fn pages(telemetry: Telemetry) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/ready", get(ready))
        .fallback((StatusCode::NOT_FOUND, "there are /metrics and /ready\n"))
        .method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, "only GET is answered\n") })
        .with_state(telemetry)
}

async fn metrics(State(telemetry): State<Telemetry>) -> impl IntoResponse {
    ([(CONTENT_TYPE, shardwire_telemetry::KIND)], telemetry.to_text())
}

async fn ready(State(telemetry): State<Telemetry>) -> impl IntoResponse {
    match &*telemetry.unmet() {
        [] => (StatusCode::OK, "ready\n".to_owned()),
        unmet => (StatusCode::SERVICE_UNAVAILABLE, listed(unmet)),
    }
}

/// What a node isn't ready for, a line each: the condition's name, why, the code.
fn listed(unmet: &[Unmet]) -> String {
    let mut text = "not ready\n".to_owned();
    for Unmet { condition, shortfall } in unmet {
        // Words of peers and of the system: no control characters. A String takes any text.
        let why: String = shortfall.why.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let _ = writeln!(text, "{condition}: {why} ({})", shortfall.code);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::PeerId;
    use shardwire_peers::{ConfiguredPeers, Peers, Rules};
    use shardwire_reputation::{Event, Work};
    use shardwire_telemetry::Shortfall;
    use std::{collections::BTreeMap, sync::Arc};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    fn peers(rules: &Rules) -> (Telemetry, Arc<Peers>) {
        let (clock, telemetry) = (Arc::new(shardwire_host::clock::SystemClock), Telemetry::default());
        let peers = Peers::new(rules, ConfiguredPeers::default(), [], BTreeMap::new(), clock, &telemetry);
        peers.register(&telemetry);
        (telemetry, peers)
    }

    async fn served((telemetry, _): &(Telemetry, Arc<Peers>)) -> SocketAddr {
        let metrics = Metrics::open(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = metrics.address();
        tokio::spawn(metrics.serve(telemetry.clone()));
        address
    }

    async fn get(address: SocketAddr, path: &str) -> String {
        ask(address, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes(), 1000).await
    }

    /// What is answered to these bytes, which are sent in pieces of so many.
    async fn ask(address: SocketAddr, request: &[u8], piece: usize) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for piece in request.chunks(piece) {
            // A request that is refused before its end has its answer already.
            if stream.write_all(piece).await.is_err() {
                break;
            }
        }
        let mut answer = Vec::new();
        // Some of an answer may be lost with what was sent and isn't read.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn a_get_is_answered_however_it_arrives_and_the_connection_ends() {
        let address = served(&peers(&Rules::default())).await;
        for piece in [1, 7, 1000] {
            let answer = ask(address, b"GET /ready?a=b HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n", piece).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
            assert!(answer.ends_with("\r\n\r\nready\n"), "{answer}");
        }
    }

    #[tokio::test]
    async fn what_is_no_get_is_refused() {
        let address = served(&peers(&Rules::default())).await;
        let first_line = async |request: &[u8]| ask(address, request, 1 << 20).await.lines().next().map(str::to_owned);
        let post = first_line(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(post.as_deref(), Some("HTTP/1.1 405 Method Not Allowed"));
        assert_eq!(first_line(b"\x16\x03\x01\x02\x00\r\n\r\n").await.as_deref(), Some("HTTP/1.1 400 Bad Request"));
        let many = [&b"GET / HTTP/1.1\r\n"[..], &b"a: b\r\n".repeat(MAX_HEADERS + 1), b"\r\n"].concat();
        assert_eq!(first_line(&many).await.as_deref(), Some("HTTP/1.1 431 Request Header Fields Too Large"));
        let long = [&b"GET / HTTP/1.1\r\na: "[..], &b"b".repeat(MAX_REQUEST_BYTES)].concat();
        assert_eq!(first_line(&long).await.as_deref(), Some("HTTP/1.1 431 Request Header Fields Too Large"));
    }

    #[tokio::test]
    async fn what_was_done_with_peers_is_collected_by_tier() {
        let peers = peers(&Rules::default());
        for _ in 0..2 {
            peers.1.note(PeerId([1; 32]), &Event::Worked(Work::Proof));
        }
        let answer = get(served(&peers).await, "/metrics").await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains(&format!("\r\ncontent-length: {}", body.len())), "{head}");
        for line in [
            "shardwire_peers_connected{tier=\"low\"} 0",
            "shardwire_peers_session_bytes_total{tier=\"high\"} 0",
            "shardwire_peers_standing_changed_total{from=\"low\",to=\"normal\"} 1",
            "shardwire_peers_callers_total{answer=\"refused\"} 0",
            "shardwire_node_ready 1",
            "shardwire_node_unmet{condition=\"load\"} 0",
        ] {
            assert!(body.lines().any(|it| it == line), "{line} isn't in:\n{body}");
        }
        assert!(body.ends_with("# EOF\n"));
    }

    #[tokio::test]
    async fn readiness_is_a_status() {
        let mut rules = Rules::default();
        rules.watermarks.memory_bytes = 1;
        let peers = peers(&rules);
        let address = served(&peers).await;
        assert!(get(address, "/ready").await.starts_with("HTTP/1.1 200 OK\r\n"));
        let tending = peers.1.clone();
        tokio::spawn(async move { tending.maintain(|_| std::future::ready(()), || 2).await });
        let refused = loop {
            let answer = get(address, "/ready?now").await;
            if !answer.starts_with("HTTP/1.1 200") {
                break answer;
            }
        };
        assert!(refused.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{refused}");
        assert!(
            refused.ends_with("\r\n\r\nnot ready\nload: peers up to tier high are refused (SW-READY-001)\n"),
            "{refused}"
        );
        let metrics = get(address, "/metrics").await;
        assert!(metrics.contains("\nshardwire_node_ready 0\n"), "{metrics}");
        assert!(metrics.contains("\nshardwire_node_unmet{condition=\"load\"} 1\n"), "{metrics}");
        assert!(get(address, "/").await.starts_with("HTTP/1.1 404 Not Found\r\n"));
    }

    #[tokio::test]
    async fn everything_that_a_node_is_not_ready_for_is_listed_by_name() {
        let peers = peers(&Rules::default());
        let lacks = |why: &str, code: &str| {
            let shortfall = Shortfall { code: code.into(), why: why.into(), next_step: "Mend it.".into() };
            move || Some(shortfall.clone())
        };
        peers.0.condition("worker", lacks("there is\nno worker", "SW-X-1"));
        peers.0.condition("disk", lacks("the disk is full", "SW-X-2"));
        let answer = get(served(&peers).await, "/ready").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "not ready\ndisk: the disk is full (SW-X-2)\nworker: there is no worker (SW-X-1)\n");
    }

    #[tokio::test]
    async fn so_many_at_a_time_are_served_and_the_next_when_one_goes() {
        let peers = peers(&Rules::default());
        let address = served(&peers).await;
        let mut silent = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let waits = get(address, "/ready");
        tokio::pin!(waits);
        // One of them goes: there is room.
        drop(silent.pop());
        assert!(waits.await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_port_in_use_is_told() {
        let first = Metrics::open(([127, 0, 0, 1], 0).into()).await.unwrap();
        let error = Metrics::open(first.address()).await.unwrap_err();
        assert_eq!(error.code(), "SW-METRICS-001");
        assert!(error.to_string().starts_with(&format!("metrics can't be served on {}: ", first.address())), "{error}");
        assert_eq!(error.next_step(), "Set metrics.listen to a free port of this machine, or leave it out.");
    }
}
