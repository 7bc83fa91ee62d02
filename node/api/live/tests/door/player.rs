//! A player with a key.

use crate::dungeon::{GOLD, WORLD, selector};
use shardwire_live::InMemory;
use shardwire_model::{ContractId, Felt, Invoke, Selector};
use shardwire_rpc::Chain as _;
use shardwire_starknet::{Account, Call};

#[derive(Clone, Copy)]
pub(crate) struct Player {
    pub(crate) secret: Felt,
    pub(crate) address: Felt,
}

impl Player {
    pub(crate) fn new(number: u64) -> Self {
        Self { secret: Felt::from(0x5ec0 + number), address: Felt::from(0xacc_0000 + number) }
    }

    pub(crate) fn transfer(&self, shard: &InMemory, nonce: u64, to: Felt, amount: u64) -> Invoke {
        self.call(shard, nonce, GOLD, "transfer", &[to, amount.into(), Felt::ZERO])
    }

    pub(crate) fn finish(&self, shard: &InMemory, nonce: u64) -> Invoke {
        self.call(shard, nonce, WORLD, "finish", &[])
    }

    pub(crate) fn call(&self, shard: &InMemory, nonce: u64, contract: u64, name: &str, calldata: &[Felt]) -> Invoke {
        let selector = Selector(selector(name));
        let call = Call { to: ContractId(contract.into()), selector, calldata: calldata.to_vec() };
        self.account().invoke(shard.chain_id(), nonce, &[call], 100_000_000).unwrap()
    }

    pub(crate) fn account(&self) -> Account {
        Account::new(ContractId(self.address), self.secret)
    }
}
