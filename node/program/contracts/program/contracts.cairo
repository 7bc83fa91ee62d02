// The program `contracts`: one shard's run of real Starknet contracts, from the state it was forked from to the end event, proven.
//
// ## What a proof means
//
// The output is all that settlement believes: abi version, program, shard, segment, commitment before, commitment after, commitment of
// the reads, commitment of the transactions, their count, ended, number of updates, then kind, contract, key, value of each update.
// Whoever verifies it compares `before` with the commitment of the start data and the values of the listed slots as the World has them,
// and `reads` with the state that the shard was forked from. Then it says: there is a list of transactions, with that commitment, that
// executed one after the other as Starknet executes them, each signed as its account demands or by a key that its account allowed to make that
// call (`sessions.cairo`), and these are the updates. Of a segment it says the same, from one state to another.
//
// It does not say that they kept to the limits that Starknet has for a sequencer's sake: how deep calls nest, how many and how large events
// are, how many steps, that `__validate__` calls no other contract. Admission refuses what exceeds them. Nor does it know the accounts that
// Starknet tells an older version or fewer bounds than there are (`v1_bound_accounts_cairo1`, `data_gas_accounts`): their classes are refused too.
//
// ## What is assumed of the contracts' code
//
// Code is fixed by its hash (`classes.cairo`), and that hash is in the start data beside its class's. Whoever votes for a start has
// checked that the pair is what a Sierra compiler made of the class. CASM of that compiler is *safe*; this program relies on:
//
// 1. Entered by `call` at the offset of an entry point, it returns to the cell after the `call` with fp as it was: it jumps within its
//    own bytecode only, and every `ret` is of a `call` of its own. It falls off its end into `ret` and the pointer that follow it here.
// 2. It leaves on the stack its builtin pointers in the order of its list, then gas, the end of the syscalls, the panic flag, the
//    returned array. Builtin pointers only go forward, and it uses each instance that it takes as its libfuncs say, from a pointer that it got.
// 3. A syscall is written where the last one ended; the request's cells are asserted by the code, the response's are read.
// 4. It reads only what it was given, between the two ends of an array, or what it has asserted.
// 5. Its bytecode is cut for its hash where its functions and constants begin (`compute_bytecode_segment_lengths` of the compiler refuses a
//    jump out of a function). So whatever runs in such a segment or is read of it, the segment's first cell was executed before: the function
//    was called, or the `ret` before the constants, for their address.
//
// These hold whatever a prover puts into memory and into hints: each libfunc is sound against that. They do not hold for CASM written by
// hand, which is why a pair that nobody checked must never get into start data. What is *not* assumed, and asserted here although 2. says
// it: that builtin pointers move forward by whole instances, and that gas is a number.
//
// ## Why contracts can't reach this program's cells
//
// There is nothing to reach. Memory is one flat list of cells of a value each, chosen by the prover before all else. To "write" is to
// assert that a cell has a value. Code that asserts something of a cell of this program only narrows what the prover may choose; it can't
// give a cell two values. So nothing here relies on two addresses being different: each fact below is one of values that were asserted,
// by this program or by safe code, in the cells at the addresses named, whether these overlap or not. A prover that lets lists overlap
// (the log of one frame and the syscalls of another, say) must satisfy all assertions of both.
//
// ## Why range checks hold
//
// The cells from a builtin's first to its end are constrained, and both ends are public (cairo-air 1.3.0, `check_builtin`: the segment of the
// claim begins where the public range does and reaches to its end at least). A check is one only if its cell lies between.
// - `rc96`, the range-check builtin of 96 bits, begins at its public beginning and ends at its public end (`main` takes and returns it).
//   No entry point can name that builtin (`EntryPoint` has no flag for it, and the flags are what is hashed), so code never gets the
//   pointer; by 1. the text of this program alone moves it, always forward, by as many cells as it has used. So every `[rc96]` lies
//   between the two and holds a number from 0 to 2^96 - 1.
// - The others are passed to code. After each call `rc96` shows that the pointer went forward by a number of whole instances below
//   2^96; there are fewer than 2^64 calls, so the sum doesn't wrap, and each pointer at each time lies between the builtin's beginning and its
//   public end. So the range checks in this program's use of the common library (squash_dict, blake, assert_lt_felt) hold as well.
//
// ## Why each guess can't lie
//
// - *Start data, values before*: hashed into `before`.
// - *Class* (bytecode, entry points, builtins): hashed, and compared with the start data.
// - *That a segment of bytecode wasn't used*: then its cells aren't hashed but its hash is given, and hashed with the others', so it is the one that
//   the class has. Its first cell is asserted to be -1, which the machine's constraints take for no instruction: nothing of it ran or was read (5.).
// - *A value read or overwritten*: each contract's accesses form one dictionary; `squash_dict` shows that every access finds what the last
//   one left, and that the first found is what `reads` has. A frame that calls leaves its contract, and the callee's accesses are in
//   between: the dictionary of contracts (`visits`) chains the lists' ends the same way. Each stay in a contract is an access of it, and its
//   last access is the stay that lasts: stays are only ever begun behind it, and each is left (its end is asserted) before the next begins.
// - *An entry point's index*: range-checked, its selector compared. *That there is none*: it lies in a gap of an ascending list.
// - *What a call returned, its failure flag, its gas*: compared with what the frame that ran left. The gas of each syscall is asserted,
//   and which of the two happened, enough or not enough, is range-checked: what is left is a number, or what is missing is. The gas of a call is
//   such a number where its frame begins (`run`), also where no code of it runs.
// - *How far a syscall reaches*: its name, which the code wrote, and the failure flag say it, to the code and here, so both walk from
//   one to the next alike and end at the same cell. The flag is asserted to be the one or the other.
// - *Caller, contract, selector, block, transaction*: this program builds the cells and asserts that the answer points to them.
// - *Order*: syscalls are checked in the order in which they stand, inner calls run when they are met.
// - *Where a failed frame keeps its log and notes*: only this frame's entries are read from there. Undoing writes old values as new accesses.
// - *A transaction*: its fields are hashed as Starknet hashes them, its account's code checks the signature over that hash. Its nonce is the
//   account's next. Its time isn't before the last one's, and the last isn't after the deadline. The lengths of its arrays are below 2^32,
//   as compiled code takes for granted.
// - *A session call*: `sessions.cairo`.
// - *Whether a change in a closed contract is listed*: yes needs the entry, no makes the rule stricter: the slot has to end as it began. What a contract's escrows come to counts
//   all changes, also where one slot was said to be listed at one write and not at another (`sum_moves`). A write that changes nothing needs no rule.
//   What is noted, and by whom it is looked at: `closing.cairo`.
// - *A segment's beginning and end*: `segments.cairo`.
// - *What calls of a contract need* (`Callee`): written by this program from the start data, once, before the first transaction.
// - *A contract's place*: it is a key of `visits`, whose squashed list has the keys 0, 1, …, n - 1 and no other; elsewhere range-checked.
//
// ## Why nothing wraps
//
// Amounts are below 2^96, sums have fewer than 2^64 of them; gas is below 2^96 after each check and 2^64 at the beginning; the prime is above
// 2^251. Keys of storage are below 2^251 in Sierra, so the mark CHANGE of the log is none.
%builtins output pedersen range_check ecdsa bitwise ec_op keccak poseidon range_check96 add_mod mul_mod

