//! Lots among their own ancestors.
//!
//! Going round a cycle, event times cannot always rise: somewhere a lot is used no later than it is made. So
//! only from such lots is anything searched, and a ledger without them is searched nowhere.

use std::collections::{HashMap, HashSet};

use super::{
    Anomaly, AnomalyKind, Projection,
    anomaly::Settled,
    fact::Role,
    history::History,
    judge::Report,
    span::{LotKey, Span},
};

/// Most identifiers that one search visits.
const ANCESTORS_MAX: usize = 100_000;

impl Projection {
    /// Whether some of the lot was used no later than some of it was made.
    pub(super) fn goes_backward(&self, history: &History) -> bool {
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

    pub(super) fn cycles(&self, settled: &Settled) -> Vec<Anomaly> {
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
        let mut seen = HashSet::from([key]);
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
        let mut below = HashSet::new();
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
    pub(super) fn own_ancestor(&self, key: LotKey) -> Option<Anomaly> {
        if !self.may_be_its_own_ancestor(key) || !self.cycle_through(key).contains(&key) {
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

    /// False if there is no circle anywhere behind a lot, nor through it. Looks at each ancestor once for all
    /// lots that share it.
    fn may_be_its_own_ancestor(&self, key: LotKey) -> bool {
        if self.recall.is_acyclic(key) {
            return false;
        }
        // Lots met, and whether their ancestors have all been looked at.
        let mut seen: HashMap<LotKey, bool> = HashMap::new();
        // What is under way, from the lot upwards, each with the inputs still to look at.
        let mut path = vec![(key, self.inputs_of(key))];
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
                None if self.recall.is_acyclic(input) => {}
                None if seen.len() >= ANCESTORS_MAX => return true,
                None => {
                    seen.insert(input, false);
                    path.push((input, self.inputs_of(input)));
                }
            }
        }
        self.recall.note_acyclic(seen.into_keys());
        false
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
}
