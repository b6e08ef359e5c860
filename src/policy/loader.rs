//! Loading a rule pack: TOML in, a checked [`Pack`] or everything that is wrong with it out.
//!
//! The loader refuses whatever it does not understand: an unknown key, an operator that does not exist or is
//! not implemented, two operators in one definition, a name that resolves to nothing, a circle, and, in
//! strict mode, a row marked `verified = false`; and a word that the vocabulary does not have. So a pack that loads means what it says.
//!
//! Not implemented, and therefore refused: `reset`, group subjects, selections from the context, and a
//! share over the denominator of another selection.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use toml::Value;

use super::{
    check,
    keys::Keys,
    load_error::{FaultKind, Faults, LoadError},
    operands::{
        assurance, attribute, clock, context, context_path, effective, evidence, exact, kinds, licensed,
        node_clock, one_set, operator, owned, param, place, quantifier, select, share, unknown_operator,
        when_param, year,
    },
    operator::Operator,
    pack::{
        Class, ClassTest, Downgrade, Expr, ExprTest, ListUse, MakersAsked, Pack, Role, Row, RowKey, Rule,
        RuleTest, Table, Waiver,
    },
    words,
};
use crate::vocabulary::{Takes, vocabulary};

/// The schema that packs name.
pub const SCHEMA: &str = "provenance-rules/1";

/// Whether rows marked `verified = false` are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are refused.
    Strict,
    /// They are taken, and marked in every verdict.
    Lenient,
}

/// Loads a pack. `file` is how errors call it.
///
/// # Errors
/// Everything that is wrong with it, each by line and key.
pub fn load_pack(file: &str, text: &str, mode: Mode) -> Result<Pack, LoadError> {
    let (faults, root) = Faults::parse(file, text)?;
    let mut loader = Loader {
        unverified: Vec::new(),
    };
    let pack = loader.pack(Keys::new(&faults, "", &root), text);
    if mode == Mode::Strict {
        for key in &pack.unverified {
            faults.add(FaultKind::Unverified { key: key.clone() });
        }
    }
    check::references(&faults, &pack);
    faults.none(pack)
}

/// How a link between inputs and outputs may be kept.
const CUSTODY_MODELS: [&str; 4] = [
    "identity_preserved",
    "segregated",
    "mass_balance",
    "book_and_claim",
];

/// Collects what is marked as unverified while reading.
struct Loader {
    unverified: Vec<String>,
}

impl Loader {
    fn pack(&mut self, mut root: Keys<'_>, text: &str) -> Pack {
        root.choice("schema", &[(SCHEMA, ())], ());
        for later in ["reset", "subject"] {
            if root.value(later).is_some() {
                root.not_implemented(later);
            }
        }
        let mut head = root.table("pack");
        let makers = [
            ("every_maker", MakersAsked::Every),
            ("last_maker", MakersAsked::Last),
        ];
        let mut pack = Pack {
            id: head.text("id"),
            version: head.text("version"),
            title: head.text_or("title", ""),
            citation: head.text_or("citation", ""),
            status: head.text_or("status", ""),
            // Nobody has checked what nobody says was checked.
            text_verified: head.flag_or("text_verified", false),
            sha256: hex::encode(Sha256::digest(text.as_bytes())),
            subject_kinds: head.texts("subject_kinds"),
            custody: head.texts("custody"),
            makers: match head.value("makers") {
                None => MakersAsked::Every,
                Some(_) => head.choice("makers", &makers, MakersAsked::Every),
            },
            unverified: Vec::new(),
            trigger: clock(root.table("clock")),
            sets: BTreeMap::new(),
            lists: BTreeMap::new(),
            params: BTreeMap::new(),
            tables: BTreeMap::new(),
            selects: BTreeMap::new(),
            classes: BTreeMap::new(),
            exprs: BTreeMap::new(),
            waivers: BTreeMap::new(),
            rules: Vec::new(),
        };
        if pack.subject_kinds != ["*"] {
            words::kinds(&head, "subject_kinds", &pack.subject_kinds);
        }
        for (index, model) in pack.custody.iter().enumerate() {
            if !CUSTODY_MODELS.contains(&model.as_str()) {
                head.wrong(&format!("custody[{index}]"), &CUSTODY_MODELS.join(", "));
            }
        }
        head.finish();
        for (name, mut keys) in root.named_tables("set") {
            let values = keys.texts("values");
            words::places(&keys, "values", &values);
            pack.sets.insert(name, values);
            keys.finish();
        }
        for (name, keys) in root.named_tables("list") {
            pack.lists.insert(name, self.list(keys));
        }
        for (name, keys) in root.named_tables("param") {
            pack.params.insert(name, param(keys));
        }
        for (name, keys) in root.named_tables("table") {
            pack.tables.insert(name, self.rows(keys));
        }
        let groups = kinds(&mut root);
        for (name, keys) in root.named_tables("select") {
            pack.selects.insert(name, select(keys, &groups));
        }
        for (name, keys) in root.named_tables("class") {
            pack.classes.insert(name, self.class(keys));
        }
        for (name, keys) in root.named_tables("expr") {
            pack.exprs.insert(name, self.expr(keys));
        }
        for (name, keys) in root.named_tables("waiver") {
            pack.waivers.insert(name, self.waiver(keys));
        }
        for keys in root.tables("rule") {
            pack.rules.push(self.rule(keys));
        }
        if pack.rules.is_empty() {
            root.wrong("rule", "a list of at least one rule");
        }
        root.finish();
        self.unverified.sort();
        pack.unverified = std::mem::take(&mut self.unverified);
        pack
    }

