//! However a worker ends on this machine, no job has failed by it; and what has failed is tried again when a person says so.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "the tests look at the files that a prover leaves")]

use super::{
    mend::LOOK_EVERY,
    operator_half::Operator,
    sound_tests::PROOF,
    tests::{meet, prover_with},
    *,
};
use shardwire_model::Coded as _;
use shardwire_proving::worker::{LocateError, ProveError, Proved};
use shardwire_witness::{compress, decompress};
use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
};

/// A worker whose next ends are these; then it proves.
#[derive(Debug, Default)]
struct Ends {
    ends: Mutex<VecDeque<ProveError>>,
    /// Whether it isn't there at all.
    missing: std::sync::atomic::AtomicBool,
}

impl Ends {
    fn of(ends: impl IntoIterator<Item = ProveError>) -> Arc<Self> {
        Arc::new(Self { ends: Mutex::new(ends.into_iter().collect()), ..Self::default() })
    }
}

impl Prove for Ends {
    fn prove<'a>(&'a self, _: &'a Path, proof: &'a Path, _: Cancelled<'a>) -> Proving<'a> {
        Box::pin(async move {
            if let Some(error) = self.ends.lock().unwrap().pop_front() {
                return Err(error);
            }
            fs::write(proof, PROOF).unwrap();
            Ok(Proved { proof_bytes: 7, prove_s: 1.0, cpu_s: 1.0, peak_bytes: 1 })
        })
    }

    fn is_there(&self) -> bool {
        !self.missing.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn answers(&self) -> Answering<'_> {
        let missing = self.missing.load(std::sync::atomic::Ordering::SeqCst);
        Box::pin(std::future::ready(if missing { Err(LocateError::Missing) } else { Ok(()) }))
    }
}

fn missing() -> ProveError {
    ProveError::Start { worker: PathBuf::from("/opt/worker"), source: std::io::ErrorKind::NotFound.into() }
}

fn killed(signal: i32) -> ProveError {
    ProveError::Killed { signal, reason: "it gave no reason".into() }
}

fn refused() -> ProveError {
    ProveError::Refused { code: "SW-WORKER-004".into(), reason: "the run is too large".into() }
}

/// Whatever this machine can do to a worker.
fn of_this_machine() -> Vec<ProveError> {
    vec![
        missing(),
        ProveError::Failed { reason: "no space left on device".into() },
        ProveError::Misuse { reason: "unexpected argument".into() },
        ProveError::Memory { limit: 1 },
        killed(2),
        killed(9),
        killed(15),
        ProveError::TimedOut { limit: Duration::from_secs(2) },
        ProveError::BadOutput { what: "it ends within a line".into() },
        ProveError::NoProof,
        ProveError::TooLarge { bytes: 1 << 30 },
        ProveError::Io { what: "wait for the worker", source: std::io::Error::other("too many open files") },
    ]
}

pub(super) async fn session(prover: &Arc<Prover>, operator: &Arc<Operator>) {
    let [taking, serving] = meet(prover, operator);
    taking.await.unwrap();
    serving.await.unwrap();
}

/// Waits until it is noted why a lease was given back: that may be a moment later.
pub(super) async fn in_trouble(prover: &Prover) {
    while prover.troubles.is_fit() {
        tokio::task::yield_now().await;
    }
}

pub(super) fn unmet(prover: &Prover) -> Vec<&'static str> {
    prover.host.telemetry.unmet().iter().map(|it| it.condition).collect()
}

