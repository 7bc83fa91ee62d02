//! The states that shards of contracts begin from, for a settler.
//!
//! A settler compiles every class itself: bytecode that lies beside a class is compared with that and never believed. A genesis that isn't here, isn't what it is called or can't be used is
//! this node's trouble: class files lie beside it, and no hash in the start data is one of theirs. So is a network that nobody told it of, or that can't be read: it asks nodes of its own,
//! never its operator's. Start data that contradicts a state that can be used is refused.

use crate::{
    Grounds,
    grounds::{BeginError, Found},
};
use shardwire_model::{AccountId, Coded, ContractId, Felt, Key, ShardStart, Slot, Terms};
use shardwire_proving::origin::{Origin, OriginError, Origins};

impl Origins for Grounds {
    fn open(&self, start: &ShardStart) -> Result<Option<Box<dyn Origin>>, OriginError> {
        let is_ours = start.program == crate::hash();
        let terms = match &start.terms {
            Terms::Contracts(terms) if is_ours => terms,
            Terms::Rules if !is_ours => return Ok(None),
            Terms::Contracts(_) | Terms::Rules => {
                return Err(OriginError::refused(OtherTerms { program: start.program }));
            }
        };
        let ordered = start.for_contracts().map_err(OriginError::refused)?;
        let found = self.begin(terms, &ordered).map_err(cannot)?;
        // What a proof's list was compared with, and couldn't be read, is a reason to have the proof wait.
        found.retry(&start.contracts).map_err(OriginError::unable)?;
        Ok(Some(Box::new(Begun(found))))
    }
}

/// A genesis is this node's trouble whatever is wrong with it; what contradicts one that can be used is refused.
fn cannot(error: BeginError) -> OriginError {
    let is_refused = match &error {
        BeginError::Unfit { .. } => !error.is_of_this_machine(),
        BeginError::Early { .. } => true,
        BeginError::Genesis(_) | BeginError::Unknown { .. } | BeginError::Ground(_) => false,
    };
    if is_refused { OriginError::refused(error) } else { OriginError::unable(error) }
}

/// A state that a shard begins from.
#[derive(Debug)]
struct Begun(Found);

impl Origin for Begun {
    fn prepare(&self, slots: &[Slot]) -> Result<(), OriginError> {
        self.0.prepare(slots).map_err(OriginError::unable)
    }

    fn storage(&self, contract: ContractId, key: Key) -> Result<Felt, OriginError> {
        self.0.ground.storage_at(contract, key).map_err(OriginError::unable)
    }

    fn nonce(&self, account: AccountId) -> Result<Felt, OriginError> {
        Ok(self.0.ground.nonce_at(ContractId(account.0)).map_err(OriginError::unable)?.into())
    }

    fn storage_again(&self, contract: ContractId, key: Key) -> Result<Felt, OriginError> {
        self.0.again().storage_at(contract, key).map_err(OriginError::unable)
    }

    fn nonce_again(&self, account: AccountId) -> Result<Felt, OriginError> {
        Ok(self.0.again().nonce_at(ContractId(account.0)).map_err(OriginError::unable)?.into())
    }
}

/// A program that doesn't take such terms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "program {program:#x} takes no shard with these terms: program contracts takes those of contracts, every other one none"
)]
struct OtherTerms {
    /// The program that was asked for.
    program: Felt,
}

impl Coded for OtherTerms {
    fn code(&self) -> &'static str {
        "SW-PROGRAM-009"
    }

    fn next_step(&self) -> String {
        "Name the program that goes with the request's `terms`: `contracts` with terms of contracts, `rules` without."
            .into()
    }
}
