//! How a prover comes out of its [troubles](super::trouble): it waits, looks whether its worker answers, and takes jobs again once it does.

use super::{
    Prover,
    error::ProverError,
    events::{TroubleOver, WorkerMissing},
};
use shardwire_model::{Coded as _, Hash};
use std::{sync::Arc, time::Duration};

impl Prover {
    /// Notes an attempt that ended by no fault of its job, and looks after the worker from now on. How long the prover, or the job, waits.
    pub(super) fn trouble(self: &Arc<Self>, job: Option<Hash>, error: &ProverError) -> Duration {
        let wait = self.troubles.note(job, error, &self.host.randomness);
        if self.troubles.is_to_be_tended() {
            let prover = self.clone();
            self.host.tasks.spawn(async move { prover.mend().await });
        }
        wait
    }

    async fn mend(self: Arc<Self>) {
        loop {
            self.troubles.wait().await;
            if let Err(error) = self.workshop.answers().await {
                let error = ProverError::NoWorker(error);
                let wait = self.troubles.note(None, &error, &self.host.randomness);
                let (code, next_step) = (error.code(), error.next_step());
                self.events.emit(WorkerMissing { code, error: error.to_string(), next_step, wait });
                continue;
            }
            if self.troubles.end() {
                self.events.emit(TroubleOver {});
                self.changes.announce_all();
                return;
            }
        }
    }
}
