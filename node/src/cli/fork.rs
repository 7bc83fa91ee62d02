//! `shardwire shard fork`: what a start request says of a network at a block, asked of a node of that network for the person who writes it.
//!
//! It needs no node of ours. Classes are compiled as settler and operator will do it, so what a shard can't have is refused here first. Bounds: [`MAX_CONTRACTS`], [`MAX_CLASSES`], and those of
//! `shardwire-starknet`.

use super::{
    failure::Failure,
    output::{Answer, columns},
    wallet::Number,
};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use shardwire_fork::{ForkError, Pinned, Wanted};
use shardwire_model::{
    ContractId, Felt, ForkId, MAX_CONTRACTS,
    contracts::{ClassPair, MAX_CLASSES},
    felt,
};
use shardwire_native::Class;
use shardwire_starknet::{MAX_BATCH, Question, Rpc};
use std::collections::BTreeSet;

/// Starknet's code for a contract that isn't there.
const NO_CONTRACT: i64 = 20;

#[derive(Debug, Args)]
pub(super) struct ForkArgs {
    /// A Starknet node of the network
    #[arg(value_name = "URL")]
    node: String,
    /// The contracts of the shard, accounts included
    #[arg(value_name = "CONTRACT", required = true)]
    contracts: Vec<Number>,
    /// The number of the block [default: that of the newest]
    #[arg(long, value_name = "NUMBER")]
    block: Option<u64>,
}

#[derive(Serialize)]
struct Told {
    fork: ForkId,
    begins: u64,
    first_block: u64,
    classes: Vec<ClassPair>,
    contracts: Vec<Contract>,
}

#[derive(Clone, Copy, Serialize)]
struct Contract {
    address: ContractId,
    #[serde(with = "felt::wire")]
    class: Felt,
}

