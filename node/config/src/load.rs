//! The sources meet: the strongest value of each setting is parsed, and what contradicts itself is refused.

use super::{
    config::{
        Config, DEFAULT_NETWORK, DEFAULT_PROOF_MEMORY_BYTES, DEFAULT_SHARD_TIMEOUT, DEFAULT_WORKER_DEADLINE,
        DEFAULT_WORKER_MEMORY_BYTES, Log, MAX_ADMINS, MAX_FORK_NODES, MAX_LISTED, MAX_NETWORK_BYTES, MAX_PEERS,
        MAX_QUOTAS, Operator, Reputation, Settler, Sources, Warning, Worker,
    },
    error::ConfigError,
    file,
    origin::Origin,
    setting::Setting,
    source::{Environment, Flags, Given, Layer},
    value::{ForkNode, LogFormat, OneQuota, Peer, role},
};
use shardwire_model::{Address, PeerId, Role, is_of_many, life::MAX_TIMEOUT, socket_address};
use shardwire_peers::Rules;
use shardwire_reputation::decay::MAX_HALF_LIFE;
use shardwire_transport::Profile;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};
use tracing_subscriber::EnvFilter;

/// Longest deadline of a proof: a week. Longer is a slip, not an intention.
const MAX_WORKER_DEADLINE_S: u64 = 7 * 24 * 60 * 60;
/// Most threads of a proof.
const MAX_WORKER_THREADS: usize = 1024;

impl Config {
    /// Reads the file at `path`, adds environment and flags, and checks every value by itself;
    /// [`check`](Self::check) looks at the whole.
    ///
    /// # Errors
    /// The first bad value, in the order of [`Setting::ALL`], or a file that can't be read.
    pub fn load(path: &Path, environment: &Environment, flags: Flags) -> Result<Self, ConfigError> {
        let sources = Sources { path: path.to_owned(), environment: environment.clone(), flags: flags.clone() };
        let layers = [file::read(path)?, environment.to_layer()?, flags.into_layer()];
        Ok(Self { sources: Some(sources), ..resolve(layers, environment)? })
    }

    /// Reads the file again, with the environment and the flags as they were. One that was made otherwise stays what it is.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn reload(&self) -> Result<Self, ConfigError> {
        match self.sources.clone() {
            Some(Sources { path, environment, flags }) => Self::load(&path, &environment, flags),
            None => Ok(self.clone()),
        }
    }

    /// As [`load`](Self::load), of a file's text.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(path: &Path, text: &str, environment: &Environment, flags: Flags) -> Result<Self, ConfigError> {
        resolve([file::parse(path, text)?, environment.to_layer()?, flags.into_layer()], environment)
    }

    /// What environment and flags say, without a file: for a new one. A role may still be missing.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn draft(environment: &Environment, flags: Flags) -> Result<Self, ConfigError> {
        resolve([BTreeMap::new(), environment.to_layer()?, flags.into_layer()], environment)
    }
}

