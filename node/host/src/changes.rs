//! How tasks learn that a state has changed.

use tokio::sync::{Notify, futures::Notified};

/// Wakes those who wait for a state to change, in the order in which they began to wait (tokio's `watch` wakes in a random one). A waiter asks
/// for the next change *before* it looks, so that none is missed.
#[derive(Debug)]
pub struct Changes(Notify);

impl Changes {
    /// A state that nobody waits for yet.
    #[allow(clippy::new_without_default, reason = "a state has one, made once, where it is made")]
    pub fn new() -> Self {
        Self(Notify::new())
    }

    /// Wakes everybody who waits.
    pub fn announce(&self) {
        self.0.notify_waiters();
    }

    /// Completes at the first change after this call.
    pub fn next(&self) -> Notified<'_> {
        self.0.notified()
    }

    /// Looks again at each change until `look` finds something.
    pub async fn until<T, E>(&self, mut look: impl FnMut() -> Result<Option<T>, E>) -> Result<T, E> {
        loop {
            let changed = self.next();
            if let Some(found) = look()? {
                return Ok(found);
            }
            changed.await;
        }
    }
}
