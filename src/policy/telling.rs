//! A rule pack in words: what it asks, and which facts it needs from whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::Value as Json;

use super::{
    pack::{
        About, Choice, ClassTest, Clock, ContextComparison, Effective, EvidenceTest, ExprTest, From,
        Licensed, Pack, Role, RowKey, Rule, RuleTest, Select, Threshold, Trigger,
    },
    truth::Comparison,
    verdict::exactly,
};
use crate::vocabulary::vocabulary;

/// The rules of a pack in words, each definition once.
pub fn in_words(pack: &Pack) -> String {
    let mut told = Telling {
        pack,
        text: String::new(),
        said: BTreeSet::new(),
    };
    told.head();
    for rule in &pack.rules {
        told.rule(rule);
    }
    told.text
}

struct Telling<'a> {
    pack: &'a Pack,
    text: String,
    said: BTreeSet<String>,
}

impl Telling<'_> {
    fn line(&mut self, depth: usize, line: impl AsRef<str>) {
        let _ = writeln!(self.text, "{}{}", "  ".repeat(depth), line.as_ref());
    }

    fn head(&mut self) {
        let pack = self.pack;
        self.line(0, format!("{}: {}", pack.name(), pack.title));
        self.line(0, format!("law: {} ({})", pack.citation, pack.status));
        if !pack.text_verified {
            self.line(0, "NOT checked against the text of the law");
        }
        for row in &pack.unverified {
            self.line(0, format!("not verified: {row}"));
        }
        let kinds = &pack.subject_kinds;
        let kinds = if *kinds == ["*"] {
            "lots of any kind".to_owned()
        } else {
            kinds.join(", ")
        };
        self.line(0, format!("judges: {kinds}"));
        let trigger = match &pack.trigger {
            Trigger::Path(path) => path.clone(),
            Trigger::ByParam { param, paths } => {
                let each = paths
                    .iter()
                    .map(|(value, path)| format!("{path} if {param} is {value}"));
                each.collect::<Vec<_>>().join(", ")
            }
        };
        self.line(0, format!("date that counts: {trigger}"));
        for (name, param) in &pack.params {
            let allowed = param.allowed.join(", ");
            self.line(
                0,
                format!(
                    "open reading {name}: {} unless the asker says ({allowed}); {}",
                    param.default, param.why
                ),
            );
        }
    }

    fn rule(&mut self, rule: &Rule) {
        self.line(0, "");
        self.line(0, format!("rule {}", rule.id));
        self.line(1, "applies where");
        self.expr(2, &rule.applies);
        self.line(1, format!("in force {}", self.in_force(&rule.effective)));
        match &rule.test {
            RuleTest::FailsIf(expr) => {
                self.line(1, "is failed where");
                self.expr(2, expr);
            }
            RuleTest::PassesIf(expr) => {
                self.line(1, "is passed where");
                self.expr(2, expr);
            }
        }
        for (word, exprs) in [
            ("leaves out what", &rule.exclusions),
            ("excepts what", &rule.exceptions),
        ] {
            for expr in exprs {
                self.line(1, word);
                self.expr(2, expr);
            }
        }
        for downgrade in &rule.downgrades {
            self.line(1, format!("is open ({}) where", downgrade.reason));
            self.expr(2, &downgrade.condition);
        }
        for waiver in &rule.waivers {
            if let Some(waiver) = self.pack.waivers.get(waiver) {
                let by = if waiver.grantors.is_empty() {
                    "anybody".to_owned()
                } else {
                    waiver.grantors.join(" or ")
                };
                let years = waiver
                    .years_max
                    .map_or_else(String::new, |years| format!(", for {years} years at most"));
                self.line(
                    1,
                    format!(
                        "may be waived by {by} ({}), finding {}{years}",
                        waiver.kind,
                        waiver.findings.join(", ")
                    ),
                );
            }
        }
        self.line(
            1,
            format!(
                "a pass takes facts that are at least {}",
                rule.min_assurance.as_str()
            ),
        );
    }

    fn in_force(&self, effective: &Effective) -> String {
        match effective {
            Effective::Spans(spans) => {
                let each = spans.iter().map(|span| {
                    let of = span
                        .path
                        .as_ref()
                        .map_or_else(String::new, |path| format!(" of {path}"));
                    let from = span.from.map_or_else(String::new, |from| format!("from {from}"));
                    let to = span.to.map_or_else(String::new, |to| format!(" to {to}"));
                    format!("{from}{to}{of}")
                });
                each.collect::<Vec<_>>().join(", or ")
            }
            Effective::Table(name) => {
                let Some(table) = self.pack.tables.get(name) else {
                    return String::new();
                };
                let rows = table.rows.iter().map(|row| {
                    let from = row.from_date.map_or_else(String::new, |from| from.to_string());
                    format!("from {from} if {} is {}", table.key, row_key(&row.matches))
                });
                rows.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// A definition by its name; in full where it comes first.
    fn expr(&mut self, depth: usize, name: &str) {
        let Some(expr) = self.pack.exprs.get(name) else {
            return;
        };
        if !self.said.insert(format!("expr.{name}")) {
            self.line(depth, format!("{name} (as above)"));
            return;
        }
        let only = only_where(expr.when_param.as_ref());
        match &expr.test {
            ExprTest::Any(names) => self.each(depth, name, "one of these holds", &only, names),
            ExprTest::All(names) => self.each(depth, name, "all of these hold", &only, names),
            ExprTest::Not(inner) => self.each(
                depth,
                name,
                "this does not hold",
                &only,
                std::slice::from_ref(inner),
            ),
            ExprTest::Presume { of, when_unknown } => {
                self.each(
                    depth,
                    name,
                    "the first holds, or is unknown and the second holds",
                    &only,
                    &[of.clone(), when_unknown.clone()],
                );
            }
            ExprTest::Exists {
                select,
                condition,
                rooted,
            } => {
                let of = self.selected(select, *rooted);
                self.each(
                    depth,
                    name,
                    &format!("of {of} there is one for which"),
                    &only,
                    std::slice::from_ref(condition),
                );
            }
            ExprTest::Every {
                select,
                condition,
                rooted,
            } => {
                let of = self.selected(select, *rooted);
                self.each(
                    depth,
                    name,
                    &format!("for every one of {of}, and these are known to be all,"),
                    &only,
                    std::slice::from_ref(condition),
                );
            }
            ExprTest::Share(test) => {
                let of = self.selected(&test.select, test.rooted);
                let measure = match &test.measure {
                    Choice::Fixed(word) => word.clone(),
                    Choice::Param(param) => format!("{param} (an open reading)"),
                };
                let value = match &test.value {
                    Threshold::Fixed(value) => exactly(value),
                    Threshold::Table(table) => format!("what the table {table} says"),
                };
                let words = format!(
                    "{} {value} by {measure} of {of} is something for which",
                    compared(test.comparison)
                );
                self.each(depth, name, &words, &only, std::slice::from_ref(&test.condition));
            }
            ExprTest::Party { role, class } => {
                self.line(
                    depth,
                    format!("{name}: its {} is {class}{only}", role_word(*role)),
                );
                self.class(depth + 1, class);
            }
            ExprTest::ContextParty { role, class } => {
                self.line(depth, format!("{name}: the asker's {role} is {class}{only}"));
                self.class(depth + 1, class);
            }
            ExprTest::Place(place) => self.line(depth, format!("{name}: it was made in {}{only}", place.set)),
            ExprTest::Context(test) => {
                let words = match &test.comparison {
                    ContextComparison::OneOf(values) => {
                        format!("is {}", values.iter().map(plain).collect::<Vec<_>>().join(" or "))
                    }
                    ContextComparison::Date(comparison, date) => {
                        format!("is {} {date}", compared(*comparison))
                    }
                };
                self.line(depth, format!("{name}: the asker's {} {words}{only}", test.path));
            }
            ExprTest::Licensed(licensed) => {
                self.line(
                    depth,
                    format!("{name}: it was made under {}{only}", licence(licensed)),
                );
                self.class(depth + 1, &licensed.from);
            }
            ExprTest::Evidence(test) => {
                self.line(depth, format!("{name}: there is {}{only}", document(test)));
            }
            ExprTest::Attribute {
                path,
                comparison,
                value,
            } => {
                self.line(
                    depth,
                    format!(
                        "{name}: its {path} is {} {}{only}",
                        compared(*comparison),
                        plain(value)
                    ),
                );
            }
        }
    }

    fn each(&mut self, depth: usize, name: &str, words: &str, only: &str, names: &[String]) {
        self.line(depth, format!("{name}: {words}{only}"));
        for name in names {
            self.expr(depth + 1, name);
        }
    }

    fn class(&mut self, depth: usize, name: &str) {
        let Some(class) = self.pack.classes.get(name) else {
            return;
        };
        if !self.said.insert(format!("class.{name}")) {
            self.line(depth, format!("{name} (as above)"));
            return;
        }
        let only = only_where(class.when_param.as_ref());
        let (words, below): (String, Vec<&String>) = match &class.test {
            ClassTest::Any(names) => ("one of".to_owned(), names.iter().collect()),
            ClassTest::All(names) => ("all of".to_owned(), names.iter().collect()),
            ClassTest::Not(inner) => ("not".to_owned(), vec![inner]),
            ClassTest::Listed { list, clock } => {
                let list = self.pack.lists.get(list);
                let words = list.map_or_else(String::new, |list| {
                    let mut also = Vec::new();
                    for (included, word) in [
                        (list.aliases, "aliases"),
                        (list.successors, "successors"),
                        (list.subsidiaries, "subsidiaries"),
                    ] {
                        if included {
                            also.push(word);
                        }
                    }
                    format!(
                        "on the list {} with {}, at {}",
                        list.list,
                        also.join(", "),
                        clock_word(*clock)
                    )
                });
                (words, Vec::new())
            }
            ClassTest::Owned(owned) => {
                let measures: Vec<&str> = owned.measures.iter().map(|measure| measure.name()).collect();
                let how = if owned.single {
                    "by one alone"
                } else {
                    "taken together"
                };
                let through = if owned.look_through {
                    ", through its holders too"
                } else {
                    ""
                };
                let words = format!(
                    "held to {} {} ({}) {how}{through}, by",
                    compared(owned.comparison),
                    exactly(&owned.value),
                    measures.join(" or ")
                );
                (words, vec![&owned.by])
            }
            ClassTest::OrganizedIn { set } => (format!("organised in {set}"), Vec::new()),
            ClassTest::PrincipalPlaceIn { set } => (
                format!("with its principal place of business in {set}"),
                Vec::new(),
            ),
            ClassTest::CitizenOf { set, unless } => {
                let unless = unless.as_ref().map_or_else(String::new, |country| {
                    format!(", and neither a citizen nor a permanent resident of {country}")
                });
                (format!("a citizen of {set}{unless}"), Vec::new())
            }
            ClassTest::Licensed(licensed) => {
                (format!("holder of {}", licence(licensed)), vec![&licensed.from])
            }
            ClassTest::Place(place) => (format!("maker of it in {}", place.set), Vec::new()),
            ClassTest::Evidence(test) => (
                format!("somebody of whom there is {}", document(test)),
                Vec::new(),
            ),
        };
        self.line(depth, format!("{name}: {words}{only}"));
        for name in below {
            self.class(depth + 1, name);
        }
    }

    fn selected(&self, name: &str, rooted: bool) -> String {
        let Some(select) = self.pack.selects.get(name) else {
            return name.to_owned();
        };
        let whose = if rooted { "that one" } else { "the lot" };
        format!("{name} ({})", selected(select, whose))
    }
}

fn selected(select: &Select, whose: &str) -> String {
    let mut words = match select.from {
        From::Itself => format!("{whose} itself"),
        From::Inputs => format!("what {whose} was made of"),
        From::Ancestors => format!("all that is behind {whose}"),
    };
    if select.include_self && select.from != From::Itself {
        let _ = write!(words, ", {whose} included");
    }
    if !select.expand.is_empty() {
        let _ = write!(words, ", {} opened", select.expand.join(", "));
    }
    if let Some(kinds) = &select.kinds {
        let _ = write!(words, ": {}", kinds.join(", "));
    }
    if let Some(steps) = &select.steps {
        let _ = write!(words, ", out of {}", steps.join(", "));
    }
    if let Some(excluded) = &select.exclude_if {
        let _ = write!(words, ", but for {excluded}");
    }
    words
}

fn only_where(when_param: Option<&(String, String)>) -> String {
    when_param.map_or_else(String::new, |(param, value)| {
        format!(" (only if {param} is {value})")
    })
}

fn row_key(key: &RowKey) -> String {
    match key {
        RowKey::Is(word) => word.clone(),
        RowKey::Between { from, to } => {
            let end = |end: &Option<i64>| end.map_or_else(|| "any".to_owned(), |end| end.to_string());
            format!("{} to {}", end(from), end(to))
        }
    }
}

const fn compared(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Gt => "more than",
        Comparison::Ge => "at least",
        Comparison::Lt => "less than",
        Comparison::Le => "at most",
        Comparison::Eq => "exactly",
        Comparison::Ne => "anything but",
    }
}

const fn clock_word(clock: Clock) -> &'static str {
    match clock {
        Clock::Event => "the time of the step",
        Clock::Trigger => "the date that counts",
        Clock::Evaluation => "the date of the question",
    }
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Operator => "maker (who ran the step)",
        Role::Principal => "principal (on whose behalf the step ran)",
        Role::Seller => "seller",
        Role::Owner => "owner at the sale",
        Role::Licensor => "licensor",
    }
}