/// The configuration that the layers, weakest first, make together.
fn resolve(layers: [Layer; 3], environment: &Environment) -> Result<Config, ConfigError> {
    let mut given = Layer::new();
    for layer in layers {
        given.extend(layer);
    }
    let values = Values(given);

    let network = values.one(Setting::Network, network)?.unwrap_or_else(|| DEFAULT_NETWORK.to_owned());
    let (roles, _) = values.list(Setting::Roles, usize::MAX, role)?;
    let listen = values.one(Setting::Listen, listening)?.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let advertise = values.one(Setting::Advertise, |text| text.parse::<Address>().ok())?;
    let (peers, peer_origins) = values.list(Setting::Peers, MAX_PEERS, |text| text.parse::<Peer>().ok())?;
    let (admins, _) = values.list(Setting::Admins, MAX_ADMINS, |text| text.parse::<PeerId>().ok())?;
    let profile = values.one(Setting::Profile, |text| text.parse().ok())?.unwrap_or(Profile::Internet);
    let settler = Settler {
        shard_timeout: values
            .limit(Setting::ShardTimeout, MAX_TIMEOUT.as_secs())?
            .map_or(DEFAULT_SHARD_TIMEOUT, Duration::from_secs),
    };
    let operator = Operator {
        proof_memory_bytes: values.limit(Setting::ProofMemory, u64::MAX)?.unwrap_or(DEFAULT_PROOF_MEMORY_BYTES),
    };
    let worker = Worker {
        path: values.one(Setting::WorkerPath, |text| (!text.is_empty()).then(|| PathBuf::from(text)))?,
        memory_limit_bytes: values.limit(Setting::WorkerMemory, u64::MAX)?.unwrap_or(DEFAULT_WORKER_MEMORY_BYTES),
        deadline: values
            .limit(Setting::WorkerDeadline, MAX_WORKER_DEADLINE_S)?
            .map_or(DEFAULT_WORKER_DEADLINE, Duration::from_secs),
        threads: values
            .limit(Setting::WorkerThreads, MAX_WORKER_THREADS as u64)?
            .and_then(|n| usize::try_from(n).ok())
            .and_then(NonZeroUsize::new),
    };
    let reputation = reputation(&values)?;
    let metrics = values.one(Setting::MetricsListen, listening)?;
    let rpc = values.one(Setting::RpcListen, listening)?;
    let (fork_nodes, _) = values.list(Setting::ForkNodes, MAX_FORK_NODES, |text| text.parse::<ForkNode>().ok())?;
    let log = Log {
        filter: values.one(Setting::LogLevel, filter)?.unwrap_or_else(|| "info".to_owned()),
        format: values.one(Setting::LogFormat, |text| text.parse().ok())?.unwrap_or(LogFormat::Text),
    };

    refuse_twins(&peers, &peer_origins)?;
    let roles: BTreeSet<Role> = roles.into_iter().collect();
    let mut warnings = warnings(listen, advertise.is_some(), metrics, environment);
    warnings.extend(rpc.filter(|address| !address.ip().is_loopback()).map(Warning::PublicRpc));
    if rpc.is_some() && !roles.contains(&Role::Operator) {
        warnings.push(Warning::RpcWithoutOperator);
    }
    if !fork_nodes.is_empty() && !roles.contains(&Role::Operator) && !roles.contains(&Role::Settler) {
        warnings.push(Warning::ForksOfProver);
    }
    Ok(Config {
        network,
        roles,
        listen,
        advertise: advertise.clone(),
        peers,
        admins: admins.into_iter().collect(),
        profile,
        settler,
        operator,
        worker,
        reputation,
        metrics,
        rpc,
        fork_nodes,
        log,
        warnings,
        origins: values.0.into_iter().map(|(setting, given)| (setting, given.origin)).collect::<BTreeMap<_, _>>(),
        peer_origins,
        sources: None,
    })
}

/// What peers may do. Whether half-lives, bans and quotas go together is told of the one given last.
fn reputation(values: &Values) -> Result<Reputation, ConfigError> {
    let id = |text: &str| text.parse::<PeerId>().ok();
    let (allow, _) = values.list(Setting::Allow, MAX_LISTED, id)?;
    let (deny, _) = values.list(Setting::Deny, MAX_LISTED, id)?;
    let mut rules = Rules::default();
    let policy = &mut rules.policy;
    for (setting, length) in [
        (Setting::WorkHalfLife, &mut policy.work_half_life),
        (Setting::FaultHalfLife, &mut policy.fault_half_life),
        (Setting::FirstBan, &mut policy.first_ban),
        (Setting::LongestBan, &mut policy.longest_ban),
    ] {
        if let Some(seconds) = values.limit(setting, MAX_HALF_LIFE)? {
            *length = Duration::from_secs(seconds);
        }
    }
    if policy.validate().is_err() {
        let setting = [Setting::FirstBan, Setting::LongestBan].into_iter().find(|it| values.given(*it).is_some());
        return Err(values.refused(setting.unwrap_or(Setting::FirstBan)));
    }
    let parsed = |text: &str| Some((text.to_owned(), text.parse::<OneQuota>().ok()?));
    let (given, _) = values.list(Setting::Quotas, MAX_QUOTAS, parsed)?;
    let mut quotas = Vec::with_capacity(given.len());
    for (text, quota) in given {
        quota.apply(&mut rules.quotas);
        quotas.push(text);
    }
    if rules.quotas.validate().is_err() {
        return Err(values.refused(Setting::Quotas));
    }
    if let Some(bytes) = values.limit(Setting::MemoryWatermark, u64::MAX)? {
        rules.watermarks.memory_bytes = bytes;
    }
    Ok(Reputation { rules, quotas, allow: allow.into_iter().collect(), deny: deny.into_iter().collect() })
}

