//! Every way in which a peer can break a protocol: the violation, the code that the peer sees, and that it ends in
//! time.

mod bulk;

use bulk::*;
use shardwire_model::Coded;
use shardwire_transport::{session::pair, *};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Length 6, `bulk`, version 1.
const HEADER: &[u8] = &[6, 4, b'b', b'u', b'l', b'k', 1];

/// The responder up to the loop, then one round of it, then the end.
async fn respond(channel: Channel) -> Result<(), SessionError> {
    let session = Incoming::new(channel).serve::<Bulk>().await?;
    let (_, session) = session.recv().await?;
    let session = session.send(Manifest { chunks: 1 }).await?.enter();
    match session.offer().await? {
        Branch::First(pull) => {
            let (pull, next) = pull.recv().await?;
            next.send(chunk(pull.index)).await?.abandon();
            Ok(())
        }
        Branch::Second(more) => match more.offer().await? {
            Branch::First(renew) => {
                renew.recv().await?.1.abandon();
                Ok(())
            }
            Branch::Second(done) => done.recv().await?.1.close().await,
        },
    }
}

/// Sends a responder these pieces, a second apart, and then the end of the stream or nothing. Returns its error as
/// people see it, the code that the peer sees, and how long it took.
async fn outcome(pieces: &[&[u8]], end: bool) -> (String, WireCode, Duration) {
    let (mut hostile, channel) = Channel::pair();
    let begin = Instant::now();
    let (error, told) = tokio::join!(respond(channel), async {
        for (n, piece) in pieces.iter().enumerate() {
            if n > 0 {
                sleep(Duration::from_secs(1)).await;
            }
            if !hostile.write_raw(piece.to_vec()).await {
                break;
            }
        }
        if end {
            hostile.finish_raw();
        }
        loop {
            match hostile.read_raw().await {
                Ok(Some(_)) => {}
                Ok(None) => break WireCode::Unknown(0),
                Err(code) => break code,
            }
        }
    });
    let error = error.unwrap_err();
    (format!("{} {error}", error.code()), told, begin.elapsed())
}

async fn expect(bytes: &[u8], end: bool, text: &str, told: WireCode) {
    let (error, code, _) = outcome(&[bytes], end).await;
    assert_eq!((error.as_str(), code), (text, told), "{bytes:?}");
}

fn after_header(bytes: &[u8]) -> Vec<u8> {
    [HEADER, bytes].concat()
}

/// Header and request: the responder is in its loop.
fn in_loop(bytes: &[u8]) -> Vec<u8> {
    [HEADER, &[1, 7], bytes].concat()
}

#[tokio::test(start_paused = true)]
async fn malformed_length() {
    let text = "SW-SESSION-001 bulk with peer a1a1a1a1a1, awaiting Request: a frame's length is not a number in its shortest form";
    expect(&after_header(&[0x81, 0x00, 7]), false, text, WireCode::Malformed).await;
}

#[tokio::test(start_paused = true)]
async fn malformed_message() {
    let text = "SW-SESSION-002 bulk with peer a1a1a1a1a1, awaiting Request: the frame is not that message: 1 bytes after the message";
    expect(&after_header(&[2, 7, 7]), false, text, WireCode::Malformed).await;
}

#[tokio::test(start_paused = true)]
async fn too_long_is_refused_on_its_announcement() {
    let text = "SW-SESSION-003 bulk with peer a1a1a1a1a1, awaiting Request: a frame of 268435455 bytes, where at most 4 are allowed";
    expect(&after_header(&[0xff, 0xff, 0xff, 0x7f]), false, text, WireCode::TooLong).await;
}

#[tokio::test(start_paused = true)]
async fn silence_is_late() {
    let (error, code, took) = outcome(&[&after_header(&[])], false).await;
    assert_eq!(error, "SW-SESSION-004 bulk with peer a1a1a1a1a1, awaiting Request: nothing came within 10s");
    assert_eq!((code, took), (WireCode::Late, Duration::from_secs(10)));
}

