//! What the command line takes, and what its help says.

mod settings;

use crate::client::Target;
use clap::{Args, Parser, Subcommand, ValueEnum};
use settings::SettingArgs;
use shardwire_model::{PeerId, ShardId};
use shardwire_protocols::describe::Speaker;
use std::path::PathBuf;

/// Execution sharding on Starknet: start a shard, run it, prove it, settle it, between peers that don't trust each other.
#[derive(Debug, Parser)]
#[command(
    name = "shardwire",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "A first node:\n  \
        shardwire init --data ./operator --role operator --join world.json\n  \
        shardwire run  --data ./operator\n\n\
        Then, in another terminal:\n  \
        shardwire status --data ./operator\n\n\
        Exit codes: 0 done, 1 failed, 2 misuse."
)]
pub(super) struct Cli {
    /// The node's data folder: its configuration, identity and state
    #[arg(long, value_name = "DIR", env = "SHARDWIRE_DATA", global = true, hide_env_values = true)]
    pub(super) data: Option<PathBuf>,
    /// Print one JSON object on the last line of standard output
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a node's data folder; never overwrites anything
    #[command(
        after_help = "The flags, and the network and the roles of the environment, are written to DIR/shardwire.toml,\n\
        where they can be changed.\n\nExamples:\n  \
        shardwire init --data ./settler --role settler --world dungeon.json --listen 127.0.0.1:7001\n  \
        shardwire init --data ./operator --role operator --join ./settler/world.json --peer ID@127.0.0.1:7001"
    )]
    Init(InitArgs),
    /// Run the node of a data folder until Ctrl-C
    #[command(
        after_help = "A flag is stronger than its environment variable (SHARDWIRE_LISTEN for --listen, and so on),\n\
        that is stronger than DIR/shardwire.toml. The first line on standard output says who and where\n\
        the node is, then it logs to standard error. Ctrl-C finishes what is under way, a second one doesn't.\n\
        SIGHUP does what `shardwire peer reload` does.\n\nExamples:\n  \
        shardwire run --data ./operator\n  \
        shardwire run --data ./operator --listen 127.0.0.1:7001 --log debug"
    )]
    Run(RunArgs),
    /// Show the running node: whether it is ready, its peers and its shards
    #[command(after_help = "Example:\n  shardwire status --data ./operator")]
    Status,
    /// Tell the running node to finish what is under way and stop; waits for it
    #[command(after_help = "Example:\n  shardwire stop --data ./operator")]
    Stop,
    /// Start shards, send them transactions, look at them
    #[command(subcommand, arg_required_else_help = true)]
    Shard(ShardCommand),
    /// Look at peers: how they stand and why; ban them, allow them
    #[command(subcommand, arg_required_else_help = true)]
    Peer(PeerCommand),
    /// Check what is said to be proven against a peer; needs no node
    #[command(subcommand, arg_required_else_help = true)]
    Evidence(EvidenceCommand),
    /// Check or export a data folder; no node may run in it, and nothing in it changes
    #[command(subcommand, arg_required_else_help = true)]
    Data(DataCommand),
    /// Look at the World that a settler keeps
    #[command(subcommand, arg_required_else_help = true)]
    World(WorldCommand),
    /// Show what the protocols' types say: states, messages, limits, bytes; needs no node
    #[command(subcommand, arg_required_else_help = true)]
    Protocol(ProtocolCommand),
    /// Read recorded bytes; needs no node
    #[command(subcommand, arg_required_else_help = true)]
    Wire(WireCommand),
    /// Show the versions of the program and of what it speaks
    Version,
}

impl Command {
    /// Whether it prints JSON also without `--json`.
    pub(super) fn json(&self) -> bool {
        matches!(self, Self::Protocol(ProtocolCommand::Show(ProtocolShowArgs { format: ProtocolFormat::Json, .. })))
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum ProtocolCommand {
    /// List the protocols and their versions
    #[command(after_help = "Example:\n  shardwire protocol list")]
    List,
    /// Show one protocol
    #[command(
        after_help = "A table of states, one of unread bytes, and one a message; or a state diagram in Mermaid; or all of it\n\
        in JSON, as with --json. docs/wire.md has the same of all protocols, and the rules around it.\n\nExamples:\n  \
        shardwire protocol show trace\n  \
        shardwire protocol show trace --format mermaid"
    )]
    Show(ProtocolShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct ProtocolShowArgs {
    /// Its name; with @ and a number that version of it
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// How to show it
    #[arg(long, value_enum, default_value_t = ProtocolFormat::Table)]
    pub(super) format: ProtocolFormat,
}

/// How a protocol is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProtocolFormat {
    /// Aligned Markdown tables
    Table,
    /// A state diagram
    Mermaid,
    /// One object
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum WireCommand {
    /// Say frame by frame what recorded bytes are, up to the first violation
    #[command(
        after_help = "With --side: the raw bytes of one direction, as they were on the stream. Without: a recording of both, a\n\
        JSON object a line in the order in which the bytes were seen:\n  \
        {\"from\":\"initiator\",\"bytes\":\"0b096b656570616c6976650100028101\"}\n  \
        {\"from\":\"responder\",\"bytes\":\"0381017f\"}\n\n\
        One direction alone doesn't tell what the other side chose; a frame that could be several messages is said to\n\
        be each of them. A violation is named with its byte and ends with exit code 1. With --json an object a\n\
        frame, and one on the last line that says how it ended.\n\nExamples:\n  \
        shardwire wire decode --protocol keepalive --from session.jsonl\n  \
        shardwire wire decode --protocol trace --from prover.bin --side initiator --json"
    )]
    Decode(DecodeArgs),
}

