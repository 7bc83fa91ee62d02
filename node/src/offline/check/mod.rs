//! Reads everything in a folder and compares it.
//!
//! It looks at least at what a node looks at when it starts there ([`start`]), with the same functions, and at more: every page of the databases,
//! every record, every file whose hash is known ([`artefacts`]), and whether they say the same. What should be there is counted beside what is.

mod artefacts;
mod start;

use super::Folder;
use crate::{
    contents::{Fate, NodeContents, WorldContents},
    inspect,
    run::RunError,
    world,
};
use serde::Serialize;
use shardwire_model::{
    Coded, Hash, Role, SegmentId, ShardId, ShardStart, Stage,
    life::{Life, Part, Step},
};
use shardwire_protocols::{history::verify, trace::job_id};
use shardwire_prover::ProverError;
use shardwire_store::{
    RecordKey as _, Store, StoreError, SystemDisk,
    records::{ASSIGNMENTS, INTENTS, JOBS, Job, LAYOUT, TRANSACTIONS},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Most findings that are named; `more` says how many aren't.
pub(crate) const MAX_FINDINGS: usize = 1000;

/// Something that isn't as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// In which file of the folder.
    pub(crate) file: String,
    /// The code of the error, if it is one that a node would meet as well.
    pub(crate) code: String,
    /// What is wrong.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) next_step: String,
}

/// What was read, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// Records of the store that can be read.
    pub(crate) records: u64,
    /// Records that the store's tables say they have.
    pub(crate) records_expected: u64,
    /// Histories, each a role's part of a shard's life.
    pub(crate) histories: u64,
    /// Files of proofs that were read and hashed.
    pub(crate) proofs: u64,
    /// Chunks of witnesses that are what their hash says.
    pub(crate) chunks: u64,
    /// Chunks that belong to runs and jobs which are under way. One that is missing is made or fetched again.
    pub(crate) chunks_expected: u64,
    /// Shards of the World.
    pub(crate) shards: u64,
    /// Files of an older layout: what was read is what they become when a node starts here.
    pub(crate) older: Vec<&'static str>,
    /// Shards and jobs of an older layout that are open: a node that starts here aborts them.
    pub(crate) outdated: u64,
    /// What is wrong, at most [`MAX_FINDINGS`].
    pub(crate) findings: Vec<Finding>,
    /// How many more findings there are.
    pub(crate) more: u64,
}

const STORE: &str = "node.redb";
/// What contradicts something else in the folder.
const CONTRADICTION: &str = "SW-DATA-006";
/// What to do about that.
const RESTORE: &str =
    "Start no node here: restore the folder from a copy. `shardwire data export` shows what can be read of this one.";

impl Report {
    fn add(&mut self, file: &str, code: &str, what: impl Into<String>, next_step: impl Into<String>) {
        if self.findings.len() < MAX_FINDINGS {
            let (file, code, what, next_step) = (file.into(), code.into(), what.into(), next_step.into());
            self.findings.push(Finding { file, code, what, next_step });
        } else {
            self.more += 1;
        }
    }

    fn contradiction(&mut self, file: &str, what: impl Into<String>) {
        self.add(file, CONTRADICTION, what, RESTORE);
    }

    fn error(&mut self, file: &str, error: &(impl Coded + ?Sized)) {
        self.add(file, error.code(), error.to_string(), error.next_step());
    }
}

/// Checks a folder.
///
/// # Errors
/// [`DataError`](shardwire_data::DataError) if it is no data folder, a process uses it, or its identity can't be used;
/// [`ConfigError`](shardwire_config::ConfigError) if its configuration can't be read. All else is in the report.
pub(crate) async fn check(root: &Path) -> Result<Report, RunError> {
    let folder = Folder::look(root)?;
    let mut report = Report::default();
    start::folder(&folder, &mut report);
    let world = if folder.is_settler() { of_world(&folder, &mut report).await } else { None };
    if matches!(folder.older_world(), Ok(Some(_))) {
        report.older.push(world::KEPT_IN);
    }
    let verified = Store::verify(&SystemDisk, &folder.claim.paths().store(), &LAYOUT);
    if let Err(error) = &verified {
        report.error(STORE, error);
    }
    match folder.store() {
        Err(error) if verified.is_ok() => report.error(STORE, &*error),
        // Named already, by the stricter reading before.
        Err(_) => {}
        Ok(store) => {
            if store.was_older() {
                report.older.push(STORE);
            }
            of_store(&store, &mut report);
            // What can't be read can't be compared; it is named above.
            if report.findings.iter().all(|finding| finding.file != STORE) {
                compare(&folder, &store, world.as_ref(), &mut report)?;
            }
        }
    }
    Ok(report)
}

