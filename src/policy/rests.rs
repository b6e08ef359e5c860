//! What a verdict rests on: the signed facts that its deciding tests read, and what the asker said.
//!
//! The derivation is gone through once more, from the rules down, only where it mattered: into the true parts of an
//! *any* that is true, into all of one that is false. Below that everything is named that a test looked at: who ran
//! a step, what went into it, the claim that this is all, what a product was declared to be, who owns whom. It is a
//! union: two lies of which each alone would do are both there. Facts that an accredited auditor, a laboratory or
//! the authority vouches for are left out.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    rc::Rc,
};

use time::Date;

use super::{
    context::Field,
    ground::Grounder,
    makers::kind_of,
    pack::{About, ClassTest, EvidenceTest, ExprTest, ListUse, Measure, Owned, Role, Rule, ShareTest},
    party::Who,
    settle::Settled,
    truth::Truth,
    verdict::{Basis, Outcome, RestsOn, SignedWord},
    view::{Assurance, EventNumber, Evidence},
    walk::{Edge, Node, Place},
};
use crate::vocabulary::{Stage, vocabulary};

/// Whose word the context is.
pub(super) const ASKER: &str = "asker";

/// From this level on a fact is somebody's who has no part in it.
const VOUCHED: Assurance = Assurance::ThirdPartyAudited;

/// What was found so far.
struct Resting<'r, 'g> {
    grounder: &'r mut Grounder<'g>,
    /// By event and claim: the level.
    words: BTreeMap<EventNumber, BTreeMap<&'static str, Assurance>>,
    context: BTreeSet<String>,
    exprs: HashSet<(String, Option<Node>)>,
    classes: HashSet<(String, String, Option<Place>)>,
    lots: HashSet<Rc<str>>,
    places: HashSet<Place>,
    behind: HashSet<Rc<str>>,
    succeeded: HashSet<String>,
}

/// Everything below [`VOUCHED`] that the outcome rests on, the asker's own word first, then by signer.
pub(super) fn rests_on(
    grounder: &mut Grounder<'_>,
    settled: &Settled,
    chosen: &BTreeMap<String, String>,
) -> Vec<RestsOn> {
    let pack = grounder.pack;
    let mut resting = Resting {
        grounder,
        words: BTreeMap::new(),
        context: BTreeSet::new(),
        exprs: HashSet::new(),
        classes: HashSet::new(),
        lots: HashSet::new(),
        places: HashSet::new(),
        behind: HashSet::new(),
        succeeded: HashSet::new(),
    };
    for rule in &pack.rules {
        resting.rule(rule, settled);
    }
    resting.grouped(chosen)
}

impl Resting<'_, '_> {
    fn rule(&mut self, rule: &Rule, settled: &Settled) {
        let stands_by = |basis: Basis| !settled.outcome.is_unbarred() || settled.bases.contains(&basis);
        // By these it is this basis and no other.
        if self.grounder.pack.subject_kinds != ["*"] {
            let subject: Rc<str> = self.grounder.subject.into();
            self.kind(&subject);
        }
        self.expr(&rule.applies, None);
        if settled.outcome != Outcome::NotApplicable {
            self.effective(rule);
        }
        if stands_by(Basis::Exclusion) {
            self.each(&rule.exclusions);
        }
        let by_rule = stands_by(Basis::Rule);
        let by_exception = stands_by(Basis::Exception);
        if by_rule {
            self.expr(rule.test.expr(), None);
        }
        if by_exception {
            self.each(&rule.exceptions);
        }
        if by_rule || by_exception {
            for downgrade in &rule.downgrades {
                self.expr(&downgrade.condition, None);
            }
        }
        if by_rule || by_exception || stands_by(Basis::Waiver) {
            // At this date lists, holdings and waivers were read.
            let trigger = self.grounder.clocks.trigger_path.clone();
            self.context(&trigger);
        }
    }

    fn each(&mut self, names: &[String]) {
        for name in names {
            self.expr(name, None);
        }
    }

