//! The process of the attackers. Its command line says where the victim is, and on which core to run. It attacks until its input ends and never gives up: an
//! attacker that is turned away tries again at once. Then it says what it did, by kind.
//!
//! [`network`] is what needs no protocol, [`roles`] what attackers do to an operator and a prover.

mod network;
mod roles;

use super::{
    Outcome, cores,
    meeting::{Meeting, host, identity},
    neighbour::{self, Share},
};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use shardwire_model::{PeerId, Role};
use shardwire_transport::Identity;
use std::{
    collections::BTreeMap,
    iter::repeat_n,
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, ChildStdin, Command},
    task::JoinSet,
    time::{sleep, timeout},
};

/// The hidden command that makes a process the attackers.
pub(crate) const COMMAND: &str = "attack-hostile";
/// How soon an attacker that was turned away tries again.
const AGAIN: Duration = Duration::from_millis(2);
/// How long an attacker waits for a handshake.
const IMPATIENT: Duration = Duration::from_secs(1);
/// How long the attackers take to say goodbye.
const FAREWELL: Duration = Duration::from_millis(300);
/// How long they may take to end.
const END_TIME: Duration = Duration::from_secs(10);

/// What an attacker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Kind {
    HandshakeFlood,
    StreamFlood,
    Oversize,
    SlowLoris,
    Ping,
    Pull,
    Reconnect,
    HoldLease,
    FalseFinish,
    FalseReceipt,
    ClaimAndGo,
}

use Kind::{
    ClaimAndGo, FalseFinish, FalseReceipt, HandshakeFlood, HoldLease, Oversize, Ping, Pull, Reconnect, SlowLoris,
    StreamFlood,
};

/// All kinds, and how many attackers are of each.
pub(super) const KINDS: [(Kind, u8); 11] = [
    (HandshakeFlood, 2),
    (StreamFlood, 3),
    (Oversize, 3),
    (SlowLoris, 3),
    (Ping, 2),
    (Pull, 1),
    (Reconnect, 2),
    (HoldLease, 4),
    (FalseFinish, 4),
    (FalseReceipt, 3),
    (ClaimAndGo, 3),
];

/// An attacker: its number says which key it has and from where it comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attacker {
    pub(super) number: u8,
    pub(super) kind: Kind,
}

/// The attackers. Number 0 would come from where the victim and its owner are.
pub(super) fn attackers() -> impl Iterator<Item = Attacker> {
    let kinds = KINDS.into_iter().flat_map(|(kind, peers)| repeat_n(kind, peers.into()));
    (1..).zip(kinds).map(|(number, kind)| Attacker { number, kind })
}

/// The first of those that use up what all newcomers together may have.
const FIRST_SPENDER: u8 = 100;
/// The one whose host is shut when the price of a refused handshake is measured.
const SHUT: u8 = 99;

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            HandshakeFlood => "handshake_flood",
            StreamFlood => "stream_flood",
            Oversize => "oversize",
            SlowLoris => "slow_loris",
            Ping => "ping",
            Pull => "pull",
            Reconnect => "reconnect",
            HoldLease => "hold_lease",
            FalseFinish => "false_finish",
            FalseReceipt => "false_receipt",
            ClaimAndGo => "claim_and_go",
        }
    }

    /// Whether it comes as somebody else each time.
    pub(super) fn has_fresh_keys(self) -> bool {
        matches!(self, HandshakeFlood | Reconnect | FalseReceipt | ClaimAndGo)
    }

    fn role(self) -> Role {
        if self == FalseReceipt { Role::Settler } else { Role::Prover }
    }
}

/// What attackers of a kind did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Deeds {
    /// Connections that they wanted; of a flood of handshakes, datagrams.
    pub(super) tries: u64,
    /// Connections that they got.
    pub(super) connections: u64,
    /// What they do, done: sessions opened, pings answered, leases, signs of life, finishes, receipts.
    pub(super) acts: u64,
}

impl Deeds {
    pub(super) fn add(&mut self, more: Self) {
        self.tries += more.tries;
        self.connections += more.connections;
        self.acts += more.acts;
    }
}

/// As they are counted.
#[derive(Debug, Default)]
struct Counted {
    tries: AtomicU64,
    connections: AtomicU64,
    acts: AtomicU64,
}

impl Counted {
    fn tried(&self) {
        self.tries.fetch_add(1, Ordering::Relaxed);
    }

    fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    fn acted(&self) {
        self.acts.fetch_add(1, Ordering::Relaxed);
    }
}

static COUNTED: [Counted; KINDS.len()] =
    [const { Counted { tries: AtomicU64::new(0), connections: AtomicU64::new(0), acts: AtomicU64::new(0) } };
        KINDS.len()];

fn counted(kind: Kind) -> &'static Counted {
    &COUNTED[kind as usize]
}

/// The attack to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// All attackers at once.
    Attack,
    /// Newcomers take every job, so that the time is used up that all of them together may keep it from others.
    Spend,
    /// A flood of handshakes from a shut host.
    Price,
    /// Nobody attacks; the core is as busy as if.
    Neighbour,
}

/// What the attackers' process is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Orders {
    #[arg(value_enum)]
    pub(super) scenario: Scenario,
    /// The core to run on.
    pub(super) core: usize,
    /// The operator.
    pub(super) operator: SocketAddr,
    pub(super) operator_id: PeerId,
    /// The prover.
    pub(super) prover: SocketAddr,
    pub(super) prover_id: PeerId,
    /// The file that says which World the victims are of.
    pub(super) world: PathBuf,
    /// In each round the attackers come from other networks, so that none begins shut out.
    pub(super) round: u8,
    /// How busy a neighbour is, in thousandths of its core.
    pub(super) busy: u16,
    /// Which attackers come; all if none is named.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(super) only: Vec<Kind>,
}

