//! A session of any protocol, played without knowing the protocol: its type is walked with a real [`Session`], and what the type
//! leaves open (which branch, which value) a [`Player`] decides.
//!
//! For tools and tests that must hold for every protocol in every state, those of tomorrow included. Each step goes through
//! the same methods as typed code; only the loops are unrolled by hand, because Rust's traits can't recurse through them.
//! It is stepwise: it never pipelines. A player that wants to stop has [`say`](Player::say) or [`choose`](Player::choose) say
//! nothing: the session is then abandoned.

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
pub trait Player: marker::Send {
    /// The body of a message to send; nothing to give the session up.
    fn say(&mut self, message: MessageInfo) -> Option<Bytes>;
    /// Whether to take the second of two branches; nothing to give the session up.
    fn choose(&mut self) -> Option<bool>;
    /// A message came.
    fn heard(&mut self, _message: MessageInfo) {}
}

/// Where a part of a session led.
#[derive(Debug)]
pub enum Played {
    /// To the end, or it was given up.
    Over,
    /// Back to the beginning of a loop.
    Back(Onward),
}

/// A session on its way back to a loop.
#[derive(Debug)]
pub struct Onward {
    core: PooledCore,
    /// How many loops to leave on the way.
    loops: usize,
}

/// A part of a session, being played.
pub type Playing<'a> = Pin<Box<dyn Future<Output = Result<Played, SessionError>> + marker::Send + 'a>>;

/// A session, being played to its end.
pub type Ending<'a> = Pin<Box<dyn Future<Output = Result<(), SessionError>> + marker::Send + 'a>>;

/// A state that can be played: every one.
pub trait Play: State {
    /// Plays from this state on, until the end or a loop that began before it.
    fn play<P: Protocol>(session: Session<P, Self>, player: &mut dyn Player) -> Playing<'_>;
}

impl<M: Message, N: Play> Play for Send<M, N> {
    fn play<P: Protocol>(mut session: Session<P, Self>, player: &mut dyn Player) -> Playing<'_> {
        Box::pin(async move {
            let Some(body) = player.say(MessageInfo::of::<M>()) else { return Ok(give_up(session)) };
            let message = M::decode(body.into()).map_err(|error| {
                let reason = error.to_string();
                session.core.local(|protocol| Local::Unsendable { protocol, message: M::NAME, reason })
            })?;
            N::play(session.send(message).await?, player).await
        })
    }
}

impl<M: Message, N: Play> Play for Recv<M, N> {
    fn play<P: Protocol>(session: Session<P, Self>, player: &mut dyn Player) -> Playing<'_> {
        Box::pin(async move {
            let (message, next) = session.recv::<M, N>().await?;
            drop(message);
            player.heard(MessageInfo::of::<M>());
            N::play(next, player).await
        })
    }
}

impl<A: Play, B: Play> Play for Choose<A, B> {
    fn play<P: Protocol>(session: Session<P, Self>, player: &mut dyn Player) -> Playing<'_> {
        Box::pin(async move {
            match player.choose() {
                Some(false) => A::play(session.first(), player).await,
                Some(true) => B::play(session.second(), player).await,
                None => Ok(give_up(session)),
            }
        })
    }
}

impl<A: Play, B: Play> Play for Offer<A, B> {
    fn play<P: Protocol>(session: Session<P, Self>, player: &mut dyn Player) -> Playing<'_> {
        Box::pin(async move {
            match session.offer().await? {
                Branch::First(first) => A::play(first, player).await,
                Branch::Second(second) => B::play(second, player).await,
            }
        })
    }
}

impl<S: Play> Play for Rec<S> {
    fn play<P: Protocol>(session: Session<P, Self>, player: &mut dyn Player) -> Playing<'_> {
        Box::pin(async move {
            let mut core = session.enter().core;
            loop {
                match S::play(Session::<P, S>::from_core(core), player).await? {
                    Played::Back(Onward { core: back, loops: 0 }) => core = back,
                    Played::Back(Onward { core, loops }) => {
                        return Ok(Played::Back(Onward { core, loops: loops - 1 }));
                    }
                    Played::Over => return Ok(Played::Over),
                }
            }
        })
    }
}

impl<N: Depth + 'static> Play for Var<N> {
    fn play<P: Protocol>(session: Session<P, Self>, _: &mut dyn Player) -> Playing<'_> {
        Box::pin(async move { Ok(Played::Back(Onward { core: session.core, loops: N::DEPTH })) })
    }
}

impl Play for Eps {
    fn play<P: Protocol>(session: Session<P, Self>, _: &mut dyn Player) -> Playing<'_> {
        Box::pin(async move { session.close().await.map(|()| Played::Over) })
    }
}

fn give_up<P, S>(session: Session<P, S>) -> Played {
    session.abandon();
    Played::Over
}

/// Plays the side that opens the stream. Fails as the session's steps do, and with [`Local::Unsendable`] if the player says what is
/// no such message.
pub fn initiator<P: Protocol<Initiator: Play>>(channel: Channel, player: &mut dyn Player) -> Ending<'_> {
    Box::pin(async move { P::Initiator::play(initiate::<P>(channel)?, player).await.map(drop) })
}

/// Plays the side that accepts the stream, from the reading of its header on. Fails as [`initiator`] does.
pub fn responder<P: Protocol<Responder: Play>>(channel: Channel, player: &mut dyn Player) -> Ending<'_> {
    Box::pin(async move { P::Responder::play(Incoming::new(channel).serve::<P>().await?, player).await.map(drop) })
}
