// A call: the code of its class runs, then each of its syscalls is checked; inner calls are such frames again.
from starkware.cairo.common.dict_access import DictAccess
from starkware.cairo.common.registers import get_ap

from answers import (
    assert_no_entry_point,
    check_answer,
    fail,
    note_event,
    out_of_gas,
    undo,
)
from closing import note_write
from types import (
    CALL_GAS, CHANGE, CLASS_HASH_GAS, ENTRY_GAS, EVENT_GAS, EXECUTE, INFO_GAS, LIBRARY_GAS,
    READ_GAS, WRITE_GAS, Builtins, Class, Contract, EntryPoint, Frame, Note, Pair, Undo,
)

// Checks a frame's syscalls from `p` to `end`, in order. A response begins with the gas that is left and the failure flag.
func check_syscalls{
    rc96: felt*,
    builtins: Builtins*,
    visits: DictAccess*,
    storage: DictAccess*,
    log: Undo*,
    notes: Note*,
}(frame: Frame*, p: felt*, end: felt*) {
    // The usual ones change these four values only, and so don't recurse. (There are no locals: they would be the first round's.)
    tempvar rc96 = rc96;
    tempvar storage = storage;
    tempvar log = log;
    tempvar p = p;

    next:
    let rc96 = cast([ap - 4], felt*);
    let storage = cast([ap - 3], DictAccess*);
    let log = cast([ap - 2], Undo*);
    let p = cast([ap - 1], felt*);
    if (p == end) {
        return ();
    }
    if (p[0] == 'StorageRead') {
        assert p[2] = 0;
        if (p[5] != 0) {
            return go_on_without_gas(frame, p, p + 4, READ_GAS, end);
        }
        tempvar left = p[4];
        assert p[1] = left + READ_GAS;
        assert [rc96] = left;
        tempvar value = p[6];
        assert storage.key = p[3];
        assert storage.prev_value = value;
        assert storage.new_value = value;
        tempvar rc96 = rc96 + 1;
        tempvar storage = storage + DictAccess.SIZE;
        tempvar log = log;
        tempvar p = p + 7;
        jmp next;
    }
    if (p[0] == 'StorageWrite') {
        assert p[2] = 0;
        if (p[6] != 0) {
            return go_on_without_gas(frame, p, p + 5, WRITE_GAS, end);
        }
        tempvar left = p[5];
        assert p[1] = left + WRITE_GAS;
        assert [rc96] = left;
        tempvar key = p[3];
        assert storage.key = key;
        assert storage.new_value = p[4];
        %{ write(ids.storage, ids.visits) %}
        assert log.key = key;
        tempvar before = storage.prev_value;
        assert log.value = before;
        if (frame.closed != 0) {
            let rc96 = rc96 + 1;
            let log = log + Undo.SIZE;
            let storage = storage + DictAccess.SIZE;
            return go_on_after_write(frame, p, before, end);
        }
        tempvar rc96 = rc96 + 1;
        tempvar storage = storage + DictAccess.SIZE;
        tempvar log = log + Undo.SIZE;
        tempvar p = p + 7;
        jmp next;
    }
    if (p[0] == 'GetExecutionInfo') {
        if (p[3] != 0) {
            return go_on_without_gas(frame, p, p + 2, INFO_GAS, end);
        }
        tempvar left = p[2];
        assert p[1] = left + INFO_GAS;
        assert [rc96] = left;
        assert p[4] = cast(frame, felt);
        tempvar rc96 = rc96 + 1;
        tempvar storage = storage;
        tempvar log = log;
        tempvar p = p + 5;
        jmp next;
    }
    if (p[0] == 'EmitEvent') {
        // It costs no more than what is charged already, so it can't lack gas.
        assert p[7] = 0;
        tempvar left = p[6];
        assert p[1] = left + EVENT_GAS;
        assert [rc96] = left;
        if (frame.contract == frame.context.start.end_from) {
            let rc96 = rc96 + 1;
            return go_on_after_event(frame, p, end);
        }
        tempvar rc96 = rc96 + 1;
        tempvar storage = storage;
        tempvar log = log;
        tempvar p = p + 8;
        jmp next;
    }
    return go_on_after_call(frame, p, end);
}

func go_on_without_gas{
    rc96: felt*,
    builtins: Builtins*,
    visits: DictAccess*,
    storage: DictAccess*,
    log: Undo*,
    notes: Note*,
}(frame: Frame*, p: felt*, response: felt*, cost: felt, end: felt*) {
    out_of_gas(p[1], cost, response);
    return check_syscalls(frame, response + 4, end);
}