#[tokio::test(start_paused = true)]
async fn no_local_end_of_a_worker_counts_against_a_job_and_the_job_is_given_back_each_time() {
    for error in of_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let (code, of_disk) = (error.code(), matches!(error, ProveError::Io { .. }));
        // More often in a row than a witness may be refused.
        let again = || match code {
            "SW-PROVE-001" => missing(),
            "SW-PROVE-006" => ProveError::TimedOut { limit: Duration::from_secs(2) },
            _ => killed(9),
        };
        let workshop = Ends::of([error].into_iter().chain((0..MAX_ATTEMPTS).map(|_| again())));
        let (prover, _tasks) = prover_with(folder.path(), "", workshop.clone());
        let operator = Arc::new(Operator::new());
        let job = operator.offer.job;
        session(&prover, &operator).await;
        let told = operator.abandoned.lock().unwrap().take().expect("the lease is given back at once");
        assert_eq!(told.code, code);
        let known = prover.job(job).unwrap();
        assert_eq!((known.stage(), known.job.attempts), (Some(Stage::Proving), 0), "{code}");
        assert_eq!(unmet(&prover), if of_disk { vec![] } else { vec!["worker"] }, "{code}");
        // A limit is the job's alone; anything else keeps the prover from taking any.
        assert_eq!(prover.troubles.is_fit(), prover.troubles.is_apart(job), "{code}");
        while operator.finished.lock().unwrap().is_none() {
            prover.troubles.fit().await;
            while prover.troubles.is_apart(job) {
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
            session(&prover, &operator).await;
        }
        assert_eq!(prover.job(job).unwrap().stage(), Some(Stage::Proven), "{code}");
        assert_eq!(unmet(&prover), [""; 0], "it is ready again once a proof is made: {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_replaced_is_waited_for_and_nothing_of_it_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let operator = Arc::new(Operator::new());
    let job = operator.offer.job;
    {
        let workshop = Ends::of([missing(), missing(), missing(), missing()]);
        workshop.missing.store(true, std::sync::atomic::Ordering::SeqCst);
        let (prover, tasks) = prover_with(folder.path(), "", workshop.clone());
        session(&prover, &operator).await;
        assert!(tokio::time::timeout(Duration::from_secs(3600), prover.troubles.fit()).await.is_err());
        let why = &prover.host.telemetry.unmet()[0];
        assert_eq!((why.condition, why.shortfall.code.as_str()), ("worker", "SW-WORKER-101"));
        // It is back: the prover notices by itself, without a job.
        workshop.missing.store(false, std::sync::atomic::Ordering::SeqCst);
        prover.troubles.fit().await;
        assert_eq!(unmet(&prover), [""; 0]);
        session(&prover, &operator).await;
        assert_eq!(unmet(&prover), ["worker"], "it was replaced again");
        tasks.end().await;
        while Arc::strong_count(&prover) > 1 {
            tokio::task::yield_now().await;
        }
    }
    let (prover, _tasks) = prover_with(folder.path(), "", Ends::of([]));
    assert_eq!((prover.shards()[0].stage, unmet(&prover)), (Stage::Proving, vec![]));
    session(&prover, &operator).await;
    assert_eq!(prover.job(job).unwrap().stage(), Some(Stage::Proven));
}

/// A fixed bug: a prover without a job said that it was ready, whether its worker was there or not, until the next job had failed.
#[tokio::test(start_paused = true)]
async fn a_prover_without_a_job_notices_that_its_worker_is_gone_and_that_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let workshop = Ends::of([]);
    let (prover, _tasks) = prover_with(folder.path(), "", workshop.clone());
    prover.look_after_worker();
    tokio::time::sleep(LOOK_EVERY * 2).await;
    assert_eq!(unmet(&prover), [""; 0]);
    workshop.missing.store(true, std::sync::atomic::Ordering::SeqCst);
    tokio::time::sleep(LOOK_EVERY + Duration::from_secs(1)).await;
    assert_eq!((unmet(&prover), prover.troubles.is_fit()), (vec!["worker"], false));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(unmet(&prover), ["worker"]);
    workshop.missing.store(false, std::sync::atomic::Ordering::SeqCst);
    prover.troubles.fit().await;
    assert_eq!(unmet(&prover), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_witness_is_refused_three_times_has_failed_until_it_is_tried_again_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let operator = Arc::new(Operator::new());
    let (job, shard) = (operator.offer.job, operator.offer.shard);
    let said = |error: RetryError| format!("{} {error} | {}", error.code(), error.next_step());
    {
        // In between, this machine's doing doesn't count.
        let workshop = Ends::of([refused(), killed(9), refused(), refused()]);
        let (prover, tasks) = prover_with(folder.path(), "", workshop);
        assert!(
            said(prover.retry(shard).await.unwrap_err())
                .starts_with("SW-PROVER-013 this prover has no job of shard 0x")
        );
        session(&prover, &operator).await;
        assert_eq!(prover.job(job).unwrap().job.attempts, 1);
        prover.troubles.fit().await;
        session(&prover, &operator).await;
        let status = &prover.shards()[0];
        assert_eq!((status.stage, status.error.as_ref().unwrap().code.as_str()), (Stage::Failed, "SW-PROVE-012"));
        assert_eq!(unmet(&prover), [""; 0], "that is the job's fault");
        tasks.end().await;
        while Arc::strong_count(&prover) > 1 {
            tokio::task::yield_now().await;
        }
    }
    let (prover, _tasks) = prover_with(folder.path(), "", Ends::of([refused(), refused(), refused()]));
    assert_eq!(prover.shards()[0].stage, Stage::Failed, "it stays so");
    // It declines the job, and goes on with others.
    let sessions = meet(&prover, &operator);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (reason, cause) = operator.declined.lock().unwrap().take().expect("the operator is told");
    assert_eq!((reason, cause.code.as_str()), (shardwire_protocols::trace::DeclineReason::GivenUp, "SW-PROVER-003"));
    sessions.iter().for_each(tokio::task::JoinHandle::abort);

    assert_eq!(prover.retry(shard).await.unwrap(), 1);
    assert_eq!(
        (prover.shards()[0].stage, prover.resumable_jobs(operator.offer.start.operator).len()),
        (Stage::Proving, 1)
    );
    let not_failed = said(prover.retry(shard).await.unwrap_err());
    assert!(not_failed.starts_with("SW-PROVER-014 nothing of shard 0x"), "{not_failed}");
    assert!(not_failed.ends_with(" is given up here: its job is proving | Nothing: it goes on by itself, or is over."));
    session(&prover, &operator).await;
    assert_eq!(prover.shards()[0].stage, Stage::Failed, "a second time");
    assert_eq!(prover.retry(shard).await.unwrap(), 1);
    session(&prover, &operator).await;
    assert_eq!(prover.job(job).unwrap().stage(), Some(Stage::Proven), "what was given up goes on where it was");
}

/// A fixed bug: three panics of the prover's library, which bad memory or a refused thread makes as well, and the job had failed until it was tried again by hand.
#[tokio::test(start_paused = true)]
async fn a_panic_of_the_provers_library_fails_no_job_and_keeps_it_away_longer_each_time_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let broke = || ProveError::Broke { reason: "the prover failed: index out of bounds".into() };
    let breaks = 2 * MAX_ATTEMPTS;
    let (prover, _tasks) = prover_with(folder.path(), "", Ends::of((0..breaks).map(|_| broke())));
    let operator = Arc::new(Operator::new());
    let job = operator.offer.job;
    for _ in 0..breaks {
        while prover.troubles.is_apart(job) || !prover.troubles.is_fit() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        session(&prover, &operator).await;
        let told = operator.abandoned.lock().unwrap().take().expect("the lease is given back at once");
        assert_eq!(told.to_string(), "this prover can't go on with the job for now (SW-PROVE-013)");
        let known = prover.job(job).unwrap();
        assert_eq!((known.stage(), known.job.attempts), (Some(Stage::Proving), 0));
        assert_eq!((unmet(&prover), prover.troubles.is_apart(job)), (vec!["worker"], true));
    }
    prover.troubles.fit().await;
    assert!(prover.troubles.is_apart(job), "others are tried before it");
    while prover.troubles.is_apart(job) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    session(&prover, &operator).await;
    assert_eq!((prover.job(job).unwrap().stage(), unmet(&prover)), (Some(Stage::Proven), vec![]));
}

/// A worker that refuses its witness as malformed so often, and has reason to: the disk has changed it. Then it proves.
#[derive(Debug)]
struct Malformed(Mutex<u32>);

impl Prove for Malformed {
    fn prove<'a>(&'a self, witness: &'a Path, proof: &'a Path, _: Cancelled<'a>) -> Proving<'a> {
        Box::pin(async move {
            let mut bytes = fs::read(witness).unwrap();
            let mut times = self.0.lock().unwrap();
            if *times > 0 {
                // A bit, then a byte too many, then one too few.
                match *times % 3 {
                    0 => bytes[180] ^= 4,
                    1 => bytes.truncate(bytes.len() - 1),
                    _ => bytes.push(0),
                }
                fs::write(witness, bytes).unwrap();
                *times -= 1;
                let (code, reason) = ("SW-WORKER-003".into(), "malformed witness: cell 3 is no felt".into());
                return Err(ProveError::Refused { code, reason });
            }
            fs::write(proof, PROOF).unwrap();
            Ok(Proved { proof_bytes: 7, prove_s: 1.0, cpu_s: 1.0, peak_bytes: 1 })
        })
    }
}

/// A fixed bug: a sector of the witness that went bad was a malformed witness, which counted against the job.
#[tokio::test(start_paused = true)]
async fn a_witness_that_the_disk_has_changed_fails_no_job_and_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks) = prover_with(folder.path(), "", Arc::new(Malformed(Mutex::new(MAX_ATTEMPTS))));
    let operator = Arc::new(Operator::new());
    let job = operator.offer.job;
    for _ in 0..MAX_ATTEMPTS {
        session(&prover, &operator).await;
        let told = operator.abandoned.lock().unwrap().take().expect("the lease is given back at once");
        assert_eq!(told.code, "SW-PROVER-019");
        let known = prover.job(job).unwrap();
        assert_eq!((known.stage(), known.job.attempts), (Some(Stage::Proving), 0));
        assert_eq!(unmet(&prover), ["worker"]);
        prover.troubles.fit().await;
    }
    session(&prover, &operator).await;
    assert_eq!((prover.job(job).unwrap().stage(), unmet(&prover)), (Some(Stage::Proven), vec![]));
}

