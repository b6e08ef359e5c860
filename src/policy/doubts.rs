//! Doubts: contradictions that touch the account by which its maker says how a thing was made.
//!
//! ```text
//! cells of A <-- electrodes of A <-- cathode material of B <-- precursor of C
//! '------- the account of A --------------'                   '- further up: opens nothing
//! ```
//!
//! The account of a maker is the thing itself, the steps that made it, and every lot consumed in them; it goes on
//! behind a consumed lot as long as who made that is the maker too, or is joined to the maker: by a principal, by the
//! facility, or by ownership. Two parties are apart only if both state their owners completely, up to the last, and
//! have none in common. Of a lot consumed that somebody apart made, only what opens all its takers counts: its maker
//! gave out more of it than there was.
//!
//! A verdict is first given on what is stated. If that would be *compliant*, it is given once more with every node in
//! doubt taken as not stated, and the worse of the two counts. So a contradiction never helps, and one at a part that
//! decides nothing changes nothing.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    rc::Rc,
};

use time::Date;

use super::{
    ground::Grounder,
    leaf::FactRef,
    makers::word_of,
    party::Who,
    truth::{F, any},
    view::StepFacts,
    walk::Node,
};
use crate::vocabulary::Step;

/// Most parties among the owners of one, and theirs: beyond it nobody is apart from anybody.
const OWNERS_MAX: usize = 1_000;

/// Contradictions by where they are.
pub(super) type Doubts = Rc<BTreeSet<FactRef>>;

/// What was found before.
#[derive(Default)]
pub(super) struct DoubtMemo {
    of_lot: HashMap<Rc<str>, Doubts>,
    /// By lot and whose account it is looked at for.
    of_account: HashMap<(Rc<str>, Rc<str>), Doubts>,
    /// A party with all its owners; nothing if they are not all stated.
    houses: HashMap<String, Option<Rc<BTreeSet<String>>>>,
    joined: HashMap<(Rc<str>, String), bool>,
}

