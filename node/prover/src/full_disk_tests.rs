//! A prover whose disk takes nothing at each of the moments in which it writes: the job is given back, nothing has failed, and it goes on by itself once
//! the disk works again.
#![cfg(unix)]

use super::{
    operator_half::Operator,
    sound::MAX_READINGS,
    sound_tests::{Believer, PROOF},
    tests::{identities, settlers},
    trouble_tests::{session, unmet},
    *,
};
use shardwire_disk::{Medium, SimulatedDisk, Trouble};
use shardwire_host::{Tasks, clock::SystemClock, disk_health, testing::host};
use shardwire_model::{Cause, Timestamp};
use shardwire_protocols::{
    Signed,
    proof::{Handler as _, Reply, Settlement, SkipReason},
};
use shardwire_proving::worker::{ProveError, Proved};
use shardwire_store::{Artefacts, Disk as _, Store, WatchedDisk, Work, records::LAYOUT};
use std::path::Path;

/// When the disk begins to take nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Before the job is taken.
    Job,
    /// While the worker is at it: it can't write the proof.
    Proving,
    /// When the worker has written the proof, and the prover keeps it.
    Keeping,
}

/// A worker on this disk, which the trouble befalls once.
#[derive(Debug)]
struct Befallen {
    medium: Medium,
    disk: SimulatedDisk,
    from: Mutex<Option<Moment>>,
}

impl Prove for Befallen {
    fn prove<'a>(&'a self, _: &'a Path, proof: &'a Path, _: Cancelled<'a>) -> Proving<'a> {
        Box::pin(async move {
            let from = self.from.lock().unwrap().take();
            if from == Some(Moment::Proving) {
                self.medium.trouble(Some(Trouble::OverQuota));
            }
            if self.disk.write(proof, &[PROOF], false).is_err() {
                return Err(ProveError::Failed { reason: "no space left on device".into() });
            }
            if from == Some(Moment::Keeping) {
                self.medium.trouble(Some(Trouble::OverQuota));
            }
            Ok(Proved { proof_bytes: PROOF.len() as u64, prove_s: 1.0, cpu_s: 1.0, peak_bytes: 1 })
        })
    }
}

