//! A shard for the tests of the door: real accounts' keys, hashes and signatures, and one contract, which this page executes: a token with balances.
//!
//! Its entry points: `transfer(recipient, low, high)`, `balance_of(account)`, `finish()`, which ends the shard.

use shardwire_model::{Coded, ContractId, Felt, Key, ShardId, Stage, felt::starknet_keccak};
use shardwire_rpc::{
    Chain, Journal, Refusal, RefusalKind,
    chain::{Accepted, Answering, Call, Class, Invocation, Invoke, Simulate, Simulated},
    journal::{Diff, Entry, Event, Origin, Status},
};
use starknet_types_core::hash::{Poseidon, StarkHash as _};
use std::{
    collections::BTreeMap,
    num::NonZeroU64,
    sync::{Arc, Mutex},
};

pub(crate) const TOKEN: u64 = 0x601d;
const TOKEN_CLASS: u64 = 0x70c;
const ACCOUNT_CLASS: u64 = 0xacc;
pub(crate) const FIRST_BLOCK: u64 = 1_000;
/// What each account has at first.
pub(crate) const FUNDS: u64 = 1_000_000;

pub(crate) fn selector(name: &str) -> Felt {
    starknet_keccak(name)
}

pub(crate) fn short(text: &str) -> Felt {
    Felt::from_bytes_be_slice(text.as_bytes())
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Why(String);

impl Coded for Why {
    fn code(&self) -> &'static str {
        "SW-TOY-001"
    }
    fn next_step(&self) -> String {
        "Mend it.".into()
    }
}

fn refuse(kind: RefusalKind, why: impl Into<String>) -> Refusal {
    Refusal::new(kind, &Why(why.into()))
}

#[derive(Clone)]
struct State {
    balances: BTreeMap<Felt, u64>,
    nonces: BTreeMap<Felt, u64>,
    ended: bool,
}

pub(crate) struct Toy {
    journal: Journal,
    /// Public keys by account.
    keys: BTreeMap<Felt, Felt>,
    state: Mutex<State>,
    stage: Mutex<Stage>,
}

pub(crate) struct Made {
    status: Status,
    events: Vec<Event>,
    state: State,
    calls: Vec<Call>,
}

impl Toy {
    pub(crate) fn new(id: u64, keys: BTreeMap<Felt, Felt>) -> Arc<Self> {
        let origin = Origin {
            shard: ShardId(id.into()),
            commitment: Felt::from(id),
            first_block: NonZeroU64::new(FIRST_BLOCK).unwrap(),
            begins: 1_700_000_000,
            sequencer: Felt::from(5u64),
            starknet_version: "0.14.0".into(),
        };
        let state = State {
            balances: keys.keys().map(|account| (*account, FUNDS)).collect(),
            nonces: BTreeMap::new(),
            ended: false,
        };
        let (state, stage) = (Mutex::new(state), Mutex::new(Stage::Executing));
        Arc::new(Self { journal: Journal::new(origin), keys, state, stage })
    }

    pub(crate) fn set_stage(&self, stage: Stage) {
        *self.stage.lock().unwrap() = stage;
    }

    pub(crate) fn hash(&self, invoke: &Invoke, only_query: bool) -> Felt {
        let bound = |name: &str, amount: u64| {
            let mut bytes = [0; 32];
            bytes[8 - name.len()..8].copy_from_slice(name.as_bytes());
            bytes[8..16].copy_from_slice(&amount.to_be_bytes());
            Felt::from_bytes_be(&bytes)
        };
        let amounts = invoke.amounts;
        let fees = Poseidon::hash_array(&[
            Felt::ZERO,
            bound("L1_GAS", amounts.l1_gas),
            bound("L2_GAS", amounts.l2_gas),
            bound("L1_DATA", amounts.l1_data_gas),
        ]);
        let version = if only_query { Felt::THREE + Felt::TWO.pow(128u32) } else { Felt::THREE };
        Poseidon::hash_array(&[
            short("invoke"),
            version,
            invoke.sender.0,
            fees,
            Poseidon::hash_array(&[]),
            self.chain_id(),
            invoke.nonce.into(),
            Felt::ZERO,
            Poseidon::hash_array(&[]),
            Poseidon::hash_array(&invoke.calldata),
        ])
    }

