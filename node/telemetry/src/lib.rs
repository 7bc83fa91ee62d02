//! What a node tells about itself: typed events, and one registry of metrics.
//!
//! A room declares each of its events once, with [`events!`]. From that declaration come the struct, the line in the log, the counter in the
//! registry, and the value that an [`Observer`] gets: a simulator, or a test. What isn't an event (what is open now, how much memory is in use) the room
//! [registers](Telemetry::register) as a family of its own. `/metrics` shows all of it ([`Telemetry::to_text`]).
//!
//! **Names.** The event `job_leased` of the room `operator` is the counter `shardwire_operator_job_leased_total`, and its line in the log has the
//! target `shardwire_operator::job_leased`, in text and in JSON. So a filter can name one event, or a room: `info,shardwire_operator=debug`.
//! Words and fields of a line are for people and may change; a program matches the target.
//!
//! **Costs.** A room finds its counters when it [asks for them](Telemetry::events); to emit is then an addition to an atomic number by a fixed index, and
//! what `tracing` does with the line. Only with an observer anything is allocated for it.
//!
//! A panic that is expected, because a library asserts on what a stranger or a file says, is [caught](catch) without a word on standard error.
//!
//! **Refused:** labels with values that a peer could choose. A value is a variant of an enum ([`labels!`]) or a `&'static str`, and a
//! declaration with more than [`MAX_SERIES`] combinations doesn't compile. Peers, shards and jobs are fields of events, never labels.
//!
//! **Readiness.** What a node needs to do its work is a [condition](Telemetry::condition) that the room registers which knows of it. A node is ready
//! while [none is unmet](Telemetry::unmet).
//!
//! **Bounds:** [`MAX_SERIES`] a family; the number of families is fixed by the code; [`MAX_CONDITIONS`]. Nothing is stored but counters. Of one event
//! [`LINES_AT_ONCE`] lines may come at once and then one every [`LINE_EVERY`], whatever peers do; the rest is counted, in `shardwire_telemetry_lines_held_back_total`,
//! and the next line says how many there were. Lines below info are only written where they are asked for, and all of them are.
//!
//! ```
//! use shardwire_telemetry::{Telemetry, events, labels};
//!
//! labels! {
//!     /// How a door was opened.
//!     pub enum With { Key = "key", Force = "force" }
//! }
//!
//! events! {
//!     pub room "house";
//!
//!     /// Somebody came in.
//!     DoorOpened = "door_opened" { number: u32, with: With }
//!         by { with: With = *with }
//!         => INFO, WARN if (matches!(with, With::Force)) : (number, "the door is open");
//! }
//!
//! let telemetry = Telemetry::default();
//! let house = telemetry.events::<Room>();
//! house.emit(DoorOpened { number: 7, with: With::Key });
//! assert!(telemetry.to_text().contains("shardwire_house_door_opened_total{with=\"key\"} 1"));
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod caught;
mod conditions;
mod declare;
mod event;
mod lines;
mod readiness;
mod registry;

pub use caught::catch;
pub use conditions::{MAX_CONDITIONS, Shortfall, Unmet};
pub use event::{Declared, Declares, Event, Events, Label, Labelled, MAX_SERIES, Observer, Seen};
pub use lines::{LINE_EVERY, LINES_AT_ONCE};
pub use prometheus_client::{
    encoding::EncodeGaugeValue,
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Unit},
};
pub use registry::{Family, KIND, Telemetry};
#[doc(hidden)]
pub use tracing;
