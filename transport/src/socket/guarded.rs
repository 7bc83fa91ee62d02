//! Datagrams that would begin a connection are shown to a [`Guard`] before QUIC sees them.
//!
//! QUIC derives keys for each and decrypts it before anybody can say that it isn't wanted: some 10 µs. Those that the guard refuses are dropped for the price of
//! reading them, without an answer; those of a host that goes on and on are [dropped by the system](super::filter), where it can. Datagrams of connections that there are don't pass it; what a handshake sends first does, also the answer to a connection that this side began. Nothing passes a
//! guard that isn't set.

#![allow(clippy::disallowed_types, reason = "the trait is of the system's sockets")]

use super::{filter::CallerFilter, floods::Floods};
use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use std::{
    fmt,
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll, ready},
};
use tokio::time::{Instant, Sleep, sleep_until};

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
    socket: Arc<dyn AsyncUdpSocket>,
    door: Door,
    deaf: Option<Mutex<Deaf>>,
}

/// To whom the system is told to be deaf.
#[derive(Debug)]
struct Deaf {
    filter: CallerFilter,
    floods: Floods,
    /// When somebody is to be heard again.
    again: Option<Pin<Box<Sleep>>>,
}

impl Deaf {
    fn to(filter: CallerFilter) -> Mutex<Self> {
        Mutex::new(Self { filter, floods: Floods::default(), again: None })
    }

    fn changed(&mut self) {
        self.floods.tell(&self.filter);
        self.again = self.floods.until().map(|until| Box::pin(sleep_until(until)));
    }

    /// Hears again those whose time is over, and is woken when the next one's is.
    fn poll_again(&mut self, cx: &mut Context<'_>) {
        while let Some(again) = &mut self.again
            && again.as_mut().poll(cx).is_ready()
        {
            self.floods.forget(Instant::now());
            self.changed();
        }
    }
}

impl Guarded {
    pub(super) fn new(socket: Arc<dyn AsyncUdpSocket>, filter: Option<CallerFilter>, door: Door) -> Self {
        Self { socket, door, deaf: filter.map(Deaf::to) }
    }

    /// This host was refused.
    fn refused(&self, host: IpAddr) {
        let Some(deaf) = &self.deaf else { return };
        let mut deaf = deaf.lock().unwrap_or_else(PoisonError::into_inner);
        if deaf.floods.refused(host, Instant::now()) {
            deaf.changed();
        }
    }
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
        if let Some(deaf) = &self.deaf {
            deaf.lock().unwrap_or_else(PoisonError::into_inner).poll_again(cx);
        }
        let received = ready!(self.socket.poll_recv(cx, buffers, metas))?;
        if let Some(guard) = self.door.0.get() {
            for (meta, buffer) in metas.iter_mut().zip(buffers).take(received) {
                let from = meta.addr.ip();
                let wanted = |it: &[u8]| {
                    let wanted = !begins_connection(it) || guard(from);
                    if !wanted {
                        self.refused(from);
                    }
                    wanted
                };
                if let Some(together) = buffer.get_mut(..meta.len) {
                    meta.len = keep(together, meta.stride, wanted);
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

/// Drops from datagrams that came together, each `stride` long but for the last, those that aren't wanted; the length of what is left, which begins where it began.
fn keep(together: &mut [u8], stride: usize, wanted: impl Fn(&[u8]) -> bool) -> usize {
    let (mut at, mut kept) = (0, 0);
    while at < together.len() {
        let end = at.saturating_add(stride.max(1)).min(together.len());
        if wanted(&together[at..end]) {
            // Nothing is moved before something was dropped.
            if kept < at {
                together.copy_within(at..end, kept);
            }
            kept += end - at;
        }
        at = end;
    }
    kept
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
    use super::{super::Bound, *};

    /// The kernel may hand over many of one sender at once: each is looked at, and the others stay whole and in order.
    #[test]
    fn of_datagrams_that_came_together_each_is_looked_at() {
        let together = |kinds: &[u8]| -> Vec<u8> { kinds.iter().flat_map(|kind| [*kind, 1, 2, *kind]).collect() };
        let kept = |kinds: &[u8], last: usize, stride: usize| {
            let mut bytes = together(kinds);
            bytes.truncate(bytes.len() - last);
            let length = keep(&mut bytes, stride, |it| it[0] != 9);
            bytes.truncate(length);
            bytes
        };
        assert_eq!(kept(&[1, 9, 9, 2], 0, 4), together(&[1, 2]));
        assert_eq!(kept(&[9, 1, 2], 1, 4), together(&[1, 2])[..7]);
        assert_eq!(kept(&[1, 2, 9], 1, 4), together(&[1, 2]));
        assert_eq!(kept(&[1, 2], 0, 4), together(&[1, 2]));
        assert_eq!((kept(&[9], 0, 4), kept(&[], 0, 4), kept(&[9], 0, 0)), (vec![], vec![], vec![1, 2]));
    }

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

    /// The system takes over while a host floods, and gives it back.
    #[cfg(target_os = "linux")]
    #[allow(clippy::disallowed_methods, reason = "the filter is the system's")]
    #[tokio::test(start_paused = true)]
    async fn a_flood_is_dropped_by_the_system_and_its_host_is_heard_again() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let network = crate::SystemNetwork;
        let Bound { socket, filter } =
            super::super::Network::bind(&network, "127.0.0.1:0".parse().unwrap(), &crate::Settings::default()).unwrap();
        let (door, refusals) = (Door::default(), Arc::new(AtomicU32::new(0)));
        let counted = refusals.clone();
        door.guard(Box::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        }));
        let (to, guarded) = (socket.local_addr().unwrap(), Guarded::new(socket, filter, door));
        let host = std::net::UdpSocket::bind("127.0.0.2:0").unwrap();
        // Eight that begin a connection, and one that goes on: when that is here, so were they.
        let send = async || {
            for _ in 0..8 {
                host.send_to(&[0xc0, 0, 0, 0, 1, 8], to).unwrap();
            }
            host.send_to(&[0x40, 7], to).unwrap();
            let mut here = [0_u8; 9];
            while here[..2] != [0x40, 7] {
                here.fill(0);
                let mut metas = [RecvMeta::default()];
                let read = |cx: &mut Context<'_>| guarded.poll_recv(cx, &mut [IoSliceMut::new(&mut here)], &mut metas);
                assert_eq!(std::future::poll_fn(read).await.unwrap(), 1);
            }
            refusals.load(Ordering::Relaxed)
        };
        let mut seen = Vec::new();
        for _ in 0..6 {
            seen.push(send().await);
        }
        assert_eq!(seen, [8, 16, 24, 32, 32, 32], "from here on the system drops them");
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        // What came before the socket was looked at again had been dropped.
        assert_eq!((send().await, send().await), (32, 40), "it is heard again");
    }
}
