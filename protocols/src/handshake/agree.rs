//! What two peers agree on: a pure function of what each says.

use super::{
    Handshake,
    messages::{Hello, RefusalReason, Spoken},
};
use crate::catalogue::{self, ProtocolId};
use shardwire_model::{Coded, Hash, PeerId};
use shardwire_transport::{Protocol, session::Header};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

/// From this difference of the wall clocks on, a node should warn: leases are compared by date.
pub const SKEW_NOTICED: Duration = Duration::from_secs(5);

/// What is announced of these protocols in a [`Hello`]: of each the newest version, and those before it without a gap.
#[must_use]
pub fn announce(protocols: impl IntoIterator<Item = ProtocolId>) -> Vec<Spoken> {
    let mut versions = BTreeMap::<&str, BTreeSet<u16>>::new();
    for protocol in protocols {
        versions.entry(protocol.name).or_default().insert(protocol.version);
    }
    let range = |(name, versions): (&str, BTreeSet<u16>)| {
        let max = versions.last().copied()?;
        let min = versions.iter().rev().zip(0..).take_while(|(version, below)| max - **version == *below).last()?;
        Some(Spoken { name: name.to_owned(), min: *min.0, max })
    };
    versions.into_iter().filter_map(range).collect()
}

/// Every protocol of this build. The handshake itself isn't among them: it comes before. A peer announces those that it serves or opens.
#[must_use]
pub fn spoken() -> Vec<Spoken> {
    let mut all = catalogue::all();
    all.retain(|entry| entry.name != Handshake::NAME);
    announce(all.iter().map(ProtocolId::from))
}

/// What a handshake comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The peer.
    pub peer: PeerId,
    /// Its program and version, for people.
    pub agent: String,
    /// Its roles, those that we don't know included.
    pub roles: BTreeSet<String>,
    /// What this side may open with the peer, and in which version: what the peer serves and this side opens.
    pub opens: BTreeMap<String, u16>,
    /// What the peer may open with this side, and in which version.
    pub serves: BTreeMap<String, u16>,
    /// What it can do beyond that.
    pub capabilities: BTreeSet<String>,
    /// How far its wall clock is ahead of ours in milliseconds, negative if behind; the message's way is included.
    pub skew_ms: i64,
}

impl Agreed {
    /// Whether this protocol type is the one to open: the peer serves its protocol, and its version is the highest common one. A
    /// build that speaks several versions has a type for each, of which this is true for one.
    #[must_use]
    pub fn may_open<P: Protocol>(&self) -> bool {
        self.opens.get(P::NAME) == Some(&P::VERSION)
    }

    /// Whether the peer may open a session with this header: a protocol that this side announced as served, in the version agreed on.
    #[must_use]
    pub fn allows(&self, header: &Header) -> bool {
        self.serves.get(header.protocol.as_str()) == Some(&header.version)
    }
}

/// One of the two peers of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that dialled.
    Dialling,
    /// The one that accepted.
    Accepting,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dialling => "the dialling peer",
            Self::Accepting => "the accepting peer",
        })
    }
}

/// Why two peers can't work together. Its words are the same on both sides, so they name the side that dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The two belong to different networks.
    #[error("the dialling peer belongs to network '{dialling}', the accepting peer to '{accepting}'")]
    Network {
        /// Of the peer that dialled.
        dialling: String,
        /// Of the peer that accepted.
        accepting: String,
    },
    /// Other Worlds of one network, or a peer with a role and without a World.
    #[error("the dialling peer belongs to World {}, the accepting peer to {}", named(dialling.as_ref()), named(accepting.as_ref()))]
    World {
        /// Of the peer that dialled.
        dialling: Option<Hash>,
        /// Of the peer that accepted.
        accepting: Option<Hash>,
    },
    /// No version that both speak of a protocol that one side opens and the other serves.
    #[error(
        "protocol {protocol}: the dialling peer speaks version {} to {}, the accepting peer {} to {}; {behind} must upgrade",
        dialling.0, dialling.1, accepting.0, accepting.1
    )]
    Version {
        /// The protocol.
        protocol: String,
        /// Oldest and newest version of the peer that dialled.
        dialling: (u16, u16),
        /// Of the peer that accepted.
        accepting: (u16, u16),
        /// Which side is too old.
        behind: Side,
    },
    /// A version range that ends before it begins, or a protocol that is named twice.
    #[error("{side} announces contradictory versions of protocol {protocol}")]
    Contradiction {
        /// The side whose range has no version.
        side: Side,
        /// The protocol.
        protocol: String,
    },
}

impl Mismatch {
    /// What it is for the peer that dialled.
    #[must_use]
    pub const fn reason(&self) -> RefusalReason {
        match self {
            Self::Network { .. } => RefusalReason::Network,
            Self::World { .. } => RefusalReason::World,
            Self::Version { .. } => RefusalReason::Version,
            Self::Contradiction { .. } => RefusalReason::Contradiction,
        }
    }
}

