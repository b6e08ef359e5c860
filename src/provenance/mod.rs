//! Provenance: a deterministic fold from admitted events to where every lot came from.
//!
//! ```text
//! events --apply--> filing    facts, found by place, by identifier, by identity; who is who
//!                      |
//!                    gate      whose word it is, who has standing, what is corrected, what stands behind it
//!                      |
//!                  concluding  per lot: history, books, origins, anomalies; from lot to lot: the graph
//!                      |
//!                    view      what the policy sees
//! ```
//!
//! Filing only files facts, and alone changes the state. Everything that is *concluded* (who held a lot, whether
//! more was used than made, whose word counts) is computed from the facts around it when somebody asks, in an
//! order of event time and then (issuer, event id), never of arrival. So a consumption that came before its
//! supplier's event is open until that arrives, in any order, and nothing has to be undone. The list of all
//! anomalies is kept up to date by looking again at what newly arrived facts touch.
//!
//! **One gate.** Which facts count for a lot is decided in one place (`gate`), and every answer takes its facts
//! from there. Anybody may say anything about anybody's lot, and it stays in the log. But a word is a fact about
//! a lot only if its signer has standing: he owned the lot's identifier, or made it, or was given some of it by
//! who had it. All else is told as what strangers said, and weighs on them (see [`Weight`]).
//!
//! Only admitted statements' events are applied, with the parts of long events joined, and acts of the
//! authority only once they take effect. Deliberately absent: signatures and positions (verified before),
//! and rules (the policy decides what a fact means).

mod amount;
mod concluding;
mod filing;
mod gate;
mod memory;
mod view;

use std::sync::{Mutex, PoisonError};

pub use amount::{Amount, Exact, Unit};
pub use concluding::{
    Lineage, LineageRow,
    anomaly::{Anomaly, AnomalyKind, Weight},
    graph::{Bounds, Direction, LeftOut, Node, Provenance, Step, StepItem},
    stock::StockRow,
    summary::{CustodyRow, FactView, LotSummary, Strangers},
};
pub use view::ProjectionView;

use concluding::settled::{self, Settled};
use filing::{Filing, Touched};
use gate::Gate;
use memory::Memory;

pub use crate::register::EventPlace;
use crate::{
    event::sealed::Opening,
    id::FeedId,
    time::{IssuedAt, RecordedAt},
};

/// An admitted event, with what its entry and statement say about it.
#[derive(Clone, Copy, Debug)]
pub struct AppliedEvent<'a> {
    /// Where it stands in the log.
    pub place: EventPlace,
    /// The party whose key signed it.
    pub issuer: &'a str,
    /// That key.
    pub feed: FeedId,
    /// When the ledger took its entry.
    pub recorded_at: RecordedAt,
    /// When it was signed, as claimed.
    pub issued_at: IssuedAt,
    /// Whether the key is one of the authority's.
    pub by_authority: bool,
    /// The event in canonical encoding, parts joined.
    pub event: &'a [u8],
}

/// Names an event by what it is, not by where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct FactKey {
    /// The party that signed it.
    pub issuer: String,
    /// Its id, chosen by that party.
    pub event_id: String,
}

/// Everything that the applied events add up to.
#[derive(Debug, Default)]
pub struct Projection {
    filing: Filing,
    /// What was concluded since the last event; holds nothing that cannot be concluded again.
    memory: Memory,
    /// The list of anomalies, as far as somebody asked for it.
    settled: Mutex<Settled>,
}

impl Projection {
    /// The state before any event.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one event. Events of parties come in log order; an act of the authority comes when it takes
    /// effect, with the place of its proposal.
    ///
    /// # Panics
    /// After four billion facts, or if two different events are said to stand at one place.
    pub fn apply(&mut self, applied: &AppliedEvent<'_>) {
        self.memory.forget();
        let touched = self.filing.apply(applied);
        self.look_again(&touched);
    }

    /// Takes in an opening, before or after the event that it opens. Returns in how many known facts it
    /// opens a field; an opening that fits no seal is kept for later and reveals nothing.
    ///
    /// An opening authenticates itself: it belongs where its digest stands.
    pub fn open(&mut self, opening: Opening) -> usize {
        self.memory.forget();
        let facts = self.filing.open(opening);
        let opened = facts.len();
        self.look_again(&Touched {
            facts,
            everywhere: false,
        });
        opened
    }

    fn look_again(&mut self, touched: &Touched) {
        let settled = self.settled.get_mut().unwrap_or_else(PoisonError::into_inner);
        for fact in &touched.facts {
            settled.dirty(*fact, touched.everywhere);
        }
    }

    const fn gate(&self) -> Gate<'_> {
        Gate {
            filing: &self.filing,
            memory: &self.memory,
        }
    }

    /// How many events were applied, repeated reports included.
    pub const fn applied(&self) -> u64 {
        self.filing.applied()
    }

    /// How many distinct facts there are.
    pub fn facts(&self) -> usize {
        self.filing.facts().len()
    }

    /// Digest of the facts and of their order within each feed: the same for any order in which independent
    /// feeds arrived, and in which acts of the authority took effect.
    ///
    /// Sorts when asked: O(n log n) in the number of facts.
    pub fn fact_digest(&self) -> crate::id::Hash {
        self.filing.fact_digest()
    }

    /// Digest of the state, positions included: the same for the same entries, however they were batched.
    ///
    /// Hashed along as events are applied, and the facts sorted when asked: O(n log n).
    pub fn state_digest(&self) -> crate::id::Hash {
        self.filing.state_digest()
    }

    /// One lot at a glance. Nothing if the log has no event about it.
    pub fn lot(&self, lot: &str) -> Option<LotSummary> {
        concluding::summary::of(self.gate(), lot)
    }

    /// Who had a lot in hand, in order of event time. Nothing if the log has no event about it.
    pub fn custody(&self, lot: &str) -> Option<Vec<CustodyRow>> {
        concluding::summary::custody(self.gate(), lot)
    }

    /// Walks from `lot`. Nothing if the log has no event about it.
    pub fn provenance(&self, lot: &str, direction: Direction, bounds: Bounds) -> Option<Provenance> {
        concluding::graph::walk(self.gate(), lot, direction, bounds)
    }

    /// All anomalies, what strangers did among them, ordered by lot, kind and facts.
    ///
    /// Looks again at what arrived since it was last asked, so the first call costs as much as all lots.
    pub fn anomalies(&self) -> Vec<Anomaly> {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        settled::list(self.gate(), &mut settled)
    }

    /// The anomalies of one lot: found at it, and found at inputs of the steps that made it.
    pub fn anomalies_of(&self, lot: &str) -> Vec<Anomaly> {
        concluding::anomalies_of(self.gate(), lot)
    }

    /// What does not fit at a lot and anywhere behind it, the nearest `nearest_max` one by one. Nothing if the log
    /// has no event about it.
    pub fn lineage(&self, lot: &str, nearest_max: usize) -> Option<Lineage> {
        concluding::lineage_of(self.gate(), lot, nearest_max)
    }

    /// What the authority registered last under an identifier: a party's legal name, or a facility's name.
    pub fn registered_name(&self, id: &str) -> Option<String> {
        concluding::party::registered_name(self.gate(), id)
    }
}

#[cfg(test)]
mod tests;
