//! A shard of the dungeon's contracts, from its genesis file to the output of its run; and what can be wrong with a genesis file.

use crate::{
    Contracts, Geneses, GenesisFileError, Grounds, MAX_GENESES,
    dungeon::{self, ANNA, BEGINS, BERT, DEADLINE, GOLD, WORLD},
};
use shardwire_model::{
    AccountKey, Call, Coded, ContractId, Felt, Hash, Invoke, Logged, PeerId, Reads, SessionCall, ShardStart,
    ShardTransaction, Signature, SignedTransaction, Terms, Transaction, state_commitment,
};
use shardwire_native::{Class, bounds};
use shardwire_program::{Acceptance, Admission, Checked, ExecuteError, Program as _};
use std::{
    io,
    path::Path,
    sync::{Arc, LazyLock},
};

/// The program with the dungeon's genesis.
fn program() -> Contracts {
    static GROUNDS: LazyLock<Arc<Grounds>> = LazyLock::new(|| Arc::new(dungeon::geneses().into()));
    Contracts::new(GROUNDS.clone())
}

fn shard() -> (ShardStart, Vec<Felt>) {
    dungeon::shard(PeerId([7; 32]))
}

/// A whole game, a second a transaction.
fn log(start: &ShardStart) -> Vec<Logged> {
    let logged = |(invoke, time): (Invoke, u64)| Logged { transaction: invoke.into(), time, reverted: false };
    dungeon::game(start).into_iter().zip(BEGINS..).map(logged).collect()
}

#[test]
fn a_shard_of_contracts_is_admitted_executed_and_put_out() {
    let (start, values) = shard();
    let program = program();
    assert_eq!((program.name(), program.hash()), ("contracts", start.program));
    let mut admission = program.admission(start.clone(), &values).unwrap();
    assert!(admission.executes());
    assert_eq!((admission.next_nonces(), admission.values()), (vec![0, 0], values.clone()));
    let log = log(&start);
    for (Logged { transaction, time, .. }, sequence) in log.iter().zip(0..) {
        let Checked::New(change) = admission.check(transaction, *time).unwrap() else { panic!("it is new") };
        assert_eq!((change.sequence(), change.message(), change.ends()), (sequence, None, sequence == 3));
        assert_eq!(change.reverted(), sequence == 2, "what panics is in the log, and undone");
        let mut fork = admission.fork();
        fork.apply(change.clone());
        assert_eq!((fork.accepted(), admission.accepted()), (sequence + 1, sequence), "a fork is another one");
        admission.apply(change);
        assert_eq!(admission.accept(transaction, *time), Ok(Acceptance::Duplicate { sequence }));
    }
    assert!(admission.ended());
    assert_eq!(admission.next_nonces(), [2, 2]);
    let (anna, bert) = ((GOLD, "balances", ANNA, 80), (GOLD, "balances", BERT, 20));
    let after = dungeon::values(&start, &[anna, bert, (WORLD, "xp", ANNA, 12)]);
    assert_eq!(admission.values(), after);

    let mut chunks = Vec::new();
    let run = program.execute(&start, &values, &mut log.into_iter(), &mut |chunk| {
        chunks.push(chunk.hash);
        Ok(())
    });
    let run = run.unwrap();
    assert_eq!((run.output.count, run.output.ended, &run.manifest.chunks), (4, true, &chunks));
    let commitment = |values: &[Felt]| state_commitment(start.commitment(), values);
    assert_eq!((run.output.before, run.output.after), (commitment(&values), commitment(&after)));
    let reads = Reads::from_felts(&start.for_contracts().unwrap(), &run.reads).unwrap();
    assert_eq!(reads.commitment(&start.for_contracts().unwrap()), run.output.reads);
    // A counter settles by what it grew.
    let put_out = dungeon::values(&start, &[anna, bert, (WORLD, "xp", ANNA, 5)]);
    assert!(run.output.updates.iter().map(|update| update.value).eq(put_out));
    assert!(run.output.updates.iter().map(|update| update.slot()).eq(start.entries.iter().map(|entry| entry.slot())));
}

