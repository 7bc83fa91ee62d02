//! A prover that lies: it takes jobs and doesn't do them, says that it has proofs which it doesn't have, keeps a lease for as long as it can and uses
//! it when it is over, and gives settlers proofs of nothing.
//!
//! It keeps to the protocols' types, as whoever wants to be believed would; their own tests are for those who don't.

use super::{
    machine::{NETWORK, SimulatedClock},
    plan::Dice,
    record::note,
};
use shardwire::{client::Target, config::Role, surroundings::Randomness};
use shardwire_model::{Clock as _, Hash, PeerId};
use shardwire_protocols::{
    Cause, Failure, catalogue,
    handshake::{self, Handshake, Hello},
    keepalive::{self, Keepalive},
    proof::{self, Held, Proof, Verdict},
    trace::{Claimed, Client, JobOffer, Next, ProverStage, Pulled, Trace},
};
use shardwire_transport::{Connection, Endpoint, Identity, Initiator, Profile, sim::Host};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet, time::sleep};

/// How long it waits between two tries.
const AGAIN: Duration = Duration::from_secs(3);
/// How long it stays silent under a lease: as long as the protocol lets it.
const SILENT: Duration = Duration::from_secs(55);

/// A proof of nothing.
#[derive(Clone, Debug)]
struct Lie {
    offer: JobOffer,
    bytes: Vec<u8>,
}

/// The liar's state.
#[derive(Debug)]
pub(super) struct Liar {
    identity: Identity,
    dice: Mutex<Dice>,
    lies: Mutex<Vec<Lie>>,
    told: watch::Sender<()>,
}

impl Liar {
    pub(super) fn new(identity: Identity, dice: Dice) -> Arc<Self> {
        Arc::new(Self { identity, dice: Mutex::new(dice), lies: Mutex::default(), told: watch::Sender::new(()) })
    }

    fn dice<T>(&self, draw: impl FnOnce(&mut Dice) -> T) -> T {
        draw(&mut self.dice.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lies to all of these for as long as it is polled.
    pub(super) async fn run(self: Arc<Self>, host: Host, address: SocketAddr, peers: Vec<(Target, Role)>) {
        let mut randomness = Randomness::from_seed(self.dice(Dice::number));
        let settings = catalogue::settings(Profile::default());
        let Ok(endpoint) = Endpoint::open(&host, address, self.identity.clone(), &settings, &mut randomness) else {
            return note("the liar can't listen");
        };
        let mut tasks = JoinSet::new();
        for (target, role) in peers {
            let (liar, endpoint) = (self.clone(), endpoint.clone());
            tasks.spawn(async move {
                loop {
                    if let Ok(connection) = liar.connect(&endpoint, target).await {
                        liar.clone().attend(connection, role).await;
                    }
                    sleep(AGAIN).await;
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn connect(&self, endpoint: &Endpoint, target: Target) -> Result<Connection, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let connection = endpoint.connect(target.address, Some(target.peer)).await.map_err(|error| said(&error))?;
        let hello = Hello {
            network: NETWORK.to_owned(),
            agent: "liar".to_owned(),
            roles: vec![Role::Prover.to_string()],
            protocols: handshake::spoken(),
            capabilities: Vec::new(),
            time: SimulatedClock::new(0).now(),
        };
        let session = connection.open::<Handshake>().await.map_err(|error| said(&error))?;
        handshake::greet(session, hello).await.map_err(|error| said(&error))?;
        Ok(connection)
    }

    /// Serves what the peer opens, and asks an operator for jobs.
    async fn attend(self: Arc<Self>, connection: Connection, role: Role) {
        let mut sessions = JoinSet::new();
        if role == Role::Operator {
            let (liar, connection) = (self.clone(), connection.clone());
            sessions.spawn(async move {
                loop {
                    if let Ok(session) = connection.open::<Trace>().await {
                        let _ = liar.take(session).await;
                    }
                    sleep(AGAIN).await;
                }
            });
        }
        while let Ok(mut incoming) = connection.accept().await {
            let liar = self.clone();
            sessions.spawn(async move {
                if incoming.header().await.is_err() {
                } else if incoming.is::<Proof>() {
                    if let Ok(session) = incoming.serve::<Proof>().await {
                        let _ = proof::serve(session, &*liar).await;
                    }
                } else if incoming.is::<Keepalive>() {
                    if let Ok(session) = incoming.serve::<Keepalive>().await {
                        let _ = keepalive::serve(session, &SimulatedClock::new(0)).await;
                    }
                } else {
                    let _ = incoming.unserved();
                }
            });
        }
    }

    /// Takes a job, and betrays it.
    async fn take(&self, session: Initiator<Trace>) -> Result<(), shardwire_transport::SessionError> {
        let mut client = Client::new(session, self.identity.peer());
        loop {
            client = match client.ready(&[]).await? {
                Next::Nothing(client) => client,
                Next::Offered(offer, offered) => match offered.claim().await? {
                    Claimed::Refused(_, client) => {
                        sleep(AGAIN).await;
                        client
                    }
                    Claimed::Leased(_, fetch) => {
                        let deed = self.dice(|dice| dice.below(4));
                        note(&format!("the liar has a lease of job {} and does {deed}", offer.job.short()));
                        let mut fetch = *fetch;
                        if deed == 0 {
                            // Fetches something and goes away.
                            if let Pulled::Lost { .. } = fetch.next().await? {}
                            drop(fetch);
                            return Ok(());
                        }
                        let mut working = fetch.stop().await?;
                        if deed == 1 {
                            return working.abandon(Cause::new("SW-PROVER-009", "it has no time")).await;
                        }
                        if deed == 2 {
                            for _ in 0..2 {
                                sleep(SILENT).await;
                                working = working.report(ProverStage::Proving, 0, 0).await?.1;
                            }
                            sleep(SILENT).await;
                        }
                        let length = self.dice(|dice| dice.index(2000));
                        let lie = Lie { bytes: vec![7; length], offer: (*offer).clone() };
                        let proof = Hash::of(&lie.bytes);
                        self.lies.lock().unwrap_or_else(PoisonError::into_inner).push(lie);
                        self.told.send_replace(());
                        working.finish(proof).await?;
                        return Ok(());
                    }
                },
            };
        }
    }
}

impl proof::Handler for Liar {
    async fn next(&self, _: PeerId) -> Result<Held, Failure> {
        let mut told = self.told.subscribe();
        loop {
            let lie = self.lies.lock().unwrap_or_else(PoisonError::into_inner).pop();
            if let Some(Lie { offer, bytes }) = lie {
                let proof = Hash::of(&bytes);
                return Ok(Held { shard: offer.shard, segment: 0, job: offer.job, proof, bytes: bytes.into() });
            }
            if told.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn verdict(&self, _: PeerId, _: Hash, _: Verdict) -> Result<(), Failure> {
        Ok(())
    }
}
