//! Planned crashes: a node is killed at a moment of the shard's life and started again.

use crate::progress::Progress;
use shardwire_model::Role;
use std::{fmt, time::Duration};

/// How long a killed node stays away: long enough for its peers to notice, and to try again in vain at least once.
pub const AWAY: Duration = Duration::from_secs(1);

/// Kills a node when something is first seen.
#[derive(Clone, Copy)]
pub struct PlannedCrash {
    /// The node's role.
    pub role: Role,
    /// What is going on then, for messages.
    pub during: &'static str,
    /// Whether that is going on now.
    pub when: fn(&Progress) -> bool,
}

impl fmt::Debug for PlannedCrash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for PlannedCrash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "killing the {} {}", self.role, self.during)
    }
}
