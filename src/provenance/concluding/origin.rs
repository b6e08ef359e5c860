//! Which makings of a lot a draw comes from.
//!
//! A lot may be filled and drawn from many times: topped up, put back, a tank with a heel. What is drawn at a
//! time descends from what entered up to then, and from the next entries as far as these were short (bookings
//! come late). An account that was emptied forgets what was in it before. What another party draws descends from
//! what had entered when it was shipped to it.
//!
//! ```text
//! entries   0      1              2        3          draws of d1: 0..1, of d2: 0..2 (short of 2's amount: 0..3)
//! time  ----+--d1--+-------d2-----+--(0)---+--d3-->   after (0), where the account is empty, d3: 3..4
//! ```

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use super::{
    super::{
        amount::Exact,
        filing::{fact::Role, symbol::Symbol},
        gate::{Gate, moments::CLOCK_SLACK},
    },
    books::Books,
    history::History,
};

/// The makings of one lot in order, and which of them each draw comes from.
#[derive(Debug)]
pub(in crate::provenance) struct Origins {
    /// The facts that made some of the lot, in order.
    pub(in crate::provenance) entries: Vec<u32>,
    windows: HashMap<u32, Range<usize>>,
    /// Shipments by receiver.
    shipped_to: HashMap<Symbol, Vec<u32>>,
}

impl Origins {
    /// Works out where draws of a lot come from.
    pub(super) fn of(gate: Gate<'_>, history: &History, books: &Books) -> Self {
        let mut entries: Vec<u32> = history.makings.iter().map(|making| making.touch.fact).collect();
        entries.extend(&history.alternatives);
        entries.sort_by(|a, b| gate.compare(*a, *b));
        entries.dedup();
        let mut origins = Self {
            entries,
            windows: HashMap::new(),
            shipped_to: HashMap::new(),
        };
        if origins.entries.len() > 1 {
            for moment in &history.moments {
                if moment.role == Role::Sent
                    && let Some(to) = gate.fact(moment.touch.fact).reading.to.named()
                {
                    origins.shipped_to.entry(to).or_default().push(moment.touch.fact);
                }
            }
            origins.open_windows(gate, history, books);
        }
        origins
    }

    /// The entries that a draw comes from, as a range of [`Self::entries`].
    pub(in crate::provenance) fn behind(&self, gate: Gate<'_>, draw: u32) -> Range<usize> {
        if self.entries.len() <= 1 {
            return 0..self.entries.len();
        }
        let mut asked = HashSet::new();
        self.window(gate, draw, &mut asked)
            .unwrap_or(0..self.entries.len())
    }

    fn window(&self, gate: Gate<'_>, draw: u32, asked: &mut HashSet<u32>) -> Option<Range<usize>> {
        if let Some(window) = self.windows.get(&draw) {
            return Some(window.clone());
        }
        if !asked.insert(draw) {
            return None;
        }
        let until = gate.fact(draw).event_time.saturating_add(CLOCK_SLACK);
        let shipments = self.shipped_to.get(&gate.actor(draw))?;
        shipments
            .iter()
            .filter(|sent| gate.fact(**sent).event_time <= until)
            .filter_map(|sent| self.window(gate, *sent, asked))
            .reduce(|one, other| one.start.min(other.start)..one.end.max(other.end))
    }

    /// The entries up to a time, at least the first.
    pub(in crate::provenance) fn up_to(&self, gate: Gate<'_>, time: i64) -> Range<usize> {
        let until = time.saturating_add(CLOCK_SLACK);
        let end = self
            .entries
            .partition_point(|entry| gate.fact(*entry).event_time <= until);
        0..end.max(1).min(self.entries.len())
    }

    /// Follows the accounts of the makers.
    fn open_windows(&mut self, gate: Gate<'_>, history: &History, books: &Books) {
        let mut amounts: HashMap<u32, Option<Exact>> = HashMap::new();
        let mut draws: HashMap<u32, Option<Exact>> = HashMap::new();
        let add = |sums: &mut HashMap<u32, Option<Exact>>, fact: u32, amount: Option<&Exact>| {
            let sum = sums.entry(fact).or_insert_with(|| Some(Exact::zero()));
            match (sum.as_mut(), amount) {
                (Some(sum), Some(amount)) => *sum += amount,
                _ => *sum = None,
            }
        };
        for account in books.accounts.values().filter(|account| account.makes) {
            for entry in &account.inflow {
                add(&mut amounts, entry.fact, entry.amount.as_ref());
            }
            for entry in &account.outflow {
                add(&mut draws, entry.fact, entry.amount.as_ref());
            }
        }
        // Uses that the books do not know by themselves come from what was there, too.
        for moment in &history.moments {
            if moment.role.uses()
                && moment.via.is_none()
                && books
                    .accounts
                    .get(&gate.actor(moment.touch.fact))
                    .is_some_and(|account| account.makes)
            {
                draws.entry(moment.touch.fact).or_insert(None);
            }
        }
        let feeds_itself: HashSet<u32> = self
            .entries
            .iter()
            .copied()
            .filter(|entry| gate.run_of(*entry).iter().any(|fact| draws.contains_key(fact)))
            .collect();
        // At one time: what enters, what is drawn, what enters out of a run that draws.
        let mut line: Vec<(i64, u8, u32)> = self
            .entries
            .iter()
            .map(|entry| {
                let rank = if feeds_itself.contains(entry) { 2 } else { 0 };
                (gate.fact(*entry).event_time, rank, *entry)
            })
            .collect();
        line.extend(draws.keys().map(|draw| (gate.fact(*draw).event_time, 1, *draw)));
        line.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| gate.compare(a.2, b.2)));
        let position: HashMap<u32, usize> = self.entries.iter().copied().zip(0..).collect();
        let came_in: Vec<Option<Exact>> = self
            .entries
            .iter()
            .map(|entry| amounts.get(entry).cloned().unwrap_or(Some(Exact::zero())))
            .collect();
        let (mut start, mut end) = (0, 0);
        // What entered up to `end`, and what was drawn; nothing if some of it is not stated.
        let (mut filled, mut drawn) = (Some(Exact::zero()), Some(Exact::zero()));
        let fill = |filled: &mut Option<Exact>, at: usize| match (filled.as_mut(), came_in.get(at)) {
            (Some(sum), Some(Some(amount))) => *sum += amount,
            _ => *filled = None,
        };
        for (_, rank, fact) in line {
            if rank != 1 {
                let at = position.get(&fact).copied().unwrap_or(0);
                while end <= at {
                    fill(&mut filled, end);
                    end += 1;
                }
                continue;
            }
            match (drawn.as_mut(), draws.get(&fact)) {
                (Some(sum), Some(Some(amount))) => *sum += amount,
                _ => drawn = None,
            }
            while end < self.entries.len()
                && (end == start
                    || matches!((&filled, &drawn), (Some(filled), Some(drawn)) if filled < drawn))
            {
                fill(&mut filled, end);
                end += 1;
            }
            self.windows.insert(fact, start..end);
            if filled.is_some() && filled == drawn {
                start = end;
            }
        }
        // What is drawn after the account was emptied for good comes from its last filling.
        for window in self.windows.values_mut() {
            if window.start >= window.end {
                *window = window.start.saturating_sub(1)..window.end;
            }
        }
    }
}
