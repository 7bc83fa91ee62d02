//! What people read when a role can't go on. Those of the layers below are read in their own tests.

use super::{
    operator::OperatorError,
    prover::ProverError,
    settler::{SettlerError, Unwanted},
};
use shardwire_model::{Cause, Coded, Felt, ShardId};

fn said(error: impl Coded) -> String {
    format!("{} {error} | {}", error.code(), error.next_step())
}

fn shard() -> ShardId {
    ShardId(Felt::from(0xabc))
}

fn cause() -> Cause {
    Cause::new("SW-TX-002", "the nonce is 7, not 6")
}

#[test]
fn an_operator_says_what_to_do() {
    let (id, short) = (shard(), shard().short());
    assert_eq!(
        said(OperatorError::Full),
        "SW-OPERATOR-001 this operator already runs 64 shards | Wait until one of its shards is settled, or start the shard with \
         another operator."
    );
    assert_eq!(
        said(OperatorError::Log { shard: id, sequence: 6, cause: cause() }),
        format!(
            "SW-OPERATOR-002 the log of shard {short} doesn't replay: transaction 6 is refused: the nonce is 7, not 6 (SW-TX-002) \
             | Restore the data folder from a copy; the log was left as it is."
        )
    );
    assert_eq!(
        said(OperatorError::Thread(std::io::Error::other("no room"))),
        "SW-OPERATOR-003 no thread could be made for an execution: no room | Raise the limit of processes for this user, then \
         start the node again."
    );
    assert_eq!(
        said(OperatorError::Unknown { shard: id }),
        format!(
            "SW-OPERATOR-004 this operator doesn't run shard {id} | Check the shard's id, and that it was started with this \
             operator: `shardwire shard status`."
        )
    );
    assert_eq!(
        said(OperatorError::Over { shard: id }),
        format!("SW-OPERATOR-005 shard {short} is over | Start another shard.")
    );
    assert_eq!(
        said(OperatorError::Stopped { shard: id, cause: cause() }),
        format!(
            "SW-OPERATOR-006 shard {short} has stopped: the nonce is 7, not 6 (SW-TX-002) | Mend what it names, then start the \
             operator again: it replays the shard's log."
        )
    );
    assert_eq!(
        said(OperatorError::Leased { prover: "ab12".into() }),
        "SW-OPERATOR-007 the job is leased to prover ab12 | Ask again: the lease ends when its prover falls silent."
    );
    assert_eq!(
        said(OperatorError::LeasesHeld { held: 2, most: 2 }),
        "SW-OPERATOR-009 the prover holds 2 leases, and a peer of its tier may hold 2 | Finish one of them, or give it up; a peer that \
         has worked may hold more."
    );
    let useless = "Forget the job: no proof of it is of use any more.";
    assert_eq!(
        said(OperatorError::Aborted { shard: id }),
        format!("SW-OPERATOR-020 shard {short} was aborted | {useless}")
    );
    assert_eq!(
        said(OperatorError::Settled { shard: id }),
        format!("SW-OPERATOR-021 shard {short} is settled | {useless}")
    );
    assert_eq!(said(OperatorError::NoJob), "SW-OPERATOR-008 this operator has no such job | Ask for a job again.");
}

#[test]
fn a_prover_says_what_to_do() {
    let wrong_operator = "Remove the operator from the configuration: it doesn't send what it offers.";
    assert_eq!(
        said(ProverError::OtherRun),
        format!(
            "SW-PROVER-001 the witness is of another shard or begins from another state than the job | {wrong_operator}"
        )
    );
    assert_eq!(
        said(ProverError::GivenUp),
        "SW-PROVER-003 this prover has given the job up | See `shardwire shard status` for why; another prover can still prove it."
    );
    assert_eq!(
        said(ProverError::Chunk { index: 3 }),
        "SW-PROVER-004 chunk 3 is missing or damaged | The chunk is fetched again; check the disk if this repeats."
    );
    assert_eq!(
        said(ProverError::ChunkSize),
        format!("SW-PROVER-005 a chunk of more than 4194304 bytes | {wrong_operator}")
    );
    assert_eq!(
        said(ProverError::Assembler),
        "SW-PROVER-006 assembling ended without an answer | Report it if it repeats."
    );
    assert_eq!(
        said(ProverError::LeaseEnded),
        "SW-PROVER-007 the lease of the job has ended | Nothing: the job goes on when its operator leases it to this prover again."
    );
    assert_eq!(
        said(ProverError::ProofLost),
        "SW-PROVER-008 the file of the proof is missing or damaged | Restore the file from a copy, or let another prover prove \
         the shard."
    );
    assert_eq!(said(ProverError::Over), "SW-PROVER-009 the job is over | Nothing: its shard needs no further proof.");
    assert_eq!(
        said(ProverError::OtherWitness),
        format!("SW-PROVER-010 the witness is another one than the operator had before | {wrong_operator}")
    );
}

#[test]
fn a_settler_says_what_to_do() {
    let (shard, id) = (shard(), shard());
    assert_eq!(
        said(SettlerError::Verifier),
        "SW-SETTLER-001 verification ended without an answer | Nothing was applied; the proof is fetched again. Report it if it \
         repeats."
    );
    let useless = "The proof is of no use to this settler; it may be deleted.";
    assert_eq!(said(Unwanted::Unknown { shard }), format!("SW-SETTLER-002 this settler has no shard {id} | {useless}"));
    assert_eq!(said(Unwanted::Aborted { shard }), format!("SW-SETTLER-003 shard {id} was aborted | {useless}"));
    assert_eq!(
        said(Unwanted::Late { shard }),
        format!("SW-SETTLER-004 shard {id} is settled by another proof | {useless}")
    );
    assert_eq!(
        said(Unwanted::OtherJob { shard }),
        format!("SW-SETTLER-005 the proof of shard {id} is of another job than this settler's | {useless}")
    );
}
