//! A prover at nice 19 beside what is measured: the worker proves the same witness again and again, on all cores, until it is stopped.

use super::{Outcome, nice, proofs};
use shardwire_proving::worker::{ProveError, Worker, prove};
use std::{path::PathBuf, thread};
use tokio::sync::watch;

/// See the [module](self). The worker's process ends with it.
pub(super) struct Beside {
    stop: watch::Sender<bool>,
    thread: thread::JoinHandle<Outcome<u32>>,
}

impl Beside {
    pub(super) fn start(worker: Worker, witness: PathBuf) -> Self {
        let (stop, stopped) = watch::channel(false);
        let thread = thread::spawn(move || {
            nice::this_thread()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let request = proofs::request(&witness, None);
            let mut proofs = 0;
            loop {
                let mut stopped = stopped.clone();
                let cancelled = async move {
                    // An error says that the sender is gone: that is a stop as well.
                    let _ = stopped.wait_for(|stop| *stop).await;
                };
                match runtime.block_on(prove(&worker, &request, cancelled, |_| {})) {
                    Ok(_) => proofs += 1,
                    Err(ProveError::Cancelled) => return Ok(proofs),
                    Err(error) => return Err(error.into()),
                }
            }
        });
        Self { stop, thread }
    }

    /// Stops it. How many proofs it made meanwhile; an error if it wasn't at work to the end.
    pub(super) fn stop(self) -> Outcome<u32> {
        let early = self.thread.is_finished();
        let _ = self.stop.send(true); // it may be gone: then it says why
        let proofs = self.thread.join().map_err(|_| "the prover beside panicked")??;
        if early { Err("the prover beside ended early".into()) } else { Ok(proofs) }
    }
}
