//! Anomalies: facts that contradict each other, and on whom they weigh.
//!
//! Each is found at one identifier (or at a run of serials with the same history) from its facts alone, so
//! the list is a function of the set of facts. A fact that arrives makes the identifiers it touches, the
//! contents of containers it moves and the members of class lots it moves *dirty*; the list looks at those
//! again when somebody asks. Governance that changes whose word counts makes everything dirty.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::{FactKey, Projection, fact::Role, span::Span, symbol::Symbol};

pub(super) const NEVER_POISONED: &str = "nothing panics while it holds the lock";

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnomalyKind {
    /// More of a lot was used than was ever made; the facts are those beyond the last honest one.
    ConsumedMoreThanMade,
    /// Somebody used and shipped more of a lot than he ever made and received, as he says himself.
    UsedMoreThanHeld,
    /// A lot went into something, or was shipped, that nobody has made. Open: it resolves when its maker's
    /// event arrives.
    UnknownInput,
    /// Used by somebody who had never held any of it.
    ConsumedWithoutCustody,
    /// Shipped or handed over by somebody who had never held any of it.
    ShippedWithoutCustody,
    /// Received without a shipment that fits.
    ReceivedNeverShipped,
    /// A serial made twice, or a lot made by two parties.
    CommissionedTwice,
    /// Made by somebody who does not own the identifier and was not asked to by its owner.
    CommissionedOutsideNamespace,
    /// A step took place before one of its inputs was made.
    MadeBeforeInputs,
    /// A lot went into something that went into it.
    OwnAncestor,
    /// Reported by somebody other than who worked, without being asked to.
    IssuerNotOperator,
    /// Corrected or voided after its issuer had used what it made; the fact still counts.
    VoidedAfterUse,
    /// Two reports of one event that differ.
    ConflictingReport,
    /// A step with a complete list of inputs put out more mass than went in.
    YieldExceeded,
}

impl AnomalyKind {
    /// Its code, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConsumedMoreThanMade => "consumed_more_than_made",
            Self::UsedMoreThanHeld => "used_more_than_held",
            Self::UnknownInput => "unknown_input",
            Self::ConsumedWithoutCustody => "consumed_without_custody",
            Self::ShippedWithoutCustody => "shipped_without_custody",
            Self::ReceivedNeverShipped => "received_never_shipped",
            Self::CommissionedTwice => "commissioned_twice",
            Self::CommissionedOutsideNamespace => "commissioned_outside_namespace",
            Self::MadeBeforeInputs => "made_before_inputs",
            Self::OwnAncestor => "own_ancestor",
            Self::IssuerNotOperator => "issuer_not_operator",
            Self::VoidedAfterUse => "voided_after_use",
            Self::ConflictingReport => "conflicting_report",
            Self::YieldExceeded => "yield_exceeded",
        }
    }
}

/// On whom an anomaly weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// On the lot: its signer owned the identifier, or held or worked on the lot then.
    Lot,
    /// On the signer alone: nobody else vouches that he had to do with the lot.
    Signer,
}

/// Facts that do not fit each other, at one lot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Anomaly {
    /// The lot or serial; the first one of a run.
    pub lot: String,
    /// The last one of a run of serials that share it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// What does not fit.
    pub kind: AnomalyKind,
    /// On whom it weighs.
    pub weighs_on: Weight,
    /// The party whose word it rests on.
    pub signer: String,
    /// The facts, in order of event time and then (issuer, event id).
    pub facts: Vec<FactKey>,
    /// Lots that those facts made: it weighs on them too, if their signer works there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// In words, with the numbers.
    pub detail: String,
}

/// The last number of a run, and what was found at it.
type Found = (u64, Vec<Anomaly>);

/// The list, and what has to be looked at again.
#[derive(Debug, Default)]
pub(super) struct Settled {
    dirty: BTreeSet<u32>,
    everything: bool,
    /// By stem and width, then by the first number of a run: its last number and what was found.
    found: HashMap<(Symbol, u8), BTreeMap<u64, Found>>,
    /// Runs of which some was used no later than it was made: a cycle has to pass through one of them.
    pub(super) backward: HashMap<(Symbol, u8), BTreeMap<u64, u64>>,
    cycles: Vec<Anomaly>,
    list: Vec<Anomaly>,
}

impl Settled {
    /// Notes that what `fact` touches, or everything, has to be looked at again.
    pub(super) fn dirty(&mut self, fact: u32, everything: bool) {
        self.everything |= everything;
        if !self.everything {
            self.dirty.insert(fact);
        }
    }
}

impl Projection {
    /// All anomalies, ordered by lot, kind and facts.
    ///
    /// Looks again at what arrived since it was last asked, so the first call costs as much as all lots.
    pub fn anomalies(&self) -> Vec<Anomaly> {
        let mut settled = self.settled.lock().expect(NEVER_POISONED);
        self.settle(&mut settled);
        settled.list.clone()
    }

