// The program `rules`: one shard's run, from the state snapshot to the end event, proven.
//
// Its output is all that settlement believes (abi version, program, shard, segment, commitment before, commitment after, commitment
// of the reads, commitment of the transactions, their count, ended, number of updates, then kind, contract, key, value of each
// update). The program's hash in it is the start data's, so it says which program the World asked for, not which one ran: that the
// settler takes from the proof. There are no reads from anywhere else, so their commitment is zero. Everything
// a hint supplies is a guess of the one who runs this; what follows from the output holds whatever they guess:
//
// - `before` is the commitment of the start data and the values that this run started from. The settler compares it with the
//   World's, so a guessed start or value is a collision of Poseidon or is refused.
// - An account's transactions form a chain of Blake2s hashes that begins with the start's commitment and the account. Its head is
//   signed by the account: each link is authorised by the last signature, and by no signature made for another shard.
// - The nonce of a transaction is its position in its account's chain, so none is left out, repeated or reordered.
// - Values pass from access to access of a squashed dictionary; the squashed list must be exactly the settlement list.
//
// Why a chain's words are 32-bit numbers though nothing here says so: every block of 16 words is the message of a Blake2s
// instruction, and that instruction's constraints read each word of the message, of the state and of the output as four
// memory limbs of 9, 9, 9 and 5 bits with all higher limbs zero (cairo-air 1.3.0: `blake_round` and `blake_compress_opcode` through
// `ReadU32` and `VerifyU32`). An amount is four such words, so it is below 2^128.
//
// Why nothing wraps: counters and escrows are below 2^128, as the World keeps them, from the start data on and after each change. A
// value plus or minus an amount lies between -2^128 and 2^129, the prime is above 2^251, and the range-check builtin takes exactly
// the numbers from 0 to 2^128 - 1.
//
// Why indices need no range check of their own: the index of an account and of an entry is the key of a dictionary access, and
// both squashed lists are asserted to have the keys 0, 1, …, n - 1 and no other. A transaction names no contract: the one it calls is
// its entry's.
%builtins output pedersen range_check ecdsa bitwise ec_op keccak poseidon range_check96 add_mod mul_mod

from starkware.cairo.common.alloc import alloc
from starkware.cairo.common.builtin_poseidon.poseidon import poseidon_hash_many
from starkware.cairo.common.cairo_blake2s.blake2s import blake_with_opcode
from starkware.cairo.common.cairo_builtins import EcOpBuiltin, PoseidonBuiltin
from starkware.cairo.common.dict_access import DictAccess
from starkware.cairo.common.registers import get_fp_and_pc
from starkware.cairo.common.signature import check_ecdsa_signature
from starkware.cairo.common.squash_dict import squash_dict

const ABI_VERSION = 2;
// sn_keccak("Finished").
const FINISHED = 0x17116b3fdba9e18aaec97e9b506d9c8ffdc20857f6d213e79c5a13289dc6fc8;

const COUNTER = 1;
const ESCROW = 2;
const LOCK = 3;

const ADD = 1;
const SPEND = 2;
const PASS = 3;
const GIVE = 4;
const FINISH = 5;

// Felts of the output before the first update, and of an update.
const HEADER = 11;
const UPDATE = 4;

// Words of a block: the chain's head, then a transaction.
const HEAD = 8;
const BLOCK = 16;

// The fixed part of the start data; the contracts, the accounts and the entries follow it.
struct Start {
    abi: felt,
    shard: felt,
    program: felt,
    operator_low: felt,
    operator_high: felt,
    end_from: felt,
    end_selector: felt,
    deadline: felt,
    n_contracts: felt,
    n_accounts: felt,
    n_entries: felt,
}

struct Entry {
    kind: felt,
    contract: felt,
    key: felt,
    guard: felt,
}

struct Transaction {
    nonce: felt,
    action: felt,
    // For FINISH the contract's index.
    entry: felt,
    other: felt,
    // The lowest word first.
    amount_0: felt,
    amount_1: felt,
    amount_2: felt,
    amount_3: felt,
}

// What does not change during the run.
struct Context {
    start: Start*,
    contracts: felt*,
    accounts: felt*,
    entries: Entry*,
    // The first block of each account's chain.
    chains: felt*,
    // The state that Blake2s begins with.
    iv: felt*,
}

