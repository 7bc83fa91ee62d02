//! The clients: an account, a counter and a connection each.

use super::{Outcome, Signed};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use shardwire_model::{
    AccountKey, Call, ChainHead, Clock as _, ContractId, EntryRequest, EventId, Felt, Key, Kind, ShardId, ShardStart,
    SignedTransaction, Transaction, finished_selector,
};
use shardwire_protocols::{
    catalogue::{self, ProtocolId},
    handshake::{Handshake, Hello, announce, greet},
    ingress::{self, Ingress, Opening, Receipt},
};
use shardwire_transport::{Connection, Endpoint, Identity, Profile, SystemNetwork};
use shardwire_workload::{Start, Storage, World};
use std::{
    collections::VecDeque,
    thread,
    time::{Duration, Instant},
};
use testnet::network::{NETWORK, Node};
use tokio::{task::JoinSet, time::sleep};

/// The contract that all of them call.
const CONTRACT: u64 = 0xbe7c;
/// The first client's counter; the next clients' follow.
const FIRST_KEY: u64 = 0x100;
/// How long the operator may take to be assigned the shard, and how often it is asked.
const ASSIGNED: (Duration, Duration) = (Duration::from_secs(20), Duration::from_millis(50));

/// The clients of a shard.
pub(super) struct Crowd {
    members: Vec<Member>,
}

struct Member {
    identity: Identity,
    key: AccountKey,
    counter: Key,
}

/// What one client submits.
pub(super) struct Work {
    pub(super) transactions: Vec<SignedTransaction>,
    /// The same signatures, as they are checked.
    pub(super) signed: Vec<Signed>,
}

/// A client whose session is open.
pub(super) struct Player {
    /// Both end when they are dropped.
    _connection: (Endpoint, Connection),
    session: Box<ingress::Client>,
}

impl Crowd {
    pub(super) fn of(clients: u16) -> Self {
        let member = |number: u16| {
            let mut secret = [0xbe; 32];
            secret[..2].copy_from_slice(&number.to_be_bytes());
            Member {
                identity: Identity::generate(&mut rng(number)),
                key: AccountKey::from_secret(secret),
                counter: Key(Felt::from(FIRST_KEY + u64::from(number))),
            }
        };
        Self { members: (0..clients).map(member).collect() }
    }

    /// A World with all counters at zero.
    pub(super) fn world(&self) -> World {
        let storage = |it: &Member| Storage {
            contract: contract(),
            key: it.counter,
            kind: Kind::Counter,
            value: Felt::ZERO,
            name: None,
            of: None,
        };
        World { storage: self.members.iter().map(storage).collect() }
    }

    /// A shard in which everybody may add to a counter.
    pub(super) fn start(&self) -> Start {
        let contract = contract();
        let entry =
            |it: &Member| EntryRequest { kind: Kind::Counter, contract, key: it.counter, owner: None, amount: 0 };
        Start {
            salt: 1,
            program: None,
            contracts: vec![contract],
            accounts: self.members.iter().map(|it| it.key.id()).collect(),
            end_event: EventId { from: contract, selector: finished_selector() },
            entries: self.members.iter().map(entry).collect(),
        }
    }

    /// Their ids, as a configuration names them.
    pub(super) fn peers(&self) -> Vec<String> {
        self.members.iter().map(|it| it.identity.peer().to_string()).collect()
    }

    /// So many transactions of each client, signed.
    pub(super) fn sign(&self, start: &ShardStart, each: usize) -> Outcome<Vec<Work>> {
        let commitment = start.commitment();
        let signed = |member: &Member| -> Outcome<Work> {
            let Member { key, counter, .. } = member;
            let account = key.id();
            let mut head = ChainHead::start(commitment, account);
            let mut work = Work { transactions: Vec::with_capacity(each), signed: Vec::with_capacity(each) };
            for nonce in 1..=u32::try_from(each)? {
                let call = Call::Add { counter: *counter, amount: 1 };
                let transaction = Transaction { account, nonce, contract: contract(), call };
                head = head.extend(transaction.words(start)?);
                let signature = key.sign(head.message()).ok_or("a message can't be signed")?;
                work.transactions.push(SignedTransaction { transaction, signature });
                work.signed.push((account, head.message(), signature));
            }
            Ok(work)
        };
        let signed = &signed;
        thread::scope(|scope| {
            let all: Vec<_> = self.members.iter().map(|member| scope.spawn(move || signed(member))).collect();
            all.into_iter().map(|it| it.join().map_err(|_| "signing failed")?).collect()
        })
    }

