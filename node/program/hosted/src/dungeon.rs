//! A shard over the dungeon's contracts (`node/program/contracts/game`), for tests: its genesis file, start data, values and transactions.

use crate::Geneses;
use shardwire_contracts::sessions;
use shardwire_model::{
    AccountId, AccountKey, ContractId, ContractTerms, EntryRequest, EventId, Felt, ForkId, Hash, Instance, Invoke, Key,
    Kind, Maximum, PeerId, ResourceBounds, Selector, SessionCall, ShardStart, Signature, Slot, StartRequest, Terms,
    Timestamp,
    contracts::{ClassPair, Rule},
    starknet_keccak,
};
use shardwire_native::{Class, ClassError, Genesis};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

/// When the shard begins, in seconds since the Unix epoch.
pub const BEGINS: u64 = 1_764_460_800;
/// Until when it may be played, in the same unit.
pub const DEADLINE: u64 = BEGINS + 3_600;
/// An account, and the master of the dungeon: who may end the shard.
pub const ANNA: u64 = 0x1001;
/// Another account.
pub const BERT: u64 = 0x1002;
/// The contract of gold: closed, its purses are escrows.
pub const GOLD: u64 = 0x601d;
/// The contract of the dungeon: its counters are the players' experience.
pub const WORLD: u64 = 0x3031d;
/// The contract that keeps sessions.
pub const SESSIONS: u64 = 0x5e_5510;
/// The secret key of both accounts.
const SECRET: u64 = 0x1234;

const ACCOUNT_CLASS: &str = include_str!("../../contracts/game/account.sierra.json");
const GOLD_CLASS: &str = include_str!("../../contracts/game/gold.sierra.json");
const WORLD_CLASS: &str = include_str!("../../contracts/game/world.sierra.json");

/// The class files, with their names.
const FILES: [(&str, &[u8]); 4] = [
    ("account.sierra.json", ACCOUNT_CLASS.as_bytes()),
    ("gold.sierra.json", GOLD_CLASS.as_bytes()),
    ("world.sierra.json", WORLD_CLASS.as_bytes()),
    ("sessions.sierra.json", sessions::SIERRA),
];

/// Compiled once.
static CLASSES: LazyLock<[Result<Class, ClassError>; 4]> =
    LazyLock::new(|| FILES.map(|(_, file)| Class::compile(file)));

/// The pairs of account, gold, world and what keeps sessions.
fn pairs() -> [ClassPair; 4] {
    let pair = |class: &Result<Class, ClassError>| match class {
        Ok(class) => ClassPair { class_hash: class.hash(), compiled_class_hash: class.compiled_hash() },
        Err(error) => panic!("a class of the game doesn't compile: {error}"),
    };
    CLASSES.each_ref().map(pair)
}

/// The class of a file of the game, compiled once.
fn compile(file: &[u8]) -> Result<Class, ClassError> {
    let place = FILES.iter().position(|(_, known)| *known == file);
    place.and_then(|place| CLASSES.get(place).cloned()).unwrap_or_else(|| Class::compile(file))
}

/// Where a contract keeps what a variable has, under keys where it has any.
#[must_use]
pub fn key(variable: &str, keys: &[u64]) -> Key {
    Key::of_variable(variable, &keys.iter().map(|key| Felt::from(*key)).collect::<Vec<_>>())
}

