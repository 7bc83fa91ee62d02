//! What people read when a settler can't go on.

use super::{SettlerError, Unwanted};
use shardwire_model::{Coded, Felt, ShardId};

fn shown(error: impl Coded) -> String {
    format!("{} {error} | {}", error.code(), error.next_step())
}

fn shard() -> ShardId {
    ShardId(Felt::from(0xabc))
}

#[test]
fn a_settler_says_what_to_do() {
    let (shard, id) = (shard(), shard());
    assert_eq!(
        shown(SettlerError::Verifier),
        "SW-SETTLER-001 verification ended without an answer | Nothing was applied; the proof is fetched again. Report it if it \
         repeats."
    );
    assert_eq!(
        shown(SettlerError::Wavers),
        "SW-SETTLER-012 a proof was found not to hold, and then to hold: this machine's memory or processor errs | Nothing was applied and \
         nobody is to blame; the proof is fetched again. Test this machine's memory."
    );
    let useless = "The proof is of no use to this settler; it may be deleted.";
    assert_eq!(
        shown(Unwanted::Unknown { shard }),
        format!("SW-SETTLER-002 this settler has no shard {id} | {useless}")
    );
    assert_eq!(shown(Unwanted::Aborted { shard }), format!("SW-SETTLER-003 shard {id} was aborted | {useless}"));
    assert_eq!(
        shown(Unwanted::Late { shard }),
        format!("SW-SETTLER-004 shard {id} is settled by another proof | {useless}")
    );
    assert_eq!(
        shown(Unwanted::OtherJob { shard }),
        format!("SW-SETTLER-005 the proof of shard {id} is of another job than this settler's | {useless}")
    );
    let again = "Offer the proof again in a while.";
    assert_eq!(
        shown(Unwanted::Uncut { shard, segment: 3 }),
        format!(
            "SW-SETTLER-017 where segment 3 of shard {id} begins or ends isn't known yet: its operator says that | {again}"
        )
    );
    assert_eq!(
        shown(Unwanted::Proven { shard, segment: 3 }),
        format!("SW-SETTLER-018 segment 3 of shard {id} is proven, and the run's others aren't yet | {again}")
    );
}