#[test]
fn what_breaks_a_rule_is_refused_in_the_words_of_native_execution() {
    let (start, values) = shard();
    let mut admission = program().admission(start.clone(), &values).unwrap();
    let mut refused = |transaction: ShardTransaction, time| {
        let refusal = admission.accept(&transaction, time).unwrap_err();
        assert!(!refusal.is_of_this_machine());
        format!("{} {refusal} {}", refusal.code(), refusal.next_step())
    };
    let train = |nonce| dungeon::invoke(&start, ANNA, nonce, WORLD, "train", &[5]);
    assert_eq!(
        refused(train(3).into(), BEGINS),
        "SW-NATIVE-106 account 0x1001 must use nonce 0, not 3 Ask for the account's nonce at 'pre_confirmed', and sign the transaction again."
    );
    assert_eq!(
        refused(train(0).into(), DEADLINE + 1),
        format!(
            "SW-NATIVE-109 the time is {} s, and it must be from {BEGINS} s to {DEADLINE} s Correct the operator's clock; after the deadline, end or abort the shard.",
            DEADLINE + 1
        )
    );
    let unsigned = Invoke { signature: Vec::new(), ..train(0) };
    assert!(
        refused(unsigned.into(), BEGINS).starts_with("SW-NATIVE-110 account 0x1001 doesn't accept the transaction")
    );
    let signed = SignedTransaction {
        transaction: Transaction {
            account: start.accounts[0],
            nonce: 1,
            contract: start.contracts[0],
            call: Call::Finish,
        },
        signature: Signature { r: Felt::ONE, s: Felt::ONE },
    };
    assert_eq!(
        refused(signed.into(), BEGINS),
        "SW-REFUSED-022 the shard is one of contracts, and takes INVOKEs and session calls alone Submit it to a shard of the fixed rules; this one takes what wallets send."
    );
}

#[test]
fn session_calls_are_admitted_in_the_order_of_their_links_executed_and_put_out() {
    let (start, values) = shard();
    let program = program();
    let mut admission = program.admission(start.clone(), &values).unwrap();
    let key = AccountKey::from_secret([5; 32]);
    let call = |previous, name: &str, arguments: &[u64]| dungeon::session_call(ANNA, &key, previous, name, arguments);
    let expires = BEGINS + 10;
    let allow = dungeon::allow(&start, ANNA, 0, &key, expires, &["train", "doom", "finish"]);
    let first = call(dungeon::first_link(&start, &key), "train", &[5]);
    let second = call(first.link(), "doom", &[]);
    let third = call(second.link(), "train", &[2]);
    let refused = |admission: &dyn Admission, call: &SessionCall, time| {
        let refusal = admission.check(&call.clone().into(), time).unwrap_err();
        // The type travels with the refusal, not its code alone.
        assert_eq!(refusal.code(), refusal.inside::<shardwire_native::Refusal>().unwrap().code());
        refusal.code()
    };
    assert_eq!(refused(&*admission, &first, BEGINS), "SW-NATIVE-126", "not allowed yet");
    let mut log = Vec::new();
    let mut take = |admission: &mut Box<dyn Admission>, transaction: ShardTransaction, time, reverted| {
        let sequence = admission.accepted();
        let Checked::New(change) = admission.take_in(&transaction, time).unwrap() else { panic!("it is new") };
        assert_eq!((change.sequence(), change.reverted(), change.message()), (sequence, reverted, None));
        log.push(Logged { transaction, time, reverted });
    };
    take(&mut admission, allow.into(), BEGINS, false);
    assert_eq!(refused(&*admission, &second, BEGINS), "SW-NATIVE-127", "it follows a link that isn't there");
    // A fork has the link of what isn't logged yet.
    let mut ahead = admission.fork();
    ahead.accept(&first.clone().into(), BEGINS).unwrap();
    assert!(ahead.check(&second.clone().into(), BEGINS).is_ok());
    assert_eq!(refused(&*admission, &second, BEGINS), "SW-NATIVE-127", "a fork is another one");
    take(&mut admission, first.clone().into(), BEGINS, false);
    assert_eq!(refused(&*admission, &call(first.link(), "adventure", &[1]), BEGINS), "SW-NATIVE-126", "out of scope");
    assert_eq!(refused(&*admission, &third, expires), "SW-NATIVE-126", "expired");
    let forged = SessionCall { signature: third.signature, ..second.clone() };
    assert_eq!(refused(&*admission, &forged, BEGINS), "SW-NATIVE-128");
    assert_eq!(admission.next_nonces(), [1, 0], "a session call uses no nonce");
    take(&mut admission, second.clone().into(), BEGINS + 1, true);
    let bert = dungeon::invoke(&start, BERT, 0, GOLD, "transfer", &[ANNA, 30, 0]);
    take(&mut admission, bert.into(), BEGINS + 1, false);
    take(&mut admission, third.clone().into(), BEGINS + 2, false);
    take(&mut admission, call(third.link(), "finish", &[]).into(), BEGINS + 3, false);
    // The same again, also with another signature, and after the end.
    let anew = SessionCall { signature: third.signature, ..second.clone() };
    for (call, sequence) in [(&first, 1), (&second, 2), (&anew, 2), (&third, 4)] {
        assert_eq!(admission.accept(&call.clone().into(), expires), Ok(Acceptance::Duplicate { sequence }));
    }
    let after = [(GOLD, "balances", ANNA, 80), (GOLD, "balances", BERT, 20), (WORLD, "xp", ANNA, 14)];
    assert_eq!((admission.ended(), admission.values()), (true, dungeon::values(&start, &after)));

    let run = |log: Vec<Logged>| program.execute(&start, &values, &mut log.into_iter(), &mut |_| Ok(()));
    let output = run(log.clone()).unwrap().output;
    assert_eq!((output.count, output.ended), (6, true));
    assert_eq!(output.after, state_commitment(start.commitment(), &admission.values()));
    log.swap(1, 2);
    let error = run(log).unwrap_err();
    assert!(
        error.to_string().starts_with("the shard program stopped at transaction 2: the last of the 0 calls of key"),
        "{error}"
    );
}

