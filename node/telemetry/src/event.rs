//! What an event is, and the handle with which a room emits its own.

use crate::lines::{Line, Lines};
use std::{
    any::Any,
    fmt,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Most series (combinations of labels' values) of one family. The largest that there is has 25.
pub const MAX_SERIES: usize = 64;

/// The values of a label, all known beforehand: see [`labels!`](crate::labels).
pub trait Label: Copy {
    /// The values' texts.
    const VALUES: &'static [&'static str];

    /// The place of this value among [`VALUES`](Self::VALUES).
    fn index(self) -> usize;

    /// The text of this value.
    fn text(self) -> &'static str {
        Self::VALUES.get(self.index()).copied().unwrap_or_default()
    }
}

/// A label of an event's counter.
#[derive(Clone, Copy, Debug)]
pub struct Labelled {
    /// The label's name in the exposition.
    pub name: &'static str,
    /// The texts that it may have.
    pub values: &'static [&'static str],
}

/// What is the same for all events of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    /// The event's name within its room.
    pub name: &'static str,
    /// What it means, as `/metrics` says it.
    pub help: &'static str,
    /// By what it is counted.
    pub labels: &'static [Labelled],
    /// The field that is added up, which is named after its unit.
    pub amount: Option<&'static str>,
}

impl Declared {
    /// The same, if its counter has at most [`MAX_SERIES`] series. A declaration that has more doesn't compile.
    #[must_use]
    pub const fn bounded(self) -> Self {
        assert!(self.series() <= MAX_SERIES, "an event is counted by more combinations of labels than MAX_SERIES");
        self
    }

    pub(crate) const fn series(&self) -> usize {
        let (mut series, mut at) = (1, 0);
        while at < self.labels.len() {
            series *= self.labels[at].values.len();
            at += 1;
        }
        series
    }
}

/// A room that declares events: made by [`events!`](crate::events).
pub trait Declares: Send + Sync + 'static {
    /// The room's name.
    const ROOM: &'static str;
    /// Its events, in the order of their indices.
    const EVENTS: &'static [Declared];
}

/// Something that happened: made by [`events!`](crate::events).
pub trait Event: fmt::Debug + Send + Sync + 'static {
    /// The room where it happens.
    type Room: Declares;
    /// What is the same for all of its kind.
    const DECLARED: Declared;
    /// Its place in the room.
    const INDEX: usize;

    /// Which series of its counter counts it.
    fn series(&self) -> usize;

    /// What is added up.
    fn amount(&self) -> u64;

    /// The level of its line.
    fn level(&self) -> tracing::Level;

    /// Writes its line.
    fn log(&self);
}

/// Gets every event of a node, in their order, on the thread where it happens. Must not wait.
pub trait Observer: fmt::Debug + Send + Sync {
    /// An event has happened.
    fn observe(&self, event: Seen);
}

trait Shown: Any + fmt::Debug + Send + Sync {}

impl<E: Event> Shown for E {}

/// An event as an observer gets it. Cheap to clone.
#[derive(Clone)]
pub struct Seen {
    room: &'static str,
    name: &'static str,
    event: Arc<dyn Shown>,
}

impl Seen {
    /// This event, as an observer gets it.
    #[must_use]
    pub fn of<E: Event>(event: E) -> Self {
        Self { room: E::Room::ROOM, name: E::DECLARED.name, event: Arc::new(event) }
    }

    /// The room where it happened.
    #[must_use]
    pub fn room(&self) -> &'static str {
        self.room
    }

    /// Its name within the room.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The event, if it is of this kind.
    #[must_use]
    pub fn get<E: Event>(&self) -> Option<&E> {
        let event: &dyn Any = &*self.event;
        event.downcast_ref()
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.room, self.event)
    }
}

/// The counters of one kind of event.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) declared: Declared,
    series: Box<[AtomicU64]>,
    amount: AtomicU64,
    lines: Lines,
}

impl Counts {
    pub(crate) fn of(declared: Declared) -> Self {
        let series = (0..declared.series()).map(|_| AtomicU64::new(0)).collect();
        Self { declared, series, amount: AtomicU64::new(0), lines: Lines::default() }
    }

    fn add(&self, series: usize, amount: u64) {
        if let Some(count) = self.series.get(series) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if amount > 0 {
            self.amount.fetch_add(amount, Ordering::Relaxed);
        }
    }

    /// Each series: its labels' values, and the number of events.
    pub(crate) fn series(&self) -> impl Iterator<Item = (Vec<(&'static str, &'static str)>, u64)> {
        self.series.iter().enumerate().map(|(at, count)| {
            let mut rest = at;
            let value = |label: &Labelled| {
                let value = label.values.get(rest % label.values.len()).copied().unwrap_or_default();
                rest /= label.values.len();
                (label.name, value)
            };
            let mut labels: Vec<_> = self.declared.labels.iter().rev().map(value).collect();
            labels.reverse();
            (labels, count.load(Ordering::Relaxed))
        })
    }

    pub(crate) fn amount(&self) -> u64 {
        self.amount.load(Ordering::Relaxed)
    }
}

/// With what a room emits its events. Cheap to clone: clones count together.
pub struct Events<R> {
    pub(crate) counts: Arc<[Counts]>,
    /// Lines of the whole node.
    pub(crate) held_back: Arc<AtomicU64>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) room: PhantomData<fn() -> R>,
}

impl<R: Declares> Events<R> {
    /// Counts the event, logs it, and shows it to the node's observer.
    pub fn emit<E: Event<Room = R>>(&self, event: E) {
        let counts = self.counts.get(E::INDEX);
        if let Some(counts) = counts {
            counts.add(event.series(), event.amount());
        }
        // Who asks for more than info asks for all of it.
        match counts.filter(|_| event.level() <= tracing::Level::INFO).map(|counts| counts.lines.next()) {
            None => event.log(),
            Some(Line::Written { held_back }) => {
                if held_back > 0 {
                    let (room, event) = (E::Room::ROOM, E::DECLARED.name);
                    tracing::warn!(target: "shardwire_telemetry::held_back", room, event, "{held_back} lines of this event were held back: there were too many");
                }
                event.log();
            }
            Some(Line::HeldBack) => {
                self.held_back.fetch_add(1, Ordering::Relaxed);
            }
        }
        if let Some(observer) = &self.observer {
            observer.observe(Seen::of(event));
        }
    }
}

impl<R> Clone for Events<R> {
    fn clone(&self) -> Self {
        Self {
            counts: self.counts.clone(),
            held_back: self.held_back.clone(),
            observer: self.observer.clone(),
            room: PhantomData,
        }
    }
}

impl<R: Declares> fmt::Debug for Events<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Events").field(&R::ROOM).finish()
    }
}
