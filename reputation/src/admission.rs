//! Which peers may connect. Decided twice, each time from what is known by then.
//!
//! [`before_handshake`] decides from the address alone, so that refusing costs next to nothing; [`after_handshake`]
//! decides when the peer is known. Both are pure: the node counts, these decide.
//!
//! | connections | strangers with an unvalidated address | others |
//! |---|---|---|
//! | below the soft limit | admitted | admitted |
//! | from the soft limit on | asked to come back with a token | admitted after a delay, from 0 at the soft limit to [`Limits::longest_delay`] at the hard one |
//! | from the hard limit on | refused | refused; admitted to the handshake if a reserved slot is free |
//! | work of their tier is [shed](crate::shed) | ignored | refused |
//!
//! Reserved slots are beyond the hard limit and only for configured peers. A configured peer that comes from its
//! configured address, or from where it was last seen, is admitted at once. One that comes from elsewhere is known
//! only after its handshake; any other peer then gives the slot back. Connections from one host (/32, /64) and one
//! network (/24, /48) are limited for everybody else, those from a host that the configuration names more generously, and so are those of one peer ([`Limits::per_peer`]), whatever host it comes from. A host from which banned peers came, and none in a better tier,
//! is treated as banned. The caller enforces the rates of strangers and of answers to refused peers ([`Limits`] has
//! the numbers): a rate needs memory, which this module doesn't have.

use crate::{Listing, Standing, Tier};
use serde::{Deserialize, Serialize};
use shardwire_model::Coded;
use std::time::Duration;

/// Limits on connections and handshakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// From this many connections on, strangers are slowed down.
    pub soft: usize,
    /// From this many connections on, only configured peers are admitted. A connection takes about 80 kB, and up to
    /// 16 MiB of unread data.
    pub hard: usize,
    /// How many configured peers are admitted beyond the hard limit.
    pub reserved: usize,
    /// The delay just below the hard limit. 5 s: half of what a handshake may take.
    pub longest_delay: Duration,
    /// The most connections from one host (/32, /64).
    pub per_host: usize,
    /// The most connections from one network (/24, /48).
    pub per_network: usize,
    /// The most connections from one host that the configuration names. Several nodes and many clients may live there, so it is four times what a stranger's
    /// host has, and half of the hard limit: no host alone keeps all others away.
    pub per_configured_host: usize,
    /// The most connections of one peer, wherever it comes from. A peer that works has one, and for a moment a second that replaces it.
    pub per_peer: usize,
    /// Strangers' handshakes a second from one host. Each costs some 300 µs of a core.
    pub host_per_s: u32,
    /// Strangers' handshakes a second from one network.
    pub network_per_s: u32,
    /// Strangers' handshakes a second in total: a few hundredths of a core.
    pub strangers_per_s: u32,
    /// First datagrams of handshakes a second from one network that are looked at, unless they come from the host of a peer in good standing: what
    /// [`network_per_s`](Self::network_per_s) handshakes need, each with a token and sent once more. To look at one takes some 20 µs, not to look a tenth of that.
    pub arrivals_per_s: u32,
    /// Refusals and requests for a token that are sent a second: some 20 µs each. Further callers are ignored.
    pub answers_per_s: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            soft: 192,
            hard: 256,
            reserved: 64,
            longest_delay: Duration::from_secs(5),
            per_host: 32,
            per_network: 64,
            per_configured_host: 128,
            per_peer: 8,
            host_per_s: 8,
            network_per_s: 32,
            strangers_per_s: 64,
            arrivals_per_s: 128,
            answers_per_s: 512,
        }
    }
}

/// Limits that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the limits of connections are {soft} (soft), {hard} (hard), {per_host} from a host, {per_configured_host} from a configured one and {per_network} from a network, with handshakes a second of {rates:?} (host, network, all); none may be 0, and none larger than the one after it: host, network, hard; host, configured host, hard; soft, hard; host, network, all"
)]
pub struct LimitsError {
    soft: usize,
    hard: usize,
    per_host: usize,
    per_configured_host: usize,
    per_network: usize,
    rates: [u32; 3],
}

impl Coded for LimitsError {
    fn code(&self) -> &'static str {
        "SW-REPUTATION-005"
    }

    fn next_step(&self) -> String {
        "Give limits in that order, or none to get the defaults.".to_owned()
    }
}

