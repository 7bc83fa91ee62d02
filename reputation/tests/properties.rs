//! What scores promise, for any history of events.

use proptest::prelude::*;
use shardwire_model::{PeerId, Timestamp};
use shardwire_reputation::{
    Blame, Breach, Event, HIGH_AT, Listing, MAX_BROKEN, MAX_COST, MAX_HARM, MAX_LATE, MAX_SCORE, MAX_WORK, NORMAL_AT,
    Policy, Quota, Quotas, RECOVERY_HALF_LIVES, Record, Records, Standing, Tier, TierQuotas, Work,
};
use std::{collections::BTreeMap, time::Duration};

/// A date, so that seconds since the epoch can't be confused with seconds since the start.
const START: Timestamp = Timestamp(1_790_000_000_000);

fn policy() -> Policy {
    Policy::default()
}

fn seconds(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn violation() -> Breach {
    Breach::Violation { code: "SW-SESSION-003", protocol: "trace".into(), state: "awaiting Chunk".into() }
}

fn breaches() -> impl Strategy<Value = Breach> {
    prop_oneof![
        Just(violation()),
        Just(Breach::Deadline { protocol: "proof".into(), state: "awaiting Ready".into() }),
        Just(Breach::Lease),
        Just(Breach::Proof),
        Just(Breach::Job),
        Just(Breach::Contradiction),
    ]
}

fn blames() -> impl Strategy<Value = Blame> {
    prop_oneof![Just(Blame::Peer), Just(Blame::Unclear), Just(Blame::Local)]
}

fn good() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Worked(Work::Proof)),
        Just(Event::Worked(Work::Lease)),
        prop_oneof![0u64..1 << 24, Just(u64::MAX)].prop_map(|bytes| Event::Worked(Work::Bytes(bytes))),
        prop_oneof![0u64..1000, Just(u64::MAX)].prop_map(|count| Event::Worked(Work::Transactions(count))),
    ]
}

