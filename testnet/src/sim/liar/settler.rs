//! A peer that says that it settles, and that the World doesn't list: it asks provers for their proofs, and signs receipts, disputes and skips of
//! all that it gets. None of it may have any effect, least of all that the World's settler doesn't get the proof.
//!
//! It stays until all shards are over.

use super::{AGAIN, Impostor};
use crate::{
    dice::Dice,
    sim::{machine::SimulatedClock, record::note},
};
use shardwire::{client::Target, config::Role};
use shardwire_model::{Cause, Clock as _, Hash};
use shardwire_protocols::{
    keepalive::{self, Keepalive},
    proof::{Client, Next, Proof, SkipReason},
};
use shardwire_transport::{Connection, Identity, SessionError, sim::Host};
use std::{net::SocketAddr, sync::Arc};
use tokio::{task::JoinSet, time::sleep};

/// See the module's page.
#[derive(Debug)]
pub(in crate::sim) struct PresumedSettler {
    impostor: Arc<Impostor>,
    clock: SimulatedClock,
}

impl PresumedSettler {
    pub(in crate::sim) fn new(identity: Identity, world: Hash, dice: Dice) -> Arc<Self> {
        let impostor = Impostor::new(identity, Role::Settler, world, dice);
        Arc::new(Self { impostor, clock: SimulatedClock::new(0) })
    }

    /// Asks these provers for as long as it is polled.
    pub(in crate::sim) async fn run(self: Arc<Self>, host: Host, address: SocketAddr, provers: Vec<(Target, Role)>) {
        let Some(endpoint) = self.impostor.listen(&host, address) else { return };
        let impostor = self.impostor.clone();
        impostor.keep(&endpoint, provers, move |connection, _| self.clone().attend(connection)).await;
    }

    async fn attend(self: Arc<Self>, connection: Connection) {
        let mut sessions = JoinSet::new();
        let (liar, asked) = (self.clone(), connection.clone());
        sessions.spawn(async move {
            loop {
                let _ = liar.ask(&asked).await;
                sleep(AGAIN).await;
            }
        });
        while let Ok(mut incoming) = connection.accept().await {
            let clock = self.clock.clone();
            sessions.spawn(async move {
                if incoming.header().await.is_ok()
                    && incoming.is::<Keepalive>()
                    && let Ok(session) = incoming.serve::<Keepalive>().await
                {
                    let _ = keepalive::serve(session, &clock).await;
                }
            });
        }
    }

    /// Asks for proofs, and passes a verdict on each.
    async fn ask(&self, connection: &Connection) -> Result<(), SessionError> {
        let identity = &self.impostor.identity;
        let mut client = Client::new(connection.open::<Proof>().await?);
        loop {
            client = match client.ask().await? {
                Next::Nothing(client) => client,
                Next::Ready(ready, offered) => {
                    let deed = self.impostor.dice(|dice| dice.below(4));
                    note(&format!("who says that it settles has proof {} and does {deed}", ready.proof.short()));
                    let cause = Cause::new("SW-SETTLER-001", "nobody wants it");
                    match deed {
                        0 => offered.skip(SkipReason::Aborted, cause).await?,
                        1 => offered.skip(SkipReason::Settled, cause).await?,
                        2 => offered.dispute(identity, cause).await?.1,
                        _ => offered.settled(identity, self.clock.now()).await?.1,
                    }
                }
            };
        }
    }
}
