//! A prover that lies: it takes jobs and doesn't do them, claims proofs that it doesn't have, keeps a lease as long
//! as it can, silent or with signs of life, and uses it after its end, uses one that it has given back, and offers settlers proofs of nothing, or of a run that nobody played.
//!
//! One whom nobody knows ([`stranger`](LyingProver::stranger)) does what costs it nothing: of each job that it gets it claims a proof that nobody ever sees, or it holds the job with signs of life.

use super::{AGAIN, Forger, Impostor, serve_keepalive};
use crate::{dice::Dice, sim::record::note};
use shardwire::{client::Target, config::Role};
use shardwire_model::{Cause, Hash, PeerId};
use shardwire_protocols::{
    Failure,
    proof::{self, Leased, Proof, Reply, StoredProof},
    trace::{
        Claimed, Client, DeclineReason, Fetch, JobOffer, Lease, Next, Progressed, ProverStage, Pulled, ResumableJob,
        Trace,
    },
};
use shardwire_transport::{Connection, Identity, SessionError, sim::Host};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet, time::sleep};

/// How long it stays silent under a lease: as long as the protocol allows.
const SILENT: Duration = Duration::from_secs(55);
/// How long it waits for another prover to get the job that it gave back.
const UNTIL_LEASED: Duration = Duration::from_secs(6);

/// A proof of nothing, or of what nobody played.
#[derive(Clone, Debug)]
struct Lie {
    offer: JobOffer,
    leased: Leased,
    bytes: Vec<u8>,
}

/// The liar's state.
#[derive(Debug)]
pub(in crate::sim) struct LyingProver {
    impostor: Arc<Impostor>,
    /// Nobody knows it: it keeps jobs from others, and shows no proofs.
    is_stranger: bool,
    /// How it proves runs of contracts.
    forger: Option<Forger>,
    lies: Mutex<Vec<Lie>>,
    told: watch::Sender<()>,
}

impl LyingProver {
    pub(in crate::sim) fn new(identity: Identity, world: Hash, forger: Option<Forger>, dice: Dice) -> Arc<Self> {
        Self::of(identity, world, dice, false, forger)
    }

    /// One that nobody knows, and that keeps the jobs that it gets from all others.
    pub(in crate::sim) fn stranger(identity: Identity, world: Hash, dice: Dice) -> Arc<Self> {
        Self::of(identity, world, dice, true, None)
    }

    fn of(identity: Identity, world: Hash, dice: Dice, is_stranger: bool, forger: Option<Forger>) -> Arc<Self> {
        let impostor = Impostor::new(identity, Role::Prover, world, dice);
        Arc::new(Self { impostor, is_stranger, forger, lies: Mutex::default(), told: watch::Sender::new(()) })
    }

    /// Lies to these peers for as long as it is polled.
    pub(in crate::sim) async fn run(self: Arc<Self>, host: Host, address: SocketAddr, peers: Vec<(Target, Role)>) {
        let Some(endpoint) = self.impostor.listen(&host, address) else { return };
        let impostor = self.impostor.clone();
        impostor.keep(&endpoint, peers, move |connection, role| self.clone().attend(connection, role)).await;
    }

