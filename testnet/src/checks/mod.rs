//! What must hold of a network after any crashes, checked over what is left on the disks.
//!
//! Pure functions from [`RunOutcome`] (the nodes' data folders, the shards that clients were told are started, and
//! clients' receipts) to [`Violation`]s. They share no code with what they check: what a shard did is recomputed from
//! its log with whole numbers and maps ([`books`]), not taken from its output, and the World's storage is recomputed
//! from that and its first storage.
//!
//! [`safety`] holds at every moment, [`liveness`] some time after the last fault; [`all`] is both.

mod books;
mod dungeon;
#[cfg(test)]
mod dungeon_tests;
mod histories;
#[cfg(test)]
mod tests;

use crate::recompute::State;
use books::Books;
use shardwire::contents::{Fate, NodeContents, OperatedShard, PeerScore, WorldContents, WorldShard};
use shardwire_model::life::Ended;
use shardwire_model::{Felt, Hash, Kind, PeerId, ShardId};
use shardwire_protocols::ingress::{Outcome, Receipt};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Everything that is known once the nodes have stopped.
#[derive(Clone, Debug, Default)]
pub struct RunOutcome {
    /// The storage that each World began with, by its settler.
    pub genesis: BTreeMap<PeerId, State>,
    /// The contents of the nodes' disks.
    pub nodes: Vec<NodeContents>,
    /// The shards that a client was told are started, with their settlers.
    pub started: Vec<(PeerId, ShardId)>,
    /// Clients' receipts, with the operators that gave them. A liar's are worth nothing.
    pub receipts: Vec<(PeerId, Receipt)>,
    /// The peers that lie. All others are honest.
    pub liars: BTreeSet<PeerId>,
}

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// The check.
    pub check: Check,
    /// What it found.
    pub what: String,
}

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// A shard that a client was told is started is in the World. Once over it stays so, and all nodes that know of
    /// its end agree.
    StartedShards,
    /// Every started shard is settled or aborted.
    EveryShardEnds,
    /// Counters, balances and locks are what the logs of the settled shards make of the first storage.
    SettledOnce,
    /// Balances, escrows and what was spent add up to the first balances.
    ValueConserved,
    /// No two open shards hold a lock. A held lock is held by an open shard, and an escrow holds as much as open
    /// shards took.
    OneHolder,
    /// No job has two accepted proofs, and no proof is accepted for two jobs.
    OneProof,
    /// What nodes have signed of the lives of shards verifies, and agrees with the World and the logs.
    Histories,
    /// A receipt that a client holds names a transaction in the log, in its place.
    ReceiptsKept,
    /// No honest peer has harm, a broken lease or a ban on its account with another.
    ScoresKept,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.check, self.what)
    }
}

/// Checks what must hold at every moment.
#[must_use]
pub fn safety(outcome: &RunOutcome) -> Vec<Violation> {
    [
        started_shards(outcome),
        settled_once(outcome),
        value_conserved(outcome),
        one_holder(outcome),
        one_proof(outcome),
        receipts_kept(outcome),
        scores_kept(outcome),
        histories::sound(outcome),
    ]
    .concat()
}

/// Checks what must hold some time after the last fault.
#[must_use]
pub fn liveness(outcome: &RunOutcome) -> Vec<Violation> {
    let mut found = Found(Check::EveryShardEnds, Vec::new());
    for (settler, world) in outcome.worlds() {
        for shard in world.shards.iter().filter(|shard| shard.fate == Fate::Open) {
            found.add(format!("shard {} of settler {} is still open", shard.start.shard, settler.short()));
        }
    }
    [found.1, histories::complete(outcome)].concat()
}

/// Runs all checks.
#[must_use]
pub fn all(outcome: &RunOutcome) -> Vec<Violation> {
    [safety(outcome), liveness(outcome)].concat()
}

/// The violations that one check found.
struct Found(Check, Vec<Violation>);

impl Found {
    fn add(&mut self, what: String) {
        self.1.push(Violation { check: self.0, what });
    }
}

impl RunOutcome {
    fn worlds(&self) -> impl Iterator<Item = (PeerId, &WorldContents)> {
        self.nodes.iter().filter_map(|node| Some((node.peer, node.world.as_ref()?)))
    }

    fn shards(&self) -> impl Iterator<Item = &WorldShard> {
        self.worlds().flat_map(|(_, world)| &world.shards)
    }

    /// A shard as the operator that the World names has it.
    fn operated(&self, shard: &WorldShard) -> Option<&OperatedShard> {
        let operator = self.nodes.iter().find(|node| node.peer == shard.start.operator)?;
        operator.operated.iter().find(|it| it.start.shard == shard.start.shard)
    }
}

