//! Attacks that need no protocol: floods, frames that are too long, streams that are held open, pings.

use super::{IMPATIENT, Kind, Meeting, Outcome, counted};
use shardwire_transport::{Connection, Identity};
use std::{net::Ipv4Addr, time::Duration};
use tokio::{
    net::UdpSocket,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

/// First datagrams of handshakes that a flood sends in a second: 20 Mbit/s.
const FLOOD_PER_S: u32 = 2_000;
/// Different datagrams, sent repeatedly: a victim that keeps no state sees a new caller in each.
const DATAGRAMS: usize = 512;
/// Datagrams sent at once.
const BURST: u32 = 10;
/// Streams that a slow loris holds open.
const HELD: usize = 200;
/// Sessions in which pings are sent.
const PINGED: usize = 8;
/// The header of a session of keepalive, version 1.
const HEADER: &[u8] = b"\x0b\x09keepalive\x01";
/// A ping, tag and length before it.
const PING: &[u8] = &[0, 1, 5];

/// Opens sessions as fast as it can, and reads nothing.
pub(super) async fn open_sessions(connection: &Connection) -> Outcome<()> {
    loop {
        let (mut send, _) = connection.quinn().open_bi().await?;
        send.write_all(&[HEADER, PING].concat()).await?;
        counted(Kind::StreamFlood).acted();
    }
}

/// Announces a frame of 256 MiB.
pub(super) async fn announce_too_much(connection: &Connection, kind: Kind) -> Outcome<()> {
    let (mut send, mut recv) = connection.quinn().open_bi().await?;
    send.write_all(&[HEADER, &[0, 0xff, 0xff, 0xff, 0x7f]].concat()).await?;
    counted(kind).acted();
    let _ = timeout(IMPATIENT, recv.read_to_end(64)).await; // it is reset
    Ok(())
}

/// Holds streams open with a byte a second each.
pub(super) async fn dawdle(connection: &Connection) -> Outcome<()> {
    let mut held = Vec::new();
    loop {
        if held.len() < HELD {
            held.push((connection.quinn().open_bi().await?, 0));
            counted(Kind::SlowLoris).acted();
        }
        let begun = held.len() == HELD;
        let first = if begun { 0 } else { held.len() - 1 };
        for ((mut send, recv), said) in held.split_off(first) {
            let byte = HEADER.get(said).copied().unwrap_or(0);
            // In the place of one that is refused another one comes.
            if send.write_all(&[byte]).await.is_ok() {
                held.push(((send, recv), said + 1));
            }
        }
        if begun {
            sleep(Duration::from_secs(1)).await;
        }
        if connection.is_closed() {
            return Ok(());
        }
    }
}

/// Pings on several sessions, on each again as soon as the answer has come: more ahead would be a violation.
pub(super) async fn ping_on(connection: &Connection) -> Outcome<()> {
    let mut sessions = JoinSet::new();
    for _ in 0..PINGED {
        let (mut send, mut recv) = connection.quinn().open_bi().await?;
        sessions.spawn(async move {
            send.write_all(HEADER).await?;
            let mut heard = [0; 4096];
            loop {
                send.write_all(PING).await?;
                if recv.read(&mut heard).await?.is_none() {
                    return Outcome::Ok(());
                }
                counted(Kind::Ping).acted();
            }
        });
    }
    while sessions.join_next().await.is_some() {}
    Ok(())
}

/// First datagrams of handshakes, recorded once and sent for ever.
pub(super) async fn flood(from: Ipv4Addr, victim: &Meeting) -> Outcome<()> {
    let sink = UdpSocket::bind((from, 0)).await?;
    let endpoint = Meeting::endpoint(from, Identity::generate(&mut rand::rng()))?;
    let mut dials = JoinSet::new();
    let mut datagrams: Vec<Vec<u8>> = Vec::new();
    let mut buffer = vec![0; 2048];
    while datagrams.len() < DATAGRAMS {
        let (endpoint, to) = (endpoint.clone(), sink.local_addr()?);
        dials.spawn(async move { drop(timeout(Duration::from_millis(50), endpoint.connect(to, None)).await) });
        let (length, _) = sink.recv_from(&mut buffer).await?;
        let datagram = buffer.get(..length).unwrap_or_default();
        // A repeated datagram begins with the same connection id.
        if length >= 1200 && !datagrams.iter().any(|known| known.get(..24) == datagram.get(..24)) {
            datagrams.push(datagram.to_vec());
        }
    }
    dials.shutdown().await;
    let socket = UdpSocket::bind((from, 0)).await?;
    let mut ticks = interval(Duration::from_secs(1) * BURST / FLOOD_PER_S);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut all = datagrams.iter().cycle();
    loop {
        ticks.tick().await;
        for datagram in all.by_ref().take(BURST as usize) {
            // A full queue means that the system takes no more.
            let _ = socket.try_send_to(datagram, victim.address);
            counted(Kind::HandshakeFlood).tried();
        }
    }
}
