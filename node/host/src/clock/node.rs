//! The clock of a node: see the [room's page](super).

use super::events::{self, JumpBelieved, JumpContradicted, JumpEnded, Jumped, TrustChanged};
use crate::Changes;
use shardwire_model::{Clock, Mutation, PeerId, Timestamp, Trust};
use shardwire_telemetry::{Events, Telemetry};
use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How often the system's clock is compared with the node's date.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// From this difference on the system's clock has jumped. Less is what a time service corrects by while it is at work.
pub const JUMP: Duration = Duration::from_secs(5);
/// By how much a smaller difference is followed at most, at each look: 5 in 1,000, ten times what a time service slews by, so that a step of a second is followed in minutes.
pub const FOLLOWED: Duration = Duration::from_millis(5);
/// A difference of that is none: the two clocks aren't read at one moment.
const AT_ONCE: Duration = Duration::from_millis(10);
/// How long a jump has to hold before it is believed: longer than a person, a test or a time service that starts leaves a clock wrong.
pub const BELIEVED_AFTER: Duration = Duration::from_secs(600);
/// How far a peer's clock may be apart and still agree: what machines without a time service lose in months.
pub const APART: Duration = Duration::from_secs(120);
/// After how long a node goes on by its own date though nobody can be asked, or nobody any more of those who contradicted it: peers that run are connected by then, and a time service that starts late has
/// set the clock. A node that names no peers waits as long: operators of its shards dial it.
pub const ALONE_AFTER: Duration = Duration::from_secs(600);
/// Most peers whose word is kept: far more than anybody configures. To one more the one that was heard longest ago gives way.
pub const MAX_WORDS: usize = 64;
/// How long a peer's word counts after it was heard last: each that is connected is heard every ten seconds, and one that comes back is again.
pub const HEARD_FOR: Duration = Duration::from_secs(300);
/// How often a clock that goes on jumping is logged.
pub const TOLD_EVERY: Duration = Duration::from_secs(60);

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// What a peer's clock showed.
#[derive(Clone, Copy, Debug)]
struct Word {
    /// How far it was ahead of the steady date, in milliseconds.
    ahead: i64,
    /// When it was heard.
    at: Instant,
}

impl Word {
    fn counts(&self) -> bool {
        self.at.elapsed() < HEARD_FOR
    }
}

/// A jump of the system's clock that isn't believed.
#[derive(Clone, Copy, Debug)]
struct Jump {
    /// How far the system's clock is ahead of the node's date, in milliseconds.
    ahead: i64,
    /// Since when it is so far ahead.
    since: Instant,
    /// Since when it is apart at all.
    began: Instant,
    /// When it was logged.
    told: Instant,
    /// Whether it was logged that it holds and is contradicted.
    contradicted: bool,
}

#[derive(Debug, Default)]
struct State {
    jump: Option<Jump>,
    /// What each peer said last.
    words: BTreeMap<PeerId, Word>,
    /// When peers contradicted the date last.
    contradicted: Option<Instant>,
    /// Whether peers have agreed with the date since then, or since the start, or nobody could be asked for long enough.
    confirmed: bool,
    /// What was logged of that.
    told: Trust,
}

impl State {
    /// How many peers' clocks agree with one that is so far ahead of the steady date, and how many don't.
    fn judged(&self, ahead: i64) -> (usize, usize) {
        let is_apart = |word: &&Word| word.ahead.saturating_sub(ahead).saturating_abs() > ms(APART);
        let counting = || self.words.values().filter(|word| word.counts());
        let apart = counting().filter(is_apart).count();
        (counting().count() - apart, apart)
    }
}

/// How a node's clock is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The date that the node believes.
    pub now: Timestamp,
    /// How far the system's clock is ahead of it in milliseconds, if it has jumped and isn't believed.
    pub jumped_ms: Option<i64>,
    /// How far the date is to be relied on.
    pub trust: Trust,
    /// How many peers' clocks agree with the date.
    pub agree: usize,
    /// How many peers' clocks are apart from it.
    pub apart: usize,
}

/// The date of a node, which goes on as its timers do.
#[derive(Debug)]
pub struct NodeClock {
    wall: Arc<dyn Clock>,
    began: Instant,
    /// What the system's clock showed then.
    first: Timestamp,
    /// How far the believed date is ahead of the steady one, in milliseconds.
    moved: AtomicI64,
    state: Mutex<State>,
    /// Announced when the date is to be relied on in another way than before.
    trusts: Changes,
    events: Events<events::Room>,
}

impl NodeClock {
    /// One that begins with what the system's clock shows. Somebody has to [look](Self::look) after it.
    #[must_use]
    pub fn begin(wall: Arc<dyn Clock>, telemetry: &Telemetry) -> Arc<Self> {
        let first = wall.wall();
        let state = Mutex::new(State { told: Trust::Unconfirmed, ..State::default() });
        let (began, moved) = (Instant::now(), AtomicI64::new(0));
        let (trusts, events) = (Changes::new(), telemetry.events());
        Arc::new(Self { wall, began, first, moved, state, trusts, events })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self) -> i64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Looks at the system's clock every [`LOOK_EVERY`], for as long as it is polled.
    pub async fn watch(self: Arc<Self>) {
        loop {
            sleep(LOOK_EVERY).await;
            self.look();
        }
    }

