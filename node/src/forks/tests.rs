use super::*;
use crate::{door::Chains, programs};
use shardwire_fork::{
    ForkError, MAX_FORKS, Pinned, Wanted,
    testing::{Fault, StandIn},
};
use shardwire_host::{
    Tasks,
    history::Advance as _,
    testing::{SetWall, host, store},
};
use shardwire_hosted::{
    Contracts, Geneses, Grounds,
    dungeon::{self, ANNA, BEGINS, BERT, BLOCK, DEADLINE, GOLD, WORLD},
};
use shardwire_live::InMemory;
use shardwire_model::{
    ContractId, PeerId, Reads, Role, SegmentId, ShardId, ShardStart, Stage, StartRequest, Terms, Timestamp,
    execution::Sent,
    life::{Part, Step},
};
use shardwire_native::{Class, Forked as _, Ground as _, Native};
use shardwire_operator::{Operator, OperatorError};
use shardwire_proving::origin::{Compared, Origins as _, compare};
use shardwire_rpc::{Chain, Door, Settings, Shards};
use shardwire_store::{
    SystemDisk,
    records::{ASSIGNMENTS, Assignment, EXECUTIONS, Executed},
};
use shardwire_transport::Identity;
use std::{fs, path::Path};

fn node() -> StandIn {
    StandIn::new(BLOCK, BEGINS, dungeon::state(), dungeon::class_files())
}

fn asked(chain: Felt, url: &str) -> Vec<ForkNode> {
    vec![ForkNode { chain, url: url.to_owned() }]
}

/// The networks of a node with this folder, and its store.
fn forks_of(folder: &Path, store: &Store, nodes: &[ForkNode]) -> Arc<Forks> {
    let paths = DataPaths::below(folder.to_owned());
    let kept = Kept::new(&paths, Arc::new(SystemDisk), store.clone());
    Arc::new(networks(nodes, kept, &Proofs::stark(), Randomness::from_seed(1)).unwrap())
}

