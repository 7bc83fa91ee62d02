//! Random histories: some right and some wrong operations, each answer and all state compared with the [`Model`]'s.

use super::{
    PROGRAM, SetClock, Setup, carry_out,
    model::{End, Model, Shard},
    storage,
};
use crate::{
    Genesis, GenesisEntry, GenesisValue, MAX_TIMEOUT, Operation, Receipt, ShardState, StorageEntry, World,
    WorldIdentity,
};
use shardwire_model::life::AbortReason;
use shardwire_model::{
    AccountId, Coded, ContractId, EntryRequest, EventId, Felt, Hash, Key, Kind, MAX_INCREMENT, Output, PeerId, ShardId,
    StartRequest, Terms, Timestamp, Update, finished_selector,
};
use std::{ops::Range, sync::Arc, time::Duration};

const NETWORK: &str = "suite";
const GAME: ContractId = ContractId(Felt::from_hex_unchecked("0xc1"));
const ACCOUNTS: [AccountId; 2] =
    [AccountId(Felt::from_hex_unchecked("0xa1")), AccountId(Felt::from_hex_unchecked("0xa2"))];
const OPERATORS: [PeerId; 2] = [PeerId([7; 32]), PeerId([8; 32])];
/// Addresses: two counters (the second nearly full), three escrows, two locks, and one that isn't there.
const KINDS: [Kind; 7] =
    [Kind::Counter, Kind::Counter, Kind::Escrow, Kind::Escrow, Kind::Escrow, Kind::Lock, Kind::Lock];
const NOWHERE: u64 = 8;
const BALANCE: u128 = 500;
/// Where the nearly full counter stands: there is room for three open shards, and for a little more.
const FULL: u128 = u128::MAX - 3 * MAX_INCREMENT - 40;
const OPERATIONS: usize = 60;

/// SplitMix64: numbers that a seed decides.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

fn key(n: u64) -> Key {
    Key(Felt::from(n))
}

/// Lets a World that `make` makes go through a random history for each seed.
pub async fn histories(make: &dyn Fn(Setup) -> Arc<dyn World>, seeds: Range<u64>) {
    for seed in seeds {
        history(make, seed).await;
    }
}

fn genesis() -> Genesis {
    let entry = |(kind, n): (Kind, u64)| {
        let value = match kind {
            Kind::Counter => GenesisValue::Number(if n == 2 { FULL } else { 0 }),
            Kind::Escrow => GenesisValue::Number(BALANCE),
            Kind::Lock => GenesisValue::Hex(ACCOUNTS[0].0),
        };
        GenesisEntry { contract: GAME, key: key(n), kind, value }
    };
    Genesis { storage: KINDS.into_iter().zip(1..).map(entry).collect() }
}

fn model() -> Model {
    let entry = |(kind, n): (Kind, u64)| {
        let value = match kind {
            Kind::Counter => Felt::from(if n == 2 { FULL } else { 0 }),
            Kind::Escrow => Felt::from(BALANCE),
            Kind::Lock => ACCOUNTS[0].0,
        };
        let entry = StorageEntry { contract: GAME, key: key(n), kind, value, in_escrow: 0, held_by: None };
        (entry.slot(), entry)
    };
    Model { storage: KINDS.into_iter().zip(1..).map(entry).collect(), ..Model::default() }
}

