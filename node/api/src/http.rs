//! As much of HTTP/1.1 as a collector needs: one GET a connection, without a body, answered whole.

use httparse::{EMPTY_HEADER, Request, Status};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The longest request: collectors send a few hundred bytes.
pub const MAX_REQUEST_BYTES: usize = 8 << 10;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;

/// An answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The content's type.
    pub(crate) kind: &'static str,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn plain(status: u16, body: impl Into<String>) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: body.into() }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            404 => "Not Found",
            405 => "Method Not Allowed",
            431 => "Request Header Fields Too Large",
            503 => "Service Unavailable",
            _ => "Bad Request",
        };
        let Self { status, kind, body } = self;
        let length = body.len();
        format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

/// Reads a request, answers it by its path, and ends the connection.
///
/// # Errors
/// [`io::Error`] if the connection fails.
pub(crate) async fn answer(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    page: impl FnOnce(&str) -> Response,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    let response = loop {
        // What a request may have beyond what is here; nothing is read that isn't wanted.
        let room = MAX_REQUEST_BYTES - bytes.len();
        if room == 0 {
            break Response::plain(431, "the request is too long\n");
        }
        if (&mut *stream).take(room as u64).read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut request = Request::new(&mut headers);
        match request.parse(&bytes) {
            Ok(Status::Partial) => {}
            Ok(Status::Complete(_)) => {
                let path = request.path.unwrap_or_default();
                let path = path.split_once('?').map_or(path, |(path, _)| path);
                break match request.method {
                    Some("GET") => page(path),
                    _ => Response::plain(405, "only GET is answered\n"),
                };
            }
            Err(error) => break Response::plain(400, format!("this is no request: {error}\n")),
        }
    };
    stream.write_all(&response.to_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    /// What is answered to these bytes, which arrive in pieces of so many.
    async fn said(request: &[u8], piece: usize) -> String {
        let (mut near, mut far) = duplex(64 << 10);
        let ask = async {
            for piece in request.chunks(piece) {
                if near.write_all(piece).await.is_err() {
                    break;
                }
            }
            let mut answer = String::new();
            near.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let serve = async {
            answer(&mut far, |path| Response::plain(200, path)).await.unwrap();
            drop(far);
        };
        tokio::join!(ask, serve).0
    }

    #[tokio::test]
    async fn a_get_is_answered_by_its_path_however_it_arrives() {
        let request = b"GET /metrics?a=b HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n";
        for piece in [1, 7, 1000] {
            assert_eq!(
                said(request, piece).await,
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 8\r\nconnection: close\r\n\r\n/metrics"
            );
        }
    }

    #[tokio::test]
    async fn what_is_no_get_is_refused() {
        let begins = |answer: String| answer.lines().next().unwrap_or_default().to_owned();
        assert_eq!(begins(said(b"POST / HTTP/1.1\r\n\r\n", 100).await), "HTTP/1.1 405 Method Not Allowed");
        assert_eq!(begins(said(b"\x16\x03\x01\x02\x00", 100).await), "HTTP/1.1 400 Bad Request");
        let many = [&b"GET / HTTP/1.1\r\n"[..], &b"a: b\r\n".repeat(MAX_HEADERS + 1), b"\r\n"].concat();
        assert_eq!(begins(said(&many, 10_000).await), "HTTP/1.1 400 Bad Request");
        let long = [&b"GET / HTTP/1.1\r\na: "[..], &b"b".repeat(MAX_REQUEST_BYTES)].concat();
        assert_eq!(begins(said(&long, 10_000).await), "HTTP/1.1 431 Request Header Fields Too Large");
    }
}
