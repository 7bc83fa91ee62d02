//! Typed sessions over QUIC: a protocol is a type, and what a peer sends is held against it.
//!
//! - [`Identity`]: an ed25519 key in a file; the peer id is the public key.
//! - [`Endpoint`]: a UDP socket that dials and accepts. TLS 1.3, both sides authenticated by their raw keys
//!   ([`tls`]); profiles and bounds in [`settings`].
//! - [`Connection`]: to one peer; sessions are opened ([`Connection::open`]) and accepted ([`Connection::accept`]) on
//!   it, each a stream of its own.
//! - [`Session`]: a [`Protocol`]'s type, written in the [`algebra`], interpreted over the stream. On this side a step
//!   out of turn doesn't compile; one of the peer's is a [`Violation`].
//! - [`first_turn()`]: polls a new session once where it is accepted, so that only one that has to wait needs a task.
//! - [`Message`]: a message type has its size limit and deadline, so they travel with the protocol.
//! - [`Pipeline`]: sends requests before earlier ones are answered.
//! - [`graph`]: a protocol's states and limits, for people and tools; [`shape`]: the layout of each message's bytes.
//! - [`Backoff`]: how long to wait before something is tried again.
//! - [`sim`]: a network in memory and virtual time, under the same endpoint.
//!
//! The crate has no protocol of its own. It refuses, with stable codes, what is longer, later or other than the
//! type says, transport settings that would not work, and keys that others may read. Each stream, frame, wait and
//! buffer has a named bound: [`message::MAX_MESSAGE_BYTES`], [`pipeline::MAX_PIPELINE_BYTES`],
//! [`session::CLOSE_DEADLINE`], and those in [`settings`].
//!
//! # Copies
//!
//! A payload travels as [`Bytes`]: this crate copies no bulk between a message and QUIC. What copies
//! remains: QUIC copies each datagram out of the socket's receive buffer, and each payload into the packet that is
//! encrypted. [`message::Body::into_bytes`] makes a body of several pieces contiguous, for messages whose consumer needs
//! that (a compressed chunk, a part of a file). Messages of a few hundred bytes are copied where that is cheaper than
//! sharing an allocation or keeping a whole datagram alive. `cargo run --release -p benches -- session` measures it.
//!
//! # A protocol and both its sides
//!
//! This is `examples/ping.rs`. Run it with `cargo run -p shardwire-transport --example ping`.
//!
//! ```
#![doc = include_str!("../examples/ping.rs")]
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod algebra;
pub mod backoff;
pub mod channel;
mod connection;
mod endpoint;
pub mod graph;
pub mod identity;
pub mod message;
pub mod pipeline;
mod protocol;
pub mod session;
pub mod settings;
pub mod shape;
pub mod sim;
pub mod socket;
pub mod tls;
mod wire;

pub use backoff::Backoff;
pub use bytes::Bytes;
pub use channel::Channel;
pub use connection::{Connection, ConnectionStats};
pub use endpoint::{ConnectError, Endpoint, EndpointError, IncomingConnection};
pub use identity::{Identity, IdentityError, PeerKey, PeerSignature};
pub use message::Message;
pub use pipeline::Pipeline;
pub use protocol::Protocol;
pub use session::{
    Branch, Incoming, Initiator, Meter, Responder, Session, WireCode,
    error::{Blame, Local, Lost, LostCause, SessionError, Violation, ViolationKind},
    first_turn,
};
pub use settings::{Profile, Settings, SettingsError};
pub use shape::Shape;
pub use socket::{Network, Pause, SystemNetwork};
