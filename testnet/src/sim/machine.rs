//! A machine of the simulated network: a disk that outlives crashes, a clock that may be wrong, and the node that runs on it.

use super::{
    record::{Watching, note},
    reexecution::{LocalEnd, Notary, Proving},
};
use crate::dice::Dice;
use shardwire::host::names::NoNames;
use shardwire::{
    config::{Config, Environment, Flags, Role},
    data::DataPaths,
    host::{Platform, Randomness, platform::Work},
    run::{Home, run_at},
};
use shardwire_disk::{Medium, SimulatedDisk, Survives};
use shardwire_model::{Clock, Hash, PeerId, Timestamp};
use shardwire_store::Disk as _;
use shardwire_telemetry::Telemetry;
use shardwire_transport::{
    Identity, Network as _,
    sim::{Host, Internet},
};
use shardwire_world::WorldIdentity;
use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

/// Every node's port.
pub(super) const PORT: u16 = 7000;
/// The network's name.
pub(super) const NETWORK: &str = "simulation";
/// The date at which simulations begin, in milliseconds since the epoch: in 2020.
pub(super) const BEGINNING: u64 = 1_577_836_800_000;

/// A clock that shows the virtual time, plus an error.
#[derive(Clone, Debug)]
pub(super) struct SimulatedClock {
    began: Instant,
    /// The clock's error, in milliseconds.
    wrong_by: Arc<AtomicI64>,
    /// Its error when nobody has set it.
    skew: i64,
}

impl SimulatedClock {
    pub(super) fn new(wrong_by: i64) -> Self {
        Self { began: Instant::now(), wrong_by: Arc::new(AtomicI64::new(wrong_by)), skew: wrong_by }
    }

    pub(super) fn jump(&self, by: i64) {
        self.wrong_by.fetch_add(by, Ordering::Relaxed);
    }

    /// Somebody sets it right, as right as it was.
    pub(super) fn correct(&self) {
        self.wrong_by.store(self.skew, Ordering::Relaxed);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Timestamp((BEGINNING + passed).saturating_add_signed(self.wrong_by.load(Ordering::Relaxed)))
    }
}

/// A machine with a node.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) ip: IpAddr,
    pub(super) identity: Identity,
    pub(super) medium: Medium,
    pub(super) clock: SimulatedClock,
    role: Role,
    internet: Internet,
    notary: Arc<Notary>,
    proving: Proving,
    /// The configuration's lists.
    peers: Vec<String>,
    admins: Vec<PeerId>,
    seeds: Dice,
    life: Option<Life>,
}

/// A machine's life, from power-on to power-off.
#[derive(Debug)]
struct Life {
    host: Host,
    node: JoinHandle<Result<(), String>>,
    stop: CancellationToken,
}

/// What a machine is made of.
pub(super) struct Parts<'a> {
    pub(super) role: Role,
    pub(super) number: usize,
    pub(super) ip: IpAddr,
    pub(super) internet: &'a Internet,
    pub(super) notary: &'a Arc<Notary>,
    pub(super) proving: Proving,
    pub(super) wrong_by: i64,
    pub(super) dice: &'a mut Dice,
}

impl Machine {
    pub(super) fn new(Parts { role, number, ip, internet, notary, proving, wrong_by, dice }: Parts<'_>) -> Self {
        Self {
            name: format!("{role} {number}"),
            ip,
            identity: Identity::from_secret(&dice.secret()),
            medium: Medium::new(dice.number()),
            clock: SimulatedClock::new(wrong_by),
            role,
            internet: internet.clone(),
            notary: notary.clone(),
            proving,
            peers: Vec::new(),
            admins: Vec::new(),
            seeds: Dice::of(dice.number(), 0),
            life: None,
        }
    }

    /// Introduces a peer; this machine dials it if it has an address.
    pub(super) fn knows(&mut self, peer: PeerId, address: Option<SocketAddr>) {
        self.peers.push(address.map_or_else(|| peer.to_string(), |address| format!("{peer}@{address}")));
    }

    /// Puts the World into its data folder that it belongs to.
    pub(super) fn joins(&self, world: &WorldIdentity) {
        let written = self.disk().write(&self.paths().world(), &[world.to_json().as_bytes()], true);
        written.expect("a disk that nothing has happened to yet");
    }

    /// Puts a genesis into its data folder, from which shards of contracts begin.
    pub(super) fn knows_genesis(&self, genesis: &[u8]) {
        let path = self.paths().geneses().join(format!("{}.json", Hash::of(genesis)));
        self.disk().write(&path, &[genesis], true).expect("a disk that nothing has happened to yet");
    }

