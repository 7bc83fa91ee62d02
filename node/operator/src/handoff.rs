//! The operator consumes assignments.

use super::{Operator, OperatorError};
use shardwire_model::{
    ShardId,
    life::{AbortCause, Step},
};
use shardwire_protocols::{
    Failure, ServeError,
    handoff::{Client, Handoff, Next, Outcome},
};
use shardwire_store::records::{Assignment, WireFelt};
use shardwire_transport::Initiator;

impl Operator {
    /// Takes assignments from a settler until the session fails.
    ///
    /// # Errors
    /// [`ServeError`]: why the session ended.
    pub(crate) async fn follow(&self, session: Initiator<Handoff>) -> Result<(), ServeError> {
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
            let known: Vec<ShardId> =
                runs.iter().filter(|run| run.is_open() && run.settler() == settler).map(|run| run.shard).collect();
            client = match client.ask(identity, &known).await? {
                Next::Nothing(client) => client,
                Next::Assign(assign, pending) => {
                    let assignment = Assignment {
                        values: assign.values.iter().copied().map(WireFelt).collect(),
                        start: assign.start,
                        settler,
                        epoch: assign.epoch,
                    };
                    match self.assign(assignment) {
                        Ok(()) => pending.accept(identity).await?,
                        Err(cannot @ (OperatorError::Full | OperatorError::Program(_))) => {
                            pending.decline(cannot).await?
                        }
                        Err(error) => return Err(ServeError::Handler(Failure::from(error))),
                    }
                }
                Next::Closed(closed, client) => {
                    let end = match closed.outcome {
                        Outcome::Settled { proof } => Step::Settled { proof: Some(proof) },
                        Outcome::Aborted => Step::Aborted { why: AbortCause::Told { by: settler } },
                    };
                    self.close(closed.shard, end).map_err(|error| ServeError::Handler(error.into()))?;
                    client
                }
            };
        }
    }
}
