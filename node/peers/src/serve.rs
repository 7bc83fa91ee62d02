//! Connections and sessions, as far as it matters who opens them. What is spoken in them is the caller's.

use crate::{
    door::{Knock, Place},
    peers::Peers,
    presence::Presence,
};
use shardwire_model::Coded as _;
use shardwire_protocols::ServeError;
use shardwire_reputation::LONGEST_WAIT;
use shardwire_transport::{Connection, Endpoint, Incoming, IncomingConnection, Pause, SessionError, first_turn};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::JoinSet};

/// How long a peer that is shut out has to take what it was told on the way: a dispute, say. Nothing new is served meanwhile.
pub const LAST_WORDS: Duration = Duration::from_millis(500);
/// Sessions of a connection whose header is not read yet, or that were refused and wait for their turn. Honest peers have a few; a flood
/// gets so many answers a second, and the rest of it waits in QUIC.
pub const BEGINNING: usize = 16;

/// Takes connections until the endpoint is closed. Those that are admitted are given to `serve`, and have their place until that ends.
pub async fn receive<S>(
    peers: Arc<Peers>,
    endpoint: Endpoint,
    serve: impl Fn(Connection, Arc<Presence>) -> S + Send + Sync + 'static,
) where
    S: Future<Output = ()> + Send + 'static,
{
    let serve = Arc::new(serve);
    // As many as there are places.
    let mut connections = JoinSet::new();
    while let Some(arrival) = endpoint.accept().await {
        while connections.try_join_next().is_some() {}
        match peers.knock(arrival.address().ip(), arrival.validated()) {
            Knock::Admit { after, place } => {
                let admit = admit(peers.clone(), arrival, after, place, serve.clone());
                connections.spawn(endpoint.pause().task(admit));
            }
            Knock::Retry => arrival.retry(),
            Knock::Refuse => {
                tracing::debug!(address = %arrival.address(), "refused before the handshake");
                arrival.refuse();
            }
            Knock::Ignore => arrival.ignore(),
        }
    }
}

/// Performs the handshake and serves the connection.
async fn admit<S: Future<Output = ()> + Send>(
    peers: Arc<Peers>,
    arrival: IncomingConnection,
    after: Duration,
    place: Place,
    serve: Arc<impl Fn(Connection, Arc<Presence>) -> S + Send + Sync>,
) {
    let address = arrival.address();
    let waiting = peers.load.begin();
    tokio::time::sleep(after).await;
    let connection = match arrival.admit().await {
        Ok(connection) => connection,
        Err(error) => return tracing::debug!(%address, code = error.code(), "no connection: {error}"),
    };
    drop(waiting);
    match peers.enter(connection.peer(), &place) {
        Ok(presence) => serve(connection, Arc::new(presence)).await,
        Err(wait) => connection.turn_away(wait),
    }
    drop(place);
}

/// Serves the sessions that a peer opens, until the connection ends or the peer is shut out. Says why. Sessions that are under way then end
/// with it. `pause` holds them up.
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
    // As many as QUIC lets a peer open.
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

/// Reads what the peer wants to speak, and takes the session up if its quota allows. If not, it is told so at once; this returns when it
/// may try again.
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
            tracing::debug!(peer = %presence.peer().short(), protocol, "session refused for {wait:?}");
            incoming.refuse_for(wait);
            tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
            None
        }
    }
}

impl Presence {
    /// Says why a session with this peer failed, and notes what that means for it.
    pub fn failed(&self, protocol: &str, error: &ServeError) {
        self.peers.failed(self.peer, protocol, error);
    }
}

impl Peers {
    /// Says why a session with a peer failed, and notes what that means for it.
    pub fn failed(&self, peer: shardwire_model::PeerId, protocol: &str, error: &ServeError) {
        let (code, short) = (error.code(), peer.short());
        match error {
            ServeError::Session(SessionError::Violation(_)) => {
                tracing::warn!(peer = %short, protocol, code, "violation: {error}");
            }
            ServeError::Session(SessionError::Lost(_)) => {
                tracing::debug!(peer = %short, protocol, code, "session lost: {error}");
            }
            ServeError::Session(SessionError::Local(_)) | ServeError::Handler(_) => {
                tracing::error!(peer = %short, protocol, code, "session failed on our side: {error}");
            }
        }
        if let Some(event) = crate::seen(error) {
            self.note(peer, &event);
        }
    }
}
