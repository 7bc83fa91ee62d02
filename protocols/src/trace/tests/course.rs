//! What happens between a prover and an operator that both behave.

use super::operator::{Operator, Run, chunk, ending, fetch_all, leased, meet, offer, offered, operator, prover};
use crate::{
    testing::{DiskFull, distant_halves},
    timing::{HOLD, NEXT},
    trace::{
        Claimed, Client, DEPTH, DeclineReason, Finished, Next, Progressed, ProverStage, Pulled, REPORT_EVERY,
        RefusalReason, ResumableJob, Trace, serve,
    },
};
use shardwire_model::{Hash, Timestamp};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

#[tokio::test(start_paused = true)]
async fn a_live_run_is_streamed_proven_and_finished() {
    const CHUNKS: u32 = 40;
    let (operator, run) = Operator::new(Run { produced: 1, ended: false });
    let (a, b) = meet();
    let produce = async {
        for produced in 2..=CHUNKS {
            // Some chunks come while a pull is held, others later than any pull is held.
            sleep(Duration::from_secs(u64::from(produced % 5) * 9)).await;
            run.send_modify(|run| run.produced = produced);
        }
        sleep(Duration::from_secs(40)).await;
        run.send_modify(|run| run.ended = true);
    };
    let prove = async {
        let mut fetch = leased(a).await;
        let (came, end) = fetch_all(&mut fetch).await.unwrap();
        assert!(came.into_iter().eq(0..CHUNKS), "in order, each once");
        assert_eq!(end, ending(CHUNKS));
        let mut working = fetch.stop().await.unwrap();
        for done in 0..20 {
            sleep(REPORT_EVERY).await;
            let (progressed, next) = working.report(ProverStage::Proving, done, 20).await.unwrap();
            assert_eq!(progressed, Progressed::Renewed { expires: Timestamp(70_000) });
            working = next;
        }
        assert_eq!(working.finish(Hash::of(b"proof")).await.unwrap(), Finished::Acknowledged);
    };
    let ((), (), served) = tokio::join!(produce, prove, serve(b, &operator));
    served.unwrap();
    let heard = operator.heard.lock().unwrap();
    assert_eq!(heard.notes.last(), Some(&format!("finished {}", Hash::of(b"proof"))));
    assert!(heard.served.values().all(|times| *times == 1));
    // Waiting costs little: a round of pulls is repeated after HOLD only, not as fast as the network allows.
    let most = heard.asked.values().max().unwrap();
    assert!(*most <= 20, "a chunk was asked for {most} times in twelve minutes");
}

