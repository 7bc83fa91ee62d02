//! Session calls: what they do, what contracts are told of them, which are refused, and that the program repeats them.

use super::{
    differential::repeat,
    model::{self, Model, Told},
    random,
    shard::{
        ACCOUNTS, BEGINS, CONTRACTS, DEADLINE, FULL_SLOT, Shard, class_of, end_event, felts, genesis_json, read, run,
        short,
    },
};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use shardwire_contracts::{
    Start, sessions,
    start::{ClassPair, Contract, Rule},
};
use shardwire_model::{
    AccountKey, Coded, ContractId, Felt, MAX_CALLDATA_FELTS, SessionCall, Signature,
    execution::{Receipt, Status},
    starknet_keccak,
};
use shardwire_native::{Checked, Genesis, Native, Refusal};
use std::sync::{Arc, LazyLock};

/// The contract that keeps sessions.
const KEEPER: u64 = 0x5e55;
const A: u64 = CONTRACTS[0];

static GENESIS: LazyLock<Arc<Genesis>> = LazyLock::new(|| {
    let sierra = std::str::from_utf8(sessions::SIERRA).unwrap();
    let contract = format!(r#"{{"address": "{KEEPER:#x}", "class_hash": "{:#x}"}}"#, sessions::CLASS);
    let file = genesis_json("").replacen(r#""classes": ["#, &format!(r#""classes": [{{"sierra": {sierra}}}, "#), 1);
    Arc::new(read(&file.replacen(r#""contracts": ["#, &format!(r#""contracts": [{contract}, "#), 1)))
});

/// The probes' start, with the contract that keeps sessions.
fn start() -> Start {
    let mut start = super::differential::listing();
    start.classes = GENESIS
        .classes()
        .iter()
        .map(|(hash, class)| ClassPair { class_hash: *hash, compiled_class_hash: class.compiled_hash() })
        .collect();
    let place = |class: Felt| GENESIS.classes().keys().position(|hash| *hash == class).unwrap();
    for contract in &mut start.contracts {
        contract.class = place(class_of(u64::try_from(contract.address).unwrap()));
    }
    let class = place(sessions::CLASS);
    start.contracts.push(Contract { address: KEEPER.into(), class, rule: Rule::Scratch, account: false });
    start
}

fn open(start: &Start) -> Shard {
    let full = |key: Felt| if key == Felt::from(FULL_SLOT) { Felt::from(100) } else { Felt::ZERO };
    let values: Vec<_> = start.settled().map(|entry| full(entry.key.0)).collect();
    Shard { native: Native::open(GENESIS.clone(), start, &values).unwrap(), time: BEGINS }
}

fn key(number: u8) -> AccountKey {
    AccountKey::from_secret([number; 32])
}

fn selector() -> Felt {
    starknet_keccak("run")
}

/// An account allows a key to have these contracts run scripts, until then; zero takes it back.
fn allow(shard: &mut Shard, account: u64, number: u8, expires: u64, contracts: &[u64]) -> Arc<Receipt> {
    let mut calldata = vec![key(number).id().0];
    if expires > 0 {
        calldata.push(expires.into());
    }
    let list = |felts: Vec<Felt>| [vec![Felt::from(felts.len())], felts].concat();
    calldata.extend(list(felts(contracts)));
    calldata.extend(list(vec![selector(); contracts.len()]));
    let name = if expires > 0 { "open" } else { "close" };
    let invoke = shard.invoke(account, &[(KEEPER, starknet_keccak(name), calldata)]);
    shard.submit(&invoke).unwrap()
}

/// A session call that has a contract run a script, after the key's last one, signed.
fn call(shard: &Shard, account: u64, number: u8, contract: u64, script: &[Felt]) -> SessionCall {
    let key = key(number);
    let (_, selector, calldata) = run(contract, script);
    let call = SessionCall {
        account: ContractId(account.into()),
        key: key.id().0,
        previous: shard.native.last_link(key.id().0).0,
        contract: ContractId(contract.into()),
        selector,
        calldata,
        signature: Signature::NONE,
    };
    call.sign(&key).unwrap()
}

fn submit(shard: &mut Shard, call: &SessionCall) -> Result<Arc<Receipt>, Refusal> {
    shard.time += 1;
    match shard.native.check_session(call, shard.time)? {
        Checked::New(change) => {
            shard.native.apply(&change);
            Ok(change.receipt().clone())
        }
        Checked::Duplicate { index } => Ok(shard.native.receipt(index).unwrap().clone()),
    }
}

#[test]
fn the_contract_that_keeps_sessions_is_the_one_that_the_program_knows() {
    assert!(GENESIS.classes().contains_key(&sessions::CLASS), "{:#x?}", GENESIS.classes().keys().collect::<Vec<_>>());
    let mut two = start();
    let class = two.contracts.last().unwrap().class;
    two.contracts.push(Contract { address: (KEEPER + 1).into(), class, rule: Rule::Scratch, account: false });
    let file = format!(r#"{{"address": "{:#x}", "class_hash": "{:#x}"}}"#, KEEPER + 1, sessions::CLASS);
    let sierra = std::str::from_utf8(sessions::SIERRA).unwrap();
    let json = genesis_json("").replacen(r#""classes": ["#, &format!(r#""classes": [{{"sierra": {sierra}}}, "#), 1);
    let keeper = file.replace(&format!("{:#x}", KEEPER + 1), &format!("{KEEPER:#x}"));
    let json = json.replacen(r#""contracts": ["#, &format!(r#""contracts": [{keeper}, {file}, "#), 1);
    let values = vec![Felt::ZERO; two.settled().count()];
    let error = Native::open(Arc::new(read(&json)), &two, &values).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string(), error.next_step()),
        (
            "SW-NATIVE-017",
            "contracts 0x5e55 and 0x5e56 both keep sessions, and a shard has one at most".into(),
            "List one of them.".into()
        )
    );
}

#[test]
fn a_session_call_is_a_call_of_its_account() {
    let mut shard = open(&start());
    let allowed = allow(&mut shard, ACCOUNTS[0], 1, DEADLINE, &[A]);
    assert_eq!((allowed.status.clone(), allowed.events.len()), (Status::Succeeded, 1));
    // What it is told: caller, block, time, hash, nonce, chain.
    let chain = short(shard.native.chain());
    for before in 0..3u64 {
        let nonce = shard.native.nonce_at(ContractId(ACCOUNTS[0].into())).unwrap();
        let call = call(&shard, ACCOUNTS[0], 1, A, &felts(&[7, 2, 9, 5]));
        let receipt = submit(&mut shard, &call).unwrap();
        assert_eq!((receipt.hash, receipt.nonce, receipt.gas.validate), (call.link(), before, 0));
        let told = Felt::from(ACCOUNTS[0] + A + receipt.block + 1_000 * shard.time + before) + receipt.hash + chain;
        assert_eq!(receipt.returned, [told + Felt::from(5)]);
        assert_eq!(shard.slot(A, 9), told + Felt::from(5));
        assert_eq!((receipt.diff.account, receipt.diff.nonce), (ContractId(ACCOUNTS[0].into()), nonce));
        assert_eq!(shard.native.last_link(key(1).id().0), (call.link(), before + 1));
        assert_eq!(submit(&mut shard, &call).unwrap(), receipt, "the same again");
    }
    // One that fails is undone, and its place is used.
    let call = call(&shard, ACCOUNTS[0], 1, A, &felts(&[1, 9, 1, 6, 30]));
    let receipt = submit(&mut shard, &call).unwrap();
    assert!(matches!(&receipt.status, Status::Reverted { reason } if reason.contains("0x1e")), "{receipt:?}");
    assert_eq!((receipt.returned.clone(), receipt.diff.storage.len()), (felts(&[30]), 0));
    assert_eq!(shard.native.last_link(key(1).id().0), (call.link(), 4));
}

#[test]
fn every_refusal_of_a_session_call_says_why_and_changes_nothing() {
    let mut shard = open(&start());
    let expires = BEGINS + 100;
    allow(&mut shard, ACCOUNTS[0], 1, expires, &[A]);
    let good = call(&shard, ACCOUNTS[0], 1, A, &[]);
    let refused = |shard: &Shard, call: &SessionCall, time: u64, code: &str, words: &str, step: &str| {
        let refusal = shard.native.check_session(call, time).unwrap_err();
        assert_eq!(refusal.code(), code, "{refusal}");
        assert!(refusal.to_string().contains(words), "{refusal}");
        assert!(refusal.next_step().contains(step), "{}", refusal.next_step());
        assert_eq!(shard.native.accepted(), 1);
        assert!(!refusal.is_of_this_machine());
    };
    let with = |change: fn(&mut SessionCall)| {
        let mut call = good.clone();
        change(&mut call);
        call.sign(&key(1)).unwrap()
    };
    let now = shard.time;
    let long = SessionCall { calldata: vec![Felt::ZERO; MAX_CALLDATA_FELTS + 1], ..good.clone() };
    refused(&shard, &long, now, "SW-NATIVE-104", "the calldata has 5001 felts, and 5000 are allowed", "fewer calls");
    refused(&shard, &good, now - 1, "SW-NATIVE-109", "it must be from", "clock");
    let stranger = with(|it| it.account = it.contract);
    refused(&shard, &stranger, now, "SW-NATIVE-101", "account 0x101 is not one", "started with");
    let elsewhere = with(|it| it.contract = ContractId(Felt::from(0xbad)));
    refused(&shard, &elsewhere, now, "SW-NATIVE-115", "contract 0xbad is not one", "what this one has");
    let beyond = "a session calls neither its account, nor the contract that keeps sessions, nor __execute__";
    for change in [
        (|it: &mut SessionCall| it.contract = it.account) as fn(&mut SessionCall),
        |it| it.contract = ContractId(KEEPER.into()),
        |it| (it.contract, it.selector) = (ContractId(ACCOUNTS[1].into()), starknet_keccak("__execute__")),
    ] {
        refused(&shard, &with(change), now, "SW-NATIVE-125", beyond, "INVOKE");
    }
    let allowed = |until: u64| format!("of 0x101 at {until} s: it may until {expires} s");
    refused(&shard, &good, expires, "SW-NATIVE-126", &allowed(expires), "calls open of the contract");
    shard.native.check_session(&good, expires - 1).unwrap();
    let never = "it may until 0 s";
    for change in [
        (|it: &mut SessionCall| it.contract = ContractId(CONTRACTS[1].into())) as fn(&mut SessionCall),
        |it| it.selector += Felt::ONE,
        |it| it.account = ContractId(ACCOUNTS[1].into()),
    ] {
        refused(&shard, &with(change), now, "SW-NATIVE-126", never, "calls open of the contract");
    }
    let foreign = call(&shard, ACCOUNTS[0], 2, A, &[]);
    refused(&shard, &foreign, now, "SW-NATIVE-126", never, "calls open of the contract");
    let other = with(|it| it.previous += Felt::ONE);
    let words = format!("the last of the 0 calls of key {:#x} has link {:#x}", good.key, good.previous);
    refused(&shard, &other, now, "SW-NATIVE-127", &words, "after the last one that this key signed");
    let unsigned = SessionCall { calldata: felts(&[1, 7]), ..good.clone() };
    let words = format!("the signature isn't that of key {:#x}", good.key);
    refused(&shard, &unsigned, now, "SW-NATIVE-128", &words, "for this shard's chain id");

    // A shard without the contract.
    let mut without = start();
    without.contracts.pop();
    let bare = open(&without);
    let refusal = bare.native.check_session(&good, now).unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.to_string(), refusal.next_step()),
        (
            "SW-NATIVE-124",
            "the shard has no contract that keeps sessions".into(),
            "Send INVOKEs, and list the contract in the start of the next shard.".into()
        )
    );

    // What is taken back is not allowed any more, and not what is signed for another shard.
    let mut other = start();
    other.shard.0 += Felt::ONE;
    for entry in &mut other.entries {
        entry.guard = other.shard.0;
    }
    let mut elsewhere = open(&other);
    allow(&mut elsewhere, ACCOUNTS[0], 1, expires, &[A]);
    let refusal = elsewhere.native.check_session(&good, now).unwrap_err();
    assert_eq!(refusal.code(), "SW-NATIVE-127");
    allow(&mut shard, ACCOUNTS[0], 1, 0, &[A]);
    let refusal = shard.native.check_session(&good, shard.time).unwrap_err();
    assert_eq!(refusal.code(), "SW-NATIVE-126");
}

/// Session calls and INVOKEs of a seed, each compared with the model, and all of them repeated by the program.
fn play(seed: u64, transactions: u32) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut shard = open(&start());
    let mut model = Model::default();
    model.slots.extend(CONTRACTS.iter().map(|contract| ((*contract, FULL_SLOT), Felt::from(100))));
    let chain = short(shard.native.chain());
    let mut changes = Vec::new();
    let (mut sessions, mut reverted) = (0, 0);
    // The keys of both accounts, and one that acts for both.
    let may = [(ACCOUNTS[0], 1), (ACCOUNTS[1], 2), (ACCOUNTS[0], 3), (ACCOUNTS[1], 3)];
    for (account, number) in may {
        let expires = Felt::from(DEADLINE);
        let mut calldata = vec![key(number).id().0, expires, CONTRACTS.len().into()];
        calldata.extend(felts(&CONTRACTS));
        calldata.push(CONTRACTS.len().into());
        calldata.extend([selector(); CONTRACTS.len()]);
        let invoke = shard.invoke(account, &[(KEEPER, starknet_keccak("open"), calldata)]);
        let Checked::New(change) = shard.native.check(&invoke, shard.time).unwrap() else { panic!("it is new") };
        shard.native.apply(&change);
        changes.push(change.clone());
    }
    while !shard.native.ended() {
        shard.time += random.random_range(0..3);
        let (mut contract, script) = random::script_of(&mut random);
        let mut calldata = model::felts(&script);
        let last = shard.native.accepted() + 1 >= transactions;
        if last {
            contract = A;
            calldata = [felts(&[3, 1]), vec![end_event()], felts(&[0])].concat();
        }
        let is_session = last || random.random_bool(0.7);
        let (account, number) = *may.choose(&mut random).unwrap();
        let (checked, nonce) = if is_session {
            let call = call(&shard, account, number, contract, &calldata);
            let before = shard.native.last_link(call.key).1;
            (shard.native.check_session(&call, shard.time).unwrap(), before)
        } else {
            let invoke = shard.invoke(account, &[run(contract, &calldata)]);
            (shard.native.check(&invoke, shard.time).unwrap(), invoke.nonce)
        };
        let Checked::New(change) = checked else { panic!("it is new") };
        shard.native.apply(&change);
        changes.push(change.clone());
        let receipt = change.receipt();
        if last {
            continue;
        }
        let told = Told { block: receipt.block, time: shard.time, hash: receipt.hash, nonce, chain };
        let before = model.clone();
        model.events.clear();
        match model.run(&told, account, contract, &script) {
            Ok(answer) => {
                let expected = if is_session { vec![answer] } else { vec![Felt::ONE, Felt::ONE, answer] };
                assert_eq!((&receipt.status, &receipt.returned), (&Status::Succeeded, &expected), "seed {seed}");
            }
            Err(mut reason) => {
                model = before;
                model.events.clear();
                if !is_session {
                    reason.push(short("ENTRYPOINT_FAILED"));
                }
                assert!(matches!(receipt.status, Status::Reverted { .. }), "seed {seed}");
                assert_eq!(receipt.returned, reason, "seed {seed}");
                reverted += 1;
            }
        }
        let events: Vec<_> = receipt.events.iter().map(|it| (it.from.0, it.keys.clone(), it.data.clone())).collect();
        let expected: Vec<_> =
            model.events.iter().map(|(from, keys, data)| (Felt::from(*from), keys.clone(), data.clone())).collect();
        assert_eq!(events, expected, "seed {seed}");
        for ((contract, key), value) in &model.slots {
            assert_eq!(shard.slot(*contract, *key), *value, "slot {key} of {contract:#x}, seed {seed}");
        }
        sessions += u32::from(is_session);
    }
    assert!(sessions > transactions / 2 && reverted > 0, "{sessions} {reverted}");
    repeat(&shard, &GENESIS, changes);
}

#[test]
fn the_program_repeats_random_session_calls_among_random_invokes() {
    play(1, 40);
    for seed in 200..203 {
        play(seed, 200);
    }
}
