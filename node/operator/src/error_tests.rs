//! What people read when an operator can't go on.

use super::OperatorError;
use shardwire_host::dated::Undated;
use shardwire_model::{Cause, Coded, Felt, ShardId};
use shardwire_program::ExecuteError;
use shardwire_store::{ArtefactError, DiskError, StoreError};
use std::path::Path;

fn shown(error: impl Coded) -> String {
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
        shown(OperatorError::Full { most: super::MAX_RUNS }),
        "SW-OPERATOR-001 this operator already runs 64 shards | Wait until one of its shards is settled, or start the shard with \
         another operator."
    );
    assert_eq!(
        shown(OperatorError::Log { shard: id, sequence: 6, cause: cause() }),
        format!(
            "SW-OPERATOR-002 the log of shard {short} doesn't replay: transaction 6 is refused: the nonce is 7, not 6 (SW-TX-002) \
             | Restore the data folder from a copy; the log was left as it is."
        )
    );
    assert_eq!(
        shown(OperatorError::Thread(std::io::Error::other("no room"))),
        "SW-OPERATOR-003 no thread could be made for an execution: no room | Raise the limit of processes for this user, then \
         start the node again."
    );
    assert_eq!(
        shown(OperatorError::Unknown { shard: id }),
        format!(
            "SW-OPERATOR-004 this operator doesn't run shard {id} | Check the shard's id, and that it was started with this \
             operator: `shardwire shard status`."
        )
    );
    assert_eq!(
        shown(OperatorError::Panicked { panic: "index out of bounds".into() }),
        "SW-OPERATOR-013 the execution ended without an answer: it stopped at 'index out of bounds' | Nothing: it is executed again from the \
         log by itself. Report it if it repeats, or test this machine's memory."
    );
    assert_eq!(
        shown(OperatorError::Disk { shard: id }),
        format!(
            "SW-OPERATOR-012 this operator's disk fails, and shard {short} takes nothing until it works again | Submit again later: what was \
             accepted is kept. At the operator `shardwire status` says what its disk lacks."
        )
    );
    assert_eq!(
        shown(OperatorError::Over { shard: id }),
        format!("SW-OPERATOR-005 shard {short} is over | Start another shard.")
    );
    assert_eq!(
        shown(OperatorError::Stopped { shard: id, cause: cause() }),
        format!(
            "SW-OPERATOR-006 shard {short} has stopped: the nonce is 7, not 6 (SW-TX-002) | Mend what it names: the shard is executed \
             again from its log by itself, each hour at the latest, and at the operator's next start."
        )
    );
    assert_eq!(
        shown(OperatorError::NotYet { shard: id, cause: cause() }),
        format!(
            "SW-OPERATOR-014 shard {short} isn't taken up again yet: the nonce is 7, not 6 (SW-TX-002) | Ask again later: it is tried again \
             by itself. At the operator `shardwire status` says what it waits for."
        )
    );
    assert_eq!(
        shown(OperatorError::Date { shard: id, why: Undated::Contradicted }),
        format!(
            "SW-OPERATOR-015 this operator can't rely on its date, and shard {short} takes nothing until it can: most of its peers contradict it | \
             Submit it again later: what was accepted is kept. At the operator `shardwire status` shows whose clock is apart."
        )
    );
    let why = Undated::Unconfirmed;
    assert!(OperatorError::Date { shard: id, why }.to_string().ends_with("no peer that it names has confirmed it yet"));
    assert_eq!(
        shown(OperatorError::Fetching { shard: id }),
        format!(
            "SW-OPERATOR-016 4 transactions of shard {short} wait for what they need to be read, the most there may be | Submit it again in a \
             moment. At the operator `shardwire status` says whether a network can't be read."
        )
    );
    assert_eq!(
        shown(OperatorError::Leased { prover: "ab12".into() }),
        "SW-OPERATOR-007 the job is leased to prover ab12 | Ask again: the lease ends when its prover falls silent."
    );
    assert_eq!(
        shown(OperatorError::LeasesHeld { held: 2, most: 2 }),
        "SW-OPERATOR-009 the prover holds 2 leases, and a peer of its tier may hold 2 | Finish one of them, or give it up; a peer that \
         has worked may hold more."
    );
    let useless = "Forget the job: no proof of it is of use any more.";
    assert_eq!(
        shown(OperatorError::Aborted { shard: id }),
        format!("SW-OPERATOR-020 shard {short} was aborted | {useless}")
    );
    assert_eq!(
        shown(OperatorError::Settled { shard: id }),
        format!("SW-OPERATOR-021 shard {short} is settled | {useless}")
    );
    assert_eq!(shown(OperatorError::NoJob), "SW-OPERATOR-008 this operator has no such job | Ask for a job again.");
}

/// Others learn the code of what this machine met with, and not where its files are or what its system says.
#[test]
fn others_are_told_neither_paths_nor_words_of_the_system() {
    let failed = || std::io::Error::other("/srv/shardwire: input/output error");
    let disk = || DiskError::of(Path::new("/srv/shardwire/shards/1"), "read")(failed());
    let stopped_at = Cause::new("SW-STORE-006", "/srv/shardwire/node.redb can't be written");
    let (shard, unable) = (shard(), || Box::new(StoreError::Disk("/srv/shardwire".into())));
    let told = [
        (OperatorError::Artefact(ArtefactError::Disk(disk())), "a file can't be read"),
        (OperatorError::Store(StoreError::Damaged("/srv/shardwire".into())), "node.redb is damaged"),
        (OperatorError::Store(disk().into()), "node.redb can't be read or written"),
        (OperatorError::Thread(failed()), "no thread could be made for an execution"),
        (OperatorError::Panicked { panic: "/srv/a.rs".into() }, "the execution ended without an answer"),
        (OperatorError::Execution(ExecuteError::Sink(failed())), "a witness chunk can't be stored"),
        (OperatorError::Execution(ExecuteError::Other(unable())), "node.redb can't be read or written"),
        (
            OperatorError::Execution(ExecuteError::Unable(unable())),
            "this machine can't execute the shard at the moment",
        ),
        (OperatorError::Stopped { shard, cause: stopped_at.clone() }, "shard 0xabc has stopped: SW-STORE-006"),
        (OperatorError::NotYet { shard, cause: stopped_at }, "shard 0xabc isn't taken up again yet: SW-STORE-006"),
    ];
    for (error, told) in told {
        assert_eq!((error.told().as_str(), &Cause::from(error).reason[..]), (told, told));
    }
}
