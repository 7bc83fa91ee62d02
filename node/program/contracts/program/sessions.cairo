// A session call: one call in an account's name, signed by a key that the account allowed to make it. There is no `__validate__`, and no nonce of
// the account is used; what stands for both is the key's chain.
//
// Each key has a chain of links. It begins with H(SESSION, chain id, key); each call adds H(link before, permission, calldata), where H is Blake2s of
// felts as in `classes.cairo`, and the permission is the address of the slot in which the account allowed the call: Pedersen hashes of "allowed",
// account, key, contract and selector. The key signs links. When the run ends, or the segment of it, one signature a key is verified: over its last link.
//
// What the called contracts are told (GetExecutionInfo):
//
// | what                          | of a session call                                                       |
// |-------------------------------|-------------------------------------------------------------------------|
// | caller                        | the account                                                             |
// | contract, selector            | those that are called                                                   |
// | block number, time, sequencer | as in `__execute__`: exact                                              |
// | version                       | 3                                                                       |
// | account                       | the account                                                             |
// | max_fee, tip, modes           | 0                                                                       |
// | signature                     | empty: so a contract can tell it from an INVOKE                         |
// | hash                          | the link: no two calls of any key in any shard have the same            |
// | chain id                      | the shard's                                                             |
// | nonce                         | how many calls of the key were before                                   |
// | resource bounds               | L1_GAS 0, L2_GAS 100000000, L1_DATA 0, at prices of 0                   |
// | all other lists               | empty                                                                   |
//
// A call that fails is undone, and reverted as an INVOKE is: its link stays.
//
// ## Why a lie can't pass
//
// - *A call that the key didn't sign, other calldata, another order of the key's calls, a call left out or made twice*: the last link is another
//   one, and nobody has the key's signature over it. One link commits to all before it: felts are encoded in a way that can be read back, so
//   equal links have equal links before them, permissions and calldata. A key's calls can be *cut off* at a link that it signed, as a shard can leave out
//   an INVOKE; the receipts of what is missing are the evidence. Who signs a link vouches for all before it, so a client adds to links of its own only,
//   never to one that a node tells it.
// - *Another account, key, contract or selector than was signed*: the permission is another one.
// - *Signed for another shard*: its chain id is in the first link. What the key signs elsewhere is another hash (an INVOKE's is one of Poseidon), or one of something
//   else: the ninth word of a link of `rules` is below 2^31; here it is the permission's first, which is not.
// - *Out of scope, expired, taken back, never allowed*: the slot is read as any contract reads one, at this moment of the run, from the storage of the one
//   contract of the class SESSIONS_CLASS (`open_contracts`). Its code writes only slots that begin with the address of its caller. What it had before the
//   first transaction is in the commitment of the reads. Zero is expired at each time.
// - *That it is the slot*: a storage address is the hash, minus 2^251 - 256 if it isn't below that. Here it is the hash itself. One of 2^55 hashes isn't below; its
//   slot can't be written, so that such a permission is never there.
// - *The account itself, or the contract that keeps sessions, as the called one*: the places differ, and addresses do because they ascend. Neither may be
//   called, because the account is the caller: a key could give itself more than it was given. `__execute__` is called by transactions only.
// - *A signature of an older link*: the last link is the one that the dictionary of chains ends with; `squash_dict` shows that each access finds what
//   the last one of its key left, and `close_chains` what the first one found: of a run in segments, where the one before ended (`segments.cairo`).
// - *How many calls were before*: it is counted in the same records.
from starkware.cairo.common.cairo_blake2s.blake2s import (
    encode_felt252_data_and_calc_blake_hash as blake,
)
from starkware.cairo.common.cairo_builtins import EcOpBuiltin, HashBuiltin
from starkware.cairo.common.dict_access import DictAccess
from starkware.cairo.common.signature import check_ecdsa_signature

from closing import close_transaction
from frames import run
from types import (
    ALLOWED,
    ARRAY_BOUND,
    EXECUTE,
    SESSION_MAX_GAS,
    Block,
    Bounds,
    Builtins,
    Callee,
    Context,
    Contract,
    Frame,
    Note,
    TxInfo,
    Undo,
    enter,
    leave,
)

