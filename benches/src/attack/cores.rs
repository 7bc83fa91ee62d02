//! Which processes share a core: honest peers and victim have one, the attackers another one. So what attackers themselves compute takes nothing from
//! the others, and what the victim does for them shows.

use super::Outcome;
use std::time::Duration;

/// Two cores of this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cores {
    /// For the victim and the honest peers.
    pub(super) victim: usize,
    /// For the attackers.
    pub(super) attackers: usize,
}

/// The first two cores that this process may run on.
#[cfg(target_os = "linux")]
pub(super) fn two() -> Outcome<Cores> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let allowed = sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    match (cores.next(), cores.next()) {
        (Some(victim), Some(attackers)) => Ok(Cores { victim, attackers }),
        _ => Err("attackers need a core of their own, and this process may use one only".into()),
    }
}

/// Keeps this thread, and those and the processes that it starts from now on, to this core.
#[cfg(target_os = "linux")]
pub(super) fn pin(core: usize) -> Outcome<()> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut only = CpuSet::new();
    only.set(core);
    Ok(sched_setaffinity(None, &only)?)
}

/// The processor time of a process, by its `/proc/PID/stat`.
pub(super) fn used(stat: &str) -> Outcome<Duration> {
    // The name before may contain anything.
    let (_, rest) = stat.rsplit_once(')').ok_or("no name in /proc/PID/stat")?;
    let ticks: u64 = rest.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Ok(Duration::from_micros(ticks * 1_000_000 / rustix::param::clock_ticks_per_second()))
}

/// The processor time of this process: of the honest provers, beside the clock that stops the slices.
pub(super) fn used_here() -> Outcome<Duration> {
    used(&std::fs::read_to_string("/proc/self/stat")?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn two() -> Outcome<Cores> {
    Err("processes are kept to cores on Linux only".into())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn pin(_: usize) -> Outcome<()> {
    two().map(drop)
}
