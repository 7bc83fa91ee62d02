//! An endpoint: one UDP socket on which this node dials and accepts connections.
//!
//! From the end of the handshake on, a peer is known by its key ([`Connection::peer`]). An [`IncomingConnection`] can
//! be refused before the node has paid for a handshake.

use crate::{
    channel::DONE,
    connection::Connection,
    identity::Identity,
    settings::{HANDSHAKE_BUFFER_BYTES, HANDSHAKE_DEADLINE, MAX_HANDSHAKES, Settings, SettingsError},
    socket::{
        self, Bound, Door, Network, Pause, QuicRuntime, SystemNetwork,
        seeded::{FirstIds, SeededConfig},
    },
    tls,
};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rand::CryptoRng;
use shardwire_model::{Coded, PeerId};
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tokio::time::timeout;

/// TLS wants a server name. This one is neither sent nor checked.
const NO_NAME: &str = "shardwire.invalid";
/// TLS' alert for "no protocol in common", as QUIC carries it.
const NO_COMMON_PROTOCOL: u8 = 120;

/// A UDP socket that speaks QUIC under an identity.
#[derive(Clone)]
pub struct Endpoint {
    inner: quinn::Endpoint,
    identity: Identity,
    transport: Arc<quinn::TransportConfig>,
    first_ids: FirstIds,
    bulk_sessions: u32,
    address: SocketAddr,
    pause: Pause,
    door: Door,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("identity", &self.identity)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Why an endpoint couldn't be opened.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The settings would not work.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The port is in use.
    #[error("UDP port {} at {} is in use", address.port(), address.ip())]
    PortInUse {
        /// The address to bind.
        address: SocketAddr,
    },
    /// The system doesn't let us bind the address.
    #[error("can't listen at {address}: {source}")]
    Bind {
        /// The address to bind.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// TLS could not be set up.
    #[error("can't set up TLS: {reason}")]
    Tls {
        /// The reason, as rustls or QUIC gives it.
        reason: String,
    },
}

impl Coded for EndpointError {
    fn code(&self) -> &'static str {
        match self {
            Self::Settings(error) => error.code(),
            Self::PortInUse { .. } => "SW-TRANSPORT-010",
            Self::Bind { .. } => "SW-TRANSPORT-011",
            Self::Tls { .. } => "SW-TRANSPORT-012",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Settings(error) => error.next_step(),
            Self::PortInUse { .. } => {
                "Stop the program that has the port, perhaps another node; or listen on another one (0 lets the system choose).".to_owned()
            }
            Self::Bind { .. } => "Listen on an address of this machine, such as 127.0.0.1, and on a port above 1023.".to_owned(),
            Self::Tls { .. } => "This is a fault of the program: please report it.".to_owned(),
        }
    }
}

/// Why a connection couldn't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Another peer answered.
    #[error("{address} is peer {found}, not {expected}")]
    WrongPeer {
        /// The address that was dialled, or that the peer came from.
        address: SocketAddr,
        /// The peer that was expected.
        expected: PeerId,
        /// The peer that answered.
        found: PeerId,
    },
    /// The other side doesn't speak [`tls::ALPN`].
    #[error("{address} doesn't speak shardwire/1")]
    WrongProtocol {
        /// The address that was dialled, or that the peer came from.
        address: SocketAddr,
    },
    /// No answer within [`HANDSHAKE_DEADLINE`].
    #[error("{address} didn't answer within {HANDSHAKE_DEADLINE:?}")]
    NoAnswer {
        /// The address that was dialled, or that the peer came from.
        address: SocketAddr,
    },
    /// The peer refused the connection.
    #[error("{address} refused the connection")]
    Refused {
        /// The address that was dialled, or that the peer came from.
        address: SocketAddr,
    },
    /// The handshake failed for another reason.
    #[error("the handshake with {address} failed: {reason}")]
    Failed {
        /// The address that was dialled, or that the peer came from.
        address: SocketAddr,
        /// The reason, as rustls or QUIC gives it.
        reason: String,
    },
}

