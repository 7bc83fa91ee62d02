//! Serving a connection: the sessions that the peer opens, and those that our roles consume.

use super::{
    Node, Router,
    events::{Connected, Disconnected, GreetingMissed, HandshakeRefused, IdentityShared},
    links::Adopted,
    twin::{self, Twin},
};
use shardwire_host::services::Opened;
use shardwire_model::{Coded as _, Mutation};
use shardwire_peers::{Presence, sessions};
use shardwire_protocols::{
    ServeError,
    handshake::{self, Agreed, Handshake, HandshakeError, Instance},
    timing::GREETING,
};
use shardwire_transport::{Backoff, Connection, LostCause, WireCode};
use std::{sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, error::Elapsed},
};

/// Before a session that ended is opened again. One that went well, or for long, begins with the shortest wait.
const REOPEN: Backoff = Backoff::between(Duration::from_millis(500), Duration::from_secs(5));
/// The longest that it waits because the peer says so: another may take the work meanwhile, but this one isn't forgotten.
const LONGEST_ASKED_WAIT: Duration = Duration::from_secs(60);

/// Greets and serves a peer that dialled.
pub(super) async fn accepted(router: Arc<Router>, connection: Connection, presence: Arc<Presence>) {
    let (address, peer) = (connection.address(), connection.peer());
    let events = router.node.events.clone();
    match greeted(&router, &connection).await {
        Ok(Ok(agreed)) => {
            self::connection(router, connection, agreed, presence, false).await;
        }
        Ok(Err(error)) => {
            match error {
                HandshakeError::Session(error) => presence.failed("handshake", &error.into()),
                error => {
                    let (code, error) = (error.code(), error.to_string());
                    events.emit(HandshakeRefused { peer, address, code, error });
                }
            }
            // The peer closes when it has read why.
            let _ = tokio::time::timeout(GREETING, connection.closed()).await;
        }
        Err(_) => {
            events.emit(GreetingMissed { peer, address, within: GREETING });
            connection.close();
        }
    }
}

/// Answers the peer's greeting, which has to be the first thing on a connection.
async fn greeted(router: &Router, connection: &Connection) -> Result<Result<Agreed, HandshakeError>, Elapsed> {
    let greeting = async {
        let incoming = connection.accept().await?;
        handshake::answer(incoming.serve::<Handshake>().await?, router.hello(connection.peer())).await
    };
    tokio::time::timeout(GREETING, greeting).await
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// As connections do.
    Usually,
    /// The peer keeps the one with another node of this node's key.
    Yielded,
}

/// Says that a key has two nodes, and notes it.
fn shared(node: &Node, connection: &Connection, twin: Twin) {
    let (peer, address) = (connection.peer(), connection.address());
    node.links.twin(peer, twin);
    node.events.emit(IdentityShared { peer, address, twin });
}

/// Serves a connection to its end. Sessions that are under way then end with it.
pub(super) async fn connection(
    router: Arc<Router>,
    connection: Connection,
    agreed: Agreed,
    presence: Arc<Presence>,
    dialled: bool,
) -> Ended {
    let node = &router.node;
    let peer = connection.peer();
    let own = peer == node.me();
    let met = Instance::met_by(&agreed.capabilities).filter(|_| !own && !agreed.roles.is_empty());
    // Of a peer that wasn't asked and doesn't count, this is no news: anybody could cry it all day.
    if let Some(twin) = met.and_then(|other| twin::met(node.instance, other))
        && (dialled || node.counts(peer).await)
    {
        shared(node, &connection, twin);
        if twin == Twin::Yields {
            connection.close();
            return Ended::Yielded;
        }
    }
    // A peer with a role is kept as one; the command line and clients are only served. Of a node's connection to itself, the
    // dialling end consumes and the other one serves.
    let number = if agreed.roles.is_empty() || (own && !dialled) {
        None
    } else {
        match node.links.adopt(&connection, &agreed, dialled) {
            Adopted::Taken(number) => Some(number),
            Adopted::Redundant => {
                connection.close();
                return Ended::Usually;
            }
            Adopted::Yields => {
                shared(node, &connection, Twin::Met);
                connection.supersede();
                return Ended::Usually;
            }
        }
    };
    if number.is_some() {
        let roles: Vec<&str> = agreed.roles.iter().map(String::as_str).collect();
        node.events.emit(Connected { peer, address: connection.address(), roles: roles.join("+") });
    }
    let agreed = Arc::new(agreed);
    let mut consumed = JoinSet::new();
    if number.is_some() {
        consume(&router, &connection, &agreed, &mut consumed);
    }
    let (serving, pause) = ((router.clone(), agreed), node.endpoint.pause());
    let serve = move |incoming| {
        let (router, agreed) = serving.clone();
        async move { router.services.dispatch(&agreed, incoming).await }
    };
    let why = sessions(&connection, &presence, pause, serve).await;
    if let Some(number) = number {
        node.events.emit(Disconnected { peer, why });
        node.links.release(peer, number);
    }
    consumed.shutdown().await;
    if connection.closed().await == LostCause::Reset(WireCode::Superseded) {
        shared(node, &connection, Twin::Yields);
        return Ended::Yielded;
    }
    Ended::Usually
}

/// Opens the sessions that our roles consume of this peer, and that it announced.
fn consume(router: &Arc<Router>, connection: &Connection, agreed: &Agreed, sessions: &mut JoinSet<()>) {
    for opened in router.services.opened(agreed) {
        for _ in 0..opened.sessions() {
            let hold = hold(router.node.clone(), connection.clone(), opened.clone());
            sessions.spawn(router.node.endpoint.pause().task(hold));
        }
    }
}

/// Holds a session of this protocol with the peer: opens it again whenever it ends. Ends with the connection's task.
async fn hold(node: Arc<Node>, connection: Connection, opened: Arc<Opened>) {
    let peer = connection.peer();
    let mut waits = REOPEN.start(node.randomness.clone());
    loop {
        let began = Instant::now();
        let ended = opened.open(connection.clone()).await;
        if ended.is_ok() || began.elapsed() >= REOPEN.longest {
            waits.reset();
        }
        match ended {
            Ok(()) => {}
            Err(error) => {
                node.host.peers.failed(peer, opened.protocol(), &error);
                // A peer that says when to come again is taken at its word, within reason.
                let asked = if let ServeError::Session(error) = &error { error.retry_after() } else { None };
                tokio::time::sleep(asked.unwrap_or_default().min(LONGEST_ASKED_WAIT)).await;
            }
        }
        if !Mutation::NoBackOff.is_planted() {
            tokio::time::sleep(waits.after_failure()).await;
        }
    }
}
