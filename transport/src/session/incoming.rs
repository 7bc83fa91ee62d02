//! How sessions begin: the initiator's header, the responder's reading of it, and in-memory pairs for tests.

use super::bulk::{self, BulkSlot};
use super::core::StateName;
use super::core_pool::ConnectionResources;
use super::core_pool::PooledCore;
use super::error::{Local, SessionError, ViolationKind};
use super::meter::{Meter, Metered};
use super::{Initiator, Responder, Session, WireCode};
use crate::{
    Protocol,
    channel::Channel,
    graph::MessageInfo,
    message::Message,
    wire::header::{Header, MAX_PROTOCOL_NAME_BYTES},
};
use shardwire_model::PeerId;
use std::{future::poll_fn, sync::Arc, task::ready, time::Duration};

/// Begins a session on a fresh channel. Nothing is sent before the first message.
///
/// # Errors
/// [`Local::Unsendable`] if the protocol's name is longer than a header may hold.
pub fn initiate<P: Protocol>(channel: Channel) -> Result<Initiator<P>, SessionError> {
    initiate_with::<P>(channel, None)
}

fn initiate_with<P: Protocol>(
    channel: Channel,
    shared: Option<Arc<ConnectionResources>>,
) -> Result<Initiator<P>, SessionError> {
    let mut core = PooledCore::within(channel, P::NAME, shared);
    core.prioritise(bulk::priority::<P::Initiator>());
    let Some(header) = Header::new(P::NAME, P::VERSION) else {
        let reason = format!("a protocol's name has more than {MAX_PROTOCOL_NAME_BYTES} bytes");
        return Err(core.local(|protocol| Local::Unsendable { protocol, message: Header::NAME, reason }));
    };
    core.queue(&header)?;
    Ok(Session::from_core(core))
}

impl ConnectionResources {
    /// Waits for a slot, if the session needs one.
    pub(crate) async fn bulk_slot<P: Protocol>(&self) -> Option<BulkSlot> {
        self.bulk_slots.wait::<P::Initiator>().await
    }

    pub(crate) fn initiate<P: Protocol>(
        self: &Arc<Self>,
        channel: Channel,
        slot: Option<BulkSlot>,
    ) -> Result<Initiator<P>, SessionError> {
        let mut session = initiate_with::<P>(channel, Some(Arc::clone(self)))?;
        session.core.bulk_slot = slot;
        Ok(session)
    }

    pub(crate) fn incoming(self: &Arc<Self>, channel: Channel) -> Incoming {
        Incoming { core: PooledCore::within(channel, "?", Some(Arc::clone(self))), header: None }
    }
}

/// The two sides of a protocol, connected in memory, without a header.
pub fn pair<P: Protocol>() -> (Initiator<P>, Responder<P>) {
    pair_over::<P>(Channel::pair())
}

/// As [`pair`], over given channels.
pub fn pair_over<P: Protocol>((initiator, responder): (Channel, Channel)) -> (Initiator<P>, Responder<P>) {
    (Session::from_core(PooledCore::new(initiator, P::NAME)), Session::from_core(PooledCore::new(responder, P::NAME)))
}

/// A stream that a peer opened. Which protocol it speaks isn't known until [`header`](Self::header) has read it.
#[derive(Debug)]
#[must_use = "an incoming stream is served or refused"]
pub struct Incoming {
    core: PooledCore,
    header: Option<Header>,
}

impl Incoming {
    /// Takes a channel on which the peer is the initiator.
    pub fn new(channel: Channel) -> Self {
        Self { core: PooledCore::new(channel, "?"), header: None }
    }

    /// The peer that opened it.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.core.channel().peer()
    }

    /// Reads the header, which names the protocol and version that the peer wants. Cancel safe; a second call returns
    /// the same.
    ///
    /// # Errors
    /// [`SessionError::Violation`] if the header is late or malformed, [`SessionError::Lost`] if the stream is lost.
    pub async fn header(&mut self) -> Result<&Header, SessionError> {
        if self.header.is_none() {
            let body = poll_fn(|cx| {
                ready!(self.core.poll_paid(cx));
                self.core.poll_frame(cx, &MessageInfo::of::<Header>())
            });
            let body = body.await?;
            let header = Header::decode(body).map_err(|error| {
                let kind = ViolationKind::Malformed { reason: error.to_string() };
                self.core.violation(StateName::Awaiting(Header::NAME), kind)
            })?;
            self.header = Some(header);
        }
        // `get_or_insert_default` never inserts here; it saves an unreachable branch.
        Ok(self.header.get_or_insert_default())
    }

    /// Whether the peer wants this protocol in this version. Doesn't wait: `false` before [`header`](Self::header)
    /// has returned.
    #[must_use]
    pub fn is<P: Protocol>(&self) -> bool {
        self.header.as_ref().is_some_and(|header| &header.protocol == P::NAME && header.version == P::VERSION)
    }

    /// Begins the responder's side of `P`.
    ///
    /// # Errors
    /// [`ViolationKind::UnknownProtocol`] if the peer wants another protocol or version; [`Local::NoBulkSlot`] if too
    /// many sessions carry bulk already, which the peer sees as [`WireCode::Busy`]; otherwise as
    /// [`header`](Self::header).
    pub async fn serve<P: Protocol>(mut self) -> Result<Responder<P>, SessionError> {
        self.header().await?;
        if !self.is::<P>() {
            return Err(self.unserved());
        }
        self.core.protocol = P::NAME.into();
        if let Some(shared) = &self.core.shared {
            let Ok(slot) = shared.bulk_slots.now::<P::Responder>() else {
                self.core.give_up(WireCode::Busy);
                return Err(self.core.local(|protocol| Local::NoBulkSlot { protocol }));
            };
            self.core.bulk_slot = slot;
        }
        self.core.prioritise(bulk::priority::<P::Responder>());
        Ok(Session::from_core(self.core))
    }

    /// Refuses a protocol or version that this node doesn't serve, and returns the violation.
    #[must_use = "the violation is to be reported"]
    pub fn unserved(mut self) -> SessionError {
        let (name, version) =
            self.header.take().map_or(("?".to_owned(), 0), |header| (header.protocol.to_string(), header.version));
        self.core.protocol = name.clone().into();
        self.core.violation(StateName::Awaiting(Header::NAME), ViolationKind::UnknownProtocol { name, version })
    }

    /// Meters the session: `meter` is told what the peer uses from here on.
    pub fn metered(mut self, meter: Arc<dyn Meter>) -> Self {
        self.core.metered = Some(Metered::new(meter));
        self
    }

    /// Refuses with [`WireCode::Busy`]: there is no capacity.
    pub fn refuse(mut self) {
        self.core.give_up(WireCode::Busy);
    }

    /// Refuses for now, and tells the peer how long to wait before it tries again.
    pub fn refuse_for(mut self, wait: Duration) {
        self.core.give_up(WireCode::retry_after(wait));
    }
}
