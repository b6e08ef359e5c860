//! A simulated battery supply chain: signed by nobody yet, but as plausible as we could make it.
//!
//! Fictional companies in Chile, Australia, DR Congo, China, South Korea and the United States mine, refine,
//! coat, assemble, ship, sell and certify, pack lot after pack lot, in one order of event time:
//!
//! ```text
//! mine -> concentrate -> salts -> pCAM -> CAM --.
//! flake ore -> concentrate -> anode material ----+-> electrodes -> cells -> modules -> importer -> packs
//! foils, separator, electrolyte, cans -----------'   (Korea or China)  (pallets)
//! ```
//!
//! The first lots tell [stories](Simulation::stories) with a known end; the others are honest or tainted by a
//! ratio. The cell maker runs a Korean and a Chinese line for the same part number, so only the lot tells which
//! it was.
//!
//! Pure and deterministic: the same [`SimulationConfig`] gives the same bytes, everywhere and whenever. The
//! stream holds only the events of stages under way, so its memory does not grow with the number of lots.
//! Deliberately absent: signing and publishing, which go the same way as anybody's events.

mod assembly;
mod cast;
mod chain;
mod governance;
mod mix;
mod plan;
mod random;
mod scene;
mod story;
mod stream;

pub use cast::{Cast, DeclaredProduct, Facility, Party, PartyIndex};
pub use governance::{FIXTURE_EDITION, FIXTURE_LIST};
pub use mix::{EventMix, KindMix};
pub use random::Random;
pub use story::{ExpectedAnomaly, ExpectedVerdict, LotKind, Story};
pub use stream::Events;

use crate::{time::EventTime, wire::v1};

use chain::Stage;
use plan::Plan;
use scene::{DAY, MINUTE};

/// Most pack lots of a simulation: what the numbers in its identifiers have room for.
pub const LOTS_MAX: u32 = 7_000_000;
/// Minutes between the starts of two pack lots.
const LOT_INTERVAL: i64 = 20;
/// Of a thousand lots that tell no story, how many are tainted.
const TAINTED: i64 = 100;
/// The topic of the draw that decides about a lot's kind.
const KIND_TOPIC: u32 = 1_000;

/// What a simulation depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulationConfig {
    /// Decides everything that varies.
    pub seed: u64,
    /// How many pack lots, of two packs each.
    pub lots: u32,
    /// When the authority begins to enrol; nothing is earlier but dates of contracts. A ledger takes nothing
    /// from its future, so choose it such that [`Simulation::end`] is past, or use
    /// [`SimulationConfig::ending_at`].
    pub start: EventTime,
}

impl SimulationConfig {
    /// A simulation of which everything has happened by `end`.
    pub const fn ending_at(seed: u64, lots: u32, end: EventTime) -> Self {
        let start = EventTime::from_nanos(end.as_nanos().saturating_sub(length(lots)));
        Self { seed, lots, start }
    }
}

/// Why there is no such simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimulationError {
    /// More lots than identifiers have room for.
    #[error("expected at most {LOTS_MAX} lots, got {0}")]
    TooManyLots(u32),
    /// Starts before 1971, or goes on beyond what times can say.
    #[error("a simulation cannot start at {0}")]
    Start(EventTime),
}

/// An event and who says it.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedEvent {
    /// Who signs it.
    pub party: PartyIndex,
    /// What he says.
    pub event: v1::Event,
}

/// A supply chain in motion.
#[derive(Clone, Debug)]
pub struct Simulation {
    config: SimulationConfig,
    cast: Cast,
}

/// Nanoseconds from the start of a simulation of so many lots to its end.
const fn length(lots: u32) -> i64 {
    // Widening; `i64::from` is not const.
    let lots = lots as i64;
    (DAY + lots * LOT_INTERVAL + (Stage::Rivals.day() + 1) * DAY) * MINUTE
}

impl Simulation {
    /// Sets the stage.
    ///
    /// # Errors
    /// [`SimulationError`] if there are too many lots or they do not fit into time.
    pub fn new(config: SimulationConfig) -> Result<Self, SimulationError> {
        const YEAR: i64 = 365 * DAY * MINUTE;
        if config.lots > LOTS_MAX {
            return Err(SimulationError::TooManyLots(config.lots));
        }
        let start = config.start.as_nanos();
        if start < YEAR || start.checked_add(length(config.lots)).is_none() {
            return Err(SimulationError::Start(config.start));
        }
        Ok(Self {
            config,
            cast: Cast::new(),
        })
    }

    /// What it depends on.
    pub const fn config(&self) -> SimulationConfig {
        self.config
    }

    /// Who and what there is.
    pub const fn cast(&self) -> &Cast {
        &self.cast
    }

    /// When everything has happened.
    pub const fn end(&self) -> EventTime {
        EventTime::from_nanos(self.config.start.as_nanos() + length(self.config.lots))
    }

    /// The places of all parties.
    pub fn parties(&self) -> impl Iterator<Item = PartyIndex> + use<> {
        (0..self.cast.parties.len()).map(PartyIndex)
    }

    /// What the parties say, in order of event time: first about themselves, then lot by lot, overlapping.
    /// Ids count along, per party.
    pub fn events(&self) -> Events<'_> {
        Events::new(self)
    }

    /// What a pack lot is about. Its verdict is [`LotKind::verdict`].
    pub fn lot_kind(&self, lot: u32) -> LotKind {
        let story = usize::try_from(lot).ok().and_then(|lot| story::FIRST.get(lot));
        match story {
            Some(kind) => *kind,
            None if Random::of(self.config.seed, lot, KIND_TOPIC).chance(TAINTED) => LotKind::Tainted,
            None => LotKind::Honest,
        }
    }

    fn plan(&self, lot: u32) -> Plan {
        Plan::new(&self.cast, self.config.seed, lot, self.lot_kind(lot))
    }

    /// When a pack lot's first stage starts, in nanoseconds since the epoch.
    fn lot_start(&self, lot: u32) -> i64 {
        self.config.start.as_nanos() + (DAY + i64::from(lot) * LOT_INTERVAL) * MINUTE
    }
}

#[cfg(test)]
mod projected;
#[cfg(test)]
mod tests;
