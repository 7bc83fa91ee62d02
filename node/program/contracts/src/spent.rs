//! What a replay has cost its prover so far: counted before each transaction, when the one before it has run.

use crate::{
    Carried, Class, Size,
    cells::{Ids, custom, felt},
    cost::{Closing, Code, Cost, opening, unused_class},
    hints::Hints,
    loading::CLASS,
    start::Start,
};
use cairo_vm::{
    types::relocatable::{MaybeRelocatable, Relocatable},
    vm::{
        errors::hint_errors::HintError,
        runners::{builtin_runner::BuiltinRunner, cairo_runner::CairoRunner},
        vm_core::VirtualMachine,
    },
};
use shardwire_model::Felt;
use std::{collections::HashSet, ops::Add as _};

/// Cells of an access of a dictionary.
const ACCESS: u64 = 3;
/// Cells of an instance of each builtin that contracts may use, in the order in which the program keeps them.
const INSTANCES: [u64; 5] = [3, 1, 5, 7, 6];

/// What a replay has counted. The same log gives the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// After so many transactions.
    pub transactions: u32,
    /// What they cost, and what the closing will if nothing else comes.
    pub cost: Cost,
    /// Of each class, in the start data's order: the code that nothing has used so far. A transaction that uses it adds it to the closing.
    pub unused: Vec<Code>,
}

impl Spent {
    /// The most that is spent before the first transaction of a shard with these classes, in the start data's order.
    #[must_use]
    pub fn before(start: &Start, classes: &[Class]) -> Self {
        Opening::of(start, classes).before(Size::default())
    }

    /// The same before the first transaction of a segment that goes on from this state.
    #[must_use]
    pub fn before_segment(start: &Start, classes: &[Class], from: Option<&Carried>) -> Self {
        let size = from.map(Carried::size).unwrap_or_default();
        Self { transactions: from.map_or(0, |from| from.count), ..Opening::of(start, classes).before(size) }
    }
}

/// What begins each segment of a shard, whatever it goes on from.
#[derive(Clone, Debug)]
pub struct Opening {
    felts: u64,
    contracts: u64,
    entries: u64,
    settled: u64,
    classes: Cost,
    unused: Vec<Code>,
}

impl Opening {
    /// Of a shard with these classes, in the start data's order.
    #[must_use]
    pub fn of(start: &Start, classes: &[Class]) -> Self {
        let mut opening = Self {
            felts: start.to_felts().len() as u64,
            contracts: start.contracts.len() as u64,
            entries: start.entries.len() as u64,
            settled: start.settled().count() as u64,
            classes: Cost::ZERO,
            unused: Vec::with_capacity(classes.len()),
        };
        for class in classes {
            let (at_once, pieces) = code(class);
            opening.classes += at_once;
            opening.unused.push(pieces.into_iter().fold(Code::default(), Code::add));
        }
        opening
    }

    /// The most that is spent before the first transaction of a segment that goes on from a state with so much in it, or less.
    #[must_use]
    pub fn before(&self, from: Size) -> Spent {
        let Self { felts, contracts, entries, settled, classes, .. } = *self;
        let closing = Closing {
            contracts,
            settled,
            visits: contracts,
            accesses: entries + from.slots,
            slots: entries + from.slots,
            nonces: (from.nonces, from.nonces),
            slacks: (from.slacks, from.slacks),
            chains: (from.chains, from.chains),
            classes,
            ..Closing::default()
        };
        let begins = opening(felts, contracts, entries, from);
        Spent { transactions: 0, cost: begins + closing.cost(), unused: self.unused.clone() }
    }
}

/// What a class costs in each run, and the pieces of its code that cost something only if they are used.
fn code(class: &Class) -> (Cost, Vec<Code>) {
    let mut rest = class.bytecode.as_slice();
    let mut pieces = Vec::new();
    for length in class.segment_lengths() {
        let (piece, after) = rest.split_at(length.min(rest.len()));
        pieces.push(Code::piece(piece));
        rest = after;
    }
    let cost = unused_class(class.entry_points.len() as u64, pieces.len() as u64);
    match pieces.len() {
        // It is hashed in one, used or not.
        0 => (cost + Code::piece(&class.bytecode).cost(), pieces),
        _ => (cost, pieces),
    }
}

/// Counts what the machine doesn't.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    /// The inputs of Pedersen hashes.
    hashed: HashSet<[Felt; 2]>,
    /// How many hashes were looked at.
    looked_at: usize,
    /// Compressions for the links of session calls.
    pub(crate) blakes: u64,
    /// Where the pieces of each class's code begin that nothing has used, and what they are.
    unused: Vec<Vec<(Relocatable, Code)>>,
    /// What the classes cost in the closing.
    classes: Cost,
}

impl Counter {
    /// Begins with these classes, which were loaded with this table of records.
    pub(crate) fn load(vm: &VirtualMachine, classes: &[&Class], table: Relocatable) -> Result<Self, HintError> {
        let mut counter = Self::default();
        for (place, class) in classes.iter().enumerate() {
            let mut at = vm.get_relocatable((table + CLASS * place)?)?;
            let (cost, pieces) = code(class);
            counter.classes += cost;
            let mut unused = Vec::with_capacity(pieces.len());
            for (piece, length) in pieces.into_iter().zip(class.segment_lengths()) {
                unused.push((at, piece));
                at = (at + length)?;
            }
            counter.unused.push(unused);
        }
        Ok(counter)
    }