func go_on_after_write{
    rc96: felt*,
    builtins: Builtins*,
    visits: DictAccess*,
    storage: DictAccess*,
    log: Undo*,
    notes: Note*,
}(frame: Frame*, p: felt*, before: felt, end: felt*) {
    alloc_locals;
    local storage: DictAccess* = storage;
    note_write(frame.context, frame.place, p[3], before, p[4]);
    return check_syscalls(frame, p + 7, end);
}

func go_on_after_event{
    rc96: felt*,
    builtins: Builtins*,
    visits: DictAccess*,
    storage: DictAccess*,
    log: Undo*,
    notes: Note*,
}(frame: Frame*, p: felt*, end: felt*) {
    alloc_locals;
    note_event(frame.context, cast(p[2], felt*), p[3] - p[2]);
    return check_syscalls(frame, p + 8, end);
}

func go_on_after_call{
    rc96: felt*,
    builtins: Builtins*,
    visits: DictAccess*,
    storage: DictAccess*,
    log: Undo*,
    notes: Note*,
}(frame: Frame*, p: felt*, end: felt*) {
    alloc_locals;
    if (p[0] == 'CallContract') {
        check_call(frame, p);
        return check_syscalls(frame, p + 10, end);
    }
    if (p[0] == 'LibraryCall') {
        check_library_call(frame, p);
        return check_syscalls(frame, p + 10, end);
    }
    assert p[0] = 'GetClassHashAt';
    check_class_hash(frame, p);
    return check_syscalls(frame, p + 6, end);
}

func check_class_hash{rc96: felt*}(frame: Frame*, p: felt*) {
    alloc_locals;
    // It costs no more than what is charged already, so it can't lack gas.
    assert p[4] = 0;
    assert p[1] = p[3] + CLASS_HASH_GAS;
    assert [rc96] = p[3];
    local place;
    %{ ids.place = contract_place(ids.p) %}
    assert [rc96 + 1] = place;
    assert [rc96 + 2] = frame.context.start.n_contracts - 1 - place;
    let rc96 = rc96 + 3;
    let contract = frame.context.contracts + Contract.SIZE * place;
    assert contract.address = p[2];
    let pair = frame.context.pairs + Pair.SIZE * contract.class;
    assert p[5] = pair.class_hash;
    return ();
}

func check_call{
    rc96: felt*,
    builtins: Builtins*,
    visits: DictAccess*,
    storage: DictAccess*,
    log: Undo*,
    notes: Note*,
}(frame: Frame*, p: felt*) {
    alloc_locals;
    // The place is the key of a dictionary access, and that dictionary's keys are asserted to be the contracts' places.
    local place;
    // Whether there is enough gas.
    local affordable;
    %{ ids.place, ids.affordable = call_contract(ids.p) %}
    if (affordable == 0) {
        out_of_gas(p[1], CALL_GAS, p + 6);
        return ();
    }
    local gas = p[1] - CALL_GAS;
    assert [rc96] = gas;
    let rc96 = rc96 + 1;
    // Only a transaction calls __execute__.
    if (p[3] == EXECUTE) {
        fail(p + 6, gas, 'Invalid argument');
        return ();
    }
    let contract = frame.context.contracts + Contract.SIZE * place;
    assert contract.address = p[2];
    local class: Class* = frame.context.classes + Class.SIZE * contract.class;
    tempvar inner = new Frame(
        block=frame.block,
        tx=frame.tx,
        caller=frame.contract,
        contract=p[2],
        selector=p[3],
        place=place,
        closed=contract.closed,
        context=frame.context,
    );
    assert log.key = CHANGE;
    assert log.value = frame.place;
    let log = log + Undo.SIZE;
    // Leave this contract, enter that one.
    let visit = visits - DictAccess.SIZE;
    assert visit.new_value = cast(storage, felt);
    %{ leave_contract(ids.visit) %}
    let visit = visits;
    assert visit.key = place;
    %{ enter_contract(ids.visit) %}
    let storage = cast(visit.prev_value, DictAccess*);
    let visits = visits + DictAccess.SIZE;
    let (failed, gas, retdata, retdata_end) = run(
        inner, class, cast(p[4], felt*), cast(p[5], felt*), gas
    );
    local rc96: felt* = rc96;
    local builtins: Builtins* = builtins;
    local notes: Note* = notes;
    local log: Undo* = log;
    local failed = failed;
    // And back.
    let visit = visits - DictAccess.SIZE;
    assert visit.new_value = cast(storage, felt);
    %{ leave_contract(ids.visit) %}
    let visit = visits;
    assert visit.key = frame.place;
    %{ enter_contract(ids.visit) %}
    local storage: DictAccess* = cast(visit.prev_value, DictAccess*);
    local visits: DictAccess* = visits + DictAccess.SIZE;
    check_answer(p, failed, gas, retdata, retdata_end);
    if (failed != 0) {
        // What the frame wrote to the log stands elsewhere.
        return ();
    }
    assert log.key = CHANGE;
    assert log.value = place;
    let log = log + Undo.SIZE;
    return ();
}

