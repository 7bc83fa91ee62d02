//! The kinds of values that settings take.

use shardwire_model::PeerId;
use std::{fmt, net::SocketAddr, str::FromStr};

/// A text that is not such a value; the setting says what it expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not such a value")]
pub struct ParseValueError;

macro_rules! word {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $text,)+
                })
            }
        }

        impl FromStr for $name {
            type Err = ParseValueError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(ParseValueError),
                }
            }
        }
    };
}

word! {
    /// What a node does.
    Role {
        /// Starts shards in the World, verifies proofs and settles them.
        Settler = "settler",
        /// Executes shards and streams their witnesses.
        Operator = "operator",
        /// Proves what operators executed.
        Prover = "prover",
    }
}

word! {
    /// How packets are sized.
    Profile {
        /// Packets that every path on the internet carries (MTU up to 1452).
        Internet = "internet",
        /// Larger packets, for loopback and networks with jumbo frames (MTU up to 6500).
        Datacentre = "datacentre",
    }
}

word! {
    /// How log lines look.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

/// A node to work with, written `ID@IP:PORT`, or `ID` alone for one that dials this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its id: nobody else is believed to be it.
    pub id: PeerId,
    /// Where this node dials it; nowhere if it dials us.
    pub addr: Option<SocketAddr>,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addr {
            Some(addr) => write!(f, "{}@{addr}", self.id),
            None => write!(f, "{}", self.id),
        }
    }
}

impl FromStr for Peer {
    type Err = ParseValueError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, addr) = match text.split_once('@') {
            Some((id, addr)) => (id, Some(addr.parse().map_err(|_| ParseValueError)?)),
            None => (text, None),
        };
        Ok(Self { id: id.parse().map_err(|_| ParseValueError)?, addr })
    }
}
