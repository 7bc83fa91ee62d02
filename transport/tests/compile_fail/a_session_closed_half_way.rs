mod errand;
use errand::{Errand, Order};
use shardwire_transport::{Initiator, SessionError};

async fn customer(session: Initiator<Errand>) -> Result<(), SessionError> {
    session.send(Order).await?.close().await
}

fn main() {}
