//! A worker whose proofs don't hold, a proof that is lost, and one that settlers don't want: none of them ends a job, and none is offered as if it held.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "the tests look at the files that a prover leaves")]

use super::{
    operator_half::Operator,
    tests::{identities, meet, settlers},
    trouble_tests::{session, unmet},
    *,
};
use shardwire_host::{
    Tasks,
    clock::SystemClock,
    testing::{host, store},
};
use shardwire_model::{Cause, Coded as _, Felt, MAX_PROOF_BYTES, Output, Timestamp};
use shardwire_protocols::{
    Signed,
    proof::{Handler as _, Objection, Reply, Settlement, SkipReason},
};
use shardwire_proving::{
    verify::{Proven, VerifyError},
    worker::Proved,
};
use shardwire_reputation::Standing;
use shardwire_transport::Identity;
use std::{
    collections::VecDeque,
    fs,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

/// Believes [`PROOF`], which proves the short run. What may follow it says which segment it is of, and how far its state after is from the run's.
#[derive(Debug, Default)]
pub(super) struct Believer {
    /// Whether it believes nothing any more.
    pub(super) doubts: AtomicBool,
    /// How often it panics first.
    panics: AtomicU32,
}

pub(super) const PROOF: &[u8] = b"a proof";

impl Verify for Believer {
    fn verify(&self, bytes: &[u8]) -> Result<Proven, VerifyError> {
        let left = self.panics.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(left.is_err(), "it panics, as it was told");
        let said = bytes.strip_prefix(PROOF).filter(|_| !self.doubts.load(Ordering::SeqCst));
        let said = said.ok_or(VerifyError::Rejected("it is no text of a test".into()))?;
        let of = |place: usize| said.get(place).copied().unwrap_or_default();
        let Operator { offer, ending, .. } = Operator::of_segment(of(0).into());
        let output = Output { after: ending.output.after + Felt::from(of(1)), ..ending.output };
        Ok(Proven { program: offer.program, output: output.to_felts() })
    }
}

/// A worker that writes these; then proofs that hold, each with other bytes.
#[derive(Debug, Default)]
pub(super) struct Writes {
    first: Mutex<VecDeque<Vec<u8>>>,
    proofs: Mutex<usize>,
}

impl Writes {
    pub(super) fn first(bytes: impl IntoIterator<Item = Vec<u8>>) -> Arc<Self> {
        Arc::new(Self { first: Mutex::new(bytes.into_iter().collect()), ..Self::default() })
    }

    fn proofs(&self) -> usize {
        *self.proofs.lock().unwrap()
    }
}

impl Prove for Writes {
    fn prove<'a>(&'a self, _: &'a Path, proof: &'a Path, _: Cancelled<'a>) -> Proving<'a> {
        Box::pin(async move {
            let bytes = self.first.lock().unwrap().pop_front().unwrap_or_else(|| {
                let mut proofs = self.proofs.lock().unwrap();
                *proofs += 1;
                [PROOF, &[0, 0], &vec![0; *proofs]].concat()
            });
            fs::write(proof, &bytes).unwrap();
            Ok(Proved { proof_bytes: bytes.len() as u64, prove_s: 1.0, cpu_s: 1.0, peak_bytes: 1 })
        })
    }
}

/// One job at a prover whose worker writes this.
struct AtProver {
    prover: Arc<Prover>,
    operator: Arc<Operator>,
    worker: Arc<Writes>,
    believer: Arc<Believer>,
    _tasks: Tasks,
}

impl AtProver {
    fn new(folder: &Path, worker: Arc<Writes>) -> Self {
        let (believer, store) = (Arc::new(Believer::default()), store(folder));
        let (host, tasks) = host(identities()[0].clone(), store, folder, Arc::new(SystemClock), "");
        let prover = Prover::resume(host, worker.clone(), believer.clone()).unwrap();
        Self { prover, operator: Arc::new(Operator::new()), worker, believer, _tasks: tasks }
    }

    /// With a proof.
    async fn proven(folder: &Path) -> Self {
        let it = Self::new(folder, Writes::first([]));
        session(&it.prover, &it.operator).await;
        assert_eq!((it.stage(), it.told().is_some()), (Stage::Proven, true));
        it
    }

    /// The proof that the operator was told of last.
    fn told(&self) -> Option<Hash> {
        self.operator.finished.lock().unwrap().take()
    }

    fn stage(&self) -> Stage {
        self.known().stage().unwrap()
    }

    fn known(&self) -> Known {
        self.prover.job(self.operator.offer.job).unwrap()
    }

    fn fault(&self) -> String {
        self.prover.shards()[0].error.as_ref().map_or_else(String::new, |error| error.code.clone())
    }

    async fn offered(&self, settler: &Identity) -> Option<Hash> {
        self.prover.proof_for(settler.peer()).await.unwrap().map(|offered| offered.proof)
    }

    async fn disputed(&self, settler: &Identity) {
        let (shard, proof) = (self.operator.offer.shard, self.known().job.proof.unwrap());
        let cause = Cause::new("SW-VERIFY-009", "it doesn't verify there");
        let dispute = Signed::by(settler, Objection { shard, segment: 0, proof, cause });
        self.prover.replied(settler.peer(), proof, Reply::Disputed(dispute)).await.unwrap();
    }

    async fn skipped(&self, settler: &Identity, reason: SkipReason) {
        let (shard, proof) = (self.operator.offer.shard, self.known().job.proof.unwrap());
        let cause = Cause::new("SW-SETTLER-002", "it has no such shard");
        self.prover.replied(settler.peer(), proof, Reply::Skipped { shard, reason, cause }).await.unwrap();
    }
}

/// The settlers of the World: the second is the prover's own key.
fn listed() -> [Identity; 2] {
    [settlers()[0].clone(), identities()[0].clone()]
}

/// A fixed bug: what a worker had written was published, the settler banned the prover for it, and the job was `proven` for ever.
#[tokio::test(start_paused = true)]
async fn a_proof_that_does_not_hold_is_never_offered_and_its_job_is_given_back_and_tried_again() {
    let flipped = [b"b", &PROOF[1..]].concat();
    let bad = [
        (flipped, "SW-PROVER-015", "the proof doesn't verify: it is no text of a test"),
        (PROOF[..4].to_vec(), "SW-PROVER-015", "the proof doesn't verify: it is no text of a test"),
        ([PROOF, &[1]].concat(), "SW-PROVER-015", "the output is of segment 1, and segment 0 is next"),
        (
            [PROOF, &[0, 1]].concat(),
            "SW-PROVER-016",
            "the proof that the worker made is of another run than its witness",
        ),
    ];
    for (bytes, code, words) in bad {
        let folder = tempfile::tempdir().unwrap();
        let it = AtProver::new(folder.path(), Writes::first([bytes.clone(), bytes]));
        for _ in 0..2 {
            session(&it.prover, &it.operator).await;
            let told = it.operator.abandoned.lock().unwrap().take().expect("the lease is given back at once");
            assert_eq!(told.code, code);
            assert_eq!(told.reason, "this prover can't go on with the job for now");
            let fault = it.known().job.fault.unwrap().reason;
            assert!(fault.ends_with(words), "its own people read {fault}");
            assert_eq!((it.stage(), it.fault(), it.told()), (Stage::Proving, code.to_owned(), None));
            let known = it.known();
            assert_eq!((known.job.proof, known.job.attempts, known.life.step(Stage::Proven)), (None, 0, None));
            assert_eq!(it.offered(&settlers()[0]).await, None);
            assert!(!folder.path().join("proofs").exists(), "it isn't even kept");
            let why = &it.prover.host.telemetry.unmet()[0];
            assert_eq!((why.condition, why.shortfall.code.as_str()), ("worker", code));
            assert!(
                why.shortfall.next_step.contains("test this machine's memory and disk"),
                "{}",
                why.shortfall.next_step
            );
            assert!(!it.prover.troubles.is_fit() && it.prover.troubles.is_apart(it.operator.offer.job));
        }
        session(&it.prover, &it.operator).await;
        assert_eq!((it.stage(), unmet(&it.prover)), (Stage::Proven, vec![]), "{code}");
        assert!(it.offered(&settlers()[0]).await.is_some() && it.told().is_some());
    }
}

/// A fixed bug: three panics of this program, in the verifier say, and the job had failed for ever.
#[tokio::test(start_paused = true)]
async fn a_panic_of_this_program_counts_against_no_job_and_keeps_it_away_longer_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let it = AtProver::new(folder.path(), Writes::first([]));
    it.believer.panics.store(MAX_ATTEMPTS + 1, Ordering::SeqCst);
    for _ in 0..=MAX_ATTEMPTS {
        session(&it.prover, &it.operator).await;
        let told = it.operator.abandoned.lock().unwrap().take().expect("the lease is given back at once");
        assert_eq!(told.to_string(), "this prover can't go on with the job for now (SW-PROVER-006)");
        assert_eq!((it.stage(), it.known().job.attempts), (Stage::Proving, 0));
        assert_eq!(it.prover.host.telemetry.unmet()[0].shortfall.code, "SW-PROVER-006");
        assert!(!it.prover.troubles.is_fit() && it.prover.troubles.is_apart(it.operator.offer.job));
    }
    session(&it.prover, &it.operator).await;
    assert_eq!((it.stage(), unmet(&it.prover)), (Stage::Proven, vec![]));
}

