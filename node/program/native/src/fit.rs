//! Whether a shard can begin from a ground: the start data's classes and contracts are the ground's.
//!
//! An operator looks before it executes, a settler before it starts a shard and before it settles one. Each class of a ground was compiled from its Sierra, so a pair
//! that holds here is a class and what it compiles to.

use crate::{ClassError, GenesisError, Ground, constants::is_shown_otherwise};
use shardwire_contracts::{Start, sessions};
use shardwire_model::{ContractId, Felt};

/// Refuses start data that contradicts itself, or that lists a class or a contract otherwise than the ground has it.
///
/// # Errors
/// [`GenesisError::Start`], [`GenesisError::Sessions`]; [`GenesisError::NoClass`], [`GenesisError::OldAccount`] or [`GenesisError::Class`] of a class; [`GenesisError::Missing`] or
/// [`GenesisError::OtherClass`] of a contract; [`GenesisError::Ground`] if the ground can't be read.
pub fn fit(ground: &dyn Ground, start: &Start) -> Result<(), GenesisError> {
    start.validate()?;
    for pair in &start.classes {
        let class = pair.class_hash;
        if is_shown_otherwise(class) {
            return Err(GenesisError::OldAccount(class));
        }
        let computed = match ground.class(class)? {
            Some(found) => found.compiled_hash(),
            None => return Err(GenesisError::NoClass(class)),
        };
        if computed != pair.compiled_class_hash {
            let error = ClassError::CompiledHash { class, stated: pair.compiled_class_hash, computed };
            return Err(GenesisError::Class { class: format!("{class:#x}"), error });
        }
    }
    for listed in &start.contracts {
        let contract = ContractId(listed.address);
        let class = ground.class_hash_at(contract)?.ok_or(GenesisError::Missing(contract))?;
        let listed = start.classes.get(listed.class).map_or(Felt::ZERO, |pair| pair.class_hash);
        if class != listed {
            return Err(GenesisError::OtherClass { contract, listed, class });
        }
    }
    sessions::place(start)?;
    Ok(())
}
