//! One run: a network from a seed, a time with faults, a time without, and the checks.

use super::{
    check::{self, Failure, FinishedRun, Witnesses},
    liar::{Inventor, LyingOperator, LyingProver, PresumedSettler},
    machine::{Machine, NETWORK, PORT, Parts, SimulatedClock},
    nemesis::Nemesis,
    plan::Plan,
    record::{Recorder, note},
    reexecution::{Notary, Proving},
};
use crate::{
    clients::{Client, Game, Patience, SharedPromises, SignedObserver, Targets},
    dice::{Dice, PPM},
};
use shardwire::host::names::NoNames;
use shardwire::{
    client::{Dialler, Target},
    config::Role,
    host::{Platform, Randomness},
    world,
};
use shardwire_model::{Hash, PeerId, ShardStart, SignedTransaction, Stage};
use shardwire_transport::{Identity, sim::Internet};
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
    let notary = Notary::new(dice);
    let game = Game::new(plan.people, dice);
    let mut machines = machines(plan, &internet, &notary, dice);
    let settler = machines.first().expect("there is a settler");
    let genesis = game.genesis();
    let first = genesis.hash().expect("an own genesis");
    let identity = WorldIdentity::new(NETWORK, first, [settler.peer()], [notary.program()]).expect("an own World");
    world::create(&settler.disk(), &settler.paths(), &identity, &genesis).expect("an own World");
    machines.iter().for_each(|machine| machine.joins(&identity));

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
        let liar = LyingOperator::new(identity, world, notary.program(), Dice::of(dice.number(), 0));
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
        let workload = game.shard(number as u64, moves, with_sword, dice);
        let platform = Platform {
            clock: Arc::new(SimulatedClock::new(0)),
            network: Arc::new(internet.host(ip(2, number))),
            names: Arc::new(NoNames),
            randomness: Randomness::from_seed(dice.number()),
            ..Platform::system()
        };
        let dialler = Dialler { identity, network: NETWORK.to_owned(), platform };
        let knows = notary.clone();
        let observer = SignedObserver(Arc::new(move |start: &ShardStart, signed: &[SignedTransaction]| {
            knows.learn(start, signed)
        }));
        let client =
            Client::new(dialler, Targets { settler, operator }, workload, patience, promises.clone(), note, observer);
        addresses.push(ip(2, number));
        // A long shard takes up most of the time with faults.
        let latest = if long { Duration::from_secs(1) } else { plan.safety / 2 };
        let begins = dice.between(Duration::from_millis(100), latest);
        let (ends, waits) = (client.run(begins, Dice::of(dice.number(), 0)), patience == Patience::Endless);
        clients.spawn(async move { (ends.await, waits) });
    }
    if plan.lying_prover {
        let identity = Identity::from_secret(&dice.secret());
        let peers = introduced(&mut machines, identity.peer(), Role::Prover);
        let host = internet.host(ip(3, 0));
        let address = SocketAddr::new(host.ip(), PORT);
        addresses.push(host.ip());
        lying.insert(identity.peer());
        liars.spawn(LyingProver::new(identity, world, Dice::of(dice.number(), 0)).run(host, address, peers));
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
        let inventor = Inventor::new(identity, world, notary.program(), settler.peer, dice);
        strangers.spawn(inventor.run(host, address, those(&machines, Role::Prover)));
    }
    let mut nemesis = Nemesis::new(plan, &internet, &mut machines, addresses, Dice::of(seed, 2));
    nemesis.wire(Dice::of(seed, 3));
    nemesis.machines.iter_mut().for_each(Machine::start);
    nemesis.rage().await;
    // The liars' connections are gone now; what they said isn't.
    liars.shutdown().await;
    let deadline = Instant::now() + LIVENESS;
    let mut ends: Vec<(Stage, bool)> = Vec::new();
    tokio::select! {
        biased;
        () = async { while let Some(end) = clients.join_next().await { ends.extend(end.ok()); } } => {}
        () = nemesis.tend(deadline) => {}
    }
    let deeds = nemesis.deeds;
    let late = plan.shards - ends.len();
    clients.abort_all();
    strangers.shutdown().await;
    for machine in &mut machines {
        machine.stop().await;
    }
    let events = recorder.take();
    let settlers = [settler.peer].into();
    let promises = promises.snapshot();
    let (machines, game, promises, events) = (&*machines, &game, &promises, &*events);
    let witnesses = if plan.lying_operator { Witnesses::MayBeFalse } else { Witnesses::Hold };
    let finished = FinishedRun { machines, game, promises, settlers, lying, inventors, witnesses, events };
    let mut failures = check::all(finished, internet.counters()).await;
    if ends.contains(&(Stage::Aborted, true)) {
        failures.insert(0, Failure::given_up());
    }
    if late > 0 {
        failures.insert(0, Failure::late(late, plan.shards));
    }
    for failure in &failures {
        note(&format!("FAILED {failure}"));
    }
    let count = |stage| ends.iter().filter(|(end, _)| *end == stage).count() as u64;
    Outcome {
        failures,
        hash: internet.hash(),
        virtual_time: began.elapsed(),
        crashes: deeds.crashes,
        partitions: deeds.partitions,
        settled: count(Stage::Settled),
        aborted: count(Stage::Aborted),
    }
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
