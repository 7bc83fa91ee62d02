//! How sessions share a connection's window, so that unread bulk doesn't keep other sessions from being read.
//!
//! QUIC counts unread bytes against the session's window and the connection's. If a few sessions could fill the
//! connection's window, their slow readers would stop all others. So a session in which this side may receive bulk
//! (its type says so) takes a slot for its life. There are only as many slots
//! ([`Settings::bulk_sessions`](crate::Settings::bulk_sessions)) as fit into the connection's window beside the share
//! of every other session. Opening one more waits; serving one more is refused.
//!
//! Sending is shared too: bulk goes after everything else ([`BULK_PRIORITY`]), and sessions of equal priority take
//! turns. A peer that sends what nobody asked for fills only its own connection.

use crate::{graph::State, settings::BULK_MESSAGE_BYTES};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The priority of sessions that carry bulk in either direction. Others have 0, so keep-alives and small requests
/// overtake.
pub const BULK_PRIORITY: i32 = -1;

/// A slot for a session that carries bulk to us.
pub(crate) type BulkSlot = OwnedSemaphorePermit;

/// The slots of a connection.
#[derive(Debug)]
pub(crate) struct BulkSlots(Arc<Semaphore>);

impl BulkSlots {
    pub(crate) fn new(count: u32) -> Self {
        Self(Arc::new(Semaphore::new(count as usize)))
    }

    /// Waits for a slot if a session in state `P` needs one.
    pub(crate) async fn wait<P: State>(&self) -> Option<BulkSlot> {
        if P::LONGEST_IN <= BULK_MESSAGE_BYTES {
            return None;
        }
        Arc::clone(&self.0).acquire_owned().await.ok() // nobody closes it
    }

    /// As [`wait`](Self::wait), without waiting; `Err` if no slot is free.
    pub(crate) fn now<P: State>(&self) -> Result<Option<BulkSlot>, ()> {
        if P::LONGEST_IN <= BULK_MESSAGE_BYTES {
            return Ok(None);
        }
        Arc::clone(&self.0).try_acquire_owned().map(Some).map_err(drop)
    }
}

/// The priority of a session in state `P`.
pub(crate) const fn priority<P: State>() -> i32 {
    let bulk = P::LONGEST_IN > BULK_MESSAGE_BYTES || P::LONGEST_OUT > BULK_MESSAGE_BYTES;
    if bulk { BULK_PRIORITY } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Endpoint, Identity, Protocol, Settings,
        algebra::{Eps, HasDual, Recv, Send},
        channel::Writer,
        message,
    };
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;
    use serde::{Deserialize, Serialize};
    use std::time::Duration;

    #[derive(Debug, Serialize, Deserialize)]
    struct Ask;
    message!(Ask, max_bytes = BULK_MESSAGE_BYTES, deadline = Duration::from_secs(10));
    #[derive(Debug, Serialize, Deserialize)]
    struct Bulk;
    message!(Bulk, max_bytes = BULK_MESSAGE_BYTES + 1, deadline = Duration::from_secs(10));

    struct Small;
    impl Protocol for Small {
        const NAME: &'static str = "small";
        const VERSION: u16 = 1;
        type Initiator = Send<Ask, Recv<Ask, Eps>>;
        type Responder = <Self::Initiator as HasDual>::Dual;
    }
    struct Large;
    impl Protocol for Large {
        const NAME: &'static str = "large";
        const VERSION: u16 = 1;
        type Initiator = Send<Ask, Recv<Bulk, Eps>>;
        type Responder = <Self::Initiator as HasDual>::Dual;
    }

    fn priority_of(writer: &Writer) -> i32 {
        let Writer::Quic(stream) = writer else { panic!("a stream of QUIC") };
        stream.priority().unwrap()
    }

    #[tokio::test]
    async fn both_sides_send_bulk_after_what_is_none() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut bind = || {
            let identity = Identity::generate(&mut rng);
            Endpoint::bind(([127, 0, 0, 1], 0).into(), identity, &Settings::default(), &mut rng).unwrap()
        };
        let (a, b) = (bind(), bind());
        let (dialled, accepted) =
            tokio::join!(a.connect(b.address(), None), async { b.accept().await.unwrap().admit().await });
        let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
        let small = dialled.open::<Small>().await.unwrap();
        assert_eq!(priority_of(&small.core.channel().writer), 0);
        let small = small.send(Ask).await.unwrap();
        let serving = accepted.accept().await.unwrap().serve::<Small>().await.unwrap();
        assert_eq!(priority_of(&serving.core.channel().writer), 0);
        let large = dialled.open::<Large>().await.unwrap();
        assert_eq!(priority_of(&large.core.channel().writer), BULK_PRIORITY);
        let large = large.send(Ask).await.unwrap();
        let served = accepted.accept().await.unwrap().serve::<Large>().await.unwrap();
        assert_eq!(priority_of(&served.core.channel().writer), BULK_PRIORITY);
        drop((small, serving, large, served));
    }
}
