//! A prover and an operator's half that leases it one small job, and then doesn't.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "the tests look at the files and processes that a prover leaves")]

use super::{
    operator_half::Operator,
    sound_tests::{Believer, PROOF},
    *,
};
use shardwire_host::{
    Tasks,
    clock::SystemClock,
    testing::{HeldCommits, host, store},
};
use shardwire_model::{Cause, Coded as _, PeerId, ShardId, Timestamp, life::AbortCause};
use shardwire_protocols::{
    ServeError, Signed,
    proof::{self, Handler as _, Reply, SkipReason},
    trace::{Trace, serve},
};
use shardwire_proving::worker::{Proved, Worker};
use shardwire_reputation::Standing;
use shardwire_transport::{
    Channel, Incoming, Responder, SessionError, identity::Identity, message::encode, session::pair_over,
};
use std::{
    fs,
    future::pending,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};
use tokio::time::{sleep, timeout};

/// How often a test looks at what only the system knows.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Longer than starting or ending a process takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn identities() -> [Identity; 2] {
    [1, 2].map(|number| Identity::from_secret(&[number; 32]))
}

/// Proves at once: the proof is a text.
#[derive(Debug)]
pub(super) struct AtOnce;

impl Prove for AtOnce {
    fn prove<'a>(&'a self, _: &'a Path, proof: &'a Path, _: Cancelled<'a>) -> Proving<'a> {
        Box::pin(async move {
            fs::write(proof, PROOF).unwrap();
            Ok(Proved { proof_bytes: 7, prove_s: 1.0, cpu_s: 1.0, peak_bytes: 1 })
        })
    }
}

/// A prover that proves at once, and is configured like this.
pub(super) fn quick_prover(folder: &Path, config: &str) -> (Arc<Prover>, Tasks) {
    prover_with(folder, config, Arc::new(AtOnce))
}

/// A prover with this way to prove, configured like this.
pub(super) fn prover_with(folder: &Path, config: &str, prove: Arc<dyn Prove>) -> (Arc<Prover>, Tasks) {
    let store = store(folder);
    let (host, tasks) = host(identities()[0].clone(), store, folder, Arc::new(SystemClock), config);
    (Prover::resume(host, prove, Arc::new(Believer::default())).unwrap(), tasks)
}

/// A prover whose worker hangs.
fn prover(folder: &Path) -> (Arc<Prover>, Tasks) {
    let store = store(folder);
    let (host, tasks) = host(identities()[0].clone(), store, folder, Arc::new(SystemClock), "");
    let worker = Worker::at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workers/hangs")).unwrap();
    let hour = Duration::from_secs(3600);
    let workshop = Workshop { worker, memory_limit: 1 << 30, deadline: hour, threads: None };
    (Prover::resume(host, Arc::new(workshop), Arc::new(Believer::default())).unwrap(), tasks)
}

/// A session between the two, served until it ends.
pub(super) fn meet(prover: &Arc<Prover>, operator: &Arc<Operator>) -> [tokio::task::JoinHandle<()>; 2] {
    let [ours, theirs] = identities();
    let peers = [ours.peer(), theirs.peer()];
    let (consumer, producer): (_, Responder<Trace>) = pair_over(Channel::pair_between(peers, 1 << 18));
    let (prover, operator) = (prover.clone(), operator.clone());
    [
        tokio::spawn(async move {
            prover.troubles.fit().await;
            let mut turn = Some(prover.job_turns.take(consumer.peer()).await);
            drop(prover.take(consumer, &mut turn).await);
        }),
        tokio::spawn(async move { drop(serve(producer, &*operator).await) }),
    ]
}

fn pid_file(prover: &Prover, job: Hash) -> PathBuf {
    let mut name = prover.host.artefacts.worker_proof(job).into_os_string();
    name.push(".pid");
    name.into()
}

