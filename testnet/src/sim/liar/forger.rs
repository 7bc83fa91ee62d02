//! What a prover can forge that proves well: a run that began from a state of its own.
//!
//! It takes its own key for that of the dungeon's master and plays a game of one transaction in the master's name, which makes the master a hero and ends the shard. Each
//! signature holds, and so does the proof; only the list of what the run read says that the master's key was another one. A settler that didn't compare that would settle it.

use crate::{clients::Dungeon, contracts::L2_GAS, sim::reexecution::Notary};
use shardwire_model::{AccountKey, ContractId, Felt, Key, Logged, PeerId, ShardId, Slot, Terms};
use shardwire_native::{Class, Genesis, Ground, GroundError};
use shardwire_protocols::trace::JobOffer;
use shardwire_starknet::Account;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// See the module's page.
#[derive(Debug)]
pub(in crate::sim) struct Forger {
    notary: Arc<Notary>,
    dungeon: Arc<Dungeon>,
    /// What it forged, by shard.
    forged: Mutex<BTreeMap<ShardId, Option<Vec<u8>>>>,
}

/// A genesis with another value in one slot.
#[derive(Debug)]
struct Bent {
    genesis: Arc<Genesis>,
    slot: Slot,
    value: Felt,
}

impl Ground for Bent {
    fn storage_at(&self, contract: ContractId, key: Key) -> Result<Felt, GroundError> {
        if Slot::new(contract, key) == self.slot { Ok(self.value) } else { self.genesis.storage_at(contract, key) }
    }

    fn nonce_at(&self, contract: ContractId) -> Result<u64, GroundError> {
        self.genesis.nonce_at(contract)
    }

    fn class_hash_at(&self, contract: ContractId) -> Result<Option<Felt>, GroundError> {
        self.genesis.class_hash_at(contract)
    }

    fn class(&self, hash: Felt) -> Result<Option<Arc<Class>>, GroundError> {
        self.genesis.class(hash)
    }
}

impl Forger {
    pub(in crate::sim) fn new(notary: Arc<Notary>, dungeon: Arc<Dungeon>) -> Self {
        Self { notary, dungeon, forged: Mutex::default() }
    }

    /// A proof of a game that nobody played, of this shard; none if that isn't one of contracts.
    pub(super) fn forge(&self, offer: &JobOffer, prover: PeerId) -> Option<Vec<u8>> {
        let mut forged = self.forged.lock().unwrap_or_else(PoisonError::into_inner);
        forged.entry(offer.shard).or_insert_with(|| self.prove(offer, prover)).clone()
    }

    fn prove(&self, JobOffer { start, values, .. }: &JobOffer, prover: PeerId) -> Option<Vec<u8>> {
        let Terms::Contracts(terms) = &start.terms else { return None };
        let chain = start.for_contracts().ok()?.chain_id();
        let secret = Felt::from(0x11a2_u64);
        let master = self.dungeon.master();
        let invoke = Account::new(master, secret).invoke(chain, 0, &self.dungeon.triumph(), L2_GAS)?;
        let log = vec![Logged { transaction: invoke.into(), time: terms.begins, reverted: false }];
        let slot = Slot::new(master, Key::of_variable("public_key", &[]));
        let ground =
            Bent { genesis: self.notary.genesis().ok()?, slot, value: AccountKey::from_scalar(secret)?.id().0 };
        self.notary.prove(Arc::new(ground), start, values, log, prover).ok()
    }
}
