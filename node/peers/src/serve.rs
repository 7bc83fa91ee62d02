//! Accepts connections and sessions, as far as it matters which peer opens them. The caller serves the protocols.

use crate::{
    admission::{ConnectionSlot, Decision},
    events::{
        Blame, ConnectionFailed, ConnectionRefused, Failing, ProtocolViolated, SessionDelayed, SessionFailed,
        SessionLost, SessionRefused,
    },
    peers::Peers,
    presence::Presence,
};
use shardwire_model::Coded as _;
use shardwire_protocols::ServeError;
use shardwire_reputation::LONGEST_WAIT;
use shardwire_transport::{
    self as transport, Connection, Endpoint, Incoming, IncomingConnection, Local, Pause, SessionError, first_turn,
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::JoinSet};

/// How long a peer that is shut out has to read what was sent to it, a dispute for example. It is served nothing new
/// meanwhile.
pub const LAST_WORDS: Duration = Duration::from_millis(500);
/// Sessions of a connection whose header isn't read yet, or that were refused within the last [`LONGEST_WAIT`]. Honest
/// peers have a few. A flood gets this many answers a second, and the rest of it waits in QUIC.
pub const BEGINNING: usize = 16;

/// Accepts connections until the endpoint is closed. Admitted ones are given to `serve` and keep their slot until it
/// returns.
pub async fn receive<S>(
    peers: Arc<Peers>,
    endpoint: Endpoint,
    serve: impl Fn(Connection, Arc<Presence>) -> S + Send + Sync + 'static,
) where
    S: Future<Output = ()> + Send + 'static,
{
    let arriving = peers.clone();
    endpoint.guard(move |address| arriving.hears(address));
    let serve = Arc::new(serve);
    // At most as many tasks as there are slots.
    let mut connections = JoinSet::new();
    while let Some(incoming) = endpoint.accept().await {
        while connections.try_join_next().is_some() {}
        match peers.before_handshake(incoming.address().ip(), incoming.validated()) {
            Decision::Admit { after, slot } => {
                let admit = admit(peers.clone(), incoming, after, slot, serve.clone());
                connections.spawn(endpoint.pause().task(admit));
            }
            Decision::Retry => incoming.retry(),
            Decision::Refuse => {
                peers.events.emit(ConnectionRefused { address: incoming.address() });
                incoming.refuse();
            }
            Decision::Ignore => incoming.ignore(),
        }
    }
}

/// Performs the handshake and serves the connection.
async fn admit<S: Future<Output = ()> + Send>(
    peers: Arc<Peers>,
    incoming: IncomingConnection,
    after: Duration,
    slot: ConnectionSlot,
    serve: Arc<impl Fn(Connection, Arc<Presence>) -> S + Send + Sync>,
) {
    let address = incoming.address();
    let waiting = peers.load.begin();
    tokio::time::sleep(after).await;
    let connection = match incoming.admit().await {
        Ok(connection) => connection,
        Err(error) => {
            let (code, error) = (error.code(), error.to_string());
            return peers.events.emit(ConnectionFailed { address, code, error });
        }
    };
    drop(waiting);
    match peers.after_handshake(connection.peer(), &slot) {
        Ok(presence) => serve(connection, Arc::new(presence)).await,
        Err(wait) => connection.turn_away(wait),
    }
    drop(slot);
}