#[tokio::test(start_paused = true)]
async fn a_byte_at_a_time_has_the_deadline_of_the_whole() {
    let bytes: Vec<&[u8]> = [&[4][..]].into_iter().chain(std::iter::repeat_n(&[0x80][..], 3)).collect();
    let slow: Vec<&[u8]> = [HEADER].into_iter().chain(bytes).collect();
    let (error, code, took) = outcome(&slow, false).await;
    assert_eq!(error, "SW-SESSION-004 bulk with peer a1a1a1a1a1, awaiting Request: only 4 bytes of it came within 10s");
    assert_eq!((code, took), (WireCode::Late, Duration::from_secs(10)));
}

#[tokio::test(start_paused = true)]
async fn a_choice_has_the_longest_deadline_of_its_branches() {
    let (error, code, took) = outcome(&[&in_loop(&[])], false).await;
    assert_eq!(
        error,
        "SW-SESSION-004 bulk with peer a1a1a1a1a1, awaiting Pull | Renew | Done: nothing came within 600s"
    );
    assert_eq!((code, took), (WireCode::Late, Duration::from_secs(600)));
}

#[tokio::test(start_paused = true)]
async fn unread_is_stalled() {
    let (hostile, channel) = Channel::pair_between(channel::MEMORY_PEERS, 1000);
    let mut hostile = hostile;
    assert!(hostile.write_raw(in_loop(&[0, 1, 3])).await);
    let begin = Instant::now();
    let error = respond(channel).await.unwrap_err();
    assert_eq!(
        format!("{} {error}", error.code()),
        "SW-SESSION-005 bulk with peer a1a1a1a1a1, sending Chunk: our message was not taken within 60s"
    );
    assert_eq!(error.violation().map(Violation::blame), Some(Blame::Unclear));
    assert_eq!(begin.elapsed(), Duration::from_secs(60));
    assert_eq!(hostile.read_raw().await, Err(WireCode::Stalled));
}

#[tokio::test(start_paused = true)]
async fn more_requests_than_the_credit_are_out_of_turn_and_as_many_are_answered() {
    let pulls = |count: usize| {
        let pull = (0..count).flat_map(|index| [0, 1, u8::try_from(index % 100).unwrap()]);
        in_loop(&pull.collect::<Vec<_>>())
    };
    let text = "SW-SESSION-012 bulk with peer a1a1a1a1a1, sending Chunk: 210 bytes came that nobody asked for";
    expect(&pulls(DEPTH + 1), true, text, WireCode::OutOfTurn).await;
    // A request without a pipeline has a credit of one.
    let text = "SW-SESSION-012 bulk with peer a1a1a1a1a1, sending Renewed: 3 bytes came that nobody asked for";
    let (mut hostile, channel) = Channel::pair();
    assert!(hostile.write_raw(in_loop(&[1, 0, 0, 1, 0, 0])).await);
    let error = answer(Incoming::new(channel).serve::<Bulk>().await.unwrap()).await.unwrap_err();
    assert_eq!(format!("{} {error}", error.code()), text);
    assert_eq!(error.violation().map(Violation::blame), Some(Blame::Peer));
    assert_eq!(hostile.read_raw().await, Err(WireCode::OutOfTurn));

    let (mut honest, channel) = Channel::pair_between(channel::MEMORY_PEERS, 8 << 20);
    assert!(honest.write_raw(pulls(DEPTH)).await);
    let (answered, ()) =
        tokio::join!(async { answer(Incoming::new(channel).serve::<Bulk>().await.unwrap()).await }, async {
            // Every answer is there.
            sleep(Duration::from_millis(1)).await;
            assert!(honest.write_raw(vec![1, 1, 0]).await);
            honest.finish_raw();
        });
    assert_eq!(answered, Ok(u32::try_from(DEPTH).unwrap()));
}