fn bad() -> impl Strategy<Value = Event> {
    prop_oneof![
        (breaches(), blames()).prop_map(|(breach, blame)| Event::Broke { breach, blame }),
        (prop_oneof![0u64..1 << 30, Just(u64::MAX)], 0u64..100_000)
            .prop_map(|(bytes, ms)| Event::Spent { bytes, cpu: Duration::from_millis(ms) }),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![good(), bad()]
}

fn quota([frames_per_s, kib_per_s, sessions_per_s, sessions, leases]: [u32; 5]) -> Quota {
    Quota { frames_per_s, kib_per_s, sessions_per_s, sessions, leases }
}

/// Quotas of three tiers, none with less than the one below.
fn rising() -> impl Strategy<Value = [Quota; 3]> {
    prop::array::uniform3(prop::array::uniform5(0u32..4)).prop_map(|more| {
        let mut have = [1; 5];
        more.map(|more| {
            have.iter_mut().zip(more).for_each(|(have, more)| *have += more);
            quota(have)
        })
    })
}

/// Quotas in order, except perhaps for one protocol.
fn quotas() -> impl Strategy<Value = Quotas> {
    let other = prop::option::of((0usize..3, prop::array::uniform5(1u32..12)));
    (rising(), rising(), other).prop_map(|(others, trace, other)| {
        let tier =
            |at: usize| TierQuotas { others: others[at], protocols: BTreeMap::from([("trace".to_owned(), trace[at])]) };
        let mut tiers = [0, 1, 2].map(tier);
        if let Some((at, numbers)) = other {
            tiers[at].protocols.insert("proof".to_owned(), quota(numbers));
        }
        let [low, normal, high] = tiers;
        Quotas { low, normal, high }
    })
}

fn numbers(quota: &Quota) -> [u32; 5] {
    [quota.frames_per_s, quota.kib_per_s, quota.sessions_per_s, quota.sessions, quota.leases]
}

/// Events, each some seconds after the one before.
fn histories() -> impl Strategy<Value = Vec<(u64, Event)>> {
    prop::collection::vec((prop_oneof![0u64..5, 0u64..2000], events()), 0..60)
}

/// The record after a history, and the time of its last event.
fn lived(history: &[(u64, Event)]) -> (Record, u64) {
    history.iter().fold((Record::default(), 0), |(record, at), (pause, event)| {
        (record.after(event, seconds(at + pause), &policy()), at + pause)
    })
}

/// A rank in which a banned peer is below every peer that is admitted.
fn rank(record: &Record, now: Timestamp) -> (bool, u32) {
    (!record.ban().is_some_and(|ban| ban.holds(now)), record.score(now, &policy()))
}

proptest! {
    #[test]
    fn a_score_and_each_of_its_components_is_bounded(history in histories()) {
        let (record, now) = lived(&history);
        let components = record.components(seconds(now), &policy());
        prop_assert!(components.score() <= MAX_SCORE);
        prop_assert!(components.work <= MAX_WORK);
        prop_assert!(components.harm <= MAX_HARM);
        prop_assert!(components.broken <= MAX_BROKEN);
        prop_assert!(components.late <= MAX_LATE);
        prop_assert!(components.cost <= MAX_COST);
    }

    #[test]
    fn more_violations_never_raise_it(
        before in histories(), breach in breaches(), blame in blames(), pause in 0u64..2000, after in histories(),
        later in 0u64..200_000,
    ) {
        let one_more: Vec<_> = before.iter().cloned()
            .chain([(pause, Event::Broke { breach, blame })])
            .chain(after.iter().cloned())
            .collect();
        // The same without it, everything else at the same time.
        let mut without = before.clone();
        without.push((pause, Event::Worked(Work::Bytes(0))));
        without.extend(after);
        let ((more, at), (less, _)) = (lived(&one_more), lived(&without));
        let now = seconds(at + later);
        prop_assert!(more.score(now, &policy()) <= less.score(now, &policy()));
    }

    #[test]
    fn decay_is_monotone(history in histories(), first in 0u64..100_000, more in 0u64..100_000) {
        let (record, at) = lived(&history);
        let before = record.components(seconds(at + first), &policy());
        let after = record.components(seconds(at + first + more), &policy());
        prop_assert!(after.work <= before.work && after.harm <= before.harm && after.broken <= before.broken);
        prop_assert!(after.late <= before.late && after.cost <= before.cost);
    }

    #[test]
    fn a_clock_that_goes_backwards_forgets_nothing_and_panics_nowhere(
        dates in prop::collection::vec((any::<u64>(), events()), 0..30), end in any::<u64>(),
    ) {
        let latest = dates.iter().map(|(date, _)| *date).max().unwrap_or(0);
        let nothing = (latest, Event::Worked(Work::Bytes(0)));
        let record = dates.iter().chain([&nothing]).fold(Record::default(), |record, (date, event)| {
            record.after(event, Timestamp(*date), &policy())
        });
        prop_assert!(record.score(Timestamp(end), &policy()) <= MAX_SCORE);
        prop_assert_eq!(record.components(Timestamp(0), &policy()), record.components(Timestamp(latest), &policy()));
    }

    #[test]
    fn a_fresh_identity_never_has_more_than_one_with_a_record(history in histories(), later in 0u64..100_000) {
        let (record, at) = lived(&history);
        let now = seconds(at + later);
        prop_assert!(Record::default().score(now, &policy()) <= record.score(now, &policy()));
        prop_assert_eq!(Tier::of(Record::default().score(now, &policy())), Tier::Low);
    }

    #[test]
    fn a_node_with_a_local_fault_punishes_nobody(history in histories(), breaches in prop::collection::vec(breaches(), 1..50)) {
        let (record, at) = lived(&history);
        let faulty = breaches.into_iter().fold(record, |record, breach| {
            record.after(&Event::Broke { breach, blame: Blame::Local }, seconds(at), &policy())
        });
        prop_assert_eq!(faulty, record);
    }

    #[test]
    fn what_may_be_our_fault_never_bans_and_never_takes_a_full_record_out_of_its_tier(
        breaches in prop::collection::vec((0u64..100, breaches()), 1..100),
    ) {
        let full = (0..4).fold(Record::default(), |record, _| record.after(&Event::Worked(Work::Proof), START, &policy()));
        let mut at = 0;
        let record = breaches.into_iter().fold(full, |record, (pause, breach)| {
            at += pause;
            record.after(&Event::Broke { breach, blame: Blame::Unclear }, seconds(at), &policy())
        });
        prop_assert_eq!(record.ban(), None);
        prop_assert!(record.score(seconds(at), &policy()) >= HIGH_AT);
    }

    #[test]
    fn no_order_of_events_by_colluding_peers_lowers_an_honest_peers_score(
        honest in prop::collection::vec((0u64..5000, good()), 1..10),
        others in prop::collection::vec((0u64..50_000, 0u8..40, events()), 0..200),
        later in 0u64..20_000,
    ) {
        // Room for eight records only: forty colluders would displace others if they could.
        let peer = PeerId([255; 32]);
        let mut script: Vec<(u64, PeerId, Event)> =
            others.into_iter().map(|(at, who, event)| (at, PeerId([who; 32]), event)).collect();
        let own: Vec<(u64, PeerId, Event)> = honest.into_iter().map(|(at, event)| (at, peer, event)).collect();
        let first = own.iter().map(|(at, ..)| *at).min().unwrap_or(0);
        // A peer that never worked can't be told from the flood; the honest one has worked before the flood begins.
        script.iter_mut().for_each(|(at, ..)| *at += first);
        script.extend(own.iter().cloned());
        script.sort_by_key(|(at, who, _)| (*at, std::cmp::Reverse(*who)));
        let run = |script: &[(u64, PeerId, Event)]| {
            let mut book = Records::new(policy(), 8);
            for (at, who, event) in script {
                book.note(*who, event, seconds(*at));
            }
            book
        };
        let mut alone = own;
        alone.sort_by_key(|(at, ..)| *at);
        let now = seconds(script.last().map_or(0, |(at, ..)| *at) + later);
        prop_assume!(run(&alone[..1]).score(peer, seconds(first)) > 2);
        // Two points of work are still one when the script ends, and a peer with a point isn't forgotten.
        let (beside, alone) = (run(&script), run(&alone));
        prop_assert_eq!(beside.components(peer, now), alone.components(peer, now));
        prop_assert_eq!(beside.standing(peer, now), alone.standing(peer, now));
    }

    /// For all settings that are accepted, a better score never gives less.
    #[test]
    fn quotas_are_monotone_in_the_score(
        set in quotas(), scores in (0..=MAX_SCORE, 0..=MAX_SCORE),
    ) {
        let (less, more) = (scores.0.min(scores.1), scores.0.max(scores.1));
        if set.validate().is_ok() {
            for protocol in ["trace", "proof", "anything"] {
                let [less, more] = [less, more].map(|score| numbers(set.of(Tier::of(score), protocol)));
                prop_assert!(less.iter().zip(&more).all(|(less, more)| less <= more), "{protocol}: {less:?} and {more:?}");
            }
        }
    }

    #[test]
    fn a_record_survives_being_kept(history in histories()) {
        let (record, _) = lived(&history);
        let kept = postcard::to_allocvec(&record).unwrap();
        prop_assert!(kept.len() <= 96);
        prop_assert_eq!(postcard::from_bytes::<Record>(&kept).unwrap(), record);
    }
}

/// Work that stays at 550 points and more, as the way back asks for: a proof whenever it would fall below.
fn works(record: Record, now: Timestamp) -> Record {
    let enough = record.components(now, &policy()).work >= 560;
    if enough { record } else { record.after(&Event::Worked(Work::Proof), now, &policy()) }
}

fn tier(record: &Record, now: Timestamp) -> Option<Tier> {
    let (admitted, score) = rank(record, now);
    admitted.then(|| Tier::of(score))
}

#[test]
fn a_peer_that_misbehaved_once_and_then_works_is_back_in_the_normal_tier_in_time() {
    let half_life = policy().fault_half_life.as_secs();
    for breach in [violation(), Breach::Proof, Breach::Job, Breach::Contradiction, Breach::Lease] {
        let mut record = (0..3).fold(Record::default(), |record, _| works(record, START));
        assert!(tier(&record, START) >= Some(Tier::Normal));
        record = record.after(&Event::Broke { breach: breach.clone(), blame: Blame::Peer }, START, &policy());
        let mut back = None;
        for second in 0..=u64::from(RECOVERY_HALF_LIVES) * half_life {
            let now = seconds(second);
            record = works(record, now);
            let normal = tier(&record, now) >= Some(Tier::Normal);
            if normal {
                back.get_or_insert(second);
            }
            assert!(normal || back.is_none(), "{breach}: it stays there");
        }
        let back = back.unwrap_or_else(|| panic!("{breach}: not back"));
        assert!(breach == Breach::Lease || back > half_life, "{breach}: back after {back} s already");
    }
}

#[test]
fn a_peer_that_alternates_is_never_in_the_normal_tier() {
    let half_life = policy().fault_half_life.as_secs();
    let mut seen = 0;
    for period in [1, 2, 7, 60, 300, half_life - 1, half_life] {
        // All the work that counts, before and between.
        let full = |record: Record, now| record.after(&Event::Worked(Work::Bytes(u64::MAX)), now, &policy());
        let mut record = full(Record::default(), START);
        for second in 0..20 * half_life {
            let now = seconds(second);
            if second % period == 0 {
                record = record.after(&Event::Broke { breach: violation(), blame: Blame::Peer }, now, &policy());
            }
            record = full(record, now);
            assert!(tier(&record, now) < Some(Tier::Normal), "every {period} s, after {second} s");
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn three_breaches_at_a_time_are_a_ban_and_what_can_be_proven_is_one_at_once() {
    let broke = |breach| Event::Broke { breach, blame: Blame::Peer };
    let after = |record: Record, breach| record.after(&broke(breach), START, &policy());
    let twice = after(after(Record::default(), violation()), violation());
    assert_eq!(twice.ban(), None);
    let thrice = after(twice, violation());
    assert_eq!(thrice.ban().map(|ban| (ban.until, ban.times)), Some((seconds(60), 1)));
    assert_eq!(after(thrice, violation()).ban(), thrice.ban(), "what was still under way is no repetition");
    for breach in [Breach::Proof, Breach::Job, Breach::Contradiction] {
        assert!(after(Record::default(), breach).ban().is_some());
    }
    let again = thrice.after(&broke(violation()), seconds(61), &policy());
    assert_eq!(again.ban().map(|ban| (ban.until, ban.times)), Some((seconds(61 + 240), 2)));
    assert_eq!((again.unbanned().ban(), again.unbanned().components(seconds(61), &policy()).harm), (None, 0));
}

#[test]
fn a_ban_that_a_wrong_clock_dated_lasts_no_longer_for_it() {
    let day = 24 * 60 * 60;
    // Given while the clock was a day ahead, or the clock is a day behind now.
    let mut records = Records::new(policy(), 10);
    records.ban(PeerId([1; 32]), seconds(day + 5), seconds(day));
    let given = records.record(PeerId([1; 32]));
    let again = given.taken_up(seconds(0));
    assert_eq!(again.ban().map(|ban| ban.until), Some(seconds(5)));
    assert_eq!(given.taken_up(seconds(day + 2)), given, "a right clock changes nothing");
    // What is to be forgotten doesn't wait until the wrong date has come.
    let broke = Event::Broke { breach: violation(), blame: Blame::Peer };
    let harmed = Record::default().after(&broke, seconds(day), &policy()).taken_up(seconds(0));
    let later = seconds(policy().fault_half_life.as_secs());
    assert_eq!(harmed.components(later, &policy()).harm * 2, harmed.components(seconds(0), &policy()).harm);
    let mut records = Records::new(policy(), 10);
    records.restore(PeerId([1; 32]), given, seconds(0));
    assert_eq!(records.standing(PeerId([1; 32]), seconds(0)), Standing::Banned { until: seconds(5) });
    assert!(matches!(records.standing(PeerId([1; 32]), seconds(6)), Standing::Admitted(_)));
}

#[test]
fn a_change_of_standing_is_told_once_and_with_its_cause() {
    let (mut book, peer) = (Records::new(policy(), 8), PeerId([7; 32]));
    let told = |change: Option<shardwire_reputation::Change>| {
        change.map(|change| format!("{} -> {}: {}", change.from, change.to, change.reason))
    };
    assert_eq!(told(book.note(peer, &Event::Worked(Work::Proof), START)), None);
    let normal = told(book.note(peer, &Event::Worked(Work::Proof), START));
    assert_eq!(normal.as_deref(), Some("low -> normal: valid proof"));
    let broke = Event::Broke { breach: violation(), blame: Blame::Peer };
    let low = told(book.note(peer, &broke, START));
    assert_eq!(low.as_deref(), Some("normal -> low: violation SW-SESSION-003 of trace, awaiting Chunk"));
    assert_eq!(told(book.note(peer, &broke, START)), None);
    let banned = told(book.note(peer, &Event::Broke { breach: Breach::Proof, blame: Blame::Peer }, START));
    assert_eq!(banned.as_deref(), Some("low -> banned: invalid proof"));
    assert_eq!(book.look_at([peer], seconds(59)), []);
    let mut changes = book.look_at([peer], seconds(60));
    assert_eq!(told(changes.pop()).as_deref(), Some("banned -> low: time has passed"));
    assert_eq!(book.look_at([peer], seconds(60)), []);
    let word = told(book.ban(peer, seconds(5000), seconds(60)));
    assert_eq!(word.as_deref(), Some("low -> banned: the node's operator says so"));
    assert_eq!(told(book.unban(peer, seconds(60))).as_deref(), Some("banned -> normal: the node's operator says so"));
}

#[test]
fn the_word_of_the_people_who_run_the_node_holds() {
    let mut book = Records::new(policy(), 8);
    let [denied, configured, allowed] = [1, 2, 3].map(|n| PeerId([n; 32]));
    let listed =
        BTreeMap::from([(denied, Listing::Denied), (configured, Listing::Configured), (allowed, Listing::Allowed)]);
    assert_eq!(book.list(listed.clone(), START).len(), 3);
    assert_eq!(book.list(listed, START), []);
    let invalid = Event::Broke { breach: Breach::Proof, blame: Blame::Peer };
    for peer in [denied, configured, allowed] {
        assert!(book.standing(peer, START) != Standing::Admitted(Tier::Low));
        book.note(peer, &invalid, START);
    }
    assert_eq!(book.standing(denied, START), Standing::Denied);
    assert_eq!(book.standing(configured, START), Standing::Banned { until: seconds(60) });
    assert_eq!(book.standing(configured, seconds(60)), Standing::Admitted(Tier::Normal));
    assert_eq!(book.standing(allowed, START), Standing::Admitted(Tier::Normal));
    let changes = book.list(BTreeMap::new(), START);
    assert_eq!(changes.len(), 2, "the configured one was banned and stays so: {changes:?}");
    assert_eq!(book.standing(denied, START), Standing::Banned { until: seconds(60) });
}

#[test]
fn a_full_book_forgets_peers_that_have_nothing_to_lose() {
    let mut book = Records::new(policy(), 16);
    let peer = |n: u8| PeerId([n; 32]);
    book.note(peer(0), &Event::Worked(Work::Lease), START);
    book.note(peer(1), &Event::Broke { breach: Breach::Proof, blame: Blame::Peer }, START);
    for n in 2..200 {
        book.note(peer(n), &Event::Broke { breach: violation(), blame: Blame::Peer }, START);
    }
    let known: Vec<PeerId> = book.peers().collect();
    assert!(known.len() <= 16);
    assert!(known.contains(&peer(0)) && known.contains(&peer(1)));
    // The forgotten are named, so that the store can follow.
    let changed = book.take_changed();
    assert_eq!(changed.iter().filter(|(_, record)| record.is_some()).count(), known.len());
    assert!(changed.iter().any(|(_, record)| record.is_none()));
    assert_eq!(book.take_changed(), []);
    let mut again = Records::new(policy(), 16);
    for (peer, record) in changed {
        if let Some(record) = record {
            again.restore(peer, record, START);
        }
    }
    assert_eq!(again.standing(peer(1), START), Standing::Banned { until: seconds(60) });
}

#[test]
fn tiers_are_monotone_in_the_score() {
    let tiers: Vec<Tier> = (0..=MAX_SCORE).map(Tier::of).collect();
    assert!(tiers.is_sorted());
    assert_eq!((tiers[0], Tier::of(NORMAL_AT), Tier::of(HIGH_AT)), (Tier::Low, Tier::Normal, Tier::High));
}
