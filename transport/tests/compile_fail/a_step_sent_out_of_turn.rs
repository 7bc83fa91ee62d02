mod errand;
use errand::{Errand, Order, Parcel, Thanks};
use shardwire_transport::{Initiator, Responder, SessionError};

async fn customer(session: Initiator<Errand>) -> Result<(), SessionError> {
    session.send(Thanks).await?.abandon();
    Ok(())
}

async fn shop(session: Responder<Errand>) -> Result<(), SessionError> {
    session.send(Parcel).await?.abandon();
    Ok(())
}

async fn hasty_shop(session: Responder<Errand>) -> Result<(), SessionError> {
    let (Order, session) = session.recv().await?;
    session.send(Parcel).await?.abandon();
    Ok(())
}

fn main() {}
