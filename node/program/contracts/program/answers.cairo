// What a frame's answers are checked against, and how a failed one is undone.
from starkware.cairo.common.dict_access import DictAccess
from starkware.cairo.common.math import assert_lt_felt

from types import CHANGE, CLASS_HASH_GAS, Builtins, Class, Contract, EntryPoint, Frame, Pair, Undo, enter, leave

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

// What GetClassHashAt was answered.
func check_class_hash{rc96: felt*}(frame: Frame*, p: felt*) {
    alloc_locals;
    assert p[0] = 'GetClassHashAt';
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