    /// The anomalies of one lot: found at it, and found at inputs of the steps that made it.
    pub fn anomalies_of(&self, lot: &str) -> Vec<Anomaly> {
        let Some(key) = super::span::find(&self.symbols, lot) else {
            return Vec::new();
        };
        let history = self.history(key);
        let mut found = self.judged(key.into()).to_vec();
        if let Some(cycle) = self.own_ancestor(key) {
            found.push(cycle);
        }
        let steps: BTreeSet<u32> = history
            .makings
            .iter()
            .filter(|making| making.role != Role::Made)
            .map(|making| making.touch.fact)
            .collect();
        for step in steps {
            let key = self.key_of(step);
            for leg in &self.fact(step).reading.legs {
                if !leg.role.uses() {
                    continue;
                }
                for piece in self.tracks.pieces(leg.span, |_| true) {
                    found.extend(
                        self.judged(piece)
                            .iter()
                            .filter(|anomaly| !anomaly.outputs.is_empty() && anomaly.facts.contains(&key))
                            .cloned(),
                    );
                }
            }
        }
        found.sort();
        found.dedup();
        found
    }

    fn settle(&self, settled: &mut Settled) {
        if !settled.everything && settled.dirty.is_empty() {
            return;
        }
        let spans = if std::mem::take(&mut settled.everything) {
            settled.dirty.clear();
            settled.found.clear();
            settled.backward.clear();
            self.tracks.all_spans()
        } else {
            self.affected(&std::mem::take(&mut settled.dirty))
        };
        for span in merged(spans) {
            let span = forget(settled, span);
            for piece in self.tracks.pieces(span, |_| true) {
                let history = self.trace(piece.key());
                let found = self.judge_lot(&history, piece);
                let track = (piece.stem, piece.width);
                if self.goes_backward(&history) {
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
                        .insert(piece.first, (piece.last, found));
                }
            }
        }
        settled.cycles = self.cycles(settled);
        let found = settled.found.values().flat_map(BTreeMap::values);
        settled.list = found
            .flat_map(|(_, found)| found)
            .chain(&settled.cycles)
            .cloned()
            .collect();
        settled.list.sort();
        settled.list.dedup();
    }

    /// What the conclusions about which may change with these facts.
    fn affected(&self, facts: &BTreeSet<u32>) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut seen: BTreeSet<u32> = BTreeSet::new();
        let mut next: Vec<u32> = facts.iter().copied().collect();
        while let Some(number) = next.pop() {
            if !seen.insert(number) {
                continue;
            }
            let moves = |role: Role| {
                role.moves()
                    || matches!(
                        role,
                        Role::Container
                            | Role::Emptied
                            | Role::Dismantled
                            | Role::Parent
                            | Role::Made
                            | Role::Output
                    )
            };
            for leg in &self.fact(number).reading.legs {
                spans.push(leg.span);
                // Whoever is inside moves along, and who holds the outside may hold the inside.
                self.tracks.visit(leg.span, &mut |_, touch| {
                    let role = self.leg(touch).role;
                    let inside = match role {
                        Role::Container => Some(Role::Packed),
                        Role::Parent => Some(Role::Child),
                        Role::Class => Some(Role::Made),
                        _ => None,
                    };
                    if touch.fact != number
                        && inside.is_some()
                        && moves(leg.role)
                        && !seen.contains(&touch.fact)
                    {
                        next.push(touch.fact);
                    }
                    // What counts of a contested fact depends on whether its outputs were used.
                    if self.fact(touch.fact).contested && role.makes() && !seen.contains(&touch.fact) {
                        next.push(touch.fact);
                    }
                });
            }
        }
        spans
    }
}

/// Overlapping spans joined, so that nothing is looked at twice.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable_by_key(|span| (span.stem.index(), span.width, span.first));
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
        // Runs do not overlap, so at most one that starts before the span reaches into it.
        let before = found
            .range(..span.first)
            .next_back()
            .filter(|(_, (last, _))| *last >= span.first);
        wide.first = before.map_or(span.first, |(first, _)| *first);
        let inside: Vec<u64> = found
            .range(wide.first..=span.last)
            .map(|(first, _)| *first)
            .collect();
        for first in inside {
            if let Some((last, _)) = found.remove(&first) {
                wide.last = wide.last.max(last);
            }
        }
    }
    if let Some(backward) = settled.backward.get_mut(&track) {
        let before = backward
            .range(..wide.first)
            .next_back()
            .filter(|(_, last)| **last >= wide.first);
        wide.first = before.map_or(wide.first, |(first, _)| *first);
        let inside: Vec<u64> = backward
            .range(wide.first..=wide.last)
            .map(|(first, _)| *first)
            .collect();
        for first in inside {
            if let Some(last) = backward.remove(&first) {
                wide.last = wide.last.max(last);
            }
        }
    }
    wide
}
