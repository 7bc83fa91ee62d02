//! One run: a network from a seed, a time with faults, a time without, and the checks.

use super::{
    check::{self, Failure, FinishedRun, Witnesses},
    liar::{Forger, Inventor, LyingOperator, LyingProver, PresumedSettler},
    machine::{BEGINNING, Machine, NETWORK, PORT, Parts, SimulatedClock},
    nemesis::Nemesis,
    plan::Plan,
    record::{Recorder, note},
    reexecution::{Notary, Proving},
};
use crate::{
    clients::{Client, Dungeon, Game, MAX_MOVES, Patience, Shard, SharedPromises, SignedObserver, Targets, genesis},
    dice::{Dice, PPM},
};
use shardwire::host::names::NoNames;
use shardwire::{
    client::{Dialler, Target},
    config::Role,
    host::{Platform, Randomness},
    world,
};
use shardwire_model::{Hash, PeerId, ShardStart, ShardTransaction, Stage};
use shardwire_program::rules;
use shardwire_transport::{
    Identity,
    sim::{Host, Internet},
};
use shardwire_world::WorldIdentity;
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};

/// How long every shard may take to settle without faults: leases of a minute, time-outs of half a minute, pauses of
/// a quarter, and jobs that liars hold for as long as the work takes; some of these one after the other.
pub const LIVENESS: Duration = Duration::from_secs(30 * 60);

/// The fewest moves of a long shard, and half of the most: a chunk of its witness holds some 155.
const LONG: usize = 165;

/// How long before the run the time of its shards of contracts begins, in seconds: clocks are wrong by less, unless they jump.
const BEFORE: u64 = 60 * 60;

/// The outcome of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The checks that failed.
    pub failures: Vec<Failure>,
    /// A hash of everything that happened.
    pub hash: Hash,
    /// The virtual time of the run.
    pub virtual_time: Duration,
    /// Machines that lost their power.
    pub crashes: u64,
    /// Partitions, total or one way.
    pub partitions: u64,
    /// Shards that settled.
    pub settled: u64,
    /// Those among them that were of contracts.
    pub contracts_settled: u64,
    /// Shards that were given up.
    pub aborted: u64,
}

/// Runs this plan. The same seed and plan give the same outcome. `aloud`: print what happens.
#[must_use]
pub fn run(seed: u64, plan: &Plan, aloud: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without threads or sockets").block_on(simulate(seed, plan, aloud))
}

fn ip(group: u8, number: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, group, u8::try_from(number + 1).unwrap_or(u8::MAX)).into()
}

