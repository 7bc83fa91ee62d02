//! A prover that supplies something else than the log: the program notices.

use super::{ADD, FINISHED, SPEND, Table};
use crate::rules::{
    compiled::{self, BLOCK_WORDS, HEAD_WORDS, hint},
    hints::ShardHints,
};
use cairo_vm::{
    Felt252,
    hint_processor::{
        builtin_hint_processor::{
            builtin_hint_processor_definition::HintProcessorData,
            hint_utils::{get_integer_from_var_name, get_ptr_from_var_name, insert_value_from_var_name},
        },
        hint_processor_definition::HintProcessorLogic,
    },
    types::{exec_scope::ExecutionScopes, layout_name::LayoutName, relocatable::Relocatable},
    vm::{
        errors::hint_errors::HintError,
        runners::cairo_runner::{CairoRunner, ResourceTracker},
        vm_core::VirtualMachine,
    },
};
use std::any::Any;

/// What a dishonest prover supplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    Nothing,
    /// Another value before an access than after the last.
    PreviousValue,
    /// The account's first transaction, again.
    Replay,
    /// An account that is not in the whitelist.
    Outsider,
    /// Words that stand for the account plus the prime.
    Encoding,
    /// A signature of nothing.
    Signature,
}

struct Liar<'a> {
    honest: ShardHints<'a>,
    lie: Lie,
    asked: usize,
    chains: Vec<Relocatable>,
}

impl HintProcessorLogic for Liar<'_> {
    fn execute_hint(
        &mut self,
        vm: &mut VirtualMachine,
        scopes: &mut ExecutionScopes,
        data: &Box<dyn Any>,
    ) -> Result<(), HintError> {
        let hint = data.downcast_ref::<HintProcessorData>().expect("hints are of this kind");
        let (ids, ap) = (&hint.ids_data, &hint.ap_tracking);
        if hint.code == hint::NEXT_TRANSACTION {
            self.asked += 1;
        }
        match (self.lie, hint.code.as_str(), self.asked) {
            (Lie::PreviousValue, hint::PREVIOUS_VALUE, 2) => {
                let access = get_ptr_from_var_name("entries", vm, ids, ap)?;
                Ok(vm.insert_value((access + 1)?, Felt252::from(5000))?)
            }
            (Lie::Replay, hint::NEXT_TRANSACTION, 2) => {
                let access = get_ptr_from_var_name("accounts", vm, ids, ap)?;
                vm.insert_value(access, Felt252::from(0))?;
                Ok(vm.insert_value((access + 1)?, (self.chains[0] + BLOCK_WORDS)?)?)
            }
            (Lie::Outsider, hint::NEXT_TRANSACTION, 2) => {
                let access = get_ptr_from_var_name("accounts", vm, ids, ap)?;
                let base = vm.add_memory_segment();
                let table = self.chains[2];
                vm.insert_value((table + 2)?, base)?;
                vm.insert_value(access, Felt252::from(2))?;
                let block = (base + BLOCK_WORDS)?;
                vm.insert_value((access + 1)?, block)?;
                let words = [0, 0, 0, 0, 0, 0, 0, 0, 1, ADD, 0, 0, 1, 0, 0, 0u32];
                for (i, word) in words.into_iter().enumerate() {
                    vm.insert_value((block + i)?, Felt252::from(word))?;
                }
                Ok(())
            }
            (Lie::Encoding, hint::OPEN_ACCOUNT, _) => {
                let index = get_integer_from_var_name("index", vm, ids, ap)?;
                if index != Felt252::from(0) {
                    return self.honest.execute_hint(vm, scopes, data);
                }
                // The account plus the prime, 2^251 + 17·2^192 + 1, word by word.
                let start = self.honest.start_data();
                let mut words: Vec<u64> = [start.commitment(), start.accounts[0].0]
                    .iter()
                    .flat_map(|felt| {
                        felt.to_bytes_le()
                            .chunks(4)
                            .map(|b| u64::from(u32::from_le_bytes(b.try_into().unwrap())))
                            .collect::<Vec<_>>()
                    })
                    .collect();
                words[HEAD_WORDS] += 1;
                words[HEAD_WORDS + 6] += 17;
                words[HEAD_WORDS + 7] += 1 << 27;
                for i in HEAD_WORDS..BLOCK_WORDS - 1 {
                    words[i + 1] += words[i] >> 32;
                    words[i] &= 0xffff_ffff;
                }
                for (i, word) in words.into_iter().enumerate() {
                    vm.insert_value((self.chains[0] + i)?, Felt252::from(word))?;
                }
                Ok(())
            }
            (Lie::Signature, hint::LAST_SIGNATURE, _) => {
                insert_value_from_var_name("r", Felt252::from(1), vm, ids, ap)?;
                insert_value_from_var_name("s", Felt252::from(1), vm, ids, ap)
            }
            (_, hint::START, _) => {
                self.honest.execute_hint(vm, scopes, data)?;
                let table = get_ptr_from_var_name("chains", vm, ids, ap)?;
                self.chains = vec![vm.get_relocatable(table)?, vm.get_relocatable((table + 1)?)?, table];
                Ok(())
            }
            _ => self.honest.execute_hint(vm, scopes, data),
        }
    }
}

impl ResourceTracker for Liar<'_> {}

#[test]
fn it_refuses_a_lying_prover() {
    let table = Table::new()
        .transaction(0, [1, SPEND, 1, 0, 400, 0, 0, 0])
        .transaction(0, [2, SPEND, 1, 0, 400, 0, 0, 0])
        .transaction(1, FINISHED);
    let run = |lie: Lie| {
        let mut steps = table.transactions.iter().copied();
        let honest = ShardHints::new(&table.work.start, &table.work.values, &mut steps);
        let mut liar = Liar { honest, lie, asked: 0, chains: vec![] };
        let mut runner =
            CairoRunner::new(compiled::program(), LayoutName::all_cairo_stwo, None, true, true, true).unwrap();
        let end = runner.initialize(true).unwrap();
        runner.run_until_pc(end, &mut liar).and_then(|()| runner.end_run(true, false, &mut liar, true))
    };
    assert!(run(Lie::Nothing).is_ok());
    for lie in [Lie::PreviousValue, Lie::Replay, Lie::Outsider, Lie::Encoding, Lie::Signature] {
        let error = run(lie).expect_err("the program notices");
        assert!(!error.to_string().is_empty(), "{lie:?}");
    }
}
