//! The kinds of values that settings take.

use shardwire_model::{Address, Felt, PeerId, Role, felt};
use shardwire_protocols::catalogue;
use shardwire_reputation::{Quotas, Tier};
use std::{fmt, net::IpAddr, str::FromStr};

/// A text that is not such a value; the setting says what it expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not such a value")]
pub struct ParseValueError;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for a person.
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

/// One number of the quotas, written `low/trace/kib_per_s=4096`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OneQuota {
    tier: Tier,
    /// None for the protocols that aren't named.
    protocol: Option<String>,
    field: Field,
    value: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Frames,
    Kib,
    SessionsASecond,
    Sessions,
    Leases,
}

impl FromStr for OneQuota {
    type Err = ParseValueError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, value) = text.split_once('=').ok_or(ParseValueError)?;
        let [tier, protocol, field] = path.split('/').collect::<Vec<_>>()[..] else { return Err(ParseValueError) };
        let tier = Tier::ALL.into_iter().find(|it| it.to_string() == tier).ok_or(ParseValueError)?;
        let protocol = match protocol {
            "others" => None,
            name if catalogue::all().iter().any(|entry| entry.name == name) => Some(name.to_owned()),
            _ => return Err(ParseValueError),
        };
        let field = match field {
            "frames_per_s" => Field::Frames,
            "kib_per_s" => Field::Kib,
            "sessions_per_s" => Field::SessionsASecond,
            "sessions" => Field::Sessions,
            "leases" => Field::Leases,
            _ => return Err(ParseValueError),
        };
        Ok(Self { tier, protocol, field, value: value.parse().map_err(|_| ParseValueError)? })
    }
}

impl OneQuota {
    /// Sets the number. A protocol that was one of the others until now begins with their quota.
    pub(super) fn apply(self, quotas: &mut Quotas) {
        let tier = match self.tier {
            Tier::Low => &mut quotas.low,
            Tier::Normal => &mut quotas.normal,
            Tier::High => &mut quotas.high,
        };
        let others = tier.others;
        let quota = match self.protocol {
            None => &mut tier.others,
            Some(name) => tier.protocols.entry(name).or_insert(others),
        };
        *match self.field {
            Field::Frames => &mut quota.frames_per_s,
            Field::Kib => &mut quota.kib_per_s,
            Field::SessionsASecond => &mut quota.sessions_per_s,
            Field::Sessions => &mut quota.sessions,
            Field::Leases => &mut quota.leases,
        } = self.value;
    }
}

/// A node to work with, written `ID@IP:PORT` or `ID@NAME:PORT`, or `ID` alone for one that dials this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its id: nobody else is believed to be it.
    pub id: PeerId,
    /// Where this node dials it; nowhere if it dials us.
    pub addr: Option<Address>,
}

impl Peer {
    /// The IP address that it is dialled at, if it is one and no name.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.addr.as_ref()?.ip().map(|address| address.ip())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.addr {
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

/// Longest address of a Starknet node, in bytes.
pub const MAX_URL_BYTES: usize = 512;

/// A Starknet node that knows a network, written `CHAIN=URL`: the chain id as text or as a number, `0x…`.
#[derive(Clone, PartialEq, Eq)]
pub struct ForkNode {
    /// The network's chain id.
    pub chain: Felt,
    /// Where the node answers. Often a secret: a key of its owner is in it.
    pub url: String,
}

impl fmt::Debug for ForkNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForkNode").field("chain", &self.chain).finish_non_exhaustive()
    }
}

impl ForkNode {
    /// The chain id as people write it: as text, if it is one.
    #[must_use]
    pub fn chain_name(&self) -> String {
        let bytes = self.chain.to_bytes_be();
        let text: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
        match String::from_utf8(text) {
            Ok(text) if chain(&text) == Some(self.chain) => text,
            _ => format!("{:#x}", self.chain),
        }
    }
}

/// A chain id: a number, or a text as Cairo has it.
fn chain(text: &str) -> Option<Felt> {
    let is_name = (1..=31).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
    match text.starts_with("0x") {
        true => felt::parse(text).ok(),
        false => is_name.then(|| felt::short(text)),
    }
}

impl FromStr for ForkNode {
    type Err = ParseValueError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, url) = text.split_once('=').ok_or(ParseValueError)?;
        let chain = chain(name).filter(|it| *it != Felt::ZERO).ok_or(ParseValueError)?;
        // What the client makes of it is looked at when the node starts.
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).ok_or(ParseValueError)?;
        let is_plain = url.len() <= MAX_URL_BYTES && url.bytes().all(|byte| byte.is_ascii_graphic());
        match is_plain && !host.is_empty() && !host.starts_with(['/', '?', '#']) {
            true => Ok(Self { chain, url: url.to_owned() }),
            false => Err(ParseValueError),
        }
    }
}
