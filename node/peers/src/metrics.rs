//! What the node's metrics say of its peers. Each number is counted or kept elsewhere, so it costs nothing until somebody looks.

use crate::{Peers, TierCounts, events::Room};
use shardwire_telemetry::{Declares as _, Family, Shortfall, Telemetry, Unit};
use std::{sync::Arc, time::Duration};

/// A gauge of the load, and its watermark.
struct LoadGauge<V> {
    value: Family,
    watermark: Family,
    read: fn(&shardwire_reputation::shed::Gauges) -> V,
    limit: fn(&shardwire_reputation::shed::Watermarks) -> V,
}

const fn family(name: &'static str, help: &'static str) -> Family {
    Family::of(Room::ROOM, name, help)
}

impl Peers {
    /// Takes these peers' numbers into the registry.
    pub fn register(self: &Arc<Self>, telemetry: &Telemetry) {
        let tiers = |of: fn(&TierCounts) -> u64| {
            let peers = self.clone();
            move || {
                let figures = peers.figures();
                vec![(["low"], of(&figures.low)), (["normal"], of(&figures.normal)), (["high"], of(&figures.high))]
            }
        };
        telemetry.read_gauges(family("connected", "Peers connected now"), ["tier"], tiers(|of| of.connected));
        telemetry.read_counters(family("sessions", "Sessions that peers opened"), ["tier"], tiers(|of| of.sessions));
        let refused = "Sessions refused for now: above the quota, or the node was overloaded";
        telemetry.read_counters(family("sessions_refused", refused), ["tier"], tiers(|of| of.refused));
        let waits = "Times that a session waited for its quota";
        telemetry.read_counters(family("session_waits", waits), ["tier"], tiers(|of| of.waits));
        let bytes = family("session", "Bytes that peers' sessions received and sent").unit(Unit::Bytes);
        telemetry.read_counters(bytes, ["tier"], tiers(|of| of.bytes));

        let of = self.clone();
        let callers = family("callers", "Callers that wanted to connect, by what was answered");
        telemetry.read_counters(callers, ["answer"], move || {
            let admission = of.figures().admission;
            vec![
                (["admitted"], admission.admitted),
                (["retried"], admission.retried),
                (["refused"], admission.refused),
                (["ignored"], admission.ignored),
                (["turned_away"], admission.turned_away),
            ]
        });
        let of = self.clone();
        telemetry.read_gauges(family("connections", "Connections, by kind of place"), ["place"], move || {
            let (ordinary, reserved) = of.open();
            vec![(["ordinary"], ordinary as u64), (["reserved"], reserved as u64)]
        });
        let of = self.load().clone();
        telemetry.condition("load", move || {
            of.refused().map(|tier| Shortfall {
                code: "SW-READY-001".to_owned(),
                why: format!("peers up to tier {tier} are refused"),
                next_step:
                    "Give the node more of what is over its bound, or fewer peers; it takes everybody again by itself."
                        .to_owned(),
            })
        });
        load(
            self,
            telemetry,
            LoadGauge {
                value: family("waiting", "Handshakes and requests that wait to be handled"),
                watermark: family(
                    "waiting_watermark",
                    "From how many waiting handshakes and requests on work is refused",
                ),
                read: |gauges| gauges.queue_depth,
                limit: |marks| marks.queue_depth,
            },
        );
        let seconds = |family: Family| family.unit(Unit::Seconds);
        load(
            self,
            telemetry,
            LoadGauge {
                value: seconds(family("timer_delay", "How late timers are")),
                watermark: seconds(family("timer_delay_watermark", "From which lateness of timers on work is refused")),
                read: |gauges| Duration::as_secs_f64(&gauges.loop_delay),
                limit: |marks| Duration::as_secs_f64(&marks.loop_delay),
            },
        );
        let bytes = |family: Family| family.unit(Unit::Bytes);
        load(
            self,
            telemetry,
            LoadGauge {
                value: bytes(family("memory", "Memory of this process")),
                watermark: bytes(family("memory_watermark", "From how much memory of this process on work is refused")),
                read: |gauges| gauges.memory_bytes,
                limit: |marks| marks.memory_bytes,
            },
        );
    }
}

fn load<V>(peers: &Arc<Peers>, telemetry: &Telemetry, gauge: LoadGauge<V>)
where
    V: shardwire_telemetry::EncodeGaugeValue + 'static,
{
    let LoadGauge { value, watermark, read, limit } = gauge;
    let of = peers.clone();
    telemetry.read_gauges(value, [], move || vec![([], read(&of.load().gauges().0))]);
    let of = peers.clone();
    telemetry.read_gauges(watermark, [], move || vec![([], limit(&of.load().gauges().1))]);
}
