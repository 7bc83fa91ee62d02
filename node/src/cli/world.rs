//! `shardwire world show`.

use super::{
    failure::Failure,
    node::{connect, wait_for},
    output::{Answer, columns},
};
use clap::Subcommand;
use serde::Serialize;
use shardwire_model::{Felt, Kind};
use shardwire_protocols::administration::StorageStatus;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum WorldCommand {
    /// Show every storage address of the running settler's World
    #[command(after_help = "Example:\n  shardwire world show --data ./settler")]
    Show,
}

impl WorldCommand {
    pub(super) fn run(self, root: Option<PathBuf>) -> Result<Answer, Failure> {
        let Self::Show = self;
        wait_for(show(root))
    }
}

#[derive(Serialize)]
struct World {
    storage: Vec<StorageStatus>,
}

async fn show(root: Option<PathBuf>) -> Result<Answer, Failure> {
    let mut client = connect(root).await?;
    let storage = client.world().await;
    client.close().await;
    let world = World { storage: storage? };
    Ok(Answer::new(describe(&world.storage), &world))
}

fn describe(storage: &[StorageStatus]) -> String {
    if storage.is_empty() {
        return "the World is empty".to_owned();
    }
    let head = ["contract", "key", "kind", "value", "in shards"].map(ToOwned::to_owned);
    let rows = storage.iter().map(|it| {
        let (value, away) = match it.kind {
            Kind::Counter => (number(it.value), String::new()),
            Kind::Escrow => (number(it.value), it.in_escrow.to_string()),
            Kind::Lock => (
                if it.value == Felt::ZERO { "nobody's".to_owned() } else { format!("of {:#x}", it.value) },
                it.held_by.map(|shard| format!("held by {}", shard.short())).unwrap_or_default(),
            ),
        };
        [it.contract.to_string(), it.key.to_string(), it.kind.to_string(), value, away]
    });
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

fn number(value: Felt) -> String {
    u128::try_from(value).map_or_else(|_| format!("{value:#x}"), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::{ContractId, Key, ShardId};

    #[test]
    fn storage_is_described_by_kind() {
        let storage = |key: u64, kind, value: u64, in_escrow, held_by| StorageStatus {
            contract: ContractId(Felt::from(0xd)),
            key: Key(Felt::from(key)),
            kind,
            value: Felt::from(value),
            in_escrow,
            held_by,
        };
        let shard = Some(ShardId(Felt::from(0x1234_5678_9abc_u64)));
        assert_eq!(
            describe(&[
                storage(1, Kind::Counter, 70, 0, None),
                storage(2, Kind::Escrow, 900, 100, None),
                storage(3, Kind::Lock, 0x77, 0, shard),
                storage(4, Kind::Lock, 0, 0, None),
            ]),
            "contract  key  kind     value     in shards\n\
             0xd       0x1  counter  70\n\
             0xd       0x2  escrow   900       100\n\
             0xd       0x3  lock     of 0x77   held by 0x12345678\n\
             0xd       0x4  lock     nobody's"
        );
        assert_eq!(describe(&[]), "the World is empty");
    }
}