    fn effective(&mut self, rule: &Rule) {
        use super::pack::Effective;
        let trigger = self.grounder.clocks.trigger_path.clone();
        self.context(&trigger);
        match &rule.effective {
            Effective::Table(table) => {
                let pack = self.grounder.pack;
                if let Some(table) = pack.tables.get(table) {
                    self.keyed(&table.key);
                }
            }
            Effective::Spans(spans) => {
                for path in spans.iter().filter_map(|span| span.path.as_ref()) {
                    self.context(path);
                }
            }
        }
    }

    /// The field by which a table is looked up.
    fn keyed(&mut self, key: &str) {
        let path = key.strip_prefix("context.").unwrap_or(key);
        let path = path.strip_suffix(".year").unwrap_or(path).to_owned();
        self.context(&path);
    }

    fn context(&mut self, path: &str) {
        self.context.insert(path.to_owned());
    }

    /// A claim that some events make, at most at the level `cap`.
    fn claim(&mut self, events: &[EventNumber], claim: &'static str, cap: Assurance) {
        for event in events {
            let levels = self.words.entry(*event).or_default();
            if levels.contains_key(claim) {
                continue;
            }
            let level = self.grounder.recall.view.backing(*event, claim).min(cap);
            levels.insert(claim, level);
        }
    }

    /// The kind of a lot: what it was declared to be, and, for what must not hold a cell, what is in it.
    fn kind(&mut self, lot: &Rc<str>) {
        if !self.lots.insert(Rc::clone(lot)) {
            return;
        }
        let facts = self.grounder.lot(lot);
        let cap = facts
            .kind
            .as_ref()
            .map_or(Assurance::AuthorityConfirmed, |kind| kind.assurance);
        self.claim(&facts.declared_by, "product", cap);
        if kind_of(&facts).is_some_and(|kind| vocabulary().is_below_cells(kind)) {
            self.behind(lot);
        }
    }

    /// What is behind a lot in which cells were looked for: makings and kinds, as far as there are any.
    fn behind(&mut self, lot: &Rc<str>) {
        let mut stack = vec![Rc::clone(lot)];
        while let Some(lot) = stack.pop() {
            if !self.behind.insert(Rc::clone(&lot)) {
                continue;
            }
            let facts = self.grounder.lot(&lot);
            if self.lots.insert(Rc::clone(&lot)) {
                let cap = facts
                    .kind
                    .as_ref()
                    .map_or(Assurance::AuthorityConfirmed, |kind| kind.assurance);
                self.claim(&facts.declared_by, "product", cap);
            }
            let stage = kind_of(&facts).and_then(|kind| vocabulary().stage(kind));
            if stage == Some(Stage::Anew) {
                // What is won from it starts anew: nobody looked further.
                continue;
            }
            for (production, step) in facts.productions.iter().enumerate() {
                self.place(&(Rc::clone(&lot), Some(production)));
                stack.extend(step.inputs.iter().map(|input| Rc::from(input.lot.as_str())));
            }
        }
    }

    /// A lot as one of its steps put it out: what it is, which step that was, and what went in.
    fn place(&mut self, place: &Place) {
        if !self.places.insert(place.clone()) {
            return;
        }
        let facts = self.grounder.lot(&place.0);
        if let Some(step) = place.1.and_then(|index| facts.productions.get(index)) {
            for claim in ["step.step", "step.custody_model", "inputs", "inputs_complete"] {
                self.claim(&step.told_by, claim, Assurance::AuthorityConfirmed);
            }
        }
        self.kind(&place.0);
    }

    /// A claim of the step that made a node.
    fn making(&mut self, node: &Node, claim: &'static str) {
        let facts = self.grounder.lot(&node.lot);
        if let Some(step) = node.production.and_then(|index| facts.productions.get(index)) {
            self.claim(&step.told_by, claim, Assurance::AuthorityConfirmed);
        }
    }