impl Coded for ConnectError {
    fn code(&self) -> &'static str {
        match self {
            Self::WrongPeer { .. } => "SW-TRANSPORT-020",
            Self::WrongProtocol { .. } => "SW-TRANSPORT-021",
            Self::NoAnswer { .. } => "SW-TRANSPORT-022",
            Self::Refused { .. } => "SW-TRANSPORT-023",
            Self::Failed { .. } => "SW-TRANSPORT-024",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::WrongPeer { .. } => {
                "Check the peer's address and id in the configuration; `shardwire status` shows a node's id."
            }
            Self::WrongProtocol { .. } => {
                "Check that the address belongs to a shardwire node, and that both run versions that go together."
            }
            Self::NoAnswer { .. } => {
                "Check that the peer runs, that the address is right, and that UDP passes between you."
            }
            Self::Refused { .. } => "Try again later: the peer takes no connection from here now.",
            Self::Failed { .. } => "Look at the peer's log for the other side of it, then try again.",
        }
        .to_owned()
    }
}

impl Endpoint {
    /// Binds a UDP socket of the system (port 0 lets the system choose) and listens. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`EndpointError::Settings`] if the settings would not work, [`EndpointError::PortInUse`] or
    /// [`EndpointError::Bind`] if the address can't be bound, [`EndpointError::Tls`] if TLS can't be set up.
    pub fn bind(
        address: SocketAddr,
        identity: Identity,
        settings: &Settings,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, EndpointError> {
        Self::open(&SystemNetwork, address, identity, settings, rng)
    }

    /// As [`bind`](Self::bind), on a given network: the system's, or a simulated host's.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn open(
        network: &dyn Network,
        address: SocketAddr,
        identity: Identity,
        settings: &Settings,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, EndpointError> {
        settings.validate()?;
        let socket = network.bind(address, settings).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => EndpointError::PortInUse { address },
            _ => EndpointError::Bind { address, source },
        })?;
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let endpoint = Self::with_socket(socket, network.runtime(), identity, settings, seed)?;
        Ok(Self { pause: network.pause(), ..endpoint })
    }

    /// As [`bind`](Self::bind), on a given socket and runtime. `seed` decides everything random about the endpoint
    /// except TLS's keys, so the same seed gives the same schedule of packets. It must be secret and used once.
    ///
    /// # Errors
    /// As [`bind`](Self::bind), except that the socket is bound already: [`EndpointError::Bind`] if its address can't
    /// be read.
    pub fn with_socket(
        bound: impl Into<Bound>,
        runtime: Arc<dyn QuicRuntime>,
        identity: Identity,
        settings: &Settings,
        seed: [u8; 32],
    ) -> Result<Self, EndpointError> {
        settings.validate()?;
        let failed = |reason: String| EndpointError::Tls { reason };
        let transport = Arc::new(settings.transport());
        let tls = tls::server(&identity).map_err(|error| failed(error.to_string()))?;
        let crypto = QuicServerConfig::try_from(tls).map_err(|error| failed(error.to_string()))?;
        let mut seeded = SeededConfig::new(seed, &identity);
        let mut server = seeded.server(crypto, &runtime);
        server
            .transport_config(Arc::clone(&transport))
            .max_incoming(MAX_HANDSHAKES)
            .incoming_buffer_size(HANDSHAKE_BUFFER_BYTES)
            .incoming_buffer_size_total(HANDSHAKE_BUFFER_BYTES * MAX_HANDSHAKES as u64);
        let mut config = seeded.endpoint();
        // Receive buffers are 32 batches of this: no larger than what the settings can receive.
        config
            .max_udp_payload_size(
                settings.max_mtu.max(config.get_max_udp_payload_size().try_into().unwrap_or(u16::MAX)),
            )
            .map_err(|error| failed(error.to_string()))?;
        let bound = bound.into();
        let local = bound.socket.local_addr();
        let address = local.as_ref().map_or(SocketAddr::from(([0, 0, 0, 0], 0)), |address| *address);
        let door = Door::default();
        let inner = local
            .and_then(|_| socket::endpoint(bound, door.clone(), runtime, config, server))
            .map_err(|source| EndpointError::Bind { address, source })?;
        Ok(Self {
            inner,
            identity,
            transport,
            bulk_sessions: settings.bulk_sessions(),
            first_ids: seeded.first_ids(),
            address,
            pause: Pause::default(),
            door,
        })
    }

    /// The address on which it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The identity under which it dials and accepts.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The endpoint's [`Pause`]. Start tasks that use the endpoint with [`Pause::task`].
    #[must_use]
    pub fn pause(&self) -> &Pause {
        &self.pause
    }

    /// Shows each datagram that would begin a connection to this guard, by the address it comes from, before QUIC sees it: where it says no, the datagram is dropped
    /// unread. It is called for each, so it has to be quick. The first guard of an endpoint stays.
    pub fn guard(&self, guard: impl Fn(IpAddr) -> bool + Send + Sync + 'static) {
        self.door.guard(Box::new(guard));
    }

    /// Connects to a peer. With `expected`, to that peer and no other.
    ///
    /// # Errors
    /// [`ConnectError::WrongPeer`] if another peer than `expected` answers, [`ConnectError::WrongProtocol`] if the
    /// peer doesn't speak [`tls::ALPN`], [`ConnectError::NoAnswer`] after [`HANDSHAKE_DEADLINE`],
    /// [`ConnectError::Refused`] if the peer refuses, [`ConnectError::Failed`] for everything else.
    pub async fn connect(&self, address: SocketAddr, expected: Option<PeerId>) -> Result<Connection, ConnectError> {
        self.connect_speaking(tls::ALPN, address, expected).await
    }

    async fn connect_speaking(
        &self,
        alpn: &[u8],
        address: SocketAddr,
        expected: Option<PeerId>,
    ) -> Result<Connection, ConnectError> {
        let failed = |reason: String| ConnectError::Failed { address, reason };
        let (tls, found) = tls::client(alpn, &self.identity, expected).map_err(|error| failed(error.to_string()))?;
        let crypto = QuicClientConfig::try_from(tls).map_err(|error| failed(error.to_string()))?;
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.transport_config(Arc::clone(&self.transport)).initial_dst_cid_provider(Arc::clone(&self.first_ids));
        let connecting =
            self.inner.connect_with(config, address, NO_NAME).map_err(|error| failed(error.to_string()))?;
        let connection =
            shake(address, connecting, self.bulk_sessions).await.map_err(|error| match (expected, found.get()) {
                (Some(expected), Some(found)) if *found != expected => {
                    ConnectError::WrongPeer { address, expected, found: *found }
                }
                _ => error,
            })?;
        Ok(connection)
    }

    /// Waits for the next peer that wants to connect; `None` once the endpoint is closed. Cancel safe.
    pub async fn accept(&self) -> Option<IncomingConnection> {
        Some(IncomingConnection { inner: self.inner.accept().await?, bulk_sessions: self.bulk_sessions })
    }

    /// The number of open connections.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.inner.open_connections()
    }

    /// Closes all connections in good order and waits until the peers know, for at most [`HANDSHAKE_DEADLINE`].
    pub async fn close(&self) {
        self.inner.close(DONE, b"");
        let _ = timeout(HANDSHAKE_DEADLINE, self.inner.wait_idle()).await; // a peer that is gone can't be told
    }
}

