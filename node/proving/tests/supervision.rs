//! However a worker behaves, its job ends in a proof file or in one error that says what happened; never in both, and
//! never in a process left behind. The workers here are scripts (`tests/workers`).
#![cfg(unix)]

use std::future::{pending, ready};
use std::path::{Path, PathBuf};
use std::time::Duration;

use shardwire_model::Coded;
use shardwire_proving::worker::{DueTo, ProveError, ProveRequest, Proved, Worker, WorkerEvent, prove};

/// Longer than any of the scripts takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn fake() -> Worker {
    Worker::at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workers/stwo-worker")).unwrap()
}

struct Job {
    folder: tempfile::TempDir,
    request: ProveRequest,
}

/// A job for the script called `name`.
fn job(name: &str) -> Job {
    let folder = tempfile::tempdir().unwrap();
    let witness = folder.path().join(name);
    std::fs::write(&witness, b"").unwrap();
    let proof = folder.path().join("proof");
    let request = ProveRequest { witness, proof, memory_limit: 1 << 30, time_limit: PATIENCE, threads: Some(2) };
    Job { folder, request }
}

impl Job {
    async fn run(&self) -> Result<Proved, ProveError> {
        prove(&fake(), &self.request, pending(), |_| {}).await
    }

    /// The files left, apart from the witness.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| *name != self.request.witness.file_name().unwrap().to_str().unwrap());
        names.sort();
        names
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.path().join("proof.pid")
    }

    /// Whether the process that wrote its id still runs.
    fn runs(&self) -> bool {
        let pid = std::fs::read_to_string(self.pid_file()).unwrap();
        // A process that has ended but wasn't waited for yet is as good as gone.
        std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
            .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
    }
}

/// The job ends in this error, and leaves nothing.
async fn ends_in(name: &str, code: &str, text: &str) {
    let job = job(name);
    let error = job.run().await.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (code, text), "{name}");
    assert!(error.next_step().ends_with('.'), "{name}");
    assert_eq!(job.files(), [""; 0], "{name}");
}

#[tokio::test]
async fn a_proof_replaces_an_earlier_one_and_events_are_passed_on() {
    let job = job("works");
    std::fs::write(&job.request.proof, b"of an earlier try").unwrap();
    let mut events = Vec::new();
    let proved = prove(&fake(), &job.request, pending(), |event| events.push(event.clone())).await.unwrap();
    assert_eq!(proved, Proved { proof_bytes: 6, prove_s: 1.5, cpu_s: 2.0, peak_bytes: 3 });
    assert_eq!(events[..2], [WorkerEvent::Loaded { steps: 7 }, WorkerEvent::Proving]);
    assert_eq!(events.len(), 3);
    assert_eq!(std::fs::read(&job.request.proof).unwrap(), b"proof2");
}

#[tokio::test]
async fn a_worker_that_gives_up_is_quoted() {
    ends_in(
        "fails",
        "SW-PROVE-002",
        "the prover worker failed: warming up error: malformed witness: it ends inside the header [SW-WORKER-003]",
    )
    .await;
    ends_in("fails-silently", "SW-PROVE-002", "the prover worker failed: it gave no reason").await;
    ends_in(
        "misuses",
        "SW-PROVE-003",
        "the prover worker doesn't understand how it was called: unexpected argument '--lifeline'",
    )
    .await;
}

#[tokio::test]
async fn only_a_refusal_in_so_many_words_is_the_jobs_and_all_else_is_this_machines() {
    let text = "the prover worker refuses the witness: the run is too large for one proof (SW-WORKER-004)";
    ends_in("refuses", "SW-PROVE-012", text).await;
    let text = "the prover failed at the witness: the prover failed: index out of bounds (fri.rs:7)";
    ends_in("breaks", "SW-PROVE-013", text).await;
    let due_to = async |name| job(name).run().await.unwrap_err().due_to();
    assert_eq!(due_to("refuses").await, DueTo::Job);
    for name in [
        "refuses-and-is-killed",
        "refuses-half",
        "breaks",
        "refuses-and-succeeds",
        "fails",
        "fails-silently",
        "misuses",
        "is-killed",
        "crashes",
        "stops-within-a-line",
        "says-nothing",
        "lies",
        "writes-nothing",
        "writes-too-much",
    ] {
        assert_eq!(due_to(name).await, DueTo::Machine, "{name}");
    }
    assert_eq!(due_to("runs-out-of-memory").await, DueTo::Limit);
}

/// A fixed bug: Ctrl-C in a terminal, or a service manager's signal to the group, ended the proof with the node's, as if the job were to blame.
#[tokio::test]
async fn a_worker_leads_a_process_group_of_its_own() {
    let job = job("tells-its-group");
    job.run().await.unwrap();
    let said = |end: &str| {
        let text = std::fs::read_to_string(job.folder.path().join(format!("proof.{end}"))).unwrap();
        text.trim().parse::<u32>().unwrap()
    };
    assert_eq!(said("group"), said("pid"));
    assert_ne!(said("group"), std::process::id());
}