    /// Serves what the peer opens, and asks an operator for jobs.
    async fn attend(self: Arc<Self>, connection: Connection, role: Role) {
        let mut sessions = JoinSet::new();
        if role == Role::Operator {
            let (liar, connection) = (self.clone(), connection.clone());
            sessions.spawn(async move {
                loop {
                    let _ = liar.take(&connection).await;
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
                        let _ = proof::serve(session, &liar.impostor.identity, &*liar).await;
                    }
                } else {
                    serve_keepalive(incoming).await;
                }
            });
        }
    }

    /// Takes a job and breaks its word on it.
    async fn take(&self, connection: &Connection) -> Result<(), SessionError> {
        let mut client = Client::new(connection.open::<Trace>().await?, self.impostor.me());
        loop {
            client = match client.ready(&[]).await? {
                Next::Nothing(client) => client,
                Next::Offered(offer, offered) => match offered.claim().await? {
                    Claimed::Refused(_, client) => {
                        sleep(AGAIN).await;
                        client
                    }
                    Claimed::Leased(lease, fetch) => return self.betray(connection, *offer, &lease, *fetch).await,
                },
            };
        }
    }

    async fn betray(
        &self,
        connection: &Connection,
        offer: JobOffer,
        lease: &Lease,
        mut fetch: Fetch,
    ) -> Result<(), SessionError> {
        if self.is_stranger {
            return self.keep_from_others(offer.job, fetch).await;
        }
        let deed = self.impostor.dice(|dice| dice.below(7));
        note(&format!("the lying prover has a lease of job {} and does {deed}", offer.job.short()));
        if deed == 0 {
            // Fetches something and goes away.
            if let Pulled::Lost { .. } = fetch.next().await? {}
            return Ok(());
        }
        if deed == 6 {
            return Self::hold(fetch).await;
        }
        if deed > 3 {
            return self.replay(connection, offer, lease, fetch).await;
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
        working.finish(self.lie(offer, lease)).await?;
        Ok(())
    }

    /// Claims a proof that nobody ever sees, or holds the job.
    async fn keep_from_others(&self, job: Hash, fetch: Fetch) -> Result<(), SessionError> {
        if self.impostor.dice(|dice| dice.below(2) == 0) {
            note(&format!("a stranger has a lease of job {} and holds it", job.short()));
            return Self::hold(fetch).await;
        }
        note(&format!("a stranger has a lease of job {} and claims a proof that nobody sees", job.short()));
        let nothing = Hash::of(&self.impostor.dice(Dice::number).to_le_bytes());
        fetch.stop().await?.finish(nothing).await?;
        Ok(())
    }

    /// Gives signs of life, and nothing else, for as long as that holds the job.
    async fn hold(fetch: Fetch) -> Result<(), SessionError> {
        let mut working = fetch.stop().await?;
        loop {
            let (progressed, next) = working.report(ProverStage::Proving, 0, 0).await?;
            if let Progressed::Lost { .. } = progressed {
                note("a lease that was only held is lost");
                return next.abandon(Cause::new("SW-PROVER-009", "it has no time")).await;
            }
            working = next;
            sleep(SILENT).await;
        }
    }

    /// Takes the job once more and gives it back, waits until another prover has it, and then claims under the first
    /// lease that it has the proof.
    async fn replay(
        &self,
        connection: &Connection,
        offer: JobOffer,
        lease: &Lease,
        fetch: Fetch,
    ) -> Result<(), SessionError> {
        let again = Client::new(connection.open::<Trace>().await?, self.impostor.me());
        match again.ready(&[ResumableJob { job: offer.job, have: 0 }]).await? {
            Next::Offered(offered_job, offered) if offered_job.job == offer.job => {
                if let Claimed::Leased(_, second) = offered.claim().await? {
                    let given_back = second.stop().await?;
                    given_back.abandon(Cause::new("SW-PROVER-009", "it has no time")).await?;
                }
            }
            Next::Offered(_, offered) => {
                drop(offered.decline(DeclineReason::Later, Cause::new("SW-PROVER-009", "it has no time")).await?)
            }
            Next::Nothing(client) => client.close().await?,
        }
        sleep(UNTIL_LEASED).await;
        let (_, working) = fetch.stop().await?.report(ProverStage::Proving, 0, 0).await?;
        working.finish(self.lie(offer, lease)).await?;
        Ok(())
    }

    /// Makes a proof of nothing, or of what nobody played, which settlers are offered.
    fn lie(&self, offer: JobOffer, lease: &Lease) -> Hash {
        let forged = self.forger.as_ref().and_then(|forger| forger.forge(&offer, self.impostor.me()));
        if forged.is_some() {
            note(&format!("the lying prover has forged a run of shard {}", offer.shard.short()));
        }
        let bytes = forged.unwrap_or_else(|| vec![7; self.impostor.dice(|dice| dice.index(2000))]);
        let leased = Leased::by(offer.start.operator, lease);
        let lie = Lie { bytes, leased, offer };
        let proof = Hash::of(&lie.bytes);
        self.lies.lock().unwrap_or_else(PoisonError::into_inner).push(lie);
        self.told.send_replace(());
        proof
    }
}

impl proof::Handler for LyingProver {
    async fn next(&self, _: PeerId) -> Result<StoredProof, Failure> {
        let mut told = self.told.subscribe();
        loop {
            let lie = self.lies.lock().unwrap_or_else(PoisonError::into_inner).pop();
            if let Some(Lie { offer, leased, bytes }) = lie {
                let proof = Hash::of(&bytes);
                let (shard, job, leased) = (offer.shard, offer.job, Some(leased));
                return Ok(StoredProof { shard, segment: 0, job, proof, bytes: bytes.into(), leased });
            }
            if told.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn replied(&self, _: PeerId, _: Hash, _: Reply) -> Result<(), Failure> {
        Ok(())
    }
}
