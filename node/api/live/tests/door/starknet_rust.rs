//! starknet-rust, a client that others wrote, plays a whole shard.

use crate::{
    dungeon::{self, ARENA, FIRST_BLOCK, FUNDS, GOLD, WORLD, selector},
    opened,
    player::Player,
};
use shardwire_live::InMemory;
use shardwire_model::{Felt, Stage};
use shardwire_rpc::Chain as _;
use starknet_rust_accounts::{
    Account as _, AccountError, ConnectedAccount as _, ExecutionEncoding, SingleOwnerAccount,
};
use starknet_rust_core::types::{
    AddressFilter, BlockId, BlockTag, Call, ContractClass, EventFilter, ExecuteInvocation, ExecutionResult,
    FunctionCall, GetStorageAtResult, MaybePreConfirmedBlockWithTxs, ReceiptBlock, SimulateTransactionsResult,
    StarknetError, TransactionReceipt, TransactionStatus, TransactionTrace,
};
use starknet_rust_providers::{JsonRpcClient, Provider, ProviderError, Url, jsonrpc::HttpTransport};
use starknet_rust_signers::{LocalWallet, SigningKey};
use std::net::SocketAddr;

type Client = JsonRpcClient<HttpTransport>;

fn client(address: SocketAddr, path: &str) -> Client {
    let url = Url::parse(&format!("http://{address}{path}")).unwrap();
    JsonRpcClient::new(HttpTransport::new(url))
}

async fn account(client: Client, player: &Player) -> SingleOwnerAccount<Client, LocalWallet> {
    let signer = LocalWallet::from(SigningKey::from_secret_scalar(player.secret));
    let chain = client.chain_id().await.unwrap();
    SingleOwnerAccount::new(client, signer, player.address, chain, ExecutionEncoding::New)
}

