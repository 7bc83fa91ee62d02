//! One run of a node, so that a peer can tell a node that was started again from a second one with the same key.

use shardwire_model::Timestamp;
use std::{collections::BTreeSet, fmt};

const INSTANCE: &str = "instance";
const MEETS: &str = "meets";

/// One run of a node. Of two with one key the greater one prevails: the one that began later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// When it began, by its own clock.
    pub since: Timestamp,
    /// A random number, which decides if two began at once.
    pub nonce: u64,
}

impl Instance {
    /// The capability that names it in its own `Hello`.
    #[must_use]
    pub fn capability(&self) -> String {
        format!("{INSTANCE}:{self}")
    }

    /// The capability that names it in the `Hello` of a peer that is connected with it, to whom has the same key.
    #[must_use]
    pub fn met(&self) -> String {
        format!("{MEETS}:{self}")
    }

    /// Which run a peer is, if it says so.
    #[must_use]
    pub fn of(capabilities: &BTreeSet<String>) -> Option<Self> {
        find(capabilities, INSTANCE)
    }

    /// Which run of this side's key the peer is connected with already, if it is with one.
    #[must_use]
    pub fn met_by(capabilities: &BTreeSet<String>) -> Option<Self> {
        find(capabilities, MEETS)
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:016x}", self.since.0, self.nonce)
    }
}

/// The first one of this name that can be read.
fn find(capabilities: &BTreeSet<String>, name: &str) -> Option<Instance> {
    capabilities.iter().find_map(|capability| {
        let (since, nonce) = capability.strip_prefix(name)?.strip_prefix(':')?.split_once(':')?;
        Some(Instance { since: Timestamp(since.parse().ok()?), nonce: u64::from_str_radix(nonce, 16).ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::MAX_NAME;

    #[test]
    fn a_run_is_named_within_a_capability_and_the_later_one_is_the_greater() {
        let of = |since, nonce| Instance { since: Timestamp(since), nonce };
        let [first, second] = [of(1_700_000_000_000, 7), of(u64::MAX, u64::MAX)];
        assert_eq!(first.capability(), "instance:1700000000000:0000000000000007");
        let said: BTreeSet<String> = [first.capability(), second.met(), "x-future".into()].into();
        assert_eq!((Instance::of(&said), Instance::met_by(&said)), (Some(first), Some(second)));
        assert!(second.capability().len() <= MAX_NAME && second > first && of(5, 2) > of(5, 1));
        for unreadable in ["instance", "instance:", "instance:1", "instance:1:x", "instance:-1:1", "instances:1:1"] {
            assert_eq!(Instance::of(&[unreadable.to_owned()].into()), None, "{unreadable}");
        }
    }
}