/// A fixed bug: a job whose proof's file was gone stayed `proven` for ever.
#[tokio::test(start_paused = true)]
async fn a_job_whose_proof_is_lost_or_damaged_is_fetched_and_proven_again_and_settled_by_the_second_proof() {
    let [settler, _] = settlers();
    for damaged in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let it = AtProver::proven(folder.path()).await;
        let first = it.offered(&settler).await.unwrap();
        let file = it.prover.host.artefacts.proof(first);
        if damaged {
            fs::write(&file, [b"b", &PROOF[1..]].concat()).unwrap();
        } else {
            fs::remove_file(&file).unwrap();
        }
        assert_eq!(it.offered(&settler).await, None);
        assert_eq!((it.stage(), it.fault()), (Stage::Streaming, "SW-PROVER-008".to_owned()));
        assert_eq!(it.prover.resumable_jobs(identities()[1].peer()).len(), 1, "the operator is asked for it again");

        session(&it.prover, &it.operator).await;
        let second = it.told().expect("the operator is told of the new one");
        assert_ne!(first, second);
        assert_eq!((it.stage(), it.fault(), it.worker.proofs()), (Stage::Proven, String::new(), 2));
        assert_eq!(it.offered(&settler).await, Some(second));
        let shard = it.operator.offer.shard;
        let statement = Settlement { shard, segment: 0, proof: second, settled_at: Timestamp(1) };
        let receipt = Reply::Settled(Signed::by(&settler, statement));
        it.prover.replied(settler.peer(), second, receipt).await.unwrap();
        assert_eq!((it.stage(), it.known().job.receipt.is_some()), (Stage::Settled, true));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_proof_is_noticed_at_the_start_and_when_it_is_leased_again_and_one_that_is_restored_is_offered_again() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, file, proof) = {
        let it = AtProver::proven(folder.path()).await;
        let proof = it.known().job.proof.unwrap();
        let (file, kept) = (it.prover.host.artefacts.proof(proof), folder.path().join("kept"));
        fs::rename(&file, &kept).unwrap();
        // No settler has asked. The operator has: it leases the job to a prover that says it has no proof.
        session(&it.prover, &it.operator).await;
        assert_eq!((it.stage(), it.worker.proofs()), (Stage::Proven, 2), "it is proven again, and not claimed to be");
        fs::remove_file(it.prover.host.artefacts.proof(it.known().job.proof.unwrap())).unwrap();
        it._tasks.end().await;
        while Arc::strong_count(&it.prover) > 1 {
            tokio::task::yield_now().await;
        }
        (kept, file, proof)
    };
    assert_ne!(kept, file);
    let it = AtProver::new(folder.path(), Writes::first([]));
    assert_eq!((it.stage(), it.fault()), (Stage::Streaming, "SW-PROVER-008".to_owned()));
    let lost = it.known().job.proof.unwrap();
    assert_ne!(lost, proof);
    fs::write(it.prover.host.artefacts.proof(lost), [PROOF, &[0, 0, 0, 0]].concat()).unwrap();
    assert_eq!(it.offered(&settlers()[0]).await, Some(lost), "somebody has restored it");
    assert_eq!((it.stage(), it.fault()), (Stage::Proven, String::new()));
}

