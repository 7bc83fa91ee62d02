mod errand;
use errand::{Errand, Order, Regret};
use shardwire_transport::{Branch, Initiator, Responder, SessionError};

async fn shop(session: Responder<Errand>) -> Result<(), SessionError> {
    let (Order, session) = session.recv().await?;
    let end = session.choose(Regret).await?;
    end.close().await?;
    end.close().await
}

async fn customer(session: Initiator<Errand>) -> Result<(), SessionError> {
    let waiting = session.send(Order).await?;
    waiting.abandon();
    match waiting.offer().await? {
        Branch::First(parcel) => parcel.abandon(),
        Branch::Second(regret) => regret.abandon(),
    }
    Ok(())
}

fn main() {}
