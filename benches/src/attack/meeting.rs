//! What all three processes need to meet: where the victim is, the date, and how peers greet each other.

use serde::{Deserialize, Serialize};
use shardwire_model::{Clock, PeerId, Timestamp};
use shardwire_protocols::{
    catalogue::ProtocolId,
    handshake::{Hello, announce, spoken},
    keepalive::Keepalive,
    trace::Trace,
};
use std::{net::SocketAddr, time::SystemTime};

/// The victim's address and identity.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct PeerAddress {
    pub(super) address: SocketAddr,
    pub(super) peer: PeerId,
}

/// The system's clock.
#[derive(Debug)]
pub(super) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The handshake message of all peers here.
pub(super) fn hello(clock: &dyn Clock) -> Hello {
    Hello {
        network: "attack".into(),
        world: None,
        agent: "benches".into(),
        roles: Vec::new(),
        serves: announce([ProtocolId::of::<Keepalive>(), ProtocolId::of::<Trace>()]),
        opens: spoken(),
        capabilities: Vec::new(),
        time: clock.now(),
    }
}