func check_library_call{
    rc96: felt*,
    builtins: Builtins*,
    visits: DictAccess*,
    storage: DictAccess*,
    log: Undo*,
    notes: Note*,
}(frame: Frame*, p: felt*) {
    alloc_locals;
    local index;
    local affordable;
    %{ ids.index, ids.affordable = library_call(ids.p) %}
    if (affordable == 0) {
        out_of_gas(p[1], LIBRARY_GAS, p + 6);
        return ();
    }
    tempvar gas = p[1] - LIBRARY_GAS;
    assert [rc96] = gas;
    assert [rc96 + 1] = index;
    assert [rc96 + 2] = frame.context.start.n_classes - 1 - index;
    let rc96 = rc96 + 3;
    let pair = frame.context.pairs + Pair.SIZE * index;
    assert pair.class_hash = p[2];
    tempvar inner = new Frame(
        block=frame.block,
        tx=frame.tx,
        caller=frame.caller,
        contract=frame.contract,
        selector=p[3],
        place=frame.place,
        closed=frame.closed,
        context=frame.context,
    );
    let (failed, gas, retdata, retdata_end) = run(
        inner,
        frame.context.classes + Class.SIZE * index,
        cast(p[4], felt*),
        cast(p[5], felt*),
        gas,
    );
    check_answer(p, failed, gas, retdata, retdata_end);
    return ();
}

// The entry point is there, and its code is run.
const RUN = 0;
const NOT_FOUND = 1;
const NO_GAS = 2;

