//! `benches attack`: what two honest peers keep of their throughput while sixteen others attack the node that they stream from.
//!
//! Three processes. The **victim** is an operator as far as its peers see one: the production endpoint, admission, gate, quotas, session and protocol halves
//! (`shardwire_peers`, `shardwire_protocols`); only what a chunk holds is made up. It runs on the runtime, with the settings and under the limits that a node has. Two
//! **honest** peers, configured ones in tier normal, stream traces from it with the production client half, as fast as their quota lets them
//! (64 MiB/s each, 1 Gbit/s together). The **attackers** are sixteen identities, each at an address and in a network of its own:
//!
//! | kind | how many | what it does |
//! |---|---|---|
//! | `handshake_flood` | 2 | sends first datagrams of handshakes that it never goes on with, [`hostile::FLOOD_PER_S`] a second |
//! | `stream_flood` | 3 | opens sessions as fast as QUIC lets it, and reads no answer |
//! | `oversize` | 3 | announces frames of 256 MiB; it *earned* tier high before |
//! | `slow_loris` | 3 | holds 200 streams open, a byte of a header a second |
//! | `max_rate` | 3 | valid requests without a pause: pings, and one of them pulls chunks |
//! | `reconnect` | 2 | comes, breaks a rule, goes, and comes again as somebody else |
//!
//! **What is fair on one machine.** Attackers on the Internet have their own processors and reach the victim through its line; here they share
//! both with the victim. So their process runs at the lowest priority: it uses what the victim and the honest peers leave, which on an idle machine is more than a
//! line would bring. The one attack that is limited by nothing but the line, datagrams that are worth no answer, has a rate: 2,000 a second
//! are 20 Mbit/s each. The throughput alone is measured before and after the attack, for as long each, so that what else the machine does falls on both.
//!
//! | figure | what it is |
//! |---|---|
//! | `honest_alone`, `honest_attacked` | bytes a second of chunks that the two received, together |
//! | `honest_ratio` | attacked / alone |
//! | `peak_bytes` | the most memory that the victim's process ever had |
//! | `peak_bound_bytes` | [`PEAK_BOUND_BYTES`] |
//! | `refused_handshake_cpu_us` | processor time of the victim for a caller from a shut host, at 2,000 a second: all that it does, less what it does idle |
//! | `attackers` | each with the tier that it ended in (`refused`: its host is shut), and after how many seconds it was first in the lowest tier or refused |

mod honest;
pub(crate) mod hostile;
mod meeting;
pub(crate) mod victim;

use clap::Args;
use hostile::{ATTACKERS, Kind};
use serde_json::json;
use shardwire_transport::Identity;
use std::{
    error::Error,
    net::Ipv4Addr,
    time::{Duration, Instant},
};
use tokio::{runtime::Builder, time::sleep};
use victim::{Victim, VictimReport};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What the victim's memory stays under: a program with a runtime has 20 MiB, a full send window for each of two streaming peers is 32 MiB, the admission lets 256
/// strangers in at 225 KiB each (56 MiB), and the rest is the allocator's.
pub(crate) const PEAK_BOUND_BYTES: u64 = 128 << 20;
/// The honest peers, which have to be served under attack.
const HONEST: [u8; 2] = [201, 202];
/// How often the victim is asked for the attackers' standing.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The time for streams to reach their speed, and for the machine to settle.
const SETTLE: Duration = Duration::from_secs(2);
/// How long refused handshakes are measured for their price.
const PRICED: Duration = Duration::from_secs(4);

/// What to measure.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Seconds of attack; as many are measured without one.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(6..=600))]
    seconds: u32,
    /// Print one JSON object on the last line.
    #[arg(long)]
    json: bool,
}

/// The identity of a number.
pub(crate) fn identity(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

/// The address of a number: in a network of its own, all of them on this machine.
pub(crate) fn host(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, number, 0, 1)
}

/// Measures and prints.
pub(crate) fn measure(options: &Options) -> Outcome<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(runtime.spawn(run(options.clone())))?
}

/// What became of an attacker.
#[derive(Clone, Debug)]
struct Fate {
    kind: Kind,
    tier: String,
    seconds: Option<f64>,
}

