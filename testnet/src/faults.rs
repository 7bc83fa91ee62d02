//! Crashes on purpose: a node is killed at a moment of the shard's life and started again.

use crate::progress::Progress;
use shardwire_model::Role;
use std::{fmt, time::Duration};

/// How long a killed node stays away: its peers notice, and try again in vain at least once.
pub const AWAY: Duration = Duration::from_secs(1);

/// A node dies when something is first seen.
#[derive(Clone, Copy)]
pub struct Fault {
    /// Who dies.
    pub role: Role,
    /// What is going on then, for people.
    pub during: &'static str,
    /// Whether that is going on.
    pub when: fn(&Progress) -> bool,
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "killing the {} {}", self.role, self.during)
    }
}
