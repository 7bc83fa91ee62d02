//! A machine on the simulated network.

use super::Internet;
use crate::{
    settings::Settings,
    socket::{
        AsyncUdpSocket, Network, Pause, QuicRuntime,
        simulated::{SimulatedRuntime, SimulatedSocket},
    },
};
use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool, atomic::Ordering},
};
use tokio::task::JoinSet;

/// The first port that the host chooses itself, like a system's ephemeral ports.
const FIRST_FREE_PORT: u16 = 49_152;

/// A machine with an address, from power-on to power-off. After a crash it comes back as a new `Host` at the same
/// address.
#[derive(Debug, Clone)]
pub struct Host(Arc<Machine>);

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) internet: Internet,
    ip: IpAddr,
    running: AtomicBool,
    pause: Pause,
    sockets: Mutex<BTreeSet<SocketAddr>>,
    /// QUIC's tasks on this machine.
    tasks: Mutex<JoinSet<()>>,
}

impl Host {
    pub(super) fn new(internet: Internet, ip: IpAddr) -> Self {
        let (running, sockets, tasks) = (AtomicBool::new(true), Mutex::default(), Mutex::default());
        Self(Arc::new(Machine { internet, ip, running, pause: Pause::switched(), sockets, tasks }))
    }

    /// The machine's address.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.0.ip
    }

    /// Pauses the machine until [`end_pause`](Self::end_pause). None of its [tasks](Pause::task) is polled and
    /// nothing is sent. What arrives waits in its sockets, up to [`MAX_ARRIVALS`](super::MAX_ARRIVALS).
    pub fn begin_pause(&self) {
        self.0.pause.begin();
    }

    /// Ends the pause. Every task goes on with the state that it had.
    pub fn end_pause(&self) {
        self.0.pause.end();
    }

    /// Powers the machine off: sockets close silently, what is on its way is lost, QUIC's tasks stop. The test has to
    /// end its own tasks that use this host.
    pub fn power_off(&self) {
        self.0.running.store(false, Ordering::Relaxed);
        for socket in std::mem::take(&mut *self.0.sockets()) {
            self.0.internet.state().close(socket);
        }
        self.0.tasks().abort_all();
    }
}

impl Machine {
    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }

    fn sockets(&self) -> MutexGuard<'_, BTreeSet<SocketAddr>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        if self.is_running() {
            tasks.spawn(self.pause.task(task));
        }
    }

    /// Closes a socket.
    pub(crate) fn close(&self, socket: SocketAddr) {
        if self.sockets().remove(&socket) {
            self.internet.state().close(socket);
        }
    }
}

impl Network for Host {
    fn bind(&self, mut address: SocketAddr, _: &Settings) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        if !self.0.is_running() {
            return Err(io::ErrorKind::NetworkDown.into());
        }
        if address.ip().is_unspecified() {
            address.set_ip(self.0.ip);
        } else if address.ip() != self.0.ip {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let mut state = self.0.internet.state();
        if address.port() == 0 {
            let free = (FIRST_FREE_PORT..=u16::MAX).find(|port| {
                address.set_port(*port);
                state.open(address)
            });
            free.ok_or(io::ErrorKind::AddrInUse)?;
        } else if !state.open(address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        drop(state);
        self.0.sockets().insert(address);
        Ok(Arc::new(SimulatedSocket::new(Arc::clone(&self.0), address)))
    }

    fn runtime(&self) -> Arc<dyn QuicRuntime> {
        Arc::new(SimulatedRuntime(Arc::clone(&self.0)))
    }

    fn pause(&self) -> Pause {
        self.0.pause.clone()
    }
}
