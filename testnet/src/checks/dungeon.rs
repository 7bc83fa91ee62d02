//! What a shard of contracts did, recomputed from its log in plain Rust: the dungeon's, which is the only one that networks under test have.
//!
//! A log has calldata, not deeds. They are read here once more, by address and selector, and played by [the game's rules](crate::contracts::recompute); neither
//! a contract nor a virtual machine is asked. Each logged transaction must be one that the rules let in, with the flag `reverted` that they give it, at a
//! time that isn't before the last one's.

use crate::contracts::{
    game::{Addresses, Deed, addresses, balance, experience, owner},
    recompute::Books,
};
use shardwire::contents::WorldShard;
use shardwire_model::{
    ContractId, Felt, Invoke, Kind, Logged, SessionCall, ShardTransaction, Slot, Terms, starknet_keccak,
};
use std::collections::BTreeMap;

/// A call in a log: contract, selector, arguments.
type Call<'a> = (ContractId, Felt, &'a [Felt]);

/// What each entry of the settlement list must say, after a log that has its end.
pub(super) fn updates(shard: &WorldShard, log: &[Logged]) -> Result<BTreeMap<Slot, Felt>, String> {
    let slots = Slots::of(shard)?;
    let mut books = slots.first()?;
    let (mut time, deadline, mut ended) = (slots.begins, shard.start.deadline.0 / 1000, false);
    for (logged, number) in log.iter().zip(1..) {
        let wrong = |what: String| format!("transaction {number} {what}");
        if ended {
            return Err(wrong("comes after the end".into()));
        }
        if logged.time < time {
            return Err(wrong(format!("has time {}, and the one before it {time}", logged.time)));
        }
        time = logged.time;
        let (me, deeds) = slots.deeds(&logged.transaction).ok_or_else(|| wrong("is none that may be there".into()))?;
        let came = books.play(me, &deeds);
        if came.reverted != logged.reverted {
            let say = |it| if it { "reverted" } else { "not reverted" };
            return Err(wrong(format!("is {}, and has to be {}", say(logged.reverted), say(came.reverted))));
        }
        ended = deeds.contains(&Deed::Finish);
    }
    if time > deadline {
        return Err(format!("its last transaction has time {time}, and its deadline is {deadline}"));
    }
    if !ended {
        return Err("it is settled, and its log has no end".into());
    }
    Ok(slots.after(&books))
}

/// Where everything is, by the start data.
struct Slots<'a> {
    shard: &'a WorldShard,
    players: Vec<ContractId>,
    begins: u64,
}

impl<'a> Slots<'a> {
    fn of(shard: &'a WorldShard) -> Result<Self, String> {
        let Terms::Contracts(terms) = &shard.start.terms else { return Err("it is none of contracts".into()) };
        let players = shard.start.accounts.iter().map(|account| ContractId(account.0)).collect();
        Ok(Self { shard, players, begins: terms.begins })
    }

    fn index(&self, account: Felt) -> Option<usize> {
        self.players.iter().position(|player| player.0 == account)
    }

    fn value(&self, slot: Slot) -> Result<Felt, String> {
        let mut entries = self.shard.start.entries.iter().zip(&self.shard.values);
        let found = entries.find(|(entry, _)| entry.slot() == slot);
        found.map(|(_, value)| value.0).ok_or_else(|| format!("{slot} isn't in its settlement list"))
    }

    fn amount(&self, slot: Slot) -> Result<u128, String> {
        u128::try_from(self.value(slot)?).map_err(|_| format!("{slot} is no amount"))
    }

    /// Before the first transaction.
    fn first(&self) -> Result<Books, String> {
        let Addresses { arena, gold, sword, world, .. } = addresses();
        let each = |slot: fn(ContractId) -> _, of| -> Result<Vec<u128>, String> {
            self.players.iter().map(|player| self.amount(Slot::new(of, slot(*player)))).collect()
        };
        let holder = self.value(Slot::new(sword, owner()))?;
        Ok(Books {
            prizes: self.amount(Slot::new(gold, balance(arena)))?,
            gold: each(balance, gold)?,
            experience: each(experience, world)?,
            holder: self.index(holder).ok_or("nobody in it has the sword")?,
        })
    }

