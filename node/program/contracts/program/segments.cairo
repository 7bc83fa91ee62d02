// A long run is cut in segments, each proven alone, each beginning where the one before ended. A segment that ends without the end event commits to its
// *state*; the next one begins from the state with that commitment.
//
// What a proof of a segment means: some transactions, executed from the state that `before` of the output commits to, come to the state that `after` commits to.
// Of the first segment `before` is what it is of a run in one: start data and the World's values. Of the last `after` is what it is of a run in one. Between them
// it is the hash of this list of felts, and no update is put out:
//
// | felts                                    | what                                                                                     |
// |------------------------------------------|------------------------------------------------------------------------------------------|
// | run                                      | the commitment before the first segment: start data and the values that settle, as they were |
// | segment                                  | the number of the segment that begins from here                                          |
// | count, time                              | how many transactions were before, and the time of the last                              |
// | of each contract n, n times key, value   | the slots that have another value than the run found, or had one when a segment ended    |
// | n, n times place, nonce                  | of each account that sent a transaction the next nonce                                   |
// | n, n times place, slack                  | of each contract of which escrows changed how much less they are                         |
// | n, n times key, link, calls              | how far each session key's chain is                                                      |
//
// Whoever verifies segments in their order asks of each that its `before` is the `after` of the one before it, and of the last that it has ended. Then all their
// transactions, one after the other, are one run as the head of `contracts.cairo` says it, and the updates are the run's. Nothing is settled before: a list of
// segments without its last is a run that isn't over. Where a run is cut is the prover's choice, and doesn't matter for what is proven.
//
// ## Why a lie can't pass
//
// - *Another state than the segment before ended with* (a value, a nonce, a count, a time, a chain, a slack; one more, one less): the state is hashed into `before`,
//   as felts of which one reading only is possible: each list has its length before it, and contracts are as many as the start data has.
// - *A segment of another shard, of other start data, of other first values; segments that are left out, repeated or change places*: the state has the commitment of
//   the run, which is compared with that of the start data and first values here, and the number of the segment. Two histories with the same state are
//   the same to all that comes after: what differs in them is in nobody's storage, and each has its own `transactions`.
// - *A state that counts for less than it is*: each dictionary begins with an access to each key that the state has, with its value. So the squashed
//   dictionary has that key and that first value, and it ascends as the state's list must: `meet` finds each of them, once, or the list isn't at its end when
//   the dictionary is.
// - *A state out of nothing in the first segment*: there it is asserted to be empty, with no transaction before and the time at which the shard begins.
// - *A slot that was changed and isn't in the state*: the condition is computed here. A new slot is in the list of what was read, with the value that it had first, and its
//   first value is the run's, since no segment before left another one there. Settlers compare it, as they do in a run of one segment.
// - *The first value of a counter, an escrow or a lock replaced*: increments and bounds are of the values in the commitment of the run. A slot that isn't in the state had that value
//   when this segment began: asserted.
// - *A link forgotten, or calls counted anew*: a key of the state begins with the record that the state has, each other one at the beginning of a chain. Each segment has the key's
//   signature over the last link that it added; a link that was carried was signed where it was added.
// - *A slack, an escrow beyond what it was*: slacks are carried. Values of escrows after each transaction are below 2^96 by induction.
// - *A slot of a closed contract*: it has its value of before each transaction after it, so nothing of it needs to be carried.
// - *The end set early*: `ended` is what the last transaction of the segment did, see `run_transactions`. After it there is none.
// - *A segment without transactions*: there is none; one is run before it is asked whether there are more.
from starkware.cairo.common.dict_access import DictAccess

// How the state begins that a segment goes on from. The lists follow.
struct State {
    run: felt,
    segment: felt,
    count: felt,
    time: felt,
}

// Begins a dictionary with an access to each of n keys with their values.
func open_values(list: felt*, n: felt, accesses: DictAccess*) -> (list: felt*, accesses: DictAccess*) {
    if (n == 0) {
        return (list=list, accesses=accesses);
    }
    assert accesses.key = list[0];
    assert accesses.prev_value = list[1];
    assert accesses.new_value = list[1];
    return open_values(list + 2, n - 1, accesses + DictAccess.SIZE);
}

// The same for chains: what the dictionary has under a key is the place of its record.
func open_chains(list: felt*, n: felt, accesses: DictAccess*) -> (list: felt*, accesses: DictAccess*) {
    if (n == 0) {
        return (list=list, accesses=accesses);
    }
    assert accesses.key = list[0];
    assert accesses.prev_value = cast(list + 1, felt);
    assert accesses.new_value = cast(list + 1, felt);
    return open_chains(list + 3, n - 1, accesses + DictAccess.SIZE);
}

// Whether the next of the state's keys in this list is that of an access; then its value is the first.
func meet{was: felt*}(was_end: felt*, access: DictAccess*) -> (met: felt) {
    if (was == was_end) {
        return (met=0);
    }
    if (was[0] != access.key) {
        return (met=0);
    }
    assert was[1] = access.prev_value;
    let was = was + 2;
    return (met=1);
}
