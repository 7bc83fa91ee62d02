//! The only place that touches quinn's extension traits: sockets, timers, tasks, the date and connection ids come in
//! here.
//!
//! An endpoint takes them from a [`Network`]: the system's ([`SystemNetwork`]) or a host of a simulated one
//! ([`sim::Host`](crate::sim::Host)). Everything random about an endpoint comes from one seed ([`seeded`]).

mod datagrams;
mod filter;
mod floods;
mod guarded;
mod pause;
pub(crate) mod seeded;
mod system;

use crate::settings::Settings;
use quinn::{EndpointConfig, Runtime, ServerConfig};
use std::{fmt, io, net::SocketAddr, sync::Arc};

pub use filter::CallerFilter;
pub(crate) use guarded::Door;
pub use pause::Pause;
pub use quinn::{AsyncUdpSocket, Runtime as QuicRuntime};
pub use system::SystemNetwork;

/// The source of an endpoint's socket, timers and tasks.
pub trait Network: fmt::Debug + Send + Sync {
    /// Binds a UDP socket.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] if the address is taken, another [`io::Error`] if it isn't this machine's.
    fn bind(&self, address: SocketAddr, settings: &Settings) -> io::Result<Bound>;

    /// The timers and tasks for its sockets. Must be called within a tokio runtime.
    fn runtime(&self) -> Arc<dyn QuicRuntime>;

    /// The [`Pause`] for tasks that use its sockets. It never pauses, unless the network is simulated.
    fn pause(&self) -> Pause {
        Pause::default()
    }
}

/// A socket that is bound.
#[derive(Debug)]
pub struct Bound {
    /// The socket.
    pub socket: Arc<dyn AsyncUdpSocket>,
    /// Its filter, if it has one.
    pub filter: Option<CallerFilter>,
}

impl From<Arc<dyn AsyncUdpSocket>> for Bound {
    fn from(socket: Arc<dyn AsyncUdpSocket>) -> Self {
        Self { socket, filter: None }
    }
}

/// Makes a QUIC endpoint on a socket, behind a door. Must be called within a runtime.
pub(crate) fn endpoint(
    Bound { socket, filter }: Bound,
    door: Door,
    runtime: Arc<dyn Runtime>,
    config: EndpointConfig,
    server: ServerConfig,
) -> io::Result<quinn::Endpoint> {
    let guarded = Arc::new(guarded::Guarded::new(socket, filter, door));
    quinn::Endpoint::new_with_abstract_socket(config, Some(server), guarded, runtime)
}
