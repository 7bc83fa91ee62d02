// What a frame's answers are checked against, and how a failed one is undone.
from starkware.cairo.common.dict_access import DictAccess
from starkware.cairo.common.math import assert_lt_felt

from types import CHANGE, ENDED, Builtins, Class, Context, EntryPoint, Note, Undo, enter, leave

func assert_equal_ranges(a: felt*, b: felt*, n: felt) {
    if (n == 0) {
        return ();
    }
    assert a[0] = b[0];
    return assert_equal_ranges(a + 1, b + 1, n - 1);
}

// Walks a failed frame's log back and writes the old values again. It ends in the contract in which the log began.
func undo{visits: DictAccess*, storage: DictAccess*}(log: Undo*, begin: Undo*) {
    if (log == begin) {
        return ();
    }
    let entry = log - Undo.SIZE;
    if (entry.key == CHANGE) {
        leave(storage);
        let (storage) = enter(entry.value);
        return undo(log - Undo.SIZE, begin);
    }
    assert storage.key = entry.key;
    assert storage.new_value = entry.value;
    %{ write(ids.storage, ids.visits) %}
    let storage = storage + DictAccess.SIZE;
    return undo(log - Undo.SIZE, begin);
}

// A syscall that fails by itself, with one felt as its reason.
func fail{rc96: felt*}(response: felt*, gas: felt, reason: felt) {
    assert response[0] = gas;
    assert response[1] = 1;
    let answer = cast(response[2], felt*);
    assert answer[0] = reason;
    assert response[3] = response[2] + 1;
    return ();
}

// A syscall that costs more than there is.
func out_of_gas{rc96: felt*}(gas: felt, cost: felt, response: felt*) {
    assert [rc96] = gas;
    assert [rc96 + 1] = cost - 1 - gas;
    let rc96 = rc96 + 2;
    fail(response, gas, 'Out of gas');
    return ();
}

// Notes the end event.
func note_event{notes: Note*}(context: Context*, keys: felt*, n_keys: felt) {
    if (n_keys == 0) {
        return ();
    }
    if (keys[0] != context.start.end_selector) {
        return ();
    }
    assert notes.kind = ENDED;
    let notes = notes + Note.SIZE;
    return ();
}

// What an inner call returned is what its caller was answered.
func check_answer(p: felt*, failed: felt, gas: felt, retdata: felt*, retdata_end: felt*) {
    tempvar size = retdata_end - retdata;
    assert p[6] = gas;
    assert p[7] = failed;
    let answer = cast(p[8], felt*);
    if (failed != 0) {
        assert answer[size] = 'ENTRYPOINT_FAILED';
        assert p[9] = p[8] + size + 1;
        return assert_equal_ranges(answer, retdata, size);
    }
    assert p[9] = p[8] + size;
    return assert_equal_ranges(answer, retdata, size);
}

// Asserts that a selector lies after that many entry points of a list, and before the next.
func assert_gap{range_check_ptr}(class: Class*, selector: felt, before: felt) {
    alloc_locals;
    if (before != 0) {
        let last = class.entry_points + EntryPoint.SIZE * (before - 1);
        assert_lt_felt(last.selector, selector);
        tempvar range_check_ptr = range_check_ptr;
    } else {
        tempvar range_check_ptr = range_check_ptr;
    }
    if (before != class.n_entry_points) {
        let next = class.entry_points + EntryPoint.SIZE * before;
        assert_lt_felt(selector, next.selector);
        return ();
    }
    return ();
}

// Asserts that a class has no entry point with this selector: the list ascends, and the selector lies in a gap of it.
func assert_no_entry_point{builtins: Builtins*, rc96: felt*}(class: Class*, selector: felt) {
    alloc_locals;
    // How many entry points come before the gap.
    local before;
    %{ ids.before = entry_points_before(ids.class, ids.selector) %}
    assert [rc96] = before;
    assert [rc96 + 1] = class.n_entry_points - before;
    let rc96 = rc96 + 2;
    let range_check_ptr = builtins.range_check;
    with range_check_ptr {
        assert_gap(class, selector, before);
    }
    tempvar builtins = new Builtins(
        pedersen=builtins.pedersen,
        range_check=range_check_ptr,
        bitwise=builtins.bitwise,
        ec_op=builtins.ec_op,
        poseidon=builtins.poseidon,
    );
    return ();
}
