//! An account with one key, as the contracts of most wallets check it.

use crate::{Rpc, RpcError};
use serde::Deserialize;
use serde_json::{Value, json};
use shardwire_model::{AccountKey, ContractId, Felt, Invoke, ResourceBounds, Selector, Signature, felt};

/// A call of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The contract that it calls.
    pub to: ContractId,
    /// The entry point of that contract.
    pub selector: Selector,
    /// The arguments, as the contract reads them.
    pub calldata: Vec<Felt>,
}

/// An account and its key.
#[derive(Clone, Debug)]
pub struct Account {
    address: ContractId,
    /// None if the secret is none that can sign.
    key: Option<AccountKey>,
}

impl Account {
    /// The account at this address, with this secret key.
    #[must_use]
    pub fn new(address: ContractId, secret: Felt) -> Self {
        Self { address, key: AccountKey::from_scalar(secret) }
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> ContractId {
        self.address
    }

    /// These calls, one after the other, as one signed transaction for the chain with this id. It offers no price, as shards want it, and may use this
    /// much L2 gas. `None` if the key is none that can sign.
    #[must_use]
    pub fn invoke(&self, chain: Felt, nonce: u64, calls: &[Call], l2_gas: u64) -> Option<Invoke> {
        let mut invoke = self.unsigned(nonce, calls, l2_gas);
        let Signature { r, s } = self.sign(invoke.hash(chain))?;
        invoke.signature = vec![r, s];
        Some(invoke)
    }

    /// The same without a signature.
    #[must_use]
    pub fn unsigned(&self, nonce: u64, calls: &[Call], l2_gas: u64) -> Invoke {
        let mut calldata = vec![Felt::from(calls.len())];
        for Call { to, selector, calldata: given } in calls {
            calldata.extend([to.0, selector.0, Felt::from(given.len())]);
            calldata.extend(given);
        }
        let bounds = ResourceBounds { l1_gas: 0, l2_gas, l1_data_gas: 0 };
        Invoke { sender: self.address, nonce, calldata, signature: Vec::new(), bounds }
    }

    /// Signs a transaction's hash: of [`unsigned`](Self::unsigned), or of one with prices, for a chain that takes no other. `None` if the key is none that can sign.
    #[must_use]
    pub fn sign(&self, hash: Felt) -> Option<Signature> {
        self.key.as_ref()?.sign(hash)
    }
}

/// Has a node, or a shard's door, take a transaction; returns its hash.
///
/// # Errors
/// [`RpcError::Refused`] if it isn't taken. All others say nothing about it: it may be in the log.
pub async fn add_invoke(door: &Rpc, invoke: &Invoke) -> Result<Felt, RpcError> {
    #[derive(Deserialize)]
    struct Added {
        #[serde(with = "felt::wire")]
        transaction_hash: Felt,
    }
    let params = json!({ "invoke_transaction": to_json(invoke) });
    let Added { transaction_hash } = door.ask("starknet_addInvokeTransaction", params).await?;
    Ok(transaction_hash)
}

/// A transaction as `starknet_addInvokeTransaction` takes it.
#[must_use]
pub fn to_json(invoke: &Invoke) -> Value {
    let bound = |amount: u64| json!({ "max_amount": format!("{amount:#x}"), "max_price_per_unit": "0x0" });
    json!({
        "type": "INVOKE",
        "version": "0x3",
        "sender_address": invoke.sender,
        "calldata": invoke.calldata,
        "signature": invoke.signature,
        "nonce": format!("{:#x}", invoke.nonce),
        "resource_bounds": {
            "l1_gas": bound(invoke.bounds.l1_gas),
            "l2_gas": bound(invoke.bounds.l2_gas),
            "l1_data_gas": bound(invoke.bounds.l1_data_gas),
        },
        "tip": "0x0",
        "paymaster_data": [],
        "account_deployment_data": [],
        "nonce_data_availability_mode": "L1",
        "fee_data_availability_mode": "L1",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use starknet_crypto::{get_public_key, verify};

    fn account() -> Account {
        Account::new(ContractId(Felt::from(0xacc)), Felt::from(0x5ec0_u64))
    }

    #[test]
    fn a_transaction_is_signed_for_one_chain_and_its_calls_are_written_one_after_the_other() {
        let call = |to: u64, calldata: &[u64]| Call {
            to: ContractId(Felt::from(to)),
            selector: Selector(Felt::from(9)),
            calldata: calldata.iter().map(|it| Felt::from(*it)).collect(),
        };
        let chain = Felt::from_bytes_be_slice(b"SW_TEST");
        let invoke = account().invoke(chain, 4, &[call(1, &[7, 8]), call(2, &[])], 1_000).unwrap();
        let expected = [2_u64, 1, 9, 2, 7, 8, 2, 9, 0].map(Felt::from);
        assert_eq!((&invoke.calldata[..], invoke.nonce, invoke.bounds.l2_gas), (&expected[..], 4, 1_000));
        let public = get_public_key(&Felt::from(0x5ec0_u64));
        let holds = |chain| verify(&public, &invoke.hash(chain), &invoke.signature[0], &invoke.signature[1]).unwrap();
        assert!(holds(chain) && !holds(chain + Felt::ONE));
        assert_eq!(to_json(&invoke)["resource_bounds"]["l2_gas"]["max_amount"], "0x3e8");
    }

    #[test]
    fn a_key_that_cannot_sign_is_none_and_no_text_shows_a_key() {
        assert_eq!(Account::new(ContractId(Felt::ONE), Felt::ZERO).invoke(Felt::ONE, 0, &[], 1), None);
        assert!(!format!("{:?}", account()).contains("5ec0"));
    }
}
