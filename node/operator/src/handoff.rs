//! The operator consumes assignments.

use super::{
    Operator, OperatorError,
    events::{ClaimDisputed, ClaimVerified},
};
use shardwire_model::{
    ShardId,
    life::{AbortCause, Step},
};
use shardwire_protocols::{
    Failure, ServeError,
    handoff::{Client, Handoff, Judged, Judgement, Next, Outcome, Told},
};
use shardwire_reputation::{Blame, Breach, Event};
use shardwire_store::records::{Assignment, WireFelt};
use shardwire_transport::Initiator;
use std::sync::Arc;

impl Operator {
    /// Takes assignments from a settler until the session fails.
    ///
    /// # Errors
    /// [`ServeError`]: why the session ended.
    pub(crate) async fn follow(self: &Arc<Self>, session: Initiator<Handoff>) -> Result<(), ServeError> {
        let settler = session.peer();
        if !self.host.world.is_settler(settler) {
            // Whatever it says that it is: assignments come from those alone that the World lists. Nothing more is asked of it.
            drop(session);
            return std::future::pending().await;
        }
        let identity = &self.host.identity;
        let mut client = Client::new(session);
        loop {
            let runs = self.runs();
            let its: Vec<_> = runs.iter().filter(|run| run.is_open() && run.settler() == settler).collect();
            let known: Vec<ShardId> = its.iter().map(|run| run.shard).collect();
            let judged: Vec<Told> = its.iter().filter_map(|run| run.leases.told()).collect();
            client = match client.ask(identity, &known, &judged).await? {
                Next::Nothing(client) => client,
                Next::Assign(assign, pending) => {
                    let assignment = Assignment {
                        values: assign.values.iter().copied().map(WireFelt).collect(),
                        start: assign.start,
                        settler,
                        epoch: assign.epoch,
                    };
                    let it = self.clone();
                    match self.host.see_through(async move { it.assign(assignment).await }).await {
                        Ok(()) => pending.accept(identity).await?,
                        Err(
                            cannot @ (OperatorError::Full | OperatorError::Program(_) | OperatorError::Execution(_)),
                        ) => pending.decline(cannot).await?,
                        Err(error) => return Err(ServeError::Handler(Failure::from(error))),
                    }
                }
                Next::Judged(judged, client) => {
                    let it = self.clone();
                    let taken_in = self.host.see_through(async move { it.judged(judged).await }).await;
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

    /// Takes in what a settler of the World found a proof to be: one that holds is one at last, a dispute makes the job free. To be seen
    /// through.
    pub(super) async fn judged(&self, judged: Judged) -> Result<(), OperatorError> {
        let (told, Judged { shard, proof, judgement }) = (judged.told(), judged);
        let Some(run) = self.run(shard) else { return Ok(()) };
        let disputed = run.leases.judged(&self.host, told).await?;
        match judgement {
            Judgement::Verified => {
                run.reached(Step::Proven { proof }).await?;
                self.events.emit(ClaimVerified { job: run.job, proof });
            }
            Judgement::Disputed { cause } => {
                self.events.emit(ClaimDisputed { job: run.job, proof, cause: cause.to_string() });
                if let Some(prover) = disputed {
                    let broke = Event::Broke { breach: Breach::Lease, blame: Blame::Peer };
                    self.host.peers.note(prover, &broke);
                }
                self.changes.announce();
            }
        }
        Ok(())
    }
}
