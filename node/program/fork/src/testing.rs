//! A stand-in for a network's node, for tests: it answers over HTTP, from a state that a test gives, and fails as a test tells it to.
//!
//! Bounds: it reads a request of at most 1 MiB, and one at a time; a test's own clients are its only ones.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types, reason = "it is of tests alone")]

use crate::{Answers, Forks, InMemory, Keeper};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use serde_json::{Value, json};
use shardwire_model::{ContractId, Felt, ForkId, Key};
use shardwire_native::{Class, Ground};
use shardwire_starknet::Rpc;
use std::{
    collections::BTreeMap,
    fmt,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};
use tokio::runtime::Handle;

/// How a node fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// It doesn't.
    #[default]
    None,
    /// It hangs up.
    Silent,
    /// It takes a request and gives no answer, as long as it fails like this.
    Stalled,
    /// It is too busy for an answer.
    Busy,
    /// It is of another network.
    OtherChain,
    /// It doesn't know the block.
    NoBlock,
    /// It has the block at another place.
    OtherNumber,
    /// The block isn't accepted.
    NotAccepted,
    /// It has dropped the block's state, and answers as if nothing had been there.
    Pruned,
    /// It takes no batches.
    NoBatches,
    /// Its values are others than they were.
    Lies,
    /// It says of each contract that it is of another class.
    OtherClass,
    /// It has another file under the hash of a class.
    OtherFile,
}

/// A node that a test made. It ends with the value.
pub struct StandIn {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    block: ForkId,
    time: u64,
    state: Arc<dyn Ground>,
    classes: BTreeMap<Felt, Vec<u8>>,
    fault: Mutex<Fault>,
    /// Notified when it fails otherwise.
    otherwise: Condvar,
    requests: AtomicUsize,
    over: AtomicBool,
}

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIn").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.fail(Fault::Silent);
        let _ = TcpStream::connect(self.address);
    }
}

impl StandIn {
    /// One that has this block, with this state and these class files.
    ///
    /// # Panics
    /// If it can't listen.
    #[must_use]
    pub fn new(
        block: ForkId,
        time: u64,
        state: Arc<dyn Ground>,
        classes: impl IntoIterator<Item = (Felt, Vec<u8>)>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            block,
            time,
            state,
            classes: classes.into_iter().collect(),
            fault: Mutex::default(),
            otherwise: Condvar::new(),
            requests: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.over.load(Ordering::SeqCst) {
                    return;
                }
                // Whoever hangs up early has an answer less.
                let _ = serving.serve(stream);
            }
        });
        Self { address, shared }
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/rpc", self.address)
    }

    /// Has it fail like this from now on.
    ///
    /// # Panics
    /// If another thread of the test has.
    pub fn fail(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
        self.shared.otherwise.notify_all();
    }

    /// How many requests it had.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