    /// Takes note of `verified = false`.
    fn verified(&mut self, keys: &mut Keys<'_>) {
        if !keys.flag_or("verified", true) {
            self.unverified.push(keys.path().to_owned());
        }
    }

    fn list(&mut self, mut keys: Keys<'_>) -> ListUse {
        self.verified(&mut keys);
        let file = keys.text("file");
        let list = file
            .rsplit('/')
            .next()
            .and_then(|name| name.strip_suffix(".toml"))
            .filter(|name| !name.is_empty());
        match list {
            Some(list) => words::list(&keys, "file", list),
            None => keys.wrong("file", "the path of a .toml file"),
        }
        let include = keys.optional_texts("include").unwrap_or_default();
        if !include
            .iter()
            .all(|word| ["aliases", "successors", "subsidiaries"].contains(&word.as_str()))
        {
            keys.wrong("include", "some of aliases, successors, subsidiaries");
        }
        let includes = |word: &str| include.iter().any(|included| included == word);
        let list = ListUse {
            list: list.unwrap_or_default().to_owned(),
            aliases: includes("aliases"),
            successors: includes("successors"),
            subsidiaries: includes("subsidiaries"),
            sublists: keys.optional_texts("sublists"),
            file,
        };
        keys.finish();
        list
    }

    fn rows(&mut self, mut keys: Keys<'_>) -> Table {
        self.verified(&mut keys);
        let table_key = keys.text("key");
        let path = context_path(&keys, "key", &table_key);
        let of_year = path.strip_suffix(".year");
        let takes = if of_year.is_some() {
            Takes::Date
        } else {
            Takes::Word
        };
        words::field(&keys, "key", of_year.unwrap_or(&path), takes);
        let mut rows = Vec::new();
        for mut row in keys.tables("rows") {
            self.verified(&mut row);
            let stated = row.optional_text("value");
            let value = stated.as_deref().and_then(exact);
            if stated.is_some() && value.is_none() {
                row.wrong("value", "a decimal in a string");
            }
            let (matches, from_date) = match row.optional_text("is") {
                Some(word) => {
                    if of_year.is_some() {
                        row.wrong("is", "left out: years are given from and to");
                    } else if let Some(field) = vocabulary().context_field(&path)
                        && field.values().all(|(known, _)| known != word)
                    {
                        row.fault(FaultKind::UnknownWord {
                            key: row.key("is"),
                            word: word.clone(),
                            sort: "value of that field",
                            accepted: field.values().map(|(word, _)| word.to_owned()).collect(),
                        });
                    }
                    (RowKey::Is(word), row.optional_date("from"))
                }
                None => (
                    RowKey::Between {
                        from: year(&mut row, "from"),
                        to: year(&mut row, "to"),
                    },
                    None,
                ),
            };
            if value.is_none() && from_date.is_none() {
                row.wrong("value", "there, or a date in from");
            }
            rows.push(Row {
                matches,
                from_date,
                value,
            });
            row.finish();
        }
        keys.finish();
        Table { key: table_key, rows }
    }

    fn class(&mut self, mut keys: Keys<'_>) -> Class {
        self.verified(&mut keys);
        let when_param = when_param(&mut keys);
        let Some(operator) = operator(&keys) else {
            return Class {
                test: ClassTest::Any(Vec::new()),
                when_param,
            };
        };
        let test = match operator {
            Operator::Any => ClassTest::Any(keys.texts("any")),
            Operator::All => ClassTest::All(keys.texts("all")),
            Operator::Not => ClassTest::Not(keys.text("not")),
            Operator::Listed => {
                let mut operand = keys.table("listed");
                let test = ClassTest::Listed {
                    list: operand.text("list"),
                    clock: node_clock(&mut operand),
                };
                operand.finish();
                test
            }
            Operator::OrganizedIn => ClassTest::OrganizedIn {
                set: one_set(keys.table("organized_in")),
            },
            Operator::PrincipalPlaceIn => ClassTest::PrincipalPlaceIn {
                set: one_set(keys.table("principal_place_in")),
            },
            Operator::CitizenOf => {
                let mut operand = keys.table("citizen_of");
                let test = ClassTest::CitizenOf {
                    set: operand.text("in"),
                    unless: operand.optional_text("unless_citizen_or_lpr_of"),
                };
                operand.finish();
                test
            }
            Operator::Owned => ClassTest::Owned(owned(keys.table("owned"))),
            Operator::Licensed => ClassTest::Licensed(licensed(keys.table("licensed"))),
            Operator::Place => ClassTest::Place(place(keys.table("place"))),
            Operator::Evidence => ClassTest::Evidence(evidence(keys.table("evidence"))),
            other => {
                unknown_operator(&keys, other);
                ClassTest::Any(Vec::new())
            }
        };
        keys.finish();
        Class { test, when_param }
    }

