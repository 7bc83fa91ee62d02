//! The settler compares the leases that provers show with their proofs: an operator that leased one job twice under one epoch has broken its word,
//! and both leases together show it to anybody.
//!
//! Only leases of the World's own jobs by their own operators are looked at, so only the operator of the shard could fill this. Bound:
//! [`MAX_SEEN`] a job; those that don't fit are not compared.

use super::{
    Settler, SettlerError,
    events::{LeaseNotCompared, LeasesContradict},
    segments::{Begins, Run},
};
use shardwire_host::signed;
use shardwire_model::{Felt, Hash, PeerId, SegmentId};
use shardwire_protocols::{
    evidence::{Accusation, Evidence},
    proof::Leased,
    trace::{Lease, job_id},
};
use shardwire_reputation::{Blame, Breach, Event};
use shardwire_store::{
    RecordKey as _, StoreError, Write,
    records::{LEASES_SEEN, LeaseKey, SignedBytes},
};
use shardwire_world::ShardRecord;

/// Most leases of a job that are remembered: that many provers in turn had it and came with a proof.
const MAX_SEEN: usize = 32;

/// The job whose proof decides a segment that begins with this state.
pub(super) fn job(record: &ShardRecord, segment: u32, before: Felt) -> Hash {
    job_id(record.start.program, record.start.commitment(), before, segment)
}

impl Settler {
    /// Compares a lease, which its operator signed, with those seen before. That of a segment that begins at a cut which isn't known yet is compared when it is shown again.
    pub(super) async fn compare(&self, segment: SegmentId, leased: &Leased) -> Result<(), SettlerError> {
        let Some(record) = self.world.shard(segment.shard).await? else { return Ok(()) };
        let (job, epoch, operator) = (leased.terms.job, leased.terms.epoch, leased.operator);
        let run = Run::read(&self.host.store, segment.shard)?;
        let Begins::With(before) = run.begins(&record, segment.segment) else { return Ok(()) };
        if operator != record.start.operator || job != self::job(&record, segment.segment, before) {
            return Ok(());
        }
        let (store, lease) = (&self.host.store, leased.lease());
        let (key, stored) = (LeaseKey { job, epoch }, signed::stored(&lease));
        let seen = match store.get(&LEASES_SEEN, &key)? {
            Some(seen) => Seen::Before(seen),
            // Another session may be about to show one.
            None => store.commit(move |write| seen(write, &key, &stored)).await?,
        };
        match seen {
            Seen::Before(seen) => {
                let seen: Lease = signed::read(&seen)?;
                if seen.statement.prover != lease.statement.prover {
                    self.contradicts(operator, seen, lease).await;
                }
            }
            Seen::Now => {}
            Seen::TooMany => self.events.emit(LeaseNotCompared { job, epoch }),
        }
        Ok(())
    }

    /// Keeps two leases that one operator signed for one job under one epoch.
    async fn contradicts(&self, operator: PeerId, seen: Lease, lease: Lease) {
        let (job, epoch) = (lease.statement.job, lease.statement.epoch);
        self.events.emit(LeasesContradict { job, operator, epoch });
        let evidence = Evidence::Leases(Box::new([seen, lease]));
        if self.host.accuse(Accusation { accused: operator, evidence }).await {
            let broke = Event::Broke { breach: Breach::Contradiction, blame: Blame::Peer };
            self.host.peers.note(operator, &broke);
        }
    }
}

/// What there was of a job and an epoch when a lease was shown.
enum Seen {
    /// This lease.
    Before(SignedBytes),
    /// Nothing: it is remembered now.
    Now,
    /// Nothing, and as many others as are remembered.
    TooMany,
}

fn seen(write: &mut Write<'_>, key: &LeaseKey, lease: &SignedBytes) -> Result<Seen, StoreError> {
    if let Some(seen) = write.get(&LEASES_SEEN, key)? {
        return Ok(Seen::Before(seen));
    }
    if write.with_prefix(&LEASES_SEEN, &key.job.to_bytes())?.len() >= MAX_SEEN {
        return Ok(Seen::TooMany);
    }
    write.put(&LEASES_SEEN, key, lease)?;
    Ok(Seen::Now)
}
