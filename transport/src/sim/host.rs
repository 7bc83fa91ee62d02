//! A machine on the simulated network.

use super::{
    internet::Internet,
    machine::Machine,
    socket::{SimulatedRuntime, SimulatedSocket},
};
use crate::{
    settings::Settings,
    socket::{AsyncUdpSocket, Bound, Network, Pause, QuicRuntime},
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// The first port that the host chooses itself, like a system's ephemeral ports.
const FIRST_FREE_PORT: u16 = 49_152;

/// A machine with an address, from power-on to power-off. After a crash it comes back as a new `Host` at the same
/// address.
#[derive(Debug, Clone)]
pub struct Host(Arc<Machine>);

impl Internet {
    /// A host at this address. The address alone identifies a host: two at the same address share one machine's
    /// sockets.
    #[must_use]
    pub fn host(&self, ip: IpAddr) -> Host {
        Host::new(self.clone(), ip)
    }
}

impl Host {
    fn new(internet: Internet, ip: IpAddr) -> Self {
        Self(Arc::new(Machine::new(internet, ip)))
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
        self.0.power_off();
    }
}

impl Network for Host {
    fn bind(&self, mut address: SocketAddr, _: &Settings) -> io::Result<Bound> {
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
        let socket: Arc<dyn AsyncUdpSocket> = Arc::new(SimulatedSocket::new(Arc::clone(&self.0), address));
        Ok(socket.into())
    }

    fn runtime(&self) -> Arc<dyn QuicRuntime> {
        Arc::new(SimulatedRuntime(Arc::clone(&self.0)))
    }

    fn pause(&self) -> Pause {
        self.0.pause.clone()
    }
}
