//! The process of the attackers. Its command line says where the victim is. It attacks until its input ends and never
//! gives up: an attacker that is turned away tries again at once.

use super::{
    Outcome, honest, host, identity,
    meeting::{PeerAddress, SystemClock, hello},
};
use clap::ValueEnum;
use shardwire_protocols::{
    catalogue,
    handshake::{Handshake, greet},
};
use shardwire_transport::{Connection, Endpoint, Identity, Profile};
use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::atomic::AtomicU64,
    time::Duration,
};
use tokio::{
    net::UdpSocket,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

/// The hidden command that makes a process the attackers.
pub(crate) const COMMAND: &str = "attack-hostile";
/// First datagrams of handshakes that a flood sends in a second: 20 Mbit/s.
pub(crate) const FLOOD_PER_S: u32 = 2_000;
/// Different datagrams, sent repeatedly: a victim that keeps no state sees a new caller in each.
const DATAGRAMS: usize = 512;
/// Datagrams sent at once.
const BURST: u32 = 10;
/// Streams that a slow loris holds open.
const HELD: usize = 200;
/// How soon an attacker that was turned away tries again.
const AGAIN: Duration = Duration::from_millis(2);
/// How long an attacker waits for an answer.
const IMPATIENT: Duration = Duration::from_secs(1);
/// The header of a session of keepalive, version 1.
const HEADER: &[u8] = b"\x0b\x09keepalive\x01";
/// A ping, tag and length before it.
const PING: &[u8] = &[0, 1, 5];

/// What an attacker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    HandshakeFlood,
    StreamFlood,
    Oversize,
    SlowLoris,
    MaxRate,
    Reconnect,
}

use Kind::{HandshakeFlood, MaxRate, Oversize, Reconnect, SlowLoris, StreamFlood};

/// The attackers, by their numbers from 0 on.
pub(crate) const ATTACKERS: [Kind; 16] = [
    HandshakeFlood,
    HandshakeFlood,
    StreamFlood,
    StreamFlood,
    StreamFlood,
    Oversize,
    Oversize,
    Oversize,
    SlowLoris,
    SlowLoris,
    SlowLoris,
    MaxRate,
    MaxRate,
    MaxRate,
    Reconnect,
    Reconnect,
];
/// The attacker whose host is shut when the price of a refused handshake is measured: one that broke rules.
const SHUT: u8 = 5;

/// Which attacker at the maximum rate pulls chunks.
const PULLS: u8 = 12;

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            HandshakeFlood => "handshake_flood",
            StreamFlood => "stream_flood",
            Oversize => "oversize",
            SlowLoris => "slow_loris",
            MaxRate => "max_rate",
            Reconnect => "reconnect",
        }
    }
}

/// The attack to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// All sixteen attackers at once.
    Attack,
    /// A flood of handshakes from a shut host.
    Price,
}

/// The attackers' process. It ends when this is dropped.
pub(crate) struct Attackers(Child);

impl Drop for Attackers {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended
        let _ = self.0.wait();
    }
}

/// Starts the process, at the lowest priority where the system has `nice`.
pub(crate) fn start(victim: &PeerAddress, scenario: Scenario) -> Outcome<Attackers> {
    let own = std::env::current_exe()?;
    let arguments = |command: &mut Command| {
        let scenario = if scenario == Scenario::Attack { "attack" } else { "price" };
        command.args([COMMAND, scenario, &victim.address.to_string(), &victim.peer.to_string()]).stdin(Stdio::piped());
    };
    let mut nice = Command::new("nice");
    nice.args(["-n", "19"]).arg(&own);
    arguments(&mut nice);
    let child = nice.spawn().or_else(|error| {
        eprintln!("the attackers run at the priority of the others: {error}");
        let mut plain = Command::new(&own);
        arguments(&mut plain);
        plain.spawn()
    })?;
    Ok(Attackers(child))
}

/// Attacks until the input ends.
pub(crate) fn run(scenario: Scenario, address: SocketAddr, peer: &str) -> Outcome<()> {
    let victim = PeerAddress { address, peer: peer.parse()? };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match scenario {
            Scenario::Price => drop(tokio::spawn(flood(SHUT, victim))),
            Scenario::Attack => {
                for (kind, number) in ATTACKERS.into_iter().zip(0..) {
                    tokio::spawn(attack(kind, number, victim));
                }
            }
        }
        let (ended, end) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || ended.send(std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).map(drop)));
        Ok(end.await??)
    })
}

