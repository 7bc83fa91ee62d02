//! The one place that touches quinn's extension traits: sockets, timers, tasks, the date and connection ids come in through here.
//!
//! An endpoint takes them from a [`Network`]: the system's ([`SystemNetwork`]), or a host of a simulated one
//! ([`sim::Host`](crate::sim::Host)). What is random about an endpoint comes from one seed ([`seeded`]).

mod datagrams;
mod pause;
pub(crate) mod seeded;
pub(crate) mod simulated;
mod system;

use crate::settings::Settings;
use quinn::{EndpointConfig, Runtime, ServerConfig};
use std::{fmt, io, net::SocketAddr, sync::Arc};

pub use pause::Pause;
pub use quinn::{AsyncUdpSocket, Runtime as QuicRuntime};
pub use system::SystemNetwork;

/// Where an endpoint's socket, timers and tasks come from.
pub trait Network: fmt::Debug + Send + Sync {
    /// Binds a UDP socket.
    ///
    /// # Errors
    /// If the address is taken ([`io::ErrorKind::AddrInUse`]), or not this machine's.
    fn bind(&self, address: SocketAddr, settings: &Settings) -> io::Result<Arc<dyn AsyncUdpSocket>>;

    /// The timers and tasks that go with its sockets. Called within a tokio runtime.
    fn runtime(&self) -> Arc<dyn QuicRuntime>;

    /// What holds up the tasks of whoever uses its sockets: nothing, unless the network is simulated.
    fn pause(&self) -> Pause {
        Pause::default()
    }
}

/// Puts QUIC on a socket. Must be called within a runtime.
pub(crate) fn endpoint(
    socket: Arc<dyn AsyncUdpSocket>,
    runtime: Arc<dyn Runtime>,
    config: EndpointConfig,
    server: ServerConfig,
) -> io::Result<quinn::Endpoint> {
    quinn::Endpoint::new_with_abstract_socket(config, Some(server), socket, runtime)
}