#[test]
fn a_log_that_was_never_accepted_stops_the_run() {
    let (start, values) = shard();
    let run = |log: Vec<Logged>| program().execute(&start, &values, &mut log.into_iter(), &mut |_| Ok(())).unwrap_err();
    let mut short = log(&start);
    short.pop();
    assert!(matches!(run(short), ExecuteError::Dry));
    // Bert's second transaction without his first.
    let mut wrong = log(&start);
    wrong.remove(1);
    let error = run(wrong);
    assert_eq!((error.code(), error.is_of_this_machine()), ("SW-EXEC-004", false));
    assert_eq!(error.to_string(), "the shard program stopped at transaction 2: account 0x1002 must use nonce 0, not 1");
    let mut twice = log(&start);
    twice.insert(1, twice[0].clone());
    assert_eq!(run(twice).to_string(), "the shard program stopped at transaction 2: it is in the log twice");
}

#[test]
fn a_shard_that_cannot_be_executed_here_is_refused_before_anything_is_accepted() {
    let (start, values) = shard();
    let refused = |program: &Contracts, start: &ShardStart, values: &[Felt]| {
        let error = program.admission(start.clone(), values).unwrap_err();
        assert!(!error.is_of_this_machine(), "{error}");
        format!("{} {error}", error.code())
    };
    let none = Contracts::new(Arc::new(Geneses::new(|_, _| Ok(None), Class::compile).into()));
    let hash = Hash::of(dungeon::genesis().as_bytes());
    assert_eq!(refused(&none, &start, &values), format!("SW-PROGRAM-004 genesis {hash} isn't here"));
    let rules = ShardStart { terms: Terms::Rules, ..start.clone() };
    assert_eq!(
        refused(&program(), &rules, &values),
        "SW-EXEC-009 the start data has other terms than program contracts takes"
    );
    assert_eq!(
        refused(&program(), &start, &values[..2]),
        "SW-NATIVE-011 there are 2 first values for 3 entries that settle"
    );
    let mut other = start;
    other.contracts[2] = ContractId(Felt::from(GOLD + 1));
    for entry in &mut other.entries[..2] {
        entry.contract = other.contracts[2];
    }
    assert_eq!(
        refused(&program(), &other, &values),
        "SW-NATIVE-009 the start data lists contract 0x601e, and there is none at this address"
    );
}

fn hash() -> Hash {
    Hash::of(dungeon::genesis().as_bytes())
}

fn not_found(
    read: impl Fn(&Path) -> io::Result<Option<Vec<u8>>> + Send + Sync + 'static,
    hash: Hash,
) -> (GenesisFileError, String) {
    let error = Geneses::new(move |name, _| read(name), Class::compile).find(hash).unwrap_err();
    let text = format!("{} {error} {}", error.code(), error.next_step());
    (error, text)
}

