mod errand;
use errand::{Errand, Order, Thanks};
use shardwire_transport::{Responder, SessionError};

async fn shop(session: Responder<Errand>) -> Result<(), SessionError> {
    let (Order, session) = session.recv().await?;
    session.choose(Thanks).await?.abandon();
    Ok(())
}

fn main() {}
