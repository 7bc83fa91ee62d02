use super::*;
use crate::{Answered, InMemory};
use shardwire_model::{Coded as _, Key};
use std::sync::atomic::{AtomicUsize, Ordering};

const BLOCK: ForkId =
    ForkId { chain: Felt::from_hex_unchecked("0x534e"), number: 7, hash: Felt::from_hex_unchecked("0xb10c") };
const WORLD: ContractId = ContractId(Felt::from_hex_unchecked("0x3031d"));
const NOWHERE: ContractId = ContractId(Felt::from_hex_unchecked("0xdead"));
const CLASS: &[u8] = include_bytes!("../../../contracts/game/dice.sierra.json");

/// A network that counts how often it is asked, and is gone when it is told so.
#[derive(Clone, Debug, Default)]
struct Counting(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    asked: AtomicUsize,
    gone: AtomicUsize,
    /// Added to each value.
    other: AtomicUsize,
    /// Whether it has dropped the storage of the contract.
    prunes: AtomicUsize,
    /// Whether it tells nonces that can't be.
    counts_wrong: AtomicUsize,
}

impl Counting {
    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::Relaxed)
    }

    fn is_gone(&self, gone: bool) {
        self.0.gone.store(gone.into(), Ordering::Relaxed);
    }

    fn there(&self) -> Result<(), ForkError> {
        match self.0.gone.load(Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(ForkError::Gone { host: "node".into(), hash: BLOCK.hash }),
        }
    }
}

impl Source for Counting {
    fn ask(&self, questions: &[Question]) -> Result<Vec<Option<Felt>>, ForkError> {
        self.there()?;
        self.0.asked.fetch_add(questions.len(), Ordering::Relaxed);
        let other = Felt::from(self.0.other.load(Ordering::Relaxed) as u64);
        let prunes = self.0.prunes.load(Ordering::Relaxed) > 0;
        let counts_wrong = self.0.counts_wrong.load(Ordering::Relaxed) > 0;
        let answer = |question: &Question| match *question {
            Question::Time => Some(Felt::from(1_000) + other),
            Question::Storage(contract, key) if contract == WORLD && !prunes => Some(key.0 + Felt::ONE + other),
            Question::Nonce(contract) if contract == WORLD && counts_wrong => Some(Felt::TWO.pow(64_u32)),
            Question::Nonce(contract) if contract == WORLD && !prunes => Some(Felt::from(7) + other),
            Question::ClassHash(contract) if contract == WORLD => Some(Felt::from(0xc1a55)),
            _ => None,
        };
        Ok(questions.iter().map(answer).collect())
    }

    fn ask_each(&self, question: Question) -> Result<Vec<(String, Option<Felt>)>, ForkError> {
        Ok(vec![("node".to_owned(), self.ask(&[question])?.first().copied().flatten())])
    }

    fn class(&self, hash: Felt) -> Result<Option<Vec<u8>>, ForkError> {
        self.there()?;
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        Ok((hash != Felt::ZERO).then(|| CLASS.to_vec()))
    }
}

fn compile() -> Arc<Compile> {
    Arc::new(Class::compile)
}

fn fork(network: &Counting, answers: &InMemory) -> Fork {
    Fork::open(BLOCK, network.clone(), Box::new(answers.clone()), compile()).unwrap()
}

fn slot(fork: &Fork, key: u64) -> Result<Felt, GroundError> {
    fork.storage_at(WORLD, Key(key.into()))
}

/// All that a shard may ask, of what is there.
fn read(fork: &Fork) -> (Vec<Felt>, u64, Option<Felt>, u64) {
    let slots = [1, 2, 1].map(|key| slot(fork, key).unwrap());
    (slots.to_vec(), fork.nonce_at(WORLD).unwrap(), fork.class_hash_at(WORLD).unwrap(), fork.made().unwrap())
}

