use super::*;
use crate::figures::Figures;
use shardwire_model::{Felt, PeerId, Role, ShardId, Stage};
use shardwire_protocols::administration::ShardStatus;
use std::time::Duration;

fn status(role: Role, stage: Stage) -> ShardStatus {
    ShardStatus { stage, ..ShardStatus::new(ShardId(Felt::ONE), role, PeerId([1; 32])) }
}

fn progress(seconds: u64, receipts: u32, statuses: &[ShardStatus]) -> Progress {
    Progress {
        elapsed: Duration::from_secs(seconds),
        receipts,
        of: 500,
        playing: Duration::from_secs(2),
        proving: Duration::from_secs(seconds),
        figures: Figures::of(ShardId(Felt::ONE), statuses),
    }
}

#[test]
fn lines_come_when_a_stage_changes_and_now_and_then() {
    let mut out = Vec::new();
    let mut plain = Plain::new(&mut out);
    let executing = ShardStatus { steps: 40_000, ..status(Role::Operator, Stage::Executing) };
    let streaming = ShardStatus {
        chunks: 3,
        witness_bytes_raw: 1_200_000,
        witness_bytes_wire: 90_000,
        ..status(Role::Prover, Stage::Streaming)
    };
    plain.say("The settler listens.");
    plain.show(&progress(0, 0, &[]));
    plain.show(&progress(1, 120, std::slice::from_ref(&executing)));
    plain.show(&progress(2, 300, &[executing.clone(), streaming.clone()]));
    plain.show(&progress(7, 400, &[executing, streaming]));
    let ended = ShardStatus { steps: 131_072, execute_ms: 1_500, ..status(Role::Operator, Stage::Ended) };
    let proving = ShardStatus { stream_ms: 1_600, ..status(Role::Prover, Stage::Proving) };
    plain.show(&progress(8, 500, &[ended.clone(), proving.clone()]));
    plain.show(&progress(10, 500, &[ended.clone(), proving.clone()]));
    plain.show(&progress(13, 500, &[ended.clone(), proving]));
    let proven = ShardStatus { prove_ms: 8_100, proof_bytes: 1_280_000, ..status(Role::Prover, Stage::Proven) };
    let settled = ShardStatus { verify_us: 14_200, ..status(Role::Settler, Stage::Settled) };
    plain.show(&progress(17, 500, &[ended, proven, settled]));
    let text = String::from_utf8(out).expect("text");
    let expected = "\
The settler listens.
[    1.0 s] play     120 of 500 transactions, 60 a second
[    1.0 s] execute  40,000 steps
[    2.0 s] stream   3 chunks, 1.20 MB of witness as 90.0 kB on the wire
[    7.0 s] play     400 of 500 transactions, 200 a second
[    8.0 s] play     done, 500 of 500 transactions, 250 a second
[    8.0 s] execute  done, 131,072 steps in 1.50 s
[    8.0 s] stream   done, 0 chunks, 0 B of witness as 0 B on the wire in 1.60 s
[    8.0 s] prove    8 s so far
[   13.0 s] prove    13 s so far
[   17.0 s] prove    done, 1.28 MB of proof in 8.10 s
[   17.0 s] settle   done, verified in 14.2 ms, 0 updates
";
    assert_eq!(text, expected);
}
