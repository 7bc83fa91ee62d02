//! The steps that prices are made of, against the compiled program: the longest way through each function, without its rounds and without what it calls.

use crate::{COMPILED, cost::ways::STEPS};
use shardwire_model::Felt;
use std::collections::{BTreeMap, HashMap};

/// The compiled program, as far as ways through it go.
struct Text {
    cells: Vec<Felt>,
    functions: BTreeMap<String, usize>,
}

/// What comes after an instruction.
enum Next {
    /// The next one.
    On,
    /// Another one.
    Jump(usize),
    /// The next one, or another one.
    Branch(usize),
    /// The function ends.
    Return,
}

impl Text {
    fn read() -> Self {
        let json: serde_json::Value = serde_json::from_slice(COMPILED).unwrap();
        let cells = json["data"].as_array().unwrap().iter().map(|it| Felt::from_hex(it.as_str().unwrap()).unwrap());
        let identifiers = json["identifiers"].as_object().unwrap().iter();
        let functions = identifiers.filter(|(_, it)| it["type"] == "function");
        let place = |it: &serde_json::Value| usize::try_from(it["pc"].as_u64().unwrap()).unwrap();
        // Each name is of one function only, its module aside.
        let name = |path: &str| path.rsplit('.').next().unwrap().to_owned();
        let functions = functions.map(|(path, it)| (name(path), place(it))).collect();
        Self { cells: cells.collect(), functions }
    }

    /// The length of the instruction at a place, and what comes after it.
    fn at(&self, pc: usize) -> (usize, Next) {
        // Above the flags, what extends an instruction's meaning changes neither its length nor what comes after it.
        let word = u128::try_from(self.cells[pc]).unwrap();
        let flags = word >> 48;
        let (immediate, jump, operation) = ((flags >> 2) & 1, (flags >> 7) & 7, (flags >> 12) & 7);
        let target = || {
            let offset = self.cells[pc + 1];
            match usize::try_from(u64::try_from(offset).unwrap_or(u64::MAX)).ok().filter(|it| *it < self.cells.len()) {
                Some(forward) => pc + forward,
                None => pc - usize::try_from(u64::try_from(-offset).unwrap()).unwrap(),
            }
        };
        let next = match (operation, jump) {
            (2, _) => Next::Return,
            (0, 2) => Next::Jump(target()),
            (0, 4) => Next::Branch(target()),
            _ => Next::On,
        };
        (1 + usize::try_from(immediate).unwrap(), next)
    }

    /// The most instructions from a place to the end of its function. A way back begins another round, which counts for itself.
    fn longest(&self, from: usize, known: &mut HashMap<usize, u64>) -> u64 {
        if let Some(steps) = known.get(&from) {
            return *steps;
        }
        let (length, next) = self.at(from);
        let mut ways = vec![];
        match next {
            Next::Return => {}
            Next::On => ways.push(from + length),
            Next::Jump(to) => ways.push(to),
            Next::Branch(to) => ways.extend([from + length, to]),
        }
        ways.retain(|to| *to > from);
        let steps = 1 + ways.into_iter().map(|to| self.longest(to, known)).max().unwrap_or(0);
        known.insert(from, steps);
        steps
    }
}

#[test]
fn the_prices_have_the_longest_ways_through_the_program() {
    let text = Text::read();
    for (what, price, functions) in STEPS {
        let ways = functions.iter().map(|(times, name)| {
            let begin = text.functions.get(*name).unwrap_or_else(|| panic!("no function {name}"));
            times * text.longest(*begin, &mut HashMap::new())
        });
        let steps: u64 = ways.sum();
        assert!(steps <= *price, "{what} takes {steps} steps, and its price is of {price}");
        assert!(steps * 3 >= *price, "{what} takes {steps} steps at most, and its price is of {price}");
    }
}