/// A prover on this disk.
fn prover(medium: &Medium, from: Option<Moment>) -> (Arc<Prover>, Tasks) {
    let simulated = || SimulatedDisk::new(medium);
    let disk = WatchedDisk::new(Arc::new(simulated()));
    let store = Store::open(&disk, Path::new("/node/node.redb"), &LAYOUT).unwrap().with_work(Work::AtOnce);
    let (host, tasks) = host(identities()[0].clone(), store, Path::new("/node"), Arc::new(SystemClock), "");
    let artefacts = Artefacts::new("/node".into(), Arc::new(disk.clone()));
    let host = Arc::new(Host { artefacts, work: Work::AtOnce, ..Arc::try_unwrap(host).unwrap() });
    disk_health::watch(&host, disk);
    let worker = Befallen { medium: medium.clone(), disk: simulated(), from: Mutex::new(from) };
    (Prover::resume(host, Arc::new(worker), Arc::new(Believer::default())).unwrap(), tasks)
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_at_a_prover_fails_no_job_whenever_it_comes() {
    for from in [Moment::Job, Moment::Proving, Moment::Keeping] {
        let medium = Medium::new(1);
        let (prover, _tasks) = prover(&medium, Some(from));
        let operator = Arc::new(Operator::new());
        if from == Moment::Job {
            medium.trouble(Some(Trouble::ReadOnly));
        }
        session(&prover, &operator).await;
        let told = operator.abandoned.lock().unwrap().take().expect("the lease is given back at once");
        let due = match from {
            Moment::Job => "SW-STORE-",
            Moment::Proving => "SW-PROVE-002",
            Moment::Keeping => "SW-ARTEFACT-001",
        };
        assert!(told.code.starts_with(due), "{from:?}: {told}");
        assert!(!told.reason.contains('/') && !told.reason.contains("quota"), "{from:?}: {told}");
        let known = prover.job(operator.offer.job);
        assert!(known.is_none_or(|known| known.job.proof.is_none() && known.job.attempts == 0 && !known.has_failed()));
        assert!(operator.finished.lock().unwrap().is_none() && !prover.troubles.is_fit());
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(unmet(&prover).contains(&"disk"), "{from:?}: {:?}", unmet(&prover));

        medium.trouble(None);
        tokio::time::sleep(Duration::from_secs(60)).await;
        session(&prover, &operator).await;
        let known = prover.job(operator.offer.job).unwrap();
        assert_eq!((known.stage(), unmet(&prover)), (Some(Stage::Proven), vec![]), "{from:?}");
        assert!(prover.proof_for(settlers()[0].peer()).await.unwrap().is_some());
    }
}

/// A fixed bug: a kept chunk of which a sector couldn't be read was tried again for ever, and such a proof kept every other one from its settlers.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_any_more_is_fetched_or_made_again() {
    let medium = Medium::new(1);
    let (prover, _tasks) = prover(&medium, Some(Moment::Proving));
    let operator = Arc::new(Operator::new());
    let job = operator.offer.job;
    session(&prover, &operator).await;
    medium.trouble(None);
    let chunk = prover.host.artefacts.fetched_chunk(job, 0);
    assert!(medium.wear_out(&chunk.to_string_lossy()) && prover.job(job).unwrap().is_fetched());
    session(&prover, &operator).await;
    let told = operator.abandoned.lock().unwrap().take().expect("it is given back once");
    assert_eq!(told.to_string(), "this prover can't go on with the job for now (SW-PROVER-004)");
    session(&prover, &operator).await;
    assert_eq!(prover.job(job).unwrap().stage(), Some(Stage::Proven));

    let settler = settlers()[0].peer();
    let proof = prover.job(job).unwrap().proof().unwrap();
    assert!(medium.wear_out(&prover.host.artefacts.proof(proof).to_string_lossy()));
    for _ in 0..MAX_READINGS {
        assert!(!prover.job(job).unwrap().is_unproven(), "it may be read later");
        assert!(prover.proof_for(settler).await.unwrap().is_none());
    }
    assert!(prover.job(job).unwrap().is_unproven());
    session(&prover, &operator).await;
    assert_eq!(prover.proof_for(settler).await.unwrap().map(|it| it.proof), Some(proof));
}

/// What a settler says isn't lost with the session in which it couldn't be noted: it asks again, and is offered the proof again.
#[tokio::test(start_paused = true)]
async fn a_receipt_that_the_disk_does_not_take_is_asked_for_again() {
    let medium = Medium::new(1);
    let (prover, _tasks) = prover(&medium, None);
    let operator = Arc::new(Operator::new());
    session(&prover, &operator).await;
    let settler = settlers()[0].clone();
    let offered = prover.proof_for(settler.peer()).await.unwrap().expect("it is offered");
    let (shard, proof) = (offered.shard, offered.proof);
    let receipt =
        || Reply::Settled(Signed::by(&settler, Settlement { shard, segment: 0, proof, settled_at: Timestamp(1) }));
    let skip = || Reply::Skipped { shard, reason: SkipReason::Settled, cause: Cause::new("SW-SETTLER-004", "late") };
    medium.trouble(Some(Trouble::ReadOnly));
    assert!(prover.replied(settler.peer(), proof, receipt()).await.is_err());
    assert!(prover.replied(settler.peer(), proof, skip()).await.is_err());
    medium.trouble(None);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(prover.proof_for(settler.peer()).await.unwrap().is_some(), "what couldn't be noted is asked for again");
    prover.replied(settler.peer(), proof, receipt()).await.unwrap();
    assert_eq!(prover.shards()[0].stage, Stage::Settled);
}