impl Limits {
    /// Checks the limits against each other.
    ///
    /// # Errors
    /// [`LimitsError`] if one is 0, or larger than the limit that includes it.
    pub fn validate(&self) -> Result<(), LimitsError> {
        let Self { soft, hard, per_host, per_configured_host, per_network, per_peer, .. } = *self;
        let rates = [self.host_per_s, self.network_per_s, self.strangers_per_s];
        let fits = [soft, per_host, per_network, per_peer, hard].iter().all(|limit| *limit > 0)
            && soft <= hard
            && per_host <= per_network
            && per_network <= hard
            && per_host <= per_configured_host
            && per_configured_host <= hard
            && rates.iter().chain([&self.arrivals_per_s, &self.answers_per_s]).all(|rate| *rate > 0)
            && rates.is_sorted();
        if fits { Ok(()) } else { Err(LimitsError { soft, hard, per_host, per_configured_host, per_network, rates }) }
    }

    /// The delay with this many connections open.
    fn delay(&self, open: usize) -> Duration {
        let above = open.saturating_sub(self.soft).min(self.hard - self.soft.min(self.hard));
        let between = self.hard.saturating_sub(self.soft).max(1);
        let part = |whole: usize| u32::try_from(whole).unwrap_or(u32::MAX);
        self.longest_delay.saturating_mul(part(above)) / part(between)
    }
}

/// The counts that a decision needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Connections that are open or in their handshake, without those in reserved slots.
    pub open: usize,
    /// Reserved slots in use.
    pub reserved: usize,
    /// How many of all these come from the caller's host.
    pub from_host: usize,
    /// How many of all these come from the caller's network.
    pub from_network: usize,
    /// The highest tier whose work is [shed](crate::shed::refused).
    pub shed: Option<Tier>,
}

/// A peer that wants to connect, before its handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Whether the address has shown that it receives what is sent there.
    pub validated: bool,
    /// A configured peer is at this host.
    pub configured: bool,
    /// The best tier among the peers lately seen at this host.
    pub best: Option<Tier>,
    /// A banned or denied peer came from this host lately.
    pub banned: bool,
}

/// What to do with a caller before its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Perform the handshake, after a delay.
    Admit {
        /// How long to wait before the handshake.
        after: Duration,
        /// Whether it takes a slot reserved for configured peers.
        reserved: bool,
    },
    /// Ask it to come back with a token.
    Retry,
    /// Refuse it and tell it so.
    Refuse,
    /// Don't answer: even an answer would cost too much.
    Ignore,
}

/// Decides before the handshake.
#[must_use]
pub fn before_handshake(limits: &Limits, load: &Load, caller: &Caller) -> Decision {
    let at_once = |reserved| Decision::Admit { after: Duration::ZERO, reserved };
    let free_slot = load.reserved < limits.reserved;
    let full = load.open >= limits.hard;
    if caller.configured && (!full || free_slot) {
        // Anybody can claim this address, so under load, and when the host has used half of its own limit, the caller has to validate it.
        let crowded = load.open >= limits.soft || load.from_host >= limits.per_configured_host / 2;
        return match (crowded, caller.validated) {
            (true, false) => Decision::Retry,
            _ if load.from_host >= limits.per_configured_host => Decision::Refuse,
            _ => at_once(full),
        };
    }
    let tier = caller.best.unwrap_or(Tier::Low);
    if load.shed.is_some_and(|shed| tier <= shed) {
        return if caller.validated { Decision::Refuse } else { Decision::Ignore };
    }
    if caller.banned && caller.best < Some(Tier::Normal) {
        return if load.open >= limits.soft { Decision::Ignore } else { Decision::Refuse };
    }
    if load.from_host >= limits.per_host || load.from_network >= limits.per_network {
        return Decision::Refuse;
    }
    if full {
        return if caller.validated && free_slot { at_once(true) } else { Decision::Refuse };
    }
    if load.open < limits.soft {
        return at_once(false);
    }
    if caller.validated { Decision::Admit { after: limits.delay(load.open), reserved: false } } else { Decision::Retry }
}

/// Why a peer isn't admitted after its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The operator's listing denies the peer.
    #[error("this node doesn't admit the peer")]
    Denied,
    /// The peer is banned for what it did.
    #[error("the peer is banned until {} ms since the epoch", until.0)]
    Banned {
        /// When the ban ends.
        until: shardwire_model::Timestamp,
    },
    /// The peer took a slot that is reserved for configured peers.
    #[error("this node has as many connections as it takes")]
    Full,
    /// The peer has as many connections as one may have.
    #[error("the peer has {open} connections already, and one peer may have {most}")]
    TooMany {
        /// How many it has.
        open: usize,
        /// How many it may have.
        most: usize,
    },
    /// The node sheds work of the peer's tier.
    #[error("this node is overloaded")]
    Overloaded,
}

