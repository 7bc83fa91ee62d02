//! Sessions over real QUIC on the loopback interface.

mod bulk;

use bulk::*;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use shardwire_model::Coded;
use shardwire_transport::*;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::task::JoinSet;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn endpoint(seed: u64) -> Endpoint {
    endpoint_with(seed, &Settings::default())
}

fn endpoint_with(seed: u64, settings: &Settings) -> Endpoint {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let identity = Identity::generate(&mut rng);
    Endpoint::bind(LOOPBACK, identity, settings, &mut rng).unwrap()
}

async fn connected(a: &Endpoint, b: &Endpoint) -> (Connection, Connection) {
    let (dialled, accepted) = tokio::join!(a.connect(b.address(), Some(b.identity().peer())), async {
        b.accept().await.unwrap().admit().await
    });
    (dialled.unwrap(), accepted.unwrap())
}

#[tokio::test]
async fn both_sides_know_who_the_other_is() {
    let (a, b) = (endpoint(1), endpoint(2));
    let (dialled, accepted) = connected(&a, &b).await;
    assert_eq!(dialled.peer(), b.identity().peer());
    assert_eq!(accepted.peer(), a.identity().peer());
    assert_ne!(a.identity().peer(), b.identity().peer());

    // A close in good order is distinguished from a loss.
    dialled.close();
    assert_eq!(accepted.closed().await, LostCause::Closed);
    let lost = accepted.accept().await.unwrap_err();
    assert_eq!(
        format!("{} {lost}", lost.code()),
        format!(
            "SW-SESSION-021 connection with peer {} was lost, awaiting a session: the peer closed the connection",
            a.identity().peer().short()
        )
    );
}

#[tokio::test]
async fn a_guard_keeps_out_what_would_begin_a_connection_and_nothing_of_those_that_there_are() {
    let (a, b, c) = (endpoint(1), endpoint(2), endpoint(3));
    let (dialled, accepted) = connected(&a, &b).await;
    let kept_out = Arc::new(AtomicUsize::new(0));
    let counted = kept_out.clone();
    b.guard(move |address| {
        assert_eq!(address, LOOPBACK.ip());
        counted.fetch_add(1, Ordering::Relaxed);
        false
    });
    let to = b.address();
    let dials = tokio::spawn(async move { c.connect(to, None).await.map(drop) });
    // It is sent again and again: none of them gets an answer.
    while kept_out.load(Ordering::Relaxed) < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(!dials.is_finished());
    dials.abort();
    // Both directions of the other connection go on.
    dialled.close();
    assert_eq!(accepted.closed().await, LostCause::Closed);
}

#[tokio::test]
async fn a_peer_that_is_turned_away_learns_when_to_come_again() {
    let (a, b) = (endpoint(1), endpoint(2));
    let (dialled, accepted) = connected(&a, &b).await;
    accepted.turn_away(std::time::Duration::from_secs(60));
    assert_eq!(dialled.closed().await, LostCause::Reset(WireCode::RetryAfter { ms: 60_000 }));
    let lost = dialled.open::<Bulk>().await.map(drop).unwrap_err();
    assert_eq!(lost.retry_after(), Some(std::time::Duration::from_secs(60)));
}

#[tokio::test]
async fn a_peer_other_than_expected_is_refused() {
    let (a, b, c) = (endpoint(1), endpoint(2), endpoint(3));
    let (dialled, accepted) = tokio::join!(a.connect(b.address(), Some(c.identity().peer())), async {
        b.accept().await.unwrap().admit().await.map(|connection| connection.peer())
    });
    let error = dialled.unwrap_err();
    let (found, expected) = (b.identity().peer(), c.identity().peer());
    assert_eq!(error.to_string(), format!("{} is peer {found}, not {expected}", b.address()));
    assert_eq!(error.code(), "SW-TRANSPORT-020");
    assert!(error.next_step().starts_with("Check the peer's address and id"));
    assert!(accepted.is_err());
}

#[tokio::test]
async fn an_arrival_can_be_refused_before_its_handshake() {
    let (a, b) = (endpoint(1), endpoint(2));
    let (dialled, ()) = tokio::join!(a.connect(b.address(), None), async { b.accept().await.unwrap().refuse() });
    let error = dialled.unwrap_err();
    assert_eq!(error.to_string(), format!("{} refused the connection", b.address()));
    assert_eq!(error.code(), "SW-TRANSPORT-023");

    // A peer that has shown its address is admitted.
    let (dialled, accepted) = tokio::join!(a.connect(b.address(), None), async {
        b.accept().await.unwrap().retry();
        let again = b.accept().await.unwrap();
        assert!(again.validated());
        again.admit().await
    });
    assert_eq!(dialled.unwrap().peer(), b.identity().peer());
    assert_eq!(accepted.unwrap().peer(), a.identity().peer());
}

