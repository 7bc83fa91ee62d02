//! Drives a session of any protocol without knowing the protocol: its type is walked with a real [`Session`], and a [`Driver`]
//! decides what the type leaves open (which branch, which value).
//!
//! For tools and tests that must hold for every protocol in every state, those of tomorrow included. Each step goes through
//! the same methods as typed code; only the loops are unrolled by hand, because Rust's traits can't recurse through them.
//! It never pipelines. A driver stops by returning `None` from [`message`](Driver::message) or [`choose`](Driver::choose): the
//! session is then abandoned.

use super::error::{Local, SessionError};
use super::{Branch, Incoming, Session, core_pool::PooledCore, initiate};
use crate::algebra::{Choose, Eps, Offer, Rec, Recv, Send, Var};
use crate::channel::Channel;
use crate::graph::{Depth, MessageInfo, State};
use crate::message::Message;
use crate::protocol::Protocol;
use bytes::Bytes;
use std::{future::Future, marker, pin::Pin};

/// Decides what a session type leaves open.
pub trait Driver: marker::Send {
    /// The body of a message to send; `None` to give the session up.
    fn message(&mut self, message: MessageInfo) -> Option<Bytes>;
    /// Whether to take the second of two branches; `None` to give the session up.
    fn choose(&mut self) -> Option<bool>;
    /// Called for each message that came.
    fn received(&mut self, _message: MessageInfo) {}
}

/// Where a part of a session led.
#[derive(Debug)]
pub enum Driven {
    /// To the end, or it was given up.
    Over,
    /// Back to the beginning of a loop.
    Back(LoopBack),
}

/// A session on its way back to a loop.
#[derive(Debug)]
pub struct LoopBack {
    core: PooledCore,
    /// How many loops to leave on the way.
    loops: usize,
}

/// A part of a session that is being driven.
pub type Driving<'a> = Pin<Box<dyn Future<Output = Result<Driven, SessionError>> + marker::Send + 'a>>;

/// A session that is being driven to its end.
pub type DrivenSession<'a> = Pin<Box<dyn Future<Output = Result<(), SessionError>> + marker::Send + 'a>>;

/// A state from which a session can be driven: every one.
pub trait Drive: State {
    /// Drives from this state on, until the end or a loop that began before it.
    fn drive<P: Protocol>(session: Session<P, Self>, driver: &mut dyn Driver) -> Driving<'_>;
}

impl<M: Message, N: Drive> Drive for Send<M, N> {
    fn drive<P: Protocol>(mut session: Session<P, Self>, driver: &mut dyn Driver) -> Driving<'_> {
        Box::pin(async move {
            let Some(body) = driver.message(MessageInfo::of::<M>()) else { return Ok(give_up(session)) };
            let message = M::decode(body.into()).map_err(|error| {
                let reason = error.to_string();
                session.core.local(|protocol| Local::Unsendable { protocol, message: M::NAME, reason })
            })?;
            N::drive(session.send(message).await?, driver).await
        })
    }
}

impl<M: Message, N: Drive> Drive for Recv<M, N> {
    fn drive<P: Protocol>(session: Session<P, Self>, driver: &mut dyn Driver) -> Driving<'_> {
        Box::pin(async move {
            let (message, next) = session.recv::<M, N>().await?;
            drop(message);
            driver.received(MessageInfo::of::<M>());
            N::drive(next, driver).await
        })
    }
}

impl<A: Drive, B: Drive> Drive for Choose<A, B> {
    fn drive<P: Protocol>(session: Session<P, Self>, driver: &mut dyn Driver) -> Driving<'_> {
        Box::pin(async move {
            match driver.choose() {
                Some(false) => A::drive(session.first(), driver).await,
                Some(true) => B::drive(session.second(), driver).await,
                None => Ok(give_up(session)),
            }
        })
    }
}

impl<A: Drive, B: Drive> Drive for Offer<A, B> {
    fn drive<P: Protocol>(session: Session<P, Self>, driver: &mut dyn Driver) -> Driving<'_> {
        Box::pin(async move {
            match session.offer().await? {
                Branch::First(first) => A::drive(first, driver).await,
                Branch::Second(second) => B::drive(second, driver).await,
            }
        })
    }
}

impl<S: Drive> Drive for Rec<S> {
    fn drive<P: Protocol>(session: Session<P, Self>, driver: &mut dyn Driver) -> Driving<'_> {
        Box::pin(async move {
            let mut core = session.enter().core;
            loop {
                match S::drive(Session::<P, S>::from_core(core), driver).await? {
                    Driven::Back(LoopBack { core: back, loops: 0 }) => core = back,
                    Driven::Back(LoopBack { core, loops }) => {
                        return Ok(Driven::Back(LoopBack { core, loops: loops - 1 }));
                    }
                    Driven::Over => return Ok(Driven::Over),
                }
            }
        })
    }
}

impl<N: Depth + 'static> Drive for Var<N> {
    fn drive<P: Protocol>(session: Session<P, Self>, _: &mut dyn Driver) -> Driving<'_> {
        Box::pin(async move { Ok(Driven::Back(LoopBack { core: session.core, loops: N::DEPTH })) })
    }
}

impl Drive for Eps {
    fn drive<P: Protocol>(session: Session<P, Self>, _: &mut dyn Driver) -> Driving<'_> {
        Box::pin(async move { session.close().await.map(|()| Driven::Over) })
    }
}

fn give_up<P, S>(session: Session<P, S>) -> Driven {
    session.abandon();
    Driven::Over
}

/// Drives the side that opens the stream. Fails as the session's steps do, and with [`Local::Unsendable`] if the driver's bytes
/// aren't such a message.
pub fn initiator<P: Protocol<Initiator: Drive>>(channel: Channel, driver: &mut dyn Driver) -> DrivenSession<'_> {
    Box::pin(async move { P::Initiator::drive(initiate::<P>(channel)?, driver).await.map(drop) })
}

/// Drives the side that accepts the stream, from the reading of its header on. Fails as [`initiator`] does.
pub fn responder<P: Protocol<Responder: Drive>>(channel: Channel, driver: &mut dyn Driver) -> DrivenSession<'_> {
    Box::pin(async move { P::Responder::drive(Incoming::new(channel).serve::<P>().await?, driver).await.map(drop) })
}
