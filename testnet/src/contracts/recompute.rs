//! What must come out of a game, recomputed in plain Rust from the plans and the order that the shard's log gives them.
//!
//! This is the judge of the whole path, so it shares no code with it: neither contracts nor a virtual machine. Whole numbers, and the rules of the game as
//! [`Deed`] states them.

use super::game::{Deed, Game};

/// What came of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Came {
    /// Whether it was undone whole.
    pub(crate) reverted: bool,
    /// How many calls inside failed and were forgiven.
    pub(crate) inner_failures: u64,
    /// How many calls the players' deeds made, nested ones and those that failed included. What an account does itself isn't among them.
    pub(crate) calls: u64,
}

/// Everything that settles, as it is in the shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Books {
    /// The arena's gold.
    pub(crate) prizes: u128,
    /// By player.
    pub(crate) gold: Vec<u128>,
    /// By player.
    pub(crate) experience: Vec<u128>,
    /// Who has the sword: a player's index.
    pub(crate) holder: usize,
}

impl Books {
    /// Before the first transaction.
    pub(crate) fn first(game: &Game) -> Self {
        let each = |of: fn(&super::game::Player) -> u128| game.players.iter().map(of).collect();
        Self {
            prizes: game.prizes,
            gold: each(|it| it.purse),
            experience: each(|it| it.experience),
            holder: game.holder,
        }
    }

    /// One transaction of this player: all of it, or nothing.
    pub(crate) fn play(&mut self, me: usize, deeds: &[Deed]) -> Came {
        let before = self.clone();
        let (mut inner_failures, mut calls) = (0, 0);
        for deed in deeds {
            calls += calls_of(*deed);
            match self.act(me, *deed) {
                Some(forgiven) => inner_failures += u64::from(forgiven),
                None => {
                    *self = before;
                    return Came { reverted: true, inner_failures: 0, calls };
                }
            }
        }
        Came { reverted: false, inner_failures, calls }
    }

    /// Whether something in it was forgiven; `None` if it fails.
    fn act(&mut self, me: usize, deed: Deed) -> Option<bool> {
        match deed {
            Deed::Train(points) => self.experience[me] += u128::from(points),
            Deed::Fight(prize) => {
                self.experience[me] += 10;
                self.prize(me, prize.into())?;
            }
            Deed::TryToFight(prize) => {
                self.experience[me] += 1;
                return Some(self.prize(me, prize.into()).is_none());
            }
            // A player without others pays itself: nothing moves.
            Deed::Pay { to, .. } if to == me => {}
            Deed::Pay { to, amount } => {
                let amount = amount.into();
                self.gold[me] = self.gold[me].checked_sub(amount)?;
                self.gold[to] += amount;
            }
            Deed::Give { to } => {
                if self.holder != me {
                    return None;
                }
                self.holder = to;
            }
            Deed::Roll(_) | Deed::Finish => {}
            Deed::BreakDice => return Some(true),
            Deed::Doom => return None,
        }
        Some(false)
    }

    fn prize(&mut self, me: usize, prize: u128) -> Option<()> {
        self.prizes = self.prizes.checked_sub(prize)?;
        self.gold[me] += prize;
        Some(())
    }
}

/// How many calls a deed makes, whether it fails or not: that of the player, and those that it makes in turn.
const fn calls_of(deed: Deed) -> u64 {
    match deed {
        Deed::Train(_) | Deed::Pay { .. } | Deed::Give { .. } | Deed::Doom | Deed::Finish => 1,
        // A class is called as well.
        Deed::Roll(_) | Deed::BreakDice => 2,
        // The world, the arena, the gold.
        Deed::Fight(_) | Deed::TryToFight(_) => 3,
    }
}
