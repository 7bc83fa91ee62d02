//! What people read when a prover can't go on.

use super::ProverError;
use shardwire_model::{Cause, Coded};
use shardwire_proving::{
    verify::VerifyError,
    worker::{LocateError, ProveError},
};
use shardwire_store::DiskError;
use shardwire_witness::AssembleError;
use std::path::{Path, PathBuf};

fn shown(error: impl Coded) -> String {
    format!("{} {error} | {}", error.code(), error.next_step())
}

#[test]
fn a_prover_says_what_to_do() {
    let wrong_operator = "Remove the operator from the configuration: it doesn't send what it offers.";
    assert_eq!(
        shown(ProverError::OtherRun),
        format!(
            "SW-PROVER-001 the witness is of another shard, state, settlement list or list of what was read than the job | {wrong_operator}"
        )
    );
    assert_eq!(
        shown(ProverError::Unassigned),
        "SW-PROVER-017 no settler of this World has assigned the job to the operator that offers it | Nothing: it isn't taken, and the peer that \
         offers it is banned. Remove it from the configuration if it stands there."
    );
    assert_eq!(
        shown(ProverError::GivenUp),
        "SW-PROVER-003 this prover has given the job up | See `shardwire shard status` for why; another prover can prove it, or this one after `shardwire shard retry`."
    );
    assert_eq!(
        shown(ProverError::Chunk { index: 3 }),
        "SW-PROVER-004 chunk 3 is missing or damaged | The chunk is fetched again; check the disk if this repeats."
    );
    assert_eq!(
        shown(ProverError::List),
        "SW-PROVER-018 the list of what the run read is missing or damaged | The list is fetched again; check the disk if this repeats."
    );
    assert_eq!(
        shown(ProverError::Witness),
        "SW-PROVER-019 the witness that the worker refused isn't the one that was written for it | It is written anew, and the job is tried again by \
         itself. If it repeats, test this machine's disk and memory."
    );
    assert_eq!(
        shown(ProverError::Worker(ProveError::Broke { reason: "index out of bounds".into() })),
        "SW-PROVE-013 the prover failed at the witness: index out of bounds | Nothing: the job is tried again by itself, less often each time. If it \
         repeats, test this machine's memory, and report it with the witness."
    );
    assert_eq!(
        shown(ProverError::ChunkSize),
        format!("SW-PROVER-005 a chunk of more than 4194304 bytes | {wrong_operator}")
    );
    assert_eq!(
        shown(ProverError::Panicked),
        "SW-PROVER-006 a part of this program panicked at the job | Nothing: the job is tried again by itself, less often each time. If it repeats, report it with what the log \
         says of the panic."
    );
    assert_eq!(
        shown(ProverError::LeaseEnded),
        "SW-PROVER-007 the lease of the job has ended | Nothing: the job goes on when its operator leases it to this prover again."
    );
    assert_eq!(
        shown(ProverError::ProofLost),
        "SW-PROVER-008 the file of the proof is missing or damaged | Nothing: the job is fetched and proven again when its operator leases \
         it; or restore the file from a copy."
    );
    assert_eq!(shown(ProverError::Over), "SW-PROVER-009 the job is over | Nothing: its shard needs no further proof.");
    assert_eq!(
        shown(ProverError::OtherWitness),
        format!("SW-PROVER-010 the witness is another one than the operator had before | {wrong_operator}")
    );
    assert_eq!(
        shown(ProverError::Later { why: "no place is free" }),
        "SW-PROVER-011 this prover takes the job later: no place is free | Nothing: it is taken when there is room; another prover may have \
         it meanwhile."
    );
    assert_eq!(
        shown(ProverError::GivesWay),
        "SW-PROVER-012 the run goes on, and the job gives its place to one that is ready to be proven | Nothing: it is taken again when there \
         is room; what was fetched is kept."
    );
    let mend = "Nothing was offered, and it is tried again by itself. If it repeats, build the worker anew, and test this machine's memory and disk.";
    assert_eq!(
        shown(ProverError::Unsound(VerifyError::Rejected("invalid signature".into()).into())),
        format!(
            "SW-PROVER-015 the proof that the worker made doesn't hold: the proof doesn't verify: invalid signature | {mend}"
        )
    );
    assert_eq!(
        shown(ProverError::OtherProof),
        format!("SW-PROVER-016 the proof that the worker made is of another run than its witness | {mend}")
    );
    let no_worker = shown(ProverError::NoWorker(LocateError::Missing));
    assert!(no_worker.starts_with("SW-WORKER-101 no proof can be made: there is no prover worker | "), "{no_worker}");
}

/// An operator learns the code of what this machine met with, and not where its files are or what its system or its worker says.
#[test]
fn others_are_told_neither_paths_nor_words_of_the_system() {
    let failed = || std::io::Error::other("/srv/shardwire: input/output error");
    let disk = || DiskError::of(Path::new("/srv/shardwire/jobs/1/witness"), "written")(failed());
    let path = || PathBuf::from("/srv/stwo-worker");
    let said = || "/srv/shardwire/jobs/1/witness: no space left on device".to_owned();
    let told = [
        (ProverError::Artefact(disk().into()), "a file can't be written"),
        (ProverError::Store(disk().into()), "node.redb can't be read or written"),
        (ProverError::Assemble(AssembleError::Write(failed())), "the witness can't be written"),
        (
            ProverError::NoWorker(LocateError::NoWorker { path: path(), reason: said() }),
            "no proof can be made: what is named as the prover worker is none",
        ),
        (
            ProverError::Worker(ProveError::Start { worker: path(), source: failed() }),
            "the prover worker can't be started",
        ),
        (ProverError::Worker(ProveError::Failed { reason: said() }), "the prover worker failed"),
        (
            ProverError::Worker(ProveError::Killed { signal: 9, reason: said() }),
            "the prover worker was ended by signal 9",
        ),
        (
            ProverError::Worker(ProveError::Refused { code: "SW-WORKER-004".into(), reason: said() }),
            "the prover worker refuses the witness (SW-WORKER-004)",
        ),
        (ProverError::Worker(ProveError::Broke { reason: said() }), "the prover failed at the witness"),
        (ProverError::Unsound(VerifyError::Rejected(said()).into()), "the proof that the worker made doesn't hold"),
        (ProverError::LeaseEnded, "the lease of the job has ended"),
    ];
    for (error, told) in told {
        assert_eq!((error.told().as_str(), &Cause::from(error).reason[..]), (told, told));
    }
}