    /// How a selection came about: what was walked over, and which nodes were taken.
    fn selection(&mut self, select: &str, root: Option<&Node>) -> Vec<Node> {
        let selection = self.grounder.select(select, root);
        let start: Vec<Place> = if let Some(node) = root {
            vec![(Rc::clone(&node.lot), node.production)]
        } else {
            let resolved = self.grounder.resolve(self.grounder.subject);
            let passed = resolved.nodes.iter().flat_map(|node| node.edges.iter());
            passed
                .map(|edge| (Rc::clone(&edge.lot), Some(edge.production)))
                .collect()
        };
        for place in start.iter().chain(&selection.read) {
            self.place(place);
        }
        selection.nodes.clone()
    }

    fn expr(&mut self, name: &str, node: Option<&Node>) {
        if !self.exprs.insert((name.to_owned(), node.cloned())) {
            return;
        }
        let pack = self.grounder.pack;
        let Some(expr) = pack.exprs.get(name) else { return };
        if !self.grounder.counts(expr.when_param.as_ref()) {
            return;
        }
        let value = self.grounder.expr(name, node).kleene();
        match &expr.test {
            ExprTest::Any(names) => self.parts(names, node, value, Truth::True),
            ExprTest::All(names) => self.parts(names, node, value, Truth::False),
            ExprTest::Not(name) => self.expr(name, node),
            ExprTest::Presume { of, when_unknown } => {
                self.expr(of, node);
                if self.grounder.expr(of, node).kleene() == Truth::Unknown {
                    self.expr(when_unknown, node);
                }
            }
            ExprTest::Exists {
                select,
                condition,
                rooted,
            } => self.nodes(select, condition, node.filter(|_| *rooted), value, Truth::True),
            ExprTest::Every {
                select,
                condition,
                rooted,
            } => self.nodes(select, condition, node.filter(|_| *rooted), value, Truth::False),
            ExprTest::Share(test) => self.share(name, test, node),
            ExprTest::Place(_) => {
                if let Some(node) = node {
                    self.making(node, "step.facility");
                }
            }
            ExprTest::Party { role, class } => {
                if let Some(node) = node {
                    self.party(*role, class, node, value);
                }
            }
            ExprTest::Context(test) => self.context(&test.path),
            ExprTest::ContextParty { role, class } => {
                self.context(role);
                if let Some(who) = self.grounder.context_party(role) {
                    self.class(class, &who, None);
                }
            }
            ExprTest::Licensed(licensed) => {
                if let Some(node) = node {
                    self.licences(node, &licensed.from);
                }
            }
            ExprTest::Evidence(test) => {
                if let (About::Node, Some(node)) = (test.about, node) {
                    let facts = self.grounder.lot(&node.lot);
                    self.evidence(test, &facts.evidence);
                }
            }
            ExprTest::Attribute { path, .. } => {
                if let Some(node) = node {
                    let facts = self.grounder.lot(&node.lot);
                    let events = facts.attributed_by.get(path).map_or(&[][..], Vec::as_slice);
                    self.claim(events, "attributes", Assurance::AuthorityConfirmed);
                }
            }
        }
    }

    /// The parts that mattered; `decisive` is what settles the whole at once.
    fn parts(&mut self, names: &[String], node: Option<&Node>, value: Truth, decisive: Truth) {
        for name in names {
            if value != decisive || self.grounder.expr(name, node).kleene() == decisive {
                self.expr(name, node);
            }
        }
    }

    fn nodes(&mut self, select: &str, condition: &str, root: Option<&Node>, value: Truth, decisive: Truth) {
        let pack = self.grounder.pack;
        let excluded = pack
            .selects
            .get(select)
            .and_then(|select| select.exclude_if.as_ref());
        for node in self.selection(select, root) {
            if value != decisive || self.grounder.expr(condition, Some(&node)).kleene() == decisive {
                self.expr(condition, Some(&node));
                if let Some(excluded) = excluded {
                    self.expr(excluded, Some(&node));
                }
            }
        }
    }