    /// Connects all of them, and opens the shard for each.
    pub(super) async fn connect(&self, operator: &Node, shard: ShardId) -> Outcome<Vec<Player>> {
        let mut players = Vec::new();
        for (member, number) in self.members.iter().zip(0..) {
            players.push(member.connect(number, operator, shard).await?);
        }
        Ok(players)
    }
}

impl Member {
    async fn connect(&self, number: u16, operator: &Node, shard: ShardId) -> Outcome<Player> {
        let here = ([127, 0, 0, 1], 0).into();
        let settings = catalogue::settings(Profile::default());
        let endpoint = Endpoint::open(&SystemNetwork, here, self.identity.clone(), &settings, &mut rng(number))?;
        let connection = endpoint.connect(operator.listen(), Some(operator.peer())).await?;
        let hello = Hello {
            network: NETWORK.into(),
            world: None,
            agent: "benches".into(),
            roles: Vec::new(),
            serves: Vec::new(),
            opens: announce([ProtocolId::of::<Ingress>()]),
            capabilities: Vec::new(),
            time: shardwire::host::clock::SystemClock.now(),
        };
        greet(connection.open::<Handshake>().await?, hello).await?;
        let (within, every) = ASSIGNED;
        let end = Instant::now() + within;
        loop {
            match ingress::open(connection.open::<Ingress>().await?, shard).await? {
                Opening::Opened(_, session) => return Ok(Player { _connection: (endpoint, connection), session }),
                Opening::Refused(cause) if Instant::now() >= end => return Err(format!("refused: {cause:?}").into()),
                Opening::Refused(_) => sleep(every).await,
            }
        }
    }
}

/// Everybody submits at once, each its own; adds to `took` how long each transaction waited for its receipt.
pub(super) async fn submit(
    players: Vec<Player>,
    work: Vec<Vec<SignedTransaction>>,
    ahead: usize,
    took: &mut Vec<Duration>,
) -> Outcome<Vec<Player>> {
    let mut all = JoinSet::new();
    for ((player, work), number) in players.into_iter().zip(work).zip(0_usize..) {
        all.spawn(async move { player.submit(work, ahead).await.map(|done| (number, done)) });
    }
    let mut players = Vec::new();
    while let Some(one) = all.join_next().await {
        let (number, (player, waits)) = one??;
        took.extend(waits);
        players.push((number, player));
    }
    players.sort_by_key(|(number, _)| *number);
    Ok(players.into_iter().map(|(_, player)| player).collect())
}

/// All sessions end.
pub(super) async fn close(players: Vec<Player>) -> Outcome<()> {
    for player in players {
        player.session.close().await?;
    }
    Ok(())
}

impl Player {
    async fn submit(mut self, transactions: Vec<SignedTransaction>, ahead: usize) -> Outcome<(Self, Vec<Duration>)> {
        let mut waits = Waits { sent: VecDeque::with_capacity(ahead), took: Vec::with_capacity(transactions.len()) };
        for transaction in &transactions {
            while self.session.outstanding() >= ahead {
                waits.end(self.session.receipt().await?)?;
            }
            waits.end(self.session.submit(transaction).await?)?;
            waits.sent.push_back(Instant::now());
        }
        while !waits.sent.is_empty() {
            waits.end(self.session.receipt().await?)?;
        }
        Ok((self, waits.took))
    }
}

/// When what has no receipt yet was sent, and how long the rest took.
struct Waits {
    sent: VecDeque<Instant>,
    took: Vec<Duration>,
}

impl Waits {
    fn end(&mut self, receipt: Option<Receipt>) -> Outcome<()> {
        let Some(receipt) = receipt else { return Ok(()) };
        if !matches!(receipt.statement.outcome, ingress::Outcome::Accepted { duplicate: false, .. }) {
            return Err(format!("not accepted: {:?}", receipt.statement.outcome).into());
        }
        self.took.extend(self.sent.pop_front().map(|sent| sent.elapsed()));
        Ok(())
    }
}

fn contract() -> ContractId {
    ContractId(Felt::from(CONTRACT))
}

fn rng(number: u16) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(u64::from(number))
}
