//! What of HTTP there is: paths, kinds of content, browsers' questions, refusals. Pure.

use crate::{
    Version, bounds,
    error::{LIMIT_EXCEEDED, UNAVAILABLE, listed},
};
use http_body_util::Full;
use hyper::{
    HeaderMap, Response, StatusCode,
    body::Bytes,
    header::{self, HeaderName, HeaderValue},
};
use serde_json::json;
use shardwire_model::{Coded, ShardId};
use std::time::Duration;

/// A request that isn't a call of a shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HttpError {
    /// No such path.
    #[error("there is nothing at this path")]
    Path(Vec<ShardId>),
    /// No such shard.
    #[error("shard {0} is not at this node")]
    NoShard(ShardId, Vec<ShardId>),
    /// The path names no shard, and there isn't exactly one.
    #[error("the path names no shard, and this node has {}", .0.len())]
    WhichShard(Vec<ShardId>),
    /// Another method than POST.
    #[error("only POST is answered")]
    Method,
    /// Another kind of content than JSON.
    #[error("the content must be application/json")]
    Kind,
    /// The content is compressed, or the like.
    #[error("the content must be without an encoding")]
    Encoding,
    /// The body is too long.
    #[error("a request has at most {} bytes", bounds::MAX_BODY_BYTES)]
    TooLong,
    /// The body is too slow.
    #[error("the request took longer than {} s to arrive", bounds::BODY_DEADLINE.as_secs())]
    Slow,
    /// The body ended early.
    #[error("the request didn't arrive whole: {0}")]
    Broken(String),
    /// Too many calls of this address.
    #[error("too many calls from this address")]
    Limited(Duration),
    /// A batch of more calls than any address may make at once.
    #[error(
        "the batch has more calls than an address may make at once; an execution counts {}",
        bounds::EXECUTION_CALLS
    )]
    TooMany,
    /// The node answers others.
    #[error("the node is answering {} other requests", bounds::MAX_REQUESTS)]
    Busy,
}

impl Coded for HttpError {
    fn code(&self) -> &'static str {
        match self {
            Self::Path(_) => "SW-RPC-201",
            Self::NoShard(..) => "SW-RPC-202",
            Self::WhichShard(_) => "SW-RPC-203",
            Self::Method => "SW-RPC-204",
            Self::Kind => "SW-RPC-205",
            Self::Encoding => "SW-RPC-206",
            Self::TooLong => "SW-RPC-207",
            Self::Slow => "SW-RPC-208",
            Self::Broken(_) => "SW-RPC-209",
            Self::Limited(_) => "SW-RPC-210",
            Self::TooMany => "SW-RPC-211",
            Self::Busy => "SW-RPC-212",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Path(ids) | Self::NoShard(_, ids) | Self::WhichShard(ids) if ids.is_empty() => {
                "Start a shard of contracts at this node first.".into()
            }
            Self::Path(ids) | Self::NoShard(_, ids) | Self::WhichShard(ids) => {
                format!("POST to /shard/<id>/rpc/v0_10 or /shard/<id>/rpc/v0_9; there is{}.", listed(ids))
            }
            Self::Method => "POST a call of JSON-RPC 2.0.".into(),
            Self::Kind => "Send the header 'content-type: application/json'.".into(),
            Self::Encoding => "Send the content as it is.".into(),
            Self::TooLong | Self::TooMany => "Send several requests.".into(),
            Self::Slow | Self::Broken(_) => "Send the request again.".into(),
            Self::Limited(wait) => {
                let seconds = seconds(*wait);
                format!("Wait {seconds} s, or ask the operator for a higher limit.")
            }
            Self::Busy => "Send the request again in a moment.".into(),
        }
    }
}

impl HttpError {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Path(_) | Self::NoShard(..) | Self::WhichShard(_) => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Kind | Self::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
            Self::Limited(_) | Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The code of JSON-RPC, for those who read the body only.
    const fn rpc_code(&self) -> i64 {
        match self {
            Self::Limited(_) | Self::TooMany | Self::TooLong => LIMIT_EXCEEDED,
            Self::Busy | Self::Slow => UNAVAILABLE,
            _ => -32_600,
        }
    }
}

/// What a path names: a shard, or the only one, and a version.
pub(crate) fn path(path: &str) -> Option<(Option<ShardId>, Version)> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let (shard, rest) = match path.strip_prefix("/shard/") {
        None => (None, path),
        Some(path) => {
            let (id, rest) = path.find('/').map_or((path, ""), |at| path.split_at(at));
            (Some(id.parse().ok()?), rest)
        }
    };
    match rest.strip_prefix("/rpc") {
        Some("") => Some((shard, Version::V0_10)),
        Some(version) => {
            let version = Version::ALL.into_iter().find(|it| version.strip_prefix('/') == Some(it.path()))?;
            Some((shard, version))
        }
        None => (rest.is_empty() && shard.is_none()).then_some((None, Version::V0_10)),
    }
}

/// Refuses what isn't JSON as it is.
///
/// # Errors
/// [`HttpError::Kind`], [`HttpError::Encoding`].
pub(crate) fn check_kind(headers: &HeaderMap) -> Result<(), HttpError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(HttpError::Kind);
    }
    match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(()),
        Some(_) => Err(HttpError::Encoding),
    }
}

/// The answer to a browser that asks whether a page may call.
pub(crate) fn preflight() -> Response<Full<Bytes>> {
    let mut response = response(StatusCode::NO_CONTENT, String::new());
    let mut put = |name: HeaderName, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
    put(header::ACCESS_CONTROL_ALLOW_METHODS, "POST, OPTIONS");
    put(header::ACCESS_CONTROL_ALLOW_HEADERS, "*");
    put(header::ACCESS_CONTROL_MAX_AGE, "86400");
    response
}

