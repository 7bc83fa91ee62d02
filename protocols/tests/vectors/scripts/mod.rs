//! What the halves do in the recorded sessions. Between them, a protocol's sessions have each of its messages.
//!
//! A script knows no time and no chance but what it is given, so that it does the same in every run.

mod administration;
mod handoff;
mod handshake;
mod ingress;
mod keepalive;
mod proof;
mod trace;

use shardwire_model::{
    AccountId, Clock, ContractId, Entry as Settled, EventId, Felt, Key, Kind, ShardId, ShardStart, Terms, Timestamp,
    finished_selector,
};
use shardwire_protocols::catalogue::Entry;
use shardwire_transport::{Channel, Identity, Incoming, Initiator, Protocol, Responder, session::initiate};
use std::{
    error::Error,
    future::Future,
    pin::Pin,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

pub(crate) static INITIATOR: LazyLock<Identity> = LazyLock::new(|| Identity::from_secret(&[1; 32]));
pub(crate) static RESPONDER: LazyLock<Identity> = LazyLock::new(|| Identity::from_secret(&[2; 32]));

/// How a half ends.
pub(crate) type Ended = Result<(), Box<dyn Error>>;
pub(crate) type Half = Pin<Box<dyn Future<Output = Ended>>>;

/// A session between two halves.
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) initiator: Box<dyn Fn(Channel) -> Half>,
    pub(crate) responder: Box<dyn Fn(Channel) -> Half>,
}

/// The scripts of a version of a protocol: those written here, with the real halves and their handlers, or else those that its type gives.
pub(crate) fn of(entry: &Entry) -> Vec<Script> {
    match (entry.name, entry.version) {
        ("handshake", 1) => handshake::scripts(),
        ("handoff", 1) => handoff::scripts(),
        ("ingress", 1) => ingress::scripts(),
        ("trace", 1) => trace::scripts(),
        ("proof", 1) => proof::scripts(),
        ("keepalive", 1) => keepalive::scripts(),
        ("administration", 1) => administration::scripts(),
        _ => crate::derived::scripts(entry),
    }
}

fn script<P: Protocol, I, R>(
    name: &'static str,
    initiator: fn(Initiator<P>) -> I,
    responder: fn(Responder<P>) -> R,
) -> Script
where
    I: Future<Output = Ended> + 'static,
    R: Future<Output = Ended> + 'static,
{
    Script {
        name: name.to_owned(),
        initiator: Box::new(move |channel| Box::pin(async move { initiator(initiate::<P>(channel)?).await })),
        responder: Box::new(move |channel| {
            Box::pin(async move { responder(Incoming::new(channel).serve::<P>().await?).await })
        }),
    }
}

/// A clock that goes a second further each time it is read.
#[derive(Debug, Default)]
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + 1000 * self.0.fetch_add(1, Ordering::SeqCst))
    }
}

/// Small start data of the initiator's or the responder's shard.
fn start(operator: &Identity) -> ShardStart {
    let contract = ContractId(Felt::from(0xc0));
    let entry = |n: u64| Settled { kind: Kind::Counter, contract, key: Key(Felt::from(n)), guard: Felt::ZERO };
    ShardStart {
        shard: ShardId(Felt::from(0x5a)),
        program: Felt::THREE,
        operator: operator.peer(),
        contracts: vec![contract],
        accounts: vec![AccountId(Felt::from(0xa1)), AccountId(Felt::MAX)],
        end_event: EventId { from: contract, selector: finished_selector() },
        deadline: Timestamp(1_800_000_000_000),
        entries: vec![entry(1), entry(2)],
        terms: Terms::Rules,
    }
}

/// The error of a half to which the other says what it doesn't expect.
fn unexpected<T>(what: impl std::fmt::Debug) -> Result<T, Box<dyn Error>> {
    Err(format!("unexpected: {what:?}").into())
}
