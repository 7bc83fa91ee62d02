use super::*;
use crate::testing::SetWall;
use shardwire_model::{PeerId, Trust};
use shardwire_telemetry::Telemetry;
use tokio::time::advance;

const NOON: u64 = 1_800_000_000_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

fn peer(number: u8) -> PeerId {
    PeerId([number; 32])
}

fn clock() -> (Arc<NodeClock>, Arc<SetWall>) {
    let wall = SetWall::at(Timestamp(NOON));
    (NodeClock::begin(wall.clone(), &Telemetry::default()), wall)
}

/// Looks once a second, for so many seconds.
async fn pass(clock: &NodeClock, seconds: u64) {
    for _ in 0..seconds {
        advance(LOOK_EVERY).await;
        clock.look();
    }
}

/// The same, while peers with these numbers say that their clocks are so far ahead of the steady date.
async fn pass_hearing(clock: &NodeClock, words: &[(u8, i64)], seconds: u64) {
    for _ in 0..seconds {
        words.iter().for_each(|(number, ahead)| clock.heard(peer(*number), *ahead));
        pass(clock, 1).await;
    }
}

fn passed(clock: &NodeClock) -> i64 {
    clock.now().ahead_of(Timestamp(NOON))
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_for_a_moment_changes_no_date() {
    for by in [2 * DAY, -2 * DAY, 60_000] {
        let (clock, wall) = clock();
        pass(&clock, 10).await;
        wall.jump(by);
        pass(&clock, 3).await;
        assert_eq!(clock.reading().jumped_ms, Some(by));
        wall.jump(-by);
        pass(&clock, 7).await;
        assert_eq!((passed(&clock), clock.reading().jumped_ms), (20_000, None));
        assert_eq!(clock.steady(), clock.now());
    }
}

#[tokio::test(start_paused = true)]
async fn a_jump_that_holds_is_believed_after_ten_minutes_and_steady_time_goes_on_without_it() {
    for by in [2 * DAY, -2 * DAY] {
        let (clock, wall) = clock();
        wall.jump(by);
        pass(&clock, BELIEVED_AFTER.as_secs()).await;
        assert_eq!(passed(&clock), 600_000, "one second is missing");
        pass(&clock, 1).await;
        assert_eq!((passed(&clock), clock.reading().jumped_ms), (601_000 + by, None));
        assert_eq!(clock.steady().ahead_of(Timestamp(NOON)), 601_000);
    }
}

#[tokio::test(start_paused = true)]
async fn a_jump_that_moves_on_begins_to_hold_anew() {
    let (clock, wall) = clock();
    for _ in 0..10 {
        wall.jump(DAY);
        pass(&clock, BELIEVED_AFTER.as_secs() - 1).await;
    }
    assert_eq!(passed(&clock), 5_990_000);
    // A clock that runs at twice its rate never holds.
    let (clock, wall) = self::clock();
    for _ in 0..2000 {
        wall.jump(1000);
        pass(&clock, 1).await;
    }
    assert!(passed(&clock) <= 2_000_000 + 50, "{}", passed(&clock));
}

#[tokio::test(start_paused = true)]
async fn a_small_difference_is_followed_slowly() {
    let (clock, wall) = clock();
    wall.jump(1000);
    pass(&clock, 100).await;
    assert_eq!(passed(&clock), 100_500);
    pass(&clock, 100).await;
    assert!((200_990..=201_000).contains(&passed(&clock)), "{}", passed(&clock));
    assert_eq!(clock.reading().jumped_ms, None);
}

#[tokio::test(start_paused = true)]
async fn a_jump_that_peers_contradict_is_not_believed_however_long_it_holds() {
    let (clock, wall) = clock();
    clock.heard(peer(1), 300);
    wall.jump(2 * DAY);
    pass_hearing(&clock, &[(1, 300)], 10_000).await;
    assert_eq!((passed(&clock), clock.trust()), (10_000_000, Trust::Confirmed));
    // Our clock is as theirs: it was the peers' date all the time.
    clock.heard(peer(1), 2 * DAY);
    pass(&clock, 1).await;
    assert_eq!(passed(&clock), 10_001_000 + 2 * DAY);
}

#[tokio::test(start_paused = true)]
async fn a_date_is_relied_on_when_most_peers_have_it_or_nobody_could_be_asked_for_long_enough() {
    let (clock, _) = clock();
    assert_eq!(clock.trust(), Trust::Unconfirmed);
    pass(&clock, ALONE_AFTER.as_secs() - 1).await;
    assert_eq!(clock.trust(), Trust::Unconfirmed);
    pass(&clock, 1).await;
    assert_eq!(clock.trust(), Trust::Confirmed, "alone");
    let (clock, wall) = self::clock();
    // It starts two days ahead.
    clock.heard(peer(1), -2 * DAY);
    assert_eq!(clock.trust(), Trust::Contradicted);
    pass_hearing(&clock, &[(1, -2 * DAY)], 10 * ALONE_AFTER.as_secs()).await;
    assert_eq!(clock.trust(), Trust::Contradicted, "time alone doesn't make it right");
    clock.heard(peer(2), 1000);
    assert_eq!(clock.trust(), Trust::Confirmed, "one against one");
    clock.heard(peer(3), -2 * DAY);
    assert_eq!(clock.trust(), Trust::Contradicted);
    // The clock is corrected, and the other peer's as well.
    wall.jump(-2 * DAY);
    let right = [1, 2, 3].map(|number| (number, -2 * DAY));
    pass_hearing(&clock, &right, 1).await;
    assert_eq!(clock.trust(), Trust::Contradicted);
    pass_hearing(&clock, &right, BELIEVED_AFTER.as_secs()).await;
    assert_eq!(clock.trust(), Trust::Confirmed);
}

#[tokio::test(start_paused = true)]
async fn a_date_from_which_the_system_clock_has_gone_is_not_confirmed_by_time_alone() {
    // It starts two days ahead, and a time service sets it right half a minute later: ten minutes after the start that isn't believed yet.
    let wall = SetWall::at(Timestamp(NOON).moved(2 * DAY));
    let clock = NodeClock::begin(wall.clone(), &Telemetry::default());
    pass(&clock, 30).await;
    wall.jump(-2 * DAY);
    pass(&clock, BELIEVED_AFTER.as_secs()).await;
    assert_eq!((passed(&clock), clock.trust()), (2 * DAY + 630_000, Trust::Unconfirmed));
    pass(&clock, 1).await;
    assert_eq!((passed(&clock), clock.trust()), (631_000, Trust::Confirmed));
    // What is confirmed stays so when the clock jumps later.
    wall.jump(DAY);
    pass(&clock, 10).await;
    assert_eq!(clock.trust(), Trust::Confirmed);
}

#[tokio::test(start_paused = true)]
async fn no_more_peers_are_heard_than_there_is_room_for() {
    let (clock, _) = clock();
    (0..=u8::MAX).for_each(|number| clock.heard(peer(number), 0));
    assert_eq!(clock.reading().agree, MAX_WORDS);
    clock.forget(peer(u8::MAX));
    assert_eq!(clock.reading().agree, MAX_WORDS - 1);
}

/// A fixed bug: the word of a peer that was gone for good counted until a restart, so a settler started nothing any more; and 64 of them kept everybody else's from being heard.
#[tokio::test(start_paused = true)]
async fn who_is_gone_has_no_say_any_more_and_takes_nobodys_place() {
    let (clock, wall) = clock();
    pass(&clock, ALONE_AFTER.as_secs()).await;
    clock.heard(peer(1), 3_600_000);
    pass(&clock, HEARD_FOR.as_secs() - 1).await;
    assert_eq!(clock.trust(), Trust::Contradicted);
    pass(&clock, 1).await;
    let reading = clock.reading();
    assert_eq!((reading.trust, reading.agree, reading.apart), (Trust::Unconfirmed, 0, 0), "it may have been right");
    pass(&clock, ALONE_AFTER.as_secs()).await;
    assert_eq!(clock.trust(), Trust::Confirmed);
    // So it is if the word was right, and the clock is set while nobody can be asked: the date isn't relied on before that is believed.
    clock.heard(peer(1), 3_600_000);
    pass(&clock, 1).await;
    wall.jump(3_600_000);
    pass(&clock, BELIEVED_AFTER.as_secs() - 1).await;
    assert_eq!(clock.trust(), Trust::Unconfirmed);
    pass(&clock, ALONE_AFTER.as_secs()).await;
    assert_eq!((clock.trust(), clock.reading().jumped_ms), (Trust::Confirmed, None));

    (2..=u8::MAX).for_each(|number| clock.heard(peer(number), 0));
    pass(&clock, 1).await;
    clock.heard(peer(1), 3_600_000);
    assert!(clock.heard_of().contains(&peer(1)) && clock.heard_of().len() == MAX_WORDS);
}
