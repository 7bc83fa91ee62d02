//! What the program's hints do: supply the start data, then a transaction each time the program asks for one.
//!
//! Nothing here is trusted by the proof; a wrong answer makes the run fail.

use super::compiled::{BLOCK_WORDS, HEAD_WORDS, hint};
use cairo_vm::{
    Felt252,
    hint_processor::{
        builtin_hint_processor::{
            builtin_hint_processor_definition::{BuiltinHintProcessor, HintProcessorData},
            hint_utils::{get_integer_from_var_name, get_ptr_from_var_name, insert_value_from_var_name},
        },
        hint_processor_definition::{HintProcessorLogic, HintReference},
    },
    serde::deserialize_program::ApTracking,
    types::{
        exec_scope::ExecutionScopes,
        relocatable::{MaybeRelocatable, Relocatable},
    },
    vm::{errors::hint_errors::HintError, runners::cairo_runner::ResourceTracker, vm_core::VirtualMachine},
};
use shardwire_machine as machine;
use shardwire_model::{Felt, ShardStart, Signature};
use std::{any::Any, collections::HashMap};

/// A transaction as the program takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProgramTransaction {
    /// The account's place in the whitelist.
    pub(crate) account: usize,
    /// The transaction's words.
    pub(crate) words: [u32; 8],
    /// The signature over the chain that ends with it.
    pub(crate) signature: Signature,
}

/// The chain of one account.
struct Chain {
    /// Where its next block begins.
    end: Relocatable,
    /// The signature of its last transaction.
    signature: Option<Signature>,
}

/// Answers the program's hints.
pub(crate) struct ShardHints<'a> {
    common: BuiltinHintProcessor,
    start: &'a ShardStart,
    values: &'a [Felt],
    transactions: &'a mut dyn Iterator<Item = ProgramTransaction>,
    commitment: Felt,
    chains: Vec<Chain>,
    /// Each entry's last access by the program.
    accesses: Vec<Option<Relocatable>>,
    /// Whether the source of transactions ended before the shard did.
    pub(crate) dry: bool,
}

fn custom(text: &str) -> HintError {
    HintError::CustomHint(text.into())
}

fn words_of(felt: Felt) -> impl Iterator<Item = u32> {
    let bytes = felt.to_bytes_le();
    (0..8).map(move |i| u32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]]))
}

fn load(vm: &mut VirtualMachine, at: Relocatable, words: impl Iterator<Item = u32>) -> Result<(), HintError> {
    let cells: Vec<MaybeRelocatable> = words.map(|word| Felt252::from(word).into()).collect();
    vm.load_data(at, &cells)?;
    Ok(())
}

impl<'a> ShardHints<'a> {
    pub(crate) fn new(
        start: &'a ShardStart,
        values: &'a [Felt],
        transactions: &'a mut dyn Iterator<Item = ProgramTransaction>,
    ) -> Self {
        Self {
            common: BuiltinHintProcessor::new_empty(),
            start,
            values,
            transactions,
            commitment: start.commitment(),
            chains: Vec::new(),
            accesses: vec![None; values.len()],
            dry: false,
        }
    }

    #[cfg(test)]
    pub(crate) fn start_data(&self) -> &ShardStart {
        self.start
    }

