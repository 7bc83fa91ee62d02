//! A World, and shards that compete for its things.
//!
//! Each player has experience (a counter) and gold (an escrow); a guild's experience and a sword (a lock) are common.
//! Shards overlap in all of these. In each shard the sword returns to its first owner, so that the next shard's moves
//! are known before this one ends.

use crate::{
    dice::Dice,
    recompute::{State, Value},
};
use shardwire_model::{
    AccountId, Call, ContractId, EntryRequest, EventId, Felt, Key, Kind, Slot, finished_selector, starknet_keccak,
};
use shardwire_workload::{Player, Start, UnsignedTransaction, Workload, World};
use shardwire_world::{Genesis, GenesisEntry, GenesisValue};

/// A player, with its key and storage addresses.
#[derive(Clone, Debug)]
struct Hero {
    player: Player,
    account: AccountId,
    experience: Key,
    gold: Key,
}

/// The World and its players.
#[derive(Clone, Debug)]
pub(crate) struct Game {
    heroes: Vec<Hero>,
    guild: Key,
    sword: Key,
    dungeon: ContractId,
    treasury: ContractId,
    /// What the World begins with.
    pub(crate) first: State,
}

/// The genesis of a World that begins with this storage.
pub(crate) fn genesis(first: &State) -> Genesis {
    let entry = |(slot, value): (&Slot, &Value)| {
        let number = u128::try_from(value.value).unwrap_or(0);
        let value = match value.kind {
            Kind::Lock => (value.kind, GenesisValue::Hex(value.value)),
            kind => (kind, GenesisValue::Number(number)),
        };
        GenesisEntry { contract: slot.contract, key: slot.key, kind: value.0, value: value.1 }
    };
    Genesis { storage: first.iter().map(entry).collect() }
}

impl Game {
    /// A World with this many players.
    pub(crate) fn new(people: usize, dice: &mut Dice) -> Self {
        let hero = |index: usize, dice: &mut Dice| {
            let player = Player { name: format!("hero {index}"), secret: dice.secret() };
            let account = player.key().id();
            let key = |what: &str| Key(starknet_keccak(&format!("{what} of {}", player.name)));
            Hero { account, experience: key("experience"), gold: key("gold"), player }
        };
        let heroes: Vec<Hero> = (0..people).map(|index| hero(index, dice)).collect();
        let (guild, sword) = (Key(starknet_keccak("guild")), Key(starknet_keccak("sword")));
        let (dungeon, treasury) = (ContractId(starknet_keccak("Dungeon")), ContractId(starknet_keccak("Treasury")));
        let mut first = State::new();
        let mut put = |contract, key, kind, value: Felt| first.insert(Slot::new(contract, key), Value { kind, value });
        for hero in &heroes {
            put(dungeon, hero.experience, Kind::Counter, Felt::from(dice.below(1000)));
            put(treasury, hero.gold, Kind::Escrow, Felt::from(1000 + dice.below(1000)));
        }
        put(dungeon, guild, Kind::Counter, Felt::from(dice.below(1000)));
        put(dungeon, sword, Kind::Lock, heroes.first().map(|hero| hero.account.0).unwrap_or_default());
        Self { heroes, guild, sword, dungeon, treasury, first }
    }

    /// One shard: a few players, a few moves, the end. A shard with the sword waits for the one before it.
    pub(crate) fn shard(&self, salt: u64, moves: usize, with_sword: bool, dice: &mut Dice) -> Workload {
        let with_sword = with_sword && self.heroes.len() > 1;
        let count = 2.max(1 + dice.index(self.heroes.len())).min(self.heroes.len());
        let skip = if with_sword { 0 } else { dice.index(self.heroes.len() - count + 1) };
        let heroes: Vec<&Hero> = self.heroes.iter().skip(skip).take(count).collect();
        let entry = |kind, contract, key| EntryRequest { kind, contract, key, owner: None, amount: 0 };
        let mut entries = Vec::new();
        let mut purses = Vec::new();
        for hero in &heroes {
            let amount = u128::from(20 + dice.below(60));
            entries.push(entry(Kind::Counter, self.dungeon, hero.experience));
            let escrow = entry(Kind::Escrow, self.treasury, hero.gold);
            entries.push(EntryRequest { owner: Some(hero.account), amount, ..escrow });
            purses.push(amount);
        }
        entries.push(entry(Kind::Counter, self.dungeon, self.guild));
        if with_sword {
            entries.push(entry(Kind::Lock, self.dungeon, self.sword));
        }
        let mut transactions = Vec::new();
        let mut by = |actor: usize, contract, call| {
            transactions.push(UnsignedTransaction { player: heroes[actor].player.name.clone(), contract, call });
        };
        if with_sword {
            by(0, self.dungeon, Call::Give { lock: self.sword, to: heroes[1].account });
        }
        for _ in 0..moves {
            let (actor, other) = (dice.index(count), dice.index(count));
            let amount = u128::from(1 + dice.below(20));
            match dice.below(4) {
                0 if purses[actor] >= amount => {
                    purses[actor] -= amount;
                    by(actor, self.treasury, Call::Spend { escrow: heroes[actor].gold, amount });
                }
                1 if purses[actor] >= amount && actor != other => {
                    purses[actor] -= amount;
                    purses[other] += amount;
                    by(actor, self.treasury, Call::Pass { from: heroes[actor].gold, to: heroes[other].gold, amount });
                }
                2 => by(actor, self.dungeon, Call::Add { counter: self.guild, amount }),
                _ => by(actor, self.dungeon, Call::Add { counter: heroes[actor].experience, amount }),
            }
        }
        if with_sword {
            by(1, self.dungeon, Call::Give { lock: self.sword, to: heroes[0].account });
        }
        by(dice.index(count), self.dungeon, Call::Finish);
        let start = Start {
            salt,
            program: None,
            contracts: vec![self.dungeon, self.treasury],
            accounts: heroes.iter().map(|hero| hero.account).collect(),
            end_event: EventId { from: self.dungeon, selector: finished_selector() },
            entries,
        };
        let players = heroes.iter().map(|hero| hero.player.clone()).collect();
        Workload { name: format!("shard {salt}"), world: World::default(), start, players, transactions }
    }
}
