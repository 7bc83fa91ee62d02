//! The bytes of a session, as pure functions: variable-length integers, queues of received and of outgoing bytes, the
//! stream header, error codes. No I/O, and no types of a protocol.
//!
//! A stream is a header frame, then frames. Before a frame come the branch tags (one byte each, 0 or 1) of the
//! choices made since the last one. A frame is its length (LEB128, shortest form only) and that many bytes.

pub(crate) mod body;
pub(crate) mod code;
pub(crate) mod header;
pub(crate) mod input;
pub(crate) mod output;
pub(crate) mod varint;
