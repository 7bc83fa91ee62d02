//! The nodes that are attacked: real ones, processes with their data folders. The operator has executed [`JOBS`] shards when the attack begins, so every job is
//! ready to be proven. The prover knows no operator and so takes no jobs; it serves what provers serve.
//!
//! Their settler is another real node, which does nothing any more by then.

use super::{
    Outcome, cores,
    honest::{JOBS, PROVERS},
    hostile::{self, attackers},
    meeting::identity,
};
use serde::Serialize;
use shardwire::{
    client::{Dialler, NodeClient, Target, submit},
    host::{Platform, clock::SystemClock},
};
use shardwire_model::{
    Call, Clock as _, ContractId, EntryRequest, EventId, Felt, Hash, Key, Kind, PeerId, Role, ShardStart,
    finished_selector, state_commitment,
};
use shardwire_peers::Rules;
use shardwire_program::rules;
use shardwire_protocols::{administration::peer, trace::job_id};
use shardwire_proving::worker::INTERFACE;
use shardwire_reputation::{Event, Record, Work};
use shardwire_store::{
    Store, SystemDisk,
    records::{LAYOUT, PEERS},
};
use shardwire_transport::Identity;
use shardwire_workload::{Player, Start, Storage, UnsignedTransaction, Workload, World};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use testnet::network::{NETWORK, NetworkFolder, Node, Programs};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::sleep,
};

/// How long the victim may take to execute its shards, and how often it is asked.
const EXECUTED: (Duration, Duration) = (Duration::from_secs(120), Duration::from_millis(200));
/// The contract that everybody calls, and its counter.
const CONTRACT: u64 = 0xa77ac;
const COUNTER: u64 = 0xc0;

/// The attacked nodes and their settler.
pub(super) struct Victim {
    settler: Node,
    operator: Attacked,
    prover: Attacked,
    /// Which World all of them are of.
    pub(super) world: PathBuf,
    /// The jobs that it has.
    pub(super) jobs: Vec<Hash>,
    /// Where the data folders are, until this is dropped.
    _folder: NetworkFolder,
}

/// A node that is attacked, and where its metrics are.
struct Attacked {
    node: Node,
    metrics: SocketAddr,
}

/// What the victims count.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Counts {
    /// Callers that they turned off before their handshake or right after it.
    pub(super) refused_callers: u64,
    /// Sessions beyond a quota.
    pub(super) refused_sessions: u64,
    /// Claims of jobs.
    pub(super) refused_claims: u64,
    /// Sessions that ended because the peer broke a rule.
    pub(super) violations: u64,
    /// Leases that the operator gave.
    pub(super) leases: u64,
    /// Leases that it took back for a better prover.
    pub(super) taken_back: u64,
    /// Shards that it has executed, and their steps.
    #[serde(skip)]
    executed: (u64, u64),
}

impl Counts {
    /// Adds what was counted between two looks.
    pub(super) fn add(&mut self, after: Self, before: Self) {
        self.refused_callers += after.refused_callers - before.refused_callers;
        self.refused_sessions += after.refused_sessions - before.refused_sessions;
        self.refused_claims += after.refused_claims - before.refused_claims;
        self.violations += after.violations - before.violations;
        self.leases += after.leases - before.leases;
        self.taken_back += after.taken_back - before.taken_back;
    }
}

impl Victim {
    /// Starts all nodes with this program, and has the operator execute shards of so many transactions each.
    pub(super) async fn start(node: PathBuf, transactions: u32) -> Outcome<Self> {
        let folder = NetworkFolder::new(None)?;
        // No node here proves.
        let programs = Programs { node, worker: idle_worker(&folder)? };
        let genesis = folder.path().join("world.json");
        workload(1, 0).write(&genesis)?;
        let mut settler = Node::init(Role::Settler, &programs, folder.path(), Some(&genesis)).await?;
        let world = settler.data().join("world.json");
        let mut operator = Attacked::init(Role::Operator, &programs, &folder, &world).await?;
        let mut prover = Attacked::init(Role::Prover, &programs, &folder, &world).await?;
        remember(&operator.node)?;
        settler.start(&[operator.node.peer().to_string(), prover.node.peer().to_string()]).await?;
        let settles = format!("{}@{}", settler.peer(), settler.listen());
        let honest = PROVERS.iter().map(|number| identity(*number).peer().to_string());
        operator.node.start(&honest.chain([settles.clone()]).collect::<Vec<_>>()).await?;
        prover.node.start(&[settles]).await?;
        let jobs = executed(&settler, &operator.node, transactions).await?;
        let victim = Self { settler, operator, prover, world, jobs, _folder: folder };
        victim.counted("the shards aren't executed", EXECUTED, |it| it.executed.0 >= JOBS as u64).await?;
        Ok(victim)
    }

