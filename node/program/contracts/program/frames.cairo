// A call: the code of its class runs, then each of its syscalls is checked; inner calls are such frames again.
from starkware.cairo.common.dict_access import DictAccess
from starkware.cairo.common.registers import get_ap

from answers import assert_equal_ranges, assert_no_entry_point, check_class_hash, fail, out_of_gas, undo
from types import (
    CALL_GAS, CHANGE, ENDED, ENTRY_GAS, ESCROW, EVENT_GAS, EXECUTE, INFO_GAS, LIBRARY_GAS, LOCK, MOVE,
    READ_GAS, UNLISTED, WRITE_GAS, Builtins, Callee, Class, Entry, EntryPoint, Frame, Note, Pair, Undo,
)

// Checks a frame's syscalls from `p` to `end`, in order. A response begins with the gas that is left and the failure flag.
func check_syscalls{
    rc96: felt*, builtins: Builtins*, visits: DictAccess*, storage: DictAccess*, log: Undo*, notes: Note*
}(frame: Frame*, p: felt*, end: felt*) {
    alloc_locals;
    // The usual ones change these four values only, and don't recurse. Locals are those of the call that ends the rounds.
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
    // The difference to a name: zero if it is that one, and then this cell is the zero that the response is compared with.
    tempvar other = p[0] - 'StorageRead';
    if (other == 0) {
        assert p[2] = other;
        if (p[5] == 0) {
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
        return go_on_without_gas(frame, p, p + 4, READ_GAS, end);
    }
    tempvar other = other + ('StorageRead' - 'StorageWrite');
    if (other == 0) {
        assert p[2] = other;
        if (p[6] == 0) {
            tempvar left = p[5];
            assert p[1] = left + WRITE_GAS;
            assert [rc96] = left;
            tempvar key = p[3];
            tempvar after = p[4];
            assert storage.key = key;
            assert storage.new_value = after;
            %{ write(ids.storage, ids.visits) %}
            assert log.key = key;
            tempvar before = storage.prev_value;
            assert log.value = before;
            if (frame.closed == 0) {
                tempvar rc96 = rc96 + 1;
                tempvar storage = storage + DictAccess.SIZE;
                tempvar log = log + Undo.SIZE;
                tempvar p = p + 7;
                jmp next;
            }
            if (after == before) {
                tempvar rc96 = rc96 + 1;
                tempvar storage = storage + DictAccess.SIZE;
                tempvar log = log + Undo.SIZE;
                tempvar p = p + 7;
                jmp next;
            }
            let rc96 = rc96 + 1;
            let storage = storage + DictAccess.SIZE;
            let log = log + Undo.SIZE;
            return go_on_after_change(frame, p, before, end);
        }
        return go_on_without_gas(frame, p, p + 5, WRITE_GAS, end);
    }
    tempvar other = other + ('StorageWrite' - 'EmitEvent');
    if (other == 0) {
        // It costs no more than what is charged already, so it can't lack gas.
        assert p[7] = other;
        tempvar left = p[6];
        assert p[1] = left + EVENT_GAS;
        assert [rc96] = left;
        tempvar ends = frame.ends;
        if (ends == 0) {
            tempvar rc96 = rc96 + 1;
            tempvar storage = storage;
            tempvar log = log;
            tempvar p = p + 8;
            jmp next;
        }
        tempvar keys = cast(p[2], felt*);
        if (p[3] == cast(keys, felt)) {
            tempvar rc96 = rc96 + 1;
            tempvar storage = storage;
            tempvar log = log;
            tempvar p = p + 8;
            jmp next;
        }
        if (keys[0] != ends) {
            tempvar rc96 = rc96 + 1;
            tempvar storage = storage;
            tempvar log = log;
            tempvar p = p + 8;
            jmp next;
        }
        assert notes.kind = ENDED;
        assert notes.place = -1;
        let rc96 = rc96 + 1;
        let notes = notes + Note.SIZE;
        return check_syscalls(frame, p + 8, end);
    }
    tempvar other = other + ('EmitEvent' - 'CallContract');
    if (other == 0) {
        local p: felt* = p;
        // The place is the key of a dictionary access, and that dictionary's keys are asserted to be the contracts' places.
        local place;
        // Whether there is enough gas.
        local affordable;
        %{ ids.place, ids.affordable = call_contract(ids.p) %}
        if (affordable == 0) {
            return go_on_without_gas(frame, p, p + 6, CALL_GAS, end);
        }
        tempvar gas = p[1] - CALL_GAS;
        tempvar selector = p[3];
        // Only a transaction calls __execute__.
        if (selector == EXECUTE) {
            assert [rc96] = gas;
            let rc96 = rc96 + 1;
            fail(p + 6, gas, 'Invalid argument');
            return check_syscalls(frame, p + 10, end);
        }
        tempvar callee = frame.context.callees + place * Callee.SIZE;
        tempvar address = p[2];
        assert callee.address = address;
        tempvar inner = new Frame(
            block=frame.block,
            tx=frame.tx,
            caller=frame.contract,
            contract=address,
            selector=selector,
            place=place,
            closed=callee.closed,
            ends=callee.ends,
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
            inner, callee.class, cast(p[4], felt*), cast(p[5], felt*), gas
        );
        // And back.
        let visit = visits - DictAccess.SIZE;
        assert visit.new_value = cast(storage, felt);
        %{ leave_contract(ids.visit) %}
        let visit = visits;
        assert visit.key = frame.place;
        %{ enter_contract(ids.visit) %}
        let storage = cast(visit.prev_value, DictAccess*);
        let visits = visits + DictAccess.SIZE;
        assert p[6] = gas;
        if (failed == 0) {
            assert log.key = CHANGE;
            assert log.value = place;
            let log = log + Undo.SIZE;
            if (retdata_end == retdata + 1) {
                // One felt, as most return it.
                assert p[7] = failed;
                tempvar answer = cast(p[8], felt*);
                assert p[9] = cast(answer, felt) + 1;
                assert answer[0] = retdata[0];
                return check_syscalls(frame, p + 10, end);
            }
            return go_on_after_answer(frame, p, failed, retdata, retdata_end, end);
        }
        // What the frame wrote to the log stands elsewhere.
        return go_on_after_answer(frame, p, failed, retdata, retdata_end, end);
    }
    tempvar other = other + ('CallContract' - 'GetExecutionInfo');
    if (other == 0) {
        if (p[3] == 0) {
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
        return go_on_without_gas(frame, p, p + 2, INFO_GAS, end);
    }
    if (p[0] == 'LibraryCall') {
        return go_on_after_library_call(frame, p, end);
    }
    return go_on_after_class_hash(frame, p, end);
}

func go_on_after_class_hash{
    rc96: felt*, builtins: Builtins*, visits: DictAccess*, storage: DictAccess*, log: Undo*, notes: Note*
}(frame: Frame*, p: felt*, end: felt*) {
    check_class_hash(frame, p);
    return check_syscalls(frame, p + 6, end);
}

func go_on_without_gas{
    rc96: felt*, builtins: Builtins*, visits: DictAccess*, storage: DictAccess*, log: Undo*, notes: Note*
}(frame: Frame*, p: felt*, response: felt*, cost: felt, end: felt*) {
    out_of_gas(p[1], cost, response);
    return check_syscalls(frame, response + 4, end);
}

// Notes a change in a closed contract, unless what changed is listed and not an escrow.
func go_on_after_change{
    rc96: felt*, builtins: Builtins*, visits: DictAccess*, storage: DictAccess*, log: Undo*, notes: Note*
}(frame: Frame*, p: felt*, before: felt, end: felt*) {
    alloc_locals;
    let place = frame.place;
    let key = p[3];
    // Whether the slot counts as listed. To say no of one that is listed makes the rule stricter, so that it needs no proof.
    local listed;
    local index;
    %{ ids.listed, ids.index = find_entry(ids.place, ids.key) %}
    if (listed == 0) {
        assert notes.kind = UNLISTED;
        assert notes.place = place;
        assert notes.key = key;
        assert notes.value = before;
        assert notes.after = p[4];
        let notes = notes + Note.SIZE;
        return check_syscalls(frame, p + 7, end);
    }
    assert [rc96] = index;
    assert [rc96 + 1] = frame.context.start.n_entries - 1 - index;
    let rc96 = rc96 + 2;
    tempvar entry = frame.context.entries + index * Entry.SIZE;
    assert entry.contract = place;
    assert entry.key = key;
    tempvar kind = entry.kind;
    if (kind == ESCROW) {
        assert notes.kind = MOVE;
        assert notes.place = place;
        assert notes.value = before;
        assert notes.after = p[4];
        let notes = notes + Note.SIZE;
        return check_syscalls(frame, p + 7, end);
    }
    if (kind == LOCK) {
        // A lock that the shard doesn't hold may not change; the prover has to say that it isn't listed.
        assert entry.guard = frame.context.start.shard;
        return check_syscalls(frame, p + 7, end);
    }
    return check_syscalls(frame, p + 7, end);
}

// What an inner call returned is what its caller was answered. The gas is compared already.
func go_on_after_answer{
    rc96: felt*, builtins: Builtins*, visits: DictAccess*, storage: DictAccess*, log: Undo*, notes: Note*
}(frame: Frame*, p: felt*, failed: felt, retdata: felt*, retdata_end: felt*, end: felt*) {
    tempvar size = retdata_end - retdata;
    tempvar answer = cast(p[8], felt*);
    assert p[7] = failed;
    if (failed != 0) {
        assert answer[size] = 'ENTRYPOINT_FAILED';
        assert p[9] = cast(answer, felt) + size + 1;
        assert_equal_ranges(answer, retdata, size);
        return check_syscalls(frame, p + 10, end);
    }
    assert p[9] = cast(answer, felt) + size;
    assert_equal_ranges(answer, retdata, size);
    return check_syscalls(frame, p + 10, end);
}

func go_on_after_library_call{
    rc96: felt*, builtins: Builtins*, visits: DictAccess*, storage: DictAccess*, log: Undo*, notes: Note*
}(frame: Frame*, p: felt*, end: felt*) {
    alloc_locals;
    local index;
    local affordable;
    %{ ids.index, ids.affordable = library_call(ids.p) %}
    if (affordable == 0) {
        return go_on_without_gas(frame, p, p + 6, LIBRARY_GAS, end);
    }
    assert [rc96] = index;
    assert [rc96 + 1] = frame.context.start.n_classes - 1 - index;
    let rc96 = rc96 + 2;
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
        ends=frame.ends,
        context=frame.context,
    );
    let (failed, gas, retdata, retdata_end) = run(
        inner,
        frame.context.classes + Class.SIZE * index,
        cast(p[4], felt*),
        cast(p[5], felt*),
        p[1] - LIBRARY_GAS,
    );
    assert p[6] = gas;
    return go_on_after_answer(frame, p, failed, retdata, retdata_end, end);
}

// The entry point is there, and its code is run.
const RUN = 0;
const NOT_FOUND = 1;
// Neither: the entry point is there, and not the gas to begin it.

// Runs a frame in the contract in which the caller has entered. What it did is undone if it failed. `gas` may be any felt.
func run{
    rc96: felt*, builtins: Builtins*, visits: DictAccess*, storage: DictAccess*, log: Undo*, notes: Note*
}(
    frame: Frame*, class: Class*, calldata: felt*, calldata_end: felt*, gas: felt
) -> (failed: felt, gas: felt, retdata: felt*, retdata_end: felt*) {
    alloc_locals;
    local outcome;
    local index;
    local syscalls: felt*;
    %{ ids.outcome, ids.index, ids.syscalls = enter_frame(ids.frame, ids.class, ids.gas) %}
    if (outcome != RUN) {
        // It has gas to begin with, be it little.
        assert [rc96] = gas;
        let rc96 = rc96 + 1;
        if (outcome == NOT_FOUND) {
            assert_no_entry_point(class, frame.selector);
            tempvar reason = new ('ENTRYPOINT_NOT_FOUND',);
            return (failed=1, gas=gas, retdata=reason, retdata_end=reason + 1);
        }
        assert [rc96] = index;
        assert [rc96 + 1] = class.n_entry_points - 1 - index;
        assert [rc96 + 2] = ENTRY_GAS - 1 - gas;
        let rc96 = rc96 + 3;
        let poor: EntryPoint* = class.entry_points + index * EntryPoint.SIZE;
        assert poor.selector = frame.selector;
        tempvar reason = new ('Out of gas',);
        return (failed=1, gas=gas, retdata=reason, retdata_end=reason + 1);
    }
    assert [rc96] = index;
    assert [rc96 + 1] = class.n_entry_points - 1 - index;
    tempvar entry_point: EntryPoint* = class.entry_points + index * EntryPoint.SIZE;
    assert entry_point.selector = frame.selector;
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
        pedersen=new_pedersen, range_check=new_range_check, bitwise=new_bitwise, ec_op=new_ec_op, poseidon=new_poseidon
    );
    let storage = old_storage;
    if (failed == 0) {
        let log = old_log;
        let notes = old_notes;
        check_syscalls(frame, syscalls, cast(out[1], felt*));
        return (
            failed=0, gas=gas_left, retdata=cast(out[3], felt*), retdata_end=cast(out[4], felt*)
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
    return (failed=1, gas=gas_left, retdata=cast(out[3], felt*), retdata_end=cast(out[4], felt*));
}
