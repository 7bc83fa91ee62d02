//! What all processes need to meet: where the victim is, who is who at which address, and how peers greet.

use super::Outcome;
use shardwire::host::clock::SystemClock;
use shardwire_model::{Clock as _, Hash, PeerId, Role};
use shardwire_protocols::{
    catalogue::{self, ProtocolId},
    handshake::{Handshake, Hello, announce, greet},
    keepalive::Keepalive,
    proof::Proof,
    trace::Trace,
};
use shardwire_transport::{Connection, Endpoint, Identity, Profile};
use shardwire_world::WorldIdentity;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

/// A victim, as its peers know it.
#[derive(Clone, Debug)]
pub(super) struct Meeting {
    pub(super) address: SocketAddr,
    pub(super) peer: PeerId,
    network: String,
    world: Hash,
}

/// The identity of a number.
pub(super) fn identity(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

/// The address of a number: in a network of its own, another one each round, all of them on this machine.
pub(super) fn host(number: u8, round: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, number, round, 1)
}

impl Meeting {
    /// The victim at this address, of the World that this file names.
    pub(super) fn new((address, peer): (SocketAddr, PeerId), world: &Path) -> Outcome<Self> {
        let world = WorldIdentity::from_json(&std::fs::read_to_string(world)?)?;
        Ok(Self { address, peer, network: world.network().to_owned(), world: world.hash() })
    }

    /// An endpoint of this identity at this address.
    pub(super) fn endpoint(from: Ipv4Addr, identity: Identity) -> Outcome<Endpoint> {
        let settings = catalogue::settings(Profile::default());
        Ok(Endpoint::bind((from, 0).into(), identity, &settings, &mut rand::rng())?)
    }

    /// Connects to the victim and greets it as a peer with this role, which serves nothing.
    pub(super) async fn greeted(&self, endpoint: &Endpoint, role: Role) -> Outcome<Connection> {
        let connection = endpoint.connect(self.address, Some(self.peer)).await?;
        greet(connection.open::<Handshake>().await?, self.hello(role)).await?;
        Ok(connection)
    }

    fn hello(&self, role: Role) -> Hello {
        Hello {
            network: self.network.clone(),
            world: Some(self.world),
            agent: "benches".into(),
            roles: vec![role.to_string()],
            serves: Vec::new(),
            opens: announce([ProtocolId::of::<Keepalive>(), ProtocolId::of::<Trace>(), ProtocolId::of::<Proof>()]),
            capabilities: Vec::new(),
            time: SystemClock.now(),
        }
    }
}