#[test]
fn each_question_is_asked_once_and_its_answer_outlives_the_network() {
    let (network, answers) = (Counting::default(), InMemory::default());
    let first = fork(&network, &answers);
    let expected = ([2, 3, 2].map(Felt::from).to_vec(), 7, Some(Felt::from(0xc1a55)), 1_000);
    for _ in 0..2 {
        assert_eq!(read(&first), expected);
    }
    assert_eq!(network.asked(), 5);
    network.is_gone(true);
    let again = fork(&network, &answers);
    assert_eq!(read(&again), expected);
    let error = slot(&again, 99).unwrap_err();
    assert_eq!((error.code(), again.trouble().unwrap().code()), ("SW-FORK-005", "SW-FORK-005"));
    assert!(error.to_string().contains("node doesn't know block 0xb10c (any more)"), "{error}");
    assert!(error.next_step().contains("`fork.nodes`"), "{}", error.next_step());
    // Others aren't told who was asked.
    assert_eq!(error.told(), "the state that the shard began from can't be read at the moment");
}

#[test]
fn what_had_no_answer_is_asked_again_and_is_there_then() {
    let (network, answers) = (Counting::default(), InMemory::default());
    let fork = fork(&network, &answers);
    network.is_gone(true);
    assert!(slot(&fork, 9).is_err());
    fork.try_again();
    assert!(fork.trouble().is_some());
    network.is_gone(false);
    fork.try_again();
    assert_eq!(fork.trouble(), None);
    network.is_gone(true);
    assert_eq!(slot(&fork, 9).unwrap(), Felt::from(10));
    let hash = Class::compile(CLASS).unwrap().hash();
    assert!(fork.class(hash).is_err());
    network.is_gone(false);
    fork.try_again();
    network.is_gone(true);
    assert_eq!((fork.class(hash).unwrap().unwrap().hash(), fork.trouble()), (hash, None));
}

#[test]
fn what_was_answered_stays_whatever_is_said_later() {
    let (network, answers) = (Counting::default(), InMemory::default());
    let (one, other) = (fork(&network, &answers), fork(&network, &answers));
    assert_eq!(slot(&one, 1).unwrap(), Felt::from(2));
    network.0.other.store(5, Ordering::Relaxed);
    assert_eq!(slot(&one, 1).unwrap(), Felt::from(2));
    assert_eq!(slot(&fork(&network, &answers), 1).unwrap(), Felt::from(2));
    // Two that ask at the same time: the first one's is kept.
    one.keep(&[(Question::Time, Some(Felt::ONE))], MAX_ANSWERS).unwrap();
    assert_eq!(one.keep(&[(Question::Time, Some(Felt::TWO))], MAX_ANSWERS).unwrap(), [Some(Felt::ONE)]);
    assert_eq!(one.made().unwrap(), 1);
    drop(other);
}

#[test]
fn several_questions_are_one_request_and_those_that_are_known_are_left_out() {
    let (network, answers) = (Counting::default(), InMemory::default());
    let fork = fork(&network, &answers);
    assert_eq!(slot(&fork, 1).unwrap(), Felt::from(2));
    let questions = [1, 2, 3].map(|key| Question::Storage(WORLD, Key(Felt::from(key))));
    fork.read(&questions).unwrap();
    assert_eq!(network.asked(), 3);
    network.is_gone(true);
    fork.read(&questions).unwrap();
    assert_eq!(slot(&fork, 3).unwrap(), Felt::from(4));
}

#[test]
fn what_is_not_there_is_never_kept_and_zero_is_not_believed_of_what_a_node_has_dropped() {
    let (network, answers) = (Counting::default(), InMemory::default());
    let fork = fork(&network, &answers);
    for _ in 0..2 {
        assert_eq!((fork.nonce_at(NOWHERE).unwrap(), fork.class_hash_at(NOWHERE).unwrap()), (0, None));
    }
    assert_eq!(answers.load().unwrap(), []);
    network.0.prunes.store(1, Ordering::Relaxed);
    for _ in 0..2 {
        let error = slot(&fork, 1).unwrap_err();
        assert_eq!(error.code(), "SW-FORK-006", "{error}");
        assert_eq!(fork.class_hash_at(WORLD).unwrap(), Some(Felt::from(0xc1a55)));
    }
    let both = [Question::ClassHash(WORLD), Question::Nonce(WORLD)];
    assert_eq!(fork.read(&both).unwrap_err(), ForkError::Pruned(WORLD));
    network.0.prunes.store(0, Ordering::Relaxed);
    assert_eq!(slot(&fork, 1).unwrap(), Felt::from(2));
}

