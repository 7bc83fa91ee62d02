//! The registry: every family of metrics of a node, and their text.

use crate::{
    conditions::Conditions,
    event::{Counts, Declares, Events, MAX_SERIES, Observer},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric, MetricEncoder, NoLabelSet, text::encode},
    metrics::MetricType,
    registry::{Metric, Registry, Unit},
};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    marker::PhantomData,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// The content type of [`Telemetry::to_text`].
pub const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a family of metrics is called, and what it says.
#[derive(Clone, Debug)]
pub struct Family {
    room: &'static str,
    name: &'static str,
    help: Cow<'static, str>,
    unit: Option<Unit>,
}

impl Family {
    /// A family of a room. Its name on the page is `shardwire_<room>_<name>`, with the unit and what its kind has at the end.
    #[must_use]
    pub const fn of(room: &'static str, name: &'static str, help: &'static str) -> Self {
        Self { room, name, help: Cow::Borrowed(help), unit: None }
    }

    /// The same, in this unit.
    #[must_use]
    pub fn unit(self, unit: Unit) -> Self {
        Self { unit: Some(unit), ..self }
    }
}

/// The registry of a node, and the observer of its events, if there is one. Cheap to clone: clones are the same registry.
#[derive(Clone, Default)]
pub struct Telemetry {
    registered: Arc<Mutex<Registered>>,
    pub(crate) conditions: Conditions,
    /// Lines that weren't written because there were too many of their kind.
    held_back: Arc<AtomicU64>,
    observer: Option<Arc<dyn Observer>>,
}

#[derive(Debug, Default)]
struct Registered {
    /// By their names, so that the page has an order.
    families: BTreeMap<String, (Family, Box<dyn Metric>)>,
    /// The counters of each room's events.
    rooms: BTreeMap<&'static str, Arc<[Counts]>>,
}

impl Registered {
    fn put(&mut self, family: Family, metric: impl Metric) {
        let Family { room, name, unit, .. } = &family;
        let unit = unit.as_ref().map_or("", Unit::as_str);
        self.families.insert(format!("{room} {name} {unit}"), (family, Box::new(metric)));
    }

    /// Takes in the counters of a room's events.
    fn count<R: Declares>(&mut self) -> Arc<[Counts]> {
        let counts: Arc<[Counts]> = R::EVENTS.iter().copied().map(Counts::of).collect();
        for (index, declared) in R::EVENTS.iter().enumerate() {
            let of = |what| OfEvent { counts: counts.clone(), index, what };
            if let Some(unit) = declared.amount {
                let help = format!("{}: {unit} in all", plain(declared.help)).into();
                let unit = Some(Unit::Other(unit.to_owned()));
                self.put(Family { room: R::ROOM, name: declared.name, help, unit }, of(What::Amount));
            }
            self.put(Family::of(R::ROOM, declared.name, declared.help), of(What::Number));
        }
        self.rooms.insert(R::ROOM, counts.clone());
        counts
    }
}

impl Telemetry {
    /// A registry whose events this observer gets.
    #[must_use]
    pub fn observed_by(observer: impl Observer + 'static) -> Self {
        Self { observer: Some(Arc::new(observer)), ..Self::default() }
    }

    fn registered(&self) -> MutexGuard<'_, Registered> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The events of a room, with their counters: the same ones each time.
    #[must_use]
    pub fn events<R: Declares>(&self) -> Events<R> {
        let mut registered = self.registered();
        if registered.rooms.is_empty() {
            let held_back = self.held_back.clone();
            let help = "Lines of the log that weren't written, because there were too many of one event";
            let read = move || vec![([], held_back.load(Ordering::Relaxed))];
            let family = Family::of("telemetry", "lines_held_back", help);
            registered.put(family, Read { labels: [], read, kind: MetricType::Counter, put: counter });
        }
        let known = registered.rooms.get(R::ROOM).cloned();
        let counts = known.unwrap_or_else(|| registered.count::<R>());
        Events { counts, held_back: self.held_back.clone(), observer: self.observer.clone(), room: PhantomData }
    }