    pub(super) fn operator(&self) -> (SocketAddr, PeerId) {
        (self.operator.node.listen(), self.operator.node.peer())
    }

    pub(super) fn prover(&self) -> (SocketAddr, PeerId) {
        (self.prover.node.listen(), self.prover.node.peer())
    }

    /// Steps of a job.
    pub(super) async fn steps(&self) -> Outcome<u64> {
        let (shards, steps) = self.counts().await?.executed;
        Ok(steps / shards.max(1))
    }

    /// What they have counted so far.
    pub(super) async fn counts(&self) -> Outcome<Counts> {
        let pages = [self.operator.metrics().await?, self.prover.metrics().await?].concat();
        let sum = |counter: &str, not: &str| -> u64 {
            let lines =
                pages.lines().filter(|line| line.starts_with(counter) && (not.is_empty() || !line.contains(not)));
            lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
        };
        Ok(Counts {
            refused_callers: sum("shardwire_peers_callers_total", "admitted"),
            refused_sessions: sum("shardwire_peers_sessions_refused_total", "")
                + sum("shardwire_peers_session_refused_total", ""),
            refused_claims: sum("shardwire_operator_claim_refused_total", ""),
            violations: sum("shardwire_peers_protocol_violated_total", ""),
            leases: sum("shardwire_operator_job_leased_total", ""),
            taken_back: sum("shardwire_operator_job_taken_back_total", ""),
            executed: (
                sum("shardwire_operator_execution_ended_total", ""),
                sum("shardwire_operator_execution_ended_steps_total", ""),
            ),
        })
    }

    /// Waits until they have counted what is looked for: how long at most, and how often it asks.
    pub(super) async fn counted(
        &self,
        otherwise: &str,
        (within, every): (Duration, Duration),
        enough: impl Fn(Counts) -> bool,
    ) -> Outcome<()> {
        let end = Instant::now() + within;
        while !enough(self.counts().await?) {
            if Instant::now() >= end {
                return Err(format!("{otherwise} after {} s", within.as_secs()).into());
            }
            sleep(every).await;
        }
        Ok(())
    }

    /// Processor time of both processes so far.
    pub(super) fn cpu(&self) -> Outcome<Duration> {
        Ok(self.operator.cpu()? + self.prover.cpu()?)
    }

    /// The most memory that both ever had in RAM, together.
    pub(super) fn peak_bytes(&self) -> Outcome<u64> {
        Ok(self.operator.peak_bytes()? + self.prover.peak_bytes()?)
    }

    /// How the attackers stand that keep their keys, by their numbers.
    pub(super) async fn standings(&self) -> Outcome<BTreeMap<u8, String>> {
        let mut client = NodeClient::connect(self.operator.node.data(), &Platform::system()).await?;
        let mut standings = BTreeMap::new();
        for attacker in attackers().filter(|attacker| !attacker.kind.has_fresh_keys()) {
            let request = peer::Request::Show { peer: identity(attacker.number).peer() };
            let view = client.administration().peer(request).await?;
            standings.insert(attacker.number, view.standing.to_string());
        }
        client.close().await;
        Ok(standings)
    }

    pub(super) async fn stop(mut self) {
        tokio::join!(self.operator.node.stop(), self.prover.node.stop());
        self.settler.stop().await;
    }
}

impl Attacked {
    async fn init(role: Role, programs: &Programs, folder: &NetworkFolder, world: &Path) -> Outcome<Self> {
        let metrics = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let node = Node::init(role, programs, folder.path(), Some(world)).await?;
        Ok(Self { node: node.with_settings(&settings(metrics)), metrics })
    }

    async fn metrics(&self) -> Outcome<String> {
        let mut stream = TcpStream::connect(self.metrics).await?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: victim\r\n\r\n").await?;
        let mut page = String::new();
        stream.read_to_string(&mut page).await?;
        Ok(page)
    }

    fn cpu(&self) -> Outcome<Duration> {
        cores::used(&self.of_process("stat")?)
    }

    fn peak_bytes(&self) -> Outcome<u64> {
        let status = self.of_process("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak in /proc/PID/status")?;
        let kib: u64 = line.split_whitespace().next().ok_or("no peak in /proc/PID/status")?.parse()?;
        Ok(kib * 1024)
    }

