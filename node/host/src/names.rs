//! What the name of a host stands for: asked each time that it is dialled, because containers and services move.
//!
//! The system's [resolver](SystemNames) waits for others, so it works beside the async threads; a simulated network has [no names](NoNames). An answer that
//! takes longer than [`PATIENCE`] is given up.
//!
//! Refused: a name that nobody knows, or that stands for no address of a family that the node can send from. Bounds: [`MAX_ADDRESSES`] of an answer are
//! tried, [`MAX_LOOKUPS`] questions are asked at a time, which includes those that were given up and go on below.

use shardwire_model::{Address, Coded, is_of_many};
use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Semaphore, time::timeout};

/// How long an answer may take: what a resolver needs to ask two servers that don't answer.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Most addresses of an answer that are tried.
pub const MAX_ADDRESSES: usize = 4;
/// Most questions at a time: each holds a thread until the system gives it up, too.
pub const MAX_LOOKUPS: usize = 16;

/// An answer under way.
pub type Answer<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Who knows names.
pub trait Names: fmt::Debug + Send + Sync {
    /// The addresses that the name of a host stands for now, with this port.
    fn ask<'a>(&'a self, host: &'a str, port: u16) -> Answer<'a>;
}

/// The system's resolver: its hosts file, then DNS, as it is configured.
#[derive(Clone, Debug)]
pub struct SystemNames(Arc<Semaphore>);

impl Default for SystemNames {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_LOOKUPS)))
    }
}

impl Names for SystemNames {
    fn ask<'a>(&'a self, host: &'a str, port: u16) -> Answer<'a> {
        let (turns, host) = (self.0.clone(), host.to_owned());
        Box::pin(async move {
            let turn = turns.acquire_owned().await.map_err(io::Error::other)?;
            let asked = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                (host, port).to_socket_addrs().map(Iterator::collect)
            });
            asked.await.map_err(io::Error::other)?
        })
    }
}

/// Nobody: what a simulated network has.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn ask<'a>(&'a self, _: &'a str, _: u16) -> Answer<'a> {
        Box::pin(async { Err(io::Error::new(io::ErrorKind::Unsupported, "this network has no names")) })
    }
}

/// A name can't be dialled.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// The system says why not.
    #[error("the host name {host} can't be resolved: {reason}")]
    Unknown {
        /// The name.
        host: String,
        /// What the system says.
        reason: io::Error,
    },
    /// There was no answer in time.
    #[error("the host name {host} wasn't resolved within {} s", PATIENCE.as_secs())]
    Late {
        /// The name.
        host: String,
    },
    /// It stands for nothing that can be dialled from here.
    #[error("the host name {host} stands for no address that this node can send to")]
    Nowhere {
        /// The name.
        host: String,
    },
}

impl Coded for NameError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "SW-NAME-001",
            Self::Late { .. } => "SW-NAME-002",
            Self::Nowhere { .. } => "SW-NAME-003",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Unknown { host, .. } => {
                format!("Check the name, and that this machine can resolve it (`getent hosts {host}`). It is asked again at the next attempt.")
            }
            Self::Late { .. } => "Check this machine's name servers. The name is asked again at the next attempt.".into(),
            Self::Nowhere { .. } => {
                "Listen at an address of the same family (IPv4 or IPv6) as the peer's, or name the peer by its IP address.".into()
            }
        }
    }
}

/// Where to dial, from a socket that can send to addresses of which `usable` holds. At least one address.
///
/// # Errors
/// [`NameError::Unknown`] if the name stands for nothing, [`NameError::Late`] if nobody answers in time, [`NameError::Nowhere`] if it stands for no usable address.
pub async fn resolve(
    names: &dyn Names,
    address: &Address,
    usable: impl Fn(&SocketAddr) -> bool,
) -> Result<Vec<SocketAddr>, NameError> {
    let (host, port) = match address {
        Address::Ip(address) => return Ok(vec![*address]),
        Address::Name { host, port } => (host, *port),
    };
    let found = match timeout(PATIENCE, names.ask(host, port)).await {
        Ok(Ok(found)) => found,
        Ok(Err(reason)) => return Err(NameError::Unknown { host: host.clone(), reason }),
        Err(_) => return Err(NameError::Late { host: host.clone() }),
    };
    let mut addresses: Vec<SocketAddr> = Vec::new();
    let is_place = |ip: IpAddr| !ip.to_canonical().is_unspecified() && !is_of_many(ip);
    for address in found.into_iter().filter(|it| usable(it) && is_place(it.ip())) {
        if addresses.len() < MAX_ADDRESSES && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(NameError::Nowhere { host: host.clone() }) } else { Ok(addresses) }
}

