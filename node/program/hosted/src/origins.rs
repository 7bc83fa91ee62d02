//! The states that shards of contracts begin from, for a settler.
//!
//! A settler compiles every class itself: bytecode that lies beside a class is compared with that and never believed. A genesis that isn't here, isn't what it is called or can't be used is
//! this node's trouble: class files lie beside it, and no hash in the start data is one of theirs. Start data that contradicts a genesis that can be used is refused.

use crate::{Geneses, geneses::is_of_this_machine};
use shardwire_model::{AccountId, Coded, ContractId, Felt, Key, ShardStart, Terms};
use shardwire_native::{Genesis, GenesisError, Ground as _, fit};
use shardwire_proving::origin::{Origin, OriginError, Origins};
use std::sync::Arc;

impl Origins for Geneses {
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
        let genesis = self.find(terms.genesis).map_err(OriginError::unable)?;
        fit(&*genesis, &ordered).map_err(cannot)?;
        Ok(Some(Box::new(GenesisOrigin(genesis))))
    }
}

fn cannot(error: GenesisError) -> OriginError {
    if is_of_this_machine(&error) { OriginError::unable(error) } else { OriginError::refused(error) }
}

/// A genesis that a shard begins from.
#[derive(Debug)]
struct GenesisOrigin(Arc<Genesis>);

impl Origin for GenesisOrigin {
    fn storage(&self, contract: ContractId, key: Key) -> Result<Felt, OriginError> {
        self.0.storage_at(contract, key).map_err(OriginError::unable)
    }

    fn nonce(&self, account: AccountId) -> Result<Felt, OriginError> {
        Ok(self.0.nonce_at(ContractId(account.0)).map_err(OriginError::unable)?.into())
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
