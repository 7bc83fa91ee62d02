// What the run begins with, and what comes of it.
from starkware.cairo.common.alloc import alloc
from starkware.cairo.common.dict_access import DictAccess
from starkware.cairo.common.math import assert_lt_felt
from starkware.cairo.common.squash_dict import squash_dict

from types import (
    COUNTER, ESCROW, LOCK, SCRATCH, SESSIONS_CLASS, Callee, Class, Context, Contract, Entry, Pair
)

// Felts of an update.
const UPDATE = 4;

// Opens each contract: its storage begins with an access to each of its entries. Writes what calls of it need.
func open_contracts{range_check_ptr, rc96: felt*, visits: DictAccess*}(
    context: Context*, place: felt, index: felt, values: felt*
) -> (index: felt, values: felt*) {
    alloc_locals;
    local contract: Contract* = context.contracts + Contract.SIZE * place;
    assert contract.closed * (contract.closed - 1) = 0;
    assert [rc96] = contract.class;
    assert [rc96 + 1] = context.start.n_classes - 1 - contract.class;
    let rc96 = rc96 + 2;
    let callee = context.callees + Callee.SIZE * place;
    assert callee.address = contract.address;
    assert callee.class = context.classes + Class.SIZE * contract.class;
    assert callee.closed = contract.closed;
    if (contract.address == context.start.end_from) {
        assert callee.ends = context.start.end_selector;
    } else {
        assert callee.ends = 0;
    }
    // The contract that keeps sessions is where the context says, and nowhere else.
    tempvar pair = context.pairs + Pair.SIZE * contract.class;
    if (pair.class_hash == SESSIONS_CLASS) {
        assert context.sessions = place;
    } else {
        if (context.sessions == place) {
            assert 1 = 0;
        }
    }
    let (local begin: DictAccess*) = alloc();
    let (index, values, end) = open_entries(context, place, contract.closed, index, values, begin);
    local values: felt* = values;
    local rc96: felt* = rc96;
    let visit = visits;
    assert visit.key = place;
    assert visit.prev_value = cast(begin, felt);
    assert visit.new_value = cast(end, felt);
    let visits = visits + DictAccess.SIZE;
    %{ open_contract(ids.visit) %}
    local visits: DictAccess* = visits;
    if (place + 1 == context.start.n_contracts) {
        return (index=index, values=values);
    }
    // An address is listed once.
    let next = contract + Contract.SIZE;
    assert_lt_felt(contract.address, next.address);
    return open_contracts(context, place + 1, index, values);
}

func open_entries{rc96: felt*}(
    context: Context*, place: felt, closed: felt, index: felt, values: felt*, storage: DictAccess*
) -> (index: felt, values: felt*, storage: DictAccess*) {
    alloc_locals;
    if (index == context.start.n_entries) {
        return (index=index, values=values, storage=storage);
    }
    local entry: Entry* = context.entries + Entry.SIZE * index;
    if (entry.contract != place) {
        return (index=index, values=values, storage=storage);
    }
    assert storage.key = entry.key;
    %{ open_entry(ids.storage, ids.place) %}
    local value = storage.prev_value;
    assert storage.new_value = value;
    if (entry.kind == SCRATCH) {
        return open_entries(
            context, place, closed, index + 1, values, storage + DictAccess.SIZE
        );
    }
    assert values[0] = value;
    if (entry.kind == LOCK) {
        assert closed = 1;
        return open_entries(
            context, place, closed, index + 1, values + 1, storage + DictAccess.SIZE
        );
    }
    // Amounts are below 2^96, and so are their maxima.
    assert [rc96] = value;
    assert [rc96 + 1] = entry.maximum;
    assert [rc96 + 2] = entry.maximum - value;
    let rc96 = rc96 + 3;
    if (entry.kind == ESCROW) {
        assert closed = 1;
        return open_entries(
            context, place, closed, index + 1, values + 1, storage + DictAccess.SIZE
        );
    }
    assert entry.kind = COUNTER;
    return open_entries(context, place, closed, index + 1, values + 1, storage + DictAccess.SIZE);
}

