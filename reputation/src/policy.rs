//! What an operator can set about scores and bans.

use crate::decay::MAX_HALF_LIFE;
use shardwire_model::Coded;
use std::time::Duration;

/// How fast work and faults are forgotten, and how long bans last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The half-life of work. A day: a node that rests for a night is still known.
    pub work_half_life: Duration,
    /// The half-life of faults. Ten minutes: [the way back](crate#the-way-back) takes 40.
    pub fault_half_life: Duration,
    /// The length of a first ban. A minute: worse than behaving, but short for an honest mistake.
    pub first_ban: Duration,
    /// The longest ban. A day.
    pub longest_ban: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            work_half_life: Duration::from_secs(24 * 60 * 60),
            fault_half_life: Duration::from_secs(10 * 60),
            first_ban: Duration::from_secs(60),
            longest_ban: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// A policy that would not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A half-life out of range.
    #[error("the half-life of {of} is {seconds} s, which is not between 1 and {MAX_HALF_LIFE}")]
    HalfLife {
        /// Which half-life: of work or of faults.
        of: &'static str,
        /// The value given, in seconds.
        seconds: u64,
    },
    /// The lengths of bans are out of range.
    #[error(
        "the first ban is {first:?} and the longest {longest:?}; the first must be a second or more, the longest no shorter"
    )]
    Bans {
        /// The first ban.
        first: Duration,
        /// The longest ban.
        longest: Duration,
    },
}

impl Coded for PolicyError {
    fn code(&self) -> &'static str {
        match self {
            Self::HalfLife { .. } => "SW-REPUTATION-001",
            Self::Bans { .. } => "SW-REPUTATION-002",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::HalfLife { .. } => "Give a half-life within these bounds, or none to get the default.",
            Self::Bans { .. } => "Give lengths such as 60 s and 86400 s, or none to get the default.",
        }
        .to_owned()
    }
}

impl Policy {
    /// Checks the policy's values.
    ///
    /// # Errors
    /// [`PolicyError::HalfLife`] if a half-life is out of range, [`PolicyError::Bans`] if the lengths of bans are.
    pub fn validate(&self) -> Result<(), PolicyError> {
        for (of, half_life) in [("work", self.work_half_life), ("faults", self.fault_half_life)] {
            let seconds = half_life.as_secs();
            if !(1..=MAX_HALF_LIFE).contains(&seconds) {
                return Err(PolicyError::HalfLife { of, seconds });
            }
        }
        if self.first_ban < Duration::from_secs(1) || self.longest_ban < self.first_ban {
            return Err(PolicyError::Bans { first: self.first_ban, longest: self.longest_ban });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_not_work_is_refused() {
        assert_eq!(Policy::default().validate(), Ok(()));
        let refused = |policy: Policy| {
            let error = policy.validate().unwrap_err();
            format!("{}: {error}. {}", error.code(), error.next_step())
        };
        assert_eq!(
            refused(Policy { fault_half_life: Duration::from_millis(999), ..Policy::default() }),
            "SW-REPUTATION-001: the half-life of faults is 0 s, which is not between 1 and 16777216. \
             Give a half-life within these bounds, or none to get the default."
        );
        assert!(refused(Policy { work_half_life: Duration::MAX, ..Policy::default() }).contains("half-life of work"));
        assert_eq!(
            refused(Policy { longest_ban: Duration::from_secs(30), ..Policy::default() }),
            "SW-REPUTATION-002: the first ban is 60s and the longest 30s; the first must be a second or more, the longest no \
             shorter. Give lengths such as 60 s and 86400 s, or none to get the default."
        );
        assert!(refused(Policy { first_ban: Duration::ZERO, ..Policy::default() }).starts_with("SW-REPUTATION-002"));
    }
}
