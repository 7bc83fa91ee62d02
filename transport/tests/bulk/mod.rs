//! A protocol for tests: a consumer pulls chunks, may renew a lease between them, and says when it is done.
#![allow(dead_code, unreachable_pub)] // each test binary uses a part of it

use serde::{Deserialize, Serialize};
use shardwire_transport::algebra::{Choose, Eps, HasDual, Rec, Recv, Send, Var, Z};
use shardwire_transport::message::{Body, DecodeError, EncodeError, Head};
use shardwire_transport::{
    Bytes, Connection, Incoming, Message, Pipeline, Protocol, Responder, SessionError, Shape, message, offer,
};
use std::time::Duration;

pub const CHUNK_BYTES: usize = 60_000;
/// Pulls under way at once: chunks that fill a session's window and what is buffered before it, with some to spare.
pub const DEPTH: usize = 70;
const CONTROL: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub job: u8,
}
message!(Request, max_bytes = 4, deadline = CONTROL);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub chunks: u32,
}
message!(Manifest, max_bytes = 8, deadline = CONTROL);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pull {
    pub index: u32,
}
message!(Pull, max_bytes = 8, deadline = IDLE, pipeline_depth = DEPTH);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Renew;
message!(Renew, max_bytes = 0, deadline = CONTROL);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Renewed {
    pub count: u32,
}
message!(Renewed, max_bytes = 8, deadline = CONTROL);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done;
message!(Done, max_bytes = 0, deadline = CONTROL);

/// A number, then bulk that isn't copied.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    pub index: u32,
    pub bytes: Bytes,
}

impl Message for Chunk {
    const NAME: &'static str = "Chunk";
    const MAX_BYTES: u32 = 65_600;
    const DEADLINE: Duration = Duration::from_secs(60);

    fn encode(&self, head: &mut Head<'_>) -> Result<Bytes, EncodeError> {
        head.postcard(&self.index)?;
        Ok(self.bytes.clone())
    }

    fn decode(mut body: Body) -> Result<Self, DecodeError> {
        Ok(Self { index: body.take_head()?, bytes: body.into_bytes() })
    }

    fn shape() -> Shape {
        Shape::Tuple { of: vec![Shape::of::<u32>(), Shape::rest("bulk")], note: None }
    }
}

pub fn chunk(index: u32) -> Chunk {
    let bytes: Vec<u8> = (0..CHUNK_BYTES).map(|at| (at as u32 ^ index) as u8).collect();
    Chunk { index, bytes: bytes.into() }
}

pub struct Bulk;

type Pulling = Choose<Send<Pull, Recv<Chunk, Var<Z>>>, Choose<Send<Renew, Recv<Renewed, Var<Z>>>, Send<Done, Eps>>>;

impl Protocol for Bulk {
    const NAME: &'static str = "bulk";
    const VERSION: u16 = 1;
    type Initiator = Send<Request, Recv<Manifest, Rec<Pulling>>>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}

/// The producer's half: answers until the consumer is done. Returns how many chunks it sent.
pub async fn produce(incoming: Incoming) -> Result<u32, SessionError> {
    answer(incoming.serve().await?).await
}

/// As [`produce`], for a session that is known already.
pub async fn answer(session: Responder<Bulk>) -> Result<u32, SessionError> {
    let (_, session) = session.recv().await?;
    let mut session = session.send(Manifest { chunks: 0 }).await?.enter();
    let mut pulled = 0;
    loop {
        session = offer!(session => {
            Pull(pull), next => {
                pulled += 1;
                next.send(chunk(pull.index)).await?.repeat()
            },
            Renew(_), next => next.send(Renewed { count: 0 }).await?.repeat(),
            Done(_), next => {
                next.close().await?;
                return Ok(pulled);
            },
        });
    }
}

/// Pulls the first chunks, as many ahead as the pipeline is deep, and compares them.
pub async fn pull_chunks<P, Q, E, const DEPTH: usize>(
    pipeline: &mut Pipeline<P, Pull, Chunk, Q, E, DEPTH>,
    chunks: u32,
) -> Result<(), SessionError> {
    let mut asked = 0;
    for index in 0..chunks {
        while asked < chunks && pipeline.has_room() {
            pipeline.request(Pull { index: asked }).await?;
            asked += 1;
        }
        assert_eq!(pipeline.response().await?, chunk(index));
    }
    Ok(())
}

/// The consumer's half: pulls chunks, eight ahead, and compares them.
pub async fn consume(connection: Connection, chunks: u32) -> Result<(), SessionError> {
    let (_, session) = connection.open::<Bulk>().await?.send(Request { job: 1 }).await?.recv().await?;
    let mut pipeline = session.enter().pipeline::<8>();
    pull_chunks(&mut pipeline, chunks).await?;
    pipeline.finish()?.choose(Done).await?.close().await
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ping(pub u32);
message!(Ping, max_bytes = 5, deadline = CONTROL);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pong(pub u32);
message!(Pong, max_bytes = 5, deadline = CONTROL);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bye {}
message!(Bye, max_bytes = 0, deadline = CONTROL);

/// Small messages alone.
pub struct PingPong;

impl Protocol for PingPong {
    const NAME: &'static str = "ping-pong";
    const VERSION: u16 = 1;
    type Initiator = Rec<Choose<Send<Ping, Recv<Pong, Var<Z>>>, Send<Bye, Eps>>>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}

/// A protocol in which the initiator sends bulk.
pub struct Upload;

impl Protocol for Upload {
    const NAME: &'static str = "upload";
    const VERSION: u16 = 1;
    type Initiator = Send<Chunk, Recv<Renewed, Eps>>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}
