//! The settler consumes proofs: fetches, verifies, applies once, and answers with a receipt or a dispute.
//!
//! A proof is of one [segment](crate::segments) of a run. Of each segment the first proof that holds counts, and no bad one hides its verdict. Its prover gets a receipt when the shard is settled, and is told to come again until then; each
//! proof counts once as work of its prover, when it is verified.

use super::{
    Settler, SettlerError,
    error::{Objection, Unwanted},
    events::{ProofDisputed, ProofReceived, ProofUnwanted, ProofVerified, SegmentProven},
    leases::job,
    life::{Applied, CaughtUp, part},
    segments::{Begins, Fit, Run},
};
use shardwire_host::history::Lives as _;
use shardwire_model::{
    Cause, Coded as _, Felt, Hash, PeerId, SegmentId, Stage, Timestamp,
    life::{Ended, Life, Step},
};
use shardwire_protocols::{
    Failure, ServeError,
    evidence::{Accusation, BadProof, Evidence},
    proof::{Client, Next, Offered, Proof, Ready},
};
use shardwire_proving::settle::{Disbelief, OutputMismatch};
use shardwire_reputation::{Blame, Breach, Event, Work};
use shardwire_store::{
    StoreError, Write,
    records::{KeptCause, KeptVerdict, OUTPUTS, VERDICTS},
};
use shardwire_transport::Initiator;
use shardwire_world::{ShardRecord, ShardState};
use std::sync::Arc;

/// What to do with a proof before it is fetched.
enum Interest {
    /// It is settled already, at that time: nothing to fetch.
    Settled(Timestamp),
    /// It was disputed: it stays so.
    Disputed(Cause),
    /// It is not wanted.
    None(Unwanted),
    /// It decides a segment of a shard, which begins with the state that has this commitment.
    Of(Box<ShardRecord>, Felt),
}

/// The segment that a prover says its proof is of.
const fn segment_of(ready: &Ready) -> SegmentId {
    SegmentId { shard: ready.shard, segment: ready.segment }
}

fn failed(error: impl Into<SettlerError>) -> ServeError {
    ServeError::Handler(Failure::from(error.into()))
}

impl Settler {
    /// Takes proofs from a prover until the session fails.
    ///
    /// # Errors
    /// [`ServeError::Session`] when the session ends, [`ServeError::Handler`] if this node can't go on.
    pub(crate) async fn collect(self: &Arc<Self>, session: Initiator<Proof>) -> Result<(), ServeError> {
        let prover = session.peer();
        let identity = &self.host.identity;
        let mut client = Client::new(session);
        loop {
            client = match client.ask().await? {
                Next::Nothing(client) => client,
                Next::Ready(ready, offered) => {
                    if let Some(leased) = &offered.announcement().statement.leased {
                        self.compare(segment_of(&ready), leased).await.map_err(failed)?;
                    }
                    match self.interest(&ready).await.map_err(failed)? {
                        Interest::Settled(at) => offered.settled(identity, at).await?.1,
                        Interest::Disputed(cause) => offered.dispute(identity, cause).await?.1,
                        Interest::None(unwanted) => {
                            // What waits for the run's other segments is asked about for as long as they take.
                            if !matches!(unwanted, Unwanted::Uncut { .. } | Unwanted::Proven { .. }) {
                                let why = unwanted.to_string();
                                self.events.emit(ProofUnwanted { shard: ready.shard, prover, why });
                            }
                            offered.skip(unwanted.reason(), unwanted).await?
                        }
                        Interest::Of(record, before) => self.decide(prover, ready, offered, *record, before).await?,
                    }
                }
            };
        }
    }

    async fn interest(self: &Arc<Self>, ready: &Ready) -> Result<Interest, SettlerError> {
        let (shard, segment) = (ready.shard, segment_of(ready));
        // A proof that was verified before is settled now, if it couldn't be then.
        if let CaughtUp::Pending = self.catch_up(&self.turns.take(shard).await).await? {
            return Ok(Interest::None(Unwanted::Pending { shard }));
        }
        // What the World refused while nobody was in a session to be told so.
        let verdict = self.host.store.get(&VERDICTS, &segment)?;
        let of_this = verdict.as_ref().filter(|verdict| verdict.proof == ready.proof);
        let fault = of_this.and_then(|verdict| verdict.fault.as_ref());
        Ok(match self.world.shard(shard).await? {
            None => Interest::None(Unwanted::Unknown { shard }),
            Some(record) => match &record.state {
                ShardState::Aborted { .. } => Interest::None(Unwanted::Aborted { shard }),
                ShardState::Settled(settlement) => {
                    // The World names the proof of the last segment only. Of the others it is known here which proofs held.
                    let holding = verdict.as_ref().filter(|verdict| verdict.fault.is_none()).map(|it| it.proof);
                    let settled = holding.or_else(|| segment.is_first().then_some(settlement.proof));
                    match settled == Some(ready.proof) {
                        true => Interest::Settled(settlement.at),
                        false => Interest::None(Unwanted::Late { shard }),
                    }
                }
                ShardState::Started => self.interest_in_open(ready, record, fault)?,
            },
        })
    }

