//! Shards, peers and programs as people name them: shards and peers by the whole id, or by its beginning, as logs and lists print it; programs by name or hash.
//!
//! A beginning is looked up at the node that is asked, among all that it lists: its [newest shards](shardwire_protocols::administration::MAX_SHARDS_LISTED), the peers that it knows or is connected to.
//! It has to be that of one alone. A whole id is never looked up.

use super::{failure::Failure, node::ask};
use crate::programs;
use shardwire_model::{Felt, PeerId, ShardId};
use shardwire_program::UnknownProgram;
use shardwire_protocols::administration::{AdministrationError, Client};
use shardwire_reputation::MAX_RECORDS;
use std::{collections::BTreeSet, fmt, path::PathBuf, str::FromStr};

/// Fewest digits of a beginning: with fewer it is a slip.
const MIN_DIGITS: usize = 4;
/// From how many digits on a shard's id is taken to be whole: of 2^40 shards fewer than one has so many zeros before them.
const WHOLE_DIGITS: usize = 50;
/// Most ids that are named where several begin alike.
const MAX_NAMED: usize = 4;

/// A shard, by its id or the beginning of it.
#[derive(Clone, Debug)]
pub(super) struct ShardName {
    text: String,
    /// What the text says if it is a whole id.
    id: ShardId,
}

impl FromStr for ShardName {
    type Err = <ShardId as FromStr>::Err;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self { text: text.to_ascii_lowercase(), id: text.parse()? })
    }
}

impl fmt::Display for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl ShardName {
    /// Whether this shard is meant.
    pub(super) fn is(&self, shard: ShardId) -> bool {
        self.id == shard || (!self.is_whole() && shard.to_string().starts_with(&self.text))
    }

    fn is_whole(&self) -> bool {
        !(MIN_DIGITS..WHOLE_DIGITS).contains(&self.text.trim_start_matches("0x").len())
    }

    /// The shard, as the running node knows it. One that the node doesn't list is what the text says: the node says more about it.
    pub(super) async fn find(&self, root: Option<&PathBuf>) -> Result<ShardId, Failure> {
        if self.is_whole() {
            return Ok(self.id);
        }
        let listed = ask(root.cloned(), async |client| client.shards(None).await).await?;
        self.among(listed.iter().map(|it| it.shard))
    }

    /// The shard among these.
    pub(super) fn among(&self, known: impl IntoIterator<Item = ShardId>) -> Result<ShardId, Failure> {
        let alike: BTreeSet<ShardId> = known.into_iter().filter(|shard| self.is(*shard)).collect();
        if alike.contains(&self.id) {
            return Ok(self.id);
        }
        Ok(one_alone("shard", &self.text, &alike)?.unwrap_or(self.id))
    }
}

/// A peer, by its id or the beginning of it.
#[derive(Clone, Debug)]
pub(super) struct PeerName {
    text: String,
    id: Option<PeerId>,
}

/// A text that is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a peer's id, 64 hexadecimal digits, or the first {MIN_DIGITS} or more of a peer that the node knows")]
pub(super) struct ParsePeerNameError;

impl FromStr for PeerName {
    type Err = ParsePeerNameError;
    fn from_str(text: &str) -> Result<Self, ParsePeerNameError> {
        let id = text.parse().ok();
        let beginning = (MIN_DIGITS..64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if id.is_none() && !beginning {
            return Err(ParsePeerNameError);
        }
        Ok(Self { text: text.to_ascii_lowercase(), id })
    }
}

impl PeerName {
    /// The peer, as the running node knows it.
    pub(super) async fn find(&self, root: Option<&PathBuf>) -> Result<PeerId, Failure> {
        match self.id {
            Some(id) => Ok(id),
            None => self.among(ask(root.cloned(), known_peers).await?),
        }
    }

    fn among(&self, known: impl IntoIterator<Item = PeerId>) -> Result<PeerId, Failure> {
        let alike = known.into_iter().filter(|peer| peer.to_string().starts_with(&self.text)).collect();
        one_alone("peer", &self.text, &alike)?.ok_or_else(|| {
            Failure::new(
                "SW-CLI-011",
                format!("this node knows no peer whose id begins with {}", self.text),
                "Give the whole id, 64 hexadecimal digits; `shardwire peer list --json` has those that the node knows.",
            )
        })
    }
}

/// A program of this release, by its name or its hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProgramName {
    pub(super) hash: Felt,
}

