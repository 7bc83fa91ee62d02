//! Bans. Each has an end; repeated ones grow.

use crate::{Policy, decay::POINT};
use serde::{Deserialize, Serialize};
use shardwire_model::Timestamp;
use std::time::Duration;

/// The harm, in points, that leads to a ban: three breaches of protocol at a time, or one that can be proven.
pub const BAN_AT: u32 = 3500;
/// How long after the end of a ban the next one counts as a repetition: a day.
pub const FORGIVEN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// The factor by which a repeated ban grows.
const GROWTH: u32 = 4;

/// A ban, current or past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// When the ban ends.
    pub until: Timestamp,
    /// The number of bans in a row, this one included.
    pub times: u32,
}

impl Ban {
    /// Whether the ban holds at `now`.
    #[must_use]
    pub fn holds(self, now: Timestamp) -> bool {
        now < self.until
    }

    /// The ban for a harm that has reached its bound, following earlier bans.
    pub(crate) fn following(before: Option<Self>, now: Timestamp, policy: &Policy) -> Self {
        let repeated = before.filter(|ban| now.since(ban.until) < FORGIVEN_AFTER);
        let times = repeated.map_or(0, |ban| ban.times).saturating_add(1);
        let factor = GROWTH.checked_pow(times - 1).unwrap_or(u32::MAX);
        let length = policy.first_ban.saturating_mul(factor).min(policy.longest_ban);
        let until = now.plus(length);
        // A ban by the operator may be longer.
        Self { until: repeated.map_or(until, |ban| until.max(ban.until)), times }
    }

    /// Whether this harm leads to a ban.
    pub(crate) fn due(harm: u64) -> bool {
        harm >= u64::from(BAN_AT) * POINT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bans_grow_up_to_the_longest_and_are_forgiven_after_a_clean_day() {
        let policy = Policy::default();
        let (mut now, mut ban, mut lengths) = (Timestamp(5000), None, Vec::new());
        for _ in 0..8 {
            let next = Ban::following(ban, now, &policy);
            lengths.push(next.until.since(now).as_secs());
            assert!(next.holds(now) && !next.holds(next.until));
            (now, ban) = (next.until.plus(Duration::from_secs(3600)), Some(next));
        }
        assert_eq!(lengths, [60, 240, 960, 3840, 15360, 61440, 86400, 86400]);
        let later = now.plus(FORGIVEN_AFTER);
        assert_eq!(Ban::following(ban, later, &policy), Ban { until: later.plus(policy.first_ban), times: 1 });
    }

    #[test]
    fn a_longer_ban_by_hand_is_not_shortened() {
        let by_hand = Ban { until: Timestamp(1_000_000_000), times: 1 };
        let next = Ban::following(Some(by_hand), Timestamp(0), &Policy::default());
        assert_eq!(next, Ban { until: by_hand.until, times: 2 });
    }
}
