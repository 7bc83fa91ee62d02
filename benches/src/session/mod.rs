//! `benches session`: what sessions cost over the QUIC streams that carry them.
//!
//! The same work is done twice, through sessions (`ours`) and on quinn's streams without them (`raw`), and compared. Both
//! use endpoints of this project, so TLS and transport settings are the same by construction, and so are the buffers of the
//! system's sockets. `ours` is on the [`SystemNetwork`](shardwire_transport::SystemNetwork), as a node is; `raw` is quinn as it comes, with its own
//! socket (`--same-socket` gives it the node's). Both sides of the
//! work are processes of their own, on the runtime that a node runs on ([`Threads`](ground::Threads)); and the two take turns of a tenth of
//! a second, so that what else the machine does falls on both alike. A round's figure is the median of its turns, so that a turn
//! in which the machine did something else counts as one turn, however long it took; and each round has a process, sockets
//! and connections of its own. Look at the ratios: absolute figures belong to the machine and the moment.
//!
//! | work | what is done | figure |
//! |---|---|---|
//! | `bulk` | chunks of 64 KiB are pulled, 16 requests ahead | Gbit/s |
//! | `pingpong` | 64 bytes there and back on one session | median round trip |
//! | `new_session_1` | a session of its own for each request of 64 bytes | requests a second |
//! | `new_session_64` | the same, 64 at a time | requests a second |
//! | `idle_peer` | connections with one session that wait | resident bytes a peer, at the accepting process |
//!
//! Raw quinn has the easier work: no header, frame, type, limit or deadline. It answers as many requests ahead, and
//! copies as little. It is written as one writes it by hand, with a task for each stream; sessions are served as a node serves them, which makes
//! a task only for one that has to wait ([`first_turn`](shardwire_transport::first_turn)): that is why short sessions can cost less than raw streams. The node's
//! socket saves system calls, which makes up for what a session adds to bulk and to a round trip. CPU time (both processes together) is printed beside each figure because other load disturbs it less.
//! In `pingpong`, `stalled` is the same round trip while another session of the connection has filled its whole window
//! and nobody reads it. It is measured when the round's turns are over: ending such a session is work that would fall on
//! the next turn.

mod figures;
mod ground;
mod ours;
pub(crate) mod peer;
mod protocol;
mod raw;

use crate::series::{Series, percentile};
use clap::Args;
use figures::{Figures, Pair};
pub(crate) use ground::Ground;
use peer::{Peer, used};
use protocol::CHUNK_BYTES;
use serde_json::{Value, json};
use shardwire_transport::{Connection, Endpoint, Profile, Settings};
use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const PROFILES: [(&str, Profile); 2] = [("internet", Profile::Internet), ("datacentre", Profile::Datacentre)];
const SIDES: [Side; 2] = [Side::Ours, Side::Raw];
/// Combinations of profile and side: each has an endpoint of its own.
const TAKES: usize = PROFILES.len() * SIDES.len();
/// The turns into which a round's work is divided for each side.
const TURNS: u32 = 32;
/// Round trips of a turn.
const TRIPS: usize = 500;
/// Turns' worth of round trips beside a stalled session.
const STALLED_TURNS: usize = 8;
/// Requests of a turn, one at a time.
const QUESTIONS: u32 = 500;
/// How many more there are when they are many at a time.
const IN_FLIGHT: u32 = 64;
/// Handshakes under way while idle peers connect.
const CONNECTING: usize = 16;
/// How long a stalled session gets to fill its window, and idle peers to settle.
const SETTLE: Duration = Duration::from_millis(200);

/// How the work is done: through sessions or on raw streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Side {
    Ours,
    Raw,
}

/// What each place is for in this round. Of two sides that do the very same, the one in the first place was slower by up to 4 %; so they take turns.
fn takes(round: u32) -> impl Iterator<Item = (Profile, Side)> {
    PROFILES.into_iter().flat_map(move |(_, profile)| [0, 1].map(|place| (profile, SIDES[other(place, round)])))
}

/// The place of a side in this round, and the side of a place.
fn other(side: usize, round: u32) -> usize {
    if round.is_multiple_of(2) { side } else { SIDES.len() - 1 - side }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Work {
    Bulk,
    #[value(name = "pingpong")]
    PingPong,
    #[value(name = "new_session_1")]
    NewSession1,
    #[value(name = "new_session_64")]
    NewSession64,
    IdlePeer,
}

impl Work {
    const ALL: [Self; 5] = [Self::Bulk, Self::PingPong, Self::NewSession1, Self::NewSession64, Self::IdlePeer];

    fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::PingPong => "pingpong",
            Self::NewSession1 => "new_session_1",
            Self::NewSession64 => "new_session_64",
            Self::IdlePeer => "idle_peer",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Bulk => "Gbit/s",
            Self::PingPong => "us",
            Self::NewSession1 | Self::NewSession64 => "1/s",
            Self::IdlePeer => "bytes",
        }
    }
}

