//! How fast a shard takes transactions while it is played, and how long a player waits for a receipt.
//!
//! Three real nodes run: a settler, an operator with its door for wallets, its log on a real disk and its virtual machine, and a prover that fetches the witness as
//! it comes into being, at nice 19. Beside them a worker proves on all cores, at nice 19 too, the whole time: what a machine does that executes one shard and proves another.
//! [`PLAYERS`] wallets in this process ask the door at once, each its next transaction when the last one has its answer. They share the cores with the nodes; what they send is
//! signed beforehand. The answer comes when the transaction is durable and its receipt is signed, and it is checked afterwards that every transaction has its receipt and stands.
//!
//! Transactions are sent in slices, INVOKEs and session calls in turns, so that what else the machine does falls on both; a rival ([`devnet`]) that there is gets the same INVOKEs
//! in a turn of its own, while the operator has nothing to do. Rates are those of slices, and `ratio` that to the rival's in the same slice. The times to a receipt are those of all slices together.
//!
//! Bounds: [`MAX_LIVE`] transactions of a kind, so that the run fits one witness.

use super::{
    Options, Outcome,
    beside::Beside,
    devnet::{self, Devnet},
    mix::{DEEDS, Mix, PRIZES, SEED},
    nice,
    played::Played,
    spread,
};
use crate::series::{Series, percentile};
use serde::Deserialize;
use serde_json::{Value, json};
use shardwire_model::{Felt, Role, execution::Sent, felt};
use shardwire_starknet::{MAX_BATCH, Question, Rpc, to_json};
use shardwire_witness::{CHUNK_STEPS, MAX_CHUNKS};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use testnet::{
    contracts::{Game, Hand, Planned, Playing, open, submit},
    network::{Network, NetworkFolder, Programs, binary, worker},
};
use tokio::task::JoinSet;

/// How many play at once.
pub(super) const PLAYERS: usize = 8;
/// Steps of an INVOKE and a session call together, with room: 5 and 3 calls.
const STEPS_OF_BOTH: usize = 12_000;
/// Most transactions of a kind.
pub(super) const MAX_LIVE: u32 = (MAX_CHUNKS * CHUNK_STEPS / STEPS_OF_BOTH) as u32;
/// Transactions of each player and kind before those that count: connections, caches, compiled code.
const WARM_UP: usize = 2;
/// About how many calls the proof beside is of.
const CALLS_BESIDE: u32 = 600;

/// Who is sent what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// INVOKEs to the operator.
    Invoke,
    /// Session calls to the operator.
    Session,
    /// INVOKEs to `starknet-devnet`.
    Devnet,
}

impl Way {
    const ALL: [Self; 3] = [Self::Invoke, Self::Session, Self::Devnet];

    const fn name(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Session => "session",
            Self::Devnet => "devnet",
        }
    }
}

/// Refuses more than a run can hold.
pub(super) fn check(options: &Options) -> Outcome<()> {
    let Options { slices, transactions, .. } = options;
    if slices.saturating_mul(*transactions) > MAX_LIVE {
        return Err(format!(
            "{slices} slices of {transactions} transactions exceed one witness: at most {MAX_LIVE} in all. Choose fewer with --slices or --transactions."
        )
        .into());
    }
    Ok(())
}

/// Measures and prints.
pub(super) fn measure(options: &Options) -> Outcome<Value> {
    let rival = devnet::find(options.devnet.as_deref())?;
    let mut say = |line: &str| eprintln!("{line}");
    let (node, worker) = (binary::locate(&mut say)?, worker::locate(&mut say)?);
    let programs = Programs { node, worker: worker.path().to_owned() };
    let folder = NetworkFolder::new(None)?;
    let witness = folder.path().join("beside");
    Played::of(&Mix::SessionCalls.game_of(CALLS_BESIDE)?)?.write(&witness)?;
    let playing = Playing::of(Game::planned(SEED, PRIZES, vec![Vec::new(); PLAYERS])?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut network = playing.network(folder, &programs).await?;
        network.start(&mut say).await?;
        let beside = Beside::start(worker, witness);
        let played = play(&mut network, &playing, rival.as_deref(), options).await;
        let proofs = beside.stop();
        // The shard never ends, so there is nothing to drain.
        for role in [Role::Prover, Role::Operator, Role::Settler] {
            network.node_mut(role).kill().await;
        }
        tell(played?, proofs?)
    })
}