async fn simulate(seed: u64, plan: &Plan, aloud: bool) -> Outcome {
    let internet = Internet::new(seed);
    let recorder = Recorder::begin(internet.clone(), aloud);
    let began = Instant::now();
    note(&format!("seed {seed}: {plan:?}"));
    let dice = &mut Dice::of(seed, 1);
    let contracts = &mut Dice::of(seed, 4);
    let dungeon = plan.contracts.then(|| Dungeon::of(contracts));
    let notary = Notary::new(dungeon.as_ref().map(|dungeon| dungeon.genesis()), dice);
    let game = Game::new(plan.people, dice);
    let mut first = game.first.clone();
    first.extend(dungeon.iter().flat_map(|dungeon| dungeon.first()));
    let mut machines = machines(plan, &internet, &notary, dice);
    let settler = machines.first().expect("there is a settler");
    let genesis = genesis(&first);
    let hash = genesis.hash().expect("an own genesis");
    let identity = WorldIdentity::new(NETWORK, hash, [settler.peer()], notary.programs()).expect("an own World");
    world::create(&settler.disk(), &settler.paths(), &identity, &genesis).expect("an own World");
    machines.iter().for_each(|machine| machine.joins(&identity));
    if let Some(dungeon) = &dungeon {
        let those = machines.iter().filter(|machine| machine.role() != Role::Prover);
        those.for_each(|machine| machine.knows_genesis(dungeon.genesis()));
    }

    let world = identity.hash();
    let promises = SharedPromises::default();
    let mut clients = JoinSet::new();
    let mut addresses = Vec::new();
    let settler = Target { peer: machines[0].peer(), address: machines[0].address() };
    let (mut liars, mut lying) = (JoinSet::new(), BTreeSet::new());
    let lying_operator = plan.lying_operator.then(|| {
        let (identity, host) = (Identity::from_secret(&dice.secret()), internet.host(ip(3, 1)));
        let target = Target { peer: identity.peer(), address: SocketAddr::new(host.ip(), PORT) };
        addresses.push(host.ip());
        lying.insert(identity.peer());
        let peers = introduced(&mut machines, identity.peer(), Role::Operator);
        let liar = LyingOperator::new(identity, world, rules::hash(), Dice::of(dice.number(), 0));
        liars.spawn(liar.run(host, peers));
        target
    });
    for number in 0..plan.shards {
        let operator = &machines[1 + dice.index(plan.operators)];
        let honest = Target { peer: operator.peer(), address: operator.address() };
        let operator = lying_operator.filter(|_| dice.chance(PPM / 2)).unwrap_or(honest);
        let patience = plan.patience(operator.peer != honest.peer, dice);
        let identity = Identity::from_secret(&dice.secret());
        machines[0].obeys(identity.peer());
        let long = plan.long && number == 0;
        let moves = if long { LONG + dice.index(LONG) } else { dice.index(plan.moves) + 1 };
        let with_sword = dice.chance(PPM / 5 * 2);
        let played = Shard::Rules(Box::new(game.shard(number as u64, moves, with_sword, dice)));
        let dialler = dialler(identity, internet.host(ip(2, number)), dice);
        let (promises, observer) = (promises.clone(), observer(&notary));
        let client = Client::new(dialler, Targets { settler, operator }, played, patience, promises, note, observer);
        addresses.push(ip(2, number));
        // A long shard takes up most of the time with faults.
        let latest = if long { Duration::from_secs(1) } else { plan.safety / 2 };
        let begins = dice.between(Duration::from_millis(100), latest);
        let (ends, waits) = (client.run(begins, Dice::of(dice.number(), 0)), patience == Patience::Endless);
        clients.spawn(async move { End { stage: ends.await, waits, contracts: false } });
    }
    if let Some(dungeon) = &dungeon {
        let (number, dice) = (plan.shards, contracts);
        let operator = &machines[1 + dice.index(plan.operators)];
        let operator = Target { peer: operator.peer(), address: operator.address() };
        let patience = plan.patience(false, dice);
        let identity = Identity::from_secret(&dice.secret());
        machines[0].obeys(identity.peer());
        let moves = dice.index(MAX_MOVES) + 1;
        let played = Shard::Contracts(dungeon.shard(number as u64, BEGINNING / 1000 - BEFORE, moves, dice));
        let dialler = dialler(identity, internet.host(ip(2, number)), dice);
        let (promises, observer) = (promises.clone(), observer(&notary));
        let client = Client::new(dialler, Targets { settler, operator }, played, patience, promises, note, observer);
        addresses.push(ip(2, number));
        let begins = dice.between(Duration::from_millis(100), plan.safety / 2);
        let (ends, waits) = (client.run(begins, Dice::of(dice.number(), 0)), patience == Patience::Endless);
        clients.spawn(async move { End { stage: ends.await, waits, contracts: true } });
    }
    let of = clients.len();
    if plan.lying_prover {
        let identity = Identity::from_secret(&dice.secret());
        let peers = introduced(&mut machines, identity.peer(), Role::Prover);
        let host = internet.host(ip(3, 0));
        let address = SocketAddr::new(host.ip(), PORT);
        addresses.push(host.ip());
        lying.insert(identity.peer());
        let forger = dungeon.as_ref().map(|dungeon| Forger::new(notary.clone(), dungeon.clone()));
        let liar = LyingProver::new(identity, world, forger, Dice::of(dice.number(), 0));
        liars.spawn(liar.run(host, address, peers));
    }
    let mut strangers = JoinSet::new();
    let mut stranger = |number, dice: &mut Dice| {
        let (identity, host) = (Identity::from_secret(&dice.secret()), internet.host(ip(3, number)));
        let address = SocketAddr::new(host.ip(), PORT);
        addresses.push(host.ip());
        lying.insert(identity.peer());
        (identity, host, address, Dice::of(dice.number(), 0))
    };
    if plan.presumed_settler {
        let (identity, host, address, dice) = stranger(2, dice);
        strangers.spawn(PresumedSettler::new(identity, world, dice).run(host, address, those(&machines, Role::Prover)));
    }
    if plan.holder {
        let (identity, host, address, dice) = stranger(3, dice);
        let operators = those(&machines, Role::Operator);
        strangers.spawn(LyingProver::stranger(identity, world, dice).run(host, address, operators));
    }
    let mut inventors = BTreeSet::new();
    if plan.inventor {
        let (identity, host, address, dice) = stranger(4, dice);
        inventors.insert(identity.peer());
        let inventor = Inventor::new(identity, world, rules::hash(), settler.peer, dice);
        strangers.spawn(inventor.run(host, address, those(&machines, Role::Prover)));
    }
    let mut nemesis = Nemesis::new(plan, &internet, &mut machines, addresses, Dice::of(seed, 2));
    nemesis.wire(Dice::of(seed, 3));
    nemesis.machines.iter_mut().for_each(Machine::start);
    nemesis.rage().await;
    // The liars' connections are gone now; what they said isn't.
    liars.shutdown().await;
    let deadline = Instant::now() + LIVENESS;
    let mut ends: Vec<End> = Vec::new();
    tokio::select! {
        biased;
        () = async { while let Some(end) = clients.join_next().await { ends.extend(end.ok()); } } => {}
        () = nemesis.tend(deadline) => {}
    }
    let deeds = nemesis.deeds;
    let late = of - ends.len();
    clients.abort_all();
    strangers.shutdown().await;
    for machine in &mut machines {
        machine.stop().await;
    }
    let events = recorder.take();
    let settlers = [settler.peer].into();
    let promises = promises.snapshot();
    let (machines, first, promises, events) = (&*machines, &first, &promises, &*events);
    let witnesses = if plan.lying_operator { Witnesses::MayBeFalse } else { Witnesses::Hold };
    let finished = FinishedRun { machines, first, promises, settlers, lying, inventors, witnesses, events };
    let mut failures = check::all(finished, internet.counters()).await;
    if ends.iter().any(|end| end.stage == Stage::Aborted && end.waits) {
        failures.insert(0, Failure::given_up());
    }
    if late > 0 {
        failures.insert(0, Failure::late(late, of));
    }
    for failure in &failures {
        note(&format!("FAILED {failure}"));
    }
    let count = |stage| ends.iter().filter(|end| end.stage == stage).count() as u64;
    let contracts = ends.iter().filter(|end| end.contracts && end.stage == Stage::Settled);
    Outcome {
        failures,
        hash: internet.hash(),
        virtual_time: began.elapsed(),
        crashes: deeds.crashes,
        partitions: deeds.partitions,
        settled: count(Stage::Settled),
        contracts_settled: contracts.count() as u64,
        aborted: count(Stage::Aborted),
    }
}

