//! Grounding: a pack's tests, put to one lot, become formulas.
//!
//! Facts of less assurance than the floor are taken as not stated, and noted as weak. What depends on how
//! the graph is walked is in `walk`, on who somebody is in `party`.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
    sync::Arc,
};

use num_traits::One as _;
use serde_json::Value as Json;
use time::Date;

use super::{
    context::{Context, Field, parse_date},
    contribution::{Contribution, Contributions, DrawnFrom, Origin},
    doubts::DoubtMemo,
    leaf::{FactRef, Record},
    makers::{Highest, Makers},
    operands::exact,
    pack::{
        About, Choice, Clock, ContextComparison, ContextTest, EvidenceTest, ExprTest, Licensed, Pack, Place,
        Role, RowKey, ShareTest, Table, Threshold,
    },
    party::Who,
    recall::Recall,
    total::sum,
    truth::{Comparison, Drawn, F, Share, Term, Truth, all, any, known, not, share},
    view::{Assurance, Attribute, Evidence, Exact, Fact, LotFacts, StepFacts},
    walk::{Node, Selection},
};

/// The dates at which a verdict is given.
#[derive(Clone, Debug)]
pub(super) struct Clocks {
    pub(super) trigger: Option<Date>,
    /// Where the context has it.
    pub(super) trigger_path: String,
    pub(super) evaluation: Date,
}

/// What was worked out before for the same lot, clocks and params at the same floor of assurance: working it
/// out again would ask the same questions, which are on record.
#[derive(Default)]
pub(super) struct Memo {
    exprs: HashMap<String, HashMap<Option<Node>, F>>,
    /// By class, then by party.
    pub(super) classes: HashMap<String, HashMap<String, F>>,
    pub(super) selections: HashMap<(String, Option<Node>), Rc<Selection>>,
    pub(super) resolutions: HashMap<String, Rc<Selection>>,
    pub(super) origins: HashMap<String, Rc<Vec<Origin>>>,
    pub(super) contributions: HashMap<(String, Option<Node>, String), Rc<Contributions>>,
    pub(super) makers: HashMap<Node, Rc<Makers>>,
    pub(super) highest: Highest,
    pub(super) cells_in: HashMap<Rc<str>, Option<Exact>>,
    pub(super) doubts: DoubtMemo,
}

/// The least assurance of facts that count, and whether what contradictions touch is taken as not stated.
pub(super) type Strictness = (Assurance, bool);

/// A pack being put to one lot, at one floor of assurance.
pub(super) struct Grounder<'a> {
    pub(super) pack: &'a Pack,
    pub(super) recall: &'a Recall<'a>,
    pub(super) context: &'a Context,
    pub(super) params: &'a BTreeMap<String, String>,
    pub(super) clocks: &'a Clocks,
    pub(super) subject: &'a str,
    pub(super) floor: Assurance,
    /// Whether what contradictions touch is taken as not stated.
    pub(super) doubting: bool,
    pub(super) record: &'a mut Record,
    pub(super) memo: Memo,
    /// Holdings and successions still looked at for one question about a party.
    pub(super) patience: u32,
    /// Whether such a question is being answered.
    pub(super) asking: bool,
}

