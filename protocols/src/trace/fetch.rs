//! The prover's half while it fetches: pulls ahead, in any order of arrival, until the witness is whole.

use super::{
    Chunk, DEPTH, Ending, Leased, MAX_CHUNKS, Otherwise, Pull, PullResponse, Trace,
    working::{Outer, Working},
};
use crate::{noted_pipeline::NotedPipeline, timing};
use shardwire_model::Hash;
use shardwire_transport::{Session, SessionError};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// No chunk has this index or a higher one.
#[allow(clippy::cast_possible_truncation)] // 8,192
const MAX_INDEX: u32 = MAX_CHUNKS as u32;

/// What pulling brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// A chunk that was missing. The caller checks that its body, decompressed to exactly `raw_bytes`, has its hash, or
    /// calls [`Fetch::reject`].
    Chunk(Chunk),
    /// The witness is whole: every chunk that the manifest lists was there or has come.
    End(Box<Ending>),
    /// The lease is another prover's now.
    Lost {
        /// The epoch that is valid now.
        epoch: u64,
    },
}

/// A witness that is being fetched. See [`next`](Self::next).
#[derive(Debug)]
#[must_use = "a job is finished or abandoned"]
pub struct Fetch {
    pulls: NotedPipeline<Trace, Pull, PullResponse, Otherwise, Outer, u32, DEPTH>,
    epoch: u64,
    /// Chunks that the prover has, by index: the hash, and whether it came in this session.
    have: BTreeMap<u32, (Hash, bool)>,
    /// Every chunk below is there.
    first: u32,
    ending: Option<Box<Ending>>,
    waiting: Waiting,
}

/// Keeps a prover and an operator that doesn't hold its pulls from asking and answering as fast as the network allows: after a
/// round of "pending" the next begins [`ASK_INTERVAL`](timing::ASK_INTERVAL) after the round before, at the earliest. With an operator that holds
/// them, that is long past.
#[derive(Debug)]
struct Waiting {
    /// Pulls answered with "pending" since then.
    pending: usize,
    since: Instant,
    not_before: Option<Instant>,
}

impl Waiting {
    fn new() -> Self {
        Self { pending: 0, since: Instant::now(), not_before: None }
    }

    fn pending(&mut self) {
        self.pending += 1;
        if self.pending == DEPTH {
            let now = Instant::now();
            let next = now.max(self.since + timing::ASK_INTERVAL);
            *self = Self { pending: 0, since: next, not_before: (next > now).then_some(next) };
        }
    }
}

impl Fetch {
    pub(super) fn new(session: Session<Trace, Leased, (Leased, Outer)>, epoch: u64) -> Self {
        Self {
            pulls: NotedPipeline::new(session.pipeline()),
            epoch,
            have: BTreeMap::new(),
            first: 0,
            ending: None,
            waiting: Waiting::new(),
        }
    }

    /// Names chunks that the prover has from an earlier session: they aren't pulled. If the manifest has another hash at
    /// such an index, the chunk is pulled after all. To be called before [`next`](Self::next).
    pub fn resume(&mut self, have: impl IntoIterator<Item = (u32, Hash)>) {
        let possible = have.into_iter().filter(|(index, _)| *index < MAX_INDEX);
        self.have.extend(possible.map(|(index, hash)| (index, (hash, false))));
        self.advance();
    }

