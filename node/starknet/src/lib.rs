//! Asks a Starknet node, or a shard's door for wallets, over JSON-RPC and HTTP.
//!
//! - [`Rpc`]: one question and its answer, or many in one request.
//! - [`Account`]: signs what an account asks for, at zero prices, as shards take it.
//! - [`Session`]: signs calls with a key that an account allowed, and keeps their links.
//!
//! Questions aren't repeated here: [`RpcError::is_passing`] says whether asking again may help, and who asks knows how long it can wait.
//!
//! Refused: an address that isn't `http://` or `https://`; redirects; an answer that is too long, too late, or none of JSON-RPC. An address may have a
//! key of its owner in it, so errors and logs name its host alone. Bounds: [`CONNECT_TIME`], [`ANSWER_TIME`], [`MAX_ANSWER_BYTES`], [`MAX_BATCH`].
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod account;
mod error;
mod rpc;
mod session;

pub use account::{Account, Call, add_invoke, to_json};
pub use error::RpcError;
pub use rpc::{ANSWER_TIME, CONNECT_TIME, MAX_ANSWER_BYTES, MAX_BATCH, Question, Rpc};
pub use session::{Added, AddedTo, MAX_AHEAD, Session, add_session_call, allow, forbid};
