//! The settings of a node as flags.

use crate::config::{Flags, Setting};
use clap::Args;

/// The settings as flags: texts, because where all sources of configuration meet is where they are checked.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(in crate::cli) struct SettingArgs {
    /// The network's name; nodes of different networks refuse each other [default: local]
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// What the node does: settler, operator, prover; one or more
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',')]
    roles: Vec<String>,
    /// Where it listens (UDP) [default: 127.0.0.1:0, any free port, this machine only]
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<String>,
    /// What others dial, if that isn't where it listens: behind a forwarded port, in a container
    #[arg(long, value_name = "HOST:PORT")]
    advertise: Option<String>,
    /// A node to work with; with an address or a name if this node shall dial it; may be repeated
    #[arg(long = "peer", value_name = "ID[@HOST:PORT]", value_delimiter = ',')]
    peers: Vec<String>,
    /// An id that may control this node besides its own; may be repeated
    #[arg(long = "admin", value_name = "ID", value_delimiter = ',')]
    admins: Vec<String>,
    /// How packets are sized: internet or datacentre [default: internet]
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// How long a settler gives shards that are started without a time-out [default: 86400]
    #[arg(long, value_name = "SECONDS")]
    shard_timeout_s: Option<String>,
    /// How much of its prover's memory an operator lets a proof take, before it cuts the run [default: 9 GiB]
    #[arg(long, value_name = "BYTES")]
    proof_memory_bytes: Option<String>,
    /// A prover's proving process [default: searched for]
    #[arg(long, value_name = "FILE")]
    worker: Option<String>,
    /// The most memory that a proof may take [default: 12 GiB]
    #[arg(long, value_name = "BYTES")]
    worker_memory_limit_bytes: Option<String>,
    /// The longest that a proof may take [default: 1800]
    #[arg(long, value_name = "SECONDS")]
    worker_deadline_s: Option<String>,
    /// The threads that a proof may use [default: one a core]
    #[arg(long, value_name = "NUMBER")]
    worker_threads: Option<String>,
    /// A peer that is never banned; may be repeated
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    allow: Vec<String>,
    /// A peer that is never admitted; may be repeated
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    deny: Vec<String>,
    /// In what time useful work is half forgotten [default: 86400]
    #[arg(long, value_name = "SECONDS")]
    work_half_life_s: Option<String>,
    /// In what time faults are half forgotten [default: 600]
    #[arg(long, value_name = "SECONDS")]
    fault_half_life_s: Option<String>,
    /// How long a first ban is [default: 60]
    #[arg(long, value_name = "SECONDS")]
    first_ban_s: Option<String>,
    /// How long a ban is at most [default: 86400]
    #[arg(long, value_name = "SECONDS")]
    longest_ban_s: Option<String>,
    /// What a tier may use of a protocol, such as low/trace/kib_per_s=4096; may be repeated
    #[arg(long = "quota", value_name = "QUOTA", value_delimiter = ',')]
    quotas: Vec<String>,
    /// From which memory on newcomers are refused [default: 4 GiB]
    #[arg(long, value_name = "BYTES")]
    memory_watermark_bytes: Option<String>,
    /// Where /metrics and /ready are served over HTTP (TCP) [default: nowhere]
    #[arg(long, value_name = "IP:PORT")]
    metrics_listen: Option<String>,
    /// Where an operator's shards of contracts are served to wallets, as Starknet JSON-RPC over HTTP (TCP) [default: nowhere]
    #[arg(long, value_name = "IP:PORT")]
    rpc_listen: Option<String>,
    /// A Starknet node that is asked about a network from whose blocks shards go on; may be repeated
    #[arg(long = "fork-node", value_name = "CHAIN=URL")]
    fork_nodes: Vec<String>,
    /// error, warn, info, debug, trace, or a filter such as info,shardwire=debug [default: info]
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
    /// text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl SettingArgs {
    /// Those about the log's format alone.
    pub(in crate::cli) fn log_flags(&self) -> Flags {
        Flags::default().with(Setting::LogFormat, &self.log_format)
    }

    pub(in crate::cli) fn flags(&self) -> Flags {
        Flags::default()
            .with(Setting::Network, &self.network)
            .with(Setting::Roles, &self.roles)
            .with(Setting::Listen, &self.listen)
            .with(Setting::Advertise, &self.advertise)
            .with(Setting::Peers, &self.peers)
            .with(Setting::Admins, &self.admins)
            .with(Setting::Profile, &self.profile)
            .with(Setting::ShardTimeout, &self.shard_timeout_s)
            .with(Setting::ProofMemory, &self.proof_memory_bytes)
            .with(Setting::WorkerPath, &self.worker)
            .with(Setting::WorkerMemory, &self.worker_memory_limit_bytes)
            .with(Setting::WorkerDeadline, &self.worker_deadline_s)
            .with(Setting::WorkerThreads, &self.worker_threads)
            .with(Setting::Allow, &self.allow)
            .with(Setting::Deny, &self.deny)
            .with(Setting::WorkHalfLife, &self.work_half_life_s)
            .with(Setting::FaultHalfLife, &self.fault_half_life_s)
            .with(Setting::FirstBan, &self.first_ban_s)
            .with(Setting::LongestBan, &self.longest_ban_s)
            .with(Setting::Quotas, &self.quotas)
            .with(Setting::MemoryWatermark, &self.memory_watermark_bytes)
            .with(Setting::MetricsListen, &self.metrics_listen)
            .with(Setting::RpcListen, &self.rpc_listen)
            .with(Setting::ForkNodes, &self.fork_nodes)
            .with(Setting::LogLevel, &self.log)
            .with(Setting::LogFormat, &self.log_format)
    }
}
