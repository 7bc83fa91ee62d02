//! The prover consumes traces: takes a job under a lease, pulls its witness, and reports until there is a proof.

use super::{
    Known, MAX_ATTEMPTS, Prover, ProverError, chunks,
    events::{
        ChunkFetched, ClaimRefused, FetchStarted, GivenUp, JobFailed, JobReturned, LeaseLost, PlaceGivenAway,
        PullEnded, WitnessFetched,
    },
    hand::InHand,
    keeping::is_long_past,
    sound::ProofFile,
    trouble::IN_TROUBLE,
};
use shardwire_host::{Turn, signed};
use shardwire_model::{
    Cause, Coded as _, Hash, Mutation, PeerId, Role, Stage,
    life::{AbortCause, Life, Step},
};
use shardwire_protocols::{
    Failure, ServeError,
    trace::{
        Chunk, Claimed, Client, DeclineReason, Ending, Fetch, JobOffer, LEASE, Lease, Next, Progressed, ProverStage,
        Pulled, REPORT_EVERY, RefusalReason, ResumableJob, Trace, Working,
    },
};
use shardwire_proving::{
    settle::{Expected, check_segment},
    worker::DueTo,
};
use shardwire_reputation::{Event, Work};
use shardwire_store::records::{Figures, Job, KeptCause, Manifest, WireFelt};
use shardwire_transport::{Backoff, Connection, Initiator};
use shardwire_witness::witness_hash;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::Instant;

/// How soon an operator is asked again after an offer was declined, since it may have another job, or after a session failed in which it was asked.
const ASK_AGAIN: Backoff = Backoff::between(Duration::from_secs(2), Duration::from_secs(8));
/// Why a job isn't taken whose shard must be over.
const LONG_PAST: &str = "the deadline of its shard is long past by this node's date";
/// Why a job isn't taken that would be one too many.
const TOO_MANY: &str = "it has as many jobs of this operator that aren't over as it keeps";
/// What an operator is told of a job that is given back, beside the code.
const NOT_NOW: &str = "this prover can't go on with the job for now";
/// Why a job isn't taken that another session has.
const IN_HAND: &str = "it is in hand already";

fn failed(error: impl Into<ProverError>) -> ServeError {
    ServeError::Handler(Failure::from(error.into()))
}

impl Prover {
    /// Asks an operator for a job as soon as there is a use for one, takes it and sees it through. To be called again and again, [`SESSIONS`](super::services::SESSIONS) at a
    /// time: one of them asks, the others are at work.
    ///
    /// # Errors
    /// [`ServeError::Session`] if the session ends early, [`ServeError::Handler`] if this node can't go on. What was fetched stays.
    pub(crate) async fn work_for(self: &Arc<Self>, connection: &Connection) -> Result<(), ServeError> {
        let operator = connection.peer();
        // In one session with an operator at a time it is asked for a job: it might offer the same one in each.
        let mut turn = Some(self.job_turns.take(operator).await);
        self.hands.wanted(operator).await;
        self.troubles.fit().await;
        let taken = match connection.open::<Trace>().await {
            Ok(session) => self.take(session, &mut turn).await,
            Err(error) => Err(error.into()),
        };
        if taken.is_err() && turn.is_some() {
            // It was still asked: the next session would meet with the same.
            tokio::time::sleep(ASK_AGAIN.start(self.host.randomness.clone()).after_failure()).await;
        }
        taken
    }

