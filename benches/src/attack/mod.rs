//! `benches attack`: what sixteen honest provers keep of their jobs while thirty others attack the operator that they work for.
//!
//! The **victims** are real nodes, an operator and a prover, with their data folders on a real disk; a settler has assigned shards to the operator, which has executed them.
//! Sixteen **honest** provers take jobs from it with the production client half, two at a time each: they ask, claim, pull every chunk and finish, without a pause.
//! They are configured peers, and the operator's configuration gives them quotas above what the machine can do. So what holds them up is the processor
//! and the disk, and whatever the victims do for others takes it from them. The **attackers** are a process of their own, each at an address and in a network of its own:
//!
//! | kind | how many | what it does |
//! |---|---|---|
//! | `handshake_flood` | 2 | sends first datagrams of handshakes that it never goes on with, 2,000 a second |
//! | `stream_flood` | 3 | opens sessions as fast as QUIC lets it, and reads no answer |
//! | `oversize` | 3 | announces frames of 256 MiB; it *earned* tier high before |
//! | `slow_loris` | 3 | holds 200 streams open, a byte of a header a second |
//! | `ping` | 2 | valid requests without a pause, in eight sessions |
//! | `pull` | 1 | takes jobs, pulls their chunks and gives them back, without a pause |
//! | `reconnect` | 2 | comes, breaks a rule, goes, and comes again as somebody else |
//! | `hold_lease` | 4 | takes as many jobs as it may and gives signs of life, without a pause |
//! | `false_finish` | 4 | takes jobs and says at once that it has their proofs, without a pause |
//! | `false_receipt` | 3 | says to the prover that it is a settler, asks it, and sends receipts that it signed itself, with new keys |
//! | `claim_and_go` | 3 | comes with a new key, takes a job, goes |
//!
//! **What is fair on one machine.** Attackers on the Internet have their own processors. Here victims and honest provers are kept to one core and the attackers to
//! another one; the figures alone are taken the same way, beside a core that computes as much ([`neighbour`]). So what attackers compute takes nothing from the others. Alone and attacked take turns ([`Slices`](figures::Slices)), and each
//! attacked slice is compared with those alone around it, so that what else the machine does falls on both. In each round the attackers come from other networks.
//!
//! **What isn't measured.** All newcomers together may keep a job from others for a while (`node/operator/src/lease.rs`), and a claim of theirs does for a minute: that is a bound by
//! time, and tests show it. Here they have used that up before anything is measured ([`Scenario::Spend`]): from then on an attacker still takes each honest job
//! between two times that it is done, and the honest prover gets it back.
//!
//! | figure | what it is |
//! |---|---|
//! | `jobs_ratio`, `_min`, `_max` | honest jobs a second, attacked / alone: the median of the slices, and the extremes |
//! | `lease_p99_ratio` | the slowest hundredth of honest leases, from the question to the lease, attacked / alone |
//! | `victim_cpu_ms_a_job_alone`, `_attacked` | processor time of the victims for each honest job, in milliseconds: all that they do |
//! | `victim_busy_alone`, `_attacked` | what part of their core the victims used |
//! | `core_busy_alone`, `_attacked` | what part of it victims and honest provers used |
//! | `neighbour_busy_alone`, `_attacked` | what part of the other core a neighbour used that touches nobody, and the attackers |
//! | `at_capacity` | whether that was at least 0.9 alone: else they waited for something else, and attackers could take what nobody uses |
//! | `refused_…`, `violations`, `leases`, `taken_back` | what the victims counted while they were attacked |
//! | `peak_bytes`, `peak_bound_bytes` | the most memory that the victims' processes ever had, and [`PEAK_BOUND_BYTES`] |
//! | `refused_handshake_cpu_us` | processor time of the victims for what a shut host sends to begin a connection, at 2,000 datagrams a second: all that they do, less what they do idle |
//! | `attackers` | by kind: what they tried and did, and how those that kept their keys stood at the end |
//! | `ok` | whether both bars are met: jobs at least 0.9, leases at most 2 |

mod cores;
mod figures;
mod honest;
pub(crate) mod hostile;
mod meeting;
mod neighbour;
mod victim;

