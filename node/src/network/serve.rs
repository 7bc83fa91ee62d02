//! Serving a connection: the sessions that the peer opens, and those that our roles consume.

use super::{MAX_CONNECTIONS, Node};
use shardwire_model::{Coded as _, PeerId};
use shardwire_protocols::{
    ServeError,
    control::{self, Control, Role},
    handoff::{self, Handoff},
    handshake::{self, Agreed, Handshake, HandshakeError},
    ingress::{self, Ingress},
    keepalive::{self, Keepalive},
    pace::GREETING,
    proof::{self, Proof},
    trace::{self, Trace},
};
use shardwire_transport::{Arrival, Connection, Incoming, SessionError};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::error::Elapsed};

/// How long a failed session waits before it is opened again.
const SESSION_PAUSE: Duration = Duration::from_millis(500);

/// Takes connections until the endpoint is closed.
pub(super) async fn accept(node: Arc<Node>) {
    let mut connections = JoinSet::new();
    while let Some(arrival) = node.endpoint.accept().await {
        while connections.try_join_next().is_some() {}
        if node.endpoint.open_connections() >= MAX_CONNECTIONS {
            tracing::warn!(address = %arrival.address(), "refused: {MAX_CONNECTIONS} connections are open");
            arrival.refuse();
            continue;
        }
        connections.spawn(admit(node.clone(), arrival));
    }
}

async fn admit(node: Arc<Node>, arrival: Arrival) {
    let address = arrival.address();
    match arrival.admit().await {
        Err(error) => tracing::debug!(%address, code = error.code(), "no connection: {error}"),
        Ok(connection) => match greeted(&node, &connection).await {
            Ok(Ok(agreed)) => self::connection(node, connection, agreed, false).await,
            Ok(Err(error)) => {
                let peer = connection.peer().short();
                tracing::warn!(%address, peer, code = error.code(), "handshake refused: {error}");
                // The peer closes when it has read why.
                let _ = tokio::time::timeout(GREETING, connection.closed()).await;
            }
            Err(_) => {
                tracing::warn!(%address, peer = connection.peer().short(), "no greeting within {GREETING:?}");
                connection.close();
            }
        },
    }
}

/// Answers the peer's greeting, which has to be the first thing on a connection.
async fn greeted(node: &Node, connection: &Connection) -> Result<Result<Agreed, HandshakeError>, Elapsed> {
    let greeting = async {
        let incoming = connection.accept().await?;
        handshake::answer(incoming.serve::<Handshake>().await?, node.hello()).await
    };
    tokio::time::timeout(GREETING, greeting).await
}

/// Serves a connection to its end. Sessions that are under way then end with it.
pub(super) async fn connection(node: Arc<Node>, connection: Connection, agreed: Agreed, dialled: bool) {
    let peer = connection.peer();
    let own = peer == node.me();
    // A peer with a role is kept as one; the command line and clients are only served. Of a node's connection to itself, the
    // dialling end consumes and the other one serves.
    let number = if agreed.roles.is_empty() || (own && !dialled) {
        None
    } else {
        match node.links.adopt(&connection, &agreed, dialled) {
            None => return connection.close(),
            number => number,
        }
    };
    if number.is_some() {
        let roles: Vec<&str> = agreed.roles.iter().map(String::as_str).collect();
        tracing::info!(peer = %peer.short(), address = %connection.address(), roles = roles.join("+"), "connected");
    }
    let agreed = Arc::new(agreed);
    let mut sessions = JoinSet::new();
    if number.is_some() {
        consume(&node, &connection, &agreed, &mut sessions);
    }
    loop {
        match connection.accept().await {
            Ok(incoming) => {
                while sessions.try_join_next().is_some() {}
                sessions.spawn(serve(node.clone(), agreed.clone(), incoming));
            }
            Err(error) => {
                if let Some(number) = number {
                    tracing::info!(peer = %peer.short(), "disconnected: {error}");
                    node.links.release(peer, number);
                }
                break;
            }
        }
    }
    sessions.shutdown().await;
}

