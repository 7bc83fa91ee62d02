//! What both processes run on: their threads, and the network of each side's endpoints.

use super::Side;
use clap::Args;
use quinn::TokioRuntime;
use shardwire_transport::{Network, Settings, SystemNetwork, socket::Bound};
use std::{io, iter, net::SocketAddr, sync::Arc};
use tokio::runtime::{Builder, Runtime};

/// What both processes run on.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(crate) enum Threads {
    /// A thread a core, which share the tasks, as in a node.
    #[default]
    Node,
    /// One thread. A request takes a third of the CPU time, for both sides, so what a session adds weighs three times
    /// as much.
    One,
}

impl Threads {
    pub(super) fn runtime(self) -> io::Result<Runtime> {
        match self {
            Self::Node => Builder::new_multi_thread(),
            Self::One => Builder::new_current_thread(),
        }
        .enable_all()
        .build()
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::One => "one",
        }
    }
}

/// What both processes run on.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Ground {
    /// The threads of each process.
    #[arg(long, value_enum, default_value_t)]
    pub(super) threads: Threads,
    /// Give raw QUIC the node's socket, too: what sessions cost by themselves.
    #[arg(long)]
    same_socket: bool,
}

impl Ground {
    /// The flags that give these settings.
    pub(super) fn flags(self) -> impl Iterator<Item = &'static str> {
        ["--threads", self.threads.name()]
            .into_iter()
            .chain(iter::once("--same-socket").filter(move |_| self.same_socket))
    }

    /// The network of a side's endpoints.
    pub(super) fn network(self, side: Side) -> &'static dyn Network {
        match side {
            Side::Raw if !self.same_socket => &QuinnNetwork,
            Side::Raw | Side::Ours => &SystemNetwork,
        }
    }
}

/// Quinn as it comes: its own socket and runtime. The system's socket beneath has the same buffers.
#[derive(Debug)]
struct QuinnNetwork;

impl Network for QuinnNetwork {
    fn bind(&self, address: SocketAddr, settings: &Settings) -> io::Result<Bound> {
        Ok(quinn::Runtime::wrap_udp_socket(&TokioRuntime, SystemNetwork::socket(address, settings)?)?.into())
    }

    fn runtime(&self) -> Arc<dyn quinn::Runtime> {
        Arc::new(TokioRuntime)
    }
}
