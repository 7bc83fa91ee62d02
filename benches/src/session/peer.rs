//! The other side: a process of its own, with an endpoint for each profile and each side.

use super::{Ground, Side, TAKES, ours, raw};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};
use shardwire_model::PeerId;
use shardwire_transport::{Connection, Endpoint, Identity, Network, Profile, Settings};
use std::{
    error::Error,
    io::{BufRead, BufReader, Lines, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The hidden command that makes a process the other side.
pub(crate) const COMMAND: &str = "session-peer";

/// The address of an endpoint of the other side.
#[derive(Debug, Serialize, Deserialize)]
struct PeerAddress {
    address: SocketAddr,
    peer: PeerId,
}

/// What a process has used since it began.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Used {
    /// CPU time, the system's share included.
    pub(super) cpu: Duration,
    /// Memory that is resident now, in bytes.
    pub(super) resident: u64,
    /// Datagrams lost, by profile and side.
    pub(super) lost: [u64; TAKES],
    /// Datagrams sent, by profile and side.
    pub(super) sent: [u64; TAKES],
}

/// What this process has used.
pub(super) fn used() -> Outcome<Used> {
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let cpu = Duration::new(u64::try_from(cpu.tv_sec)?, u32::try_from(cpu.tv_nsec)?);
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = pages.split(' ').nth(1).ok_or("no resident size in /proc/self/statm")?.parse()?;
    Ok(Used { cpu, resident: pages * u64::try_from(rustix::param::page_size())?, lost: [0; TAKES], sent: [0; TAKES] })
}

/// An endpoint on the loopback interface, under a key of its own.
pub(super) fn endpoint(profile: Profile, network: &dyn Network, seed: u64) -> Outcome<Endpoint> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let identity = Identity::generate(&mut rng);
    Ok(Endpoint::open(network, ([127, 0, 0, 1], 0).into(), identity, &Settings::from(profile), &mut rng)?)
}

/// The connections of this process, by profile and side.
type Register = Arc<Mutex<Vec<(usize, Connection)>>>;

/// Runs the other side until its input ends.
pub(crate) fn run(ground: Ground, round: u32) -> Outcome<()> {
    let runtime = ground.threads.runtime()?;
    runtime.block_on(async {
        let register = Register::default();
        let mut addresses = Vec::new();
        for (take, (profile, side)) in super::takes(round).enumerate() {
            let endpoint = endpoint(profile, ground.network(side), 100 + take as u64)?;
            addresses.push(PeerAddress { address: endpoint.address(), peer: endpoint.identity().peer() });
            tokio::spawn(listen(endpoint, take, side, Arc::clone(&register)));
        }
        say!("{}", serde_json::to_string(&addresses)?);
        let (done, ended) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || done.send(report(&register)));
        ended.await?
    })
}

/// Answers each line of input.
fn report(register: &Register) -> Outcome<()> {
    for line in std::io::stdin().lines() {
        line?;
        let mut used = used()?;
        for (take, connection) in register.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let stats = connection.stats();
            if let (Some(lost), Some(sent)) = (used.lost.get_mut(*take), used.sent.get_mut(*take)) {
                *lost += stats.lost;
                *sent += stats.sent;
            }
        }
        say!("{}", serde_json::to_string(&used)?);
    }
    Ok(())
}

async fn listen(endpoint: Endpoint, take: usize, side: Side, register: Register) {
    while let Some(arrival) = endpoint.accept().await {
        let register = Arc::clone(&register);
        tokio::spawn(async move {
            let Ok(connection) = arrival.admit().await else { return };
            register.lock().unwrap_or_else(PoisonError::into_inner).push((take, connection.clone()));
            match side {
                Side::Ours => ours::serve(connection).await,
                Side::Raw => raw::serve(connection.quinn().clone()).await,
            }
        });
    }
}

/// The process of the other side. It ends when this is dropped.
pub(super) struct Peer {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    addresses: Vec<PeerAddress>,
}

impl Peer {
    pub(super) fn start(ground: Ground, round: u32) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([COMMAND, "--round", &round.to_string()])
            .args(ground.flags())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("no input")?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let addresses = output.next().ok_or("the other side ended at once")??;
        Ok(Self { child, input, output, addresses: serde_json::from_str(&addresses)? })
    }

    /// Connects to the endpoint for a profile and side.
    pub(super) async fn connect(&self, from: &Endpoint, take: usize) -> Outcome<Connection> {
        let address = self.addresses.get(take).ok_or("no such endpoint")?;
        Ok(from.connect(address.address, Some(address.peer)).await?)
    }

    /// What the process has used.
    pub(super) fn used(&mut self) -> Outcome<Used> {
        self.input.write_all(b"\n")?;
        Ok(serde_json::from_str(&self.output.next().ok_or("the other side ended")??)?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}
