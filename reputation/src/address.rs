//! Ranges of addresses. An identity costs nothing, an address something, a whole range more: what a peer could
//! multiply by making identities is limited by its address range.

use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The addresses that share their first `bits` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AddressRange {
    first: IpAddr,
    bits: u8,
}

impl AddressRange {
    /// The range of one subscriber: one IPv4 address, a /64 of IPv6.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        Self::around(address, 32, 64)
    }

    /// The range of one network: a /24 of IPv4, a /48 of IPv6.
    #[must_use]
    pub fn network(address: IpAddr) -> Self {
        Self::around(address, 24, 48)
    }

    fn around(address: IpAddr, v4: u8, v6: u8) -> Self {
        // An IPv4-mapped IPv6 address is an IPv4 address.
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(v4)).unwrap_or(0);
                Self { first: Ipv4Addr::from(u32::from(address) & mask).into(), bits: v4 }
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(v6)).unwrap_or(0);
                Self { first: Ipv6Addr::from(u128::from(address) & mask).into(), bits: v6 }
            }
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_where_subscribers_and_networks_end() {
        let ranges = |text: &str| {
            let address = text.parse().unwrap();
            [AddressRange::host(address).to_string(), AddressRange::network(address).to_string()]
        };
        assert_eq!(ranges("203.0.113.77"), ["203.0.113.77/32", "203.0.113.0/24"]);
        assert_eq!(ranges("2001:db8:1:2:3:4:5:6"), ["2001:db8:1:2::/64", "2001:db8:1::/48"]);
        assert_eq!(ranges("::ffff:203.0.113.77"), ranges("203.0.113.77"));
    }
}
