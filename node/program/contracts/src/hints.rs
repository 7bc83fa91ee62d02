//! What the program's hints do: supply the start data, a transaction each time the program asks for one, and for each call what native
//! execution found.

use crate::{
    Class,
    carried::{Carried, Link},
    cells::{Ids, custom, felt},
    chains::Chains,
    compiled::{gas, hint},
    loading::{CLASS, list_segments, load},
    sessions,
    spent::{Counter, Spent},
    start::{EntryKind, Start},
    syscalls::{Answers, Found},
    tree::{Snapshot, Transaction},
};
use cairo_lang_casm::hints::{Hint, StarknetHint};
use cairo_vm::{
    hint_processor::{
        builtin_hint_processor::builtin_hint_processor_definition::{BuiltinHintProcessor, HintProcessorData},
        cairo_1_hint_processor::hint_processor::Cairo1HintProcessor,
        hint_processor_definition::{HintExtension, HintProcessorLogic},
    },
    types::{
        exec_scope::ExecutionScopes,
        relocatable::{MaybeRelocatable, Relocatable},
    },
    vm::{
        errors::hint_errors::HintError,
        runners::cairo_runner::{ResourceTracker, RunResources},
        vm_core::VirtualMachine,
    },
};
use shardwire_model::{Felt, Reads};
use std::{
    any::Any,
    collections::{BTreeMap, HashMap, VecDeque},
};

/// Cells of the program's records.
const NOTE: usize = 5;
const VISIT: usize = 3;
/// The kind of notes that the hints look for.
const MOVE: u64 = 3;

fn small(number: Felt) -> usize {
    u64::try_from(number).ok().and_then(|number| usize::try_from(number).ok()).unwrap_or(usize::MAX)
}

/// Answers the program's hints and the contracts' syscalls.
pub(crate) struct Hints<'a> {
    common: BuiltinHintProcessor,
    code: Cairo1HintProcessor,
    pub(crate) start: &'a Start,
    classes: Vec<&'a Class>,
    pub(crate) snapshot: &'a dyn Snapshot,
    pub(crate) transactions: &'a mut dyn Iterator<Item = Transaction>,
    /// Whether the segment ends where the transactions do.
    pub(crate) is_cut: &'a dyn Fn() -> bool,
    /// What the segment goes on from.
    pub(crate) from: Carried,
    /// A transaction that was looked for and not begun.
    pub(crate) next: Option<Transaction>,
    /// The time of the last transaction.
    pub(crate) time: u64,
    /// By account: the next nonce of each that sent a transaction.
    pub(crate) nonces: BTreeMap<usize, Felt>,
    /// By contract: the end of its storage accesses.
    pub(crate) contracts: Vec<Option<MaybeRelocatable>>,
    /// By (contract, key): the last value that the program has met.
    storage: HashMap<(usize, Felt), Felt>,
    /// What was taken from the snapshot.
    pub(crate) reads: Reads,
    /// By contract: how much less its escrows hold than they did.
    pub(crate) slacks: BTreeMap<usize, Felt>,
    /// The calls of the transaction that runs, in the order in which their frames begin.
    pub(crate) calls_ahead: VecDeque<Found>,
    pub(crate) answers: Answers,
    /// The place of the contract that keeps sessions.
    pub(crate) sessions: Option<usize>,
    /// The chains of session keys.
    pub(crate) chains: Chains,
    /// By slot: the first note of it in the transaction that ends, counted from its first note.
    pub(crate) first_notes: HashMap<(Felt, Felt), usize>,
    /// The segments with the code of classes.
    code_segments: Vec<usize>,
    /// Who is told what the run costs.
    pub(crate) told: Option<&'a mut dyn FnMut(Spent)>,
    pub(crate) counter: Counter,
    /// How many frames began.
    pub(crate) calls: u64,
    /// How many transactions were taken.
    pub(crate) taken: u64,
    /// Whether the source of transactions ended before the shard did.
    pub(crate) dry: bool,
}