// What the prover says that the next transaction is, if it is a session call.
struct GivenCall {
    key: felt,
    // The places of the account and of the contract that is called.
    account: felt,
    place: felt,
    selector: felt,
    time: felt,
    // What is hashed: the link before, the permission, the calldata.
    message: felt*,
    calldata_size: felt,
    log: Undo*,
    notes: Note*,
}

// How far a key's chain is.
struct Chain {
    link: felt,
    // How many calls it has.
    calls: felt,
}

// What a slot of a contract holds now.
func read_slot{visits: DictAccess*}(place: felt, key: felt) -> (value: felt) {
    let (storage) = enter(place);
    assert storage.key = key;
    %{ read_slot(ids.storage, ids.place) %}
    let value = storage.prev_value;
    assert storage.new_value = value;
    leave(storage + DictAccess.SIZE);
    return (value=value);
}

// The address of the slot in which an account allows a key to make a call.
func permission{builtins: Builtins*}(
    account: felt, key: felt, contract: felt, selector: felt
) -> (slot: felt) {
    let hash = cast(builtins.pedersen, HashBuiltin*);
    assert hash[0].x = ALLOWED;
    assert hash[0].y = account;
    assert hash[1].x = hash[0].result;
    assert hash[1].y = key;
    assert hash[2].x = hash[1].result;
    assert hash[2].y = contract;
    assert hash[3].x = hash[2].result;
    assert hash[3].y = selector;
    tempvar builtins = new Builtins(
        pedersen=builtins.pedersen + 4 * HashBuiltin.SIZE,
        range_check=builtins.range_check,
        bitwise=builtins.bitwise,
        ec_op=builtins.ec_op,
        poseidon=builtins.poseidon,
    );
    return (slot=hash[3].result);
}

// Adds a call to its key's chain. Returns the new link, and how many calls were before.
func add_link{builtins: Builtins*, chains: DictAccess*}(given: GivenCall*, slot: felt) -> (
    link: felt, before: felt
) {
    alloc_locals;
    assert chains.key = given.key;
    %{ last_link(ids.chains) %}
    local before: Chain* = cast(chains.prev_value, Chain*);
    assert given.message[0] = before.link;
    assert given.message[1] = slot;
    let range_check_ptr = builtins.range_check;
    let (local link) = blake{range_check_ptr=range_check_ptr}(
        given.calldata_size + 2, given.message
    );
    tempvar builtins = new Builtins(
        pedersen=builtins.pedersen,
        range_check=range_check_ptr,
        bitwise=builtins.bitwise,
        ec_op=builtins.ec_op,
        poseidon=builtins.poseidon,
    );
    tempvar after = new Chain(link=link, calls=before.calls + 1);
    assert chains.new_value = cast(after, felt);
    let chains = chains + DictAccess.SIZE;
    return (link=link, before=before.calls);
}

