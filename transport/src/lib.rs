//! QUIC endpoint, identity and typed sessions.
#![forbid(unsafe_code)]

pub mod algebra;
pub mod channel;
pub mod graph;
pub mod message;
mod protocol;
pub mod session;
mod wire;

pub use bytes::Bytes;
pub use channel::Channel;
pub use message::Message;
pub use protocol::Protocol;
pub use session::error::{Fault, Local, Lost, LostCause, SessionError, Violation, ViolationKind};
pub use session::{Branch, Incoming, Session, WireCode};