/// What to measure.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Rounds; the median is printed, with the range.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// MiB that each side pulls in a round.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    mib: u32,
    /// Peers that connect and then wait.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    peers: u32,
    /// A look within half a minute: three rounds, 128 MiB, 200 peers.
    #[arg(long, conflicts_with_all = ["rounds", "mib", "peers"])]
    quick: bool,
    /// Measure these alone.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Work>,
    /// Do one side's work alone, for a profiler: nothing is compared.
    #[arg(long)]
    side: Option<Side>,
    #[command(flatten)]
    ground: Ground,
    /// Print one JSON object on the last line.
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
pub(crate) fn measure(options: &Options) -> Outcome<()> {
    let runtime = options.ground.threads.runtime()?;
    // A task of its own, so that the work is done where a node does it, and not on the thread that waits.
    runtime.block_on(runtime.spawn(run(options.clone())))?
}

async fn run(options: Options) -> Outcome<()> {
    let (rounds, mib, peers) = if options.quick { (3, 128, 200) } else { (options.rounds, options.mib, options.peers) };
    let works: Vec<Work> =
        Work::ALL.into_iter().filter(|work| options.only.is_empty() || options.only.contains(work)).collect();
    let began = Instant::now();
    let mut figures: Vec<(Work, Vec<Figures>)> =
        works.iter().map(|work| (*work, vec![<_>::default(); TAKES])).collect();
    for round in 0..rounds {
        // Where the system puts threads, sockets and buffers makes one side faster for as long as they live. So each round has its own.
        let mut bench = Bench::start(round, mib, peers, &options).await?;
        for work in works.iter().filter(|work| **work != Work::IdlePeer) {
            for take in 0..TAKES {
                bench.turn(*work, take).await?; // warms up: code, caches, the MTU and the congestion window
            }
        }
        for (work, figures) in &mut figures {
            for (profile, (name, _)) in PROFILES.into_iter().enumerate() {
                eprintln!("round {} of {rounds}: {name}, {}", round + 1, work.name());
                let here = profile * SIDES.len()..(profile + 1) * SIDES.len();
                match work {
                    Work::IdlePeer => bench.idle(here.start, &mut figures[here]).await?,
                    _ => bench.round(*work, here.start, &mut figures[here]).await?,
                }
            }
        }
    }
    say!(
        "{rounds} rounds in {:.0} s; threads: {}; {} sessions a connection",
        began.elapsed().as_secs_f64(),
        options.ground.threads.name(),
        Settings::default().max_sessions
    );
    let mut object = json!({});
    for (at, (profile, _)) in PROFILES.into_iter().enumerate() {
        let mut of_profile = serde_json::Map::new();
        for (work, figures) in &figures {
            let [ours, raw] = &figures[at * SIDES.len()..(at + 1) * SIDES.len()] else { continue };
            let pair = Pair { ours, raw, unit: work.unit() };
            say!("session::{}/profile={profile}: {pair}", work.name());
            let mut json = pair.json();
            if *work == Work::IdlePeer {
                json["bytes"] = json["ours"].clone();
            }
            of_profile.insert(work.name().to_owned(), json);
        }
        object[profile] = Value::Object(of_profile);
    }
    if options.json {
        say!("{object}");
    }
    Ok(())
}

/// What one turn brought.
#[derive(Default)]
struct Turn {
    took: Duration,
    cpu: Duration,
    operations: f64,
    trips: Vec<Duration>,
}

/// What a round's turns brought.
#[derive(Default)]
struct Sum {
    /// A figure a turn.
    values: Series,
    cpu: Duration,
    operations: f64,
    trips: Vec<Duration>,
}

/// Datagrams, both ways.
#[derive(Clone, Copy, Default)]
struct Datagrams {
    sent: u64,
    lost: u64,
}

/// Both processes, connected.
struct Bench {
    peer: Peer,
    /// A connection for each profile and side.
    connections: Vec<Connection>,
    chunks: u32,
    peers: u32,
    alone: Option<Side>,
    ground: Ground,
    round: u32,
}

