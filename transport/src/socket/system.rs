//! The system's UDP sockets, and tokio's timers and tasks.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is the system's network")]

use super::{Bound, CallerFilter, Network, datagrams::Datagrams};
use crate::settings::Settings;
use quinn::{Runtime, TokioRuntime};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
};

/// The network of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNetwork;

impl SystemNetwork {
    /// Binds a socket of the system, with buffers as large as the system grants.
    ///
    /// # Errors
    /// As [`Network::bind`].
    pub fn socket(address: SocketAddr, settings: &Settings) -> io::Result<UdpSocket> {
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
        // Linux silently grants less (net.core.rmem_max, wmem_max) and counts its own overhead in what it reports.
        let granted = (socket.recv_buffer_size()?, socket.send_buffer_size()?);
        tracing::debug!(receive = granted.0, send = granted.1, asked = settings.socket_buffer, "socket buffers");
        socket.bind(&address.into())?;
        Ok(socket.into())
    }
}

impl Network for SystemNetwork {
    fn bind(&self, address: SocketAddr, settings: &Settings) -> io::Result<Bound> {
        let socket = Self::socket(address, settings)?;
        let filter = CallerFilter::of(&socket);
        Ok(Bound { socket: Arc::new(Datagrams::new(socket)?), filter })
    }

    fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(TokioRuntime)
    }
}
