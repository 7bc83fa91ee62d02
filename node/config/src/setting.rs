//! The settings and what each is called in the three places that can give one.

use std::fmt;

/// One thing that can be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// The network's name: nodes of different networks refuse each other.
    Network,
    /// What this node does.
    Roles,
    /// Where it listens.
    Listen,
    /// Where others dial it.
    Advertise,
    /// The nodes it works with.
    Peers,
    /// Who else may control it.
    Admins,
    /// How packets are sized.
    Profile,
    /// How long a shard may take.
    ShardTimeout,
    /// What a proof of a run may take of its prover.
    ProofMemory,
    /// The prover process.
    WorkerPath,
    /// What a proof may take.
    WorkerMemory,
    /// How long a proof may take.
    WorkerDeadline,
    /// How many threads a proof may use.
    WorkerThreads,
    /// Peers that are never banned.
    Allow,
    /// Peers that are never admitted.
    Deny,
    /// How fast work is forgotten.
    WorkHalfLife,
    /// How fast faults are forgotten.
    FaultHalfLife,
    /// How long a first ban is.
    FirstBan,
    /// How long a ban is at most.
    LongestBan,
    /// What the tiers may use.
    Quotas,
    /// From which memory on work is refused.
    MemoryWatermark,
    /// Where metrics are served.
    MetricsListen,
    /// Where wallets find the shards.
    RpcListen,
    /// Who is asked about networks from whose blocks shards go on.
    ForkNodes,
    /// What is logged.
    LogLevel,
    /// How it is logged.
    LogFormat,
}

/// What a setting is called, and what it takes.
pub(super) struct Names {
    /// In `shardwire.toml`, the table's name and a dot before it where it is in one.
    pub(super) key: &'static str,
    /// In the environment.
    pub(super) env: &'static str,
    /// On the command line.
    pub(super) flag: &'static str,
    /// The end of the sentence "… is not".
    pub(super) expects: &'static str,
    /// Whether it takes any number of values.
    pub(super) list: bool,
}

impl Setting {
    /// All of them, in the order in which a file lists them.
    pub const ALL: [Self; 26] = [
        Self::Network,
        Self::Roles,
        Self::Listen,
        Self::Advertise,
        Self::Peers,
        Self::Admins,
        Self::Profile,
        Self::ShardTimeout,
        Self::ProofMemory,
        Self::WorkerPath,
        Self::WorkerMemory,
        Self::WorkerDeadline,
        Self::WorkerThreads,
        Self::Allow,
        Self::Deny,
        Self::WorkHalfLife,
        Self::FaultHalfLife,
        Self::FirstBan,
        Self::LongestBan,
        Self::Quotas,
        Self::MemoryWatermark,
        Self::MetricsListen,
        Self::RpcListen,
        Self::ForkNodes,
        Self::LogLevel,
        Self::LogFormat,
    ];

