//! The embedded ledger against the vectors, which every World has to obey.

use serde::Deserialize;
use shardwire_ledger::{EmbeddedLedger, Genesis, LedgerError, StorageEntry, World};
use shardwire_model::{Coded, Felt, Hash, Key, Output, ShardId, StartRequest, Timestamp};
use std::{fs, path::Path};

#[derive(Deserialize)]
struct History {
    network: String,
    genesis: Genesis,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    #[serde(flatten)]
    act: Act,
    ok: Option<Answer>,
    error: Option<String>,
    storage: Vec<StorageEntry>,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum Act {
    Start { request: StartRequest },
    // `Key` is a felt that reads itself.
    Settle { output: Vec<Key>, proof: Hash },
    Abort { shard: ShardId },
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(untagged)]
enum Answer {
    Started { shard: ShardId, values: Vec<Key>, before: Key },
    Closed { repeated: bool },
}

fn act(world: &EmbeddedLedger, act: &Act, now: Timestamp) -> Result<Answer, String> {
    let code = |error: LedgerError| error.code().to_owned();
    match act {
        Act::Start { request } => {
            let started = world.start(request, Timestamp(1 << 40), now).map_err(code)?;
            let values = started.values.into_iter().map(Key).collect();
            Ok(Answer::Started { shard: started.start.shard, values, before: Key(started.before) })
        }
        Act::Settle { output, proof } => {
            let felts: Vec<Felt> = output.iter().map(|felt| felt.0).collect();
            let output = Output::from_felts(&felts).map_err(|error| error.code().to_owned())?;
            let settled = world.settle(&output, *proof, now).map_err(code)?;
            Ok(Answer::Closed { repeated: settled.repeated })
        }
        Act::Abort { shard } => Ok(Answer::Closed { repeated: world.abort(*shard, now).map_err(code)?.repeated }),
    }
}

#[test]
fn every_history_ends_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|it| it == "json"));
    names.sort();
    assert_eq!(names.len(), 5);
    for path in names {
        let history: History = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let backend = redb::backends::InMemoryBackend::new();
        let world = EmbeddedLedger::create_with_backend(backend, &history.network, &history.genesis).unwrap();
        assert!(!history.steps.is_empty());
        for (n, step) in history.steps.into_iter().enumerate() {
            let expected = match (step.ok, step.error) {
                (Some(answer), None) => Ok(answer),
                (None, Some(code)) => Err(code),
                _ => panic!("{}: step {n} has to have either ok or error", path.display()),
            };
            let answer = act(&world, &step.act, Timestamp(n as u64));
            assert_eq!(answer, expected, "{}: step {n}", path.display());
            assert_eq!(world.storage(None, usize::MAX).unwrap(), step.storage, "{}: step {n}", path.display());
            world.audit().unwrap();
        }
    }
}
