//! The date, from the system. The only place where it is read.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the only place where the date is read"
)]

use shardwire_model::{Clock, Timestamp};
use std::time::{SystemTime, UNIX_EPOCH};

/// The system's clock. A date before 1970 counts as 1970.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::default().plus(since)
    }
}
