//! A dungeon run from a seed: the workload that `testnet` plays unless it is given a file.
//!
//! Everybody has experience (a counter) and gold (a balance, part of which the shard takes in escrow); the guild has experience
//! that all add to; a unique sword is given from hand to hand under its lock. Two contracts share the work: the dungeon owns
//! experience and sword and emits the end event, the treasury owns the gold. The first deeds are one of each sort, so that a short run has
//! them all; after those the dice decide. The generator keeps the books, so every transaction obeys the rules.
//!
//! `transactions` is the number of *all* signed transactions: the last of them emits the event that ends the shard.
//!
//! The same options give the same workload for ever, on every machine: the dice are ChaCha8 and [`Dice`] is all that is done
//! with them. A test pins one workload's hash.
//!
//! Bounds: [`MAX_PLAYERS`], [`shardwire_model::MAX_TRANSACTIONS`].

mod dice;
pub(crate) mod names;
#[cfg(test)]
mod tests;

use dice::Dice;
use shardwire_model::{
    AccountId, Call, Coded, ContractId, EntryRequest, EventId, Felt, Key, Kind, MAX_ACCOUNTS, MAX_TRANSACTIONS,
    finished_selector, starknet_keccak,
};
use shardwire_workload::{Player, Start, Storage, UnsignedTransaction, Workload, World};

/// Most players: as many accounts as a shard may whitelist. Their 2 entries each, the guild's and the sword's fit one shard.
pub const MAX_PLAYERS: usize = MAX_ACCOUNTS;

/// Which dungeon run, or which game of [contracts](crate::contracts): the bounds are each game's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many play, 1 to `MAX_PLAYERS`.
    pub players: usize,
    /// How many transactions in all, 1 to `MAX_TRANSACTIONS`; the last one ends the shard.
    pub transactions: usize,
    /// Which of all such runs.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { players: 8, transactions: 500, seed: 7 }
    }
}

/// A dungeon that no shard can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DungeonError {
    /// Too few or too many players.
    #[error("a dungeon run has 1 to {MAX_PLAYERS} players, not {0}")]
    Players(usize),
    /// Too few or too many transactions.
    #[error("a dungeon run has 1 to {MAX_TRANSACTIONS} transactions, not {0}")]
    Transactions(usize),
}

impl Coded for DungeonError {
    fn code(&self) -> &'static str {
        match self {
            Self::Players(_) => "SW-DUNGEON-001",
            Self::Transactions(_) => "SW-DUNGEON-002",
        }
    }
    fn next_step(&self) -> String {
        match self {
            Self::Players(_) => "Choose another number with --players.".into(),
            Self::Transactions(_) => "Choose another number with --transactions.".into(),
        }
    }
}

/// A player and its books.
struct Hero {
    name: String,
    account: AccountId,
    experience: Key,
    gold: Key,
    /// What is left in escrow.
    purse: u128,
}

/// What can happen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Learn,
    Boast,
    Spend,
    Pass,
    Give,
}

/// One of each, so that a short run has them all.
const OPENING: [Deed; 5] = [Deed::Learn, Deed::Boast, Deed::Spend, Deed::Pass, Deed::Give];

struct Dungeon {
    dice: Dice,
    dungeon: ContractId,
    treasury: ContractId,
    heroes: Vec<Hero>,
    guild: Key,
    sword: Key,
    /// Who has the sword: an index into `heroes`.
    holder: usize,
}

