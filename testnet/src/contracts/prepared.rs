//! What a game begins from: the genesis file, what the World has of it, and the request that starts the shard; and what the World must have after it.

use super::{
    ContractsError,
    game::{Addresses, Game, addresses, balance, experience, owner},
    recompute::Books,
};
use crate::{
    network::NetworkError,
    recompute::{Expected, State, Value},
};
use serde_json::{Value as Json, json};
use shardwire::data::DataPaths;
use shardwire_model::{
    AccountId, ContractId, ContractTerms, EntryRequest, EventId, Felt, Hash, Instance, Key, Kind, Maximum, PeerId,
    StartRequest, Terms,
    contracts::{ClassPair, MAX_AMOUNT, Rule},
    finished_selector,
};
use shardwire_native::{Class, ClassError};
use shardwire_workload::{Storage, World};
use std::{collections::BTreeMap, fs, path::Path, sync::LazyLock};

/// The contracts' classes, as their compiler wrote them.
const SIERRA: [(&str, &str); 7] = [
    ("account", include_str!("../../../node/program/contracts/game/account.sierra.json")),
    ("arena", include_str!("../../../node/program/contracts/game/arena.sierra.json")),
    ("dice", include_str!("../../../node/program/contracts/game/dice.sierra.json")),
    ("gold", include_str!("../../../node/program/contracts/game/gold.sierra.json")),
    ("sessions", include_str!("../../../node/program/contracts/sessions/sessions.sierra.json")),
    ("sword", include_str!("../../../node/program/contracts/game/sword.sierra.json")),
    ("world", include_str!("../../../node/program/contracts/game/world.sierra.json")),
];
/// What they compile to, once in a process.
static CLASSES: LazyLock<[Result<Class, ClassError>; SIERRA.len()]> =
    LazyLock::new(|| SIERRA.map(|(_, sierra)| Class::compile(sierra.as_bytes())));
/// The shard's first block: the one after the state's.
pub(crate) const FIRST_BLOCK: u64 = 1;
/// What the World has for prizes, in shares that a shard takes along.
const TREASURE: u128 = 10;

/// Everything that a shard of a game is started with.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The genesis file.
    pub(crate) genesis: Vec<u8>,
    /// The classes' hashes.
    classes: Vec<(&'static str, ClassPair)>,
}

/// A contract before the first transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Where it is.
    pub address: ContractId,
    /// The hash of its class.
    pub class: Felt,
    /// All that it has in its storage.
    pub storage: Vec<(Key, Felt)>,
}

/// Something that settles: what the World has of it, and what the shard asks for.
struct Settled {
    storage: Storage,
    entry: EntryRequest,
    whose: Whose,
}

/// Of whom or what a value is.
#[derive(Clone, Copy)]
enum Whose {
    /// The arena's gold.
    Prizes,
    /// A player's experience.
    Experience(usize),
    /// A player's gold.
    Gold(usize),
    /// The sword, which a player has.
    Sword,
}

/// The class of a file: one of the game's is compiled once in a process.
///
/// # Errors
/// As [`Class::compile`].
pub(crate) fn compile(file: &[u8]) -> Result<Class, ClassError> {
    let known = SIERRA.iter().position(|(_, sierra)| sierra.trim().as_bytes() == file.trim_ascii());
    known.and_then(|place| CLASSES.get(place).cloned()).unwrap_or_else(|| Class::compile(file))
}

impl Prepared {
    /// Compiles the classes and writes the state.
    ///
    /// # Errors
    /// [`ContractsError::Class`] if a class of this release can't be compiled.
    pub(crate) fn of(game: &Game) -> Result<Self, ContractsError> {
        let mut classes = Vec::new();
        for ((name, _), class) in SIERRA.iter().zip(&*CLASSES) {
            let class = class.as_ref().map_err(|error| ContractsError::Class { name, error: error.clone() })?;
            let pair = ClassPair { class_hash: class.hash(), compiled_class_hash: class.compiled_hash() };
            classes.push((*name, pair));
        }
        let mut prepared = Self { genesis: Vec::new(), classes };
        prepared.genesis = prepared.genesis_of(game).into_bytes();
        Ok(prepared)
    }

