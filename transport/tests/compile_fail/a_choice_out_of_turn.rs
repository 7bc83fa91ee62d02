mod errand;
use errand::{Errand, Order};
use shardwire_transport::{Branch, Initiator, Responder, SessionError};

async fn customer(session: Initiator<Errand>) -> Result<(), SessionError> {
    session.first().abandon();
    Ok(())
}

async fn shop(session: Responder<Errand>) -> Result<(), SessionError> {
    let (Order, session) = session.recv().await?;
    match session.offer().await? {
        Branch::First(parcel) => parcel.abandon(),
        Branch::Second(regret) => regret.abandon(),
    }
    Ok(())
}

fn main() {}