    /// Takes one job from an operator and sees it through: until there is a proof, the job fails, gives its place away, or the session ends. Ends as
    /// well when there is no use for a job. The turn to ask goes to others once there is a job.
    ///
    /// # Errors
    /// [`ServeError::Session`] if the session ends early, [`ServeError::Handler`] if this node can't go on. What was fetched stays.
    pub(crate) async fn take(
        self: &Arc<Self>,
        session: Initiator<Trace>,
        turn: &mut Option<Turn<PeerId>>,
    ) -> Result<(), ServeError> {
        let operator = session.peer();
        let mut client = Client::new(session, self.host.identity.peer());
        let mut waits = ASK_AGAIN.start(self.host.randomness.clone());
        loop {
            if !self.troubles.is_fit() || !self.hands.wants(operator) {
                return Ok(client.close().await?);
            }
            client = match client.ready(&self.resumable_jobs(operator)).await? {
                Next::Nothing(client) => client,
                Next::Offered(offer, offered) => {
                    if let Err((reason, why)) = self.considered(operator, &offer).await {
                        let declined = offered.decline(reason, why).await;
                        if reason == DeclineReason::Unassigned {
                            // After it is on its way.
                            self.note_unassigned(operator, &offer);
                        }
                        let client = declined?;
                        // Asking at once might only bring the same offer.
                        tokio::time::sleep(waits.after_failure()).await;
                        client
                    } else {
                        match offered.claim().await? {
                            Claimed::Refused(refused, client) => {
                                let (job, cause) = (offer.job, refused.cause.to_string());
                                self.events.emit(ClaimRefused { job, operator, cause });
                                self.refused(offer.job, operator, refused.reason).await.map_err(failed)?;
                                // An idle one that is given back for one that is ready makes room for it.
                                if refused.reason == RefusalReason::Quota
                                    && !(offer.ended && self.hands.make_room(operator))
                                {
                                    self.hands.quota_reached(operator);
                                }
                                client
                            }
                            Claimed::Leased(lease, fetch) => {
                                if offer.ended && !self.hands.has_room(operator) {
                                    self.hands.make_room(operator);
                                }
                                let Some(hand) = self.hands.take(operator, offer.job) else {
                                    let working = fetch.stop().await?;
                                    return Ok(working.abandon(ProverError::Later { why: IN_HAND }).await?);
                                };
                                *turn = None;
                                return self.see_through(operator, *offer, &lease, *fetch, &hand).await;
                            }
                        }
                    }
                }
            };
        }
    }

    /// Whether the operator says that the job is over. Where there is no proof, nothing can be done without the operator.
    async fn refused(&self, id: Hash, operator: PeerId, reason: RefusalReason) -> Result<(), ProverError> {
        let theirs = |known: &Known| known.job.start.operator == operator && known.is_unproven();
        if self.job(id).is_none_or(|known| !theirs(&known)) {
            return Ok(());
        }
        match reason {
            RefusalReason::Aborted => self.end(id, Step::Aborted { why: AbortCause::Told { by: operator } }).await,
            RefusalReason::Settled => self.end(id, Step::Settled { proof: None }).await,
            RefusalReason::Leased | RefusalReason::Quota | RefusalReason::Unavailable => Ok(()),
        }
    }

    /// Jobs of this operator that aren't proven, and that may be gone on with now.
    pub(super) fn resumable_jobs(&self, operator: PeerId) -> Vec<ResumableJob> {
        let jobs = self.jobs();
        let open = |known: &Known| known.job.operator == operator && known.is_unproven() && !known.has_failed();
        let may = |id: Hash| !self.hands.has(id) && !self.troubles.is_apart(id);
        jobs.iter()
            .filter(|(id, known)| open(known) && may(**id))
            .map(|(id, known)| ResumableJob { job: *id, have: known.job.figures.chunks })
            .take(shardwire_protocols::trace::MAX_RESUMED)
            .collect()
    }

    /// Whether the job is taken; if not, what the operator is told.
    pub(super) async fn considered(
        &self,
        operator: PeerId,
        offer: &JobOffer,
    ) -> Result<(), (DeclineReason, ProverError)> {
        if !self.is_assigned(operator, offer) {
            return Err((DeclineReason::Unassigned, ProverError::Unassigned));
        }
        let later = |why| Err((DeclineReason::Later, ProverError::Later { why }));
        if is_long_past(&offer.start, self.host.clock.now()) {
            return later(LONG_PAST);
        }
        let known = self.job(offer.job);
        if known.is_none() && self.has_many(operator) {
            return later(TOO_MANY);
        }
        if let Some(known) = known {
            let given_up = |why| Err((DeclineReason::GivenUp, why));
            match known.proof() {
                _ if known.has_failed() => return given_up(ProverError::GivenUp),
                // With a proof that is here the operator may be told which, once more.
                Some(proof) if self.has_proof(proof).await => return Ok(()),
                _ if known.life.is_over() => return given_up(ProverError::Over),
                Some(proof) => self.note_lost(offer.job, proof).await,
                None => {}
            }
        }
        if self.hands.has(offer.job) {
            return later(IN_HAND);
        }
        if !self.troubles.is_fit() || self.troubles.is_apart(offer.job) {
            return later(IN_TROUBLE);
        }
        if !self.hands.wants(operator) || (!offer.ended && !self.hands.has_room(operator)) {
            return later("its places are taken");
        }
        Ok(())
    }