fn contract(n: u64) -> ContractId {
    ContractId(n.into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_of_a_network_is_in_the_data_folder_after_a_restart() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node());
    let nodes = asked(BLOCK.chain, &node.url());
    let (key, class) = (dungeon::key("master", &[]), dungeon::class_files()[1].0);
    let read = |forks: &Forks| {
        let fork = forks.find(&BLOCK).unwrap().unwrap();
        fork.prepare(&[contract(WORLD)], &[])?;
        Ok::<_, shardwire_native::GroundError>((
            fork.time()?,
            fork.storage_at(contract(WORLD), key)?,
            fork.class(class)?.map(|it| it.hash()),
        ))
    };
    let expected = (BEGINS, Felt::from(ANNA), Some(class));
    let opened = store(folder.path());
    assert_eq!(read(&forks_of(folder.path(), &opened, &nodes)).unwrap(), expected);
    drop(opened);
    node.fail(Fault::Silent);
    let before = node.requests();
    let opened = store(folder.path());
    assert_eq!(read(&forks_of(folder.path(), &opened, &nodes)).unwrap(), expected);
    // Who asks nobody has the same, and is told what it lacks.
    let paths = DataPaths::below(folder.path().to_owned());
    let offline = kept(&nodes, Kept::new(&paths, Arc::new(SystemDisk), opened.clone()), &Proofs::stark());
    assert_eq!(read(&offline).unwrap(), expected);
    let fork = offline.find(&BLOCK).unwrap().unwrap();
    assert_eq!(fork.nonce_at(contract(GOLD)).unwrap_err().code(), ForkError::Nobody.code());
    assert_eq!(node.requests(), before);
    // Another block has nothing of it, be it of the same hash.
    let other = forks_of(folder.path(), &opened, &nodes);
    let other = other.find(&ForkId { number: 7, ..BLOCK }).unwrap().unwrap();
    assert!(other.time().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_blocks_as_may_be_are_kept_and_the_others_leave_nothing() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node());
    let opened = store(folder.path());
    let nodes = asked(BLOCK.chain, &node.url());
    let forks = forks_of(folder.path(), &opened, &nodes);
    let first = forks.find(&BLOCK).unwrap().unwrap();
    first.storage_at(contract(WORLD), dungeon::key("master", &[])).unwrap();
    first.class(dungeon::class_files()[0].0).unwrap();
    drop(first);
    let files = || fs::read_dir(folder.path().join("fork")).map_or(0, Iterator::count);
    let rows = || (opened.all(&FORKS).unwrap().len(), opened.all(&FORK_ANSWERS).unwrap().len());
    assert_eq!((files(), rows()), (1, (1, 1)));
    for number in 0..MAX_FORKS as u64 {
        forks.find(&ForkId { number: 100 + number, ..BLOCK }).unwrap().unwrap();
    }
    assert_eq!((files(), rows()), (0, (MAX_FORKS, 0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_cannot_be_read_is_a_condition_until_it_can() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node());
    let (host, _tasks) =
        host(Identity::from_secret(&[2; 32]), store(folder.path()), folder.path(), SetWall::at(Timestamp(1)), "");
    let forks = forks_of(folder.path(), &host.store, &asked(BLOCK.chain, &node.url()));
    tend(&host, &forks);
    assert!(host.telemetry.is_met(CONDITION));
    node.fail(Fault::OtherChain);
    let fork = forks.find(&BLOCK).unwrap().unwrap();
    fork.time().unwrap_err();
    let unmet = host.telemetry.unmet();
    let shortfall = &unmet.iter().find(|it| it.condition == CONDITION).unwrap().shortfall;
    assert_eq!(shortfall.code, "SW-FORK-003");
    assert!(shortfall.why.starts_with("network SN_DUNGEON can't be read at block 41: "), "{}", shortfall.why);
    assert!(shortfall.next_step.contains("`fork.nodes`"), "{}", shortfall.next_step);
    node.fail(Fault::None);
    // It is asked again by itself: nobody else asks.
    while !host.telemetry.is_met(CONDITION) {
        tokio::task::yield_now().await;
    }
    let before = node.requests();
    assert_eq!(fork.time().unwrap(), BEGINS);
    assert_eq!(node.requests(), before);
}

#[test]
fn an_address_that_cannot_be_asked_is_told_when_the_node_starts() {
    let (folder, opened) = (tempfile::tempdir().unwrap(), Store::in_memory(&shardwire_store::records::LAYOUT).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _runtime = runtime.enter();
    let paths = DataPaths::below(folder.path().to_owned());
    let kept = Kept::new(&paths, Arc::new(SystemDisk), opened);
    let nodes = asked(BLOCK.chain, "http://[secret");
    let error = networks(&nodes, kept, &Proofs::stark(), Randomness::from_seed(1)).unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("secret")), ("SW-STARKNET-001", false), "{error}");
}

/// A network: the dungeon's own shard, played by its own door over HTTP.
async fn network() -> (String, Arc<InMemory>, ShardStart) {
    let (start, values) = dungeon::shard(PeerId([7; 32]));
    let native = Native::open(dungeon::state(), &start.for_contracts().unwrap(), &values).unwrap();
    let chain = Arc::new(InMemory::new(native, SetWall::at(Timestamp(BEGINS * 1_000))));
    let door = Door::open(Settings::recommended()).await.unwrap();
    let url = format!("http://{}/rpc/v0_10", door.address());
    tokio::spawn(door.serve(Arc::new(Only(start.shard, chain.clone()))));
    (url, chain, start)
}

struct Only(ShardId, Arc<InMemory>);

impl Shards for Only {
    fn shard(&self, id: ShardId) -> Option<Arc<dyn Chain>> {
        (id == self.0).then(|| self.1.clone() as Arc<dyn Chain>)
    }

    fn ids(&self) -> Vec<ShardId> {
        vec![self.0]
    }
}

/// A shard that goes on from this block.
fn forked(operator: PeerId, block: &Pinned) -> (ShardStart, Vec<Felt>) {
    let mut request: StartRequest = dungeon::request(operator);
    let Terms::Contracts(terms) = &mut request.terms else { panic!("terms of contracts") };
    (terms.origin, terms.first_block, terms.begins) = (block.id().into(), block.number + 1, block.time);
    let start = request.validate("test", Timestamp(DEADLINE * 1_000)).unwrap();
    (start, dungeon::shard(operator).1)
}

/// An operator to which this shard was assigned, and its host.
fn operator(
    folder: &Path,
    nodes: &[ForkNode],
    (start, values): &(ShardStart, Vec<Felt>),
) -> (Arc<Operator>, Arc<Host>, Tasks) {
    let me = Identity::from_secret(&[2; 32]);
    let clock = SetWall::at(Timestamp((BEGINS + 60) * 1_000));
    let (host, tasks) = host(me.clone(), store(folder), folder, clock, "");
    let (shard, commitment, peer) = (start.shard, start.commitment(), PeerId([1; 32]));
    if host.store.get(&ASSIGNMENTS, &shard).unwrap().is_none() {
        let values = values.iter().copied().map(WireFelt).collect();
        let assignment = Assignment { start: start.clone(), values, settler: peer, epoch: 1 };
        let assigned = host.store.write(|write| {
            write.put(&ASSIGNMENTS, &shard, &assignment)?;
            let part = Part::of(SegmentId::first(shard), Role::Operator);
            write.advance::<OperatorError>(&me, Timestamp(1), part, Step::Assigned { commitment, peer })
        });
        assigned.unwrap();
    }
    let forks = forks_of(folder, &host.store, nodes);
    let none = Geneses::new(|_, _| Ok(None), Class::compile);
    let contracts = Contracts::new(programs::grounds(none, Some(forks)));
    let chains = Arc::new(Chains::new(contracts.clone(), host.clock.clone()));
    let operator = Operator::resume_watched(host.clone(), programs::with(contracts), Some(chains.clone())).unwrap();
    let operator = Arc::new(operator);
    chains.serve(&operator);
    (operator, host, tasks)
}

/// What a settler with this folder has, which asks these nodes itself.
fn settler(folder: &Path, store: &Store, nodes: &[ForkNode]) -> Grounds {
    let none = Geneses::new(|_, _| Ok(None), Class::compile);
    Grounds::from(none).with_networks(forks_of(folder, store, nodes))
}

/// What came of the run, once it is executed to its end, and the list of what it read.
async fn executed(operator: &Operator, host: &Host, start: &ShardStart) -> (Executed, Reads) {
    let segment = SegmentId::first(start.shard);
    let executed = loop {
        let status = &operator.shards()[0];
        assert_eq!((status.stage == Stage::Failed, &status.error), (false, &None));
        match host.store.get(&EXECUTIONS, &segment).unwrap() {
            Some(executed) => break executed,
            None => tokio::task::yield_now().await,
        }
    };
    let list = host.artefacts.list(&host.artefacts.operator_reads(segment), executed.output.reads).unwrap();
    let reads = Reads::from_felts(&start.for_contracts().unwrap(), &list.whole().unwrap()).unwrap();
    (executed, reads)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_executes_on_a_block_of_a_network_and_a_settler_compares_with_that_block() {
    let (url, chain, first) = network().await;
    // Anna trains there, and Bert pays her: what a shard goes on from isn't what the network began with.
    let train = dungeon::invoke(&first, ANNA, 0, WORLD, "train", &[5]);
    chain.submit(Sent::from(train)).await.unwrap();
    let rpc = Rpc::new(&url).unwrap();
    let block = Pinned::find(&rpc, Wanted::Latest).await.unwrap();
    assert_eq!((block.chain, block.number), (chain.chain_id(), 1));
    // What happens there afterwards is no part of it.
    let pay = dungeon::invoke(&first, BERT, 0, GOLD, "transfer", &[ANNA, 30, 0]);
    chain.submit(Sent::from(pay)).await.unwrap();

    let (folder, nodes) = (tempfile::tempdir().unwrap(), asked(block.chain, &url));
    let shard = forked(Identity::from_secret(&[2; 32]).peer(), &block);
    let start = &shard.0;
    let (running, host, tasks) = operator(folder.path(), &nodes, &shard);
    let play = |account, nonce, to, name, arguments: &'static [u64]| {
        dungeon::invoke(start, account, nonce, to, name, arguments)
    };
    // Anna's nonce is the block's, Bert's too: he hadn't paid.
    let early = running.include(start.shard, play(ANNA, 0, WORLD, "train", &[1]).into()).await.unwrap_err();
    assert!(early.to_string().contains("must use nonce 1, not 0"), "{early}");
    running.include(start.shard, play(ANNA, 1, WORLD, "train", &[2]).into()).await.unwrap();
    running.include(start.shard, play(BERT, 0, GOLD, "transfer", &[ANNA, 30, 0]).into()).await.unwrap();
    tasks.end().await;
    drop((running, host));

    let (running, host, _tasks) = operator(folder.path(), &nodes, &shard);
    running.include(start.shard, play(ANNA, 2, WORLD, "finish", &[]).into()).await.unwrap();
    let (executed, reads) = executed(&running, &host, start).await;
    assert_eq!((executed.output.count, executed.output.ended), (3, true));
    assert!(reads.nonces.values().any(|nonce| *nonce == Felt::ONE), "Anna's");

    let elsewhere = tempfile::tempdir().unwrap();
    let kept = store(elsewhere.path());
    let looks = settler(elsewhere.path(), &kept, &nodes);
    let origin = looks.open(start).unwrap().unwrap();
    compare(&reads, start, &shard.1, &*origin).unwrap();
    // The same list is false of the block before: Anna had no transaction.
    let before = Pinned::find(&rpc, Wanted::Number(0)).await.unwrap();
    let other = forked(Identity::from_secret(&[2; 32]).peer(), &before);
    let origin = looks.open(&other.0).unwrap().unwrap();
    let error = compare(&reads, &other.0, &other.1, &*origin).unwrap_err();
    assert!(matches!(error, Compared::Mismatch(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_files_that_are_damaged_or_gone_are_asked_for_again() {
    let (folder, node) = (tempfile::tempdir().unwrap(), node());
    let (nodes, classes) = (asked(BLOCK.chain, &node.url()), dungeon::class_files());
    let opened = store(folder.path());
    let read = |forks: &Forks| {
        let fork = forks.find(&BLOCK).unwrap().unwrap();
        classes.iter().try_for_each(|(hash, _)| fork.class(*hash).map(|found| assert_eq!(found.unwrap().hash(), *hash)))
    };
    read(&forks_of(folder.path(), &opened, &nodes)).unwrap();
    let kept = folder.path().join("fork");
    let of_block = fs::read_dir(&kept).unwrap().next().unwrap().unwrap().path();
    let files = || {
        let all = fs::read_dir(&of_block).unwrap().map(|it| it.unwrap().path());
        all.map(|path| fs::read(path).unwrap()).collect::<std::collections::BTreeSet<_>>()
    };
    let whole = files();
    assert_eq!(whole.len(), classes.len());
    let damages: [&dyn Fn(&Path); 4] = [
        &|class| fs::write(class, &fs::read(class).unwrap()[..100]).unwrap(),
        &|class| fs::write(class, "").unwrap(),
        &|class| fs::remove_file(class).unwrap(),
        &|_| fs::remove_dir_all(&kept).unwrap(),
    ];
    for damage in damages {
        damage(&of_block.join(format!("{:#x}.json", classes[0].0)));
        node.fail(Fault::Silent);
        let forks = forks_of(folder.path(), &opened, &nodes);
        assert_eq!(read(&forks).unwrap_err().code(), "SW-STARKNET-003");
        assert_eq!(forks.troubles()[0].1.code(), "SW-STARKNET-003");
        node.fail(Fault::None);
        forks.try_again();
        assert_eq!(forks.troubles(), []);
        read(&forks).unwrap();
        assert_eq!(files(), whole);
    }
    // What is gone already is forgotten as well.
    fs::remove_dir_all(&kept).unwrap();
    let forks = forks_of(folder.path(), &opened, &nodes);
    for number in 0..MAX_FORKS as u64 {
        forks.find(&ForkId { number: 100 + number, ..BLOCK }).unwrap().unwrap();
    }
    assert_eq!(opened.all(&FORKS).unwrap().len(), MAX_FORKS);
}
