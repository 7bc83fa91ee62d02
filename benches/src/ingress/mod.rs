//! `benches ingress`: how many transactions a second an operator accepts, against how many signatures this machine could check meanwhile.
//!
//! The most that a perfect operator could do is check signatures on all cores and nothing else. So the same machine does both in one run: a real
//! operator (a process of its own, with its socket, its databases on a real disk and its virtual machine) takes the transactions of 1 and of
//! 32 clients, and between whiles the same signatures are checked in a bare loop with the function that admission calls, on
//! every core. The machine's speed changes within seconds, so both take turns: the work is done in [`SLICES`], the bare loop runs between them, and `ratio` is the
//! median of each slice's rate over that of the bare loop around it; `ratio_min` and `ratio_max` are the extremes. The two rates are those of the whole run.
//!
//! The clients are in this process and share the cores with the operator, so what they do (QUIC, checking the operator's receipts) counts against
//! it, as does the operator's own execution of what it accepted. Their signatures are made beforehand. Each client has an account and a connection of its
//! own, and `--ahead` transactions without a receipt; each transaction adds to a counter. `p50_ms` and `p99_ms` are from a transaction's
//! submission to its receipt: with that many under way, most of it is waiting for its turn.
//!
//! Each number of clients has nodes of its own, a settler that starts the shard and the operator; nothing is proven.

mod crowd;

use clap::Args;
use crowd::Crowd;
use serde::Serialize;
use shardwire::{client::NodeClient, host::Platform};
use shardwire_model::{
    AccountId, Felt, MAX_ACCOUNTS, MAX_TRANSACTIONS, Role, ShardStart, Signature, SignedTransaction,
};
use shardwire_program::rules;
use shardwire_protocols::ingress::DEPTH;
use std::{
    error::Error,
    hint::black_box,
    num::NonZero,
    thread,
    time::{Duration, Instant},
};
use testnet::network::{NetworkFolder, Node, Programs, binary};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How many parts the work is done in.
const SLICES: usize = 8;
/// How long the bare loop runs each time.
const CHECK_TIME: Duration = Duration::from_secs(1);
/// How many signatures it goes over again and again: enough that no cache makes it easier.
const CHECKED: usize = 256;
/// How many checks the bare loop does between two looks at the clock.
const CHECKS_A_LOOK: usize = 16;
/// The bare loop before any shard, to know how many transactions are enough.
const PROBE_SECRET: [u8; 32] = [7; 32];

/// How long, how many.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many clients; each number has nodes of its own.
    #[arg(long, value_delimiter = ',', default_value = "1,32", value_parser = clap::value_parser!(u16).range(1..=MAX_ACCOUNTS as i64))]
    clients: Vec<u16>,
    /// How much work: as many transactions as the bare loop checks in this time; one client, a quarter of that.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=120))]
    seconds: u32,
    /// Transactions that each client has without a receipt.
    #[arg(long, default_value_t = DEPTH, value_parser = ahead)]
    ahead: usize,
    /// Print a JSON object for each number of clients; the last line is the last one's.
    #[arg(long)]
    json: bool,
}

fn ahead(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=DEPTH).contains(number));
    number.ok_or_else(|| format!("expected 1 to {DEPTH}, what the protocol lets a client have under way"))
}

