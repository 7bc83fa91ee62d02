mod errand;
use errand::{Errand, Parcel};
use shardwire_transport::{Initiator, SessionError};

async fn customer(session: Initiator<Errand>) -> Result<(), SessionError> {
    let (Parcel, session) = session.recv().await?;
    session.abandon();
    Ok(())
}

fn main() {}
