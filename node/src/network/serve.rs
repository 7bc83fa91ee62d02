//! Serving a connection: the sessions that the peer opens, and those that our roles consume.

use super::Node;
use shardwire_model::{Coded as _, Mutation, PeerId, Role};
use shardwire_peers::{Presence, sessions};
use shardwire_protocols::{
    ServeError,
    control::{self, Control},
    handoff::{self, Handoff},
    handshake::{self, Agreed, Handshake, HandshakeError},
    ingress::{self, Ingress},
    keepalive::{self, Keepalive},
    life::{self, Lives},
    pace::GREETING,
    proof::{self, Proof},
    reputation::{self, Reputation},
    trace::{self, Trace},
};
use shardwire_transport::{Connection, Incoming};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::error::Elapsed};

/// How long a failed session waits before it is opened again.
const SESSION_PAUSE: Duration = Duration::from_millis(500);
/// The longest that it waits because the peer says so: another may take the work meanwhile, but this one isn't forgotten.
const LONGEST_SESSION_PAUSE: Duration = Duration::from_secs(60);

/// Greets and serves a peer that dialled.
pub(super) async fn accepted(node: Arc<Node>, connection: Connection, presence: Arc<Presence>) {
    let (address, peer) = (connection.address(), connection.peer().short());
    match greeted(&node, &connection).await {
        Ok(Ok(agreed)) => self::connection(node, connection, agreed, presence, false).await,
        Ok(Err(error)) => {
            match error {
                HandshakeError::Session(error) => presence.failed("handshake", &error.into()),
                error => tracing::warn!(%address, peer, code = error.code(), "handshake refused: {error}"),
            }
            // The peer closes when it has read why.
            let _ = tokio::time::timeout(GREETING, connection.closed()).await;
        }
        Err(_) => {
            tracing::warn!(%address, peer, "no greeting within {GREETING:?}");
            connection.close();
        }
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
pub(super) async fn connection(
    node: Arc<Node>,
    connection: Connection,
    agreed: Agreed,
    presence: Arc<Presence>,
    dialled: bool,
) {
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
    let mut consumed = JoinSet::new();
    if number.is_some() {
        consume(&node, &connection, &agreed, &mut consumed);
    }
    let (serving, pause) = ((node.clone(), agreed), node.endpoint.pause());
    let serve = move |incoming| {
        let (node, agreed) = serving.clone();
        async move { dispatch(&node, &agreed, incoming).await }
    };
    let gone = sessions(&connection, &presence, pause, serve).await;
    if let Some(number) = number {
        tracing::info!(peer = %peer.short(), "disconnected: {gone}");
        node.links.release(peer, number);
    }
    consumed.shutdown().await;
}

/// Opens the sessions that our roles consume of this peer.
fn consume(node: &Arc<Node>, connection: &Connection, agreed: &Agreed, sessions: &mut JoinSet<()>) {
    let has = |role: Role| agreed.roles.contains(&role.to_string());
    let pause = node.endpoint.pause();
    // Assignments come from those alone that the World lists, whatever a peer says that it is.
    let settles = has(Role::Settler) && node.host.world.is_settler(connection.peer());
    if let Some(operator) = node.roles.operator.clone().filter(|_| settles && agreed.speaks::<Handoff>()) {
        let connection = connection.clone();
        sessions.spawn(pause.task(again(node.clone(), "handoff", connection.peer(), move || {
            let (operator, connection) = (operator.clone(), connection.clone());
            async move { operator.follow(connection.open::<Handoff>().await?).await }
        })));
    }
    if let Some(prover) = node.roles.prover.clone().filter(|_| has(Role::Operator) && agreed.speaks::<Trace>()) {
        let connection = connection.clone();
        sessions.spawn(pause.task(again(node.clone(), "trace", connection.peer(), move || {
            let (prover, connection) = (prover.clone(), connection.clone());
            async move { prover.take(connection.open::<Trace>().await?).await }
        })));
    }
    if let Some(settler) = node.roles.settler.clone().filter(|_| has(Role::Prover) && agreed.speaks::<Proof>()) {
        let connection = connection.clone();
        sessions.spawn(pause.task(again(node.clone(), "proof", connection.peer(), move || {
            let (settler, connection) = (settler.clone(), connection.clone());
            async move { settler.collect(connection.open::<Proof>().await?).await }
        })));
    }
    if agreed.speaks::<Keepalive>() {
        let (node, connection) = (node.clone(), connection.clone());
        sessions.spawn(pause.task(again(node.clone(), "keepalive", connection.peer(), move || {
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
        })));
    }
}

/// Holds a session of this protocol with the peer: opens it again whenever it ends. Ends with the connection's task.
async fn again<F>(node: Arc<Node>, protocol: &'static str, peer: PeerId, mut session: impl FnMut() -> F + Send)
where
    F: Future<Output = Result<(), ServeError>> + Send,
{
    loop {
        match session().await {
            Ok(()) => {}
            Err(error) => {
                node.host.peers.failed(peer, protocol, &error);
                // A peer that says when to come again is taken at its word, within reason.
                let asked = if let ServeError::Session(error) = &error { error.retry_after() } else { None };
                tokio::time::sleep(asked.unwrap_or_default().min(LONGEST_SESSION_PAUSE)).await;
            }
        }
        if !Mutation::NoBackOff.is_planted() {
            tokio::time::sleep(SESSION_PAUSE).await;
        }
    }
}

/// Serves one session that the peer opened, if it is one that was agreed on.
async fn dispatch(node: &Node, agreed: &Agreed, mut incoming: Incoming) -> Result<(), ServeError> {
    let roles = &node.roles;
    if !agreed.allows(incoming.header().await?) {
        Err(incoming.unserved().into())
    } else if incoming.is::<Control>() {
        control::serve(incoming.serve::<Control>().await?, node).await
    } else if incoming.is::<Reputation>() {
        reputation::serve(incoming.serve::<Reputation>().await?, node).await
    } else if incoming.is::<Lives>() {
        life::serve(incoming.serve::<Lives>().await?, node).await
    } else if incoming.is::<Keepalive>() {
        Ok(keepalive::serve(incoming.serve::<Keepalive>().await?, &*node.host.clock).await?)
    } else if let Some(settler) = roles.settler.as_deref().filter(|_| incoming.is::<Handoff>()) {
        handoff::serve(incoming.serve::<Handoff>().await?, settler).await
    } else if let Some(operator) = roles.operator.as_deref().filter(|_| incoming.is::<Trace>()) {
        trace::serve(incoming.serve::<Trace>().await?, operator).await
    } else if let Some(operator) = roles.operator.as_deref().filter(|_| incoming.is::<Ingress>()) {
        ingress::serve(incoming.serve::<Ingress>().await?, operator, &node.host.identity).await
    } else if let Some(prover) = roles.prover.as_deref().filter(|_| incoming.is::<Proof>()) {
        proof::serve(incoming.serve::<Proof>().await?, &node.host.identity, prover).await
    } else {
        Err(incoming.unserved().into())
    }
}
