//! Whose jobs a prover takes, how many, and for how long it keeps them.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "the tests look at the files that a prover leaves")]

use super::{
    keeping::{KEPT_FOR, MAX_FETCHED, MAX_OPEN},
    operator_half::Operator,
    sound_tests::Believer,
    tests::{AtOnce, identities, meet, prover_with, quick_prover, settlers},
    trouble_tests::session,
    *,
};
use shardwire_host::{Tasks, testing};
use shardwire_model::{Coded as _, Felt, Timestamp};
use shardwire_protocols::{
    Signed,
    handoff::AssignmentTerms,
    trace::{DeclineReason, JobOffer},
};
use shardwire_proving::worker::ProveError;
use shardwire_reputation::Standing;
use shardwire_store::records::{HISTORY, history_of};
use shardwire_transport::Identity;
use std::path::Path;

/// What the prover says of an offer of this peer.
async fn considers(prover: &Prover, operator: PeerId, offer: &JobOffer) -> Option<(DeclineReason, String)> {
    let declined = prover.considered(operator, offer).await.err();
    declined.map(|(reason, why)| (reason, format!("{} {why}", why.code())))
}

fn unassigned() -> Option<(DeclineReason, String)> {
    let why = "SW-PROVER-017 no settler of this World has assigned the job to the operator that offers it";
    Some((DeclineReason::Unassigned, why.to_owned()))
}

/// The offer, with this settler's signature over these terms.
fn signed(offer: &JobOffer, settler: &Identity, terms: AssignmentTerms) -> JobOffer {
    JobOffer { settler: settler.peer(), assigned: Signed::by(settler, terms).signature, ..offer.clone() }
}

#[tokio::test]
async fn a_job_is_taken_only_from_whom_a_settler_of_the_world_has_assigned_it_to() {
    let [_, operator] = identities().map(|it| it.peer());
    let [listed, unlisted] = settlers();
    let offer = Operator::new().offer;
    let terms = AssignmentTerms::of(&offer.start, &offer.values);
    let made_up = [
        // Who made the job up signs it, as a settler that there isn't or in the name of one that there is.
        signed(&offer, &unlisted, terms.clone()),
        JobOffer { settler: listed.peer(), ..signed(&offer, &unlisted, terms.clone()) },
        // What was signed of something else than the run, of another state or operator.
        signed(&offer, &listed, AssignmentTerms { segment: 1, ..terms.clone() }),
        signed(&offer, &listed, AssignmentTerms { before: Felt::ONE, ..terms.clone() }),
        signed(&offer, &listed, AssignmentTerms { operator: unlisted.peer(), ..terms.clone() }),
    ];
    for bad in made_up {
        let folder = tempfile::tempdir().unwrap();
        let (prover, _tasks) = quick_prover(folder.path(), "");
        assert_eq!(considers(&prover, operator, &bad).await, unassigned());
    }
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks) = quick_prover(folder.path(), "");
    for settler in [&listed, &identities()[0]] {
        assert_eq!(considers(&prover, operator, &signed(&offer, settler, terms.clone())).await, None);
    }
    // What one operator has shown, another one shows.
    assert_eq!(considers(&prover, unlisted.peer(), &offer).await, unassigned());
}

#[tokio::test(start_paused = true)]
async fn a_made_up_job_leaves_no_record_no_file_and_no_proof_and_costs_its_operator_its_standing() {
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks) = quick_prover(folder.path(), "");
    let mut operator = Operator::new();
    let terms = AssignmentTerms::of(&operator.offer.start, &operator.offer.values);
    operator.offer = signed(&operator.offer, &settlers()[1], terms);
    let operator = Arc::new(operator);
    let sessions = meet(&prover, &operator);
    while !matches!(prover.host.peers.standing(identities()[1].peer()), Standing::Banned { .. }) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    sessions.iter().for_each(tokio::task::JoinHandle::abort);
    let (reason, cause) = operator.declined.lock().unwrap().take().unwrap();
    assert_eq!((reason, cause.code.as_str()), (DeclineReason::Unassigned, "SW-PROVER-017"));
    assert!(!prover.has_job_of(identities()[1].peer()), "it is nobody to work with");
    assert!(prover.jobs().is_empty() && !folder.path().join("jobs").exists() && !folder.path().join("proofs").exists());
}

/// A prover at this date.
async fn prover_at(folder: &Path, date: Timestamp) -> (Arc<Prover>, Tasks) {
    let store = testing::store_again(folder).await;
    let clock = testing::SetWall::at(date);
    let (host, tasks) = testing::host(identities()[0].clone(), store, folder, clock, "");
    (Prover::resume(host, Arc::new(AtOnce), Arc::new(Believer::default())).unwrap(), tasks)
}

