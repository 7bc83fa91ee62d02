//! Which hosts flood: those whose datagrams the guard has refused many times in a short time are listed in the [filter](super::filter) for a second. Then they are
//! heard again, and listed again if they go on.

use super::filter::{CallerFilter, MAX_HOSTS};
use std::{net::IpAddr, time::Duration};
use tokio::time::Instant;

/// How many refusals within [`WINDOW`] are a flood: 320 a second.
const FLOOD: u32 = 32;
const WINDOW: Duration = Duration::from_millis(100);
/// For how long a host is listed.
const LISTED: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Host {
    address: IpAddr,
    /// When it was refused first, and how often since.
    since: Instant,
    refused: u32,
    listed: bool,
}

/// Hosts that were refused lately, at most [`MAX_HOSTS`].
#[derive(Debug, Default)]
pub(super) struct Floods(Vec<Host>);

impl Floods {
    /// The guard has refused a datagram of this host. Whether the list has changed.
    pub(super) fn refused(&mut self, address: IpAddr, now: Instant) -> bool {
        let address = address.to_canonical();
        let Some(host) = self.0.iter_mut().find(|host| host.address == address) else {
            self.0.retain(|host| host.listed || now.duration_since(host.since) <= WINDOW);
            if self.0.len() < MAX_HOSTS {
                self.0.push(Host { address, since: now, refused: 1, listed: false });
            }
            return false;
        };
        if host.listed {
            return false; // it was on its way
        }
        if now.duration_since(host.since) > WINDOW {
            (host.since, host.refused) = (now, 0);
        }
        host.refused += 1;
        if host.refused < FLOOD {
            return false;
        }
        (host.since, host.listed) = (now, true);
        true
    }

    /// Hears hosts again whose time is over. Whether the list has changed.
    pub(super) fn forget(&mut self, now: Instant) -> bool {
        let before = self.0.len();
        self.0.retain(|host| !host.listed || now.duration_since(host.since) < LISTED);
        self.0.len() < before
    }

    /// When a host is heard again, if one is listed.
    pub(super) fn until(&self) -> Option<Instant> {
        self.0.iter().filter(|host| host.listed).map(|host| host.since + LISTED).min()
    }

    /// Tells the filter whom it is to drop.
    pub(super) fn tell(&mut self, filter: &CallerFilter) {
        let listed: Vec<_> = self.0.iter().filter(|host| host.listed).map(|host| host.address).collect();
        if !filter.drop_callers(&listed) {
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    #[test]
    fn a_host_is_listed_while_it_floods_and_a_slow_one_never() {
        let (mut floods, now) = (Floods::default(), Instant::now());
        let mapped = "::ffff:127.0.0.1".parse().unwrap();
        let listed: Vec<u32> = (1..=FLOOD + 3).filter(|_| floods.refused(mapped, now)).collect();
        assert_eq!(listed, [FLOOD], "once, and it is the same host whatever socket it comes through");
        assert_eq!(floods.until(), Some(now + LISTED));
        for n in 0..1000 {
            assert!(!floods.refused(host(2), now + n * WINDOW / (FLOOD - 2)), "320 a second are none");
        }
        assert!(!floods.forget(now + LISTED / 2) && floods.forget(now + LISTED) && floods.until().is_none());
        assert!((1..=FLOOD).any(|_| floods.refused(host(1), now + LISTED)), "it goes on");
    }

    #[test]
    fn the_list_is_bounded_and_what_is_old_makes_room() {
        let (mut floods, now) = (Floods::default(), Instant::now());
        for last in 0..=255 {
            floods.refused(host(last), now);
        }
        assert_eq!(floods.0.len(), MAX_HOSTS);
        let later = now + 2 * WINDOW;
        assert!((1..=FLOOD).any(|_| floods.refused(host(200), later)) && floods.until().is_some());
    }
}
