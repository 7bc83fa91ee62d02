//! The prover consumes traces: takes a job under a lease, pulls its witness, and reports until there is a proof.

use super::{
    Known, Prover, ProverError, chunks,
    events::{ChunkFetched, ClaimRefused, FetchStarted, JobFailed, LeaseLost, PullEnded, WitnessFetched},
};
use shardwire_host::signed;
use shardwire_model::{
    Cause, Coded as _, Hash, Mutation, Output, PeerId, Role, Stage,
    life::{AbortCause, Life, Step},
};
use shardwire_protocols::{
    Failure, ServeError,
    trace::{
        Chunk, Claimed, Client, Ending, Fetch, JobOffer, LEASE, Lease, Next, Progressed, ProverStage, Pulled,
        REPORT_EVERY, RefusalReason, ResumableJob, Trace, Working,
    },
};
use shardwire_reputation::{Event, Work};
use shardwire_store::records::{Figures, JOB_LEASES, Job, Manifest, WireFelt};
use shardwire_transport::Initiator;
use shardwire_witness::witness_hash;
use std::{collections::BTreeMap, sync::Arc};
use tokio::time::Instant;

fn failed(error: impl Into<ProverError>) -> ServeError {
    ServeError::Handler(Failure::from(error.into()))
}

impl Prover {
    /// Takes one job from an operator and sees it through: until there is a proof, the job fails, or the session does.
    ///
    /// # Errors
    /// [`ServeError`]: why the session ended early. What was fetched stays.
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
                            Claimed::Refused(refused, client) => {
                                let (job, cause) = (offer.job, refused.cause.to_string());
                                self.events.emit(ClaimRefused { job, operator, cause });
                                self.refused(offer.job, operator, refused.reason).map_err(failed)?;
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

    /// Whether the operator says that the job is over. Where there is no proof, nothing can be done without the operator.
    fn refused(&self, id: Hash, operator: PeerId, reason: RefusalReason) -> Result<(), ProverError> {
        let theirs = |known: &Known| known.job.start.operator == operator && !known.life.has_reached(Stage::Proven);
        if self.job(id).is_none_or(|known| !theirs(&known)) {
            return Ok(());
        }
        match reason {
            RefusalReason::Aborted => self.end(id, Step::Aborted { why: AbortCause::Told { by: operator } }),
            RefusalReason::Settled => self.end(id, Step::Settled { proof: None }),
            RefusalReason::Leased | RefusalReason::Quota | RefusalReason::Unavailable => Ok(()),
        }
    }

    /// Jobs of this operator that aren't proven.
    pub(super) fn begun(&self, operator: PeerId) -> Vec<ResumableJob> {
        let jobs = self.jobs();
        let open = |known: &Known| known.job.operator == operator && !known.life.has_reached(Stage::Proven);
        jobs.iter()
            .filter(|(_, known)| open(known))
            .map(|(id, known)| ResumableJob { job: *id, have: known.job.figures.chunks })
            .take(shardwire_protocols::trace::MAX_RESUMED)
            .collect()
    }

    fn unwilling(&self, offer: &JobOffer) -> Option<ProverError> {
        match self.job(offer.job) {
            Some(known) if known.stage() == Some(Stage::Failed) => Some(ProverError::GivenUp),
            // With a proof the operator may be told which, once more.
            Some(known) if known.life.is_over() && known.job.proof.is_none() => Some(ProverError::Over),
            _ => None,
        }
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
        let fetched = self.job(id).is_some_and(|known| known.is_fetched() || known.job.proof.is_some());
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
        let mut known = match self.job(offer.job) {
            Some(Known { job, life }) => Known { job: Job { operator, epoch, ..job }, life },
            None => {
                let job = Job {
                    start: offer.start.clone(),
                    values: offer.values.iter().copied().map(WireFelt).collect(),
                    segment: offer.segment,
                    operator,
                    epoch,
                    manifest: None,
                    attempts: 0,
                    proof: None,
                    figures: Figures::default(),
                    receipt: None,
                    disputes: BTreeMap::new(),
                    fault: None,
                };
                Known { job, life: Life::new(Role::Prover) }
            }
        };
        self.host.store.put(&JOB_LEASES, &offer.job, &signed::stored(lease))?;
        self.keep(offer.job, &mut known, Some(Step::Streaming { job: offer.job }))?;
        self.jobs().insert(offer.job, known);
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
        let have = {
            let artefacts = artefacts.clone();
            self.host.work.run(move || chunks::whole(&artefacts, id)).await
        };
        let have = have.unwrap_or(Err(ProverError::Assembler)).map_err(failed)?;
        self.events.emit(FetchStarted { job: id, shard: offer.shard, have: have.len() });
        let too_far = u32::from(Mutation::ResumedOffByOne.is_planted() && !have.is_empty());
        fetch.resume((0..).zip(have));
        let began = Instant::now();
        let before = self.job(id).map_or(0, |known| known.job.figures.stream_ms);
        let stream_ms = || before + u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut ahead = 0;
        let ending = loop {
            let pulled = fetch.next().await?;
            // The one that was just answered among them.
            ahead = ahead.max(fetch.outstanding() + 1);
            match pulled {
                Pulled::Chunk(chunk) => {
                    let (index, raw, wire) = (chunk.index, u64::from(chunk.raw_bytes), chunk.body.len() as u64);
                    let artefacts = artefacts.clone();
                    let keep = move || {
                        chunks::unpack(&chunk)?;
                        let chunk = Chunk { index: index + too_far, ..chunk };
                        Ok::<_, String>(chunks::keep(&artefacts, id, &chunk))
                    };
                    match self.host.work.run(keep).await {
                        Some(Ok(kept)) => kept.map_err(failed)?,
                        Some(Err(why)) => return Err(fetch.reject(index, &why).into()),
                        None => return Err(failed(ProverError::Assembler)),
                    }
                    self.events.emit(ChunkFetched { job: id, index, bytes: wire });
                    self.host.peers.note(operator, &Event::Worked(Work::Bytes(wire)));
                    self.show(id, |job| {
                        job.figures.chunks += 1;
                        job.figures.bytes_raw += raw;
                        job.figures.bytes_wire += wire;
                        job.figures.stream_ms = stream_ms();
                    });
                }
                Pulled::End(ending) => break ending,
                Pulled::Lost { epoch } => {
                    self.events.emit(LeaseLost { job: id, epoch });
                    let working = fetch.stop().await?;
                    let cause = Cause::from(ProverError::LeaseEnded);
                    return Ok(Err(working.abandon(cause).await.map_err(Into::into)));
                }
            }
        };
        self.events.emit(PullEnded { job: id, ahead });
        let working = fetch.stop().await?;
        match self.fetched(offer, ending, stream_ms()) {
            Ok(()) => Ok(Ok(working)),
            Err(error) if error.is_ours() => Err(failed(error)),
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
        let of = |output: &Output| (output.shard, output.segment, output.before);
        if of(&manifest.output) != (offer.shard, offer.segment, offer.before()) {
            return Err(ProverError::OtherRun);
        }
        self.events.emit(WitnessFetched { job: offer.job, chunks: manifest.chunks.len(), steps });
        let proving = Step::Proving { witness: witness_hash(&manifest.chunks) };
        let before = self.job(offer.job).and_then(|known| known.life.step(Stage::Proving).cloned());
        if before.is_some_and(|before| before != proving) {
            return Err(ProverError::OtherWitness);
        }
        self.update(offer.job, Some(proving), |job| {
            job.figures.steps = steps;
            job.figures.chunks = u32::try_from(manifest.chunks.len()).unwrap_or(u32::MAX);
            job.figures.stream_ms = stream_ms;
            job.manifest = Some(manifest);
        })?;
        Ok(())
    }

    /// Notes that a job can't be done.
    pub(super) fn give_up(&self, id: Hash, error: &ProverError) -> Result<(), ProverError> {
        self.events.emit(JobFailed { job: id, code: error.code(), error: error.to_string() });
        let cause = Cause::new(error.code(), &error.to_string());
        self.update(id, Some(Step::Failed { cause }), |job| {
            job.fault = Some((error.code().to_owned(), error.to_string()));
        })?;
        Ok(())
    }

    /// Keeps the lease alive until the job is proven or has failed.
    async fn report(&self, id: Hash, mut working: Working) -> Result<(), ServeError> {
        loop {
            let changed = self.changes.next();
            let Some(known) = self.job(id) else { return Ok(()) };
            if let Some(proof) = known.job.proof {
                working.finish(proof).await?;
                return Ok(());
            }
            if !known.is_fetched() || !self.at_work.is_held(id) {
                // It failed, or can't be gone on with here for now: others may have it.
                let cause = known.job.fault.map(|(code, reason)| Cause::new(&code, &reason));
                return Ok(working.abandon(cause.unwrap_or_else(|| ProverError::LeaseEnded.into())).await?);
            }
            let stage = ProverStage::Proving;
            // The operator counts from when it hears of this, which is later.
            let asked = Instant::now();
            let (progressed, next) = working.report(stage, 0, 0).await?;
            match progressed {
                Progressed::Renewed { .. } => self.at_work.set(id, asked + LEASE),
                Progressed::Lost { epoch } => {
                    self.events.emit(LeaseLost { job: id, epoch });
                    self.at_work.set(id, asked);
                    return Ok(next.abandon(ProverError::LeaseEnded).await?);
                }
            }
            working = next;
            let _ = tokio::time::timeout(REPORT_EVERY, changed).await;
        }
    }
}