use clap::Args;
use cores::Cores;
use figures::{Fate, Figures, Prices, Slice, Slices};
use honest::JOBS;
use hostile::{Attackers, Deeds, KINDS, Orders, Scenario, attackers};
use meeting::Meeting;
use neighbour::Share;
use std::{
    collections::BTreeMap,
    error::Error,
    path::PathBuf,
    time::{Duration, Instant},
};
use testnet::network::binary;
use tokio::{runtime::Builder, time::sleep};
use victim::{Counts, Victim};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What the victims' memory stays under: nodes with their programs and 48 executed shards have 100 MiB, a chunk of 4 MiB at most under way for each of 32 honest jobs is 128 MiB, the
/// admission lets 256 strangers in at 225 KiB each (56 MiB), and the rest is the allocator's.
const PEAK_BOUND_BYTES: u64 = 320 << 20;
/// The time for work to reach its speed, and for the machine to settle.
const SETTLE: Duration = Duration::from_secs(2);
/// How long refused handshakes are measured for their price.
const PRICED: Duration = Duration::from_secs(4);
/// How long newcomers may keep a job: so much, and a second for so many steps (`node/operator/src/lease.rs`); a claim of theirs holds it no longer.
const NEWCOMERS: (Duration, u64) = (Duration::from_secs(60), 2_000);
/// How long attackers may take to get at their work, and how often it is asked.
const BEGUN: (Duration, Duration) = (Duration::from_secs(30), Duration::from_millis(200));

/// What to measure.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Seconds of a slice.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// Attacked slices, and one alone after each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=100))]
    slices: u8,
    /// Transactions of each shard: a chunk of the witness for about a hundred.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    transactions: u32,
    /// Attackers of these kinds only, to see what a kind costs.
    #[arg(long, value_enum, value_name = "KIND", value_delimiter = ',')]
    only: Vec<hostile::Kind>,
    /// Begin at once, without a minute in which newcomers use up what they may: honest jobs then wait for it while attacked.
    #[arg(long, hide = true)]
    impatient: bool,
    /// Print one JSON object on the last line.
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
pub(crate) fn measure(options: &Options) -> Outcome<()> {
    let cores = cores::two()?;
    let node = binary::locate(&mut |line| eprintln!("{line}"))?;
    // Before any thread or process begins.
    cores::pin(cores.victim)?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(runtime.spawn(run(options.clone(), node, cores)))??;
    for line in figures.lines() {
        say!("{line}");
    }
    if options.json {
        say!("{}", serde_json::to_string(&figures)?);
    }
    Ok(())
}

async fn run(options: Options, node: PathBuf, cores: Cores) -> Outcome<Figures> {
    eprintln!("{JOBS} shards of {} transactions are executed", options.transactions);
    let victim = Victim::start(node, options.transactions).await?;
    let ground = Ground { victim, cores, only: options.only.clone() };
    if !options.impatient {
        ground.spend().await?;
    }
    let (slices, did, attackers) = ground.slices(&options).await?;
    eprintln!("the price of a refused handshake, {} s", 2 * PRICED.as_secs());
    let refused_handshake_cpu_us = ground.price().await?;
    let peak_bytes = ground.victim.peak_bytes()?;
    ground.victim.stop().await;
    Ok(slices.figures(
        did,
        attackers,
        Prices { peak_bytes, peak_bound_bytes: PEAK_BOUND_BYTES, refused_handshake_cpu_us },
    ))
}

/// The victim, and where everybody runs.
struct Ground {
    victim: Victim,
    cores: Cores,
    only: Vec<hostile::Kind>,
}

impl Ground {
    fn attackers(&self, scenario: Scenario, round: u8) -> Outcome<Attackers> {
        self.other_core(scenario, round, Share::default())
    }

    /// What the other core does. A neighbour is as busy as this, attackers as they can.
    fn other_core(&self, scenario: Scenario, round: u8, Share(busy): Share) -> Outcome<Attackers> {
        let ((operator, operator_id), (prover, prover_id)) = (self.victim.operator(), self.victim.prover());
        let (core, world, only) = (self.cores.attackers, self.victim.world.clone(), self.only.clone());
        Attackers::start(&Orders { scenario, core, operator, operator_id, prover, prover_id, world, round, busy, only })
    }

    /// Newcomers take every job, say once that they have its proof, and hold it, until they may keep it from nobody.
    async fn spend(&self) -> Outcome<()> {
        let (base, steps_per_s) = NEWCOMERS;
        let length = base + Duration::from_secs(self.victim.steps().await?.div_ceil(steps_per_s) + 1);
        eprintln!("newcomers use up what all of them together may keep jobs from others, {} s", length.as_secs());
        let spenders = self.attackers(Scenario::Spend, 0)?;
        // Each is taken, claimed and taken again.
        self.victim.counted("the jobs aren't taken", BEGUN, |it| it.leases >= 2 * JOBS as u64).await?;
        sleep(length).await;
        spenders.end().await.map(drop)
    }

