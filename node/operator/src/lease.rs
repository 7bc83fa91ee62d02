//! Who may pull a run's witness: one prover at a time, under a lease with a fencing epoch.
//!
//! Each lease has a higher epoch than those before, durable before it is signed, so that a prover which was given up for dead and
//! comes back is told so. The lease is renewed in memory only: after a restart it is taken to be over unless its prover asks again.
//! Leases have lengths, so they go by steady time, whatever the system's clock is set to; so do the dates of their ends.
//!
//! **How long a lease keeps other provers away.** Signs of life renew it, and no sign of life makes it last beyond these bounds. They follow from the
//! work ([`fair`]) and count from when the prover got the job, or from the end of the run if that is later. While the run goes on only the first one
//! counts, by the steps so far: a prover that loses a job then has lost no proof.
//!
//! | the holder | keeps away | for |
//! |---|---|---|
//! | in tier low | provers of better tiers | [`fair`], of all in tier low together that had the job |
//! | in tier low | others in tier low | [`NEWCOMER`] times [`fair`] |
//! | in a better tier | everybody | [`PROVEN`] times [`fair`] |
//! | that doesn't ask for the chunks of a run that goes on | nobody | from [`STALL`] on |
//! | that is banned | nobody | |
//!
//! A bound takes the job from nobody: its holder goes on until another prover claims it, however long that takes. So a slow machine that is alone
//! finishes, and who has the job only to hold it up is replaced.
//!
//! **How long a claim does.** "There is a proof" holds the job for [`CLAIM_HOLD`], in which a settler of the World fetches the proof. A settler's word
//! that it holds makes it [`VERIFIED_HOLD`], a dispute ends it at once. Of provers in tier low all claims together hold the job once for that long, and
//! of any other its first. Then the job is free again. Who claimed isn't offered it any more, unless it says itself that it has begun it and has no proof.
//!
//! Identities cost nothing: what is granted to tier low is counted for all of it together. Among themselves newcomers take turns by the network (/24, /48) that
//! they come from: one from a network that had the job gets it [`TURN`] later than others, who have asked by then. So keys of one network, however many,
//! hold a job against a newcomer of another for one bound in all. Bounds: [`MAX_DECLINED`] and [`MAX_CLAIMED`] provers of a job are remembered, and
//! [`MAX_NETWORKS`]; a restart forgets them.

use super::error::OperatorError;
use shardwire_host::Host;
use shardwire_model::{Hash, Mutation, PeerId, SegmentId};
use shardwire_protocols::{
    Signed,
    handoff::KnownVerdict,
    trace::{self, DeclineReason, Lease, LeaseTerms},
};
use shardwire_reputation::{AddressRange, Blame, Breach, Event, Tier};
use shardwire_store::{
    StoreError,
    records::{LEASES, TraceLease},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What the smallest job may take: six times what a machine of two cores needs for it.
const FAIR_BASE: Duration = Duration::from_secs(60);
/// How many steps a second are expected beyond that: a sixth of what such a machine fetches and proves (docs/prover-worker.md).
const FAIR_STEPS_PER_S: u64 = 2_000;
/// How many times as long as is fair a prover in tier low keeps others in tier low away.
const NEWCOMER: u32 = 4;
/// How many times as long as is fair a prover in a better tier keeps everybody away.
const PROVEN: u32 = 16;
/// How long a prover may leave chunks lie of a run that goes on: twice the deadline of one.
const STALL: Duration = Duration::from_secs(120);
/// How long a claim to have a proof holds the job: the settler takes seconds to fetch and verify it.
const CLAIM_HOLD: Duration = Duration::from_secs(60);
/// How long it does from when a settler has verified the proof: a World may take minutes to decide.
pub(super) const VERIFIED_HOLD: Duration = Duration::from_secs(600);
/// How long a free job waits for newcomers of networks that haven't had it: a question is held for 15 s, and looks again each second.
const TURN: Duration = Duration::from_secs(20);

/// Most networks remembered from which newcomers had a job; then the one that had it first is forgotten.
const MAX_NETWORKS: usize = 64;
/// Most provers remembered that declined a job. One that doesn't fit is asked again.
const MAX_DECLINED: usize = 64;
/// Most provers remembered that claimed to have a proof of a job; then the one that did so first is forgotten.
const MAX_CLAIMED: usize = 64;

/// How long proving so many steps should take a slow machine.
pub(super) fn fair(steps: u64) -> Duration {
    FAIR_BASE + Duration::from_millis(steps.saturating_mul(1000) / FAIR_STEPS_PER_S)
}

/// What there is to do for a prover of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    /// Steps so far.
    pub(super) steps: u64,
    /// Chunks so far.
    pub(super) chunks: u32,
    /// When the run ended, if it has.
    pub(super) ended: Option<Instant>,
}

