// Rust has no types that must be used: a session that is bound to a name and goes out of scope compiles, and resets its
// stream. What can be had is that none is dropped where it comes into being; this repository denies that lint everywhere.
#![deny(unused_must_use)]
mod errand;
use errand::{Errand, Order};
use shardwire_transport::{Initiator, Responder, SessionError};

async fn customer(session: Initiator<Errand>) -> Result<(), SessionError> {
    session.send(Order).await?;
    Ok(())
}

async fn shop(session: Responder<Errand>) -> Result<(), SessionError> {
    session.recv::<Order, _>().await?.1;
    Ok(())
}

fn main() {}
