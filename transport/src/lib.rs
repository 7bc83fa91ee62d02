//! Typed sessions over QUIC: a protocol is a type, and what a peer sends is held against it.
//!
//! - [`Identity`]: an ed25519 key in a file; the peer id is the public key.
//! - [`Endpoint`]: a UDP socket that dials and is dialled. TLS 1.3, both sides authenticated by their raw keys
//!   ([`tls`]); profiles and bounds in [`settings`].
//! - [`Connection`]: to one peer; sessions are opened ([`Connection::open`]) and accepted ([`Connection::accept`]) on
//!   it, each a stream of its own.
//! - [`Session`]: a [`Protocol`]'s type, written in the [`algebra`], interpreted over the stream. A step out of turn
//!   doesn't compile here and is a [`Violation`] when it comes from there.
//! - [`begun`]: a session's first turn, by whoever accepts it; a task is made only for one that has to wait.
//! - [`Message`]: limits and deadlines belong to message types, so they travel with the protocol.
//! - [`Pipeline`]: requests ahead of their responses.
//! - [`graph`]: what a protocol's type says, for people and tools; [`shape`]: what the bytes of each message are.
//! - [`sim`]: a network in memory and virtual time, under the same endpoint.
//!
//! The crate knows no protocol of its own. It refuses, with stable codes: anything longer, later or other than the
//! type says, transport settings that would not work, and keys that others may read. Each stream, frame, wait and
//! buffer has a named bound: [`message::MAX_MESSAGE_BYTES`], [`pipeline::MAX_PIPELINE_BYTES`],
//! [`session::CLOSE_DEADLINE`], and those in [`settings`].
//!
//! # Copies
//!
//! A payload travels as [`Bytes`]: from a message to QUIC, and from QUIC to a message, nothing of bulk is copied here. What
//! remains: QUIC copies each datagram out of the socket's receive buffer, and each payload into the packet that is
//! encrypted. [`message::Body::into_bytes`] makes a body of several pieces contiguous, for messages whose consumer needs
//! that (a compressed chunk, a piece of a file). Messages of a few hundred bytes are copied where that is cheaper than to
//! share an allocation, or to keep a whole datagram alive. `cargo run --release -p benches -- session` measures it.
//!
//! # A protocol, and both its sides
//!
//! The same as `examples/ping.rs`, which runs: `cargo run -p shardwire-transport --example ping`.
//!
//! ```
#![doc = include_str!("../examples/ping.rs")]
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod algebra;
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

pub use bytes::Bytes;
pub use channel::Channel;
pub use connection::{Connection, ConnectionStats};
pub use endpoint::{ConnectError, Endpoint, EndpointError, IncomingConnection};
pub use identity::{Identity, IdentityError, PeerSignature};
pub use message::Message;
pub use pipeline::Pipeline;
pub use protocol::Protocol;
pub use session::error::{Blame, Local, Lost, LostCause, SessionError, Violation, ViolationKind};
pub use session::{Branch, Incoming, Initiator, Meter, Responder, Session, WireCode, first_turn};
pub use settings::{Profile, Settings, SettingsError};
pub use shape::Shape;
pub use socket::{Network, Pause, SystemNetwork};
