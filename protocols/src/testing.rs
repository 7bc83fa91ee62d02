//! What the tests of all protocols share: start data, a clock, identities, channels, and the check of a message's limits.

use serde::{Serialize, de::DeserializeOwned};
use shardwire_model::{
    AccountId, AccountKey, Call, Clock, Coded, ContractId, ContractTerms, Entry, EventId, Felt, ForkId, Instance, Key,
    Kind, MAX_ACCOUNTS, MAX_CONTRACTS, MAX_ENTRIES, Maximum, OriginId, PeerId, ShardId, ShardStart, Signature,
    SignedTransaction, Slot, Terms, Timestamp, Transaction,
    contracts::{ClassPair, MAX_CLASSES, MAX_SCRATCH, Rule},
    finished_selector,
};
use shardwire_transport::{
    Bytes, Channel, Identity, Initiator, Message, Protocol, Responder, SessionError, ViolationKind, WireCode,
    message::encode, session::pair_over,
};
use std::{
    fmt,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// The largest felt.
pub(crate) const LARGEST: Felt = Felt::MAX;

/// An identity from a number.
pub(crate) fn identity(number: u8) -> Identity {
    Identity::from_secret(&[number; 32])
}

/// The two halves of a protocol between these peers, in memory.
pub(crate) fn halves<P: Protocol>(initiator: &Identity, responder: &Identity) -> (Initiator<P>, Responder<P>) {
    pair_over::<P>(Channel::pair_between([initiator.peer(), responder.peer()], 1 << 18))
}

/// As [`halves`], with so much time between a byte's sending and its arrival.
pub(crate) fn distant_halves<P: Protocol>(
    initiator: &Identity,
    responder: &Identity,
    latency: Duration,
) -> (Initiator<P>, Responder<P>) {
    let peers = [initiator.peer(), responder.peer()];
    let (near, from_near) = Channel::pair_between(peers, 1 << 22);
    let (from_far, far) = Channel::pair_between(peers, 1 << 22);
    tokio::spawn(link(from_near, from_far, latency));
    pair_over::<P>((near, far))
}

/// Carries bytes both ways between two channels, late. One task, so that neither channel needs to be split.
async fn link(mut near: Channel, mut far: Channel, latency: Duration) {
    const QUEUED: usize = 4096; // pieces on their way; more than any test has
    let (to_far, mut for_far) = mpsc::channel::<(Instant, Option<Bytes>)>(QUEUED);
    let (to_near, mut for_near) = mpsc::channel::<(Instant, Option<Bytes>)>(QUEUED);
    let (mut near_open, mut far_open) = (true, true);
    let (mut head_far, mut head_near) = (None, None);
    loop {
        if head_far.is_none() {
            head_far = for_far.try_recv().ok();
        }
        if head_near.is_none() {
            head_near = for_near.try_recv().ok();
        }
        let due = [&head_far, &head_near].into_iter().flatten().map(|(at, _): &(Instant, _)| *at).min();
        let wait = tokio::time::sleep_until(due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600)));
        tokio::select! { biased;
            () = wait, if due.is_some() => {
                for (head, channel) in [(&mut head_far, &mut far), (&mut head_near, &mut near)] {
                    if head.as_ref().is_some_and(|(at, _)| *at <= Instant::now()) {
                        match head.take() {
                            Some((_, Some(bytes))) => { channel.write_raw(bytes).await; }
                            Some((_, None)) => channel.finish_raw(),
                            None => {}
                        }
                    }
                }
            }
            read = near.read_raw(), if near_open => match read {
                Ok(bytes) => { near_open = bytes.is_some(); let _ = to_far.send((Instant::now() + latency, bytes)).await; }
                Err(code) => return far.reset_raw(code),
            },
            read = far.read_raw(), if far_open => match read {
                Ok(bytes) => { far_open = bytes.is_some(); let _ = to_near.send((Instant::now() + latency, bytes)).await; }
                Err(code) => return near.reset_raw(code),
            },
        }
    }
}

/// The rule that a violation is of.
pub(crate) fn rule<T: fmt::Debug>(result: Result<T, impl std::borrow::Borrow<SessionError> + fmt::Debug>) -> String {
    let error = result.expect_err("a rule is broken");
    match error.borrow().violation().map(|violation| &violation.kind) {
        Some(ViolationKind::RuleBroken { rule, detail }) => format!("{rule} {detail}"),
        other => panic!("no rule broken but {other:?}: {error:?}"),
    }
}

/// The rule that a violation is of, of a server half.
pub(crate) fn served_rule(result: Result<(), crate::ServeError>) -> String {
    match result {
        Err(crate::ServeError::Session(error)) => rule::<()>(Err(error)),
        other => panic!("no violation but {other:?}"),
    }
}

