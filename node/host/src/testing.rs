//! What the tests of the roles share: a host of one's own, and a clock that goes with the timers.

use crate::{Host, peers, platform::Work, tasks::Tasks};
use shardwire_config::{Config, Environment, Flags};
use shardwire_model::{
    AccountKey, Call, ChainHead, Clock, ContractId, Entry, EventId, Felt, Hash, Key, Kind, PeerId, ShardId, ShardStart,
    SignedTransaction, Timestamp, Transaction, finished_selector,
};
use shardwire_store::{Artefacts, Store, SystemDisk};
use shardwire_telemetry::Telemetry;
use shardwire_transport::Identity;
use shardwire_world::WorldIdentity;
use std::{path::Path, sync::Arc};
use tokio::time::Instant;

/// The program of the World of these tests. Who executes gives [`small_shard`] a real one.
pub const PROGRAM: Felt = Felt::from_hex_unchecked("0x70726f6772616d");

/// Milliseconds since the test began.
#[derive(Debug)]
pub struct TestClock(Instant);

impl TestClock {
    /// A clock at zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Instant::now()))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// The World in which these hosts work: settlers are the identities 1 and 9 (of secrets that repeat one byte).
pub fn world() -> WorldIdentity {
    let settlers = [1, 9].map(|number| Identity::from_secret(&[number; 32]).peer());
    WorldIdentity::new("test", Hash([0; 32]), settlers, [PROGRAM]).unwrap()
}

/// A host that is configured with these lines. Its tasks end with what comes with it.
pub fn host(
    identity: Identity,
    store: Store,
    folder: &Path,
    clock: Arc<dyn Clock>,
    config: &str,
) -> (Arc<Host>, Tasks) {
    let tasks = Tasks::default();
    let config = Config::parse(Path::new("f"), config, &Environment::default(), Flags::default()).unwrap();
    let telemetry = Telemetry::default();
    let host = Host {
        peers: peers::recall(&config, identity.peer(), clock.clone(), &store, &telemetry).unwrap(),
        identity,
        world: Arc::new(world()),
        clock,
        store,
        artefacts: Artefacts::new(folder.to_owned(), Arc::new(SystemDisk)),
        work: Work::Beside,
        randomness: crate::platform::Randomness::from_seed(1),
        telemetry,
        tasks: tasks.spawner(),
    };
    (Arc::new(host), tasks)
}

/// A shard of one account and one counter, its counter's value, and the transaction that ends it.
pub fn small_shard(program: Felt, operator: PeerId) -> (ShardStart, Vec<Felt>, SignedTransaction) {
    let (game, key) = (ContractId(Felt::from(5)), AccountKey::from_secret([9; 32]));
    let start = ShardStart {
        shard: ShardId(Felt::from(77)),
        program,
        operator,
        contracts: vec![game],
        accounts: vec![key.id()],
        end_event: EventId { from: game, selector: finished_selector() },
        deadline: Timestamp(1 << 50),
        entries: vec![Entry { kind: Kind::Counter, contract: game, key: Key(Felt::from(6)), guard: Felt::ZERO }],
    };
    let transaction = Transaction { account: key.id(), nonce: 1, contract: game, call: Call::Finish };
    let head = ChainHead::start(start.commitment(), key.id()).extend(transaction.words(&start).unwrap());
    let finish = SignedTransaction { transaction, signature: key.sign(head.message()).unwrap() };
    (start, vec![Felt::from(3)], finish)
}
