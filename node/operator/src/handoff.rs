//! The operator consumes assignments.

use super::{
    Operator,
    error::OperatorError,
    events::{ClaimDisputed, ClaimVerified, ShardClosed},
    run::Run,
    segment::Segment,
};
use shardwire_model::{
    PeerId, ShardId,
    life::{AbortCause, Step},
};
use shardwire_protocols::{
    Failure, ServeError,
    handoff::{Client, Cut, Handoff, KnownVerdict, MAX_CUTS, MAX_VERDICTS, Next, Outcome, ProofVerdict, Verdict},
};
use shardwire_reputation::{Blame, Breach, Event, Work};
use shardwire_store::records::{Assignment, WireFelt};
use shardwire_transport::Initiator;
use std::{collections::BTreeSet, sync::Arc};

impl Operator {
    /// Takes assignments from a settler until the session fails.
    ///
    /// # Errors
    /// [`ServeError::Session`] when the session ends, [`ServeError::Handler`] if this node can't go on.
    pub(crate) async fn follow(self: &Arc<Self>, session: Initiator<Handoff>) -> Result<(), ServeError> {
        let settler = session.peer();
        if !self.host.world.is_settler(settler) {
            // Whatever it says that it is: assignments come from those alone that the World lists. Nothing more is asked of it.
            session.abandon();
            return std::future::pending().await;
        }
        let identity = &self.host.identity;
        let mut client = Client::new(session);
        // A shard whose assignment isn't signed here is left out, so that it is assigned again; unless nothing comes of that, since it may be over.
        let mut names_all = false;
        // Where runs were cut, as far as this session has said it.
        let mut told: BTreeSet<Cut> = BTreeSet::new();
        loop {
            let runs = self.runs();
            let named = |run: &&Arc<Run>| names_all || run.is_assigned();
            let its = runs.iter().filter(|run| run.is_open() && run.settler() == settler).filter(named);
            let its: Vec<_> = its.collect();
            let known: Vec<ShardId> = its.iter().map(|run| run.shard).collect();
            let segments = || its.iter().flat_map(|run| run.segments.all());
            let verdicts = segments().filter_map(|segment| segment.leases.verdict()).take(MAX_VERDICTS);
            let verdicts: Vec<KnownVerdict> = verdicts.collect();
            let cuts = its.iter().flat_map(|run| run.segments.cuts()).filter(|cut| !told.contains(cut));
            let cuts: Vec<Cut> = cuts.take(MAX_CUTS).collect();
            let next = client.ask(identity, &known, &verdicts, &cuts).await?;
            told.retain(|cut| known.contains(&cut.shard));
            told.extend(cuts);
            client = match next {
                Next::Nothing(client) => {
                    names_all = !names_all;
                    client
                }
                Next::Assign(assign, pending) => {
                    let (shard, signed) = (assign.start.shard, assign.terms());
                    let assignment = Assignment {
                        values: assign.values.iter().copied().map(WireFelt).collect(),
                        start: assign.start,
                        settler,
                        epoch: assign.epoch,
                    };
                    let it = self.clone();
                    match self.host.see_through(async move { it.assign(assignment, signed).await }).await {
                        Ok(()) => {
                            // What was signed of another assignment than the one that is kept is of no use, and not asked for at once again.
                            names_all = self.run(shard).is_some_and(|run| !run.is_assigned());
                            pending.accept(identity).await?
                        }
                        Err(cannot) if cannot.declines() => pending.decline(cannot).await?,
                        Err(error) => return Err(ServeError::Handler(Failure::from(error))),
                    }
                }
                Next::Verdict(verdict, client) => {
                    let it = self.clone();
                    let taken_in = self.host.see_through(async move { it.take_in(verdict).await }).await;
                    taken_in.map_err(|error| ServeError::Handler(error.into()))?;
                    client
                }
                Next::Closed(closed, client) => {
                    let end = match closed.outcome {
                        Outcome::Settled { proof } => Step::Settled { proof: Some(proof) },
                        Outcome::Aborted => Step::Aborted { why: AbortCause::Told { by: settler } },
                    };
                    let it = self.clone();
                    let noted = self.host.see_through(async move { it.close(closed.shard, end).await }).await;
                    noted.map_err(|error| ServeError::Handler(error.into()))?;
                    client
                }
            };
        }
    }

    /// Takes in the verdict of a settler of the World: a verified proof is one at last, and the shard is proven once each segment has one; a dispute makes the job free. To be seen through.
    pub(super) async fn take_in(&self, news: ProofVerdict) -> Result<(), OperatorError> {
        let (known, ProofVerdict { shard, segment, proof, verdict }) = (news.known(), news);
        let Some(run) = self.run(shard) else { return Ok(()) };
        // Of a segment that isn't known here nobody has a job.
        let Some(segment) = run.segments.get(segment) else { return Ok(()) };
        let disputed = segment.leases.note_verdict(&self.host, known).await?;
        match verdict {
            Verdict::Verified => {
                if let Some(last) = run.segments.proofs().and_then(|proofs| proofs.last().copied()) {
                    run.note_proven();
                    run.reached(Step::Proven { proof: last }).await?;
                }
                self.events.emit(ClaimVerified { job: segment.job, proof });
            }
            Verdict::Disputed { cause } => {
                // A proof that nobody claimed here is a stranger's, and changes nothing.
                let Some(prover) = disputed else { return Ok(()) };
                self.events.emit(ClaimDisputed { job: segment.job, proof, cause: cause.to_string() });
                self.host.peers.note(prover, &Event::Broke { breach: Breach::Lease, blame: Blame::Peer });
                self.changes.announce();
            }
        }
        Ok(())
    }

    /// Notes how a shard ended at its settler, stops its execution and lets go of its chunks. To be seen through.
    pub(super) async fn close(&self, shard: ShardId, end: Step) -> Result<(), OperatorError> {
        let Some(run) = self.run(shard) else { return Ok(()) };
        let how = end.stage();
        let kept_by: Vec<PeerId> = match end {
            Step::Settled { proof: Some(last) } => {
                let keeper = |it: &Arc<Segment>| it.leases.claimant(it.proof().unwrap_or(last));
                run.segments.all().iter().filter_map(keeper).collect()
            }
            _ => Vec::new(),
        };
        run.close(end).await?;
        for prover in kept_by {
            self.host.peers.note(prover, &Event::Worked(Work::Lease));
        }
        self.events.emit(ShardClosed { shard, how });
        self.changes.announce();
        Ok(())
    }
}
