//! What a simulation's nodes tell: their events, which the checks look at, and their log lines, which are part of what must be the same each time.

use shardwire_telemetry::{self as telemetry, Observer};
use shardwire_transport::sim::Internet;
use std::{
    cell::RefCell,
    fmt::{self, Write as _},
};
use tokio::time::Instant;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record as Values},
    subscriber::DefaultGuard,
};

/// The most events that are kept of a run: some hundred times what a run has.
const MAX_KEPT: usize = 100_000;

/// An event of a node.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The time, in milliseconds of the run.
    pub(super) at: u64,
    pub(super) event: telemetry::Seen,
}

struct Recording {
    internet: Internet,
    began: Instant,
    events: Vec<Seen>,
    aloud: bool,
}

thread_local! {
    static RECORDING: RefCell<Option<Recording>> = const { RefCell::new(None) };
}

/// Records what this thread logs, until dropped.
pub(super) struct Recorder(#[allow(dead_code, reason = "ends when it is dropped")] DefaultGuard);

impl Recorder {
    /// Begins recording. With `aloud`, prints it, too.
    pub(super) fn begin(internet: Internet, aloud: bool) -> Self {
        let recording = Recording { internet, began: Instant::now(), events: Vec::new(), aloud };
        RECORDING.with_borrow_mut(|it| *it = Some(recording));
        Self(tracing::subscriber::set_default(Ear))
    }

    /// Returns the events since the last call.
    pub(super) fn take(&self) -> Vec<Seen> {
        RECORDING.with_borrow_mut(|it| it.as_mut().map(|it| std::mem::take(&mut it.events)).unwrap_or_default())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        RECORDING.with_borrow_mut(|it| *it = None);
    }
}

/// Records an action of the simulation itself.
pub(super) fn note(text: &str) {
    RECORDING.with_borrow_mut(|it| {
        if let Some(recording) = it {
            recording.put(Level::INFO, &format!("* {text}"));
        }
    });
}

impl Recording {
    /// The time of the run, in milliseconds.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Takes a line in, which is of an event or of this simulation.
    fn put(&mut self, level: Level, text: &str) {
        self.internet.note(text.as_bytes());
        if self.aloud {
            let at = Instant::now().duration_since(self.began).as_secs_f64();
            // Where it can't be written, the totals can't either, and that is told.
            let _ = shardwire_files::output::line(&format!("{at:>9.3} {level:5} {text}"));
        }
    }
}

/// Receives the events of nodes that run on this thread.
#[derive(Debug)]
pub(super) struct Watching;

impl Observer for Watching {
    fn observe(&self, event: telemetry::Seen) {
        RECORDING.with_borrow_mut(|it| {
            if let Some(recording) = it
                && recording.events.len() < MAX_KEPT
            {
                recording.events.push(Seen { at: recording.now(), event });
            }
        });
    }
}

/// Receives what nodes log.
struct Ear;

#[derive(Default)]
struct Words {
    message: String,
    rest: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // A String takes any text.
        match field.name() {
            "message" => drop(write!(self.message, "{value:?}")),
            name => drop(write!(self.rest, " {name}={value:?}")),
        }
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("shardwire") && *metadata.level() <= Level::DEBUG
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Values<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        let Words { message, rest } = words;
        RECORDING.with_borrow_mut(|it| {
            if let Some(recording) = it {
                recording.put(*event.metadata().level(), &format!("{message}{rest}"));
            }
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
