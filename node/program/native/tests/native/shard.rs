//! A shard of probes: contracts and accounts of the class in `probe.cairo`, which do what a script says.

use shardwire_contracts::{
    Start,
    start::{ClassPair, Contract, Entry, EntryKind, Rule},
};
use shardwire_model::{
    ContractId, EventId, Felt, Invoke, Key, PeerId, ResourceBounds, Selector, ShardId, execution::Receipt,
    starknet_keccak,
};
use shardwire_native::{Checked, Class, Genesis, Native, Refusal};
use std::{
    fmt::Write as _,
    sync::{Arc, LazyLock},
};

/// The class file of `probe.cairo`.
pub(crate) const PROBE: &str = include_str!("../probe/probe.contract_class.json");
/// The contracts.
pub(crate) const CONTRACTS: [u64; 6] = [0x101, 0x102, 0x103, 0x104, 0x105, 0x106];
/// Accounts that sign; the first two need no signature.
pub(crate) const ACCOUNTS: [u64; 3] = [0xa01, 0xa02, 0xa03];
/// The secret key of the last account.
pub(crate) const SECRET: Felt = Felt::from_hex_unchecked("0x1234567");
/// When the shard begins.
pub(crate) const BEGINS: u64 = 1_790_000_000;
/// When it must have ended.
pub(crate) const DEADLINE: u64 = BEGINS + 3_600;
/// The number of its first block.
pub(crate) const FIRST_BLOCK: u64 = 4_250;

/// What ends the shard: this event of the first contract.
pub(crate) fn end_event() -> Felt {
    starknet_keccak("Finished")
}

/// A slot that has a value in the genesis: of every contract, 100.
pub(crate) const FULL_SLOT: u64 = 7;

/// The slot that settles: of the last contract.
pub(crate) const SETTLED_SLOT: u64 = 11;

static GENESIS: LazyLock<Arc<Genesis>> = LazyLock::new(|| Arc::new(read(&genesis_json(""))));

/// The probes' genesis.
pub(crate) fn genesis() -> Arc<Genesis> {
    GENESIS.clone()
}

/// Reads a genesis that names no files.
pub(crate) fn read(json: &str) -> Genesis {
    let mut open = |name: &str| panic!("no file is named, and {name} is asked for");
    Genesis::read(json.as_bytes(), &mut open, &mut Class::compile).unwrap()
}