    async fn has_proof(&self, proof: Hash) -> bool {
        let artefacts = self.host.artefacts.clone();
        let there = self.host.work.run(move || artefacts.is_there(&artefacts.proof(proof))).await;
        matches!(there, Some(Ok(true)))
    }

    async fn see_through(
        self: &Arc<Self>,
        operator: PeerId,
        offer: JobOffer,
        lease: &Lease,
        fetch: Fetch,
        hand: &InHand,
    ) -> Result<(), ServeError> {
        let id = offer.job;
        let is_new = self.job(id).is_none();
        let begun = match self.begin(operator, &offer, lease).await {
            Ok(()) if is_new => self.taken(id, operator).await,
            begun => begun,
        };
        if let Err(error) = begun {
            return self.give_back(id, fetch.stop().await?, error).await;
        }
        let fetched = self.job(id).is_some_and(|known| known.is_fetched() || known.proof().is_some());
        let working = if fetched {
            fetch.stop().await?
        } else {
            match self.fetch(operator, &offer, fetch, hand).await? {
                Ok(working) => working,
                Err(lost) => return lost,
            }
        };
        hand.whole();
        self.begin_proving(id, Instant::now() + LEASE);
        self.report(id, working).await
    }

    async fn begin(&self, operator: PeerId, offer: &JobOffer, lease: &Lease) -> Result<(), ProverError> {
        let epoch = lease.statement.epoch;
        let turn = self.changing.take(offer.job).await;
        let known = match self.job(offer.job) {
            Some(Known { job, life, file }) => Known { job: Job { operator, epoch, ..job }, life, file },
            None => {
                let job = Job {
                    start: offer.start.clone(),
                    values: offer.values.iter().copied().map(WireFelt).collect(),
                    segment: offer.segment,
                    before: WireFelt(offer.before),
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
                Known { job, life: Life::new(Role::Prover), file: ProofFile::There }
            }
        };
        self.keep(turn, known, Some(Step::Streaming { job: offer.job }), Some(signed::stored(lease))).await
    }

    /// Pulls what is missing of the witness. `Err` within `Ok`: the job ended here, and how the session did.
    async fn fetch(
        self: &Arc<Self>,
        operator: PeerId,
        offer: &JobOffer,
        mut fetch: Fetch,
        hand: &InHand,
    ) -> Result<Result<Working, Result<(), ServeError>>, ServeError> {
        let (id, artefacts) = (offer.job, &self.host.artefacts);
        let have = {
            let artefacts = artefacts.clone();
            self.host.work.run(move || chunks::whole(&artefacts, id)).await
        };
        let Some(have) = have else {
            return Ok(Err(self.give_back(id, fetch.stop().await?, ProverError::Panicked).await));
        };
        self.events.emit(FetchStarted { job: id, shard: offer.shard, have: have.len() });
        let too_far = u32::from(Mutation::ResumedOffByOne.is_planted() && !have.is_empty());
        fetch.resume((0..).zip(have));
        let began = Instant::now();
        let before = self.job(id).map_or(0, |known| known.job.figures.stream_ms);
        let stream_ms = || before + u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut most_outstanding = 0;
        let ending = loop {
            let pulled = tokio::select! { biased;
                () = hand.asked_back() => {
                    self.events.emit(PlaceGivenAway { job: id });
                    let working = fetch.stop().await?;
                    return Ok(Err(working.abandon(ProverError::GivesWay).await.map_err(Into::into)));
                }
                pulled = fetch.next() => pulled?,
            };
            // The one that was just answered among them.
            most_outstanding = most_outstanding.max(fetch.outstanding() + 1);
            match pulled {
                Pulled::Chunk(chunk) => {
                    let (index, raw, wire) = (chunk.index, u64::from(chunk.raw_bytes), chunk.body.len() as u64);
                    let artefacts = artefacts.clone();
                    let keep = move || {
                        chunks::unpack(&chunk)?;
                        let chunk = Chunk { index: index + too_far, ..chunk };
                        Ok::<_, String>(chunks::keep(&artefacts, id, &chunk))
                    };
                    match self.host.work.run(keep).await.unwrap_or(Ok(Err(ProverError::Panicked))) {
                        Ok(Ok(())) => hand.fetched(),
                        Ok(Err(error)) => return Ok(Err(self.give_back(id, fetch.stop().await?, error).await)),
                        Err(why) => return Err(fetch.reject(index, &why).into()),
                    }
                    self.events.emit(ChunkFetched { job: id, index, bytes: wire });
                    self.host.peers.note(operator, &Event::Worked(Work::Bytes(wire)));
                    self.show(id, |job| {
                        job.figures.chunks += 1;
                        job.figures.bytes_raw += raw;
                        job.figures.bytes_wire += wire;
                        job.figures.stream_ms = stream_ms();
                    })
                    .await;
                }
                Pulled::End(ending) => break *ending,
                Pulled::Lost { epoch } => {
                    self.events.emit(LeaseLost { job: id, epoch });
                    let working = fetch.stop().await?;
                    let cause = Cause::from(ProverError::LeaseEnded);
                    return Ok(Err(working.abandon(cause).await.map_err(Into::into)));
                }
            }
        };
        self.events.emit(PullEnded { job: id, most_outstanding });
        let working = fetch.stop().await?;
        match self.fetched(offer, ending, stream_ms()).await {
            Ok(()) => Ok(Ok(working)),
            Err(error) if error.due_to() != DueTo::Job => Ok(Err(self.give_back(id, working, error).await)),
            Err(error) => {
                self.give_up(id, &error).await.map_err(failed)?;
                Ok(Err(working.abandon(error).await.map_err(Into::into)))
            }
        }
    }

    /// Notes that the witness is whole: from here on the operator isn't needed.
    async fn fetched(&self, offer: &JobOffer, ending: Ending, stream_ms: u64) -> Result<(), ProverError> {
        let Ending { chunks, steps, output, reads } = ending;
        let manifest = Manifest { chunks, steps, output };
        // What is proven of such a witness would be disputed, and it would be the operator's doing.
        let (artefacts, id, of) = (self.host.artefacts.clone(), offer.job, offer.clone());
        let output = manifest.output.clone();
        let keep = move || {
            let expected = Expected { start: &of.start, segment: of.segment, before: of.before };
            check_segment(of.start.program, &output, &reads, &expected).map_err(|_| ProverError::OtherRun)?;
            Ok(artefacts.write_list(&artefacts.fetched_reads(id), &reads, true)?)
        };
        self.host.work.run(keep).await.unwrap_or(Err(ProverError::Panicked))?;
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
        })
        .await
    }

    /// Gives a job back because of this machine, so that another prover may have it.
    async fn give_back(self: &Arc<Self>, id: Hash, working: Working, error: ProverError) -> Result<(), ServeError> {
        let wait = self.trouble(Some(id), &error);
        self.show(id, |job| job.fault = Some(KeptCause::of(&error))).await;
        let (code, words) = (error.code(), error.to_string());
        self.events.emit(JobReturned { job: id, code, error: words, wait });
        Ok(working.abandon(error).await?)
    }

    /// Notes that a job can't be done, until somebody wants it tried again. In its life that is noted once.
    pub(super) async fn give_up(&self, id: Hash, error: &ProverError) -> Result<(), ProverError> {
        self.note_failed(id, error.due_to().into(), KeptCause::of(error)).await
    }

    /// The same, for a reason that may be a settler's.
    pub(super) async fn note_failed(&self, id: Hash, why: GivenUp, fault: KeptCause) -> Result<(), ProverError> {
        self.events.emit(JobFailed { job: id, why, code: fault.code.clone(), error: fault.reason.clone() });
        let noted = self.job(id).is_some_and(|known| known.life.step(Stage::Failed).is_some());
        let failed = (!noted).then(|| Step::Failed { cause: fault.cause() });
        self.update(id, failed, |job| {
            job.attempts = MAX_ATTEMPTS;
            job.fault = Some(fault);
        })
        .await
    }

    /// Keeps the lease alive until the job is proven, or nobody works at it any more.
    async fn report(&self, id: Hash, mut working: Working) -> Result<(), ServeError> {
        let changes = self.changes.of(id);
        loop {
            let changed = changes.next();
            let Some(known) = self.job(id) else { return Ok(()) };
            if let Some(proof) = known.proof() {
                working.finish(proof).await?;
                return Ok(());
            }
            if known.has_failed() || known.life.is_over() || !self.at_work.is_held(id) {
                // It has failed or is over, or can't be gone on with here for now: others may have it.
                // The words of it are for this prover's people.
                let cause = known.job.fault.map(|fault| Cause::new(&fault.code, NOT_NOW));
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