    fn of_process(&self, file: &str) -> Outcome<String> {
        let pid = self.node.pid().ok_or("a victim has ended")?;
        Ok(std::fs::read_to_string(format!("/proc/{pid}/{file}"))?)
    }
}

/// A program that a prover takes for its worker. It is never asked to prove anything.
fn idle_worker(folder: &NetworkFolder) -> Outcome<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.path().join("idle-worker");
    let described = format!("{{\"worker\":\"idle\",\"version\":\"0\",\"interface\":\"{INTERFACE}\"}}");
    std::fs::write(&path, format!("#!/bin/sh\nexec echo '{described}'\n"))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))?;
    Ok(path)
}

/// The victims' settings: peers in good standing may use more than the machine can give them. What newcomers may use is as ever.
fn settings(metrics: SocketAddr) -> String {
    let fields = [("frames_per_s", 1_000_000), ("kib_per_s", 1_000_000), ("sessions_per_s", 1_000_000)];
    let fields = fields.into_iter().chain([("sessions", 10_000), ("leases", 1_000)]);
    let tiers = ["normal/others", "high/others", "normal/trace", "high/trace"];
    let quotas: Vec<_> =
        fields.flat_map(|(field, most)| tiers.map(|tier| format!("\"{tier}/{field}={most}\""))).collect();
    format!("[reputation]\nquotas = [{}]\n[metrics]\nlisten = \"{metrics}\"\n", quotas.join(", "))
}

/// Some attackers have worked well until today: they come in tier high.
fn remember(node: &Node) -> Outcome<()> {
    let worked = Event::Worked(Work::Proof);
    let record =
        (0..4).fold(Record::default(), |record, _| record.after(&worked, SystemClock.now(), &Rules::default().policy));
    let store = Store::open(&SystemDisk, &node.data().join("node.redb"), &LAYOUT)?;
    for attacker in attackers().filter(|attacker| attacker.kind == hostile::Kind::Oversize) {
        store.put(&PEERS, &identity(attacker.number).peer(), &record)?;
    }
    Ok(())
}

/// Starts the shards and plays each to its end; their jobs.
async fn executed(settler: &Node, node: &Node, transactions: u32) -> Outcome<Vec<Hash>> {
    let target = Target { peer: node.peer(), address: node.listen() };
    let mut control = NodeClient::connect(settler.data(), &Platform::system()).await?;
    let (mut jobs, mut games) = (Vec::new(), JoinSet::new());
    for salt in 1..=JOBS as u64 {
        let workload = workload(transactions, salt);
        let start = control.start_shard(workload.start_request(node.peer(), rules::hash()), None).await?;
        jobs.push(job(&start));
        games.spawn(async move {
            let identity = Identity::generate(&mut rand::rng());
            let dialler = Dialler { identity, network: NETWORK.into(), platform: Platform::system() };
            let signed = workload.sign(&start)?;
            let report = submit(&dialler, &target.into(), start.shard, &signed, |_| {}).await?;
            if report.refused.is_empty() { Outcome::Ok(()) } else { Err(format!("{report:?}").into()) }
        });
    }
    control.close().await;
    while let Some(game) = games.join_next().await {
        game??;
    }
    Ok(jobs)
}

/// The job that proving a shard is, whose counter begins at zero.
fn job(start: &ShardStart) -> Hash {
    let commitment = start.commitment();
    job_id(start.program, commitment, state_commitment(commitment, &[Felt::ZERO]), 0)
}

/// A shard in which one player adds to a counter, as often as said, and then ends it.
fn workload(transactions: u32, salt: u64) -> Workload {
    let (contract, key) = (ContractId(Felt::from(CONTRACT)), Key(Felt::from(COUNTER)));
    let player = Player { name: "Ada".into(), secret: [0xa7; 32] };
    let by_her = |call| UnsignedTransaction { player: player.name.clone(), contract, call };
    let add = by_her(Call::Add { counter: key, amount: 1 });
    let moves = std::iter::repeat_n(add, transactions as usize).chain([by_her(Call::Finish)]).collect();
    let counter = Storage { contract, key, kind: Kind::Counter, value: Felt::ZERO, name: None, of: None };
    let start = Start {
        salt,
        program: None,
        contracts: vec![contract],
        accounts: vec![player.key().id()],
        end_event: EventId { from: contract, selector: finished_selector() },
        entries: vec![EntryRequest { kind: Kind::Counter, contract, key, owner: None, amount: 0 }],
    };
    let world = World { storage: vec![counter] };
    Workload { name: "attack".into(), world, start, players: vec![player], transactions: moves }
}
