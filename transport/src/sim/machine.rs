//! What the sockets and tasks of one simulated machine share.

use super::internet::Internet;
use crate::socket::Pause;
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::task::JoinSet;

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) internet: Internet,
    pub(super) ip: IpAddr,
    running: AtomicBool,
    pub(super) pause: Pause,
    sockets: Mutex<BTreeSet<SocketAddr>>,
    /// QUIC's tasks on this machine.
    tasks: Mutex<JoinSet<()>>,
}

impl Machine {
    pub(super) fn new(internet: Internet, ip: IpAddr) -> Self {
        let (running, sockets, tasks) = (AtomicBool::new(true), Mutex::default(), Mutex::default());
        Self { internet, ip, running, pause: Pause::switched(), sockets, tasks }
    }

    /// Closes all sockets without a word, and stops QUIC's tasks.
    pub(super) fn power_off(&self) {
        self.running.store(false, Ordering::Relaxed);
        for socket in std::mem::take(&mut *self.sockets()) {
            self.internet.state().close(socket);
        }
        self.tasks().abort_all();
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }

    pub(super) fn sockets(&self) -> MutexGuard<'_, BTreeSet<SocketAddr>> {
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
