//! A shard of real contracts: the gold, the arena and the world of `node/program/contracts/game`, what keeps sessions, and players with accounts. Gold is
//! closed: its listed balances are escrows.

use crate::player::Player;
use shardwire_contracts::{
    Start, sessions,
    start::{ClassPair, Contract, Entry, EntryKind, MAX_AMOUNT, Rule},
};
use shardwire_live::InMemory;
use shardwire_model::{
    Clock, ContractId, EventId, Felt, Key, PeerId, Selector, ShardId, Slot, Timestamp, starknet_keccak,
};
use shardwire_native::{Class, Genesis, Native};
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

pub(crate) const GOLD: u64 = 0x601d;
pub(crate) const ARENA: u64 = 0xa7e7a;
pub(crate) const WORLD: u64 = 0x3031d;
pub(crate) const SESSIONS: u64 = 0x5e55;
pub(crate) const FIRST_BLOCK: u64 = 1_000;
pub(crate) const BEGINS: u64 = 1_790_000_000;
/// What each player has at first.
pub(crate) const FUNDS: u64 = 1_000_000;
/// What the arena pays out of.
const PRIZES: u64 = 1_000;
/// Players of every shard; the first may end it.
pub(crate) const PLAYERS: u64 = 4;

pub(crate) fn selector(name: &str) -> Felt {
    starknet_keccak(name)
}

/// The players' keys and addresses.
pub(crate) fn players() -> Vec<Player> {
    (0..PLAYERS).map(Player::new).collect()
}

/// Where a player's balance is.
pub(crate) fn balance(player: Felt) -> Key {
    Key::of_variable("balances", &[player])
}

fn sierra(name: &str) -> &'static str {
    match name {
        "account" => include_str!("../../../../program/contracts/game/account.sierra.json"),
        "arena" => include_str!("../../../../program/contracts/game/arena.sierra.json"),
        "gold" => include_str!("../../../../program/contracts/game/gold.sierra.json"),
        "sessions" => std::str::from_utf8(sessions::SIERRA).unwrap(),
        _ => include_str!("../../../../program/contracts/game/world.sierra.json"),
    }
}

/// The classes' hashes by name, and the genesis of all contracts: compiled once.
static GENESIS: LazyLock<(BTreeMap<&str, Felt>, Arc<Genesis>)> = LazyLock::new(|| {
    let names = ["account", "arena", "gold", "sessions", "world"];
    let compiled = names.map(|name| Class::compile(sierra(name).as_bytes()).unwrap());
    let hashes: BTreeMap<_, _> = names.into_iter().zip(compiled.iter().map(Class::hash)).collect();
    let contract = |address: Felt, name: &str, storage: &[(Felt, Felt)]| {
        let slots: Vec<_> = storage.iter().map(|(key, value)| format!(r#""{key:#x}": "{value:#x}""#)).collect();
        let (class, slots) = (hashes[name], slots.join(","));
        format!(r#"{{"address": "{address:#x}", "class_hash": "{class:#x}", "storage": {{{slots}}}}}"#)
    };
    let players = players();
    let master = players[0].address;
    let variables = |name: &str, value: Felt| (starknet_keccak(name), value);
    let mut contracts = vec![
        contract(SESSIONS.into(), "sessions", &[]),
        contract(GOLD.into(), "gold", &[]),
        contract(ARENA.into(), "arena", &[variables("gold", GOLD.into())]),
        contract(WORLD.into(), "world", &[variables("master", master), variables("arena", ARENA.into())]),
    ];
    contracts.extend(players.iter().map(|player| {
        let key = starknet_crypto::get_public_key(&player.secret);
        contract(player.address, "account", &[variables("public_key", key)])
    }));
    let classes: Vec<_> = names.map(|name| format!(r#"{{"sierra": {}}}"#, sierra(name))).into();
    let (classes, contracts) = (classes.join(","), contracts.join(","));
    let file = format!(r#"{{"version": 1, "classes": [{classes}], "contracts": [{contracts}]}}"#);
    let mut open = |name: &str| panic!("no file is named, and {name} is asked for");
    // The genesis asks for its classes in their order.
    let mut compiled = compiled.into_iter();
    let genesis = Genesis::read(file.as_bytes(), &mut open, &mut |_| Ok(compiled.next().unwrap())).unwrap();
    (hashes, Arc::new(genesis))
});

/// A class file, and the hash of its class.
pub(crate) fn class(name: &str) -> (&'static str, Felt) {
    (sierra(name), GENESIS.0[name])
}

/// What settles, with the value at first: the balances, each an escrow, and each player's experience, a counter.
fn settled() -> BTreeMap<Slot, (EntryKind, u64)> {
    let of = |contract: u64, key| Slot::new(ContractId(contract.into()), key);
    let mut settled = BTreeMap::from([(of(GOLD, balance(ARENA.into())), (EntryKind::Escrow, PRIZES))]);
    for player in players() {
        settled.insert(of(GOLD, balance(player.address)), (EntryKind::Escrow, FUNDS));
        settled.insert(of(WORLD, Key::of_variable("xp", &[player.address])), (EntryKind::Counter, 0));
    }
    settled
}

/// The start data of a shard that begins from the state after a block of another, in which these were the first players' balances; with the first values.
pub(crate) fn start_after(id: u64, first_block: u64, balances: &[u64]) -> (Start, Vec<Felt>) {
    let mut settled = settled();
    for (player, held) in players().iter().zip(balances) {
        settled.insert(Slot::new(ContractId(GOLD.into()), balance(player.address)), (EntryKind::Escrow, *held));
    }
    (Start { first_block, ..start(id) }, settled.values().map(|(_, value)| Felt::from(*value)).collect())
}

fn start(id: u64) -> Start {
    let genesis = &*GENESIS.1;
    let pair = |(hash, class): (&Felt, &Arc<Class>)| ClassPair {
        class_hash: *hash,
        compiled_class_hash: class.compiled_hash(),
    };
    let place = |class: Felt| genesis.classes().keys().position(|hash| *hash == class).unwrap();
    let contracts: Vec<_> = genesis.contracts().collect();
    let entry = |(slot, (kind, _)): (Slot, (EntryKind, u64))| {
        let contract = contracts.iter().position(|(address, _)| *address == slot.contract).unwrap();
        Entry { kind, contract, key: slot.key, guard: Felt::ZERO, maximum: MAX_AMOUNT }
    };
    let listed = |(address, class): &(ContractId, Felt)| Contract {
        address: address.0,
        class: place(*class),
        rule: if address.0 == GOLD.into() { Rule::Closed } else { Rule::Scratch },
        account: *class == GENESIS.0["account"],
    };
    Start {
        shard: ShardId(id.into()),
        program: Felt::from(0x9409),
        operator: PeerId([7; 32]),
        end_event: EventId { from: ContractId(WORLD.into()), selector: Selector(selector("Finished")) },
        begins: BEGINS,
        deadline: BEGINS + 3_600,
        first_block: FIRST_BLOCK,
        sequencer: Felt::from(5),
        classes: genesis.classes().iter().map(pair).collect(),
        contracts: contracts.iter().map(listed).collect(),
        entries: settled().into_iter().map(entry).collect(),
    }
}

/// Time stands still.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(BEGINS * 1_000 + 999)
    }
}

/// A shard with this id, before its first transaction.
pub(crate) fn shard(id: u64) -> Arc<InMemory> {
    let values: Vec<_> = settled().values().map(|(_, value)| Felt::from(*value)).collect();
    let native = Native::open(GENESIS.1.clone(), &start(id), &values).unwrap();
    Arc::new(InMemory::new(native, Arc::new(Still)))
}