    fn chain(&mut self, index: &Felt) -> Result<&mut Chain, HintError> {
        let index = usize::try_from(u64::try_from(*index).unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        self.chains.get_mut(index).ok_or_else(|| custom("no such account"))
    }

    /// The start data, the state, and where each account's chain will be.
    fn start(&mut self, vm: &mut VirtualMachine, ids: &Ids<'_>) -> Result<(), HintError> {
        let felts = |felts: &mut dyn Iterator<Item = Felt>| felts.map(MaybeRelocatable::from).collect::<Vec<_>>();
        let segments = [
            ("start", felts(&mut self.start.to_felts().into_iter())),
            ("state", felts(&mut std::iter::once(self.commitment).chain(self.values.iter().copied()))),
        ];
        for (name, cells) in segments {
            let base = vm.add_memory_segment();
            vm.load_data(base, &cells)?;
            insert_value_from_var_name(name, base, vm, ids.data, ids.ap)?;
        }
        let table = vm.add_memory_segment();
        let bases: Vec<Relocatable> = self.start.accounts.iter().map(|_| vm.add_memory_segment()).collect();
        let cells: Vec<MaybeRelocatable> = bases.iter().map(|base| (*base).into()).collect();
        vm.load_data(table, &cells)?;
        self.chains = bases.into_iter().map(|end| Chain { end, signature: None }).collect();
        insert_value_from_var_name("chains", table, vm, ids.data, ids.ap)
    }

    /// A chain's first block: the start's commitment and the account.
    fn open_account(&mut self, vm: &mut VirtualMachine, ids: &Ids<'_>) -> Result<(), HintError> {
        let index = get_integer_from_var_name("index", vm, ids.data, ids.ap)?;
        let commitment = self.commitment;
        let chain = self.chain(&index)?;
        let base = chain.end;
        chain.end = (base + BLOCK_WORDS)?;
        let place = usize::try_from(u64::try_from(index).unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let account = self.start.accounts.get(place).ok_or_else(|| custom("no such account"))?;
        load(vm, base, words_of(commitment).chain(words_of(account.0)))
    }

    /// The next transaction: waits until there is one.
    fn next_transaction(&mut self, vm: &mut VirtualMachine, ids: &Ids<'_>) -> Result<(), HintError> {
        let access = get_ptr_from_var_name("accounts", vm, ids.data, ids.ap)?;
        let Some(ProgramTransaction { account, words, signature }) = self.transactions.next() else {
            self.dry = true;
            return Err(custom("no further transaction, and the shard has not ended"));
        };
        let chain = self.chains.get_mut(account).ok_or_else(|| custom("no such account"))?;
        let block = chain.end;
        chain.end = (block + BLOCK_WORDS)?;
        chain.signature = Some(signature);
        vm.insert_value(access, Felt252::from(account as u64))?;
        vm.insert_value((access + 1)?, block)?;
        load(vm, (block + HEAD_WORDS)?, words.into_iter())
    }

    /// The value that an entry had after its last access.
    fn previous_value(&mut self, vm: &mut VirtualMachine, ids: &Ids<'_>) -> Result<(), HintError> {
        let access = get_ptr_from_var_name("entries", vm, ids.data, ids.ap)?;
        let index = usize::try_from(u64::try_from(*vm.get_integer(access)?).unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let last = self.accesses.get_mut(index).ok_or_else(|| custom("no such entry"))?;
        let value = match last.replace(access) {
            Some(last) => *vm.get_integer((last + 2)?)?,
            None => self.values.get(index).copied().ok_or_else(|| custom("no such entry"))?,
        };
        Ok(vm.insert_value((access + 1)?, value)?)
    }

    /// The signature of an account's last transaction.
    fn last_signature(&mut self, vm: &mut VirtualMachine, ids: &Ids<'_>) -> Result<(), HintError> {
        let index = get_integer_from_var_name("index", vm, ids.data, ids.ap)?;
        let signature =
            self.chain(&index)?.signature.ok_or_else(|| custom("an account that did nothing has no signature"))?;
        insert_value_from_var_name("r", signature.r, vm, ids.data, ids.ap)?;
        insert_value_from_var_name("s", signature.s, vm, ids.data, ids.ap)
    }
}

/// How a hint names the program's variables.
struct Ids<'a> {
    data: &'a HashMap<String, HintReference>,
    ap: &'a ApTracking,
}

impl HintProcessorLogic for ShardHints<'_> {
    fn execute_hint(
        &mut self,
        vm: &mut VirtualMachine,
        scopes: &mut ExecutionScopes,
        data: &Box<dyn Any>,
    ) -> Result<(), HintError> {
        let hint = data.downcast_ref::<HintProcessorData>().ok_or(HintError::WrongHintData)?;
        let ids = Ids { data: &hint.ids_data, ap: &hint.ap_tracking };
        match hint.code.as_str() {
            hint::START => self.start(vm, &ids),
            hint::OPEN_ACCOUNT => self.open_account(vm, &ids),
            hint::NEXT_TRANSACTION => self.next_transaction(vm, &ids),
            hint::PREVIOUS_VALUE => self.previous_value(vm, &ids),
            hint::LAST_SIGNATURE => self.last_signature(vm, &ids),
            _ => self.common.execute_hint(vm, scopes, data),
        }
    }
}

impl ResourceTracker for ShardHints<'_> {}

impl machine::Hints for ShardHints<'_> {}
