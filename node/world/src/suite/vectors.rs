//! The vectors: histories in JSON, each step with its answer and the whole storage after it (`vectors/README.md`).

use super::{DAY, PROGRAM, SetClock, Setup, carry_out, root, storage};
use crate::{Genesis, Operation, Receipt, ShardState, StorageEntry, World, WorldIdentity};
use serde::Deserialize;
use shardwire_model::life::AbortReason;
use shardwire_model::{Coded, Felt, Hash, Key, Output, PeerId, ShardId, StartRequest, Timestamp};
use std::sync::Arc;

const FILES: [(&str, &str); 6] = [
    ("one-shard", include_str!("../../vectors/one-shard.json")),
    ("parallel-shards", include_str!("../../vectors/parallel-shards.json")),
    ("locks", include_str!("../../vectors/locks.json")),
    ("refused-starts", include_str!("../../vectors/refused-starts.json")),
    ("refused-outputs", include_str!("../../vectors/refused-outputs.json")),
    ("deadlines", include_str!("../../vectors/deadlines.json")),
];

/// Who asks for aborts that say nothing else.
const ASKS: PeerId = PeerId([0xa5; 32]);

#[derive(Deserialize)]
struct History {
    network: String,
    genesis: Genesis,
    steps: Vec<Case>,
    root: Hash,
}

#[derive(Deserialize)]
struct Case {
    #[serde(flatten)]
    act: Act,
    /// When it happens; at its number if nothing is said.
    at: Option<Timestamp>,
    ok: Option<Answer>,
    error: Option<String>,
    storage: Vec<StorageEntry>,
}

// `Key` is a felt that reads itself.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum Act {
    Start { request: StartRequest, deadline: Option<Timestamp> },
    Settle { output: Vec<Key>, proof: Hash },
    Abort { shard: ShardId, reason: Option<AbortReason> },
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(untagged)]
enum Answer {
    Started { shard: ShardId, values: Vec<Key>, before: Key },
    Closed { repeated: bool },
}

impl Answer {
    /// `repeated`: whether the shard had ended before.
    fn of(receipt: Receipt, repeated: bool) -> Self {
        match receipt {
            Receipt::Started(it) => Self::Started {
                shard: it.start.shard,
                values: it.values.into_iter().map(Key).collect(),
                before: Key(it.before),
            },
            Receipt::Settled(_) | Receipt::Aborted(_) => Self::Closed { repeated },
        }
    }
}

fn operation(act: Act, now: Timestamp) -> Result<Operation, String> {
    Ok(match act {
        Act::Start { request, deadline } => Operation::Start { request, deadline: deadline.unwrap_or(now.plus(DAY)) },
        Act::Settle { output, proof } => {
            let felts: Vec<Felt> = output.iter().map(|felt| felt.0).collect();
            let output = Output::from_felts(&felts).map_err(|error| error.code().to_owned())?;
            Operation::Settle { output, proof }
        }
        Act::Abort { shard, reason } => {
            Operation::Abort { shard, reason: reason.unwrap_or(AbortReason::Asked { by: ASKS }) }
        }
    })
}

/// Lets a World that `make` makes go through each vector.
pub async fn vectors(make: &dyn Fn(Setup) -> Arc<dyn World>) {
    for (name, text) in FILES {
        let History { network, genesis, steps, root: end } = serde_json::from_str(text).expect("a vector");
        let first = genesis.hash().expect("a genesis");
        let identity = WorldIdentity::new(&network, first, [PeerId([1; 32])], [PROGRAM]).expect("an identity");
        let clock = Arc::new(SetClock::default());
        let world = make(Setup { identity, genesis, clock: clock.clone() });
        assert!(!steps.is_empty());
        for (step, n) in steps.into_iter().zip(0..) {
            let now = step.at.unwrap_or(Timestamp(n));
            clock.set(now);
            let expected = match (step.ok, step.error) {
                (Some(answer), None) => Ok(answer),
                (None, Some(code)) => Err(code),
                _ => panic!("{name}: step {n} has to have either ok or error"),
            };
            let answer = match operation(step.act, now) {
                Ok(operation) => {
                    let shard = operation.shard(&network);
                    let before = world.shard(shard).await.expect("a World that works");
                    let ended = before.is_some_and(|record| record.state != ShardState::Started);
                    let decided = carry_out(&*world, &operation).await;
                    decided.map(|receipt| Answer::of(receipt, ended)).map_err(|refusal| refusal.code().to_owned())
                }
                Err(code) => Err(code),
            };
            assert_eq!(answer, expected, "{name}: step {n}");
            assert_eq!(storage(&*world).await, step.storage, "{name}: step {n}");
            world.audit().await.unwrap_or_else(|error| panic!("{name}: step {n}: {error}"));
        }
        assert_eq!(root(&storage(&*world).await), end, "{name}");
    }
}