type Refused = (i64, &'static str);

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let (mut request, mut some) = (Vec::new(), [0; 4096]);
        let body: Value = loop {
            let read = stream.read(&mut some)?;
            if read == 0 || request.len() > 1 << 20 {
                return Ok(());
            }
            request.extend_from_slice(&some[..read]);
            let Some(end) = request.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
            if let Ok(body) = serde_json::from_slice(&request[end + 4..]) {
                break body;
            }
        };
        self.requests.fetch_add(1, Ordering::SeqCst);
        let is_stalled = |fault: &mut Fault| *fault == Fault::Stalled;
        let fault = *self.otherwise.wait_while(self.fault.lock().unwrap(), is_stalled).unwrap();
        let (status, body) = match fault {
            Fault::Silent => return Ok(()),
            Fault::Busy => ("503 Service Unavailable", String::new()),
            _ => ("200 OK", self.answer(&body, fault)),
        };
        let length = body.len();
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
    }

    /// A class is answered as its file is: an object in it, written in another order, would be another class.
    fn answer(&self, request: &Value, fault: Fault) -> String {
        let one = |request: &Value| {
            let said = match self.result(request, fault) {
                Ok(result) => format!(r#""result":{result}"#),
                Err((code, message)) => format!(r#""error":{{"code":{code},"message":"{message}"}}"#),
            };
            format!(r#"{{"jsonrpc":"2.0","id":{},{said}}}"#, request["id"])
        };
        match request {
            Value::Array(_) if fault == Fault::NoBatches => {
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no batches here"}}"#.to_owned()
            }
            Value::Array(requests) => format!("[{}]", requests.iter().map(one).collect::<Vec<_>>().join(",")),
            request => one(request),
        }
    }

    fn result(&self, request: &Value, fault: Fault) -> Result<String, Refused> {
        let params = &request["params"];
        let felt = |name: &str| shardwire_model::felt::parse(params[name].as_str().unwrap()).unwrap();
        let hex = |felt: Felt| format!(r#""{felt:#x}""#);
        let method = request["method"].as_str().unwrap();
        if method == "starknet_chainId" {
            return Ok(hex(if fault == Fault::OtherChain { Felt::ONE } else { self.block.chain }));
        }
        let asked = &params["block_id"];
        let block = json!({ "block_hash": format!("{:#x}", self.block.hash) });
        let is_it =
            *asked == json!("latest") || *asked == json!({ "block_number": self.block.number }) || *asked == block;
        if fault == Fault::NoBlock || !is_it {
            return Err((24, "Block not found"));
        }
        let contract = || ContractId(felt("contract_address"));
        let known = |contract| {
            let class = self.state.class_hash_at(contract).unwrap();
            class.filter(|_| fault != Fault::Pruned).ok_or((20, "Contract not found"))
        };
        let lie = Felt::from(u64::from(fault == Fault::Lies));
        match method {
            "starknet_getBlockWithTxHashes" => Ok(json!({
                "status": if fault == Fault::NotAccepted { "PRE_CONFIRMED" } else { "ACCEPTED_ON_L2" },
                "block_hash": format!("{:#x}", self.block.hash),
                "block_number": self.block.number + u64::from(fault == Fault::OtherNumber),
                "timestamp": self.time,
                "sequencer_address": "0x5e9",
            })
            .to_string()),
            "starknet_getStorageAt" => {
                known(contract())?;
                Ok(hex(self.state.storage_at(contract(), Key(felt("key"))).unwrap() + lie))
            }
            "starknet_getNonce" => {
                known(contract())?;
                Ok(hex(Felt::from(self.state.nonce_at(contract()).unwrap()) + lie))
            }
            // Of what it has dropped, it still knows the classes.
            "starknet_getClassHashAt" => {
                let class = self.state.class_hash_at(contract()).unwrap().ok_or((20, "Contract not found"))?;
                Ok(hex(class + Felt::from(u64::from(fault == Fault::OtherClass))))
            }
            "starknet_getClass" => {
                let hash = felt("class_hash");
                let other = self.classes.iter().find(|(it, _)| **it != hash).filter(|_| fault == Fault::OtherFile);
                let file = other.map(|(_, file)| file).or_else(|| self.classes.get(&hash));
                let file = file.ok_or((28, "Class hash not found"))?;
                Ok(String::from_utf8(file.clone()).unwrap())
            }
            _ => Err((-32601, "Method not found")),
        }
    }
}

/// Keeps in memory, and what was used last at the end.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Vec<(ForkId, InMemory)>>>);

impl Memory {
    /// The numbers of the blocks that are kept, in that order.
    ///
    /// # Panics
    /// If another thread of the test has.
    #[must_use]
    pub fn numbers(&self) -> Vec<u64> {
        self.0.lock().unwrap().iter().map(|(fork, _)| fork.number).collect()
    }
}

impl Keeper for Memory {
    fn of(&self, fork: &ForkId) -> Result<Box<dyn Answers>, String> {
        let mut kept = self.0.lock().unwrap();
        let found = kept.iter().position(|(it, _)| it == fork).map(|place| kept.remove(place));
        let (_, answers) = found.unwrap_or((*fork, InMemory::default()));
        kept.push((*fork, answers.clone()));
        Ok(Box::new(answers))
    }

    fn kept(&self) -> Result<Vec<ForkId>, String> {
        Ok(self.0.lock().unwrap().iter().map(|(fork, _)| *fork).collect())
    }

    fn forget(&self, fork: &ForkId) -> Result<(), String> {
        self.0.lock().unwrap().retain(|(it, _)| it != fork);
        Ok(())
    }
}

/// The networks of which these nodes are, kept in memory. For a thread of a runtime.
///
/// # Panics
/// If there is no runtime.
#[must_use]
pub fn forks(nodes: &[&StandIn], keeper: &Memory) -> Arc<Forks> {
    let mut chains: BTreeMap<Felt, Vec<Rpc>> = BTreeMap::new();
    for node in nodes {
        chains.entry(node.shared.block.chain).or_default().push(Rpc::new(&node.url()).unwrap());
    }
    let randomness = ChaCha8Rng::seed_from_u64(1);
    Arc::new(Forks::new(chains, keeper.clone(), Arc::new(Class::compile), Handle::current(), randomness))
}