// Hashes a block of 64 bytes and writes the hash to the beginning of the next block: the next link of the chain.
func link(iv: felt*, block: felt*) {
    const OP1_AP = 2 ** 4;
    const AP_ADD_1 = 2 ** 11;
    const BLAKE2S_FINALIZE = 2;
    // The cells that the instruction names, relative to ap.
    const COUNTER_AT = -3;
    const STATE_AT = -2;
    const MESSAGE_AT = -1;
    const INSTRUCTION = (COUNTER_AT + 2 ** 15) + (STATE_AT + 2 ** 15) * 2 ** 16 + (
        MESSAGE_AT + 2 ** 15
    ) * 2 ** 32 + (OP1_AP + AP_ADD_1) * 2 ** 48 + BLAKE2S_FINALIZE * 2 ** 63;

    tempvar counter = 64;
    tempvar state = iv;
    tempvar message = block;
    static_assert ap + COUNTER_AT == &counter;
    static_assert ap + STATE_AT == &state;
    static_assert ap + MESSAGE_AT == &message;
    assert [cast(ap, felt**)] = block + BLOCK;
    dw INSTRUCTION;
    return ();
}

// Asserts that 8 words, each known to be below 2^32, are the one representation of `value` below the prime.
func assert_words{range_check_ptr}(value: felt, words: felt*) {
    // The prime is MAX_HIGH * 2^128 + 1.
    const MAX_HIGH = 2 ** 123 + 17 * 2 ** 64;
    tempvar low = words[0] + words[1] * 2 ** 32 + words[2] * 2 ** 64 + words[3] * 2 ** 96;
    tempvar high = words[4] + words[5] * 2 ** 32 + words[6] * 2 ** 64 + words[7] * 2 ** 96;
    assert value = low + high * 2 ** 128;
    tempvar slack = MAX_HIGH - high;
    assert [range_check_ptr] = slack;
    let range_check_ptr = range_check_ptr + 1;
    if (slack == 0) {
        assert low = 0;
        return ();
    }
    return ();
}

// Begins the chain of each account.
func open_accounts{range_check_ptr, accounts: DictAccess*}(
    context: Context*, start_commitment: felt, index: felt
) {
    alloc_locals;
    if (index == context.start.n_accounts) {
        return ();
    }
    %{ open_account(ids.index) %}
    local chain: felt* = cast(context.chains[index], felt*);
    assert_words(start_commitment, chain);
    assert_words(context.accounts[index], chain + HEAD);
    link(context.iv, chain);
    assert accounts.key = index;
    assert accounts.prev_value = cast(chain + BLOCK, felt);
    assert accounts.new_value = cast(chain + BLOCK, felt);
    let accounts = accounts + DictAccess.SIZE;
    return open_accounts(context, start_commitment, index + 1);
}

// Takes up the value of each entry.
func open_entries{range_check_ptr, entries: DictAccess*}(
    context: Context*, values: felt*, index: felt
) {
    if (index == context.start.n_entries) {
        return ();
    }
    let entry = context.entries[index];
    // Its contract is whitelisted.
    assert [range_check_ptr] = entry.contract;
    assert [range_check_ptr + 1] = context.start.n_contracts - 1 - entry.contract;
    assert entries.key = index;
    assert entries.prev_value = values[index];
    assert entries.new_value = values[index];
    let entries = entries + DictAccess.SIZE;
    if (entry.kind == LOCK) {
        let range_check_ptr = range_check_ptr + 2;
        return open_entries(context, values, index + 1);
    }
    assert (entry.kind - COUNTER) * (entry.kind - ESCROW) = 0;
    assert [range_check_ptr + 2] = values[index];
    let range_check_ptr = range_check_ptr + 3;
    return open_entries(context, values, index + 1);
}

// Sets an entry to its value plus `delta`, and asserts that the sum is from 0 to 2^128 - 1. Nothing wraps: the value before is in
// that range too, and `delta` lies between -2^128 and 2^128.
func shift{range_check_ptr, entries: DictAccess*}(index: felt, delta: felt) {
    assert entries.key = index;
    %{ previous_value(ids.entries) %}
    tempvar value = entries.prev_value + delta;
    assert entries.new_value = value;
    assert [range_check_ptr] = value;
    let range_check_ptr = range_check_ptr + 1;
    let entries = entries + DictAccess.SIZE;
    return ();
}

func assert_no_amount(transaction: Transaction*) {
    assert transaction.amount_0 = 0;
    assert transaction.amount_1 = 0;
    assert transaction.amount_2 = 0;
    assert transaction.amount_3 = 0;
    return ();
}

