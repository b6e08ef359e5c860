//! Settling: from grounded rules to an outcome, trying completions of what is unknown.
//!
//! A rule is one formula in strong Kleene logic: compliant = not applicable OR not yet effective OR excluded
//! OR test passed OR excepted OR waived, and the basis is the first of these that is true. Where Kleene says
//! unknown although the same unknown stands in several places, every completion of up to [`ATOMS_MAX`] atoms
//! is tried; if all agree, that is the outcome.
//!
//! A fact is missing iff there is a completion of the *other* unknowns under which it decides. Beyond
//! [`ATOMS_MAX`] atoms every unknown fact may matter, largest first. Both limits are one, so that up to it
//! an indeterminate verdict names a missing fact, unless a downgrade alone made it so.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    leaf::{FactRef, Record},
    quick::Quick,
    truth::{AtomId, F, Truth},
    verdict::{Basis, Missing, Outcome},
    view::{Assurance, Exact},
};

/// Most atoms for which every completion is tried.
pub(super) const ATOMS_MAX: usize = 16;

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

    /// What the rule comes to, given the value of each of its formulas.
    fn found([applies, effective, excluded, passed, excepted, waived, downgraded]: [Truth; 7]) -> Found {
        let grounds = [
            (Basis::NotApplicable, applies.not()),
            (Basis::NotYetEffective, effective.not()),
            (Basis::Exclusion, excluded),
            (Basis::Rule, passed),
            (Basis::Exception, excepted),
            (Basis::Waiver, waived),
        ];
        match grounds.iter().find(|(_, truth)| *truth == Truth::True) {
            Some((basis @ (Basis::Rule | Basis::Exception), _)) if downgraded != Truth::False => {
                if waived == Truth::True {
                    (Outcome::Compliant, Basis::Waiver)
                } else {
                    (Outcome::Indeterminate, *basis)
                }
            }
            Some((basis, _)) => (passed_by(*basis), *basis),
            None if grounds.iter().all(|(_, truth)| *truth == Truth::False) => {
                (Outcome::NonCompliant, Basis::Rule)
            }
            None => (Outcome::Indeterminate, Basis::Rule),
        }
    }
}

/// What nothing bars is called, by the first ground that is true.
const fn passed_by(basis: Basis) -> Outcome {
    match basis {
        Basis::NotApplicable => Outcome::NotApplicable,
        Basis::NotYetEffective => Outcome::NotYetEffective,
        Basis::Exclusion | Basis::Rule | Basis::Exception | Basis::Waiver => Outcome::Compliant,
    }
}

/// The worst of the rules that apply.
fn worst(all: &[Found]) -> Found {
    let idle = |found: &&Found| matches!(found.0, Outcome::NotApplicable | Outcome::NotYetEffective);
    let judging = all.iter().filter(|found| !idle(found)).max();
    let idling = all.iter().filter(idle).max();
    *judging
        .or(idling)
        .unwrap_or(&(Outcome::NotApplicable, Basis::NotApplicable))
}

/// What the rules come to in every completion: bit n of the position is atom n.
fn complete(rules: &[GroundedRule], atoms: &[AtomId]) -> Vec<Found> {
    let quick: Option<Vec<Vec<Quick>>> = rules
        .iter()
        .map(|rule| {
            rule.formulas()
                .into_iter()
                .map(|formula| Quick::compile(formula, atoms))
                .collect()
        })
        .collect();
    let slow = |bits: u32| {
        let assigned = |id| {
            atoms
                .binary_search(&id)
                .map_or(Truth::Unknown, |place| (bits >> place & 1 == 1).into())
        };
        let each = rules
            .iter()
            .map(|rule| GroundedRule::found(rule.formulas().map(|formula| formula.truth(&assigned))));
        worst(&each.collect::<Vec<_>>())
    };
    let completions = 0_u32..1 << atoms.len();
    let Some(quick) = quick else {
        return completions.map(slow).collect();
    };
    completions
        .map(|bits| {
            let mut each = Vec::with_capacity(quick.len());
            for rule in &quick {
                let mut values = [Truth::Unknown; 7];
                for (value, formula) in values.iter_mut().zip(rule) {
                    *value = formula.truth(bits);
                }
                each.push(GroundedRule::found(values));
            }
            worst(&each)
        })
        .collect()
}