/// Waits until a worker is at the job, whose process this is.
async fn worker_starts(prover: &Prover, job: Hash) -> String {
    let file = pid_file(prover, job);
    let starts = async {
        while !file.exists() {
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(PATIENCE, starts).await.expect("a worker starts");
    let pid = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    pid.trim().to_owned()
}

async fn worker_ends(pid: &str) {
    let stat = PathBuf::from(format!("/proc/{pid}/stat"));
    // A process that has ended but wasn't waited for yet is as good as gone.
    let runs = |stat: String| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z');
    let ends = async {
        while fs::read_to_string(&stat).is_ok_and(runs) {
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(PATIENCE, ends).await.expect("the worker ends");
}

#[tokio::test]
async fn a_lease_that_another_prover_took_ends_the_worker_and_a_new_one_costs_the_proof_only() {
    let folder = tempfile::tempdir().unwrap();
    let ((prover, _tasks), operator) = (prover(folder.path()), Arc::new(Operator::new()));
    let job = operator.offer.job;
    let [taking, serving] = meet(&prover, &operator);
    let pid = worker_starts(&prover, job).await;
    assert_eq!(prover.shards()[0].stage, Stage::Proving);

    operator.taken.store(true, Ordering::SeqCst);
    prover.changes.announce(&job); // It reports at each change, too.
    worker_ends(&pid).await;
    taking.await.unwrap();
    serving.await.unwrap();
    let cause = operator.abandoned.lock().unwrap().take().expect("the operator is told");
    assert_eq!(cause.to_string(), "the lease of the job has ended (SW-PROVER-007)");
    prover.changes.of(job).until(|| Ok::<_, ()>((!prover.at_work.is_held(job)).then_some(()))).await.unwrap();
    let status = &prover.shards()[0];
    assert_eq!((status.stage, &status.error), (Stage::Proving, &None), "nothing went wrong, it only waits");

    operator.taken.store(false, Ordering::SeqCst);
    let kept = Operator { chunks: vec![], ..Arc::try_unwrap(operator).unwrap() };
    let sessions = meet(&prover, &Arc::new(kept));
    assert_ne!(worker_starts(&prover, job).await, pid);
    sessions.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_restarted_prover_works_only_when_the_job_is_leased_again() {
    let folder = tempfile::tempdir().unwrap();
    let operator = Arc::new(Operator::new());
    let job = operator.offer.job;
    {
        let (prover, _tasks) = prover(folder.path());
        let sessions = meet(&prover, &operator);
        let pid = worker_starts(&prover, job).await;
        sessions.iter().for_each(tokio::task::JoinHandle::abort);
        // The lease ends by itself once nobody extends it.
        prover.at_work.set(job, tokio::time::Instant::now());
        worker_ends(&pid).await;
        prover.changes.of(job).until(|| Ok::<_, ()>((!prover.at_work.is_held(job)).then_some(()))).await.unwrap();
        while Arc::strong_count(&prover) > 1 {
            sleep(LOOK_EVERY).await;
        }
    }
    let (prover, _tasks) = prover(folder.path());
    assert_eq!(prover.shards()[0].stage, Stage::Proving);
    assert!(!pid_file(&prover, job).exists());
    let sessions = meet(&prover, &operator);
    worker_starts(&prover, job).await;
    sessions.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn its_own_disk_is_no_fault_of_the_job_and_the_lease_goes_back_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let ((prover, _tasks), operator) = (quick_prover(folder.path(), ""), Arc::new(Operator::new()));
    let job = operator.offer.job;
    // Where the folder of proofs should be.
    let obstacle = folder.path().join("proofs");
    fs::write(&obstacle, b"").unwrap();
    let [taking, _serving] = meet(&prover, &operator);
    taking.await.unwrap();
    let cause = operator.abandoned.lock().unwrap().take().expect("the lease is given back");
    assert_eq!(cause.code, "SW-ARTEFACT-001");
    let known = prover.job(job).unwrap();
    assert_eq!((known.stage(), known.job.attempts), (Some(Stage::Proving), 0), "nothing is given up");
    assert!(!prover.troubles.is_fit(), "it waits before it takes a job again");

    fs::remove_file(&obstacle).unwrap();
    let kept = Operator { chunks: vec![], ..Arc::try_unwrap(operator).unwrap() };
    let operator = Arc::new(kept);
    let _sessions = meet(&prover, &operator);
    prover
        .changes
        .of(job)
        .until(|| Ok::<_, ()>((prover.job(job).unwrap().stage() == Some(Stage::Proven)).then_some(())))
        .await
        .unwrap();
    assert_eq!(prover.job(job).unwrap().job.proof, Some(Hash::of(b"a proof")));
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_shard_was_aborted_ends_and_is_open_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let ((prover, _tasks), operator) = (prover(folder.path()), Arc::new(Operator::new()));
    let job = operator.offer.job;
    let sessions = meet(&prover, &operator);
    let pid = worker_starts(&prover, job).await;
    sessions.iter().for_each(tokio::task::JoinHandle::abort);
    prover.at_work.set(job, tokio::time::Instant::now());
    worker_ends(&pid).await;
    assert_eq!(prover.resumable_jobs(identities()[1].peer()).len(), 1);

    operator.aborted.store(true, Ordering::SeqCst);
    let sessions = meet(&prover, &operator);
    prover.changes.of(job).until(|| Ok::<_, ()>(prover.job(job).unwrap().life.is_over().then_some(()))).await.unwrap();
    sessions.iter().for_each(tokio::task::JoinHandle::abort);
    let told = Step::Aborted { why: AbortCause::Told { by: identities()[1].peer() } };
    assert_eq!(prover.job(job).unwrap().life.steps().last(), Some(&told));
    assert_eq!(prover.resumable_jobs(identities()[1].peer()), []);
    // The witness goes.
    while prover.host.artefacts.job(job).exists() {
        sleep(LOOK_EVERY).await;
    }
}

/// A prover with one proof: its job, its shard, the proof.
async fn proven(folder: &Path) -> (Arc<Prover>, Tasks, [Hash; 2], ShardId) {
    let (prover, tasks) = quick_prover(folder, "");
    let operator = Arc::new(Operator::new());
    let [taking, _serving] = meet(&prover, &operator);
    taking.await.unwrap();
    let proof = operator.finished.lock().unwrap().take().expect("the operator is told");
    (prover, tasks, [operator.offer.job, proof], operator.offer.shard)
}

/// One that the World lists, and one with a fresh key.
pub(super) fn settlers() -> [Identity; 2] {
    [9, 4].map(|number| Identity::from_secret(&[number; 32]))
}

#[tokio::test(start_paused = true)]
async fn only_a_settler_of_the_world_ends_a_job_that_is_proven() {
    let [settler, stranger] = settlers().map(|it| it.peer());
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks, [job, proof], shard) = proven(folder.path()).await;
    let late = Cause::new("SW-SETTLER-004", "the shard is settled by another proof");
    let skipped = || Reply::Skipped { shard, reason: SkipReason::Settled, cause: late.clone() };
    assert!(prover.proof_for(settler).await.unwrap().is_some() && prover.proof_for(stranger).await.unwrap().is_none());
    prover.replied(settler, proof, skipped()).await.unwrap();
    assert_eq!(prover.job(job).unwrap().life.steps().last(), Some(&Step::Settled { proof: None }));
    assert!(prover.proof_for(Identity::from_secret(&[1; 32]).peer()).await.unwrap().is_none());
}

/// Asks the prover for a proof as this settler would, and answers it as `answer` does.
pub(super) async fn ask<F>(prover: &Arc<Prover>, settler: &Identity, answer: impl FnOnce(proof::Offered) -> F)
where
    F: Future<Output = Result<proof::Client, SessionError>>,
{
    let peers = [settler.peer(), identities()[0].peer()];
    let (theirs, ours) = pair_over::<proof::Proof>(Channel::pair_between(peers, 1 << 18));
    let asking = async {
        let _client = match proof::Client::new(theirs).ask().await.unwrap() {
            proof::Next::Ready(_, offered) => answer(offered).await.unwrap(),
            proof::Next::Nothing(_) => panic!("there is a proof"),
        };
        // It says no more, until the prover is tired of it.
        pending::<()>().await;
    };
    let signer = identities()[0].clone();
    tokio::select! {
        served = proof::serve(ours, &signer, &**prover) => assert!(served.is_err(), "the settler never asks again"),
        () = asking => {}
    }
}

/// What a peer gets that says this in a session, as a peer written from the page would: in which order it likes.
async fn says(prover: &Prover, peer: PeerId, said: &[Vec<u8>]) -> ServeError {
    let (mut theirs, ours) = Channel::pair_between([peer, identities()[0].peer()], 1 << 18);
    let header = frame(&[], &[&[5], &b"proof"[..], &[1]].concat());
    assert!(theirs.write_raw([header, said.concat()].concat()).await);
    let session = Incoming::new(ours).serve::<proof::Proof>().await.unwrap();
    let error = proof::serve(session, &identities()[0], prover).await.unwrap_err();
    prover.host.peers.failed(peer, "proof", &error);
    error
}

/// A message after the tags that lead to it.
fn frame(tags: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [tags, &postcard::to_allocvec(&length).unwrap(), body].concat()
}

#[tokio::test(start_paused = true)]
async fn a_receipt_or_dispute_of_a_fresh_key_suppresses_nothing_and_costs_its_signer_its_standing() {
    let [settler, stranger] = settlers();
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks, [job, proof], shard) = proven(folder.path()).await;
    let (segment, settled_at) = (0, Timestamp(1));
    let receipt = Signed::by(&stranger, proof::Settlement { shard, segment, proof, settled_at });
    let cause = Cause::new("SW-PROOF-999", "it is not for you");
    let dispute = Signed::by(&stranger, proof::Objection { shard, segment, proof, cause });
    // It is offered no proof, so these are never due.
    let question = frame(&[0], &[]);
    let receipt = frame(&[1, 0], &encode(&receipt).unwrap());
    let dispute = frame(&[1, 1, 0], &encode(&dispute).unwrap());
    for (said, code) in [
        (vec![question, receipt.clone()], "SW-SESSION-012"),
        (vec![receipt], "SW-SESSION-009"),
        (vec![dispute], "SW-SESSION-003"),
    ] {
        assert!(matches!(prover.host.peers.standing(stranger.peer()), Standing::Admitted(_)));
        assert_eq!(says(&prover, stranger.peer(), &said).await.code(), code);
    }
    assert!(matches!(prover.host.peers.standing(stranger.peer()), Standing::Banned { .. }), "at the third");
    let known = prover.job(job).unwrap();
    assert_eq!((known.stage(), known.job.receipt, known.job.fault), (Some(Stage::Proven), None, None));
    assert!(known.job.disputes.is_empty());

    // The settler that the World lists gets the proof, and its receipt counts.
    let signs = settler.clone();
    let settle = |offered: proof::Offered| async move {
        let (bytes, offered) = offered.fetch().await?;
        assert_eq!(bytes, b"a proof");
        offered.settled(&signs, Timestamp(2)).await.map(|it| it.1)
    };
    ask(&prover, &settler, settle).await;
    let known = prover.job(job).unwrap();
    assert!(known.job.receipt.is_some());
    assert_eq!(known.life.stage(), Some(Stage::Settled));
    assert!(matches!(prover.host.peers.standing(settler.peer()), Standing::Admitted(_)));
}

#[tokio::test(start_paused = true)]
async fn a_proof_whose_settlement_is_pending_is_offered_again() {
    let [settler, _] = settlers().map(|it| it.peer());
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks, [job, proof], shard) = proven(folder.path()).await;
    let cause = Cause::new("SW-SETTLER-008", "its settlement is pending");
    prover.replied(settler, proof, Reply::Skipped { shard, reason: SkipReason::Pending, cause }).await.unwrap();
    assert_eq!(prover.job(job).unwrap().stage(), Some(Stage::Proven));
    assert!(prover.proof_for(settler).await.unwrap().is_none());
    sleep(Duration::from_secs(16)).await;
    assert!(prover.proof_for(settler).await.unwrap().is_some());
}

/// A fixed bug: jobs were committed on the threads of all sessions, under the lock that each of them takes.
#[tokio::test]
async fn while_the_disk_takes_its_time_others_are_served_and_a_receipt_is_kept_also_if_its_settler_goes_away() {
    let [settler, stranger] = settlers();
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks, [job, proof], shard) = proven(folder.path()).await;
    let receipt = Signed::by(&settler, proof::Settlement { shard, segment: 0, proof, settled_at: Timestamp(1) });

    let held = HeldCommits::of(&prover.host.store);
    let (keeps, its) = (prover.clone(), settler.peer());
    let session = tokio::spawn(async move { keeps.replied(its, proof, Reply::Settled(receipt)).await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!session.is_finished());
    assert_eq!(prover.shards()[0].stage, Stage::Proven, "nothing is seen before it is durable");
    assert!(prover.proof_for(stranger.peer()).await.unwrap().is_none());
    assert!(prover.proof_for(settler.peer()).await.unwrap().is_some());
    session.abort();
    assert!(session.await.unwrap_err().is_cancelled());
    drop(held);
    prover.changes.of(job).until(|| Ok::<_, ()>(prover.job(job).unwrap().life.is_over().then_some(()))).await.unwrap();
    assert!(prover.job(job).unwrap().job.receipt.is_some());
    assert!(prover.host.store.get(&JOBS, &job).unwrap().unwrap().receipt.is_some());
}