// Runs transactions until the end event; there is no other way out of it.
func run{range_check_ptr, accounts: DictAccess*, entries: DictAccess*, order: felt*}(
    context: Context*
) -> (ended: felt) {
    alloc_locals;
    // Waits for the next transaction; supplies its account, the end of that account's chain, and its words there.
    %{ next_transaction(ids.accounts) %}
    let index = accounts.key;
    local block: felt* = cast(accounts.prev_value, felt*);
    let transaction = cast(block + HEAD, Transaction*);
    assert order[0] = index;
    let order = order + 1;
    assert accounts.new_value = cast(block + BLOCK, felt);
    assert block = cast(context.chains[index] + BLOCK * transaction.nonce, felt*);
    local account = context.accounts[index];
    let accounts = accounts + DictAccess.SIZE;
    link(context.iv, block);

    if (transaction.action == FINISH) {
        assert transaction.other = 0;
        assert_no_amount(transaction);
        assert [range_check_ptr] = context.start.n_contracts - 1 - transaction.entry;
        let range_check_ptr = range_check_ptr + 1;
        // It emits the event (contract, FINISHED), which must be the one that ends the shard.
        assert context.contracts[transaction.entry] = context.start.end_from;
        assert context.start.end_selector = FINISHED;
        return (ended=1);
    }

    local entry: Entry* = context.entries + Entry.SIZE * transaction.entry;

    if (transaction.action == GIVE) {
        assert_no_amount(transaction);
        assert entry.kind = LOCK;
        // The shard holds the lock, the account holds the thing.
        assert entry.guard = context.start.shard;
        assert [range_check_ptr] = context.start.n_accounts - 1 - transaction.other;
        let range_check_ptr = range_check_ptr + 1;
        assert entries.key = transaction.entry;
        assert entries.prev_value = account;
        assert entries.new_value = context.accounts[transaction.other];
        let entries = entries + DictAccess.SIZE;
        return run(context);
    }

    local amount = transaction.amount_0 + transaction.amount_1 * 2 ** 32 + transaction.amount_2 *
        2 ** 64 + transaction.amount_3 * 2 ** 96;

    if (transaction.action == ADD) {
        assert transaction.other = 0;
        assert entry.kind = COUNTER;
        shift(transaction.entry, amount);
        return run(context);
    }

    // Spend or pass: from an escrow of the account's own.
    assert entry.kind = ESCROW;
    assert entry.guard = account;
    shift(transaction.entry, -amount);
    if (transaction.action == SPEND) {
        assert transaction.other = 0;
        return run(context);
    }

    assert transaction.action = PASS;
    // To another escrow of the same contract.
    local receiver: Entry* = context.entries + Entry.SIZE * transaction.other;
    assert receiver.kind = ESCROW;
    assert receiver.contract = entry.contract;
    if (transaction.entry == transaction.other) {
        assert 0 = 1;
    }
    shift(transaction.other, amount);
    return run(context);
}

// Writes the final head of each account, and checks the signature over it of each that acted.
func close_accounts{ec_op_ptr: EcOpBuiltin*}(
    context: Context*, squashed: DictAccess*, heads: felt*, index: felt
) -> (end: DictAccess*) {
    alloc_locals;
    if (index == context.start.n_accounts) {
        return (end=squashed);
    }
    assert squashed.key = index;
    let head = cast(squashed.new_value, felt*);
    assert heads[0] = head[0];
    assert heads[1] = head[1];
    assert heads[2] = head[2];
    assert heads[3] = head[3];
    assert heads[4] = head[4];
    assert heads[5] = head[5];
    assert heads[6] = head[6];
    assert heads[7] = head[7];
    if (squashed.new_value == squashed.prev_value) {
        return close_accounts(context, squashed + DictAccess.SIZE, heads + HEAD, index + 1);
    }
    tempvar message = head[0] + head[1] * 2 ** 32 + head[2] * 2 ** 64 + head[3] * 2 ** 96 + head[4] *
        2 ** 128 + head[5] * 2 ** 160 + head[6] * 2 ** 192 + head[7] * 2 ** 224;
    local r;
    local s;
    %{ ids.r, ids.s = last_signature(ids.index) %}
    let (valid) = check_ecdsa_signature(message, context.accounts[index], r, s);
    assert valid = 1;
    return close_accounts(context, squashed + DictAccess.SIZE, heads + HEAD, index + 1);
}

// Writes the update of each entry: a counter's increment, what is left of an escrow, a lock's value.
func close_entries(
    context: Context*, squashed: DictAccess*, updates: felt*, values: felt*, index: felt
) -> (end: DictAccess*) {
    if (index == context.start.n_entries) {
        return (end=squashed);
    }
    let entry = context.entries[index];
    assert squashed.key = index;
    assert values[0] = squashed.new_value;
    assert updates[0] = entry.kind;
    assert updates[1] = context.contracts[entry.contract];
    assert updates[2] = entry.key;
    if (entry.kind == COUNTER) {
        assert updates[3] = squashed.new_value - squashed.prev_value;
        return close_entries(
            context, squashed + DictAccess.SIZE, updates + UPDATE, values + 1, index + 1
        );
    }
    assert updates[3] = squashed.new_value;
    return close_entries(
        context, squashed + DictAccess.SIZE, updates + UPDATE, values + 1, index + 1
    );
}