    /// What to do with a proof of an open shard of this record, on which there was this objection.
    fn interest_in_open(
        &self,
        ready: &Ready,
        record: ShardRecord,
        fault: Option<&KeptCause>,
    ) -> Result<Interest, SettlerError> {
        let SegmentId { shard, segment } = segment_of(ready);
        let run = Run::read(&self.host.store, shard)?;
        let before = match run.begins(&record, segment) {
            Begins::With(before) => before,
            Begins::Uncut => return Ok(Interest::None(Unwanted::Uncut { shard, segment })),
            Begins::Never => return Ok(Interest::None(Unwanted::OtherJob { shard })),
        };
        // A prover is held to what it announces; of what was announced, only this settler's job is of use.
        if ready.job != job(&record, segment, before) {
            return Ok(Interest::None(Unwanted::OtherJob { shard }));
        }
        Ok(match (fault, self.unopened.why(shard)) {
            (Some(fault), _) => Interest::Disputed(fault.cause()),
            (None, _) if run.has(segment) => Interest::None(Unwanted::Proven { shard, segment }),
            (None, _) if !run.is_cut(segment) && self.uncut.has(segment_of(ready), ready.proof) => {
                Interest::None(Unwanted::Uncut { shard, segment })
            }
            (None, Some(why)) => Interest::None(Unwanted::Unopened { shard, why }),
            (None, None) => Interest::Of(Box::new(record), before),
        })
    }

