//! Steps a call, exactly, and what they are for.
//!
//! A run of many turns less one of few, so that what a run costs once (start data, code, the list of what was read, the first and last access to a slot) isn't in
//! it. No clock is asked: the figures are the same everywhere, and a change of one is a change of the program, of the contracts or of this page.
//!
//! Each step belongs to the contracts' own bytecode, which no program can lower, or to a function of the program; library functions of Cairo are counted where they
//! run.

use super::{Outcome, mix::Mix, mix::PLAYERS, played::Played};
use serde_json::{Value, json};
use shardwire_contracts::places;
use shardwire_witness::Body;
use std::{collections::BTreeMap, io};

/// Turns of each player in the shorter run, and about how many calls more the longer one has.
const FEW: u32 = 1;
const MORE_CALLS: u32 = 600;
/// A function that has a smaller share of the steps isn't listed for people.
const SHARE_SHOWN: f64 = 0.01;

/// What a run came to.
#[derive(Debug, Default)]
struct Spent {
    transactions: u64,
    calls: u64,
    /// Steps in the contracts' bytecode.
    contracts: u64,
    /// Steps in the program, by function. Less those of another run, a function's may be below zero: how long some take depends on the values.
    program: BTreeMap<&'static str, i64>,
}

impl Spent {
    fn of(mix: Mix, turns: u32) -> Outcome<Self> {
        let played = Played::of(&mix.game(turns)?)?;
        let transactions = played.transactions() as u64;
        let mut spent = Self { transactions, calls: played.calls, ..Self::default() };
        let run = played.execute(&mut |chunk| {
            for registers in Body::decode(&chunk.body).map_err(io::Error::other)?.trace {
                match registers.code {
                    0 => *spent.program.entry(places::function(registers.pc as usize)).or_default() += 1,
                    _ => spent.contracts += 1,
                }
            }
            Ok(())
        })?;
        if spent.steps() == run.steps { Ok(spent) } else { Err("the witness has other steps than the run".into()) }
    }

    fn in_program(&self) -> u64 {
        self.program.values().sum::<i64>().unsigned_abs()
    }

    fn steps(&self) -> u64 {
        self.contracts + self.in_program()
    }

    /// What this has more than one with fewer turns.
    fn beyond(self, few: &Self) -> Outcome<Self> {
        let less = |many: u64, few: u64| many.checked_sub(few).ok_or("a longer run has fewer steps");
        less(self.in_program(), few.in_program())?;
        let more = |(name, steps)| (name, steps - few.program.get(name).copied().unwrap_or_default());
        let program = self.program.into_iter().map(more).collect();
        Ok(Self {
            transactions: less(self.transactions, few.transactions)?,
            calls: less(self.calls, few.calls)?,
            contracts: less(self.contracts, few.contracts)?,
            program,
        })
    }

    fn a_call(&self, steps: f64) -> f64 {
        (steps / self.calls as f64 * 10.0).round() / 10.0
    }
}

/// Measures and prints.
pub(super) fn measure() -> Outcome<Value> {
    let mut object = serde_json::Map::new();
    for mix in Mix::ALL {
        let spent = Spent::of(mix, FEW + mix.turns(MORE_CALLS))?.beyond(&Spent::of(mix, FEW)?)?;
        let [all, own, program] =
            [spent.steps(), spent.contracts, spent.in_program()].map(|steps| spent.a_call(steps as f64));
        say!(
            "contracts::steps/mix={}: {all} steps a call: {own} of the contracts' code, {program} of the program; {} calls, {} transactions, {PLAYERS} players",
            mix.name(),
            spent.calls,
            spent.transactions,
        );
        let mut functions: Vec<_> =
            spent.program.iter().map(|(name, steps)| (*name, spent.a_call(*steps as f64))).collect();
        functions.retain(|(_, steps)| *steps != 0.0);
        functions.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        for (name, steps) in functions.iter().filter(|(_, steps)| *steps >= all * SHARE_SHOWN) {
            say!("{steps:>10} {name}");
        }
        let functions: serde_json::Map<_, _> =
            functions.into_iter().map(|(name, steps)| (name.to_owned(), json!(steps))).collect();
        object.insert(
            mix.name().into(),
            json!({
                "steps_a_call": all, "contracts": own, "program": program,
                "steps": spent.steps(), "calls": spent.calls, "transactions": spent.transactions,
                "functions": functions,
            }),
        );
    }
    Ok(Value::Object(object))
}
