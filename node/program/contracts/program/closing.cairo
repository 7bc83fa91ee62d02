// What a transaction may leave behind in closed contracts.
from starkware.cairo.common.dict_access import DictAccess

from types import ENDED, MOVE, UNLISTED, Note, enter, leave

// Looks at the notes of a transaction that succeeded, from `note` to `end`. Returns whether the end event was among them, and how
// many escrows' changes were.
func close_notes{rc96: felt*, visits: DictAccess*}(
    begin: Note*, note: Note*, end: Note*, ended: felt, moves: felt
) -> (ended: felt, moves: felt) {
    alloc_locals;
    if (note == end) {
        return (ended=ended, moves=moves);
    }
    if (note.kind == ENDED) {
        return close_notes(begin, note + Note.SIZE, end, 1, moves);
    }
    if (note.kind == MOVE) {
        assert [rc96] = note.after;
        let rc96 = rc96 + 1;
        return close_notes(begin, note + Note.SIZE, end, ended, moves + 1);
    }
    assert note.kind = UNLISTED;
    // A slot that was changed before in this transaction is looked at with that change: the first of a slot's notes has no earlier
    // one, and its value before is the value at the beginning of the transaction.
    local is_again;
    local back;
    %{ ids.is_again, ids.back = earlier_note(ids.begin, ids.note) %}
    if (is_again != 0) {
        // `back` counts from the first note.
        let earlier = begin + Note.SIZE * back;
        assert [rc96] = back;
        assert [rc96 + 1] = (note - begin) / Note.SIZE - 1 - back;
        let rc96 = rc96 + 2;
        assert earlier.kind = UNLISTED;
        assert earlier.place = note.place;
        assert earlier.key = note.key;
        return close_notes(begin, note + Note.SIZE, end, ended, moves);
    }
    let (storage) = enter(note.place);
    assert storage.key = note.key;
    assert storage.prev_value = note.value;
    assert storage.new_value = note.value;
    leave(storage + DictAccess.SIZE);
    return close_notes(begin, note + Note.SIZE, end, ended, moves);
}

// What the changes of a contract's escrows come to, and how many are noted as such. A change of an escrow that is noted as one of an unlisted slot is counted
// too: what a slot's changes come to is how it ends, less how it began, in whatever way each of them is noted. It is zero for a slot of which one is noted as
// unlisted, since it ends as it began. Else a slot could go up as an unlisted one and down as an escrow, for gold out of nothing.
func sum_moves(note: Note*, end: Note*, place: felt, sum: felt, count: felt) -> (
    sum: felt, count: felt
) {
    if (note == end) {
        return (sum=sum, count=count);
    }
    // No contract's place is that of ENDED.
    if (note.place == place) {
        // Of the two other kinds the one counts, the other doesn't.
        return sum_moves(
            note + Note.SIZE,
            end,
            place,
            sum + note.after - note.value,
            count + (note.kind - UNLISTED) / (MOVE - UNLISTED),
        );
    }
    return sum_moves(note + Note.SIZE, end, place, sum, count);
}

// Asserts of each contract of which escrows changed that all its escrows together don't exceed what they began with. `slacks` has, by
// contract, how much less they are; it begins with zero. The contracts ascend, so no change is counted twice; all are counted.
func close_moves{rc96: felt*, slacks: DictAccess*}(
    begin: Note*, end: Note*, moves: felt, above: felt
) {
    alloc_locals;
    if (moves == 0) {
        return ();
    }
    local place;
    %{ ids.place = next_mover(ids.begin, ids.end, ids.above) %}
    assert [rc96] = place - above - 1;
    let rc96 = rc96 + 1;
    let (sum, count) = sum_moves(begin, end, place, 0, 0);
    if (sum != 0) {
        assert slacks.key = place;
        %{ slack(ids.slacks, ids.sum) %}
        tempvar slack = slacks.prev_value - sum;
        assert slacks.new_value = slack;
        assert [rc96] = slack;
        let slacks = slacks + DictAccess.SIZE;
        let rc96 = rc96 + 1;
        return close_moves(begin, end, moves - count, place);
    }
    return close_moves(begin, end, moves - count, place);
}

// Asserts that a transaction with these notes may end as it did. Returns whether the end event was among them.
func close_transaction{rc96: felt*, visits: DictAccess*, slacks: DictAccess*}(
    begin: Note*, end: Note*
) -> (ended: felt) {
    alloc_locals;
    if (begin == end) {
        return (ended=0);
    }
    let (local ended, moves) = close_notes(begin, begin, end, 0, 0);
    local visits: DictAccess* = visits;
    close_moves(begin, end, moves, -1);
    return (ended=ended);
}
