//! Runs in segments: where they were cut, and what of them is proven.
//!
//! The operator of a shard of contracts says where it has cut the run ([`CUTS`]). That is its word alone, of which the first counts. A segment's job begins where the one before was cut, so a proof that begins elsewhere is of
//! another job; a proof that isn't the run's last has to end at the cut. One that ends elsewhere, or ends the run where the operator says that it goes on, is [disputed](CutMismatch), and nobody can tell who of the two
//! is wrong. What is verified is kept ([`OUTPUTS`]) until all segments up to the one that ended are there, in whatever order they come. Then they are [taken](Segments) one after the other, and the whole is settled: in the
//! commit that notes the last missing verdict, so that a crash leaves all of that or nothing. A run of one segment is settled at once, and has none of these records.
//!
//! A proof that has to wait is offered again by its prover, and isn't fetched meanwhile: one whose segment begins at a cut that isn't known, or of which a proof is verified. One that has no end and whose segment has no cut yet is
//! verified before that is known. It gets no verdict, and is [remembered](Uncut) so as not to be fetched again before the operator has said the cut. If there never is one, as with a proof of a part of the last segment, the job
//! is leased again by its operator, since no settler says that it is proven, and the proof of another prover settles it.
//!
//! Passed over is a cut that isn't of an open shard of this operator, or comes after the segment that ended the run. One of a shard of the fixed rules has no effect. Another cut of the same segment is an event. Segments that together have more
//! transactions than a shard may have can't be settled: the one with which that shows is disputed, whose operator can only wait for the deadline.
//!
//! Bounds: [`MAX_SEGMENTS`] records of each kind a shard, which end in the commit that ends it; [`MAX_UNCUT`] proofs are remembered, and one that isn't is fetched again.

use super::{
    Settler, SettlerError,
    error::Objection,
    events::{CutContradicted, CutTooLate},
};
use shardwire_host::history::Lives as _;
use shardwire_model::{Felt, Hash, MAX_SEGMENTS, Output, PeerId, SegmentId, ShardId, Terms};
use shardwire_protocols::handoff::{Cut, MAX_KNOWN};
use shardwire_proving::segments::{OutOfOrder, Segments};
use shardwire_store::{
    RecordKey, Store, StoreError, Write,
    records::{CUTS, KeptOutput, OUTPUTS, WireFelt},
};
use shardwire_world::{Refusal, ShardRecord};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque, btree_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Most proofs of which it is remembered that their segments' cuts aren't known, some seventy bytes each.
pub(super) const MAX_UNCUT: usize = 256;

/// A proof and its operator contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CutMismatch {
    /// It ends elsewhere.
    #[error("the operator has cut segment {segment} at state {cut:#x}, and the proof ends at {after:#x}")]
    Elsewhere {
        /// The segment.
        segment: u32,
        /// Where its operator says that it ends.
        cut: Felt,
        /// Where the proof ends.
        after: Felt,
    },
    /// It has the end of a run that goes on.
    #[error("the operator says that the run goes on after segment {segment}, and the proof has its end")]
    GoesOn {
        /// The segment.
        segment: u32,
    },
}

/// With what a segment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// With the state that has this commitment.
    With(Felt),
    /// The segment before isn't cut yet, as far as its operator has said.
    Uncut,
    /// There is no such segment.
    Never,
}

/// Whether a proof's output has its place in the run.
#[derive(Debug)]
pub(super) enum Fit {
    /// It has.
    Fits(Output),
    /// It does if its operator says so.
    Uncut,
    /// It has not.
    Not(Objection),
}

/// What settles a shard.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Whole {
    /// What the run comes to.
    pub(super) output: Output,
    /// The proof of its last segment.
    pub(super) proof: Hash,
    /// Who made that.
    pub(super) prover: PeerId,
}

/// What is known of an open shard's run.
#[derive(Debug, Default)]
pub(super) struct Run {
    cuts: BTreeMap<u32, Felt>,
    proven: BTreeMap<u32, KeptOutput>,
}

