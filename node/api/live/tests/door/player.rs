//! A player with a key, who signs transactions by hand.

use crate::dungeon::{GOLD, WORLD, selector};
use serde_json::{Value, json};
use shardwire_live::InMemory;
use shardwire_model::{ContractId, Felt, Invoke, ResourceBounds};
use shardwire_rpc::Chain as _;

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
        let call = [Felt::ONE, contract.into(), selector(name), Felt::from(calldata.len())];
        let mut invoke = Invoke {
            sender: ContractId(self.address),
            nonce,
            calldata: [&call, calldata].concat(),
            signature: Vec::new(),
            bounds: ResourceBounds { l1_gas: 0, l2_gas: 100_000_000, l1_data_gas: 0 },
        };
        let hash = invoke.hash(shard.chain_id());
        let k = starknet_crypto::rfc6979_generate_k(&hash, &self.secret, None);
        let signature = starknet_crypto::sign(&self.secret, &hash, &k).unwrap();
        invoke.signature = vec![signature.r, signature.s];
        invoke
    }
}

/// A transaction as wallets send it.
pub(crate) fn wire(invoke: &Invoke) -> Value {
    let bound = |amount: u64| json!({ "max_amount": format!("{amount:#x}"), "max_price_per_unit": "0x0" });
    json!({
        "type": "INVOKE", "version": "0x3", "sender_address": invoke.sender, "calldata": invoke.calldata,
        "signature": invoke.signature, "nonce": format!("{:#x}", invoke.nonce),
        "resource_bounds": {
            "l1_gas": bound(invoke.bounds.l1_gas), "l2_gas": bound(invoke.bounds.l2_gas),
            "l1_data_gas": bound(invoke.bounds.l1_data_gas),
        },
        "tip": "0x0", "paymaster_data": [], "account_deployment_data": [],
        "nonce_data_availability_mode": "L1", "fee_data_availability_mode": "L1",
    })
}
