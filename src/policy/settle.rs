//! Settling: from grounded rules to an outcome, trying completions of what is unknown.
//!
//! A rule is one formula in strong Kleene logic: compliant = not applicable OR not yet effective OR excluded
//! OR test passed OR excepted OR waived, and the basis is the first of these that is true. Where Kleene says
//! unknown although the same unknown stands in several places, every completion of up to
//! [`REFINED_ATOMS_MAX`] atoms is tried; if all agree, that is the outcome.
//!
//! A fact is missing iff there is a completion of the *other* unknowns under which it decides: exact up to
//! [`EXACT_ATOMS_MAX`] atoms; beyond that every unknown fact may matter, largest first.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    leaf::{FactRef, Record},
    truth::{AtomId, F, Truth},
    verdict::{Basis, Missing, Outcome},
    view::{Assurance, Exact},
};

/// Most atoms for which an outcome is refined.
pub(super) const REFINED_ATOMS_MAX: usize = 12;

/// Most atoms for which missing facts are exact.
pub(super) const EXACT_ATOMS_MAX: usize = 16;

/// A rule put to a lot.
#[derive(Clone, Debug)]
pub(super) struct GroundedRule {
    pub(super) applies: F,
    pub(super) effective: F,
    pub(super) excluded: F,
    pub(super) passed: F,
    pub(super) excepted: F,
    pub(super) waived: F,
    pub(super) downgraded: F,
}

/// Outcome and basis of all rules together.
pub(super) type Found = (Outcome, Basis);

/// What rules come to, and what that leaves open.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    pub(super) outcome: Outcome,
    pub(super) bases: BTreeSet<Basis>,
    pub(super) missing: Vec<Missing>,
}

impl GroundedRule {
    fn formulas(&self) -> [&F; 7] {
        [
            &self.applies,
            &self.effective,
            &self.excluded,
            &self.passed,
            &self.excepted,
            &self.waived,
            &self.downgraded,
        ]
    }

    fn found(&self, assigned: &impl Fn(AtomId) -> Truth) -> Found {
        let grounds = [
            (Basis::NotApplicable, self.applies.truth(assigned).not()),
            (Basis::NotYetEffective, self.effective.truth(assigned).not()),
            (Basis::Exclusion, self.excluded.truth(assigned)),
            (Basis::Rule, self.passed.truth(assigned)),
            (Basis::Exception, self.excepted.truth(assigned)),
            (Basis::Waiver, self.waived.truth(assigned)),
        ];
        match grounds.iter().find(|(_, truth)| *truth == Truth::True) {
            Some((basis @ (Basis::Rule | Basis::Exception), _))
                if self.downgraded.truth(assigned) != Truth::False =>
            {
                if self.waived.truth(assigned) == Truth::True {
                    (Outcome::Compliant, Basis::Waiver)
                } else {
                    (Outcome::Indeterminate, *basis)
                }
            }
            Some((basis, _)) => (Outcome::Compliant, *basis),
            None if grounds.iter().all(|(_, truth)| *truth == Truth::False) => {
                (Outcome::NonCompliant, Basis::Rule)
            }
            None => (Outcome::Indeterminate, Basis::Rule),
        }
    }
}

/// The worst of the rules that apply.
fn found(rules: &[GroundedRule], assigned: &impl Fn(AtomId) -> Truth) -> Found {
    let all: Vec<Found> = rules.iter().map(|rule| rule.found(assigned)).collect();
    let idle = |found: &&Found| {
        found.0 == Outcome::Compliant && matches!(found.1, Basis::NotApplicable | Basis::NotYetEffective)
    };
    let judging = all.iter().filter(|found| !idle(found)).max();
    let idling = all.iter().filter(idle).max();
    *judging
        .or(idling)
        .unwrap_or(&(Outcome::Compliant, Basis::NotApplicable))
}

