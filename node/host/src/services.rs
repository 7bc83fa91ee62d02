//! Which protocols this node serves and which it opens: one line each, given by the room that does the work.
//!
//! A role's lines stand in its `services.rs`; what every node does stands with the network. Everything else follows from them. The greeting
//! announces exactly what is served here, so a peer that believes it is never refused; a session that was announced is dispatched to its
//! handler, and any other is the violation of the peer that opened it. What is opened is opened with peers that announced it, in the highest common
//! version, for as long as the connection lasts.
//!
//! Refused: a protocol that nobody here serves, or in another version than the one agreed on. Bound: as many protocols as
//! [`MAX_PROTOCOLS`](shardwire_protocols::handshake::MAX_PROTOCOLS) in each list. Of one protocol and version the first handler serves.

use shardwire_model::Role;
use shardwire_protocols::{
    ServeError,
    catalogue::ProtocolId,
    handshake::{Agreed, Spoken, announce},
};
use shardwire_transport::{Connection, Incoming, Initiator, Protocol, Responder};
use std::{fmt, pin::Pin, sync::Arc};

/// A session under way.
pub type Running = Pin<Box<dyn Future<Output = Result<(), ServeError>> + Send>>;

struct Served {
    protocol: ProtocolId,
    serve: Box<dyn Fn(Incoming) -> Running + Send + Sync>,
}

/// A protocol that this node opens with its peers.
pub struct Opened {
    protocol: ProtocolId,
    /// Peers without this role aren't asked, whatever they announce.
    role: Option<Role>,
    /// How many at a time.
    sessions: usize,
    open: Box<dyn Fn(Connection) -> Running + Send + Sync>,
}

impl Opened {
    /// How many sessions are held at a time with a peer.
    pub fn sessions(&self) -> usize {
        self.sessions
    }

    /// The protocol's name.
    pub fn protocol(&self) -> &'static str {
        self.protocol.name
    }

    /// Opens a session on this connection, and goes on until it ends.
    pub fn open(&self, connection: Connection) -> Running {
        (self.open)(connection)
    }
}

/// What this node serves and opens.
#[derive(Default)]
pub struct Services {
    served: Vec<Served>,
    opened: Vec<Arc<Opened>>,
}

impl Services {
    /// Serves a protocol: `serve` is given `handler` and each session that a peer opens.
    pub fn serve<P, T, F>(mut self, handler: &Arc<T>, serve: fn(Arc<T>, Responder<P>) -> F) -> Self
    where
        P: Protocol,
        T: Send + Sync + 'static,
        F: Future<Output = Result<(), ServeError>> + Send + 'static,
    {
        let handler = handler.clone();
        let serve = Box::new(move |incoming: Incoming| {
            let handler = handler.clone();
            let session = async move { serve(handler, incoming.serve::<P>().await?).await };
            Box::pin(session) as Running
        });
        self.served.push(Served { protocol: ProtocolId::of::<P>(), serve });
        self
    }

    /// Consumes a protocol of peers with this role: `consume` is given `consumer` and a session, again and again.
    pub fn consume_from<P, T, F>(self, role: Role, consumer: &Arc<T>, consume: fn(Arc<T>, Initiator<P>) -> F) -> Self
    where
        P: Protocol,
        T: Send + Sync + 'static,
        F: Future<Output = Result<(), ServeError>> + Send + 'static,
    {
        self.open_with(Some(role), consumer, consume)
    }

    /// Consumes a protocol of every peer that has a role.
    pub fn consume<P, T, F>(self, consumer: &Arc<T>, consume: fn(Arc<T>, Initiator<P>) -> F) -> Self
    where
        P: Protocol,
        T: Send + Sync + 'static,
        F: Future<Output = Result<(), ServeError>> + Send + 'static,
    {
        self.open_with(None, consumer, consume)
    }

    /// Consumes a protocol of peers with this role in several sessions at a time: each is given `consumer` and the connection again and again, and
    /// opens a session when it has a use for one.
    pub fn consume_in_sessions<P, T, F>(
        mut self,
        role: Role,
        sessions: usize,
        consumer: &Arc<T>,
        consume: fn(Arc<T>, Connection) -> F,
    ) -> Self
    where
        P: Protocol,
        T: Send + Sync + 'static,
        F: Future<Output = Result<(), ServeError>> + Send + 'static,
    {
        let consumer = consumer.clone();
        let open = Box::new(move |connection: Connection| Box::pin(consume(consumer.clone(), connection)) as Running);
        let (protocol, role) = (ProtocolId::of::<P>(), Some(role));
        self.opened.push(Arc::new(Opened { protocol, role, sessions, open }));
        self
    }

    fn open_with<P, T, F>(
        mut self,
        role: Option<Role>,
        consumer: &Arc<T>,
        consume: fn(Arc<T>, Initiator<P>) -> F,
    ) -> Self
    where
        P: Protocol,
        T: Send + Sync + 'static,
        F: Future<Output = Result<(), ServeError>> + Send + 'static,
    {
        let consumer = consumer.clone();
        let open = Box::new(move |connection: Connection| {
            let consumer = consumer.clone();
            let session = async move { consume(consumer, connection.open::<P>().await?).await };
            Box::pin(session) as Running
        });
        self.opened.push(Arc::new(Opened { protocol: ProtocolId::of::<P>(), role, sessions: 1, open }));
        self
    }

    /// What the greeting announces as served.
    pub fn serves(&self) -> Vec<Spoken> {
        announce(self.served.iter().map(|it| it.protocol))
    }

    /// What the greeting says that this node opens.
    pub fn opens(&self) -> Vec<Spoken> {
        announce(self.opened.iter().map(|it| it.protocol))
    }

    /// Whether this protocol is served in this version.
    #[must_use]
    pub fn has(&self, protocol: ProtocolId) -> bool {
        self.served.iter().any(|it| it.protocol == protocol)
    }

    /// What is to be opened with a peer: of the protocols that it announced, those that its roles are asked for.
    pub fn opened(&self, agreed: &Agreed) -> Vec<Arc<Opened>> {
        let wanted = |it: &&Arc<Opened>| {
            agreed.opens.get(it.protocol.name) == Some(&it.protocol.version)
                && it.role.is_none_or(|role| agreed.roles.contains(&role.to_string()))
        };
        self.opened.iter().filter(wanted).cloned().collect()
    }

    /// Serves a session that a peer opened.
    ///
    /// # Errors
    /// [`ServeError::Session`] with a violation if it wasn't announced to this peer, [`ServeError::Handler`] as its handler says.
    pub async fn dispatch(&self, agreed: &Agreed, mut incoming: Incoming) -> Result<(), ServeError> {
        let header = incoming.header().await?;
        let served = self.served.iter().find(|it| {
            header.protocol.as_str() == it.protocol.name
                && header.version == it.protocol.version
                && agreed.allows(header)
        });
        match served {
            Some(served) => (served.serve)(incoming).await,
            None => Err(incoming.unserved().into()),
        }
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").field("serves", &self.serves()).field("opens", &self.opens()).finish()
    }
}
