//! Calls proven a CPU second: of the worker's process, which reads the witness, proves it and writes the proof.
//!
//! Each mix is played and executed once, and its witness is proven several times, in turns with the others', so that what else the machine does falls on all alike.
//! Every proof is verified. A proof costs some CPU seconds whatever it is of, so compare proofs of as many calls: `ratio` is that to the other program's
//! witness (`--spike`) in the same round.

use super::{Options, Outcome, mix::Mix, played::Played, spread};
use crate::series::Series;
use serde_json::{Value, json};
use shardwire_proving::{
    verify::Verifier,
    worker::{self, ProveRequest, Proved, Worker},
};
use std::{
    future::pending,
    path::{Path, PathBuf},
    time::Duration,
};
use testnet::network;

/// What a worker may take, so that a run away ends.
pub(super) const MEMORY_LIMIT: u64 = 16 << 30;
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(30 * 60);

/// A witness that is proven several times.
struct Proven {
    name: &'static str,
    witness: PathBuf,
    calls: u64,
    /// What is known of a mix, and not of another program: transactions, steps, signatures, what is put out.
    about: Option<About>,
    calls_per_cpu_s: Series,
    ratio: Series,
    cpu_s: Series,
    peak_gib: Series,
    proof_bytes: u64,
}

struct About {
    transactions: usize,
    steps: u64,
    signatures: usize,
    output: Vec<shardwire_model::Felt>,
}

impl Proven {
    fn new(name: &'static str, witness: PathBuf, calls: u64, about: Option<About>) -> Self {
        let (calls_per_cpu_s, ratio, cpu_s, peak_gib) = <_>::default();
        Self { name, witness, calls, about, calls_per_cpu_s, ratio, cpu_s, peak_gib, proof_bytes: 0 }
    }

    fn of(mix: Mix, calls: u32, folder: &Path) -> Outcome<Self> {
        let played = Played::of(&mix.game_of(calls)?)?;
        let witness = folder.join(mix.name());
        let written = played.write(&witness)?;
        let about = About {
            transactions: played.transactions(),
            steps: written.steps,
            signatures: played.signatures,
            output: written.output.to_felts(),
        };
        Ok(Self::new(mix.name(), witness, played.calls, Some(about)))
    }

    /// Proves it once. Calls a CPU second.
    async fn prove(&mut self, worker: &Worker, verifier: &Verifier) -> Outcome<f64> {
        let Proved { proof_bytes, cpu_s, peak_bytes, .. } =
            worker::prove(worker, &request(&self.witness, None), pending(), |_| {}).await?;
        let proven = verifier.verify(&std::fs::read(proof_of(&self.witness))?)?;
        if self.about.as_ref().is_some_and(|about| about.output != proven.output) {
            return Err("the proof is of another output than the execution's".into());
        }
        let rate = self.calls as f64 / cpu_s;
        self.calls_per_cpu_s.push(rate);
        self.cpu_s.push(cpu_s);
        self.peak_gib.push(peak_bytes as f64 / f64::from(1 << 30));
        self.proof_bytes = proof_bytes;
        Ok(rate)
    }

    fn tell(&self) -> Outcome<Value> {
        let Self { name, calls, calls_per_cpu_s, ratio, cpu_s, peak_gib, proof_bytes, .. } = self;
        let compared = ratio.range() != (0.0, 0.0);
        let mut object = json!({
            "calls": calls, "calls_per_cpu_s": spread(calls_per_cpu_s), "cpu_s": spread(cpu_s),
            "peak_gib": peak_gib.range().1, "proof_bytes": proof_bytes,
        });
        let mut about = String::new();
        if let Some(About { transactions, steps, signatures, .. }) = &self.about {
            about = format!(" in {transactions} transactions, {steps} steps, {signatures} signatures");
            object["transactions"] = json!(transactions);
            object["steps"] = json!(steps);
            object["signatures"] = json!(signatures);
        }
        let mut beside = String::new();
        if compared {
            object["ratio"] = spread(ratio);
            beside = format!("; {ratio} of the other program's");
        }
        say!(
            "contracts::proofs/mix={name}: {calls_per_cpu_s} calls a CPU second{beside}; {calls} calls{about}, {cpu_s} CPU s, {:.2} GiB at the peak",
            peak_gib.range().1
        );
        Ok(object)
    }
}

/// Where the proof of a witness goes.
fn proof_of(witness: &Path) -> PathBuf {
    witness.with_extension("proof")
}

/// The job of proving this witness.
pub(super) fn request(witness: &Path, threads: Option<u16>) -> ProveRequest {
    ProveRequest {
        witness: witness.to_owned(),
        proof: proof_of(witness),
        memory_limit: MEMORY_LIMIT,
        time_limit: TIME_LIMIT,
        threads,
    }
}

/// Measures and prints.
pub(super) fn measure(options: &Options) -> Outcome<Value> {
    let worker = network::worker::locate(&mut |line| eprintln!("{line}"))?;
    let verifier = Verifier::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let mut all = Vec::new();
    for mix in &options.mixes {
        all.push(Proven::of(*mix, options.calls, folder.path())?);
    }
    let mut spike = match options.spike.as_ref().zip(options.spike_calls) {
        None => None,
        Some((witness, calls)) => {
            // A copy, so that its proof lies beside ours.
            let copy = folder.path().join("spike");
            std::fs::copy(witness, &copy).map_err(|error| format!("{}: {error}", witness.display()))?;
            Some(Proven::new("spike", copy, calls.into(), None))
        }
    };
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round + 1, options.rounds);
        runtime.block_on(async {
            let other = match &mut spike {
                None => None,
                Some(spike) => Some(spike.prove(&worker, &verifier).await?),
            };
            for mix in &mut all {
                let rate = mix.prove(&worker, &verifier).await?;
                if let Some(other) = other {
                    mix.ratio.push(rate / other);
                }
            }
            Outcome::Ok(())
        })?;
    }
    let mut object = serde_json::Map::new();
    for proven in all.iter().chain(&spike) {
        object.insert(proven.name.into(), proven.tell()?);
    }
    Ok(Value::Object(object))
}
