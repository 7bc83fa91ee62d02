//! `shardwire shard start`, `shard abort`, `shard retry`, `shard submit`, `shard end` and `shard status`; the list of the noun's verbs.

use super::{
    failure::Failure,
    fork::{self, ForkArgs},
    genesis::{self, GenesisArgs, SlotArgs},
    history::{self, HistoryArgs},
    named::{PeerName, ProgramName, ShardName},
    node::{ask, connect, wait_for},
    output::{Answer, columns},
    request,
    submit::{SubmitArgs, end, submit},
    wallet::{self, CallArgs, ClassArgs, InvokeArgs, TraceArgs},
};
use clap::{Args, Subcommand};
use serde::Serialize;
use shardwire_model::{ShardId, ShardStart, Timestamp};
use shardwire_program::rules;
use shardwire_protocols::administration::{self, ShardStatus};
use shardwire_workload::Workload;
use std::path::PathBuf;

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
    /// Tell the running prover to try a job again that it has given up, or that waits for a later try
    #[command(
        after_help = "A job fails when its worker has refused the witness three times, when what its operator sent is no witness, or when\n\
        every settler of the World disputes the proof or doesn't want it. A proof that is disputed is made anew; one that a settler\n\
        doesn't want is offered again.\n\
        What this machine causes (a missing worker, too little memory, a limit, a full disk, a proof that is lost or doesn't hold)\n\
        never makes a job fail.\n\n\
        Example:\n  shardwire shard retry --data ./prover 0x1234"
    )]
    Retry(ShardArgs),
    /// Send a workload's transactions to the shard's operator
    #[command(
        after_help = "Each transaction is answered with a receipt that the operator signed. To submit a workload\n\
        again is harmless: what was accepted is not accepted twice. What is refused only because a transaction of its\n\
        player before it was is signed anew.\n\n\
        Without --operator, the running node of --data says where the operator is. With it no data folder\n\
        is needed.\n\nExamples:\n  \
        shardwire shard submit --data ./settler --workload dungeon.json --shard 0x1234\n  \
        shardwire shard submit --workload dungeon.json --shard 0x1234 --operator ID@127.0.0.1:7001"
    )]
    Submit(SubmitArgs),
    /// End a shard whose end event doesn't come: what was played until now is proven and settled
    #[command(
        after_help = "Emits the end event with one of the workload's players: one that has played nothing if there is one, so it is wise to\n\
        list an account of one's own in the shard for that. Afterwards nothing more is accepted. To do so again changes nothing.\n\n\
        A shard that nobody can end is aborted by its deadline, or by `shard abort`; then what was played is lost.\n\n\
        Example:\n  shardwire shard end --data ./settler --workload dungeon.json --shard 0x1234"
    )]
    End(SubmitArgs),
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
    /// Ask a contract of a shard, over its operator's door for wallets; nothing changes
    #[command(
        after_help = "The state after the newest transaction is asked. What a function takes, `shard class` shows.\n\nExamples:\n  \
        shardwire shard call --data ./operator 0x601d balance_of 0x1001\n  \
        shardwire shard call --rpc http://127.0.0.1:5050 --shard 0x1234 0x601d balance_of 0x1001"
    )]
    Call(CallArgs),
    /// Call a contract of a shard in a signed transaction of an account: INVOKE v3, as wallets make it
    #[command(
        after_help = "The transaction is signed for the shard's chain and for none else, and costs nothing. The exit code is 1 if it is\n\
        in the log but reverted.\n\nExample:\n  \
        shardwire shard invoke --data ./operator --account 0x1001 --key anna.key 0x601d transfer 0x1002 30 0"
    )]
    Invoke(InvokeArgs),
    /// Show the calls that a transaction made, with what they returned and emitted
    #[command(
        after_help = "Doors keep the calls of their newest transactions alone; of older ones, the receipt stays, and what they changed.\n\n\
        Example:\n  shardwire shard trace --data ./operator 0x5f3a"
    )]
    Trace(TraceArgs),
    /// Show the class of a contract: its functions, with what they take and return
    #[command(after_help = "With --out it is written as Sierra, as compilers and tools read it.\n\nExamples:\n  \
        shardwire shard class --data ./operator 0x601d\n  \
        shardwire shard class --rpc http://127.0.0.1:5050 --hash 0x5c1d --out gold.json")]
    Class(ClassArgs),
    /// Show what a start request says of a genesis file: its hash, its classes with what they compile to, its contracts; needs no node
    #[command(
        after_help = "The classes are compiled, as settler and operator will do it; what a shard can't have is refused here, too.\n\n\
        Example:\n  shardwire shard genesis game/genesis.json"
    )]
    Genesis(GenesisArgs),
    /// Show what a start request says of a network at a block: the block, its contracts' classes with what they compile to; asks a Starknet node
    #[command(
        after_help = "The classes are compiled, as settler and operator will do it; what a shard can't have is refused here, too.\n\n\
        Example:\n  shardwire shard fork https://node.example.org/rpc/v0_9 0x601d 0x1001 --block 1200345"
    )]
    Fork(ForkArgs),
    /// Show the storage address of a contract's variable, or of what a mapping has under keys; needs no node
    #[command(after_help = "Example:\n  shardwire shard slot balances 0x1001")]
    Slot(SlotArgs),
}

