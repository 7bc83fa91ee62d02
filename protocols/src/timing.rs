//! How long the two sides of every protocol wait for each other.
//!
//! A consumer asks and the producer holds the question for up to [`HOLD`], then answers that there is nothing. So a new
//! shard or chunk is on its way at once, an idle session costs one small exchange every 15 s, and a peer that died is noticed
//! within [`ANSWER`].

use std::{future::Future, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Deadline of the first words of a connection or session: both sides have them ready.
pub const GREETING: Duration = Duration::from_secs(10);
/// How long a producer holds a question that it can't answer yet. Below half of [`ANSWER`], so that a held answer is never late.
pub const HOLD: Duration = Duration::from_secs(15);
/// Deadline of an answer, held or not.
pub const ANSWER: Duration = Duration::from_secs(30);
/// Deadline of an answer that may carry bulk: [`HOLD`], and 45 s for 4 MiB, which is 93 kB/s.
pub const BULK: Duration = Duration::from_secs(60);
/// Deadline of the next question of a consumer that asks again as soon as it has dealt with the last answer. What it may
/// do in between (write to disk, verify a proof) takes seconds.
pub const NEXT: Duration = Duration::from_secs(60);
/// Deadline of the next request of a person or a program that sends when it has something to send.
pub const IDLE: Duration = Duration::from_secs(600);

/// How soon a consumer may ask again that was told to wait. A producer that holds questions is never asked so soon; with one that
/// answers "nothing" at once this keeps the two from asking and answering as fast as the network allows.
pub const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// The future's value if it comes within [`HOLD`]. Otherwise the future is dropped: it must be one that may be.
pub(crate) async fn hold<T>(answer: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(HOLD, answer).await.ok()
}

/// The future's value if it has one without waiting.
pub(crate) async fn now_or_never<T>(answer: impl Future<Output = T>) -> Option<T> {
    // `timeout` polls the future before the clock.
    tokio::time::timeout(Duration::ZERO, answer).await.ok()
}

/// Waits until it may be asked again, and says when that is.
pub(crate) async fn wait_until(not_before: Option<Instant>) -> Instant {
    if let Some(at) = not_before {
        sleep_until(at).await;
    }
    Instant::now()
}