#[derive(Debug, Args)]
pub(super) struct DecodeArgs {
    /// The protocol; with @ and a number that version of it
    #[arg(long, value_name = "NAME")]
    pub(super) protocol: String,
    /// The recorded bytes; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(super) from: PathBuf,
    /// Whose bytes they are, if they are raw bytes of one direction
    #[arg(long, value_enum, value_name = "SIDE")]
    pub(super) side: Option<Side>,
    /// The bytes begin after the stream's header
    #[arg(long)]
    pub(super) no_header: bool,
}

/// A side of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Side {
    /// The peer that opened the stream
    Initiator,
    /// The other one
    Responder,
}

impl From<Side> for Speaker {
    fn from(side: Side) -> Self {
        match side {
            Side::Initiator => Self::Initiator,
            Side::Responder => Self::Responder,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum ShardCommand {
    /// Ask the running settler to start a shard
    #[command(after_help = "Examples:\n  \
        shardwire shard start --data ./settler --workload dungeon.json --operator ID\n  \
        shardwire shard start --data ./settler --workload dungeon.json --operator ID --timeout 3600\n  \
        shardwire shard start --data ./settler --request request.json")]
    Start(StartArgs),
    /// Tell the running settler to give a shard up: escrow and locks return, a later proof is refused
    #[command(
        after_help = "Only who started the shard, or who may control the node, can abort it. To do so again changes nothing.\n\n\
        Example:\n  shardwire shard abort --data ./settler 0x1234"
    )]
    Abort(ShardArgs),
    /// Send a workload's transactions to the shard's operator
    #[command(
        after_help = "Each transaction is answered with a receipt that the operator signed. To submit a workload\n\
        again is harmless: what was accepted is not accepted twice.\n\n\
        Without --operator, the running node of --data says where the operator is. With it no data folder\n\
        is needed.\n\nExamples:\n  \
        shardwire shard submit --data ./settler --workload dungeon.json --shard 0x1234\n  \
        shardwire shard submit --workload dungeon.json --shard 0x1234 --operator ID@127.0.0.1:7001"
    )]
    Submit(SubmitArgs),
    /// Show what the node has signed of a shard's life, step by step
    #[command(
        after_help = "The running node is asked; if none runs, its data folder is read. With --verify every signature and every hash of\n\
        the entry before is checked; a history that somebody has changed ends with exit code 1.\n\nExamples:\n  \
        shardwire shard history --data ./settler 0x1234\n  \
        shardwire shard history --data ./settler 0x1234 --verify"
    )]
    History(HistoryArgs),
    /// Show the shards that the running node knows, or one of them in full
    #[command(after_help = "Examples:\n  \
        shardwire shard status --data ./operator\n  \
        shardwire shard status --data ./operator 0x1234")]
    Status(ShardStatusArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum PeerCommand {
    /// List the peers that are connected, known or named, with the components of their scores
    #[command(after_help = "Example:\n  shardwire peer list --data ./operator")]
    List,
    /// Show one peer: its score, what its tier may use, how its standing changed
    #[command(after_help = "Example:\n  shardwire peer show --data ./operator ID")]
    Show(PeerArgs),
    /// Shut a peer out, at once and across restarts: for some time, or until it is unbanned
    #[command(after_help = "Examples:\n  \
        shardwire peer ban --data ./operator ID --seconds 3600\n  \
        shardwire peer ban --data ./operator ID")]
    Ban(BanArgs),
    /// Let a peer in again, and forgive what led to its ban
    #[command(after_help = "Example:\n  shardwire peer unban --data ./operator ID")]
    Unban(PeerArgs),
    /// Never ban a peer, whatever it does; it is in tier normal at least
    #[command(after_help = "Examples:\n  \
        shardwire peer allow --data ./operator ID\n  \
        shardwire peer allow --data ./operator ID --withdraw")]
    Allow(AllowArgs),
    /// Show what the node can prove against a peer: a bad proof, or signed words that contradict each other
    #[command(
        after_help = "With --to each piece is written to a file of its own, whole: whoever has it can check it with\n\
        `shardwire evidence check`, without this node.\n\nExamples:\n  \
        shardwire peer evidence --data ./settler ID\n  \
        shardwire peer evidence --data ./settler ID --to ./evidence"
    )]
    Evidence(EvidenceArgs),
    /// Let the running node read its configuration's peers, reputation.allow and reputation.deny again
    #[command(
        after_help = "A node that runs under a supervisor does the same when it gets SIGHUP. Peers that were added are admitted\n\
        as configured; to dial them takes a restart. What `peer ban` and `peer allow` said stays said.\n\n\
        Example:\n  shardwire peer reload --data ./operator"
    )]
    Reload,
}