/// How a client's shard ended.
struct End {
    stage: Stage,
    /// Whether the client had the patience for it.
    waits: bool,
    /// Whether it is one of contracts.
    contracts: bool,
}

/// How a client of this identity on this machine dials.
fn dialler(identity: Identity, host: Host, dice: &mut Dice) -> Dialler {
    let platform = Platform {
        clock: Arc::new(SimulatedClock::new(0)),
        network: Arc::new(host),
        names: Arc::new(NoNames),
        randomness: Randomness::from_seed(dice.number()),
        ..Platform::system()
    };
    Dialler { identity, network: NETWORK.to_owned(), platform }
}

/// Lets the notary know what a client signs.
fn observer(notary: &Arc<Notary>) -> SignedObserver {
    let knows = notary.clone();
    SignedObserver(Arc::new(move |start: &ShardStart, signed: &[ShardTransaction]| knows.learn(start, signed)))
}

/// Introduces a liar to all machines of other roles, and returns these.
fn introduced(machines: &mut [Machine], liar: PeerId, role: Role) -> Vec<(Target, Role)> {
    let others = machines.iter_mut().filter(|machine| machine.role() != role);
    let introduce = |machine: &mut Machine| {
        machine.knows(liar, None);
        (Target { peer: machine.peer(), address: machine.address() }, machine.role())
    };
    others.map(introduce).collect()
}

/// The machines of this role.
fn those(machines: &[Machine], role: Role) -> Vec<(Target, Role)> {
    let those = machines.iter().filter(|machine| machine.role() == role);
    those.map(|machine| (Target { peer: machine.peer(), address: machine.address() }, role)).collect()
}

/// The machines: settler first, then operators, then provers. Each dials those before it.
fn machines(plan: &Plan, internet: &Internet, notary: &Arc<Notary>, dice: &mut Dice) -> Vec<Machine> {
    let roles = std::iter::once(Role::Settler)
        .chain(std::iter::repeat_n(Role::Operator, plan.operators))
        .chain(std::iter::repeat_n(Role::Prover, plan.provers));
    let mut machines: Vec<Machine> = Vec::new();
    for (role, number) in roles.zip(0..) {
        let (takes, padding) = (dice.between(plan.proof / 2, plan.proof), dice.index(plan.proof_bytes + 1));
        let proving = Proving { takes, padding, ends: Arc::default() };
        let skew = dice.between(Duration::ZERO, plan.skew * 2).as_millis();
        let wrong_by = i64::try_from(skew).unwrap_or(0) - i64::try_from(plan.skew.as_millis()).unwrap_or(0);
        let parts = Parts { role, number, ip: ip(1, number), internet, notary, proving, wrong_by, dice };
        machines.push(Machine::new(parts));
    }
    let all: Vec<_> = machines.iter().map(|it| (it.peer(), it.address(), it.role())).collect();
    for (index, machine) in machines.iter_mut().enumerate() {
        for (other, (peer, address, role)) in all.iter().enumerate() {
            if *role != machine.role() {
                machine.knows(*peer, (other < index).then_some(*address));
            }
        }
    }
    machines
}
