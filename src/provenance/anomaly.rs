//! Anomalies: facts that contradict each other, and on whom they weigh.
//!
//! Each is found at one identifier (or at a run of serials with the same history) from its facts alone, so
//! the list is a function of the set of facts. A fact that arrives makes the identifiers it touches, the
//! contents of containers it moves and the members of class lots it moves *dirty*; the list looks at those
//! again when somebody asks. Governance that changes whose word counts makes everything dirty.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::{
    FactKey, Projection,
    amount::{Amount, Exact, Tally},
    fact::Role,
    history::{History, Use},
    span::{LotKey, Span},
    symbol::Symbol,
};

/// Most identifiers that the search for a lot among its own ancestors visits.
const ANCESTORS_MAX: usize = 100_000;
pub(super) const NEVER_POISONED: &str = "nothing panics while it holds the lock";

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnomalyKind {
    /// More of a lot was used than was ever made; the facts are those beyond the last honest one.
    ConsumedMoreThanMade,
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

/// The list, and what has to be looked at again.
#[derive(Debug, Default)]
pub(super) struct Settled {
    dirty: BTreeSet<u32>,
    everything: bool,
    /// By stem and width, then by the first number of a run: its last number and what was found.
    found: HashMap<(Symbol, u8), BTreeMap<u64, (u64, Vec<Anomaly>)>>,
    /// Runs of which some was used no later than it was made: a cycle has to pass through one of them.
    backward: HashMap<(Symbol, u8), BTreeMap<u64, u64>>,
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
        let mut found = self.judge_lot(&history, key.into());
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
                    let input = self.history(piece.key());
                    found.extend(
                        self.judge_lot(&input, piece)
                            .into_iter()
                            .filter(|anomaly| !anomaly.outputs.is_empty() && anomaly.facts.contains(&key)),
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
                let history = self.history(piece.key());
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

    /// Everything but cycles that does not fit at the members of one piece, which share their history.
    pub(super) fn judge_lot(&self, history: &History, piece: Span) -> Vec<Anomaly> {
        let mut report = Report {
            projection: self,
            history,
            piece,
            found: Vec::new(),
        };
        let uses = self.uses(history);
        report.custody(&uses);
        report.balance(&uses);
        report.makings();
        report.order(&uses);
        report.contested();
        report.yields();
        report.found.sort();
        report.found.dedup();
        report.found
    }

    /// Whether some of the lot was used no later than some of it was made.
    fn goes_backward(&self, history: &History) -> bool {
        let made = history
            .makings
            .iter()
            .filter(|making| making.role != Role::Made)
            .map(|making| self.fact(making.touch.fact).event_time)
            .max();
        let used = history
            .moments
            .iter()
            .filter(|moment| moment.via.is_none() && moment.role.uses())
            .map(|moment| self.fact(moment.touch.fact).event_time)
            .min();
        made.zip(used).is_some_and(|(made, used)| used <= made)
    }

    fn cycles(&self, settled: &Settled) -> Vec<Anomaly> {
        let mut members: Vec<LotKey> = Vec::new();
        for ((stem, width), runs) in &settled.backward {
            for first in runs.keys() {
                let key = LotKey {
                    stem: *stem,
                    width: *width,
                    number: *first,
                };
                members.extend(self.cycle_through(key));
            }
        }
        let mut cycles: Vec<Anomaly> = members
            .into_iter()
            .filter_map(|member| self.own_ancestor(member))
            .collect();
        cycles.sort();
        cycles.dedup();
        cycles
    }

    /// The lots from which `key` comes and which come from it, itself included, if it comes from itself.
    fn cycle_through(&self, key: LotKey) -> Vec<LotKey> {
        let mut parents: HashMap<LotKey, Vec<LotKey>> = HashMap::new();
        let mut next = vec![key];
        let mut seen = std::collections::HashSet::from([key]);
        let mut order = Vec::new();
        while let Some(lot) = next.pop() {
            if order.len() >= ANCESTORS_MAX {
                return Vec::new();
            }
            order.push(lot);
            for input in self.inputs_of(lot) {
                parents.entry(input).or_default().push(lot);
                if seen.insert(input) {
                    next.push(input);
                }
            }
        }
        // Ancestors from which `key` can be reached downwards within its own ancestry: all of them; those that
        // `key` reaches downwards are its descendants there.
        let mut below = std::collections::HashSet::new();
        let mut next: Vec<LotKey> = order
            .iter()
            .filter(|lot| self.inputs_of(**lot).contains(&key))
            .copied()
            .collect();
        while let Some(lot) = next.pop() {
            if below.insert(lot) {
                next.extend(parents.get(&lot).into_iter().flatten().copied());
            }
        }
        order.retain(|lot| below.contains(lot));
        order
    }

    /// The anomaly of a lot that is among its own ancestors.
    fn own_ancestor(&self, key: LotKey) -> Option<Anomaly> {
        if !self.cycle_through(key).contains(&key) {
            return None;
        }
        let history = self.history(key);
        let mut facts: Vec<u32> = history.makings.iter().map(|making| making.touch.fact).collect();
        facts.retain(|fact| self.fact(*fact).reading.legs.iter().any(|leg| leg.role.uses()));
        let first = *facts.first()?;
        let report = Report {
            projection: self,
            history: &history,
            piece: key.into(),
            found: Vec::new(),
        };
        Some(report.anomaly(
            AnomalyKind::OwnAncestor,
            first,
            facts,
            "the lot is among its own ancestors".to_owned(),
        ))
    }

    /// First members of the pieces that went into the steps that made a lot.
    fn inputs_of(&self, key: LotKey) -> Vec<LotKey> {
        let history = self.history(key);
        let mut inputs = Vec::new();
        for making in &history.makings {
            for leg in &self.fact(making.touch.fact).reading.legs {
                if leg.role.uses() {
                    let pieces = self.tracks.pieces(leg.span, |touch| {
                        self.leg(touch).role.makes() || self.leg(touch).role.uses()
                    });
                    inputs.extend(pieces.into_iter().map(Span::key));
                }
            }
        }
        inputs
    }

    /// The mass of one piece of a lot, by its declared product.
    pub(super) fn mass_per_piece(&self, history: &History) -> Option<Amount> {
        let declared = self.product_declaration(self.product_of(history)?)?;
        let mass = declared.mass_per_piece.as_ref()?;
        let value = crate::quantity::parse_decimal(&mass.value)?;
        Some(Amount::of(value, &mass.unit))
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

/// Collects the anomalies of one piece.
struct Report<'a> {
    projection: &'a Projection,
    history: &'a History,
    piece: Span,
    found: Vec<Anomaly>,
}

impl Report<'_> {
    fn anomaly(&self, kind: AnomalyKind, blamed: u32, mut facts: Vec<u32>, detail: String) -> Anomaly {
        let projection = self.projection;
        facts.sort_by(|a, b| projection.order(*a).cmp(&projection.order(*b)));
        facts.dedup();
        let mut outputs: Vec<String> = facts
            .iter()
            .filter(|fact| {
                let legs = &projection.fact(**fact).reading.legs;
                legs.iter()
                    .any(|leg| leg.role.uses() && leg.span.contains(self.history.key))
            })
            .flat_map(|fact| &projection.fact(*fact).reading.legs)
            .filter(|leg| leg.role.makes())
            .map(|leg| projection.name(leg.span.key()))
            .collect();
        outputs.sort();
        outputs.dedup();
        let last = LotKey {
            number: self.piece.last,
            ..self.piece.key()
        };
        Anomaly {
            lot: projection.name(self.piece.key()),
            last: (self.piece.count() > 1).then(|| projection.name(last)),
            kind,
            weighs_on: if projection.has_standing(self.history, blamed) {
                Weight::Lot
            } else {
                Weight::Signer
            },
            signer: projection.issuer_of(blamed).to_owned(),
            facts: facts.iter().map(|fact| projection.key_of(*fact)).collect(),
            outputs,
            detail,
        }
    }

    fn add(&mut self, kind: AnomalyKind, blamed: u32, facts: Vec<u32>, detail: String) {
        let anomaly = self.anomaly(kind, blamed, facts, detail);
        self.found.push(anomaly);
    }

    /// Who used, shipped or received what he had no part in; and lots that nobody made.
    fn custody(&mut self, uses: &[Use]) {
        let projection = self.projection;
        let history = self.history;
        let is_unit = super::history::is_logistic_unit(&projection.name(history.key))
            || history
                .moments
                .iter()
                .any(|moment| moment.role == Role::Container && moment.via.is_none());
        let known = history.is_made() || is_unit;
        for used in uses {
            let actor = projection.symbols.name(projection.actor(used.fact)).to_owned();
            if !known {
                self.add(
                    AnomalyKind::UnknownInput,
                    used.fact,
                    vec![used.fact],
                    "nobody has said how this lot was made".to_owned(),
                );
            } else if !used.held {
                self.add(
                    AnomalyKind::ConsumedWithoutCustody,
                    used.fact,
                    vec![used.fact],
                    format!("{actor} had never held any of it"),
                );
            }
        }
        for moment in &history.moments {
            if moment.via.is_some() || !matches!(moment.role, Role::Sent | Role::Handed) {
                continue;
            }
            let fact = moment.touch.fact;
            let reading = &projection.fact(fact).reading;
            let time = projection.fact(fact).event_time;
            let actor = projection.actor(fact);
            // A taker may sign the hand-over that makes him the holder: then the giver has to have held it.
            let giver = reading
                .from
                .named()
                .filter(|_| moment.role == Role::Handed)
                .unwrap_or(actor);
            if !known {
                self.add(
                    AnomalyKind::UnknownInput,
                    fact,
                    vec![fact],
                    "nobody has said how this lot was made".to_owned(),
                );
            } else if !history.held(giver, time) {
                let giver = projection.symbols.name(giver).to_owned();
                self.add(
                    AnomalyKind::ShippedWithoutCustody,
                    fact,
                    vec![fact],
                    format!("{giver} had never held any of it"),
                );
            }
        }
        for receipt in &history.receipts {
            if !receipt.shipped && receipt.moment.via.is_none() {
                let fact = receipt.moment.touch.fact;
                let receiver = projection.symbols.name(projection.actor(fact)).to_owned();
                self.add(
                    AnomalyKind::ReceivedNeverShipped,
                    fact,
                    vec![fact],
                    format!("no shipment to {receiver} fits"),
                );
            }
        }
    }

    /// More used than made: first by those whose word counts, then by others.
    fn balance(&mut self, uses: &[Use]) {
        let projection = self.projection;
        let made = projection.made(self.history);
        let Some((unit, made, mass)) = self.comparable(&made, uses) else {
            return;
        };
        let mut left = made.clone();
        let back = projection.came_back(self.history);
        if let Some(back) = back.sums.get(&unit) {
            left += back;
        }
        let mut order: Vec<&Use> = uses.iter().collect();
        order.sort_by_key(|used| !used.standing);
        let mut used_up = Exact::zero();
        let mut beyond: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for used in order {
            let Some(amount) = used.in_unit(&unit, mass.as_ref()) else {
                continue;
            };
            if used.returned {
                continue;
            }
            used_up += &amount;
            left -= &amount;
            if left.is_negative() {
                beyond
                    .entry(projection.issuer_of(used.fact))
                    .or_default()
                    .push(used.fact);
            }
        }
        let used_up = Amount {
            value: used_up,
            unit: unit.clone(),
        };
        let made = Amount { value: made, unit };
        for facts in beyond.into_values() {
            let Some(first) = facts.first().copied() else {
                continue;
            };
            self.add(
                AnomalyKind::ConsumedMoreThanMade,
                first,
                facts,
                format!("used {used_up} of {made}"),
            );
        }
    }

    /// The unit in which makings and uses can be compared, and how much was made in it; nothing if some
    /// making does not say how much.
    fn comparable(&self, made: &Tally, uses: &[Use]) -> Option<(String, Exact, Option<Amount>)> {
        if made.unknown || made.sums.len() != 1 {
            return None;
        }
        let (unit, value) = made.sums.iter().next()?;
        let same = uses
            .iter()
            .all(|used| used.amount.as_ref().is_none_or(|amount| amount.unit == *unit));
        if same {
            return Some((unit.clone(), value.clone(), None));
        }
        match self.projection.mass_per_piece(self.history) {
            // Pieces were made and some were weighed when used: everything by mass.
            Some(mass) if unit.is_empty() => {
                let value = mass.value.multiplied(value);
                Some((mass.unit.clone(), value, Some(mass)))
            }
            mass => Some((unit.clone(), value.clone(), mass)),
        }
    }

    /// Who made it, and whether he may.
    fn makings(&mut self) {
        let projection = self.projection;
        let history = self.history;
        let all: Vec<_> = history.makings.iter().chain(&history.put_aside).collect();
        // Commissioned or put out of a step; what is assembled is often commissioned as well.
        let origins: Vec<_> = all
            .iter()
            .filter(|making| matches!(making.role, Role::Made | Role::Output))
            .collect();
        let serial = projection.is_serial(history.key);
        for making in &origins {
            let fact = making.touch.fact;
            let others: Vec<u32> = origins
                .iter()
                .filter(|other| {
                    let other_fact = other.touch.fact;
                    let same_party = projection.actor(other_fact) == projection.actor(fact);
                    other_fact != fact && (!same_party || (serial && other.role == making.role))
                })
                .map(|other| other.touch.fact)
                .collect();
            // Whoever has standing is not blamed for what others without it said.
            let blamed = making.standing
                && others.iter().all(|other| {
                    !origins
                        .iter()
                        .any(|origin| origin.touch.fact == *other && origin.standing)
                });
            if !others.is_empty() && !blamed {
                let mut facts = others;
                facts.push(fact);
                self.add(
                    AnomalyKind::CommissionedTwice,
                    fact,
                    facts,
                    "made more than once".to_owned(),
                );
            }
        }
        for making in &all {
            let fact = making.touch.fact;
            if making.role == Role::Class {
                continue;
            }
            let actor = projection.actor(fact);
            let outside = match history.owner {
                Some(owner) => {
                    owner != actor
                        && owner != projection.fact(fact).issuer
                        && !projection.speaks_for(fact, owner)
                }
                None => projection.directory.has_namespaces(actor),
            };
            if outside && making.role != Role::Parent {
                let owner = history
                    .owner
                    .map_or("nobody", |owner| projection.symbols.name(owner));
                let detail = format!("the identifier belongs to {owner}");
                self.add(
                    AnomalyKind::CommissionedOutsideNamespace,
                    fact,
                    vec![fact],
                    detail,
                );
            }
            let operator = projection.operator(fact);
            let issuer = projection.fact(fact).issuer;
            if operator != issuer && operator != actor && !projection.speaks_for(fact, operator) {
                let detail = format!("the operator is {}", projection.symbols.name(operator));
                self.add(AnomalyKind::IssuerNotOperator, fact, vec![fact], detail);
            }
        }
    }

    /// Used before it was made.
    fn order(&mut self, uses: &[Use]) {
        let projection = self.projection;
        let made = self
            .history
            .makings
            .iter()
            .map(|making| projection.fact(making.touch.fact).event_time)
            .min();
        let Some(made) = made else { return };
        for used in uses {
            if used.role.uses() && projection.fact(used.fact).event_time < made {
                self.add(
                    AnomalyKind::MadeBeforeInputs,
                    used.fact,
                    vec![used.fact],
                    format!("used before {}", crate::time::rfc3339(made)),
                );
            }
        }
    }

    /// Late corrections, and reports that differ.
    fn contested(&mut self) {
        let projection = self.projection;
        let mut facts: Vec<u32> = self
            .history
            .moments
            .iter()
            .filter(|moment| moment.via.is_none())
            .map(|moment| moment.touch.fact)
            .chain(self.history.out_of_count.iter().map(|touch| touch.fact))
            .filter(|fact| projection.fact(*fact).contested)
            .collect();
        facts.sort_unstable();
        facts.dedup();
        let mut conflicts = BTreeSet::new();
        for fact in facts {
            let makes = projection
                .fact(fact)
                .reading
                .legs
                .iter()
                .any(|leg| leg.role.makes() && leg.span.contains(self.history.key));
            if makes {
                for (amendment, uses) in projection.late_amendments(fact) {
                    let mut facts = uses;
                    facts.extend([fact, amendment]);
                    self.add(
                        AnomalyKind::VoidedAfterUse,
                        fact,
                        facts,
                        "the correction has no effect until somebody independent vouches for it".to_owned(),
                    );
                }
            }
            let key = (projection.fact(fact).issuer, projection.fact(fact).id);
            let variants = projection.variants(key);
            if variants.len() > 1 && conflicts.insert(projection.key_of(fact)) {
                let counted = variants
                    .iter()
                    .copied()
                    .find(|variant| projection.counts(*variant));
                let detail = format!("{} different reports under one id", variants.len());
                self.add(
                    AnomalyKind::ConflictingReport,
                    counted.unwrap_or(fact),
                    vec![counted.unwrap_or(fact)],
                    detail,
                );
            }
        }
    }

    /// More mass out than in, where the list of inputs is complete.
    fn yields(&mut self) {
        let projection = self.projection;
        for making in &self.history.makings {
            let fact = making.touch.fact;
            let reading = &projection.fact(fact).reading;
            // What a split leaves in its parent is no loss, and a merge adds nothing: both balance by lots.
            if making.role != Role::Output || reading.inputs_complete != Some(true) {
                continue;
            }
            let (mut masses_in, mut masses_out) = (Tally::default(), Tally::default());
            for leg in &reading.legs {
                let tally = match leg.role {
                    Role::Input => &mut masses_in,
                    Role::Output => &mut masses_out,
                    _ => continue,
                };
                tally.add(projection.mass(leg).as_ref());
            }
            let kilograms = |tally: &Tally| tally.sums.get("KGM").cloned().unwrap_or_else(Exact::zero);
            let (went_in, came_out) = (kilograms(&masses_in), kilograms(&masses_out));
            if !masses_in.unknown && came_out > went_in {
                self.add(
                    AnomalyKind::YieldExceeded,
                    fact,
                    vec![fact],
                    format!("{came_out} KGM out of {went_in} KGM"),
                );
            }
        }
    }
}

impl Projection {
    /// The mass of a leg, if it is stated or follows from the declared product.
    fn mass(&self, leg: &super::fact::Leg) -> Option<Amount> {
        use super::fact::Stated;
        let amount = self.amount(leg, leg.span);
        if let Some(amount) = &amount
            && amount.unit == "KGM"
        {
            return Some(amount.clone());
        }
        if let Stated::As { value, unit } = leg.mass {
            return Some(Amount::of(value, self.symbols.name(unit)));
        }
        let amount = amount.filter(|amount| amount.unit.is_empty())?;
        let product = self.product_of_leg(leg)?;
        let declared = self.product_declaration(product)?;
        let mass = declared.mass_per_piece.as_ref()?;
        let each = Amount::of(crate::quantity::parse_decimal(&mass.value)?, &mass.unit);
        Some(Amount {
            value: each.value.multiplied(&amount.value),
            unit: each.unit,
        })
    }
}
