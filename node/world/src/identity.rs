//! Which World it is: what every node of it has in its data folder as `world.json`, and compares with each peer in the handshake.
//!
//! `{"network":"local","genesis":"<64 hexadecimal digits>","settlers":["<id>"],"programs":["0x…"]}`: the network's name, the hash of what the World
//! began with ([`Genesis::hash`](crate::Genesis::hash)), the keys of the settlers that may say what is settled, and the hashes of the programs whose
//! shards may settle. Lists are sets: their order says nothing. The [hash](WorldIdentity::hash) is of all of it, so nodes that agree on the hash agree on who counts.
//!
//! Refused: unknown fields, a network's name of no or more than [`MAX_NETWORK_BYTES`] bytes, no settler or program, more than [`MAX_SETTLERS`] or
//! [`MAX_PROGRAMS`] of them, one that is listed twice.

use serde::{Deserialize, Serialize};
use shardwire_model::{Coded, Felt, Hash, PeerId, felt};
use std::collections::BTreeSet;

/// Longest name of a network, in bytes; the handshake's bound.
pub const MAX_NETWORK_BYTES: usize = 64;
/// Most settlers of a World: what a quorum of signatures may take in one message later.
pub const MAX_SETTLERS: usize = 256;
/// Most programs that may settle in a World.
pub const MAX_PROGRAMS: usize = 64;
/// Most bytes of an identity's text: its lists at their longest, with blanks.
pub const MAX_IDENTITY_BYTES: usize = 64 << 10;

/// Which World it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct WorldIdentity {
    network: String,
    genesis: Hash,
    settlers: BTreeSet<PeerId>,
    programs: BTreeSet<Felt>,
    hash: Hash,
}

/// A felt in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Program(#[serde(with = "felt::wire")] Felt);

/// A `world.json`, as it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    network: String,
    genesis: Hash,
    settlers: Vec<PeerId>,
    programs: Vec<Program>,
}

/// Why something is no identity of a World.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// It is not the JSON that it should be.
    #[error("the World's identity can't be read: {0}")]
    Syntax(String),
    /// A name that no network has.
    #[error("a network's name has 1 to {MAX_NETWORK_BYTES} bytes, not {got}")]
    NetworkName {
        /// The length of the name, in bytes.
        got: usize,
    },
    /// A list that is empty or too long.
    #[error("a World has 1 to {max} {what}, not {got}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many there may be.
        max: usize,
    },
    /// A settler or a program that is listed twice.
    #[error("the World's identity lists one of its {what} twice")]
    Twice {
        /// In which list.
        what: &'static str,
    },
    /// It began with something else.
    #[error("World {world} began with genesis {expected}, not with {got}")]
    Genesis {
        /// The identity's hash.
        world: Hash,
        /// The hash of its genesis.
        expected: Hash,
        /// The hash of the other one.
        got: Hash,
    },
}

impl Coded for IdentityError {
    fn code(&self) -> &'static str {
        match self {
            Self::NetworkName { .. } => "SW-LEDGER-007",
            Self::Syntax(_) => "SW-WORLD-010",
            Self::Count { .. } => "SW-WORLD-011",
            Self::Twice { .. } => "SW-WORLD-012",
            Self::Genesis { .. } => "SW-WORLD-013",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::NetworkName { .. } => "Correct the network's name in the configuration.".into(),
            Self::Syntax(_) => "Copy world.json from the settler's data folder again.".into(),
            Self::Count { .. } | Self::Twice { .. } => "Correct the list.".into(),
            Self::Genesis { .. } => "Give the genesis that the World's settler was initialised with.".into(),
        }
    }
}

impl WorldIdentity {
    /// The World of this network that began with a genesis of this hash.
    ///
    /// # Errors
    /// [`IdentityError::NetworkName`] or [`IdentityError::Count`] if the name or a list isn't within its bounds, [`IdentityError::Twice`] if a list repeats itself.
    pub fn new(
        network: &str,
        genesis: Hash,
        settlers: impl IntoIterator<Item = PeerId>,
        programs: impl IntoIterator<Item = Felt>,
    ) -> Result<Self, IdentityError> {
        let got = network.len();
        if got == 0 || got > MAX_NETWORK_BYTES {
            return Err(IdentityError::NetworkName { got });
        }
        let settlers = set("settlers", MAX_SETTLERS, settlers)?;
        let programs = set("programs", MAX_PROGRAMS, programs)?;
        let hash = Hash::of_parts(
            "shardwire world",
            &[
                network.as_bytes(),
                &genesis.0,
                &settlers.iter().flat_map(|settler| settler.0).collect::<Vec<u8>>(),
                &programs.iter().flat_map(Felt::to_bytes_be).collect::<Vec<u8>>(),
            ],
        );
        Ok(Self { network: network.to_owned(), genesis, settlers, programs, hash })
    }

    /// Reads a `world.json`.
    ///
    /// # Errors
    /// [`IdentityError::Syntax`] if it is too long or not the JSON that it should be, and as [`new`](Self::new).
    pub fn from_json(text: &str) -> Result<Self, IdentityError> {
        if text.len() > MAX_IDENTITY_BYTES {
            return Err(IdentityError::Syntax(format!("it has more than {MAX_IDENTITY_BYTES} bytes")));
        }
        let text: Text = serde_json::from_str(text).map_err(|error| IdentityError::Syntax(error.to_string()))?;
        Self::try_from(text)
    }