/// A fixed bug: a proof that the disk didn't give out ended every settler's session, so none that came after it was ever offered.
#[tokio::test(start_paused = true)]
async fn a_proof_that_cannot_be_read_is_shown_and_keeps_no_other_one_from_being_offered() {
    let [settler, _] = settlers();
    let folder = tempfile::tempdir().unwrap();
    let proofs = [0, 1].map(|segment| [PROOF, &[segment]].concat());
    let it = AtProver::new(folder.path(), Writes::first(proofs.clone()));
    session(&it.prover, &it.operator).await;
    session(&it.prover, &Arc::new(Operator::of_segment(1))).await;
    let bad = it.offered(&settler).await.unwrap();
    let other = proofs.iter().map(|bytes| Hash::of(bytes)).find(|proof| *proof != bad);
    let shown = || {
        let of_it = it.prover.shards().into_iter().find(|job| job.proof == Some(bad)).unwrap();
        (of_it.stage, of_it.error.map_or_else(String::new, |error| error.code))
    };
    let (file, kept) = (it.prover.host.artefacts.proof(bad), folder.path().join("kept"));
    fs::rename(&file, &kept).unwrap();

    std::os::unix::fs::symlink(&file, &file).unwrap();
    assert_eq!(it.offered(&settler).await, other);
    assert_eq!(shown(), (Stage::Proven, "SW-ARTEFACT-001".to_owned()), "it may be read later");
    fs::rename(&kept, &file).unwrap();
    assert_eq!((it.offered(&settler).await, shown()), (Some(bad), (Stage::Proven, String::new())));

    // What this node didn't write is as good as no file: the proof is made again.
    fs::File::options().write(true).open(&file).unwrap().set_len(u64::from(MAX_PROOF_BYTES) + 1).unwrap();
    assert_eq!(it.offered(&settler).await, other);
    assert_eq!(shown(), (Stage::Streaming, "SW-PROVER-008".to_owned()));
    fs::remove_file(&file).unwrap();
    fs::create_dir_all(file.join("full")).unwrap();
    assert_eq!(it.offered(&settler).await, other);
    let (bytes, operator) = match proofs.iter().position(|bytes| Hash::of(bytes) == bad).unwrap() {
        0 => (proofs[0].clone(), it.operator.clone()),
        _ => (proofs[1].clone(), Arc::new(Operator::of_segment(1))),
    };
    it.worker.first.lock().unwrap().push_back(bytes);
    session(&it.prover, &operator).await;
    assert_eq!((it.offered(&settler).await, shown()), (Some(bad), (Stage::Proven, String::new())));
}