impl<'a> Hints<'a> {
    pub(crate) fn new(
        start: &'a Start,
        classes: Vec<&'a Class>,
        snapshot: &'a dyn Snapshot,
        transactions: &'a mut dyn Iterator<Item = Transaction>,
    ) -> Self {
        let settled = start.settled().map(|entry| start.slot(entry));
        let values: Vec<Felt> = settled.map(|slot| snapshot.storage(slot.contract.0, slot.key.0)).collect();
        Self {
            common: BuiltinHintProcessor::new_empty(),
            code: Cairo1HintProcessor::new(&[], RunResources::default(), false),
            contracts: vec![None; start.contracts.len()],
            start,
            classes,
            snapshot,
            transactions,
            is_cut: &|| false,
            from: Carried::first(start, &values),
            next: None,
            time: start.begins,
            nonces: BTreeMap::new(),
            storage: HashMap::new(),
            reads: Reads::default(),
            slacks: BTreeMap::new(),
            calls_ahead: VecDeque::new(),
            answers: Answers::default(),
            sessions: sessions::place(start).ok().flatten(),
            chains: Chains::default(),
            first_notes: HashMap::new(),
            code_segments: Vec::new(),
            told: None,
            counter: Counter::default(),
            calls: 0,
            taken: 0,
            dry: false,
        }
    }

    /// Goes on where a segment ended.
    pub(crate) fn go_on_from(&mut self, from: Carried) {
        self.time = from.time;
        self.storage = from.storage.iter().map(|(slot, value)| (*slot, *value)).collect();
        self.nonces = from.nonces.clone();
        self.slacks = from.slacks.clone();
        self.from = from;
    }

    /// What the next segment goes on from when this one has ended.
    pub(crate) fn carried(&self, vm: &VirtualMachine) -> Result<Carried, HintError> {
        let mut chains = self.from.chains.clone();
        for (key, access) in &self.chains.accesses {
            let record = vm.get_relocatable((*access + 2)?)?;
            chains.insert(*key, Link { link: felt(vm, record, 0)?, calls: felt(vm, record, 1)? });
        }
        let is_kept = |slot: &(usize, Felt), value: &Felt| {
            self.from.storage.contains_key(slot) || self.reads.storage.get(slot) != Some(value)
        };
        let storage = self.storage.iter().filter(|(slot, value)| is_kept(slot, value));
        Ok(Carried {
            run: self.from.run,
            segment: self.from.segment.saturating_add(1),
            count: self.begun(),
            time: self.time,
            storage: storage.map(|(slot, value)| (*slot, *value)).collect(),
            nonces: self.nonces.clone(),
            slacks: self.slacks.clone(),
            chains,
        })
    }

    /// How many transactions of the run were taken, those of segments before among them.
    pub(crate) fn begun(&self) -> u32 {
        self.from.count.saturating_add(u32::try_from(self.taken).unwrap_or(u32::MAX))
    }

    pub(crate) fn place_of(&self, address: Felt) -> Result<usize, HintError> {
        self.start.contract_place(address).ok_or_else(|| custom("a contract that the shard doesn't list"))
    }