#[derive(Debug, Args)]
pub(super) struct StartArgs {
    /// A start request in JSON
    #[arg(long, value_name = "FILE", required_unless_present = "workload", conflicts_with_all = ["workload", "operator"])]
    request: Option<PathBuf>,
    /// A workload file, whose `start` part is asked for
    #[arg(long, value_name = "FILE", requires = "operator")]
    workload: Option<PathBuf>,
    /// Who shall execute the shard of a workload: the operator's id, or its beginning if the node knows it
    #[arg(long, value_name = "ID")]
    operator: Option<PeerName>,
    /// The program that executes it, by name or hash [default: what the file says, or else rules]
    #[arg(long, value_name = "PROGRAM")]
    program: Option<ProgramName>,
    /// Until when it has to be settled, from now; then it is aborted [default: the settler's shard_timeout_s]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Start it though the settler has never met the operator: its escrow is locked until somebody executes it, or its deadline
    #[arg(long)]
    unknown_operator: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShardArgs {
    /// The shard, as `shard start` has printed it, or the beginning of that
    #[arg(value_name = "SHARD")]
    shard: ShardName,
}

#[derive(Debug, Args)]
pub(super) struct ShardStatusArgs {
    /// The shard, or the beginning of its id; all of them if not given
    #[arg(value_name = "SHARD")]
    shard: Option<ShardName>,
}

impl ShardCommand {
    pub(super) fn run(self, root: Option<PathBuf>) -> Result<Answer, Failure> {
        match self {
            Self::Start(args) => wait_for(start(root, &args)),
            Self::Abort(args) => wait_for(abort(root, &args)),
            Self::Retry(args) => wait_for(retry(root, &args)),
            Self::Submit(args) => wait_for(submit(root, &args)),
            Self::End(args) => wait_for(end(root, &args)),
            Self::History(args) => wait_for(history::history(root, &args)),
            Self::Status(args) => wait_for(status(root, &args)),
            Self::Call(args) => wait_for(wallet::call(root, &args)),
            Self::Invoke(args) => wait_for(wallet::invoke(root, &args)),
            Self::Trace(args) => wait_for(wallet::trace(root, &args)),
            Self::Class(args) => wait_for(wallet::class(root, &args)),
            Self::Genesis(args) => genesis::genesis(&args),
            Self::Fork(args) => wait_for(fork::fork(&args)),
            Self::Slot(args) => genesis::slot(&args),
        }
    }
}

async fn start(root: Option<PathBuf>, args: &StartArgs) -> Result<Answer, Failure> {
    let mut request = match (&args.request, &args.workload, &args.operator) {
        (Some(file), _, _) => request::read(file)?,
        (None, Some(file), Some(operator)) => {
            let workload = Workload::read(file)?;
            workload.start_request(operator.find(root.as_ref()).await?, rules::hash())
        }
        // clap demands one of the two forms.
        _ => {
            return Err(Failure::new(
                "SW-CLI-001",
                "no start is given",
                "Add --request, or --workload and --operator.",
            )
            .misuse(true));
        }
    };
    if let Some(program) = args.program {
        request.program = program.hash;
    }
    let (timeout_s, unknown_operator) = (args.timeout, args.unknown_operator);
    let started = ask(root, async move |client| client.start(request, timeout_s, unknown_operator).await).await?;
    let administration::Started { start, left_s, operator_connected, .. } = started;
    let mut text = format!(
        "started shard {}\n  operator {}\n  {} accounts, {} contracts, {} storage addresses\n  aborted unless it is settled within {left_s} s",
        start.shard,
        start.operator,
        start.accounts.len(),
        start.contracts.len(),
        start.entries.len()
    );
    if !operator_connected {
        text.push_str("\n  its operator isn't connected to the settler now: it gets the shard when it comes, and nothing happens until then");
    }
    Ok(Answer::new(text, &Started { start: &start, operator_connected }))
}

#[derive(Serialize)]
struct Started<'a> {
    #[serde(flatten)]
    start: &'a ShardStart,
    operator_connected: bool,
}

#[derive(Serialize)]
struct Aborted {
    shard: ShardId,
    aborted_at: Timestamp,
}

async fn abort(root: Option<PathBuf>, args: &ShardArgs) -> Result<Answer, Failure> {
    let shard = args.shard.find(root.as_ref()).await?;
    let at = ask(root, async move |client| client.abort(shard).await).await?;
    let text = format!("aborted shard {shard}: its escrow and locks have returned");
    Ok(Answer::new(text, &Aborted { shard, aborted_at: at }))
}

