//! The process that is attacked. It prints its address, then answers each line on standard input with a line about
//! itself, and ends with its input.

use super::{
    HONEST, Outcome, host,
    hostile::{self, ATTACKERS},
    identity,
    meeting::{PeerAddress, SystemClock, hello},
};
use serde::{Deserialize, Serialize};
use shardwire_model::{
    AccountId, Cause, Clock, ContractId, Entry, EventId, Felt, Hash, Key, Kind, PeerId, ShardId, ShardStart, Timestamp,
    finished_selector, state_commitment,
};
use shardwire_peers::{AdmissionCounts, ConfiguredPeers, Peers, Rules, load::resident_bytes, receive, sessions};
use shardwire_protocols::{
    Failure, ServeError, Signed, catalogue,
    handshake::{self, Handshake},
    keepalive::{self, Keepalive},
    timing::GREETING,
    trace::{
        self, Chunk, ChunkAnswer, DeclineReason, Finished, Grant, JobOffer, LeaseTerms, Progress, Progressed,
        ResumableJob, Trace, job_id,
    },
};
use shardwire_reputation::{Event, Record, Standing, Work};
use shardwire_telemetry::Telemetry;
use shardwire_transport::{Bytes, Connection, Endpoint, Identity, Incoming, Pause, Profile, SessionError};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Lines, Write},
    net::{IpAddr, Ipv4Addr},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;

/// The hidden command that makes a process the victim.
pub(crate) const COMMAND: &str = "attack-victim";
/// Bytes of a chunk on the wire: in the middle of what chunks have.
const CHUNK_BYTES: usize = 256 << 10;
const NUMBER: u8 = 200;

/// What the victim reports about itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct VictimReport {
    /// Processor time so far.
    pub(super) cpu: Duration,
    /// The most memory that it ever had, in bytes.
    pub(super) peak: u64,
    /// How each attacker stands.
    pub(super) attackers: Vec<String>,
    /// Counts of connections admitted and refused.
    pub(super) admission: AdmissionCounts,
}

/// An operator whose chunks hold noise. Each prover gets the same job, under its own lease.
struct Source {
    identity: Identity,
    offer: JobOffer,
    chunk: Chunk,
    epoch: AtomicU64,
}

impl Source {
    fn new(identity: Identity) -> Self {
        use rand::{RngCore as _, SeedableRng as _};
        let contract = ContractId(Felt::ONE);
        let shard = ShardId(Felt::TWO);
        let end_event = EventId { from: contract, selector: finished_selector() };
        let (operator, contracts, accounts) = (identity.peer(), vec![contract], vec![AccountId(Felt::ONE)]);
        let entries = vec![Entry { kind: Kind::Counter, contract, key: Key(Felt::ONE), guard: Felt::ZERO }];
        let (program, deadline) = (Felt::TWO, Timestamp(u64::MAX));
        let start = ShardStart { shard, program, operator, contracts, accounts, end_event, deadline, entries };
        let (program, values) = (Felt::THREE, vec![Felt::ZERO]);
        let job = job_id(program, start.commitment(), state_commitment(start.commitment(), &values), 0);
        let mut body = vec![0; CHUNK_BYTES];
        rand_chacha::ChaCha20Rng::seed_from_u64(1).fill_bytes(&mut body);
        let hash = Hash::of(&body);
        #[allow(clippy::cast_possible_truncation)] // 256 KiB
        let chunk = Chunk { index: 0, hash, raw_bytes: CHUNK_BYTES as u32, body: Bytes::from(body) };
        let offer = JobOffer { job, shard, segment: 0, start, values, program, ended: true };
        Self { identity, offer, chunk, epoch: AtomicU64::new(0) }
    }
}

impl trace::Handler for Source {
    async fn offer(&self, _: PeerId, _: &[ResumableJob]) -> Result<JobOffer, Failure> {
        Ok(self.offer.clone())
    }

    async fn claim(&self, prover: PeerId, job: Hash) -> Result<Grant, Failure> {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed);
        let expires = SystemClock.now().plus(trace::LEASE);
        Ok(Grant::Leased(Signed::by(&self.identity, LeaseTerms { job, epoch, expires, prover })))
    }

    async fn declined(&self, _: PeerId, _: Hash, _: DeclineReason, _: Cause) -> Result<(), Failure> {
        Ok(())
    }

    async fn chunk(&self, _: PeerId, _: Hash, _: u64, index: u32) -> Result<ChunkAnswer, Failure> {
        Ok(ChunkAnswer::Chunk(Chunk { index, ..self.chunk.clone() }))
    }

    async fn progress(&self, _: PeerId, _: Hash, _: Progress) -> Result<Progressed, Failure> {
        Ok(Progressed::Renewed { expires: SystemClock.now().plus(trace::LEASE) })
    }

    async fn finished(&self, _: PeerId, _: Hash, _: u64, _: Hash) -> Result<Finished, Failure> {
        Ok(Finished::Acknowledged)
    }

    async fn abandoned(&self, _: PeerId, _: Hash, _: u64, _: Cause) -> Result<(), Failure> {
        Ok(())
    }
}