    /// Compares the system's clock with the node's date, and follows it or not.
    pub fn look(&self) {
        let ahead = self.wall.wall().ahead_of(self.now());
        let mut state = self.state();
        if ahead.saturating_abs() < ms(JUMP) {
            if let Some(jump) = state.jump.take() {
                self.events.emit(JumpEnded { lasted: jump.began.elapsed() });
            }
            if ahead.saturating_abs() >= ms(AT_ONCE) {
                self.moved.fetch_add(ahead.clamp(-ms(FOLLOWED), ms(FOLLOWED)), Ordering::Relaxed);
            }
        } else {
            self.apart(&mut state, ahead);
        }
        self.tell(&mut state);
    }

    /// The system's clock is so far ahead of the node's date that it has jumped.
    fn apart(&self, state: &mut State, ahead: i64) {
        let now = Instant::now();
        let told = |told: Instant| now.duration_since(told) < TOLD_EVERY;
        let mut jump = match state.jump {
            Some(jump) if jump.ahead.saturating_sub(ahead).saturating_abs() < ms(JUMP) => jump,
            Some(jump) if told(jump.told) => Jump { ahead, since: now, contradicted: false, ..jump },
            known => {
                self.events.emit(Jumped { ahead_ms: ahead, believed_after: BELIEVED_AFTER });
                let began = known.map_or(now, |jump| jump.began);
                Jump { ahead, since: now, began, told: now, contradicted: false }
            }
        };
        if now.duration_since(jump.since) >= BELIEVED_AFTER {
            let (agree, apart) = state.judged(self.moved().saturating_add(ahead));
            if apart <= agree {
                self.moved.fetch_add(ahead, Ordering::Relaxed);
                state.jump = None;
                self.events.emit(JumpBelieved { by_ms: ahead });
                return;
            }
            if !std::mem::replace(&mut jump.contradicted, true) {
                self.events.emit(JumpContradicted { ahead_ms: ahead });
            }
        }
        state.jump = Some(jump);
    }

    /// Notes how far a peer's clock is ahead of the [steady](Clock::steady) date, in milliseconds. The caller says whose word counts.
    pub fn heard(&self, peer: PeerId, ahead_ms: i64) {
        let mut state = self.state();
        state.words.insert(peer, Word { ahead: ahead_ms, at: Instant::now() });
        if state.words.len() > MAX_WORDS
            && let Some(first) = state.words.iter().min_by_key(|(_, word)| word.at).map(|(peer, _)| *peer)
        {
            state.words.remove(&first);
        }
        self.tell(&mut state);
    }

    /// Whose word is kept.
    pub fn heard_of(&self) -> Vec<PeerId> {
        self.state().words.keys().copied().collect()
    }

    /// Forgets what a peer said, whose word doesn't count any more.
    pub fn forget(&self, peer: PeerId) {
        let mut state = self.state();
        if state.words.remove(&peer).is_some() {
            self.tell(&mut state);
        }
    }

    /// Notes and logs how far the date is to be relied on, if that has changed.
    fn tell(&self, state: &mut State) {
        let (agree, apart) = state.judged(self.moved());
        if apart > agree {
            (state.contradicted, state.confirmed) = (Some(Instant::now()), false);
        } else {
            // While the system's clock says otherwise, time alone confirms nothing: it may be right again, and not be believed yet.
            let alone_for = state.contradicted.unwrap_or(self.began).elapsed();
            state.confirmed |= agree > 0 || (alone_for >= ALONE_AFTER && state.jump.is_none());
        }
        let trust = self.judge(state);
        if std::mem::replace(&mut state.told, trust) != trust {
            self.events.emit(TrustChanged { trust, agree, apart });
            self.trusts.announce();
        }
    }

    fn judge(&self, state: &State) -> Trust {
        let (agree, apart) = state.judged(self.moved());
        if apart > agree {
            Trust::Contradicted
        } else if state.confirmed {
            Trust::Confirmed
        } else {
            Trust::Unconfirmed
        }
    }

    /// How it is.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let ahead = self.wall.wall().ahead_of(self.now());
        let state = self.state();
        let (agree, apart) = state.judged(self.moved());
        let jumped_ms = (ahead.saturating_abs() >= ms(JUMP)).then_some(ahead);
        Reading { now: self.now(), jumped_ms, trust: self.judge(&state), agree, apart }
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        if Mutation::WallClockDecides.is_planted() {
            return self.wall.wall();
        }
        self.steady().moved(self.moved())
    }

    fn steady(&self) -> Timestamp {
        self.first.plus(self.began.elapsed())
    }

    fn wall(&self) -> Timestamp {
        self.wall.wall()
    }

    fn trust(&self) -> Trust {
        self.judge(&self.state())
    }

    fn trust_changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.trusts.next())
    }
}