    fn execute(&self, state: &State, invoke: &Invoke, validate: bool, only_query: bool) -> Result<Made, Refusal> {
        let sender = invoke.sender;
        let Some(key) = self.keys.get(&sender.0) else {
            return Err(refuse(RefusalKind::NoAccount, format!("account {sender} is not one of this shard's")));
        };
        let expected = state.nonces.get(&sender.0).copied().unwrap_or(0);
        if invoke.nonce != expected {
            let why = format!("account {sender} must use nonce {expected}, not {}", invoke.nonce);
            return Err(refuse(RefusalKind::Nonce, why));
        }
        if state.ended {
            return Err(refuse(RefusalKind::Rule, "the shard has ended"));
        }
        if validate {
            let hash = self.hash(invoke, only_query);
            let valid =
                matches!(&*invoke.signature, [r, s] if starknet_crypto::verify(key, &hash, r, s).unwrap_or(false));
            if !valid {
                return Err(refuse(RefusalKind::Validation, format!("account {sender} doesn't accept the signature")));
            }
        }
        let calls = calls(&invoke.calldata).ok_or_else(|| refuse(RefusalKind::Rule, "the calldata has no calls"))?;
        let mut next = state.clone();
        next.nonces.insert(sender.0, expected + 1);
        let (mut done, mut events) = (next.clone(), Vec::new());
        let outcome = calls.iter().try_for_each(|call| step(&mut done, sender, call, &mut events));
        Ok(match outcome {
            Ok(()) => Made { status: Status::Succeeded, events, state: done, calls },
            Err(reason) => Made { status: Status::Reverted { reason }, events: Vec::new(), state: next, calls },
        })
    }
}

/// The calls in what `__execute__` is given.
fn calls(calldata: &[Felt]) -> Option<Vec<Call>> {
    let (count, mut rest) = calldata.split_first()?;
    let mut calls = Vec::new();
    for _ in 0..u64::try_from(*count).ok()? {
        let [contract, selector, length, ..] = *rest else { return None };
        let length = usize::try_from(u64::try_from(length).ok()?).ok()?;
        let calldata = rest.get(3..3 + length)?.to_vec();
        calls.push(Call { contract: ContractId(contract), selector, calldata });
        rest = &rest[3 + length..];
    }
    rest.is_empty().then_some(calls)
}

fn step(state: &mut State, sender: ContractId, call: &Call, events: &mut Vec<Event>) -> Result<(), String> {
    if call.contract.0 != TOKEN.into() {
        return Err(format!("contract {} is not one of this shard's", call.contract));
    }
    let mut emit = |name, keys: &[Felt], data: &[Felt]| {
        let keys = std::iter::once(selector(name)).chain(keys.iter().copied()).collect();
        events.push(Event { from: call.contract, keys, data: data.to_vec() });
    };
    if call.selector == selector("transfer") {
        let [recipient, low, high] = *call.calldata else { return Err("transfer has three arguments".into()) };
        let amount = u64::try_from(low).ok().filter(|_| high == Felt::ZERO).ok_or("the amount is too large")?;
        let from = state.balances.entry(sender.0).or_default();
        *from = from.checked_sub(amount).ok_or("not enough gold")?;
        *state.balances.entry(recipient).or_default() += amount;
        emit("Transfer", &[sender.0, recipient], &[low, high]);
        Ok(())
    } else if call.selector == selector("finish") {
        state.ended = true;
        emit("Finished", &[], &[]);
        Ok(())
    } else {
        Err("ENTRYPOINT_NOT_FOUND".into())
    }
}

impl Chain for Toy {
    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn chain_id(&self) -> Felt {
        short("SW_TOY")
    }

    fn stage(&self) -> Stage {
        *self.stage.lock().unwrap()
    }

    fn first_storage(&self, contract: ContractId, key: Key) -> Result<Felt, Refusal> {
        let funded = contract.0 == TOKEN.into() && self.keys.contains_key(&key.0);
        Ok(if funded { FUNDS.into() } else { Felt::ZERO })
    }

    fn nonce(&self, contract: ContractId) -> Result<Felt, Refusal> {
        Ok(self.state.lock().unwrap().nonces.get(&contract.0).copied().unwrap_or(0).into())
    }

    fn class_hash(&self, contract: ContractId) -> Result<Option<Felt>, Refusal> {
        let account = self.keys.contains_key(&contract.0).then(|| ACCOUNT_CLASS.into());
        Ok(account.or((contract.0 == TOKEN.into()).then(|| TOKEN_CLASS.into())))
    }