/// Another branch is taken when every answer is there, and not before.
#[tokio::test(start_paused = true)]
async fn another_branch_before_the_answers_is_out_of_turn() {
    let text = |bytes| {
        format!("SW-SESSION-012 bulk with peer a1a1a1a1a1, sending Chunk: {bytes} bytes came that nobody asked for")
    };
    let (done, renew, pull) = ([1, 1, 0], [1, 0, 0], [0, 1, 5]);
    expect(&in_loop(&[pull, done].concat()), true, &text(3), WireCode::OutOfTurn).await;
    expect(&in_loop(&[pull, pull, renew].concat()), true, &text(6), WireCode::OutOfTurn).await;
    expect(&in_loop(&[&pull[..], &[1]].concat()), true, &text(1), WireCode::OutOfTurn).await;
}

#[tokio::test(start_paused = true)]
async fn unknown_branch() {
    let text =
        "SW-SESSION-006 bulk with peer a1a1a1a1a1, awaiting Pull | Renew | Done: branch tag 2 is neither 0 nor 1";
    expect(&in_loop(&[2]), false, text, WireCode::UnknownBranch).await;
    let text = "SW-SESSION-006 bulk with peer a1a1a1a1a1, awaiting Renew | Done: branch tag 255 is neither 0 nor 1";
    expect(&in_loop(&[1, 255]), false, text, WireCode::UnknownBranch).await;
}

#[tokio::test(start_paused = true)]
async fn an_early_end() {
    let text = "SW-SESSION-007 bulk with peer a1a1a1a1a1, awaiting Request: the peer ended the stream";
    expect(&after_header(&[]), true, text, WireCode::Truncated).await;
}

#[tokio::test(start_paused = true)]
async fn truncated() {
    let text = "SW-SESSION-008 bulk with peer a1a1a1a1a1, awaiting Request: the peer ended the stream after 3 bytes of a frame";
    expect(&after_header(&[3, 1, 1]), true, text, WireCode::Truncated).await;
}

