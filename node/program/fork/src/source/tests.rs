use super::*;
use crate::testing::{Fault, StandIn};
use rand_chacha::rand_core::SeedableRng as _;
use shardwire_model::{Coded as _, ContractId, Key};
use shardwire_native::{Class as Compiled, Genesis, GroundError};
use std::collections::BTreeMap;

pub(crate) const BLOCK: ForkId =
    ForkId { chain: Felt::from_hex_unchecked("0x534e"), number: 7, hash: Felt::from_hex_unchecked("0xb10c") };
pub(crate) const WORLD: ContractId = ContractId(Felt::from_hex_unchecked("0x3031d"));
pub(crate) const NOWHERE: ContractId = ContractId(Felt::from_hex_unchecked("0xdead"));
const CLASS: &str = include_str!("../../../contracts/game/dice.sierra.json");

/// A node, and the hash of the class that it knows.
pub(crate) fn node() -> (StandIn, Felt) {
    let hash = Compiled::compile(CLASS.as_bytes()).unwrap().hash();
    let slots: BTreeMap<String, String> = (1..=200).map(|n| (format!("{n:#x}"), format!("{:#x}", n + 1))).collect();
    let contract = json!({ "address": WORLD, "class_hash": format!("{hash:#x}"), "nonce": 7, "storage": slots });
    let file = format!(r#"{{"version": 1, "classes": [{{"sierra": {CLASS}}}], "contracts": [{contract}]}}"#);
    let state = Genesis::read(file.as_bytes(), &mut |_| unreachable!(), &mut Compiled::compile).unwrap();
    (StandIn::new(BLOCK, 1_000, Arc::new(state), [(hash, CLASS.as_bytes().to_vec())]), hash)
}

pub(crate) fn network(nodes: &[&StandIn]) -> Network {
    let nodes = nodes.iter().map(|it| Rpc::new(&it.url()).unwrap());
    Network::new(BLOCK, nodes, Handle::current(), ChaCha8Rng::seed_from_u64(1))
}

const fn slot(key: u64) -> Question {
    Question::Storage(WORLD, Key(Felt::from_hex_unchecked(if key == 1 { "0x1" } else { "0x2" })))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_asked_in_batches_or_one_by_one() {
    let (node, hash) = node();
    let many: Vec<Question> = (1..=150).map(|key| Question::Storage(WORLD, Key(Felt::from(key)))).collect();
    let values: Vec<Option<Felt>> = (2..=151).map(|value| Some(Felt::from(value))).collect();
    let mixed = [Question::Time, slot(1), Question::Nonce(NOWHERE), Question::ClassHash(WORLD), Question::Nonce(WORLD)];
    let told = [Some(Felt::from(1_000)), Some(Felt::TWO), None, Some(hash), Some(Felt::from(7))];
    for fault in [Fault::None, Fault::NoBatches] {
        node.fail(fault);
        let network = network(&[&node]);
        assert_eq!(network.ask(&[Question::Time]).unwrap(), [Some(Felt::from(1_000))]);
        let before = node.requests();
        assert_eq!(network.ask(&many).unwrap(), values);
        let batches = node.requests() - before;
        assert_eq!(batches, if fault == Fault::None { 2 } else { 152 });
        assert_eq!(network.ask(&mixed).unwrap(), told);
        assert_eq!(network.ask(&[]).unwrap(), []);
        let class = network.class(hash).unwrap().unwrap();
        assert_eq!(Compiled::compile(&class).unwrap().hash(), hash);
        assert_eq!(network.class(Felt::ONE).unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_in_which_a_node_fails_is_told_with_its_code_and_passes() {
    let (node, _) = node();
    let host = node.url().replace("http://", "").replace("/rpc", "");
    let network = network(&[&node]);
    for (fault, code, text) in [
        (Fault::Silent, "SW-STARKNET-003", format!("{host} didn't answer")),
        (Fault::Busy, "SW-STARKNET-004", format!("{host} answered with the HTTP status 503")),
        (
            Fault::OtherChain,
            "SW-FORK-003",
            format!("{host} is a node of chain 0x1, and the shard goes on from a block of chain 0x534e"),
        ),
        (Fault::NoBlock, "SW-FORK-005", format!("{host} doesn't know block 0xb10c (any more)")),
        (
            Fault::OtherNumber,
            "SW-FORK-004",
            format!("block 0xb10c has the number 8 at {host}, and the shard's start says 7"),
        ),
        (Fault::NotAccepted, "SW-FORK-001", "block 7 is PRE_CONFIRMED".to_owned()),
    ] {
        node.fail(fault);
        let error = network.ask(&[slot(1)]).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(&text) && !error.next_step().is_empty(), "{error}");
        let error = GroundError::from(error);
        assert!(!error.told().contains(&host), "{}", error.told());
    }
    node.fail(Fault::None);
    assert_eq!(network.ask(&[slot(1)]).unwrap(), [Some(Felt::TWO)]);
    // It had the block, and has given it up since.
    node.fail(Fault::NoBlock);
    assert_eq!(network.ask(&[slot(2)]).unwrap_err().code(), "SW-FORK-005");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_of_the_network_answers_where_one_fails() {
    let ((one, _), (two, _)) = (node(), node());
    let network = network(&[&one, &two]);
    one.fail(Fault::OtherChain);
    assert_eq!(network.ask(&[slot(1)]).unwrap(), [Some(Felt::TWO)]);
    two.fail(Fault::NoBlock);
    // What is told is why the first one couldn't.
    assert_eq!(network.ask(&[slot(1)]).unwrap_err().code(), "SW-FORK-003");
    one.fail(Fault::None);
    let before = two.requests();
    assert_eq!(network.ask(&[slot(2)]).unwrap(), [Some(Felt::THREE)]);
    assert_eq!(two.requests(), before);
}

#[tokio::test]
async fn who_asks_on_a_thread_that_may_wait_has_an_answer_from_a_runtime_of_one_thread() {
    let (node, _) = node();
    let network = network(&[&node]);
    let asking = tokio::task::spawn_blocking(move || network.ask(&[slot(1)]));
    assert_eq!(asking.await.unwrap().unwrap(), [Some(Felt::TWO)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_has_dropped_another_one_is_asked_for() {
    let ((one, hash), (two, _)) = (node(), node());
    let network = network(&[&one, &two]);
    one.fail(Fault::Pruned);
    let asked = [slot(1), Question::ClassHash(WORLD), Question::Nonce(WORLD), Question::Nonce(NOWHERE)];
    let told = [Some(Felt::TWO), Some(hash), Some(Felt::from(7)), None];
    assert_eq!(network.ask(&asked).unwrap(), told);
    // Who has it isn't there: that is what the other one says then.
    two.fail(Fault::Silent);
    assert_eq!(network.ask(&asked).unwrap(), [None, Some(hash), None, None]);
    one.fail(Fault::Silent);
    assert_eq!(network.ask(&asked).unwrap_err().code(), "SW-STARKNET-003");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_node_is_asked_what_it_says() {
    let ((one, _), (two, _)) = (node(), node());
    let network = network(&[&one, &two]);
    let host = |node: &StandIn| node.url().replace("http://", "").replace("/rpc", "");
    two.fail(Fault::Lies);
    let told = network.ask_each(slot(1)).unwrap();
    assert_eq!(told, [(host(&one), Some(Felt::TWO)), (host(&two), Some(Felt::THREE))]);
    two.fail(Fault::NoBlock);
    assert_eq!(network.ask_each(slot(1)).unwrap_err().code(), "SW-FORK-005");
    assert_eq!(self::network(&[]).ask_each(slot(1)).unwrap_err(), ForkError::Nobody);
}

/// A folder is looked at by one thread.
#[tokio::test]
async fn who_asks_nobody_does_not_wait() {
    let nobody = network(&[]);
    assert_eq!(nobody.ask(&[slot(1)]).unwrap_err(), ForkError::Nobody);
    assert_eq!(nobody.class(Felt::ONE).unwrap_err(), ForkError::Nobody);
}
