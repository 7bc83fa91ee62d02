//! Where a door listens, and what each address may do there.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
};

/// Where a door listens, and what each address may do.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The address. Anybody who reaches it may read the shards, so it is this machine's own unless told otherwise.
    pub listen: SocketAddr,
    /// Calls that an address may make a second, in the long run; an execution counts [`EXECUTION_CALLS`](crate::bounds::EXECUTION_CALLS).
    pub calls_per_s: NonZeroU32,
    /// Calls that it may make at once.
    pub burst_calls: NonZeroU32,
}

impl Settings {
    /// What suits a shard of some dozen players, on a free port of this machine.
    #[must_use]
    pub const fn recommended() -> Self {
        const CALLS_PER_S: NonZeroU32 = NonZeroU32::new(500).unwrap();
        const BURST_CALLS: NonZeroU32 = NonZeroU32::new(5_000).unwrap();
        let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self { listen, calls_per_s: CALLS_PER_S, burst_calls: BURST_CALLS }
    }
}