// Runs a frame in the contract in which the caller has entered. What it did is undone if it failed. `gas` is known to be below 2^96.
func run{
    rc96: felt*,
    builtins: Builtins*,
    visits: DictAccess*,
    storage: DictAccess*,
    log: Undo*,
    notes: Note*,
}(
    frame: Frame*, class: Class*, calldata: felt*, calldata_end: felt*, gas: felt
) -> (failed: felt, gas: felt, retdata: felt*, retdata_end: felt*) {
    alloc_locals;
    local outcome;
    local index;
    local syscalls: felt*;
    %{ ids.outcome, ids.index, ids.syscalls = enter_frame(ids.frame, ids.class, ids.gas) %}
    if (outcome == NOT_FOUND) {
        assert_no_entry_point(class, frame.selector);
        tempvar reason = new ('ENTRYPOINT_NOT_FOUND',);
        return (failed=1, gas=gas, retdata=reason, retdata_end=reason + 1);
    }
    assert [rc96] = index;
    assert [rc96 + 1] = class.n_entry_points - 1 - index;
    local entry_point: EntryPoint* = class.entry_points + EntryPoint.SIZE * index;
    assert entry_point.selector = frame.selector;
    if (outcome == NO_GAS) {
        assert [rc96 + 2] = ENTRY_GAS - 1 - gas;
        let rc96 = rc96 + 3;
        tempvar reason = new ('Out of gas',);
        return (failed=1, gas=gas, retdata=reason, retdata_end=reason + 1);
    }
    local remaining = gas - ENTRY_GAS;
    assert [rc96 + 2] = remaining;
    local start: felt* = class.bytecode + entry_point.offset;
    local has_pedersen = entry_point.has_pedersen;
    local has_range_check = entry_point.has_range_check;
    local has_bitwise = entry_point.has_bitwise;
    local has_ec_op = entry_point.has_ec_op;
    local has_poseidon = entry_point.has_poseidon;
    local rc96: felt* = rc96 + 3;
    local visits: DictAccess* = visits;
    local old_storage: DictAccess* = storage;
    local old_log: Undo* = log;
    local old_notes: Note* = notes;

    // The code takes its builtins in this order, then gas, syscalls and calldata.
    jmp push_pedersen if has_pedersen != 0;
    jmp after_pedersen;
    push_pedersen:
    [ap] = builtins.pedersen, ap++;
    after_pedersen:
    jmp push_range_check if has_range_check != 0;
    jmp after_range_check;
    push_range_check:
    [ap] = builtins.range_check, ap++;
    after_range_check:
    jmp push_bitwise if has_bitwise != 0;
    jmp after_bitwise;
    push_bitwise:
    [ap] = builtins.bitwise, ap++;
    after_bitwise:
    jmp push_ec_op if has_ec_op != 0;
    jmp after_ec_op;
    push_ec_op:
    [ap] = builtins.ec_op, ap++;
    after_ec_op:
    jmp push_poseidon if has_poseidon != 0;
    jmp after_poseidon;
    push_poseidon:
    [ap] = builtins.poseidon, ap++;
    after_poseidon:
    [ap] = remaining, ap++;
    [ap] = cast(syscalls, felt), ap++;
    [ap] = cast(calldata, felt), ap++;
    [ap] = cast(calldata_end, felt), ap++;
    call abs start;

    // It leaves its builtins, then gas, the end of the syscalls, whether it panicked, and what it returns.
    let (ap_val) = get_ap();
    local out: felt* = cast(ap_val - 5, felt*);
    local gas_left = out[0];
    local failed = out[2];
    local poseidon_cell: felt* = out - has_poseidon;
    local ec_op_cell: felt* = poseidon_cell - has_ec_op;
    local bitwise_cell: felt* = ec_op_cell - has_bitwise;
    local range_check_cell: felt* = bitwise_cell - has_range_check;
    local pedersen_cell: felt* = range_check_cell - has_pedersen;
    local new_pedersen;
    local new_range_check;
    local new_bitwise;
    local new_ec_op;
    local new_poseidon;
    // Builtin pointers only go forward, by whole instances; the gas is a number.
    if (has_pedersen != 0) {
        assert new_pedersen = [pedersen_cell];
        assert [rc96] = (new_pedersen - builtins.pedersen) / 3;
        tempvar rc96 = rc96 + 1;
    } else {
        assert new_pedersen = builtins.pedersen;
        tempvar rc96 = rc96;
    }
    if (has_range_check != 0) {
        assert new_range_check = [range_check_cell];
        assert [rc96] = new_range_check - builtins.range_check;
        tempvar rc96 = rc96 + 1;
    } else {
        assert new_range_check = builtins.range_check;
        tempvar rc96 = rc96;
    }
    if (has_bitwise != 0) {
        assert new_bitwise = [bitwise_cell];
        assert [rc96] = (new_bitwise - builtins.bitwise) / 5;
        tempvar rc96 = rc96 + 1;
    } else {
        assert new_bitwise = builtins.bitwise;
        tempvar rc96 = rc96;
    }
    if (has_ec_op != 0) {
        assert new_ec_op = [ec_op_cell];
        assert [rc96] = (new_ec_op - builtins.ec_op) / 7;
        tempvar rc96 = rc96 + 1;
    } else {
        assert new_ec_op = builtins.ec_op;
        tempvar rc96 = rc96;
    }
    if (has_poseidon != 0) {
        assert new_poseidon = [poseidon_cell];
        assert [rc96] = (new_poseidon - builtins.poseidon) / 6;
        tempvar rc96 = rc96 + 1;
    } else {
        assert new_poseidon = builtins.poseidon;
        tempvar rc96 = rc96;
    }
    assert [rc96] = gas_left;
    let rc96 = rc96 + 1;
    tempvar builtins = new Builtins(
        pedersen=new_pedersen,
        range_check=new_range_check,
        bitwise=new_bitwise,
        ec_op=new_ec_op,
        poseidon=new_poseidon,
    );
    let storage = old_storage;
    if (failed == 0) {
        let log = old_log;
        let notes = old_notes;
        check_syscalls(frame, syscalls, cast(out[1], felt*));
        return (
            failed=0,
            gas=gas_left,
            retdata=cast(out[3], felt*),
            retdata_end=cast(out[4], felt*),
        );
    }
    // A frame that fails has a log and notes of its own: nothing of them remains, so it doesn't matter where they stand.
    assert failed = 1;
    local own_log: Undo*;
    local own_notes: Note*;
    %{ ids.own_log, ids.own_notes = failed_frame() %}
    let log = own_log;
    let notes = own_notes;
    check_syscalls(frame, syscalls, cast(out[1], felt*));
    local rc96: felt* = rc96;
    local builtins: Builtins* = builtins;
    undo(log, own_log);
    let log = old_log;
    let notes = old_notes;
    return (
        failed=1, gas=gas_left, retdata=cast(out[3], felt*), retdata_end=cast(out[4], felt*)
    );
}