    /// Attacked and alone in turns: how busy the neighbour is alone, the attack has shown.
    async fn slices(&self, options: &Options) -> Outcome<(Slices, Counts, Vec<Fate>)> {
        let length = Duration::from_secs(options.seconds.into());
        let operator = Meeting::new(self.victim.operator(), &self.victim.world)?;
        let honest = honest::Peers::start(&operator, &self.victim.jobs);
        honest.at_work().await?;
        let (mut slices, mut did, mut deeds) = (Slices::default(), Counts::default(), BTreeMap::new());
        let mut standings = BTreeMap::new();
        for round in 1..=options.slices {
            let attackers = self.attackers(Scenario::Attack, round)?;
            sleep(SETTLE).await;
            let before = self.victim.counts().await?;
            let attacked = self.slice(&honest, &attackers, length).await?;
            let busy = attacked.neighbour();
            slices.attacked.push(attacked);
            did.add(self.victim.counts().await?, before);
            standings = self.victim.standings().await?;
            for (kind, more) in attackers.end().await? {
                deeds.entry(kind).or_insert_with(Deeds::default).add(more);
            }
            slices.alone.push(self.alone(&honest, busy, length).await?);
            if let (Some(alone), Some(attacked)) = (slices.alone.last(), slices.attacked.last()) {
                eprintln!(
                    "round {round}: {:.1} jobs/s attacked, {:.1} alone",
                    attacked.jobs_per_s(),
                    alone.jobs_per_s()
                );
            }
        }
        honest.stop().await;
        Ok((slices, did, fates(&deeds, &standings)))
    }

    async fn alone(&self, honest: &honest::Peers, busy: Share, length: Duration) -> Outcome<Slice> {
        let neighbour = self.other_core(Scenario::Neighbour, 0, busy)?;
        let slice = self.slice(honest, &neighbour, length).await?;
        neighbour.end().await?;
        Ok(slice)
    }

    /// What the honest provers do in this time beside these, once all is as it will be.
    async fn slice(&self, honest: &honest::Peers, beside: &Attackers, length: Duration) -> Outcome<Slice> {
        sleep(SETTLE).await;
        honest.take();
        let used = || Ok::<_, Box<dyn Error + Send + Sync>>([self.victim.cpu()?, cores::used_here()?, beside.cpu()?]);
        let (began, before) = (Instant::now(), used()?);
        sleep(length).await;
        let (length, after) = (began.elapsed(), used()?);
        let [cpu, honest_cpu, neighbour_cpu] = std::array::from_fn(|who| after[who].saturating_sub(before[who]));
        Ok(Slice { length, tally: honest.take(), cpu, honest_cpu, neighbour_cpu })
    }

    /// Processor time for a caller that is refused before its handshake, in microseconds.
    async fn price(&self) -> Outcome<f64> {
        sleep(SETTLE).await;
        let first = self.victim.cpu()?;
        sleep(PRICED).await;
        let idle = self.victim.cpu()? - first;
        let flood = self.attackers(Scenario::Price, 0)?;
        // Its host is shut first, and it makes its datagrams.
        let shut = self.victim.counts().await?.refused_callers;
        self.victim.counted("no caller is refused", BEGUN, |it| it.refused_callers >= shut + 100).await?;
        let cpu = self.victim.cpu()?;
        sleep(PRICED).await;
        let cpu = (self.victim.cpu()? - cpu).saturating_sub(idle);
        // What the system drops nobody here counts, so the flood itself does: with what it sent before the first look, a twentieth at most.
        let sent = flood.end().await?.get(hostile::Kind::HandshakeFlood.name()).map_or(0, |deeds| deeds.tries);
        Ok(cpu.as_secs_f64() * 1e6 / sent.max(1) as f64)
    }
}

/// What became of the attackers, by kind.
fn fates(deeds: &BTreeMap<String, Deeds>, standings: &BTreeMap<u8, String>) -> Vec<Fate> {
    let fate = |(kind, peers): (hostile::Kind, u8)| {
        let mut stood = BTreeMap::<_, usize>::new();
        for attacker in attackers().filter(|attacker| attacker.kind == kind) {
            if let Some(standing) = standings.get(&attacker.number) {
                *stood.entry(standing.clone()).or_default() += 1;
            }
        }
        let deeds = deeds.get(kind.name()).copied().unwrap_or_default();
        Fate { kind: kind.name(), peers, deeds, standings: stood }
    };
    KINDS.into_iter().map(fate).collect()
}
