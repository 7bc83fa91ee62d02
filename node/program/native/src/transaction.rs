//! INVOKE v3, as wallets make it.

use crate::{Refusal, bounds};
use shardwire_contracts::tree::ResourceBounds;
use shardwire_model::{ContractId, Felt};
use starknet_api::{
    block::GasPrice,
    core::{ChainId, ContractAddress, Nonce},
    data_availability::DataAvailabilityMode,
    execution_resources::GasAmount,
    transaction::{
        InvokeTransactionV3, TransactionHasher, TransactionOptions, TransactionVersion,
        fields::{self as starknet, AllResourceBounds, Calldata, TransactionSignature, ValidResourceBounds},
        signed_tx_version,
    },
};
use std::sync::Arc;

/// An INVOKE v3. What wallets leave zero or empty in a shard has no place here: prices, tip, paymaster, account deployment, proof facts, data
/// availability on L2. What speaks to wallets refuses it with [`Refusal::Unsupported`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoke {
    /// The account.
    pub sender: ContractId,
    /// How many transactions the account had before.
    pub nonce: u64,
    /// What `__execute__` is given: the calls.
    pub calldata: Vec<Felt>,
    /// What the account contract checks.
    pub signature: Vec<Felt>,
    /// The most that it may use. Prices are zero.
    pub bounds: ResourceBounds,
}

impl Invoke {
    /// The transaction's hash in the chain of this name: what the account signs.
    ///
    /// # Errors
    /// [`Refusal::Sender`] if no contract can have the sender's address.
    pub fn hash(&self, chain: &str) -> Result<Felt, Refusal> {
        self.hash_as(chain, false)
    }

    /// The same, also of a transaction that is only estimated or simulated: wallets sign those as another version.
    pub(crate) fn hash_as(&self, chain: &str, only_query: bool) -> Result<Felt, Refusal> {
        let transaction = self.to_starknet()?;
        let version = signed_tx_version(&TransactionVersion::THREE, &TransactionOptions { only_query });
        let hash = transaction.calculate_transaction_hash(&ChainId::Other(chain.into()), &version);
        hash.map(|hash| hash.0).map_err(|_| Refusal::Sender(self.sender))
    }

    /// Refuses what no state could make good.
    pub(crate) fn check_bounds(&self) -> Result<(), Refusal> {
        let (calldata, signature) = (self.calldata.len(), self.signature.len());
        if calldata > bounds::MAX_CALLDATA_FELTS {
            return Err(Refusal::TooLong { what: "calldata", got: calldata, max: bounds::MAX_CALLDATA_FELTS });
        }
        if signature > bounds::MAX_SIGNATURE_FELTS {
            return Err(Refusal::TooLong { what: "signature", got: signature, max: bounds::MAX_SIGNATURE_FELTS });
        }
        if self.bounds.l2_gas == 0 {
            return Err(Refusal::ZeroGas);
        }
        Ok(())
    }

    /// As Starknet's own crates have it.
    pub(crate) fn to_starknet(&self) -> Result<InvokeTransactionV3, Refusal> {
        let bound =
            |amount| starknet::ResourceBounds { max_amount: GasAmount(amount), max_price_per_unit: GasPrice(0) };
        Ok(InvokeTransactionV3 {
            resource_bounds: ValidResourceBounds::AllResources(AllResourceBounds {
                l1_gas: bound(self.bounds.l1_gas),
                l2_gas: bound(self.bounds.l2_gas),
                l1_data_gas: bound(self.bounds.l1_data_gas),
            }),
            tip: starknet::Tip(0),
            signature: TransactionSignature(Arc::new(self.signature.clone())),
            nonce: Nonce(Felt::from(self.nonce)),
            sender_address: ContractAddress::try_from(self.sender.0).map_err(|_| Refusal::Sender(self.sender))?,
            calldata: Calldata(Arc::new(self.calldata.clone())),
            nonce_data_availability_mode: DataAvailabilityMode::L1,
            fee_data_availability_mode: DataAvailabilityMode::L1,
            paymaster_data: Default::default(),
            account_deployment_data: Default::default(),
            proof_facts: Default::default(),
        })
    }
}
