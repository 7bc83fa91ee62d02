//! A simulated host's sockets, timers and tasks, behind quinn's traits.
#![allow(clippy::disallowed_types, reason = "quinn's trait names the type; it is refused")]

use super::machine::Machine;
use quinn::{
    AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use std::{
    future::Future,
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Instant,
};
use tokio::time::{Sleep, sleep_until};

/// How many datagrams one write takes, as on Linux.
const SEGMENTS: usize = 10;

/// A socket on the simulated network. It never blocks: the network drops what it can't take.
#[derive(Debug)]
pub(crate) struct SimulatedSocket {
    machine: Arc<Machine>,
    address: SocketAddr,
    /// Wakes the reader at the next arrival.
    alarm: Mutex<Pin<Box<Sleep>>>,
}

impl SimulatedSocket {
    pub(crate) fn new(machine: Arc<Machine>, address: SocketAddr) -> Self {
        Self { machine, address, alarm: Mutex::new(Box::pin(sleep_until(tokio::time::Instant::now()))) }
    }
}

impl Drop for SimulatedSocket {
    fn drop(&mut self) {
        self.machine.close(self.address);
    }
}

impl AsyncUdpSocket for SimulatedSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Writable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if self.machine.is_running() {
            let length = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
            for bytes in transmit.contents.chunks(length) {
                let ecn = transmit.ecn;
                self.machine.internet.send(self.address, transmit.destination, ecn, bytes);
            }
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut network = self.machine.internet.state();
            let mut received = 0;
            for (buffer, meta) in buffers.iter_mut().zip(metas.iter_mut()) {
                let Some(datagram) = network.receive(self.address, buffer.len()) else { break };
                let length = datagram.bytes.len();
                buffer.iter_mut().zip(&datagram.bytes).for_each(|(to, from)| *to = *from);
                let (addr, ecn, dst_ip) = (datagram.from, datagram.ecn, Some(self.address.ip()));
                *meta = RecvMeta { addr, len: length, stride: length, ecn, dst_ip };
                received += 1;
            }
            if received > 0 {
                return Poll::Ready(Ok(received));
            }
            let Some(next) = network.next_arrival(self.address, cx.waker()) else { return Poll::Pending };
            drop(network);
            alarm.as_mut().reset(next);
            if Future::poll(alarm.as_mut(), cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn max_transmit_segments(&self) -> usize {
        SEGMENTS
    }

    /// `false`, so that QUIC discovers the MTU as on a real socket.
    fn may_fragment(&self) -> bool {
        false
    }
}

/// A poller for a socket that is always writable.
#[derive(Debug)]
struct Writable;

impl UdpPoller for Writable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Tokio's timers, and tasks that end when the host loses its power.
#[derive(Debug)]
pub(crate) struct SimulatedRuntime(pub(crate) Arc<Machine>);

impl Runtime for SimulatedRuntime {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.0.spawn(task);
    }

    fn wrap_udp_socket(&self, _: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}
