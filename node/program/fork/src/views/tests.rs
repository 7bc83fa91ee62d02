use super::*;
use crate::{
    Answered, Answers, Compile, InMemory, Network,
    source::tests::{BLOCK, NOWHERE, WORLD, network, node},
    testing::{Fault, StandIn},
};
use shardwire_model::Coded as _;
use shardwire_native::Forked as _;
use std::sync::Mutex;

fn fork_of(nodes: &[&StandIn], answers: impl Answers + 'static) -> Arc<Fork> {
    let compile: Arc<Compile> = Arc::new(Class::compile);
    let network: Network = network(nodes);
    Arc::new(Fork::open(BLOCK, network, Box::new(answers), compile).unwrap())
}

fn slot(ground: &dyn Ground, key: u64) -> Result<Felt, GroundError> {
    ground.storage_at(WORLD, Key(key.into()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_must_not_wait_has_what_is_here_and_is_told_what_is_not() {
    let (node, class) = node();
    let fork = fork_of(&[&node], InMemory::default());
    let here = fork.clone().here();
    for absent in [slot(&*here, 1).map(drop), here.nonce_at(WORLD).map(drop), here.class(class).map(drop)] {
        let error = absent.unwrap_err();
        assert_eq!((error.code(), error.is_absent(), fork.trouble()), ("SW-FORK-016", true, None), "{error}");
    }
    assert_eq!(node.requests(), 0);
    slot(&*fork, 1).unwrap();
    fork.prepare(&[WORLD], &[]).unwrap();
    fork.class(class).unwrap();
    let before = node.requests();
    assert_eq!((slot(&*here, 1).unwrap(), here.nonce_at(WORLD).unwrap()), (Felt::TWO, 7));
    assert_eq!(here.class(class).unwrap().unwrap().hash(), class);
    assert_eq!(here.class_hash_at(WORLD).unwrap(), Some(class));
    assert_eq!(node.requests(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visitors_fill_half_of_what_is_kept_and_where_it_is_full_nobody_is_refused() {
    let (node, _) = node();
    let compile: Arc<Compile> = Arc::new(Class::compile);
    let answers = InMemory::default();
    let fork = Fork::open(BLOCK, network(&[&node]), Box::new(answers.clone()), compile).unwrap().with_most(4);
    let fork = Arc::new(fork);
    let (here, shown) = (fork.clone().here(), fork.clone().shown());
    let kept = || answers.load().unwrap().len();
    for key in 1..=4 {
        assert_eq!(slot(&*shown, key).unwrap(), Felt::from(key + 1));
    }
    assert_eq!(kept(), 2);
    for key in 11..=14 {
        assert_eq!(slot(&*fork, key).unwrap(), Felt::from(key + 1));
    }
    assert_eq!(kept(), 4);
    // What is kept no more has to be waited for.
    assert_eq!(slot(&*here, 15).unwrap(), Felt::from(16));
    // The class and the nonce of a contract that a shard lists have room always.
    fork.prepare(&[WORLD], &[]).unwrap();
    assert_eq!((kept(), here.nonce_at(WORLD).unwrap()), (6, 7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_visitors_than_may_wait_for_a_network() {
    let (node, _) = node();
    let fork = fork_of(&[&node], InMemory::default());
    slot(&*fork, 1).unwrap();
    let shown = fork.clone().shown();
    let places: Vec<_> = (0..MAX_VISITORS).map(|_| fork.visitors().enter().unwrap()).collect();
    let error = slot(&*shown, 2).unwrap_err();
    assert_eq!((error.code(), error.is_absent(), fork.trouble()), ("SW-FORK-015", false, None), "{error}");
    assert!(error.to_string().contains("2 others wait for what networks tell"), "{error}");
    // What is here, others have too; and a shard isn't one of them.
    assert_eq!((slot(&*shown, 1).unwrap(), slot(&*fork, 3).unwrap()), (Felt::TWO, Felt::from(4)));
    drop(places);
    assert_eq!(slot(&*shown, 2).unwrap(), Felt::THREE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_contradict_each_other_are_found_before_somebody_is_said_to_be_wrong() {
    let ((one, class), (two, _)) = (node(), node());
    let fork = fork_of(&[&one, &two], InMemory::default());
    let again = fork.clone().again();
    one.fail(Fault::Lies);
    assert_eq!(slot(&*fork, 1).unwrap(), Felt::THREE);
    let error = slot(&*again, 1).unwrap_err();
    assert_eq!(error.code(), "SW-FORK-014", "{error}");
    let host = |node: &StandIn| node.url().replace("http://", "").replace("/rpc", "");
    let (first, second) = (host(&one), host(&two));
    let said = format!("{first} and {second} tell different things of slot 0x3031d/0x1 at the block");
    assert!(error.to_string().contains(&said), "{error}");
    assert!(error.next_step().starts_with("Find out which of the nodes in `fork.nodes` is wrong"), "{error:?}");
    // It is a state until they agree; that is asked by itself, and by who opens a shard with that contract.
    fork.try_again();
    assert_eq!(fork.trouble().unwrap().code(), "SW-FORK-014");
    assert_eq!(fork.retry(&[WORLD]).unwrap_err().code(), "SW-FORK-014");
    fork.retry(&[NOWHERE]).unwrap();
    one.fail(Fault::None);
    fork.retry(&[WORLD]).unwrap();
    assert_eq!((fork.trouble(), slot(&*again, 1).unwrap()), (None, Felt::TWO));
    // What a shard was executed with stays; a class, which none can have begun with, doesn't.
    assert_eq!(slot(&*fork, 1).unwrap(), Felt::THREE);
    assert_eq!((again.nonce_at(WORLD).unwrap(), again.class_hash_at(WORLD).unwrap()), (7, Some(class)));
    // A node that can't be asked says nothing, so nothing is known.
    two.fail(Fault::NoBlock);
    assert_eq!(slot(&*again, 1).unwrap_err().code(), "SW-FORK-005");
}

/// Keeps nothing before it is let.
#[derive(Clone, Debug, Default)]
struct Slow(Arc<Mutex<()>>);

impl Answers for Slow {
    fn load(&self) -> Result<Vec<Answered>, String> {
        Ok(Vec::new())
    }

    fn keep(&self, answered: &[Answered]) -> Result<(), String> {
        // The first one is kept at once.
        if answered.iter().all(|(question, _)| *question != Question::Storage(WORLD, Key(Felt::ONE))) {
            drop(self.0.lock().unwrap());
        }
        Ok(())
    }

    fn class(&self, _: Felt) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }

    fn keep_class(&self, _: Felt, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_is_told_while_the_disk_takes_something_else() {
    let (node, _) = node();
    let disk = Slow::default();
    let fork = fork_of(&[&node], disk.clone());
    slot(&*fork, 1).unwrap();
    let (here, busy, before) = (fork.clone().here(), disk.0.lock().unwrap(), node.requests());
    let waiting = {
        let fork = fork.clone();
        std::thread::spawn(move || slot(&*fork, 2))
    };
    // It is at the disk now, or about to be.
    while node.requests() == before {
        std::thread::yield_now();
    }
    assert_eq!((slot(&*here, 1).unwrap(), fork.trouble()), (Felt::TWO, None));
    assert!(slot(&*here, 2).unwrap_err().is_absent());
    drop(busy);
    assert_eq!(waiting.join().unwrap().unwrap(), Felt::THREE);
    assert_eq!(slot(&*here, 2).unwrap(), Felt::THREE);
}