impl FromStr for ProgramName {
    type Err = UnknownProgram;
    fn from_str(text: &str) -> Result<Self, UnknownProgram> {
        Ok(Self { hash: programs::all().find(text)?.hash() })
    }
}

/// All peers that the node knows or is connected to, itself among them.
async fn known_peers(client: &mut Client) -> Result<BTreeSet<PeerId>, AdministrationError> {
    let mut known: BTreeSet<PeerId> = client.links().await?.into_iter().map(|it| it.peer).collect();
    known.insert(client.status().await?.peer);
    let mut last = None;
    // A node remembers no more than that.
    while known.len() <= 2 * MAX_RECORDS {
        let (page, more) = client.peers_page(last).await?;
        last = page.last().map(|it| it.peer);
        known.extend(page.into_iter().map(|it| it.peer));
        if !more {
            break;
        }
    }
    Ok(known)
}

/// The only one of those that begin alike; none if there is none.
fn one_alone<T: Copy + Ord + fmt::Display>(what: &str, text: &str, alike: &BTreeSet<T>) -> Result<Option<T>, Failure> {
    if alike.len() > 1 {
        let named: Vec<String> = alike.iter().take(MAX_NAMED).map(ToString::to_string).collect();
        let rest = if alike.len() > MAX_NAMED { ", …" } else { "" };
        return Err(Failure::new(
            "SW-CLI-009",
            format!("{} {what}s begin with {text}: {}{rest}", alike.len(), named.join(", ")),
            format!("Give more of the {what}'s id."),
        ));
    }
    Ok(alike.first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardwire_model::Felt;

    fn shard(hex: &str) -> ShardId {
        ShardId(Felt::from_hex_unchecked(hex))
    }

    #[test]
    fn a_beginning_names_the_one_shard_that_begins_so() {
        let (one, two) =
            (shard(&format!("0x12345678{}", "a".repeat(52))), shard(&format!("0x12349999{}", "b".repeat(52))));
        let name = |text: &str| text.parse::<ShardName>().unwrap();
        let among = |text: &str| name(text).among([one, two, shard("0x1234")]);
        assert_eq!(among(&one.short()), Ok(one));
        assert_eq!(among(&one.to_string().to_uppercase().replace("0X", "0x")), Ok(one));
        assert_eq!(among("0x1234"), Ok(shard("0x1234")), "a whole one is itself");
        assert_eq!(among("0x777777"), Ok(shard("0x777777")), "the node says that it doesn't know it");
        assert_eq!(among("0x12"), Ok(shard("0x12")), "too short to be a beginning");
        let several = name("0x1234").among([one, two]).unwrap_err();
        assert_eq!(
            several.to_string(),
            format!(
                "error[SW-CLI-009]: 2 shards begin with 0x1234: {one}, {two}\n  next: Give more of the shard's id."
            )
        );
        assert!(name(&one.short()).is(one) && !name(&one.short()).is(two));
        assert!("12345".parse::<ShardName>().is_err());
    }

    #[test]
    fn a_beginning_names_the_one_peer_that_begins_so() {
        let (one, two) = (PeerId([0xab; 32]), PeerId([[0xab; 16], [0xcd; 16]].concat().try_into().unwrap()));
        let among = |text: &str| text.parse::<PeerName>().unwrap().among([one, two, PeerId([7; 32])]);
        assert_eq!(among(&PeerId([7; 32]).short()), Ok(PeerId([7; 32])));
        assert!(among("ABAB").unwrap_err().to_string().starts_with("error[SW-CLI-009]: 2 peers begin with abab: "));
        assert_eq!(
            among("1234").unwrap_err().to_string(),
            "error[SW-CLI-011]: this node knows no peer whose id begins with 1234\n  next: Give the whole id, 64 hexadecimal digits; \
             `shardwire peer list --json` has those that the node knows."
        );
        for text in ["", "abc", "xyzw", &"a".repeat(65)] {
            assert_eq!(
                text.parse::<PeerName>().unwrap_err().to_string(),
                "expected a peer's id, 64 hexadecimal digits, or the first 4 or more of a peer that the node knows"
            );
        }
    }
}
