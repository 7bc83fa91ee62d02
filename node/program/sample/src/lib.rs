//! A dungeon run from a seed: start data, snapshot and signed transactions that the rules allow; and whether a [`flat`] witness is the run's. For tests and examples
//! of several rooms; nothing that runs depends on it.
//!
//! It refuses nothing: what can't be signed or isn't listed is a fault of the test, and panics.
#![allow(missing_docs, clippy::missing_panics_doc)]

pub mod flat;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shardwire_model::{
    AccountKey, Call, ChainHead, ContractId, Entry, EventId, Felt, Key, Kind, PeerId, ShardId, ShardStart,
    SignedTransaction, Terms, Timestamp, Transaction, finished_selector,
};

/// A shard and what is done in it.
#[derive(Debug)]
pub struct Workload {
    pub start: ShardStart,
    pub values: Vec<Felt>,
    pub keys: Vec<AccountKey>,
    pub transactions: Vec<SignedTransaction>,
}

/// Signs an account's transactions one after the other.
#[derive(Clone, Debug)]
pub struct Player {
    pub key: AccountKey,
    pub nonce: u32,
    pub head: ChainHead,
}

impl Player {
    pub fn new(start: &ShardStart, key: &AccountKey) -> Self {
        Self { key: key.clone(), nonce: 0, head: ChainHead::start(start.commitment(), key.id()) }
    }

    pub fn sign(&mut self, start: &ShardStart, contract: ContractId, call: Call) -> SignedTransaction {
        self.nonce += 1;
        let transaction = Transaction { account: self.key.id(), nonce: self.nonce, contract, call };
        self.head = self.head.extend(transaction.words(start).expect("everything is listed"));
        let signature = self.key.sign(self.head.message()).expect("the message is below 2^251");
        SignedTransaction { transaction, signature }
    }
}

/// The shortest run there is: a shard of one account and one counter, the counter's value, and the transaction that ends it.
pub fn small_shard(program: Felt, operator: PeerId) -> (ShardStart, Vec<Felt>, SignedTransaction) {
    let (game, key) = (ContractId(Felt::from(5)), AccountKey::from_secret([9; 32]));
    let start = ShardStart {
        shard: ShardId(Felt::from(77)),
        program,
        operator,
        contracts: vec![game],
        accounts: vec![key.id()],
        end_event: EventId { from: game, selector: finished_selector() },
        deadline: Timestamp(1 << 50),
        entries: vec![Entry { kind: Kind::Counter, contract: game, key: Key(Felt::from(6)), guard: Felt::ZERO }],
        terms: Terms::Rules,
    };
    let finish = Player::new(&start, &key).sign(&start, game, Call::Finish);
    (start, vec![Felt::from(3)], finish)
}

/// `n` transactions of `players`, the end event included: two contracts, a counter and an escrow a player, and a lock.
pub fn workload(players: usize, n: usize, seed: u64) -> Workload {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut felt = || Felt::from(rng.random::<u128>());
    let (game, bank) = (ContractId(felt()), ContractId(felt()));
    let shard = ShardId(felt());
    let mut keys: Vec<AccountKey> = Vec::new();
    let mut entries = Vec::new();
    let mut values = Vec::new();
    for _ in 0..players {
        let key = AccountKey::from_secret(felt().to_bytes_be());
        entries.push(Entry { kind: Kind::Counter, contract: game, key: Key(felt()), guard: Felt::ZERO });
        entries.push(Entry { kind: Kind::Escrow, contract: bank, key: Key(felt()), guard: key.id().0 });
        keys.push(key);
    }
    entries.push(Entry { kind: Kind::Lock, contract: game, key: Key(felt()), guard: shard.0 });
    for _ in 0..players {
        values.extend([Felt::from(rng.random_range(0..1000u64)), Felt::from(rng.random_range(0..10_000u64))]);
    }
    let mut holder = rng.random_range(0..players);
    values.push(keys[holder].id().0);
    let start = ShardStart {
        shard,
        program: shardwire_program::rules::hash(),
        operator: PeerId([7; 32]),
        contracts: vec![bank, game],
        accounts: keys.iter().map(AccountKey::id).collect(),
        end_event: EventId { from: game, selector: finished_selector() },
        deadline: Timestamp(1_800_000_000_000),
        entries,
        terms: Terms::Rules,
    };
    let mut signers: Vec<Player> = keys.iter().map(|key| Player::new(&start, key)).collect();
    let mut gold: Vec<u64> = (0..players).map(|i| u64::try_from(values[2 * i + 1]).expect("below 10,000")).collect();
    let counter = |i: usize| start.entries[2 * i].key;
    let escrow = |i: usize| start.entries[2 * i + 1].key;
    let lock = start.entries[2 * players].key;
    let mut transactions = Vec::new();
    while transactions.len() + 1 < n {
        let who = rng.random_range(0..players);
        let other = rng.random_range(0..players);
        let (who, contract, call) = match rng.random_range(0..10u8) {
            0..5 => (who, game, Call::Add { counter: counter(other), amount: rng.random_range(1..1u64 << 40).into() }),
            5 | 6 if gold[who] > 0 => {
                let amount = rng.random_range(1..=gold[who].min(100));
                gold[who] -= amount;
                (who, bank, Call::Spend { escrow: escrow(who), amount: amount.into() })
            }
            7 | 8 if gold[who] > 0 && other != who => {
                let amount = rng.random_range(1..=gold[who].min(300));
                gold[who] -= amount;
                gold[other] += amount;
                (who, bank, Call::Pass { from: escrow(who), to: escrow(other), amount: amount.into() })
            }
            9 => {
                let giver = std::mem::replace(&mut holder, other);
                (giver, game, Call::Give { lock, to: start.accounts[other] })
            }
            _ => continue,
        };
        transactions.push(signers[who].sign(&start, contract, call));
    }
    let last = rng.random_range(0..players);
    transactions.push(signers[last].sign(&start, game, Call::Finish));
    Workload { start, values, keys, transactions }
}