    /// Looks at the Pedersen hashes from a builtin's beginning on, so many. How many different ones there are.
    fn pedersen(&mut self, vm: &VirtualMachine, base: Relocatable, count: usize) -> Result<u64, HintError> {
        for hash in self.looked_at..count {
            let at = (base + 3 * hash)?;
            self.hashed.insert([felt(vm, at, 0)?, felt(vm, at, 1)?]);
        }
        self.looked_at = self.looked_at.max(count);
        Ok(self.hashed.len() as u64)
    }

    /// The code that nothing has used so far.
    fn look_at_code(&mut self, vm: &VirtualMachine) -> Vec<Code> {
        let mut now_used = Code::default();
        let mut rest = Vec::with_capacity(self.unused.len());
        for class in &mut self.unused {
            let mut code = Code::default();
            class.retain(|(at, piece)| {
                // Compiled code enters a piece by its first cell.
                let is_used = vm.segments.is_accessed(at).unwrap_or(true);
                let of = if is_used { &mut now_used } else { &mut code };
                *of = *of + *piece;
                !is_used
            });
            rest.push(code);
        }
        self.classes += now_used.cost();
        rest
    }

    /// What a run that has ended cost, in this many steps.
    pub(crate) fn whole(&mut self, runner: &CairoRunner, steps: u64) -> Result<Cost, HintError> {
        let mut cost = Cost { steps, ..Cost::ZERO };
        for builtin in runner.vm.get_builtin_runners() {
            let count = builtin.get_used_instances(&runner.vm.segments)?;
            let base = isize::try_from(builtin.base()).map_err(|_| custom("a builtin without a place"))?;
            match builtin {
                BuiltinRunner::Hash(_) => cost.pedersen = self.pedersen(&runner.vm, (base, 0).into(), count)?,
                BuiltinRunner::RangeCheck(_) | BuiltinRunner::RangeCheck96(_) => cost.range_checks += count as u64,
                BuiltinRunner::Bitwise(_) => cost.bitwise = count as u64,
                BuiltinRunner::EcOp(_) => cost.ec_ops = count as u64,
                BuiltinRunner::Poseidon(_) => cost.poseidon = count as u64,
                _ => {}
            }
        }
        cost.blakes = runner.get_extended_execution_resources().values().map(|count| u64::from(*count)).sum();
        Ok(cost)
    }
}

/// How many cells lie before a pointer.
fn offset(pointer: Relocatable) -> u64 {
    pointer.offset as u64
}

impl Hints<'_> {
    /// Tells what the transactions so far cost.
    pub(crate) fn count(&mut self, vm: &VirtualMachine, ids: &Ids<'_>) -> Result<(), HintError> {
        if self.told.is_none() {
            return Ok(());
        }
        let accesses = |name: &str| ids.pointer(name, vm).map(|end| offset(end) / ACCESS);
        let builtins = ids.pointer("builtins", vm)?;
        let mut instances = [0; INSTANCES.len()];
        let mut pedersen = Relocatable::default();
        for (place, (instances, cells_each)) in instances.iter_mut().zip(INSTANCES).enumerate() {
            let end = vm.get_relocatable((builtins + place)?)?;
            if place == 0 {
                pedersen = Relocatable { offset: 0, ..end };
            }
            *instances = offset(end) / cells_each;
        }
        let [hashes, range_checks, bitwise, ec_ops, poseidon] = instances;
        let (from, called) = (self.from.size(), self.chains.called() as u64);
        let stored = |end: &Option<MaybeRelocatable>| match end {
            Some(MaybeRelocatable::RelocatableValue(end)) => offset(*end) / ACCESS,
            _ => 0,
        };
        let unused = self.counter.look_at_code(vm);
        let closing = Closing {
            transactions: self.taken,
            contracts: self.start.contracts.len() as u64,
            settled: self.start.settled().count() as u64,
            visits: accesses("visits")?,
            accesses: self.contracts.iter().map(stored).sum(),
            slots: self.reads.storage.len() as u64 + from.slots,
            nonces: (accesses("nonces")?, self.nonces.len() as u64),
            chains: (accesses("chains")?, self.chains.keys() as u64),
            called,
            slacks: (accesses("slacks")?, self.slacks.len() as u64),
            classes: self.counter.classes,
        };
        let so_far = Cost {
            steps: vm.get_current_step() as u64,
            range_checks: range_checks + offset(ids.pointer("rc96", vm)?),
            bitwise,
            pedersen: self.counter.pedersen(vm, pedersen, usize::try_from(hashes).unwrap_or(usize::MAX))?,
            poseidon,
            ec_ops,
            blakes: self.counter.blakes,
        };
        let spent = Spent { transactions: self.begun(), cost: so_far + closing.cost(), unused };
        if let Some(told) = &mut self.told {
            told(spent);
        }
        Ok(())
    }
}
