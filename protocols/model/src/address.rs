//! Where a node is dialled: an IP address or the name of a host, and a port.
//!
//! It is never an address to listen at: `0.0.0.0` and `[::]` stand for every address of a machine and are none, and port 0 stands for one that isn't chosen
//! yet. An address of many machines (multicast, broadcast) is no node's. An IPv4 address that is written as IPv6 (`[::ffff:127.0.0.1]`) is the IPv4 address. Names are those of hosts: labels of letters, digits and hyphens. What a name stands for is asked when it is dialled, each time.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// Longest name of a host, in bytes: what DNS takes.
pub const MAX_HOST_BYTES: usize = 253;
/// Longest label of such a name, in bytes.
const MAX_LABEL_BYTES: usize = 63;

/// Where a node is dialled, written `IP:PORT` or `NAME:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// At this address.
    Ip(SocketAddr),
    /// At what the name stands for when it is dialled.
    Name {
        /// The host's name, in lower case.
        host: String,
        /// The port, which isn't 0.
        port: u16,
    },
}

/// A text that is no place to dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseAddressError {
    /// Neither form.
    #[error("expected IP:PORT or NAME:PORT")]
    Form,
    /// An address that stands for all of a machine.
    #[error("0.0.0.0 and [::] are for listening: nobody can dial them")]
    Wildcard,
    /// An address of many machines.
    #[error("a multicast or broadcast address is no node's")]
    Many,
    /// Port 0.
    #[error("port 0 is for listening: nobody can dial it")]
    Port,
}

/// The IP address and port that a text says; an IPv4 address that is written as IPv6 is the IPv4 address.
#[must_use]
pub fn socket_address(text: &str) -> Option<SocketAddr> {
    let address = text.parse::<SocketAddr>().ok()?;
    match address.ip().to_canonical() {
        ip if ip == address.ip() => Some(address),
        ip => Some(SocketAddr::new(ip, address.port())),
    }
}

/// Whether it is an address of many machines, at which no node is: multicast or broadcast.
#[must_use]
pub fn is_of_many(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_multicast(),
    }
}

impl Address {
    /// The address, if it isn't a name.
    #[must_use]
    pub const fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Name { .. } => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl FromStr for Address {
    type Err = ParseAddressError;
    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        if let Some(address) = socket_address(text) {
            return match address {
                _ if address.ip().is_unspecified() => Err(ParseAddressError::Wildcard),
                _ if is_of_many(address.ip()) => Err(ParseAddressError::Many),
                _ if address.port() == 0 => Err(ParseAddressError::Port),
                _ => Ok(Self::Ip(address)),
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or(ParseAddressError::Form)?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port: u16 =
            Some(port).filter(|_| digits).and_then(|port| port.parse().ok()).ok_or(ParseAddressError::Form)?;
        if !is_host(host) {
            return Err(ParseAddressError::Form);
        }
        if port == 0 { Err(ParseAddressError::Port) } else { Ok(Self::Name { host: host.to_ascii_lowercase(), port }) }
    }
}

/// Whether it is the name of a host. An underscore is none of DNS' letters, but container networks have names with it.
fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        (1..=MAX_LABEL_BYTES).contains(&label.len()) && letters && !label.starts_with('-') && !label.ends_with('-')
    };
    // A name whose last label is a number would be an IP address with a slip in it.
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= MAX_HOST_BYTES && name.split('.').all(label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_to_dial_is_an_ip_address_or_a_name_with_a_port_and_never_a_wildcard() {
        for text in
            ["127.0.0.1:7000", "[::1]:7000", "settler:7001", "node-1.example.org:65535", "my_service:1", "1.example:7"]
        {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(serde_json::to_string(&address).unwrap(), format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Address>(&format!("\"{text}\"")).unwrap(), address);
        }
        assert_eq!("Settler:7".parse::<Address>().unwrap().to_string(), "settler:7");
        assert_eq!("settler:7".parse::<Address>().unwrap().ip(), None);
        for text in ["0.0.0.0:7000", "[::]:7000", "[::ffff:0.0.0.0]:7000"] {
            assert_eq!(text.parse::<Address>(), Err(ParseAddressError::Wildcard), "{text}");
        }
        for text in ["224.0.0.1:7000", "255.255.255.255:7000", "[ff02::1]:7000", "[::ffff:224.0.0.1]:7000"] {
            assert_eq!(text.parse::<Address>(), Err(ParseAddressError::Many), "{text}");
        }
        assert_eq!("[::ffff:127.0.0.1]:7000".parse::<Address>().unwrap().to_string(), "127.0.0.1:7000");
        for text in ["127.0.0.1:0", "settler:0"] {
            assert_eq!(text.parse::<Address>(), Err(ParseAddressError::Port), "{text}");
        }
        let long = format!("{}:1", "a".repeat(64));
        let longer = format!("{}a:1", "abc.".repeat(64));
        for text in [
            "",
            "settler",
            "settler:",
            ":7",
            "settler:+7",
            "settler:70000",
            "a..b:1",
            "-a:1",
            "a-:1",
            "1.2.3.256:7",
            "ä:1",
            "a b:1",
            "::1:7",
            &long,
            &longer,
        ] {
            assert_eq!(text.parse::<Address>(), Err(ParseAddressError::Form), "{text}");
        }
    }
}
