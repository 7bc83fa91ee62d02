//! The node tells its command line what it thinks of its peers, and does what it is told about them.

use crate::{
    control::{Failed, failed},
    evidence::{self, pieces},
    network::Node,
    peers::say,
};
use shardwire_model::{Coded, PeerId};
use shardwire_peers::{Named, Told, View};
use shardwire_protocols::reputation::{
    Answer as _, Changed, Counts, Handler, MAX_LISTED, Overview, PeerView, ProtocolQuota, Reputation, Request, Response,
};
use shardwire_reputation::{Listing, Standing};
use shardwire_store::StoreError;
use std::time::Duration;

/// The longest ban by hand: a year. Whoever shall never come back is denied.
const LONGEST_BAN: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// What the quota is called that all protocols share which have none of their own.
const OTHERS: &str = "others";

/// What can't be done about a peer.
#[derive(Debug, thiserror::Error)]
enum Impossible {
    /// It is this node, or may control it.
    #[error("{} is this node itself, or may control it", .0.short())]
    Own(PeerId),
    /// Longer than a year, or no time at all.
    #[error("a ban of {0} s is not between one second and a year")]
    Length(u64),
    /// There is no such piece.
    #[error("there is no evidence {number} against {}", peer.short())]
    NoEvidence {
        /// Against whom.
        peer: PeerId,
        /// Which piece.
        number: u32,
    },
}

impl Coded for Impossible {
    fn code(&self) -> &'static str {
        match self {
            Self::Own(_) => "SW-NODE-003",
            Self::Length(_) => "SW-NODE-004",
            Self::NoEvidence { .. } => "SW-NODE-005",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Own(_) => "Take it out of the node's administrators first, or name another peer.",
            Self::Length(_) => "Give a length within these bounds, or none to shut the peer out for ever.",
            Self::NoEvidence { .. } => "`shardwire peer show` says how many pieces there are.",
        }
        .to_owned()
    }
}

impl Node {
    fn overview(&self) -> Overview {
        let peers = &self.host.peers;
        let ((gauges, marks), figures, (open, reserved)) = (peers.load().gauges(), peers.figures(), peers.open());
        let refused_tier = peers.load().refused();
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let counts = |of: shardwire_peers::OfTier| Counts {
            connected: of.connected,
            sessions: of.sessions,
            refused: of.refused,
            waits: of.waits,
            bytes: of.bytes,
        };
        Overview {
            ready: refused_tier.is_none(),
            refused_tier,
            queue_depth: gauges.queue_depth,
            queue_watermark: marks.queue_depth,
            loop_delay_us: micros(gauges.loop_delay),
            loop_watermark_us: micros(marks.loop_delay),
            memory_bytes: gauges.memory_bytes,
            memory_watermark_bytes: marks.memory_bytes,
            connections: open as u64,
            reserved: reserved as u64,
            low: counts(figures.low),
            normal: counts(figures.normal),
            high: counts(figures.high),
            admitted: figures.door.admitted,
            retried: figures.door.retried,
            refused: figures.door.refused,
            ignored: figures.door.ignored,
            turned_away: figures.door.turned_away,
        }
    }

    fn peer(&self, peer: PeerId) -> Result<PeerView, StoreError> {
        let View { peer, standing, listing, components, score, ban, connected } = self.host.peers.view(peer);
        let changes = self.host.peers.changes(peer).into_iter();
        let evidence = pieces(&self.host.store, peer)?;
        Ok(PeerView {
            peer,
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

    /// Reads whom the configuration names again. If it can't be read everything stays as it was.
    pub(crate) fn reload(&self) -> Result<Named, Failed> {
        let named = (self.reload.0)()?;
        self.host.peers.name(named.clone());
        let (allowed, denied) = (named.allowed.len(), named.denied.len());
        tracing::info!(configured = named.configured.len(), allowed, denied, "lists of peers read again");
        Ok(named)
    }

    fn judge(&self, request: Request) -> Result<Response, Failed> {
        let (store, peers) = (&self.host.store, &self.host.peers);
        let not_own = |peer| if peers.is_own(peer) { Err(failed(Impossible::Own(peer))) } else { Ok(()) };
        let shown = |peer| Ok(Response::Peer(Box::new(self.peer(peer).map_err(failed)?)));
        match request {
            Request::Overview => Ok(Response::Overview(Box::new(self.overview()))),
            Request::List { after } => {
                let mut ids = peers.after(after, MAX_LISTED + 1);
                let more = ids.len() > MAX_LISTED;
                ids.truncate(MAX_LISTED);
                let peers = ids.into_iter().map(|peer| self.peer(peer)).collect::<Result<_, _>>().map_err(failed)?;
                Ok(Response::Peers { peers, more })
            }
            Request::Show { peer } => shown(peer),
            Request::Ban { peer, seconds } => {
                not_own(peer)?;
                match seconds {
                    None => say(store, peers, peer, Some(Listing::Denied)).map_err(failed)?,
                    Some(seconds) if seconds == 0 || seconds > LONGEST_BAN.as_secs() => {
                        return Err(failed(Impossible::Length(seconds)));
                    }
                    Some(seconds) => {
                        // Whoever was allowed isn't any more: the later word counts.
                        if peers.said(peer).is_some() {
                            say(store, peers, peer, None).map_err(failed)?;
                        }
                        peers.ban(peer, Duration::from_secs(seconds));
                        crate::peers::keep(store, &peers.take_unkept());
                    }
                }
                shown(peer)
            }
            Request::Unban { peer } => {
                if peers.said(peer) == Some(Listing::Denied) {
                    say(store, peers, peer, None).map_err(failed)?;
                }
                peers.unban(peer);
                crate::peers::keep(store, &peers.take_unkept());
                shown(peer)
            }
            Request::Allow { peer, withdraw } => {
                let word = (!withdraw).then_some(Listing::Allowed);
                if !withdraw || peers.said(peer) == Some(Listing::Allowed) {
                    say(store, peers, peer, word).map_err(failed)?;
                }
                shown(peer)
            }
            Request::Reload => {
                let named = self.reload()?;
                let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
                let (allowed, denied) = (count(named.allowed.len()), count(named.denied.len()));
                Ok(Response::Reloaded { configured: count(named.configured.len()), allowed, denied })
            }
            Request::Evidence { peer, number, from } => {
                let part = evidence::read(store, peer, number, from).map_err(failed)?;
                let part = part.ok_or_else(|| failed(Impossible::NoEvidence { peer, number }))?;
                Ok(Response::Evidence { bytes: part.whole, part: part.bytes })
            }
        }
    }
}

fn changed(told: &Told) -> Changed {
    Changed::new(told.at, told.change.from, told.change.to, &told.change.reason.to_string())
}

impl Handler<Reputation> for Node {
    fn allows(&self, peer: PeerId, _: &Request) -> bool {
        self.may_control(peer)
    }

    async fn handle(&self, _: PeerId, request: Request) -> Response {
        match self.judge(request) {
            Ok(response) => response,
            Err(error) => Response::failed(&*error),
        }
    }
}
