//! Starknet's constants, as a shard has them: those of the pinned release, with a shard's own bounds.

use crate::bounds;
use blockifier::blockifier_versioned_constants::VersionedConstants;
use shardwire_model::Felt;
use starknet_api::{
    block::StarknetVersion, contract_class::SierraVersion, versioned_constants_logic::VersionedConstantsTrait,
};
use std::sync::LazyLock;

static CONSTANTS: LazyLock<VersionedConstants> = LazyLock::new(|| {
    let mut constants = VersionedConstants::latest_constants().clone();
    // Older classes would be counted in steps of the virtual machine, which a replay in another program can't repeat.
    constants.min_sierra_version_for_sierra_gas = SierraVersion::new(0, 0, 1);
    constants.max_recursion_depth = bounds::MAX_CALL_DEPTH;
    constants.tx_event_limits.max_n_emitted_events = bounds::MAX_EVENTS;
    constants.tx_event_limits.max_keys_length = bounds::MAX_EVENT_KEYS;
    constants.tx_event_limits.max_data_length = bounds::MAX_EVENT_DATA;
    constants
});

/// Whether Starknet shows accounts of this class another transaction than theirs (an older version, or less of its bounds), which no proof repeats.
pub(crate) fn is_shown_otherwise(class: Felt) -> bool {
    let os = &constants().os_constants;
    let lists = [&os.v1_bound_accounts_cairo1, &os.data_gas_accounts];
    lists.into_iter().flatten().any(|listed| listed.0 == class)
}

/// The version of Starknet whose rules execute.
#[must_use]
pub fn starknet_version() -> String {
    StarknetVersion::LATEST.to_string()
}

/// The constants of every shard of contracts.
pub(crate) fn constants() -> &'static VersionedConstants {
    &CONSTANTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_on_gas_are_starknets_own() {
        let os = &constants().os_constants;
        assert_eq!(os.validate_max_sierra_gas.0, bounds::MAX_VALIDATE_GAS);
        assert_eq!(os.execute_max_sierra_gas.0, bounds::MAX_EXECUTE_GAS);
    }
}