    /// The lease's epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many pulls are under way.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.pulls.notes().len()
    }

    /// Keeps [`DEPTH`] pulls under way, from the first missing chunk on, and returns what comes: chunks in any order, each
    /// once, and then the end. While the run goes on and there is no chunk, it waits. Every pull renews the lease. Cancel
    /// safe: to be used in `select!`.
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the operator breaks the protocol or one of
    /// its rules. Further calls return the same.
    pub async fn next(&mut self) -> Result<Pulled, SessionError> {
        loop {
            if let Some(ending) = self.whole() {
                return Ok(Pulled::End(ending));
            }
            self.pull_ahead().await?;
            let Some((index, response)) = self.pulls.response().await? else {
                continue; // nothing was missing and the end is known
            };
            match response {
                PullResponse::Chunk(chunk) => {
                    if index >= MAX_INDEX {
                        let detail = format!("more than {MAX_CHUNKS} chunks");
                        return Err(self.pulls.broken("SW-TRACE-006", detail));
                    }
                    if chunk.index != index {
                        let detail = format!("chunk {} where chunk {index} was due", chunk.index);
                        return Err(self.pulls.broken("SW-TRACE-003", detail));
                    }
                    let listed = self.ending.as_ref().map(|ending| listed(ending, index));
                    if listed.is_some_and(|hash| hash != Some(chunk.hash)) {
                        let detail = format!("chunk {index} is not the one of the manifest");
                        return Err(self.pulls.broken("SW-TRACE-004", detail));
                    }
                    self.waiting = Waiting::new();
                    self.have.insert(index, (chunk.hash, true));
                    self.advance();
                    return Ok(Pulled::Chunk(chunk));
                }
                PullResponse::Pending { index: pending } => {
                    if pending != index {
                        let detail = format!("chunk {pending} is pending where chunk {index} was due");
                        return Err(self.pulls.broken("SW-TRACE-003", detail));
                    }
                    self.waiting.pending();
                }
                PullResponse::End(ending) => self.ended(index, ending)?,
                PullResponse::Lost { epoch } => return Ok(Pulled::Lost { epoch }),
            }
        }
    }

    /// The end, if nothing is missing and nothing under way.
    fn whole(&self) -> Option<Box<Ending>> {
        let ending = self.ending.as_ref()?;
        let whole = self.pulls.notes().is_empty() && self.first_missing().is_none();
        whole.then(|| ending.clone())
    }

    /// The first chunk that is neither there nor under way, if there may be one. Until the end is known there may always be: past the
    /// last possible chunk it is the pull that asks for the end.
    fn first_missing(&self) -> Option<u32> {
        let last = match &self.ending {
            Some(ending) => u32::try_from(ending.chunks.len()).unwrap_or(MAX_INDEX),
            None => MAX_INDEX + 1,
        };
        (self.first..last).find(|index| !self.have.contains_key(index) && !self.pulls.notes().contains(index))
    }

    fn advance(&mut self) {
        while self.have.contains_key(&self.first) {
            self.first += 1;
        }
    }

    async fn pull_ahead(&mut self) -> Result<(), SessionError> {
        timing::wait_until(self.waiting.not_before).await;
        self.waiting.not_before = None;
        while self.pulls.has_room()
            && let Some(index) = self.first_missing()
        {
            self.pulls.request(Pull { epoch: self.epoch, index }, index).await?;
        }
        Ok(())
    }

    fn ended(&mut self, index: u32, ending: Box<Ending>) -> Result<(), SessionError> {
        if listed(&ending, index).is_some() {
            return Err(self
                .pulls
                .broken("SW-TRACE-004", format!("the end where chunk {index} of the manifest was due")));
        }
        match &self.ending {
            Some(before) if *before != ending => {
                return Err(self.pulls.broken("SW-TRACE-004", "two ends that differ"));
            }
            Some(_) => return Ok(()),
            None => {}
        }
        let contradicted =
            self.have.iter().find(|(index, (hash, new))| *new && listed(&ending, **index) != Some(*hash));
        if let Some((index, _)) = contradicted {
            let detail = format!("chunk {index} is not the one of the manifest");
            return Err(self.pulls.broken("SW-TRACE-004", detail));
        }
        // What is left over from an earlier session and isn't of this witness is fetched again.
        self.have.retain(|index, (hash, _)| listed(&ending, *index) == Some(*hash));
        self.first = 0;
        self.advance();
        self.ending = Some(ending);
        Ok(())
    }

    /// The chunk just pulled isn't what its hash says, or can't be decompressed: the operator's fault.
    #[must_use = "the violation is to be reported"]
    pub fn reject(mut self, index: u32, why: &str) -> SessionError {
        self.pulls.broken("SW-TRACE-005", format!("chunk {index}: {why}"))
    }

    /// Ends fetching: waits for the answers that are under way, without using them, and goes on to proving (or to giving up).
    ///
    /// # Errors
    /// [`SessionError::Lost`] if the connection is lost, [`SessionError::Violation`] if the operator breaks the protocol.
    pub async fn stop(mut self) -> Result<Working, SessionError> {
        while self.pulls.response().await?.is_some() {}
        Ok(Working::new(self.pulls.pause()?, self.epoch))
    }
}

fn listed(ending: &Ending, index: u32) -> Option<Hash> {
    ending.chunks.get(usize::try_from(index).ok()?).copied()
}
