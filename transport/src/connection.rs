//! A connection to an authenticated peer, on which sessions are opened and accepted.

use crate::{
    Protocol,
    channel::{Channel, DONE, StreamFailure},
    session::{
        ConnectionResources, Incoming, Initiator, WireCode,
        error::{Lost, LostCause, SessionError},
    },
    tls,
};
use rustls::pki_types::CertificateDer;
use shardwire_model::PeerId;
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// A connection. Cheap to clone. It is closed in good order when its last clone and its last session are dropped. A
/// session that is dropped before its end tells the peer itself.
#[derive(Debug, Clone)]
pub struct Connection {
    inner: quinn::Connection,
    peer: PeerId,
    shared: Arc<ConnectionResources>,
}

/// Measurements of a connection so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionStats {
    /// QUIC's current estimate of the round trip.
    pub round_trip: Duration,
    /// The largest datagram found to pass, in bytes.
    pub mtu: u16,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams lost.
    pub lost: u64,
}

impl Connection {
    /// `None` if the peer showed no usable key; the handshake has ruled that out.
    pub(crate) fn new(inner: quinn::Connection, bulk_sessions: u32) -> Option<Self> {
        let shown = inner.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
        let peer = tls::peer_of(shown.first()?)?;
        Some(Self { inner, peer, shared: ConnectionResources::new(bulk_sessions) })
    }

    /// The peer's key, proven by the handshake.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// The peer's address. It may change during a connection.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.inner.remote_address()
    }

    /// The QUIC connection beneath, for benchmarks that compare with raw streams. A stream opened on it carries no
    /// session, so a peer that accepts sessions sees a violation.
    #[must_use]
    pub fn quinn(&self) -> &quinn::Connection {
        &self.inner
    }

    /// Opens a session. Waits while the peer allows no more sessions, and, if the session can carry bulk to us, until
    /// a [slot](crate::session::bulk) is free. The peer sees the session with our first message.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost.
    pub async fn open<P: Protocol>(&self) -> Result<Initiator<P>, SessionError> {
        let slot = self.shared.bulk_slot::<P>().await;
        let (send, recv) = self.inner.open_bi().await.map_err(|error| self.lost(P::NAME, "opening", error))?;
        self.shared.initiate::<P>(Channel::quic(self.peer, send, recv), slot)
    }

    /// Waits for the next session that the peer opens. Cancel safe. Read the session's header in another task:
    /// reading it waits for the peer.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, with [`LostCause::Closed`] if the peer closed it in good
    /// order.
    pub async fn accept(&self) -> Result<Incoming, SessionError> {
        let (send, recv) =
            self.inner.accept_bi().await.map_err(|error| self.lost("connection", "awaiting a session", error))?;
        Ok(self.shared.incoming(Channel::quic(self.peer, send, recv)))
    }

    /// Closes the connection in good order. Open sessions are lost: close those first.
    pub fn close(&self) {
        self.inner.close(DONE, b"");
    }

    /// Closes the connection because this peer is not admitted, and tells it how long to wait before it tries again.
    pub fn turn_away(&self, wait: Duration) {
        let code = quinn::VarInt::from_u64(WireCode::retry_after(wait).number());
        self.inner.close(code.unwrap_or(DONE), b"");
    }

    /// Closes the connection because the peer's key has another node here, which began later.
    pub fn supersede(&self) {
        let code = quinn::VarInt::from_u64(WireCode::Superseded.number());
        self.inner.close(code.unwrap_or(DONE), b"");
    }

    /// Waits until the connection is gone, and says why.
    pub async fn closed(&self) -> LostCause {
        cause(self.inner.closed().await)
    }

    /// Whether the connection is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.close_reason().is_some()
    }

    /// The measurements so far.
    #[must_use]
    pub fn stats(&self) -> ConnectionStats {
        let path = self.inner.stats().path;
        ConnectionStats {
            round_trip: path.rtt,
            mtu: path.current_mtu,
            sent: path.sent_packets,
            lost: path.lost_packets,
        }
    }

    fn lost(&self, protocol: &'static str, state: &str, error: quinn::ConnectionError) -> SessionError {
        let lost = Lost { peer: self.peer, protocol: protocol.into(), state: state.to_owned(), cause: cause(error) };
        SessionError::Lost(Box::new(lost))
    }
}

fn cause(error: quinn::ConnectionError) -> LostCause {
    match StreamFailure::from(error) {
        StreamFailure::Reset(code) => LostCause::Reset(code),
        StreamFailure::Closed => LostCause::Closed,
        StreamFailure::Connection(reason) => LostCause::Connection(reason),
    }
}
