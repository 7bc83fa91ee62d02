//! Sessions over a channel in memory: two halves of a protocol meet.

mod bulk;

use bulk::*;
use shardwire_transport::{Initiator, Responder, offer, session::pair, *};

async fn produce(session: Responder<Bulk>) -> Result<u32, SessionError> {
    let (request, session) = session.recv().await?;
    let mut session = session.send(Manifest { chunks: request.job.into() }).await?.enter();
    let mut renewed = 0;
    loop {
        session = offer!(session => {
            Pull(pull), next => next.send(chunk(pull.index)).await?.repeat(),
            Renew(_), next => {
                renewed += 1;
                next.send(Renewed { count: renewed }).await?.repeat()
            },
            Done(_), next => {
                next.close().await?;
                return Ok(renewed);
            },
        });
    }
}

async fn consume(session: Initiator<Bulk>, job: u8) -> Result<usize, SessionError> {
    let (manifest, session) = session.send(Request { job }).await?.recv().await?;
    let mut session = session.enter();
    let mut total = 0;
    for index in 0..manifest.chunks {
        let (got, next) = session.choose(Pull { index }).await?.recv().await?;
        assert_eq!(got, chunk(index));
        total += got.bytes.len();
        let (_, next) = next.repeat().choose(Renew).await?.recv().await?;
        session = next.repeat();
    }
    session.choose(Done).await?.close().await?;
    Ok(total)
}

#[tokio::test(start_paused = true)]
async fn two_halves_meet() {
    let (initiator, responder) = pair::<Bulk>();
    let (total, renewed) = tokio::join!(consume(initiator, 5), produce(responder));
    assert_eq!(total, Ok(5 * CHUNK_BYTES));
    assert_eq!(renewed, Ok(5));
}
