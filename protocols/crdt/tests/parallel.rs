//! What must hold whatever parallel shards do, and in whatever order they settle.

use proptest::prelude::*;
use shardwire_crdt::{Cell, Claim, Counter, Delta, Escrow, Lock, MergeError, settlement, undo};
use shardwire_model::{
    AccountId, ContractId, Entry, EventId, Felt, Key, Kind, PeerId, ShardId, ShardStart, Slot, Terms, Timestamp,
    Update, finished_selector,
};
use std::collections::BTreeMap;

const BALANCE: u128 = 1_000;
const KINDS: [Kind; 7] =
    [Kind::Counter, Kind::Counter, Kind::Escrow, Kind::Escrow, Kind::Escrow, Kind::Lock, Kind::Lock];

type Cells = BTreeMap<Slot, Cell>;

const CONTRACT: ContractId = ContractId(Felt::from_hex_unchecked("0x4d"));

fn slot(index: usize) -> Slot {
    Slot::new(CONTRACT, Key(Felt::from(index as u64 + 1)))
}

fn account(n: u64) -> AccountId {
    AccountId(Felt::from(1_000 + n))
}

fn cells() -> Cells {
    let cell = |kind| match kind {
        Kind::Counter => Cell::Counter(Counter::new(5)),
        Kind::Escrow => Cell::Escrow(Escrow::new(BALANCE)),
        Kind::Lock => Cell::Lock(Lock::new(account(0))),
    };
    KINDS.iter().enumerate().map(|(i, kind)| (slot(i), cell(*kind))).collect()
}

/// What a shard is asked to do: which entries it takes with how much, and what it makes of them.
#[derive(Clone, Debug)]
struct Plan {
    entries: Vec<(usize, u128)>,
    makes: Vec<u64>,
    abort: bool,
    rank: u64,
}

fn plan() -> impl Strategy<Value = Plan> {
    let entries = proptest::sample::subsequence((0..KINDS.len()).collect::<Vec<_>>(), 1..=KINDS.len());
    let amounts = proptest::collection::vec(0..400u128, KINDS.len());
    let makes = proptest::collection::vec(0..500u64, KINDS.len());
    (entries, amounts, makes, prop::bool::weighted(0.2), any::<u64>()).prop_map(
        |(entries, amounts, makes, abort, rank)| Plan {
            entries: entries.into_iter().zip(amounts).collect(),
            makes,
            abort,
            rank,
        },
    )
}

struct Running {
    start: ShardStart,
    claims: Vec<Claim>,
}

fn start_data(n: usize, plan: &Plan) -> ShardStart {
    let shard = ShardId(Felt::from(10_000 + n as u64));
    let entry = |i: usize| {
        let guard = match KINDS[i] {
            Kind::Counter => Felt::ZERO,
            Kind::Escrow => account(1).0,
            Kind::Lock => shard.0,
        };
        Entry { kind: KINDS[i], contract: CONTRACT, key: slot(i).key, guard }
    };
    ShardStart {
        shard,
        program: Felt::ONE,
        operator: PeerId([1; 32]),
        contracts: vec![CONTRACT],
        accounts: (1..4).map(account).collect(),
        end_event: EventId { from: CONTRACT, selector: finished_selector() },
        deadline: Timestamp(1),
        entries: plan.entries.iter().map(|(i, _)| entry(*i)).collect(),
        terms: Terms::Rules,
    }
}

/// All claims or none, as a ledger's transaction does it.
fn begin(cells: &mut Cells, n: usize, plan: &Plan) -> Result<Running, MergeError> {
    let start = start_data(n, plan);
    let mut after = cells.clone();
    let mut claims = Vec::new();
    for (i, amount) in &plan.entries {
        let claimed = after[&slot(*i)].claim(slot(*i), KINDS[*i], start.shard, *amount)?;
        after.insert(slot(*i), claimed.cell);
        claims.push(claimed.claim);
    }
    *cells = after;
    Ok(Running { start, claims })
}

/// Values that a run of this shard could have led to: escrows pass value on and spend some.
fn updates(running: &Running, plan: &Plan) -> Vec<Update> {
    let held = |claim: &Claim| if let Claim::Escrow { amount } = claim { *amount } else { 0 };
    let mut left: u128 = running.claims.iter().map(held).sum();
    let value = |(claim, make): (&Claim, &u64)| match claim {
        Claim::Counter => Felt::from(*make),
        Claim::Escrow { .. } => {
            let takes = left.min(u128::from(*make));
            left -= takes;
            Felt::from(takes)
        }
        Claim::Lock { .. } => account(1 + make % 3).0,
    };
    let values: Vec<Felt> = running.claims.iter().zip(&plan.makes).map(value).collect();
    let update =
        |(entry, value): (&Entry, Felt)| Update { kind: entry.kind, contract: entry.contract, key: entry.key, value };
    running.start.entries.iter().zip(values).map(update).collect()
}

fn deltas(running: &Running, plan: &Plan) -> Vec<(Slot, Delta)> {
    if plan.abort {
        undo(&running.start, &running.claims)
    } else {
        settlement(&running.start, &running.claims, &updates(running, plan)).unwrap()
    }
}

fn merge(cells: &mut Cells, deltas: &[(Slot, Delta)]) -> Result<(), MergeError> {
    let mut after = cells.clone();
    for (key, delta) in deltas {
        let merged = after[key].merge(*key, *delta)?;
        after.insert(*key, merged);
    }
    *cells = after;
    Ok(())
}