/// Every shard that a client was told is started is in the World; operators and provers report the same end as the
/// World.
fn started_shards(outcome: &RunOutcome) -> Vec<Violation> {
    let mut found = Found(Check::StartedShards, Vec::new());
    let worlds: BTreeMap<PeerId, &WorldContents> = outcome.worlds().collect();
    for (settler, shard) in &outcome.started {
        let known = worlds.get(settler).is_some_and(|world| world.shards.iter().any(|it| it.start.shard == *shard));
        if !known {
            found.add(format!("shard {shard} was started, and settler {} doesn't know it", settler.short()));
        }
    }
    for shard in outcome.shards() {
        let Some(operated) = outcome.operated(shard) else { continue };
        let agrees = match (operated.ended, &shard.fate) {
            (None, _) | (Some(Ended::Aborted), Fate::Aborted { .. }) => true,
            (Some(Ended::Settled { proof: told }), Fate::Settled { proof, .. }) => told == *proof,
            _ => false,
        };
        if !agrees {
            let told = operated.ended.map_or_else(String::new, |told| format!("{told:?}"));
            let (id, fate) = (shard.start.shard, &shard.fate);
            found.add(format!("the operator of shard {id} was told {told}, the World says {fate:?}"));
        }
        if operated.start != shard.start {
            found.add(format!("the operator of shard {} has other start data than the World", shard.start.shard));
        }
    }
    found.1
}

/// The World's storage is what the settled shards' logs make of its first storage: each applied once, aborted ones
/// not at all.
fn settled_once(outcome: &RunOutcome) -> Vec<Violation> {
    let mut found = Found(Check::SettledOnce, Vec::new());
    for (settler, world) in outcome.worlds() {
        let Some(genesis) = outcome.genesis.get(&settler) else { continue };
        let mut books = Books::open(genesis);
        for shard in in_order(world) {
            let Some(log) = outcome.operated(shard).map(|it| &it.log) else {
                if matches!(shard.fate, Fate::Settled { .. }) {
                    found.add(format!("shard {} is settled, and its operator has no log of it", shard.start.shard));
                }
                continue;
            };
            if let Fate::Settled { output, .. } = &shard.fate {
                let count = usize::try_from(output.count).unwrap_or(usize::MAX);
                if count != log.len() {
                    let (id, logged) = (shard.start.shard, log.len());
                    found.add(format!("{count} transactions of shard {id} are settled, {logged} were accepted"));
                }
                match books.settle(shard, log) {
                    Err(why) => found.add(format!("shard {}: {why}", shard.start.shard)),
                    Ok(updates) => {
                        let proven: Vec<(Kind, Felt)> = output.updates.iter().map(|it| (it.kind, it.value)).collect();
                        if proven != updates {
                            found.add(format!("the updates of shard {} are not what its log says", shard.start.shard));
                        }
                    }
                }
            }
        }
        for shard in world.shards.iter().filter(|shard| shard.fate == Fate::Open) {
            books.take(shard);
        }
        found.1.extend(books.compare(world).into_iter().map(|what| Violation { check: Check::SettledOnce, what }));
    }
    found.1
}

/// Settled shards in the order in which they settled. A shard that holds a lock after another got it later.
fn in_order(world: &WorldContents) -> Vec<&WorldShard> {
    let mut shards: Vec<&WorldShard> = world.shards.iter().collect();
    shards.sort_by_key(|shard| match shard.fate {
        Fate::Settled { at, .. } => (at, shard.started_at),
        _ => (shard.started_at, shard.started_at),
    });
    shards
}

fn value_conserved(outcome: &RunOutcome) -> Vec<Violation> {
    let mut found = Found(Check::ValueConserved, Vec::new());
    for (settler, world) in outcome.worlds() {
        let Some(genesis) = outcome.genesis.get(&settler) else { continue };
        let balance = |kind, value| if kind == Kind::Escrow { books::amount(value) } else { 0 };
        let first: u128 = genesis.values().map(|it| balance(it.kind, it.value)).sum();
        let left: u128 = world.storage.iter().map(|it| balance(it.kind, it.value)).sum();
        let away: u128 = world.storage.iter().map(|it| it.in_escrow).sum();
        let settled = world.shards.iter().filter(|shard| matches!(shard.fate, Fate::Settled { .. }));
        let spent: u128 = settled.filter_map(|shard| outcome.operated(shard)).map(|it| books::spent(&it.log)).sum();
        if left + away + spent != first {
            found.add(format!(
                "settler {}: balances of {left}, escrows of {away} and spends of {spent} don't add up to {first}",
                settler.short()
            ));
        }
    }
    found.1
}

