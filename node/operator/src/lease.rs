//! Who may pull a run's witness: one prover at a time, under a lease with a fencing epoch.
//!
//! Each lease has a higher epoch than those before, durable before it is signed, so that a prover which was given up for dead and
//! comes back is told so. The lease is renewed in memory only: after a restart it is taken to be over unless its prover asks again.
//! Leases have lengths, so they go by the clock's steady reading, whatever the system's clock is set to.

use super::OperatorError;
use shardwire_host::Host;
use shardwire_model::{Hash, Mutation, PeerId, SegmentId, Timestamp};
use shardwire_protocols::{
    Signed,
    trace::{self, DeclineReason, Lease, LeaseTerms},
};
use shardwire_reputation::{Blame, Breach, Event};
use shardwire_store::{
    Store, StoreError,
    records::{LEASES, TraceLease},
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a job is not offered again after a prover said that it has the proof: the settler takes seconds to fetch and verify it.
const PROOF_GRACE: Duration = Duration::from_secs(600);

/// Most provers remembered that declined a job. One that doesn't fit is asked again.
const MAX_DECLINED: usize = 64;

#[derive(Debug, Default)]
struct Present {
    lease: Option<TraceLease>,
    /// Who doesn't want the job, or was told that it is over: they are offered others.
    declined: BTreeMap<PeerId, Declined>,
}

/// For how long a prover doesn't want a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Declined {
    /// Until it names the job, or this node is started again.
    GivenUp,
    /// Until then, or until the run has ended if it hadn't.
    Later { until: Instant, ended: bool },
}

/// The leases of one segment of a run.
#[derive(Debug)]
pub(super) struct Leases {
    segment: SegmentId,
    present: Mutex<Present>,
}

impl Leases {
    pub(super) fn new(segment: SegmentId) -> Self {
        Self { segment, present: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the latest lease: its epoch is never given again. One that would last longer from now than any may was given by a clock that was ahead.
    pub(super) fn restore(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let mut lease = store.get(&LEASES, &self.segment)?;
        if let Some(lease) = &mut lease {
            lease.expires = lease.expires.min(now.plus(PROOF_GRACE));
        }
        self.lock().lease = lease;
        Ok(())
    }

    pub(super) fn present(&self) -> Option<TraceLease> {
        self.lock().lease.clone()
    }

    /// Whether this prover has given the job up, or was told that it is over.
    pub(super) fn has_declined(&self, prover: PeerId) -> bool {
        self.lock().declined.get(&prover) == Some(&Declined::GivenUp)
    }

    /// A prover names the job as one that it would go on with: it may have changed its mind.
    pub(super) fn named_by(&self, prover: PeerId) {
        self.lock().declined.remove(&prover);
    }

    /// Whether this prover may have the job now: nobody else has it. `ended`: whether its run has ended.
    pub(super) fn is_free(&self, prover: PeerId, now: Timestamp, ended: bool) -> bool {
        let present = self.lock();
        let free = |lease: &TraceLease| lease.expires <= now || (lease.prover == prover && lease.proof.is_none());
        let declined = present.declined.get(&prover).is_some_and(|declined| match declined {
            Declined::GivenUp => true,
            Declined::Later { until, ended: then } => Instant::now() < *until && *then == ended,
        });
        !declined && present.lease.as_ref().is_none_or(free)
    }

    /// Whether this prover holds the job and has no proof of it yet.
    pub(super) fn is_at_work(&self, prover: PeerId, now: Timestamp) -> bool {
        let present = self.lock();
        present.lease.as_ref().is_some_and(|it| it.prover == prover && it.expires > now && it.proof.is_none())
    }

    /// Leases the job under a new epoch.
    pub(super) fn grant(&self, host: &Host, job: Hash, prover: PeerId) -> Result<Lease, OperatorError> {
        let now = host.clock.steady();
        let mut present = self.lock();
        let epoch = match &present.lease {
            Some(lease) if lease.expires > now && lease.prover != prover => {
                return Err(OperatorError::Leased { prover: lease.prover.short() });
            }
            Some(lease) => lease.epoch + 1,
            None => 1,
        };
        // That it ran out may be the network's fault, or this node's, which was down.
        let ran_out = present.lease.as_ref().filter(|lease| lease.proof.is_none() && lease.prover != prover);
        if let Some(lease) = ran_out {
            let broke = Event::Broke { breach: Breach::Lease, blame: Blame::Unclear };
            host.peers.note(lease.prover, &broke);
        }
        let expires = now.plus(trace::LEASE);
        let lease = TraceLease { epoch, prover, expires, proof: None };
        host.store.put(&LEASES, &self.segment, &lease)?;
        present.lease = Some(lease);
        Ok(Signed::by(&host.identity, LeaseTerms { job, epoch, expires, prover }))
    }

    /// Renews the lease; the epoch that is valid instead if it isn't this prover's.
    pub(super) fn renew(&self, prover: PeerId, epoch: u64, now: Timestamp) -> Result<Timestamp, u64> {
        match &mut self.lock().lease {
            Some(lease)
                if (lease.prover == prover && lease.epoch == epoch) || Mutation::EpochUnchecked.is_planted() =>
            {
                lease.expires = lease.expires.max(now.plus(trace::LEASE));
                Ok(lease.expires)
            }
            lease => Err(lease.as_ref().map_or(0, |lease| lease.epoch)),
        }
    }

    /// Notes that this prover doesn't want the job, or was told that it is over.
    pub(super) fn declined(&self, prover: PeerId, reason: DeclineReason, ended: bool) {
        let mut present = self.lock();
        let now = Instant::now();
        present.declined.retain(|_, declined| !matches!(declined, Declined::Later { until, .. } if *until <= now));
        let declined = match reason {
            DeclineReason::GivenUp => Declined::GivenUp,
            DeclineReason::Later => Declined::Later { until: now + trace::DECLINED_FOR, ended },
        };
        if present.declined.len() < MAX_DECLINED || present.declined.contains_key(&prover) {
            present.declined.insert(prover, declined);
        }
    }

    /// Notes that the prover has a proof; the job isn't offered again for [`PROOF_GRACE`].
    pub(super) fn proven(&self, host: &Host, proof: Hash) -> Result<(), StoreError> {
        let mut present = self.lock();
        if let Some(lease) = &mut present.lease {
            lease.proof = Some(proof);
            lease.expires = host.clock.steady().plus(PROOF_GRACE);
            host.store.put(&LEASES, &self.segment, lease)?;
        }
        Ok(())
    }

    /// Ends the lease: the job may be leased again at once.
    pub(super) fn end(&self, host: &Host) -> Result<(), StoreError> {
        let mut present = self.lock();
        if let Some(lease) = &mut present.lease {
            lease.expires = host.clock.steady();
            host.store.put(&LEASES, &self.segment, lease)?;
        }
        Ok(())
    }
}
