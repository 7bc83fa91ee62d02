// Transactions: an INVOKE of version 3 (its hash, its nonce, its time, its two calls), or a session call.
from starkware.cairo.common.builtin_poseidon.poseidon import poseidon_hash_many
from starkware.cairo.common.cairo_builtins import PoseidonBuiltin
from starkware.cairo.common.dict_access import DictAccess

from closing import close_transaction
from frames import run
from sessions import GivenCall, run_session_call
from types import (
    AMOUNT_BOUND,
    ARRAY_BOUND,
    BLOCK_ROUNDING,
    EXECUTE,
    EXECUTE_MAX_GAS,
    TIME_ROUNDING,
    VALIDATE,
    VALIDATE_MAX_GAS,
    Block,
    Bound,
    Bounds,
    Builtins,
    Callee,
    Context,
    Contract,
    Frame,
    Note,
    Start,
    TxInfo,
    Undo,
    enter,
    leave,
)

// What the prover says that the next transaction is. A session call is a `GivenCall`.
struct Given {
    // Zero: no key is.
    key: felt,
    place: felt,
    nonce: felt,
    l1_gas: felt,
    l2_gas: felt,
    l1_data_gas: felt,
    time: felt,
    calldata: felt*,
    calldata_size: felt,
    signature: felt*,
    signature_size: felt,
    log: Undo*,
    notes: Note*,
}

// A number as the hash has it: the resource's name, the amount in 64 bits, a price of zero in 128 bits.
const AMOUNT_SHIFT = 2 ** 128;
const NAME_SHIFT = 2 ** 192;

// The hash of a transaction without tip, paymaster, account deployment and proof facts, data available on L1, prices of zero.
func transaction_hash{poseidon_ptr: PoseidonBuiltin*}(
    start: Start*, sender: felt, given: Given*
) -> (hash: felt) {
    alloc_locals;
    local start: Start* = start;
    tempvar bounds = new (
        0,
        'L1_GAS' * NAME_SHIFT + given.l1_gas * AMOUNT_SHIFT,
        'L2_GAS' * NAME_SHIFT + given.l2_gas * AMOUNT_SHIFT,
        'L1_DATA' * NAME_SHIFT + given.l1_data_gas * AMOUNT_SHIFT,
    );
    let (local bounds_hash) = poseidon_hash_many(4, bounds);
    let (local calldata_hash) = poseidon_hash_many(given.calldata_size, given.calldata);
    // The hash of nothing.
    const EMPTY = 0x2272be0f580fd156823304800919530eaa97430e972d7213ee13f4fbf7a5dbc;
    tempvar fields = new (
        'invoke',
        3,
        sender,
        bounds_hash,
        EMPTY,
        start.chain_id,
        given.nonce,
        0,
        EMPTY,
        calldata_hash,
    );
    let (hash) = poseidon_hash_many(10, fields);
    return (hash=hash);
}