    fn share(&mut self, name: &str, test: &ShareTest, node: Option<&Node>) {
        use super::pack::{Choice, Threshold};
        if let Threshold::Table(table) = &test.value
            && let Some(table) = self.grounder.pack.tables.get(table)
        {
            self.keyed(&table.key);
        }
        let root = node.filter(|_| test.rooted);
        self.nodes(&test.select, &test.condition, root, Truth::Unknown, Truth::True);
        let Ok(share) = self.grounder.share(&format!("expr.{name}"), test, node) else {
            return;
        };
        // Where all of it counts, or nothing, it does not matter how much each part is.
        let mut counts = share.terms.iter().map(|term| term.counts.kleene());
        let first = counts.next();
        if first.is_none_or(|first| first != Truth::Unknown && counts.all(|other| other == first)) {
            return;
        }
        let by_cost = match &test.measure {
            Choice::Fixed(word) => word.contains("cost"),
            Choice::Param(param) => {
                let measure = self.grounder.record.params.get(param);
                measure.is_none_or(|measure| measure.contains("cost"))
            }
        };
        let selection = self.grounder.select(&test.select, root);
        for (lot, production) in &selection.read {
            let facts = self.grounder.lot(lot);
            self.claim(&facts.counted_by, "quantities", Assurance::AuthorityConfirmed);
            if let Some(step) = production.and_then(|index| facts.productions.get(index)) {
                self.claim(&step.told_by, "quantities", Assurance::AuthorityConfirmed);
                if by_cost {
                    self.claim(&step.told_by, "costs", Assurance::AuthorityConfirmed);
                }
            }
        }
    }

    fn party(&mut self, role: Role, class: &str, node: &Node, value: Truth) {
        let makers = self.grounder.makers(node);
        for place in &makers.read {
            self.place(place);
        }
        for (who, made) in self.grounder.role(node, role) {
            let met = Some((&made, role));
            if value == Truth::True && self.grounder.class(class, &who, met).kleene() != Truth::True {
                continue;
            }
            self.named_by(&made, role);
            self.class(class, &who, met);
        }
        // Who names nobody says so as well.
        if value != Truth::True {
            for made in &makers.nodes {
                self.named_by(made, role);
            }
        }
    }

    /// Who says who had a role.
    fn named_by(&mut self, made: &Node, role: Role) {
        match role {
            Role::Operator => self.making(made, "step.operator"),
            Role::Principal => self.making(made, "step.principal"),
            Role::Licensor => self.making(made, "licences"),
            Role::Seller | Role::Owner => {
                let edges: Vec<Edge> = made.edges.iter().cloned().collect();
                for edge in edges {
                    let facts = self.grounder.lot(&edge.lot);
                    let Some(step) = facts.productions.get(edge.production) else {
                        continue;
                    };
                    let Some(input) = step.inputs.get(edge.input) else {
                        continue;
                    };
                    self.claim(&input.titled_by, "titles", Assurance::AuthorityConfirmed);
                    // Whoever used it is not asked as its seller; made and used in one house, nothing was sold.
                    self.claim(&step.told_by, "step.operator", Assurance::AuthorityConfirmed);
                    self.claim(&step.told_by, "step.principal", Assurance::AuthorityConfirmed);
                    if input.titled_by.is_empty() {
                        self.making(made, "step.operator");
                        self.making(made, "step.principal");
                    }
                }
            }
        }
    }

    fn licences(&mut self, node: &Node, from: &str) {
        let facts = self.grounder.lot(&node.lot);
        let Some(step) = node.production.and_then(|index| facts.productions.get(index)) else {
            return;
        };
        for claim in ["licences", "licences_complete"] {
            self.claim(&step.told_by, claim, Assurance::AuthorityConfirmed);
        }
        self.claim(&step.licensed_by, "licences", Assurance::AuthorityConfirmed);
        for licence in &step.licences {
            if let Some(licensor) = &licence.value.licensor {
                self.class(from, &Who::Known(licensor.clone()), None);
            }
        }
    }

    fn evidence(&mut self, test: &EvidenceTest, evidence: &[Evidence]) {
        for item in evidence.iter().filter(|item| item.kind == test.kind) {
            self.claim(&[item.told_by], "evidence", item.assurance);
        }
    }