    fn expr(&mut self, mut keys: Keys<'_>) -> Expr {
        self.verified(&mut keys);
        let when_param = when_param(&mut keys);
        let Some(operator) = operator(&keys) else {
            return Expr {
                test: ExprTest::Any(Vec::new()),
                when_param,
            };
        };
        let test = match operator {
            Operator::Any => ExprTest::Any(keys.texts("any")),
            Operator::All => ExprTest::All(keys.texts("all")),
            Operator::Not => ExprTest::Not(keys.text("not")),
            Operator::Exists => {
                let (select, condition, rooted) = quantifier(keys.table("exists"));
                ExprTest::Exists {
                    select,
                    condition,
                    rooted,
                }
            }
            Operator::Every => {
                let (select, condition, rooted) = quantifier(keys.table("every"));
                ExprTest::Every {
                    select,
                    condition,
                    rooted,
                }
            }
            Operator::Share => ExprTest::Share(share(keys.table("share"))),
            Operator::Place => ExprTest::Place(place(keys.table("place"))),
            Operator::Party => {
                let mut operand = keys.table("party");
                let roles = [
                    ("operator", Role::Operator),
                    ("principal", Role::Principal),
                    ("seller", Role::Seller),
                    ("owner", Role::Owner),
                    ("licensor", Role::Licensor),
                ];
                let role = operand.choice("role", &roles, Role::Operator);
                let test = ExprTest::Party {
                    role,
                    class: operand.text("is"),
                };
                operand.finish();
                test
            }
            Operator::Context => ExprTest::Context(context(keys.table("context"))),
            Operator::ContextParty => {
                let mut operand = keys.table("context_party");
                let role = operand.text("role");
                words::field(&operand, "role", &role, Takes::Party);
                let test = ExprTest::ContextParty {
                    role,
                    class: operand.text("is"),
                };
                operand.finish();
                test
            }
            Operator::Licensed => ExprTest::Licensed(licensed(keys.table("licensed"))),
            Operator::Evidence => ExprTest::Evidence(evidence(keys.table("evidence"))),
            Operator::Presume => {
                let mut operand = keys.table("presume");
                let test = ExprTest::Presume {
                    of: operand.text("of"),
                    when_unknown: operand.text("when_unknown"),
                };
                operand.finish();
                test
            }
            Operator::Attr => attribute(keys.table("attr")),
            other => {
                unknown_operator(&keys, other);
                ExprTest::Any(Vec::new())
            }
        };
        keys.finish();
        Expr { test, when_param }
    }

    fn waiver(&mut self, mut keys: Keys<'_>) -> Waiver {
        self.verified(&mut keys);
        let grantors = match keys.value("grantor") {
            None => Vec::new(),
            Some(Value::String(one)) => vec![one.clone()],
            Some(_) => keys.texts("grantor"),
        };
        // What the waiver must cover and on what grounds it may rest are for a person to read: the ledger
        // records findings, and `requires` is what has to be among them.
        keys.optional_texts("scope");
        keys.optional_texts("grounds");
        let duration = keys.optional_text("max_duration");
        let years_max = duration.as_deref().and_then(|text| {
            text.strip_prefix('P')
                .and_then(|rest| rest.strip_suffix('Y'))
                .and_then(|years| years.parse::<i32>().ok())
                .filter(|years| (1..=100).contains(years))
        });
        if duration.is_some() && years_max.is_none() {
            keys.wrong("max_duration", "whole years, as P1Y");
        }
        let waiver = Waiver {
            kind: keys.text("event"),
            grantors,
            findings: keys.optional_texts("requires").unwrap_or_default(),
            years_max,
        };
        keys.finish();
        waiver
    }

    fn rule(&mut self, mut keys: Keys<'_>) -> Rule {
        self.verified(&mut keys);
        let fails = keys.optional_text("fails_if");
        let passes = keys.optional_text("passes_if");
        let test = match (fails, passes) {
            (Some(expr), None) => RuleTest::FailsIf(expr),
            (None, Some(expr)) => RuleTest::PassesIf(expr),
            _ => {
                keys.wrong("fails_if", "given, or passes_if, and not both");
                RuleTest::FailsIf(String::new())
            }
        };
        let mut downgrades = Vec::new();
        for mut downgrade in keys.tables("downgrade") {
            downgrade.choice("to", &[("indeterminate", ())], ());
            downgrades.push(Downgrade {
                condition: downgrade.text("if"),
                reason: downgrade.text("reason"),
            });
            downgrade.finish();
        }
        let rule = Rule {
            id: keys.text("id"),
            applies: keys.text("applies"),
            effective: effective(&mut keys),
            test,
            exclusions: keys.optional_texts("exclusions").unwrap_or_default(),
            exceptions: keys.optional_texts("exceptions").unwrap_or_default(),
            downgrades,
            waivers: keys.optional_texts("waivers").unwrap_or_default(),
            min_assurance: assurance(&mut keys, "min_assurance"),
        };
        keys.finish();
        rule
    }
}
