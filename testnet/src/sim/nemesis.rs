//! Injects the faults of a run, and ends them.

use super::{
    machine::Machine,
    plan::{Fault, Plan},
    record::note,
    reexecution::LocalEnd,
};
use crate::dice::{Dice, PPM};
use shardwire::config::Role;
use shardwire_disk::{Survives, Trouble};
use shardwire_transport::sim::{Internet, Link};
use std::{net::IpAddr, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

/// How often machines are checked for a power failure.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The farthest that a clock jumps for good, in seconds: longer than any lease except one for an announced proof.
const MAX_JUMP_S: u64 = 150;
/// The farthest that one jumps until somebody sets it right, in days: beyond every deadline.
const MAX_JUMP_DAYS: u64 = 4;
/// How often a jump is one of days.
const JUMPS_BY_DAYS: u32 = PPM / 2;
/// Reads in a million that fail on a failing disk.
const FAILING_READS: u32 = PPM / 20;

/// Counts of the faults injected.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deeds {
    pub(super) crashes: u64,
    pub(super) partitions: u64,
}

/// A fault that ends by itself.
struct Ongoing {
    until: Instant,
    what: Cure,
}

enum Cure {
    Mend(Vec<(IpAddr, IpAddr)>),
    /// A machine without power.
    PowerOn(usize),
    /// A process that is stopped.
    Resume(usize),
    /// A failing disk: it is repaired, and its operator may start the node again.
    Disk {
        index: usize,
        restarts: bool,
    },
    /// A machine whose worker is mended.
    Worker(usize),
    /// A clock that is days wrong.
    Clock(usize),
}

/// Injects faults into the machines that it is lent.
pub(super) struct Nemesis<'a> {
    pub(super) plan: &'a Plan,
    pub(super) internet: &'a Internet,
    pub(super) machines: &'a mut [Machine],
    pub(super) clients: Vec<IpAddr>,
    pub(super) dice: Dice,
    ongoing: Vec<Ongoing>,
    pub(super) deeds: Deeds,
}