/// An answer; none if it is empty, as for notifications.
pub(crate) fn answer(body: String) -> Response<Full<Bytes>> {
    let status = if body.is_empty() { StatusCode::NO_CONTENT } else { StatusCode::OK };
    response(status, body)
}

/// A refusal, for those who read the status and for those who read JSON-RPC.
pub(crate) fn refusal(error: &HttpError) -> Response<Full<Bytes>> {
    let status = error.status();
    let error_object = json!({
        "code": error.rpc_code(),
        "message": status.canonical_reason().unwrap_or_default(),
        "data": format!("{error} ({}). {}", error.code(), error.next_step()),
    });
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": error_object });
    let mut response = response(status, body.to_string());
    let headers = response.headers_mut();
    match error {
        HttpError::Limited(wait) => {
            headers.insert(header::RETRY_AFTER, seconds(*wait).into());
        }
        HttpError::Method => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
        }
        // What is left of the body isn't read.
        HttpError::TooLong | HttpError::Slow => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}

fn response(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    response
}

/// Whole seconds, at least one.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_shard_and_a_version() {
        let seven = Some(ShardId(7.into()));
        for (text, named) in [
            ("/", Some((None, Version::V0_10))),
            ("", Some((None, Version::V0_10))),
            ("/rpc", Some((None, Version::V0_10))),
            ("/rpc/v0_9", Some((None, Version::V0_9))),
            ("/shard/0x7/rpc/v0_10", Some((seven, Version::V0_10))),
            ("/shard/0x7/rpc/v0_9/", Some((seven, Version::V0_9))),
            ("/shard/0x7/rpc", Some((seven, Version::V0_10))),
            ("/shard/0x7", None),
            ("/shard/7/rpc/v0_9", None),
            ("/shard//rpc/v0_9", None),
            ("/shard/0x7/rpc/v0_8", None),
            ("/shard/0x7/rpc/v0_9/more", None),
            ("/shard/0x7/rpcv0_9", None),
            ("/metrics", None),
        ] {
            assert_eq!(path(text), named, "{text}");
        }
    }

    #[test]
    fn only_json_is_read() {
        let check = |kind: &'static str, encoding: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            if let Some(encoding) = encoding {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
            check_kind(&headers)
        };
        assert_eq!(check("application/json", None), Ok(()));
        assert_eq!(check("Application/JSON; charset=utf-8", Some("identity")), Ok(()));
        assert_eq!(check("text/plain", None), Err(HttpError::Kind));
        assert_eq!(check("application/json-seq", None), Err(HttpError::Kind));
        assert_eq!(check("application/json", Some("gzip")), Err(HttpError::Encoding));
        assert_eq!(check_kind(&HeaderMap::new()), Err(HttpError::Kind));
    }

    #[test]
    fn every_refusal_has_its_text() {
        let two = vec![ShardId(1.into()), ShardId(2.into())];
        let six = (1..=6u64).map(|id| ShardId(id.into())).collect::<Vec<_>>();
        let post = "POST to /shard/<id>/rpc/v0_10 or /shard/<id>/rpc/v0_9; there is /shard/0x1 /shard/0x2";
        for (error, text) in [
            (HttpError::Path(two.clone()), format!("there is nothing at this path (SW-RPC-201). {post}.")),
            (
                HttpError::NoShard(ShardId(9.into()), two.clone()),
                format!("shard 0x9 is not at this node (SW-RPC-202). {post}."),
            ),
            (
                HttpError::WhichShard(six),
                format!("the path names no shard, and this node has 6 (SW-RPC-203). {post} /shard/0x3 /shard/0x4 and 2 more."),
            ),
            (
                HttpError::WhichShard(Vec::new()),
                "the path names no shard, and this node has 0 (SW-RPC-203). Start a shard of contracts at this node first."
                    .into(),
            ),
            (HttpError::Method, "only POST is answered (SW-RPC-204). POST a call of JSON-RPC 2.0.".into()),
            (
                HttpError::Kind,
                "the content must be application/json (SW-RPC-205). Send the header 'content-type: application/json'.".into(),
            ),
            (
                HttpError::Encoding,
                "the content must be without an encoding (SW-RPC-206). Send the content as it is.".into(),
            ),
            (HttpError::TooLong, "a request has at most 1048576 bytes (SW-RPC-207). Send several requests.".into()),
            (
                HttpError::Slow,
                "the request took longer than 10 s to arrive (SW-RPC-208). Send the request again.".into(),
            ),
            (
                HttpError::Broken("x".into()),
                "the request didn't arrive whole: x (SW-RPC-209). Send the request again.".into(),
            ),
            (
                HttpError::Limited(Duration::from_millis(2_500)),
                "too many calls from this address (SW-RPC-210). Wait 3 s, or ask the operator for a higher limit.".into(),
            ),
            (
                HttpError::TooMany,
                "the batch has more calls than an address may make at once; an execution counts 20 (SW-RPC-211). Send several requests."
                    .into(),
            ),
            (
                HttpError::Busy,
                "the node is answering 256 other requests (SW-RPC-212). Send the request again in a moment.".into(),
            ),
        ] {
            assert_eq!(format!("{error} ({}). {}", error.code(), error.next_step()), text);
            let response = refusal(&error);
            assert_eq!(response.status(), error.status());
            assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        }
        let headers = refusal(&HttpError::Limited(Duration::from_millis(2_500))).headers().clone();
        assert_eq!(headers[header::RETRY_AFTER], "3");
    }
}
