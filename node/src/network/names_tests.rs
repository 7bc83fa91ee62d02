//! A peer that is configured by the name of its host, which moves.

use super::{
    dial,
    tests::{curious, router_naming},
    *,
};
use shardwire_host::names::Answer;
use shardwire_protocols::handshake::{self, Handshake};
use shardwire_transport::{Connection, Identity, Settings, SystemNetwork};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// Far longer than a connection takes to be missed and made again.
const PATIENCE: Duration = Duration::from_secs(60);

/// A name server that is told something else meanwhile.
#[derive(Debug)]
struct Moving(Mutex<IpAddr>);

impl Moving {
    fn place(&self) -> std::sync::MutexGuard<'_, IpAddr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names for Moving {
    fn ask<'a>(&'a self, _: &'a str, port: u16) -> Answer<'a> {
        let found = SocketAddr::new(*self.place(), port);
        Box::pin(async move { Ok(vec![found]) })
    }
}

/// A node that answers greetings, until it is dropped.
struct Answering {
    endpoint: Endpoint,
    _tasks: JoinSet<()>,
}

impl Answering {
    fn at(address: SocketAddr, identity: Identity) -> Self {
        let mut random = Randomness::from_seed(address.port().into());
        let endpoint = Endpoint::open(&SystemNetwork, address, identity, &Settings::default(), &mut random).unwrap();
        let (accepts, mut tasks) = (endpoint.clone(), JoinSet::new());
        tasks.spawn(async move {
            let mut greeted = JoinSet::new();
            while let Some(incoming) = accepts.accept().await {
                if let Ok(connection) = incoming.admit().await {
                    greeted.spawn(Self::answer(connection));
                }
            }
        });
        Self { endpoint, _tasks: tasks }
    }

    async fn answer(connection: Connection) {
        let Ok(incoming) = connection.accept().await else { return };
        let Ok(session) = incoming.serve::<Handshake>().await else { return };
        let hello = Hello { serves: Vec::new(), opens: Vec::new(), ..curious() };
        drop(handshake::answer(session, hello).await);
        connection.closed().await;
    }
}

async fn connected(router: &Router, peer: PeerId, at: SocketAddr) {
    let is_there = |router: &Router| {
        let links = router.node.links.status();
        links.iter().any(|link| link.peer == peer && link.connected && link.addr == at.to_string())
    };
    let there = async {
        while !is_there(router) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, there).await.unwrap_or_else(|_| panic!("it isn't connected at {at}"));
}

/// All of 127.0.0.0/8 is this machine there.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_peer_whose_name_stands_for_another_address_by_now_is_dialled_there() {
    let [first, second] = [2, 3].map(|last| IpAddr::from([127, 0, 0, last]));
    let names = Arc::new(Moving(Mutex::new(first)));
    let (router, _held) = router_naming(&[], names.clone()).await;
    let identity = Identity::from_secret(&[2; 32]);
    let peer = identity.peer();
    let there = Answering::at((first, 0).into(), identity.clone());
    let port = there.endpoint.address().port();
    let name = Address::Name { host: "settler".into(), port };
    let dials = tokio::spawn(dial::keep(router.clone(), peer, name));
    connected(&router, peer, (first, port).into()).await;
    // It moves while this node runs: somewhere else it is begun again, and where it was is nobody.
    *names.place() = second;
    there.endpoint.close().await;
    drop(there);
    let _here = Answering::at((second, port).into(), identity);
    connected(&router, peer, (second, port).into()).await;
    dials.abort();
}
