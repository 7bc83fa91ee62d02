//! An [`Invoke`] as Starknet's own crates have it, and what of it no state could make good.

use crate::Refusal;
use shardwire_model::{ContractId, Felt, Invoke, MAX_CALLDATA_FELTS, MAX_SIGNATURE_FELTS, ResourceBounds};
use starknet_api::{
    block::GasPrice,
    core::{ContractAddress, Nonce},
    data_availability::DataAvailabilityMode,
    execution_resources::GasAmount,
    transaction::{
        InvokeTransactionV3,
        fields::{self as starknet, AllResourceBounds, Calldata, TransactionSignature, ValidResourceBounds},
    },
};
use std::sync::Arc;

/// Refuses what no state could make good. Any gas will do for a simulation.
pub(crate) fn check_bounds(invoke: &Invoke) -> Result<(), Refusal> {
    bounded("calldata", invoke.calldata.len(), MAX_CALLDATA_FELTS)?;
    bounded("signature", invoke.signature.len(), MAX_SIGNATURE_FELTS)?;
    address(invoke.sender).map(drop)
}

/// Refuses a list of felts that is too long.
pub(crate) fn bounded(what: &'static str, got: usize, max: usize) -> Result<(), Refusal> {
    if got > max { Err(Refusal::TooLong { what, got, max }) } else { Ok(()) }
}

/// As Starknet's own crates have them, at prices of zero.
pub(crate) fn resource_bounds(bounds: ResourceBounds) -> ValidResourceBounds {
    let bound = |amount| starknet::ResourceBounds { max_amount: GasAmount(amount), max_price_per_unit: GasPrice(0) };
    ValidResourceBounds::AllResources(AllResourceBounds {
        l1_gas: bound(bounds.l1_gas),
        l2_gas: bound(bounds.l2_gas),
        l1_data_gas: bound(bounds.l1_data_gas),
    })
}

fn address(sender: ContractId) -> Result<ContractAddress, Refusal> {
    ContractAddress::try_from(sender.0).map_err(|_| Refusal::Sender(sender))
}

/// As Starknet's own crates have it.
pub(crate) fn to_starknet(invoke: &Invoke) -> Result<InvokeTransactionV3, Refusal> {
    Ok(InvokeTransactionV3 {
        resource_bounds: resource_bounds(invoke.bounds),
        tip: starknet::Tip(0),
        signature: TransactionSignature(Arc::new(invoke.signature.clone())),
        nonce: Nonce(Felt::from(invoke.nonce)),
        sender_address: address(invoke.sender)?,
        calldata: Calldata(Arc::new(invoke.calldata.clone())),
        nonce_data_availability_mode: DataAvailabilityMode::L1,
        fee_data_availability_mode: DataAvailabilityMode::L1,
        paymaster_data: Default::default(),
        account_deployment_data: Default::default(),
        proof_facts: Default::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use starknet_api::{
        core::ChainId,
        transaction::{TransactionHasher as _, TransactionOptions, TransactionVersion, signed_tx_version},
    };

    #[test]
    fn the_models_hash_is_starknets() {
        let bounds = [(0, 0, 0), (1, 2, 3), (u64::MAX, u64::MAX, u64::MAX)];
        for (i, (l1_gas, l2_gas, l1_data_gas)) in (0u64..).zip(bounds) {
            let invoke = Invoke {
                sender: ContractId(Felt::from(0xacc + i)),
                nonce: i,
                calldata: (0..i).map(Felt::from).collect(),
                signature: vec![Felt::ONE],
                bounds: ResourceBounds { l1_gas, l2_gas, l1_data_gas },
            };
            let chain = "SW_ABCDEFGHIJKLMNOPQRSTUVWXYZ23";
            let theirs = |only_query| {
                let version = signed_tx_version(&TransactionVersion::THREE, &TransactionOptions { only_query });
                let given = to_starknet(&invoke).unwrap();
                given.calculate_transaction_hash(&ChainId::Other(chain.into()), &version).unwrap().0
            };
            let chain = shardwire_contracts::tree::short(chain);
            assert_eq!([invoke.hash(chain), invoke.query_hash(chain)], [theirs(false), theirs(true)]);
        }
    }
}
