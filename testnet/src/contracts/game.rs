//! The dungeon as contracts: who plays, and what everybody does.
//!
//! Five contracts: Gold (balances), Arena (pays prizes in gold), Sword (one sword, one owner) and World, which players call: it counts experience and
//! calls the arena, which calls the gold; and Sessions, where accounts allow keys. Each player has an account contract and a plan of its own; the plans run side by side, and the shard's log decides their
//! order. The first player is the master and ends the game when the others are through.
//!
//! Each begins by allowing a session key all that there is to do. Most of what follows this key calls; each eighth transaction is one of the account, which may do two things at once.
//!
//! The first deeds of each plan are one of each sort, so that a short run has them all; after those the dice decide. Some fail inside, which the World forgives and
//! counts; some fail at the top and are reverted.
//!
//! Bounds: [`MAX_PLAYERS`], [`MAX_TRANSACTIONS`].

use super::{ContractsError, hand::L2_GAS};
use crate::{dice::Dice, dungeon::Options};
use shardwire_model::{AccountKey, ContractId, Felt, Invoke, Key, Selector, starknet_keccak};
use shardwire_starknet::{Account, Call};
use std::{fmt, slice};

/// Most players.
pub const MAX_PLAYERS: usize = 64;
/// Most transactions, the last one included.
pub const MAX_TRANSACTIONS: usize = 1 << 14;
/// What the arena of a game of dice pays out of at first.
const PRIZES: u128 = 2_000;
/// The number of the sword.
const SWORD: u64 = 7;

/// Refuses a game that none of this network can play.
///
/// # Errors
/// [`ContractsError::Players`] or [`ContractsError::Transactions`].
pub(crate) fn check(options: Options) -> Result<(), ContractsError> {
    if !(1..=MAX_PLAYERS).contains(&options.players) {
        return Err(ContractsError::Players(options.players));
    }
    if !(1..=MAX_TRANSACTIONS).contains(&options.transactions) {
        return Err(ContractsError::Transactions(options.transactions));
    }
    Ok(())
}

/// Where the contracts are.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Balances of gold.
    pub gold: ContractId,
    /// Pays prizes.
    pub arena: ContractId,
    /// Has the sword's owner.
    pub sword: ContractId,
    /// What players call.
    pub world: ContractId,
    /// Where accounts allow keys.
    pub sessions: ContractId,
}

/// They have no deployer, so these are as good as any: short, for people.
#[must_use]
pub fn addresses() -> Addresses {
    let at = |address: u64| ContractId(address.into());
    Addresses {
        gold: at(0x601d),
        arena: at(0xa7e7a),
        sword: at(0x5803d),
        world: at(0x3031d),
        sessions: at(0x5e55_1035),
    }
}

/// The first player's account; the others' follow it.
const FIRST_ACCOUNT: u64 = 0x1001;

/// Who plays.
#[derive(Clone)]
pub struct Player {
    pub(crate) name: String,
    pub(crate) account: Account,
    /// Its secret key.
    pub(crate) secret: Felt,
    /// The public key that the account contract has.
    pub(crate) public: Felt,
    /// The key that it allows to call in its name.
    pub(crate) session: AccountKey,
    /// Experience at first.
    pub(crate) experience: u128,
    /// Gold that the World has of it.
    pub(crate) gold: u128,
    /// The part of it that the shard takes along.
    pub(crate) purse: u128,
}

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player").field("name", &self.name).field("account", &self.account).finish_non_exhaustive()
    }
}

/// One thing that a player does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Gains experience: one call.
    Train(u32),
    /// Gains ten points, and a prize of the arena: three calls deep. Without enough gold in the arena all of it fails.
    Fight(u32),
    /// The same for one point, and the arena's failure is forgiven.
    TryToFight(u32),
    /// Pays another player, who may get more than the payer has: then it fails.
    Pay {
        /// Which player gets it.
        to: usize,
        /// How much.
        amount: u32,
    },
    /// Gives the sword away: only its owner can.
    Give {
        /// Which player gets it.
        to: usize,
    },
    /// Rolls the dice, which are a class without a contract.
    Roll(u32),
    /// Rolls dice that break, which is forgiven.
    BreakDice,
    /// Fails at the top: the transaction is reverted.
    Doom,
    /// Ends the game.
    Finish,
}

/// A transaction that is to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Planned {
    /// The account allows its session key to do everything.
    Allow,
    /// The account does one or two things, all or nothing.
    Account(Vec<Deed>),
    /// The session key does something in its name.
    Session(Deed),
}

