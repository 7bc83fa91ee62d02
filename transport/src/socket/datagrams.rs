//! The system's UDP socket, read with fewer calls than quinn's own socket needs.
//!
//! One call takes many datagrams (on Linux). If it leaves some of its buffers empty, it has emptied the socket.
//! Quinn's socket is then asked once more, only to report that there is nothing. This one waits for the next arrival,
//! which the system announces. This saves a system call for small answers, and bulk needs fewer calls, too.

#![allow(clippy::disallowed_types, reason = "this is the system's network")]

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState},
};
use std::{
    fmt,
    future::Future,
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{io::Interest, net::UdpSocket};

/// A socket of the system, behind quinn's trait.
#[derive(Debug)]
pub(super) struct Datagrams {
    socket: UdpSocket,
    state: UdpSocketState,
}

impl Datagrams {
    /// Must be called within a tokio runtime.
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?; // sets the socket to non-blocking
        Ok(Self { socket: UdpSocket::from_std(socket)?, state })
    }
}

impl AsyncUdpSocket for Datagrams {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Room { socket: self, waiting: None })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_io(Interest::WRITABLE, || self.state.send((&self.socket).into(), transmit))
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let places = buffers.len().min(metas.len()).min(BATCH_SIZE);
        loop {
            ready!(self.socket.poll_recv_ready(cx))?;
            let mut last = None;
            let read = self.socket.try_io(Interest::READABLE, || {
                let received = self.state.recv((&self.socket).into(), buffers, metas)?;
                if received < places {
                    last = Some(received);
                    return Err(io::ErrorKind::WouldBlock.into()); // what arrived since then is announced
                }
                Ok(received)
            });
            // A datagram that can't be read is skipped, as by quinn's socket: a peer's host may refuse a datagram at
            // any time.
            if let Some(received) = last.or(read.ok()) {
                return Poll::Ready(Ok(received));
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }

    fn max_transmit_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.state.gro_segments()
    }
}

/// Waits until the socket can be written to.
struct Room {
    socket: Arc<Datagrams>,
    waiting: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>>,
}

impl UdpPoller for Room {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, waiting } = &mut *self;
        if waiting.is_none() && socket.socket.try_io(Interest::WRITABLE, || Ok(())).is_ok() {
            return Poll::Ready(Ok(()));
        }
        let until = waiting.get_or_insert_with(|| {
            let socket = Arc::clone(socket);
            Box::pin(async move { socket.socket.writable().await })
        });
        let waited = ready!(until.as_mut().poll(cx));
        *waiting = None;
        Poll::Ready(waited)
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("waits", &self.waiting.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    const PLACES: usize = 4;
    const BYTES: usize = 2048;

    fn bind() -> Arc<Datagrams> {
        Arc::new(Datagrams::new(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap())
    }

    fn send(from: &Datagrams, to: &Datagrams, bytes: &[u8]) {
        let destination = to.local_addr().unwrap();
        from.try_send(&Transmit { destination, ecn: None, contents: bytes, segment_size: None, src_ip: None }).unwrap();
    }

    /// Reads once: the first bytes of the datagrams.
    async fn read(socket: &Datagrams) -> Vec<u8> {
        let mut buffers = [[0; BYTES]; PLACES];
        let mut metas = [RecvMeta::default(); PLACES];
        let read = poll_fn(|cx| {
            let mut slices = buffers.each_mut().map(|buffer| IoSliceMut::new(buffer));
            socket.poll_recv(cx, &mut slices, &mut metas)
        });
        let received = read.await.unwrap();
        let datagrams = buffers.iter().zip(&metas).take(received);
        datagrams.flat_map(|(buffer, meta)| buffer[..meta.len].chunks(meta.stride.max(1))).map(|one| one[0]).collect()
    }

    async fn writable(socket: &Arc<Datagrams>) {
        let mut room = Arc::clone(socket).create_io_poller();
        poll_fn(|cx| room.as_mut().poll_writable(cx)).await.unwrap();
    }

    #[tokio::test]
    async fn every_datagram_is_read_whether_or_not_the_socket_was_emptied() {
        let (from, to) = (bind(), bind());
        writable(&from).await;
        let mut next = 0;
        for burst in (0..=3 * PLACES as u8).chain([1, 1, 2]) {
            let sent: Vec<u8> = (next..next + burst).collect();
            sent.iter().for_each(|first| send(&from, &to, &[*first; 100]));
            let mut got = Vec::new();
            while got.len() < sent.len() {
                got.extend(read(&to).await);
            }
            assert_eq!(got, sent);
            next += burst;
        }
    }

    #[tokio::test]
    async fn a_reader_that_waits_is_woken_by_the_next_arrival() {
        let (from, to) = (bind(), bind());
        writable(&from).await;
        for first in 0..100 {
            let reader = tokio::spawn({
                let to = Arc::clone(&to);
                async move { read(&to).await }
            });
            tokio::task::yield_now().await; // it has found nothing, or has not begun
            send(&from, &to, &[first]);
            assert_eq!(reader.await.unwrap(), [first]);
        }
    }
}
