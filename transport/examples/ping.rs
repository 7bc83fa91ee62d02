//! Two peers on the loopback interface: one pings the other three times, then says goodbye.

use serde::{Deserialize, Serialize};
use shardwire_transport::algebra::{Choose, Eps, HasDual, Rec, Recv, Send, Var, Z};
use shardwire_transport::{
    Connection, Endpoint, Identity, Initiator, Protocol, Responder, SessionError, Settings, message, offer,
};
use std::{error::Error, time::Duration};

// Messages: what they hold, how long they may be, how long they may take.
#[derive(Debug, Serialize, Deserialize)]
struct Ping(u32);
message!(Ping, max_bytes = 5, deadline = Duration::from_secs(60));
#[derive(Debug, Serialize, Deserialize)]
struct Pong(u32);
message!(Pong, max_bytes = 5, deadline = Duration::from_secs(10));
#[derive(Debug, Serialize, Deserialize)]
struct Bye;
message!(Bye, max_bytes = 0, deadline = Duration::from_secs(60));

// The protocol: the type of the side that opens the session. The other side's is its dual.
struct PingPong;
impl Protocol for PingPong {
    const NAME: &'static str = "ping";
    const VERSION: u16 = 1;
    type Initiator = Rec<Choose<Send<Ping, Recv<Pong, Var<Z>>>, Send<Bye, Eps>>>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}
type Pinger = Initiator<PingPong>;
type Ponger = Responder<PingPong>;

async fn ping(session: Pinger, times: u32) -> Result<(), SessionError> {
    let mut session = session.enter();
    for number in 0..times {
        let (Pong(back), next) = session.choose(Ping(number)).await?.recv().await?;
        println!("pong {back}");
        session = next.repeat();
    }
    session.choose(Bye).await?.close().await
}

async fn pong(session: Ponger) -> Result<(), SessionError> {
    let mut session = session.enter();
    loop {
        session = offer!(session => {
            Ping(Ping(number)), next => next.send(Pong(number)).await?.repeat(),
            Bye(_), next => return next.close().await,
        });
    }
}

async fn serve(endpoint: Endpoint) -> Result<(), Box<dyn Error>> {
    let arrival = endpoint.accept().await.ok_or("the endpoint is closed")?;
    let connection: Connection = arrival.admit().await?;
    pong(connection.accept().await?.serve::<PingPong>().await?).await?;
    connection.close();
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut rng, any) = (rand::rng(), "127.0.0.1:0".parse()?);
    let mut bind = || Endpoint::bind(any, Identity::generate(&mut rand::rng()), &Settings::default(), &mut rng);
    let (a, b) = (bind()?, bind()?);
    let (address, peer) = (b.address(), b.identity().peer());
    let client = async {
        let connection = a.connect(address, Some(peer)).await?;
        ping(connection.open::<PingPong>().await?, 3).await?;
        Ok::<_, Box<dyn Error>>(())
    };
    tokio::try_join!(client, serve(b))?;
    Ok(())
}
