//! What a node is told about peers: the rules by which it judges them, whom its configuration names, and its operator's word at run time.

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

/// By what a node goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Scores and bans.
    pub policy: Policy,
    /// What each tier may use.
    pub quotas: Quotas,
    /// Connections.
    pub limits: Limits,
    /// From where on work is refused.
    pub watermarks: Watermarks,
}

impl Rules {
    /// Whether they would work.
    ///
    /// # Errors
    /// Which of them doesn't.
    pub fn validate(&self) -> Result<(), Box<dyn Coded + Send + Sync>> {
        self.policy.validate().map_err(|error: PolicyError| Box::new(error) as Box<_>)?;
        self.quotas.validate().map_err(|error: QuotaError| Box::new(error) as Box<_>)?;
        self.limits.validate().map_err(|error: LimitsError| Box::new(error) as Box<_>)
    }
}

/// Whom the configuration names. May change while the node runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The node itself and who may control it: neither counted nor metered.
    pub own: BTreeSet<PeerId>,
    /// Peers to work with, and where they are if that is known.
    pub configured: BTreeMap<PeerId, Option<IpAddr>>,
    /// Never banned.
    pub allowed: BTreeSet<PeerId>,
    /// Never admitted, even if allowed.
    pub denied: BTreeSet<PeerId>,
    /// Further hosts that have reserved places: where the node's own command line comes from.
    pub hosts: BTreeSet<IpAddr>,
}

/// The configuration's word and the operator's at run time, which is stronger.
#[derive(Debug, Default)]
pub(crate) struct Words {
    pub(crate) named: Named,
    pub(crate) said: BTreeMap<PeerId, Listing>,
}

impl Words {
    /// The node itself comes first: nobody locks himself out.
    pub(crate) fn listed(&self) -> BTreeMap<PeerId, Listing> {
        let Named { own, configured, allowed, denied, .. } = &self.named;
        let mut listed: BTreeMap<_, _> = configured.keys().map(|peer| (*peer, Listing::Configured)).collect();
        listed.extend(allowed.iter().map(|peer| (*peer, Listing::Allowed)));
        listed.extend(denied.iter().map(|peer| (*peer, Listing::Denied)));
        listed.extend(self.said.iter().map(|(peer, word)| (*peer, *word)));
        listed.extend(own.iter().map(|peer| (*peer, Listing::Allowed)));
        listed
    }
}