/// Where a node that listens here is dialled from its own machine: one that listens at every address is reached over loopback.
#[must_use]
pub fn from_here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Whether a socket at this address can send to that one: `[::]` to both families, everything else to its own.
#[must_use]
pub fn reaches(from: SocketAddr, to: &SocketAddr) -> bool {
    from.is_ipv4() == to.is_ipv4() || (from.is_ipv6() && from.ip().is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fixed(Vec<&'static str>);

    impl Names for Fixed {
        fn ask<'a>(&'a self, _: &'a str, port: u16) -> Answer<'a> {
            let found = self.0.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect();
            Box::pin(async { Ok(found) })
        }
    }

    #[derive(Debug)]
    struct Silent;

    impl Names for Silent {
        fn ask<'a>(&'a self, _: &'a str, _: u16) -> Answer<'a> {
            Box::pin(std::future::pending())
        }
    }

    fn shown(result: Result<Vec<SocketAddr>, NameError>) -> String {
        let error = result.unwrap_err();
        format!("error[{}]: {error}\n  next: {}", error.code(), error.next_step())
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_resolved_within_bounds_and_errors_say_what_to_do() {
        let name: Address = "settler:7001".parse().unwrap();
        let v4 = |address: &SocketAddr| reaches(([0, 0, 0, 0], 0).into(), address);
        let many = Fixed(vec![
            "::1",
            "10.0.0.1",
            "10.0.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "10.0.0.2",
            "10.0.0.3",
            "10.0.0.4",
            "10.0.0.5",
        ]);
        let found = resolve(&many, &name, v4).await.unwrap();
        assert_eq!(
            found,
            ["10.0.0.1:7001", "10.0.0.2:7001", "10.0.0.3:7001", "10.0.0.4:7001"].map(|it| it.parse().unwrap())
        );
        let itself: SocketAddr = "[::1]:7".parse().unwrap();
        assert_eq!(resolve(&Silent, &itself.into(), v4).await.unwrap(), [itself], "an address needs nobody");
        assert_eq!(
            shown(resolve(&NoNames, &name, v4).await),
            "error[SW-NAME-001]: the host name settler can't be resolved: this network has no names\n  next: Check the name, and that this \
             machine can resolve it (`getent hosts settler`). It is asked again at the next attempt."
        );
        assert_eq!(
            shown(resolve(&Silent, &name, v4).await),
            "error[SW-NAME-002]: the host name settler wasn't resolved within 5 s\n  next: Check this machine's name servers. The name is \
             asked again at the next attempt."
        );
        assert_eq!(
            shown(resolve(&Fixed(vec!["::1"]), &name, v4).await),
            "error[SW-NAME-003]: the host name settler stands for no address that this node can send to\n  next: Listen at an address of the \
             same family (IPv4 or IPv6) as the peer's, or name the peer by its IP address."
        );
    }

    #[test]
    fn a_node_that_listens_everywhere_is_dialled_over_loopback_and_sends_to_what_its_family_reaches() {
        let place = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (listens, dialled) in [
            ("0.0.0.0:7000", "127.0.0.1:7000"),
            ("[::]:7000", "[::1]:7000"),
            ("10.0.0.1:7000", "10.0.0.1:7000"),
            ("[fd00::1]:7000", "[fd00::1]:7000"),
        ] {
            assert_eq!(from_here(place(listens)), place(dialled));
            assert!(reaches(place(listens), &place(dialled)));
        }
        let [four, six] = ["10.0.0.2:1", "[fd00::2]:1"].map(place);
        let reached = |from: &str| [four, six].map(|to| reaches(place(from), &to));
        assert_eq!(["0.0.0.0:0", "[::]:0", "[::1]:0"].map(reached), [[true, false], [true, true], [false, true]]);
    }

    #[tokio::test]
    async fn the_system_knows_this_machine() {
        let found = resolve(&SystemNames::default(), &"localhost:7001".parse().unwrap(), |_| true).await.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 7001), "{found:?}");
    }
}
