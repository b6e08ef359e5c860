//! The list of all anomalies, kept up to date.
//!
//! Each anomaly is found at one identifier (or at a run of serials with the same history) from its facts alone,
//! so the list is a function of the set of facts. A fact that arrives makes the identifiers it touches, the
//! contents of containers it moves, and the class lots and members that share its books *dirty*; the list looks
//! at those again when somebody asks. Governance that changes whose word counts makes everything dirty.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    super::{
        filing::{fact::Role, span::Span, symbol::Symbol},
        gate::Gate,
    },
    anomaly::Anomaly,
    circle, history, judge,
};

/// The last number of a run, and what was found at it.
type Found = (u64, Vec<Anomaly>);

/// The list, and what has to be looked at again.
#[derive(Debug, Default)]
pub(in crate::provenance) struct Settled {
    dirty: BTreeSet<u32>,
    everything: bool,
    /// By stem and width, then by the first number of a run: its last number and what was found.
    found: HashMap<(Symbol, u8), BTreeMap<u64, Found>>,
    /// Runs of which some was used no later than it was made: a circle has to pass through one of them.
    backward: HashMap<(Symbol, u8), BTreeMap<u64, u64>>,
    circles: Vec<Anomaly>,
    list: Vec<Anomaly>,
}

impl Settled {
    /// Notes that what `fact` touches, or everything, has to be looked at again.
    pub(in crate::provenance) fn dirty(&mut self, fact: u32, everything: bool) {
        self.everything |= everything;
        if !self.everything {
            self.dirty.insert(fact);
        }
    }
}

/// Brings the list up to date, and returns it.
pub(in crate::provenance) fn list(gate: Gate<'_>, settled: &mut Settled) -> Vec<Anomaly> {
    settle(gate, settled);
    settled.list.clone()
}

fn settle(gate: Gate<'_>, settled: &mut Settled) {
    if !settled.everything && settled.dirty.is_empty() {
        return;
    }
    let spans = if std::mem::take(&mut settled.everything) {
        settled.dirty.clear();
        settled.found.clear();
        settled.backward.clear();
        gate.tracks.all_spans()
    } else {
        affected(gate, &std::mem::take(&mut settled.dirty))
    };
    for span in merged(spans) {
        let span = forget(settled, span);
        for piece in gate.tracks.pieces(span, |_| true) {
            let history = history::of(gate, piece.key());
            let found = judge::of(gate, piece);
            let track = (piece.stem, piece.width);
            if circle::goes_backward(gate, &history) {
                settled
                    .backward
                    .entry(track)
                    .or_default()
                    .insert(piece.first, piece.last);
            }
            if !found.is_empty() {
                settled
                    .found
                    .entry(track)
                    .or_default()
                    .insert(piece.first, (piece.last, found.to_vec()));
            }
        }
    }
    settled.circles = circle::all(gate, &settled.backward);
    let found = settled.found.values().flat_map(BTreeMap::values);
    settled.list = found
        .flat_map(|(_, found)| found)
        .chain(&settled.circles)
        .cloned()
        .collect();
    settled.list.sort();
    settled.list.dedup();
}

/// What the conclusions about which may change with these facts.
fn affected(gate: Gate<'_>, facts: &BTreeSet<u32>) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut seen: BTreeSet<u32> = BTreeSet::new();
    let mut next: Vec<u32> = facts.iter().copied().collect();
    while let Some(number) = next.pop() {
        if !seen.insert(number) {
            continue;
        }
        if gate.fact(number).reading.legs.is_empty() {
            // A whole shipment that is withdrawn, or what corrects something: it concerns what that names.
            let reference = gate.fact(number).reading.reference;
            if reference.is_some() {
                spans.extend(gate.shipped_under(reference));
            }
        }
        next.extend(
            gate.run_of(number)
                .into_iter()
                .filter(|other| !seen.contains(other)),
        );
        for leg in &gate.fact(number).reading.legs {
            spans.push(leg.span);
            gate.tracks.visit(leg.span, &mut |_, touch| {
                let there = gate.leg(touch);
                let role = there.role;
                // Whoever is inside moves along; a class lot and its members have one set of books; and what
                // counts of a contested fact depends on who relied on what it made.
                let shares = match role {
                    Role::Container | Role::Parent | Role::Class | Role::Dismantled => true,
                    Role::Made | Role::Output => there.serial || gate.fact(touch.fact).contested,
                    _ => gate.fact(touch.fact).contested,
                };
                if touch.fact != number && shares && !seen.contains(&touch.fact) {
                    next.push(touch.fact);
                }
            });
        }
    }
    spans
}

/// Overlapping spans joined, so that nothing is looked at twice.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable_by_key(|span| span.key().order());
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if last.overlap(span).is_some() => last.last = last.last.max(span.last),
            _ => merged.push(span),
        }
    }
    merged
}

/// Forgets what was found at any run that reaches into `span`, and returns the span widened to all of them.
fn forget(settled: &mut Settled, span: Span) -> Span {
    let mut wide = span;
    let track = (span.stem, span.width);
    if let Some(found) = settled.found.get_mut(&track) {
        wide = take_runs(found, wide, |(last, _)| *last);
    }
    if let Some(backward) = settled.backward.get_mut(&track) {
        wide = take_runs(backward, wide, |last| *last);
    }
    wide
}

/// Removes the runs that reach into a span, and returns the span widened to all of them.
fn take_runs<V>(runs: &mut BTreeMap<u64, V>, span: Span, last: impl Fn(&V) -> u64) -> Span {
    let mut wide = span;
    // Runs do not overlap, so at most one that starts before the span reaches into it.
    let before = runs.range(..span.first).next_back();
    if let Some((first, _)) = before.filter(|(_, run)| last(run) >= span.first) {
        wide.first = *first;
    }
    let inside: Vec<u64> = runs
        .range(wide.first..=span.last)
        .map(|(first, _)| *first)
        .collect();
    for first in inside {
        if let Some(run) = runs.remove(&first) {
            wide.last = wide.last.max(last(&run));
        }
    }
    wide
}