    pub(super) fn obeys(&mut self, admin: PeerId) {
        self.admins.push(admin);
    }

    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.ip, PORT)
    }

    pub(super) fn peer(&self) -> PeerId {
        self.identity.peer()
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    pub(super) fn is_up(&self) -> bool {
        self.life.is_some()
    }

    /// The paths of the node's files.
    pub(super) fn paths(&self) -> DataPaths {
        DataPaths::below(PathBuf::from("/node"))
    }

    pub(super) fn disk(&self) -> SimulatedDisk {
        SimulatedDisk::new(&self.medium)
    }

    fn config(&self) -> Config {
        let list = |texts: Vec<String>| texts.iter().map(|it| format!("\"{it}\"")).collect::<Vec<_>>().join(",");
        let text = format!(
            "network = \"{NETWORK}\"\nroles = [\"{}\"]\nlisten = \"{}\"\npeers = [{}]\nadmins = [{}]\n",
            self.role,
            self.address(),
            list(self.peers.clone()),
            list(self.admins.iter().map(ToString::to_string).collect())
        );
        Config::parse(Path::new("shardwire.toml"), &text, &Environment::default(), Flags::default())
            .expect("the simulator's own text")
    }

    /// Starts the node.
    pub(super) fn start(&mut self) {
        note(&format!("{} starts", self.name));
        let host = self.internet.host(self.ip);
        let platform = Platform {
            clock: Arc::new(self.clock.clone()),
            network: Arc::new(host.clone()),
            names: Arc::new(NoNames),
            disk: Arc::new(self.disk()),
            work: Work::AtOnce,
            randomness: Randomness::from_seed(self.seeds.number()),
            telemetry: Telemetry::observed_by(Watching),
        };
        let home = Home { identity: self.identity.clone(), paths: self.paths() };
        let proofs = self.notary.proofs(self.peer(), self.disk(), &self.proving);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let (config, name) = (self.config(), self.name.clone());
        let node = tokio::spawn(host.pause().task(async move {
            let ended = run_at(config, home, platform, proofs, stopped, |_| Ok(())).await;
            ended.map_err(|error| {
                note(&format!("{name} can't run: {error}"));
                format!("error[{}]: {error}. {}", error.code(), error.next_step())
            })
        }));
        self.life = Some(Life { host, node, stop });
    }

    /// Lets the worker end like this from now on, instead of proving.
    pub(super) fn worker_ends(&self, end: Option<LocalEnd>) {
        *self.proving.ends.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    /// Pauses the process until [`resume`](Self::resume).
    pub(super) fn pause(&self) {
        if let Some(life) = &self.life {
            life.host.begin_pause();
        }
    }

    /// Resumes the process.
    pub(super) fn resume(&self) {
        if let Some(life) = &self.life {
            note(&format!("{} goes on", self.name));
            life.host.end_pause();
        }
    }

    /// Tells the node to stop, and waits for it.
    pub(super) async fn stop(&mut self) {
        let Some(life) = self.life.take() else { return };
        // A paused node wouldn't receive the request to stop.
        life.host.end_pause();
        note(&format!("{} is told to stop", self.name));
        life.stop.cancel();
        let _ = life.node.await;
        life.host.power_off();
    }

    /// Cuts the power.
    pub(super) fn crash(&mut self) {
        let Some(life) = self.life.take() else { return };
        note(&format!("{} crashes", self.name));
        self.medium.power_off();
        life.host.power_off();
        life.node.abort();
    }

    /// Restores the power, with what survived on the disk, and starts the node.
    pub(super) fn recover(&mut self, survives: Survives) {
        self.crash();
        self.medium.power_on(survives);
        self.start();
    }

    /// Whether the node has ended by itself, for example because its disk failed at start-up.
    pub(super) fn has_ended(&self) -> bool {
        self.life.as_ref().is_some_and(|life| life.node.is_finished())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::{Game, genesis};
    use shardwire::world;
    use shardwire_disk::Trouble;
    use std::time::Duration;
    use tokio::time::sleep;

    /// Whatever the system refuses: a node that is started then says which file, what the system says and what to do, and runs once that is over.
    #[tokio::test(start_paused = true)]
    async fn a_node_that_is_started_on_a_disk_in_trouble_says_so_and_runs_when_it_is_started_later() {
        for role in [Role::Settler, Role::Operator, Role::Prover] {
            let (internet, dice) = (Internet::new(1), &mut Dice::of(1, 1));
            let notary = Notary::new(None, dice);
            let game = Game::new(2, dice);
            let proving = Proving { takes: Duration::from_secs(1), padding: 0, ends: Arc::default() };
            let ip = IpAddr::from([10, 0, 0, 1]);
            let parts = Parts { role, number: 0, ip, internet: &internet, notary: &notary, proving, wrong_by: 0, dice };
            let mut machine = Machine::new(parts);
            let genesis = genesis(&game.first);
            let first = genesis.hash().unwrap();
            let identity = WorldIdentity::new(NETWORK, first, [machine.peer()], notary.programs()).unwrap();
            if role == Role::Settler {
                world::create(&machine.disk(), &machine.paths(), &identity, &genesis).unwrap();
            }
            machine.joins(&identity);
            // Of a folder that was never used, and of one that was.
            for used in [false, true] {
                for trouble in [None].into_iter().chain(Trouble::ALL.map(Some)) {
                    machine.medium.trouble(trouble);
                    if trouble.is_none() {
                        machine.medium.set_capacity(Some(machine.medium.used()));
                    }
                    machine.start();
                    sleep(Duration::from_secs(40)).await;
                    if machine.has_ended() {
                        let said = machine.life.take().unwrap().node.await.unwrap().unwrap_err();
                        let codes = ["error[SW-STORE-006]: ", "error[SW-LEDGER-009]: ", "error[SW-WORLD-021]: "];
                        assert!(codes.iter().any(|code| said.starts_with(code)), "{role} {used} {trouble:?}: {said}");
                        let system = ["(os error", "no storage space"];
                        assert!(system.iter().any(|words| said.contains(words)), "{role} {used} {trouble:?}: {said}");
                        let next = ["one that has ended is to be started again", "Make the file readable"];
                        assert!(next.iter().any(|words| said.contains(words)), "{role} {used} {trouble:?}: {said}");
                    }
                    machine.medium.set_capacity(None);
                    machine.medium.trouble(None);
                    machine.stop().await;
                }
                machine.recover(Survives::All);
                sleep(Duration::from_secs(40)).await;
                assert!(!machine.has_ended(), "{role} {used}");
                machine.stop().await;
            }
        }
    }
}