impl Planned {
    /// What ends the game.
    pub(crate) fn finish() -> Self {
        Self::Account(vec![Deed::Finish])
    }

    /// What it does to what settles.
    pub(crate) fn deeds(&self) -> &[Deed] {
        match self {
            Self::Allow => &[],
            Self::Account(deeds) => deeds,
            Self::Session(deed) => slice::from_ref(deed),
        }
    }

    /// Whether it uses a nonce of its account.
    pub(crate) const fn is_of_account(&self) -> bool {
        !matches!(self, Self::Session(_))
    }
}

/// How many rounds an account leaves to its session key for each that it plays itself.
const ROUNDS_A_SIGNATURE: usize = 8;

/// Who plays, and what everybody does, in each one's own order.
#[derive(Clone, Debug)]
pub struct Game {
    pub(crate) players: Vec<Player>,
    /// For each player. What ends the game is the master's last.
    pub(crate) plans: Vec<Vec<Planned>>,
    /// Who has the sword at first: an index into `players`.
    pub(crate) holder: usize,
    /// The gold that the arena pays out of at first.
    pub(crate) prizes: u128,
}

/// One of each sort: it draws a deed of a player, by its index, among so many.
pub(crate) const OPENING: [fn(&mut Dice, usize, usize) -> Deed; 8] =
    [train, fight, try_to_fight, pay, roll, break_dice, doom, give];

fn train(dice: &mut Dice, _: usize, _: usize) -> Deed {
    Deed::Train(small(dice, 5, 120))
}

fn fight(dice: &mut Dice, _: usize, _: usize) -> Deed {
    Deed::Fight(small(dice, 1, 12))
}

/// Every fourth asks for more than the arena ever has.
fn try_to_fight(dice: &mut Dice, _: usize, _: usize) -> Deed {
    Deed::TryToFight(if dice.below(4) == 0 { 1_000_000 } else { small(dice, 1, 12) })
}

fn pay(dice: &mut Dice, me: usize, players: usize) -> Deed {
    let amount = if dice.below(8) == 0 { 1_000_000 } else { small(dice, 1, 40) };
    Deed::Pay { to: another(dice, me, players), amount }
}

fn give(dice: &mut Dice, me: usize, players: usize) -> Deed {
    Deed::Give { to: another(dice, me, players) }
}

fn roll(dice: &mut Dice, _: usize, _: usize) -> Deed {
    Deed::Roll(small(dice, 2, 20))
}

fn break_dice(_: &mut Dice, _: usize, _: usize) -> Deed {
    Deed::BreakDice
}

fn doom(_: &mut Dice, _: usize, _: usize) -> Deed {
    Deed::Doom
}

fn small(dice: &mut Dice, low: u32, high: u32) -> u32 {
    low + u32::try_from(dice.below(u64::from(high - low) + 1)).unwrap_or_default()
}

/// Somebody else, if there is one.
fn another(dice: &mut Dice, me: usize, players: usize) -> usize {
    if players < 2 {
        return me;
    }
    let drawn = dice.index(players - 1);
    if drawn < me { drawn } else { drawn + 1 }
}

impl Game {
    /// The game of these options, which are in their bounds.
    pub(crate) fn of(options: Options) -> Self {
        let Options { players: count, transactions, seed } = options;
        let (mut game, mut dice) = Self::begin(count, seed, PRIZES);
        let plans = &mut game.plans;
        for number in 0..transactions - 1 {
            let me = number % count;
            let Some(round) = (number / count).checked_sub(1) else {
                plans[me].push(Planned::Allow);
                continue;
            };
            let deed = match OPENING.get(round) {
                Some(deed) => deed(&mut dice, me, count),
                None => drawn(&mut dice, me, count),
            };
            plans[me].push(match round % ROUNDS_A_SIGNATURE {
                0 if dice.below(2) == 0 => Planned::Account(vec![deed, drawn(&mut dice, me, count)]),
                0 => Planned::Account(vec![deed]),
                _ => Planned::Session(deed),
            });
        }
        plans[0].push(Planned::finish());
        game
    }

    /// A game of other plans, one a player, for measurements: what ends it is added. The arena has this much gold for prizes.
    ///
    /// # Errors
    /// [`ContractsError::Players`] or [`ContractsError::Transactions`] if there are too few or too many.
    pub fn planned(seed: u64, prizes: u128, plans: Vec<Vec<Planned>>) -> Result<Self, ContractsError> {
        let transactions = plans.iter().map(Vec::len).sum::<usize>() + 1;
        check(Options { players: plans.len(), transactions, seed })?;
        let (mut game, _) = Self::begin(plans.len(), seed, prizes);
        game.plans = plans;
        game.plans[0].push(Planned::finish());
        Ok(game)
    }

