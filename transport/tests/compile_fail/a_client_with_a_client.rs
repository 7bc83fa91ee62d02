mod errand;
use errand::{Errand, Order};
use shardwire_transport::algebra::{Eps, Send};
use shardwire_transport::{Initiator, Protocol, Responder, session::pair};

async fn meet(_: Initiator<Errand>, _: Responder<Errand>) {}

async fn two_clients() {
    let (client, server) = pair::<Errand>();
    let (another, _) = pair::<Errand>();
    meet(client, another).await;
    server.abandon();
}

/// Both sides send: nobody listens.
struct Monologues;
impl Protocol for Monologues {
    const NAME: &'static str = "monologues";
    const VERSION: u16 = 1;
    type Initiator = Send<Order, Eps>;
    type Responder = Send<Order, Eps>;
}

fn main() {}
