//! What is told: each number is counted elsewhere already, so that looking costs nothing until somebody looks.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use shardwire_peers::{Figures, Peers, TierCounts};
use shardwire_reputation::shed::{Gauges, Watermarks};
use std::fmt;

/// The content's type.
pub(super) const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The numbers of a moment.
#[derive(Debug)]
struct Moment {
    figures: Figures,
    /// Connections in ordinary places and in reserved ones.
    open: (usize, usize),
    gauges: Gauges,
    watermarks: Watermarks,
    ready: bool,
    changes: Vec<(&'static str, &'static str, u64)>,
}

/// All of them, as text.
pub(super) fn of(peers: &Peers) -> String {
    let (gauges, watermarks) = peers.load().gauges();
    let moment = Moment {
        figures: peers.figures(),
        open: peers.open(),
        gauges,
        watermarks,
        ready: peers.load().refused().is_none(),
        changes: peers.counted_changes(),
    };
    let mut registry = Registry::with_prefix("shardwire");
    registry.register_collector(Box::new(moment));
    let mut text = String::new();
    // A String takes any text.
    let _ = encode(&mut text, &registry);
    text
}

/// Numbers of one name, told apart by labels.
type Labelled<const N: usize, V = u64> = ([(&'static str, &'static str); N], V);

fn counters<const N: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = Labelled<N>>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    values.into_iter().try_for_each(|(labels, value)| ConstCounter::new(value).encode(family.encode_family(&labels)?))
}

fn gauges<const N: usize, V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = Labelled<N, V>>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    values.into_iter().try_for_each(|(labels, value)| ConstGauge::new(value).encode(family.encode_family(&labels)?))
}

impl Collector for Moment {
    #[allow(clippy::cast_precision_loss)] // counts of things in memory
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let to = &mut encoder;
        let Figures { low, normal, high, admission } = &self.figures;
        let tiers = |of: fn(&TierCounts) -> u64| {
            [("low", low), ("normal", normal), ("high", high)].map(|(tier, figures)| ([("tier", tier)], of(figures)))
        };
        gauges(to, "peers_connected", "Peers connected now", tiers(|of| of.connected))?;
        counters(to, "peer_sessions", "Sessions that peers opened", tiers(|of| of.sessions))?;
        let refused = "Sessions refused for now: above the quota, or the node was overloaded";
        counters(to, "peer_sessions_refused", refused, tiers(|of| of.refused))?;
        counters(to, "peer_waits", "Times that a session waited for its quota", tiers(|of| of.waits))?;
        counters(to, "peer_bytes", "Bytes that peers' sessions received and sent", tiers(|of| of.bytes))?;
        let changes = self.changes.iter().map(|(from, to, count)| ([("from", *from), ("to", *to)], *count));
        counters(to, "standing_changes", "Changes of a peer's standing", changes)?;
        let answers = [
            ("admitted", admission.admitted),
            ("retried", admission.retried),
            ("refused", admission.refused),
            ("ignored", admission.ignored),
            ("turned_away", admission.turned_away),
        ];
        let answers = answers.map(|(answer, count)| ([("answer", answer)], count));
        counters(to, "callers", "What was answered to those who wanted to connect", answers)?;
        let (ordinary, reserved) = self.open;
        let places = [("ordinary", ordinary), ("reserved", reserved)].map(|(of, count)| ([("place", of)], count));
        gauges(to, "connections", "Connections, by kind of place", places)?;
        let load = |waiting: u64, late: std::time::Duration, memory: u64| {
            let values = [
                ("waiting", waiting as f64),
                ("timer_delay_seconds", late.as_secs_f64()),
                ("memory_bytes", memory as f64),
            ];
            values.map(|(gauge, value)| ([("gauge", gauge)], value))
        };
        let Gauges { queue_depth, loop_delay, memory_bytes } = self.gauges;
        gauges(to, "load", "How loaded the node is", load(queue_depth, loop_delay, memory_bytes))?;
        let Watermarks { queue_depth, loop_delay, memory_bytes } = self.watermarks;
        gauges(to, "load_watermark", "From where on work is refused", load(queue_depth, loop_delay, memory_bytes))?;
        let ready = to.encode_descriptor("ready", "Whether work of every tier is taken", None, MetricType::Gauge)?;
        ConstGauge::new(u32::from(self.ready)).encode(ready)
    }
}
