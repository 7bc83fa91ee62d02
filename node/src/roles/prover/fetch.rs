//! The prover consumes traces: takes a job under a lease, pulls its witness, and reports until there is a proof.

use super::{Prover, ProverError, chunks};
use crate::store::records::{Figures, JOB_LEASES, JOBS, Job, JobStage, WireFelt};
use shardwire_model::{Coded as _, Hash, Mutation, PeerId};
use shardwire_protocols::{
    Cause, Failure, ServeError,
    trace::{
        Begun, Chunk, Claimed, Client, Ending, Fetch, JobOffer, LEASE, Lease, Next, Progressed, ProverStage, Pulled,
        REPORT_EVERY, Trace, Working,
    },
};
use shardwire_reputation::{Event, Work};
use shardwire_shard::witness::Manifest;
use shardwire_transport::Initiator;
use std::{collections::BTreeMap, sync::Arc};
use tokio::time::Instant;

fn failed(error: impl Into<ProverError>) -> ServeError {
    ServeError::Handler(Failure::from(error.into()))
}

impl Prover {
    /// Takes one job from an operator and sees it through: until there is a proof, the job fails, or the session does.
    ///
    /// # Errors
    /// Why the session ended early. What was fetched stays.
    pub(crate) async fn take(self: &Arc<Self>, session: Initiator<Trace>) -> Result<(), ServeError> {
        let operator = session.peer();
        let mut client = Client::new(session, self.host.identity.peer());
        loop {
            client = match client.ready(&self.begun(operator)).await? {
                Next::Nothing(client) => client,
                Next::Offered(offer, offered) => {
                    if let Some(reason) = self.unwilling(&offer) {
                        let client = offered.decline(reason).await?;
                        // Asking at once would only bring the same offer.
                        tokio::time::sleep(REPORT_EVERY).await;
                        client
                    } else {
                        match offered.claim().await? {
                            Claimed::Refused(cause, client) => {
                                tracing::info!(job = %offer.job.short(), operator = %operator.short(), "claim refused: {cause}");
                                client
                            }
                            Claimed::Leased(lease, fetch) => {
                                return self.see_through(operator, *offer, &lease, *fetch).await;
                            }
                        }
                    }
                }
            };
        }
    }

    /// Jobs of this operator that aren't fetched, and then those that aren't proven.
    fn begun(&self, operator: PeerId) -> Vec<Begun> {
        let jobs = self.jobs();
        let open = jobs.iter().filter(|(_, job)| job.operator == operator && job.stage <= JobStage::Fetched);
        open.map(|(id, job)| Begun { job: *id, have: job.figures.chunks })
            .take(shardwire_protocols::trace::MAX_RESUMED)
            .collect()
    }

    fn unwilling(&self, offer: &JobOffer) -> Option<ProverError> {
        if offer.program != self.host.program {
            return Some(ProverError::OtherProgram { offered: offer.program, ours: self.host.program });
        }
        self.job(offer.job).filter(|job| job.stage == JobStage::Failed).map(|_| ProverError::GivenUp)
    }

    async fn see_through(
        self: &Arc<Self>,
        operator: PeerId,
        offer: JobOffer,
        lease: &Lease,
        fetch: Fetch,
    ) -> Result<(), ServeError> {
        let id = offer.job;
        self.begin(operator, &offer, lease).map_err(failed)?;
        let fetched = self.job(id).is_some_and(|job| job.stage >= JobStage::Fetched);
        let working = if fetched {
            fetch.stop().await?
        } else {
            match self.fetch(operator, &offer, fetch).await? {
                Ok(working) => working,
                Err(lost) => return lost,
            }
        };
        self.begin_proving(id, Instant::now() + LEASE);
        self.report(id, working).await
    }

    fn begin(&self, operator: PeerId, offer: &JobOffer, lease: &Lease) -> Result<(), ProverError> {
        let epoch = lease.statement.epoch;
        let job = match self.job(offer.job) {
            Some(job) => Job { operator, epoch, ..job },
            None => Job {
                start: offer.start.clone(),
                values: offer.values.iter().copied().map(WireFelt).collect(),
                segment: offer.segment,
                operator,
                epoch,
                stage: JobStage::Fetching,
                manifest: None,
                attempts: 0,
                proof: None,
                figures: Figures::default(),
                receipt: None,
                disputes: BTreeMap::new(),
                fault: None,
            },
        };
        self.host.store.write(|write| {
            write.put(&JOBS, &offer.job, &job)?;
            write.put(&JOB_LEASES, &offer.job, lease)
        })?;
        self.jobs().insert(offer.job, job);
        self.changes.announce();
        Ok(())
    }