    /// What each entry must say then.
    fn after(&self, books: &Books) -> BTreeMap<Slot, Felt> {
        let Addresses { arena, gold, sword, world, .. } = addresses();
        let mut now = BTreeMap::from([
            (Slot::new(gold, balance(arena)), Felt::from(books.prizes)),
            (Slot::new(sword, owner()), self.players.get(books.holder).map(|it| it.0).unwrap_or_default()),
        ]);
        for (player, (purse, points)) in self.players.iter().zip(books.gold.iter().zip(&books.experience)) {
            now.insert(Slot::new(gold, balance(*player)), Felt::from(*purse));
            now.insert(Slot::new(world, experience(*player)), Felt::from(*points));
        }
        // A counter settles by what it grew.
        for (entry, first) in self.shard.start.entries.iter().zip(&self.shard.values) {
            if entry.kind == Kind::Counter
                && let Some(value) = now.get_mut(&entry.slot())
            {
                *value -= first.0;
            }
        }
        now
    }

    /// Whose transaction it is, and what it does to what settles; none if nobody plays that.
    fn deeds(&self, transaction: &ShardTransaction) -> Option<(usize, Vec<Deed>)> {
        match transaction {
            ShardTransaction::Rules(_) => None,
            ShardTransaction::Session(SessionCall { account, contract, selector, calldata, .. }) => {
                Some((self.index(account.0)?, vec![self.deed((*contract, *selector, calldata))?]))
            }
            ShardTransaction::Invoke(Invoke { sender, calldata, .. }) => {
                let me = self.index(sender.0)?;
                let calls = calls(calldata)?;
                if let [(to, selector, _)] = *calls
                    && (to, selector) == (addresses().sessions, starknet_keccak("open"))
                {
                    return Some((me, Vec::new()));
                }
                Some((me, calls.into_iter().map(|call| self.deed(call)).collect::<Option<_>>()?))
            }
        }
    }

    fn deed(&self, (to, selector, arguments): Call<'_>) -> Option<Deed> {
        let Addresses { gold, sword, world, .. } = addresses();
        let is = |contract, name| to == contract && selector == starknet_keccak(name);
        let small = |felt: &Felt| u32::try_from(u64::try_from(*felt).ok()?).ok();
        let one = || if let [argument] = arguments { small(argument) } else { None };
        Some(match arguments {
            [to, amount, high] if is(gold, "transfer") && *high == Felt::ZERO => {
                Deed::Pay { to: self.index(*to)?, amount: small(amount)? }
            }
            [_, to] if is(sword, "give") => Deed::Give { to: self.index(*to)? },
            _ if is(world, "train") => Deed::Train(one()?),
            _ if is(world, "adventure") => Deed::Fight(one()?),
            _ if is(world, "try_adventure") => Deed::TryToFight(one()?),
            _ if is(world, "gamble") => Deed::Roll(one()?),
            [_] if is(world, "try_library") => Deed::BreakDice,
            [] if is(world, "doom") => Deed::Doom,
            [] if is(world, "finish") => Deed::Finish,
            _ => return None,
        })
    }
}

/// The calls of an account: how many there are; of each its contract, selector, how many arguments, these.
fn calls(calldata: &[Felt]) -> Option<Vec<Call<'_>>> {
    let number = |felt: &Felt| u64::try_from(*felt).ok().and_then(|number| usize::try_from(number).ok());
    let (count, mut rest) = calldata.split_first()?;
    let mut calls = Vec::new();
    for _ in 0..number(count)?.min(rest.len()) {
        let ([to, selector, length], tail) = rest.split_first_chunk::<3>()?;
        let (arguments, tail) = tail.split_at_checked(number(length)?)?;
        calls.push((ContractId(*to), *selector, arguments));
        rest = tail;
    }
    rest.is_empty().then_some(calls)
}
