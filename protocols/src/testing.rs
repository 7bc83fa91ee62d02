//! What the tests of all protocols share: start data, a clock, identities, and the check of a message's limits.

use rand::SeedableRng;
use serde::de::DeserializeOwned;
use shardwire_model::{
    AccountId, Clock, ContractId, Entry, EventId, Felt, Key, Kind, MAX_ACCOUNTS, MAX_CONTRACTS, MAX_ENTRIES, PeerId,
    ShardId, ShardStart, Timestamp, finished_selector,
};
use shardwire_transport::{Channel, Identity, Message, Protocol, Session, message::encode, session::pair_over};
use std::sync::atomic::{AtomicU64, Ordering};

/// The largest felt.
pub(crate) const LARGEST: Felt = Felt::MAX;

/// An identity from a number.
pub(crate) fn identity(number: u64) -> Identity {
    Identity::generate(&mut rand_chacha::ChaCha20Rng::seed_from_u64(number))
}

/// The two halves of a protocol between these peers, in memory.
pub(crate) fn halves<P: Protocol>(
    initiator: &Identity,
    responder: &Identity,
) -> (Session<P::Initiator>, Session<P::Responder>) {
    pair_over::<P>(Channel::pair_between([initiator.peer(), responder.peer_id()], 1 << 18))
}

/// A clock that says what it is told.
#[derive(Debug, Default)]
pub(crate) struct Told(pub(crate) AtomicU64);

impl Clock for Told {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Valid start data with so many accounts and entries.
pub(crate) fn start(operator: PeerId, contracts: usize, accounts: usize, entries: usize) -> ShardStart {
    let number = |n: usize| Felt::from(n as u64 + 1);
    let contracts: Vec<ContractId> = (0..contracts).map(|n| ContractId(LARGEST - number(n))).collect();
    let contract = contracts[0];
    ShardStart {
        shard: ShardId(Felt::from(77)),
        operator,
        contracts,
        accounts: (0..accounts).map(|n| AccountId(LARGEST - number(n))).collect(),
        end_event: EventId { from: contract, selector: finished_selector() },
        entries: (0..entries)
            .map(|n| Entry { kind: Kind::Counter, contract, key: Key(LARGEST - number(n)), guard: Felt::ZERO })
            .collect(),
    }
}

/// Small start data.
pub(crate) fn small_start(operator: PeerId) -> ShardStart {
    start(operator, 1, 2, 3)
}

/// The largest start data there can be.
pub(crate) fn largest_start() -> ShardStart {
    start(PeerId([255; 32]), MAX_CONTRACTS, MAX_ACCOUNTS, MAX_ENTRIES)
}

/// The largest cause there can be.
pub(crate) fn largest_cause() -> crate::Cause {
    crate::Cause::new(&"C".repeat(crate::MAX_CODE), &"r".repeat(crate::MAX_REASON))
}

/// Checks that a message's largest legal value fits its limit and is read as it was written.
pub(crate) fn fits<M: Message + PartialEq + std::fmt::Debug>(largest: &M) {
    let bytes = encode(largest).unwrap_or_else(|error| panic!("{}: {error}", M::NAME));
    // Limits are computed with room for the longest varints only: a limit far above its largest value is a mistake too.
    assert!(
        bytes.len() as u64 * 100 >= u64::from(M::MAX_BYTES) * 80,
        "{}: {} of {}",
        M::NAME,
        bytes.len(),
        M::MAX_BYTES
    );
    assert_eq!(&M::decode(bytes.into()).unwrap(), largest, "{}", M::NAME);
}

/// Checks that this value, in which a list or text is longer than its bound, is refused when it is read.
pub(crate) fn refused_when_read<T: serde::Serialize + DeserializeOwned>(too_long: &T) {
    let bytes = postcard::to_allocvec(too_long).unwrap();
    assert!(postcard::from_bytes::<T>(&bytes).is_err(), "{}", std::any::type_name::<T>());
}