impl Run {
    pub(super) fn read(store: &Store, shard: ShardId) -> Result<Self, StoreError> {
        let cuts = store.with_prefix(&CUTS, &shard.to_bytes())?;
        let proven = store.with_prefix(&OUTPUTS, &shard.to_bytes())?;
        Ok(Self {
            cuts: cuts.into_iter().map(|(key, WireFelt(after))| (key.segment, after)).collect(),
            proven: proven.into_iter().map(|(key, kept)| (key.segment, kept)).collect(),
        })
    }

    /// With what a segment of this shard's run begins.
    pub(super) fn begins(&self, record: &ShardRecord, segment: u32) -> Begins {
        let Some(before) = segment.checked_sub(1) else { return Begins::With(record.before) };
        if !has_segments(record) || segment >= MAX_SEGMENTS || self.ends_by(before) {
            return Begins::Never;
        }
        self.cuts.get(&before).map_or(Begins::Uncut, |after| Begins::With(*after))
    }

    /// Whether it is proven that the run ends in this segment or before.
    fn ends_by(&self, segment: u32) -> bool {
        self.proven.range(..=segment).any(|(_, kept)| kept.output.ended)
    }

    /// Whether it is said where this segment ends.
    pub(super) fn is_cut(&self, segment: u32) -> bool {
        self.cuts.contains_key(&segment)
    }

    /// Whether a proof of this segment holds, and waits for those of the others.
    pub(super) fn has(&self, segment: u32) -> bool {
        self.proven.contains_key(&segment)
    }

    /// How often the run was cut, as far as that is known.
    pub(super) fn count_cuts(&self) -> u32 {
        u32::try_from(self.cuts.len()).unwrap_or(MAX_SEGMENTS)
    }

    /// Whether an output that was verified has its place in this run.
    pub(super) fn fit(&self, record: &ShardRecord, output: Output) -> Fit {
        let (shard, segment) = (output.shard, output.segment);
        let may_be_cut = has_segments(record) && segment < MAX_SEGMENTS - 1;
        let cut = self.cuts.get(&segment).filter(|_| may_be_cut);
        match (cut, output.ended) {
            (None, true) => Fit::Fits(output),
            (Some(cut), false) if *cut == output.after => Fit::Fits(output),
            (None, false) if may_be_cut => Fit::Uncut,
            // The World would refuse it, and nothing of that kind counts as verified.
            (None, false) => Fit::Not(Objection::World(Refusal::NotEnded { shard })),
            (Some(cut), false) => Fit::Not(CutMismatch::Elsewhere { segment, cut: *cut, after: output.after }.into()),
            (Some(_), true) => Fit::Not(CutMismatch::GoesOn { segment }.into()),
        }
    }

    /// What settles the shard, if that is all there when this segment is.
    ///
    /// # Errors
    /// [`OutOfOrder`]: together they are no run.
    pub(super) fn with(mut self, record: &ShardRecord, kept: KeptOutput) -> Result<Option<Whole>, OutOfOrder> {
        self.proven.insert(kept.output.segment, kept);
        let (mut run, mut last) = (Segments::new(&record.start, record.before), None);
        while let Some(next) = self.proven.get(&run.next().segment).filter(|_| !run.is_over()) {
            run.take(next.output.clone())?;
            last = Some(next);
        }
        let whole = |(output, last): (Output, &KeptOutput)| Whole { output, proof: last.proof, prover: last.prover };
        Ok(run.whole().zip(last).map(whole))
    }
}

/// Whether the shard's run may have several segments.
fn has_segments(record: &ShardRecord) -> bool {
    matches!(record.start.terms, Terms::Contracts(_))
}