#[derive(Debug, Subcommand)]
pub(super) enum EvidenceCommand {
    /// Say what a file of evidence shows, and against whom
    #[command(
        after_help = "Signatures, hashes and, of a proof, what it proves are checked again; the word of whoever gave you the file\n\
        isn't. Exit code 0: it shows that the peer broke its word. 1: it shows nothing.\n\nExample:\n  \
        shardwire evidence check 2222222222-1a2b3c4d5e.evidence"
    )]
    Check(EvidenceCheckArgs),
}

#[derive(Debug, Args)]
pub(super) struct EvidenceCheckArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct EvidenceArgs {
    /// The peer's id
    #[arg(value_name = "PEER")]
    pub(super) peer: PeerId,
    /// A folder to write each piece to
    #[arg(long, value_name = "FOLDER")]
    pub(super) to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct PeerArgs {
    /// The peer's id
    #[arg(value_name = "PEER")]
    pub(super) peer: PeerId,
}

#[derive(Debug, Args)]
pub(super) struct BanArgs {
    /// The peer's id
    #[arg(value_name = "PEER")]
    pub(super) peer: PeerId,
    /// For how long; until `peer unban` if not given
    #[arg(long, value_name = "SECONDS")]
    pub(super) seconds: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct AllowArgs {
    /// The peer's id
    #[arg(value_name = "PEER")]
    pub(super) peer: PeerId,
    /// Treat it like others again
    #[arg(long)]
    pub(super) withdraw: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// Read everything and compare it: records, histories with their signatures, proofs, the World
    #[command(
        after_help = "What is wrong is named with its file and ends with exit code 1.\n\nExample:\n  shardwire data check --data ./settler"
    )]
    Check,
    /// Write what the folder holds, a JSON object a line
    #[command(
        after_help = "The key of each object says what it is: node, storage, shard (of the World), operated, job, history.\n\nExamples:\n  \
        shardwire data export --data ./settler --out settler.jsonl\n  \
        shardwire data export --data ./settler --out - | grep history"
    )]
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The file, which must not exist yet; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(super) enum WorldCommand {
    /// Show every storage address of the running settler's World
    #[command(after_help = "Example:\n  shardwire world show --data ./settler")]
    Show,
}

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// What the World begins with, for a settler: a workload file, or one with its `world` part only
    #[arg(long, value_name = "FILE")]
    pub(super) world: Option<PathBuf>,
    /// A settler of that World, instead of this node alone; can be repeated
    #[arg(long, value_name = "ID", requires = "world")]
    pub(super) settler: Vec<PeerId>,
    /// The world.json of the World that the node belongs to: the settler's `shardwire init` has made it
    #[arg(long, value_name = "FILE", conflicts_with = "world")]
    pub(super) join: Option<PathBuf>,
    #[command(flatten)]
    pub(super) settings: SettingArgs,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// End when standard input closes: for a parent process that must not outlive this one
    #[arg(long, hide = true)]
    pub(super) lifeline: bool,
    #[command(flatten)]
    pub(super) settings: SettingArgs,
}

#[derive(Debug, Args)]
pub(super) struct StartArgs {
    /// A start request in JSON
    #[arg(long, value_name = "FILE", required_unless_present = "workload", conflicts_with_all = ["workload", "operator"])]
    pub(super) request: Option<PathBuf>,
    /// A workload file, whose `start` part is asked for
    #[arg(long, value_name = "FILE", requires = "operator")]
    pub(super) workload: Option<PathBuf>,
    /// Who shall execute the shard of a workload: the operator's id
    #[arg(long, value_name = "ID")]
    pub(super) operator: Option<PeerId>,
    /// Until when it has to be settled, from now; then it is aborted [default: the settler's shard_timeout_s]
    #[arg(long, value_name = "SECONDS")]
    pub(super) timeout: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// The shard, as `shard start` has printed it
    #[arg(value_name = "SHARD")]
    pub(super) shard: ShardId,
    /// Check that the node signed each entry and that none was changed, moved or left out
    #[arg(long)]
    pub(super) verify: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShardArgs {
    /// The shard, as `shard start` has printed it
    #[arg(value_name = "SHARD")]
    pub(super) shard: ShardId,
}

#[derive(Debug, Args)]
pub(super) struct SubmitArgs {
    /// A workload file, whose transactions are signed and sent
    #[arg(long, value_name = "FILE")]
    pub(super) workload: PathBuf,
    /// The shard, as `shard start` has printed it
    #[arg(long, value_name = "SHARD")]
    pub(super) shard: ShardId,
    /// The shard's operator
    #[arg(long, value_name = "ID@IP:PORT")]
    pub(super) operator: Option<Target>,
    /// The network's name, if not the data folder's
    #[arg(long, value_name = "NAME", env = "SHARDWIRE_NETWORK", hide_env_values = true)]
    pub(super) network: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ShardStatusArgs {
    /// The shard; all of them if not given
    #[arg(value_name = "SHARD")]
    pub(super) shard: Option<ShardId>,
}