fn transfer(to: Felt, amount: u64) -> Call {
    Call { to: GOLD.into(), selector: selector("transfer"), calldata: vec![to, amount.into(), Felt::ZERO] }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_plays_a_whole_shard() {
    let (chain, players) = (dungeon::shard(7), dungeon::players());
    let address = opened(vec![chain.clone()]).await;
    let provider = client(address, "/shard/0x7/rpc/v0_10");
    assert_eq!(provider.spec_version().await.unwrap(), "0.10.0");
    let accounts = [
        account(client(address, "/"), &players[0]).await,
        account(client(address, "/rpc/v0_10"), &players[1]).await,
        account(client(address, "/shard/0x7/rpc"), &players[2]).await,
    ];
    // The client estimates, signs and sends each by itself.
    let mut hashes = Vec::new();
    for round in 1..=4 {
        for (i, account) in accounts.iter().enumerate() {
            let to = players[(i + 1) % 3].address;
            let sent = account.execute_v3(vec![transfer(to, round), transfer(to, 1)]).send().await.unwrap();
            hashes.push(sent.transaction_hash);
        }
    }
    // One that reverts has no estimate; with amounts of its own it is in the log.
    let reverting = accounts[0].execute_v3(vec![transfer(players[1].address, 2 * FUNDS)]);
    let told = reverting.estimate_fee().await.unwrap_err().to_string();
    assert!(told.contains("the transaction would be reverted: ") && told.contains("not enough gold"), "{told}");
    let reverting = reverting.l2_gas(100_000_000).l2_gas_price(0).l1_gas(0).l1_gas_price(0);
    let reverting = reverting.l1_data_gas(0).l1_data_gas_price(0);
    hashes.push(reverting.send().await.unwrap().transaction_hash);

    assert_eq!(accounts[0].get_nonce().await.unwrap(), Felt::from(5u64));
    reads(&provider, &chain, &players, &hashes).await;
    mistakes(&accounts[1], players[0].address).await;
    nested(&accounts[2]).await;

    let finish = Call { to: WORLD.into(), selector: selector("finish"), calldata: Vec::new() };
    accounts[0].execute_v3(vec![finish]).send().await.unwrap();
    assert_eq!((chain.stage(), chain.journal().height()), (Stage::Ended, 15));
}

/// What the client understands of each answer.
async fn reads(provider: &Client, chain: &InMemory, players: &[Player], hashes: &[Felt]) {
    let (first, token) = (FIRST_BLOCK, Felt::from(GOLD));
    let latest = BlockId::Tag(BlockTag::Latest);
    assert_eq!(provider.block_number().await.unwrap(), first + 12);
    let receipt = provider.get_transaction_receipt(hashes[0]).await.unwrap();
    assert!(matches!(receipt.block, ReceiptBlock::Block { block_number, .. } if block_number == first));
    let TransactionReceipt::Invoke(invoke) = receipt.receipt else { panic!() };
    assert_eq!((invoke.events.len(), invoke.execution_result), (2, ExecutionResult::Succeeded));
    let status = provider.get_transaction_status(hashes[12]).await.unwrap();
    let TransactionStatus::AcceptedOnL2(ExecutionResult::Reverted { reason }) = status else { panic!("{status:?}") };
    assert!(reason.contains("not enough gold"), "{reason}");
    let MaybePreConfirmedBlockWithTxs::Block(block) = provider.get_block_with_txs(latest, None).await.unwrap() else {
        panic!()
    };
    assert_eq!(*block.transactions[0].transaction_hash(), hashes[12]);
    let pre_confirmed = BlockId::Tag(BlockTag::PreConfirmed);
    let next = provider.get_block_with_txs(pre_confirmed, None).await.unwrap();
    assert!(matches!(next, MaybePreConfirmedBlockWithTxs::PreConfirmedBlock(next) if next.block_number == first + 13));
    let by_hash = provider.get_block_with_receipts(BlockId::Hash(block.parent_hash), None).await.unwrap();
    assert_eq!(by_hash.transactions().len(), 1);
    provider.get_block_with_tx_hashes(BlockId::Tag(BlockTag::L1Accepted)).await.unwrap();
    assert_eq!(provider.get_block_transaction_count(latest).await.unwrap(), 1);
    let transaction = provider.get_transaction_by_hash(hashes[3], None).await.unwrap();
    assert_eq!(*transaction.transaction_hash(), hashes[3]);
    provider.get_transaction_by_block_id_and_index(BlockId::Number(first + 3), 0, None).await.unwrap();
    provider.get_state_update(latest).await.unwrap();
    provider.syncing().await.unwrap();
    // The slot that the first transaction wrote, then and before.
    let entry = chain.journal().entry(0).unwrap();
    let (slot, value) = entry.receipt.diff.storage[0];
    let (contract, key) = (slot.contract.0, slot.key.0);
    let held = provider.get_storage_at(contract, key, BlockId::Number(first), None).await.unwrap();
    assert_eq!(held, GetStorageAtResult::Value(value));
    let before = provider.get_storage_at(contract, key, BlockId::Number(first - 1), None).await.unwrap();
    assert_ne!(before, held);
    let hash = provider.get_class_hash_at(latest, token).await.unwrap();
    let class = provider.get_class_at(latest, token).await.unwrap();
    assert_eq!(class, provider.get_class(latest, hash).await.unwrap());
    assert!(matches!(class, ContractClass::Sierra(class) if !class.sierra_program.is_empty()));
    let call = FunctionCall {
        contract_address: token,
        entry_point_selector: selector("balance_of"),
        calldata: vec![players[1].address],
    };
    assert_eq!(provider.call(&call, latest).await.unwrap(), [Felt::from(FUNDS), Felt::ZERO]);
    // Pages of five, of one contract.
    let filter = EventFilter {
        from_block: Some(BlockId::Number(first)),
        to_block: Some(latest),
        address: Some(AddressFilter::Single(token)),
        keys: Some(vec![vec![selector("Transfer")]]),
    };
    let (mut next, mut events) = (None, Vec::new());
    loop {
        let page = provider.get_events(filter.clone(), next, 5).await.unwrap();
        events.extend(page.events);
        next = page.continuation_token;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(events.len(), 24);
    assert!(
        events
            .iter()
            .zip(0..)
            .all(|(event, i)| event.event_index == i % 2 && event.transaction_hash == hashes[i as usize / 2])
    );
}

/// What the client takes each refusal for.
async fn mistakes(account: &SingleOwnerAccount<Client, LocalWallet>, other: Felt) {
    let provider = account.provider();
    let simulated = account.execute_v3(vec![transfer(other, 1)]).simulate(false, false).await.unwrap();
    let TransactionTrace::Invoke(trace) = simulated.transaction_trace else { panic!() };
    assert!(matches!(trace.execute_invocation, ExecuteInvocation::Success(made) if made.calls.len() == 1));
    let starknet = |error: ProviderError| match error {
        ProviderError::StarknetError(error) => error,
        other => panic!("{other:?}"),
    };
    let refused = async |nonce: u64| {
        let sent = account.execute_v3(vec![transfer(other, 1)]).nonce(Felt::from(nonce)).l2_gas(9).l2_gas_price(0);
        match sent.l1_gas(0).l1_gas_price(0).l1_data_gas(0).l1_data_gas_price(0).send().await {
            Err(AccountError::Provider(error)) => starknet(error),
            other => panic!("{other:?}"),
        }
    };
    assert!(
        matches!(refused(9).await, StarknetError::InvalidTransactionNonce(why) if why.contains("must use nonce 4, not 9"))
    );
    let unknown = provider.get_transaction_receipt(Felt::ONE).await.unwrap_err();
    assert_eq!(starknet(unknown), StarknetError::TransactionHashNotFound);
    let unknown = provider.get_nonce(BlockId::Tag(BlockTag::Latest), Felt::ONE).await.unwrap_err();
    assert_eq!(starknet(unknown), StarknetError::ContractNotFound);
    let unknown = provider.get_block_with_txs(BlockId::Number(7), None).await.unwrap_err();
    assert_eq!(starknet(unknown), StarknetError::BlockNotFound);
    let call = async |name: &str| {
        let call =
            FunctionCall { contract_address: GOLD.into(), entry_point_selector: selector(name), calldata: vec![] };
        starknet(provider.call(&call, BlockId::Tag(BlockTag::Latest)).await.unwrap_err())
    };
    assert!(matches!(call("balance_of").await, StarknetError::ContractError(_)));
    assert_eq!(call("burn").await, StarknetError::EntrypointNotFound);
    // Gold is closed: what isn't listed in it can't be given to.
    let stranger = account.execute_v3(vec![transfer(Felt::ONE, 1)]).estimate_fee().await.unwrap_err().to_string();
    assert!(stranger.contains("of a closed contract would be 0x1"), "{stranger}");
    let simulated = provider.simulate_transactions(BlockId::Tag(BlockTag::Latest), [], []).await.unwrap();
    assert!(matches!(simulated, SimulateTransactionsResult::Transactions(all) if all.is_empty()));
}

/// Calls within calls: the client reads the whole tree, and the events of all of them.
async fn nested(account: &SingleOwnerAccount<Client, LocalWallet>) {
    let call = || Call { to: WORLD.into(), selector: selector("adventure"), calldata: vec![Felt::from(30)] };
    let simulated = account.execute_v3(vec![call()]).simulate(false, false).await.unwrap();
    let TransactionTrace::Invoke(trace) = simulated.transaction_trace else { panic!() };
    let ExecuteInvocation::Success(execute) = trace.execute_invocation else { panic!() };
    let (world, hero) = (&execute.calls[0], account.address());
    let (arena, gold) = (&world.calls[0], &world.calls[0].calls[0]);
    assert_eq!([world, arena, gold].map(|it| it.contract_address), [WORLD, ARENA, GOLD].map(Felt::from));
    assert_eq!([world, arena, gold].map(|it| it.caller_address), [hero, WORLD.into(), ARENA.into()]);
    let orders = [world, arena, gold].map(|it| it.events.iter().map(|event| event.order).collect::<Vec<_>>());
    assert_eq!(orders, [vec![0], vec![1], vec![2]]);
    let sent = account.execute_v3(vec![call()]).send().await.unwrap();
    let receipt = account.provider().get_transaction_receipt(sent.transaction_hash).await.unwrap();
    let TransactionReceipt::Invoke(receipt) = receipt.receipt else { panic!() };
    let names = receipt.events.iter().map(|event| event.keys[0]).collect::<Vec<_>>();
    assert_eq!(names, ["Gained", "Fought", "Transfer"].map(selector));
    assert_eq!(receipt.execution_resources.l2_gas, simulated.fee_estimation.l2_gas_consumed);
}
