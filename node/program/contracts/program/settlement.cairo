// What the run begins with, and what comes of it.
from starkware.cairo.common.alloc import alloc
from starkware.cairo.common.cairo_builtins import EcOpBuiltin
from starkware.cairo.common.dict_access import DictAccess
from starkware.cairo.common.math import assert_lt_felt
from starkware.cairo.common.squash_dict import squash_dict

from segments import meet, open_values
from sessions import close_chains
from types import (
    COUNTER, ESCROW, LOCK, SCRATCH, SESSIONS_CLASS, Callee, Class, Context, Contract, Entry, Pair
)

// Felts of an update.
const UPDATE = 4;

// The dictionaries that aren't of storage.
struct Accesses {
    nonces: DictAccess*,
    slacks: DictAccess*,
    chains: DictAccess*,
}

// What is the same for all slots of a contract when it is closed.
struct Closed {
    context: Context*,
    address: felt,
    place: felt,
    // The end of its slots, and of those that the state has of it.
    end: DictAccess*,
    was_end: felt*,
    // Whether the run is over.
    ended: felt,
}

// Opens each contract: its storage begins with an access to each of its entries and to each slot that the state has. Writes what calls of it need.
func open_contracts{range_check_ptr, rc96: felt*, visits: DictAccess*, state: felt*}(
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
    let (local index, local values: felt*, end) = open_entries(
        context, place, contract.closed, index, values, begin
    );
    local rc96: felt* = rc96;
    let (state, end) = open_values(state + 1, state[0], end);
    local state: felt* = state;
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
    assert storage.new_value = storage.prev_value;
    if (entry.kind == SCRATCH) {
        return open_entries(
            context, place, closed, index + 1, values, storage + DictAccess.SIZE
        );
    }
    // What it was when the run began.
    local value;
    %{ ids.value = first_value(ids.storage, ids.place) %}
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

// Writes what the segment read of each contract and what the next state has of it; if the run is over, the update of each entry and the values after.
func close_contracts{
    range_check_ptr,
    rc96: felt*,
    reads: felt*,
    updates: felt*,
    values: felt*,
    firsts: felt*,
    was: felt*,
    next: felt*,
}(context: Context*, squashed: DictAccess*, place: felt, index: felt, ended: felt) -> (
    squashed: DictAccess*, index: felt
) {
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
    local head: felt* = reads;
    local next_head: felt* = next;
    local was_end: felt* = was + 1 + 2 * was[0];
    assert head[0] = contract.address;
    assert head[1] = pair.class_hash;
    assert head[2] = pair.compiled_class_hash;
    let reads = head + 4;
    let was = was + 1;
    let next = next_head + 1;
    tempvar closed = new Closed(
        context=context,
        address=contract.address,
        place=place,
        end=slots_end,
        was_end=was_end,
        ended=ended,
    );
    let (index) = close_slots(closed, slots, index);
    assert was = was_end;
    assert head[3] = (reads - head - 4) / 2;
    assert next_head[0] = (next - next_head - 1) / 2;
    return close_contracts(context, squashed + DictAccess.SIZE, place + 1, index, ended);
}

// The slots ascend by key, and so do the entries of a contract: each entry is met.
func close_slots{
    rc96: felt*,
    reads: felt*,
    updates: felt*,
    values: felt*,
    firsts: felt*,
    was: felt*,
    next: felt*,
}(closed: Closed*, slot: DictAccess*, index: felt) -> (index: felt) {
    alloc_locals;
    if (slot == closed.end) {
        return (index=index);
    }
    let (met) = carry_slot(closed.was_end, slot);
    local reads: felt* = reads;
    local was: felt* = was;
    local next: felt* = next;
    let (index) = settle_slot(closed, slot, index, met);
    return close_slots(closed, slot + DictAccess.SIZE, index);
}

// Writes to the next state what it needs of a slot. A slot that this state doesn't have was read.
func carry_slot{reads: felt*, was: felt*, next: felt*}(was_end: felt*, slot: DictAccess*) -> (
    met: felt
) {
    let (met) = meet(was_end, slot);
    if (met != 0) {
        assert next[0] = slot.key;
        assert next[1] = slot.new_value;
        let next = next + 2;
        return (met=1);
    }
    assert reads[0] = slot.key;
    assert reads[1] = slot.prev_value;
    let reads = reads + 2;
    if (slot.new_value == slot.prev_value) {
        return (met=0);
    }
    assert next[0] = slot.key;
    assert next[1] = slot.new_value;
    let next = next + 2;
    return (met=0);
}

// Looks at a slot if it is an entry. `met` is whether the state has it.
func settle_slot{rc96: felt*, updates: felt*, values: felt*, firsts: felt*}(
    closed: Closed*, slot: DictAccess*, index: felt, met: felt
) -> (index: felt) {
    if (index == closed.context.start.n_entries) {
        return (index=index);
    }
    let entry = closed.context.entries + Entry.SIZE * index;
    if (entry.contract != closed.place) {
        return (index=index);
    }
    if (entry.key != slot.key) {
        return (index=index);
    }
    if (entry.kind == SCRATCH) {
        return (index=index + 1);
    }
    // What no segment before has changed is as it was when the run began.
    assert (1 - met) * (slot.prev_value - firsts[0]) = 0;
    close_entry(closed, entry, slot);
    return (index=index + 1);
}

func close_entry{rc96: felt*, updates: felt*, values: felt*, firsts: felt*}(
    closed: Closed*, entry: Entry*, slot: DictAccess*
) {
    tempvar first = firsts[0];
    let firsts = firsts + 1;
    if (closed.ended == 0) {
        return ();
    }
    assert values[0] = slot.new_value;
    assert updates[0] = entry.kind;
    assert updates[1] = closed.address;
    assert updates[2] = entry.key;
    let values = values + 1;
    if (entry.kind == LOCK) {
        assert updates[3] = slot.new_value;
        let updates = updates + UPDATE;
        // What the shard doesn't hold is as it was.
        if (entry.guard != closed.context.start.shard) {
            assert slot.new_value = first;
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
    tempvar increment = slot.new_value - first;
    assert [rc96 + 2] = increment;
    assert updates[3] = increment;
    let updates = updates + UPDATE;
    let rc96 = rc96 + 3;
    return ();
}

// Writes the first nonce of each account that sent a transaction in this segment before any other, and the next nonces of all.
func close_nonces{reads: felt*, was: felt*, next: felt*}(
    context: Context*, nonce: DictAccess*, end: DictAccess*, was_end: felt*
) {
    if (nonce == end) {
        assert was = was_end;
        return ();
    }
    let (met) = meet(was_end, nonce);
    assert next[0] = nonce.key;
    assert next[1] = nonce.new_value;
    let next = next + 2;
    if (met != 0) {
        return close_nonces(context, nonce + DictAccess.SIZE, end, was_end);
    }
    let contract = context.contracts + Contract.SIZE * nonce.key;
    assert reads[0] = contract.address;
    assert reads[1] = nonce.prev_value;
    let reads = reads + 2;
    return close_nonces(context, nonce + DictAccess.SIZE, end, was_end);
}

// The slacks of all contracts begin with zero.
func close_slacks{was: felt*, next: felt*}(
    slack: DictAccess*, end: DictAccess*, was_end: felt*
) {
    if (slack == end) {
        assert was = was_end;
        return ();
    }
    let (met) = meet(was_end, slack);
    assert next[0] = slack.key;
    assert next[1] = slack.new_value;
    let next = next + 2;
    if (met != 0) {
        return close_slacks(slack + DictAccess.SIZE, end, was_end);
    }
    assert slack.prev_value = 0;
    return close_slacks(slack + DictAccess.SIZE, end, was_end);
}

// Closes the dictionaries of nonces, slacks and chains, each from its first access to its last.
func close_lists{range_check_ptr, ec_op_ptr: EcOpBuiltin*, reads: felt*, was: felt*, next: felt*}(
    context: Context*, begins: Accesses*, ends: Accesses*
) {
    alloc_locals;
    let (local nonces: DictAccess*) = alloc();
    let (nonces_end) = squash_dict(begins.nonces, ends.nonces, nonces);
    local head: felt* = next;
    local was_end: felt* = was + 1 + 2 * was[0];
    let was = was + 1;
    let next = next + 1;
    close_nonces(context, nonces, nonces_end, was_end);
    assert head[0] = (next - head - 1) / 2;

    let (local slacks: DictAccess*) = alloc();
    let (slacks_end) = squash_dict(begins.slacks, ends.slacks, slacks);
    local head: felt* = next;
    local was_end: felt* = was + 1 + 2 * was[0];
    let was = was + 1;
    let next = next + 1;
    close_slacks(slacks, slacks_end, was_end);
    assert head[0] = (next - head - 1) / 2;

    let (local chains: DictAccess*) = alloc();
    let (chains_end) = squash_dict(begins.chains, ends.chains, chains);
    local head: felt* = next;
    local was_end: felt* = was + 1 + 3 * was[0];
    let was = was + 1;
    let next = next + 1;
    close_chains(context, chains, chains_end, was_end);
    assert head[0] = (next - head - 1) / 3;
    return ();
}
