// What code runs: each class's bytecode and entry points hash to the compiled class hash that the start data has.
from starkware.cairo.common.alloc import alloc
from starkware.cairo.common.cairo_blake2s.blake2s import (
    encode_felt252_data_and_calc_blake_hash as blake,
)
from starkware.cairo.common.math import assert_lt_felt

from types import Class, Context, EntryPoint, Pair, Segment

const RET = 0x208b7fff7fff7ffe;

// Writes the names of an entry point's builtins, in their order.
func write_names(entry_point: EntryPoint*, names: felt*) -> (end: felt*) {
    // Flags are zero or one: they are also the numbers of cells that the call passes.
    assert entry_point.has_pedersen * (entry_point.has_pedersen - 1) = 0;
    assert entry_point.has_range_check * (entry_point.has_range_check - 1) = 0;
    assert entry_point.has_bitwise * (entry_point.has_bitwise - 1) = 0;
    assert entry_point.has_ec_op * (entry_point.has_ec_op - 1) = 0;
    assert entry_point.has_poseidon * (entry_point.has_poseidon - 1) = 0;
    let (names) = write_name(entry_point.has_pedersen, 'pedersen', names);
    let (names) = write_name(entry_point.has_range_check, 'range_check', names);
    let (names) = write_name(entry_point.has_bitwise, 'bitwise', names);
    let (names) = write_name(entry_point.has_ec_op, 'ec_op', names);
    let (names) = write_name(entry_point.has_poseidon, 'poseidon', names);
    return (end=names);
}

func write_name(has: felt, name: felt, names: felt*) -> (end: felt*) {
    if (has == 0) {
        return (end=names);
    }
    assert names[0] = name;
    return (end=names + 1);
}

// Writes what the hash of a list of entry points is of, and asserts that the list ascends.
func write_entry_points{range_check_ptr}(
    entry_point: EntryPoint*, end: EntryPoint*, felts: felt*
) -> (felts: felt*) {
    alloc_locals;
    if (entry_point == end) {
        return (felts=felts);
    }
    let (local names: felt*) = alloc();
    let (names_end) = write_names(entry_point, names);
    let (hash) = blake(names_end - names, names);
    assert felts[0] = entry_point.selector;
    assert felts[1] = entry_point.offset;
    assert felts[2] = hash;
    let next = entry_point + EntryPoint.SIZE;
    if (next == end) {
        return (felts=felts + 3);
    }
    assert_lt_felt(entry_point.selector, next.selector);
    return write_entry_points(entry_point + EntryPoint.SIZE, end, felts + 3);
}

// Writes the length and hash of each segment of a class's bytecode.
func write_segments{range_check_ptr}(bytecode: felt*, segment: Segment*, n: felt, felts: felt*) -> (
    bytecode_end: felt*
) {
    alloc_locals;
    if (n == 0) {
        return (bytecode_end=bytecode);
    }
    assert felts[0] = segment.length;
    if (segment.used == 0) {
        // No instruction is -1, and compiled code enters a segment by executing its first cell, be it for the data in it.
        assert bytecode[0] = -1;
        assert felts[1] = segment.hash;
        return write_segments(bytecode + segment.length, segment + Segment.SIZE, n - 1, felts + 2);
    }
    let (hash) = blake(segment.length, bytecode);
    assert felts[1] = hash;
    return write_segments(bytecode + segment.length, segment + Segment.SIZE, n - 1, felts + 2);
}

func bytecode_hash{range_check_ptr}(class: Class*) -> (hash: felt) {
    alloc_locals;
    if (class.n_segments == 0) {
        return blake(class.length, class.bytecode);
    }
    let (local felts: felt*) = alloc();
    let (end) = write_segments(class.bytecode, class.segments, class.n_segments, felts);
    assert end = class.bytecode + class.length;
    let (hash) = blake(2 * class.n_segments, felts);
    return (hash=hash + 1);
}

func check_class{range_check_ptr}(class: Class*, compiled_class_hash: felt, builtin_costs: felt*) {
    alloc_locals;
    // Now it is known which segments were used.
    %{ use_segments(ids.class) %}
    // Code finds the costs of builtins through what follows it.
    assert class.bytecode[class.length] = RET;
    assert class.bytecode[class.length + 1] = cast(builtin_costs, felt);
    let (local felts: felt*) = alloc();
    let (felts_end) = write_entry_points(
        class.entry_points, class.entry_points + EntryPoint.SIZE * class.n_entry_points, felts
    );
    let (local entry_points) = blake(felts_end - felts, felts);
    let (local bytecode) = bytecode_hash(class);
    tempvar parts = new (
        'COMPILED_CLASS_V1', entry_points, class.l1_handlers, class.constructors, bytecode
    );
    let (hash) = blake(5, parts);
    assert hash = compiled_class_hash;
    return ();
}

func check_classes{range_check_ptr}(context: Context*, index: felt, builtin_costs: felt*) {
    let pair = context.pairs + Pair.SIZE * index;
    check_class(context.classes + Class.SIZE * index, pair.compiled_class_hash, builtin_costs);
    if (index + 1 == context.start.n_classes) {
        return ();
    }
    // A class is listed once.
    let pair = context.pairs + Pair.SIZE * index;
    let next = pair + Pair.SIZE;
    assert_lt_felt(pair.class_hash, next.class_hash);
    return check_classes(context, index + 1, builtin_costs);
}