    /// Pulls what is missing of the witness. `Err` within `Ok`: the job ended here, and how the session did.
    async fn fetch(
        &self,
        operator: PeerId,
        offer: &JobOffer,
        mut fetch: Fetch,
    ) -> Result<Result<Working, Result<(), ServeError>>, ServeError> {
        let (id, artefacts) = (offer.job, &self.host.artefacts);
        let have = chunks::whole(artefacts, id).map_err(failed)?;
        tracing::info!(job = %id.short(), shard = %offer.shard.short(), have = have.len(), "fetching the witness");
        let too_far = u32::from(Mutation::ResumedOffByOne.is_planted() && !have.is_empty());
        fetch.resume((0..).zip(have));
        let began = Instant::now();
        let before = self.job(id).map_or(0, |job| job.figures.stream_ms);
        let stream_ms = || before + u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut ahead = 0;
        let ending = loop {
            let pulled = fetch.next().await?;
            // The one that was just answered among them.
            ahead = ahead.max(fetch.outstanding() + 1);
            match pulled {
                Pulled::Chunk(chunk) => {
                    let body = match chunks::unpack(&chunk) {
                        Ok(body) => body,
                        Err(why) => return Err(fetch.reject(chunk.index, &why).into()),
                    };
                    let chunk = Chunk { index: chunk.index + too_far, ..chunk };
                    chunks::keep(artefacts, id, &chunk).map_err(failed)?;
                    self.host.peers.note(operator, &Event::Worked(Work::Bytes(chunk.body.len() as u64)));
                    self.show(id, |job| {
                        job.figures.chunks += 1;
                        job.figures.bytes_raw += body.len() as u64;
                        job.figures.bytes_wire += chunk.body.len() as u64;
                        job.figures.stream_ms = stream_ms();
                    });
                }
                Pulled::End(ending) => break ending,
                Pulled::Lost { epoch } => {
                    tracing::warn!(job = %id.short(), epoch, "the lease is another prover's");
                    let working = fetch.stop().await?;
                    let cause = Cause::from(ProverError::LeaseEnded);
                    return Ok(Err(working.abandon(cause).await.map_err(Into::into)));
                }
            }
        };
        tracing::debug!(job = %id.short(), ahead, "pulled");
        let working = fetch.stop().await?;
        match self.fetched(offer, ending, stream_ms()) {
            Ok(()) => Ok(Ok(working)),
            Err(error @ ProverError::Store(_)) => Err(failed(error)),
            Err(error) => {
                self.give_up(id, &error).map_err(failed)?;
                Ok(Err(working.abandon(error).await.map_err(Into::into)))
            }
        }
    }

    /// Notes that the witness is whole: from here on the operator isn't needed.
    fn fetched(&self, offer: &JobOffer, ending: Ending, stream_ms: u64) -> Result<(), ProverError> {
        let Ending { chunks, steps, output } = ending;
        let manifest = Manifest { chunks, steps, output };
        if manifest.output.shard != offer.shard || manifest.output.before != offer.before() {
            return Err(ProverError::OtherRun);
        }
        tracing::info!(job = %offer.job.short(), chunks = manifest.chunks.len(), steps, "the witness is whole");
        self.update(offer.job, |job| {
            job.stage = JobStage::Fetched;
            job.figures.steps = steps;
            job.figures.chunks = u32::try_from(manifest.chunks.len()).unwrap_or(u32::MAX);
            job.figures.stream_ms = stream_ms;
            job.manifest = Some(manifest);
        })?;
        Ok(())
    }

    /// Notes that a job can't be done.
    pub(super) fn give_up(&self, id: Hash, error: &ProverError) -> Result<(), ProverError> {
        tracing::error!(job = %id.short(), code = error.code(), "the job has failed: {error}");
        self.update(id, |job| {
            job.stage = JobStage::Failed;
            job.fault = Some((error.code().to_owned(), error.to_string()));
        })?;
        Ok(())
    }

    /// Keeps the lease alive until the job is proven or has failed.
    async fn report(&self, id: Hash, mut working: Working) -> Result<(), ServeError> {
        loop {
            let changed = self.changes.next();
            let Some(job) = self.job(id) else { return Ok(()) };
            let stage = match job.stage {
                JobStage::Fetched => ProverStage::Proving,
                JobStage::Proven | JobStage::Settled => {
                    let proof = job.proof.unwrap_or_default();
                    working.finish(proof).await?;
                    return Ok(());
                }
                JobStage::Fetching | JobStage::Failed => {
                    let (code, reason) = job.fault.unwrap_or_default();
                    return Ok(working.abandon(Cause::new(&code, &reason)).await?);
                }
            };
            // The operator counts from when it hears of this, which is later.
            let asked = Instant::now();
            let (progressed, next) = working.report(stage, 0, 0).await?;
            match progressed {
                Progressed::Renewed { .. } => self.at_work.set(id, asked + LEASE),
                Progressed::Lost { epoch } => {
                    tracing::warn!(job = %id.short(), epoch, "the lease is another prover's");
                    self.at_work.set(id, asked);
                    return Ok(next.abandon(ProverError::LeaseEnded).await?);
                }
            }
            working = next;
            let _ = tokio::time::timeout(REPORT_EVERY, changed).await;
        }
    }
}