/// Settles rules; `needs` is the assurance that was asked for, if missing facts may lack only that.
pub(super) fn settle(rules: &[GroundedRule], record: &Record, needs: Option<Assurance>) -> Settled {
    let (outcome, basis) = found(rules, &|_| Truth::Unknown);
    let mut bases = BTreeSet::from([basis]);
    if outcome != Outcome::Indeterminate {
        return Settled {
            outcome,
            bases,
            missing: Vec::new(),
        };
    }
    let mut atoms = BTreeSet::new();
    for formula in rules.iter().flat_map(GroundedRule::formulas) {
        formula.atoms(&mut atoms);
    }
    let atoms: Vec<AtomId> = atoms.into_iter().collect();
    if atoms.len() > EXACT_ATOMS_MAX {
        return Settled {
            outcome,
            bases,
            missing: all_may_matter(&atoms, record, needs),
        };
    }
    let completions: Vec<Found> = (0_u32..1 << atoms.len())
        .map(|bits| {
            found(rules, &|id| {
                atoms
                    .binary_search(&id)
                    .map_or(Truth::Unknown, |place| (bits >> place & 1 == 1).into())
            })
        })
        .collect();
    if let Some((first, _)) = completions.first()
        && atoms.len() <= REFINED_ATOMS_MAX
        && *first != Outcome::Indeterminate
        && completions.iter().all(|(outcome, _)| outcome == first)
    {
        bases = completions.iter().map(|(_, basis)| *basis).collect();
        return Settled {
            outcome: *first,
            bases,
            missing: Vec::new(),
        };
    }
    Settled {
        outcome,
        bases,
        missing: deciding(&atoms, &completions, record, needs),
    }
}

/// Facts under which some completion of the others changes the outcome.
fn deciding(
    atoms: &[AtomId],
    completions: &[Found],
    record: &Record,
    needs: Option<Assurance>,
) -> Vec<Missing> {
    let mut masks: BTreeMap<&FactRef, (usize, Vec<AtomId>)> = BTreeMap::new();
    for (place, id) in atoms.iter().enumerate() {
        for fact in record.atom(*id).iter().flat_map(|atom| &atom.facts) {
            let (mask, ids) = masks.entry(fact).or_default();
            *mask |= 1 << place;
            ids.push(*id);
        }
    }
    let outcome = |bits: usize| completions.get(bits).map(|found| found.0);
    masks
        .into_iter()
        .filter(|(_, (mask, _))| (0..completions.len()).any(|bits| outcome(bits) != outcome(bits & !mask)))
        .map(|(fact, (_, ids))| missing(fact, &ids, record, needs, false))
        .collect()
}

fn all_may_matter(atoms: &[AtomId], record: &Record, needs: Option<Assurance>) -> Vec<Missing> {
    let mut facts: BTreeMap<&FactRef, (Option<Exact>, Vec<AtomId>)> = BTreeMap::new();
    for id in atoms {
        let Some(atom) = record.atom(*id) else { continue };
        for fact in &atom.facts {
            let (weight, ids) = facts.entry(fact).or_default();
            *weight = weight.take().max(atom.weight.clone());
            ids.push(*id);
        }
    }
    let mut facts: Vec<_> = facts.into_iter().collect();
    facts.sort_by(|a, b| b.1.0.cmp(&a.1.0).then_with(|| a.0.cmp(b.0)));
    facts
        .into_iter()
        .map(|(fact, (_, ids))| missing(fact, &ids, record, needs, true))
        .collect()
}

fn missing(
    fact: &FactRef,
    ids: &[AtomId],
    record: &Record,
    needs: Option<Assurance>,
    may_matter: bool,
) -> Missing {
    let needed_by: BTreeSet<String> = ids
        .iter()
        .filter_map(|id| record.atom(*id))
        .map(|atom| atom.needed_by.clone())
        .collect();
    let stated = needs.and_then(|_| record.weak.get(fact).copied());
    Missing {
        subject: fact.subject.clone(),
        path: fact.path.clone(),
        needed_by: needed_by.into_iter().collect(),
        stated,
        needs: needs.filter(|_| stated.is_some()),
        may_matter,
    }
}