    pub(super) const fn names(self) -> Names {
        const fn one(key: &'static str, env: &'static str, flag: &'static str, expects: &'static str) -> Names {
            Names { key, env, flag, expects, list: false }
        }
        const fn many(key: &'static str, env: &'static str, flag: &'static str, expects: &'static str) -> Names {
            Names { key, env, flag, expects, list: true }
        }
        match self {
            Self::Network => one(
                "network",
                "SHARDWIRE_NETWORK",
                "--network",
                "a network's name: 1 to 64 of the characters a-z, 0-9, '-', '_' and '.'",
            ),
            Self::Roles => many("roles", "SHARDWIRE_ROLES", "--role", "a role: settler, operator or prover"),
            Self::Listen => one(
                "listen",
                "SHARDWIRE_LISTEN",
                "--listen",
                "an IP address of this machine and a port, such as 127.0.0.1:7000 (port 0: any free one; never one of many machines)",
            ),
            Self::Advertise => one(
                "advertise",
                "SHARDWIRE_ADVERTISE",
                "--advertise",
                "what others dial: an IP address or a host's name, and a port, such as settler.example.org:7000 (never 0.0.0.0, [::] or port 0)",
            ),
            Self::Peers => many(
                "peers",
                "SHARDWIRE_PEERS",
                "--peer",
                "a peer: its id (64 hexadecimal digits), and @IP:PORT or @NAME:PORT behind it if this node shall dial it (never 0.0.0.0, [::] or \
                 port 0: those are for listening)",
            ),
            Self::Admins => many("admins", "SHARDWIRE_ADMINS", "--admin", "a peer id: 64 hexadecimal digits"),
            Self::Profile => one("profile", "SHARDWIRE_PROFILE", "--profile", "a profile: internet or datacentre"),
            Self::ShardTimeout => one(
                "settler.shard_timeout_s",
                "SHARDWIRE_SHARD_TIMEOUT_S",
                "--shard-timeout-s",
                "a number of seconds of at most 30 days (2592000)",
            ),
            Self::ProofMemory => one(
                "operator.proof_memory_bytes",
                "SHARDWIRE_PROOF_MEMORY_BYTES",
                "--proof-memory-bytes",
                "a number of bytes, such as 9663676416 for 9 GiB",
            ),
            // The variable is older than this table: tests, testnet and the worker's documentation use it too.
            Self::WorkerPath => {
                one("worker.path", "SHARDWIRE_STWO_WORKER", "--worker", "the path of an executable file")
            }
            Self::WorkerMemory => one(
                "worker.memory_limit_bytes",
                "SHARDWIRE_WORKER_MEMORY_LIMIT_BYTES",
                "--worker-memory-limit-bytes",
                "a number of bytes, such as 12884901888 for 12 GiB",
            ),
            Self::WorkerDeadline => one(
                "worker.deadline_s",
                "SHARDWIRE_WORKER_DEADLINE_S",
                "--worker-deadline-s",
                "a number of seconds of at most a week (604800)",
            ),
            Self::WorkerThreads => one(
                "worker.threads",
                "SHARDWIRE_WORKER_THREADS",
                "--worker-threads",
                "a number of threads of at most 1024",
            ),
            Self::Allow => many("reputation.allow", "SHARDWIRE_ALLOW", "--allow", "a peer id: 64 hexadecimal digits"),
            Self::Deny => many("reputation.deny", "SHARDWIRE_DENY", "--deny", "a peer id: 64 hexadecimal digits"),
            Self::WorkHalfLife => one(
                "reputation.work_half_life_s",
                "SHARDWIRE_WORK_HALF_LIFE_S",
                "--work-half-life-s",
                "a number of seconds of at most 194 days (16777216)",
            ),
            Self::FaultHalfLife => one(
                "reputation.fault_half_life_s",
                "SHARDWIRE_FAULT_HALF_LIFE_S",
                "--fault-half-life-s",
                "a number of seconds of at most 194 days (16777216)",
            ),
            Self::FirstBan => one(
                "reputation.first_ban_s",
                "SHARDWIRE_FIRST_BAN_S",
                "--first-ban-s",
                "a number of seconds, no more than the longest ban's",
            ),
            Self::LongestBan => one(
                "reputation.longest_ban_s",
                "SHARDWIRE_LONGEST_BAN_S",
                "--longest-ban-s",
                "a number of seconds of at most 194 days (16777216), no less than the first ban's",
            ),
            Self::Quotas => many(
                "reputation.quotas",
                "SHARDWIRE_QUOTAS",
                "--quota",
                "a quota such as low/trace/kib_per_s=4096: a tier (low, normal, high), a protocol or 'others', what is limited \
                 (frames_per_s, kib_per_s, sessions_per_s, sessions, leases) and a number up to 1000000; no better tier may have less",
            ),
            Self::MemoryWatermark => one(
                "reputation.memory_watermark_bytes",
                "SHARDWIRE_MEMORY_WATERMARK_BYTES",
                "--memory-watermark-bytes",
                "a number of bytes, such as 4294967296 for 4 GiB",
            ),
            Self::MetricsListen => one(
                "metrics.listen",
                "SHARDWIRE_METRICS_LISTEN",
                "--metrics-listen",
                "an IP address and a port (TCP), such as 127.0.0.1:9464",
            ),
            Self::RpcListen => one(
                "rpc.listen",
                "SHARDWIRE_RPC_LISTEN",
                "--rpc-listen",
                "an IP address and a port (TCP), such as 127.0.0.1:5050",
            ),
            Self::ForkNodes => many(
                "fork.nodes",
                "SHARDWIRE_FORK_NODES",
                "--fork-node",
                "a chain id and a Starknet node that knows that network, such as SN_SEPOLIA=https://node.example.org/rpc/v0_9",
            ),
            Self::LogLevel => one(
                "log.level",
                "SHARDWIRE_LOG",
                "--log",
                "a log level (error, warn, info, debug, trace), or a filter such as info,shardwire=debug",
            ),
            Self::LogFormat => one("log.format", "SHARDWIRE_LOG_FORMAT", "--log-format", "a log format: text or json"),
        }
    }

    /// A value of it as others may read it: the address of a node often has a key of its owner in it.
    pub(super) fn shown(self, value: &str) -> String {
        match (self, value.split_once('=')) {
            (Self::ForkNodes, Some((chain, _))) => format!("{chain}=…"),
            (Self::ForkNodes, None) if value.contains("://") => "…".to_owned(),
            _ => value.to_owned(),
        }
    }

    /// Its name in `shardwire.toml`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        self.names().key
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// The name among `candidates` that somebody who wrote `name` probably meant: the nearest one, if at most a third of it
/// differs, or one that begins so.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    candidates
        .map(|candidate| {
            let whole = strsim::damerau_levenshtein(name, candidate);
            // A setting outside its table, or in another one, is the right word in the wrong place.
            let (ours, theirs) = (last(candidate), last(name));
            let word = if ours.starts_with(&theirs) { 0 } else { strsim::damerau_levenshtein(&theirs, &ours) };
            (whole.min(word), candidate)
        })
        .filter(|(distance, _)| *distance * 3 <= last(name).chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
