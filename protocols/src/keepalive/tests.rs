use super::*;
use crate::testing::{SetClock, distant_halves, fits, halves, identity, reset, rule};
use shardwire_model::Timestamp;
use shardwire_transport::{Branch, WireCode};
use std::{sync::atomic::Ordering, time::Duration};
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn a_ping_measures_the_round_trip_and_the_skew_of_the_clocks() {
    let latency = Duration::from_millis(40);
    let (a, b) = distant_halves::<Keepalive>(&identity(1), &identity(2), latency);
    let (here, there) = (SetClock::default(), SetClock::default());
    here.0.store(50_000, Ordering::SeqCst);
    there.0.store(53_040, Ordering::SeqCst);
    let ask = async {
        let mut client = Client::new(a);
        for _ in 0..3 {
            let (measured, next) = client.ping(&here).await.unwrap();
            assert!(measured.round_trip.as_millis().abs_diff(80) <= 2, "{measured:?}");
            assert!(measured.skew_ms.abs_diff(3_000) <= 2, "{measured:?}");
            client = next;
            sleep(EVERY).await;
        }
        client.close().await.unwrap();
    };
    let ((), served) = tokio::join!(ask, serve(b, &there));
    served.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer_or_does_not_ask_is_given_up() {
    let (a, b) = halves::<Keepalive>(&identity(1), &identity(2));
    let began = Instant::now();
    let error = Client::new(a).ping(&SetClock::default()).await.unwrap_err();
    assert!(error.to_string().contains("awaiting Pong: nothing came within 10s"), "{error}");
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    drop(b);

    let (a, b) = halves::<Keepalive>(&identity(1), &identity(2));
    let began = Instant::now();
    let error = serve(b, &SetClock::default()).await.unwrap_err();
    assert!(error.to_string().contains("awaiting Ping | Bye: nothing came within 30s"), "{error}");
    assert_eq!(began.elapsed(), 3 * EVERY);
    drop(a);
}

#[tokio::test]
async fn a_pong_of_another_ping_is_the_peers_fault() {
    let (a, b) = halves::<Keepalive>(&identity(1), &identity(2));
    let cheat = async {
        let Branch::First(session) = b.enter().offer().await.unwrap() else { panic!("bye") };
        let (_, session) = session.recv::<Ping, _>().await.unwrap();
        let pong = Pong { sent: Timestamp(7), received: Timestamp(7) };
        let session = session.send(pong).await.unwrap().repeat();
        session.offer().await.map(drop)
    };
    let clock = SetClock::default();
    let (asked, ended) = tokio::join!(Client::new(a).ping(&clock), cheat);
    assert_eq!(rule(asked), "SW-KEEPALIVE-001 the pong is that of another ping");
    assert_eq!(reset(ended.map_err(Into::into)), WireCode::RuleBroken);
}

#[test]
fn the_largest_messages_fit() {
    let largest = Timestamp(u64::MAX);
    fits(&Ping { sent: largest });
    fits(&Pong { sent: largest, received: largest });
    fits(&Bye {});
}