impl<'a> Grounder<'a> {
    #[expect(
        clippy::too_many_arguments,
        reason = "everything that a verdict is a function of"
    )]
    pub(super) fn new(
        pack: &'a Pack,
        recall: &'a Recall<'a>,
        context: &'a Context,
        params: &'a BTreeMap<String, String>,
        clocks: &'a Clocks,
        subject: &'a str,
        (floor, doubting): Strictness,
        memo: Memo,
        record: &'a mut Record,
    ) -> Self {
        Self {
            pack,
            recall,
            context,
            params,
            clocks,
            subject,
            floor,
            doubting,
            record,
            memo,
            patience: 0,
            asking: false,
        }
    }

    /// What is known of a lot; nothing stated, if it was never heard of.
    pub(super) fn lot(&self, lot: &str) -> Arc<LotFacts> {
        self.recall.lot(lot, self.clocks.trigger)
    }

    /// The value of a fact that has the assurance asked for.
    pub(super) fn stated<'f, T>(
        &mut self,
        fact: Option<&'f Fact<T>>,
        name: impl FnOnce() -> FactRef,
    ) -> Option<&'f T> {
        let fact = fact?;
        if fact.assurance >= self.floor {
            return Some(&fact.value);
        }
        self.weak(name(), fact.assurance);
        None
    }

    pub(super) fn weak(&mut self, fact: FactRef, assurance: Assurance) {
        self.record.weak.entry(fact).or_insert(assurance);
    }

    /// The date of a clock; nothing if the context does not give it, or the step does not.
    pub(super) fn at(&mut self, clock: Clock, node: Option<&Node>) -> Option<Date> {
        match clock {
            Clock::Trigger => self.clocks.trigger,
            Clock::Evaluation => Some(self.clocks.evaluation),
            Clock::Event => {
                let (facts, index) = self.step(node?)?;
                facts.productions.get(index)?.date
            }
        }
    }

    /// The fact that a clock without a date is missing.
    pub(super) fn clock_fact(&self, clock: Clock, node: Option<&Node>) -> FactRef {
        match (clock, node) {
            (Clock::Event, Some(node)) => FactRef::lot(&node.lot, "step.date"),
            _ => FactRef::context(self.clocks.trigger_path.clone()),
        }
    }

    /// The facts of the step that made a node.
    pub(super) fn step(&mut self, node: &Node) -> Option<(Arc<LotFacts>, usize)> {
        Some((self.lot(&node.lot), node.production?))
    }

    /// The value of a param, which is on record from then on.
    fn param(&mut self, name: &str) -> &str {
        if !self.record.params.contains_key(name) {
            let declared = self.pack.params.get(name).map(|param| &param.default);
            let value = self.params.get(name).or(declared).cloned();
            self.record
                .params
                .insert(name.to_owned(), value.unwrap_or_default());
        }
        &self.record.params[name]
    }

    /// Whether a definition counts under the params chosen.
    pub(super) fn counts(&mut self, when_param: Option<&(String, String)>) -> bool {
        when_param.is_none_or(|(param, value)| self.param(param) == *value)
    }

    /// A question that one missing fact leaves open.
    pub(super) fn ask(&mut self, needed_by: &str, fact: FactRef) -> F {
        self.record.ask(needed_by, BTreeSet::from([fact]))
    }

    /// The formula of a test, about a node where there is one.
    pub(super) fn expr(&mut self, name: &str, node: Option<&Node>) -> F {
        let about = node.cloned();
        if let Some(formula) = self.memo.exprs.get(name).and_then(|asked| asked.get(&about)) {
            return Rc::clone(formula);
        }
        let pack = self.pack;
        let formula = match pack.exprs.get(name) {
            Some(expr) if self.counts(expr.when_param.as_ref()) => self.test(name, &expr.test, node),
            _ => known(false),
        };
        let asked = self.memo.exprs.entry(name.to_owned()).or_default();
        asked.insert(about, Rc::clone(&formula));
        formula
    }

    fn test(&mut self, name: &str, test: &ExprTest, node: Option<&Node>) -> F {
        let needed_by = || format!("expr.{name}");
        match test {
            ExprTest::Any(names) => {
                let parts: Vec<F> = names.iter().map(|name| self.expr(name, node)).collect();
                any(parts)
            }
            ExprTest::All(names) => {
                let parts: Vec<F> = names.iter().map(|name| self.expr(name, node)).collect();
                all(parts)
            }
            ExprTest::Not(name) => not(&self.expr(name, node)),
            ExprTest::Exists {
                select,
                condition,
                rooted,
            } => {
                let selection = self.select(select, node.filter(|_| *rooted));
                let mut parts = Vec::new();
                for node in &selection.nodes {
                    parts.push(all([
                        not(&self.excluded(select, node)),
                        self.expr(condition, Some(node)),
                    ]));
                }
                parts.extend(
                    selection
                        .open
                        .iter()
                        .map(|fact| self.ask(&needed_by(), fact.clone())),
                );
                any(parts)
            }
            ExprTest::Every {
                select,
                condition,
                rooted,
            } => {
                let selection = self.select(select, node.filter(|_| *rooted));
                let mut parts = Vec::new();
                for node in &selection.nodes {
                    parts.push(any([
                        self.excluded(select, node),
                        self.expr(condition, Some(node)),
                    ]));
                }
                parts.extend(
                    selection
                        .open
                        .iter()
                        .map(|fact| not(&self.ask(&needed_by(), fact.clone()))),
                );
                all(parts)
            }
            ExprTest::Share(test) => match self.share(&needed_by(), test, node) {
                Ok(found) => {
                    self.weigh(&found);
                    share(found)
                }
                Err(open) => open,
            },
            ExprTest::Place(place) => {
                node.map_or_else(|| known(false), |node| self.places(&needed_by(), place, node))
            }
            ExprTest::Party { role, class } => {
                let Some(node) = node else { return known(false) };
                let whos = self.role(node, *role);
                let parts: Vec<F> = whos
                    .iter()
                    .map(|(who, node)| self.class(class, who, Some((node, *role))))
                    .collect();
                any(parts)
            }
            ExprTest::Context(test) => self.context_test(&needed_by(), test),
            ExprTest::ContextParty { role, class } => match self.context_party(role) {
                None => known(false),
                Some(who) => self.class(class, &who, None),
            },
            ExprTest::Licensed(licensed) => {
                let Some(node) = node else { return known(false) };
                let Some((facts, index)) = self.step(node) else {
                    return self.ask(&needed_by(), FactRef::lot(&node.lot, "step"));
                };
                let step = facts.productions.get(index).cloned().unwrap_or_default();
                self.unless_in_doubt(&needed_by(), node, |this| {
                    this.licensed_step(&needed_by(), licensed, &node.lot, &step)
                })
            }
            ExprTest::Evidence(test) => self.evidence_test(&needed_by(), test, node),
            ExprTest::Presume { of, when_unknown } => {
                // Helps only against ignorance: a value that is known stands.
                let value = self.expr(of, node);
                if value.kleene() == Truth::Unknown && self.expr(when_unknown, node).kleene() == Truth::True {
                    known(true)
                } else {
                    value
                }
            }
            ExprTest::Attribute {
                path,
                comparison,
                value,
            } => {
                let Some(node) = node else { return known(false) };
                self.attribute(&needed_by(), node, path, *comparison, value)
            }
        }
    }

    /// Who the context names in a role; nothing if it says that there is nobody.
    pub(super) fn context_party(&self, role: &str) -> Option<Who> {
        match self.context.field(role) {
            Field::None => None,
            Field::Value(Json::String(party)) => Some(Who::Known(party.clone())),
            Field::Value(_) | Field::NotStated => Some(Who::Unknown(FactRef::context(role))),
        }
    }

    fn excluded(&mut self, select: &str, node: &Node) -> F {
        let pack = self.pack;
        match pack
            .selects
            .get(select)
            .and_then(|select| select.exclude_if.as_ref())
        {
            Some(expr) => self.expr(expr, Some(node)),
            None => known(false),
        }
    }

    /// The parts of a share; or, where its threshold is not known, the question that stands for it.
    pub(super) fn share(
        &mut self,
        needed_by: &str,
        test: &ShareTest,
        node: Option<&Node>,
    ) -> Result<Share, F> {
        let measure = match &test.measure {
            Choice::Fixed(word) => word.clone(),
            Choice::Param(param) => self.param(param).to_owned(),
        };
        let value = match &test.value {
            Threshold::Fixed(value) => value.clone(),
            Threshold::Table(table) => {
                let table = &self.pack.tables[table];
                match self.row(table).and_then(|index| table.rows[index].value.clone()) {
                    Some(value) => value,
                    None => return Err(self.ask(needed_by, FactRef::context(table.key.clone()))),
                }
            }
        };
        let root = node.filter(|_| test.rooted);
        let selection = self.select(&test.select, root);
        let found = self.contributions(&test.select, root, &measure);
        let (parts, cut) = (&found.parts, found.cut);
        let mut facts: BTreeSet<FactRef> = selection.open.iter().cloned().collect();
        if cut {
            facts.insert(FactRef::lot(
                root.map_or(self.subject, |node| &node.lot),
                "ancestry",
            ));
        }
        let mut terms = Vec::new();
        let mut draws: Vec<&DrawnFrom> = Vec::new();
        for Contribution { node, amount, drawn } in parts {
            let include = not(&self.excluded(&test.select, node));
            let counts = self.expr(&test.condition, Some(node));
            let amount = match amount {
                Ok(amount) => Some(amount.clone()),
                Err(missing) => {
                    facts.extend(missing.iter().cloned());
                    None
                }
            };
            let drawn = drawn.as_ref().map(|(from, most)| {
                facts.insert(FactRef::lot(&from.0, "pieces"));
                let known = draws.iter().position(|draw| *draw == from);
                let draw = known.unwrap_or_else(|| {
                    draws.push(from);
                    draws.len() - 1
                });
                Drawn {
                    draw,
                    most: most.clone(),
                }
            });
            terms.push(Term {
                include,
                counts,
                amount,
                drawn,
            });
        }
        if terms.is_empty() && facts.is_empty() {
            facts.insert(FactRef::lot(
                root.map_or(self.subject, |node| &node.lot),
                "step.inputs",
            ));
        }
        let undecided = self.record.number(needed_by, facts);
        Ok(Share {
            terms,
            open: cut || !selection.open.is_empty(),
            comparison: test.comparison,
            value,
            undecided,
        })
    }

    /// Notes how much of a share hangs on each open question.
    fn weigh(&mut self, share: &Share) {
        let total = sum(share.terms.iter().filter_map(|term| term.amount.as_ref()));
        for term in &share.terms {
            self.record.weigh(&term.counts, || match &term.amount {
                Some(amount) if total > Exact::default() => amount / &total,
                _ => Exact::one(),
            });
        }
    }

    /// The row of a table that the context selects; nothing if the context does not say, or none fits.
    pub(super) fn row(&self, table: &Table) -> Option<usize> {
        let path = table.key.strip_prefix("context.").unwrap_or(&table.key);
        let (path, of_year) = path
            .strip_suffix(".year")
            .map_or((path, false), |path| (path, true));
        let Field::Value(value) = self.context.field(path) else {
            return None;
        };
        let number = if of_year {
            value
                .as_str()
                .and_then(parse_date)
                .map(|date| i64::from(date.year()))
        } else {
            value.as_i64()
        };
        table.rows.iter().position(|row| match &row.matches {
            RowKey::Is(word) => value.as_str() == Some(word),
            RowKey::Between { from, to } => number.is_some_and(|number| {
                from.is_none_or(|from| number >= from) && to.is_none_or(|to| number <= to)
            }),
        })
    }

    pub(super) fn place(&mut self, needed_by: &str, place: &Place, node: &Node) -> F {
        self.unless_in_doubt(needed_by, node, |this| this.stated_place(needed_by, place, node))
    }

    fn stated_place(&mut self, needed_by: &str, place: &Place, node: &Node) -> F {
        let Some((facts, index)) = self.step(node) else {
            return self.ask(needed_by, FactRef::lot(&node.lot, "step"));
        };
        let step = &facts.productions[index];
        let (fact, path) = if place.subdivision {
            (step.subdivision.as_ref(), "step.facility.subdivision")
        } else {
            (step.country.as_ref(), "step.facility.country")
        };
        match self.stated(fact, || FactRef::lot(&node.lot, path)) {
            Some(code) => known(self.in_set(&place.set, code)),
            None => self.ask(needed_by, FactRef::lot(&node.lot, path)),
        }
    }

    pub(super) fn in_set(&self, set: &str, value: &str) -> bool {
        self.pack
            .sets
            .get(set)
            .is_some_and(|values| values.iter().any(|member| member == value))
    }

    fn context_test(&mut self, needed_by: &str, test: &ContextTest) -> F {
        let value = match self.context.field(&test.path) {
            Field::NotStated => return self.ask(needed_by, FactRef::context(test.path.clone())),
            Field::None => return known(false),
            Field::Value(value) => value,
        };
        match &test.comparison {
            ContextComparison::OneOf(values) => known(values.contains(value)),
            ContextComparison::Date(comparison, date) => match value.as_str().and_then(parse_date) {
                Some(stated) => known(comparison.holds(&stated, date)),
                None => self.ask(needed_by, FactRef::context(test.path.clone())),
            },
        }
    }

    fn evidence_test(&mut self, needed_by: &str, test: &EvidenceTest, node: Option<&Node>) -> F {
        let evidence = match (test.about, node) {
            (About::Context, _) => self.context.evidence().to_vec(),
            (_, Some(node)) => self.lot(&node.lot).evidence.clone(),
            (_, None) => return known(false),
        };
        self.present(needed_by, test, &evidence, node)
    }

    /// Whether evidence is present, in date and weighty enough. What is not there is not unknown.
    pub(super) fn present(
        &mut self,
        needed_by: &str,
        test: &EvidenceTest,
        evidence: &[Evidence],
        node: Option<&Node>,
    ) -> F {
        let fitting: Vec<&Evidence> = evidence
            .iter()
            .filter(|item| item.kind == test.kind && item.assurance >= test.min.max(self.floor))
            .collect();
        if fitting.is_empty() {
            return known(false);
        }
        let Some(at) = self.at(test.clock, node) else {
            let fact = self.clock_fact(test.clock, node);
            return self.ask(needed_by, fact);
        };
        let in_date = fitting.iter().find(|item| {
            item.valid_from.is_none_or(|from| from <= at) && item.valid_to.is_none_or(|to| at <= to)
        });
        if let Some(item) = in_date {
            self.record.evidence.insert(format!("sha256:{}", item.document));
        }
        known(in_date.is_some())
    }

    pub(super) fn licensed_step(
        &mut self,
        needed_by: &str,
        test: &Licensed,
        lot: &str,
        step: &StepFacts,
    ) -> F {
        let complete = step.licences_complete.as_ref();
        self.licensed(needed_by, test, &step.licences, complete, &|path| {
            FactRef::lot(lot, format!("step.{path}"))
        })
    }

    fn attribute(
        &mut self,
        needed_by: &str,
        node: &Node,
        path: &str,
        comparison: Comparison,
        value: &Json,
    ) -> F {
        let facts = self.lot(&node.lot);
        let fact = || FactRef::lot(&node.lot, path);
        let Some(attribute) = self.stated(facts.attributes.get(path), fact) else {
            return self.ask(needed_by, fact());
        };
        let holds = match (attribute, value) {
            (Attribute::Text(text), Json::String(other)) => Some(comparison.holds(text, other)),
            (Attribute::Flag(flag), Json::Bool(other)) => Some(comparison.holds(flag, other)),
            (Attribute::Date(date), Json::String(other)) => {
                parse_date(other).map(|other| comparison.holds(date, &other))
            }
            (Attribute::Number(number), Json::String(other)) => {
                exact(other).map(|other| comparison.holds(number, &other))
            }
            (Attribute::Number(number), Json::Number(other)) => {
                exact(&other.to_string()).map(|other| comparison.holds(number, &other))
            }
            _ => None,
        };
        // A value of another sort than the one compared with says nothing about the comparison.
        holds.map_or_else(|| self.ask(needed_by, fact()), known)
    }

    /// Whether two roles' parties are known to be one, for its own account: made and used in one house.
    pub(super) fn runs_for_itself(&mut self, step: &StepFacts, lot: &str) -> Option<String> {
        let operator = self
            .stated(step.operator.as_ref(), || FactRef::lot(lot, "step.operator"))?
            .clone();
        let principal = self.stated(step.principal.as_ref(), || FactRef::lot(lot, "step.principal"))?;
        principal
            .as_ref()
            .is_none_or(|principal| *principal == operator)
            .then_some(operator)
    }

    /// Where a node was made. Where it has several makings in places of both kinds, nobody can say which counts.
    fn places(&mut self, needed_by: &str, place: &Place, node: &Node) -> F {
        let makers = self.makers(node);
        let mut parts: Vec<F> = makers
            .nodes
            .iter()
            .map(|made| self.place(needed_by, place, made))
            .collect();
        for fact in &makers.open {
            parts.push(self.ask(needed_by, fact.clone()));
        }
        if parts.len() == 1 {
            return all(parts);
        }
        let which = self.ask(needed_by, FactRef::lot(&node.lot, "step.facility"));
        let in_some = any(parts.iter().cloned());
        any([all(parts), all([in_some, which])])
    }

    /// Parties in a role of the steps that made a node, each with its making, and an unknown one where there may
    /// be more.
    pub(super) fn role(&mut self, node: &Node, role: Role) -> Vec<(Who, Node)> {
        let makers = self.makers(node);
        let mut whos: Vec<(Who, Node)> = Vec::new();
        for made in &makers.nodes {
            let of_this = self.role_at(made, role);
            whos.extend(of_this.into_iter().map(|who| (who, made.clone())));
        }
        let unknown = makers
            .open
            .iter()
            .map(|fact| (Who::Unknown(fact.clone()), node.clone()));
        whos.extend(unknown);
        whos
    }

    fn role_at(&mut self, node: &Node, role: Role) -> Vec<Who> {
        match role {
            // Who sold it is said where it was used, whoever made it.
            Role::Seller | Role::Owner => self.titles(node, role),
            Role::Operator | Role::Principal | Role::Licensor => {
                let stated = self.role_in_making(node, role);
                self.whos_unless_in_doubt(node, stated)
            }
        }
    }

    fn role_in_making(&mut self, node: &Node, role: Role) -> Vec<Who> {
        let Some((facts, index)) = self.step(node) else {
            return vec![Who::Unknown(FactRef::lot(&node.lot, "step"))];
        };
        let step = &facts.productions[index];
        let lot = &node.lot;
        match role {
            Role::Operator => {
                let fact = || FactRef::lot(lot, "step.operator");
                let operator = self.stated(step.operator.as_ref(), fact).cloned();
                vec![operator.map_or_else(|| Who::Unknown(fact()), Who::Known)]
            }
            Role::Principal => {
                let fact = || FactRef::lot(lot, "step.principal");
                match self.stated(step.principal.as_ref(), fact) {
                    Some(principal) => principal.iter().cloned().map(Who::Known).collect(),
                    None => vec![Who::Unknown(fact())],
                }
            }
            Role::Licensor | Role::Seller | Role::Owner => {
                let complete = || FactRef::lot(lot, "step.licences");
                let mut whos = Vec::new();
                let mut open = self.stated(step.licences_complete.as_ref(), complete) != Some(&true);
                for licence in &step.licences {
                    match self.stated(Some(licence), complete) {
                        Some(licence) => whos.push(match &licence.licensor {
                            Some(licensor) => Who::Known(licensor.clone()),
                            None => Who::Unknown(FactRef::lot(
                                lot,
                                format!("step.licences[{}].licensor", licence.licence),
                            )),
                        }),
                        None => open = true,
                    }
                }
                if open {
                    whos.push(Who::Unknown(complete()));
                }
                whos
            }
        }
    }
}
