//! How a prover comes out of its [troubles](super::trouble): it waits, looks whether its worker answers, and takes jobs again once it does. While nothing is
//! wrong it looks now and then, too, so that a prover without a job also notices that its worker is gone.

use super::{
    Prover,
    error::ProverError,
    events::{TroubleOver, WorkerMissing},
};
use shardwire_model::{Coded as _, Hash};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// How often a worker is looked for that nothing is wrong with.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(60);

impl Prover {
    /// Looks now and then whether the worker is there, for as long as the node runs. What isn't is asked.
    pub fn look_after_worker(self: &Arc<Self>) {
        let prover = Arc::downgrade(self);
        self.host.tasks.spawn(async move {
            loop {
                sleep(LOOK_EVERY).await;
                let Some(prover) = prover.upgrade() else { return };
                let workshop = prover.workshop.clone();
                if prover.troubles.is_fit() && prover.host.work.run(move || workshop.is_there()).await == Some(false) {
                    prover.look().await;
                }
            }
        });
    }

    /// Whether the worker answers; it is a trouble if it doesn't.
    async fn look(self: &Arc<Self>) -> bool {
        let Err(error) = self.workshop.answers().await else { return true };
        let error = ProverError::NoWorker(error);
        let wait = self.trouble(None, &error);
        let (code, next_step) = (error.code(), error.next_step());
        self.events.emit(WorkerMissing { code, error: error.to_string(), next_step, wait });
        false
    }

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
            if self.look().await && self.troubles.end() {
                self.events.emit(TroubleOver {});
                self.changes.announce_all();
                return;
            }
        }
    }
}