#[tokio::test(start_paused = true)]
async fn a_pull_is_held_for_a_while_and_those_behind_it_are_not() {
    let (operator, run) = Operator::new(Run { produced: 1, ended: false });
    let (a, b) = meet();
    let prove = async {
        let mut fetch = leased(a).await;
        assert_eq!(fetch.next().await.unwrap(), Pulled::Chunk(chunk(0)));
        // Nothing more for three rounds; then one chunk and the end.
        let began = Instant::now();
        assert!(timeout(3 * HOLD, fetch.next()).await.is_err(), "nothing has come");
        assert_eq!(fetch.outstanding(), DEPTH);
        let asked = operator.heard.lock().unwrap().asked.clone();
        assert!(asked.values().all(|times| *times <= 4), "{asked:?}");
        run.send_modify(|run| run.produced = 2);
        assert_eq!(fetch.next().await.unwrap(), Pulled::Chunk(chunk(1)));
        assert_eq!(began.elapsed(), 3 * HOLD, "it comes when it exists");
        run.send_modify(|run| run.ended = true);
        assert_eq!(fetch.next().await.unwrap(), Pulled::End(ending(2).into()));
        assert_eq!(began.elapsed(), 3 * HOLD);
        fetch.stop().await.unwrap().finish(Hash::default()).await.unwrap();
    };
    let ((), served) = tokio::join!(prove, serve(b, &operator));
    served.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_chunk_costs_no_round_trip() {
    const CHUNKS: u32 = 240;
    let operator_side = Operator::with(CHUNKS);
    let (a, b) = distant_halves::<Trace>(&prover(), &operator(), Duration::from_millis(50));
    let prove = async {
        let mut fetch = leased(a).await;
        let began = Instant::now();
        let (came, _) = fetch_all(&mut fetch).await.unwrap();
        assert_eq!(came.len(), CHUNKS as usize);
        let took = began.elapsed();
        fetch.stop().await.unwrap().finish(Hash::default()).await.unwrap();
        took
    };
    let (took, served) = tokio::join!(prove, serve(b, &operator_side));
    served.unwrap();
    let round_trip = Duration::from_millis(100);
    let windows = CHUNKS / u32::try_from(DEPTH).unwrap() + 2;
    assert!(took <= round_trip * windows + Duration::from_millis(windows.into()), "{took:?}");
}

#[tokio::test]
async fn pulls_are_sent_ahead_up_to_the_depth() {
    let (operator, _run) = Operator::new(Run { produced: 1, ended: false });
    let (a, b) = meet();
    let prove = async {
        let mut fetch = leased(a).await;
        assert_eq!(fetch.next().await.unwrap(), Pulled::Chunk(chunk(0)));
        assert_eq!(fetch.outstanding(), DEPTH - 1);
        tokio::select! { biased;
            _ = fetch.next() => panic!("there is no further chunk"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(fetch.outstanding(), DEPTH);
    };
    tokio::select! { biased;
        served = serve(b, &operator) => panic!("{served:?}"),
        () = prove => {}
    }
}

#[tokio::test]
async fn a_prover_that_lost_its_channel_at_any_chunk_resumes_with_what_it_has() {
    const CHUNKS: u32 = 30;
    for cut in 0..=CHUNKS {
        let operator = Operator::with(CHUNKS);
        let mut have = Vec::new();
        let (a, b) = meet();
        let first = async {
            let mut fetch = leased(a).await;
            while have.len() < cut as usize {
                let Pulled::Chunk(chunk) = fetch.next().await.unwrap() else { panic!("no chunk") };
                have.push((chunk.index, chunk.hash));
            }
            // The channel is gone here, with pulls under way.
        };
        let ((), served) = tokio::join!(first, serve(b, &operator));
        assert!(served.is_err(), "the operator's half sees it");
        operator.heard.lock().unwrap().served.clear();

        let (a, b) = meet();
        let second = async {
            let begun = [ResumableJob { job: offer().job, have: cut }];
            let Claimed::Leased(_, mut fetch) = offered(a, &begun).await.claim().await.unwrap() else { panic!() };
            assert_eq!(fetch.epoch(), 2);
            fetch.resume(have.clone());
            let (came, end) = fetch_all(&mut fetch).await.unwrap();
            assert!(came.into_iter().eq(cut..CHUNKS), "only what is missing");
            assert_eq!(end, ending(CHUNKS));
            fetch.stop().await.unwrap().finish(Hash::default()).await.unwrap();
        };
        let ((), served) = tokio::join!(second, serve(b, &operator));
        served.unwrap();
        let heard = operator.heard.lock().unwrap();
        assert!(heard.served.keys().all(|index| *index >= cut) && heard.served.values().all(|times| *times == 1));
    }
}

#[tokio::test]
async fn holes_are_filled_and_chunks_of_another_run_are_fetched_again() {
    let operator = Operator::with(20);
    let (a, b) = meet();
    let prove = async {
        let mut fetch = leased(a).await;
        let kept = [0, 1, 4, 5, 17].map(|index| (index, chunk(index).hash));
        let of_another_run = [(9, Hash::of(b"other")), (25, Hash::of(b"beyond")), (u32::MAX, Hash::default())];
        fetch.resume(kept.into_iter().chain(of_another_run));
        let (mut came, _) = fetch_all(&mut fetch).await.unwrap();
        came.sort_unstable();
        assert!(came.into_iter().eq((0..20).filter(|index| ![0, 1, 4, 5, 17].contains(index))));
        fetch.stop().await.unwrap().finish(Hash::default()).await.unwrap();
    };
    let ((), served) = tokio::join!(prove, serve(b, &operator));
    served.unwrap();
}

#[tokio::test]
async fn a_lease_that_another_prover_took_is_lost_everywhere() {
    let operator = Operator::with(30);
    let (a, b) = meet();
    let prove = async {
        let mut fetch = leased(a).await;
        assert!(matches!(fetch.next().await.unwrap(), Pulled::Chunk(_)));
        operator.heard.lock().unwrap().epoch = 9;
        let lost = loop {
            match fetch.next().await.unwrap() {
                Pulled::Chunk(_) => {}
                other => break other,
            }
        };
        assert_eq!(lost, Pulled::Lost { epoch: 9 });
        let working = fetch.stop().await.unwrap();
        let (progressed, working) = working.report(ProverStage::Proving, 0, 0).await.unwrap();
        assert_eq!(progressed, Progressed::Lost { epoch: 9 });
        assert_eq!(working.finish(Hash::default()).await.unwrap(), Finished::Lost { epoch: 9 });
    };
    let ((), served) = tokio::join!(prove, serve(b, &operator));
    served.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_job_is_declined_given_up_in_the_middle_or_refused() {
    let operator = Operator::with(30);
    let (a, b) = meet();
    let prove = async {
        let client = offered(a, &[]).await.decline(DeclineReason::GivenUp, DiskFull).await.unwrap();
        let Next::Offered(_, offered) = client.ready(&[]).await.unwrap() else { panic!("nothing") };
        let Claimed::Leased(_, mut fetch) = offered.claim().await.unwrap() else { panic!("refused") };
        assert!(matches!(fetch.next().await.unwrap(), Pulled::Chunk(_)));
        fetch.stop().await.unwrap().abandon(DiskFull).await.unwrap();
    };
    let ((), served) = tokio::join!(prove, serve(b, &operator));
    served.unwrap();
    let notes = std::mem::take(&mut operator.heard.lock().unwrap().notes);
    assert_eq!(notes[1], "declined: the disk is full (SW-TEST-001)");
    assert_eq!(notes[3], "abandoned epoch 1: the disk is full (SW-TEST-001)");

    operator.heard.lock().unwrap().notes.push("finished".into());
    let (a, b) = meet();
    let refused = async {
        let Claimed::Refused(refused, client) = offered(a, &[]).await.claim().await.unwrap() else { panic!("leased") };
        assert_eq!(refused.reason, RefusalReason::Leased);
        assert_eq!(refused.cause.to_string(), "the job is proven (SW-OPERATOR-002)");
        client.close().await.unwrap();
    };
    let ((), served) = tokio::join!(refused, serve(b, &operator));
    served.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_operator_without_a_job_answers_nothing_and_a_silent_prover_is_given_up() {
    let (operator, _run) = Operator::new(Run { produced: 0, ended: false });
    let (a, b) = meet();
    let ask = async {
        let began = Instant::now();
        let client = Client::new(a, prover().peer());
        let Next::Nothing(client) = client.ready(&[]).await.unwrap() else { panic!("a job") };
        assert_eq!(began.elapsed(), HOLD);
        client
    };
    let began = Instant::now();
    let (client, served) = tokio::join!(ask, serve(b, &operator));
    let error = served.unwrap_err();
    assert!(error.to_string().contains("awaiting Ready | Bye: nothing came within 60s"), "{error}");
    assert_eq!(began.elapsed(), HOLD + NEXT);
    drop(client);
}