#[test]
fn beyond_the_bound_answers_are_asked_for_each_time() {
    let (network, answers) = (Counting::default(), InMemory::default());
    let fork = fork(&network, &answers).with_most(2);
    for _ in 0..2 {
        for key in 1..=3 {
            assert_eq!(slot(&fork, key).unwrap(), Felt::from(key + 1));
        }
    }
    assert_eq!((network.asked(), answers.load().unwrap().len()), (4, 2));
    // After a restart it is as full as it was.
    let again = self::fork(&network, &answers).with_most(2);
    assert_eq!((slot(&again, 3).unwrap(), answers.load().unwrap().len()), (Felt::from(4), 2));
}

#[test]
fn no_node_is_asked_for_a_slot_that_cannot_be() {
    let (network, answers) = (Counting::default(), InMemory::default());
    let (fork, first) = (fork(&network, &answers), Felt::TWO.pow(251_u32));
    assert_eq!(fork.storage_at(WORLD, Key(first)).unwrap(), Felt::ZERO);
    assert_eq!(network.asked(), 0);
    assert_eq!(fork.storage_at(WORLD, Key(first - Felt::ONE)).unwrap(), first);
}

#[test]
fn a_class_is_what_its_hash_says_and_is_kept_when_it_is() {
    let (network, answers) = (Counting::default(), InMemory::default());
    let hash = Class::compile(CLASS).unwrap().hash();
    let first = fork(&network, &answers);
    let error = first.class(Felt::from(1)).unwrap_err();
    assert!(error.to_string().contains("class 0x1: what the network has under this name hashes to"), "{error}");
    assert_eq!((error.code(), answers.class(Felt::from(1)).unwrap()), ("SW-FORK-007", None));
    assert_eq!(first.class(hash).unwrap().unwrap().hash(), hash);
    assert_eq!(first.class(Felt::ZERO).unwrap().map(|it| it.hash()), None);
    network.is_gone(true);
    assert_eq!(fork(&network, &answers).class(hash).unwrap().unwrap().hash(), hash);
    // One that is damaged where it is kept, or can't be read there, is asked for again.
    assert_eq!(open_on(Broken { reads: true }, &network).class(hash).unwrap_err().code(), "SW-FORK-009");
    answers.keep_class(hash, b"{}").unwrap();
    assert_eq!(fork(&network, &answers).class(hash).unwrap_err().code(), "SW-FORK-005");
    network.is_gone(false);
    assert_eq!(fork(&network, &answers).class(hash).unwrap().unwrap().hash(), hash);
    assert_eq!(answers.class(hash).unwrap().unwrap(), CLASS);
}

/// A disk that doesn't work.
#[derive(Debug)]
struct Broken {
    reads: bool,
}

impl Answers for Broken {
    fn load(&self) -> Result<Vec<Answered>, String> {
        if self.reads { Ok(Vec::new()) } else { Err("a bad sector".into()) }
    }

    fn keep(&self, _: &[Answered]) -> Result<(), String> {
        Err("no space left on device".into())
    }

    fn class(&self, _: Felt) -> Result<Option<Vec<u8>>, String> {
        Err("a bad sector".into())
    }

    fn keep_class(&self, _: Felt, _: &[u8]) -> Result<(), String> {
        Err("no space left on device".into())
    }
}

fn open_on(disk: Broken, network: &Counting) -> Fork {
    Fork::open(BLOCK, network.clone(), Box::new(disk), compile()).unwrap()
}

