//! Version 1 of `keepalive` as the old program has it. A copy of its own, so that it stays what it is.

use serde::{Deserialize, Serialize};
use shardwire_transport::{
    Initiator, Protocol, Responder, SessionError,
    algebra::{Choose, Eps, HasDual, Rec, Recv, Send, Var, Z},
    message, offer,
};
use std::time::Duration;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ping {
    sent: u64,
}
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pong {
    sent: u64,
    received: u64,
}
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Bye {}

message!(Ping, max_bytes = 10, deadline = Duration::from_secs(30));
message!(Pong, max_bytes = 20, deadline = Duration::from_secs(10));
message!(Bye, max_bytes = 0, deadline = Duration::from_secs(30));

pub(crate) enum Keepalive {}

type Turn = Choose<Send<Ping, Recv<Pong, Var<Z>>>, Send<Bye, Eps>>;

impl Protocol for Keepalive {
    const NAME: &'static str = "keepalive";
    const VERSION: u16 = 1;
    type Initiator = Rec<Turn>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}

/// Sends one ping and reads the answer.
pub(crate) async fn ping(session: Initiator<Keepalive>, sent: u64) -> Result<(), SessionError> {
    let (pong, session) = session.enter().choose(Ping { sent }).await?.recv::<Pong, _>().await?;
    assert_eq!((pong.sent, pong.received), (sent, 43_200_000));
    session.repeat().choose(Bye {}).await?.close().await
}

pub(crate) async fn serve(session: Responder<Keepalive>) -> Result<(), SessionError> {
    let mut session = session.enter();
    loop {
        session = offer!(session => {
            Ping(Ping { sent }), next => next.send(Pong { sent, received: 43_200_000 }).await?.repeat(),
            Bye(_), end => return end.close().await,
        });
    }
}