impl Grounder<'_> {
    /// The contradictions that leave open how a lot was made.
    ///
    /// Before doubts count, these are only the contested statements at the lot itself: of several versions of what
    /// happened nobody can say which it was, whatever the verdict would be.
    pub(super) fn doubts(&mut self, lot: &Rc<str>) -> Doubts {
        if let Some(known) = self.memo.doubts.of_lot.get(lot) {
            return Rc::clone(known);
        }
        let facts = self.lot(lot);
        let mut found = BTreeSet::new();
        if self.doubting {
            let mut operators: BTreeSet<Rc<str>> = facts
                .productions
                .iter()
                .map(|step| operator_of(step).unwrap_or_default().into())
                .collect();
            if operators.is_empty() {
                operators.insert("".into());
            }
            for operator in operators {
                found.extend(self.account(lot, &operator).iter().cloned());
            }
        } else {
            let contested = facts.contradictions.iter().filter(|one| one.contested);
            found.extend(contested.map(|one| FactRef::contradiction(lot, &one.code)));
        }
        let found: Doubts = Rc::new(found);
        self.memo.doubts.of_lot.insert(Rc::clone(lot), Rc::clone(&found));
        found
    }

    /// What is stated of how a node was made: with doubts that count it is not stated at all; a contested statement
    /// leaves open that it is otherwise.
    pub(super) fn unless_in_doubt(
        &mut self,
        needed_by: &str,
        node: &Node,
        stated: impl FnOnce(&mut Self) -> F,
    ) -> F {
        let doubts = self.doubts(&node.lot);
        if doubts.is_empty() {
            return stated(self);
        }
        let otherwise = self.record.ask(needed_by, BTreeSet::clone(&doubts));
        if self.doubting {
            otherwise
        } else {
            any([stated(self), otherwise])
        }
    }

    /// Who acted in a role where a node was made, in the same way.
    pub(super) fn whos_unless_in_doubt(&mut self, node: &Node, stated: Vec<Who>) -> Vec<Who> {
        let doubts = self.doubts(&node.lot);
        let unknown = doubts.iter().cloned().map(Who::Unknown);
        if self.doubting && !doubts.is_empty() {
            unknown.collect()
        } else {
            stated.into_iter().chain(unknown).collect()
        }
    }

    /// The contradictions in the account of one maker of a lot. An empty name is a maker who is not stated.
    fn account(&mut self, lot: &Rc<str>, maker: &Rc<str>) -> Doubts {
        let mut found: BTreeSet<FactRef> = BTreeSet::new();
        let mut seen: HashSet<Rc<str>> = HashSet::from([Rc::clone(lot)]);
        let mut stack = vec![Rc::clone(lot)];
        while let Some(lot) = stack.pop() {
            let key = (Rc::clone(&lot), Rc::clone(maker));
            if let Some(known) = self.memo.doubts.of_account.get(&key) {
                found.extend(known.iter().cloned());
                continue;
            }
            let facts = self.lot(&lot);
            found.extend(
                facts
                    .contradictions
                    .iter()
                    .map(|one| FactRef::contradiction(&lot, &one.code)),
            );
            for step in &facts.productions {
                for input in &step.inputs {
                    let used: Rc<str> = input.lot.as_str().into();
                    if seen.contains(&used) {
                        continue;
                    }
                    if self.is_joined(maker, step, &used) {
                        seen.insert(Rc::clone(&used));
                        stack.push(used);
                    } else {
                        let given_out = self.lot(&used);
                        let all = given_out.contradictions.iter();
                        let reaching = all.filter(|one| one.opens_takers);
                        found.extend(reaching.map(|one| FactRef::contradiction(&used, &one.code)));
                    }
                }
            }
        }
        let found: Doubts = Rc::new(found);
        // Behind nothing that was found there is nothing either.
        let settled = if found.is_empty() {
            seen
        } else {
            HashSet::from([Rc::clone(lot)])
        };
        for lot in settled {
            let key = (lot, Rc::clone(maker));
            self.memo.doubts.of_account.insert(key, Rc::clone(&found));
        }
        found
    }

    /// Whether what went into a step belongs to the account of the maker, too.
    fn is_joined(&mut self, maker: &Rc<str>, step: &StepFacts, used: &str) -> bool {
        let facts = self.lot(used);
        let principal = principal_of(step);
        facts.productions.iter().any(|making| {
            if word_of(making).is_some_and(Step::is_looked_through) {
                // Who only handled it says nothing of how it was made.
                return true;
            }
            let Some(operator) = operator_of(making) else {
                return true;
            };
            let by_principal = principal_of(making)
                .is_some_and(|other| Some(other) == principal || other == &**maker)
                || Some(operator) == principal;
            let place = |step: &StepFacts| step.facility.as_ref().map(|facility| facility.value.clone());
            let by_place = place(making).is_some() && place(making) == place(step);
            by_principal || by_place || self.is_one_house(maker, operator)
        })
    }

    /// Whether two parties may have an owner in common, or one may own the other.
    fn is_one_house(&mut self, maker: &Rc<str>, other: &str) -> bool {
        if maker.is_empty() || &**maker == other {
            return true;
        }
        let key = (Rc::clone(maker), other.to_owned());
        if let Some(known) = self.memo.doubts.joined.get(&key) {
            return *known;
        }
        let joined = match (self.house(maker), self.house(other)) {
            (Some(one), Some(two)) => !one.is_disjoint(&two),
            _ => true,
        };
        self.memo.doubts.joined.insert(key, joined);
        joined
    }

    /// A party, whom it succeeds, and all its owners up to the last; nothing if that is not stated.
    fn house(&mut self, party: &str) -> Option<Rc<BTreeSet<String>>> {
        if let Some(known) = self.memo.doubts.houses.get(party) {
            return known.clone();
        }
        let at = self.clocks.trigger.unwrap_or(self.clocks.evaluation);
        let house = self.house_at(party, at).map(Rc::new);
        self.memo.doubts.houses.insert(party.to_owned(), house.clone());
        house
    }

    fn house_at(&mut self, party: &str, at: Date) -> Option<BTreeSet<String>> {
        let mut house = BTreeSet::from([party.to_owned()]);
        let mut stack = vec![party.to_owned()];
        while let Some(party) = stack.pop() {
            let facts = self.recall.party(&party, at)?;
            let is_person = facts.citizenships.is_some();
            let complete = facts.ownership_complete.as_ref().is_some_and(|fact| fact.value);
            if !complete && !is_person {
                return None;
            }
            let owners = facts.owners.iter().map(|stake| &stake.value.owner);
            let earlier = facts.predecessors.iter().map(|earlier| &earlier.value);
            for other in owners.chain(earlier) {
                if house.insert(other.clone()) {
                    stack.push(other.clone());
                }
            }
            if house.len() > OWNERS_MAX {
                return None;
            }
        }
        Some(house)
    }
}

fn operator_of(step: &StepFacts) -> Option<&str> {
    step.operator.as_ref().map(|operator| operator.value.as_str())
}

fn principal_of(step: &StepFacts) -> Option<&str> {
    step.principal.as_ref()?.value.as_deref()
}