/// A prover that asks for a job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    pub(super) prover: PeerId,
    pub(super) tier: Option<Tier>,
    /// It says that it has begun the job, and has no proof.
    pub(super) has_begun: bool,
    /// The network that it comes from, if it is in tier low.
    pub(super) network: Option<AddressRange>,
}

/// The latest lease, and what its holder did with it.
#[derive(Debug)]
struct HeldLease {
    record: TraceLease,
    /// The network that its holder came from, if that was in tier low.
    network: Option<AddressRange>,
    /// When it ends unless there is a sign of life; with a proof, how long the claim holds the job.
    until: Instant,
    /// When this prover got the job, without another in between.
    since: Instant,
    /// Its pulls are beyond the chunks below this one.
    next: u32,
    /// When it last pulled a later one than before.
    moved: Instant,
    /// Its holder gave it back, or what it claimed was disputed.
    over: bool,
}

impl HeldLease {
    /// For how long its holder has had the job; once the run has ended, since then.
    fn held(&self, work: Work, now: Instant) -> Duration {
        now.min(self.until).saturating_duration_since(work.ended.map_or(self.since, |ended| ended.max(self.since)))
    }

    /// How much longer it keeps others away that are no better than its holder, at most; no end while the run goes on.
    fn left(&self, holder: Tier, work: Work, now: Instant) -> Option<Duration> {
        work.ended?;
        let bound = fair(work.steps) * if holder == Tier::Low { NEWCOMER } else { PROVEN };
        Some(bound.saturating_sub(self.held(work, now)))
    }

    fn is_stalled(&self, work: Work, now: Instant) -> bool {
        work.ended.is_none() && self.next < work.chunks && now.saturating_duration_since(self.moved) >= STALL
    }
}

/// For how long a prover doesn't want a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Declined {
    /// Until it names the job, or this node is started again.
    GivenUp,
    /// Until then, or until the run has ended if it hadn't.
    Later { until: Instant, ended: bool },
}

#[derive(Debug, Default)]
struct Present {
    lease: Option<HeldLease>,
    /// Who doesn't want the job, or was told that it is over: they are offered others.
    declined: BTreeMap<PeerId, Declined>,
    /// Who said that it has a proof, and which.
    claimed: VecDeque<(PeerId, Hash)>,
    /// How long provers in tier low have had the job that don't have it any more.
    spent: Duration,
    /// The networks that these came from.
    networks: VecDeque<AddressRange>,
    /// Until when claims of provers in tier low hold the job: from the first one on.
    claims_until: Option<Instant>,
    /// The settler's latest verdict on a proof.
    verdict: Option<KnownVerdict>,
}

impl Present {
    /// Whether the present lease keeps this prover away, or its network had its turn and others may still come.
    fn is_held_against(&self, asker: Asker, holder: Option<Tier>, work: Work) -> bool {
        let now = Instant::now();
        let had = |network| {
            let holds = self.lease.as_ref().is_some_and(|held| held.network == Some(network));
            holds || self.networks.contains(&network)
        };
        let waits = asker.tier == Some(Tier::Low) && asker.network.is_some_and(had);
        let before = now.checked_sub(TURN).filter(|_| waits);
        self.keeps_away(holder, asker.tier, work, now)
            || before.is_some_and(|before| self.keeps_away(holder, asker.tier, work, before))
    }

    /// Whether the present lease keeps a prover of this tier away at this time.
    fn keeps_away(&self, holder: Option<Tier>, other: Option<Tier>, work: Work, now: Instant) -> bool {
        let (Some(held), Some(holder)) = (&self.lease, holder) else { return false };
        if held.until <= now {
            return false;
        }
        if Mutation::LeaseUnbounded.is_planted() && held.record.proof.is_none() {
            return true;
        }
        if held.is_stalled(work, now) {
            return false;
        }
        if held.record.proof.is_some() {
            return true;
        }
        let gives_way = holder == Tier::Low && other > Some(Tier::Low);
        if gives_way && self.spent.saturating_add(held.held(work, now)) >= fair(work.steps) {
            return false;
        }
        held.left(holder, work, now).is_none_or(|left| !left.is_zero())
    }

