//! The events of all pack lots in one order of time, without holding more of them than are under way.
//!
//! A cursor per stage goes from lot to lot. No event is earlier than its stage's start, so everything before
//! the earliest start that is still to come is final:
//!
//! ```text
//! lots ->      0    1    2    3
//! stage A  |--..|--..|--..|--..           cursors: next lot of each stage, its start
//! stage B       |--..|--..|--..
//! heap     drafts of started stages, by time    given out while earlier than every cursor
//! ```
//!
//! With a lot started every 20 minutes, some 33,000 drafts wait at a time, however many lots there are.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use crate::wire::v1;

use super::{
    SimulatedEvent, Simulation,
    chain::{Stage, stage_start},
    scene::Draft,
};

/// The words under which makers certify.
const CLAUSE: &str = "The undersigned certifies that every statement in this event is true, complete and made \
                      from its own records.";

/// Events of a simulation in order of event time. See [`Simulation::events`].
#[derive(Debug)]
pub struct Events<'a> {
    simulation: &'a Simulation,
    /// The next lot of each stage.
    cursors: [u32; Stage::ALL.len()],
    /// The stage that starts next, as its place among all, and when.
    next_start: Option<(usize, i64)>,
    heap: BinaryHeap<Reverse<Waiting>>,
    drafted: u64,
    /// How much each party has said.
    numbers: Vec<u64>,
}

/// A draft that waits for its time.
#[derive(Debug)]
struct Waiting {
    order: (i64, u64),
    draft: Draft,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.cmp(&other.order)
    }
}

impl<'a> Events<'a> {
    pub(super) fn new(simulation: &'a Simulation) -> Self {
        let mut events = Self {
            simulation,
            cursors: [0; Stage::ALL.len()],
            next_start: None,
            heap: BinaryHeap::new(),
            drafted: 0,
            numbers: vec![0; simulation.cast.parties.len()],
        };
        events.wait(simulation.declarations());
        events.next_start = events.earliest_start();
        events
    }

    /// How many events wait for their time: what the stream holds in memory.
    pub fn waiting(&self) -> usize {
        self.heap.len()
    }

    fn wait(&mut self, drafts: Vec<Draft>) {
        for draft in drafts {
            self.drafted += 1;
            self.heap.push(Reverse(Waiting {
                order: (draft.time, self.drafted),
                draft,
            }));
        }
    }

    fn earliest_start(&self) -> Option<(usize, i64)> {
        let starts = Stage::ALL.into_iter().zip(self.cursors).enumerate();
        starts
            .filter(|(_, (_, lot))| *lot < self.simulation.config.lots)
            .map(|(place, (stage, lot))| (place, stage_start(self.simulation.lot_start(lot), stage)))
            .min_by_key(|(place, start)| (*start, *place))
    }

    /// The draft as the next event of whoever says it.
    fn event(&mut self, draft: Draft) -> SimulatedEvent {
        let number = &mut self.numbers[draft.party.get()];
        *number += 1;
        let certification = draft.certified.then(|| v1::Certification {
            scope: vec!["all".to_owned()],
            clause: CLAUSE.to_owned(),
            under_penalty_of_perjury: true,
        });
        SimulatedEvent {
            party: draft.party,
            event: v1::Event {
                id: format!("S{number:08}"),
                event_time: draft.time,
                utc_offset_minutes: draft.utc_offset_minutes,
                certification,
                kind: Some(draft.kind),
                ..Default::default()
            },
        }
    }
}

impl Iterator for Events<'_> {
    type Item = SimulatedEvent;

    fn next(&mut self) -> Option<SimulatedEvent> {
        while let Some((place, start)) = self.next_start {
            let first = self.heap.peek().map(|Reverse(waiting)| waiting.order.0);
            if first.is_some_and(|time| time < start) {
                break;
            }
            let (stage, lot) = (Stage::ALL[place], self.cursors[place]);
            self.cursors[place] += 1;
            self.next_start = self.earliest_start();
            let simulation = self.simulation;
            let drafts = stage.drafts(
                &simulation.cast,
                &simulation.plan(lot),
                simulation.config.seed,
                start,
            );
            debug_assert!(drafts.iter().all(|draft| draft.time >= start));
            self.wait(drafts);
        }
        let Reverse(waiting) = self.heap.pop()?;
        Some(self.event(waiting.draft))
    }
}