/// The dungeon run of these options.
///
/// # Errors
/// [`DungeonError::Players`] or [`DungeonError::Transactions`] if no shard can hold as many.
pub fn generate(options: Options) -> Result<Workload, DungeonError> {
    let Options { players, transactions, seed } = options;
    if !(1..=MAX_PLAYERS).contains(&players) {
        return Err(DungeonError::Players(players));
    }
    if !(1..=MAX_TRANSACTIONS as usize).contains(&transactions) {
        return Err(DungeonError::Transactions(transactions));
    }
    let mut dice = Dice::of(seed);
    let salt = dice.below(1 << 53); // every reader of JSON keeps 53 bits
    let (dungeon, treasury) = (ContractId(starknet_keccak("Dungeon")), ContractId(starknet_keccak("Treasury")));
    let storage = |contract, kind, value: u64, name: &str, of: &str| Storage {
        contract,
        key: Key(starknet_keccak(&format!("{name} of {of}"))),
        kind,
        value: Felt::from(value),
        name: Some(name.into()),
        of: Some(of.into()),
    };
    let entry = |kind, contract, key| EntryRequest { kind, contract, key, owner: None, amount: 0 };
    let (mut world, mut entries, mut keys, mut heroes) = (World::default(), Vec::new(), Vec::new(), Vec::new());
    for index in 0..players {
        let player = Player { name: names::name(index), secret: dice.secret() };
        let account = player.key().id();
        let experience = storage(dungeon, Kind::Counter, dice.between(0, 2_000), "experience", &player.name);
        let gold = storage(treasury, Kind::Escrow, dice.between(1_000, 3_000), "gold", &player.name);
        let purse = u128::from(dice.between(300, 900));
        entries.push(entry(Kind::Counter, dungeon, experience.key));
        let escrow = entry(Kind::Escrow, treasury, gold.key);
        entries.push(EntryRequest { owner: Some(account), amount: purse, ..escrow });
        heroes.push(Hero { name: player.name.clone(), account, experience: experience.key, gold: gold.key, purse });
        world.storage.extend([experience, gold]);
        keys.push(player);
    }
    let guild = storage(dungeon, Kind::Counter, dice.between(0, 20_000), "experience", "the guild");
    let holder = dice.index(players);
    let bearer = heroes.get(holder).map(|hero| hero.account.0).unwrap_or_default();
    let sword = Storage {
        contract: dungeon,
        key: Key(starknet_keccak("sword")),
        kind: Kind::Lock,
        value: bearer,
        name: Some("sword".into()),
        of: None,
    };
    entries.extend([entry(Kind::Counter, dungeon, guild.key), entry(Kind::Lock, dungeon, sword.key)]);
    let start = Start {
        salt,
        program: None,
        contracts: vec![dungeon, treasury],
        accounts: heroes.iter().map(|hero| hero.account).collect(),
        end_event: EventId { from: dungeon, selector: finished_selector() },
        entries,
    };
    let mut run = Dungeon { dice, dungeon, treasury, heroes, guild: guild.key, sword: sword.key, holder };
    world.storage.extend([guild, sword]);
    let mut steps: Vec<UnsignedTransaction> =
        (1..transactions).map(|number| run.step(OPENING.get(number - 1).copied())).collect();
    steps.push(run.finish());
    Ok(Workload { name: "dungeon".into(), world, start, players: keys, transactions: steps })
}

impl Dungeon {
    fn step(&mut self, deed: Option<Deed>) -> UnsignedTransaction {
        let deed = deed.unwrap_or_else(|| match self.dice.below(100) {
            0..45 => Deed::Learn,
            45..55 => Deed::Boast,
            55..75 => Deed::Spend,
            75..92 => Deed::Pass,
            _ => Deed::Give,
        });
        let actor = self.dice.index(self.heroes.len());
        let tried = match deed {
            Deed::Learn => None,
            Deed::Boast => Some(self.boast(actor)),
            Deed::Spend => self.spend(actor),
            Deed::Pass => self.pass(actor),
            Deed::Give => self.give(),
        };
        // With an empty purse or nobody else there, one learns from it.
        tried.unwrap_or_else(|| self.learn(actor))
    }

    fn by(&self, actor: usize, contract: ContractId, call: Call) -> UnsignedTransaction {
        UnsignedTransaction { player: self.heroes[actor].name.clone(), contract, call }
    }

    fn learn(&mut self, actor: usize) -> UnsignedTransaction {
        let amount = self.dice.between(5, 120).into();
        self.by(actor, self.dungeon, Call::Add { counter: self.heroes[actor].experience, amount })
    }

    fn boast(&mut self, actor: usize) -> UnsignedTransaction {
        let amount = self.dice.between(1, 40).into();
        self.by(actor, self.dungeon, Call::Add { counter: self.guild, amount })
    }

    fn spend(&mut self, actor: usize) -> Option<UnsignedTransaction> {
        let amount = self.withdraw(actor, 40)?;
        Some(self.by(actor, self.treasury, Call::Spend { escrow: self.heroes[actor].gold, amount }))
    }

    fn pass(&mut self, actor: usize) -> Option<UnsignedTransaction> {
        let other = self.other(actor)?;
        let amount = self.withdraw(actor, 60)?;
        self.heroes[other].purse += amount;
        let (from, to) = (self.heroes[actor].gold, self.heroes[other].gold);
        Some(self.by(actor, self.treasury, Call::Pass { from, to, amount }))
    }

    fn give(&mut self) -> Option<UnsignedTransaction> {
        let (giver, taker) = (self.holder, self.other(self.holder)?);
        self.holder = taker;
        let to = self.heroes[taker].account;
        Some(self.by(giver, self.dungeon, Call::Give { lock: self.sword, to }))
    }

    /// Takes 1 to `most` out of a purse, unless it is empty.
    fn withdraw(&mut self, actor: usize, most: u64) -> Option<u128> {
        let most = most.min(u64::try_from(self.heroes[actor].purse).unwrap_or(u64::MAX));
        let amount = u128::from((most > 0).then(|| self.dice.between(1, most))?);
        self.heroes[actor].purse -= amount;
        Some(amount)
    }

    /// Somebody else, if there is one.
    fn other(&mut self, actor: usize) -> Option<usize> {
        let others = self.heroes.len() - 1;
        let drawn = (others > 0).then(|| self.dice.index(others))?;
        Some(if drawn < actor { drawn } else { drawn + 1 })
    }

    fn finish(&self) -> UnsignedTransaction {
        self.by(self.holder, self.dungeon, Call::Finish)
    }
}
