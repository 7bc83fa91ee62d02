//! The compiled form, embedded, and the numbers that its source and this crate share.
//!
//! `program/contracts.cairo` is the source, says what a proof of it means, and why; `node/program/build.sh` compiles it, and with
//! `--check` shows that the compiled form is that source's.

/// The compiled program, as the Cairo compiler wrote it.
pub const COMPILED: &[u8] = include_bytes!("../program/contracts.json");

/// Starknet's versioned constants 0.14.4, as `program/types.cairo` has them.
pub mod gas {
    use crate::cost::Cost;

    /// What a read of storage is charged beyond what its code has charged before.
    pub const READ: u64 = 14_070;
    pub(crate) const WRITE: u64 = 49_970;
    /// What a call of a contract is charged.
    pub const CALL: u64 = 81_360;
    /// What a call of a class is charged.
    pub const LIBRARY: u64 = 78_660;
    pub(crate) const INFO: u64 = 1_240;
    pub(crate) const EVENT: u64 = 0;
    pub(crate) const CLASS_HASH: u64 = 0;
    pub(crate) const ENTRY: u64 = 10_000;
    /// What code reads at its end: pedersen, bitwise, ec_op, poseidon, add_mod, mul_mod, blake.
    pub(crate) const BUILTINS: [u64; 7] = [4050, 583, 4085, 491, 230, 604, 3334];
    /// A range check's.
    const RANGE_CHECK: u64 = 70;

    /// What the builtins are charged that contracts' code used.
    #[must_use]
    pub const fn of_builtins(used: &Cost) -> u64 {
        let [pedersen, bitwise, ec_op, poseidon, ..] = BUILTINS;
        used.pedersen * pedersen
            + used.bitwise * bitwise
            + used.ec_ops * ec_op
            + used.poseidon * poseidon
            + used.range_checks * RANGE_CHECK
    }

    #[cfg(test)]
    pub(crate) const VALIDATE_MAX: u64 = 100_000_000;
    #[cfg(test)]
    pub(crate) const EXECUTE_MAX: u64 = 1_110_000_000;
}

/// The instruction that stands after a class's bytecode.
pub(crate) const RET: u64 = 0x208b_7fff_7fff_7ffe;

/// The texts of the program's own hints, as its source has them.
pub(crate) mod hint {
    pub(crate) const START: &str = "ids.start, ids.classes, ids.sessions, ids.state = start_shard(ids.builtin_costs)";
    pub(crate) const FIRST_VALUE: &str = "ids.value = first_value(ids.storage, ids.place)";
    pub(crate) const MORE_TRANSACTIONS: &str = "ids.more = more_transactions()";
    pub(crate) const OPEN_ENTRY: &str = "open_entry(ids.storage, ids.place)";
    pub(crate) const OPEN_CONTRACT: &str = "open_contract(ids.visit)";
    pub(crate) const READ_SLOT: &str = "read_slot(ids.storage, ids.place)";
    pub(crate) const LAST_LINK: &str = "last_link(ids.chains)";
    pub(crate) const LAST_SIGNATURE: &str = "ids.r, ids.s = last_signature(ids.key)";
    pub(crate) const ENTER_CONTRACT: &str = "enter_contract(ids.visit)";
    pub(crate) const LEAVE_CONTRACT: &str = "leave_contract(ids.visit)";
    pub(crate) const WRITE: &str = "write(ids.storage, ids.visits)";
    pub(crate) const CONTRACT_PLACE: &str = "ids.place = contract_place(ids.p)";
    pub(crate) const CALL_CONTRACT: &str = "ids.place, ids.affordable = call_contract(ids.p)";
    pub(crate) const LIBRARY_CALL: &str = "ids.index, ids.affordable = library_call(ids.p)";
    pub(crate) const ENTRY_POINTS_BEFORE: &str = "ids.before = entry_points_before(ids.class, ids.selector)";
    pub(crate) const USE_SEGMENTS: &str = "use_segments(ids.class)";
    pub(crate) const ENTER_FRAME: &str =
        "ids.outcome, ids.index, ids.syscalls = enter_frame(ids.frame, ids.class, ids.gas)";
    pub(crate) const FAILED_FRAME: &str = "ids.own_log, ids.own_notes = failed_frame()";
    pub(crate) const FIND_ENTRY: &str = "ids.listed, ids.index = find_entry(ids.place, ids.key)";
    pub(crate) const EARLIER_NOTE: &str = "ids.is_again, ids.back = earlier_note(ids.begin, ids.note)";
    pub(crate) const NEXT_MOVER: &str = "ids.place = next_mover(ids.begin, ids.end, ids.above)";
    pub(crate) const SLACK: &str = "slack(ids.slacks, ids.sum)";
    pub(crate) const ROUND_DOWN: &str = "ids.units = ids.number // ids.unit";
    pub(crate) const MINIMUM: &str = "ids.is_first = ids.a <= ids.b";
    pub(crate) const NEXT_TRANSACTION: &str = "ids.given = next_transaction()";
}

shardwire_machine::embedded!(COMPILED);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_readable_and_all_felts() {
        assert_eq!(data().len(), program().data_len());
        assert_eq!(program().iter_builtins().count(), 11, "the prover assumes all eleven");
    }
}