fn spent(deltas: &[(Slot, Delta)]) -> i128 {
    let one = |(_, delta): &(Slot, Delta)| match delta {
        Delta::Escrow { deposited, returned } => *deposited as i128 - *returned as i128,
        _ => 0,
    };
    deltas.iter().map(one).sum()
}

fn total(cells: &Cells) -> i128 {
    let one = |cell: &Cell| match cell {
        Cell::Escrow(escrow) => escrow.balance() as i128 + escrow.in_escrow() as i128,
        _ => 0,
    };
    cells.values().map(one).sum()
}

proptest! {
    /// Whatever order parallel shards settle in, the World converges; and a second settlement changes no lock.
    #[test]
    fn parallel_shards_converge_in_any_order(plans in proptest::collection::vec(plan(), 1..8)) {
        let mut begun = cells();
        let mut running = Vec::new();
        for (n, plan) in plans.iter().enumerate() {
            let before = begun.clone();
            match begin(&mut begun, n, plan) {
                Ok(shard) => running.push((shard, plan)),
                Err(_) => prop_assert_eq!(&before, &begun),
            }
        }
        let mut all: Vec<(u64, Vec<(Slot, Delta)>)> =
            running.iter().map(|(shard, plan)| (plan.rank, deltas(shard, plan))).collect();
        let mut in_order = begun.clone();
        for (_, deltas) in &all {
            merge(&mut in_order, deltas).unwrap();
        }
        all.sort_by_key(|(rank, _)| *rank);
        let mut shuffled = begun.clone();
        for (_, deltas) in &all {
            merge(&mut shuffled, deltas).unwrap();
        }
        prop_assert_eq!(&in_order, &shuffled);

        for (_, deltas) in &all {
            for (key, delta) in deltas.iter().filter(|(_, delta)| delta.kind() == Kind::Lock) {
                let again = shuffled[key].merge(*key, *delta);
                prop_assert!(matches!(again, Err(MergeError::NotHeld { .. })), "{:?}", again);
            }
        }
    }

    /// Starts and ends interleave: no value appears or vanishes, what is in escrow is what running shards hold, a lock has one
    /// holder, and it is the running shard that claimed it.
    #[test]
    fn value_is_conserved_and_locks_have_one_holder(
        plans in proptest::collection::vec(plan(), 1..12),
        ends in proptest::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        let mut world = cells();
        let (initial, mut gone) = (total(&world), 0);
        let mut running: Vec<(Running, &Plan)> = Vec::new();
        let mut counted: BTreeMap<Slot, u128> = BTreeMap::new();
        for ((n, plan), end) in plans.iter().enumerate().zip(ends) {
            if let Ok(shard) = begin(&mut world, n, plan) {
                running.push((shard, plan));
            }
            if plan.rank % 2 == 0 && !running.is_empty() {
                let (shard, plan) = running.swap_remove(end.index(running.len()));
                let deltas = deltas(&shard, plan);
                gone += spent(&deltas);
                for (key, delta) in &deltas {
                    if let Delta::Counter { increment } = delta {
                        *counted.entry(*key).or_default() += increment;
                    }
                }
                merge(&mut world, &deltas).unwrap();
            }
            prop_assert_eq!(total(&world) + gone, initial);
            for (at, cell) in &world {
                let holds = |shard: &Running| -> Option<Claim> {
                    shard.start.entry_index(*at).map(|i| shard.claims[i])
                };
                let claims: Vec<(ShardId, Claim)> =
                    running.iter().filter_map(|(s, _)| holds(s).map(|claim| (s.start.shard, claim))).collect();
                match cell {
                    Cell::Counter(counter) => {
                        prop_assert_eq!(counter.value(), 5 + counted.get(at).copied().unwrap_or(0));
                    }
                    Cell::Escrow(escrow) => {
                        let held: u128 = claims.iter().map(|(_, c)| if let Claim::Escrow { amount } = c { *amount } else { 0 }).sum();
                        prop_assert_eq!(escrow.in_escrow(), held);
                    }
                    Cell::Lock(lock) => {
                        prop_assert!(claims.len() <= 1);
                        prop_assert_eq!(lock.holder(), claims.first().map(|(shard, _)| *shard));
                    }
                }
            }
        }
    }

    /// However the escrows of a shard return more than they held, it is refused.
    #[test]
    fn value_out_of_nothing_is_refused(plan in plan(), extra in 1..u64::MAX, at in any::<prop::sample::Index>()) {
        let mut world = cells();
        let Ok(running) = begin(&mut world, 0, &plan) else { return Ok(()) };
        let escrows: Vec<usize> =
            (0..running.claims.len()).filter(|i| running.claims[*i].kind() == Kind::Escrow).collect();
        prop_assume!(!escrows.is_empty());
        let mut updates = updates(&running, &plan);
        // One returns everything of all, and something.
        let all: u128 = running.claims.iter().map(|c| if let Claim::Escrow { amount } = c { *amount } else { 0 }).sum();
        updates[escrows[at.index(escrows.len())]].value = Felt::from(all + u128::from(extra));
        let refused = settlement(&running.start, &running.claims, &updates);
        prop_assert!(matches!(refused, Err(MergeError::Created { .. } | MergeError::Range { .. })), "{:?}", refused);
    }
}
