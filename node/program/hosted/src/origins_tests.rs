//! What a settler looks at before a shard of contracts starts and before it ends: the genesis, its classes, and what a run read.

use crate::{
    Class, Geneses, Grounds, MAX_KEPT_CLASSES,
    dungeon::{self, ANNA, BERT, GOLD, WORLD},
};
use shardwire_model::{
    AccountId, Coded as _, ContractId, ContractTerms, Felt, Hash, PeerId, Reads, ShardStart, Slot, Terms,
};
use shardwire_proving::origin::{Compared, Origin, OriginError, OriginMismatch, Origins as _, compare};
use std::{
    io,
    path::Path,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

static GROUNDS: LazyLock<Grounds> = LazyLock::new(|| dungeon::geneses().into());

fn shard() -> (ShardStart, Vec<Felt>) {
    dungeon::shard(PeerId([7; 32]))
}

fn opened(start: &ShardStart) -> Box<dyn Origin> {
    GROUNDS.open(start).unwrap().expect("a shard of contracts has an origin")
}

/// What is said to start data that is changed like this: that it is refused.
fn refused(change: impl FnOnce(&mut ShardStart)) -> String {
    let mut start = shard().0;
    change(&mut start);
    match GROUNDS.open(&start) {
        Err(OriginError::Refused(error)) => format!("{} {error}", error.code()),
        other => panic!("not refused: {other:?}"),
    }
}

fn terms(start: &mut ShardStart, change: impl FnOnce(&mut ContractTerms)) {
    let Terms::Contracts(terms) = &mut start.terms else { panic!("contracts have terms") };
    change(terms);
}

/// What a settler with such a folder lacks: it says nothing about the shard.
fn lacks(read: impl Fn(&Path) -> io::Result<Option<Vec<u8>>> + Send + Sync + 'static) -> String {
    match Grounds::from(Geneses::new(move |name, _| read(name), Class::compile)).open(&shard().0) {
        Err(OriginError::Unable(error)) => format!("{} {error}", error.code()),
        other => panic!("nothing is lacking: {other:?}"),
    }
}

#[test]
fn an_origin_has_what_the_genesis_file_says() {
    let origin = opened(&shard().0);
    let contract = |n: u64| ContractId(n.into());
    assert_eq!(origin.storage(contract(WORLD), dungeon::key("master", &[])).unwrap(), Felt::from(ANNA));
    assert_ne!(origin.storage(contract(ANNA), dungeon::key("public_key", &[])).unwrap(), Felt::ZERO);
    assert_eq!(origin.storage(contract(GOLD), dungeon::key("balances", &[ANNA])).unwrap(), Felt::ZERO);
    assert_eq!(origin.nonce(AccountId(ANNA.into())).unwrap(), Felt::ZERO);
}

#[test]
fn a_shard_of_rules_has_no_origin_and_programs_go_with_their_terms() {
    let mut rules = ShardStart { terms: Terms::Rules, program: Felt::ONE, ..shard().0 };
    assert!(GROUNDS.open(&rules).unwrap().is_none());
    let program = crate::hash();
    let text = |program: Felt| {
        format!(
            "SW-PROGRAM-009 program {program:#x} takes no shard with these terms: program contracts takes those of contracts, every other one none"
        )
    };
    assert_eq!(refused(|start| start.terms = Terms::Rules), text(program));
    assert_eq!(refused(|start| start.program = Felt::ONE), text(Felt::ONE));
    rules.program = program;
    let next = GROUNDS.open(&rules).unwrap_err().next_step();
    assert_eq!(
        next,
        "Name the program that goes with the request's `terms`: `contracts` with terms of contracts, `rules` without."
    );
}

#[test]
fn a_pair_whose_bytecode_is_not_what_the_class_compiles_to_is_refused() {
    let start = shard().0;
    let Terms::Contracts(listed) = &start.terms else { panic!("contracts have terms") };
    let (class, compiled) = (listed.classes[1].class_hash, listed.classes[1].compiled_class_hash);
    let other = listed.classes[0].compiled_class_hash;
    // Of a class that there is as well, and of a hand-made one.
    for stated in [other, Felt::from(0xbad)] {
        let text =
            format!("SW-CLASS-010 class {class:#x}: class {class:#x} compiles to {compiled:#x}, not to {stated:#x}");
        assert_eq!(refused(|start| terms(start, |it| it.classes[1].compiled_class_hash = stated)), text);
    }
    let last = listed.classes[2].class_hash + Felt::ONE;
    let unknown = |start: &mut ShardStart| {
        terms(start, |it| {
            let (before, after) = (it.classes[2].class_hash, last);
            it.classes[2].class_hash = after;
            it.instances.iter_mut().filter(|instance| instance.class == before).for_each(|it| it.class = after);
        });
    };
    assert_eq!(refused(unknown), format!("SW-NATIVE-013 the start data lists class {last:#x}, which isn't there"));
    // A contract of another class than the genesis has it.
    let swapped = |start: &mut ShardStart| terms(start, |it| it.instances[0].class = it.instances[3].class);
    assert!(refused(swapped).starts_with("SW-NATIVE-010 the start data lists contract 0x1001 with class"));
}

/// A settler compiles every class itself: bytecode that lies beside it is compared, and hand-made one is what keeps the genesis from being used.
#[test]
fn bytecode_beside_a_class_is_never_believed() {
    // Anna's account, with the bytecode of gold.
    let casm = |name: &str| {
        let class = Class::compile(&dungeon::file(Path::new(name)).unwrap()).unwrap();
        serde_json::to_string(class.casm()).unwrap()
    };
    let named = r#"{"sierra": "account.sierra.json"}"#;
    let genesis = dungeon::genesis();
    let with = |casm: &str| genesis.replace(named, &format!(r#"{{"sierra": "account.sierra.json", "casm": {casm}}}"#));
    let opened = |genesis: String| {
        let hash = Hash::of(genesis.as_bytes());
        let mut start = shard().0;
        terms(&mut start, |it| it.origin = hash.into());
        let read = move |name: &Path, _| {
            if name == Path::new(&format!("{hash}.json")) {
                Ok(Some(genesis.clone().into_bytes()))
            } else {
                Ok(dungeon::file(name))
            }
        };
        Grounds::from(Geneses::new(read, Class::compile)).open(&start)
    };
    assert!(opened(with(&casm("account.sierra.json"))).unwrap().is_some());
    let error = opened(with(&casm("gold.sierra.json"))).unwrap_err();
    assert_eq!(error.code(), "SW-CLASS-007");
    assert!(error.to_string().contains("class account.sierra.json: the bytecode hashes to"), "{error}");
    // Cairo 0 can't be compiled from its Sierra: it has none.
    let cairo_0 = genesis.replace(named, r#"{"sierra": {"program": {}, "abi": []}}"#);
    let error = opened(cairo_0).unwrap_err();
    assert_eq!(error.code(), "SW-CLASS-003");
    assert!(error.to_string().ends_with("the class is of Cairo 0, which has no Sierra"), "{error}");
}

#[test]
fn what_a_settler_lacks_is_no_word_on_the_shard() {
    let hash = Hash::of(dungeon::genesis().as_bytes());
    assert_eq!(lacks(|_| Ok(None)), format!("SW-PROGRAM-004 genesis {hash} isn't here"));
    let other = Hash::of(b"{}");
    assert_eq!(
        lacks(|_| Ok(Some(b"{}".to_vec()))),
        format!("SW-PROGRAM-006 genesis file {hash}.json has content hash {other}")
    );
    assert_eq!(
        lacks(|_| Err(io::Error::other("a bad sector"))),
        format!("SW-PROGRAM-008 file {hash}.json of the genesis can't be read: a bad sector")
    );
    // A class file that is gone, or another one in its place: neither has its hash in the start data's genesis.
    let gone = |name: &Path| Ok(dungeon::file(name).filter(|_| name != Path::new("gold.sierra.json")));
    assert!(lacks(gone).starts_with("SW-NATIVE-004 "), "{}", lacks(gone));
    let other = |name: &Path| {
        let name = if name == Path::new("gold.sierra.json") { Path::new("account.sierra.json") } else { name };
        Ok(dungeon::file(name))
    };
    assert!(lacks(other).starts_with("SW-NATIVE-006 "), "{}", lacks(other));
}

/// The list of a run in which Anna trained, from the values that the World gave.
fn reads(start: &ShardStart, values: &[Felt]) -> Reads {
    let (origin, place) = (opened(start), |of: u64| start.contract_index(ContractId(of.into())).unwrap());
    let mut reads = Reads::default();
    for (entry, value) in start.entries.iter().zip(values) {
        reads.storage.insert((start.contract_index(entry.contract).unwrap(), entry.key.0), *value);
    }
    let key = dungeon::key("public_key", &[]);
    let public = origin.storage(ContractId(ANNA.into()), key).unwrap();
    reads.storage.insert((place(ANNA), key.0), public);
    reads.nonces.insert(place(ANNA), Felt::ZERO);
    reads
}

#[test]
fn a_run_is_compared_with_the_world_where_it_settles_and_with_the_genesis_elsewhere() {
    let (start, values) = shard();
    let (origin, honest) = (opened(&start), reads(&start, &values));
    compare(&honest, &start, &values, &*origin).unwrap();
    let place = |of: u64| start.contract_index(ContractId(of.into())).unwrap();
    let named = |lie: &Reads| match compare(lie, &start, &values, &*origin) {
        Err(Compared::Mismatch(OriginMismatch::Slot { slot, .. })) => slot,
        other => panic!("no slot differs: {other:?}"),
    };
    // A key that the account doesn't have: its owner could play for Anna.
    let (mut forged, key) = (honest.clone(), dungeon::key("public_key", &[]));
    forged.storage.insert((place(ANNA), key.0), Felt::from(0xbad));
    assert_eq!(named(&forged), Slot::new(ContractId(ANNA.into()), key));
    // Gold that nobody escrowed, in a purse that doesn't settle and in one that does.
    for of in [0x1003, BERT] {
        let (mut rich, key) = (honest.clone(), dungeon::key("balances", &[of]));
        rich.storage.insert((place(GOLD), key.0), Felt::from(1_000));
        assert_eq!(named(&rich), Slot::new(ContractId(GOLD.into()), key));
    }
}

#[test]
fn a_class_is_compiled_once_whatever_genesis_has_it_and_few_are_kept() {
    let compiled = Arc::new(AtomicUsize::new(0));
    let count = compiled.clone();
    let class = Class::compile(&dungeon::file(Path::new("gold.sierra.json")).unwrap()).unwrap();
    // Each has another class file, which is the same class, and a space more than the one before.
    let genesis =
        |number: usize| format!(r#"{{"version": 1, "classes": [{{"sierra": "{number}.json"}}], "contracts": []}}"#);
    let read = move |name: &Path, _| {
        let text = name.to_str().unwrap();
        let number = text.strip_suffix(".json").and_then(|number| number.parse::<usize>().ok());
        let file = |number: usize| format!("{}{}", " ".repeat(number), "{}").into_bytes();
        let genesis = (0..=MAX_KEPT_CLASSES).map(genesis).chain([format!(" {}", genesis(0))]);
        let found = || genesis.map(String::into_bytes).find(|it| text == format!("{}.json", Hash::of(it)));
        Ok(number.map(file).or_else(found))
    };
    let geneses = Geneses::new(read, move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(class.clone())
    });
    let find = |genesis: String| drop(geneses.find(Hash::of(genesis.as_bytes())).unwrap());
    find(genesis(0));
    find(format!(" {}", genesis(0)));
    assert_eq!(compiled.load(Ordering::SeqCst), 1, "the second genesis has the same class");
    (1..=MAX_KEPT_CLASSES).for_each(|number| find(genesis(number)));
    assert_eq!(compiled.load(Ordering::SeqCst), 1 + MAX_KEPT_CLASSES);
    // The first one was forgotten, with its genesis.
    find(genesis(0));
    assert_eq!(compiled.load(Ordering::SeqCst), 2 + MAX_KEPT_CLASSES);
}
