//! Who a party is: list membership, organisation, licences; and who sold what.

use std::rc::Rc;

use time::Date;

use super::{
    ground::Grounder,
    leaf::{EditionSeen, FactRef},
    likeness::{Likeness, reduced},
    list::{in_force, means},
    ownership::{OWNERSHIP_DEPTH_MAX, PATIENCE},
    pack::{ClassTest, Clock, Licensed, ListUse, Role},
    truth::{F, all, any, known, not},
    view::{Fact, Licence},
    walk::Node,
};

/// Somebody, or the fact that would say who.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Known(String),
    Unknown(FactRef),
}

impl Grounder<'_> {
    /// Whether somebody is in a class; `node` and role say where he was met.
    pub(super) fn class(&mut self, name: &str, who: &Who, met: Option<(&Node, Role)>) -> F {
        if let Who::Known(party) = who
            && let Some(asked) = self.memo.classes.get(name)
            && let Some(formula) = asked.get(party)
        {
            return Rc::clone(formula);
        }
        let formula = self.class_test(name, who, met);
        // What a thicket around somebody else left unanswered is not this party's answer for good.
        let is_answered = !self.asking || self.patience > 0;
        if let Who::Known(party) = who
            && is_answered
            && self.is_lasting(name)
        {
            let asked = self.memo.classes.entry(name.to_owned()).or_default();
            asked.insert(party.clone(), Rc::clone(&formula));
        }
        formula
    }

    /// Whether it does not matter to a class where and when somebody was met.
    pub(super) fn is_lasting(&self, name: &str) -> bool {
        let Some(class) = self.pack.classes.get(name) else {
            return true;
        };
        match &class.test {
            ClassTest::Any(names) | ClassTest::All(names) => names.iter().all(|name| self.is_lasting(name)),
            ClassTest::Not(name) => self.is_lasting(name),
            ClassTest::Place(_) => false,
            ClassTest::Listed { clock, .. } => *clock != Clock::Event,
            ClassTest::Owned(owned) => owned.clock != Clock::Event,
            ClassTest::Evidence(test) => test.clock != Clock::Event,
            ClassTest::OrganizedIn { .. }
            | ClassTest::PrincipalPlaceIn { .. }
            | ClassTest::CitizenOf { .. }
            | ClassTest::Licensed(_) => true,
        }
    }

    fn class_test(&mut self, name: &str, who: &Who, met: Option<(&Node, Role)>) -> F {
        let pack = self.pack;
        let Some(class) = pack.classes.get(name) else {
            return known(false);
        };
        if !self.counts(class.when_param.as_ref()) {
            return known(false);
        }
        match &class.test {
            ClassTest::Any(names) => {
                let parts: Vec<F> = names.iter().map(|name| self.class(name, who, met)).collect();
                return any(parts);
            }
            ClassTest::All(names) => {
                let parts: Vec<F> = names.iter().map(|name| self.class(name, who, met)).collect();
                return all(parts);
            }
            ClassTest::Not(name) => return not(&self.class(name, who, met)),
            ClassTest::Place(place) => {
                // Asked of whoever made the thing, there; not of who sold it.
                return match met {
                    Some((node, Role::Operator | Role::Principal)) => {
                        self.place(&format!("class.{name}"), place, node)
                    }
                    _ => known(false),
                };
            }
            _ => {}
        }
        let needed_by = format!("class.{name}");
        match who {
            Who::Known(party) => {
                // A question within a question (is an owner in that class?) draws on the same patience: if each
                // had its own, a thicket of holdings would have as much as it has branches.
                let is_outermost = !std::mem::replace(&mut self.asking, true);
                if is_outermost {
                    self.patience = PATIENCE;
                }
                let formula = self.leaf(&needed_by, &class.test, party, met.map(|(node, _)| node));
                self.asking = !is_outermost;
                formula
            }
            Who::Unknown(fact) => self.ask(&needed_by, fact.clone()),
        }
    }

    fn leaf(&mut self, needed_by: &str, test: &ClassTest, party: &str, node: Option<&Node>) -> F {
        let clock = match test {
            ClassTest::Listed { clock, .. } => *clock,
            ClassTest::Owned(owned) => owned.clock,
            _ => Clock::Trigger,
        };
        let Some(at) = self.at(clock, node) else {
            let fact = self.clock_fact(clock, node);
            return self.ask(needed_by, fact);
        };
        match test {
            ClassTest::Listed { list, .. } => {
                let pack = self.pack;
                match pack.lists.get(list) {
                    Some(list) => self.listed(needed_by, list, party, at, &mut Vec::new()),
                    None => known(false),
                }
            }
            ClassTest::Owned(owned) => self.owned(needed_by, owned, party, at),
            ClassTest::OrganizedIn { set } => {
                let facts = self.recall.party(party, at);
                let fact = || FactRef::party(party, "organized_in");
                let stated = facts
                    .as_ref()
                    .and_then(|facts| self.stated(facts.organized_in.as_ref(), fact));
                match stated.map(|country| self.in_set(set, country)) {
                    Some(inside) => known(inside),
                    None => self.ask(needed_by, fact()),
                }
            }
            ClassTest::PrincipalPlaceIn { set } => {
                let facts = self.recall.party(party, at);
                let fact = || FactRef::party(party, "principal_place");
                let stated = facts
                    .as_ref()
                    .and_then(|facts| self.stated(facts.principal_place.as_ref(), fact));
                match stated.map(|country| self.in_set(set, country)) {
                    Some(inside) => known(inside),
                    None => self.ask(needed_by, fact()),
                }
            }
            ClassTest::CitizenOf { set, unless } => {
                let facts = self.recall.party(party, at);
                let fact = || FactRef::party(party, "citizenships");
                let stated = facts
                    .as_ref()
                    .and_then(|facts| self.stated(facts.citizenships.as_ref(), fact));
                let Some(citizenships) = stated else {
                    return self.ask(needed_by, fact());
                };
                if !citizenships.iter().any(|country| self.in_set(set, country)) {
                    return known(false);
                }
                let Some(exempt) = unless else {
                    return known(true);
                };
                if citizenships.contains(exempt) {
                    return known(false);
                }
                let fact = || FactRef::party(party, "permanent_residences");
                let stated = facts
                    .as_ref()
                    .and_then(|facts| self.stated(facts.permanent_residences.as_ref(), fact));
                match stated {
                    Some(residences) => known(!residences.contains(exempt)),
                    None => self.ask(needed_by, fact()),
                }
            }
            ClassTest::Licensed(licensed) => match self.recall.party(party, at) {
                None => self.ask(needed_by, FactRef::party(party, "enrolment")),
                Some(facts) => {
                    let complete = facts.licences_complete.as_ref();
                    self.licensed(needed_by, licensed, &facts.licences, complete, &|path| {
                        FactRef::party(party, path)
                    })
                }
            },
            ClassTest::Evidence(test) => {
                let evidence = self
                    .recall
                    .party(party, at)
                    .map(|facts| facts.evidence.clone())
                    .unwrap_or_default();
                self.present(needed_by, test, &evidence, node)
            }
            ClassTest::Any(_) | ClassTest::All(_) | ClassTest::Not(_) | ClassTest::Place(_) => known(false),
        }
    }

    /// Whether a licence of a class is used or held.
    pub(super) fn licensed(
        &mut self,
        needed_by: &str,
        test: &Licensed,
        licences: &[Fact<Licence>],
        complete: Option<&Fact<bool>>,
        fact: &dyn Fn(String) -> FactRef,
    ) -> F {
        let mut open = self.stated(complete, || fact("licences".to_owned())) != Some(&true);
        let mut parts = Vec::new();
        for licence in licences {
            let Some(licence) = self.stated(Some(licence), || fact("licences".to_owned())) else {
                open = true;
                continue;
            };
            let of = |path: &str| fact(format!("licences[{}].{path}", licence.licence));
            let who = match &licence.licensor {
                Some(licensor) => Who::Known(licensor.clone()),
                None => Who::Unknown(of("licensor")),
            };
            let from = self.class(&test.from, &who, None);
            let grants = match (test.effective_control, licence.effective_control) {
                (false, _) => known(true),
                (true, Some(control)) => known(control),
                (true, None) => self.ask(needed_by, of("effective_control")),
            };
            parts.push(all([from, grants]));
        }
        if open {
            parts.push(self.ask(needed_by, fact("licences".to_owned())));
        }
        any(parts)
    }

    /// Whether a party is on a list at a date, in its own name or as the pack's `include` extends it.
    pub(super) fn listed(
        &mut self,
        needed_by: &str,
        list: &ListUse,
        party: &str,
        at: Date,
        path: &mut Vec<String>,
    ) -> F {
        let editions = self.recall.editions(&list.list);
        let in_force = in_force(&editions, at, self.recall.view.purpose());
        for edition in &in_force {
            self.record.editions.insert(
                (edition.list.clone(), edition.edition.clone()),
                EditionSeen {
                    effective_from: edition.effective_from,
                    complete: edition.complete,
                    fixture: edition.fixture,
                    later_withdrawn: edition.later_withdrawn,
                    projected: at > self.clocks.evaluation,
                },
            );
        }
        let facts = self.recall.party(party, at);
        let names = facts
            .as_ref()
            .map(|facts| facts.names.clone())
            .unwrap_or_default();
        let on = |sublist: Option<&String>| {
            list.sublists
                .as_ref()
                .is_none_or(|wanted| sublist.is_some_and(|sublist| wanted.contains(sublist)))
        };
        let likeness = in_force
            .iter()
            .flat_map(|edition| &edition.entries)
            .filter(|entry| on(entry.sublist.as_ref()))
            .map(|entry| means(entry, list.aliases, party, &names))
            .max();
        let mut parts = Vec::new();
        match likeness {
            Some(Likeness::Same) => return known(true),
            // A person has to look at both, and sign what he finds.
            Some(Likeness::Alike) => {
                let fact = FactRef::list(&list.list, format!("match_decision[{party}]"));
                parts.push(self.ask(needed_by, fact));
            }
            Some(Likeness::Other) | None => {}
        }
        path.push(party.to_owned());
        self.patience = self.patience.saturating_sub(1);
        if self.patience == 0 || path.len() > OWNERSHIP_DEPTH_MAX {
            parts.push(self.ask(needed_by, FactRef::party(party, "predecessors")));
        } else if list.successors
            && let Some(facts) = &facts
        {
            for predecessor in &facts.predecessors {
                let fact = || FactRef::party(party, "predecessors");
                match self.stated(Some(predecessor), fact) {
                    Some(predecessor) if path.contains(predecessor) => {}
                    Some(predecessor) => parts.push(self.listed(needed_by, list, predecessor, at, path)),
                    // Too weak a word to clear or to taint.
                    None => parts.push(self.ask(needed_by, fact())),
                }
            }
        }
        path.pop();
        if in_force.is_empty() {
            parts.push(self.ask(needed_by, FactRef::list(&list.list, "edition")));
        } else if !in_force.iter().any(|edition| edition.complete) {
            parts.push(self.ask(needed_by, FactRef::list(&list.list, "complete")));
        }
        if facts.is_none() || names.iter().all(|name| reduced(name).is_empty()) {
            parts.push(self.ask(needed_by, FactRef::party(party, "enrolment")));
        }
        if list.subsidiaries {
            parts.push(self.subsidiary_of_listed(needed_by, list, party, at));
        }
        any(parts)
    }

    /// Sellers or owners at the transfers into the step that consumed a node, the consumer left out.
    pub(super) fn titles(&mut self, node: &Node, role: Role) -> Vec<Who> {
        let mut whos = Vec::new();
        for edge in node.edges.iter() {
            let facts = self.lot(&edge.lot);
            let step = &facts.productions[edge.production];
            let input = &step.inputs[edge.input];
            let fact = || FactRef::lot(&edge.lot, format!("step.inputs[{}].titles", input.lot));
            let stated = if role == Role::Seller {
                &input.sellers
            } else {
                &input.owners
            };
            let mut complete = self.stated(input.titles_complete.as_ref(), fact) == Some(&true);
            if stated.is_empty() && input.titles_complete.is_none() {
                // Made and used in one house: nothing was sold.
                complete = self.made_in_the_same_house(node, &edge.lot, edge.production);
            }
            let consumer: Vec<String> = if edge.transparent {
                Vec::new()
            } else {
                let operator = step.operator.iter().map(|fact| fact.value.clone());
                operator
                    .chain(step.principal.iter().filter_map(|fact| fact.value.clone()))
                    .collect()
            };
            for title in stated {
                match self.stated(Some(title), fact) {
                    Some(party) if consumer.contains(party) => {}
                    Some(party) => {
                        let who = Who::Known(party.clone());
                        if !whos.contains(&who) {
                            whos.push(who);
                        }
                    }
                    None => complete = false,
                }
            }
            if !complete {
                whos.push(Who::Unknown(fact()));
            }
        }
        whos
    }

    fn made_in_the_same_house(&mut self, node: &Node, consumer: &str, production: usize) -> bool {
        let Some((made, index)) = self.step(node) else {
            return false;
        };
        let Some(maker) = self.runs_for_itself(&made.productions[index], &node.lot) else {
            return false;
        };
        let used = self.lot(consumer);
        self.runs_for_itself(&used.productions[production], consumer) == Some(maker)
    }
}