    async fn decide(
        self: &Arc<Self>,
        prover: PeerId,
        ready: Ready,
        offered: Offered,
        record: ShardRecord,
        before: Felt,
    ) -> Result<Client, ServeError> {
        let segment = segment_of(&ready);
        let Ready { shard, proof, bytes, .. } = ready;
        let (proof_bytes, offered) = offered.fetch().await?;
        self.events.emit(ProofReceived { shard, prover, proof, bytes: u64::from(bytes) });
        let artefacts = &self.host.artefacts;
        let (artefacts, judge) = (artefacts.clone(), self.judge.clone());
        let (start, store) = (record.start.commitment(), self.host.store.clone());
        let check = move || {
            let began = tokio::time::Instant::now();
            let checked = judge.decide(&proof_bytes, proof, &record, segment.segment, before)?;
            let took = began.elapsed();
            let fit = match checked {
                Ok(output) => Run::read(&store, shard)?.fit(&record, output),
                Err(objection) => Fit::Not(objection),
            };
            // What proves nothing is kept as evidence alone, of which there is a bounded number: anybody can make more.
            if matches!(fit, Fit::Fits(_)) {
                artefacts.write(&artefacts.proof(proof), &[&proof_bytes], true)?;
            }
            Ok::<_, SettlerError>((fit, proof_bytes, took))
        };
        let checked = match self.host.work.run(check).await.unwrap_or(Err(SettlerError::Verifier)) {
            // Nobody's fault but this machine's: the proof waits until it is known.
            Err(SettlerError::Origin(error)) => {
                self.note_unopened(shard, &error);
                let unwanted = Unwanted::Unopened { shard, why: Cause::from(error) };
                self.events.emit(ProofUnwanted { shard, prover, why: unwanted.to_string() });
                return Ok(offered.skip(unwanted.reason(), unwanted).await?);
            }
            checked => checked,
        };
        let (fit, proof_bytes, took) = checked.map_err(failed)?;
        // One thread was at it all the time, so that is what of a processor it took at most.
        self.host.peers.note(prover, &Event::Spent { bytes: 0, cpu: took });
        let verify_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let verdict = KeptVerdict { proof, prover, bytes: u64::from(bytes), verify_us, fault: None };

        let applied = match fit {
            Fit::Not(objection) => Applied::Not(objection),
            Fit::Uncut => {
                self.uncut.note(segment, proof);
                let unwanted = Unwanted::Uncut { shard, segment: segment.segment };
                return Ok(offered.skip(unwanted.reason(), unwanted).await?);
            }
            Fit::Fits(output) => {
                self.events.emit(ProofVerified { shard, proof, verify_us });
                // If the disk fails, nobody is to blame: it is settled as soon as that is possible.
                self.settle(shard, output, &verdict).await.map_err(failed)?
            }
        };
        match applied {
            Applied::Settled(settlement) => {
                self.host.peers.note(prover, &Event::Worked(Work::Proof));
                Ok(offered.settled(&self.host.identity, settlement.at).await?.1)
            }
            // The prover asks again; it is told when that is known.
            Applied::Pending => {
                self.host.peers.note(prover, &Event::Worked(Work::Proof));
                self.wake_operator(shard).await;
                let unwanted = Unwanted::Pending { shard };
                Ok(offered.skip(unwanted.reason(), unwanted).await?)
            }
            Applied::Kept => {
                self.host.peers.note(prover, &Event::Worked(Work::Proof));
                self.events.emit(SegmentProven { shard, segment: segment.segment, proof });
                self.wake_operator(shard).await;
                let unwanted = Unwanted::Proven { shard, segment: segment.segment };
                Ok(offered.skip(unwanted.reason(), unwanted).await?)
            }
            Applied::Second => {
                let unwanted = Unwanted::Proven { shard, segment: segment.segment };
                Ok(offered.skip(unwanted.reason(), unwanted).await?)
            }
            // The shard ended while its proof was on the way.
            Applied::Not(Objection::Ended(ended)) => {
                let unwanted = match ended {
                    Ended::Aborted => Unwanted::Aborted { shard },
                    Ended::Settled { .. } => Unwanted::Late { shard },
                };
                Ok(offered.skip(unwanted.reason(), unwanted).await?)
            }
            Applied::Not(objection) => {
                let (code, error) = (objection.code(), objection.to_string());
                self.events.emit(ProofDisputed { shard, prover, proof, code, error });
                let blamed = blame_of(&objection);
                let kept = KeptVerdict { fault: Some(KeptCause::of(&objection)), ..verdict };
                let accusation = (blamed == Some(Blame::Peer)).then(|| {
                    let announcement = offered.announcement().clone();
                    let proof = BadProof { announcement, start, before, bytes: proof_bytes };
                    Accusation { accused: prover, evidence: Evidence::Proof(Box::new(proof)) }
                });
                // Also if the prover goes away now: it isn't asked for this proof again.
                let it = self.clone();
                let noted = async move {
                    let keep = move |write: &mut Write<'_>| {
                        // A proof that holds isn't hidden by one that doesn't, which anybody can send.
                        let life = write.life(part(shard))?;
                        let is_verified = life.step(Stage::Verified).is_some() && !verifies(&life, kept.proof);
                        let has_other = write.get(&OUTPUTS, &segment)?.is_some_and(|it| it.proof != kept.proof);
                        if is_verified || has_other { Ok(()) } else { write.put(&VERDICTS, &segment, &kept) }
                    };
                    it.host.store.commit(keep).await?;
                    it.wake_operator(shard).await;
                    if let Some(accusation) = accusation {
                        it.host.accuse(accusation).await;
                    }
                    Ok::<_, StoreError>(())
                };
                self.host.see_through(noted).await.map_err(failed)?;
                let told = offered.dispute(&self.host.identity, Cause::from(objection)).await;
                // After the dispute is on its way: what follows may end the connection.
                if let Some(blame) = blamed {
                    self.host.peers.note(prover, &Event::Broke { breach: Breach::Proof, blame });
                }
                Ok(told?.1)
            }
        }
    }
}

/// Whether this is the proof that was found to hold.
pub(super) fn verifies(life: &Life, proof: Hash) -> bool {
    matches!(life.step(Stage::Verified), Some(Step::Verified { proof: verified, .. }) if *verified == proof)
}

/// Whether the prover is to blame. For a proof that proves nothing, or another job than the announced one, it is. That the updates of the
/// right job are others than the settlement list's would be the program's doing, and so would that it read no list of such a shard; and what the World refuses was proven all the same. That the run began from
/// another state than it had to may be its operator's doing: a prover doesn't have that state. Where the operator's word and the proof contradict each other, nobody can tell who is wrong.
fn blame_of(objection: &Objection) -> Option<Blame> {
    match objection {
        Objection::Proof(Disbelief::Mismatch(OutputMismatch::Update { .. } | OutputMismatch::List(_))) => {
            Some(Blame::Unclear)
        }
        Objection::Proof(_) => Some(Blame::Peer),
        Objection::Origin(_) | Objection::Cut(_) | Objection::Order(_) => Some(Blame::Unclear),
        Objection::World(_) | Objection::Life(_) | Objection::Ended(_) => None,
    }
}
