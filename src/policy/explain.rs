//! Because: from a pack's tests back to the nodes and shares that decided them.
//!
//! The tree of tests is followed only where it mattered: into the true parts of an *any* that is true, into
//! the false parts of an *all* that is false, into whatever is unknown where the whole is unknown.

use std::collections::BTreeSet;

use super::{
    contribution::Contribution,
    ground::Grounder,
    pack::{Choice, ClassTest, ExprTest, Role, ShareTest},
    party::Who,
    settle::Settled,
    total::sum,
    truth::{F, Truth},
    verdict::{Because, NODES_MAX, NodeSeen, Outcome, ShareSeen, exactly, rounded},
    view::Exact,
    walk::Node,
};

/// Explains what rules came to.
pub(super) fn explain(grounder: &mut Grounder<'_>, settled: &Settled) -> Vec<Because> {
    let pack = grounder.pack;
    let mut because = Vec::new();
    for rule in &pack.rules {
        let mut seen = BTreeSet::new();
        let mut roots = vec![rule.applies.as_str()];
        let idle = matches!(settled.outcome, Outcome::NotApplicable | Outcome::NotYetEffective);
        if !idle {
            roots.extend(rule.exclusions.iter().map(String::as_str));
            roots.push(rule.test.expr());
            roots.extend(rule.exceptions.iter().map(String::as_str));
        }
        for root in roots {
            let mut explaining = Explaining {
                grounder,
                rule: &rule.id,
                seen: &mut seen,
                because: &mut because,
            };
            explaining.follow(root);
        }
        for downgrade in rule.downgrades.iter().filter(|_| !idle) {
            let value = grounder.expr(&downgrade.condition, None).kleene();
            // The downgrade repeats the test as if more counted: say what it adds, where it adds something.
            if value != Truth::False && grounder.expr(rule.test.expr(), None).kleene() != Truth::True {
                let mut explaining = Explaining {
                    grounder,
                    rule: &rule.id,
                    seen: &mut seen,
                    because: &mut because,
                };
                explaining.follow(&downgrade.condition);
                because.push(Because {
                    reason: Some(downgrade.reason.clone()),
                    ..row(&rule.id, "downgrade", value)
                });
            }
        }
    }
    because
}

/// A test of a rule and its value, and nothing more yet.
pub(super) fn row(rule: &str, test: &str, value: Truth) -> Because {
    Because {
        rule: rule.to_owned(),
        test: test.to_owned(),
        value,
        nodes: Vec::new(),
        more_nodes: 0,
        share: None,
        reason: None,
    }
}

struct Explaining<'e, 'g> {
    grounder: &'e mut Grounder<'g>,
    rule: &'e str,
    seen: &'e mut BTreeSet<String>,
    because: &'e mut Vec<Because>,
}

impl Explaining<'_, '_> {
    /// Explains a test that is asked without a node.
    fn follow(&mut self, name: &str) {
        if !self.seen.insert(name.to_owned()) {
            return;
        }
        let pack = self.grounder.pack;
        let Some(expr) = pack.exprs.get(name) else { return };
        let value = self.grounder.expr(name, None).kleene();
        let mut because = row(self.rule, name, value);
        match &expr.test {
            ExprTest::Any(names) => return self.parts(names, value, Truth::True),
            ExprTest::All(names) => return self.parts(names, value, Truth::False),
            ExprTest::Not(name) => return self.follow(name),
            ExprTest::Presume { of, when_unknown } => {
                self.follow(of);
                return self.follow(when_unknown);
            }
            ExprTest::Exists {
                select, condition, ..
            } => {
                let selection = self.grounder.select(select, None);
                let nodes = self.nodes(&selection.nodes, condition, Truth::True);
                because.nodes = nodes;
            }
            ExprTest::Every {
                select, condition, ..
            } => {
                let selection = self.grounder.select(select, None);
                let nodes = self.nodes(&selection.nodes, condition, Truth::False);
                because.nodes = nodes;
            }
            ExprTest::Share(test) => self.share(&mut because, name, test),
            ExprTest::ContextParty { role, class } => {
                if let (Truth::True, Some(who)) = (value, self.grounder.context_party(role)) {
                    let (party, found) = self.innermost(class, &who, None);
                    because.nodes = vec![NodeSeen {
                        lot: format!("context.{role}"),
                        step: None,
                        role: None,
                        name: party.as_ref().and_then(|party| self.name(party)),
                        party,
                        class: Some(found),
                        part: None,
                        kept_from: None,
                    }];
                }
            }
            ExprTest::Context(_)
            | ExprTest::Evidence(_)
            | ExprTest::Place(_)
            | ExprTest::Party { .. }
            | ExprTest::Licensed(_)
            | ExprTest::Attribute { .. } => {}
        }
        because.more_nodes = because.nodes.len().saturating_sub(NODES_MAX);
        because.nodes.truncate(NODES_MAX);
        self.because.push(because);
    }