async fn of_world(folder: &Folder, report: &mut Report) -> Option<WorldContents> {
    let read = async {
        let world = folder.world()?;
        world.audit().await.map_err(super::boxed)?;
        inspect::of_world(&*world).await
    };
    match read.await {
        Ok(world) => {
            report.shards = world.shards.len() as u64;
            Some(world)
        }
        Err(error) => {
            report.error(world::KEPT_IN, &*error);
            None
        }
    }
}

/// Reads each record of each table.
fn of_store(store: &Store, report: &mut Report) {
    for table in LAYOUT.tables() {
        let (mut expected, mut found) = (0, 0);
        let read = store.check(
            table,
            |says| expected = says,
            |record| match record {
                Ok(()) => found += 1,
                Err(error) => report.error(STORE, &error),
            },
        );
        if let Err(error) = read {
            report.error(STORE, &error);
        }
        report.records += found;
        report.records_expected += expected;
        if found != expected {
            report.contradiction(STORE, format!("table '{}' has {found} records of {expected}", table.name));
        }
    }
}

fn compare(folder: &Folder, store: &Store, world: Option<&WorldContents>, report: &mut Report) -> Result<(), RunError> {
    let contents = match inspect::node(store, folder.peer()) {
        Ok(contents) => contents,
        Err(error) => {
            report.error(STORE, &*error);
            return Ok(());
        }
    };
    let lives = histories(&contents, report);
    report.outdated = outdated(store, world, &lives).map_err(super::boxed)?;
    for shard in &contents.operated {
        let part = Part::of(SegmentId::first(shard.start.shard), Role::Operator);
        let Some(life) = lives.get(&part) else {
            report.contradiction(STORE, format!("shard {} was assigned, and its history doesn't say so", part.shard));
            continue;
        };
        let said = match life.step(Stage::Assigned) {
            Some(Step::Assigned { commitment, .. }) => Some(*commitment),
            _ => None,
        };
        of_start(&shard.start, said, "assigned", report);
        let places = store.keys_with_prefix(&TRANSACTIONS, &part.shard.to_bytes()).map_err(super::boxed)?;
        if let Some(missing) = (0..).zip(&places).find_map(|(place, key)| (key.sequence != place).then_some(place)) {
            report.contradiction(STORE, format!("the log of shard {} has no transaction {missing}", part.shard));
        }
        if let Some(Step::Ended { transactions, log }) = life.step(Stage::Ended) {
            let hash = shard.log.iter().fold(Hash::default(), |log, entry| entry.extend(log));
            if usize::try_from(*transactions) != Ok(shard.log.len()) || hash != *log {
                let what = format!("the log of shard {} isn't the one that its history ends with", part.shard);
                report.contradiction(STORE, what);
            }
        }
    }
    start::shards(folder.claim.paths(), &folder.config, store, &lives, report).map_err(super::boxed)?;
    artefacts::chunks(folder, store, &lives, report).map_err(super::boxed)?;
    let proofs = artefacts::proofs(folder, report);
    for (id, job) in store.all(&JOBS).map_err(super::boxed)? {
        // Those of an older layout were named by other hashes.
        if !job.start.is_outdated() && id != name_of(&job) {
            report.contradiction(STORE, format!("job {id} isn't about the start data and values that it has"));
        }
    }
    for job in &contents.jobs {
        let part = Part::of_job(SegmentId { shard: job.shard, segment: job.segment }, job.job);
        let Some(life) = lives.get(&part) else {
            report.contradiction(STORE, format!("job {} was begun, and its history doesn't say so", job.job));
            continue;
        };
        let proven = matches!(life.stage(), Some(Stage::Proven));
        if let Some(proof) = job.proof.filter(|proof| proven && !proofs.contains(proof)) {
            let (lost, what) = (ProverError::ProofLost, format!("the proof of job {} is missing", job.job));
            report.add(&format!("proofs/{proof}"), lost.code(), what, lost.next_step());
        }
    }
    if let Some(world) = world {
        against_the_world(store, world, &lives, report).map_err(super::boxed)?;
    }
    Ok(())
}