#[tokio::test(start_paused = true)]
async fn data_after_the_end() {
    let text = "SW-SESSION-009 bulk with peer a1a1a1a1a1, at the end: 4 bytes came after the end of the protocol";
    expect(&in_loop(&[1, 1, 0, 9, 9, 9, 9]), true, text, WireCode::AfterEnd).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_ends() {
    let (error, code, took) = outcome(&[&in_loop(&[1, 1, 0])], false).await;
    assert_eq!(error, "SW-SESSION-004 bulk with peer a1a1a1a1a1, at the end: nothing came within 30s");
    // This side had ended before. That is what the peer sees, and its own writing is stopped.
    assert_eq!((code, took), (WireCode::Unknown(0), session::CLOSE_DEADLINE));
}

#[tokio::test(start_paused = true)]
async fn headers() {
    let text =
        "SW-SESSION-010 bulk with peer a1a1a1a1a1, awaiting Header: asked for bulk version 2, which is not served here";
    expect(&[6, 4, b'b', b'u', b'l', b'k', 2], false, text, WireCode::UnknownProtocol).await;
    let text = "SW-SESSION-002 ? with peer a1a1a1a1a1, awaiting Header: the frame is not that message: a protocol's name is 1 to 32 of a-z, 0-9 and -";
    expect(&[6, 4, b'b', b'\n', b'l', b'k', 1], false, text, WireCode::Malformed).await;
    let text =
        "SW-SESSION-003 ? with peer a1a1a1a1a1, awaiting Header: a frame of 37 bytes, where at most 36 are allowed";
    expect(&[37], false, text, WireCode::TooLong).await;
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_the_type_can_not_express() {
    let (mut hostile, channel) = Channel::pair();
    assert!(hostile.write_raw(HEADER.to_vec()).await);
    let session = Incoming::new(channel).serve::<Bulk>().await.unwrap();
    let error = session.broken("Request", "SW-TEST-001", "job 9 was never offered");
    assert_eq!(
        format!("{} {error}", error.code()),
        "SW-TEST-001 bulk with peer a1a1a1a1a1, awaiting Request: job 9 was never offered"
    );
    assert_eq!(error.violation().map(Violation::blame), Some(Blame::Peer));
    assert_eq!(hostile.read_raw().await, Err(WireCode::RuleBroken));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_session_is_reset_and_an_abandoned_one_too() {
    let (initiator, responder) = pair::<Bulk>();
    drop(responder);
    let error = initiator.send(Request { job: 1 }).await.unwrap_err();
    assert_eq!(
        format!("{} {error}", error.code()),
        "SW-SESSION-020 bulk with peer b2b2b2b2b2 was lost, sending Request: the peer failed for a reason of its own"
    );
    assert_eq!(error.next_step(), "It is the peer's own trouble: try again later. Its log says what failed.");
    assert!(error.is_transient());

    // A panic is told from that.
    let (initiator, responder) = pair::<Bulk>();
    let panics = tokio::spawn(async move {
        let _held = responder;
        panic!("on purpose");
    });
    assert!(panics.await.unwrap_err().is_panic());
    let error = initiator.send(Request { job: 1 }).await.unwrap_err();
    assert!(error.to_string().ends_with("sending Request: the peer's program let go of the session"), "{error}");
    assert!(error.is_transient());

    let (initiator, responder) = pair::<Bulk>();
    let session = initiator.send(Request { job: 1 }).await.unwrap();
    responder.recv().await.unwrap().1.abandon();
    let error = session.recv().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "bulk with peer b2b2b2b2b2 was lost, awaiting Manifest: the peer gave the session up"
    );
}

#[tokio::test(start_paused = true)]
async fn our_own_message_above_its_limit_is_our_fault() {
    let (mut peer, channel) = Channel::pair();
    assert!(peer.write_raw(in_loop(&[0, 1, 3])).await);
    let session = Incoming::new(channel).serve::<Bulk>().await.unwrap();
    let (_, session) = session.recv().await.unwrap();
    let session = session.send(Manifest { chunks: 1 }).await.unwrap().enter();
    let Branch::First(pull) = session.offer().await.unwrap() else { panic!("the tag is 0") };
    let (_, session) = pull.recv().await.unwrap();
    let error = session.send(Chunk { index: 3, bytes: vec![0; 65_600].into() }).await.unwrap_err();
    assert_eq!(
        format!("{} {error} | {}", error.code(), error.next_step()),
        "SW-SESSION-030 bulk: Chunk can't be sent: it has 65601 bytes, where at most 65600 are allowed | Split what is sent, or keep it within the message's limit."
    );
    assert_eq!(peer.read_raw().await, Err(WireCode::Failed)); // a reset overtakes what was under way, as in QUIC
}

#[tokio::test(start_paused = true)]
async fn arbitrary_bytes_end_a_responder_and_never_panic_it() {
    use rand_chacha::rand_core::{RngCore, SeedableRng};
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(3);
    for round in 0..2000 {
        let mut noise = vec![0; rng.next_u32() as usize % 200];
        rng.fill_bytes(&mut noise);
        let bytes = if round % 2 == 0 { after_header(&noise) } else { in_loop(&noise) };
        let (mut hostile, channel) = Channel::pair();
        assert!(hostile.write_raw(bytes).await);
        hostile.finish_raw();
        let _ = respond(channel).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_split_at_every_byte_reads_the_same() {
    let whole = in_loop(&[1, 1, 0]);
    for cut in 0..=whole.len() {
        let (mut peer, channel) = Channel::pair();
        let (ended, ()) = tokio::join!(respond(channel), async {
            assert!(peer.write_raw(whole[..cut].to_vec()).await);
            sleep(Duration::from_millis(1)).await;
            assert!(peer.write_raw(whole[cut..].to_vec()).await);
            peer.finish_raw();
        });
        assert_eq!(ended, Ok(()), "cut at {cut}");
    }
}