/// What one kind of transactions came to.
#[derive(Debug, Default)]
struct Figures {
    /// Transactions a second, by slice.
    rates: Vec<f64>,
    waits: Vec<Duration>,
}

impl Figures {
    fn add(&mut self, Slice { took, waits, .. }: Slice) {
        self.rates.push(waits.len() as f64 / took.as_secs_f64());
        self.waits.extend(waits);
    }

    /// Transactions a second over those of another, slice by slice.
    fn over(&self, other: &Self) -> Series {
        let mut ratios = Series::default();
        self.rates.iter().zip(&other.rates).for_each(|(own, other)| ratios.push(own / other));
        ratios
    }

    fn tell(&mut self, name: &str) -> Outcome<Value> {
        let (transactions, mut tx_per_s) = (self.waits.len(), Series::default());
        self.rates.iter().for_each(|rate| tx_per_s.push(*rate));
        let mut ms = |share| percentile(&mut self.waits, share) / 1e3;
        let (p50, p99) = (ms(0.50), ms(0.99));
        say!(
            "contracts::live/{name}: {tx_per_s} transactions a second; receipt in {p50:.1} ms (half), {p99:.1} ms (99 of 100); {transactions} transactions of {PLAYERS} players"
        );
        Ok(json!({
            "transactions": transactions, "tx_per_s": spread(&tx_per_s),
            "receipt_p50_ms": p50, "receipt_p99_ms": p99,
        }))
    }
}

/// All that was played, by way; nothing of a rival that isn't there.
type All = [Figures; Way::ALL.len()];

fn tell(mut played: All, proofs: u32) -> Outcome<Value> {
    let mut object = json!({ "players": PLAYERS, "proofs_beside": proofs });
    let [invoke, session, devnet] = &played;
    let ratios = [(Way::Invoke, invoke.over(devnet)), (Way::Session, session.over(devnet))];
    for (way, figures) in Way::ALL.into_iter().zip(&mut played) {
        object[way.name()] = if figures.waits.is_empty() { Value::Null } else { figures.tell(way.name())? };
    }
    if played[Way::Devnet as usize].waits.is_empty() {
        say!("contracts::live: no starknet-devnet is compared with; --devnet names it");
    } else {
        for (way, ratio) in ratios {
            say!("contracts::live/{}: {ratio} times the transactions a second of starknet-devnet", way.name());
            object[way.name()]["ratio"] = spread(&ratio);
        }
    }
    say!("contracts::live: a worker at nice 19 made {proofs} proofs meanwhile");
    Ok(object)
}

/// The operator's door, and the rival's.
struct Table {
    ours: testnet::contracts::Table,
    hands: Vec<Hand>,
    devnet: Option<Devnet>,
}

/// Plays all slices.
async fn play(network: &mut Network, playing: &Playing, rival: Option<&Path>, options: &Options) -> Outcome<All> {
    let prover = network.node(Role::Prover).pid().ok_or("the prover has no process")?;
    nice::process(prover)?;
    let ours = open(network, playing, &mut |line| eprintln!("{line}")).await?;
    let game = playing.game();
    let mut hands: Vec<Hand> = (0..PLAYERS).map(|player| ours.hand(game, player)).collect();
    for hand in &mut hands {
        submit(&ours.rpc, &signed(hand, game, &Planned::Allow)?).await?;
    }
    let devnet = match rival {
        None => None,
        Some(program) => Some(Devnet::start(program, network.folder().path(), playing, &ours.rpc).await?),
    };
    let mut table = Table { ours, hands, devnet };
    let ways: Vec<Way> = Way::ALL.into_iter().filter(|way| *way != Way::Devnet || table.devnet.is_some()).collect();
    for way in &ways {
        table.slice(game, *way, WARM_UP * PLAYERS).await?;
    }
    let mut all = All::default();
    for number in 0..options.slices as usize {
        for turn in 0..ways.len() {
            // None is always the first.
            let way = ways[(turn + number) % ways.len()];
            all[way as usize].add(table.slice(game, way, options.transactions as usize).await?);
            network.alive()?;
        }
    }
    Ok(all)
}