    /// Counts the time of the present lease among what provers in tier low had, if its holder is.
    fn spend(&mut self, holder: Option<Tier>, work: Work, now: Instant) {
        if let Some(held) = self.lease.as_mut().filter(|_| holder.is_none_or(|tier| tier == Tier::Low)) {
            self.spent = self.spent.saturating_add(held.held(work, now));
            held.since = now;
            if let Some(network) = held.network.filter(|network| !self.networks.contains(network)) {
                if self.networks.len() >= MAX_NETWORKS {
                    self.networks.pop_front();
                }
                self.networks.push_back(network);
            }
        }
    }

    fn has_claimed(&self, prover: PeerId) -> bool {
        self.claimed.iter().any(|(claimant, _)| *claimant == prover)
    }

    fn note_claim(&mut self, prover: PeerId, proof: Hash) {
        self.claimed.retain(|(claimant, _)| *claimant != prover);
        if self.claimed.len() >= MAX_CLAIMED {
            self.claimed.pop_front();
        }
        self.claimed.push_back((prover, proof));
    }
}

/// The leases of one segment of a run.
///
/// One change that is stored at a time: it is decided, made durable and only then seen, and `changing` is held meanwhile. `present` is locked to look and
/// to publish, never across a commit.
#[derive(Debug)]
pub(super) struct Leases {
    segment: SegmentId,
    changing: tokio::sync::Mutex<()>,
    present: Mutex<Present>,
}