fn licence(licensed: &Licensed) -> String {
    let control = if licensed.effective_control {
        " that grants effective control"
    } else {
        ""
    };
    format!("a licence{control} from {}", licensed.from)
}

fn document(test: &EvidenceTest) -> String {
    format!("{} in date, at least {}", test.kind, test.min.as_str())
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Which facts a pack needs, by whom to ask: each line once.
pub fn needs(pack: &Pack) -> BTreeMap<&'static str, Vec<String>> {
    let mut needs: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    let mut need = |whom: &'static str, what: String| {
        needs.entry(whom).or_default().insert(what);
    };
    for path in pack.context_fields() {
        let title = vocabulary()
            .context_field(&path)
            .map_or("", |field| field.title.as_str());
        need("the asker", format!("{path}: {title}"));
    }
    for select in pack.selects.values().filter(|select| select.from != From::Itself) {
        need(
            "whoever made a lot",
            "everything that went into it, with the claim that it is all".to_owned(),
        );
        if let Some(ends) = &select.closed_to {
            need(
                "whoever made a lot",
                format!("what it is, up to {}", ends.join(", ")),
            );
        }
    }
    for expr in pack.exprs.values() {
        match &expr.test {
            ExprTest::Party { role, .. } => match role {
                Role::Operator => need("whoever made a lot", "who ran the step, and where".to_owned()),
                Role::Principal => need(
                    "whoever made a lot",
                    "on whose behalf, or that it was for his own account".to_owned(),
                ),
                Role::Seller | Role::Owner => need(
                    "whoever used a lot",
                    "from whom he bought it, with the claim that these are all".to_owned(),
                ),
                Role::Licensor => need(
                    "whoever made a lot",
                    "licences used, with the claim that these are all".to_owned(),
                ),
            },
            ExprTest::Licensed(_) => need(
                "whoever made a lot",
                "licences used, with the claim that these are all".to_owned(),
            ),
            ExprTest::Place(_) => need("whoever made a lot", "at which facility".to_owned()),
            ExprTest::Share(share) => {
                let measures = match &share.measure {
                    Choice::Fixed(word) => vec![word.clone()],
                    Choice::Param(param) => pack
                        .params
                        .get(param)
                        .map(|param| param.allowed.clone())
                        .unwrap_or_default(),
                };
                need(
                    "whoever used a lot",
                    format!("how much of it went in, by {}", measures.join(", ")),
                );
            }
            ExprTest::Evidence(test) if test.about == About::Node => {
                need("whoever made a lot", format!("the document {}", document(test)));
            }
            ExprTest::Attribute { path, .. } => need("whoever made a lot", path.clone()),
            _ => {}
        }
    }
    for class in pack.classes.values() {
        match &class.test {
            ClassTest::Owned(owned) => {
                let measures: Vec<&str> = owned.measures.iter().map(|measure| measure.name()).collect();
                need(
                    "every party",
                    format!(
                        "who holds it ({}), with the claim that these are all",
                        measures.join(", ")
                    ),
                );
            }
            ClassTest::Listed { .. } => need("every party", "whom it succeeds, if anybody".to_owned()),
            ClassTest::Licensed(_) => need(
                "every party",
                "licences held, with the claim that these are all".to_owned(),
            ),
            ClassTest::Evidence(test) => need("every party", format!("the document {}", document(test))),
            ClassTest::OrganizedIn { .. } => {
                need("the authority", "where each party is organised".to_owned());
            }
            ClassTest::PrincipalPlaceIn { .. } => need(
                "the authority",
                "each party's principal place of business".to_owned(),
            ),
            ClassTest::CitizenOf { .. } => need(
                "the authority",
                "citizenships and residences of natural persons".to_owned(),
            ),
            ClassTest::Place(_) => need("whoever made a lot", "at which facility".to_owned()),
            ClassTest::Any(_) | ClassTest::All(_) | ClassTest::Not(_) => {}
        }
    }
    for list in pack.lists.values() {
        need(
            "the authority",
            format!("the edition of the list {} in force, complete", list.list),
        );
    }
    for waiver in pack.waivers.values() {
        need(
            "the authority",
            format!("waivers of kind {}, if any", waiver.kind),
        );
    }
    needs
        .into_iter()
        .map(|(whom, what)| (whom, what.into_iter().collect()))
        .collect()
}