/// An abandoned run of this segment: nothing comes of it, and it never ends.
fn abandoned(segment: u32) -> Arc<Operator> {
    let mut operator = Operator::of_segment(segment);
    operator.offer.ended = false;
    operator.idle.store(true, std::sync::atomic::Ordering::SeqCst);
    Arc::new(operator)
}

/// A fixed bug: a prover took one job of an operator, so a shard that nobody ended kept every later one from being proven.
#[tokio::test(start_paused = true)]
async fn an_idle_job_gives_its_place_to_one_that_is_ready_and_costs_one_only_while_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks) = prover_with(folder.path(), "", Ends::of([]));
    let mut idle = Vec::new();
    for segment in 1..=4 {
        let operator = abandoned(segment);
        let sessions = meet(&prover, &operator);
        while !prover.hands.has(operator.offer.job) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        idle.push((operator, sessions));
    }
    // A fifth one has no place.
    let fifth = abandoned(5);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let sessions = meet(&prover, &fifth);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(fifth.declined.lock().unwrap().take().unwrap().1.code, "SW-PROVER-011");
    sessions.iter().for_each(tokio::task::JoinHandle::abort);
    let given_up = |idle: &[(Arc<Operator>, _)]| -> Vec<String> {
        let causes = idle.iter().filter_map(|(operator, _)| operator.abandoned.lock().unwrap().clone());
        causes.map(|cause| cause.code).collect()
    };
    assert_eq!(given_up(&idle), [""; 0]);

    // One that is ready gets the place of the one that was idle for longest.
    let ready = Arc::new(Operator::new());
    session(&prover, &ready).await;
    assert_eq!(prover.job(ready.offer.job).unwrap().stage(), Some(Stage::Proven));
    assert!(ready.finished.lock().unwrap().is_some());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(given_up(&idle), ["SW-PROVER-012"]);
    assert_eq!(idle[0].0.abandoned.lock().unwrap().as_ref().unwrap().code, "SW-PROVER-012");
    assert_eq!(prover.job(idle[0].0.offer.job).unwrap().stage(), Some(Stage::Streaming), "it is no verdict");
    idle.iter().flat_map(|(_, sessions)| sessions).for_each(tokio::task::JoinHandle::abort);
}