func main{
    output_ptr: felt*,
    pedersen_ptr,
    range_check_ptr,
    ecdsa_ptr,
    bitwise_ptr,
    ec_op_ptr: EcOpBuiltin*,
    keccak_ptr,
    poseidon_ptr: PoseidonBuiltin*,
    range_check96_ptr,
    add_mod_ptr,
    mul_mod_ptr,
}() {
    alloc_locals;
    let (__fp__, _) = get_fp_and_pc();

    // The start data, and the state: the start's commitment, then the value of each entry.
    local start: Start*;
    local state: felt*;
    local chains: felt*;
    %{ ids.start, ids.state, ids.chains = start_shard() %}
    assert start.abi = ABI_VERSION;
    local n_accounts = start.n_accounts;
    local n_entries = start.n_entries;
    let (local start_commitment) = poseidon_hash_many(
        Start.SIZE + start.n_contracts + n_accounts + Entry.SIZE * n_entries, start
    );
    assert state[0] = start_commitment;
    let (local before) = poseidon_hash_many(1 + n_entries, state);

    let (local iv: felt*) = alloc();
    assert iv[0] = 0x6B08E647;  // IV[0] ^ 0x01010020: no key, 32 bytes of output.
    assert iv[1] = 0xBB67AE85;
    assert iv[2] = 0x3C6EF372;
    assert iv[3] = 0xA54FF53A;
    assert iv[4] = 0x510E527F;
    assert iv[5] = 0x9B05688C;
    assert iv[6] = 0x1F83D9AB;
    assert iv[7] = 0x5BE0CD19;

    local contracts: felt* = start + Start.SIZE;
    local accounts_list: felt* = contracts + start.n_contracts;
    local context: Context = Context(
        start=start,
        contracts=contracts,
        accounts=accounts_list,
        entries=cast(accounts_list + n_accounts, Entry*),
        chains=chains,
        iv=iv,
    );

    let (local accounts_begin: DictAccess*) = alloc();
    let (local entries_begin: DictAccess*) = alloc();
    // What the transactions' commitment hashes: 8 words of each account's final head, then a word a transaction.
    let (local heads: felt*) = alloc();
    local order_begin: felt* = heads + HEAD * n_accounts;

    let accounts = accounts_begin;
    let entries = entries_begin;
    let order = order_begin;
    with accounts, entries {
        open_accounts(&context, start_commitment, 0);
        open_entries(&context, state + 1, 0);
        with order {
            let (local ended) = run(&context);
        }
    }
    local accounts: DictAccess* = accounts;
    local entries: DictAccess* = entries;
    local count = order - order_begin;

    let (local squashed_accounts: DictAccess*) = alloc();
    let (local squashed_accounts_end) = squash_dict(accounts_begin, accounts, squashed_accounts);
    let (local squashed_entries: DictAccess*) = alloc();
    let (local squashed_entries_end) = squash_dict(entries_begin, entries, squashed_entries);

    let (closed_accounts) = close_accounts(&context, squashed_accounts, heads, 0);
    assert closed_accounts = squashed_accounts_end;
    let (local state_after: felt*) = alloc();
    assert state_after[0] = start_commitment;
    let (closed_entries) = close_entries(
        &context, squashed_entries, output_ptr + HEADER, state_after + 1, 0
    );
    assert closed_entries = squashed_entries_end;

    let (local after) = poseidon_hash_many(1 + n_entries, state_after);
    let (local digest: felt*) = alloc();
    blake_with_opcode(HEAD * n_accounts + count, heads, digest);

    assert output_ptr[0] = ABI_VERSION;
    assert output_ptr[1] = start.program;
    assert output_ptr[2] = start.shard;
    // Which slice of the run this is: the one from the snapshot to the end event, so the first.
    assert output_ptr[3] = 0;
    assert output_ptr[4] = before;
    assert output_ptr[5] = after;
    // Nothing is read but what is in the state.
    assert output_ptr[6] = 0;
    assert output_ptr[7] = digest[0] + digest[1] * 2 ** 32 + digest[2] * 2 ** 64 + digest[3] * 2 ** 96 +
        digest[4] * 2 ** 128 + digest[5] * 2 ** 160 + digest[6] * 2 ** 192 + digest[7] * 2 ** 224;
    assert output_ptr[8] = count;
    assert output_ptr[9] = ended;
    assert output_ptr[10] = n_entries;
    let output_ptr = output_ptr + HEADER + UPDATE * n_entries;
    return ();
}