    /// The request that starts it with this operator. `begins` is the time before which nothing happens, in seconds since the Unix epoch.
    pub(crate) fn request(&self, game: &Game, program: Felt, operator: PeerId, begins: u64) -> StartRequest {
        let Addresses { gold, sword, world, .. } = addresses();
        let mut settled = settled(game);
        settled.sort_by_key(|it| it.storage.slot());
        let mut classes: Vec<ClassPair> = self.classes.iter().map(|(_, pair)| *pair).collect();
        classes.sort_by_key(|pair| pair.class_hash);
        let contracts = contracts(game);
        let instance = |(address, class): (&ContractId, &&str)| Instance {
            class: self.hash(class),
            rule: if [gold, sword].contains(address) { Rule::Closed } else { Rule::Scratch },
        };
        let maximum = |it: &Settled| Maximum(if it.storage.kind == Kind::Lock { 0 } else { MAX_AMOUNT });
        let mut accounts: Vec<_> = game.players.iter().map(|it| AccountId(it.account.address().0)).collect();
        accounts.sort_unstable();
        StartRequest {
            salt: begins,
            program,
            operator,
            contracts: contracts.keys().copied().collect(),
            accounts,
            end_event: EventId { from: world, selector: finished_selector() },
            entries: settled.iter().map(|it| it.entry).collect(),
            terms: Terms::Contracts(Box::new(ContractTerms {
                origin: Hash::of(&self.genesis).into(),
                begins,
                first_block: FIRST_BLOCK,
                sequencer: ContractId(Felt::ONE),
                classes,
                instances: contracts.iter().map(instance).collect(),
                maxima: settled.iter().map(maximum).collect(),
                scratch: Vec::new(),
            })),
        }
    }

    /// Puts the genesis where the node of this data folder looks for it.
    ///
    /// # Errors
    /// [`NetworkError::Folder`] if it can't be written.
    pub(crate) fn give(&self, data: &Path) -> Result<(), NetworkError> {
        let folder = DataPaths::below(data.to_owned()).geneses();
        let path = folder.join(format!("{}.json", Hash::of(&self.genesis)));
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, &self.genesis));
        written.map_err(|reason| NetworkError::Folder { path, reason })
    }

    fn hash(&self, class: &str) -> Felt {
        self.classes.iter().find(|(name, _)| *name == class).map(|(_, pair)| pair.class_hash).unwrap_or_default()
    }

    /// The hashes of all classes.
    pub(crate) fn class_hashes(&self) -> impl Iterator<Item = Felt> {
        self.classes.iter().map(|(_, pair)| pair.class_hash)
    }

    /// Every contract before the first transaction, with what settles as the shard has it.
    pub(crate) fn standing(&self, game: &Game) -> Vec<Standing> {
        let settled = settled(game);
        let standing = |(address, class): (ContractId, &'static str)| {
            let own = self.storage(game, address, class).into_iter();
            let own = own.map(|(name, value)| (Key::of_variable(name, &[]), value));
            let taken = settled.iter().filter(|it| it.storage.contract == address).map(|it| {
                let value = if it.entry.amount > 0 { it.entry.amount.into() } else { it.storage.value };
                (it.storage.key, value)
            });
            Standing { address, class: self.hash(class), storage: own.chain(taken).collect() }
        };
        contracts(game).into_iter().map(standing).collect()
    }

    /// The state before the first transaction. What settles has its values from the World.
    fn genesis_of(&self, game: &Game) -> String {
        let contract = |(address, class): (&ContractId, &&str)| {
            let written = |(name, value): (&str, Felt)| (Key::of_variable(name, &[]).to_string(), felt(value));
            let storage: serde_json::Map<_, _> = self.storage(game, *address, class).into_iter().map(written).collect();
            json!({ "address": address, "class_hash": felt(self.hash(class)), "storage": storage }).to_string()
        };
        // The classes stand as they were written: the order of an interface's fields is part of its hash.
        let class = |(name, sierra): (&str, &str)| {
            format!(r#"{{"sierra": {sierra}, "class_hash": {}}}"#, felt(self.hash(name)))
        };
        let classes: Vec<_> = SIERRA.into_iter().map(class).collect();
        let contracts: Vec<_> = contracts(game).iter().map(contract).collect();
        format!(r#"{{"version": 1, "classes": [{}], "contracts": [{}]}}"#, classes.join(","), contracts.join(","))
    }

    /// What a contract of this class has in its storage at first, but for what settles.
    fn storage(&self, game: &Game, address: ContractId, class: &str) -> Vec<(&'static str, Felt)> {
        let Addresses { gold, arena, .. } = addresses();
        match class {
            "arena" => vec![("gold", gold.0)],
            "world" => {
                let master = game.players.first().map(|it| it.account.address().0).unwrap_or_default();
                vec![("arena", arena.0), ("dice", self.hash("dice")), ("master", master)]
            }
            "account" => {
                let player = game.players.iter().find(|it| it.account.address() == address);
                vec![("public_key", player.map(|it| it.public).unwrap_or_default())]
            }
            _ => Vec::new(),
        }
    }
}

fn felt(value: Felt) -> Json {
    json!(format!("{value:#x}"))
}

/// Each contract's class, by address.
fn contracts(game: &Game) -> BTreeMap<ContractId, &'static str> {
    let Addresses { gold, arena, sword, world, sessions } = addresses();
    let fixed = [(gold, "gold"), (arena, "arena"), (sword, "sword"), (world, "world"), (sessions, "sessions")];
    fixed.into_iter().chain(game.players.iter().map(|it| (it.account.address(), "account"))).collect()
}