    fn class(&self, hash: Felt) -> Result<Option<Arc<Class>>, Refusal> {
        let abi = r#"[{"type":"struct","name":"core::integer::u256","members":[{"name":"low","type":"core::integer::u128"},{"name":"high","type":"core::integer::u128"}]},{"type":"function","name":"balance_of","inputs":[{"name":"account","type":"core::starknet::contract_address::ContractAddress"}],"outputs":[{"type":"core::integer::u256"}],"state_mutability":"view"}]"#;
        let known = hash == TOKEN_CLASS.into() || hash == ACCOUNT_CLASS.into();
        Ok(known.then(|| {
            Arc::new(Class {
                sierra_program: vec![Felt::ONE, Felt::TWO],
                version: "0.1.0".into(),
                external: vec![(selector("transfer"), 0)],
                abi: abi.into(),
                ..Class::default()
            })
        }))
    }

    fn call(&self, call: &Call, after: u32) -> Result<Vec<Felt>, Refusal> {
        if after != self.journal.height() {
            return Err(refuse(RefusalKind::Past, "the state of that block isn't kept"));
        }
        if call.contract.0 != TOKEN.into() {
            return Err(refuse(
                RefusalKind::NoContract,
                format!("contract {} is not one of this shard's", call.contract),
            ));
        }
        if call.selector != selector("balance_of") {
            return Err(refuse(RefusalKind::NoEntryPoint, "there is no such entry point"));
        }
        let [account] = *call.calldata else { return Err(refuse(RefusalKind::Failed, "balance_of has one argument")) };
        let balance = self.state.lock().unwrap().balances.get(&account).copied().unwrap_or(0);
        Ok(vec![balance.into(), Felt::ZERO])
    }

    fn simulate(&self, transactions: &[Simulate], _: u32) -> Result<Vec<Simulated>, (usize, Refusal)> {
        let mut state = self.state.lock().unwrap().clone();
        let mut all = Vec::new();
        for (place, Simulate { transaction, skip_validate, only_query }) in transactions.iter().enumerate() {
            let made =
                self.execute(&state, transaction, !skip_validate, *only_query).map_err(|refusal| (place, refusal))?;
            let invocation = |call: &Call, caller: Felt, calls: Vec<Invocation>, events: &[Event]| Invocation {
                call: call.clone(),
                caller,
                class_hash: TOKEN_CLASS.into(),
                library: false,
                result: Vec::new(),
                calls,
                events: (0..).zip(events.iter().cloned()).collect(),
                gas: 10,
                failed: false,
            };
            let execute = Call {
                contract: transaction.sender,
                selector: selector("__execute__"),
                calldata: transaction.calldata.clone(),
            };
            let inner = made.calls.iter().map(|call| invocation(call, transaction.sender.0, Vec::new(), &made.events));
            all.push(Simulated {
                gas: 1_000,
                validate: (!skip_validate).then(|| invocation(&execute, Felt::ZERO, Vec::new(), &[])),
                execute: match &made.status {
                    Status::Succeeded => Ok(invocation(&execute, Felt::ZERO, inner.collect(), &[])),
                    Status::Reverted { reason } => Err(reason.clone()),
                },
                diff: Diff { storage: Vec::new(), nonces: vec![(transaction.sender, transaction.nonce + 1)] },
            });
            state = made.state;
        }
        Ok(all)
    }

    fn submit(&self, transaction: Invoke) -> Answering<'_, Result<Accepted, Refusal>> {
        Box::pin(async move {
            let mut state = self.state.lock().unwrap();
            let hash = self.hash(&transaction, false);
            let signed = |refusal: Refusal| refusal.with_receipt(vec![0xff]);
            if let Some(place) = self.journal.place(hash) {
                let why = format!("the transaction is in the log, at place {place}");
                return Err(refuse(RefusalKind::Duplicate, why));
            }
            if transaction.amounts.l2_gas == 0 {
                return Err(signed(refuse(RefusalKind::Gas, "l2_gas.max_amount is 0")));
            }
            let made = self.execute(&state, &transaction, true, false).map_err(signed)?;
            let changed = made.state.balances.iter().filter(|(account, now)| state.balances.get(account) != Some(now));
            let diff = Diff {
                storage: changed
                    .map(|(account, now)| (ContractId(TOKEN.into()), Key(*account), (*now).into()))
                    .collect(),
                nonces: vec![(transaction.sender, transaction.nonce + 1)],
            };
            let index = self.journal.height();
            let receipt = index.to_be_bytes().to_vec();
            self.journal.push(Entry {
                hash,
                time: 1_700_000_000 + u64::from(index),
                status: made.status,
                events: made.events,
                gas: 900,
                diff,
                receipt: receipt.clone(),
                transaction,
            });
            *state = made.state;
            if state.ended {
                self.set_stage(Stage::Ended);
            }
            Ok(Accepted { hash, index, receipt })
        })
    }
}
