//! The text of a new `shardwire.toml`: every setting with a line about it; what wasn't given is there as a comment with its default.

use shardwire_config::{Config, Origin, Setting};
use shardwire_model::PeerId;
use std::fmt::Write as _;

/// The file of a node that is configured like this.
pub(super) fn shardwire_toml(config: &Config, own: PeerId) -> String {
    let mut text = format!(
        "# The configuration of shardwire node\n# {own}\n#\n\
         # A flag of `shardwire run` is stronger than an environment variable, that is stronger than this file.\n\
         # Lines that begin with # are defaults or examples.\n"
    );
    let mut table = "";
    for setting in Setting::ALL {
        let (head, key) = setting.key().split_once('.').unwrap_or(("", setting.key()));
        if head != table {
            table = head;
            // A String takes any text.
            let _ = write!(text, "\n[{table}]");
        }
        let Line { about, value, example } = line(setting, config);
        let given =
            matches!(setting, Setting::Network | Setting::Roles) || matches!(config.origin(setting), Origin::Flag(_));
        let _ = match given {
            true => write!(text, "\n# {about}\n{key} = {value}\n"),
            false => write!(text, "\n# {about}\n# {key} = {}\n", example.unwrap_or(value)),
        };
    }
    text
}

struct Line {
    about: &'static str,
    /// The value that the file has now.
    value: String,
    /// What to show where there is none.
    example: Option<String>,
}

fn line(setting: Setting, config: &Config) -> Line {
    let own = |about, value: String| Line { about, value, example: None };
    let shown = |about, value: String, example: &str| Line { about, value, example: Some(example.to_owned()) };
    let policy = config.reputation.rules.policy;
    let seconds = |time: std::time::Duration| time.as_secs().to_string();
    match setting {
        Setting::Network => own(
            "Nodes of different networks refuse each other. A settler's World belongs to its network for good.",
            quoted(&config.network),
        ),
        Setting::Roles => own("What this node does: settler, operator, prover; one or more.", list(&config.roles)),
        Setting::Listen => own(
            "Where it listens (UDP). Only this machine reaches a 127.0.0.1; port 0 takes any free one, another at each start.",
            quoted(config.listen),
        ),
        Setting::Advertise => shown(
            "What others dial, if that isn't where it listens: \"IP:PORT\" or \"NAME:PORT\". It is shown, and given to nobody.",
            config.advertise.as_ref().map(quoted).unwrap_or_default(),
            "\"settler.example.org:7000\"",
        ),
        Setting::Peers => shown(
            "The nodes it works with: \"ID@IP:PORT\" or \"ID@NAME:PORT\" for one that it dials, \"ID\" for one that dials it. Others are strangers: tier low.",
            list(&config.peers),
            "[\"<64 hexadecimal digits>@127.0.0.1:7000\"]",
        ),
        Setting::Admins => shown(
            "Ids that may control it (status, shard start, …) besides its own.",
            list(&config.admins),
            "[\"<64 hexadecimal digits>\"]",
        ),
        Setting::Profile => own(
            "How packets are sized: internet (safe everywhere), or datacentre (for loopback and jumbo frames).",
            quoted(match config.profile {
                shardwire_transport::Profile::Internet => "internet",
                shardwire_transport::Profile::Datacentre => "datacentre",
            }),
        ),
        Setting::ShardTimeout => own(
            "How long a shard has, in seconds: then a settler aborts it, and escrow and locks return. `shard start --timeout` is stronger.",
            seconds(config.settler.shard_timeout),
        ),
        Setting::ProofMemory => own(
            "How many bytes of its prover's memory an operator lets a proof take: a run that would take more is cut, and its segments are proven each by itself. As much as its smallest prover has.",
            config.operator.proof_memory_bytes.to_string(),
        ),
        Setting::WorkerPath => shown(
            "A prover's proving process. Searched for beside this program and on PATH if not given.",
            quoted(config.worker.path.as_deref().unwrap_or_else(|| "".as_ref()).display()),
            "\"/usr/local/bin/stwo-worker\"",
        ),
        Setting::WorkerMemory => {
            own("The most memory that a proof may take, in bytes.", config.worker.memory_limit_bytes.to_string())
        }
        Setting::WorkerDeadline => {
            own("The longest that a proof may take, in seconds.", config.worker.deadline.as_secs().to_string())
        }
        Setting::WorkerThreads => shown(
            "The threads that a proof may use; every core if not given.",
            config.worker.threads.map(|n| n.to_string()).unwrap_or_default(),
            "2",
        ),
        Setting::Allow => shown(
            "Peers that are never banned, and in tier normal at least. `shardwire peer reload` reads both lists again.",
            list(&config.reputation.allow),
            "[\"<64 hexadecimal digits>\"]",
        ),
        Setting::Deny => {
            shown("Peers that are never admitted.", list(&config.reputation.deny), "[\"<64 hexadecimal digits>\"]")
        }
        Setting::WorkHalfLife => {
            own("In how many seconds useful work is half forgotten.", seconds(policy.work_half_life))
        }
        Setting::FaultHalfLife => own(
            "In how many seconds faults are half forgotten. A peer that did wrong once is back in tier normal after four times this.",
            seconds(policy.fault_half_life),
        ),
        Setting::FirstBan => own("How long a first ban is, in seconds.", seconds(policy.first_ban)),
        Setting::LongestBan => own(
            "How long a ban is at most, in seconds. Each within a day of the one before is four times as long.",
            seconds(policy.longest_ban),
        ),
        Setting::Quotas => shown(
            "What tiers may use where it isn't the default: \"TIER/PROTOCOL/WHAT=NUMBER\"; `shardwire peer show` shows all.",
            list(&config.reputation.quotas),
            "[\"low/trace/kib_per_s=4096\", \"high/others/sessions=512\"]",
        ),
        Setting::MemoryWatermark => own(
            "From how much memory on newcomers are refused, in bytes; from one and a half of it tier normal, too.",
            config.reputation.rules.watermarks.memory_bytes.to_string(),
        ),
        Setting::MetricsListen => shown(
            "Where /metrics (OpenMetrics text) and /ready are served over HTTP (TCP); nowhere if not given.",
            config.metrics.map(quoted).unwrap_or_default(),
            "\"127.0.0.1:9464\"",
        ),
        Setting::RpcListen => shown(
            "Where an operator's shards of contracts are served as Starknet JSON-RPC over HTTP (TCP), for wallets; nowhere if not given.",
            config.rpc.map(quoted).unwrap_or_default(),
            "\"127.0.0.1:5050\"",
        ),
        Setting::ForkNodes => shown(
            "Starknet nodes that settlers and operators ask about networks from whose blocks shards go on: \"CHAIN=URL\", the first of a chain first. Shards of others are declined.",
            list(config.fork_nodes.iter().map(|node| format!("{}={}", node.chain_name(), node.url))),
            "[\"SN_SEPOLIA=https://node.example.org/rpc/v0_9\"]",
        ),
        Setting::LogLevel => own("error, warn, info, debug, trace, or a filter.", quoted(&config.log.filter)),
        Setting::LogFormat => own("text, or json: one object a line.", quoted(config.log.format)),
    }
}

/// A TOML string. Values here are short and have no control characters; what else TOML escapes is escaped.
fn quoted(value: impl ToString) -> String {
    toml::Value::String(value.to_string()).to_string()
}

fn list<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| quoted(value.to_string())).collect();
    format!("[{}]", values.join(", "))
}
