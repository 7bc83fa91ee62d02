//! The pool of session cores of a connection: a new session reuses an earlier one's memory, timer and small buffer.
//!
//! A session that carries one request is over in microseconds. Allocating, setting and clearing a timer, and a buffer
//! of its own would be a good part of its cost. A pooled timer may still run; it wakes nothing and is moved when it
//! is next used. Nothing else passes from one session to the next.

use super::{WireCode, bulk::BulkSlots, core::Core};
use crate::channel::Channel;
use std::{
    borrow::Cow,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex},
};

/// Cores that a connection keeps: as many as it usually has requests under way. About 600 bytes each.
const MAX_POOLED_CORES: usize = 64;

/// A session's core, which returns to its connection's pool when it is dropped. Dropped before the session's end, it
/// resets the stream.
#[derive(Debug)]
pub(crate) struct PooledCore {
    core: Option<Box<Core>>,
    /// What the sessions of its connection share; `None` without a connection.
    pub(super) shared: Option<Arc<ConnectionResources>>,
}

/// What the sessions of a connection share.
#[derive(Debug)]
pub(crate) struct ConnectionResources {
    cores: CorePool,
    pub(super) bulk_slots: BulkSlots,
}

impl ConnectionResources {
    /// Resources with slots for this many sessions that carry bulk to us.
    pub(crate) fn new(bulk_sessions: u32) -> Arc<Self> {
        Arc::new(Self { cores: CorePool::default(), bulk_slots: BulkSlots::new(bulk_sessions) })
    }
}

/// The pool of a connection. Nothing waits for it: if it is locked, a session allocates its own core.
#[derive(Debug, Default)]
#[allow(clippy::vec_box, reason = "what is kept are the boxes: a session moves by its pointer")]
pub(crate) struct CorePool(Mutex<Vec<Box<Core>>>);

impl PooledCore {
    /// A core for a session without a connection.
    pub(crate) fn new(channel: Channel, protocol: impl Into<Cow<'static, str>>) -> Self {
        Self::within(channel, protocol, None)
    }

    /// A core for a session of a connection.
    pub(super) fn within(
        channel: Channel,
        protocol: impl Into<Cow<'static, str>>,
        shared: Option<Arc<ConnectionResources>>,
    ) -> Self {
        let mut core = shared.as_ref().and_then(|shared| shared.cores.take()).unwrap_or_default();
        core.begin(channel, protocol.into());
        Self { core: Some(core), shared }
    }
}

impl CorePool {
    fn take(&self) -> Option<Box<Core>> {
        self.0.try_lock().ok()?.pop()
    }

    fn keep(&self, core: Box<Core>) {
        if let Ok(mut spares) = self.0.try_lock()
            && spares.len() < MAX_POOLED_CORES
        {
            spares.push(core);
        }
    }
}

const TAKEN: &str = "only dropping takes it";

impl Deref for PooledCore {
    type Target = Core;

    fn deref(&self) -> &Core {
        self.core.as_ref().expect(TAKEN)
    }
}

impl DerefMut for PooledCore {
    fn deref_mut(&mut self) -> &mut Core {
        self.core.as_mut().expect(TAKEN)
    }
}

impl Drop for PooledCore {
    fn drop(&mut self) {
        let Some(mut core) = self.core.take() else { return };
        // Who lets go of a session early does it because something else failed (its disk, say), or has panicked.
        core.give_up(if std::thread::panicking() { WireCode::Dropped } else { WireCode::Failed });
        if let Some(shared) = self.shared.take() {
            *core = core.emptied();
            shared.cores.keep(core);
        }
    }
}
