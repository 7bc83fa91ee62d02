use serde::{Deserialize, Serialize};
use shardwire_transport::algebra::{Eps, HasDual, Send};
use shardwire_transport::{Protocol, message};
use std::time::Duration;

#[derive(Debug, Serialize, Deserialize)]
struct Endless {
    words: Vec<String>,
}

struct Talk;
impl Protocol for Talk {
    const NAME: &'static str = "talk";
    const VERSION: u16 = 1;
    type Initiator = Send<Endless, Eps>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}

#[derive(Debug, Serialize, Deserialize)]
struct Patient;
message!(Patient, deadline = Duration::from_secs(10));

#[derive(Debug, Serialize, Deserialize)]
struct Short;
message!(Short, max_bytes = 0);

fn main() {}
