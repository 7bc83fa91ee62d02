//! What a game begins from: the genesis file, what the World has of it, and the request that starts the shard.

use super::{
    game::{Addresses, Game, PRIZES, Player, addresses, balance, experience, owner, variable},
    ContractsError,
};
use serde_json::{Value, json};
use shardwire_model::{
    AccountId, ContractId, ContractTerms, EntryRequest, EventId, Felt, Hash, Instance, Key, Kind, Maximum, PeerId,
    StartRequest, Terms, contracts::{ClassPair, MAX_AMOUNT, Rule}, finished_selector,
};
use shardwire_native::Class;
use shardwire_workload::{Storage, World};
use std::collections::BTreeMap;

/// The contracts' classes, as their compiler wrote them.
const SIERRA: [(&str, &str); 6] = [
    ("account", include_str!("../../../node/program/contracts/game/account.sierra.json")),
    ("arena", include_str!("../../../node/program/contracts/game/arena.sierra.json")),
    ("dice", include_str!("../../../node/program/contracts/game/dice.sierra.json")),
    ("gold", include_str!("../../../node/program/contracts/game/gold.sierra.json")),
    ("sword", include_str!("../../../node/program/contracts/game/sword.sierra.json")),
    ("world", include_str!("../../../node/program/contracts/game/world.sierra.json")),
];
/// The shard's first block: the one after the state's.
const FIRST_BLOCK: u64 = 1;
/// What the World has for prizes; the shard takes [`PRIZES`] of it along.
const TREASURE: u128 = 20_000;

/// Everything that a shard of this game is started with.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The genesis file.
    pub(crate) genesis: Vec<u8>,
    /// What the World has before.
    pub(crate) world: World,
    /// The classes' hashes.
    classes: Vec<(&'static str, ClassPair)>,
}

impl Prepared {
    /// Compiles the classes and writes the state.
    ///
    /// # Errors
    /// [`ContractsError::Class`] if a class of this release can't be compiled.
    pub(crate) fn of(game: &Game) -> Result<Self, ContractsError> {
        let mut classes = Vec::new();
        for (name, sierra) in SIERRA {
            let class = Class::compile(sierra.as_bytes()).map_err(|error| ContractsError::Class { name, error })?;
            let pair = ClassPair { class_hash: class.hash(), compiled_class_hash: class.compiled_hash() };
            classes.push((name, pair));
        }
        let genesis = genesis(game, &classes).into_bytes();
        Ok(Self { genesis, world: World { storage: settled(game).iter().map(|it| it.storage.clone()).collect() }, classes })
    }

    /// The request that starts it with this operator. `begins` is the time before which nothing happens, in seconds since the Unix epoch.
    pub(crate) fn request(&self, game: &Game, program: Felt, operator: PeerId, begins: u64) -> StartRequest {
        let Addresses { gold, sword, world, .. } = addresses();
        let mut settled = settled(game);
        settled.sort_by_key(|it| it.storage.slot());
        let mut pairs: Vec<ClassPair> = self.classes.iter().map(|(_, pair)| *pair).collect();
        pairs.sort_by_key(|pair| pair.class_hash);
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
                genesis: Hash::of(&self.genesis),
                begins,
                first_block: FIRST_BLOCK,
                sequencer: ContractId(Felt::ONE),
                classes: pairs,
                instances: contracts.iter().map(instance).collect(),
                maxima: settled.iter().map(maximum).collect(),
                scratch: Vec::new(),
            })),
        }
    }

    fn hash(&self, class: &str) -> Felt {
        self.classes.iter().find(|(name, _)| *name == class).map(|(_, pair)| pair.class_hash).unwrap_or_default()
    }
}

/// Each contract's class, by address.
fn contracts(game: &Game) -> BTreeMap<ContractId, &'static str> {
    let Addresses { gold, arena, sword, world } = addresses();
    let fixed = [(gold, "gold"), (arena, "arena"), (sword, "sword"), (world, "world")];
    fixed.into_iter().chain(game.players.iter().map(|it| (it.account.address(), "account"))).collect()
}

/// Something that settles: what the World has of it, and what the shard asks for.
struct Settled {
    storage: Storage,
    entry: EntryRequest,
}

fn settled(game: &Game) -> Vec<Settled> {
    let Addresses { gold, arena, sword, world } = addresses();
    let of = |kind, contract, key: Key, value: Felt, amount: u128, name: &str, of: Option<&Player>| Settled {
        storage: Storage {
            contract,
            key,
            kind,
            value,
            name: Some(name.into()),
            of: of.map(|player| player.name.clone()),
        },
        entry: EntryRequest { kind, contract, key, owner: None, amount },
    };
    let mut settled = vec![of(Kind::Escrow, gold, balance(arena), TREASURE.into(), PRIZES, "prizes", None)];
    for player in &game.players {
        let address = player.account.address();
        settled.push(of(Kind::Counter, world, experience(address), player.experience.into(), 0, "experience", Some(player)));
        settled.push(of(Kind::Escrow, gold, balance(address), player.gold.into(), player.purse, "gold", Some(player)));
    }
    let holder = game.players[game.holder].account.address().0;
    settled.push(of(Kind::Lock, sword, owner(), holder, 0, "sword", None));
    settled
}

/// The state before the first transaction. What settles has its values from the World.
fn genesis(game: &Game, classes: &[(&'static str, ClassPair)]) -> String {
    let Addresses { gold, arena, .. } = addresses();
    let hash = |name: &str| classes.iter().find(|(it, _)| *it == name).map(|(_, pair)| pair.class_hash).unwrap_or_default();
    let master = game.players[0].account.address().0;
    let storage = |address: ContractId, class: &str| {
        let slots: Vec<(&str, Felt)> = match class {
            "arena" => vec![("gold", gold.0)],
            "world" => vec![("arena", arena.0), ("dice", hash("dice")), ("master", master)],
            "account" => {
                let player = game.players.iter().find(|it| it.account.address() == address);
                vec![("public_key", player.map(|it| it.public).unwrap_or_default())]
            }
            _ => Vec::new(),
        };
        let written = |(name, value): (&str, Felt)| (variable(name, None).to_string(), json!(format!("{value:#x}")));
        Value::Object(slots.into_iter().map(written).collect())
    };
    let contract = |(address, class): (&ContractId, &&str)| {
        json!({ "address": address, "class_hash": format!("{:#x}", hash(class)), "storage": storage(*address, class) })
    };
    // The classes stand as they were written: the order of an interface's fields is part of its hash.
    let class = |(name, sierra): (&str, &str)| format!(r#"{{"sierra": {sierra}, "class_hash": "{:#x}"}}"#, hash(name));
    let classes: Vec<_> = SIERRA.into_iter().map(class).collect();
    let contracts: Vec<_> = contracts(game).iter().map(|it| contract(it).to_string()).collect();
    format!(r#"{{"version": 1, "classes": [{}], "contracts": [{}]}}"#, classes.join(","), contracts.join(","))
}