/// A fixed bug: a chunk in whose place something else was, or that the disk didn't give out, kept every job of its prover waiting for ever.
#[tokio::test(start_paused = true)]
async fn whatever_is_in_the_place_of_a_fetched_chunk_it_is_fetched_again() {
    let folder = |file: &Path| fs::create_dir_all(file.join("full")).unwrap();
    let link = |file: &Path| std::os::unix::fs::symlink(file, file).unwrap();
    let large = |file: &Path| fs::File::create(file).unwrap().set_len(1 << 30).unwrap();
    let pipe = |file: &Path| assert!(std::process::Command::new("mkfifo").arg(file).status().unwrap().success());
    let puts = [(folder as fn(&Path), false), (link, true), (large, false), (pipe, false)];
    for (put, is_a_link) in puts {
        let folder = tempfile::tempdir().unwrap();
        let (prover, _tasks) = prover_with(folder.path(), "", Ends::of([killed(9)]));
        let operator = Arc::new(Operator::new());
        let job = operator.offer.job;
        session(&prover, &operator).await;
        let artefacts = &prover.host.artefacts;
        // The witness isn't renamed to its place, and through a link it would be made somewhere else.
        let witness = (!is_a_link).then(|| artefacts.witness(job));
        for place in [artefacts.fetched_chunk(job, 0)].into_iter().chain(witness) {
            fs::remove_file(&place).unwrap();
            put(&place);
        }
        while operator.finished.lock().unwrap().is_none() {
            session(&prover, &operator).await;
        }
        let known = prover.job(job).unwrap();
        assert_eq!((known.stage(), known.job.attempts, unmet(&prover)), (Some(Stage::Proven), 0, vec![]));
    }
}

