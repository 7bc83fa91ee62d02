//! A shard's door is a network, too: another shard begins from one of its blocks.

use crate::{
    dungeon::{self, ARENA, FIRST_BLOCK, FUNDS, GOLD, WORLD, balance, class},
    opened,
    player::Player,
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use shardwire_fork::{Fork, InMemory as Kept, Network, PinError, Pinned, Wanted};
use shardwire_model::{Coded as _, ContractId, Felt, ForkId, Key};
use shardwire_native::{Checked, Class, Ground as _, Native};
use shardwire_rpc::Chain as _;
use shardwire_starknet::{Call, Rpc, add_invoke};
use std::sync::Arc;
use tokio::{runtime::Handle, task::spawn_blocking};

fn pay(to: Felt, amount: u64) -> Call {
    let calldata = vec![to, amount.into(), Felt::ZERO];
    Call { to: ContractId(GOLD.into()), selector: shardwire_model::Selector(dungeon::selector("transfer")), calldata }
}

fn fork(rpc: &Rpc, block: ForkId) -> Fork {
    let network = Network::new(block, [rpc.clone()], Handle::current(), ChaCha8Rng::seed_from_u64(7));
    Fork::open(block, network, Box::new(Kept::default()), Arc::new(Class::compile)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_begins_from_a_block_of_another() {
    let (chain, players) = (dungeon::shard(7), dungeon::players());
    let address = opened(vec![chain.clone()]).await;
    let rpc = Rpc::new(&format!("http://{address}/rpc/v0_10")).unwrap();
    for nonce in 0..2 {
        let account = players[0].account();
        let calls = [pay(players[1].address, 10 + nonce)];
        let invoke = account.invoke(chain.chain_id(), nonce, &calls, 100_000_000).unwrap();
        assert_eq!(add_invoke(&rpc, &invoke).await.unwrap(), invoke.hash(chain.chain_id()));
    }
    let pinned = Pinned::find(&rpc, Wanted::Number(FIRST_BLOCK)).await.unwrap();
    assert_eq!((pinned.chain, pinned.number), (chain.chain_id(), FIRST_BLOCK));
    assert_eq!(Pinned::find(&rpc, Wanted::Hash(pinned.hash)).await.unwrap(), pinned);
    assert_eq!(Pinned::find(&rpc, Wanted::Latest).await.unwrap().number, FIRST_BLOCK + 1);

    let fork = Arc::new(fork(&rpc, pinned.id()));
    let of = fork.clone();
    // After the first payment, and before the second.
    let (mine, yours, nonce, classes) = spawn_blocking(move || {
        let gold = |player: &Player| of.storage_at(ContractId(GOLD.into()), balance(player.address)).unwrap();
        let players = dungeon::players();
        let hashes = [GOLD, ARENA, WORLD, 0xdead].map(|it| of.class_hash_at(ContractId(it.into())).unwrap());
        (gold(&players[0]), gold(&players[1]), of.nonce_at(ContractId(players[0].address)).unwrap(), hashes)
    })
    .await
    .unwrap();
    assert_eq!((mine, yours, nonce), (Felt::from(FUNDS - 10), Felt::from(FUNDS + 10), 1));
    assert_eq!(classes, [Some(class("gold").1), Some(class("arena").1), Some(class("world").1), None]);

    // The same transaction does the same there.
    let (start, values) = dungeon::start_after(8, FIRST_BLOCK + 1, &[FUNDS - 10, FUNDS + 10]);
    spawn_blocking(move || {
        let native = Native::open(fork, &start, &values).unwrap();
        let players = dungeon::players();
        let account = players[0].account();
        let calls = [pay(players[1].address, 5)];
        let invoke = account.invoke(start.chain_id(), 1, &calls, 100_000_000).unwrap();
        let Checked::New(change) = native.check(&invoke, dungeon::BEGINS).unwrap() else { panic!("it is new") };
        let slot = |player: &Player| balance(player.address);
        let written = |key: Key| change.receipt().diff.storage.iter().find(|(slot, _)| slot.key == key).unwrap().1;
        assert_eq!(written(slot(&players[0])), Felt::from(FUNDS - 15));
        assert_eq!(written(slot(&players[1])), Felt::from(FUNDS + 15));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_is_not_there_is_told_when_it_is_asked_for_and_when_it_has_gone() {
    let address = opened(vec![dungeon::shard(7)]).await;
    let rpc = Rpc::new(&format!("http://{address}/rpc")).unwrap();
    let error = Pinned::find(&rpc, Wanted::Number(FIRST_BLOCK + 9)).await.unwrap_err();
    assert!(matches!(error, PinError::Rpc(_)), "{error}");
    assert_eq!((error.code(), error.to_string().contains("Block not found")), ("SW-STARKNET-007", true), "{error}");
    let chain = rpc.chain_id().await.unwrap();
    let fork = fork(&rpc, ForkId { chain, number: FIRST_BLOCK, hash: Felt::from(0x90e) });
    let error = spawn_blocking(move || fork.nonce_at(ContractId(GOLD.into())).unwrap_err()).await.unwrap();
    assert!(error.to_string().contains("doesn't know block 0x90e (any more)"), "{error}");
}