impl Coded for Mismatch {
    fn code(&self) -> &'static str {
        match self {
            Self::Network { .. } => "SW-HANDSHAKE-001",
            Self::Version { .. } => "SW-HANDSHAKE-002",
            Self::Contradiction { .. } => "SW-HANDSHAKE-003",
            Self::World { .. } => "SW-HANDSHAKE-005",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Network { .. } => "Correct `network` in the configuration of the peer that is wrong.".into(),
            Self::World { .. } => ANOTHER_WORLD.into(),
            Self::Version { behind, .. } => format!("Upgrade {behind}, then connect again."),
            Self::Contradiction { side, .. } => {
                format!("Report it to the people who run {side}; its program is at fault.")
            }
        }
    }
}

/// What to do about another World.
pub(super) const ANOTHER_WORLD: &str = "Copy the world.json of the network's settler into the data folder of the peer that is wrong, then start that one again.";

fn named(world: Option<&Hash>) -> String {
    world.map_or_else(|| "none".to_owned(), ToString::to_string)
}

/// Whether two peers may work together as far as their Worlds say: who has no role needs none.
fn fits(world: Option<Hash>, roles: &[String], other: Option<Hash>) -> bool {
    match (world, other) {
        (Some(world), Some(other)) => world == other,
        (None, Some(_)) => roles.is_empty(),
        (_, None) => true,
    }
}

/// What each side may open with the other, in which version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// What the peer that dialled may open.
    pub dialling: BTreeMap<String, u16>,
    /// What the peer that accepted may open.
    pub accepting: BTreeMap<String, u16>,
}

type Ranges<'a> = BTreeMap<&'a str, (u16, u16)>;

fn ranges(list: &[Spoken], side: Side) -> Result<Ranges<'_>, Mismatch> {
    let mut ranges = BTreeMap::new();
    for Spoken { name, min, max } in list {
        if min > max || ranges.insert(name.as_str(), (*min, *max)).is_some() {
            return Err(Mismatch::Contradiction { side, protocol: name.clone() });
        }
    }
    Ok(ranges)
}

/// The highest common version of each protocol that is in both.
fn common(dialling: &Ranges<'_>, accepting: &Ranges<'_>) -> Result<BTreeMap<String, u16>, Mismatch> {
    let both = dialling.iter().filter_map(|(name, range)| accepting.get(name).map(|other| (*name, *range, *other)));
    both.map(|(name, dialling, accepting)| {
        let common = dialling.1.min(accepting.1);
        if common >= dialling.0 && common >= accepting.0 {
            return Ok((name.to_owned(), common));
        }
        let behind = if dialling.1 < accepting.0 { Side::Dialling } else { Side::Accepting };
        Err(Mismatch::Version { protocol: name.to_owned(), dialling, accepting, behind })
    })
    .collect()
}

/// What each side may open, from what the dialling and the accepting peer say. Both compute the same.
///
/// # Errors
/// [`Mismatch::Network`] if they belong to different networks, [`Mismatch::World`] if to different Worlds, [`Mismatch::Contradiction`] if one side's list contradicts itself,
/// [`Mismatch::Version`] if one side opens what the other serves and they have no version in common.
pub fn agree(dialling: &Hello, accepting: &Hello) -> Result<Terms, Mismatch> {
    if dialling.network != accepting.network {
        return Err(Mismatch::Network { dialling: dialling.network.clone(), accepting: accepting.network.clone() });
    }
    let (there, here) = (dialling.world, accepting.world);
    if !fits(there, &dialling.roles, here) || !fits(here, &accepting.roles, there) {
        return Err(Mismatch::World { dialling: there, accepting: here });
    }
    let [there_serves, there_opens] = [&dialling.serves, &dialling.opens].map(|list| ranges(list, Side::Dialling));
    let [here_serves, here_opens] = [&accepting.serves, &accepting.opens].map(|list| ranges(list, Side::Accepting));
    let (there_serves, there_opens) = (there_serves?, there_opens?);
    let (here_serves, here_opens) = (here_serves?, here_opens?);
    Ok(Terms { dialling: common(&there_opens, &here_serves)?, accepting: common(&there_serves, &here_opens)? })
}

/// What follows from the peer's greeting for the side that is this one.
pub(super) fn agreed(peer: PeerId, side: Side, mine: &Hello, theirs: Hello, terms: Terms) -> Agreed {
    // Dates are below 2^63 milliseconds for honest peers; a wild one only makes a wild skew.
    #[allow(clippy::cast_possible_wrap)]
    let skew_ms = theirs.time.0.wrapping_sub(mine.time.0) as i64;
    let (opens, serves) = match side {
        Side::Dialling => (terms.dialling, terms.accepting),
        Side::Accepting => (terms.accepting, terms.dialling),
    };
    Agreed {
        peer,
        agent: theirs.agent,
        roles: theirs.roles.into_iter().collect(),
        opens,
        serves,
        capabilities: theirs.capabilities.into_iter().collect(),
        skew_ms,
    }
}
