//! A filter in the system's kernel: what a flood's hosts send to begin connections is dropped before this process is woken for it.
//!
//! Reading a datagram that is dropped afterwards costs a system call and, where others compute, a change of tasks: some 10 µs, which a host can ask for thousands of
//! times a second. Linux runs a program of its classic packet filter (BSD's, RFC-less; the kernel's `Documentation/networking/filter.rst`) on each datagram of a socket
//! where it arrives. This one drops datagrams that [begin a connection](super::guarded) and come from a listed host, and passes all others, those of listed hosts' connections too. It
//! needs no privilege. Other systems have none: there the guard's price stays.

#![allow(clippy::disallowed_types, reason = "this is the system's network")]

use std::net::IpAddr;

/// Most hosts that are listed; further ones are left to the guard. Each takes two or five of the program's instructions, and a jump reaches 255.
pub(super) const MAX_HOSTS: usize = 32;

/// The filter of a socket.
#[derive(Debug)]
pub struct CallerFilter {
    #[cfg(target_os = "linux")]
    socket: std::net::UdpSocket,
}

#[cfg(target_os = "linux")]
impl CallerFilter {
    /// Of this socket; none if the system has no handle left for it.
    pub(super) fn of(socket: &std::net::UdpSocket) -> Option<Self> {
        socket.try_clone().ok().map(|socket| Self { socket })
    }

    /// From now on these hosts begin no connection, and all others do. Whether the system took it.
    pub(super) fn drop_callers(&self, hosts: &[IpAddr]) -> bool {
        let socket = socket2::SockRef::from(&self.socket);
        let set = if hosts.is_empty() { socket.detach_filter() } else { socket.attach_filter(&program::of(hosts)) };
        set.is_ok()
    }
}

#[cfg(not(target_os = "linux"))]
impl CallerFilter {
    pub(super) fn of(_: &std::net::UdpSocket) -> Option<Self> {
        None
    }

    pub(super) fn drop_callers(&self, _: &[IpAddr]) -> bool {
        false
    }
}

/// The filter's program. Offsets count from the UDP header, 8 bytes long, or from [`NETWORK`](program::NETWORK) in that of IP.
#[cfg(target_os = "linux")]
mod program {
    use super::MAX_HOSTS;
    use socket2::SockFilter;
    use std::net::IpAddr;

    const LOAD_BYTE: u16 = 0x30;
    const LOAD_WORD: u16 = 0x20;
    const AND: u16 = 0x54;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const JUMP_IF_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;
    /// Where the kernel's header of IP begins (`SKF_NET_OFF`).
    const NETWORK: u32 = 0xfff0_0000;
    const FIRST_BYTE: u32 = 8;
    const VERSION: u32 = 9;
    const PASS: SockFilter = SockFilter::new(RETURN, 0, 0, u32::MAX);
    const DROP: SockFilter = SockFilter::new(RETURN, 0, 0, 0);

    const fn load(size: u16, at: u32) -> SockFilter {
        SockFilter::new(size, 0, 0, at)
    }

    /// Skips so many instructions if the loaded value is this one, so many others if it isn't.
    const fn equal(value: u32, yes: u8, no: u8) -> SockFilter {
        SockFilter::new(JUMP_IF_EQUAL, yes, no, value)
    }

    const fn has(bits: u32, yes: u8, no: u8) -> SockFilter {
        SockFilter::new(JUMP_IF_SET, yes, no, bits)
    }

