//! The only place that touches quinn's extension traits: sockets, timers, tasks, the date and connection ids come in
//! here.
//!
//! An endpoint takes them from a [`Network`]: the system's ([`SystemNetwork`]) or a host of a simulated one
//! ([`sim::Host`](crate::sim::Host)). Everything random about an endpoint comes from one seed ([`seeded`]).

mod datagrams;
mod guarded;
mod pause;
pub(crate) mod seeded;
mod system;

use crate::settings::Settings;
use quinn::{EndpointConfig, Runtime, ServerConfig};
use std::{fmt, io, net::SocketAddr, sync::Arc};

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
    fn bind(&self, address: SocketAddr, settings: &Settings) -> io::Result<Arc<dyn AsyncUdpSocket>>;

    /// The timers and tasks for its sockets. Must be called within a tokio runtime.
    fn runtime(&self) -> Arc<dyn QuicRuntime>;

    /// The [`Pause`] for tasks that use its sockets. It never pauses, unless the network is simulated.
    fn pause(&self) -> Pause {
        Pause::default()
    }
}

/// Makes a QUIC endpoint on a socket, behind a door. Must be called within a runtime.
pub(crate) fn endpoint(
    socket: Arc<dyn AsyncUdpSocket>,
    door: Door,
    runtime: Arc<dyn Runtime>,
    config: EndpointConfig,
    server: ServerConfig,
) -> io::Result<quinn::Endpoint> {
    let guarded = Arc::new(guarded::Guarded { socket, door });
    quinn::Endpoint::new_with_abstract_socket(config, Some(server), guarded, runtime)
}
