//! Numbers from rounds: medians, ranges, and what is printed of them.

use crate::series::Series;
use serde_json::{Value, json};
use std::fmt;

/// A work's figures for one profile and side.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    /// What the work is judged by.
    pub(super) value: Series,
    /// Microseconds of CPU an operation, both processes together.
    pub(super) cpu: Series,
    /// Datagrams sent an operation, both ways together.
    pub(super) datagrams: Series,
    /// Datagrams lost in all rounds.
    pub(super) lost: u64,
    /// The datagram size at the end, in bytes.
    pub(super) mtu: u16,
    /// Further series, by name.
    pub(super) more: Vec<(&'static str, Series)>,
}

impl Figures {
    pub(super) fn more(&mut self, name: &'static str) -> &mut Series {
        let known = self.more.iter().position(|(other, _)| *other == name);
        let at = known.unwrap_or_else(|| {
            self.more.push((name, Series::default()));
            self.more.len() - 1
        });
        &mut self.more[at].1
    }
}

/// A work's figures for one profile, both sides.
pub(super) struct Pair<'a> {
    pub(super) ours: &'a Figures,
    pub(super) raw: &'a Figures,
    pub(super) unit: &'static str,
}

impl Pair<'_> {
    fn ratio(&self) -> f64 {
        self.ours.value.median() / self.raw.value.median()
    }

    pub(super) fn json(&self) -> Value {
        let mut object = json!({
            "ours": self.ours.value.median(), "raw": self.raw.value.median(), "ratio": self.ratio(), "unit": self.unit,
            "ours_range": self.ours.value.range(), "raw_range": self.raw.value.range(),
            "cpu_us": self.ours.cpu.median(), "cpu_us_raw": self.raw.cpu.median(),
            "datagrams": self.ours.datagrams.median(), "datagrams_raw": self.raw.datagrams.median(),
            "mtu": self.ours.mtu, "mtu_raw": self.raw.mtu, "lost": self.ours.lost, "lost_raw": self.raw.lost,
        });
        for (figures, suffix) in [(self.ours, ""), (self.raw, "_raw")] {
            for (name, series) in &figures.more {
                object[format!("{name}{suffix}")] = json!(series.median());
            }
        }
        object
    }
}

impl fmt::Display for Pair<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ours, raw, unit } = self;
        write!(f, "ours {} {unit}, raw {} {unit}, ratio {:.3}", ours.value, raw.value, self.ratio())?;
        let cpu = ours.cpu.median() / raw.cpu.median();
        write!(f, "; CPU {:.2} and {:.2} us an operation, ratio {cpu:.3}", ours.cpu.median(), raw.cpu.median())?;
        write!(f, "; {:.2} and {:.2} datagrams", ours.datagrams.median(), raw.datagrams.median())?;
        write!(f, "; MTU {} and {}, lost {} and {}", ours.mtu, raw.mtu, ours.lost, raw.lost)?;
        for (figures, side) in [(ours, "ours"), (raw, "raw")] {
            for (name, series) in &figures.more {
                write!(f, "; {side} {name} {series}")?;
            }
        }
        Ok(())
    }
}
