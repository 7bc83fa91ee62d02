//! What of an execution a proof's cost follows from, before the program has replayed it.
//!
//! Steps of contracts' code aren't counted in an execution; gas is. A compiler charges 100 for each step beforehand, what builtins and system calls cost beside it, and never
//! less than what then happens. So what is left of the gas, when what certainly went elsewhere is taken from it, bounds the steps.

use crate::{Outcome, constants::constants};
use blockifier::execution::{
    call_info::{CairoPrimitiveName, CallInfo},
    deprecated_syscalls::DeprecatedSyscallSelector as Syscall,
    entry_point::CallType,
};
use shardwire_contracts::{
    Start,
    cost::{Cost, Work},
    gas,
};

/// Gas of a step.
const STEP: u64 = 100;
/// Gas that code has charged before each system call, whether it succeeds or not.
const SYSCALL: u64 = 10_000;

/// As they are counted.
fn number(count: usize) -> u64 {
    count as u64
}

/// The builtins that one call's code used, those of the calls that it made aside.
fn builtins(call: &CallInfo) -> Cost {
    // Blockifier adds what Starknet's own program uses for each system call.
    let theirs = constants().get_additional_os_syscall_resources(&call.syscalls_usage).builtin_instance_counter;
    let used = |builtin: &str| {
        let all = call.builtin_counters.iter().map(|(name, count)| match name {
            CairoPrimitiveName::Builtin(name) if name.to_str() == builtin => number(*count),
            _ => 0,
        });
        let theirs = theirs.iter().filter(|(name, _)| name.to_str() == builtin).map(|(_, count)| number(*count));
        all.sum::<u64>().saturating_sub(theirs.sum())
    };
    Cost {
        range_checks: used("range_check"),
        bitwise: used("bitwise"),
        pedersen: used("pedersen"),
        poseidon: used("poseidon"),
        ec_ops: used("ec_op"),
        ..Cost::ZERO
    }
}

/// What contracts' code does in a call and those that it made.
fn code(outermost: &CallInfo) -> Cost {
    let mut cost = Cost::ZERO;
    let mut elsewhere = 0;
    for call in outermost.iter() {
        cost += builtins(call);
        let syscalls: usize = call.syscalls_usage.values().map(|usage| usage.call_count).sum();
        // One that writes may have failed for want of gas, which shows nowhere; one that reads has no value then.
        elsewhere +=
            number(syscalls) * SYSCALL + number(call.storage_access_tracker.storage_read_values.len()) * gas::READ;
        elsewhere += call.inner_calls.iter().map(|inner| charged(inner.call.call_type)).sum::<u64>();
    }
    elsewhere += gas::of_builtins(&cost);
    Cost { steps: outermost.execution.gas_consumed.saturating_sub(elsewhere) / STEP, ..cost }
}

const fn charged(kind: CallType) -> u64 {
    match kind {
        CallType::Call => gas::CALL,
        CallType::Delegate => gas::LIBRARY,
    }
}

impl Outcome {
    fn outermost(&self) -> impl Iterator<Item = &CallInfo> {
        self.validate.iter().chain([&self.execute])
    }

    /// What a proof's cost follows from, of a transaction that is the first to touch so many slots.
    pub(crate) fn work(&self, is_invoke: bool, slots: usize) -> Work {
        let mut work = Work {
            is_invoke,
            calldata: number(self.execute.call.calldata.0.len()),
            slots: number(slots),
            ..Work::default()
        };
        for outermost in self.outermost() {
            work.code += code(outermost);
            for call in outermost.iter() {
                for (syscall, usage) in &call.syscalls_usage {
                    let count = number(usage.call_count);
                    work.syscalls += count;
                    work.writes += if *syscall == Syscall::StorageWrite { count } else { 0 };
                }
                work.calls += 1;
                work.returned += number(call.execution.retdata.0.len());
            }
        }
        work
    }

    /// The places of the classes whose code ran, ascending.
    pub(crate) fn classes(&self, start: &Start) -> Vec<usize> {
        let called = self.outermost().flat_map(CallInfo::iter).filter_map(|call| call.call.class_hash);
        let place = |class: starknet_api::core::ClassHash| {
            start.classes.binary_search_by_key(&class.0, |pair| pair.class_hash).ok()
        };
        let mut places: Vec<usize> = called.filter_map(place).collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}