impl Table {
    /// So many transactions, all of which have a receipt and stand.
    async fn slice(&mut self, game: &Game, way: Way, transactions: usize) -> Outcome<Slice> {
        let work = self.work(game, way, transactions)?;
        let rpc = match &self.devnet {
            Some(devnet) if way == Way::Devnet => &devnet.rpc,
            _ => &self.ours.rpc,
        };
        let slice = send(rpc, work).await?;
        stand(rpc, &slice.hashes).await?;
        Ok(slice)
    }

    /// So many transactions, signed: each player's own, in order.
    fn work(&mut self, game: &Game, way: Way, transactions: usize) -> Outcome<Vec<Vec<Question>>> {
        let mut all = vec![Vec::new(); PLAYERS];
        for number in 0..transactions {
            let (player, deed) = (number % PLAYERS, DEEDS[number / PLAYERS % DEEDS.len()]);
            let planned = match way {
                Way::Session => Planned::Session(deed),
                Way::Invoke | Way::Devnet => Planned::Account(vec![deed]),
            };
            all[player].push(match &mut self.devnet {
                Some(devnet) if way == Way::Devnet => devnet.sign(game, player, &planned)?,
                _ => question(&signed(&mut self.hands[player], game, &planned)?),
            });
        }
        Ok(all)
    }
}

fn signed(hand: &mut Hand, game: &Game, planned: &Planned) -> Outcome<Sent> {
    hand.sign(game, planned).ok_or_else(|| "a player's key can't sign".into())
}

/// How the door is asked to take it.
fn question(transaction: &Sent) -> Question {
    match transaction {
        Sent::Invoke(invoke) => Question {
            method: "starknet_addInvokeTransaction",
            params: json!({ "invoke_transaction": to_json(invoke) }),
        },
        Sent::Session(call) => Question { method: "shardwire_addSessionCall", params: json!([call]) },
    }
}

/// What came of a slice.
struct Slice {
    took: Duration,
    /// From sending to the answer, of each transaction.
    waits: Vec<Duration>,
    hashes: Vec<Felt>,
}

#[derive(Deserialize)]
struct Added {
    #[serde(with = "felt::wire")]
    transaction_hash: Felt,
}

/// All players ask at once, each its own, one after the other.
async fn send(rpc: &Rpc, work: Vec<Vec<Question>>) -> Outcome<Slice> {
    let mut players = JoinSet::new();
    let began = Instant::now();
    for questions in work {
        let rpc = rpc.clone();
        players.spawn(async move {
            let mut answers = Vec::with_capacity(questions.len());
            for Question { method, params } in questions {
                let began = Instant::now();
                let Added { transaction_hash } = rpc.ask(method, params).await?;
                answers.push((began.elapsed(), transaction_hash));
            }
            Outcome::Ok(answers)
        });
    }
    let (mut waits, mut hashes) = (Vec::new(), Vec::new());
    while let Some(answers) = players.join_next().await {
        for (wait, hash) in answers?? {
            waits.push(wait);
            hashes.push(hash);
        }
    }
    Ok(Slice { took: began.elapsed(), waits, hashes })
}

#[derive(Deserialize)]
struct Receipt {
    execution_status: String,
}

/// Every transaction has a receipt, and stands.
async fn stand(rpc: &Rpc, hashes: &[Felt]) -> Outcome<()> {
    for some in hashes.chunks(MAX_BATCH) {
        let question = |hash: &Felt| Question {
            method: "starknet_getTransactionReceipt",
            params: json!({ "transaction_hash": format!("{hash:#x}") }),
        };
        let receipts: Vec<Receipt> = rpc.ask_all(&some.iter().map(question).collect::<Vec<_>>()).await?;
        if let Some(other) = receipts.iter().find(|it| it.execution_status != "SUCCEEDED") {
            return Err(format!("a transaction of the mix is {}", other.execution_status).into());
        }
    }
    Ok(())
}