// A number rounded down.
func round_down{rc96: felt*}(number: felt, unit: felt) -> (rounded: felt) {
    alloc_locals;
    local units;
    %{ ids.units = ids.number // ids.unit %}
    local rounded = units * unit;
    assert [rc96] = units;
    assert [rc96 + 1] = number - rounded;
    assert [rc96 + 2] = unit - 1 - number + rounded;
    let rc96 = rc96 + 3;
    return (rounded=rounded);
}

// The smaller of two numbers below 2^95.
func minimum{rc96: felt*}(a: felt, b: felt) -> (minimum: felt) {
    alloc_locals;
    local is_first;
    %{ ids.is_first = ids.a <= ids.b %}
    if (is_first != 0) {
        assert [rc96] = b - a;
        let rc96 = rc96 + 1;
        return (minimum=a);
    }
    assert [rc96] = a - b;
    let rc96 = rc96 + 1;
    return (minimum=b);
}

func assert_below{rc96: felt*}(number: felt, bound: felt) {
    assert [rc96] = number;
    assert [rc96 + 1] = bound - 1 - number;
    let rc96 = rc96 + 2;
    return ();
}

func run_transaction{
    rc96: felt*,
    builtins: Builtins*,
    visits: DictAccess*,
    nonces: DictAccess*,
    chains: DictAccess*,
    slacks: DictAccess*,
    order: felt*,
}(context: Context*, index: felt, time: felt) -> (ended: felt, time: felt) {
    alloc_locals;
    local given: Given*;
    %{ ids.given = next_transaction() %}
    if (given.key != 0) {
        let (ended, time) = run_session_call(context, cast(given, GivenCall*), index, time);
        return (ended=ended, time=time);
    }

    // The place is the key of a dictionary access, and that dictionary's keys are asserted to be the contracts' places.
    local place = given.place;
    local contract: Contract* = context.contracts + Contract.SIZE * place;
    assert contract.account = 1;
    local callee: Callee* = context.callees + Callee.SIZE * place;
    local sender = callee.address;
    assert nonces.key = place;
    assert nonces.prev_value = given.nonce;
    assert nonces.new_value = given.nonce + 1;
    let nonces = nonces + DictAccess.SIZE;

    assert_below(given.l1_gas, AMOUNT_BOUND);
    assert_below(given.l2_gas, AMOUNT_BOUND);
    assert_below(given.l1_data_gas, AMOUNT_BOUND);
    assert_below(given.calldata_size, ARRAY_BOUND);
    assert_below(given.signature_size, ARRAY_BOUND);
    // Time doesn't run back.
    assert [rc96] = given.time - time;
    let rc96 = rc96 + 1;

    let poseidon_ptr = cast(builtins.poseidon, PoseidonBuiltin*);
    let (local hash) = transaction_hash{poseidon_ptr=poseidon_ptr}(context.start, sender, given);
    tempvar builtins = new Builtins(
        pedersen=builtins.pedersen,
        range_check=builtins.range_check,
        bitwise=builtins.bitwise,
        ec_op=builtins.ec_op,
        poseidon=cast(poseidon_ptr, felt),
    );
    local builtins: Builtins* = builtins;
    assert order[0] = hash;
    assert order[1] = given.time;
    let order = order + 2;

    tempvar bounds = new Bounds(
        l1_gas=Bound(resource='L1_GAS', max_amount=given.l1_gas, max_price=0),
        l2_gas=Bound(resource='L2_GAS', max_amount=given.l2_gas, max_price=0),
        l1_data_gas=Bound(resource='L1_DATA', max_amount=given.l1_data_gas, max_price=0),
    );
    tempvar nothing: felt* = cast(bounds, felt*) + Bounds.SIZE;
    tempvar tx = new TxInfo(
        version=3,
        account=sender,
        max_fee=0,
        signature=given.signature,
        signature_end=given.signature + given.signature_size,
        hash=hash,
        chain_id=context.start.chain_id,
        nonce=given.nonce,
        bounds=bounds,
        bounds_end=nothing,
        tip=0,
        paymaster_data=nothing,
        paymaster_data_end=nothing,
        nonce_mode=0,
        fee_mode=0,
        deployment_data=nothing,
        deployment_data_end=nothing,
        proof_facts=nothing,
        proof_facts_end=nothing,
    );
    local tx: TxInfo* = tx;
    local number = context.start.first_block + index;
    let (local rounded_number) = round_down(number, BLOCK_ROUNDING);
    let (rounded_time) = round_down(given.time, TIME_ROUNDING);
    tempvar block = new Block(number=rounded_number, time=rounded_time, sequencer=0);
    tempvar frame = new Frame(
        block=block,
        tx=tx,
        caller=0,
        contract=sender,
        selector=VALIDATE,
        place=place,
        closed=callee.closed,
        ends=callee.ends,
        context=context,
    );
    local frame: Frame* = frame;

    let (local gas) = minimum(given.l2_gas, VALIDATE_MAX_GAS);
    let (storage) = enter(place);
    let log = given.log;
    let notes = given.notes;
    let (failed, gas_left, retdata, retdata_end) = run{
        storage=storage, log=log, notes=notes
    }(frame, callee.class, given.calldata, given.calldata + given.calldata_size, gas);
    // It returned VALID and nothing else.
    assert failed = 0;
    assert retdata_end = retdata + 1;
    assert retdata[0] = 'VALID';
    local storage: DictAccess* = storage;
    local log: Undo* = log;
    local notes: Note* = notes;
    local visits: DictAccess* = visits;
    local builtins: Builtins* = builtins;

    let (gas) = minimum(given.l2_gas - gas + gas_left, EXECUTE_MAX_GAS);
    tempvar block = new Block(number=number, time=given.time, sequencer=context.start.sequencer);
    tempvar frame = new Frame(
        block=block,
        tx=tx,
        caller=0,
        contract=sender,
        selector=EXECUTE,
        place=place,
        closed=callee.closed,
        ends=callee.ends,
        context=context,
    );
    let (_, _, _, _) = run{storage=storage, log=log, notes=notes}(
        frame, callee.class, given.calldata, given.calldata + given.calldata_size, gas
    );
    leave(storage);
    let (ended) = close_transaction(given.notes, notes);
    return (ended=ended, time=given.time);
}

// Runs transactions until the end event, or until the prover ends the segment. Whether the run has ended is what the last transaction did; nobody is asked.
func run_transactions{
    rc96: felt*,
    builtins: Builtins*,
    visits: DictAccess*,
    nonces: DictAccess*,
    chains: DictAccess*,
    slacks: DictAccess*,
    order: felt*,
}(context: Context*, index: felt, time: felt) -> (count: felt, time: felt, ended: felt) {
    alloc_locals;
    let (ended, local time) = run_transaction(context, index, time);
    if (ended != 0) {
        return (count=index + 1, time=time, ended=1);
    }
    local more;
    // Waits for the next transaction.
    %{ ids.more = more_transactions() %}
    if (more == 0) {
        return (count=index + 1, time=time, ended=0);
    }
    return run_transactions(context, index + 1, time);
}
