//! The embedded ledger as a [`World`]: its transactions run beside the async threads, its clock is the node's, and it decides when it is asked, so
//! nothing is ever pending.
//!
//! Refusals change nothing, so they aren't on the disk: the last [`MAX_REFUSALS`] are remembered, for those who ask a little later.

use super::EmbeddedLedger;
use crate::{
    Answering, Audit, Operation, Refusal, ShardRecord, ShardSummary, Standing, StorageEntry, Ticket, World, WorldError,
    WorldIdentity,
};
use shardwire_model::{Clock, PeerId, ShardId, Slot};
use shardwire_store::Work;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Notify;

/// Most refusals that are remembered: some hundred bytes each.
pub const MAX_REFUSALS: usize = 256;

/// A World in one file, kept by one settler.
#[derive(Debug)]
pub struct EmbeddedWorld {
    ledger: Arc<EmbeddedLedger>,
    identity: Arc<WorldIdentity>,
    clock: Arc<dyn Clock>,
    work: Work,
    refused: Arc<Mutex<VecDeque<(Ticket, Refusal)>>>,
    changed: Notify,
}

impl EmbeddedWorld {
    /// A World over this ledger, whose transactions run as `work` says.
    #[must_use]
    pub fn new(ledger: EmbeddedLedger, clock: Arc<dyn Clock>, work: Work) -> Self {
        Self {
            identity: Arc::new(ledger.identity().clone()),
            ledger: Arc::new(ledger),
            clock,
            work,
            refused: Arc::default(),
            changed: Notify::new(),
        }
    }

    /// Uses the ledger beside the async threads.
    async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&EmbeddedLedger) -> Result<T, WorldError> + Send + 'static,
    ) -> Result<T, WorldError> {
        let ledger = self.ledger.clone();
        let answer = self.work.run(move || act(&ledger)).await;
        answer.unwrap_or_else(|| {
            let why = "its work ended without an answer".into();
            Err(WorldError::Disk { place: self.ledger.place.clone(), why })
        })
    }
}

/// Remembers a refusal, one for each ticket: the last.
fn remember(refused: &Mutex<VecDeque<(Ticket, Refusal)>>, ticket: Ticket, refusal: Option<&Refusal>) {
    let mut refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
    refused.retain(|(known, _)| *known != ticket);
    if let Some(refusal) = refusal {
        if refused.len() >= MAX_REFUSALS {
            refused.pop_front();
        }
        refused.push_back((ticket, refusal.clone()));
    }
}

impl World for EmbeddedWorld {
    fn identity(&self) -> &Arc<WorldIdentity> {
        &self.identity
    }

    fn submit(&self, operation: Operation) -> Answering<'_, Result<Standing, WorldError>> {
        Box::pin(async move {
            let (ticket, clock, refused) =
                (operation.ticket(self.identity.network()), self.clock.clone(), self.refused.clone());
            let act = move |ledger: &EmbeddedLedger| {
                let decided = ledger.apply(&operation, clock.now())?;
                remember(&refused, ticket, decided.as_ref().err());
                Ok(decided)
            };
            match self.with(act).await? {
                Err(refusal) => Ok(Standing::Refused(refusal)),
                Ok(receipt) => {
                    self.changed.notify_waiters();
                    Ok(Standing::Final(receipt))
                }
            }
        })
    }

    fn standing(&self, ticket: Ticket) -> Answering<'_, Result<Standing, WorldError>> {
        Box::pin(async move {
            if let Some(receipt) = self.with(move |ledger| ledger.recall(ticket)).await? {
                return Ok(Standing::Final(receipt));
            }
            let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            let refusal = refused.iter().find(|(known, _)| *known == ticket).map(|(_, refusal)| refusal.clone());
            Ok(refusal.map_or(Standing::Unknown, Standing::Refused))
        })
    }

    fn revision(&self) -> u64 {
        self.ledger.revision()
    }

    fn changed(&self, since: u64) -> Answering<'_, ()> {
        Box::pin(async move {
            loop {
                let changed = self.changed.notified();
                if self.revision() != since {
                    return;
                }
                changed.await;
            }
        })
    }

    fn shard(&self, shard: ShardId) -> Answering<'_, Result<Option<ShardRecord>, WorldError>> {
        Box::pin(self.with(move |ledger| ledger.shard(shard)))
    }

    fn shards(&self, after: Option<ShardId>, limit: usize) -> Answering<'_, Result<Vec<ShardSummary>, WorldError>> {
        Box::pin(self.with(move |ledger| ledger.shards(after, limit)))
    }

    fn open_shards(
        &self,
        operator: PeerId,
        after: Option<ShardId>,
        limit: usize,
    ) -> Answering<'_, Result<Vec<ShardId>, WorldError>> {
        Box::pin(self.with(move |ledger| ledger.open_shards(operator, after, limit)))
    }

    fn storage(&self, after: Option<Slot>, limit: usize) -> Answering<'_, Result<Vec<StorageEntry>, WorldError>> {
        Box::pin(self.with(move |ledger| ledger.storage(after, limit)))
    }

    fn audit(&self) -> Answering<'_, Result<Audit, WorldError>> {
        Box::pin(self.with(EmbeddedLedger::audit))
    }
}
