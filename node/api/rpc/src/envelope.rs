//! JSON-RPC 2.0: calls one by one and in batches, ids, notifications. Pure.
//!
//! A body is read in place: what a call's arguments are is decided by its method. Nesting is bounded by the reader of JSON (128), lengths by the body's.

use crate::{bounds, error::RpcError};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use shardwire_model::{ShardId, bounded};
use std::borrow::Cow;

/// A call of a body: one that is none has a reason, and an id if there was one.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) id: Id<'a>,
    pub(crate) call: Result<Called<'a>, RpcError>,
}

/// What is called.
#[derive(Debug)]
pub(crate) struct Called<'a> {
    pub(crate) method: Cow<'a, str>,
    /// A list or an object; an empty list if there was nothing.
    pub(crate) params: &'a str,
}

/// A call's id, as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id<'a> {
    /// A text, a number or null, as JSON.
    Is(&'a str),
    /// There is none: a notification, which has no answer.
    Absent,
    /// None can be told: the answer has null.
    Unknown,
}

/// What a body has.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    /// A call.
    One(Incoming<'a>),
    /// A batch of calls, at least one.
    Batch(Vec<Incoming<'a>>),
}

/// Reads a body.
///
/// # Errors
/// [`RpcError::Parse`] if it isn't JSON, [`RpcError::Request`] for an empty batch, [`RpcError::Batch`] for one of too many calls.
pub(crate) fn read(body: &[u8]) -> Result<Body<'_>, RpcError> {
    let text = std::str::from_utf8(body).map_err(|_| RpcError::Parse("it isn't UTF-8".into()))?;
    let whole: &RawValue = serde_json::from_str(text).map_err(|error| RpcError::Parse(error.to_string()))?;
    if !whole.get().starts_with('[') {
        return Ok(Body::One(incoming(whole)));
    }
    // It was read as JSON already and is a list, so nothing but its length can be wrong.
    let mut list = serde_json::Deserializer::from_str(whole.get());
    let calls: Vec<&RawValue> = bounded::list::<_, _, { bounds::MAX_BATCH }>(&mut list).map_err(|_| RpcError::Batch)?;
    if calls.is_empty() {
        return Err(RpcError::Request("the batch is empty".into()));
    }
    Ok(Body::Batch(calls.into_iter().map(incoming).collect()))
}

fn incoming(value: &RawValue) -> Incoming<'_> {
    #[derive(Deserialize)]
    struct Fields<'a> {
        #[serde(borrow, default)]
        jsonrpc: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        method: Option<&'a RawValue>,
        #[serde(borrow, default)]
        params: Option<&'a RawValue>,
        #[serde(borrow, default, deserialize_with = "present")]
        id: Option<&'a RawValue>,
    }

    /// A value that is there, also if it is null.
    fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
        <&RawValue>::deserialize(deserializer).map(Some)
    }

    let refused = |id, why: &str| Incoming { id, call: Err(RpcError::Request(why.into())) };
    if !value.get().starts_with('{') {
        return refused(Id::Unknown, "it isn't an object");
    }
    let fields: Fields<'_> = match serde_json::from_str(value.get()) {
        Ok(fields) => fields,
        Err(error) => return refused(Id::Unknown, &error.to_string()),
    };
    let id = match fields.id.map(RawValue::get) {
        None => Id::Absent,
        Some(id) if id.len() > bounds::MAX_ID_BYTES => {
            return refused(Id::Unknown, &format!("an id has at most {} bytes", bounds::MAX_ID_BYTES));
        }
        Some(id) if id.starts_with(['{', '[', 't', 'f']) => {
            return refused(Id::Unknown, "an id is a text, a number or null");
        }
        Some(id) => Id::Is(id),
    };
    // One that isn't a call is no notification either: it has an answer.
    let answered = if id == Id::Absent { Id::Unknown } else { id };
    if fields.jsonrpc.as_deref() != Some("2.0") {
        return refused(answered, "'jsonrpc' must be \"2.0\"");
    }
    let Some(method) = fields.method.and_then(|method| serde_json::from_str(method.get()).ok()) else {
        return refused(answered, "'method' must be a text");
    };
    let params = fields.params.map_or("[]", RawValue::get);
    if !params.starts_with(['[', '{']) {
        return refused(answered, "'params' must be a list or an object");
    }
    Incoming { id, call: Ok(Called { method, params }) }
}