    /// Takes in a metric that its room keeps. One of the same name is replaced.
    pub fn register(&self, family: Family, metric: impl Metric) {
        self.registered().put(family, metric);
    }

    /// Takes in counters that are read when somebody looks: each with its labels' values.
    pub fn read_counters<const N: usize>(
        &self,
        family: Family,
        labels: [&'static str; N],
        read: impl Fn() -> Vec<([&'static str; N], u64)> + Send + Sync + 'static,
    ) {
        self.register(family, Read { labels, read, kind: MetricType::Counter, put: counter });
    }

    /// Takes in gauges that are read when somebody looks: each with its labels' values.
    pub fn read_gauges<const N: usize, V: EncodeGaugeValue + 'static>(
        &self,
        family: Family,
        labels: [&'static str; N],
        read: impl Fn() -> Vec<([&'static str; N], V)> + Send + Sync + 'static,
    ) {
        let put = |encoder: &mut MetricEncoder<'_>, value: V| encoder.encode_gauge(&value);
        self.register(family, Read { labels, read, kind: MetricType::Gauge, put });
    }

    /// All of it, as OpenMetrics text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut registry = Registry::with_prefix("shardwire");
        registry.register_collector(Box::new(self.clone()));
        let mut text = String::new();
        // A String takes any text.
        let _ = encode(&mut text, &registry);
        text
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("observer", &self.observer).finish_non_exhaustive()
    }
}

impl Collector for Telemetry {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.registered().families.values().try_for_each(|(family, metric)| {
            let name = format!("{}_{}", family.room, family.name);
            metric.encode(encoder.encode_descriptor(
                &name,
                plain(&family.help),
                family.unit.as_ref(),
                metric.metric_type(),
            )?)
        })
    }
}

/// A help text as a page shows it: a doc comment has a blank before it, and may have a point at its end.
fn plain(help: &str) -> &str {
    help.trim().trim_end_matches('.')
}

/// The counter of a kind of event, or of what is added up of it.
#[derive(Debug)]
struct OfEvent {
    counts: Arc<[Counts]>,
    index: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    Number,
    Amount,
}

impl EncodeMetric for OfEvent {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let Some(counts) = self.counts.get(self.index) else { return Ok(()) };
        match self.what {
            What::Amount => counter(&mut encoder, counts.amount()),
            What::Number => counts
                .series()
                .try_for_each(|(labels, count)| series(&mut encoder, &labels, |encoder| counter(encoder, count))),
        }
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// Numbers that are read when somebody looks.
struct Read<const N: usize, V, F> {
    labels: [&'static str; N],
    read: F,
    kind: MetricType,
    put: fn(&mut MetricEncoder<'_>, V) -> fmt::Result,
}

impl<const N: usize, V, F: Fn() -> Vec<([&'static str; N], V)>> EncodeMetric for Read<N, V, F> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        (self.read)().into_iter().take(MAX_SERIES).try_for_each(|(values, number)| {
            let labels: Vec<_> = self.labels.into_iter().zip(values).collect();
            series(&mut encoder, &labels, |encoder| (self.put)(encoder, number))
        })
    }

    fn metric_type(&self) -> MetricType {
        self.kind
    }
}

impl<const N: usize, V, F> fmt::Debug for Read<N, V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Read").field("labels", &self.labels).finish_non_exhaustive()
    }
}

/// One series of a family; without labels, its only one.
fn series(
    encoder: &mut MetricEncoder<'_>,
    labels: &[(&'static str, &'static str)],
    put: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    if labels.is_empty() { put(encoder) } else { put(&mut encoder.encode_family(&labels)?) }
}

fn counter(encoder: &mut MetricEncoder<'_>, value: u64) -> fmt::Result {
    encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
}