impl Bench {
    async fn start(round: u32, mib: u32, peers: u32, options: &Options) -> Outcome<Self> {
        let (ground, alone) = (options.ground, options.side);
        let peer = Peer::start(ground, round)?;
        let mut connections = Vec::new();
        for (take, (profile, side)) in takes(round).enumerate() {
            connections.push(peer.connect(&peer::endpoint(profile, ground.network(side), take as u64)?, take).await?);
        }
        #[allow(clippy::cast_possible_truncation)] // 16
        let chunks = (mib * ((1 << 20) / CHUNK_BYTES as u32) / TURNS).max(1);
        Ok(Self { peer, connections, chunks, peers, alone, ground, round })
    }

    /// Where a side's work of a profile is done.
    fn take(&self, first: usize, side: usize) -> usize {
        first + other(side, self.round)
    }

    /// One side's share of one turn.
    async fn turn(&mut self, work: Work, take: usize) -> Outcome<Turn> {
        let (connection, side) = (self.connections[take].clone(), SIDES[other(take % SIDES.len(), self.round)]);
        let mut turn = Turn::default();
        let cpu = self.peer.used()?.cpu + used()?.cpu;
        let began = Instant::now();
        match work {
            Work::Bulk => {
                let bytes = match side {
                    Side::Ours => ours::bulk(&connection, self.chunks).await?,
                    Side::Raw => raw::bulk(connection.quinn(), self.chunks).await?,
                };
                if bytes != self.chunks as usize * CHUNK_BYTES {
                    return Err("the chunks don't have the bytes that they should".into());
                }
                turn.operations = f64::from(self.chunks);
            }
            Work::PingPong => {
                match side {
                    Side::Ours => ours::ping_pong(&connection, TRIPS, &mut turn.trips).await?,
                    Side::Raw => raw::ping_pong(connection.quinn(), TRIPS, &mut turn.trips).await?,
                }
                #[allow(clippy::cast_precision_loss)] // 500
                let trips = TRIPS as f64;
                turn.operations = trips;
            }
            Work::NewSession1 => {
                questions(&connection, side, 1, QUESTIONS).await?;
                turn.operations = f64::from(QUESTIONS);
            }
            Work::NewSession64 => {
                questions(&connection, side, IN_FLIGHT, QUESTIONS * 8).await?;
                turn.operations = f64::from(QUESTIONS * 8);
            }
            Work::IdlePeer => {}
        }
        turn.took = began.elapsed();
        turn.cpu = (self.peer.used()?.cpu + used()?.cpu).saturating_sub(cpu);
        Ok(turn)
    }

    /// One round of a work for one profile: the sides take turns.
    async fn round(&mut self, work: Work, first: usize, figures: &mut [Figures]) -> Outcome<()> {
        let before = self.datagrams()?;
        let mut sums = [Sum::default(), Sum::default()];
        for turn in 0..TURNS as usize {
            for side in 0..SIDES.len() {
                let side = (side + turn) % SIDES.len(); // neither is always the first
                if self.alone.is_some_and(|alone| alone != SIDES[side]) {
                    continue;
                }
                let Turn { took, cpu, operations, mut trips } = self.turn(work, self.take(first, side)).await?;
                let sum = &mut sums[side];
                let each_second = operations / took.as_secs_f64();
                #[allow(clippy::cast_precision_loss)] // 65,536
                let chunk_bits = CHUNK_BYTES as f64 * 8.0;
                sum.values.push(match work {
                    Work::Bulk => each_second * chunk_bits / 1e9,
                    Work::PingPong => percentile(&mut trips, 0.5),
                    _ => each_second,
                });
                sum.cpu += cpu;
                sum.operations += operations;
                sum.trips.extend(trips);
            }
        }
        let after = self.datagrams()?;
        for (side, (mut sum, figures)) in sums.into_iter().zip(&mut *figures).enumerate() {
            figures.value.push(sum.values.median());
            if work == Work::PingPong {
                figures.more("p99").push(percentile(&mut sum.trips, 0.99));
            }
            figures.cpu.push(sum.cpu.as_secs_f64() * 1e6 / sum.operations);
            let take = self.take(first, side);
            let (before, after) = (before[take], after[take]);
            #[allow(clippy::cast_precision_loss)] // far below 2^52
            figures.datagrams.push((after.sent - before.sent) as f64 / sum.operations);
            figures.lost += after.lost - before.lost;
            figures.mtu = self.connections[take].stats().mtu;
        }
        if work == Work::PingPong && self.alone.is_none() {
            let mut trips = self.stalled(first).await?;
            figures[0].more("stalled").push(percentile(&mut trips, 0.5));
            figures[0].more("stalled_p99").push(percentile(&mut trips, 0.99));
        }
        Ok(())
    }

