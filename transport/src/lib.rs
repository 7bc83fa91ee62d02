//! QUIC endpoint, identity and typed sessions.
#![forbid(unsafe_code)]

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
pub mod socket;
pub mod tls;
mod wire;

pub use bytes::Bytes;
pub use channel::Channel;
pub use connection::{Connection, Measures};
pub use endpoint::{Arrival, ConnectError, Endpoint, EndpointError};
pub use identity::{Identity, IdentityError, PeerSignature};
pub use message::Message;
pub use pipeline::Pipeline;
pub use protocol::Protocol;
pub use session::error::{Fault, Local, Lost, LostCause, SessionError, Violation, ViolationKind};
pub use session::{Branch, Incoming, Session, WireCode};
pub use settings::{Profile, Settings, SettingsError};
