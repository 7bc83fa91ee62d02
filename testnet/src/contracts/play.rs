//! The players, each with a wallet: they sign, send and wait for what came of it, side by side.
//!
//! A player sends its next transaction when the one before is accepted, from its account or with its session key. The bounds are those of a question to
//! [`Rpc`].

use super::{
    ContractsError,
    game::{Game, addresses},
    hand::{Hand, submit},
};
use serde::Deserialize;
use serde_json::{Value, json};
use shardwire_model::{Felt, Key, ShardId, felt};
use shardwire_starknet::{MAX_BATCH, Question, Rpc};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};

/// What all of them sent.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// By transaction hash: whose it is, and which of its plan.
    pub(crate) sent: BTreeMap<Felt, (usize, usize)>,
    /// From sending to the answer, of each transaction.
    pub(crate) waits: Vec<Duration>,
    /// How long it took.
    pub(crate) took: Duration,
    /// All transactions in the order of the shard's blocks.
    pub(crate) log: Vec<Logged>,
    /// How many calls inside failed, as the World counts them.
    pub(crate) failures: Felt,
}

impl Played {
    fn take(&mut self, Client { sent, waits, .. }: Client) {
        self.sent.extend(sent);
        self.waits.extend(waits);
    }

    /// The wait that so many of a hundred receipts didn't exceed.
    pub(crate) fn wait(&self, of_a_hundred: usize) -> Duration {
        let mut waits = self.waits.clone();
        waits.sort_unstable();
        let last = (waits.len() * of_a_hundred).div_ceil(100);
        waits.get(last.saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// The shard as its players know it.
#[derive(Clone, Debug)]
pub struct Table {
    /// Which it is.
    pub shard: ShardId,
    /// Its door.
    pub rpc: Rpc,
    /// What they sign for.
    pub chain: Felt,
    /// The block of the first transaction.
    pub(crate) first_block: u64,
    /// Until when session keys are allowed, in seconds since the Unix epoch.
    pub(crate) expires: u64,
}

impl Table {
    /// What this player signs with, by its place in the game.
    ///
    /// # Panics
    /// If the game has no such player.
    #[must_use]
    pub fn hand(&self, game: &Game, player: usize) -> Hand {
        Hand::new(game, player, self.chain, self.expires)
    }
}

/// Plays all plans, and what ends the game after the others; then reads the shard's blocks.
///
/// # Errors
/// [`ContractsError::Rpc`] if a transaction is refused or has no answer, [`ContractsError::Key`] if it can't be signed, [`ContractsError::Absurd`] if a block can't be
/// read.
pub(crate) async fn play(table: &Table, game: &Arc<Game>, sent: Arc<AtomicU32>) -> Result<Played, ContractsError> {
    let began = Instant::now();
    let mut played = Played::default();
    let mut players = JoinSet::new();
    for me in 0..game.players.len() {
        let client = Client::new(table, game, me, sent.clone());
        // The master's last one ends the game, when the others are through.
        let last = game.plans[me].len() - usize::from(me == 0);
        players.spawn(client.play(0..last));
    }
    let mut master = None;
    while let Some(client) = players.join_next().await {
        let client = client.map_err(|lost| ContractsError::Absurd(lost.to_string()))??;
        if client.me == 0 {
            master = Some(client);
        } else {
            played.take(client);
        }
    }
    if let Some(master) = master {
        let last = game.plans[0].len();
        played.take(master.play(last - 1..last).await?);
    }
    played.took = began.elapsed();
    played.log = log(&table.rpc, table.first_block, played.sent.len()).await?;
    played.failures = failures(&table.rpc).await?;
    Ok(played)
}

/// A player's wallet.
struct Client {
    rpc: Rpc,
    game: Arc<Game>,
    me: usize,
    hand: Hand,
    counter: Arc<AtomicU32>,
    sent: BTreeMap<Felt, (usize, usize)>,
    waits: Vec<Duration>,
}

impl Client {
    fn new(table: &Table, game: &Arc<Game>, me: usize, counter: Arc<AtomicU32>) -> Self {
        Self {
            rpc: table.rpc.clone(),
            game: game.clone(),
            me,
            hand: table.hand(game, me),
            counter,
            sent: BTreeMap::new(),
            waits: Vec::new(),
        }
    }

    /// Plays these transactions of the plan, each when the one before is accepted.
    async fn play(mut self, places: Range<usize>) -> Result<Self, ContractsError> {
        let game = self.game.clone();
        for place in places {
            let began = Instant::now();
            let signed = self.hand.sign(&game, &game.plans[self.me][place]);
            let signed = signed.ok_or_else(|| ContractsError::Key(game.players[self.me].name.clone()))?;
            let hash = submit(&self.rpc, &signed).await?;
            self.waits.push(began.elapsed());
            self.sent.insert(hash, (self.me, place));
            self.counter.fetch_add(1, Ordering::Relaxed);
        }
        Ok(self)
    }
}

/// A transaction as the shard's blocks have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Logged {
    pub(crate) hash: Felt,
    pub(crate) reverted: bool,
}

#[derive(Deserialize)]
struct Block {
    transactions: Vec<WithReceipt>,
}

#[derive(Deserialize)]
struct WithReceipt {
    receipt: Receipt,
}

#[derive(Deserialize)]
struct Receipt {
    #[serde(with = "felt::wire")]
    transaction_hash: Felt,
    execution_status: String,
}

/// How many calls inside failed, as the World counts them.
async fn failures(rpc: &Rpc) -> Result<Felt, ContractsError> {
    let (contract, key) = (addresses().world, Key::of_variable("failures", &[]));
    let params = json!({ "contract_address": contract, "key": key, "block_id": "latest" });
    let said: String = rpc.ask("starknet_getStorageAt", params).await?;
    Felt::from_hex(&said).map_err(|_| ContractsError::Absurd(format!("{said} is in a slot")))
}

/// All transactions in the order of the shard's blocks, read in batches as an indexer does.
async fn log(rpc: &Rpc, first_block: u64, transactions: usize) -> Result<Vec<Logged>, ContractsError> {
    let mut logged = Vec::new();
    let last = first_block + transactions as u64;
    let mut next = first_block;
    while next < last {
        let to = last.min(next + MAX_BATCH as u64);
        let question = |number: u64| Question {
            method: "starknet_getBlockWithReceipts",
            params: json!({ "block_id": { "block_number": number } }),
        };
        let blocks: Vec<Value> = rpc.ask_all(&(next..to).map(question).collect::<Vec<_>>()).await?;
        for block in blocks {
            let block: Block =
                serde_json::from_value(block).map_err(|error| ContractsError::Absurd(error.to_string()))?;
            logged.extend(block.transactions.iter().map(|it| Logged {
                hash: it.receipt.transaction_hash,
                reverted: it.receipt.execution_status == "REVERTED",
            }));
        }
        next = to;
    }
    Ok(logged)
}