#[derive(Serialize)]
struct Retried {
    shard: ShardId,
    jobs: u32,
}

async fn retry(root: Option<PathBuf>, args: &ShardArgs) -> Result<Answer, Failure> {
    let shard = args.shard.find(root.as_ref()).await?;
    let jobs = ask(root, async move |client| client.retry(shard).await).await?;
    let what = if jobs == 1 { "its job is".to_owned() } else { format!("{jobs} of its jobs are") };
    let text = format!("shard {shard}: {what} tried again as soon as the operator leases it");
    Ok(Answer::new(text, &Retried { shard, jobs }))
}

#[derive(Serialize)]
struct Shards {
    shards: Vec<ShardStatus>,
}

async fn status(root: Option<PathBuf>, args: &ShardStatusArgs) -> Result<Answer, Failure> {
    let shard = match &args.shard {
        Some(name) => Some(name.find(root.as_ref()).await?),
        None => None,
    };
    let mut client = connect(root).await?;
    let shards = client.shard_status(shard).await;
    client.close().await;
    let shards = Shards { shards: shards? };
    let text = match shard {
        Some(_) => shards.shards.iter().map(in_full).collect::<Vec<_>>().join("\n\n"),
        None => list(&shards.shards),
    };
    Ok(Answer::new(text, &shards))
}

/// Shards, a line each.
pub(super) fn list(shards: &[ShardStatus]) -> String {
    if shards.is_empty() {
        return "no shards".to_owned();
    }
    let head = ["shard", "as", "stage", "operator", "transactions", "steps", "error"].map(ToOwned::to_owned);
    let rows = shards.iter().map(|it| {
        [
            it.shard.to_string(),
            it.role.to_string(),
            it.stage.to_string(),
            it.operator.short(),
            it.transactions.to_string(),
            it.steps.to_string(),
            it.error.as_ref().map(ToString::to_string).unwrap_or_default(),
        ]
    });
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// How much of a prover's memory the proof of the segment will take.
fn budget(it: &ShardStatus) -> String {
    let per_cent = u128::from(it.budget_used_bytes) * 100 / u128::from(it.budget_bytes.max(1));
    let [used, most] = [it.budget_used_bytes, it.budget_bytes].map(|bytes| bytes / 1_000_000);
    format!("{used} of {most} MB of a prover's memory ({per_cent} %)")
}

/// All that is known of a shard; what isn't (yet) is left out.
fn in_full(it: &ShardStatus) -> String {
    let seconds = |ms: u64| format!("{}.{:03} s", ms / 1000, ms % 1000);
    let some = |known: bool, text: String| known.then_some(text);
    let lines = [
        ("shard", Some(it.shard.to_string())),
        ("as", Some(it.role.to_string())),
        ("stage", Some(it.stage.to_string())),
        ("operator", Some(it.operator.to_string())),
        ("prover", it.prover.map(|peer| peer.to_string())),
        ("transactions", Some(format!("{} accepted, {} refused", it.transactions, it.refused))),
        ("budget", some(it.budget_bytes > 0, budget(it))),
        ("segments", some(it.segments > 1, format!("{} so far", it.segments))),
        ("segment", some(it.segment > 0, it.segment.to_string())),
        ("proven", some(it.segments > 1 && it.segments_proven > 0, format!("{} segments", it.segments_proven))),
        ("steps", some(it.steps > 0, it.steps.to_string())),
        (
            "witness",
            some(
                it.chunks > 0,
                format!("{} chunks, {} bytes, {} on the wire", it.chunks, it.witness_bytes_raw, it.witness_bytes_wire),
            ),
        ),
        ("executed in", some(it.execute_ms > 0, seconds(it.execute_ms))),
        ("streamed in", some(it.stream_ms > 0, seconds(it.stream_ms))),
        (
            "proven in",
            some(
                it.prove_ms > 0,
                format!(
                    "{} ({} of CPU, {} MiB at most)",
                    seconds(it.prove_ms),
                    seconds(it.prove_cpu_ms),
                    it.prove_peak_bytes >> 20
                ),
            ),
        ),
        ("proof", it.proof.map(|hash| format!("{hash}, {} bytes", it.proof_bytes))),
        ("program", it.program_hash.map(|hash| format!("{hash:#x}"))),
        ("verified in", some(it.verify_us > 0, format!("{} µs", it.verify_us))),
        ("error", it.error.as_ref().map(ToString::to_string)),
    ];
    let mut rows: Vec<[String; 2]> =
        lines.into_iter().filter_map(|(name, value)| value.map(|value| [name.to_owned(), value])).collect();
    rows.extend(
        it.updates
            .iter()
            .map(|update| [format!("update of {}", update.kind), format!("{}: {:#x}", update.slot(), update.value)]),
    );
    columns(&rows)
}
