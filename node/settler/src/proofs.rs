//! The settler consumes proofs: fetches, verifies, applies once, and answers with a receipt or a dispute.

use super::{
    Settler, SettlerError,
    error::{Objection, Unwanted},
    events::{ProofDisputed, ProofReceived, ProofUnwanted, ProofVerified},
    leases::job,
    life::{Applied, CaughtUp, part},
};
use shardwire_host::history::Lives as _;
use shardwire_model::{
    Cause, Coded as _, Hash, PeerId, SegmentId, Stage, Timestamp,
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
    records::{KeptCause, KeptVerdict, VERDICTS},
};
use shardwire_transport::Initiator;
use shardwire_world::{Refusal, ShardRecord, ShardState};
use std::sync::Arc;

/// What to do with a proof before it is fetched.
enum Interest {
    /// It is settled already, at that time: nothing to fetch.
    Settled(Timestamp),
    /// It was disputed: it stays so.
    Disputed(Cause),
    /// It is not wanted.
    None(Unwanted),
    /// It decides a shard.
    Of(Box<ShardRecord>),
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
                            self.events.emit(ProofUnwanted { shard: ready.shard, prover, why: unwanted.to_string() });
                            offered.skip(unwanted.reason(), unwanted).await?
                        }
                        Interest::Of(record) => self.decide(prover, ready, offered, *record).await?,
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
        let verdict = self.host.store.get(&VERDICTS, &segment)?.filter(|verdict| verdict.proof == ready.proof);
        let fault = verdict.and_then(|verdict| verdict.fault);
        Ok(match self.world.shard(shard).await? {
            None => Interest::None(Unwanted::Unknown { shard }),
            Some(record) => match &record.state {
                ShardState::Aborted { .. } => Interest::None(Unwanted::Aborted { shard }),
                ShardState::Settled(settlement) if settlement.proof == ready.proof => Interest::Settled(settlement.at),
                ShardState::Settled(_) => Interest::None(Unwanted::Late { shard }),
                // A prover is held to what it announces; of what was announced, only this settler's job is of use.
                ShardState::Started if !segment.is_first() || ready.job != job(&record, segment) => {
                    Interest::None(Unwanted::OtherJob { shard })
                }
                ShardState::Started => match (fault, self.unopened.why(shard)) {
                    (Some(fault), _) => Interest::Disputed(fault.cause()),
                    (None, Some(why)) => Interest::None(Unwanted::Unopened { shard, why }),
                    (None, None) => Interest::Of(Box::new(record)),
                },
            },
        })
    }

    async fn decide(
        self: &Arc<Self>,
        prover: PeerId,
        ready: Ready,
        offered: Offered,
        record: ShardRecord,
    ) -> Result<Client, ServeError> {
        let segment = segment_of(&ready);
        let Ready { shard, proof, bytes, .. } = ready;
        let (proof_bytes, offered) = offered.fetch().await?;
        self.events.emit(ProofReceived { shard, prover, proof, bytes: u64::from(bytes) });
        let artefacts = &self.host.artefacts;
        let (artefacts, judge) = (artefacts.clone(), self.judge.clone());
        let (start, before) = (record.start.commitment(), record.before);
        let check = move || {
            let began = tokio::time::Instant::now();
            let checked = judge.decide(&proof_bytes, proof, &record, segment)?;
            let took = began.elapsed();
            // What proves nothing is kept as evidence alone, of which there is a bounded number: anybody can make more.
            if checked.is_ok() {
                artefacts.write(&artefacts.proof(proof), &[&proof_bytes], true)?;
            }
            Ok::<_, SettlerError>((checked, proof_bytes, took))
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
        let (checked, proof_bytes, took) = checked.map_err(failed)?;
        // One thread was at it all the time, so that is what of a processor it took at most.
        self.host.peers.note(prover, &Event::Spent { bytes: 0, cpu: took });
        let verify_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let verdict = KeptVerdict { proof, prover, bytes: u64::from(bytes), verify_us, fault: None };

        let applied = match checked {
            Err(objection) => Applied::Not(objection),
            // Nothing that the World is going to refuse counts as verified.
            Ok(output) if !output.ended => Applied::Not(Objection::World(Refusal::NotEnded { shard })),
            Ok(output) => {
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
                        let holds = life.step(Stage::Verified).is_some() && !verifies(&life, kept.proof);
                        if holds { Ok(()) } else { write.put(&VERDICTS, &segment, &kept) }
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
/// another state than it had to may be its operator's doing: a prover doesn't have that state.
fn blame_of(objection: &Objection) -> Option<Blame> {
    match objection {
        Objection::Proof(Disbelief::Mismatch(OutputMismatch::Update { .. } | OutputMismatch::List(_))) => {
            Some(Blame::Unclear)
        }
        Objection::Proof(_) => Some(Blame::Peer),
        Objection::Origin(_) => Some(Blame::Unclear),
        Objection::World(_) | Objection::Life(_) | Objection::Ended(_) => None,
    }
}
