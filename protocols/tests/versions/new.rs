//! A version 2 of `keepalive`: the answer also says how much the peer has to do. It shares with version 1 what doesn't change.

use serde::{Deserialize, Serialize};
use shardwire_model::Timestamp;
use shardwire_protocols::keepalive::{Bye, Ping};
use shardwire_transport::{
    Initiator, Protocol, Responder, SessionError,
    algebra::{Choose, Eps, HasDual, Rec, Recv, Send, Var, Z},
    message, offer,
};
use std::time::Duration;

/// What the peers here have to do.
pub(crate) const LOAD: u8 = 42;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pong {
    sent: Timestamp,
    received: Timestamp,
    load: u8,
}

message!(Pong, max_bytes = 21, deadline = Duration::from_secs(10));

pub(crate) enum Keepalive {}

type Turn = Choose<Send<Ping, Recv<Pong, Var<Z>>>, Send<Bye, Eps>>;

impl Protocol for Keepalive {
    const NAME: &'static str = "keepalive";
    const VERSION: u16 = 2;
    type Initiator = Rec<Turn>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}

/// Asks once, for the load.
pub(crate) async fn ping(session: Initiator<Keepalive>, sent: u64) -> Result<u8, SessionError> {
    let sent = Timestamp(sent);
    let (pong, session) = session.enter().choose(Ping { sent }).await?.recv::<Pong, _>().await?;
    assert_eq!(pong.sent, sent);
    session.repeat().choose(Bye {}).await?.close().await?;
    Ok(pong.load)
}

pub(crate) async fn serve(session: Responder<Keepalive>) -> Result<(), SessionError> {
    let mut session = session.enter();
    loop {
        session = offer!(session => {
            Ping(Ping { sent }), next => {
                next.send(Pong { sent, received: Timestamp(43_200_000), load: LOAD }).await?.repeat()
            },
            Bye(_), end => return end.close().await,
        });
    }
}