impl Coded for NotAdmitted {
    fn code(&self) -> &'static str {
        match self {
            Self::Denied => "SW-REPUTATION-020",
            Self::Banned { .. } => "SW-REPUTATION-021",
            Self::Full => "SW-REPUTATION-022",
            Self::Overloaded => "SW-REPUTATION-023",
            Self::TooMany { .. } => "SW-REPUTATION-024",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Denied => "Ask the people who run the node.",
            Self::Banned { .. } => "Come back when the ban has ended; look at what was broken meanwhile.",
            Self::Full | Self::Overloaded => "Try again later, or another peer.",
            Self::TooMany { .. } => {
                "Close one of them first: one connection carries as many sessions as the peer may have."
            }
        }
        .to_owned()
    }
}

/// Decides after the handshake, when the peer is known. `reserved` says whether the connection has a reserved slot, `open` how many others the peer has.
///
/// # Errors
/// [`NotAdmitted::Denied`] or [`NotAdmitted::Banned`] by its standing, [`NotAdmitted::TooMany`] if it has as many connections as it may, [`NotAdmitted::Full`] if no place is left,
/// [`NotAdmitted::Overloaded`] if its tier is refused for the load.
pub fn after_handshake(
    standing: Standing,
    listing: Option<Listing>,
    reserved: bool,
    open: usize,
    limits: &Limits,
    shed: Option<Tier>,
) -> Result<Tier, NotAdmitted> {
    let listed = matches!(listing, Some(Listing::Configured | Listing::Allowed));
    match standing {
        Standing::Denied => Err(NotAdmitted::Denied),
        Standing::Banned { until } => Err(NotAdmitted::Banned { until }),
        Standing::Admitted(_) if reserved && !listed => Err(NotAdmitted::Full),
        Standing::Admitted(_) if open >= limits.per_peer => Err(NotAdmitted::TooMany { open, most: limits.per_peer }),
        Standing::Admitted(tier) if !listed && shed.is_some_and(|shed| tier <= shed) => Err(NotAdmitted::Overloaded),
        Standing::Admitted(tier) => Ok(tier),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::Timestamp;

    const LIMITS: Limits = Limits {
        soft: 10,
        hard: 20,
        reserved: 2,
        longest_delay: Duration::from_secs(5),
        per_host: 4,
        per_network: 8,
        per_configured_host: 6,
        per_peer: 2,
        host_per_s: 1,
        network_per_s: 1,
        strangers_per_s: 1,
        arrivals_per_s: 1,
        answers_per_s: 1,
    };
    const STRANGER: Caller = Caller { validated: false, configured: false, best: None, banned: false };
    const SHOWN: Caller = Caller { validated: true, ..STRANGER };
    const CONFIGURED: Caller = Caller { validated: true, configured: true, ..STRANGER };

    fn load(open: usize) -> Load {
        Load { open, ..Load::default() }
    }

    fn admit(millis: u64) -> Decision {
        Decision::Admit { after: Duration::from_millis(millis), reserved: false }
    }

    #[test]
    fn between_the_limits_strangers_show_their_address_and_wait() {
        let at = |open, caller| before_handshake(&LIMITS, &load(open), caller);
        assert_eq!([0, 9].map(|open| at(open, &STRANGER)), [admit(0), admit(0)]);
        assert_eq!([10, 19].map(|open| at(open, &STRANGER)), [Decision::Retry; 2]);
        assert_eq!([10, 11, 15, 19].map(|open| at(open, &SHOWN)), [admit(0), admit(500), admit(2500), admit(4500)]);
        assert_eq!(at(20, &STRANGER), Decision::Refuse);
    }

    #[test]
    fn a_flood_cant_cut_configured_peers_off() {
        let reserved = Decision::Admit { after: Duration::ZERO, reserved: true };
        let flood = Load { open: 20, from_host: 5, from_network: 100, shed: Some(Tier::High), reserved: 0 };
        assert_eq!(before_handshake(&LIMITS, &flood, &CONFIGURED), reserved);
        assert_eq!(before_handshake(&LIMITS, &flood, &Caller { validated: false, ..CONFIGURED }), Decision::Retry);
        assert_eq!(before_handshake(&LIMITS, &Load { open: 19, ..flood }, &CONFIGURED), admit(0));
        // A peer from elsewhere may be a configured one: its handshake shows who it is.
        assert_eq!(before_handshake(&LIMITS, &load(20), &SHOWN), reserved);
        assert_eq!(before_handshake(&LIMITS, &Load { reserved: 2, ..load(20) }, &SHOWN), Decision::Refuse);
        assert_eq!(before_handshake(&LIMITS, &Load { reserved: 2, ..load(20) }, &CONFIGURED), Decision::Refuse);
        let low = Standing::Admitted(Tier::Low);
        assert_eq!(after_handshake(low, None, true, 0, &LIMITS, None), Err(NotAdmitted::Full));
        let normal = Standing::Admitted(Tier::Normal);
        assert_eq!(
            after_handshake(normal, Some(Listing::Configured), true, 0, &LIMITS, Some(Tier::High)),
            Ok(Tier::Normal)
        );
    }

    #[test]
    fn a_configured_host_has_a_limit_too_and_who_only_claims_its_address_half_of_it() {
        let from = |from_host, validated| {
            before_handshake(&LIMITS, &Load { from_host, ..load(0) }, &Caller { validated, ..CONFIGURED })
        };
        assert_eq!([from(2, false), from(3, false), from(6, false)], [admit(0), Decision::Retry, Decision::Retry]);
        assert_eq!([from(3, true), from(5, true), from(6, true)], [admit(0), admit(0), Decision::Refuse]);
    }

    #[test]
    fn a_host_and_a_network_have_their_limits() {
        let from = |from_host, from_network| {
            before_handshake(&LIMITS, &Load { from_host, from_network, ..load(0) }, &STRANGER)
        };
        assert_eq!([from(3, 7), from(4, 7), from(3, 8)], [admit(0), Decision::Refuse, Decision::Refuse]);
    }

    #[test]
    fn hosts_of_banned_peers_and_shed_tiers_are_refused_before_the_handshake() {
        let banned = Caller { banned: true, ..STRANGER };
        assert_eq!(before_handshake(&LIMITS, &load(0), &banned), Decision::Refuse);
        assert_eq!(before_handshake(&LIMITS, &load(10), &banned), Decision::Ignore);
        // Others may live behind the same address.
        assert_eq!(before_handshake(&LIMITS, &load(0), &Caller { best: Some(Tier::Normal), ..banned }), admit(0));
        let shedding = Load { shed: Some(Tier::Low), ..load(0) };
        assert_eq!(before_handshake(&LIMITS, &shedding, &STRANGER), Decision::Ignore);
        assert_eq!(before_handshake(&LIMITS, &shedding, &SHOWN), Decision::Refuse);
        assert_eq!(before_handshake(&LIMITS, &shedding, &Caller { best: Some(Tier::Normal), ..STRANGER }), admit(0));
    }

    #[test]
    fn a_peer_that_is_turned_away_is_told_why() {
        let text = |standing, shed| {
            let error = after_handshake(standing, None, false, 1, &LIMITS, shed).unwrap_err();
            format!("{}: {error}. {}", error.code(), error.next_step())
        };
        assert_eq!(
            text(Standing::Denied, None),
            "SW-REPUTATION-020: this node doesn't admit the peer. Ask the people who run the node."
        );
        assert_eq!(
            text(Standing::Banned { until: Timestamp(5) }, None),
            "SW-REPUTATION-021: the peer is banned until 5 ms since the epoch. Come back when the ban has ended; look at what was broken \
             meanwhile."
        );
        assert_eq!(
            text(Standing::Admitted(Tier::Low), Some(Tier::Low)),
            "SW-REPUTATION-023: this node is overloaded. Try again later, or another peer."
        );
        let third = after_handshake(Standing::Admitted(Tier::High), None, false, 2, &LIMITS, None).unwrap_err();
        assert_eq!(
            format!("{}: {third}. {}", third.code(), third.next_step()),
            "SW-REPUTATION-024: the peer has 2 connections already, and one peer may have 2. Close one of them first: one connection \
             carries as many sessions as the peer may have."
        );
        assert_eq!(NotAdmitted::Full.to_string(), "this node has as many connections as it takes");
        assert_eq!(NotAdmitted::Full.code(), "SW-REPUTATION-022");
    }

    #[test]
    fn limits_in_disorder_are_refused() {
        assert_eq!(Limits::default().validate(), Ok(()));
        let error = Limits { soft: 300, ..Limits::default() }.validate().unwrap_err();
        assert_eq!(
            format!("{}: {error}. {}", error.code(), error.next_step()),
            "SW-REPUTATION-005: the limits of connections are 300 (soft), 256 (hard), 32 from a host, 128 from a configured one and 64 from a \
             network, with handshakes a second of [8, 32, 64] (host, network, all); none may be 0, and none larger than the one after it: host, \
             network, hard; host, configured host, hard; soft, hard; host, network, all. Give limits in that order, or none to get the defaults."
        );
        for limits in [
            Limits { per_host: 0, ..Limits::default() },
            Limits { per_peer: 0, ..Limits::default() },
            Limits { per_network: 31, ..Limits::default() },
            Limits { per_network: 257, ..Limits::default() },
            Limits { per_configured_host: 31, ..Limits::default() },
            Limits { per_configured_host: 257, ..Limits::default() },
            Limits { host_per_s: 0, ..Limits::default() },
            Limits { strangers_per_s: 31, ..Limits::default() },
            Limits { answers_per_s: 0, ..Limits::default() },
        ] {
            assert!(limits.validate().is_err());
        }
    }
}