/// Serves the sessions that a peer opens, until the connection ends or the peer is shut out. Returns the reason. Open
/// sessions end with it. `pause` holds their tasks.
pub async fn sessions<S>(
    connection: &Connection,
    presence: &Arc<Presence>,
    pause: &Pause,
    serve: impl Fn(Incoming) -> S + Send + Sync + 'static,
) -> String
where
    S: Future<Output = Result<(), ServeError>> + Send + 'static,
{
    let serve = Arc::new(serve);
    let beginning = Arc::new(Semaphore::new(BEGINNING));
    // At most as many tasks as QUIC lets a peer open sessions.
    let mut running = JoinSet::new();
    let gone = loop {
        let accepted = async {
            let turn = beginning.clone().acquire_owned().await;
            (turn, connection.accept().await)
        };
        let (turn, incoming) = tokio::select! { biased;
            wait = presence.shut_out() => {
                tokio::time::sleep(LAST_WORDS).await;
                connection.turn_away(wait);
                break format!("shut out for {} s", wait.as_secs());
            }
            (turn, accepted) = accepted => match accepted {
                Ok(incoming) => (turn, incoming),
                Err(error) => break error.to_string(),
            },
        };
        while running.try_join_next().is_some() {}
        let (presence, serve) = (presence.clone(), serve.clone());
        let session = first_turn(pause.task(async move {
            if let Some(incoming) = begin(&presence, incoming).await {
                drop(turn);
                let (protocol, incoming) = incoming;
                if let Err(error) = serve(incoming).await {
                    presence.failed(&protocol, &error);
                }
            }
        }));
        if let Err(waiting) = session.await {
            running.spawn(waiting);
        }
    };
    running.shutdown().await;
    gone
}

/// Reads which protocol the peer wants, and counts the session if the peer's quota allows it. If not, the peer is
/// told at once when it may try again, and this returns after a second: a peer that doesn't wait gets so many refusals
/// a second as may wait.
async fn begin(presence: &Presence, mut incoming: Incoming) -> Option<(String, Incoming)> {
    let protocol = match incoming.header().await {
        Ok(header) => header.protocol.to_string(),
        Err(error) => {
            presence.failed("?", &error.into());
            return None;
        }
    };
    match presence.session(&protocol) {
        Ok(None) => Some((protocol, incoming)),
        Ok(Some(meter)) => Some((protocol, incoming.metered(meter))),
        Err(wait) => {
            presence.peers.events.emit(SessionDelayed { peer: presence.peer(), protocol, wait });
            incoming.refuse_for(wait);
            tokio::time::sleep(LONGEST_WAIT).await;
            None
        }
    }
}

impl Presence {
    /// Logs why a session with this peer failed, and notes what that means for the peer.
    pub fn failed(&self, protocol: &str, error: &ServeError) {
        self.peers.failed(self.peer, protocol, error);
    }
}

impl Peers {
    /// Logs why a session with a peer failed, and notes what that means for the peer.
    pub fn failed(&self, peer: shardwire_model::PeerId, protocol: &str, error: &ServeError) {
        let (protocol, code, words) = (protocol.to_owned(), error.code(), error.to_string());
        match error {
            ServeError::Session(SessionError::Violation(violation)) => {
                let blame = match violation.blame() {
                    transport::Blame::Peer => Blame::Peer,
                    transport::Blame::Unclear => Blame::Unclear,
                };
                self.events.emit(ProtocolViolated { peer, protocol, blame, code, error: words });
            }
            ServeError::Session(SessionError::Lost(_)) => {
                self.events.emit(SessionLost { peer, protocol, code, error: words });
            }
            // The peer asked for more than it may: nothing is wrong here.
            ServeError::Session(SessionError::Local(local)) if matches!(**local, Local::NoBulkSlot { .. }) => {
                self.events.emit(SessionRefused { peer, protocol, code, error: words });
            }
            ServeError::Session(SessionError::Local(local)) => {
                let is_full = matches!(**local, Local::PipelineFull { .. });
                let failing = if is_full { Failing::Pipeline } else { Failing::Session };
                self.events.emit(SessionFailed { peer, protocol, failing, code, error: words });
            }
            ServeError::Handler(_) => {
                self.events.emit(SessionFailed { peer, protocol, failing: Failing::Handler, code, error: words });
            }
        }
        if let Some(event) = crate::session_event(error) {
            self.note(peer, &event);
        }
    }
}
