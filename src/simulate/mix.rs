//! The mix of event sizes, without which a rate says little.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use prost::Message as _;

use super::Simulation;

/// Counts and sizes of a simulation's encoded events, in bytes; statement and envelope not included.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct EventMix {
    /// How many events.
    pub events: u64,
    /// All of them together.
    pub bytes: u64,
    /// By kind, as `transformed`.
    pub kinds: BTreeMap<&'static str, KindMix>,
    /// How many events are this long.
    #[serde(skip)]
    lens: BTreeMap<usize, u64>,
}

/// Count and bytes of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct KindMix {
    /// How many.
    pub events: u64,
    /// All of them together.
    pub bytes: u64,
}

impl EventMix {
    /// Counts one event by its encoding.
    ///
    /// # Panics
    /// If it is not the canonical encoding of an event, which only our own bug could make it.
    pub fn add(&mut self, encoded: Vec<u8>) {
        let len = encoded.len();
        let checked = crate::event::check(&Bytes::from(encoded)).expect("a simulated event is in form");
        let bytes = len as u64;
        let kind = self.kinds.entry(checked.kind().name()).or_default();
        kind.events += 1;
        kind.bytes += bytes;
        self.events += 1;
        self.bytes += bytes;
        *self.lens.entry(len).or_default() += 1;
    }

    /// The length in bytes that `percent` of the events do not exceed; zero if there are none.
    pub fn quantile(&self, percent: u64) -> usize {
        let wanted = (self.events * percent).div_ceil(100).max(1);
        let mut counted = 0;
        for (len, events) in &self.lens {
            counted += events;
            if counted >= wanted {
                return *len;
            }
        }
        0
    }
}

/// One line of totals and quantiles, then one for each kind.
impl fmt::Display for EventMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mean = self.bytes.checked_div(self.events).unwrap_or(0);
        write!(f, "{} events, {} bytes, mean {mean}", self.events, self.bytes)?;
        for (name, percent) in [
            ("min", 0),
            ("p10", 10),
            ("p50", 50),
            ("p90", 90),
            ("p99", 99),
            ("max", 100),
        ] {
            write!(f, ", {name} {}", self.quantile(percent))?;
        }
        for (kind, KindMix { events, bytes }) in &self.kinds {
            let mean = bytes.checked_div(*events).unwrap_or(0);
            write!(f, "\n{kind:<24}{events:>10}{mean:>8}")?;
        }
        Ok(())
    }
}

impl Simulation {
    /// The mix of all events, the authority's included. Goes through all of them.
    pub fn mix(&self) -> EventMix {
        let mut mix = EventMix::default();
        for event in self.governance() {
            mix.add(event.encode_to_vec());
        }
        for simulated in self.events() {
            mix.add(simulated.event.encode_to_vec());
        }
        mix
    }
}
