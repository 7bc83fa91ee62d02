//! The node's peers: how they are connected, what the node thinks of them, what can be proven against them, and the operator's word on them.

use super::Impossible;
use crate::network::Node;
use shardwire_host::{
    evidence::{self, accusations},
    peers::say,
};
use shardwire_model::PeerId;
use shardwire_peers::{RecordedChange, View};
use shardwire_protocols::administration::{
    Changed, Failed, MAX_VIEWS_LISTED, PeerView, ProtocolQuota,
    peer::{Request, Response},
};
use shardwire_reputation::{Listing, Standing};
use shardwire_store::StoreError;
use std::time::Duration;

/// The longest ban by hand: a year. To keep a peer out for ever, deny it.
const LONGEST_BAN: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// What the quota is called that all protocols share which have none of their own.
const OTHERS: &str = "others";

impl Node {
    pub(super) async fn about_peers(&self, request: Request) -> Result<Response, Failed> {
        let (store, peers) = (&self.host.store, &self.host.peers);
        match request {
            Request::Links => Ok(Response::Links(self.links.status())),
            Request::List { after } => {
                let mut ids = peers.after(after, MAX_VIEWS_LISTED + 1);
                let more = ids.len() > MAX_VIEWS_LISTED;
                ids.truncate(MAX_VIEWS_LISTED);
                let peers = ids.into_iter().map(|peer| self.peer(peer)).collect::<Result<_, _>>()?;
                Ok(Response::Peers { peers, more })
            }
            Request::Show { peer } => self.shown(peer),
            Request::Ban { peer, seconds } => {
                if peers.is_own(peer) {
                    return Err(Impossible::Own(peer).into());
                }
                match seconds {
                    None => say(&self.host, peer, Some(Listing::Denied)).await?,
                    Some(seconds) if seconds == 0 || seconds > LONGEST_BAN.as_secs() => {
                        return Err(Impossible::Length(seconds).into());
                    }
                    Some(seconds) => {
                        // The later word counts: an allowance ends with a ban.
                        if peers.run_time_listing(peer).is_some() {
                            say(&self.host, peer, None).await?;
                        }
                        peers.ban(peer, Duration::from_secs(seconds));
                        shardwire_host::peers::keep(&self.host, peers.take_changed()).await;
                    }
                }
                self.shown(peer)
            }
            Request::Unban { peer } => {
                if peers.run_time_listing(peer) == Some(Listing::Denied) {
                    say(&self.host, peer, None).await?;
                }
                peers.unban(peer);
                shardwire_host::peers::keep(&self.host, peers.take_changed()).await;
                self.shown(peer)
            }
            Request::Allow { peer, withdraw } => {
                let word = (!withdraw).then_some(Listing::Allowed);
                if !withdraw || peers.run_time_listing(peer) == Some(Listing::Allowed) {
                    say(&self.host, peer, word).await?;
                }
                self.shown(peer)
            }
            Request::Evidence { peer, number, from } => {
                let part = evidence::read(store, peer, number, from)?;
                let part = part.ok_or(Impossible::NoEvidence { peer, number })?;
                Ok(Response::Evidence { bytes: part.whole, part: part.bytes })
            }
        }
    }

    fn shown(&self, peer: PeerId) -> Result<Response, Failed> {
        Ok(Response::Peer(Box::new(self.peer(peer)?)))
    }

    fn peer(&self, peer: PeerId) -> Result<PeerView, StoreError> {
        let View { peer, standing, listing, components, score, ban, connected } = self.host.peers.view(peer);
        let changes = self.host.peers.changes(peer).into_iter();
        let evidence = accusations(&self.host.store, peer)?;
        Ok(PeerView {
            peer,
            now: self.host.clock.steady(),
            standing,
            listing,
            score,
            components,
            ban,
            connected: connected.iter().map(ToString::to_string).collect(),
            quotas: self.quotas(standing),
            changes: changes.map(|told| changed(&told)).collect(),
            evidence: u32::try_from(evidence).unwrap_or(u32::MAX),
        })
    }

    fn quotas(&self, standing: Standing) -> Vec<ProtocolQuota> {
        let Some(tier) = standing.tier() else { return Vec::new() };
        let quotas = self.host.peers.quotas();
        let mut named: Vec<&str> = quotas.named().collect();
        named.sort_unstable();
        named.dedup();
        let others = ProtocolQuota { protocol: OTHERS.to_owned(), quota: quotas.tier(tier).others };
        let named =
            named.into_iter().map(|name| ProtocolQuota { protocol: name.to_owned(), quota: *quotas.of(tier, name) });
        std::iter::once(others).chain(named).collect()
    }
}

fn changed(told: &RecordedChange) -> Changed {
    Changed::new(told.at, told.change.from, told.change.to, &told.change.reason.to_string())
}
