//! The honest peers: provers that take jobs from the victim with the production client half, without a pause.
//!
//! A **job** is what a prover asks of an operator for one proof: it asks, claims, gets the lease, pulls every chunk of the witness, and says which proof it
//! has. Each prover is at [`LANES`] jobs at a time, each a job of its own that it names when it asks: as a prover does that has begun a job and lost its proof.
//! Nothing is proven, so a job is over in moments and is done again.
//!
//! A lease and a finish are answered when they are on the disk; what comes meanwhile is written at once with the next ones, and of one prover's claims one at a time is decided on. So a prover
//! waits most of the time, and only many provers fill a core: [`PROVERS`] times [`LANES`] jobs.

use super::{
    Outcome,
    meeting::{Meeting, host, identity},
};
use shardwire_model::{Cause, Hash, PeerId, Role};
use shardwire_protocols::trace::{Claimed, Client, DeclineReason, Fetch, Next, Pulled, ResumableJob, Trace};
use shardwire_transport::Connection;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

/// The provers' numbers.
pub(super) const PROVERS: [u8; 16] = [201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 212, 213, 214, 215, 216];
/// Jobs that a prover is at, at a time: while the claim of one is written, it pulls another.
pub(super) const LANES: usize = 2;
/// Jobs that no honest prover wants: a third of all, so that attackers take honest ones as well.
const OTHER_JOBS: usize = 16;
/// Jobs in all. An operator has 64 runs at most.
pub(super) const JOBS: usize = PROVERS.len() * LANES + OTHER_JOBS;
/// How long the first job may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How soon a prover that lost its connection, or whose claim was refused, tries again.
const PAUSE: Duration = Duration::from_millis(50);

/// What was done since it was last asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Jobs from the question to the acknowledged finish.
    pub(super) jobs: u32,
    /// How long each lease took, from the question on.
    pub(super) leases: Vec<Duration>,
    /// Leases that another prover got before the job was done.
    pub(super) lost: u32,
}

/// The honest peers.
pub(super) struct Peers {
    tally: Arc<Mutex<Tally>>,
    tasks: JoinSet<()>,
}

impl Peers {
    /// Starts them; each has [`LANES`] of these jobs.
    pub(super) fn start(victim: &Meeting, jobs: &[Hash]) -> Self {
        let (tally, mut tasks) = (Arc::<Mutex<Tally>>::default(), JoinSet::new());
        for (number, jobs) in PROVERS.into_iter().zip(jobs.chunks(LANES)) {
            let (victim, jobs, tally) = (victim.clone(), jobs.to_vec(), tally.clone());
            tasks.spawn(async move {
                let mut said = String::new();
                loop {
                    if let Err(error) = work(number, &victim, &jobs, &tally).await {
                        let error = format!("an honest prover lost its connection or a session: {error}");
                        if error != said {
                            eprintln!("{error}");
                        }
                        said = error;
                    }
                    sleep(PAUSE).await;
                }
            });
        }
        Self { tally, tasks }
    }

    /// Waits until jobs are done.
    pub(super) async fn at_work(&self) -> Outcome<()> {
        let begin = async {
            while lock(&self.tally).jobs == 0 {
                sleep(PAUSE).await;
            }
        };
        Ok(timeout(PATIENCE, begin).await.map_err(|_| "the honest provers get nothing, although nobody attacks")?)
    }

    /// What they did since this was last asked.
    pub(super) fn take(&self) -> Tally {
        std::mem::take(&mut lock(&self.tally))
    }

    pub(super) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Works at all of its jobs until something fails.
async fn work(number: u8, victim: &Meeting, jobs: &[Hash], tally: &Arc<Mutex<Tally>>) -> Outcome<()> {
    let endpoint = Meeting::endpoint(host(number, 0), identity(number))?;
    let (connection, me) = (victim.greeted(&endpoint, Role::Prover).await?, identity(number).peer());
    let mut lanes = JoinSet::new();
    for &job in jobs {
        let (connection, tally) = (connection.clone(), tally.clone());
        lanes.spawn(async move {
            for round in 0_u64.. {
                let proof = Hash::of(&[&me.0[..], &job.0[..], &round.to_le_bytes()[..]].concat());
                one_job(&connection, me, job, proof, &tally).await?;
            }
            Outcome::Ok(())
        });
    }
    while let Some(ended) = lanes.join_next().await {
        ended??;
    }
    Ok(())
}

async fn one_job(connection: &Connection, me: PeerId, job: Hash, proof: Hash, tally: &Mutex<Tally>) -> Outcome<()> {
    let client = Client::new(connection.open::<Trace>().await?, me);
    let asked = Instant::now();
    let mut fetch = leased(client, job).await?;
    lock(tally).leases.push(asked.elapsed());
    loop {
        match fetch.next().await? {
            Pulled::Chunk(_) => {}
            Pulled::End(_) => break,
            Pulled::Lost { .. } => {
                lock(tally).lost += 1;
                return Ok(());
            }
        }
    }
    fetch.stop().await?.finish(proof).await?;
    lock(tally).jobs += 1;
    Ok(())
}

/// Asks for this job until it is leased.
async fn leased(mut client: Client, job: Hash) -> Outcome<Box<Fetch>> {
    let begun = [ResumableJob { job, have: 0 }];
    loop {
        client = match client.ready(&begun).await? {
            Next::Nothing(client) => client,
            Next::Offered(offer, offered) if offer.job == job => match offered.claim().await? {
                Claimed::Leased(_, fetch) => return Ok(fetch),
                Claimed::Refused(_, client) => {
                    sleep(PAUSE).await;
                    client
                }
            },
            Next::Offered(_, offered) => {
                offered.decline(DeclineReason::Later, Cause::new("SW-BENCH-001", "it isn't mine")).await?
            }
        };
    }
}