/// A peer that wants to connect. The node hasn't paid for a handshake yet.
#[must_use = "an arrival is admitted, refused or ignored"]
pub struct IncomingConnection {
    inner: quinn::Incoming,
    bulk_sessions: u32,
}

impl IncomingConnection {
    /// The peer's address. It may be forged until it is [`validated`](Self::validated).
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.inner.remote_address()
    }

    /// Whether the peer has shown that it receives what is sent to its address.
    #[must_use]
    pub fn validated(&self) -> bool {
        self.inner.remote_address_validated()
    }

    /// Performs the handshake. Spawn it: other peers arrive meanwhile.
    ///
    /// # Errors
    /// [`ConnectError::WrongProtocol`], [`ConnectError::NoAnswer`] or [`ConnectError::Failed`], as
    /// [`Endpoint::connect`].
    pub async fn admit(self) -> Result<Connection, ConnectError> {
        let address = self.address();
        let connecting = self.inner.accept().map_err(|error| refusal(address, &error))?;
        shake(address, connecting, self.bulk_sessions).await
    }

    /// Asks the peer to come back with a token, which shows that the address is its own. Its next
    /// [`IncomingConnection`] is then [`validated`](Self::validated). Refuses a peer that is validated already.
    pub fn retry(self) {
        if let Err(again) = self.inner.retry() {
            again.into_incoming().refuse();
        }
    }

    /// Refuses the peer and tells it so.
    pub fn refuse(self) {
        self.inner.refuse();
    }

    /// Drops the peer's packets without an answer.
    pub fn ignore(self) {
        self.inner.ignore();
    }
}

