//! What a node is told about peers: the rules by which it judges them, the peers that its configuration names, and
//! its operator's listings at run time.

use shardwire_model::{Coded, PeerId};
use shardwire_reputation::{
    Listing, Policy, PolicyError, QuotaError, Quotas,
    admission::{Limits, LimitsError},
    shed::Watermarks,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// The rules by which a node judges peers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// How scores and bans work.
    pub policy: Policy,
    /// The quotas of each tier.
    pub quotas: Quotas,
    /// The limits on connections.
    pub limits: Limits,
    /// The load from which on work is refused.
    pub watermarks: Watermarks,
}

impl Rules {
    /// Checks all rules.
    ///
    /// # Errors
    /// [`PolicyError`] if the scores' rules wouldn't work, [`QuotaError`] if the quotas', [`LimitsError`] if the limits on connections.
    pub fn validate(&self) -> Result<(), Box<dyn Coded + Send + Sync>> {
        self.policy.validate().map_err(|error: PolicyError| Box::new(error) as Box<_>)?;
        self.quotas.validate().map_err(|error: QuotaError| Box::new(error) as Box<_>)?;
        self.limits.validate().map_err(|error: LimitsError| Box::new(error) as Box<_>)
    }
}

/// The peers and hosts that the configuration names. May change while the node runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfiguredPeers {
    /// The node itself and its administrators: neither counted nor metered.
    pub own: BTreeSet<PeerId>,
    /// Peers to work with, with their addresses where known.
    pub configured: BTreeMap<PeerId, Option<IpAddr>>,
    /// Peers that are never banned.
    pub allowed: BTreeSet<PeerId>,
    /// Peers that are never admitted, even if allowed.
    pub denied: BTreeSet<PeerId>,
    /// Further hosts with reserved slots: where the node's own command line connects from.
    pub hosts: BTreeSet<IpAddr>,
}

/// The listings of the configuration, and the operator's at run time, which take precedence.
#[derive(Debug, Default)]
pub(crate) struct Listings {
    pub(crate) configured: ConfiguredPeers,
    pub(crate) run_time: BTreeMap<PeerId, Listing>,
    /// Where peers were found that are configured by the name of their host: at most [`MAX_FOUND`] addresses of each.
    found: BTreeMap<PeerId, BTreeSet<IpAddr>>,
}

/// Most addresses of a peer that is configured by name: as many as are tried when it is dialled.
const MAX_FOUND: usize = 4;

impl Listings {
    /// Replaces what the configuration names; what was found of peers that it doesn't name any more is forgotten.
    pub(crate) fn configure(&mut self, configured: ConfiguredPeers) {
        self.found.retain(|peer, _| configured.configured.contains_key(peer));
        self.configured = configured;
    }

    /// Notes what the name of a configured peer's host stands for now.
    pub(crate) fn found(&mut self, peer: PeerId, at: impl IntoIterator<Item = IpAddr>) {
        if self.configured.configured.contains_key(&peer) {
            self.found.insert(peer, at.into_iter().take(MAX_FOUND).collect());
        }
    }

    /// The hosts that have reserved slots.
    pub(crate) fn hosts(&self) -> Vec<IpAddr> {
        let named = self.configured.configured.values().flatten().chain(&self.configured.hosts);
        named.chain(self.found.values().flatten()).copied().collect()
    }

    /// All listings together. The node itself comes last and overrides the others, so that an operator can't lock
    /// itself out.
    pub(crate) fn listed(&self) -> BTreeMap<PeerId, Listing> {
        let ConfiguredPeers { own, configured, allowed, denied, .. } = &self.configured;
        let mut listed: BTreeMap<_, _> = configured.keys().map(|peer| (*peer, Listing::Configured)).collect();
        listed.extend(allowed.iter().map(|peer| (*peer, Listing::Allowed)));
        listed.extend(denied.iter().map(|peer| (*peer, Listing::Denied)));
        listed.extend(self.run_time.iter().map(|(peer, word)| (*peer, *word)));
        listed.extend(own.iter().map(|peer| (*peer, Listing::Allowed)));
        listed
    }
}
