//! `benches prove`: a shard from its transactions to a verified proof, without a network.

use clap::Args;
use serde_json::json;
use shardwire_model::{PeerId, SignedTransaction, Timestamp};
use shardwire_program::rules::{self, execute};
use shardwire_proving::{
    verify::Verifier,
    worker::{self, ProveRequest, Proved, Worker},
};
use shardwire_store::SystemDisk;
use shardwire_witness::{Assembler, compress};
use shardwire_world::{EmbeddedLedger, Genesis, Operation, Receipt, Started, WorldIdentity};
use std::{
    error::Error,
    fs::File,
    io::BufWriter,
    time::{Duration, Instant},
};
use testnet::{dungeon, network};

/// What a worker may take, so that a run away ends: 16 GiB and half an hour.
const MEMORY_LIMIT: u64 = 16 << 30;
const TIME_LIMIT: Duration = Duration::from_secs(30 * 60);

/// What to prove.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Transactions of each run.
    #[arg(long, value_delimiter = ',', default_value = "1,1000,2000")]
    transactions: Vec<usize>,
    /// How many players take part.
    #[arg(long, default_value_t = 8)]
    players: usize,
    /// How often each is proven; the median is printed, with the range.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Print one JSON object on the last line.
    #[arg(long)]
    json: bool,
}

/// The figures of one round.
struct Round {
    steps: u64,
    bytes_raw: usize,
    bytes_wire: usize,
    execute_s: f64,
    proved: Proved,
    verify_ms: f64,
}

/// Measures and prints.
pub(crate) fn measure(options: &Options) -> Result<(), Box<dyn Error>> {
    let worker = network::worker::locate(&mut |line| eprintln!("{line}"))?;
    let verifier = Verifier::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Interleaved: what else the machine does falls on all of them alike.
    let mut rounds: Vec<Vec<Round>> = options.transactions.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.rounds {
        for (transactions, rounds) in options.transactions.iter().zip(&mut rounds) {
            rounds.push(runtime.block_on(round(&worker, &verifier, *transactions, options.players))?);
        }
    }
    let mut lines = Vec::new();
    for (transactions, rounds) in options.transactions.iter().zip(&rounds) {
        let Some(first) = rounds.first() else { continue };
        let cpu = spread(rounds, |round| round.proved.cpu_s);
        let peak = spread(rounds, |round| round.proved.peak_bytes as f64 / f64::from(1 << 30));
        let verify = spread(rounds, |round| round.verify_ms);
        say!(
            "prove::shard/transactions={transactions}/players={}: {} steps, witness {} B raw, {} B on the wire, executed in {:.2} s, \
             proven in {:.1} CPU s ({:.1} to {:.1}), {:.2} GiB at the peak, {} B of proof, verified in {:.0} ms",
            options.players,
            first.steps,
            first.bytes_raw,
            first.bytes_wire,
            first.execute_s,
            cpu.median,
            cpu.least,
            cpu.most,
            peak.most,
            first.proved.proof_bytes,
            verify.median,
        );
        lines.push(json!({
            "transactions": transactions, "players": options.players, "steps": first.steps,
            "witness_bytes_raw": first.bytes_raw, "witness_bytes_wire": first.bytes_wire,
            "cpu_s": cpu.median, "cpu_s_least": cpu.least, "cpu_s_most": cpu.most, "peak_gib": peak.most,
            "proof_bytes": first.proved.proof_bytes, "verify_ms": verify.median, "rounds": rounds.len(),
        }));
    }
    if options.json {
        say!("{}", json!({ "prove": lines }));
    }
    Ok(())
}

async fn round(
    worker: &Worker,
    verifier: &Verifier,
    transactions: usize,
    players: usize,
) -> Result<Round, Box<dyn Error>> {
    let workload = dungeon::generate(dungeon::Options { players, transactions, seed: 1 })?;
    let folder = tempfile::tempdir()?;
    let genesis = Genesis::from_json(&workload.world.to_genesis_text())?;
    let program = rules::hash();
    let identity = WorldIdentity::new("benches", genesis.hash()?, [PeerId([0; 32])], [program])?;
    let world = EmbeddedLedger::create(&SystemDisk, &folder.path().join("ledger"), &identity, &genesis)?;
    let request = workload.start_request(PeerId([0; 32]), program);
    let Receipt::Started(started) =
        world.apply(&Operation::Start { request, deadline: Timestamp(1) }, Timestamp(0))??
    else {
        return Err("the World answers with something else than a start".into());
    };
    let Started { start, values, .. } = *started;
    let signed: Vec<SignedTransaction> = workload.sign(&start)?;

    let began = Instant::now();
    let mut bodies = Vec::new();
    let execution = execute(&start, &values, signed, |chunk| {
        bodies.push(chunk.body);
        Ok(())
    })?;
    let execute_s = began.elapsed().as_secs_f64();

    let (witness, proof) = (folder.path().join("witness"), folder.path().join("proof"));
    let mut assembler = Assembler::new(rules::hash());
    for body in &bodies {
        assembler.push(body)?;
    }
    assembler.finish(&execution.manifest, &mut BufWriter::new(File::create(&witness)?))?;
    let request = ProveRequest {
        witness,
        proof: proof.clone(),
        memory_limit: MEMORY_LIMIT,
        time_limit: TIME_LIMIT,
        threads: None,
    };
    let proved = worker::prove(worker, &request, std::future::pending(), |_| {}).await?;

    let bytes = std::fs::read(proof)?;
    let began = Instant::now();
    let output = verifier.verify(&bytes)?.output;
    let verify_ms = began.elapsed().as_secs_f64() * 1000.0;
    if output != execution.output.to_felts() {
        return Err("the proof is of another output than the execution's".into());
    }
    Ok(Round {
        steps: execution.steps,
        bytes_raw: bodies.iter().map(Vec::len).sum(),
        bytes_wire: bodies.iter().map(|body| compress(body).len()).sum(),
        execute_s,
        proved,
        verify_ms,
    })
}

struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

fn spread(rounds: &[Round], of: impl Fn(&Round) -> f64) -> Spread {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    Spread { least: at(0), median: at(values.len() / 2), most: at(values.len().saturating_sub(1)) }
}
