//! How much of the node a peer may use, for each tier and protocol.

use crate::Tier;
use serde::{Deserialize, Serialize};
use shardwire_model::Coded;
use std::collections::BTreeMap;

/// The unit in which quotas count bytes: a rate of single bytes would be too fine for a timer.
pub(crate) const BYTES_A_UNIT: u64 = 1024;
/// The largest rate: above a million a second, one unit takes less than the microsecond that timers can tell apart.
pub const MAX_RATE: u32 = 1_000_000;

/// What one peer may use in one protocol in the sessions that it opens. Sessions that this node opens are not
/// counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Frames received a second.
    pub frames_per_s: u32,
    /// KiB received and sent a second.
    pub kib_per_s: u32,
    /// Sessions opened a second.
    pub sessions_per_s: u32,
    /// Sessions open at a time.
    pub sessions: u32,
    /// Leases held at a time.
    pub leases: u32,
}

/// The quotas of a tier: one for each protocol that is named, and one that all others share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierQuotas {
    /// The quota that all protocols without their own share.
    pub others: Quota,
    /// The quotas of named protocols.
    #[serde(default)]
    pub protocols: BTreeMap<String, Quota>,
}

/// All quotas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Quotas of tier low.
    pub low: TierQuotas,
    /// Quotas of tier normal.
    pub normal: TierQuotas,
    /// Quotas of tier high.
    pub high: TierQuotas,
}

impl Default for Quotas {
    /// A newcomer gets what one client or one witness stream needs at the speed of a good line (16 MiB/s). Each
    /// higher tier gets four times as much. Two protocols need far fewer frames than a client sends transactions, so
    /// they have quotas of their own: a ping is due every few seconds, and a witness of 16 MiB has some hundred chunks.
    fn default() -> Self {
        let tier = |times: u32| {
            let others = Quota {
                frames_per_s: 2_000 * times,
                kib_per_s: 16_384 * times,
                sessions_per_s: 8 * times,
                sessions: 8 * times,
                leases: 2 * times,
            };
            let keepalive = Quota { frames_per_s: 16 * times, kib_per_s: 16 * times, ..others };
            let trace = Quota { frames_per_s: 256 * times, ..others };
            let protocols = BTreeMap::from([("keepalive".into(), keepalive), ("trace".into(), trace)]);
            TierQuotas { others, protocols }
        };
        Self { low: tier(1), normal: tier(4), high: tier(16) }
    }
}

/// Quotas that wouldn't work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    /// A rate is 0, or above [`MAX_RATE`].
    #[error("the quota {field} of {protocol} in tier {tier} is {value}, which is not between 1 and {MAX_RATE}")]
    Range {
        /// The tier.
        tier: Tier,
        /// The protocol's name.
        protocol: String,
        /// The quota's field.
        field: &'static str,
        /// The value given.
        value: u32,
    },
    /// A better tier gets less.
    #[error("the quota {field} of {protocol} is smaller in tier {tier} than in the tier below")]
    Falls {
        /// The tier.
        tier: Tier,
        /// The protocol's name.
        protocol: String,
        /// The quota's field.
        field: &'static str,
    },
}

impl Coded for QuotaError {
    fn code(&self) -> &'static str {
        match self {
            Self::Range { .. } => "SW-REPUTATION-003",
            Self::Falls { .. } => "SW-REPUTATION-004",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Range { .. } => "Give a number within these bounds; to shut peers out, deny or ban them.",
            Self::Falls { .. } => "Give the better tier at least as much, or nobody has a reason to behave.",
        }
        .to_owned()
    }
}

impl Quota {
    fn fields(&self) -> [(&'static str, u32); 5] {
        [
            ("frames_per_s", self.frames_per_s),
            ("kib_per_s", self.kib_per_s),
            ("sessions_per_s", self.sessions_per_s),
            ("sessions", self.sessions),
            ("leases", self.leases),
        ]
    }
}

impl Quotas {
    /// The quotas of a tier.
    #[must_use]
    pub fn tier(&self, tier: Tier) -> &TierQuotas {
        match tier {
            Tier::Low => &self.low,
            Tier::Normal => &self.normal,
            Tier::High => &self.high,
        }
    }

    /// The quota of a tier for a protocol.
    #[must_use]
    pub fn of(&self, tier: Tier, protocol: &str) -> &Quota {
        let tier = self.tier(tier);
        tier.protocols.get(protocol).unwrap_or(&tier.others)
    }

    /// The protocols that are named in any tier.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        Tier::ALL.into_iter().flat_map(|tier| self.tier(tier).protocols.keys().map(String::as_str))
    }

    /// Checks that every number is within its bounds and that no better tier gets less.
    ///
    /// # Errors
    /// [`QuotaError::Range`] if a number is out of range, [`QuotaError::Falls`] if a better tier gets less.
    pub fn validate(&self) -> Result<(), QuotaError> {
        for protocol in self.named().chain(["other protocols"]) {
            let mut below = None;
            for tier in Tier::ALL {
                let quota = self.of(tier, protocol);
                for (index, (field, value)) in quota.fields().into_iter().enumerate() {
                    let protocol = protocol.to_owned();
                    // A quota of no leases is allowed.
                    if value > MAX_RATE || (value == 0 && field != "leases") {
                        return Err(QuotaError::Range { tier, protocol, field, value });
                    }
                    let before: Option<&[(&str, u32); 5]> = below.as_ref();
                    if before.and_then(|fields| fields.get(index)).is_some_and(|(_, before)| *before > value) {
                        return Err(QuotaError::Falls { tier, protocol, field });
                    }
                }
                below = Some(quota.fields());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_monotone_in_the_score() {
        let quotas = Quotas::default();
        assert_eq!(quotas.validate(), Ok(()));
        let mut below = quotas.of(Tier::of(0), "trace").fields();
        for score in 0..=crate::MAX_SCORE {
            let fields = quotas.of(Tier::of(score), "trace").fields();
            assert!(fields.iter().zip(&below).all(|(more, less)| more.1 >= less.1), "at {score}");
            below = fields;
        }
    }

    #[test]
    fn quotas_that_would_not_do_are_refused() {
        let refused = |change: fn(&mut Quotas)| {
            let mut quotas = Quotas::default();
            change(&mut quotas);
            let error = quotas.validate().unwrap_err();
            format!("{}: {error}. {}", error.code(), error.next_step())
        };
        assert_eq!(
            refused(|quotas| quotas.normal.others.frames_per_s = 1),
            "SW-REPUTATION-004: the quota frames_per_s of other protocols is smaller in tier normal than in the tier below. Give the \
             better tier at least as much, or nobody has a reason to behave."
        );
        assert_eq!(
            refused(|quotas| {
                let none = Quota { sessions: 0, ..quotas.low.others };
                quotas.low.protocols.insert("trace".into(), none);
            }),
            "SW-REPUTATION-003: the quota sessions of trace in tier low is 0, which is not between 1 and 1000000. Give a number within \
             these bounds; to shut peers out, deny or ban them."
        );
        // Named in one tier only: the other tiers count the protocol among the others.
        assert!(
            refused(|quotas| {
                let much = Quota { leases: 1000, ..quotas.low.others };
                quotas.low.protocols.insert("proof".into(), much);
            })
            .starts_with("SW-REPUTATION-004: the quota leases of proof is smaller in tier normal")
        );
    }
}