/// The genesis file.
#[must_use]
pub fn genesis() -> String {
    let [account, gold, world, keeper] = pairs().map(|pair| pair.class_hash);
    let public = starknet_crypto::get_public_key(&SECRET.into());
    let contract = |address: u64, class: Felt, storage: &[(Key, Felt)]| {
        let slots: Vec<_> = storage.iter().map(|(key, value)| format!(r#""{key}": "{value:#x}""#)).collect();
        let slots = slots.join(",");
        format!(r#"{{"address": "{address:#x}", "class_hash": "{class:#x}", "storage": {{{slots}}}}}"#)
    };
    let contracts = [
        contract(ANNA, account, &[(key("public_key", &[]), public)]),
        contract(BERT, account, &[(key("public_key", &[]), public)]),
        contract(GOLD, gold, &[]),
        contract(WORLD, world, &[(key("master", &[]), ANNA.into())]),
        contract(SESSIONS, keeper, &[]),
    ];
    let classes = FILES.map(|(name, _)| format!(r#"{{"sierra": "{name}"}}"#));
    format!(r#"{{"version": 1, "classes": [{}], "contracts": [{}]}}"#, classes.join(","), contracts.join(","))
}

/// The names of the files in the folder of a node that has this genesis.
#[must_use]
pub fn names() -> Vec<PathBuf> {
    let genesis = format!("{}.json", Hash::of(genesis().as_bytes()));
    FILES.iter().map(|(name, _)| *name).chain([genesis.as_str()]).map(PathBuf::from).collect()
}

/// A file of the folder of a node that has this genesis.
#[must_use]
pub fn file(name: &Path) -> Option<Vec<u8>> {
    let (name, genesis) = (name.to_str()?, genesis());
    if name == format!("{}.json", Hash::of(genesis.as_bytes())) {
        return Some(genesis.into_bytes());
    }
    FILES.iter().find(|(known, _)| *known == name).map(|(_, content)| content.to_vec())
}

/// The genesis files of a node that has this one.
#[must_use]
pub fn geneses() -> Geneses {
    Geneses::new(|name, _| Ok(file(name)), compile)
}

/// A block of a network that has these contracts.
pub const BLOCK: ForkId = ForkId {
    chain: Felt::from_hex_unchecked("0x534e5f44554e47454f4e"),
    number: 41,
    hash: Felt::from_hex_unchecked("0xb10c41"),
};

/// The state that the genesis file describes.
///
/// # Panics
/// If the game's classes don't compile: the tests of this crate would show it.
#[must_use]
pub fn state() -> Arc<Genesis> {
    let found = geneses().find(Hash::of(genesis().as_bytes()));
    found.unwrap_or_else(|error| panic!("{error}"))
}

/// The class files, by the hashes of the classes.
#[must_use]
pub fn class_files() -> Vec<(Felt, Vec<u8>)> {
    pairs().iter().zip(FILES).map(|(pair, (_, file))| (pair.class_hash, file.to_vec())).collect()
}

/// The same shard as of [`shard`], but that it goes on from a network at a block with this number, and not before that.
///
/// # Panics
/// As [`shard`].
#[must_use]
pub fn forked(operator: PeerId, block: ForkId) -> (ShardStart, Vec<Felt>) {
    let mut request = request(operator);
    if let Terms::Contracts(terms) = &mut request.terms {
        (terms.origin, terms.first_block) = (block.into(), block.number + 1);
    }
    let start = request.validate("test", Timestamp(DEADLINE * 1_000));
    (start.unwrap_or_else(|error| panic!("{error}")), shard(operator).1)
}

/// The request of a shard in which both purses, with 50 gold each, and Anna's experience settle.
///
/// # Panics
/// If the game's classes don't compile: the tests of this crate would show it.
#[must_use]
pub fn request(operator: PeerId) -> StartRequest {
    let contract = |n: u64| ContractId(n.into());
    let pairs = pairs();
    let [account, gold, world, keeper] = pairs.map(|pair| pair.class_hash);
    let mut classes = pairs.to_vec();
    classes.sort_by_key(|pair| pair.class_hash);
    let mut purses = [ANNA, BERT].map(|account| key("balances", &[account]));
    purses.sort();
    let entry = |kind, at, key, amount| EntryRequest { kind, contract: contract(at), key, owner: None, amount };
    let instance = |class, rule| Instance { class, rule };
    StartRequest {
        salt: 1,
        program: shardwire_contracts::hash(),
        operator,
        contracts: [ANNA, BERT, GOLD, WORLD, SESSIONS].map(contract).to_vec(),
        accounts: [ANNA, BERT].map(|n| AccountId(n.into())).to_vec(),
        end_event: EventId { from: contract(WORLD), selector: Selector(starknet_keccak("Finished")) },
        entries: vec![
            entry(Kind::Escrow, GOLD, purses[0], 50),
            entry(Kind::Escrow, GOLD, purses[1], 50),
            entry(Kind::Counter, WORLD, key("xp", &[ANNA]), 0),
        ],
        terms: Terms::Contracts(Box::new(ContractTerms {
            origin: Hash::of(genesis().as_bytes()).into(),
            begins: BEGINS,
            first_block: 1,
            sequencer: contract(0x5e9),
            classes,
            instances: vec![
                instance(account, Rule::Scratch),
                instance(account, Rule::Scratch),
                instance(gold, Rule::Closed),
                instance(world, Rule::Scratch),
                instance(keeper, Rule::Scratch),
            ],
            maxima: [1_000, 1_000, 1 << 40].map(Maximum).to_vec(),
            scratch: Vec::new(),
        })),
    }
}

/// The start data of the shard that this [request] asks for, and the World's values: 50 gold each, and 7.
///
/// # Panics
/// If the game's classes don't compile, or the start data contradicts itself: the tests of this crate would show it.
#[must_use]
pub fn shard(operator: PeerId) -> (ShardStart, Vec<Felt>) {
    let start = request(operator).validate("test", Timestamp(DEADLINE * 1_000));
    (start.unwrap_or_else(|error| panic!("{error}")), [50_u64, 50, 7].map(Felt::from).to_vec())
}

/// The values of what settles, by contract, variable and key, in the start data's order.
///
/// # Panics
/// If one isn't given.
#[must_use]
pub fn values(start: &ShardStart, given: &[(u64, &str, u64, u64)]) -> Vec<Felt> {
    let of = |slot: Slot| {
        let is_it = |(contract, variable, of, _): &&(u64, &str, u64, u64)| {
            slot == Slot::new(ContractId(Felt::from(*contract)), key(variable, &[*of]))
        };
        given.iter().find(is_it).map_or_else(|| panic!("{slot} has no value"), |given| Felt::from(given.3))
    };
    start.entries.iter().map(|entry| of(entry.slot())).collect()
}

/// A signed INVOKE that makes one call.
///
/// # Panics
/// If the start data is none of contracts.
#[must_use]
pub fn invoke(start: &ShardStart, account: u64, nonce: u64, to: u64, name: &str, arguments: &[u64]) -> Invoke {
    let arguments: Vec<_> = arguments.iter().map(|it| Felt::from(*it)).collect();
    calls(start, account, nonce, to, name, &arguments)
}

/// A signed INVOKE by which an account allows a session key, until that time, to call these entry points of the dungeon.
///
/// # Panics
/// If the start data is none of contracts.
#[must_use]
pub fn allow(start: &ShardStart, account: u64, nonce: u64, key: &AccountKey, expires: u64, names: &[&str]) -> Invoke {
    let count = Felt::from(names.len());
    let mut arguments = vec![key.id().0, expires.into(), count];
    arguments.extend(names.iter().map(|_| Felt::from(WORLD)));
    arguments.push(count);
    arguments.extend(names.iter().map(|name| starknet_keccak(name)));
    calls(start, account, nonce, SESSIONS, "open", &arguments)
}

/// A call of the dungeon in an account's name, signed by a session key, that follows this link.
///
/// # Panics
/// If it can't be signed.
#[must_use]
pub fn session_call(account: u64, key: &AccountKey, previous: Felt, name: &str, arguments: &[u64]) -> SessionCall {
    let call = SessionCall {
        account: ContractId(account.into()),
        key: key.id().0,
        previous,
        contract: ContractId(WORLD.into()),
        selector: starknet_keccak(name),
        calldata: arguments.iter().map(|it| Felt::from(*it)).collect(),
        signature: Signature::NONE,
    };
    call.sign(key).unwrap_or_else(|| panic!("a link of 2^251 or more"))
}

/// The link that a session key's first call follows.
///
/// # Panics
/// If the start data is none of contracts.
#[must_use]
pub fn first_link(start: &ShardStart, key: &AccountKey) -> Felt {
    let ordered = start.for_contracts().unwrap_or_else(|error| panic!("{error}"));
    SessionCall::first_link(ordered.chain_id(), key.id().0)
}

fn calls(start: &ShardStart, account: u64, nonce: u64, to: u64, name: &str, arguments: &[Felt]) -> Invoke {
    // The number of calls; of the only one the contract, the entry point and its arguments.
    let mut calldata = vec![Felt::ONE, to.into(), starknet_keccak(name), arguments.len().into()];
    calldata.extend(arguments);
    let bounds = ResourceBounds { l1_gas: 0, l2_gas: 100_000_000, l1_data_gas: 0 };
    let mut invoke = Invoke { sender: ContractId(account.into()), nonce, calldata, signature: Vec::new(), bounds };
    let ordered = start.for_contracts().unwrap_or_else(|error| panic!("{error}"));
    let hash = invoke.hash(ordered.chain_id());
    match starknet_crypto::sign(&SECRET.into(), &hash, &Felt::from(0x77)) {
        Ok(signature) => invoke.signature = vec![signature.r, signature.s],
        Err(error) => panic!("{error}"),
    }
    invoke
}

/// A whole game: Anna trains, Bert pays her 30 gold, then has a transaction that is reverted; Anna ends it.
#[must_use]
pub fn game(start: &ShardStart) -> [Invoke; 4] {
    [
        invoke(start, ANNA, 0, WORLD, "train", &[5]),
        invoke(start, BERT, 0, GOLD, "transfer", &[ANNA, 30, 0]),
        invoke(start, BERT, 1, WORLD, "doom", &[]),
        invoke(start, ANNA, 1, WORLD, "finish", &[]),
    ]
}
