//! Peers of a test's own, and the real nodes that they meet.
#![allow(dead_code, unreachable_pub)] // each test binary uses a part of it

use shardwire::host::clock::SystemClock;
use shardwire_model::{Clock as _, Role};
use shardwire_protocols::handshake::{Agreed, Handshake, HandshakeError, Hello, Spoken, greet, spoken};
use shardwire_transport::{Connection, Endpoint, Identity, Settings};
use shardwire_workload::Workload;
use shardwire_world::WorldIdentity;
use std::{net::SocketAddr, path::Path, time::Duration};
use testnet::{
    dungeon::{Options, generate},
    network::{NetworkFolder, Node, Programs, binary},
};
use tokio::time::{Instant, sleep, timeout};

/// How long a test waits for what must come; far beyond what it takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub fn programs() -> Programs {
    let node = binary::locate(&mut |line| eprintln!("{line}")).expect("a node");
    // No node here proves.
    Programs { node, worker: "/nonexistent".into() }
}

pub fn dungeon() -> Workload {
    generate(Options { players: 2, transactions: 10, seed: 5 }).expect("a dungeon")
}

/// A settler with a World, alone.
pub async fn settler(folder: &NetworkFolder, workload: &Workload, known: &[String]) -> Node {
    let world = folder.path().join("workload.json");
    workload.write(&world).expect("written");
    let mut node = Node::init(Role::Settler, &programs(), folder.path(), Some(&world)).await.expect("a folder");
    node.start(known).await.expect("a settler");
    node
}

/// A peer of this test's own.
pub struct Stranger {
    pub identity: Identity,
    pub endpoint: Endpoint,
    pub connection: Connection,
}

impl Stranger {
    pub async fn dial(node: &Node) -> Self {
        Self::dial_as(Identity::generate(&mut rand::rng()), node).await
    }

    pub async fn dial_as(identity: Identity, node: &Node) -> Self {
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let endpoint =
            Endpoint::bind(here, identity.clone(), &Settings::default(), &mut rand::rng()).expect("a socket");
        let connection = endpoint.connect(node.listen(), Some(node.peer())).await.expect("a connection");
        Self { identity, endpoint, connection }
    }

    pub async fn greet(&self, hello: Hello) -> Result<Agreed, HandshakeError> {
        greet(self.connection.open::<Handshake>().await.expect("a session"), hello).await
    }

    /// Says these bytes in a session of its own, and what it hears: what the node says in turn, or the reset.
    pub async fn hears(&self, said: &[u8]) -> Result<Vec<u8>, String> {
        let (mut send, mut receive) = self.connection.quinn().open_bi().await.expect("a stream");
        send.write_all(said).await.expect("written");
        timeout(PATIENCE, receive.read_to_end(1 << 10)).await.expect("an answer").map_err(|reset| reset.to_string())
    }

    pub async fn leave(self) {
        self.connection.close();
        self.endpoint.close().await;
    }
}

/// A message as it is written, after the tags that lead to it.
pub fn frame(tags: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a short message");
    [tags, &postcard::to_allocvec(&length).expect("a number"), body].concat()
}

/// With which a session begins.
pub fn header(protocol: &str) -> Vec<u8> {
    frame(&[], &postcard::to_allocvec(&(protocol, 1_u16)).expect("a header"))
}

/// Which World a node belongs to.
pub fn world(node: &Node) -> WorldIdentity {
    let text = std::fs::read_to_string(node.data().join("world.json")).expect("a World");
    WorldIdentity::from_json(&text).expect("a World")
}

pub fn hello(world: &WorldIdentity, role: Role, protocols: Vec<Spoken>) -> Hello {
    Hello {
        network: world.network().into(),
        world: Some(world.hash()),
        agent: "a test".into(),
        roles: vec![role.to_string()],
        serves: spoken(),
        opens: protocols,
        capabilities: Vec::new(),
        time: SystemClock.now(),
    }
}

pub async fn log_says(log: &Path, what: &str) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(log).expect("a log");
        if let Some(line) = text.lines().find(|line| line.contains(what)) {
            return line.to_owned();
        }
        assert!(Instant::now() < end, "{what} isn't in the log:\n{text}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// What the program says: standard output, if it ended well.
pub fn shardwire(arguments: &[&str]) -> Result<String, String> {
    let output = std::process::Command::new(programs().node).args(arguments).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}