/// The answer to a call, as JSON; empty for a notification.
pub(crate) fn answer(id: Id<'_>, shard: Option<ShardId>, result: Result<&RawValue, &RpcError>) -> String {
    let id = match id {
        Id::Is(id) => id,
        Id::Unknown => "null",
        Id::Absent => return String::new(),
    };
    match result {
        Ok(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{}}}"#, result.get()),
        Err(error) => {
            let object = serde_json::to_string(&error.object(shard)).unwrap_or_default(); // Texts and numbers.
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{object}}}"#)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(body: &str) -> Incoming<'_> {
        match read(body.as_bytes()) {
            Ok(Body::One(incoming)) => incoming,
            other => panic!("{body}: {other:?}"),
        }
    }

    fn refused(body: &str) -> String {
        match read(body.as_bytes()) {
            Ok(Body::One(Incoming { id, call: Err(error) })) => answer(id, None, Err(&error)),
            Err(error) => answer(Id::Unknown, None, Err(&error)),
            other => panic!("{body}: {other:?}"),
        }
    }

    const STEP: &str =
        r#"Send {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"starknet_blockNumber\",\"params\":[]}, or a list of such."#;

    #[test]
    fn a_call_is_read() {
        for (body, id, method, params) in [
            (r#"{"jsonrpc":"2.0","id":7,"method":"a","params":[1]}"#, Id::Is("7"), "a", "[1]"),
            (r#" {"jsonrpc":"2.0","id":"x","method":"\u0061"} "#, Id::Is("\"x\""), "a", "[]"),
            (r#"{"jsonrpc":"2.0","id":null,"method":"a","params":{}}"#, Id::Is("null"), "a", "{}"),
            (r#"{"jsonrpc":"2.0","method":"a","params":{},"more":1}"#, Id::Absent, "a", "{}"),
        ] {
            let incoming = one(body);
            let called = incoming.call.unwrap();
            assert_eq!((incoming.id, &*called.method, called.params), (id, method, params));
        }
    }

    #[test]
    fn what_is_no_call_is_told() {
        let error = |id: &str, why: &str| {
            let why = format!("this is no call of JSON-RPC 2.0: {why} (SW-RPC-102). {STEP}");
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32600,"message":"Invalid Request","data":"{why}"}}}}"#
            )
        };
        for (body, id, why) in [
            ("1", "null", "it isn't an object"),
            ("[]", "null", "the batch is empty"),
            (r#"{"id":1,"method":"a"}"#, "1", r#"'jsonrpc' must be \"2.0\""#),
            (r#"{"jsonrpc":"1.0","id":1,"method":"a"}"#, "1", r#"'jsonrpc' must be \"2.0\""#),
            (r#"{"jsonrpc":"2.0","id":"a","method":1}"#, "\"a\"", "'method' must be a text"),
            (r#"{"jsonrpc":"2.0"}"#, "null", "'method' must be a text"),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","params":3}"#, "1", "'params' must be a list or an object"),
            (r#"{"jsonrpc":"2.0","id":[],"method":"a"}"#, "null", "an id is a text, a number or null"),
            (r#"{"jsonrpc":"2.0","id":true,"method":"a"}"#, "null", "an id is a text, a number or null"),
        ] {
            assert_eq!(refused(body), error(id, why), "{body}");
        }
        let long = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"a"}}"#, "x".repeat(300));
        assert_eq!(refused(&long), error("null", "an id has at most 256 bytes"));
    }

    #[test]
    fn what_is_no_json_is_told() {
        for (body, why) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("{", "EOF while parsing an object at line 1 column 1"),
            ("[1,", "EOF while parsing a value at line 1 column 3"),
            ("{} {}", "trailing characters at line 1 column 4"),
        ] {
            let why = format!("the request isn't JSON: {why} (SW-RPC-101). {STEP}");
            let wanted = format!(
                r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":-32700,"message":"Parse error","data":"{why}"}}}}"#
            );
            assert_eq!(refused(body), wanted);
        }
        assert!(matches!(read(&[0xff]), Err(RpcError::Parse(why)) if why == "it isn't UTF-8"));
    }

    #[test]
    fn a_batch_is_bounded_and_its_calls_stand_alone() {
        let batch = |count| format!("[{}]", vec!["1"; count].join(","));
        let longest = batch(bounds::MAX_BATCH);
        let Ok(Body::Batch(calls)) = read(longest.as_bytes()) else { panic!() };
        assert_eq!(calls.len(), bounds::MAX_BATCH);
        assert_eq!(read(batch(bounds::MAX_BATCH + 1).as_bytes()).unwrap_err(), RpcError::Batch);
        let mixed = r#"[{"jsonrpc":"2.0","id":1,"method":"a"},[[1]],{"jsonrpc":"2.0","method":"b"}]"#;
        let Ok(Body::Batch(calls)) = read(mixed.as_bytes()) else { panic!() };
        assert_eq!(calls.iter().map(|it| it.call.is_ok()).collect::<Vec<_>>(), [true, false, true]);
    }

    proptest! {
        #[test]
        fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn an_id_comes_back_as_it_was_sent(id in r#"-?[1-9][0-9]{0,20}|"[a-z \\u00e9]{0,20}""#) {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"a"}}"#);
            if let Ok(Body::One(incoming)) = read(body.as_bytes()) && incoming.call.is_ok() {
                prop_assert_eq!(incoming.id, Id::Is(&id));
            }
        }
    }
}