#[test]
fn what_is_wrong_with_a_genesis_file_is_said_with_the_next_step() {
    let its_name = format!("{}.json", hash());
    let (error, text) = not_found(|_| Ok(None), hash());
    assert!(!error.is_of_this_machine());
    assert_eq!(
        text,
        format!(
            "SW-PROGRAM-004 genesis {} isn't here Put the genesis into the data folders of settler and operator, as genesis/{its_name}, with the class files that it names beside it.",
            hash()
        )
    );
    let (_, text) = not_found(|_| Ok(Some(vec![b' '; bounds::MAX_GENESIS_BYTES + 1])), hash());
    assert_eq!(
        text,
        format!(
            "SW-PROGRAM-005 genesis file {its_name} is longer than 67108864 bytes Leave out of the genesis what the shard doesn't touch, and put classes into files of their own."
        )
    );
    let (_, text) = not_found(|_| Ok(Some(b"{}".to_vec())), hash());
    let found = Hash::of(b"{}");
    assert_eq!(
        text,
        format!(
            "SW-PROGRAM-006 genesis file {its_name} has content hash {found} Put the file there that the shard was started with; this one would be called {found}.json."
        )
    );
    let (error, text) = not_found(|_| Err(io::Error::other("a bad sector")), hash());
    assert!(error.is_of_this_machine());
    assert_eq!(
        text,
        format!(
            "SW-PROGRAM-008 file {its_name} of the genesis can't be read: a bad sector Mend the disk, or the rights to the file; the node tries again."
        )
    );
    let (error, text) = not_found(|_| Ok(Some(b"{}".to_vec())), found);
    assert!(!error.is_of_this_machine());
    assert!(
        text.starts_with(&format!("SW-NATIVE-001 genesis file {found}.json: the genesis can't be read: missing field")),
        "{text}"
    );
}

#[test]
fn a_class_file_is_one_of_the_folder_of_the_genesis() {
    for (named, reason) in [
        ("../identity.key", "it isn't the name of a file in the folder of the genesis"),
        ("/etc/passwd", "it isn't the name of a file in the folder of the genesis"),
        ("..", "it isn't the name of a file in the folder of the genesis"),
        ("a/b.json", "it isn't the name of a file in the folder of the genesis"),
        ("gone.json", "there is no such file"),
    ] {
        let file = format!(r#"{{"version": 1, "classes": [{{"sierra": "{named}"}}], "contracts": []}}"#).into_bytes();
        let hash = Hash::of(&file);
        let read = move |name: &Path| match name.to_str() {
            Some("gone.json") => Ok(None),
            Some(name) if name == format!("{hash}.json") => Ok(Some(file.clone())),
            _ => panic!("{name:?} is read"),
        };
        let (error, text) = not_found(read, hash);
        assert!(!error.is_of_this_machine());
        let wanted = format!(
            "SW-NATIVE-004 genesis file {hash}.json: file {named}, which the genesis names, can't be read: {reason} Put the file beside the genesis, or correct its name."
        );
        assert_eq!(text, wanted);
    }
    let file = br#"{"version": 1, "classes": [{"sierra": "a.json"}], "contracts": []}"#;
    let read =
        |name: &Path| if name == Path::new("a.json") { Err(io::Error::other("no")) } else { Ok(Some(file.to_vec())) };
    let (error, text) = not_found(read, Hash::of(file));
    assert!(error.is_of_this_machine() && text.starts_with("SW-PROGRAM-008 file a.json of the genesis"), "{text}");
}

#[test]
fn geneses_are_held_while_shards_have_them_and_are_bounded() {
    fn file(number: usize) -> String {
        format!("{{\"version\": 1, \"classes\": [], \"contracts\": []}}{}", " ".repeat(number))
    }
    fn hash(number: usize) -> Hash {
        Hash::of(file(number).as_bytes())
    }
    let read = move |name: &Path, _| {
        let number = (0..=MAX_GENESES).find(|number| name == Path::new(&format!("{}.json", hash(*number))));
        Ok(number.map(|number| file(number).into_bytes()))
    };
    let geneses = Geneses::new(read, Class::compile);
    let mut held: Vec<_> = (0..MAX_GENESES).map(|number| geneses.find(hash(number)).unwrap()).collect();
    assert!(Arc::ptr_eq(&geneses.find(hash(0)).unwrap(), &held[0]), "it isn't read again");
    let error = geneses.find(hash(MAX_GENESES)).unwrap_err();
    assert_eq!(
        format!("{} {error} {}", error.code(), error.next_step()),
        "SW-PROGRAM-007 shards have 16 other genesis files Wait until a shard of another genesis is settled, or start the shard with other nodes."
    );
    held.pop();
    assert!(geneses.find(hash(MAX_GENESES)).is_ok());
}
