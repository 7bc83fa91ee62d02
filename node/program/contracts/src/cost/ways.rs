//! What the numbers of steps are of: functions of the program, whose longest ways a test adds up.

use super::{
    BLAKE_CALL, CALL, CHECK_CLASS, CLOSE_CHAIN, CLOSE_CONTRACT, CLOSE_LISTS, CLOSE_NONCE, CLOSE_SLACK, CLOSE_SLOT,
    ENTRY_POINT, INVOKE, MAIN, NOTE, OPEN_CONTRACT, OPEN_ENTRY, OPEN_VALUE, PIECE, POSEIDON_CALL, RETURNED, SESSION,
    SQUASH, SQUASH_KEY, SYSCALL, WRITE,
};

/// A number of steps: what it is of, and the functions whose ways it is the sum of, each with how often.
pub(crate) type Ways = (&'static str, u64, &'static [(u64, &'static str)]);

/// What each number of steps is of.
pub(crate) const STEPS: &[Ways] = &[
    (
        "hashing with Blake2s",
        BLAKE_CALL,
        &[
            (1, "encode_felt252_data_and_calc_blake_hash"),
            (1, "encode_felt252s_to_u32s"),
            (1, "blake_with_opcode"),
            (2, "alloc"),
        ],
    ),
    ("hashing with Poseidon", POSEIDON_CALL, &[(1, "poseidon_hash_many")]),
    ("squashing", SQUASH, &[(1, "squash_dict"), (1, "alloc")]),
    ("a key that is squashed", SQUASH_KEY, &[(1, "squash_dict_inner"), (1, "assert_lt_felt"), (1, "assert_le_felt")]),
    (
        "opening a contract",
        OPEN_CONTRACT,
        &[(1, "open_contracts"), (1, "alloc"), (1, "assert_lt_felt"), (1, "assert_le_felt")],
    ),
    ("opening an entry", OPEN_ENTRY, &[(1, "open_entries")]),
    ("going on from a value", OPEN_VALUE, &[(1, "open_values")]),
    ("going on from a chain", OPEN_VALUE, &[(1, "open_chains")]),
    ("closing a contract", CLOSE_CONTRACT, &[(1, "close_contracts"), (1, "alloc")]),
    (
        "closing a slot",
        CLOSE_SLOT,
        &[(1, "close_slots"), (1, "carry_slot"), (1, "meet"), (1, "settle_slot"), (1, "close_entry")],
    ),
    ("closing a nonce", CLOSE_NONCE, &[(1, "close_nonces"), (1, "meet")]),
    ("closing a slack", CLOSE_SLACK, &[(1, "close_slacks"), (1, "meet")]),
    ("closing a chain", CLOSE_CHAIN, &[(1, "close_chains"), (1, "check_first")]),
    ("closing the lists", CLOSE_LISTS, &[(1, "close_lists"), (3, "alloc")]),
    (
        "a class",
        CHECK_CLASS,
        &[
            (1, "check_class"),
            (1, "check_classes"),
            (1, "bytecode_hash"),
            (2, "alloc"),
            (1, "assert_lt_felt"),
            (1, "assert_le_felt"),
        ],
    ),
    (
        "an entry point",
        ENTRY_POINT,
        &[
            (1, "write_entry_points"),
            (1, "write_names"),
            (5, "write_name"),
            (1, "alloc"),
            (1, "assert_lt_felt"),
            (1, "assert_le_felt"),
        ],
    ),
    ("a piece of code", PIECE, &[(1, "write_segments")]),
    (
        "an INVOKE",
        INVOKE,
        &[
            (1, "run_transaction"),
            (1, "run_transactions"),
            (1, "transaction_hash"),
            (2, "round_down"),
            (2, "minimum"),
            (5, "assert_below"),
            (1, "enter"),
            (1, "leave"),
            (1, "close_transaction"),
        ],
    ),
    (
        "a session call",
        SESSION,
        &[
            (1, "run_session_call"),
            (1, "run_transactions"),
            (1, "permission"),
            (1, "add_link"),
            (1, "read_slot"),
            (2, "enter"),
            (2, "leave"),
            (1, "close_transaction"),
        ],
    ),
    (
        "a call",
        CALL,
        &[
            (1, "run"),
            (1, "get_ap"),
            (1, "assert_no_entry_point"),
            (1, "assert_gap"),
            (2, "assert_lt_felt"),
            (2, "assert_le_felt"),
            (1, "undo"),
            (2, "enter"),
            (2, "leave"),
            (1, "alloc"),
        ],
    ),
    ("a system call", SYSCALL, &[(1, "check_syscalls"), (1, "go_on_after_library_call"), (1, "go_on_after_answer")]),
    (
        "a system call that fails",
        SYSCALL,
        &[(1, "check_syscalls"), (1, "go_on_without_gas"), (1, "out_of_gas"), (1, "fail")],
    ),
    (
        "a system call for a class",
        SYSCALL,
        &[(1, "check_syscalls"), (1, "go_on_after_class_hash"), (1, "check_class_hash")],
    ),
    (
        "what a write needs beyond",
        WRITE,
        &[(1, "go_on_after_change"), (1, "close_notes"), (1, "enter"), (1, "leave"), (1, "undo"), (1, "close_moves")],
    ),
    ("a look at a note", NOTE, &[(1, "sum_moves")]),
    ("a felt that was returned", RETURNED, &[(1, "assert_equal_ranges")]),
    ("main", MAIN, &[(1, "main"), (1, "commit_before"), (1, "commit_after")]),
];
