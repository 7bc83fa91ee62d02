//! Accepts TCP connections within a bound and gives each a task: for the metrics, and for the door of wallets. Peers come over QUIC, not here.
//!
//! Bound: so many connections at a time as the caller says; further ones wait to be accepted. An accept that fails is tried again after [`PAUSE`].
//! What a connection may say, and for how long, is the caller's business.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]
#![allow(clippy::disallowed_types, reason = "the place where a node listens on TCP")]

use hyper_util::rt::TokioIo;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::sleep,
};

/// How long a failed accept waits: the process has no file left for it.
pub const PAUSE: Duration = Duration::from_secs(1);

/// A connection, as hyper takes it.
pub type Connection = TokioIo<TcpStream>;

/// An open port, on which nothing is answered yet.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Takes the port.
    ///
    /// # Errors
    /// The system's, if the address is taken or not this machine's.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address that it listens at.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives each connection what `answer` makes of it, for as long as this is polled; one that it makes nothing of is closed. `what` says in the log
    /// what connections are for.
    pub async fn serve<F: Future<Output = ()> + Send + 'static>(
        self,
        what: &'static str,
        most: usize,
        mut answer: impl FnMut(Connection, SocketAddr) -> Option<F>,
    ) {
        let places = Arc::new(Semaphore::new(most));
        let mut connections = JoinSet::new();
        loop {
            let place = places.clone().acquire_owned().await;
            let (stream, from) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("a connection for {what} can't be accepted: {error}");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            while connections.try_join_next().is_some() {}
            // Answers are small and whole: waiting for more of them helps nobody. If this fails, so does what follows.
            let _ = stream.set_nodelay(true);
            let Some(answered) = answer(TokioIo::new(stream), from) else { continue };
            connections.spawn(async move {
                answered.await;
                drop(place);
            });
        }
    }
}