    fn class(&mut self, name: &str, who: &Who, met: Option<(&Node, Role)>) {
        let Who::Known(party) = who else { return };
        let place = met
            .filter(|_| !self.grounder.is_lasting(name))
            .map(|(node, _)| (Rc::clone(&node.lot), node.production));
        if !self.classes.insert((name.to_owned(), party.clone(), place)) {
            return;
        }
        let pack = self.grounder.pack;
        let Some(class) = pack.classes.get(name) else {
            return;
        };
        if !self.grounder.counts(class.when_param.as_ref()) {
            return;
        }
        let value = self.grounder.class(name, who, met).kleene();
        let node = met.map(|(node, _)| node);
        match &class.test {
            ClassTest::Any(names) | ClassTest::All(names) => {
                let decisive = Truth::from(matches!(class.test, ClassTest::Any(_)));
                for name in names {
                    if value != decisive || self.grounder.class(name, who, met).kleene() == decisive {
                        self.class(name, who, met);
                    }
                }
            }
            ClassTest::Not(name) => self.class(name, who, met),
            ClassTest::Place(_) => {
                if let Some((node, Role::Operator | Role::Principal)) = met {
                    self.making(node, "step.facility");
                }
            }
            ClassTest::Listed { list, clock } => {
                if let (Some(list), Some(at)) = (pack.lists.get(list), self.grounder.at(*clock, node)) {
                    self.listed(list, party, at);
                }
            }
            ClassTest::Owned(owned) => {
                if let Some(at) = self.grounder.at(owned.clock, node) {
                    self.holders(owned, party, at);
                }
            }
            ClassTest::Licensed(licensed) => {
                if let Some(at) = self.grounder.clocks.trigger
                    && let Some(facts) = self.grounder.recall.party(party, at)
                {
                    self.claim(&facts.licensed_by, "licences", Assurance::AuthorityConfirmed);
                    self.claim(
                        &facts.licensed_by,
                        "licences_complete",
                        Assurance::AuthorityConfirmed,
                    );
                    for licence in &facts.licences {
                        if let Some(licensor) = &licence.value.licensor {
                            self.class(&licensed.from, &Who::Known(licensor.clone()), None);
                        }
                    }
                }
            }
            ClassTest::Evidence(test) => {
                if let Some(at) = self.grounder.at(test.clock, node)
                    && let Some(facts) = self.grounder.recall.party(party, at)
                {
                    self.evidence(test, &facts.evidence);
                }
            }
            // Where somebody is organised, at home, or a national is the register's word.
            ClassTest::OrganizedIn { .. }
            | ClassTest::PrincipalPlaceIn { .. }
            | ClassTest::CitizenOf { .. } => {}
        }
    }

    /// Names are the register's; whom somebody succeeds is his own word.
    fn listed(&mut self, list: &ListUse, party: &str, at: Date) {
        let mut stack: Vec<String> = list.successors.then(|| party.to_owned()).into_iter().collect();
        while let Some(party) = stack.pop() {
            if !self.succeeded.insert(party.clone()) {
                continue;
            }
            if let Some(facts) = self.grounder.recall.party(&party, at) {
                self.claim(&facts.succeeds_by, "succession", Assurance::AuthorityConfirmed);
                stack.extend(facts.predecessors.iter().map(|earlier| earlier.value.clone()));
            }
        }
        if list.subsidiaries {
            self.owners(party, true, at, &mut |this, owner| {
                let direct = ListUse {
                    subsidiaries: false,
                    ..list.clone()
                };
                this.listed(&direct, owner, at);
            });
        }
    }

    fn holders(&mut self, owned: &Owned, party: &str, at: Date) {
        self.owners(party, owned.look_through, at, &mut |this, owner| {
            this.class(&owned.by, &Who::Known(owner.to_owned()), None);
        });
        if owned.measures.contains(&Measure::Board)
            && let Some(facts) = self.grounder.recall.party(party, at)
        {
            self.claim(&facts.owned_by, "board", Assurance::AuthorityConfirmed);
        }
    }

