//! What a script does, written a second time: without a virtual machine, so that execution is held against something else than itself.

use shardwire_model::{Felt, starknet_keccak};
use std::collections::BTreeMap;

/// An operation of a script; see `probe.cairo`.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Read(u64),
    Write(u64, Felt),
    WriteSum(u64, Felt),
    Emit(Vec<Felt>, Vec<Felt>),
    Call {
        contract: u64,
        caught: bool,
        script: Vec<Self>,
    },
    Library {
        class: Felt,
        caught: bool,
        script: Vec<Self>,
    },
    Panic(Felt),
    Info,
    Rounds(u64),
    /// A call to an entry point that isn't there.
    Nowhere {
        contract: u64,
        caught: bool,
    },
}

/// The script as the contract reads it.
pub(crate) fn felts(script: &[Op]) -> Vec<Felt> {
    script.iter().flat_map(Op::felts).collect()
}

impl Op {
    fn felts(&self) -> Vec<Felt> {
        let nested = |head: [Felt; 3], script: &[Self]| {
            let script = felts(script);
            [head.to_vec(), vec![Felt::from(script.len())], script].concat()
        };
        match self {
            Self::Read(key) => vec![Felt::ZERO, Felt::from(*key)],
            Self::Write(key, value) => vec![Felt::ONE, Felt::from(*key), *value],
            Self::WriteSum(key, value) => vec![Felt::TWO, Felt::from(*key), *value],
            Self::Emit(keys, data) => {
                let (n, m) = (Felt::from(keys.len()), Felt::from(data.len()));
                [vec![Felt::THREE, n], keys.clone(), vec![m], data.clone()].concat()
            }
            Self::Call { contract, caught, script } => {
                nested([Felt::from(4), Felt::from(*contract), Felt::from(*caught)], script)
            }
            Self::Library { class, caught, script } => nested([Felt::from(5), *class, Felt::from(*caught)], script),
            Self::Panic(reason) => vec![Felt::from(6), *reason],
            Self::Info => vec![Felt::from(7)],
            Self::Rounds(n) => vec![Felt::from(8), Felt::from(*n)],
            Self::Nowhere { contract, caught } => {
                vec![Felt::from(11), Felt::from(*contract), starknet_keccak("nowhere"), Felt::from(*caught)]
            }
        }
    }
}

/// What contracts are told of the transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) block: u64,
    pub(crate) time: u64,
    pub(crate) hash: Felt,
    pub(crate) nonce: u64,
    pub(crate) chain: Felt,
}

/// Storage and events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) slots: BTreeMap<(u64, u64), Felt>,
    pub(crate) events: Vec<(u64, Vec<Felt>, Vec<Felt>)>,
}

impl Model {
    /// Runs a script in a contract. A failure leaves storage and events to the call that catches it.
    pub(crate) fn run(&mut self, told: &Told, caller: u64, contract: u64, script: &[Op]) -> Result<Felt, Vec<Felt>> {
        let mut sum = Felt::ZERO;
        for op in script {
            match op {
                Op::Read(key) => sum += self.slots.get(&(contract, *key)).copied().unwrap_or_default(),
                Op::Write(key, value) => drop(self.slots.insert((contract, *key), *value)),
                Op::WriteSum(key, value) => {
                    sum += value;
                    self.slots.insert((contract, *key), sum);
                }
                Op::Emit(keys, data) => self.events.push((contract, keys.clone(), data.clone())),
                Op::Call { contract: callee, caught, script } => {
                    sum += self.caught(*caught, |model| model.run(told, contract, *callee, script))?;
                }
                Op::Library { caught, script, .. } => {
                    sum += self.caught(*caught, |model| model.run(told, caller, contract, script))?;
                }
                Op::Nowhere { caught, .. } => {
                    sum += self.caught(*caught, |_| Err(vec![super::shard::short("ENTRYPOINT_NOT_FOUND")]))?;
                }
                Op::Panic(reason) => return Err(vec![*reason]),
                Op::Info => {
                    sum += Felt::from(caller)
                        + Felt::from(contract)
                        + Felt::from(told.block)
                        + Felt::from(1_000 * told.time)
                        + told.hash
                        + Felt::from(told.nonce)
                        + told.chain;
                }
                Op::Rounds(_) => {}
            }
        }
        Ok(sum)
    }

    /// What a call within answers; a failure undoes all that it did.
    fn caught(
        &mut self,
        caught: bool,
        call: impl FnOnce(&mut Self) -> Result<Felt, Vec<Felt>>,
    ) -> Result<Felt, Vec<Felt>> {
        let before = self.clone();
        call(self).or_else(|mut reason| {
            *self = before;
            reason.push(super::shard::short("ENTRYPOINT_FAILED"));
            match (caught, reason.as_slice()) {
                (true, [first, .., last]) => Ok(*first + *last),
                _ => Err(reason),
            }
        })
    }
}
