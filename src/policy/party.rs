//! Who a party is: list membership, ownership, organisation, licences; and who stands in a role.
//!
//! Ownership is interval arithmetic. What holders in the class hold is added up along every path; a holder of
//! unknown class, and whatever is not declared, widens the interval upwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use num_traits::{One as _, Zero as _};
use time::Date;

use super::{
    ground::Grounder,
    leaf::{EditionSeen, FactRef},
    list::{in_force, means, reduced},
    pack::{ClassTest, Clock, Licensed, ListUse, Measure, Owned, Role},
    truth::{Comparison, F, Truth, all, any, known, not},
    view::{Exact, Fact, Licence, Stated},
    walk::Node,
};

/// Somebody, or the fact that would say who.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Known(String),
    Unknown(FactRef),
}

/// What is held of a party, towards one measure.
#[derive(Default)]
struct Holdings {
    /// By holder in the class: at least and at most.
    holders: BTreeMap<String, (Exact, Exact)>,
    /// What unknown holders may have besides.
    pool: Exact,
    /// What would have to be stated to know better.
    facts: BTreeSet<FactRef>,
}

impl Grounder<'_> {
    /// Whether somebody is in a class; `node` and role say where he was met.
    pub(super) fn class(&mut self, name: &str, who: &Who, met: Option<(&Node, Role)>) -> F {
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
        let party = match who {
            Who::Known(party) => party,
            Who::Unknown(fact) => return self.ask(&needed_by, fact.clone()),
        };
        let at_event = match &class.test {
            ClassTest::Listed { clock, .. } => *clock == Clock::Event,
            ClassTest::Owned(owned) => owned.clock == Clock::Event,
            ClassTest::Evidence(test) => test.clock == Clock::Event,
            _ => false,
        };
        let key = (name.to_owned(), party.clone());
        if !at_event && let Some(formula) = self.classes.get(&key) {
            return Rc::clone(formula);
        }
        self.patience = PATIENCE;
        let formula = self.leaf(&needed_by, &class.test, party, met.map(|(node, _)| node));
        if !at_event {
            self.classes.insert(key, Rc::clone(&formula));
        }
        formula
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
                let facts = self.party(party, at);
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
                let facts = self.party(party, at);
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
                let facts = self.party(party, at);
                let fact = || FactRef::party(party, "citizenships");
                let stated = facts
                    .as_ref()
                    .and_then(|facts| self.stated(facts.citizenships.as_ref(), fact));
                match stated {
                    Some(countries) => {
                        let freed = unless.as_ref().is_some_and(|country| countries.contains(country));
                        known(!freed && countries.iter().any(|country| self.in_set(set, country)))
                    }
                    None => self.ask(needed_by, fact()),
                }
            }
            ClassTest::Licensed(licensed) => match self.party(party, at) {
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
    fn listed(
        &mut self,
        needed_by: &str,
        list: &ListUse,
        party: &str,
        at: Date,
        path: &mut Vec<String>,
    ) -> F {
        let editions = self.editions(&list.list);
        let in_force = in_force(&editions, at, self.view.purpose());
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
        let facts = self.party(party, at);
        let names = facts
            .as_ref()
            .map(|facts| facts.names.clone())
            .unwrap_or_default();
        let on = |sublist: Option<&String>| {
            list.sublists
                .as_ref()
                .is_none_or(|wanted| sublist.is_some_and(|sublist| wanted.contains(sublist)))
        };
        let entries = in_force.iter().flat_map(|edition| &edition.entries);
        if entries
            .filter(|entry| on(entry.sublist.as_ref()))
            .any(|entry| means(entry, list.aliases, party, &names))
        {
            return known(true);
        }
        let mut parts = Vec::new();
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

    /// More than half of the equity or the votes, look-through, with listed holders.
    fn subsidiary_of_listed(&mut self, needed_by: &str, list: &ListUse, party: &str, at: Date) -> F {
        let direct = ListUse {
            subsidiaries: false,
            ..list.clone()
        };
        let half = Exact::new(1.into(), 2.into());
        let mut outcomes = Vec::new();
        for measure in [Measure::Equity, Measure::Votes] {
            let holdings = self.holdings(party, measure, true, at, &mut Vec::new(), &mut |this, owner| {
                this.listed(needed_by, &direct, owner, at, &mut Vec::new())
            });
            outcomes.push(self.compare(needed_by, measure, holdings, false, Comparison::Gt, &half));
        }
        any(outcomes)
    }

    fn owned(&mut self, needed_by: &str, owned: &Owned, party: &str, at: Date) -> F {
        let mut outcomes = Vec::new();
        for measure in &owned.measures {
            let by =
                |this: &mut Self, owner: &str| this.class(&owned.by, &Who::Known(owner.to_owned()), None);
            let mut by = by;
            let holdings = self.holdings(party, *measure, owned.look_through, at, &mut Vec::new(), &mut by);
            outcomes.push(self.compare(
                needed_by,
                *measure,
                holdings,
                owned.single,
                owned.comparison,
                &owned.value,
            ));
        }
        any(outcomes)
    }

    fn compare(
        &mut self,
        needed_by: &str,
        measure: Measure,
        holdings: Holdings,
        single: bool,
        comparison: Comparison,
        value: &Exact,
    ) -> F {
        let (low, high) = if single {
            let lows = holdings.holders.values().map(|(low, _)| low.clone());
            let highs = holdings.holders.values().map(|(_, high)| high + &holdings.pool);
            (
                lows.max().unwrap_or_default(),
                highs.max().unwrap_or_default().max(holdings.pool.clone()),
            )
        } else {
            (
                holdings.holders.values().map(|(low, _)| low).sum(),
                holdings.holders.values().map(|(_, high)| high).sum::<Exact>() + &holdings.pool,
            )
        };
        let high = high.min(Exact::one().max(low.clone()));
        match comparison.holds_between(&low, &high, value) {
            Truth::True => known(true),
            Truth::False => known(false),
            Truth::Unknown => self
                .record
                .ask(&format!("{needed_by}:{}", measure.name()), holdings.facts),
        }
    }

    /// What holders in the class have of a party.
    fn holdings(
        &mut self,
        party: &str,
        measure: Measure,
        look_through: bool,
        at: Date,
        path: &mut Vec<String>,
        in_class: &mut dyn FnMut(&mut Self, &str) -> F,
    ) -> Holdings {
        let mut holdings = Holdings::default();
        let fact = || FactRef::party(party, "ownership");
        let facts = self.party(party, at);
        self.patience = self.patience.saturating_sub(1);
        let tired = self.patience == 0 || path.len() >= OWNERSHIP_DEPTH_MAX;
        let Some(facts) = facts.filter(|_| !tired && !path.iter().any(|earlier| earlier == party)) else {
            // Not enrolled, a circle of holdings, or a thicket: nothing is known.
            holdings.pool = Exact::one();
            holdings.facts.insert(fact());
            return holdings;
        };
        path.push(party.to_owned());
        let complete: &Stated<bool> = match measure {
            Measure::Board => &facts.board_complete,
            Measure::Equity | Measure::Votes | Measure::Debt => &facts.ownership_complete,
        };
        let mut open = self.stated(complete.as_ref(), fact) != Some(&true);
        let mut declared = Exact::zero();
        let mut silent = Vec::new();
        for stake in &facts.owners {
            let Some(stake) = self.stated(Some(stake), fact) else {
                open = true;
                continue;
            };
            let part = match measure {
                Measure::Equity => &stake.equity,
                Measure::Votes => &stake.votes,
                Measure::Board => &stake.board,
                Measure::Debt => &stake.debt,
            };
            let Some(part) = part else {
                silent.push(stake.owner.clone());
                continue;
            };
            declared += part;
            self.stake(
                &mut holdings,
                &stake.owner,
                part,
                measure,
                look_through,
                at,
                path,
                in_class,
            );
        }
        let rest = if declared < Exact::one() {
            Exact::one() - declared
        } else {
            Exact::zero()
        };
        // A holder whose part is not said may have all that is left, if he is or may be in the class.
        let mut may_hold = open;
        for owner in silent {
            let mut of_owner = Holdings::default();
            self.stake(
                &mut of_owner,
                &owner,
                &rest,
                measure,
                look_through,
                at,
                path,
                in_class,
            );
            let most = of_owner.holders.values().map(|(_, high)| high).sum::<Exact>() + &of_owner.pool;
            if most > Exact::zero() {
                may_hold = true;
                holdings.facts.extend(of_owner.facts);
            }
        }
        if may_hold && rest > Exact::zero() {
            holdings.pool += rest;
            holdings.facts.insert(fact());
        }
        path.pop();
        holdings
    }

    #[expect(clippy::too_many_arguments, reason = "one step of the recursion above")]
    fn stake(
        &mut self,
        holdings: &mut Holdings,
        owner: &str,
        part: &Exact,
        measure: Measure,
        look_through: bool,
        at: Date,
        path: &mut Vec<String>,
        in_class: &mut dyn FnMut(&mut Self, &str) -> F,
    ) {
        if part.is_zero() {
            return;
        }
        let class = in_class(self, owner);
        let truth = class.kleene();
        if truth == Truth::True {
            let held = holdings.holders.entry(owner.to_owned()).or_default();
            held.0 += part;
            held.1 += part;
            return;
        }
        let mut beyond = Holdings::default();
        if look_through {
            beyond = self.holdings(owner, measure, look_through, at, path, in_class);
        }
        if truth == Truth::Unknown {
            let facts = self.record.facts(&class);
            holdings.facts.extend(facts);
            // At most all of it is his; at least what is behind him counts.
            holdings.holders.entry(owner.to_owned()).or_default().1 += part;
            for (holder, (low, _)) in beyond.holders {
                let held = holdings.holders.entry(holder).or_default();
                held.0 += &low * part;
            }
            return;
        }
        for (holder, (low, high)) in beyond.holders {
            let held = holdings.holders.entry(holder).or_default();
            held.0 += &low * part;
            held.1 += &high * part;
        }
        holdings.pool += beyond.pool * part;
        holdings.facts.extend(beyond.facts);
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

/// Longest chain of holdings followed.
const OWNERSHIP_DEPTH_MAX: usize = 64;

/// Most holdings and successions followed for one question about one party: what anybody may declare about
/// himself must not cost others more than this.
const PATIENCE: u32 = 10_000;