    /// Who holds a party, and who holds its holders.
    fn owners(&mut self, party: &str, look_through: bool, at: Date, each: &mut dyn FnMut(&mut Self, &str)) {
        let mut stack = vec![party.to_owned()];
        let mut seen = HashSet::new();
        while let Some(party) = stack.pop() {
            if !seen.insert(party.clone()) {
                continue;
            }
            let Some(facts) = self.grounder.recall.party(&party, at) else {
                continue;
            };
            self.claim(&facts.owned_by, "ownership", Assurance::AuthorityConfirmed);
            for stake in &facts.owners {
                each(self, &stake.value.owner);
                if look_through {
                    stack.push(stake.value.owner.clone());
                }
            }
        }
    }

    /// By signer, the asker first.
    fn grouped(self, chosen: &BTreeMap<String, String>) -> Vec<RestsOn> {
        let mut groups = Vec::new();
        let mut asker = RestsOn::of(ASKER);
        for path in self.context {
            let said = match self.grounder.context.field(&path) {
                Field::NotStated => continue,
                Field::None => serde_json::Value::Null,
                Field::Value(value) => value.clone(),
            };
            asker.context.insert(path, said);
        }
        let read = &self.grounder.record.params;
        let settled = chosen.iter().filter(|(name, _)| read.contains_key(*name));
        asker.params = settled
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if !asker.context.is_empty() || !asker.params.is_empty() {
            groups.push(asker);
        }
        let at = self
            .grounder
            .clocks
            .trigger
            .unwrap_or(self.grounder.clocks.evaluation);
        let mut signers: BTreeMap<String, Vec<SignedWord>> = BTreeMap::new();
        for (number, claims) in self.words {
            let open: Vec<(&'static str, Assurance)> =
                claims.into_iter().filter(|(_, level)| *level < VOUCHED).collect();
            let Some(level) = open.iter().map(|(_, level)| *level).min() else {
                continue;
            };
            let event = self.grounder.recall.view.event(number);
            signers.entry(event.signer).or_default().push(SignedWord {
                leaf_index: event.leaf_index,
                event_id: event.event_id,
                event_time: event.event_time,
                recorded_at: event.recorded_at,
                level,
                claims: open.into_iter().map(|(claim, _)| claim).collect(),
            });
        }
        for (signer, mut facts) in signers {
            facts.sort_by(|a, b| (a.leaf_index, &a.event_id).cmp(&(b.leaf_index, &b.event_id)));
            let party = self.grounder.recall.party(&signer, at);
            groups.push(RestsOn {
                name: party.and_then(|facts| facts.names.first().cloned()),
                facts,
                ..RestsOn::of(&signer)
            });
        }
        groups
    }
}

/// Everything that two readings rest on.
pub(super) fn merged(one: Vec<RestsOn>, other: Vec<RestsOn>) -> Vec<RestsOn> {
    let mut groups = one;
    for more in other {
        let Some(known) = groups.iter_mut().find(|group| group.signer == more.signer) else {
            groups.push(more);
            continue;
        };
        known.context.extend(more.context);
        known.params.extend(more.params);
        for fact in more.facts {
            let same = |known: &&mut SignedWord| {
                (known.leaf_index, &known.event_id) == (fact.leaf_index, &fact.event_id)
            };
            match known.facts.iter_mut().find(same) {
                Some(known) => {
                    known.level = known.level.min(fact.level);
                    let claims: BTreeSet<_> = known.claims.iter().chain(&fact.claims).copied().collect();
                    known.claims = claims.into_iter().collect();
                }
                None => known.facts.push(fact),
            }
        }
        known
            .facts
            .sort_by(|a, b| (a.leaf_index, &a.event_id).cmp(&(b.leaf_index, &b.event_id)));
    }
    groups.sort_by(|a, b| (a.signer != ASKER, &a.signer).cmp(&(b.signer != ASKER, &b.signer)));
    groups
}