    /// What a `world.json` says.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings and lists of strings: they always encode.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The hash of all of it.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The network's name. It is part of every shard's id.
    #[must_use]
    pub fn network(&self) -> &str {
        &self.network
    }

    /// The hash of what the World began with.
    #[must_use]
    pub fn genesis(&self) -> Hash {
        self.genesis
    }

    /// The peers that may say what is settled.
    #[must_use]
    pub fn settlers(&self) -> &BTreeSet<PeerId> {
        &self.settlers
    }

    /// The hashes of the programs whose shards may settle.
    #[must_use]
    pub fn programs(&self) -> &BTreeSet<Felt> {
        &self.programs
    }

    /// Whether this peer may say what is settled. Nobody else's receipt, dispute, skip or assignment counts.
    #[must_use]
    pub fn is_settler(&self, peer: PeerId) -> bool {
        self.settlers.contains(&peer)
    }
}

fn set<T: Ord>(
    what: &'static str,
    max: usize,
    items: impl IntoIterator<Item = T>,
) -> Result<BTreeSet<T>, IdentityError> {
    let mut set = BTreeSet::new();
    for item in items {
        if !set.insert(item) {
            return Err(IdentityError::Twice { what });
        }
    }
    if set.is_empty() || set.len() > max {
        return Err(IdentityError::Count { what, got: set.len(), max });
    }
    Ok(set)
}

impl TryFrom<Text> for WorldIdentity {
    type Error = IdentityError;

    fn try_from(text: Text) -> Result<Self, IdentityError> {
        Self::new(&text.network, text.genesis, text.settlers, text.programs.into_iter().map(|it| it.0))
    }
}

impl From<WorldIdentity> for Text {
    fn from(it: WorldIdentity) -> Self {
        let (settlers, programs) = (it.settlers.into_iter().collect(), it.programs.into_iter().map(Program).collect());
        Self { network: it.network, genesis: it.genesis, settlers, programs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> WorldIdentity {
        let settlers = [PeerId([2; 32]), PeerId([1; 32])];
        WorldIdentity::new("test", Hash([3; 32]), settlers, [Felt::TWO, Felt::ONE]).unwrap()
    }

    #[test]
    fn what_was_written_is_read_and_order_says_nothing() {
        let one = identity();
        assert_eq!(WorldIdentity::from_json(&one.to_json()).unwrap(), one);
        let settlers = [PeerId([1; 32]), PeerId([2; 32])];
        let other = WorldIdentity::new("test", Hash([3; 32]), settlers, [Felt::ONE, Felt::TWO]).unwrap();
        assert_eq!((other.hash(), other.to_json()), (one.hash(), one.to_json()));
        // Golden: nodes compare it.
        assert_eq!(one.hash().to_string(), "f76284e7f109e50776fff436fe6e60239e57acf75b66e1cfef75bc83ecbd9273");
    }

    #[test]
    fn each_part_is_in_the_hash() {
        let (one, a, b) = (identity(), PeerId([1; 32]), PeerId([2; 32]));
        let others = [
            WorldIdentity::new("tesu", Hash([3; 32]), [a, b], [Felt::ONE, Felt::TWO]),
            WorldIdentity::new("test", Hash([4; 32]), [a, b], [Felt::ONE, Felt::TWO]),
            WorldIdentity::new("test", Hash([3; 32]), [a], [Felt::ONE, Felt::TWO]),
            WorldIdentity::new("test", Hash([3; 32]), [a, b], [Felt::ONE]),
        ];
        let mut hashes: BTreeSet<Hash> = others.into_iter().map(|other| other.unwrap().hash()).collect();
        hashes.insert(one.hash());
        assert_eq!(hashes.len(), 5);
        assert!(one.is_settler(a) && !one.is_settler(PeerId([3; 32])));
    }

    #[test]
    fn what_is_no_world_is_refused() {
        let new = |network: &str, settlers: Vec<PeerId>, programs: Vec<Felt>| {
            WorldIdentity::new(network, Hash([3; 32]), settlers, programs).unwrap_err()
        };
        let settler = PeerId([1; 32]);
        assert_eq!(new("", vec![settler], vec![Felt::ONE]).code(), "SW-LEDGER-007");
        let none = new("test", vec![], vec![Felt::ONE]);
        assert_eq!((none.code(), none.to_string().as_str()), ("SW-WORLD-011", "a World has 1 to 256 settlers, not 0"));
        assert_eq!(new("test", vec![settler], vec![]).code(), "SW-WORLD-011");
        assert_eq!(new("test", vec![settler; 2], vec![Felt::ONE]).code(), "SW-WORLD-012");
        assert_eq!(new("test", vec![settler], (0..=64u32).map(Felt::from).collect()).code(), "SW-WORLD-011");
        for text in ["", "{}", &identity().to_json().replace("network", "netwerk"), &" ".repeat(MAX_IDENTITY_BYTES + 1)]
        {
            let error = WorldIdentity::from_json(text).unwrap_err();
            assert_eq!(error.code(), "SW-WORLD-010", "{text}");
            assert!(error.next_step().contains("world.json"));
        }
    }
}
