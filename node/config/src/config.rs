//! The configuration itself, its defaults and bounds, and what it is checked against.

use super::{
    error::ConfigError,
    origin::Origin,
    setting::Setting,
    source::{Environment, Flags},
    value::{ForkNode, LogFormat, Peer},
};
use shardwire_model::{Address, PeerId, Role};
use shardwire_peers::Rules;
use shardwire_transport::Profile;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    num::NonZeroUsize,
    path::PathBuf,
    time::Duration,
};

/// Most peers a node is configured with: each may hold a connection of about 80 kB.
pub const MAX_PEERS: usize = 256;
/// Most peers that may control a node besides itself.
pub const MAX_ADMINS: usize = 64;
/// Most peers that are allowed, and most that are denied, by the configuration. `shardwire peer` names as many more as there are records.
pub const MAX_LISTED: usize = 1024;
/// Most quotas that differ from the default: five for each tier and protocol.
pub const MAX_QUOTAS: usize = 256;
/// Most nodes that are asked about networks: some for each of a few.
pub const MAX_FORK_NODES: usize = 64;
/// Longest name of a network, in bytes: what a `Hello` carries.
pub const MAX_NETWORK_BYTES: usize = 64;
/// The network's name unless configured.
pub const DEFAULT_NETWORK: &str = "local";
/// How long a shard has until it is aborted, unless configured or said when it is started: a day. A game's evening, its proof, and a night in which
/// nobody looks.
pub const DEFAULT_SHARD_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
/// What a proof may take unless configured: 12 GiB. A shard of 2,000 transactions takes about 4 GiB.
pub const DEFAULT_WORKER_MEMORY_BYTES: u64 = 12 << 30;
/// Of how many bytes of its prover's memory an operator makes proofs, if nothing else is said: less than a prover's worker may take by default.
pub const DEFAULT_PROOF_MEMORY_BYTES: u64 = 9 << 30;
/// How long a proof may take unless configured: half an hour, some ten times what a full shard takes on two cores.
pub const DEFAULT_WORKER_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// How a node is configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// The network's name: nodes of different networks refuse each other.
    pub network: String,
    /// What this node does.
    pub roles: BTreeSet<Role>,
    /// Where it listens. Loopback unless told otherwise.
    pub listen: SocketAddr,
    /// Where others dial it, if that isn't where it listens: behind a forwarded port, or at a name.
    pub advertise: Option<Address>,
    /// The nodes it works with.
    pub peers: Vec<Peer>,
    /// Who may control it besides its own identity.
    pub admins: BTreeSet<PeerId>,
    /// How packets are sized.
    pub profile: Profile,
    /// What shards may take, if this node settles.
    pub settler: Settler,
    /// What it makes of runs, if this node operates.
    pub operator: Operator,
    /// The prover process, if this node proves.
    pub worker: Worker,
    /// What peers may do, and who is named.
    pub reputation: Reputation,
    /// Where metrics are served; nowhere if absent.
    pub metrics: Option<SocketAddr>,
    /// Where an operator serves its shards of contracts as Starknet JSON-RPC; nowhere if absent.
    pub rpc: Option<SocketAddr>,
    /// Who is asked about networks from whose blocks shards go on; of each network the first one first.
    pub fork_nodes: Vec<ForkNode>,
    /// What is logged, and how.
    pub log: Log,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Warning>,
    pub(super) origins: BTreeMap<Setting, Origin>,
    pub(super) peer_origins: Vec<Origin>,
    /// What it was read from, if that can be read again.
    pub(super) sources: Option<Sources>,
}

/// A file, and what is stronger than it.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    pub(super) path: PathBuf,
    pub(super) environment: Environment,
    pub(super) flags: Flags,
}

/// What shards may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settler {
    /// How long a shard has until it is aborted, if nothing else was said when it was started.
    pub shard_timeout: Duration,
}

/// What an operator makes of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    /// How many bytes of its prover's memory a proof may take: a run that would take more is cut, and its segments are proven each by itself.
    pub proof_memory_bytes: u64,
}