#[tokio::test(start_paused = true)]
async fn long_after_its_deadline_all_of_a_job_is_forgotten_and_it_is_not_taken_again() {
    let folder = tempfile::tempdir().unwrap();
    let operator = Arc::new(Operator::new());
    let (job, deadline, peer) = (operator.offer.job, operator.offer.start.deadline, operator.offer.start.operator);
    let proof = {
        let (prover, _tasks) = prover_at(folder.path(), deadline).await;
        session(&prover, &operator).await;
        prover.taken(Hash::of(b"another"), peer).await.unwrap();
        let known = prover.job(job).expect("its deadline has just passed");
        prover.host.artefacts.proof(known.job.proof.unwrap())
    };
    assert!(proof.exists());
    {
        let (prover, _tasks) = prover_at(folder.path(), deadline).await;
        assert!(prover.has_job_of(peer) && !prover.has_job_of(settlers()[1].peer()), "also after a restart");
    }
    let (prover, _tasks) = prover_at(folder.path(), deadline.plus(KEPT_FOR).plus(Duration::from_secs(1))).await;
    let of_job = part(job, &prover.job(job).unwrap().job);
    let kept = || {
        let store = &prover.host.store;
        let rows = (store.get(&JOBS, &job).unwrap().is_some(), store.get(&JOB_LEASES, &job).unwrap().is_some());
        (rows, store.with_prefix(&HISTORY, &history_of(&of_job)).unwrap().is_empty(), proof.exists())
    };
    assert_eq!(kept(), ((true, true), false, true));
    prover.taken(Hash::of(b"another"), peer).await.unwrap();
    assert!(prover.jobs().is_empty());
    assert_eq!(kept(), ((false, false), true, false));
    let told = considers(&prover, peer, &operator.offer).await;
    let why =
        "SW-PROVER-011 this prover takes the job later: the deadline of its shard is long past by this node's date";
    assert_eq!(told, Some((DeclineReason::Later, why.to_owned())));
}

/// A worker that makes no proof: the job stays as it was fetched.
#[derive(Debug)]
struct MakesNone;

impl Prove for MakesNone {
    fn prove<'a>(&'a self, _: &'a Path, _: &'a Path, _: Cancelled<'a>) -> Proving<'a> {
        Box::pin(std::future::ready(Err(ProveError::NoProof)))
    }
}

/// A prover that has a job whose lease it gave back, and that job as often as this, under other names.
async fn with_jobs(folder: &Path, copies: usize) -> (Arc<Prover>, Tasks, Vec<Hash>) {
    let (prover, tasks) = prover_with(folder, "", Arc::new(MakesNone));
    let operator = Arc::new(Operator::new());
    session(&prover, &operator).await;
    let known = prover.job(operator.offer.job).unwrap();
    assert!(known.job.figures.chunks > 0 && known.is_unproven());
    let names: Vec<Hash> = (0..copies as u64).map(|number| Hash::of(&number.to_le_bytes())).collect();
    for name in &names {
        prover.jobs().insert(*name, known.clone());
        prover.host.artefacts.write(&prover.host.artefacts.fetched_chunk(*name, 0), &[b"a chunk"], false).unwrap();
    }
    (prover, tasks, names)
}

#[tokio::test(start_paused = true)]
async fn of_one_operator_so_many_jobs_are_kept_that_are_not_over_and_no_more_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks, names) = with_jobs(folder.path(), MAX_OPEN - 1).await;
    prover.troubles.fit().await;
    let (known, new) = (Operator::new().offer, Operator::of_segment(1).offer);
    let peer = known.start.operator;
    assert_eq!(considers(&prover, peer, &known).await, None, "one that it has");
    let why = "SW-PROVER-011 this prover takes the job later: it has as many jobs of this operator that aren't over as it keeps";
    assert_eq!(considers(&prover, peer, &new).await, Some((DeclineReason::Later, why.to_owned())));
    prover.jobs().remove(&names[0]);
    assert_eq!(considers(&prover, peer, &new).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_of_many_jobs_makes_room_for_that_of_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let (prover, _tasks, names) = with_jobs(folder.path(), MAX_FETCHED + 2).await;
    let there = || names.iter().filter(|name| prover.host.artefacts.job(**name).exists()).count();
    let all = there() + 1;
    prover.taken(Hash::of(b"another"), PeerId([7; 32])).await.unwrap();
    assert_eq!(there() + 1, all, "that is another operator's");
    let peer = identities()[1].peer();
    prover.taken(Hash::of(b"another"), peer).await.unwrap();
    let fetched = |known: &&Known| known.job.figures.chunks > 0;
    assert_eq!(prover.jobs().values().filter(fetched).count(), MAX_FETCHED);
    assert!(there() <= MAX_FETCHED);
    assert!(prover.jobs().values().filter(|known| !fetched(known)).all(|known| known.job.manifest.is_none()));
}