// Writes what the run read of each contract, the update of each entry, and the values after.
func close_contracts{range_check_ptr, rc96: felt*, reads: felt*, updates: felt*, values: felt*}(
    context: Context*, squashed: DictAccess*, place: felt, index: felt
) -> (squashed: DictAccess*, index: felt) {
    alloc_locals;
    if (place == context.start.n_contracts) {
        return (squashed=squashed, index=index);
    }
    assert squashed.key = place;
    let (local slots: DictAccess*) = alloc();
    let (slots_end) = squash_dict(
        cast(squashed.prev_value, DictAccess*), cast(squashed.new_value, DictAccess*), slots
    );
    let contract = context.contracts + Contract.SIZE * place;
    let pair = context.pairs + Pair.SIZE * contract.class;
    assert reads[0] = contract.address;
    assert reads[1] = pair.class_hash;
    assert reads[2] = pair.compiled_class_hash;
    assert reads[3] = (slots_end - slots) / DictAccess.SIZE;
    let reads = reads + 4;
    let (index) = close_slots(context, contract.address, place, slots, slots_end, index);
    return close_contracts(context, squashed + DictAccess.SIZE, place + 1, index);
}

// The slots ascend by key, and so do the entries of a contract: each entry is met.
func close_slots{rc96: felt*, reads: felt*, updates: felt*, values: felt*}(
    context: Context*, address: felt, place: felt, slot: DictAccess*, end: DictAccess*, index: felt
) -> (index: felt) {
    if (slot == end) {
        return (index=index);
    }
    assert reads[0] = slot.key;
    assert reads[1] = slot.prev_value;
    let reads = reads + 2;
    if (index == context.start.n_entries) {
        return close_slots(context, address, place, slot + DictAccess.SIZE, end, index);
    }
    let entry = context.entries + Entry.SIZE * index;
    if (entry.contract != place) {
        return close_slots(context, address, place, slot + DictAccess.SIZE, end, index);
    }
    if (entry.key != slot.key) {
        return close_slots(context, address, place, slot + DictAccess.SIZE, end, index);
    }
    close_entry(context, entry, address, slot);
    return close_slots(context, address, place, slot + DictAccess.SIZE, end, index + 1);
}

func close_entry{rc96: felt*, updates: felt*, values: felt*}(
    context: Context*, entry: Entry*, address: felt, slot: DictAccess*
) {
    if (entry.kind == SCRATCH) {
        return ();
    }
    assert values[0] = slot.new_value;
    assert updates[0] = entry.kind;
    assert updates[1] = address;
    assert updates[2] = entry.key;
    let values = values + 1;
    if (entry.kind == LOCK) {
        assert updates[3] = slot.new_value;
        let updates = updates + UPDATE;
        // What the shard doesn't hold is as it was.
        if (entry.guard != context.start.shard) {
            assert slot.new_value = slot.prev_value;
            return ();
        }
        return ();
    }
    assert [rc96] = slot.new_value;
    assert [rc96 + 1] = entry.maximum - slot.new_value;
    if (entry.kind == ESCROW) {
        assert updates[3] = slot.new_value;
        let updates = updates + UPDATE;
        let rc96 = rc96 + 2;
        return ();
    }
    tempvar increment = slot.new_value - slot.prev_value;
    assert [rc96 + 2] = increment;
    assert updates[3] = increment;
    let updates = updates + UPDATE;
    let rc96 = rc96 + 3;
    return ();
}

// Writes the first nonce of each account that sent a transaction.
func close_nonces{reads: felt*}(context: Context*, nonce: DictAccess*, end: DictAccess*) {
    if (nonce == end) {
        return ();
    }
    let contract = context.contracts + Contract.SIZE * nonce.key;
    assert reads[0] = contract.address;
    assert reads[1] = nonce.prev_value;
    let reads = reads + 2;
    return close_nonces(context, nonce + DictAccess.SIZE, end);
}

// The slacks of all contracts begin with zero.
func close_slacks(slack: DictAccess*, end: DictAccess*) {
    if (slack == end) {
        return ();
    }
    assert slack.prev_value = 0;
    return close_slacks(slack + DictAccess.SIZE, end);
}