/// What came of one number of clients.
#[derive(Debug, Serialize)]
struct Figures {
    clients: u16,
    transactions: usize,
    accepted_per_s: f64,
    signature_checks_per_s: f64,
    ratio: f64,
    ratio_min: f64,
    ratio_max: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// A signature over a message of an account.
type Signed = (AccountId, Felt, Signature);

/// Measures and prints.
pub(crate) fn measure(options: &Options) -> Outcome<()> {
    let node = binary::locate(&mut |line| eprintln!("{line}"))?;
    // No node here proves.
    let programs = Programs { node, worker: "/nonexistent".into() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let enough = checks_per_s(&probe()?) * f64::from(options.seconds);
    if !options.json {
        say!("clients  accepted/s  checks/s  ratio (from to)    p50 ms  p99 ms");
    }
    for &clients in &options.clients {
        let enough = if clients == 1 { enough / 4.0 } else { enough };
        // One place in the sequence is kept for the end event.
        let each = (enough as usize).min(MAX_TRANSACTIONS as usize - 1) / usize::from(clients);
        let figures = runtime.block_on(round(&programs, clients, each.max(1), options.ahead))?;
        if options.json {
            say!("{}", serde_json::to_string(&figures)?);
        } else {
            let Figures { accepted_per_s, signature_checks_per_s, ratio, ratio_min, ratio_max, p50_ms, p99_ms, .. } =
                figures;
            say!(
                "{clients:>7}  {accepted_per_s:>10.0}  {signature_checks_per_s:>8.0}  {ratio:>5.2} ({ratio_min:.2} {ratio_max:.2})  {p50_ms:>6.1}  {p99_ms:>6.1}"
            );
        }
    }
    Ok(())
}

/// One number of clients, from new data folders to the last receipt.
async fn round(programs: &Programs, clients: u16, each: usize, ahead: usize) -> Outcome<Figures> {
    let crowd = Crowd::of(clients);
    let folder = NetworkFolder::new(None)?;
    let (mut settler, mut operator, start) = nodes(programs, &folder, &crowd).await?;
    let played = async {
        let work = crowd.sign(&start, each)?;
        let sample: Vec<Signed> = work.iter().flat_map(|work| work.signed.iter().copied()).take(CHECKED).collect();
        let work: Vec<_> = work.into_iter().map(|work| work.transactions).collect();
        let mut players = crowd.connect(&operator, start.shard).await?;
        let (mut took, mut ratios, mut submitting, mut checking) = (Vec::new(), Vec::new(), 0.0, 0.0);
        let mut before = checks_per_s(&sample);
        for slice in in_slices(work) {
            let (began, transactions) = (Instant::now(), took.len());
            players = crowd::submit(players, slice, ahead, &mut took).await?;
            let elapsed = began.elapsed().as_secs_f64();
            let after = checks_per_s(&sample);
            let around = f64::midpoint(before, after);
            ratios.push((took.len() - transactions) as f64 / elapsed / around);
            (submitting, checking, before) = (submitting + elapsed, checking + around, after);
        }
        crowd::close(players).await?;
        took.sort_unstable();
        ratios.sort_by(f64::total_cmp);
        let at = |hundredths: usize| took.get((took.len() * hundredths / 100).min(took.len() - 1));
        let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
        let ratio = |place: usize| ratios.get(place).copied().unwrap_or(0.0);
        Ok(Figures {
            clients,
            transactions: took.len(),
            accepted_per_s: took.len() as f64 / submitting,
            signature_checks_per_s: checking / ratios.len() as f64,
            ratio: f64::midpoint(ratio((ratios.len() - 1) / 2), ratio(ratios.len() / 2)),
            ratio_min: ratio(0),
            ratio_max: ratio(ratios.len() - 1),
            p50_ms: ms(at(50)),
            p99_ms: ms(at(99)),
        })
    };
    let played: Outcome<Figures> = played.await;
    // The shard never ends, so there is nothing to drain.
    operator.kill().await;
    settler.kill().await;
    played
}

/// Each client's work in at most [`SLICES`] parts.
fn in_slices(work: Vec<Vec<SignedTransaction>>) -> Vec<Vec<Vec<SignedTransaction>>> {
    let each = work.first().map_or(1, |work| work.len().div_ceil(SLICES).max(1));
    let slices = work.first().map_or(0, |work| work.len().div_ceil(each));
    let part =
        |work: &Vec<SignedTransaction>, slice: usize| work.iter().skip(slice * each).take(each).copied().collect();
    (0..slices).map(|slice| work.iter().map(|work| part(work, slice)).collect()).collect()
}

/// A settler that has started the shard, and its operator.
async fn nodes(programs: &Programs, folder: &NetworkFolder, crowd: &Crowd) -> Outcome<(Node, Node, ShardStart)> {
    let world = folder.path().join("world.json");
    std::fs::write(&world, crowd.world().to_genesis_text())?;
    let mut settler = Node::init(Role::Settler, programs, folder.path(), Some(&world)).await?;
    let identity = settler.data().join("world.json");
    let mut operator = Node::init(Role::Operator, programs, folder.path(), Some(&identity)).await?;
    settler.start(&[operator.peer().to_string()]).await?;
    // Clients that the operator knows are not held up as strangers: 32 handshakes at once from one host would be.
    let mut known = crowd.peers();
    known.push(format!("{}@{}", settler.peer(), settler.listen()));
    operator.start(&known).await?;
    let mut control = NodeClient::connect(settler.data(), &Platform::system()).await?;
    let start = control.start_shard(crowd.start().request(operator.peer(), rules::hash()), None).await?;
    Ok((settler, operator, start))
}

/// Signatures of nobody in particular.
fn probe() -> Outcome<Vec<Signed>> {
    let key = shardwire_model::AccountKey::from_secret(PROBE_SECRET);
    let signed = |number: u32| {
        let message = shardwire_model::ChainHead::start(Felt::from(number), key.id()).message();
        Some((key.id(), message, key.sign(message)?))
    };
    (0..CHECKED as u32).map(signed).collect::<Option<_>>().ok_or_else(|| "a message can't be signed".into())
}

/// How many of these signatures all cores check in a second, doing nothing else.
fn checks_per_s(signed: &[Signed]) -> f64 {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let rate = || {
        let began = Instant::now();
        let mut checks = 0_u32;
        for some in signed.chunks(CHECKS_A_LOOK).cycle() {
            for (account, message, signature) in some {
                assert!(black_box(signature.verifies(*account, *message)), "it was just made");
                checks += 1;
            }
            if began.elapsed() >= CHECK_TIME {
                break;
            }
        }
        f64::from(checks) / began.elapsed().as_secs_f64()
    };
    thread::scope(|scope| {
        let loops: Vec<_> = (0..cores).map(|_| scope.spawn(rate)).collect();
        loops.into_iter().map(|it| it.join().unwrap_or_default()).sum()
    })
}
