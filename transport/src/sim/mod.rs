//! A simulated network under the real endpoint: quinn and rustls unchanged, sockets in memory, time as tokio's paused
//! clock counts it.
//!
//! An [`Internet`] is made from a seed. Give its [`Host`]s to [`Endpoint::open`](crate::Endpoint::open) in place of
//! the system's network. A [`Link`] is set for each pair of hosts and direction, and may change while datagrams are
//! under way: latency, bandwidth, loss, duplication, reordering, MTU. A direction can be [cut](Internet::cut), hosts
//! can be [partitioned](Internet::partition), a direction can be [clogged](Internet::clog) so that datagrams arrive
//! late and in order. A host can be [paused](Host::begin_pause) or [lose its power](Host::power_off).
//!
//! **The same seed gives the same run** on a current-thread runtime with paused time: which datagram of which length
//! goes from where to where at which time, and what becomes of it. [`Internet::hash`] covers exactly that and what
//! the test [notes](Internet::note). It doesn't cover the bytes in the datagrams: TLS draws its keys from the system
//! (see the module `socket::seeded`), and no schedule depends on them.
//!
//! Datagrams arrive in order unless a link reorders: jitter that reorders would make QUIC see losses that no network
//! shows. Timers tick in milliseconds, the finest time there is.
//!
//! Bounds: a host's arrivals hold at most [`MAX_ARRIVALS`] datagrams; more are dropped and counted. Wrong use (a host
//! that doesn't exist, an address that is taken) is an error of the socket, as on a real system.

mod host;
mod internet;
mod link;
mod machine;
mod socket;
mod state;

pub use host::Host;
pub use internet::Internet;
pub use link::{Link, PPM};
pub use state::{Counters, MAX_ARRIVALS};