/// The code with which the peer ended a session.
pub(crate) fn reset(result: Result<(), crate::ServeError>) -> WireCode {
    match result {
        Err(crate::ServeError::Session(SessionError::Lost(lost))) => match lost.cause {
            shardwire_transport::LostCause::Reset(code) => code,
            other => panic!("lost by {other:?}"),
        },
        other => panic!("not lost but {other:?}"),
    }
}

/// An error of a handler.
#[derive(Debug, thiserror::Error)]
#[error("the disk is full")]
pub(crate) struct DiskFull;

impl Coded for DiskFull {
    fn code(&self) -> &'static str {
        "SW-TEST-001"
    }
    fn next_step(&self) -> String {
        "Buy a larger one.".into()
    }
}

/// A clock that says what it is told.
#[derive(Debug, Default)]
pub(crate) struct SetClock(pub(crate) AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Valid start data with so many contracts, accounts and entries.
pub(crate) fn start(operator: PeerId, contracts: usize, accounts: usize, entries: usize) -> ShardStart {
    let number = |n: usize| LARGEST - Felt::from(n as u64);
    let contracts: Vec<ContractId> = (0..contracts).map(|n| ContractId(number(n))).collect();
    let contract = contracts[0];
    ShardStart {
        shard: ShardId(Felt::from(77)),
        program: LARGEST,
        operator,
        contracts,
        accounts: (0..accounts).map(|n| AccountId(number(n))).collect(),
        end_event: EventId { from: contract, selector: finished_selector() },
        deadline: Timestamp(1_800_000_000_000),
        entries: (0..entries)
            .map(|n| Entry { kind: Kind::Counter, contract, key: Key(number(n)), guard: Felt::ZERO })
            .collect(),
        terms: Terms::Rules,
    }
}

/// The largest terms there can be. They fit no start data.
pub(crate) fn largest_terms() -> Terms {
    let pair = ClassPair { class_hash: LARGEST, compiled_class_hash: LARGEST };
    Terms::Contracts(Box::new(ContractTerms {
        origin: OriginId::Fork(ForkId { chain: LARGEST, number: u64::MAX, hash: LARGEST }),
        begins: u64::MAX,
        first_block: u64::MAX,
        sequencer: ContractId(LARGEST),
        classes: vec![pair; MAX_CLASSES],
        instances: vec![Instance { class: LARGEST, rule: Rule::Scratch }; MAX_CONTRACTS],
        maxima: vec![Maximum(u128::MAX); MAX_ENTRIES],
        scratch: vec![Slot::new(ContractId(LARGEST), Key(LARGEST)); MAX_SCRATCH],
    }))
}

/// Small start data.
pub(crate) fn small_start(operator: PeerId) -> ShardStart {
    start(operator, 1, 2, 3)
}

/// The largest start data that can be said. It isn't valid.
pub(crate) fn largest_start() -> ShardStart {
    let start = start(PeerId([255; 32]), MAX_CONTRACTS, MAX_ACCOUNTS, MAX_ENTRIES);
    ShardStart { terms: largest_terms(), ..start }
}

/// The largest cause there can be.
pub(crate) fn largest_cause() -> shardwire_model::Cause {
    shardwire_model::Cause::new(&"C".repeat(shardwire_model::MAX_CODE), &"r".repeat(shardwire_model::MAX_REASON))
}

/// A signed transaction with this nonce; the signature is one, over something.
pub(crate) fn transaction(nonce: u32) -> SignedTransaction {
    // Signing takes milliseconds, and nothing here checks the signature.
    static SIGNED: LazyLock<(AccountId, Signature)> = LazyLock::new(|| {
        let key = AccountKey::from_secret([7; 32]);
        (key.id(), key.sign(Felt::ONE).unwrap())
    });
    let (account, signature) = *SIGNED;
    let call = Call::Pass { from: Key(LARGEST), to: Key(LARGEST), amount: u128::MAX };
    SignedTransaction { transaction: Transaction { account, nonce, contract: ContractId(LARGEST), call }, signature }
}

/// Checks that a message's largest legal value fits its limit and is read as it was written, and that the limit isn't far above.
pub(crate) fn fits<M: Message + PartialEq + fmt::Debug>(largest: &M) {
    let bytes = encode(largest).unwrap_or_else(|error| panic!("{}: {error}", M::NAME));
    let (len, max) = (bytes.len() as u64, u64::from(M::MAX_BYTES));
    assert!(len <= max && len * 10 >= max * 8, "{}: {len} of {max}", M::NAME);
    assert_eq!(&M::decode(bytes.into()).unwrap(), largest, "{}", M::NAME);
}

/// Checks that this value, in which a list or text is longer than its bound, is refused when it is read.
pub(crate) fn refused_when_read<T: Serialize + DeserializeOwned>(too_long: &T) {
    let bytes = postcard::to_allocvec(too_long).unwrap();
    assert!(postcard::from_bytes::<T>(&bytes).is_err(), "{}", std::any::type_name::<T>());
}