impl Leases {
    pub(super) fn new(segment: SegmentId) -> Self {
        Self { segment, changing: tokio::sync::Mutex::default(), present: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the latest lease: its epoch is never given again. What is left of it by the date counts, within its bound: the clock may have been
    /// ahead when it was given.
    pub(super) fn restore(&self, host: &Host) -> Result<(), StoreError> {
        let Some(record) = host.store.get(&LEASES, &self.segment)? else { return Ok(()) };
        let now = Instant::now();
        let most = if record.proof.is_some() { CLAIM_HOLD } else { trace::LEASE };
        let until = now + record.expires.since(host.clock.steady()).min(most);
        let mut present = self.lock();
        if let Some(proof) = record.proof {
            present.note_claim(record.prover, proof);
            present.claims_until = Some(until);
        }
        present.lease = Some(HeldLease { record, network: None, until, since: now, next: 0, moved: now, over: false });
        Ok(())
    }

    pub(super) fn present(&self) -> Option<TraceLease> {
        self.lock().lease.as_ref().map(|held| held.record.clone())
    }

    /// Whether this prover has given the job up, or was told that it is over.
    pub(super) fn has_declined(&self, prover: PeerId) -> bool {
        self.lock().declined.get(&prover) == Some(&Declined::GivenUp)
    }

    /// A prover names the job as one that it would go on with: it may have changed its mind.
    pub(super) fn named_by(&self, prover: PeerId) {
        self.lock().declined.remove(&prover);
    }

    /// Whether this prover may have the job now: nobody else has it, or not by a lease that keeps this one away.
    pub(super) fn is_free(&self, asker: Asker, work: Work, tier: impl Fn(PeerId) -> Option<Tier>) -> bool {
        let present = self.lock();
        let unwanted = present.declined.get(&asker.prover).is_some_and(|declined| match declined {
            Declined::GivenUp => true,
            Declined::Later { until, ended } => Instant::now() < *until && *ended == work.ended.is_some(),
        });
        if unwanted || (!asker.has_begun && present.has_claimed(asker.prover)) {
            return false;
        }
        present.lease.as_ref().is_none_or(|held| {
            let holder = held.record.prover;
            holder == asker.prover || !present.is_held_against(asker, tier(holder), work)
        })
    }

    /// Whether this prover holds the job and has no proof of it yet.
    pub(super) fn is_at_work(&self, prover: PeerId) -> bool {
        self.at_work(prover).is_some()
    }

    /// The epoch under which this prover holds the job, if it does and has no proof of it yet.
    pub(super) fn at_work(&self, prover: PeerId) -> Option<u64> {
        let (present, now) = (self.lock(), Instant::now());
        let held = present.lease.as_ref().filter(|it| it.record.prover == prover && it.until > now)?;
        held.record.proof.is_none().then_some(held.record.epoch)
    }

    /// Leases the job under a new epoch; with whom another prover loses it thereby, though it gave signs of life.
    /// To be seen through once it has begun: what is durable is published after that.
    pub(super) async fn grant(
        &self,
        host: &Host,
        job: Hash,
        asker: Asker,
        work: Work,
    ) -> Result<(Lease, Option<PeerId>), OperatorError> {
        let _turn = self.changing.lock().await;
        let prover = asker.prover;
        let tier = |peer| host.peers.standing(peer).tier();
        let is_other = |(holder, ..): &(PeerId, u64, bool)| *holder != prover;
        let before = {
            let (present, now) = (self.lock(), Instant::now());
            let before = present.lease.as_ref().map(|held| (held.record.prover, held.record.epoch, held.until > now));
            let kept_away =
                before.filter(is_other).filter(|(holder, ..)| present.is_held_against(asker, tier(*holder), work));
            if let Some((holder, ..)) = kept_away {
                return Err(OperatorError::Leased { prover: holder.short() });
            }
            before
        };
        let (epoch, expires) = (before.map_or(1, |(_, epoch, _)| epoch + 1), host.clock.steady().plus(trace::LEASE));
        let record = TraceLease { epoch, prover, expires, proof: None };
        host.store.keep(&LEASES, self.segment, record.clone()).await?;

        let (mut present, now) = (self.lock(), Instant::now());
        let other = before.filter(is_other);
        let without_proof = present.lease.as_ref().is_some_and(|held| held.record.proof.is_none());
        let over = present.lease.as_ref().is_some_and(|held| held.over);
        if let Some((holder, _, alive)) = other.filter(|_| without_proof) {
            present.spend(tier(holder), work, now);
            if !alive && !over {
                // That it ran out may be the network's fault, or this node's, which was down.
                let broke = Event::Broke { breach: Breach::Lease, blame: Blame::Unclear };
                host.peers.note(holder, &broke);
            }
        }
        let until = now + trace::LEASE;
        present.lease = Some(match present.lease.take().filter(|_| other.is_none()) {
            // Its bounds go on.
            Some(held) => HeldLease { record, network: asker.network, until, over: false, ..held },
            None => HeldLease { record, network: asker.network, until, since: now, next: 0, moved: now, over: false },
        });
        let replaced = other.filter(|(.., alive)| *alive && without_proof).map(|(holder, ..)| holder);
        Ok((Signed::by(&host.identity, LeaseTerms { job, epoch, expires, prover }), replaced))
    }

    /// Renews the lease, at a pull of this chunk if it is one; the epoch that is valid instead if it isn't this prover's.
    pub(super) fn renew(&self, prover: PeerId, epoch: u64, pulled: Option<u32>) -> Result<(), u64> {
        let now = Instant::now();
        match &mut self.lock().lease {
            Some(held)
                if (held.record.prover == prover && held.record.epoch == epoch)
                    || Mutation::EpochUnchecked.is_planted() =>
            {
                if held.record.proof.is_none() {
                    held.until = now + trace::LEASE;
                }
                if let Some(index) = pulled.filter(|index| *index >= held.next) {
                    (held.next, held.moved) = (index.saturating_add(1), now);
                }
                Ok(())
            }
            held => Err(held.as_ref().map_or(0, |held| held.record.epoch)),
        }
    }

    /// For how long the lease is sure to last from now on, without another sign of life.
    pub(super) fn lasts(&self, holder: Option<Tier>, work: Work) -> Duration {
        let (present, now) = (self.lock(), Instant::now());
        let (Some(held), Some(holder)) = (&present.lease, holder) else { return Duration::ZERO };
        let renewed = held.until.saturating_duration_since(now);
        held.left(holder, work, now).map_or(renewed, |left| left.min(renewed))
    }

    /// Notes that this prover doesn't want the job, or was told that it is over.
    pub(super) fn declined(&self, prover: PeerId, reason: DeclineReason, work: Work) {
        let (mut present, now) = (self.lock(), Instant::now());
        present.declined.retain(|_, declined| !matches!(declined, Declined::Later { until, .. } if *until <= now));
        let declined = match reason {
            DeclineReason::GivenUp | DeclineReason::Unassigned => Declined::GivenUp,
            DeclineReason::Later => Declined::Later { until: now + trace::DECLINED_FOR, ended: work.ended.is_some() },
        };
        if present.declined.len() < MAX_DECLINED || present.declined.contains_key(&prover) {
            present.declined.insert(prover, declined);
        }
    }

    /// Notes that a prover says that it has a proof; the epoch that is valid instead if the lease isn't its own any more. To be seen through.
    pub(super) async fn claims(
        &self,
        host: &Host,
        (prover, epoch): (PeerId, u64),
        proof: Hash,
        work: Work,
    ) -> Result<Result<(), u64>, StoreError> {
        let _turn = self.changing.lock().await;
        if let Err(epoch) = self.renew(prover, epoch, None) {
            return Ok(Err(epoch));
        }
        let now = Instant::now();
        let tier = host.peers.standing(prover).tier();
        let until = self.claim_holds(prover, tier, proof, now);
        self.hold(host, Some(proof), until).await?;
        // Not before it is durable: a claim that this disk couldn't take may come again, and holds the job then.
        let mut present = self.lock();
        present.spend(tier, work, now);
        present.note_claim(prover, proof);
        // A proof of which more is known than the claim takes nothing of the newcomers' time.
        if tier <= Some(Tier::Low) && present.verdict.is_none_or(|verdict| verdict.proof != proof) {
            present.claims_until.get_or_insert(until);
        }
        Ok(Ok(()))
    }

    /// Until when the holder's claim to have this proof holds the job.
    fn claim_holds(&self, prover: PeerId, tier: Option<Tier>, proof: Hash, now: Instant) -> Instant {
        let present = self.lock();
        match present.verdict.filter(|verdict| verdict.proof == proof) {
            _ if Mutation::ClaimBelieved.is_planted() => now + VERIFIED_HOLD * 100,
            Some(verdict) if verdict.verified => now + VERIFIED_HOLD,
            Some(_) => now,
            None if tier > Some(Tier::Low) && present.has_claimed(prover) => now,
            None if tier > Some(Tier::Low) => now + CLAIM_HOLD,
            None => present.claims_until.unwrap_or(now + CLAIM_HOLD),
        }
    }

    /// Notes a settler's verdict on a proof. Gives the prover that it shows to have none. To be seen through.
    pub(super) async fn note_verdict(&self, host: &Host, verdict: KnownVerdict) -> Result<Option<PeerId>, StoreError> {
        let _turn = self.changing.lock().await;
        let held = self.present().and_then(|lease| lease.proof) == Some(verdict.proof);
        let now = Instant::now();
        match (held, verdict.verified) {
            (true, true) => self.hold(host, Some(verdict.proof), now + VERIFIED_HOLD).await?,
            (true, false) if !Mutation::ClaimBelieved.is_planted() => self.hold(host, None, now).await?,
            _ => {}
        }
        let mut present = self.lock();
        // The settler is told that this is known, so not before it is durable.
        present.verdict = Some(verdict);
        Ok(if verdict.verified { None } else { claimant(&present, verdict.proof) })
    }

    /// Who was the first to say that it has this proof.
    pub(super) fn claimant(&self, proof: Hash) -> Option<PeerId> {
        claimant(&self.lock(), proof)
    }

    /// The latest verdict on a proof that was told.
    pub(super) fn verdict(&self) -> Option<KnownVerdict> {
        self.lock().verdict
    }

    /// Ends the lease of a prover that gives it back: the job may be leased again at once. Whether the lease was its own. To be seen through.
    pub(super) async fn end(
        &self,
        host: &Host,
        (prover, epoch): (PeerId, u64),
        work: Work,
    ) -> Result<bool, StoreError> {
        let _turn = self.changing.lock().await;
        if self.renew(prover, epoch, None).is_err() {
            return Ok(false);
        }
        let now = Instant::now();
        self.lock().spend(host.peers.standing(prover).tier(), work, now);
        self.hold(host, None, now).await?;
        Ok(true)
    }

    /// Changes what the present lease is held by, and for how long. Its caller has the turn.
    async fn hold(&self, host: &Host, proof: Option<Hash>, until: Instant) -> Result<(), StoreError> {
        let Some(before) = self.present() else { return Ok(()) };
        let expires = host.clock.steady().plus(until.saturating_duration_since(Instant::now()));
        let record = TraceLease { proof, expires, ..before };
        host.store.keep(&LEASES, self.segment, record.clone()).await?;
        if let Some(held) = &mut self.lock().lease {
            held.over = proof.is_none();
            (held.record, held.until) = (record, until);
        }
        Ok(())
    }
}

fn claimant(present: &Present, proof: Hash) -> Option<PeerId> {
    present.claimed.iter().find(|(_, claimed)| *claimed == proof).map(|(prover, _)| *prover)
}
