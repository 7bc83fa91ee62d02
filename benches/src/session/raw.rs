//! The same work on quinn's streams, as one writes it without sessions: no header, no frames, no deadlines, no types.
//!
//! A stream begins with 64 bytes whose first says which work it is. Nothing is buffered that quinn's own calls don't.

use super::protocol::{CHUNK_BYTES, DEPTH, SMALL_BYTES};
use quinn::{Connection, ReadExactError, RecvStream, SendStream};
use shardwire_transport::Bytes;
use std::{error::Error, time::Duration, time::Instant};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const BULK: u8 = 1;
const PING_PONG: u8 = 2;
const QUESTION: u8 = 3;
/// Bytes of a request for a chunk: its index.
const PULL_BYTES: usize = 4;
/// Pieces taken in one read.
const PIECES: usize = 16;

/// Pulls this many chunks.
pub(super) async fn bulk(connection: &Connection, chunks: u32) -> Outcome<usize> {
    let (mut send, mut recv) = connection.open_bi().await?;
    send.write_all(&[BULK; SMALL_BYTES]).await?;
    let mut asked = 0;
    while asked < chunks && (asked as usize) < DEPTH {
        send.write_all(&asked.to_le_bytes()).await?;
        asked += 1;
    }
    let (mut bytes, mut left) = (0, CHUNK_BYTES);
    let mut chunk: Vec<Bytes> = Vec::new(); // kept until it is whole: who pulls chunks has use for whole ones
    let mut pieces: [Bytes; PIECES] = std::array::from_fn(|_| Bytes::new());
    while bytes < chunks as usize * CHUNK_BYTES {
        let Some(n) = recv.read_chunks(&mut pieces).await? else { return Err("the producer ended early".into()) };
        for piece in pieces.iter_mut().take(n) {
            let mut piece = std::mem::take(piece);
            while !piece.is_empty() {
                let part = piece.split_to(piece.len().min(left));
                left -= part.len();
                chunk.push(part);
                if left == 0 {
                    bytes += chunk.iter().map(Bytes::len).sum::<usize>();
                    chunk.clear();
                    left = CHUNK_BYTES;
                    if asked < chunks {
                        send.write_all(&asked.to_le_bytes()).await?;
                        asked += 1;
                    }
                }
            }
        }
    }
    send.finish()?;
    recv.read_to_end(0).await?;
    Ok(bytes)
}

/// Measures this many round trips.
pub(super) async fn ping_pong(connection: &Connection, trips: usize, took: &mut Vec<Duration>) -> Outcome<()> {
    let (mut send, mut recv) = connection.open_bi().await?;
    let mut pong = [0; SMALL_BYTES];
    for _ in 0..trips {
        let began = Instant::now();
        send.write_all(&[PING_PONG; SMALL_BYTES]).await?;
        recv.read_exact(&mut pong).await?;
        took.push(began.elapsed());
    }
    send.finish()?;
    recv.read_to_end(0).await?;
    Ok(())
}

/// One question, one answer, on a stream of its own.
pub(super) async fn question(connection: &Connection) -> Outcome<()> {
    let (mut send, mut recv) = connection.open_bi().await?;
    send.write_all(&[QUESTION; SMALL_BYTES]).await?;
    send.finish()?;
    let mut answer = [0; SMALL_BYTES];
    recv.read_exact(&mut answer).await?;
    recv.read_to_end(0).await?;
    Ok(())
}

/// Opens a stream, does one round trip and leaves it waiting.
pub(super) async fn idle(connection: &Connection) -> Outcome<Box<dyn std::any::Any + Send>> {
    let (mut send, mut recv) = connection.open_bi().await?;
    send.write_all(&[PING_PONG; SMALL_BYTES]).await?;
    recv.read_exact(&mut [0; SMALL_BYTES]).await?;
    Ok(Box::new((send, recv)))
}

/// Serves one connection until it is closed.
pub(super) async fn serve(connection: Connection) {
    let block = Bytes::from(vec![0x5a; CHUNK_BYTES]);
    while let Ok((send, recv)) = connection.accept_bi().await {
        tokio::spawn(answer(send, recv, block.clone()));
    }
}

async fn answer(mut send: SendStream, mut recv: RecvStream, block: Bytes) -> Outcome<()> {
    let mut asked = [0; SMALL_BYTES];
    recv.read_exact(&mut asked).await?;
    match asked[0] {
        BULK => {
            let mut pull = [0; PULL_BYTES];
            while more(recv.read_exact(&mut pull).await)? {
                send.write_chunk(block.clone()).await?;
            }
        }
        PING_PONG => {
            send.write_all(&asked).await?;
            while more(recv.read_exact(&mut asked).await)? {
                send.write_all(&asked).await?;
            }
        }
        _ => {
            send.write_all(&asked).await?;
            send.finish()?;
            recv.read_to_end(0).await?;
            return Ok(());
        }
    }
    send.finish()?;
    Ok(())
}

/// Whether it was read, or the stream has ended.
fn more(read: Result<(), ReadExactError>) -> Outcome<bool> {
    match read {
        Ok(()) => Ok(true),
        Err(ReadExactError::FinishedEarly(0)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
