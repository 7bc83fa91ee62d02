//! How work is done that would hold up the async threads.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Where work is done that waits for a disk or a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// On threads of its own, beside everything else.
    Beside,
    /// At once, while everything else waits: the same each time.
    AtOnce,
}

impl Work {
    /// Does the work and returns its result; none if it panicked.
    pub async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        match self {
            Self::Beside => tokio::task::spawn_blocking(work).await.ok(),
            Self::AtOnce => catch_unwind(AssertUnwindSafe(work)).ok(),
        }
    }
}
