// The records that the parts of the program share, and the constants of Starknet that they obey.
from starkware.cairo.common.dict_access import DictAccess

// Starknet's versioned constants 0.14.4. What a syscall costs beyond the 10000 that the code of its caller has charged already.
const READ_GAS = 14070;
const WRITE_GAS = 49970;
const CALL_GAS = 81360;
const LIBRARY_GAS = 78660;
const INFO_GAS = 1240;
const EVENT_GAS = 0;
const CLASS_HASH_GAS = 0;
// What an entry point is charged before it begins.
const ENTRY_GAS = 10000;
const VALIDATE_MAX_GAS = 100000000;
const EXECUTE_MAX_GAS = 1110000000;
const BLOCK_ROUNDING = 100;
const TIME_ROUNDING = 3600;
// An array is shorter than this: what compiled code takes for granted.
const ARRAY_BOUND = 2 ** 32;
const AMOUNT_BOUND = 2 ** 64;

// What a session call may use: its key doesn't say, so it is little.
const SESSION_MAX_GAS = 100000000;
// The class of `sessions/sessions.cairo`, and the name of its map, hashed: sn_keccak("allowed").
const SESSIONS_CLASS = 0x43c0b2e7d4899834d7f8ce8f3e6a8862de5dd13dd864179a452fbe98c6ad3da;
const ALLOWED = 0x26dde72d78cdcb5cbb6678be64735040d7e8bffe5b7e08f7e2813239f71b125;

const VALIDATE = 0x162da33a4585851fe8d3af3c2a9c60b557814e221e0d4f30ff0b2189d9c7775;
const EXECUTE = 0x15d40a3d6ca2ac30f4031e42be28da9b056fef9bb7357ac5e85627ee876e5ad;

const COUNTER = 1;
const ESCROW = 2;
const LOCK = 3;
const SCRATCH = 4;

// The start data: a fixed part; the classes, the contracts and the entries follow it.
struct Start {
    version: felt,
    shard: felt,
    program: felt,
    operator_low: felt,
    operator_high: felt,
    end_from: felt,
    end_selector: felt,
    chain_id: felt,
    begins: felt,
    deadline: felt,
    first_block: felt,
    sequencer: felt,
    n_classes: felt,
    n_contracts: felt,
    n_entries: felt,
    n_settled: felt,
}

struct Pair {
    class_hash: felt,
    compiled_class_hash: felt,
}

struct Contract {
    address: felt,
    class: felt,
    closed: felt,
    account: felt,
}

struct Entry {
    kind: felt,
    contract: felt,
    key: felt,
    guard: felt,
    maximum: felt,
}

struct EntryPoint {
    selector: felt,
    offset: felt,
    has_pedersen: felt,
    has_range_check: felt,
    has_bitwise: felt,
    has_ec_op: felt,
    has_poseidon: felt,
}

// A run of bytecode that is hashed alone. Of one that isn't used the hash is given, and it can't be entered.
struct Segment {
    length: felt,
    used: felt,
    hash: felt,
}

struct Class {
    bytecode: felt*,
    length: felt,
    entry_points: EntryPoint*,
    n_entry_points: felt,
    segments: Segment*,
    // Zero if the bytecode is hashed in one.
    n_segments: felt,
    l1_handlers: felt,
    constructors: felt,
}

// What a call of a contract needs of it, worked out once.
struct Callee {
    address: felt,
    class: Class*,
    closed: felt,
    // The first key of the end event if it is this contract's, otherwise zero.
    ends: felt,
}

// What does not change during the run.
struct Context {
    start: Start*,
    pairs: Pair*,
    contracts: Contract*,
    entries: Entry*,
    classes: Class*,
    // In the order of the contracts.
    callees: Callee*,
    // The place of the one contract of the class SESSIONS_CLASS. Where there is none, no contract's.
    sessions: felt,
    // What every session call is told of its limits.
    session_bounds: Bounds*,
}

// The builtins that contracts may use, each with its next free instance.
struct Builtins {
    pedersen: felt,
    range_check: felt,
    bitwise: felt,
    ec_op: felt,
    poseidon: felt,
}

struct Block {
    number: felt,
    time: felt,
    sequencer: felt,
}

// As a contract sees a transaction of version 3.
struct TxInfo {
    version: felt,
    account: felt,
    max_fee: felt,
    signature: felt*,
    signature_end: felt*,
    hash: felt,
    chain_id: felt,
    nonce: felt,
    bounds: Bounds*,
    bounds_end: felt*,
    tip: felt,
    paymaster_data: felt*,
    paymaster_data_end: felt*,
    nonce_mode: felt,
    fee_mode: felt,
    deployment_data: felt*,
    deployment_data_end: felt*,
    proof_facts: felt*,
    proof_facts_end: felt*,
}

struct Bound {
    resource: felt,
    max_amount: felt,
    max_price: felt,
}

struct Bounds {
    l1_gas: Bound,
    l2_gas: Bound,
    l1_data_gas: Bound,
}

// A call that runs. Its first five cells are what GetExecutionInfo answers with.
struct Frame {
    block: Block*,
    tx: TxInfo*,
    caller: felt,
    contract: felt,
    selector: felt,
    // The contract's place in the start data.
    place: felt,
    // As its callee has them.
    closed: felt,
    ends: felt,
    context: Context*,
}

// A write, or a change to another contract, to be undone if the frame fails.
struct Undo {
    // CHANGE, or the key that was written.
    key: felt,
    // The place of the contract that ran before the change, or the value before the write.
    value: felt,
}

// No storage address is that high.
const CHANGE = 2 ** 251;

// What is to be looked at when the transaction ends, if the frames that did it succeed.
struct Note {
    kind: felt,
    // The contract's, -1 for ENDED.
    place: felt,
    // Only UNLISTED has it.
    key: felt,
    // The values before and after.
    value: felt,
    after: felt,
}

// The end event was emitted.
const ENDED = 1;
// A slot that isn't listed was changed in a closed contract.
const UNLISTED = 2;
// An escrow was changed.
const MOVE = 3;

// A stay in a contract: the dictionary of contracts has an access for each, with the end of the contract's storage accesses before and
// after. The stay that lasts is always the last access of `visits`.
func enter{visits: DictAccess*}(place: felt) -> (storage: DictAccess*) {
    let visit = visits;
    assert visit.key = place;
    %{ enter_contract(ids.visit) %}
    let visits = visits + DictAccess.SIZE;
    return (storage=cast(visit.prev_value, DictAccess*));
}

func leave{visits: DictAccess*}(storage: DictAccess*) {
    let visit = visits - DictAccess.SIZE;
    assert visit.new_value = cast(storage, felt);
    %{ leave_contract(ids.visit) %}
    return ();
}
