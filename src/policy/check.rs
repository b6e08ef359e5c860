//! Checks across the definitions of a pack: names resolve, nothing is circular, and a test about one node
//! is asked only where there is one.

use std::collections::BTreeSet;

use super::{
    keys::repeated,
    load_error::{FaultKind, Faults},
    operands::is_share_measure,
    pack::{
        About, Choice, ClassTest, ContextTest, Effective, ExprTest, Pack, RuleTest, ShareTest, Threshold,
        Trigger,
    },
};

/// Runs every check.
pub(super) fn references(faults: &Faults, pack: &Pack) {
    let check = Check { faults, pack };
    check.params();
    check.classes();
    check.exprs();
    check.rules();
    check.cycles();
    check.nodes();
}

struct Check<'a> {
    faults: &'a Faults,
    pack: &'a Pack,
}

impl Check<'_> {
    fn defined(&self, key: &str, kind: &str, name: &str) {
        let pack = self.pack;
        let found = match kind {
            "set" => pack.sets.contains_key(name),
            "list" => pack.lists.contains_key(name),
            "param" => pack.params.contains_key(name),
            "table" => pack.tables.contains_key(name),
            "select" => pack.selects.contains_key(name),
            "class" => pack.classes.contains_key(name),
            "expr" => pack.exprs.contains_key(name),
            _ => pack.waivers.contains_key(name),
        };
        // A name that could not be read is a fault already.
        if !found && !name.is_empty() {
            self.faults.add(FaultKind::Unresolved {
                key: key.to_owned(),
                name: format!("{kind}.{name}"),
            });
        }
    }

    fn wrong(&self, key: &str, expected: impl Into<String>) {
        self.faults.add(FaultKind::WrongValue {
            key: key.to_owned(),
            expected: expected.into(),
        });
    }

    /// A param exists and may take the value.
    fn param_value(&self, key: &str, param: &str, value: &str) {
        self.defined(key, "param", param);
        match self.pack.params.get(param) {
            Some(declared) if !declared.allowed.iter().any(|allowed| allowed == value) => {
                self.wrong(key, format!("one of {}", declared.allowed.join(", ")));
            }
            _ => {}
        }
    }

    fn params(&self) {
        if let Trigger::ByParam { param, paths } = &self.pack.trigger {
            for value in paths.keys() {
                self.param_value("clock.trigger", param, value);
            }
            let declared = &self.pack.params.get(param).map(|param| param.allowed.as_slice());
            for value in declared.unwrap_or_default() {
                if !paths.contains_key(value) {
                    self.wrong("clock.trigger", format!("given for {value} too"));
                }
            }
        }
    }

    fn classes(&self) {
        for (name, class) in &self.pack.classes {
            let key = format!("class.{name}");
            if let Some((param, value)) = &class.when_param {
                self.param_value(&key, param, value);
            }
            match &class.test {
                ClassTest::Any(names) | ClassTest::All(names) => {
                    for name in names {
                        self.defined(&key, "class", name);
                    }
                }
                ClassTest::Not(name) => self.defined(&key, "class", name),
                ClassTest::Listed { list, .. } => self.defined(&key, "list", list),
                ClassTest::OrganizedIn { set }
                | ClassTest::PrincipalPlaceIn { set }
                | ClassTest::CitizenOf { set, .. } => self.defined(&key, "set", set),
                ClassTest::Owned(owned) => self.defined(&key, "class", &owned.by),
                ClassTest::Licensed(licensed) => self.defined(&key, "class", &licensed.from),
                ClassTest::Place(place) => self.defined(&key, "set", &place.set),
                ClassTest::Evidence(evidence) => {
                    if evidence.about != About::Party {
                        self.wrong(&format!("{key}.evidence.about"), "party, in a class");
                    }
                }
            }
        }
    }

    fn exprs(&self) {
        for (name, select) in &self.pack.selects {
            if let Some(expr) = &select.exclude_if {
                self.defined(&format!("select.{name}"), "expr", expr);
            }
        }
        for (name, expr) in &self.pack.exprs {
            let key = format!("expr.{name}");
            if let Some((param, value)) = &expr.when_param {
                self.param_value(&key, param, value);
            }
            match &expr.test {
                ExprTest::Any(names) | ExprTest::All(names) => {
                    for name in names {
                        self.defined(&key, "expr", name);
                    }
                }
                ExprTest::Not(name) => self.defined(&key, "expr", name),
                ExprTest::Exists {
                    select, condition, ..
                }
                | ExprTest::Every {
                    select, condition, ..
                } => {
                    self.defined(&key, "select", select);
                    self.defined(&key, "expr", condition);
                }
                ExprTest::Share(share) => self.share(&key, share),
                ExprTest::Place(place) => self.defined(&key, "set", &place.set),
                ExprTest::Party { class, .. } | ExprTest::ContextParty { class, .. } => {
                    self.defined(&key, "class", class);
                }
                ExprTest::Licensed(licensed) => self.defined(&key, "class", &licensed.from),
                ExprTest::Presume { of, when_unknown } => {
                    self.defined(&key, "expr", of);
                    self.defined(&key, "expr", when_unknown);
                }
                ExprTest::Evidence(evidence) => {
                    if evidence.about == About::Party {
                        self.wrong(&format!("{key}.evidence.about"), "node or context");
                    }
                }
                ExprTest::Context(ContextTest { .. }) | ExprTest::Attribute { .. } => {}
            }
        }
    }

    fn share(&self, key: &str, share: &ShareTest) {
        self.defined(key, "select", &share.select);
        self.defined(key, "expr", &share.condition);
        if let Choice::Param(param) = &share.measure {
            self.defined(key, "param", param);
            let allowed = self
                .pack
                .params
                .get(param)
                .map_or(&[][..], |param| param.allowed.as_slice());
            if let Some(other) = allowed.iter().find(|word| !is_share_measure(word)) {
                self.wrong(
                    &format!("param.{param}.allowed"),
                    format!("measures, not {other}"),
                );
            }
        }
        match &share.value {
            Threshold::Fixed(_) => {}
            Threshold::Table(table) => {
                self.defined(key, "table", table);
                let valued = |table: &super::pack::Table| table.rows.iter().all(|row| row.value.is_some());
                if self.pack.tables.get(table).is_some_and(|table| !valued(table)) {
                    self.wrong(
                        &format!("table.{table}"),
                        "rows with a value each, to be a threshold",
                    );
                }
            }
        }
    }

    fn rules(&self) {
        for id in repeated(self.pack.rules.iter().map(|rule| rule.id.as_str())) {
            self.wrong("rule", format!("of different ids, {id} is given twice"));
        }
        for (index, rule) in self.pack.rules.iter().enumerate() {
            let key = format!("rule[{index}]");
            let downgrades = rule.downgrades.iter().map(|downgrade| &downgrade.condition);
            for expr in rule.exclusions.iter().chain(&rule.exceptions).chain(downgrades) {
                self.defined(&key, "expr", expr);
            }
            self.defined(&key, "expr", &rule.applies);
            match &rule.test {
                RuleTest::FailsIf(expr) | RuleTest::PassesIf(expr) => self.defined(&key, "expr", expr),
            }
            for waiver in &rule.waivers {
                self.defined(&key, "waiver", waiver);
            }
            if let Effective::Table(table) = &rule.effective {
                self.defined(&key, "table", table);
                let dated = |table: &super::pack::Table| table.rows.iter().all(|row| row.from_date.is_some());
                if self.pack.tables.get(table).is_some_and(|table| !dated(table)) {
                    self.wrong(&format!("table.{table}"), "rows with a date each, to be in force");
                }
            }
        }
    }

    /// What a definition refers to.
    fn edges(&self, node: &str) -> Vec<String> {
        let mut edges = Vec::new();
        let mut class = |name: &String| edges.push(format!("class.{name}"));
        if let Some(definition) = node
            .strip_prefix("class.")
            .and_then(|name| self.pack.classes.get(name))
        {
            match &definition.test {
                ClassTest::Any(names) | ClassTest::All(names) => names.iter().for_each(class),
                ClassTest::Not(name) => class(name),
                ClassTest::Owned(owned) => class(&owned.by),
                ClassTest::Licensed(licensed) => class(&licensed.from),
                ClassTest::Listed { .. }
                | ClassTest::OrganizedIn { .. }
                | ClassTest::PrincipalPlaceIn { .. }
                | ClassTest::CitizenOf { .. }
                | ClassTest::Place(_)
                | ClassTest::Evidence(_) => {}
            }
        }
        if let Some(definition) = node
            .strip_prefix("expr.")
            .and_then(|name| self.pack.exprs.get(name))
        {
            let mut expr = |name: &String| edges.push(format!("expr.{name}"));
            match &definition.test {
                ExprTest::Any(names) | ExprTest::All(names) => names.iter().for_each(expr),
                ExprTest::Not(name) => expr(name),
                ExprTest::Exists {
                    select, condition, ..
                }
                | ExprTest::Every {
                    select, condition, ..
                }
                | ExprTest::Share(ShareTest {
                    select, condition, ..
                }) => {
                    expr(condition);
                    if let Some(excluded) = self
                        .pack
                        .selects
                        .get(select)
                        .and_then(|select| select.exclude_if.as_ref())
                    {
                        expr(excluded);
                    }
                }
                ExprTest::Presume { of, when_unknown } => {
                    expr(of);
                    expr(when_unknown);
                }
                ExprTest::Place(_)
                | ExprTest::Party { .. }
                | ExprTest::Context(_)
                | ExprTest::ContextParty { .. }
                | ExprTest::Licensed(_)
                | ExprTest::Evidence(_)
                | ExprTest::Attribute { .. } => {}
            }
        }
        edges
    }

    fn cycles(&self) {
        let classes = self.pack.classes.keys().map(|name| format!("class.{name}"));
        let exprs = self.pack.exprs.keys().map(|name| format!("expr.{name}"));
        let mut done = BTreeSet::new();
        for start in classes.chain(exprs) {
            self.visit(start, &mut Vec::new(), &mut done);
        }
    }

    fn visit(&self, node: String, path: &mut Vec<String>, done: &mut BTreeSet<String>) {
        if let Some(start) = path.iter().position(|earlier| *earlier == node) {
            let names = path.iter().skip(start).cloned().chain([node]).collect();
            self.faults.add(FaultKind::Cycle { names });
            return;
        }
        if done.contains(&node) {
            return;
        }
        path.push(node.clone());
        for edge in self.edges(&node) {
            self.visit(edge, path, done);
        }
        path.pop();
        done.insert(node);
    }

    /// Tests that a rule names directly have no node to be about.
    fn nodes(&self) {
        for rule in &self.pack.rules {
            let downgrades = rule
                .downgrades
                .iter()
                .map(|downgrade| downgrade.condition.as_str());
            let roots = [rule.applies.as_str(), rule.test.expr()]
                .into_iter()
                .chain(rule.exclusions.iter().map(String::as_str))
                .chain(rule.exceptions.iter().map(String::as_str))
                .chain(downgrades);
            for root in roots {
                self.without_node(root, &rule.id);
            }
        }
    }

    fn without_node(&self, name: &str, rule: &str) {
        let Some(expr) = self.pack.exprs.get(name) else {
            return;
        };
        let needs_node = match &expr.test {
            ExprTest::Any(names) | ExprTest::All(names) => {
                for name in names {
                    self.without_node(name, rule);
                }
                return;
            }
            ExprTest::Not(name) => return self.without_node(name, rule),
            ExprTest::Presume { of, when_unknown } => {
                self.without_node(of, rule);
                return self.without_node(when_unknown, rule);
            }
            ExprTest::Exists { rooted, .. }
            | ExprTest::Every { rooted, .. }
            | ExprTest::Share(ShareTest { rooted, .. }) => *rooted,
            ExprTest::Context(_) | ExprTest::ContextParty { .. } => false,
            ExprTest::Evidence(evidence) => evidence.about == About::Node,
            ExprTest::Place(_)
            | ExprTest::Party { .. }
            | ExprTest::Licensed(_)
            | ExprTest::Attribute { .. } => true,
        };
        if needs_node {
            self.faults.add(FaultKind::NoNode {
                key: format!("expr.{name}"),
                used_by: format!("rule.{rule}"),
            });
        }
    }
}