/// Settles rules; `needs` is the assurance that was asked for, if missing facts may lack only that.
pub(super) fn settle(rules: &[GroundedRule], record: &Record, needs: Option<Assurance>) -> Settled {
    let each: Vec<Found> = rules
        .iter()
        .map(|rule| GroundedRule::found(rule.formulas().map(|formula| formula.kleene())))
        .collect();
    let (outcome, basis) = worst(&each);
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
    if atoms.len() > ATOMS_MAX {
        return Settled {
            outcome,
            bases,
            missing: all_may_matter(&atoms, record, needs),
        };
    }
    let completions = complete(rules, &atoms);
    if let Some((first, _)) = completions.first()
        && *first != Outcome::Indeterminate
        && completions
            .iter()
            .all(|(outcome, _)| barred(*outcome) == barred(*first))
    {
        bases = completions.iter().map(|(_, basis)| *basis).collect();
        // Of *does not apply* and *applies and passes* the second is said, with both bases.
        return Settled {
            outcome: completions
                .iter()
                .map(|(outcome, _)| *outcome)
                .max()
                .unwrap_or(*first),
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

/// Whether a lot is barred, free, or neither: what facts decide, whatever the ground is.
fn barred(outcome: Outcome) -> Outcome {
    if outcome.is_unbarred() {
        Outcome::Compliant
    } else {
        outcome
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
    let outcome = |bits: usize| completions.get(bits).map(|found| barred(found.0));
    // Thousands of facts may stand behind one atom: what their mask decides is found out once.
    let mut decides: BTreeMap<usize, bool> = BTreeMap::new();
    masks
        .into_iter()
        .filter(|(_, (mask, _))| {
            *decides
                .entry(*mask)
                .or_insert_with(|| (0..completions.len()).any(|bits| outcome(bits) != outcome(bits & !mask)))
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::truth::{Comparison, Share, Term, any, known, not, share};

    fn ratio(numerator: i64, denominator: i64) -> Exact {
        Exact::new(numerator.into(), denominator.into())
    }

    fn rule(passed: F) -> GroundedRule {
        GroundedRule {
            applies: known(true),
            effective: known(true),
            excluded: known(false),
            passed,
            excepted: known(false),
            waived: known(false),
            downgraded: known(false),
        }
    }

    /// A clean part, and parts whose makers are unknown, against more than 95 percent.
    fn clean_share(record: &mut Record, clean: i64, unknown: &[i64]) -> F {
        let part = |amount: i64, counts: F| Term {
            include: known(true),
            counts,
            amount: Some(ratio(amount, 1)),
            drawn: None,
        };
        let mut terms = vec![part(clean, known(true))];
        for (number, amount) in unknown.iter().enumerate() {
            let fact = FactRef::lot(&format!("additive-{number:02}"), "step.operator");
            let who = record.ask("class.feoc", BTreeSet::from([fact]));
            record.weigh(&who, || ratio(*amount, 100));
            terms.push(part(*amount, not(&who)));
        }
        let undecided = record.number("expr.share", BTreeSet::new());
        share(Share {
            terms,
            open: false,
            comparison: Comparison::Gt,
            value: ratio(95, 100),
            undecided,
        })
    }

    #[test]
    fn three_facts_none_of_which_decides_alone_are_all_missing() {
        let mut record = Record::default();
        let passed = clean_share(&mut record, 90, &[4, 3, 3]);
        let settled = settle(&[rule(passed)], &record, None);
        assert_eq!(settled.outcome, Outcome::Indeterminate);
        assert_eq!(settled.missing.len(), 3);
        assert!(settled.missing.iter().all(|fact| !fact.may_matter));
    }

    #[test]
    fn a_fact_that_cannot_decide_is_not_missing() {
        let mut record = Record::default();
        // Without the first no more than 94 is reached; with it 95.5 at least, whatever the second is.
        let passed = clean_share(&mut record, 189, &[10, 1]);
        let settled = settle(&[rule(passed)], &record, None);
        let missing: Vec<&str> = settled.missing.iter().map(|fact| fact.subject.as_str()).collect();
        assert_eq!(missing, ["lot:additive-00"]);
        let passed = clean_share(&mut record, 96, &[2, 2]);
        assert_eq!(settle(&[rule(passed)], &record, None).outcome, Outcome::Compliant);
    }

    #[test]
    fn one_unknown_in_two_places_cancels_out() {
        let mut record = Record::default();
        let unknown = record.ask("expr.x", BTreeSet::from([FactRef::context("x")]));
        let either_way = any([unknown.clone(), not(&unknown)]);
        assert_eq!(either_way.kleene(), Truth::Unknown);
        let settled = settle(&[rule(either_way)], &record, None);
        assert_eq!((settled.outcome, settled.missing.len()), (Outcome::Compliant, 0));
    }

    #[test]
    fn where_completions_agree_on_the_outcome_alone_every_basis_is_listed() {
        let mut record = Record::default();
        let unknown = record.ask("expr.x", BTreeSet::from([FactRef::context("x")]));
        let both = GroundedRule {
            excepted: not(&unknown),
            ..rule(unknown)
        };
        let settled = settle(&[both], &record, None);
        assert_eq!(settled.outcome, Outcome::Compliant);
        assert_eq!(settled.bases, BTreeSet::from([Basis::Rule, Basis::Exception]));
    }

    #[test]
    fn an_unknown_test_under_a_true_exception_is_compliant_by_it() {
        let mut record = Record::default();
        let unknown = record.ask("expr.x", BTreeSet::from([FactRef::context("x")]));
        let excepted = GroundedRule {
            excepted: known(true),
            ..rule(unknown)
        };
        let settled = settle(&[excepted], &record, None);
        assert_eq!(
            (settled.outcome, settled.bases),
            (Outcome::Compliant, BTreeSet::from([Basis::Exception]))
        );
    }

    #[test]
    fn beyond_sixteen_unknowns_every_one_may_matter_largest_first() {
        let mut record = Record::default();
        let amounts: Vec<i64> = (1..=17).collect();
        let passed = clean_share(&mut record, 1000, &amounts);
        let settled = settle(&[rule(passed)], &record, None);
        assert_eq!(settled.missing.len(), 17);
        assert!(settled.missing.iter().all(|fact| fact.may_matter));
        assert_eq!(settled.missing[0].subject, "lot:additive-16");
    }

    #[test]
    fn the_worst_rule_that_applies_is_the_verdict() {
        let record = Record::default();
        let idle = GroundedRule {
            applies: known(false),
            ..rule(known(false))
        };
        let later = GroundedRule {
            effective: known(false),
            ..rule(known(false))
        };
        let settled = |rules: &[GroundedRule]| {
            let settled = settle(rules, &record, None);
            (settled.outcome, settled.bases.first().copied().unwrap())
        };
        assert_eq!(
            settled(&[idle.clone(), later.clone()]),
            (Outcome::NotYetEffective, Basis::NotYetEffective)
        );
        assert_eq!(
            settled(&[later, rule(known(true))]),
            (Outcome::Compliant, Basis::Rule)
        );
        assert_eq!(
            settled(&[rule(known(true)), rule(known(false))]),
            (Outcome::NonCompliant, Basis::Rule)
        );
        assert_eq!(settled(&[idle]), (Outcome::NotApplicable, Basis::NotApplicable));
    }

    #[test]
    fn a_downgrade_takes_a_pass_to_indeterminate_but_not_a_waiver() {
        let record = Record::default();
        let doubtful = GroundedRule {
            downgraded: known(true),
            ..rule(known(true))
        };
        assert_eq!(
            settle(std::slice::from_ref(&doubtful), &record, None).outcome,
            Outcome::Indeterminate
        );
        let waived = GroundedRule {
            waived: known(true),
            ..doubtful
        };
        let settled = settle(&[waived], &record, None);
        assert_eq!(
            (settled.outcome, settled.bases),
            (Outcome::Compliant, BTreeSet::from([Basis::Waiver]))
        );
    }
}