impl fmt::Debug for IncomingConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingConnection").field("address", &self.address()).finish_non_exhaustive()
    }
}

async fn shake(
    address: SocketAddr,
    connecting: quinn::Connecting,
    bulk_sessions: u32,
) -> Result<Connection, ConnectError> {
    match timeout(HANDSHAKE_DEADLINE, connecting).await {
        Ok(Ok(inner)) => Connection::new(inner, bulk_sessions)
            .ok_or_else(|| ConnectError::Failed { address, reason: "the peer showed no key".to_owned() }),
        Ok(Err(error)) => Err(refusal(address, &error)),
        Err(_) => Err(ConnectError::NoAnswer { address }),
    }
}

fn refusal(address: SocketAddr, error: &quinn::ConnectionError) -> ConnectError {
    let no_common_protocol = quinn::TransportErrorCode::crypto(NO_COMMON_PROTOCOL);
    match error {
        quinn::ConnectionError::TimedOut => ConnectError::NoAnswer { address },
        quinn::ConnectionError::ConnectionClosed(close) if close.error_code == no_common_protocol => {
            ConnectError::WrongProtocol { address }
        }
        quinn::ConnectionError::TransportError(error) if error.code == no_common_protocol => {
            ConnectError::WrongProtocol { address }
        }
        quinn::ConnectionError::ConnectionClosed(close)
            if close.error_code == quinn::TransportErrorCode::CONNECTION_REFUSED =>
        {
            ConnectError::Refused { address }
        }
        other => ConnectError::Failed { address, reason: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    #[tokio::test]
    async fn a_peer_that_speaks_another_protocol_is_told_so() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut bind = || {
            let identity = Identity::generate(&mut rng);
            Endpoint::bind(([127, 0, 0, 1], 0).into(), identity, &Settings::default(), &mut rng).unwrap()
        };
        let (a, b) = (bind(), bind());
        let (dialled, accepted) = tokio::join!(a.connect_speaking(b"other/1", b.address(), None), async {
            b.accept().await.unwrap().admit().await
        });
        let error = dialled.unwrap_err();
        assert_eq!(error.to_string(), format!("{} doesn't speak shardwire/1", b.address()));
        assert_eq!(error.code(), "SW-TRANSPORT-021");
        assert_eq!(accepted.unwrap_err().code(), "SW-TRANSPORT-021");
    }

    /// The alerts that docs/wire.md names, as the other side hears of them.
    #[tokio::test]
    async fn a_peer_that_is_another_one_than_was_wanted_is_told_so() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let mut bind = || {
            let identity = Identity::generate(&mut rng);
            Endpoint::bind(([127, 0, 0, 1], 0).into(), identity, &Settings::default(), &mut rng).unwrap()
        };
        let (a, b) = (bind(), bind());
        let wanted = Some(a.identity().peer());
        let (dialled, accepted) =
            tokio::join!(a.connect(b.address(), wanted), async { b.accept().await.unwrap().admit().await });
        assert_eq!(dialled.unwrap_err().code(), "SW-TRANSPORT-020");
        let heard = accepted.unwrap_err().to_string();
        assert!(heard.contains("error 49"), "access_denied, 0x131: {heard}");
    }
}
