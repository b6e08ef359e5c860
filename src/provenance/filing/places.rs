//! Facts by their place in the log.
//!
//! Events of parties are applied in order of the log, so a list of their numbers is sorted by place. An act of
//! the authority is applied when it is approved, and then stands at the place of its proposal, before events
//! that were applied already: such facts are kept in a map of their own. The list asserts its order.

use std::collections::BTreeMap;

use super::fact::Fact;
use crate::register::EventPlace;

/// From places to facts.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Facts whose places ascend.
    ascending: Vec<u32>,
    /// Facts that were applied after one that stands behind them in the log.
    late: BTreeMap<EventPlace, u32>,
    /// Places of repeated reports, and the facts that they repeat.
    repeats: BTreeMap<EventPlace, u32>,
}

impl Places {
    /// Notes the place of the newest fact.
    pub(super) fn add(&mut self, number: u32, facts: &[Fact]) {
        let place = facts[number as usize].place;
        let last = self.ascending.last().map(|last| facts[*last as usize].place);
        if last.is_none_or(|last| last < place) {
            self.ascending.push(number);
        } else {
            let before = self.late.insert(place, number);
            assert!(before.is_none(), "one event stands at one place");
        }
    }

    /// Notes that a known fact was reported again at a place.
    pub(super) fn repeat(&mut self, place: EventPlace, known: u32) {
        self.repeats.insert(place, known);
    }

    /// The fact at a place.
    pub(super) fn find(&self, place: EventPlace, facts: &[Fact]) -> Option<u32> {
        debug_assert!(
            self.ascending
                .last_chunk::<2>()
                .is_none_or(|[a, b]| facts[*a as usize].place < facts[*b as usize].place),
            "places ascend"
        );
        self.ascending
            .binary_search_by_key(&place, |number| facts[*number as usize].place)
            .ok()
            .and_then(|at| self.ascending.get(at))
            .or_else(|| self.late.get(&place))
            .or_else(|| self.repeats.get(&place))
            .copied()
    }
}
