use super::*;
use crate::InMemory;
use std::sync::atomic::{AtomicUsize, Ordering};

const BLOCK: Felt = Felt::from_hex_unchecked("0xb10c");
const WORLD: ContractId = ContractId(Felt::from_hex_unchecked("0x3031d"));
const CLASS: &[u8] = include_bytes!("../../../contracts/game/dice.sierra.json");

/// A network that counts how often it is asked, and is gone when it is told so.
#[derive(Clone, Debug, Default)]
struct Counting(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    asked: AtomicUsize,
    gone: AtomicUsize,
}

impl Source for Counting {
    fn ask(&self, question: Question) -> Result<Option<Vec<u8>>, GroundError> {
        if self.0.gone.load(Ordering::Relaxed) > 0 {
            return Err(GroundError("the network is gone".into()));
        }
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        let value = |felt: Felt| Some(felt.to_bytes_be().to_vec());
        Ok(match question {
            Question::Storage(_, key) => value(key.0 + Felt::ONE),
            Question::Nonce(contract) if contract == WORLD => value(Felt::from(7)),
            Question::ClassHash(contract) if contract == WORLD => value(Felt::from(0xc1a55)),
            Question::Class(hash) if hash != Felt::ZERO => Some(CLASS.to_vec()),
            _ => None,
        })
    }
}

/// Keeps them where another fork finds them.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<InMemory>);

impl Answers for Shared {
    fn get(&self, question: &[u8]) -> Result<Option<Vec<u8>>, String> {
        self.0.get(question)
    }

    fn keep(&self, question: &[u8], answer: &[u8]) -> Result<(), String> {
        self.0.keep(question, answer)
    }
}

fn fork(network: &Counting, answers: &Shared) -> Fork {
    Fork::new(BLOCK, network.clone(), answers.clone(), Class::compile)
}

/// All that a shard may ask, of what is there and of what isn't.
fn read(fork: &Fork) -> (Vec<Felt>, Vec<u64>, Vec<Option<Felt>>) {
    let nowhere = ContractId(Felt::from(0xdead));
    let slots = [1, 2, 1].map(|key| fork.storage_at(WORLD, Key(Felt::from(key))).unwrap());
    let nonces = [WORLD, nowhere].map(|it| fork.nonce_at(it).unwrap());
    let classes = [WORLD, nowhere].map(|it| fork.class_hash_at(it).unwrap());
    (slots.to_vec(), nonces.to_vec(), classes.to_vec())
}

#[test]
fn each_question_is_asked_once_and_its_answer_outlives_the_network() {
    let (network, answers) = (Counting::default(), Shared::default());
    let first = fork(&network, &answers);
    let expected = ([2, 3, 2].map(Felt::from).to_vec(), vec![7, 0], vec![Some(Felt::from(0xc1a55)), None]);
    for _ in 0..2 {
        assert_eq!(read(&first), expected);
    }
    assert_eq!(network.0.asked.load(Ordering::Relaxed), 6);
    network.0.gone.store(1, Ordering::Relaxed);
    let again = fork(&network, &answers);
    assert_eq!(read(&again), expected);
    let error = again.storage_at(WORLD, Key(Felt::from(99))).unwrap_err();
    assert!(error.to_string().contains("the network is gone"), "{error}");
    // What had no answer isn't kept.
    network.0.gone.store(0, Ordering::Relaxed);
    assert_eq!(again.storage_at(WORLD, Key(Felt::from(99))).unwrap(), Felt::from(100));
}

#[test]
fn a_class_is_what_its_hash_says() {
    let (network, answers) = (Counting::default(), Shared::default());
    let hash = Class::compile(CLASS).unwrap().hash();
    let fork = fork(&network, &answers);
    assert_eq!(fork.class(hash).unwrap().unwrap().hash(), hash);
    assert_eq!(fork.class(Felt::ZERO).unwrap().map(|it| it.hash()), None);
    let error = fork.class(Felt::from(1)).unwrap_err().to_string();
    assert!(error.contains("class 0x1: what the network has under this name hashes to"), "{error}");
}

#[test]
fn answers_of_another_block_are_others() {
    let (network, answers) = (Counting::default(), Shared::default());
    let _ = read(&fork(&network, &answers));
    let other = Fork::new(BLOCK + Felt::ONE, network.clone(), answers, Class::compile);
    let _ = read(&other);
    assert_eq!(network.0.asked.load(Ordering::Relaxed), 12);
}

#[derive(Debug)]
struct Full;

impl Answers for Full {
    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }

    fn keep(&self, _: &[u8], _: &[u8]) -> Result<(), String> {
        Err("no space left on device".into())
    }
}

#[test]
fn an_answer_that_cannot_be_kept_is_not_used() {
    let fork = Fork::new(BLOCK, Counting::default(), Full, Class::compile);
    let error = fork.storage_at(WORLD, Key(Felt::ONE)).unwrap_err();
    assert!(error.to_string().contains("no space left"), "{error}");
}

#[test]
fn what_was_kept_and_is_damaged_is_told() {
    for damaged in [&[][..], &[2], &[0, 1], &[1, 2, 3]] {
        let answers = Shared::default();
        let question = Question::Nonce(WORLD).bytes(BLOCK);
        answers.keep(&question, damaged).unwrap();
        let error = fork(&Counting::default(), &answers).nonce_at(WORLD).unwrap_err();
        assert!(error.to_string().contains("what was kept of it"), "{error}");
    }
}