/// Runs the victim until its input ends.
pub(crate) fn run() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let identity = identity(NUMBER);
        let settings = catalogue::settings(Profile::default());
        let here = (Ipv4Addr::LOCALHOST, 0).into();
        let endpoint = Endpoint::bind(here, identity.clone(), &settings, &mut rand::rng())?;
        let peers = peers();
        let tending = peers.clone();
        tokio::spawn(async move { tending.maintain(|_| std::future::ready(()), resident_bytes).await });
        let source = Arc::new(Source::new(identity.clone()));
        tokio::spawn(receive(peers.clone(), endpoint.clone(), move |connection, presence| {
            let source = source.clone();
            async move {
                match timeout(GREETING, greeted(&connection)).await {
                    Ok(Ok(())) => {
                        let serving = move |incoming| {
                            let source = source.clone();
                            async move { serve(incoming, &source).await }
                        };
                        sessions(&connection, &presence, &Pause::default(), serving).await;
                    }
                    Ok(Err(error)) => presence.failed("handshake", &error.into()),
                    Err(_) => connection.close(),
                }
            }
        }));
        let address = PeerAddress { address: endpoint.address(), peer: identity.peer() };
        say!("{}", serde_json::to_string(&address)?);
        let (done, ended) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || done.send(answer(&peers)));
        ended.await?
    })
}

/// Peers under a node's default rules. Two are configured; some attackers have worked well until today.
fn peers() -> Arc<Peers> {
    let worked = || {
        let work = Event::Worked(Work::Proof);
        (0..4).fold(Record::default(), |record, _| record.after(&work, SystemClock.now(), &Rules::default().policy))
    };
    let turncoats = ATTACKERS.iter().zip(0..).filter(|(kind, _)| **kind == hostile::Kind::Oversize);
    let records = turncoats.map(|(_, number)| (identity(number).peer(), worked()));
    let configured = HONEST.map(|number| (identity(number).peer(), Some(IpAddr::from(host(number)))));
    let named = ConfiguredPeers {
        own: BTreeSet::from([identity(NUMBER).peer()]),
        configured: configured.into(),
        hosts: BTreeSet::from([Ipv4Addr::LOCALHOST.into()]),
        ..ConfiguredPeers::default()
    };
    Peers::new(&Rules::default(), named, records, BTreeMap::new(), Arc::new(SystemClock), &Telemetry::default())
}

async fn greeted(connection: &Connection) -> Result<(), SessionError> {
    let session = connection.accept().await?.serve::<Handshake>().await?;
    match handshake::answer(session, hello(&SystemClock)).await {
        Err(handshake::HandshakeError::Session(error)) => Err(error),
        _ => Ok(()),
    }
}

async fn serve(incoming: Incoming, source: &Source) -> Result<(), ServeError> {
    if incoming.is::<Keepalive>() {
        Ok(keepalive::serve(incoming.serve::<Keepalive>().await?, &SystemClock).await?)
    } else if incoming.is::<Trace>() {
        trace::serve(incoming.serve::<Trace>().await?, source).await
    } else {
        Err(incoming.unserved().into())
    }
}

/// Answers each line of input.
fn answer(peers: &Arc<Peers>) -> Outcome<()> {
    for line in std::io::stdin().lines() {
        line?;
        let attackers = (0..).zip(ATTACKERS).map(|(number, kind)| stands(peers, number, kind)).collect();
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let cpu = Duration::new(u64::try_from(cpu.tv_sec)?, u32::try_from(cpu.tv_nsec)?);
        let report = VictimReport { cpu, peak: peak_bytes()?, attackers, admission: peers.figures().admission };
        say!("{}", serde_json::to_string(&report)?);
    }
    Ok(())
}

/// An attacker's standing. One that always comes with new identities has the best standing among those connected from
/// its host, and is refused if none is.
fn stands(peers: &Peers, number: u8, kind: hostile::Kind) -> String {
    if kind != hostile::Kind::Reconnect {
        return peers.standing(identity(number).peer()).to_string();
    }
    let from = IpAddr::from(host(number));
    let views = peers.after(None, usize::MAX).into_iter().map(|peer| peers.view(peer));
    let best = views.filter(|view| view.connected.contains(&from)).filter_map(|view| view.standing.tier()).max();
    best.map_or_else(|| "refused".to_owned(), |tier| Standing::Admitted(tier).to_string())
}

/// The most memory that this process ever had in RAM.
fn peak_bytes() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak in /proc/self/status")?;
    let kib: u64 = line.split_whitespace().next().ok_or("no peak in /proc/self/status")?.parse()?;
    Ok(kib * 1024)
}

/// The victim's process. It ends when this is dropped.
pub(super) struct Victim {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    pub(super) address: PeerAddress,
}

impl Victim {
    pub(super) fn start() -> Outcome<Self> {
        let mut child =
            Command::new(std::env::current_exe()?).arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().ok_or("no input")?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let address = output.next().ok_or("the victim ended at once")??;
        Ok(Self { child, input, output, address: serde_json::from_str(&address)? })
    }

    /// What it reports about itself now.
    pub(super) fn look(&mut self) -> Outcome<VictimReport> {
        self.input.write_all(b"\n")?;
        Ok(serde_json::from_str(&self.output.next().ok_or("the victim ended")??)?)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}