/// The attackers' process. It ends when this is dropped.
pub(super) struct Attackers {
    child: Child,
    input: ChildStdin,
}

impl Attackers {
    pub(super) fn start(orders: &Orders) -> Outcome<Self> {
        let Orders { scenario, core, operator, operator_id, prover, prover_id, world, round, busy, only } = orders;
        let scenario = scenario.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let mut command = Command::new(std::env::current_exe()?);
        command.args([COMMAND, &scenario, &core.to_string()]);
        command.args([operator.to_string(), operator_id.to_string(), prover.to_string(), prover_id.to_string()]);
        command.arg(world).args([round.to_string(), busy.to_string()]);
        command.args(only.iter().flat_map(|kind| ["--only", kind.name()]));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let input = child.stdin.take().ok_or("no input")?;
        Ok(Self { child, input })
    }

    /// Their processor time so far.
    pub(super) fn cpu(&self) -> Outcome<Duration> {
        let pid = self.child.id().ok_or("the attackers ended")?;
        cores::used(&std::fs::read_to_string(format!("/proc/{pid}/stat"))?)
    }

    /// Ends them; what they did.
    pub(super) async fn end(mut self) -> Outcome<BTreeMap<String, Deeds>> {
        drop(self.input);
        let mut said = Vec::new();
        let mut output = self.child.stdout.take().ok_or("no output")?;
        timeout(END_TIME, output.read_to_end(&mut said)).await??;
        Ok(serde_json::from_slice(&said)?)
    }
}

/// Attacks until the input ends.
pub(crate) fn run(orders: &Orders) -> Outcome<()> {
    cores::pin(orders.core)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let victim = Meeting::new((orders.operator, orders.operator_id), &orders.world)?;
        let prover = Meeting::new((orders.prover, orders.prover_id), &orders.world)?;
        let round = orders.round;
        let mut tasks = JoinSet::new();
        match orders.scenario {
            Scenario::Price => drop(tasks.spawn(price(victim, round))),
            Scenario::Neighbour => {
                let share = Share(orders.busy);
                std::thread::spawn(move || neighbour::compute(share));
            }
            Scenario::Spend => {
                for number in (FIRST_SPENDER..).take(super::honest::JOBS.div_ceil(roles::JOBS_EACH)) {
                    let victim = victim.clone();
                    tasks.spawn(async move { complain("a spender", roles::spend(&victim, number).await) });
                }
            }
            Scenario::Attack => {
                let comes = |it: &Attacker| orders.only.is_empty() || orders.only.contains(&it.kind);
                for attacker in attackers().filter(comes) {
                    let victim = if attacker.kind == FalseReceipt { &prover } else { &victim };
                    tasks.spawn(attack(attacker, victim.clone(), round));
                }
            }
        }
        let (ended, end) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || ended.send(std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).map(drop)));
        end.await??;
        tasks.shutdown().await;
        sleep(FAREWELL).await;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let deeds: BTreeMap<_, _> = KINDS
            .into_iter()
            .map(|(kind, _)| (kind.name(), counted(kind)))
            .map(|(name, it)| {
                (name, Deeds { tries: read(&it.tries), connections: read(&it.connections), acts: read(&it.acts) })
            })
            .collect();
        say!("{}", serde_json::to_string(&deeds)?);
        Ok(())
    })
}

fn complain(who: &str, ended: Outcome<()>) {
    if let Err(error) = ended {
        eprintln!("{who} ended: {error}");
    }
}

/// Attacks for ever.
async fn attack(attacker: Attacker, victim: Meeting, round: u8) {
    let Attacker { number, kind } = attacker;
    if kind == HandshakeFlood {
        return complain("a flood of handshakes", network::flood(host(number, round), &victim).await);
    }
    for time in 0_u64.. {
        let identity = if kind.has_fresh_keys() { fresh(number, round, time) } else { identity(number) };
        // It starts again, however it ended.
        let _: Outcome<()> = once(attacker, identity, &victim, round).await;
        sleep(AGAIN).await;
    }
}

/// One connection.
async fn once(attacker: Attacker, identity: Identity, victim: &Meeting, round: u8) -> Outcome<()> {
    let Attacker { number, kind } = attacker;
    let counted = counted(kind);
    counted.tried();
    let endpoint = Meeting::endpoint(host(number, round), identity.clone())?;
    let connection = timeout(IMPATIENT, victim.greeted(&endpoint, kind.role())).await??;
    counted.connected();
    match kind {
        HandshakeFlood => {}
        StreamFlood => network::open_sessions(&connection).await?,
        Oversize => loop {
            network::announce_too_much(&connection, kind).await?;
        },
        SlowLoris => network::dawdle(&connection).await?,
        Ping => network::ping_on(&connection).await?,
        Reconnect => network::announce_too_much(&connection, kind).await?,
        Pull | HoldLease | FalseFinish => roles::take_jobs(&connection, identity.peer(), kind).await,
        FalseReceipt => roles::sign_receipts(&connection, &identity).await?,
        ClaimAndGo => roles::claim_one(&connection, identity.peer()).await?,
    }
    connection.close();
    Ok(())
}

/// A new identity each time.
fn fresh(number: u8, round: u8, time: u64) -> Identity {
    let mut secret = [number; 32];
    secret[0] = round;
    secret[1..9].copy_from_slice(&time.to_le_bytes());
    Identity::from_secret(&secret)
}

/// Breaks rules until its host is shut, then floods.
async fn price(victim: Meeting, round: u8) {
    let attacker = Attacker { number: SHUT, kind: Reconnect };
    while once(attacker, identity(SHUT), &victim, round).await.is_ok() {}
    complain("a flood of handshakes", network::flood(host(SHUT, round), &victim).await);
}