/// A fixed bug: once its settler had disputed it, a proof was offered to nobody, and its job was `proven` for ever.
#[tokio::test(start_paused = true)]
async fn a_job_whose_proof_every_settler_disputes_is_given_up_and_proven_anew_when_a_person_says_so() {
    let [first, second] = listed();
    let folder = tempfile::tempdir().unwrap();
    let it = AtProver::proven(folder.path()).await;
    let (proof, shard) = (it.known().job.proof.unwrap(), it.operator.offer.shard);
    it.disputed(&first).await;
    assert_eq!((it.stage(), it.fault()), (Stage::Proven, "SW-VERIFY-009".to_owned()));
    assert_eq!((it.offered(&first).await, it.offered(&second).await), (None, Some(proof)), "one settler's word");
    it.disputed(&second).await;
    assert_eq!((it.stage(), it.fault()), (Stage::Failed, "SW-VERIFY-009".to_owned()));
    assert!(it.known().life.step(Stage::Failed).is_some() && it.offered(&second).await.is_none());
    assert!(it.prover.resumable_jobs(identities()[1].peer()).is_empty());
    // An operator that offers it is told so.
    let sessions = meet(&it.prover, &it.operator);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(it.operator.declined.lock().unwrap().take().expect("it is declined").1.code, "SW-PROVER-003");
    sessions.iter().for_each(tokio::task::JoinHandle::abort);

    assert_eq!(it.prover.retry(shard).await.unwrap(), 1);
    assert_eq!((it.stage(), it.fault()), (Stage::Streaming, String::new()));
    session(&it.prover, &it.operator).await;
    let anew = it.told().unwrap();
    assert_ne!(anew, proof);
    assert_eq!((it.offered(&first).await, it.offered(&second).await), (Some(anew), Some(anew)));
    assert_eq!(it.prover.retry(shard).await.unwrap_err().code(), "SW-PROVER-014", "nothing is to be tried again");
}