    /// Round trips beside a stalled session, through sessions.
    async fn stalled(&self, first: usize) -> Outcome<Vec<Duration>> {
        let connection = &self.connections[self.take(first, 0)];
        let stalled = ours::stall(connection).await?;
        tokio::time::sleep(SETTLE).await;
        // The first after a pause find cold caches, and a hundredth of the trips is what the 99th percentile is about.
        ours::ping_pong(connection, TRIPS / 10, &mut Vec::new()).await?;
        let mut trips = Vec::new();
        for _ in 0..STALLED_TURNS {
            ours::ping_pong(connection, TRIPS, &mut trips).await?;
        }
        drop(stalled);
        Ok(trips)
    }

    /// Datagrams of both processes, by profile and side.
    fn datagrams(&mut self) -> Outcome<[Datagrams; TAKES]> {
        let used = self.peer.used()?;
        let mut all = [Datagrams::default(); TAKES];
        for (take, (all, connection)) in all.iter_mut().zip(&self.connections).enumerate() {
            let stats = connection.stats();
            *all = Datagrams { sent: stats.sent + used.sent[take], lost: stats.lost + used.lost[take] };
        }
        Ok(all)
    }

    /// Peers that connect to a fresh process, do one round trip and wait: how much more memory it has then.
    async fn idle(&self, first: usize, figures: &mut [Figures]) -> Outcome<()> {
        for side in 0..SIDES.len() {
            let side = other(side, self.round);
            let take = self.take(first, side);
            let Some((profile, figures)) =
                takes(self.round).nth(take).map(|(profile, _)| profile).zip(figures.get_mut(side))
            else {
                continue;
            };
            let mut peer = Peer::start(self.ground, self.round)?;
            let from = peer::endpoint(profile, self.ground.network(SIDES[side]), 10 + take as u64)?;
            let cpu = peer.used()?.cpu;
            // The first ones make the process allocate what all of them share.
            let mut kept = vec![connect(&peer, &from, take, CONNECTING).await?];
            let _sessions = wait(&kept, SIDES[side]).await?;
            let before = peer.used()?.resident;
            for _ in 0..self.peers as usize / CONNECTING {
                kept.push(connect(&peer, &from, take, CONNECTING).await?);
            }
            tokio::time::sleep(SETTLE).await;
            let connected = peer.used()?.resident;
            let sessions = wait(&kept[1..], SIDES[side]).await?;
            tokio::time::sleep(SETTLE).await;
            let used = peer.used()?;
            #[allow(clippy::cast_precision_loss)] // far below 2^52
            let each = |from: u64, to: u64| to.saturating_sub(from) as f64 / sessions.len() as f64;
            figures.value.push(each(before, used.resident));
            figures.more("connection").push(each(before, connected));
            figures.more("session").push(each(connected, used.resident));
            figures.cpu.push(used.cpu.saturating_sub(cpu).as_secs_f64() * 1e6 / f64::from(self.peers));
            figures.lost += used.lost.iter().sum::<u64>();
            figures.mtu = kept[0][0].stats().mtu;
        }
        Ok(())
    }
}

async fn connect(peer: &Peer, from: &Endpoint, take: usize, count: usize) -> Outcome<Vec<Connection>> {
    let mut connections = Vec::new();
    for _ in 0..count {
        connections.push(peer.connect(from, take).await?);
    }
    Ok(connections)
}

/// One session on each connection, which waits after a round trip.
async fn wait(connections: &[Vec<Connection>], side: Side) -> Outcome<Vec<Box<dyn std::any::Any + Send>>> {
    let mut sessions = Vec::new();
    for connection in connections.iter().flatten() {
        sessions.push(match side {
            Side::Ours => ours::idle(connection).await?,
            Side::Raw => raw::idle(connection.quinn()).await?,
        });
    }
    Ok(sessions)
}

/// Sends `count` requests, each in a session of its own, `at_once` at a time.
async fn questions(connection: &Connection, side: Side, at_once: u32, count: u32) -> Outcome<()> {
    let left = Arc::new(AtomicU32::new(count));
    let asking: Vec<_> = (0..at_once)
        .map(|_| {
            let (left, connection) = (Arc::clone(&left), connection.clone());
            tokio::spawn(async move {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    match side {
                        Side::Ours => ours::question(&connection).await?,
                        Side::Raw => raw::question(connection.quinn()).await?,
                    }
                }
                Outcome::Ok(())
            })
        })
        .collect();
    for asked in asking {
        asked.await??;
    }
    Ok(())
}