    /// Follows the parts that mattered; `decisive` is what settles the whole at once.
    fn parts(&mut self, names: &[String], value: Truth, decisive: Truth) {
        for name in names {
            let part = self.grounder.expr(name, None).kleene();
            let mattered = match value {
                Truth::Unknown => part == Truth::Unknown,
                _ if value == decisive => part == decisive,
                Truth::True | Truth::False => true,
            };
            if mattered {
                self.follow(name);
            }
        }
    }

    /// The nodes for which a condition has the value that decides.
    fn nodes(&mut self, nodes: &[Node], condition: &str, decisive: Truth) -> Vec<NodeSeen> {
        let mut seen = Vec::new();
        for node in nodes {
            if self.grounder.expr(condition, Some(node)).kleene() == decisive {
                let node = self.seen(node, condition, decisive);
                seen.push(node);
            }
        }
        seen
    }

    fn share(&mut self, because: &mut Because, name: &str, test: &ShareTest) {
        let found = self.grounder.share(&format!("expr.{name}"), test, None);
        let Ok(share) = found else { return };
        let interval = share.interval(&|_| Truth::Unknown);
        let measure = match &test.measure {
            Choice::Fixed(word) => word.clone(),
            Choice::Param(param) => self
                .grounder
                .record
                .params
                .get(param)
                .cloned()
                .unwrap_or_default(),
        };
        because.share = Some(ShareSeen {
            lo: interval.as_ref().map(|(low, _)| rounded(low, &share.value)),
            hi: interval.as_ref().map(|(_, high)| rounded(high, &share.value)),
            lo_exact: interval.as_ref().map(|(low, _)| exactly(low)),
            hi_exact: interval.as_ref().map(|(_, high)| exactly(high)),
            needed: format!("{} {}", share.comparison.sign(), exactly(&share.value)),
            measure: measure.clone(),
        });
        let total = sum(share.terms.iter().filter_map(|term| term.amount.as_ref()));
        let known = share.terms.iter().all(|term| term.amount.is_some()) && total > Exact::default();
        for part in &self.grounder.contributions(&test.select, None, &measure).parts {
            let Contribution { node, amount, drawn } = part;
            if self.grounder.expr(&test.condition, Some(node)).kleene() == Truth::True {
                let mut seen = self.seen(node, &test.condition, Truth::True);
                seen.part = amount
                    .as_ref()
                    .ok()
                    .filter(|_| known && drawn.is_none())
                    .map(|amount| exactly(&(amount / &total)));
                because.nodes.push(seen);
            }
        }
    }

    /// A node, and the party and class for which a condition about it has its value.
    fn seen(&mut self, node: &Node, condition: &str, value: Truth) -> NodeSeen {
        let step = self.grounder.step(node).and_then(|(facts, index)| {
            facts
                .productions
                .get(index)
                .and_then(|step| step.step.as_ref())
                .map(|step| step.value.clone())
        });
        let mut seen = NodeSeen {
            lot: node.lot.to_string(),
            step,
            role: None,
            party: None,
            name: None,
            class: None,
            part: None,
            kept_from: None,
        };
        if value == Truth::True
            && let Some((role, class)) = self.role(node, condition)
        {
            for (who, made) in self.grounder.role(node, role) {
                let met = Some((&made, role));
                if self.grounder.class(&class, &who, met).kleene() == Truth::True {
                    let (party, found) = self.innermost(&class, &who, met);
                    seen.kept_from = (made.lot != node.lot).then(|| made.lot.to_string());
                    seen.name = party.as_ref().and_then(|party| self.name(party));
                    (seen.role, seen.party, seen.class) = (Some(role.name()), party, Some(found));
                    break;
                }
            }
        }
        seen
    }

    /// The first true question about a role below a condition.
    fn role(&mut self, node: &Node, condition: &str) -> Option<(Role, String)> {
        let pack = self.grounder.pack;
        if self.grounder.expr(condition, Some(node)).kleene() != Truth::True {
            return None;
        }
        match &pack.exprs.get(condition)?.test {
            ExprTest::Party { role, class } => Some((*role, class.clone())),
            ExprTest::Any(names) | ExprTest::All(names) => {
                names.iter().find_map(|name| self.role(node, name))
            }
            _ => None,
        }
    }

    /// The narrowest class that puts somebody in this one.
    fn innermost(&mut self, class: &str, who: &Who, met: Option<(&Node, Role)>) -> (Option<String>, String) {
        let pack = self.grounder.pack;
        let party = match who {
            Who::Known(party) => Some(party.clone()),
            Who::Unknown(_) => None,
        };
        if let Some(ClassTest::Any(names)) = pack.classes.get(class).map(|class| &class.test) {
            for name in names {
                let formula: F = self.grounder.class(name, who, met);
                if formula.kleene() == Truth::True {
                    return self.innermost(name, who, met);
                }
            }
        }
        (party, class.to_owned())
    }

    fn name(&mut self, party: &str) -> Option<String> {
        let at = self
            .grounder
            .clocks
            .trigger
            .unwrap_or(self.grounder.clocks.evaluation);
        self.grounder
            .recall
            .party(party, at)
            .and_then(|facts| facts.names.first().cloned())
    }
}