fn one_holder(outcome: &RunOutcome) -> Vec<Violation> {
    let mut found = Found(Check::OneHolder, Vec::new());
    for (_, world) in outcome.worlds() {
        let open = world.shards.iter().filter(|shard| shard.fate == Fate::Open);
        let (mut holders, mut escrows) = (BTreeMap::new(), BTreeMap::<_, u128>::new());
        for shard in open {
            for (entry, value) in shard.start.entries.iter().zip(&shard.values) {
                match entry.kind {
                    Kind::Counter => {}
                    Kind::Escrow => *escrows.entry(entry.slot()).or_default() += books::amount(value.0),
                    Kind::Lock => {
                        if let Some(other) = holders.insert(entry.slot(), shard.start.shard) {
                            let (key, shard) = (entry.slot(), shard.start.shard);
                            found.add(format!("lock {key} is in the open shards {other} and {shard}"));
                        }
                    }
                }
            }
        }
        for cell in &world.storage {
            let holder = holders.get(&cell.slot()).copied();
            if cell.held_by != holder {
                let said = |it: Option<ShardId>| it.map_or_else(|| "nobody".to_owned(), |it| it.to_string());
                let (by, open) = (said(cell.held_by), said(holder));
                found.add(format!("lock {} is held by {by}; of the open shards {open} took it", cell.slot()));
            }
            let taken = escrows.get(&cell.slot()).copied().unwrap_or(0);
            if cell.in_escrow != taken {
                let (key, held) = (cell.slot(), cell.in_escrow);
                found.add(format!("{held} of balance {key} are in escrow; open shards took {taken}"));
            }
        }
    }
    found.1
}

/// Each receipt is the settler's word, for the proof that settled the shard; no job has two.
fn one_proof(outcome: &RunOutcome) -> Vec<Violation> {
    let mut found = Found(Check::OneProof, Vec::new());
    let settlers: BTreeSet<PeerId> = outcome.worlds().map(|(settler, _)| settler).collect();
    let mut accepted = BTreeMap::<Hash, Hash>::new();
    let mut jobs = BTreeMap::<Hash, Hash>::new();
    for (node, job) in outcome.nodes.iter().flat_map(|node| node.jobs.iter().map(move |job| (node.peer, job))) {
        let Some(receipt) = &job.receipt else { continue };
        let prover = node.short();
        let proof = receipt.statement.proof;
        if !settlers.iter().any(|settler| receipt.verify(settler).is_ok()) {
            found.add(format!("prover {prover} has a receipt for proof {} that no settler signed", proof.short()));
        }
        if job.proof != Some(proof) || receipt.statement.shard != job.shard {
            found.add(format!("prover {prover} has a receipt for another proof than that of job {}", job.job.short()));
        }
        let settled = outcome.shards().find(|shard| shard.start.shard == job.shard).map(|shard| &shard.fate);
        if !matches!(settled, Some(Fate::Settled { proof: by, .. }) if *by == proof) {
            found.add(format!("proof {} has a receipt, and shard {} isn't settled by it", proof.short(), job.shard));
        }
        if accepted.insert(job.job, proof).is_some_and(|other| other != proof) {
            found.add(format!("two proofs of job {} were accepted", job.job.short()));
        }
        if jobs.insert(proof, job.job).is_some_and(|other| other != job.job) {
            found.add(format!("proof {} was accepted for two jobs", proof.short()));
        }
    }
    found.1
}

fn receipts_kept(outcome: &RunOutcome) -> Vec<Violation> {
    let mut found = Found(Check::ReceiptsKept, Vec::new());
    for (operator, receipt) in outcome.receipts.iter().filter(|(operator, _)| !outcome.liars.contains(operator)) {
        let content = &receipt.statement;
        if receipt.verify(operator).is_err() {
            found.add(format!("a receipt for shard {} is not signed by operator {}", content.shard, operator.short()));
            continue;
        }
        let Outcome::Accepted { sequence, .. } = content.outcome else { continue };
        let node = outcome.nodes.iter().find(|node| node.peer == *operator);
        let log = node.and_then(|node| node.operated.iter().find(|it| it.start.shard == content.shard));
        let kept = log.and_then(|it| it.log.get(usize::try_from(sequence).unwrap_or(usize::MAX)));
        if kept.map(|logged| logged.transaction.hash()) != Some(content.transaction) {
            let (shard, transaction) = (content.shard, content.transaction.short());
            found
                .add(format!("transaction {transaction} has receipt {sequence} of shard {shard} and isn't in its log"));
        }
    }
    found.1
}

/// Lateness may be the network's fault, and cost is no fault; only a liar earns the rest.
fn scores_kept(outcome: &RunOutcome) -> Vec<Violation> {
    let mut found = Found(Check::ScoresKept, Vec::new());
    for (node, score) in outcome.nodes.iter().flat_map(|node| node.peers.iter().map(move |it| (node.peer, it))) {
        let PeerScore { peer, components, ban } = score;
        let harmed = components.harm > 0 || components.broken > 0 || ban.is_some();
        if harmed && !outcome.liars.contains(peer) {
            let (node, peer) = (node.short(), peer.short());
            found.add(format!("honest peer {peer} has {components:?} and {ban:?} with node {node}"));
        }
    }
    found.1
}
