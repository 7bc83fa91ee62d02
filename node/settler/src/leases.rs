//! The settler compares the leases that provers show with their proofs: an operator that leased one job twice under one epoch has broken its word,
//! and both leases together show it to anybody.
//!
//! Only leases of the World's own jobs by their own operators are looked at, so only the operator of the shard could fill this. Bound:
//! [`MAX_SEEN`] a job; those that don't fit are not compared.

use super::{Settler, SettlerError, events::LeasesContradict};
use shardwire_host::signed;
use shardwire_model::{Hash, SegmentId};
use shardwire_protocols::{
    evidence::{Accusation, Evidence},
    proof::Leased,
    trace::{Lease, job_id},
};
use shardwire_reputation::{Blame, Breach, Event};
use shardwire_store::{
    RecordKey as _,
    records::{LEASES_SEEN, LeaseKey},
};
use shardwire_world::ShardRecord;

/// Most leases of a job that are remembered: that many provers in turn had it and came with a proof.
const MAX_SEEN: usize = 32;

/// The job whose proof decides a segment. Only a first segment's state before is known here.
pub(super) fn job(record: &ShardRecord, SegmentId { segment, .. }: SegmentId) -> Hash {
    job_id(record.start.program, record.start.commitment(), record.before, segment)
}

impl Settler {
    /// Compares a lease, which its operator signed, with those seen before.
    pub(super) async fn compare(&self, segment: SegmentId, leased: &Leased) -> Result<(), SettlerError> {
        let Some(record) = self.world.shard(segment.shard).await? else { return Ok(()) };
        let (job, epoch, operator) = (leased.terms.job, leased.terms.epoch, leased.operator);
        if operator != record.start.operator || job != self::job(&record, segment) {
            return Ok(());
        }
        let (store, lease) = (&self.host.store, leased.lease());
        let key = LeaseKey { job, epoch };
        let seen: Option<Lease> = store.get(&LEASES_SEEN, &key)?.map(|seen| signed::read(&seen)).transpose()?;
        match seen {
            Some(seen) if seen.statement.prover != lease.statement.prover => {
                self.events.emit(LeasesContradict { job, operator, epoch });
                let evidence = Evidence::Leases(Box::new([seen, lease]));
                if self.host.accuse(&Accusation { accused: operator, evidence }) {
                    let broke = Event::Broke { breach: Breach::Contradiction, blame: Blame::Peer };
                    self.host.peers.note(operator, &broke);
                }
            }
            Some(_) => {}
            None if store.keys_with_prefix(&LEASES_SEEN, &job.to_bytes())?.len() < MAX_SEEN => {
                store.put(&LEASES_SEEN, &key, &signed::stored(&lease))?;
            }
            None => tracing::debug!(job = %job.short(), epoch, "more leases of one job than are compared"),
        }
        Ok(())
    }
}