from starkware.cairo.common.alloc import alloc
from starkware.cairo.common.builtin_poseidon.poseidon import poseidon_hash_many
from starkware.cairo.common.cairo_blake2s.blake2s import (
    encode_felt252_data_and_calc_blake_hash as blake,
)
from starkware.cairo.common.cairo_builtins import EcOpBuiltin, PoseidonBuiltin
from starkware.cairo.common.dict_access import DictAccess
from starkware.cairo.common.registers import get_fp_and_pc
from starkware.cairo.common.squash_dict import squash_dict

from classes import check_classes
from segments import State, open_chains, open_values
from settlement import UPDATE, Accesses, close_contracts, close_lists, open_contracts
from transactions import run_transactions
from types import (
    SESSION_MAX_GAS, Bound, Bounds, Builtins, Callee, Class, Context, Contract, Entry, Pair, Start
)

const ABI_VERSION = 2;
const START_VERSION = 1;
// Felts of the output before the first update.
const HEADER = 11;

func main{
    output_ptr: felt*,
    pedersen_ptr,
    range_check_ptr,
    ecdsa_ptr,
    bitwise_ptr,
    ec_op_ptr: EcOpBuiltin*,
    keccak_ptr,
    poseidon_ptr: PoseidonBuiltin*,
    range_check96_ptr: felt*,
    add_mod_ptr,
    mul_mod_ptr,
}() {
    alloc_locals;
    let (__fp__, _) = get_fp_and_pc();
    // Code counts with these: pedersen, bitwise, ec_op, poseidon, add_mod, mul_mod, blake.
    local builtin_costs: felt* = new (4050, 583, 4085, 491, 230, 604, 3334);
    local start: Start*;
    local classes: Class*;
    // The place of the contract that keeps sessions.
    local sessions;
    // What the segment goes on from.
    local state: State*;
    %{ ids.start, ids.classes, ids.sessions, ids.state = start_shard(ids.builtin_costs) %}
    assert start.version = START_VERSION;
    let (local start_commitment) = poseidon_hash_many(
        Start.SIZE + Pair.SIZE * start.n_classes + Contract.SIZE * start.n_contracts +
        Entry.SIZE * start.n_entries,
        start,
    );
    local pairs: Pair* = cast(start + Start.SIZE, Pair*);
    local contracts: Contract* = cast(pairs + Pair.SIZE * start.n_classes, Contract*);
    let (local callees: Callee*) = alloc();
    local session_bounds: Bounds* = new Bounds(
        l1_gas=Bound(resource='L1_GAS', max_amount=0, max_price=0),
        l2_gas=Bound(resource='L2_GAS', max_amount=SESSION_MAX_GAS, max_price=0),
        l1_data_gas=Bound(resource='L1_DATA', max_amount=0, max_price=0),
    );
    local context: Context = Context(
        start=start,
        pairs=pairs,
        contracts=contracts,
        entries=cast(contracts + Contract.SIZE * start.n_contracts, Entry*),
        classes=classes,
        callees=callees,
        sessions=sessions,
        session_bounds=session_bounds,
    );

    let (local visits_begin: DictAccess*) = alloc();
    let (local nonces_begin: DictAccess*) = alloc();
    let (local chains_begin: DictAccess*) = alloc();
    let (local slacks_begin: DictAccess*) = alloc();
    let (local order_begin: felt*) = alloc();
    // The start's commitment, then the value of each entry that settles.
    let (local before: felt*) = alloc();
    let (local after: felt*) = alloc();
    assert before[0] = start_commitment;
    assert after[0] = start_commitment;
    local size = 1 + start.n_settled;

    let rc96 = range_check96_ptr;
    let visits = visits_begin;
    let order = order_begin;
    let lists = cast(state + State.SIZE, felt*);
    with rc96, visits {
        let (opened, opened_values) = open_contracts{state=lists}(&context, 0, 0, before + 1);
    }
    assert opened = start.n_entries;
    assert opened_values = before + size;
    local rc96: felt* = rc96;
    local visits: DictAccess* = visits;
    local range_check_ptr = range_check_ptr;
    let (lists, local nonces: DictAccess*) = open_values(lists + 1, lists[0], nonces_begin);
    let (lists, local slacks: DictAccess*) = open_values(lists + 1, lists[0], slacks_begin);
    let (local state_end: felt*, local chains: DictAccess*) = open_chains(
        lists + 1, lists[0], chains_begin
    );
    let (local run) = poseidon_hash_many(size, before);
    assert state.run = run;
    let (local before_commitment) = commit_before(&context, state, state_end);
    local range_check_ptr = range_check_ptr;

    tempvar builtins = new Builtins(
        pedersen=pedersen_ptr,
        range_check=range_check_ptr,
        bitwise=bitwise_ptr,
        ec_op=cast(ec_op_ptr, felt),
        poseidon=cast(poseidon_ptr, felt),
    );
    with rc96, builtins, visits, nonces, chains, slacks, order {
        let (local count, local time, local ended) = run_transactions(
            &context, state.count, state.time
        );
    }
    // The last is the latest.
    assert [rc96] = start.deadline - time;
    local rc96: felt* = rc96 + 1;
    local visits: DictAccess* = visits;
    local nonces: DictAccess* = nonces;
    local chains: DictAccess* = chains;
    local slacks: DictAccess* = slacks;
    local order: felt* = order;
    local pedersen_ptr = builtins.pedersen;
    local bitwise_ptr = builtins.bitwise;
    local ec_op_ptr: EcOpBuiltin* = cast(builtins.ec_op, EcOpBuiltin*);
    let range_check_ptr = builtins.range_check;
    local poseidon_ptr: PoseidonBuiltin* = cast(builtins.poseidon, PoseidonBuiltin*);

    let (local squashed: DictAccess*) = alloc();
    let (local squashed_end) = squash_dict(visits_begin, visits, squashed);
    let (local reads_begin: felt*) = alloc();
    let (local next_begin: State*) = alloc();
    assert [next_begin] = State(run=run, segment=state.segment + 1, count=count, time=time);
    // What isn't over settles nothing.
    local n_updates = ended * start.n_settled;
    local updates_begin: felt* = output_ptr + HEADER;
    let reads = reads_begin;
    let updates = updates_begin;
    let values = after + 1;
    let firsts = before + 1;
    let was = cast(state + State.SIZE, felt*);
    let next = cast(next_begin + State.SIZE, felt*);
    with rc96, reads, updates, values, firsts, was, next {
        let (closed, index) = close_contracts(&context, squashed, 0, 0, ended);
    }
    assert closed = squashed_end;
    assert index = start.n_entries;
    assert firsts = before + size;
    assert values = after + 1 + n_updates;
    assert updates = updates_begin + UPDATE * n_updates;
    local rc96: felt* = rc96;
    with reads, was, next {
        close_lists(
            &context,
            new Accesses(nonces=nonces_begin, slacks=slacks_begin, chains=chains_begin),
            new Accesses(nonces=nonces, slacks=slacks, chains=chains),
        );
    }
    assert was = state_end;
    local next: felt* = next;
    local ec_op_ptr: EcOpBuiltin* = ec_op_ptr;
    let (local reads_commitment) = blake(reads - reads_begin, reads_begin);
    let (local transactions_commitment) = blake(order - order_begin, order_begin);
    check_classes(&context, 0, builtin_costs);
    let (local after_commitment) = commit_after(ended, size, after, cast(next_begin, felt*), next);
    local range_check_ptr = range_check_ptr;
    local poseidon_ptr: PoseidonBuiltin* = poseidon_ptr;

    assert output_ptr[0] = ABI_VERSION;
    assert output_ptr[1] = start.program;
    assert output_ptr[2] = start.shard;
    assert output_ptr[3] = state.segment;
    assert output_ptr[4] = before_commitment;
    assert output_ptr[5] = after_commitment;
    assert output_ptr[6] = reads_commitment;
    assert output_ptr[7] = transactions_commitment;
    assert output_ptr[8] = count - state.count;
    assert output_ptr[9] = ended;
    assert output_ptr[10] = n_updates;
    let output_ptr = output_ptr + HEADER + UPDATE * n_updates;
    let range_check96_ptr = rc96;
    return ();
}

// What stands for the state that a segment goes on from: for the first, which has no such state, the run's own beginning.
func commit_before{range_check_ptr}(context: Context*, state: State*, state_end: felt*) -> (
    commitment: felt
) {
    if (state.segment == 0) {
        assert state.count = 0;
        assert state.time = context.start.begins;
        // Each list is its length and no more: of each contract's slots, of nonces, slacks and chains.
        assert state_end = cast(state, felt*) + State.SIZE + context.start.n_contracts + 3;
        return (commitment=state.run);
    }
    let (commitment) = blake(state_end - cast(state, felt*), cast(state, felt*));
    return (commitment=commitment);
}

// What stands for the state that a segment ends with: of the last, start data and the values that settle.
func commit_after{range_check_ptr, poseidon_ptr: PoseidonBuiltin*}(
    ended: felt, size: felt, values: felt*, state: felt*, state_end: felt*
) -> (commitment: felt) {
    if (ended != 0) {
        let (commitment) = poseidon_hash_many(size, values);
        return (commitment=commitment);
    }
    let (commitment) = blake(state_end - state, state);
    return (commitment=commitment);
}