#[tokio::test]
async fn a_port_in_use_is_said_to_be() {
    let a = endpoint(1);
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let identity = Identity::generate(&mut rng);
    let error = Endpoint::bind(a.address(), identity, &Settings::default(), &mut rng).unwrap_err();
    assert_eq!(error.to_string(), format!("UDP port {} at 127.0.0.1 is in use", a.address().port()));
    assert_eq!(error.code(), "SW-TRANSPORT-010");
    assert_eq!(
        error.next_step(),
        "Stop the program that has the port, perhaps another node; or listen on another one (0 lets the system choose)."
    );
}

#[tokio::test]
async fn settings_that_would_not_work_are_refused_at_the_start() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let settings = Settings { max_mtu: 9000, ..Settings::default() };
    let identity = Identity::generate(&mut rng);
    let error = Endpoint::bind(LOOPBACK, identity, &settings, &mut rng).unwrap_err();
    assert_eq!(error.code(), "SW-TRANSPORT-002");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_at_once_on_either_profile() {
    for profile in [Profile::Internet, Profile::Datacentre] {
        let (a, b) = (endpoint_with(1, &profile.into()), endpoint_with(2, &profile.into()));
        let (dialled, accepted) = connected(&a, &b).await;
        const SESSIONS: u32 = 300; // more than are allowed at once: the others wait
        let mut consumers = JoinSet::new();
        for n in 0..SESSIONS {
            consumers.spawn(consume(dialled.clone(), n % 7));
        }
        let mut producers = JoinSet::new();
        for _ in 0..SESSIONS {
            producers.spawn(produce(accepted.accept().await.unwrap()));
        }
        let consumed = consumers.join_all().await;
        assert!(consumed.iter().all(Result::is_ok), "{consumed:?}");
        let pulled: u32 = producers.join_all().await.into_iter().map(Result::unwrap).sum();
        assert_eq!(pulled, (0..SESSIONS).map(|n| n % 7).sum());
        assert!(dialled.stats().mtu <= Settings::from(profile).max_mtu);
    }
}

#[tokio::test]
async fn a_dropped_session_is_reset_and_its_connection_goes_on() {
    let (a, b) = (endpoint(1), endpoint(2));
    let (dialled, accepted) = connected(&a, &b).await;
    let session = dialled.open::<Bulk>().await.unwrap().send(Request { job: 1 }).await.unwrap();
    let served = accepted.accept().await.unwrap().serve::<Bulk>().await.unwrap();
    drop(served);
    let error = session.recv().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "bulk with peer {} was lost, awaiting Manifest: the peer failed for a reason of its own",
            b.identity().peer().short()
        )
    );

    // The same in the other direction.
    let session = dialled.open::<Bulk>().await.unwrap().send(Request { job: 1 }).await.unwrap();
    let (_, served) = accepted.accept().await.unwrap().serve::<Bulk>().await.unwrap().recv().await.unwrap();
    let served = served.send(Manifest { chunks: 0 }).await.unwrap().enter();
    session.abandon();
    let error = served.offer().await.unwrap_err();
    assert!(error.to_string().ends_with("awaiting Pull | Renew | Done: the peer gave the session up"), "{error}");

    let (consumed, produced) =
        tokio::join!(consume(dialled, 3), async { produce(accepted.accept().await.unwrap()).await });
    assert_eq!((consumed, produced), (Ok(()), Ok(3)));
}