async fn attack(kind: Kind, number: u8, victim: PeerAddress) {
    if kind == HandshakeFlood {
        if let Err(error) = flood(number, victim).await {
            eprintln!("a flood of handshakes ended: {error}");
        }
        return;
    }
    let mut round = 0_u64;
    loop {
        round += 1;
        let identity = if kind == Reconnect { fresh(number, round) } else { identity(number) };
        let ended = async {
            let endpoint = endpoint(host(number), identity)?;
            let connection = timeout(IMPATIENT, endpoint.connect(victim.address, Some(victim.peer))).await??;
            greet(connection.open::<Handshake>().await?, hello(&SystemClock)).await?;
            match kind {
                StreamFlood => open_sessions(&connection).await?,
                Oversize => loop {
                    announce_too_much(&connection).await?;
                },
                SlowLoris => dawdle(&connection).await?,
                MaxRate if number == PULLS => honest::lease(&connection, number, &AtomicU64::new(0)).await?,
                MaxRate => ping_on(&connection).await?,
                HandshakeFlood | Reconnect => announce_too_much(&connection).await?,
            }
            connection.close();
            Outcome::Ok(())
        };
        // It starts again, however it ended.
        let _: Outcome<()> = ended.await;
        sleep(AGAIN).await;
    }
}

/// A new identity each time.
fn fresh(number: u8, round: u64) -> Identity {
    let mut secret = [number; 32];
    secret[..8].copy_from_slice(&round.to_le_bytes());
    Identity::from_secret(&secret)
}

fn endpoint(from: Ipv4Addr, identity: Identity) -> Outcome<Endpoint> {
    let settings = catalogue::settings(Profile::default());
    Ok(Endpoint::bind((from, 0).into(), identity, &settings, &mut rand::rng())?)
}

/// Opens sessions as fast as it can, and reads nothing.
async fn open_sessions(connection: &Connection) -> Outcome<()> {
    loop {
        let (mut send, _) = connection.quinn().open_bi().await?;
        send.write_all(&[HEADER, PING].concat()).await?;
    }
}

/// Announces a frame of 256 MiB.
async fn announce_too_much(connection: &Connection) -> Outcome<()> {
    let (mut send, mut recv) = connection.quinn().open_bi().await?;
    send.write_all(&[HEADER, &[0, 0xff, 0xff, 0xff, 0x7f]].concat()).await?;
    let _ = timeout(IMPATIENT, recv.read_to_end(64)).await; // it is reset
    Ok(())
}

/// Holds streams open with a byte a second each.
async fn dawdle(connection: &Connection) -> Outcome<()> {
    let mut held = Vec::new();
    loop {
        if held.len() < HELD {
            held.push((connection.quinn().open_bi().await?, 0));
        }
        let begun = held.len() == HELD;
        let (first, rest) = if begun { (0, held.len()) } else { (held.len() - 1, held.len()) };
        let mut over = BTreeSet::new();
        for (at, ((send, _), said)) in held.iter_mut().enumerate().take(rest).skip(first) {
            let byte = HEADER.get(*said).copied().unwrap_or(0);
            *said += 1;
            if send.write_all(&[byte]).await.is_err() {
                over.insert(at); // refused: another takes its place
            }
        }
        let mut at = 0;
        held.retain(|_| {
            at += 1;
            !over.contains(&(at - 1))
        });
        if begun {
            sleep(Duration::from_secs(1)).await;
        }
        if connection.is_closed() {
            return Ok(());
        }
    }
}

/// Pings on eight sessions, on each again as soon as the answer has come: more ahead would be a violation.
async fn ping_on(connection: &Connection) -> Outcome<()> {
    let mut sessions = JoinSet::new();
    for _ in 0..8 {
        let (mut send, mut recv) = connection.quinn().open_bi().await?;
        sessions.spawn(async move {
            send.write_all(HEADER).await?;
            let mut heard = [0; 4096];
            loop {
                send.write_all(PING).await?;
                if recv.read(&mut heard).await?.is_none() {
                    return Outcome::Ok(());
                }
            }
        });
    }
    while sessions.join_next().await.is_some() {}
    Ok(())
}

/// First datagrams of handshakes, recorded once and sent for ever.
async fn flood(number: u8, victim: PeerAddress) -> Outcome<()> {
    let from = host(number);
    let sink = UdpSocket::bind((from, 0)).await?;
    let endpoint = endpoint(from, identity(number))?;
    let mut dials = JoinSet::new();
    let mut datagrams: Vec<Vec<u8>> = Vec::new();
    let mut buffer = vec![0; 2048];
    while datagrams.len() < DATAGRAMS {
        let (endpoint, to) = (endpoint.clone(), sink.local_addr()?);
        dials.spawn(async move { drop(timeout(Duration::from_millis(50), endpoint.connect(to, None)).await) });
        let (length, _) = sink.recv_from(&mut buffer).await?;
        let datagram = buffer.get(..length).unwrap_or_default();
        // A repeated datagram begins with the same connection id.
        if length >= 1200 && !datagrams.iter().any(|known| known.get(..24) == datagram.get(..24)) {
            datagrams.push(datagram.to_vec());
        }
    }
    dials.shutdown().await;
    let socket = UdpSocket::bind((from, 0)).await?;
    let mut ticks = interval(Duration::from_secs(1) * BURST / FLOOD_PER_S);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut all = datagrams.iter().cycle();
    loop {
        ticks.tick().await;
        for datagram in all.by_ref().take(BURST as usize) {
            // A full queue means that the system takes no more.
            let _ = socket.try_send_to(datagram, victim.address);
        }
    }
}