/// Forgets where the run of a shard was cut, and what its segments came to, because it is over.
pub(super) fn forget(write: &mut Write<'_>, shard: ShardId) -> Result<(), StoreError> {
    for (segment, _) in write.with_prefix(&CUTS, &shard.to_bytes())? {
        write.remove(&CUTS, &segment)?;
    }
    for (segment, _) in write.with_prefix(&OUTPUTS, &shard.to_bytes())? {
        write.remove(&OUTPUTS, &segment)?;
    }
    Ok(())
}

/// Proofs that hold, don't end their runs, and of whose segments it isn't known where they end.
#[derive(Debug, Default)]
pub(super) struct Uncut(Mutex<VecDeque<(SegmentId, Hash)>>);

impl Uncut {
    fn proofs(&self) -> MutexGuard<'_, VecDeque<(SegmentId, Hash)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, segment: SegmentId, proof: Hash) -> bool {
        self.proofs().contains(&(segment, proof))
    }

    pub(super) fn note(&self, segment: SegmentId, proof: Hash) {
        let mut proofs = self.proofs();
        proofs.retain(|known| *known != (segment, proof));
        if proofs.len() >= MAX_UNCUT {
            proofs.pop_front();
        }
        proofs.push_back((segment, proof));
    }

    fn forget(&self, segment: SegmentId) {
        self.proofs().retain(|(of, _)| *of != segment);
    }
}

impl Settler {
    /// Takes in where an operator has cut the runs of its open shards: durable when this returns.
    pub(super) async fn take_cuts(&self, operator: PeerId, cuts: &[Cut]) -> Result<(), SettlerError> {
        let open: BTreeSet<ShardId> = self.world.open_shards(operator, None, MAX_KNOWN).await?.into_iter().collect();
        // One event a question, whatever is wrong with it: an operator may repeat it as often as it asks.
        let (mut new, mut has_told) = (Vec::new(), false);
        let mut runs: BTreeMap<ShardId, Run> = BTreeMap::new();
        for Cut { shard, segment, after } in cuts.iter().copied().filter(|it| open.contains(&it.shard)) {
            if segment >= MAX_SEGMENTS - 1 {
                continue;
            }
            let run = match runs.entry(shard) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(Run::read(&self.host.store, shard)?),
            };
            match run.cuts.get(&segment) {
                Some(first) if *first == after => {}
                Some(first) => {
                    let (first, other) = (format!("{first:#x}"), format!("{after:#x}"));
                    if !std::mem::replace(&mut has_told, true) {
                        self.events.emit(CutContradicted { shard, operator, segment, first, other });
                    }
                }
                None if run.ends_by(segment) => {
                    if !std::mem::replace(&mut has_told, true) {
                        self.events.emit(CutTooLate { shard, operator, segment });
                    }
                }
                None => {
                    run.cuts.insert(segment, after);
                    new.push((SegmentId { shard, segment }, after));
                }
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let noted = new.clone();
        let note = move |write: &mut Write<'_>| {
            for (segment, after) in noted {
                // Another session of the operator may have said so meanwhile, or the shard may be over.
                let is_over = write.life(super::life::part(segment.shard))?.is_over();
                if !is_over && write.get(&CUTS, &segment)?.is_none() {
                    write.put(&CUTS, &segment, &WireFelt(after))?;
                }
            }
            Ok::<_, SettlerError>(())
        };
        self.host.store.commit(note).await?;
        for (segment, _) in new {
            self.uncut.forget(segment);
        }
        Ok(())
    }

    /// Forgets what was left of runs that are over.
    pub(super) async fn forget_runs(&self) -> Result<(), SettlerError> {
        let store = &self.host.store;
        let cuts = store.all(&CUTS)?.into_iter().map(|(segment, _)| segment.shard);
        let proven = store.all(&OUTPUTS)?.into_iter().map(|(segment, _)| segment.shard);
        for shard in cuts.chain(proven).collect::<BTreeSet<_>>() {
            if self.life(shard)?.is_over() {
                store.commit(move |write: &mut Write<'_>| forget(write, shard)).await?;
            }
        }
        Ok(())
    }
}