async fn run(options: Options) -> Outcome<()> {
    let attack = Duration::from_secs(options.seconds.into());
    let mut victim = Victim::start()?;
    let honest = honest::Peers::start(&victim.address, HONEST);
    honest.streaming().await?;
    sleep(SETTLE).await;

    eprintln!("alone, {} s", attack.as_secs() / 2);
    let before = honest.throughput(attack / 2).await;
    eprintln!("attacked by {} peers, {} s", ATTACKERS.len(), attack.as_secs());
    let attackers = hostile::start(&victim.address, hostile::Scenario::Attack)?;
    let (attacked, fates) = tokio::join!(honest.throughput(attack), watch(&mut victim, attack));
    let fates = fates?;
    drop(attackers);
    sleep(SETTLE).await;
    eprintln!("alone, {} s", attack.as_secs() / 2);
    let after = honest.throughput(attack / 2).await;
    honest.stop().await;
    sleep(SETTLE).await;
    eprintln!("the price of a refused handshake, {} s", 2 * PRICED.as_secs());
    let (price, refusals) = price(&mut victim).await?;
    let report = victim.look()?;

    let alone = f64::midpoint(before, after);
    let ratio = attacked / alone;
    say!("honest peers alone: {:.1} MB/s (before {:.1}, after {:.1})", alone / 1e6, before / 1e6, after / 1e6);
    say!("honest peers attacked: {:.1} MB/s, {:.1} % of that", attacked / 1e6, ratio * 100.0);
    say!("peak memory: {} MiB of {} MiB", report.peak >> 20, PEAK_BOUND_BYTES >> 20);
    say!("a refused handshake: {price:.1} us of a processor ({refusals} of them)");
    let admission = report.admission;
    say!(
        "the admission: {} admitted, {} asked for a token, {} refused, {} ignored, {} turned away",
        admission.admitted,
        admission.retried,
        admission.refused,
        admission.ignored,
        admission.turned_away
    );
    for fate in &fates {
        let after = fate.seconds.map_or_else(|| "never lowest".to_owned(), |seconds| format!("after {seconds:.1} s"));
        say!("{}: {} ({after})", fate.kind.name(), fate.tier);
    }
    if options.json {
        let attackers: Vec<_> = fates
            .iter()
            .map(|fate| json!({ "kind": fate.kind.name(), "tier": fate.tier, "seconds_to_lowest": fate.seconds }))
            .collect();
        let object = json!({
            "honest_alone": alone,
            "honest_attacked": attacked,
            "honest_ratio": ratio,
            "peak_bytes": report.peak,
            "peak_bound_bytes": PEAK_BOUND_BYTES,
            "refused_handshake_cpu_us": price,
            "attackers": attackers,
        });
        say!("{object}");
    }
    Ok(())
}

/// Watches the attackers for this time.
async fn watch(victim: &mut Victim, length: Duration) -> Outcome<Vec<Fate>> {
    let began = Instant::now();
    let mut fates: Vec<Fate> =
        ATTACKERS.iter().map(|kind| Fate { kind: *kind, tier: String::new(), seconds: None }).collect();
    while began.elapsed() < length {
        let VictimReport { attackers, .. } = victim.look()?;
        let now = began.elapsed().as_secs_f64();
        for (fate, tier) in fates.iter_mut().zip(attackers) {
            if fate.seconds.is_none() && tier != "normal" && tier != "high" {
                fate.seconds = Some(now);
            }
            fate.tier = tier;
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(fates)
}

/// Processor time for a caller that is refused before its handshake, in microseconds, and how many there were.
async fn price(victim: &mut Victim) -> Outcome<(f64, u64)> {
    let turned_off =
        |report: &VictimReport| report.admission.refused + report.admission.ignored + report.admission.retried;
    let first = victim.look()?;
    sleep(PRICED).await;
    let idle = victim.look()?;
    let flood = hostile::start(&victim.address, hostile::Scenario::Price)?;
    // It makes its datagrams first.
    while turned_off(&victim.look()?) == turned_off(&idle) {
        sleep(LOOK_EVERY).await;
    }
    let begin = victim.look()?;
    sleep(PRICED).await;
    let end = victim.look()?;
    drop(flood);
    let count = turned_off(&end) - turned_off(&begin);
    let cpu = (end.cpu - begin.cpu).saturating_sub(idle.cpu - first.cpu);
    #[allow(clippy::cast_precision_loss)] // thousands
    let each = cpu.as_secs_f64() * 1e6 / count.max(1) as f64;
    Ok((each, count))
}
