//! The kinds of values that settings take.

use shardwire_model::PeerId;
use shardwire_protocols::control::Role;
use std::{fmt, net::SocketAddr, str::FromStr};

/// A text that is not such a value; the setting says what it expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not such a value")]
pub struct ParseValueError;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

impl FromStr for LogFormat {
    type Err = ParseValueError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(ParseValueError),
        }
    }
}

/// The role of this name.
pub(super) fn role(text: &str) -> Option<Role> {
    [Role::Settler, Role::Operator, Role::Prover].into_iter().find(|role| role.to_string() == text)
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