#[test]
fn an_answer_that_cannot_be_kept_is_not_used() {
    let open = |reads| Fork::open(BLOCK, Counting::default(), Box::new(Broken { reads }), compile());
    let error = slot(&open(true).unwrap(), 1).unwrap_err();
    assert!(error.to_string().contains("no space left") && error.code() == "SW-FORK-009", "{error}");
    let hash = Class::compile(CLASS).unwrap().hash();
    let error = open(true).unwrap().class(hash).unwrap_err();
    assert!(error.to_string().contains("no space left") && error.code() == "SW-FORK-009", "{error}");
    assert_eq!(open(false).unwrap_err(), ForkError::Kept("a bad sector".into()));
}

/// A disk on which nothing more has room, until it has.
#[derive(Clone, Debug, Default)]
struct Filling(InMemory, Arc<AtomicUsize>);

impl Filling {
    fn room(&self) -> Result<(), String> {
        if self.1.load(Ordering::Relaxed) > 0 { Err("no space left on device".into()) } else { Ok(()) }
    }
}

impl Answers for Filling {
    fn load(&self) -> Result<Vec<Answered>, String> {
        self.0.load()
    }

    fn keep(&self, answered: &[Answered]) -> Result<(), String> {
        self.room().and_then(|()| self.0.keep(answered))
    }

    fn class(&self, hash: Felt) -> Result<Option<Vec<u8>>, String> {
        self.0.class(hash)
    }

    fn keep_class(&self, hash: Felt, file: &[u8]) -> Result<(), String> {
        self.room().and_then(|()| self.0.keep_class(hash, file))
    }
}

#[test]
fn a_disk_that_is_full_is_a_trouble_until_it_has_room_again() {
    let (network, disk) = (Counting::default(), Filling::default());
    let fork = Fork::open(BLOCK, network.clone(), Box::new(disk.clone()), compile()).unwrap();
    let hash = Class::compile(CLASS).unwrap().hash();
    assert_eq!(slot(&fork, 1).unwrap(), Felt::TWO);
    disk.1.store(1, Ordering::Relaxed);
    let (error, of_class) = (slot(&fork, 2).unwrap_err(), fork.class(hash).unwrap_err());
    assert_eq!((error.code(), of_class.code()), ("SW-FORK-009", "SW-FORK-009"));
    assert!(error.next_step().starts_with("Free space on the disk"), "{}", error.next_step());
    fork.try_again();
    assert_eq!(fork.trouble().unwrap().code(), "SW-FORK-009");
    // What was read before is there all the time.
    assert_eq!(slot(&fork, 1).unwrap(), Felt::TWO);
    disk.1.store(0, Ordering::Relaxed);
    fork.try_again();
    network.is_gone(true);
    assert_eq!((fork.trouble(), slot(&fork, 2).unwrap()), (None, Felt::THREE));
    assert_eq!(fork.class(hash).unwrap().unwrap().hash(), hash);
}

#[test]
fn a_nonce_that_no_contract_can_have_is_not_kept() {
    let (network, answers) = (Counting::default(), InMemory::default());
    let fork = fork(&network, &answers);
    network.0.counts_wrong.store(1, Ordering::Relaxed);
    let error = fork.nonce_at(WORLD).unwrap_err();
    assert_eq!((error.code(), answers.load().unwrap()), ("SW-FORK-008", vec![]), "{error}");
    assert_eq!(fork.trouble().unwrap().code(), "SW-FORK-008");
    network.0.counts_wrong.store(0, Ordering::Relaxed);
    fork.try_again();
    assert_eq!((fork.trouble(), fork.nonce_at(WORLD).unwrap()), (None, 7));
}

#[test]
fn an_answer_to_one_question_is_none_to_another_that_has_none() {
    let (network, answers) = (Counting::default(), InMemory::default());
    let fork = fork(&network, &answers);
    network.is_gone(true);
    slot(&fork, 1).unwrap_err();
    slot(&fork, 2).unwrap_err();
    network.is_gone(false);
    assert_eq!(slot(&fork, 2).unwrap(), Felt::THREE);
    assert!(fork.trouble().is_some(), "the first one waits");
    fork.try_again();
    network.is_gone(true);
    assert_eq!((fork.trouble(), slot(&fork, 1).unwrap()), (None, Felt::TWO));
}