impl<'a> Nemesis<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        internet: &'a Internet,
        machines: &'a mut [Machine],
        clients: Vec<IpAddr>,
        dice: Dice,
    ) -> Self {
        Self { plan, internet, machines, clients, dice, ongoing: Vec::new(), deeds: Deeds::default() }
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.machines.iter().map(|machine| machine.ip).chain(self.clients.iter().copied()).collect()
    }

    fn set_links(&self, link: &mut dyn FnMut() -> Link) {
        let all = self.addresses();
        for from in &all {
            all.iter().filter(|to| *to != from).for_each(|to| self.internet.set_link(*from, *to, link()));
        }
    }

    /// Draws the links between all machines.
    pub(super) fn wire(&self, mut dice: Dice) {
        self.set_links(&mut || self.plan.link(&mut dice));
    }

    /// Injects faults for as long as the plan says, then ends all of them.
    pub(super) async fn rage(&mut self) {
        let end = Instant::now() + self.plan.safety;
        let mut next = self.after();
        loop {
            let now = Instant::now();
            self.cure(|ongoing| ongoing.until <= now).await;
            self.watch();
            if now >= end {
                break;
            }
            if now >= next {
                if !self.plan.faults.is_empty() {
                    let fault = self.plan.faults[self.dice.index(self.plan.faults.len())];
                    self.strike(fault).await;
                }
                next = self.after();
            }
            sleep(LOOK_EVERY).await;
        }
        note("faults end");
        self.set_links(&mut Link::default);
        self.cure(|_| true).await;
        for machine in &mut *self.machines {
            machine.medium.power_off_after(u64::MAX);
            machine.clock.correct();
        }
        self.watch();
    }

    fn after(&mut self) -> Instant {
        Instant::now() + self.dice.between(Duration::from_millis(100), self.plan.quiet)
    }

    /// Turns off machines whose disk lost its power, and restarts nodes that ended by themselves.
    pub(super) fn watch(&mut self) {
        for index in 0..self.machines.len() {
            let machine = &mut self.machines[index];
            if !machine.is_up() {
                continue;
            }
            if !machine.medium.is_powered() {
                self.deeds.crashes += 1;
                machine.crash();
                self.power_on_later(index);
            } else if machine.has_ended() {
                machine.crash();
                self.power_on_later(index);
            }
        }
    }

    fn power_on_later(&mut self, index: usize) {
        let most = if self.dice.chance(PPM / 6) { 100 } else { 10 };
        let down = self.dice.between(Duration::from_millis(10), Duration::from_secs(most));
        self.ongoing.push(Ongoing { until: Instant::now() + down, what: Cure::PowerOn(index) });
    }

    async fn cure(&mut self, due: impl Fn(&Ongoing) -> bool) {
        let (due, rest) = std::mem::take(&mut self.ongoing).into_iter().partition(due);
        self.ongoing = rest;
        for Ongoing { what, .. } in due {
            match what {
                Cure::Mend(directions) => {
                    note("a partition heals");
                    directions.into_iter().for_each(|(from, to)| self.internet.mend(from, to));
                }
                Cure::PowerOn(index) => {
                    let survives = self.survives();
                    if !self.machines[index].is_up() {
                        self.machines[index].recover(survives);
                    }
                }
                Cure::Resume(index) => self.machines[index].resume(),
                Cure::Clock(index) => {
                    note(&format!("the clock of {} is set right", self.machines[index].name));
                    self.machines[index].clock.correct();
                }
                Cure::Worker(index) => {
                    note(&format!("the worker of {} is mended", self.machines[index].name));
                    self.machines[index].worker_ends(None);
                }
                Cure::Disk { index, restarts } => {
                    let machine = &mut self.machines[index];
                    note(&format!("the disk of {} is mended", machine.name));
                    machine.medium.set_capacity(None);
                    machine.medium.fail_reads(0);
                    machine.medium.trouble(None);
                    if machine.is_up() && restarts {
                        machine.stop().await;
                        // The node stopped in good order: its disk loses nothing.
                        machine.recover(Survives::All);
                    }
                }
            }
        }
    }

    fn survives(&mut self) -> Survives {
        match self.dice.below(3) {
            0 => Survives::Nothing,
            1 => Survives::All,
            _ => Survives::Some(self.dice.number()),
        }
    }

    fn victim(&mut self) -> Option<usize> {
        let index = self.dice.index(self.machines.len());
        self.machines[index].is_up().then_some(index)
    }

    async fn strike(&mut self, fault: Fault) {
        let lasts = self.dice.between(Duration::from_millis(200), Duration::from_secs(45));
        let until = Instant::now() + lasts;
        match fault {
            Fault::Partition | Fault::OneWay => {
                let all = self.addresses();
                let (these, those): (Vec<IpAddr>, Vec<IpAddr>) = all.iter().partition(|_| self.dice.chance(PPM / 2));
                let mut directions = Vec::new();
                for from in &these {
                    for to in &those {
                        directions.push((*from, *to));
                        if fault == Fault::Partition {
                            directions.push((*to, *from));
                        }
                    }
                }
                note(&format!("{fault:?} between {these:?} and {those:?} for {lasts:?}"));
                directions.iter().for_each(|(from, to)| self.internet.cut(*from, *to));
                self.deeds.partitions += 1;
                self.ongoing.push(Ongoing { until, what: Cure::Mend(directions) });
            }
            Fault::Clog => {
                let from = self.machines[self.dice.index(self.machines.len())].ip;
                let to = self.machines[self.dice.index(self.machines.len())].ip;
                note(&format!("clog from {from} to {to} for {lasts:?}"));
                self.internet.clog(from, to, lasts);
            }
            Fault::Crash => {
                if let Some(index) = self.victim() {
                    self.deeds.crashes += 1;
                    self.machines[index].crash();
                    self.power_on_later(index);
                }
            }
            Fault::CrashAtWrite => {
                if let Some(index) = self.victim() {
                    let acts = self.dice.below(60);
                    note(&format!("{} will lose its power after {acts} writes", self.machines[index].name));
                    self.machines[index].medium.power_off_after(acts);
                }
            }
            Fault::Restart => {
                if let Some(index) = self.victim() {
                    self.machines[index].stop().await;
                    self.machines[index].recover(Survives::All);
                }
            }
            Fault::ClockJump => {
                let index = self.dice.index(self.machines.len());
                let mut by = i64::try_from(self.dice.below(2 * MAX_JUMP_S * 1000)).unwrap_or(0)
                    - i64::try_from(MAX_JUMP_S * 1000).unwrap_or(0);
                if self.dice.chance(JUMPS_BY_DAYS) {
                    by *= i64::try_from(MAX_JUMP_DAYS * 24 * 60 * 60 / MAX_JUMP_S).unwrap_or(1);
                    self.ongoing.push(Ongoing { until, what: Cure::Clock(index) });
                }
                note(&format!("the clock of {} jumps by {by} ms", self.machines[index].name));
                self.machines[index].clock.jump(by);
            }
            Fault::Pause => {
                if let Some(index) = self.victim() {
                    // Sometimes longer than a lease.
                    let lasts = if self.dice.chance(PPM / 3) { lasts * 2 } else { lasts };
                    note(&format!("{} is paused for {lasts:?}", self.machines[index].name));
                    self.machines[index].pause();
                    self.ongoing.push(Ongoing { until: Instant::now() + lasts, what: Cure::Resume(index) });
                }
            }
            Fault::Worker => {
                let provers: Vec<usize> =
                    (0..self.machines.len()).filter(|index| self.machines[*index].role() == Role::Prover).collect();
                let index = provers[self.dice.index(provers.len())];
                let end = LocalEnd::ALL[self.dice.index(LocalEnd::ALL.len())];
                note(&format!("{end:?} workers at {} for {lasts:?}", self.machines[index].name));
                self.machines[index].worker_ends(Some(end));
                self.ongoing.push(Ongoing { until, what: Cure::Worker(index) });
            }
            Fault::FullDisk | Fault::ReadErrors => {
                if let Some(index) = self.victim() {
                    let machine = &self.machines[index];
                    note(&format!("{fault:?} at {}", machine.name));
                    match (fault, self.dice.below(6)) {
                        (Fault::ReadErrors, _) => machine.medium.fail_reads(FAILING_READS),
                        (_, 0) => machine.medium.trouble(Some(Trouble::ReadOnly)),
                        (_, 1) => machine.medium.trouble(Some(Trouble::OverQuota)),
                        (_, 2) => machine.medium.trouble(Some(Trouble::NoFilesLeft)),
                        _ => machine.medium.set_capacity(Some(machine.medium.used())),
                    }
                    // Mostly the node has to go on by itself.
                    let restarts = self.dice.chance(PPM / 4);
                    self.ongoing.push(Ongoing { until, what: Cure::Disk { index, restarts } });
                }
            }
        }
    }

    /// Looks after the nodes until this time: restarts those that end by themselves or still had a failure coming.
    pub(super) async fn tend(&mut self, until: Instant) {
        while Instant::now() < until {
            let now = Instant::now();
            self.watch();
            self.cure(|ongoing| ongoing.until <= now).await;
            sleep_until(now + Duration::from_secs(1)).await;
        }
    }
}
