//! QUIC configurations in which everything that an endpoint would read or draw by itself comes from a seed:
//! connection ids, the keys of retry tokens and resets, the date.
//!
//! With this and `EndpointConfig::rng_seed`, the same seed gives the same *schedule*: which datagram of which length
//! goes where at which time. The bytes in the datagrams still differ, because TLS always draws its keys from the
//! system. That is on purpose. All that TLS draws has a fixed length, so the schedule doesn't depend on it; and a
//! node whose TLS keys could come from a seed would be one mistake away from keys that others can guess.

use crate::identity::Identity;
use quinn::{
    ConnectionId, ConnectionIdGenerator, EndpointConfig, Runtime, ServerConfig, TimeSource,
    crypto::rustls::QuicServerConfig,
};
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
use ring::{hkdf, hmac};
use shardwire_model::Hash;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Bytes of a connection id. The first are random; the others show that this node made it.
const ID_BYTES: usize = 8;
/// The random bytes of a connection id: 2^40 ids, of which a node never has more than a few thousand.
const NONCE_BYTES: usize = 5;
/// Bytes of the id that a dialler gives the acceptor for its first datagrams: at least 8, and unpredictable (RFC
/// 9000, 7.2).
const FIRST_ID_BYTES: usize = 16;
/// The year 2000, in seconds since the epoch: the beginning of the date in retry tokens. Only the process that made
/// them reads them.
const TOKEN_EPOCH: Duration = Duration::from_secs(946_684_800);

/// Makes the configurations of one endpoint from its seed.
pub(crate) struct SeededConfig {
    rng: StdRng,
    /// The key of ids and resets. It is the same in the node's next life, so that the node can tell its peers that
    /// the last one is over.
    lasting: [u8; 32],
}

/// Makes the ids for the first datagrams of dialled connections.
pub(crate) type FirstIds = Arc<dyn Fn() -> ConnectionId + Send + Sync>;

impl SeededConfig {
    pub(crate) fn new(seed: [u8; 32], identity: &Identity) -> Self {
        Self { rng: StdRng::from_seed(seed), lasting: identity.derived_key("shardwire-connections-1") }
    }

    /// The endpoint's configuration. Its reset key outlives the process: when a node has crashed and come back, a
    /// peer that still sends to it learns so from the first datagram, instead of waiting for the time-out.
    pub(crate) fn endpoint(&mut self) -> EndpointConfig {
        let reset = Hash::of_parts("shardwire-reset-1", &[&self.lasting]).0;
        let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &reset)));
        let ids = Ids { key: self.lasting, rng: StdRng::from_rng(&mut self.rng) };
        config.cid_generator(move || Box::new(ids.clone())).rng_seed(Some(self.rng.random()));
        config
    }

    /// The acceptor's configuration. Retry tokens belong to this process: a new key, and the runtime's clock.
    pub(crate) fn server(&mut self, crypto: QuicServerConfig, runtime: &Arc<dyn Runtime>) -> ServerConfig {
        let mut key = [0; 64];
        self.rng.fill_bytes(&mut key);
        let key = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&key);
        let mut config = ServerConfig::new(Arc::new(crypto), Arc::new(key));
        config.time_source(Arc::new(TokenTime { began: runtime.now(), runtime: Arc::clone(runtime) }));
        config
    }

    pub(crate) fn first_ids(&mut self) -> FirstIds {
        let rng = Mutex::new(StdRng::from_rng(&mut self.rng));
        Arc::new(move || {
            let mut bytes = [0; FIRST_ID_BYTES];
            rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
            ConnectionId::new(&bytes)
        })
    }
}

impl fmt::Debug for SeededConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededConfig")
    }
}

/// Makes connection ids that the node can tell from others' without a table.
#[derive(Clone)]
struct Ids {
    key: [u8; 32],
    rng: StdRng,
}

impl Ids {
    fn check(&self, nonce: &[u8]) -> [u8; ID_BYTES - NONCE_BYTES] {
        let mut check = [0; ID_BYTES - NONCE_BYTES];
        check.iter_mut().zip(Hash::of_parts("shardwire-id-1", &[&self.key, nonce]).0).for_each(|(to, from)| *to = from);
        check
    }
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut nonce = [0; NONCE_BYTES];
        self.rng.fill_bytes(&mut nonce);
        ConnectionId::new(&[&nonce[..], &self.check(&nonce)].concat())
    }

    fn validate(&self, id: &ConnectionId) -> Result<(), quinn_proto::InvalidCid> {
        match id.split_at_checked(NONCE_BYTES) {
            Some((nonce, check)) if check == self.check(nonce) => Ok(()),
            _ => Err(quinn_proto::InvalidCid),
        }
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// The date in retry tokens, counted with the runtime's clock from [`TOKEN_EPOCH`].
struct TokenTime {
    runtime: Arc<dyn Runtime>,
    began: Instant,
}

impl TimeSource for TokenTime {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + TOKEN_EPOCH + self.runtime.now().saturating_duration_since(self.began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_knows_the_ids_of_its_last_life_and_no_others() {
        let ids = |secret, seed| Ids { key: [secret; 32], rng: StdRng::from_seed([seed; 32]) };
        let (mut before, after, other) = (ids(1, 1), ids(1, 2), ids(2, 1));
        for _ in 0..100 {
            let id = before.generate_cid();
            assert_eq!(id.len(), before.cid_len());
            assert!(after.validate(&id).is_ok());
            assert!(other.validate(&id).is_err());
        }
        assert!(after.validate(&ConnectionId::new(&[1, 2])).is_err());
    }
}