/// A genesis of all probes. `more` is storage of every account.
pub(crate) fn genesis_json(more: &str) -> String {
    let probe = probe_hash();
    let mut contracts = Vec::new();
    for address in CONTRACTS {
        let class = class_of(address);
        let slots = format!(r#""{FULL_SLOT:#x}": "0x64", "{:#x}": "{probe:#x}""#, short("class"));
        contracts.push(format!(r#"{{"address": "{address:#x}", "class_hash": "{class:#x}", "storage": {{{slots}}}}}"#));
    }
    for address in ACCOUNTS {
        let key = if address == ACCOUNTS[2] { starknet_crypto::get_public_key(&SECRET) } else { Felt::ZERO };
        let mut slots = format!(r#""{:#x}": "{key:#x}""#, starknet_keccak("public_key"));
        if !more.is_empty() {
            write!(slots, ", {more}").unwrap();
        }
        contracts.push(format!(r#"{{"address": "{address:#x}", "class_hash": "{probe:#x}", "storage": {{{slots}}}}}"#));
    }
    let (contracts, twin) = (contracts.join(","), twin());
    format!(r#"{{"version": 1, "classes": [{{"sierra": {PROBE}}}, {{"sierra": {twin}}}], "contracts": [{contracts}]}}"#)
}

/// The class file of another class that does the same: it states no ABI.
pub(crate) fn twin() -> String {
    let mut file: serde_json::Value = serde_json::from_str(PROBE).unwrap();
    file["abi"] = "[]".into();
    file.to_string()
}

/// The class of a contract or account: every other contract is of the twin.
pub(crate) fn class_of(address: u64) -> Felt {
    let twin = CONTRACTS.iter().position(|it| *it == address).is_some_and(|place| place % 2 == 1);
    if twin { twin_hash() } else { probe_hash() }
}

/// The probe's class hash.
pub(crate) fn probe_hash() -> Felt {
    static HASH: LazyLock<Felt> = LazyLock::new(|| Class::compile(PROBE.as_bytes()).unwrap().hash());
    *HASH
}

/// The twin's class hash.
pub(crate) fn twin_hash() -> Felt {
    static HASH: LazyLock<Felt> = LazyLock::new(|| Class::compile(twin().as_bytes()).unwrap().hash());
    *HASH
}

/// A short text as Cairo has it.
pub(crate) fn short(text: &str) -> Felt {
    shardwire_contracts::tree::short(text)
}

/// The start data of a shard of all probes: every contract is scratch, nothing settles but one slot.
pub(crate) fn start() -> Start {
    let genesis = &*GENESIS;
    let pair = |(hash, class): (&Felt, &Arc<Class>)| ClassPair {
        class_hash: *hash,
        compiled_class_hash: class.compiled_hash(),
    };
    let place = |class: Felt| genesis.classes().keys().position(|hash| *hash == class).unwrap();
    let contract = |address: u64, account| Contract {
        address: address.into(),
        class: place(class_of(address)),
        rule: Rule::Scratch,
        account,
    };
    let contracts =
        CONTRACTS.iter().map(|it| contract(*it, false)).chain(ACCOUNTS.iter().map(|it| contract(*it, true)));
    Start {
        shard: ShardId(Felt::from(0x5a4d)),
        program: Felt::from(0x9409),
        operator: PeerId([7; 32]),
        end_event: EventId { from: ContractId(CONTRACTS[0].into()), selector: Selector(end_event()) },
        begins: BEGINS,
        deadline: DEADLINE,
        first_block: FIRST_BLOCK,
        sequencer: Felt::from(0x5e9),
        classes: genesis.classes().iter().map(pair).collect(),
        contracts: contracts.collect(),
        entries: vec![Entry {
            kind: EntryKind::Counter,
            contract: 5,
            key: Key(SETTLED_SLOT.into()),
            guard: Felt::ZERO,
            maximum: 1_000_000,
        }],
    }
}

/// A shard under test.
#[derive(Clone, Debug)]
pub(crate) struct Shard {
    pub(crate) native: Native,
    pub(crate) time: u64,
}

impl Shard {
    /// One over [`start`].
    pub(crate) fn open() -> Self {
        Self::over(GENESIS.clone(), &start(), &[Felt::ZERO])
    }

    /// One over the probes' genesis.
    pub(crate) fn of(start: &Start, values: &[Felt]) -> Self {
        Self::over(GENESIS.clone(), start, values)
    }

    pub(crate) fn over(genesis: Arc<Genesis>, start: &Start, values: &[Felt]) -> Self {
        Self { native: Native::open(genesis, start, values).unwrap(), time: BEGINS }
    }

    /// A transaction of an account with its next nonce, of calls to entry points.
    pub(crate) fn invoke(&self, account: u64, calls: &[(u64, Felt, Vec<Felt>)]) -> Invoke {
        let sender = ContractId(account.into());
        let mut calldata = vec![Felt::from(calls.len())];
        for (to, selector, arguments) in calls {
            calldata.extend([Felt::from(*to), *selector, Felt::from(arguments.len())]);
            calldata.extend(arguments);
        }
        let bounds = ResourceBounds { l1_gas: 0, l2_gas: 100_000_000, l1_data_gas: 0 };
        let nonce = self.native.nonce_at(sender).unwrap();
        let mut invoke = Invoke { sender, nonce, calldata, signature: Vec::new(), bounds };
        if account == ACCOUNTS[2] {
            self.sign(&mut invoke);
        }
        invoke
    }

    /// One of the first account that has one contract run a script.
    pub(crate) fn script(&self, contract: u64, script: &[Felt]) -> Invoke {
        self.invoke(ACCOUNTS[0], &[run(contract, script)])
    }

    /// Signs with the last account's key.
    pub(crate) fn sign(&self, invoke: &mut Invoke) {
        let hash = invoke.hash(self.native.chain_id());
        let signature = starknet_crypto::sign(&SECRET, &hash, &Felt::from(0x77)).unwrap();
        invoke.signature = vec![signature.r, signature.s];
    }

    pub(crate) fn submit(&mut self, invoke: &Invoke) -> Result<Arc<Receipt>, Refusal> {
        self.time += 1;
        match self.native.check(invoke, self.time)? {
            Checked::New(change) => {
                self.native.apply(&change);
                Ok(change.receipt().clone())
            }
            Checked::Duplicate { index } => Ok(self.native.receipt(index).unwrap().clone()),
        }
    }

    /// Has one contract run a script in a transaction.
    pub(crate) fn run(&mut self, contract: u64, script: &[Felt]) -> Result<Arc<Receipt>, Refusal> {
        self.submit(&self.script(contract, script))
    }

    pub(crate) fn slot(&self, contract: u64, key: u64) -> Felt {
        self.native.storage_at(ContractId(contract.into()), Key(key.into())).unwrap()
    }
}

/// A call that has a contract run a script.
pub(crate) fn run(contract: u64, script: &[Felt]) -> (u64, Felt, Vec<Felt>) {
    (contract, starknet_keccak("run"), [vec![Felt::from(script.len())], script.to_vec()].concat())
}

/// A script as numbers.
pub(crate) fn felts(script: &[u64]) -> Vec<Felt> {
    script.iter().map(|it| Felt::from(*it)).collect()
}