func run_session_call{
    rc96: felt*,
    builtins: Builtins*,
    visits: DictAccess*,
    chains: DictAccess*,
    slacks: DictAccess*,
    order: felt*,
}(context: Context*, given: GivenCall*, index: felt, time: felt) -> (ended: felt, time: felt) {
    alloc_locals;
    assert [rc96] = given.account;
    assert [rc96 + 1] = context.start.n_contracts - 1 - given.account;
    tempvar contract = context.contracts + Contract.SIZE * given.account;
    assert contract.account = 1;
    local account = contract.address;
    // This place is the key of a dictionary access, and that dictionary's keys are asserted to be the contracts' places.
    local place = given.place;
    local callee: Callee* = context.callees + Callee.SIZE * place;
    if (place == given.account) {
        assert 1 = 0;
    }
    if (place == context.sessions) {
        assert 1 = 0;
    }
    if (given.selector == EXECUTE) {
        assert 1 = 0;
    }
    // Time doesn't run back.
    assert [rc96 + 2] = given.time - time;
    assert [rc96 + 3] = given.calldata_size;
    assert [rc96 + 4] = ARRAY_BOUND - 1 - given.calldata_size;
    let (slot) = permission(account, given.key, callee.address, given.selector);
    let (local link, before) = add_link(given, slot);
    let (expires) = read_slot(context.sessions, given.message[1]);
    assert [rc96 + 5] = expires - 1 - given.time;
    local rc96: felt* = rc96 + 6;
    local builtins: Builtins* = builtins;
    local chains: DictAccess* = chains;
    assert order[0] = link;
    assert order[1] = given.time;
    let order = order + 2;

    tempvar nothing: felt* = cast(context.session_bounds, felt*) + Bounds.SIZE;
    tempvar tx = new TxInfo(
        version=3,
        account=account,
        max_fee=0,
        signature=nothing,
        signature_end=nothing,
        hash=link,
        chain_id=context.start.chain_id,
        nonce=before,
        bounds=context.session_bounds,
        bounds_end=nothing,
        tip=0,
        paymaster_data=nothing,
        paymaster_data_end=nothing,
        nonce_mode=0,
        fee_mode=0,
        deployment_data=nothing,
        deployment_data_end=nothing,
        proof_facts=nothing,
        proof_facts_end=nothing,
    );
    tempvar block = new Block(
        number=context.start.first_block + index, time=given.time, sequencer=context.start.sequencer
    );
    tempvar frame = new Frame(
        block=block,
        tx=tx,
        caller=account,
        contract=callee.address,
        selector=given.selector,
        place=place,
        closed=callee.closed,
        ends=callee.ends,
        context=context,
    );
    let (storage) = enter(place);
    let log = given.log;
    let notes = given.notes;
    let calldata = given.message + 2;
    let (_, _, _, _) = run{storage=storage, log=log, notes=notes}(
        frame, callee.class, calldata, calldata + given.calldata_size, SESSION_MAX_GAS
    );
    leave(storage);
    local builtins: Builtins* = builtins;
    let (ended) = close_transaction(given.notes, notes);
    return (ended=ended, time=given.time);
}

// Asserts that a key's chain began as the state has it, or as each must that isn't in the state.
func check_first{range_check_ptr, was: felt*}(
    context: Context*, was_end: felt*, key: felt, first: Chain*
) {
    alloc_locals;
    if (was != was_end) {
        if (was[0] == key) {
            assert was[1] = first.link;
            assert was[2] = first.calls;
            let was = was + 3;
            return ();
        }
    }
    assert first.calls = 0;
    tempvar origin = new ('SESSION', context.start.chain_id, key);
    let (link) = blake(3, origin);
    assert first.link = link;
    return ();
}

// Asserts of each key's chain that it began as it must, and that the key signed its last link. Writes how far it is.
func close_chains{range_check_ptr, ec_op_ptr: EcOpBuiltin*, was: felt*, next: felt*}(
    context: Context*, chain: DictAccess*, end: DictAccess*, was_end: felt*
) {
    alloc_locals;
    if (chain == end) {
        assert was = was_end;
        return ();
    }
    local key = chain.key;
    local first: Chain* = cast(chain.prev_value, Chain*);
    local last: Chain* = cast(chain.new_value, Chain*);
    check_first(context, was_end, key, first);
    local range_check_ptr = range_check_ptr;
    local was: felt* = was;
    assert next[0] = key;
    assert next[1] = last.link;
    assert next[2] = last.calls;
    let next = next + 3;
    // Nothing was added, and a segment before has the signature. One link commits to all before it, so an equal one has the same calls.
    if (last.link == first.link) {
        return close_chains(context, chain + DictAccess.SIZE, end, was_end);
    }
    local next: felt* = next;
    local r;
    local s;
    %{ ids.r, ids.s = last_signature(ids.key) %}
    let (valid) = check_ecdsa_signature(last.link, key, r, s);
    assert valid = 1;
    return close_chains(context, chain + DictAccess.SIZE, end, was_end);
}