    pub(crate) fn class_of(&self, class: Relocatable) -> Result<&'a Class, HintError> {
        let table = self.answers.classes.ok_or_else(|| custom("no classes"))?;
        let index = (class - table)? / CLASS;
        self.classes.get(index).copied().ok_or_else(|| custom("no such class"))
    }

    /// The value that a contract's slot had after its last access.
    fn value(&mut self, place: usize, key: Felt) -> Felt {
        if let Some(value) = self.storage.get(&(place, key)) {
            return *value;
        }
        let first = self.first_value(place, key);
        *self.reads.storage.entry((place, key)).or_insert(first)
    }

    /// The value that a contract's slot had when the run began.
    fn first_value(&self, place: usize, key: Felt) -> Felt {
        self.start.contracts.get(place).map_or(Felt::ZERO, |contract| self.snapshot.storage(contract.address, key))
    }

    /// Loads start data and classes; the hints of the classes' code come with them.
    fn start(&mut self, vm: &mut VirtualMachine, ids: &Ids<'_>) -> Result<HintExtension, HintError> {
        let felts: Vec<MaybeRelocatable> = self.start.to_felts().into_iter().map(Into::into).collect();
        let base = vm.add_memory_segment();
        vm.load_data(base, &felts)?;
        ids.set("start", base, vm)?;
        let costs = ids.pointer("builtin_costs", vm)?;
        let (table, extension) = load(vm, &self.classes, costs)?;
        for place in 0..self.classes.len() {
            let code = vm.get_relocatable((table + CLASS * place)?)?;
            self.code_segments.extend(usize::try_from(code.segment_index));
        }
        self.counter = Counter::load(vm, &self.classes, table)?;
        ids.set("classes", table, vm)?;
        // Where there is none, no contract has this place.
        ids.set("sessions", self.sessions.map_or(-Felt::ONE, Felt::from), vm)?;
        let state = self.from.to_felts(self.start);
        let records = state.len() - 3 * self.from.chains.len();
        let state: Vec<MaybeRelocatable> = state.into_iter().map(Into::into).collect();
        let base = vm.add_memory_segment();
        vm.load_data(base, &state)?;
        for (i, key) in self.from.chains.keys().enumerate() {
            self.chains.records.insert(*key, (base + (records + 3 * i + 1))?);
        }
        ids.set("state", base, vm)?;
        self.answers = Answers {
            syscalls: Some(vm.add_memory_segment()),
            arrays: Some(vm.add_memory_segment()),
            classes: Some(table),
            ..Answers::default()
        };
        Ok(extension)
    }

    fn enter_frame(&mut self, vm: &mut VirtualMachine, ids: &Ids<'_>) -> Result<(), HintError> {
        const RUN: u64 = 0;
        const NOT_FOUND: u64 = 1;
        const NO_GAS: u64 = 2;
        let frame = ids.pointer("frame", vm)?;
        let class = self.class_of(ids.pointer("class", vm)?)?;
        let selector = felt(vm, frame, 4)?;
        let index = class.entry_points.binary_search_by_key(&selector, |it| it.selector);
        let poor = ids.felt("gas", vm)? < Felt::from(gas::ENTRY);
        let outcome = match index {
            Err(_) => NOT_FOUND,
            Ok(_) if poor => NO_GAS,
            Ok(_) => RUN,
        };
        self.calls += 1;
        self.answers.found = self.calls_ahead.pop_front().ok_or_else(|| custom("a call that wasn't found"))?;
        self.answers.frame = Some(frame);
        ids.set("outcome", Felt::from(outcome), vm)?;
        ids.set("index", index.unwrap_or_default(), vm)?;
        let syscalls = self.answers.syscalls.ok_or_else(|| custom("not started"))?;
        ids.set("syscalls", syscalls, vm)
    }

    /// Whether a write's slot counts as listed, and where.
    fn find_entry(&self, place: usize, key: Felt) -> Option<usize> {
        let slot = |entry: &crate::start::Entry| (entry.contract, entry.key.0);
        let index = self.start.entries.binary_search_by_key(&(place, key), slot).ok()?;
        let entry = self.start.entries.get(index)?;
        (entry.kind != EntryKind::Lock || entry.guard == self.start.shard.0).then_some(index)
    }

    /// The lowest contract above `above` of which an escrow changed.
    fn next_mover(vm: &VirtualMachine, begin: Relocatable, end: Relocatable, above: Felt) -> Result<usize, HintError> {
        let mut lowest: Option<usize> = None;
        let above = if above == -Felt::ONE { 0 } else { small(above).saturating_add(1) };
        for back in 0..(end - begin)? / NOTE {
            let at = (begin + NOTE * back)?;
            if felt(vm, at, 0)? == Felt::from(MOVE) {
                let place = small(felt(vm, at, 1)?);
                if place >= above && lowest.is_none_or(|lowest| place < lowest) {
                    lowest = Some(place);
                }
            }
        }
        lowest.ok_or_else(|| custom("no further contract of which an escrow changed"))
    }

    #[allow(clippy::too_many_lines)]
    fn program_hint(&mut self, code: &str, vm: &mut VirtualMachine, ids: &Ids<'_>) -> Result<bool, HintError> {
        match code {
            hint::OPEN_ENTRY | hint::READ_SLOT => {
                let (access, place) = (ids.pointer("storage", vm)?, small(ids.felt("place", vm)?));
                let value = self.value(place, felt(vm, access, 0)?);
                vm.insert_value((access + 1)?, value)?;
            }
            hint::FIRST_VALUE => {
                let (access, place) = (ids.pointer("storage", vm)?, small(ids.felt("place", vm)?));
                ids.set("value", self.first_value(place, felt(vm, access, 0)?), vm)?;
            }
            hint::MORE_TRANSACTIONS => self.more_transactions(vm, ids)?,
            hint::OPEN_CONTRACT | hint::LEAVE_CONTRACT => {
                let visit = ids.pointer("visit", vm)?;
                let place = small(felt(vm, visit, 0)?);
                let at: Relocatable = (visit + 2)?;
                let end = vm.get_maybe(&at);
                *self.contracts.get_mut(place).ok_or_else(|| custom("no such contract"))? = end;
            }
            hint::ENTER_CONTRACT => {
                let visit = ids.pointer("visit", vm)?;
                let place = small(felt(vm, visit, 0)?);
                let end = self.contracts.get(place).cloned().flatten().ok_or_else(|| custom("no such contract"))?;
                vm.insert_value((visit + 1)?, end)?;
            }
            hint::WRITE => {
                let (access, visits) = (ids.pointer("storage", vm)?, ids.pointer("visits", vm)?);
                // The stay that lasts is the last.
                let visit = (visits - VISIT)?;
                let (place, key) = (small(felt(vm, visit, 0)?), felt(vm, access, 0)?);
                let before = self.value(place, key);
                self.storage.insert((place, key), felt(vm, access, 2)?);
                vm.insert_value((access + 1)?, before)?;
            }
            hint::CONTRACT_PLACE => {
                let place = self.place_of(felt(vm, ids.pointer("p", vm)?, 2)?)?;
                ids.set("place", place, vm)?;
            }
            hint::CALL_CONTRACT => {
                let p = ids.pointer("p", vm)?;
                let affordable = felt(vm, p, 1)? >= Felt::from(gas::CALL);
                // A call that isn't made may name any contract.
                let place = self.start.contract_place(felt(vm, p, 2)?).unwrap_or_default();
                ids.set("place", place, vm)?;
                ids.set("affordable", Felt::from(u64::from(affordable)), vm)?;
            }
            hint::LIBRARY_CALL => {
                let p = ids.pointer("p", vm)?;
                let affordable = felt(vm, p, 1)? >= Felt::from(gas::LIBRARY);
                let class = felt(vm, p, 2)?;
                let index = self.classes.iter().position(|it| it.class_hash == class);
                if affordable && index.is_none() {
                    return Err(custom("a class that the shard doesn't list"));
                }
                ids.set("index", index.unwrap_or_default(), vm)?;
                ids.set("affordable", Felt::from(u64::from(affordable)), vm)?;
            }
            hint::ENTRY_POINTS_BEFORE => {
                let class = self.class_of(ids.pointer("class", vm)?)?;
                let selector = ids.felt("selector", vm)?;
                ids.set("before", class.entry_points.partition_point(|it| it.selector < selector), vm)?;
            }
            hint::ENTER_FRAME => self.enter_frame(vm, ids)?,
            hint::USE_SEGMENTS => {
                let record = ids.pointer("class", vm)?;
                list_segments(vm, record, self.class_of(record)?)?;
            }
            hint::FAILED_FRAME => {
                let (log, notes) = (vm.add_memory_segment(), vm.add_memory_segment());
                ids.set("own_log", log, vm)?;
                ids.set("own_notes", notes, vm)?;
            }
            hint::FIND_ENTRY => {
                let found = self.find_entry(small(ids.felt("place", vm)?), ids.felt("key", vm)?);
                ids.set("listed", Felt::from(u64::from(found.is_some())), vm)?;
                ids.set("index", found.unwrap_or_default(), vm)?;
            }
            hint::EARLIER_NOTE => {
                // It is asked of each note in turn, so the first of a slot is met first.
                let (begin, note) = (ids.pointer("begin", vm)?, ids.pointer("note", vm)?);
                let this = (note - begin)? / NOTE;
                let first = *self.first_notes.entry((felt(vm, note, 1)?, felt(vm, note, 2)?)).or_insert(this);
                ids.set("is_again", Felt::from(u64::from(first != this)), vm)?;
                ids.set("back", if first == this { 0 } else { first }, vm)?;
            }
            hint::NEXT_MOVER => {
                let (begin, end) = (ids.pointer("begin", vm)?, ids.pointer("end", vm)?);
                let place = Self::next_mover(vm, begin, end, ids.felt("above", vm)?)?;
                ids.set("place", place, vm)?;
            }
            hint::SLACK => {
                let access = ids.pointer("slacks", vm)?;
                let place = small(felt(vm, access, 0)?);
                // What it becomes follows from the changes, which are noted with this one's.
                let before = self.slacks.get(&place).copied().unwrap_or_default();
                vm.insert_value((access + 1)?, before)?;
                let sum = ids.felt("sum", vm)?;
                self.slacks.insert(place, before - sum);
            }
            hint::ROUND_DOWN => {
                let (number, unit) = (ids.felt("number", vm)?, ids.felt("unit", vm)?);
                let unit = unit.try_into().map_err(|_| custom("no unit"))?;
                ids.set("units", number.floor_div(&unit), vm)?;
            }
            hint::MINIMUM => {
                let first = ids.felt("a", vm)? <= ids.felt("b", vm)?;
                ids.set("is_first", Felt::from(u64::from(first)), vm)?;
            }
            hint::NEXT_TRANSACTION => self.next_transaction(vm, ids)?,
            hint::LAST_LINK => self.last_link(vm, ids)?,
            hint::LAST_SIGNATURE => self.last_signature(vm, ids)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    #[cfg(test)]
    pub(crate) fn answers(&mut self) -> &mut Answers {
        &mut self.answers
    }
}

impl HintProcessorLogic for Hints<'_> {
    fn execute_hint(
        &mut self,
        vm: &mut VirtualMachine,
        scopes: &mut ExecutionScopes,
        data: &Box<dyn Any>,
    ) -> Result<(), HintError> {
        self.execute_hint_extensive(vm, scopes, data).map(|_| ())
    }

    fn execute_hint_extensive(
        &mut self,
        vm: &mut VirtualMachine,
        scopes: &mut ExecutionScopes,
        data: &Box<dyn Any>,
    ) -> Result<HintExtension, HintError> {
        if let Some(hint) = data.downcast_ref::<Hint>() {
            match hint {
                Hint::Starknet(StarknetHint::SystemCall { system }) => {
                    if let Some((place, key)) = self.answers.answer(vm, system, self.start)? {
                        self.value(small(place), key);
                    }
                }
                hint => self.code.execute(vm, scopes, hint)?,
            }
            return Ok(HintExtension::default());
        }
        let hint = data.downcast_ref::<HintProcessorData>().ok_or(HintError::WrongHintData)?;
        let ids = Ids { data: &hint.ids_data, ap: &hint.ap_tracking };
        if hint.code == hint::START {
            return self.start(vm, &ids);
        }
        if !self.program_hint(&hint.code, vm, &ids)? {
            self.common.execute_hint(vm, scopes, data)?;
        }
        Ok(HintExtension::default())
    }
}

impl ResourceTracker for Hints<'_> {}

impl shardwire_machine::Hints for Hints<'_> {
    fn code(&self) -> &[usize] {
        &self.code_segments
    }
}