/// Opens the sessions that our roles consume of this peer.
fn consume(node: &Arc<Node>, connection: &Connection, agreed: &Agreed, sessions: &mut JoinSet<()>) {
    let has = |role: Role| agreed.roles.contains(&role.to_string());
    if let Some(operator) = node.roles.operator.clone().filter(|_| has(Role::Settler) && agreed.speaks::<Handoff>()) {
        let connection = connection.clone();
        sessions.spawn(again("handoff", connection.peer(), move || {
            let (operator, connection) = (operator.clone(), connection.clone());
            async move { operator.follow(connection.open::<Handoff>().await?).await }
        }));
    }
    if let Some(prover) = node.roles.prover.clone().filter(|_| has(Role::Operator) && agreed.speaks::<Trace>()) {
        let connection = connection.clone();
        sessions.spawn(again("trace", connection.peer(), move || {
            let (prover, connection) = (prover.clone(), connection.clone());
            async move { prover.take(connection.open::<Trace>().await?).await }
        }));
    }
    if let Some(settler) = node.roles.settler.clone().filter(|_| has(Role::Prover) && agreed.speaks::<Proof>()) {
        let connection = connection.clone();
        sessions.spawn(again("proof", connection.peer(), move || {
            let (settler, connection) = (settler.clone(), connection.clone());
            async move { settler.collect(connection.open::<Proof>().await?).await }
        }));
    }
    if agreed.speaks::<Keepalive>() {
        let (node, connection) = (node.clone(), connection.clone());
        sessions.spawn(again("keepalive", connection.peer(), move || {
            let (node, connection) = (node.clone(), connection.clone());
            async move {
                let mut client = keepalive::Client::new(connection.open::<Keepalive>().await?);
                loop {
                    let (measured, next) = client.ping(&*node.host.clock).await?;
                    node.links.measured(connection.peer(), measured);
                    client = next;
                    tokio::time::sleep(keepalive::EVERY).await;
                }
            }
        }));
    }
}

/// Holds a session of this protocol with the peer: opens it again whenever it ends. Ends with the connection's task.
async fn again<F>(protocol: &'static str, peer: PeerId, mut session: impl FnMut() -> F + Send)
where
    F: Future<Output = Result<(), ServeError>> + Send,
{
    loop {
        match session().await {
            Ok(()) => {}
            Err(error) => report(protocol, peer, &error),
        }
        tokio::time::sleep(SESSION_PAUSE).await;
    }
}

fn report(protocol: &str, peer: PeerId, error: &ServeError) {
    let code = error.code();
    match error {
        ServeError::Session(SessionError::Violation(_)) => {
            tracing::warn!(peer = %peer.short(), protocol, code, "violation: {error}");
        }
        ServeError::Session(SessionError::Lost(_)) => {
            tracing::debug!(peer = %peer.short(), protocol, code, "session lost: {error}");
        }
        ServeError::Session(SessionError::Local(_)) | ServeError::Handler(_) => {
            tracing::error!(peer = %peer.short(), protocol, code, "session failed on our side: {error}");
        }
    }
}

/// Serves one session that the peer opened, if it is one that was agreed on.
async fn serve(node: Arc<Node>, agreed: Arc<Agreed>, mut incoming: Incoming) {
    let peer = incoming.peer();
    let (protocol, allowed) = match incoming.header().await {
        Ok(header) => (header.protocol, agreed.allows(header)),
        Err(error) => return report("?", peer, &error.into()),
    };
    let served = if allowed { dispatch(&node, incoming).await } else { Err(incoming.unserved().into()) };
    if let Err(error) = served {
        report(&protocol, peer, &error);
    }
}

async fn dispatch(node: &Node, incoming: Incoming) -> Result<(), ServeError> {
    let roles = &node.roles;
    if incoming.is::<Control>() {
        control::serve(incoming.serve::<Control>().await?, node).await
    } else if incoming.is::<Keepalive>() {
        Ok(keepalive::serve(incoming.serve::<Keepalive>().await?, &*node.host.clock).await?)
    } else if let Some(settler) = roles.settler.as_deref().filter(|_| incoming.is::<Handoff>()) {
        handoff::serve(incoming.serve::<Handoff>().await?, settler).await
    } else if let Some(operator) = roles.operator.as_deref().filter(|_| incoming.is::<Trace>()) {
        trace::serve(incoming.serve::<Trace>().await?, operator).await
    } else if let Some(operator) = roles.operator.as_deref().filter(|_| incoming.is::<Ingress>()) {
        ingress::serve(incoming.serve::<Ingress>().await?, operator, &node.host.identity).await
    } else if let Some(prover) = roles.prover.as_deref().filter(|_| incoming.is::<Proof>()) {
        proof::serve(incoming.serve::<Proof>().await?, prover).await
    } else {
        Err(incoming.unserved().into())
    }
}
