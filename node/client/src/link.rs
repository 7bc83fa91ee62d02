//! Dialling a node.

use super::ClientError;
use shardwire_host::{
    Platform,
    names::{NameError, Names, resolve},
};
use shardwire_model::{Address, ParseAddressError, PeerId};
use shardwire_protocols::{
    administration::Administration,
    catalogue::{self, ProtocolId},
    handshake::{Agreed, Handshake, Hello, announce, greet},
    ingress::Ingress,
};
use shardwire_transport::{Connection, Endpoint, Identity, Initiator, Profile, Protocol};
use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};
use tokio::time::timeout;

/// Program and version, as peers see it.
const AGENT: &str = concat!("shardwire-client/", env!("CARGO_PKG_VERSION"));

/// How long the end of a connection may take: some round trips around the world.
const FAREWELL: Duration = Duration::from_secs(1);

/// A node, and where it is dialled, written `ID@IP:PORT` or `ID@NAME:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAddress {
    /// Who: nobody else is believed.
    pub peer: PeerId,
    /// Where it is dialled.
    pub address: Address,
}

impl NodeAddress {
    /// Where it can be dialled now: at its address, or at what its name stands for. At least one.
    ///
    /// # Errors
    /// [`ClientError::Name`] if it has a name and that stands for no address.
    pub async fn places(&self, names: &dyn Names) -> Result<Vec<Target>, ClientError> {
        // A client's socket is of the family that it dials.
        let found = resolve(names, &self.address, |_| true).await?;
        Ok(found.into_iter().map(|address| Target { peer: self.peer, address }).collect())
    }
}

impl From<Target> for NodeAddress {
    fn from(Target { peer, address }: Target) -> Self {
        Self { peer, address: Address::Ip(address) }
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.peer, self.address)
    }
}

/// A node to dial at one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Who: nobody else is believed.
    pub peer: PeerId,
    /// The address that it listens at.
    pub address: SocketAddr,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.peer, self.address)
    }
}

/// A text that is no place to dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseNodeAddressError {
    /// Not the form.
    #[error("expected ID@IP:PORT or ID@NAME:PORT, with an id of 64 hexadecimal digits")]
    Form,
    /// The address is none to dial.
    #[error(transparent)]
    Address(#[from] ParseAddressError),
}

impl FromStr for NodeAddress {
    type Err = ParseNodeAddressError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (peer, address) = text.split_once('@').ok_or(ParseNodeAddressError::Form)?;
        let peer = peer.parse().map_err(|_| ParseNodeAddressError::Form)?;
        Ok(Self { peer, address: address.parse()? })
    }
}

/// As whom, in which network and at what date to dial.
#[derive(Clone, Debug)]
pub struct Dialler {
    /// The key that the client connects with.
    pub identity: Identity,
    /// The network's name.
    pub network: String,
    /// The date, which the greeting carries, and the network.
    pub platform: Platform,
}

impl Dialler {
    /// Connects to the first of a node's addresses at which it answers, and greets: its name is asked each time, because containers move. Must be called within a tokio runtime.
    pub(super) async fn dial(&self, node: &NodeAddress) -> Result<Link, ClientError> {
        let mut failure = None;
        for target in node.places(&*self.platform.names).await? {
            match self.dial_at(target).await {
                Ok(link) => return Ok(link),
                // One at which another try may help counts for all.
                Err(error) if failure.as_ref().is_none_or(|before: &ClientError| !before.is_passing()) => {
                    failure = Some(error);
                }
                Err(_) => {}
            }
        }
        Err(failure.unwrap_or_else(|| NameError::Nowhere { host: node.address.to_string() }.into()))
    }

    async fn dial_at(&self, target: Target) -> Result<Link, ClientError> {
        let from = match target.address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let from = if target.address.ip().is_loopback() { SocketAddr::new(target.address.ip(), 0) } else { from };
        let Platform { network, mut randomness, .. } = self.platform.clone();
        let endpoint = Endpoint::open(
            &*network,
            from,
            self.identity.clone(),
            &catalogue::settings(Profile::default()),
            &mut randomness,
        )?;
        let connected = self.greet(&endpoint, target).await;
        match connected {
            Ok((connection, agreed)) => Ok(Link { endpoint, connection, agreed }),
            Err(error) => {
                let _ = timeout(FAREWELL, endpoint.close()).await;
                Err(error)
            }
        }
    }

    async fn greet(&self, endpoint: &Endpoint, target: Target) -> Result<(Connection, Agreed), ClientError> {
        let connection = endpoint.connect(target.address, Some(target.peer)).await?;
        let hello = Hello {
            network: self.network.clone(),
            world: None,
            agent: AGENT.to_owned(),
            roles: Vec::new(),
            serves: Vec::new(),
            opens: announce([ProtocolId::of::<Administration>(), ProtocolId::of::<Ingress>()]),
            capabilities: Vec::new(),
            time: self.platform.clock.now(),
        };
        let agreed = greet(connection.open::<Handshake>().await?, hello).await?;
        Ok((connection, agreed))
    }
}

/// A connection to a node, greeted.
#[derive(Debug)]
pub(super) struct Link {
    endpoint: Endpoint,
    connection: Connection,
    agreed: Agreed,
}

impl Link {
    /// Opens a session, if the node serves the protocol.
    pub(super) async fn open<P: Protocol>(&self) -> Result<Initiator<P>, ClientError> {
        if !self.agreed.may_open::<P>() {
            return Err(ClientError::Unserved { peer: self.connection.peer(), protocol: P::NAME });
        }
        Ok(self.connection.open::<P>().await?)
    }

    /// Closes in good order, and gives the other side a moment to hear of it.
    pub(super) async fn close(self) {
        self.connection.close();
        // One that doesn't hear it notices by itself; nothing depends on it.
        let _ = timeout(FAREWELL, self.endpoint.close()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_host::names::NoNames;
    use shardwire_model::Coded as _;

    #[tokio::test]
    async fn an_operator_is_named_by_address_or_by_name_and_never_by_a_wildcard() {
        let id = "11".repeat(32);
        let place: NodeAddress = format!("{id}@127.0.0.1:7").parse().unwrap();
        let places = place.places(&NoNames).await.unwrap();
        assert_eq!(places.iter().map(ToString::to_string).collect::<Vec<_>>(), [format!("{id}@127.0.0.1:7")]);
        let named: NodeAddress = format!("{id}@operator:7").parse().unwrap();
        let error = named.places(&NoNames).await.unwrap_err();
        assert_eq!(
            (error.code(), error.to_string()),
            ("SW-NAME-001", "the host name operator can't be resolved: this network has no names".into())
        );
        assert_eq!(
            format!("{id}@0.0.0.0:7").parse::<NodeAddress>().unwrap_err().to_string(),
            "0.0.0.0 and [::] are for listening: nobody can dial them"
        );
        assert_eq!(
            "operator:7".parse::<NodeAddress>().unwrap_err().to_string(),
            "expected ID@IP:PORT or ID@NAME:PORT, with an id of 64 hexadecimal digits"
        );
    }
}
