mod errand;
use errand::{Errand, Order, Parcel, Thanks};
use shardwire_transport::{Branch, Initiator, SessionError, offer};

async fn customer(session: Initiator<Errand>) -> Result<(), SessionError> {
    match session.send(Order).await?.offer().await? {
        Branch::First(parcel) => {
            let (Parcel, session) = parcel.recv().await?;
            session.send(Thanks).await?.close().await
        }
    }
}

async fn hasty_customer(session: Initiator<Errand>) -> Result<(), SessionError> {
    let session = session.send(Order).await?;
    offer!(session => {
        Parcel(Parcel), session => session.send(Thanks).await?.close().await,
    })
}

fn main() {}