async fn history(make: &dyn Fn(Setup) -> Arc<dyn World>, seed: u64) {
    let dice = &mut Dice(seed);
    let genesis = genesis();
    let first = genesis.hash().expect("a genesis");
    let identity = WorldIdentity::new(NETWORK, first, [PeerId([1; 32])], [PROGRAM]).expect("an identity");
    let clock = Arc::new(SetClock::default());
    let world = make(Setup { identity, genesis, clock: clock.clone() });
    let (mut model, mut now) = (model(), Timestamp(1_000));
    for n in 0..OPERATIONS {
        now = now.plus(Duration::from_millis(dice.below(2_000)));
        clock.set(now);
        let operation = operation(dice, &model, now);
        let expected = match &operation {
            Operation::Start { request, deadline } => model.start(NETWORK, request, *deadline, now).map(|_| ()),
            Operation::Settle { output, proof } => model.settle(output, *proof),
            Operation::Abort { shard, reason } => model.abort(*shard, *reason == AbortReason::Deadline, now),
        };
        let at = format!("seed {seed}, operation {n}: {operation:?}");
        let answer = carry_out(&*world, &operation).await;
        assert_eq!(answer.as_ref().map(|_| ()).map_err(Coded::code), expected, "{at}");
        if let Ok(receipt) = answer {
            match_receipt(&receipt, &operation, &model, &at);
            // Again is the same again, and no change: who waits for one isn't woken.
            if dice.one_in(4) {
                let revision = world.revision();
                assert_eq!(carry_out(&*world, &operation).await, Ok(receipt), "{at}, again");
                assert_eq!(world.revision(), revision, "{at}, again");
            }
        }
        compare(&*world, &model, &at).await;
    }
}

fn match_receipt(receipt: &Receipt, operation: &Operation, model: &Model, at: &str) {
    let shard = operation.shard(NETWORK);
    let known = &model.shards[&shard];
    match (receipt, operation) {
        (Receipt::Started(it), Operation::Start { .. }) => {
            assert_eq!((&it.start, &it.values, it.before), (&known.start, &known.values, known.before), "{at}");
        }
        (Receipt::Settled(it), Operation::Settle { output, proof }) => {
            assert_eq!((&it.output, it.proof), (output, *proof), "{at}");
        }
        (Receipt::Aborted(it), Operation::Abort { .. }) => assert_eq!(it.shard, shard, "{at}"),
        (receipt, _) => panic!("{at}: answered with {receipt:?}"),
    }
}

async fn compare(world: &dyn World, model: &Model, at: &str) {
    let expected: Vec<StorageEntry> = model.storage.values().copied().collect();
    assert_eq!(storage(world).await, expected, "{at}");
    let listed = world.shards(None, usize::MAX).await.expect("a World that works");
    let names: Vec<ShardId> = listed.iter().map(|it| it.shard).collect();
    assert_eq!(names, model.shards.keys().copied().collect::<Vec<_>>(), "{at}");
    for operator in OPERATORS {
        let open = world.open_shards(operator, None, usize::MAX).await.expect("a World that works");
        let is_open = |it: &&Shard| it.start.operator == operator && it.end.is_none();
        let expected: Vec<ShardId> = model.shards.values().filter(is_open).map(|it| it.start.shard).collect();
        assert_eq!(open, expected, "{at}");
    }
    for (shard, known) in &model.shards {
        let record = world.shard(*shard).await.expect("a World that works").expect("a shard that started");
        assert_eq!(record.start, known.start, "{at}");
        let agrees = match (&record.state, &known.end) {
            (ShardState::Started, None) | (ShardState::Aborted { .. }, Some(End::Aborted)) => true,
            (ShardState::Settled(it), Some(End::Settled(proof, output))) => it.proof == *proof && it.output == **output,
            _ => false,
        };
        assert!(agrees, "{at}: {:?} and {:?}", record.state, known.end);
    }
    world.audit().await.unwrap_or_else(|error| panic!("{at}: {error}"));
}

fn operation(dice: &mut Dice, model: &Model, now: Timestamp) -> Operation {
    let some = usize::try_from(dice.below(model.shards.len().max(1) as u64)).unwrap_or(0);
    match (model.shards.values().nth(some), dice.below(10)) {
        (None, _) | (_, 0..4) => start(dice, now),
        (Some(shard), 4..8) => settle(dice, shard),
        (Some(shard), _) => {
            let reason = match dice.below(3) {
                0 => AbortReason::Asked { by: OPERATORS[0] },
                _ => AbortReason::Deadline,
            };
            let shard = if dice.one_in(10) { ShardId(Felt::THREE) } else { shard.start.shard };
            Operation::Abort { shard, reason }
        }
    }
}

