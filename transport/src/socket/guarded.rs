//! Datagrams that would begin a connection are shown to a [`Guard`] before QUIC sees them.
//!
//! QUIC derives keys for each and decrypts it before anybody can say that it isn't wanted: some 10 µs. Those that the guard refuses are dropped for the price of
//! reading them, without an answer. Datagrams of connections that there are, and of handshakes that go on, don't pass it. Nothing passes a guard that isn't set.

#![allow(clippy::disallowed_types, reason = "the trait is of the system's sockets")]

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use std::{
    fmt,
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

/// Says whether a datagram from this address that would begin a connection is looked at. It is called for each, so it has to be quick.
pub(crate) type Guard = dyn Fn(IpAddr) -> bool + Send + Sync;

/// Where a guard is set, once.
#[derive(Clone, Default)]
pub(crate) struct Door(Arc<OnceLock<Box<Guard>>>);

impl Door {
    /// Sets the guard, unless there is one.
    pub(crate) fn guard(&self, guard: Box<Guard>) {
        let _ = self.0.set(guard); // the first one stays
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Door").field(&self.0.get().is_some()).finish()
    }
}

/// A socket behind a door.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) socket: Arc<dyn AsyncUdpSocket>,
    pub(super) door: Door,
}

impl AsyncUdpSocket for Guarded {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.socket).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let received = ready!(self.socket.poll_recv(cx, buffers, metas))?;
        if let Some(guard) = self.door.0.get() {
            for (meta, buffer) in metas.iter_mut().zip(&*buffers).take(received) {
                // Several that came together are of one sender, and so is what the first one says of them.
                if begins_connection(buffer) && !guard(meta.addr.ip()) {
                    meta.len = 0;
                }
            }
        }
        Poll::Ready(Ok(received))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }
}

/// Whether a datagram begins with a packet of type Initial, or with one of a version that isn't spoken: both have a long header.
fn begins_connection(datagram: &[u8]) -> bool {
    match datagram {
        [first, version @ ..] if first & 0x80 != 0 => !version.starts_with(&[0, 0, 0, 1]) || first & 0x30 == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_a_connection_is_told_from_what_goes_on() {
        let long = |kind: u8| [0xc0 | kind << 4, 0, 0, 0, 1, 8];
        assert!(begins_connection(&long(0)), "Initial");
        for kind in 1..4 {
            assert!(!begins_connection(&long(kind)), "0-RTT, Handshake, Retry");
        }
        assert!(begins_connection(&[0xe0, 0, 0, 0, 2, 8]), "another version");
        assert!(begins_connection(&[0x80]) && !begins_connection(&[0x40, 1]) && !begins_connection(&[]));
    }
}