/// The prover process and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// The executable; searched for if absent.
    pub path: Option<PathBuf>,
    /// What a proof may take, in bytes.
    pub memory_limit_bytes: u64,
    /// How long a proof may take.
    pub deadline: Duration,
    /// How many threads it may use; every core if absent.
    pub threads: Option<NonZeroUsize>,
}

/// What peers may do, and who is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reputation {
    /// By what the node goes.
    pub rules: Rules,
    /// The quotas that aren't the default, as they were given.
    pub quotas: Vec<String>,
    /// Peers that are never banned.
    pub allow: BTreeSet<PeerId>,
    /// Peers that are never admitted, even if allowed.
    pub deny: BTreeSet<PeerId>,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A level, or a filter of `tracing_subscriber`'s.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

/// What is allowed and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Others can reach this node.
    PublicListener(SocketAddr),
    /// Nobody can be told where to dial it.
    NotAdvertised(SocketAddr),
    /// Others can read this node's metrics.
    PublicMetrics(SocketAddr),
    /// Others can read and play this operator's shards.
    PublicRpc(SocketAddr),
    /// A door for wallets, and no operator behind it.
    RpcWithoutOperator,
    /// Networks are named, and there is nobody who begins shards from them.
    ForksOfProver,
    /// A variable that nothing reads.
    UnknownVariable {
        /// Its name.
        name: String,
        /// What was probably meant.
        hint: Option<&'static str>,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PublicListener(addr) => write!(
                f,
                "listening on {addr}, which other machines can reach: any peer may connect there and be refused; \
                 use 127.0.0.1 to keep the node to this machine"
            ),
            Self::NotAdvertised(addr) => write!(
                f,
                "listening on {addr}, which stands for every address of this machine and is none that others can dial; \
                 set `advertise` to the one, or the name, that they shall dial"
            ),
            Self::PublicMetrics(addr) => write!(
                f,
                "serving metrics on {addr}, which other machines can reach and read; use 127.0.0.1 to keep them to this machine"
            ),
            Self::PublicRpc(addr) => write!(
                f,
                "serving shards of contracts on {addr}, which other machines can reach: anybody there may read them and submit transactions; \
                 use 127.0.0.1 to keep them to this machine"
            ),
            Self::RpcWithoutOperator => {
                f.write_str("`rpc.listen` is given and this node is no operator: it has no shards to serve there")
            }
            Self::ForksOfProver => f.write_str(
                "`fork.nodes` is given and this node is neither operator nor settler: it asks no network about anything",
            ),
            Self::UnknownVariable { name, hint } => {
                write!(f, "environment variable {name} is no setting and is ignored")?;
                hint.map_or(Ok(()), |hint| write!(f, "; did you mean {hint}?"))
            }
        }
    }
}

/// What the configuration is checked against: what the data folder holds.
#[derive(Clone, Debug)]
pub struct FolderContents {
    /// The node's own id.
    pub own: PeerId,
    /// What should keep a settler's World in the folder, and isn't there.
    pub missing_world: Option<PathBuf>,
}

impl Config {
    /// Refuses a node that couldn't run: one that does nothing, or contradicts its data folder.
    ///
    /// # Errors
    /// [`ConfigError::NoRole`] without a role, [`ConfigError::Oneself`] if a peer is the node itself, [`ConfigError::NoLedger`] for a settler
    /// whose folder keeps no World.
    pub fn check(&self, contents: FolderContents) -> Result<(), ConfigError> {
        if self.roles.is_empty() {
            return Err(ConfigError::NoRole);
        }
        let own = self.peers.iter().zip(&self.peer_origins).find(|(peer, _)| peer.id == contents.own);
        if let Some((peer, origin)) = own {
            return Err(ConfigError::Oneself { peer: peer.id, origin: origin.clone() });
        }
        match contents.missing_world.filter(|_| self.has_role(Role::Settler)) {
            Some(path) => Err(ConfigError::NoLedger { path }),
            None => Ok(()),
        }
    }

    /// Whether the node has this role.
    #[must_use]
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Where the value of a setting came from.
    #[must_use]
    pub fn origin(&self, setting: Setting) -> &Origin {
        self.origins.get(&setting).unwrap_or(&Origin::Default)
    }
}