/// The same id twice is a slip; the same address under two ids can't both be true.
fn refuse_twins(peers: &[Peer], origins: &[Origin]) -> Result<(), ConfigError> {
    let mut ids = BTreeSet::new();
    let mut addrs = BTreeSet::new();
    for (peer, origin) in peers.iter().zip(origins) {
        let twice = |value: String| ConfigError::Twice { setting: Setting::Peers, value, origin: origin.clone() };
        if !ids.insert(peer.id) {
            return Err(twice(peer.id.to_string()));
        }
        if let Some(addr) = peer.addr.as_ref().filter(|addr| !addrs.insert(*addr)) {
            return Err(twice(addr.to_string()));
        }
    }
    Ok(())
}

fn warnings(
    listen: SocketAddr,
    advertised: bool,
    metrics: Option<SocketAddr>,
    environment: &Environment,
) -> Vec<Warning> {
    let public = |address: &SocketAddr| !address.ip().is_loopback();
    let listener = Some(listen).filter(public).map(Warning::PublicListener);
    let metrics = metrics.filter(public).map(Warning::PublicMetrics);
    let unknown = environment.unknown().into_iter().map(|(name, hint)| Warning::UnknownVariable { name, hint });
    let nowhere =
        Some(listen).filter(|address| address.ip().is_unspecified() && !advertised).map(Warning::NotAdvertised);
    listener.into_iter().chain(nowhere).chain(metrics).chain(unknown).collect()
}

/// An address to listen at: perhaps every one of this machine, never one of many machines.
fn listening(text: &str) -> Option<SocketAddr> {
    socket_address(text).filter(|address| !is_of_many(address.ip()))
}

/// The name of a network: short, and the same in a file name, a log line and a shell.
fn network(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    ((1..=MAX_NETWORK_BYTES).contains(&text.len()) && text.bytes().all(allowed)).then(|| text.to_owned())
}

fn filter(text: &str) -> Option<String> {
    // A lone word that is no level would be taken for the name of a module, and silence the node.
    let is_level = || text.parse::<tracing::Level>().is_ok() || text == "off";
    let is_filter = || text.contains('=') && EnvFilter::try_new(text).is_ok();
    (is_level() || is_filter()).then(|| text.to_owned())
}

/// The strongest value of each setting that somebody gave.
struct Values(Layer);

impl Values {
    fn given(&self, setting: Setting) -> Option<&Given> {
        self.0.get(&setting)
    }

    fn one<T>(&self, setting: Setting, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, ConfigError> {
        // Of a setting that is no list, clap and the file give exactly one text.
        let Some((text, origin)) = self.given(setting).and_then(|given| given.texts.first()) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| ConfigError::value(setting, origin.clone(), text))
    }

    fn list<T: PartialEq>(
        &self,
        setting: Setting,
        max: usize,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<(Vec<T>, Vec<Origin>), ConfigError> {
        let Some(Given { origin, texts }) = self.given(setting) else { return Ok((Vec::new(), Vec::new())) };
        if texts.len() > max {
            return Err(ConfigError::TooMany { setting, origin: origin.clone(), got: texts.len(), max });
        }
        let mut values = Vec::with_capacity(texts.len());
        for (text, origin) in texts {
            let value = parse(text).ok_or_else(|| ConfigError::value(setting, origin.clone(), text))?;
            if values.contains(&value) {
                let value = setting.shown(text);
                return Err(ConfigError::Twice { setting, value, origin: origin.clone() });
            }
            values.push(value);
        }
        Ok((values, texts.iter().map(|(_, origin)| origin.clone()).collect()))
    }

    /// That the values of a setting don't go together, or not with others.
    fn refused(&self, setting: Setting) -> ConfigError {
        let given = self.given(setting);
        let origin = given.map_or(Origin::Default, |given| given.origin.clone());
        ConfigError::value(setting, origin, given.map_or_else(String::new, Given::shown))
    }

    /// A number from 1 to `max`.
    fn limit(&self, setting: Setting, max: u64) -> Result<Option<u64>, ConfigError> {
        let number = self.one(setting, |text| text.parse::<u64>().ok().filter(|n| *n <= max))?;
        match (number, self.given(setting)) {
            (Some(0), Some(given)) => Err(ConfigError::Zero { setting, origin: given.origin.clone() }),
            _ => Ok(number),
        }
    }
}