/// How many shards and jobs of an older layout are open.
fn outdated(store: &Store, world: Option<&WorldContents>, lives: &BTreeMap<Part, Life>) -> Result<u64, StoreError> {
    let goes_on = |part: Part| lives.get(&part).and_then(Life::stage).is_some_and(|stage| !stage.is_final());
    let operated = store
        .all(&ASSIGNMENTS)?
        .into_iter()
        .map(|(_, it)| (Part::of(SegmentId::first(it.start.shard), Role::Operator), it.start));
    let jobs = store
        .all(&JOBS)?
        .into_iter()
        .map(|(id, job)| (Part::of_job(SegmentId { shard: job.start.shard, segment: job.segment }, id), job.start));
    let of_world = world.into_iter().flat_map(|world| &world.shards).filter(|it| it.fate == Fate::Open);
    let open = operated.chain(jobs).filter(|(part, start)| start.is_outdated() && goes_on(*part)).count();
    Ok((open + of_world.filter(|it| it.start.is_outdated()).count()) as u64)
}

/// Verifies each history; those that are ones.
fn histories(contents: &NodeContents, report: &mut Report) -> BTreeMap<Part, Life> {
    let mut lives = BTreeMap::new();
    for (part, entries) in contents.parts() {
        report.histories += 1;
        match verify(&contents.peer, part, entries) {
            Ok(history) => drop(lives.insert(part, history.life().clone())),
            Err(error) => {
                let what = format!("the history of shard {} as {}: {error}", part.shard, part.role);
                report.add(STORE, error.code(), what, error.next_step());
            }
        }
    }
    lives
}

/// The history of each shard of the World is where the World is, or a note says that it is about to be.
fn against_the_world(
    store: &Store,
    world: &WorldContents,
    lives: &BTreeMap<Part, Life>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let pending: BTreeSet<ShardId> = store.all(&INTENTS)?.into_iter().map(|(key, _)| key.shard).collect();
    for record in &world.shards {
        let shard = record.start.shard;
        let life = lives.get(&Part::of(SegmentId::first(shard), Role::Settler));
        let said = match life.and_then(|life| life.step(Stage::Started)) {
            Some(Step::Started { commitment, .. }) => Some(*commitment),
            _ => None,
        };
        of_start(&record.start, said, "started", report);
        let end = life.and_then(|life| life.steps().last());
        let agrees = match (&record.fate, end) {
            (Fate::Open, Some(step)) => !matches!(step.stage(), Stage::Settled | Stage::Aborted),
            (Fate::Settled { proof, .. }, Some(Step::Settled { proof: Some(by) })) => proof == by,
            (Fate::Aborted { .. }, Some(Step::Aborted { .. })) => true,
            _ => false,
        };
        if !agrees && !pending.contains(&shard) {
            report.contradiction(STORE, format!("the history of shard {shard} doesn't end as the World says"));
        }
    }
    Ok(())
}

/// Start data is what its history was begun with. That of an older layout was bound by another hash.
fn of_start(start: &ShardStart, recorded: Option<shardwire_model::Felt>, how: &str, report: &mut Report) {
    if recorded.is_some_and(|recorded| recorded != start.commitment()) && !start.is_outdated() {
        let what =
            format!("the start data of shard {} isn't that with which its history says it was {how}", start.shard);
        report.contradiction(STORE, what);
    }
}

/// What a job is called: the hash of what it is about.
pub(super) fn name_of(job: &Job) -> Hash {
    job_id(job.start.program, job.start.commitment(), job.before.0, job.segment)
}