#[tokio::test(start_paused = true)]
async fn a_disputed_proof_that_does_not_hold_here_either_is_dropped_and_the_job_proven_again_by_itself() {
    let [settler, _] = settlers();
    let folder = tempfile::tempdir().unwrap();
    let it = AtProver::proven(folder.path()).await;
    it.believer.doubts.store(true, Ordering::SeqCst);
    it.disputed(&settler).await;
    assert_eq!((it.stage(), it.fault(), it.known().job.proof), (Stage::Streaming, "SW-PROVER-015".to_owned(), None));
    it.believer.doubts.store(false, Ordering::SeqCst);
    session(&it.prover, &it.operator).await;
    assert_eq!((it.stage(), it.offered(&settler).await.is_some(), it.worker.proofs()), (Stage::Proven, true, 2));
    assert!(matches!(it.prover.host.peers.standing(settler.peer()), Standing::Admitted(_)));
}

#[tokio::test(start_paused = true)]
async fn a_proof_that_no_settler_wants_is_said_why_and_offered_again_when_a_person_says_so() {
    let [first, second] = listed();
    let folder = tempfile::tempdir().unwrap();
    let it = AtProver::proven(folder.path()).await;
    let (proof, shard) = (it.known().job.proof, it.operator.offer.shard);
    it.skipped(&first, SkipReason::Unknown).await;
    assert_eq!((it.stage(), it.fault()), (Stage::Proven, "SW-SETTLER-002".to_owned()));
    it.skipped(&second, SkipReason::OtherJob).await;
    assert_eq!((it.stage(), it.offered(&first).await), (Stage::Failed, None));
    assert_eq!(it.prover.retry(shard).await.unwrap(), 1);
    assert_eq!((it.stage(), it.offered(&first).await, it.worker.proofs()), (Stage::Proven, proof, 1));
    // One that hasn't failed is offered again as well.
    it.skipped(&first, SkipReason::Unknown).await;
    assert_eq!((it.stage(), it.offered(&first).await), (Stage::Proven, None));
    assert_eq!(it.prover.retry(shard).await.unwrap(), 1);
    assert_eq!(it.offered(&first).await, proof);
}