    /// The players, without plans.
    fn begin(count: usize, seed: u64, prizes: u128) -> (Self, Dice) {
        let mut dice = Dice::of(seed, 0);
        let players: Vec<_> = (0..count).map(|index| player(index, &mut dice)).collect();
        let holder = dice.index(count);
        (Self { players, plans: vec![Vec::new(); count], holder, prizes }, dice)
    }

    /// How many play.
    #[must_use]
    pub fn players(&self) -> usize {
        self.players.len()
    }

    /// A player's account, by its place.
    ///
    /// # Panics
    /// If there is no such player.
    #[must_use]
    pub fn account(&self, player: usize) -> &Account {
        &self.players[player].account
    }

    /// What a player's account asks for, not signed yet. `None` of what the session key does, and of allowing it.
    ///
    /// # Panics
    /// If there is no such player.
    #[must_use]
    pub fn unsigned(&self, player: usize, planned: &Planned, nonce: u64) -> Option<Invoke> {
        let Planned::Account(deeds) = planned else { return None };
        let calls: Vec<_> = deeds.iter().map(|deed| deed.call(&self.players)).collect();
        Some(self.account(player).unsigned(nonce, &calls, L2_GAS))
    }
}

fn player(index: usize, dice: &mut Dice) -> Player {
    // Any number below the curve's order but zero is a key; 248 bits are below it.
    let mut secret = dice.secret();
    secret[0] = 0;
    secret[31] |= 1;
    let secret = Felt::from_bytes_be(&secret);
    let name = crate::dungeon::names::name(index);
    let public = AccountKey::from_scalar(secret).map(|key| key.id().0).unwrap_or_default();
    let address = ContractId(Felt::from(FIRST_ACCOUNT) + Felt::from(index));
    Player {
        name,
        account: Account::new(address, secret),
        secret,
        public,
        session: AccountKey::from_secret(dice.secret()),
        experience: dice.below(2_000).into(),
        gold: (1_000 + dice.below(2_000)).into(),
        purse: (300 + dice.below(600)).into(),
    }
}

fn drawn(dice: &mut Dice, me: usize, players: usize) -> Deed {
    let deed = match dice.below(100) {
        0..35 => train,
        35..60 => fight,
        60..72 => try_to_fight,
        72..86 => pay,
        86..92 => roll,
        92..95 => break_dice,
        95..98 => give,
        _ => doom,
    };
    deed(dice, me, players)
}

/// Where a player's or contract's gold is.
pub(crate) fn balance(of: ContractId) -> Key {
    Key::of_variable("balances", &[of.0])
}

/// Where a player's experience is.
pub(crate) fn experience(of: ContractId) -> Key {
    Key::of_variable("xp", &[of.0])
}

/// Where the sword's owner is.
pub(crate) fn owner() -> Key {
    Key::of_variable("owners", &[SWORD.into()])
}

impl Deed {
    /// The call of a contract that does it.
    pub(crate) fn call(self, players: &[Player]) -> Call {
        let Addresses { gold, sword, world, .. } = addresses();
        let of = |player: usize| players[player].account.address().0;
        let (to, name, calldata) = match self {
            Self::Train(points) => (world, "train", vec![points.into()]),
            Self::Fight(prize) => (world, "adventure", vec![prize.into()]),
            Self::TryToFight(prize) => (world, "try_adventure", vec![prize.into()]),
            Self::Pay { to, amount } => (gold, "transfer", vec![of(to), amount.into(), Felt::ZERO]),
            Self::Give { to } => (sword, "give", vec![SWORD.into(), of(to)]),
            Self::Roll(sides) => (world, "gamble", vec![sides.into()]),
            Self::BreakDice => (world, "try_library", vec![starknet_keccak("spoil")]),
            Self::Doom => (world, "doom", Vec::new()),
            Self::Finish => (world, "finish", Vec::new()),
        };
        Call { to, selector: Selector(starknet_keccak(name)), calldata }
    }
}

/// What a session key may call: all but the end of the game.
pub(crate) fn allowed() -> Vec<(ContractId, Selector)> {
    let Addresses { gold, sword, world, .. } = addresses();
    let of_world = ["train", "adventure", "try_adventure", "gamble", "try_library", "doom"].map(|name| (world, name));
    let calls = of_world.into_iter().chain([(gold, "transfer"), (sword, "give")]);
    calls.map(|(contract, name)| (contract, Selector(starknet_keccak(name)))).collect()
}
