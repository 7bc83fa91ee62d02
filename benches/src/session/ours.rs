//! The work through sessions.

use super::protocol::{Bulk, CHUNK_BYTES, Chunk, DEPTH, Done, PingPong, Pull, Question, SMALL_BYTES, Small};
use shardwire_transport::{Branch, Bytes, Connection, Incoming, Responder, SessionError, first_turn, offer};
use std::time::{Duration, Instant};

/// Pulls this many chunks.
pub(super) async fn bulk(connection: &Connection, chunks: u32) -> Result<usize, SessionError> {
    let mut pipeline = connection.open::<Bulk>().await?.enter().pipeline::<DEPTH>();
    let (mut asked, mut bytes) = (0, 0);
    for _ in 0..chunks {
        while asked < chunks && pipeline.has_room() {
            pipeline.request(Pull { index: asked }).await?;
            asked += 1;
        }
        let Chunk(body) = pipeline.response().await?;
        bytes += body.len();
    }
    pipeline.finish()?.send(Done {}).await?.close().await?;
    Ok(bytes)
}

/// Measures this many round trips.
pub(super) async fn ping_pong(
    connection: &Connection,
    trips: usize,
    took: &mut Vec<Duration>,
) -> Result<(), SessionError> {
    let mut session = connection.open::<PingPong>().await?.enter();
    for _ in 0..trips {
        let began = Instant::now();
        let (_, next) = session.choose(Small([7; SMALL_BYTES])).await?.recv::<Small, _>().await?;
        took.push(began.elapsed());
        session = next.repeat();
    }
    session.choose(Done {}).await?.close().await
}

/// One question, one answer, in a session of its own.
pub(super) async fn question(connection: &Connection) -> Result<(), SessionError> {
    let (_, session) =
        connection.open::<Question>().await?.send(Small([7; SMALL_BYTES])).await?.recv::<Small, _>().await?;
    session.close().await
}

/// Asks for as many chunks as it may, and collects none.
pub(super) async fn stall(connection: &Connection) -> Result<impl Drop + use<>, SessionError> {
    let mut pipeline = connection.open::<Bulk>().await?.enter().pipeline::<DEPTH>();
    for index in 0..DEPTH {
        #[allow(clippy::cast_possible_truncation)] // 16
        pipeline.request(Pull { index: index as u32 }).await?;
    }
    Ok(Stalled(Some(Box::new(move || pipeline.abandon()))))
}

/// Ends a stalled session when it is dropped.
struct Stalled(Option<Box<dyn FnOnce() + Send>>);

impl Drop for Stalled {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

/// Opens a session, does one round trip and leaves it waiting.
pub(super) async fn idle(connection: &Connection) -> Result<Box<dyn std::any::Any + Send>, SessionError> {
    let session = connection.open::<PingPong>().await?.enter();
    let (_, session) = session.choose(Small([7; SMALL_BYTES])).await?.recv::<Small, _>().await?;
    Ok(Box::new(session))
}

/// Serves one connection until it is closed.
pub(super) async fn serve(connection: Connection) {
    let block = Bytes::from(vec![0x5a; CHUNK_BYTES]);
    while let Ok(incoming) = connection.accept().await {
        if let Err(rest) = first_turn(answer(incoming, block.clone())).await {
            tokio::spawn(rest);
        }
    }
}

async fn answer(mut incoming: Incoming, block: Bytes) -> Result<(), SessionError> {
    incoming.header().await?;
    if incoming.is::<Question>() {
        let (asked, session) = incoming.serve::<Question>().await?.recv().await?;
        session.send::<Small, _>(asked).await?.leave().await
    } else if incoming.is::<Bulk>() {
        Box::pin(produce(incoming.serve::<Bulk>().await?, block)).await // boxed: it would make every task as large
    } else {
        Box::pin(echo(incoming.serve::<PingPong>().await?)).await
    }
}

async fn produce(session: Responder<Bulk>, block: Bytes) -> Result<(), SessionError> {
    let mut session = session.enter();
    loop {
        session = offer!(session => {
            Pull(_), next => next.send(Chunk(block.clone().into())).await?.repeat(),
            Done(_), end => return end.close().await,
        });
    }
}

async fn echo(session: Responder<PingPong>) -> Result<(), SessionError> {
    let mut session = session.enter();
    loop {
        session = match session.offer().await? {
            Branch::First(ping) => {
                let (ping, next) = ping.recv::<Small, _>().await?;
                next.send(ping).await?.repeat()
            }
            Branch::Second(end) => return end.recv::<Done, _>().await?.1.close().await,
        };
    }
}
