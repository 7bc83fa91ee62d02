use super::*;
use crate::{testing::Memory, trouble::REMEMBERED};
use rand_chacha::ChaCha8Rng;
use shardwire_native::Class;

const CHAIN: Felt = Felt::from_hex_unchecked("0x534e");

fn block(number: u64) -> ForkId {
    ForkId { chain: CHAIN, number, hash: Felt::from(number + 100) }
}

fn forks(keeper: &Memory) -> Forks {
    let nodes = [(CHAIN, vec![Rpc::new("http://127.0.0.1:1").unwrap()])].into();
    let runtime = Handle::current();
    Forks::new(nodes, keeper.clone(), Arc::new(Class::compile), runtime, ChaCha8Rng::seed_from_u64(1))
}

#[tokio::test]
async fn shards_of_one_block_share_it_and_a_network_that_nobody_knows_has_none() {
    let forks = forks(&Memory::default());
    let one = forks.find(&block(1)).unwrap().unwrap();
    assert!(Arc::ptr_eq(&one, &forks.find(&block(1)).unwrap().unwrap()));
    let elsewhere = ForkId { chain: Felt::ONE, ..block(1) };
    assert!(forks.find(&elsewhere).unwrap().is_none());
    assert_eq!(forks.troubles(), []);
}

#[tokio::test]
async fn as_many_blocks_are_kept_as_may_be_and_those_in_use_always() {
    let keeper = Memory::default();
    let forks = forks(&keeper);
    let most = MAX_FORKS as u64;
    let held: Vec<_> = (0..most).map(|number| forks.find(&block(number)).unwrap().unwrap()).collect();
    assert_eq!(forks.find(&block(most)).unwrap_err(), ForkError::Full);
    assert_eq!(keeper.numbers(), (0..most).collect::<Vec<_>>());
    // What is used no more makes room, in memory and on the disk.
    drop(held);
    forks.find(&block(most)).unwrap();
    assert_eq!(keeper.numbers(), (1..=most).collect::<Vec<_>>());
    drop(forks);
    // After a restart, the one that wasn't used for longest.
    let forks = self::forks(&keeper);
    let oldest = forks.find(&block(1)).unwrap().unwrap();
    forks.find(&block(99)).unwrap();
    let expected: Vec<u64> = (3..=most).chain([1, 99]).collect();
    assert_eq!(keeper.numbers(), expected);
    drop(oldest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_no_shard_goes_on_from_is_no_trouble_for_long() {
    let forks = forks(&Memory::default());
    let refused = forks.find(&block(1)).unwrap().unwrap();
    refused.made().unwrap_err();
    let (now, later) = (Instant::now(), Instant::now() + REMEMBERED + REMEMBERED);
    let troubles = |at| forks.troubles_at(at).into_iter().map(|(fork, _)| fork).collect::<Vec<_>>();
    assert_eq!((troubles(now), troubles(later)), (vec![block(1)], vec![block(1)]));
    // Nobody waits for it: a start with a wrong block was refused, say.
    drop(refused);
    assert_eq!((troubles(now), troubles(later)), (vec![block(1)], vec![]));
}

#[tokio::test]
async fn who_shows_what_is_over_lets_go_before_a_block_is_refused() {
    let forks = Arc::new(forks(&Memory::default()));
    let most = MAX_FORKS as u64;
    let held: Vec<_> = (0..most).map(|number| forks.find(&block(number)).unwrap().unwrap()).collect();
    let shown = Arc::new(Mutex::new(held));
    let of_door = shown.clone();
    forks.when_full(move || drop(of_door.lock().unwrap().pop()));
    forks.find(&block(most)).unwrap();
    assert_eq!(shown.lock().unwrap().len(), MAX_FORKS - 1);
    // Only if there is no room.
    forks.find(&block(most)).unwrap();
    assert_eq!(shown.lock().unwrap().len(), MAX_FORKS - 1);
}