#[tokio::test]
async fn what_a_worker_has_started_ends_with_it() {
    let job = job("hangs-with-a-child");
    let error = once_proving(&job).await.unwrap_err();
    assert_eq!(error.code(), "SW-PROVE-007");
    let gone = async {
        while job.runs() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn of_many_complaints_the_last_are_kept() {
    let error = job("fails-loudly").run().await.unwrap_err().to_string();
    assert!(error.ends_with("error: the last words"), "{error}");
    assert!(error.len() < 700, "{}", error.len());
}

#[tokio::test]
async fn signals_are_told_apart() {
    ends_in("is-killed", "SW-PROVE-005", "the prover worker was ended by signal 9: it gave no reason").await;
    ends_in("crashes", "SW-PROVE-005", "the prover worker was ended by signal 4: illegal hardware").await;
    ends_in(
        "runs-out-of-memory",
        "SW-PROVE-004",
        "the prover worker needs more than its memory limit of 1073741824 bytes",
    )
    .await;
    let killed = job("is-killed").run().await.unwrap_err();
    assert!(killed.next_step().contains("the machine ran out of memory"));
}

#[tokio::test]
async fn output_that_is_no_workers_ends_the_job() {
    let junk = "the prover worker's output is not that of a prover worker: ";
    for (name, what) in [
        ("talks", "the line 'Proving, please wait'"),
        ("talks-without-end", "more than 10000 lines"),
        ("never-ends-a-line", "a line of more than 4096 bytes"),
        ("stops-within-a-line", "it ends within a line"),
        ("says-nothing", "it ended without a 'done' event"),
        ("lies", "it reported a proof of 6 bytes and wrote 5"),
    ] {
        ends_in(name, "SW-PROVE-008", &format!("{junk}{what}")).await;
    }
}

#[tokio::test]
async fn a_missing_or_oversized_proof_is_none() {
    ends_in("writes-nothing", "SW-PROVE-009", "the prover worker says it is done but wrote no proof").await;
    ends_in(
        "writes-too-much",
        "SW-PROVE-010",
        "the prover worker wrote a proof of 4194305 bytes, at most 4194304 are allowed",
    )
    .await;
}

#[tokio::test]
async fn a_process_that_the_worker_leaves_behind_does_not_hold_the_job() {
    assert_eq!(job("leaves-a-child").run().await.unwrap().proof_bytes, 5);
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_named() {
    let job = job("works");
    // The worker was found a moment ago and is gone now.
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("stwo-worker");
    std::os::unix::fs::symlink(fake().path(), &link).unwrap();
    let worker = Worker::at(&link).unwrap();
    std::fs::remove_file(&link).unwrap();
    let error = prove(&worker, &job.request, pending(), |_| {}).await.unwrap_err();
    assert_eq!(error.code(), "SW-PROVE-001");
    let text = error.to_string();
    assert!(text.starts_with(&format!("can't start the prover worker {}: ", link.display())), "{text}");
}

/// Runs the job until the process says that it proves, then `cancel`.
async fn once_proving(job: &Job) -> Result<Proved, ProveError> {
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let mut tell = Some(tell);
    let cancelled = async {
        let _ = told.await;
    };
    prove(&fake(), &job.request, cancelled, |_| drop(tell.take())).await
}

#[tokio::test]
async fn cancelling_ends_the_process() {
    let job = job("hangs");
    let error = once_proving(&job).await.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("SW-PROVE-007", "the proving job was cancelled"));
    assert!(!job.runs());
    let early = prove(&fake(), &job.request, ready(()), |_| {}).await.unwrap_err();
    assert_eq!(early.code(), "SW-PROVE-007");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_hangs_is_ended_at_its_deadline() {
    // Time is simulated: it jumps to the deadline when nothing else is left to wait for.
    let job = job("hangs");
    let error = job.run().await.unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str(), error.due_to()),
        ("SW-PROVE-006", "the prover worker wasn't done within 120 s", DueTo::Limit)
    );
    assert!(error.next_step().contains("raise worker.deadline_s"), "{}", error.next_step());
}

#[tokio::test]
async fn dropping_the_job_ends_the_process() {
    let job = job("hangs");
    let (tell, told) = tokio::sync::oneshot::channel();
    let mut tell = Some(tell);
    let worker = fake();
    let proving = prove(&worker, &job.request, pending(), |_| {
        if let Some(tell) = tell.take() {
            let _ = tell.send(());
        }
    });
    tokio::select! {
        biased;
        _ = told => {}
        result = proving => panic!("it ended: {result:?}"),
    }
    // Dropping sends the signal; the system decides when the process is gone.
    let gone = async {
        while job.runs() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn standard_input_stays_open_while_the_job_runs() {
    // This worker fails if it closes within a second.
    assert_eq!(job("ends-with-us").run().await.unwrap().proof_bytes, 5);
}