/// A fixed bug: a chunk that the disk had changed was taken for the operator's, since it was decoded before its hash was compared, and the job had failed for ever.
#[tokio::test(start_paused = true)]
async fn a_flipped_bit_in_a_fetched_chunk_has_it_fetched_again_and_fails_no_job() {
    for at in [0, 40, 400] {
        let folder = tempfile::tempdir().unwrap();
        let (prover, _tasks) = prover_with(folder.path(), "", Ends::of([killed(9)]));
        let operator = Arc::new(Operator::new());
        let job = operator.offer.job;
        session(&prover, &operator).await;
        assert!(prover.job(job).unwrap().is_fetched());
        let file = prover.host.artefacts.fetched_chunk(job, 0);
        let chunk = &operator.chunks[0];
        let mut body = decompress(&chunk.body, chunk.raw_bytes as usize).unwrap();
        body[at] ^= 1;
        let flipped = [&chunk.raw_bytes.to_le_bytes()[..], &chunk.hash.0, &compress(&body)].concat();
        fs::write(&file, flipped).unwrap();

        operator.abandoned.lock().unwrap().take();
        session(&prover, &operator).await;
        let told = operator.abandoned.lock().unwrap().take().expect("the lease is given back at once");
        assert_eq!(told.to_string(), "this prover can't go on with the job for now (SW-PROVER-004)");
        let known = prover.job(job).unwrap();
        assert_eq!((known.is_fetched(), known.has_failed(), known.job.attempts), (false, false, 0));
        in_trouble(&prover).await;
        session(&prover, &operator).await;
        assert_eq!((prover.job(job).unwrap().stage(), unmet(&prover)), (Some(Stage::Proven), vec![]));
    }
}