fn settled(game: &Game) -> Vec<Settled> {
    let Addresses { gold, arena, sword, world, .. } = addresses();
    let of = |whose, contract, key: Key, value: Felt, amount: u128| {
        let player = |index: usize| game.players.get(index).map(|it| it.name.clone());
        let (kind, name, of) = match whose {
            Whose::Prizes => (Kind::Escrow, "prizes", None),
            Whose::Experience(index) => (Kind::Counter, "experience", player(index)),
            Whose::Gold(index) => (Kind::Escrow, "gold", player(index)),
            Whose::Sword => (Kind::Lock, "sword", None),
        };
        Settled {
            storage: Storage { contract, key, kind, value, name: Some(name.into()), of },
            entry: EntryRequest { kind, contract, key, owner: None, amount },
            whose,
        }
    };
    let mut settled = vec![of(Whose::Prizes, gold, balance(arena), (TREASURE * game.prizes).into(), game.prizes)];
    for (index, player) in game.players.iter().enumerate() {
        let address = player.account.address();
        settled.push(of(Whose::Experience(index), world, experience(address), player.experience.into(), 0));
        settled.push(of(Whose::Gold(index), gold, balance(address), player.gold.into(), player.purse));
    }
    settled.push(of(Whose::Sword, sword, owner(), address_of(game, game.holder), 0));
    settled
}

/// What the World has before.
pub(crate) fn world(game: &Game) -> World {
    World { storage: settled(game).into_iter().map(|it| it.storage).collect() }
}

/// What the shard must put out, and what the World must hold then, when the game has come to these books.
pub(crate) fn expected(game: &Game, books: &Books) -> Expected {
    let mut expected = Expected { updates: Vec::new(), state: State::new() };
    for Settled { storage, entry, whose } in settled(game) {
        let now = match whose {
            Whose::Prizes => books.prizes.into(),
            Whose::Experience(index) => books.experience.get(index).copied().unwrap_or_default().into(),
            Whose::Gold(index) => books.gold.get(index).copied().unwrap_or_default().into(),
            Whose::Sword => address_of(game, books.holder),
        };
        // A counter settles by what it grew, gold by what the shard has of it.
        let (put_out, value) = match storage.kind {
            Kind::Counter => (now - storage.value, now),
            Kind::Escrow => (now, storage.value - Felt::from(entry.amount) + now),
            Kind::Lock => (now, now),
        };
        expected.updates.push((storage.kind, storage.slot(), put_out));
        expected.state.insert(storage.slot(), Value { kind: storage.kind, value });
    }
    expected.updates.sort_unstable_by_key(|(_, slot, _)| *slot);
    expected
}

fn address_of(game: &Game, player: usize) -> Felt {
    game.players.get(player).map(|it| it.account.address().0).unwrap_or_default()
}
