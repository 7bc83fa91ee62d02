//! A player with a key, who signs transactions by hand.

use crate::toy::{TOKEN, Toy, selector};
use serde_json::{Value, json};
use shardwire_model::{ContractId, Felt};
use shardwire_rpc::chain::{Amounts, Invoke};
use std::{collections::BTreeMap, sync::Arc};

#[derive(Clone, Copy)]
pub(crate) struct Player {
    pub(crate) secret: Felt,
    pub(crate) address: Felt,
}

impl Player {
    pub(crate) fn new(number: u64) -> Self {
        Self { secret: Felt::from(0x5ec0 + number), address: Felt::from(0xacc_0000 + number) }
    }

    pub(crate) fn transfer(&self, toy: &Toy, nonce: u64, to: Felt, amount: u64) -> Invoke {
        let calls = [Felt::ONE, TOKEN.into(), selector("transfer"), Felt::THREE, to, amount.into(), Felt::ZERO];
        self.sign(toy, nonce, calls.to_vec())
    }

    pub(crate) fn sign(&self, toy: &Toy, nonce: u64, calldata: Vec<Felt>) -> Invoke {
        let amounts = Amounts { l1_gas: 0, l2_gas: 100_000, l1_data_gas: 0 };
        let sender = ContractId(self.address);
        let mut invoke = Invoke { sender, nonce, calldata, signature: Vec::new(), amounts };
        let hash = toy.hash(&invoke, false);
        let k = starknet_crypto::rfc6979_generate_k(&hash, &self.secret, None);
        let signature = starknet_crypto::sign(&self.secret, &hash, &k).unwrap();
        invoke.signature = vec![signature.r, signature.s];
        invoke
    }
}

/// A shard, and its players.
pub(crate) fn shard(id: u64, players: u64) -> (Arc<Toy>, Vec<Player>) {
    let players: Vec<_> = (0..players).map(Player::new).collect();
    let keys: BTreeMap<_, _> =
        players.iter().map(|it| (it.address, starknet_crypto::get_public_key(&it.secret))).collect();
    (Toy::new(id, keys), players)
}

/// A transaction as wallets send it.
pub(crate) fn wire(invoke: &Invoke) -> Value {
    let bound = |amount: u64| json!({ "max_amount": format!("{amount:#x}"), "max_price_per_unit": "0x0" });
    json!({
        "type": "INVOKE", "version": "0x3", "sender_address": invoke.sender, "calldata": invoke.calldata,
        "signature": invoke.signature, "nonce": format!("{:#x}", invoke.nonce),
        "resource_bounds": {
            "l1_gas": bound(invoke.amounts.l1_gas), "l2_gas": bound(invoke.amounts.l2_gas),
            "l1_data_gas": bound(invoke.amounts.l1_data_gas),
        },
        "tip": "0x0", "paymaster_data": [], "account_deployment_data": [],
        "nonce_data_availability_mode": "L1", "fee_data_availability_mode": "L1",
    })
}