fn start(dice: &mut Dice, now: Timestamp) -> Operation {
    let mut entries = Vec::new();
    for n in 1..=NOWHERE {
        let wanted = if n == NOWHERE { dice.one_in(20) } else { dice.one_in(3) };
        if !wanted {
            continue;
        }
        let right = usize::try_from(n - 1).ok().and_then(|at| KINDS.get(at)).copied().unwrap_or(Kind::Counter);
        let kind = if dice.one_in(25) { Kind::Counter } else { right };
        let (owner, amount) = match kind {
            Kind::Escrow => (Some(ACCOUNTS[0]), dice.below(260).into()),
            _ => (None, 0),
        };
        entries.push(EntryRequest { kind, contract: GAME, key: key(n), owner, amount });
    }
    if entries.is_empty() {
        entries.push(EntryRequest { kind: Kind::Counter, contract: GAME, key: key(1), owner: None, amount: 0 });
    }
    let request = StartRequest {
        salt: dice.below(12),
        program: if dice.one_in(20) { Felt::ONE } else { PROGRAM },
        operator: if dice.one_in(2) { OPERATORS[0] } else { OPERATORS[1] },
        contracts: vec![GAME],
        accounts: ACCOUNTS.to_vec(),
        end_event: EventId { from: GAME, selector: finished_selector() },
        entries,
        terms: Terms::Rules,
    };
    let deadline = match dice.below(20) {
        0 => now,
        1 => now.plus(MAX_TIMEOUT + Duration::from_millis(1)),
        2 => now.plus(MAX_TIMEOUT),
        _ => now.plus(Duration::from_millis(1 + dice.below(20_000))),
    };
    Operation::Start { request, deadline }
}

fn settle(dice: &mut Dice, shard: &Shard) -> Operation {
    // Now and then what was settled, once more.
    if let Some(End::Settled(proof, output)) = &shard.end
        && dice.one_in(2)
    {
        return Operation::Settle { output: (**output).clone(), proof: *proof };
    }
    let update = |(entry, value): (&shardwire_model::Entry, &Felt)| {
        let value = match entry.kind {
            Kind::Counter => Felt::from(dice.below(30)),
            // Seldom more than it had.
            Kind::Escrow if dice.one_in(12) => *value + Felt::ONE,
            Kind::Escrow => Felt::from(dice.below(u64::try_from(*value).unwrap_or(0) + 1)),
            Kind::Lock if dice.one_in(12) => Felt::from(0xa3),
            Kind::Lock => ACCOUNTS[usize::from(dice.one_in(2))].0,
        };
        Update { kind: entry.kind, contract: entry.contract, key: entry.key, value }
    };
    let updates = shard.start.entries.iter().zip(&shard.values).map(update).collect();
    let mut output = Output {
        program: shard.start.program,
        shard: shard.start.shard,
        segment: 0,
        before: shard.before,
        after: Felt::ONE,
        reads: Felt::ZERO,
        transactions: Felt::TWO,
        count: 3,
        ended: true,
        updates,
    };
    match dice.below(30) {
        0 => output.shard = ShardId(Felt::THREE),
        1 => output.segment = 1,
        2 => output.before += Felt::ONE,
        3 => output.ended = false,
        4 => drop(output.updates.pop()),
        5 => output.updates.reverse(),
        6 => output.updates.iter_mut().take(1).for_each(|it| it.value = Felt::from(u128::MAX) + Felt::ONE),
        7 => output.updates.iter_mut().take(1).for_each(|it| it.value = Felt::from(MAX_INCREMENT) + Felt::ONE),
        _ => {}
    }
    Operation::Settle { output, proof: Hash([u8::try_from(dice.below(3)).unwrap_or(0); 32]) }
}
