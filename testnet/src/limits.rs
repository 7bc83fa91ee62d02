//! How long a run waits, before it gives up with an error.

use std::time::Duration;

/// How long a shard may take: twice what the slowest worker is given for the largest proof.
pub const TIME_LIMIT: Duration = Duration::from_secs(60 * 60);
/// How long a running node may leave us without an answer: it may be restarting, or busy proving.
pub const PATIENCE: Duration = Duration::from_secs(60);