/// A felt, as nodes write it.
#[derive(Deserialize)]
struct Answered(#[serde(with = "felt::wire")] Felt);

pub(super) async fn fork(args: &ForkArgs) -> Result<Answer, Failure> {
    let addresses: BTreeSet<ContractId> = args.contracts.iter().map(|it| ContractId(it.0)).collect();
    if addresses.len() > MAX_CONTRACTS {
        let said = format!("{} contracts are given, and a shard has {MAX_CONTRACTS} at most", addresses.len());
        return Err(Failure::new("SW-CLI-031", said, "Name those alone that the game touches.").misuse(true));
    }
    let rpc = Rpc::new(&args.node).map_err(|error| Failure::of(&error))?;
    let wanted = args.block.map_or(Wanted::Latest, Wanted::Number);
    let block = Pinned::find(&rpc, wanted).await.map_err(|error| Failure::of(&error))?;
    let contracts = contracts(&rpc, &block, &addresses).await?;
    let hashes: BTreeSet<Felt> = contracts.iter().map(|it| it.class).collect();
    if hashes.len() > MAX_CLASSES {
        let said = format!("the contracts are of {} classes, and a shard has {MAX_CLASSES} at most", hashes.len());
        return Err(Failure::new("SW-CLI-032", said, "Split the game over several shards."));
    }
    let mut classes = Vec::with_capacity(hashes.len());
    for hash in hashes {
        classes.push(pair(&rpc, &block, hash).await?);
    }
    let (number, time) = (block.number, block.time);
    let told = Told { fork: block.id(), begins: time, first_block: number.saturating_add(1), classes, contracts };
    let (chain, hash) = (told.fork.chain, told.fork.hash);
    let head = ["class", "compiles to"].map(ToOwned::to_owned);
    let pairs =
        told.classes.iter().map(|it| [format!("{:#x}", it.class_hash), format!("{:#x}", it.compiled_class_hash)]);
    let classes: Vec<_> = std::iter::once(head).chain(pairs).collect();
    let head = ["contract", "is of class"].map(ToOwned::to_owned);
    let listed = told.contracts.iter().map(|it| [it.address.to_string(), format!("{:#x}", it.class)]);
    let listed: Vec<_> = std::iter::once(head).chain(listed).collect();
    let text = format!(
        "block {number} of chain {chain:#x}\n  hash {hash:#x}\n  made at {time}, in seconds since 1970: no shard begins before it\n\n{}\n\n{}",
        columns(&classes),
        columns(&listed)
    );
    Ok(Answer::new(text, &told))
}

/// The contracts at the block, in order.
async fn contracts(rpc: &Rpc, block: &Pinned, addresses: &BTreeSet<ContractId>) -> Result<Vec<Contract>, Failure> {
    let method = "starknet_getClassHashAt";
    let question = |address: &ContractId| Question {
        method,
        params: json!({ "contract_address": address, "block_id": { "block_hash": block.hash } }),
    };
    let all: Vec<ContractId> = addresses.iter().copied().collect();
    let mut contracts = Vec::with_capacity(all.len());
    for some in all.chunks(MAX_BATCH) {
        let asked: Vec<Question> = some.iter().map(question).collect();
        if let Ok(answers) = rpc.ask_all::<Answered>(&asked).await {
            contracts.extend(some.iter().zip(answers).map(|(it, Answered(class))| Contract { address: *it, class }));
            continue;
        }
        // One by one it is known which isn't there, and a node need take no batches.
        for (address, Question { params, .. }) in some.iter().zip(asked) {
            match rpc.ask::<Answered>(method, params).await {
                Ok(Answered(class)) => contracts.push(Contract { address: *address, class }),
                Err(error) if error.refusal() == Some(NO_CONTRACT) => {
                    let said = format!("there is no contract {address} at block {}", block.number);
                    return Err(Failure::new("SW-CLI-033", said, "Correct the address, or name a later block."));
                }
                Err(error) => return Err(Failure::of(&error)),
            }
        }
    }
    Ok(contracts)
}

/// A class and what it compiles to here.
async fn pair(rpc: &Rpc, block: &Pinned, hash: Felt) -> Result<ClassPair, Failure> {
    let params = json!({ "class_hash": hash, "block_id": { "block_hash": block.hash } });
    let file: Box<RawValue> = rpc.ask("starknet_getClass", params).await.map_err(|error| Failure::of(&error))?;
    let unusable = |reason: String| Failure::of(&ForkError::Class { hash, reason });
    let class = Class::compile(file.get().as_bytes()).map_err(|error| unusable(error.to_string()))?;
    match class.hash() == hash {
        true => Ok(ClassPair { class_hash: hash, compiled_class_hash: class.compiled_hash() }),
        false => Err(unusable(format!("what the network has under this name hashes to {:#x}", class.hash()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_fork::testing::{Fault, StandIn};
    use shardwire_hosted::dungeon::{self, ANNA, BEGINS, BLOCK, GOLD};
    use shardwire_model::{PeerId, Terms};

    fn node() -> StandIn {
        StandIn::new(BLOCK, BEGINS, dungeon::state(), dungeon::class_files())
    }

    fn args(node: &StandIn, contracts: &[u64]) -> ForkArgs {
        let contracts = contracts.iter().map(|it| Number(Felt::from(*it))).collect();
        ForkArgs { node: node.url(), contracts, block: None }
    }

    async fn refused(args: &ForkArgs) -> String {
        fork(args).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_network_at_a_block_is_told_as_a_start_request_says_it() {
        let node = node();
        let (start, _) = dungeon::forked(PeerId([7; 32]), BLOCK);
        let Terms::Contracts(terms) = &start.terms else { panic!("terms of contracts") };
        let all =
            ForkArgs { contracts: start.contracts.iter().rev().map(|it| Number(it.0)).collect(), ..args(&node, &[]) };
        for fault in [Fault::None, Fault::NoBatches] {
            node.fail(fault);
            let told = fork(&all).await.unwrap();
            assert_eq!(told.json["fork"], serde_json::to_value(BLOCK).unwrap());
            assert_eq!(told.json["classes"], serde_json::to_value(&terms.classes).unwrap());
            let listed = start.contracts.iter().zip(&terms.instances);
            let listed: Vec<_> = listed
                .map(|(it, instance)| json!({ "address": it, "class": format!("{:#x}", instance.class) }))
                .collect();
            assert_eq!(told.json["contracts"], json!(listed));
            assert_eq!((&told.json["begins"], &told.json["first_block"]), (&json!(BEGINS), &json!(terms.first_block)));
            assert!(
                told.text.starts_with("block 41 of chain 0x534e5f44554e47454f4e\n  hash 0xb10c41\n"),
                "{}",
                told.text
            );
            assert!(told.text.contains(&format!("\n{GOLD:#x} ")), "{}", told.text);
        }
    }

    #[tokio::test]
    async fn what_no_shard_can_begin_from_is_told_with_its_code() {
        let node = node();
        let missing = refused(&args(&node, &[ANNA, 0xdead])).await;
        assert!(missing.starts_with("error[SW-CLI-033]: there is no contract 0xdead at block 41\n"), "{missing}");
        node.fail(Fault::NotAccepted);
        assert!(refused(&args(&node, &[ANNA])).await.starts_with("error[SW-FORK-001]: block 41 is PRE_CONFIRMED"));
        node.fail(Fault::Busy);
        assert!(refused(&args(&node, &[ANNA])).await.starts_with("error[SW-STARKNET-004]: "));
        let many: Vec<u64> = (1..=MAX_CONTRACTS as u64 + 1).collect();
        let many = refused(&args(&node, &many)).await;
        assert!(many.starts_with("error[SW-CLI-031]: 321 contracts are given, and a shard has 320 at most"), "{many}");
        let nowhere = ForkArgs { node: "ftp://secret".to_owned(), ..args(&node, &[ANNA]) };
        assert!(refused(&nowhere).await.starts_with("error[SW-STARKNET-001]: "));
    }
}
