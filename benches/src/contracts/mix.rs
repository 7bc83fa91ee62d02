//! What is played: always the same four deeds, asked for in different ways.
//!
//! A hero fights, which is three calls deep (World, Arena, Gold); tries to fight; fights again; and tries to fight for more than the arena has, which fails
//! in the third call, is undone down to the second, and forgiven by the first.
//!
//! | mix | how | calls a deed |
//! |---|---|---|
//! | `nested` | an INVOKE v3 for all four | 3.5 |
//! | `without_signatures` | an INVOKE v3 for [`AT_ONCE`] deeds, so that signature, hash and account are a small part | 3.04 |
//! | `session_calls` | a session call for each deed; each player allows its key once | 3 |
//! | `invokes` | an INVOKE v3 for each deed, as a wallet makes it | 5 |
//!
//! Calls are what runs code: an INVOKE has two more than its deeds, `__validate__` and `__execute__`.

use super::Outcome;
use testnet::contracts::{Deed, Game, Planned};

/// How many play.
pub(super) const PLAYERS: usize = 4;
/// The deeds.
pub(super) const DEEDS: [Deed; 4] = [Deed::Fight(1), Deed::TryToFight(1), Deed::Fight(1), Deed::TryToFight(1_000_000)];
/// Deeds of one INVOKE of the mix without signatures: what its gas is enough for.
const AT_ONCE: usize = 48;
/// The arena's gold: enough for every deed, and less than the last of them asks for.
pub(super) const PRIZES: u128 = 500_000;
/// Which players.
pub(super) const SEED: u64 = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Mix {
    Nested,
    WithoutSignatures,
    SessionCalls,
    Invokes,
}

impl Mix {
    pub(super) const ALL: [Self; 4] = [Self::Nested, Self::WithoutSignatures, Self::SessionCalls, Self::Invokes];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nested => "nested",
            Self::WithoutSignatures => "without_signatures",
            Self::SessionCalls => "session_calls",
            Self::Invokes => "invokes",
        }
    }

    /// What a player does in one turn.
    fn turn(self) -> Vec<Planned> {
        match self {
            Self::Nested => vec![Planned::Account(DEEDS.to_vec())],
            Self::WithoutSignatures => vec![Planned::Account(DEEDS.into_iter().cycle().take(AT_ONCE).collect())],
            Self::SessionCalls => DEEDS.map(Planned::Session).to_vec(),
            Self::Invokes => DEEDS.map(|deed| Planned::Account(vec![deed])).to_vec(),
        }
    }

    /// Calls of a turn.
    const fn calls(self) -> u32 {
        match self {
            Self::Nested => 2 + 3 * 4,
            Self::WithoutSignatures => 2 + 3 * AT_ONCE as u32,
            Self::SessionCalls => 3 * 4,
            Self::Invokes => (2 + 3) * 4,
        }
    }

    /// The game in which every player has so many turns.
    pub(super) fn game(self, turns: u32) -> Outcome<Game> {
        let allow = (self == Self::SessionCalls).then_some(Planned::Allow);
        let plan = || allow.clone().into_iter().chain((0..turns).flat_map(|_| self.turn())).collect();
        Ok(Game::planned(SEED, PRIZES, (0..PLAYERS).map(|_| plan()).collect())?)
    }

    /// How many turns of each player make about so many calls; one at least.
    pub(super) const fn turns(self, calls: u32) -> u32 {
        let round = self.calls() * PLAYERS as u32;
        let turns = (calls + round / 2) / round;
        if turns > 0 { turns } else { 1 }
    }

    /// The game of about so many calls.
    pub(super) fn game_of(self, calls: u32) -> Outcome<Game> {
        self.game(self.turns(calls))
    }
}
