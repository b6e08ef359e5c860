//! Lots among their own ancestors.
//!
//! A lot that is put back, reworked or remade goes round in a circle; that is normal, as long as something
//! entered the circle from outside. Going round, event times cannot always rise: somewhere a lot is used no
//! later than it is made. So only from such lots is anything searched.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    super::{
        filing::{
            fact::Role,
            span::{LotKey, Span},
            symbol::Symbol,
        },
        gate::Gate,
    },
    anomaly::{Anomaly, AnomalyKind, Weight},
    history::{self, History},
    judge::Report,
};

/// Most identifiers that one search visits.
const ANCESTORS_MAX: usize = 100_000;

/// Whether some of the lot was used no later than some of it was made.
pub(super) fn goes_backward(gate: Gate<'_>, history: &History) -> bool {
    let made = history
        .makings
        .iter()
        .filter(|making| making.role != Role::Made)
        .map(|making| gate.fact(making.touch.fact).event_time)
        .max();
    let used = history
        .moments
        .iter()
        .filter(|moment| moment.via.is_none() && moment.role.uses())
        .map(|moment| gate.fact(moment.touch.fact).event_time)
        .min();
    made.zip(used).is_some_and(|(made, used)| used <= made)
}

/// The anomalies of all circles through lots that are used before they are made.
pub(super) fn all(gate: Gate<'_>, backward: &HashMap<(Symbol, u8), BTreeMap<u64, u64>>) -> Vec<Anomaly> {
    let mut members: Vec<LotKey> = Vec::new();
    for ((stem, width), runs) in backward {
        for first in runs.keys() {
            let key = LotKey {
                stem: *stem,
                width: *width,
                number: *first,
            };
            members.extend(through(gate, key));
        }
    }
    let mut circles: Vec<Anomaly> = members
        .into_iter()
        .filter_map(|member| own_ancestor(gate, member))
        .collect();
    circles.sort();
    circles.dedup();
    circles
}

/// The lots from which `key` comes and which come from it, itself included, if it comes from itself.
fn through(gate: Gate<'_>, key: LotKey) -> Vec<LotKey> {
    let mut parents: HashMap<LotKey, Vec<LotKey>> = HashMap::new();
    let mut next = vec![key];
    let mut seen = HashSet::from([key]);
    let mut order = Vec::new();
    while let Some(lot) = next.pop() {
        if order.len() >= ANCESTORS_MAX {
            return Vec::new();
        }
        order.push(lot);
        for input in inputs_of(gate, lot) {
            parents.entry(input).or_default().push(lot);
            if seen.insert(input) {
                next.push(input);
            }
        }
    }
    // Ancestors from which `key` can be reached downwards within its own ancestry: all of them; those that
    // `key` reaches downwards are its descendants there.
    let mut below = HashSet::new();
    let mut next: Vec<LotKey> = parents.get(&key).cloned().unwrap_or_default();
    while let Some(lot) = next.pop() {
        if below.insert(lot) {
            next.extend(parents.get(&lot).into_iter().flatten().copied());
        }
    }
    order.retain(|lot| below.contains(lot));
    order
}

/// Whether something came into a circle of lots that is none of them: made without inputs, from outside, or out
/// of another lot.
fn has_source(gate: Gate<'_>, circle: &[LotKey]) -> bool {
    let members: HashSet<LotKey> = circle.iter().copied().collect();
    circle.iter().any(|lot| {
        let history = history::of(gate, *lot);
        let from_outside = history
            .moments
            .iter()
            .any(|moment| moment.via.is_none() && matches!(moment.role, Role::Opening | Role::Taken));
        let made = history.makings.iter().any(|making| {
            let inputs = inputs_of_run(gate, making.touch.fact);
            inputs.is_empty() || inputs.iter().any(|input| !members.contains(input))
        });
        made || (from_outside && super::books_of(gate, &history).made.is_unknown(&history))
    })
}

/// The anomaly of a lot that goes round in a circle which nothing ever entered.
pub(in crate::provenance) fn own_ancestor(gate: Gate<'_>, key: LotKey) -> Option<Anomaly> {
    if !may_be_its_own_ancestor(gate, key) {
        return None;
    }
    let circle = through(gate, key);
    if !circle.contains(&key) || has_source(gate, &circle) {
        return None;
    }
    let history = history::of(gate, key);
    let books = super::books_of(gate, &history);
    let mut facts: Vec<u32> = history.makings.iter().map(|making| making.touch.fact).collect();
    facts.retain(|fact| !inputs_of_run(gate, *fact).is_empty());
    let first = *facts.first()?;
    let report = Report {
        gate,
        history: &history,
        books: &books,
        piece: key.into(),
        found: Vec::new(),
    };
    let mut anomaly = report.anomaly(
        AnomalyKind::OwnAncestor,
        first,
        facts,
        "the lot is among its own ancestors, and nothing ever came into the circle from outside".to_owned(),
    );
    anomaly.weighs_on = Weight::Lot;
    Some(anomaly)
}

/// False if there is no circle anywhere behind a lot, nor through it. Looks at each ancestor once for all
/// lots that share it.
fn may_be_its_own_ancestor(gate: Gate<'_>, key: LotKey) -> bool {
    if gate.memory.is_acyclic(key) {
        return false;
    }
    // Lots met, and whether their ancestors have all been looked at.
    let mut seen: HashMap<LotKey, bool> = HashMap::new();
    // What is under way, from the lot upwards, each with the inputs still to look at.
    let mut path = vec![(key, inputs_of(gate, key))];
    seen.insert(key, false);
    while let Some((lot, inputs)) = path.last_mut() {
        let Some(input) = inputs.pop() else {
            seen.insert(*lot, true);
            path.pop();
            continue;
        };
        match seen.get(&input) {
            Some(true) => {}
            Some(false) => return true,
            None if gate.memory.is_acyclic(input) => {}
            None if seen.len() >= ANCESTORS_MAX => return true,
            None => {
                seen.insert(input, false);
                path.push((input, inputs_of(gate, input)));
            }
        }
    }
    gate.memory.note_acyclic(seen.into_keys());
    false
}

/// First members of the pieces that went into the runs that made a lot.
fn inputs_of(gate: Gate<'_>, key: LotKey) -> Vec<LotKey> {
    let history = history::of(gate, key);
    let mut inputs = Vec::new();
    for making in &history.makings {
        inputs.extend(inputs_of_run(gate, making.touch.fact));
    }
    inputs
}

fn inputs_of_run(gate: Gate<'_>, fact: u32) -> Vec<LotKey> {
    let mut inputs = Vec::new();
    for member in gate.run_of(fact) {
        if !gate.counts(member) {
            continue;
        }
        for leg in &gate.fact(member).reading.legs {
            if leg.role.uses() {
                let pieces = gate.tracks.pieces(leg.span, |touch| {
                    gate.leg(touch).role.makes() || gate.leg(touch).role.uses()
                });
                inputs.extend(pieces.into_iter().map(Span::key));
            }
        }
    }
    inputs
}
