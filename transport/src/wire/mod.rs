//! The bytes of a session, as pure functions: variable-length integers, ropes of received pieces, what is queued for sending, the stream header,
//! error codes. No I/O and no types of a protocol.
//!
//! A stream is: header frame, then frames; before a frame come the branch tags (one byte, 0 or 1, each) of the
//! choices made since the last one. A frame is its length (LEB128, shortest form only) and that many bytes.

pub(crate) mod body;
pub(crate) mod code;
pub(crate) mod header;
pub(crate) mod input;
pub(crate) mod output;
pub(crate) mod varint;