#[tokio::test]
async fn a_protocol_that_is_not_served_is_refused() {
    let (a, b) = (endpoint(1), endpoint(2));
    let (dialled, accepted) = connected(&a, &b).await;
    let session = dialled.open::<Bulk>().await.unwrap().send(Request { job: 1 }).await.unwrap();
    let mut incoming = accepted.accept().await.unwrap();
    assert_eq!(incoming.header().await.unwrap(), &session::Header::new("bulk", 1).unwrap());
    assert!(incoming.is::<Bulk>());
    let _ = incoming.unserved();
    let error = session.recv().await.unwrap_err();
    assert!(
        error.to_string().ends_with("awaiting Manifest: the peer doesn't serve this protocol or version"),
        "{error}"
    );
    assert_eq!(error.next_step(), "Check which versions both sides run; the older one must upgrade.");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_socket_and_runtime_can_be_passed_in() {
    use quinn::Runtime;
    let runtime = std::sync::Arc::new(quinn::TokioRuntime);
    let bind = |secret: u8| {
        let socket = runtime.wrap_udp_socket(std::net::UdpSocket::bind(LOOPBACK).unwrap()).unwrap();
        let identity = Identity::from_secret(&[secret; 32]);
        Endpoint::with_socket(socket, runtime.clone(), identity, &Settings::default(), [secret; 32]).unwrap()
    };
    let (a, b) = (bind(1), bind(2));
    let (dialled, accepted) = connected(&a, &b).await;
    let (consumed, produced) =
        tokio::join!(consume(dialled, 2), async { produce(accepted.accept().await.unwrap()).await });
    assert_eq!((consumed, produced), (Ok(()), Ok(2)));
    tokio::join!(a.close(), b.close());
    assert_eq!(a.open_connections(), 0);
    assert!(b.accept().await.is_none());
}

#[tokio::test]
async fn sessions_that_nobody_reads_leave_room_for_the_others() {
    let (a, b) = (endpoint(31), endpoint(32));
    let (dialled, accepted) = connected(&a, &b).await;
    let taken = Arc::new(AtomicUsize::new(0));
    let serving = tokio::spawn({
        let taken = Arc::clone(&taken);
        async move {
            while let Ok(mut incoming) = accepted.accept().await {
                let taken = Arc::clone(&taken);
                tokio::spawn(async move {
                    incoming.header().await?;
                    if !incoming.is::<Bulk>() {
                        return echo(incoming).await;
                    }
                    let (_, session) = incoming.serve::<Bulk>().await?.recv().await?;
                    let mut session = session.send(Manifest { chunks: 0 }).await?.enter();
                    loop {
                        let Branch::First(pull) = session.offer().await? else { return Ok(()) };
                        let (pull, next) = pull.recv().await?;
                        session = next.send(chunk(pull.index)).await?.repeat();
                        taken.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        }
    });

    // As many bulk sessions as there may be, each with its whole window asked for and nothing collected.
    let mut stalled = Vec::new();
    for _ in 0..settings::BULK_SESSIONS {
        let session = dialled.open::<Bulk>().await.unwrap();
        let (_, session) = session.send(Request { job: 1 }).await.unwrap().recv().await.unwrap();
        let mut pipeline = session.enter().pipeline::<DEPTH>();
        for index in 0..DEPTH as u32 {
            pipeline.request(Pull { index }).await.unwrap();
        }
        stalled.push(pipeline);
    }
    let window = settings::SESSION_WINDOW_BYTES as usize / CHUNK_BYTES;
    while taken.load(Ordering::SeqCst) < settings::BULK_SESSIONS as usize * window {
        tokio::task::yield_now().await;
    }

    // Small sessions go on, both open and new ones.
    let mut long = dialled.open::<PingPong>().await.unwrap().enter();
    for number in 0..100 {
        let (pong, next) = long.choose(Ping(number)).await.unwrap().recv::<Pong, _>().await.unwrap();
        assert_eq!(pong.0, number);
        long = next.repeat();
        let one = dialled.open::<PingPong>().await.unwrap().enter();
        let (_, next) = one.choose(Ping(number)).await.unwrap().recv::<Pong, _>().await.unwrap();
        next.repeat().choose(Bye {}).await.unwrap().close().await.unwrap();
    }

    // One more bulk session waits for another to end.
    let another = dialled.open::<Bulk>();
    tokio::pin!(another);
    tokio::select! { biased;
        _ = &mut another => panic!("there was a place"),
        () = std::future::ready(()) => {}
    }
    stalled.pop().unwrap().abandon();
    another.await.unwrap().abandon();
    serving.abort();
}

#[tokio::test]
async fn serving_more_bulk_than_there_are_places_is_refused() {
    let (a, b) = (endpoint(33), endpoint(34));
    let (dialled, accepted) = connected(&a, &b).await;
    let mut opened = Vec::new();
    let mut served = Vec::new();
    for _ in 0..settings::BULK_SESSIONS {
        opened.push(dialled.open::<Upload>().await.unwrap().send(chunk(1)).await.unwrap());
        served.push(accepted.accept().await.unwrap().serve::<Upload>().await.unwrap());
    }
    let session = dialled.open::<Upload>().await.unwrap().send(chunk(1)).await.unwrap();
    let refused = accepted.accept().await.unwrap().serve::<Upload>().await.unwrap_err();
    assert_eq!(
        format!("{} {refused} | {}", refused.code(), refused.next_step()),
        "SW-SESSION-033 upload: there is no place for another session that carries bulk from this peer | \
         End one of the others first; the peer may try again."
    );
    let SessionError::Lost(lost) = session.recv::<Renewed, _>().await.unwrap_err() else { panic!("it was refused") };
    assert_eq!(lost.cause, LostCause::Reset(WireCode::Busy));
    served.pop().unwrap().abandon();
    let _session = dialled.open::<Upload>().await.unwrap().send(chunk(1)).await.unwrap();
    accepted.accept().await.unwrap().serve::<Upload>().await.unwrap().abandon();
}

async fn echo(incoming: Incoming) -> Result<(), SessionError> {
    let mut session = incoming.serve::<PingPong>().await?.enter();
    loop {
        session = offer!(session => {
            Ping(ping), next => next.send(Pong(ping.0)).await?.repeat(),
            Bye(_), end => return end.leave().await,
        });
    }
}
