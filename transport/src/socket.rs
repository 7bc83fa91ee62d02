//! The one place that touches quinn's runtime traits: the socket under an endpoint, the system's or a simulated one.

use crate::settings::Settings;
use quinn::{EndpointConfig, Runtime, ServerConfig, TokioRuntime};
use socket2::{Domain, Protocol, Socket, Type};
use std::{io, net::SocketAddr, sync::Arc};

pub use quinn::{AsyncUdpSocket, Runtime as QuicRuntime};

/// Binds a UDP socket of the system, with buffers as large as it grants.
pub(crate) fn bind(address: SocketAddr, settings: &Settings) -> io::Result<Arc<dyn AsyncUdpSocket>> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false).or_else(|error| {
            tracing::debug!(%error, "this IPv6 socket takes no IPv4");
            Ok::<_, io::Error>(())
        })?;
    }
    for set in [Socket::set_recv_buffer_size, Socket::set_send_buffer_size] {
        if let Err(error) = set(&socket, settings.socket_buffer) {
            tracing::warn!(%error, bytes = settings.socket_buffer, "the system refuses socket buffers of this size");
        }
    }
    // Linux grants less without an error (net.core.rmem_max, wmem_max) and counts its own overhead in what it reports.
    let granted = (socket.recv_buffer_size()?, socket.send_buffer_size()?);
    tracing::debug!(receive = granted.0, send = granted.1, asked = settings.socket_buffer, "socket buffers");
    socket.bind(&address.into())?;
    TokioRuntime.wrap_udp_socket(socket.into())
}

/// The runtime that goes with [`bind`].
pub(crate) fn system_runtime() -> Arc<dyn Runtime> {
    Arc::new(TokioRuntime)
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