    /// Drops what begins a connection and comes from one of these: of IPv6, from their networks of 64 bits.
    pub(super) fn of(hosts: &[IpAddr]) -> Vec<SockFilter> {
        let (mut four, mut six) = (vec![load(LOAD_WORD, NETWORK + 12)], Vec::new());
        for host in hosts.iter().take(MAX_HOSTS) {
            match host.to_canonical() {
                IpAddr::V4(host) => four.extend([equal(host.to_bits(), 0, 1), DROP]),
                IpAddr::V6(host) => {
                    let [high, low] = [(host.to_bits() >> 96) as u32, (host.to_bits() >> 64) as u32];
                    six.extend([
                        load(LOAD_WORD, NETWORK + 8),
                        equal(high, 0, 3),
                        load(LOAD_WORD, NETWORK + 12),
                        equal(low, 0, 1),
                        DROP,
                    ]);
                }
            }
        }
        four.push(PASS);
        six.push(PASS);
        let to_six = u8::try_from(four.len()).unwrap_or(u8::MAX);
        // As `begins_connection`: a long header, and a version that isn't spoken, or the type Initial.
        let begins = [
            load(LOAD_BYTE, FIRST_BYTE),
            has(0x80, 1, 0),
            PASS,
            load(LOAD_WORD, VERSION),
            equal(1, 0, 3),
            load(LOAD_BYTE, FIRST_BYTE),
            has(0x30, 0, 1),
            PASS,
            load(LOAD_BYTE, NETWORK),
            SockFilter::new(AND, 0, 0, 0xf0),
            equal(0x60, to_six, 0),
        ];
        begins.into_iter().chain(four).chain(six).collect()
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the filter is the system's")]
mod tests {
    use super::*;
    use std::{
        net::{SocketAddr, UdpSocket},
        time::Duration,
    };

    /// Datagrams by what they are, the first byte and the version.
    const INITIAL: [u8; 6] = [0xc0, 0, 0, 0, 1, 9];
    const HANDSHAKE: [u8; 6] = [0xe0, 0, 0, 0, 1, 9];
    const OTHER_VERSION: [u8; 6] = [0xe0, 0, 0, 0, 2, 9];
    const SHORT: [u8; 6] = [0x40, 1, 2, 3, 4, 9];

    fn heard(at: &UdpSocket, from: &str) -> Vec<[u8; 6]> {
        let sender = UdpSocket::bind((from, 0)).unwrap();
        let port = at.local_addr().unwrap().port();
        let to = if from.contains(':') { "::1" } else { "127.0.0.1" };
        for datagram in [INITIAL, HANDSHAKE, OTHER_VERSION, SHORT] {
            sender.send_to(&datagram, (to, port)).unwrap();
        }
        // On one machine what was sent is there at once.
        let mut buffer = [0; 6];
        std::iter::from_fn(|| at.recv_from(&mut buffer).ok().map(|(_, _): (usize, SocketAddr)| buffer)).collect()
    }

    #[test]
    fn listed_hosts_begin_no_connection_and_everything_else_passes() {
        let socket = crate::SystemNetwork::socket("[::]:0".parse().unwrap(), &crate::Settings::default()).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let filter = CallerFilter::of(&socket).unwrap();
        let all = [INITIAL, HANDSHAKE, OTHER_VERSION, SHORT];
        let going_on = [HANDSHAKE, SHORT];
        let others: Vec<IpAddr> = (0..30).map(|n| IpAddr::from([10, 0, 0, n])).collect();
        let mut listed = others.clone();
        listed.extend::<[IpAddr; 2]>(["::ffff:127.0.0.2".parse().unwrap(), "::1".parse().unwrap()]);
        assert_eq!(listed.len(), MAX_HOSTS, "the longest program");
        assert_eq!(heard(&socket, "127.0.0.2"), all);
        assert!(filter.drop_callers(&listed));
        assert_eq!(heard(&socket, "127.0.0.2"), going_on);
        assert_eq!(heard(&socket, "127.0.0.3"), all);
        assert_eq!(heard(&socket, "::1"), going_on);
        let six: Vec<IpAddr> = (1..33).map(|n: u16| IpAddr::from([0x2001, 0xdb8, n, 0, 0, 0, 0, 1])).collect();
        assert!(filter.drop_callers(&six));
        assert_eq!((heard(&socket, "127.0.0.2"), heard(&socket, "::1")), (all.to_vec(), all.to_vec()));
        assert!(filter.drop_callers(&[]), "nobody is listed any more");
        assert_eq!(heard(&socket, "127.0.0.2"), all);
    }
}
