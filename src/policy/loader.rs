//! Loading a rule pack: TOML in, a checked [`Pack`] or the file and key at fault out.
//!
//! The loader refuses whatever it does not understand: an unknown key, an operator that does not exist or is
//! not implemented, two operators in one definition, a name that resolves to nothing, a circle, and, in
//! strict mode, a row marked `verified = false`. So a pack that loads means what it says.
//!
//! Not implemented, and therefore refused: `reset`, group subjects, selections from the context, and a
//! share over the denominator of another selection.

use std::collections::{BTreeMap, BTreeSet};

use num_bigint::BigInt;
use num_traits::Zero as _;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use toml::Value;

use super::{
    check,
    keys::{Keys, date},
    pack::{
        About, Choice, Class, ClassTest, Clock, ContextComparison, ContextTest, Downgrade, Effective,
        EffectiveSpan, EvidenceTest, Expr, ExprTest, From, Licensed, ListUse, Measure, Owned, Pack, Param,
        Place, Role, Row, RowKey, Rule, RuleTest, Select, ShareTest, Table, Threshold, Trigger, Waiver,
    },
    truth::Comparison,
    view::{Assurance, Exact},
};

/// The schema that packs name.
pub const SCHEMA: &str = "provenance-rules/1";

/// Longest file accepted, in bytes.
pub const PACK_LEN_MAX: usize = 1 << 20;

/// Why a pack or a list file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Longer than [`PACK_LEN_MAX`].
    #[error("{file}: {got} bytes, at most {PACK_LEN_MAX} are accepted")]
    TooLong {
        /// File.
        file: String,
        /// Its length in bytes.
        got: usize,
    },
    /// Not TOML.
    #[error("{file}: not TOML: {message}")]
    Syntax {
        /// File.
        file: String,
        /// What the parser says, with line and column.
        message: String,
    },
    /// A key that means nothing here.
    #[error("{file}: unknown key {key}")]
    UnknownKey {
        /// File.
        file: String,
        /// Full key.
        key: String,
    },
    /// A key that must be there is not.
    #[error("{file}: {key} is missing")]
    MissingKey {
        /// File.
        file: String,
        /// Full key.
        key: String,
    },
    /// A value of the wrong type or out of its range.
    #[error("{file}: {key} must be {expected}")]
    WrongValue {
        /// File.
        file: String,
        /// Full key.
        key: String,
        /// What is accepted.
        expected: String,
    },
    /// A class or expression without exactly one operator.
    #[error("{file}: {key} must have exactly one operator, has {got}")]
    Operators {
        /// File.
        file: String,
        /// The definition.
        key: String,
        /// How many it has.
        got: usize,
    },
    /// A name that resolves to nothing.
    #[error("{file}: {key} names {name}, which is not defined")]
    Unresolved {
        /// File.
        file: String,
        /// Who names it.
        key: String,
        /// The full name that is missing.
        name: String,
    },
    /// Definitions that refer to each other in a circle.
    #[error("{file}: {} refer to each other in a circle", names.join(" -> "))]
    Cycle {
        /// File.
        file: String,
        /// The circle, first and last the same.
        names: Vec<String>,
    },
    /// A test about one node, used where no node is given.
    #[error("{file}: {key} is about one node of the graph, and {used_by} gives it none")]
    NoNode {
        /// File.
        file: String,
        /// The test.
        key: String,
        /// The rule that uses it.
        used_by: String,
    },
    /// Part of the rule model that this engine does not implement.
    #[error("{file}: {key} is not implemented")]
    NotImplemented {
        /// File.
        file: String,
        /// Full key.
        key: String,
    },
    /// A row that rests on unverified knowledge, in strict mode.
    #[error("{file}: {key} is not verified, and strict mode takes only verified rows")]
    Unverified {
        /// File.
        file: String,
        /// Full key.
        key: String,
    },
}

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
/// See [`LoadError`]; the first fault found is reported.
pub fn load_pack(file: &str, text: &str, mode: Mode) -> Result<Pack, LoadError> {
    let root = parse(file, text)?;
    let mut loader = Loader {
        unverified: Vec::new(),
    };
    let pack = loader.pack(Keys::new(file, "", &root), text)?;
    if let (Mode::Strict, Some(key)) = (mode, pack.unverified.first()) {
        return Err(LoadError::Unverified {
            file: file.to_owned(),
            key: key.clone(),
        });
    }
    check::references(file, &pack)?;
    Ok(pack)
}

/// TOML of bounded length.
pub(super) fn parse(file: &str, text: &str) -> Result<toml::Table, LoadError> {
    if text.len() > PACK_LEN_MAX {
        return Err(LoadError::TooLong {
            file: file.to_owned(),
            got: text.len(),
        });
    }
    text.parse::<toml::Table>().map_err(|error| LoadError::Syntax {
        file: file.to_owned(),
        message: error.to_string().trim_end().replace('\n', " "),
    })
}

/// An exact number from decimal text, `0.95`; nothing if it is anything else.
pub(super) fn exact(text: &str) -> Option<Exact> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !numeric(whole) || !numeric(fraction) || digits.len() > 40 || digits.ends_with('.')
    {
        return None;
    }
    let scale = u32::try_from(fraction.len()).ok()?;
    let number: BigInt = format!("{whole}{fraction}").parse().ok()?;
    let value = Exact::new(number, BigInt::from(10).pow(scale));
    Some(if negative && !value.is_zero() {
        -value
    } else {
        value
    })
}

/// Collects what is marked as unverified while reading.
struct Loader {
    unverified: Vec<String>,
}

type Loaded<T> = Result<T, LoadError>;

impl Loader {
    fn pack(&mut self, mut root: Keys<'_>, text: &str) -> Loaded<Pack> {
        if root.text("schema")? != SCHEMA {
            return Err(root.wrong("schema", SCHEMA));
        }
        for later in ["reset", "subject"] {
            if root.value(later).is_some() {
                return Err(root.not_implemented(later));
            }
        }
        let mut head = root.table("pack")?;
        let mut pack = Pack {
            id: head.text("id")?,
            version: head.text("version")?,
            title: head.text_or("title", "")?,
            citation: head.text_or("citation", "")?,
            status: head.text_or("status", "")?,
            text_verified: head.flag_or("text_verified", true)?,
            sha256: hex::encode(Sha256::digest(text.as_bytes())),
            subject_kinds: head.texts("subject_kinds")?,
            custody: head.texts("custody")?,
            unverified: Vec::new(),
            trigger: clock(root.table("clock")?)?,
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
        head.finish()?;
        for (name, mut keys) in root.named_tables("set")? {
            pack.sets.insert(name, keys.texts("values")?);
            keys.finish()?;
        }
        for (name, keys) in root.named_tables("list")? {
            pack.lists.insert(name, self.list(keys)?);
        }
        for (name, keys) in root.named_tables("param")? {
            pack.params.insert(name, param(keys)?);
        }
        for (name, keys) in root.named_tables("table")? {
            pack.tables.insert(name, self.rows(keys)?);
        }
        let groups = kinds(&mut root)?;
        for (name, keys) in root.named_tables("select")? {
            pack.selects.insert(name, select(keys, &groups)?);
        }
        for (name, keys) in root.named_tables("class")? {
            pack.classes.insert(name, self.class(keys)?);
        }
        for (name, keys) in root.named_tables("expr")? {
            pack.exprs.insert(name, self.expr(keys)?);
        }
        for (name, keys) in root.named_tables("waiver")? {
            pack.waivers.insert(name, self.waiver(keys)?);
        }
        for keys in root.tables("rule")? {
            pack.rules.push(self.rule(keys)?);
        }
        if pack.rules.is_empty() {
            return Err(root.wrong("rule", "a list of at least one rule"));
        }
        root.finish()?;
        self.unverified.sort();
        pack.unverified = std::mem::take(&mut self.unverified);
        Ok(pack)
    }

    /// Takes note of `verified = false`.
    fn verified(&mut self, keys: &mut Keys<'_>) -> Loaded<()> {
        if !keys.flag_or("verified", true)? {
            self.unverified.push(keys.path().to_owned());
        }
        Ok(())
    }

    fn list(&mut self, mut keys: Keys<'_>) -> Loaded<ListUse> {
        self.verified(&mut keys)?;
        let file = keys.text("file")?;
        let list = file
            .rsplit('/')
            .next()
            .and_then(|name| name.strip_suffix(".toml"))
            .filter(|name| !name.is_empty())
            .ok_or_else(|| keys.wrong("file", "the path of a .toml file"))?
            .to_owned();
        let include = keys.optional_texts("include")?.unwrap_or_default();
        if !include
            .iter()
            .all(|word| ["aliases", "successors", "subsidiaries"].contains(&word.as_str()))
        {
            return Err(keys.wrong("include", "some of aliases, successors, subsidiaries"));
        }
        let includes = |word: &str| include.iter().any(|included| included == word);
        let list = ListUse {
            list,
            file,
            aliases: includes("aliases"),
            successors: includes("successors"),
            subsidiaries: includes("subsidiaries"),
            sublists: keys.optional_texts("sublists")?,
        };
        keys.finish()?;
        Ok(list)
    }

    fn rows(&mut self, mut keys: Keys<'_>) -> Loaded<Table> {
        self.verified(&mut keys)?;
        let table_key = keys.text("key")?;
        let mut rows = Vec::new();
        for mut row in keys.tables("rows")? {
            self.verified(&mut row)?;
            let value = match row.optional_text("value")? {
                None => None,
                Some(text) => Some(exact(&text).ok_or_else(|| row.wrong("value", "a decimal in a string"))?),
            };
            let (matches, from_date) = match row.optional_text("is")? {
                Some(word) => (RowKey::Is(word), row.optional_date("from")?),
                None => (
                    RowKey::Between {
                        from: year(&mut row, "from")?,
                        to: year(&mut row, "to")?,
                    },
                    None,
                ),
            };
            if value.is_none() && from_date.is_none() {
                return Err(row.wrong("value", "there, or a date in from"));
            }
            rows.push(Row {
                matches,
                from_date,
                value,
            });
            row.finish()?;
        }
        keys.finish()?;
        Ok(Table { key: table_key, rows })
    }

    fn class(&mut self, mut keys: Keys<'_>) -> Loaded<Class> {
        self.verified(&mut keys)?;
        let when_param = when_param(&mut keys)?;
        let test = match operator(&keys)? {
            "any" => ClassTest::Any(keys.texts("any")?),
            "all" => ClassTest::All(keys.texts("all")?),
            "not" => ClassTest::Not(keys.text("not")?),
            "listed" => {
                let mut operand = keys.table("listed")?;
                let test = ClassTest::Listed {
                    list: operand.text("list")?,
                    clock: node_clock(&mut operand)?,
                };
                operand.finish()?;
                test
            }
            "organized_in" => ClassTest::OrganizedIn {
                set: one_set(keys.table("organized_in")?)?,
            },
            "principal_place_in" => ClassTest::PrincipalPlaceIn {
                set: one_set(keys.table("principal_place_in")?)?,
            },
            "citizen_of" => {
                let mut operand = keys.table("citizen_of")?;
                let test = ClassTest::CitizenOf {
                    set: operand.text("in")?,
                    unless: operand.optional_text("unless_citizen_or_lpr_of")?,
                };
                operand.finish()?;
                test
            }
            "owned" => ClassTest::Owned(owned(keys.table("owned")?)?),
            "licensed" => ClassTest::Licensed(licensed(keys.table("licensed")?)?),
            "place" => ClassTest::Place(place(keys.table("place")?)?),
            "evidence" => ClassTest::Evidence(evidence(keys.table("evidence")?)?),
            other => return Err(unknown_operator(&keys, other)),
        };
        keys.finish()?;
        Ok(Class { test, when_param })
    }

    fn expr(&mut self, mut keys: Keys<'_>) -> Loaded<Expr> {
        self.verified(&mut keys)?;
        let when_param = when_param(&mut keys)?;
        let test = match operator(&keys)? {
            "any" => ExprTest::Any(keys.texts("any")?),
            "all" => ExprTest::All(keys.texts("all")?),
            "not" => ExprTest::Not(keys.text("not")?),
            "exists" => {
                let (select, condition, rooted) = quantifier(keys.table("exists")?)?;
                ExprTest::Exists {
                    select,
                    condition,
                    rooted,
                }
            }
            "every" => {
                let (select, condition, rooted) = quantifier(keys.table("every")?)?;
                ExprTest::Every {
                    select,
                    condition,
                    rooted,
                }
            }
            "share" => ExprTest::Share(share(keys.table("share")?)?),
            "place" => ExprTest::Place(place(keys.table("place")?)?),
            "party" => {
                let mut operand = keys.table("party")?;
                let role = match operand.text("role")?.as_str() {
                    "operator" => Role::Operator,
                    "principal" => Role::Principal,
                    "seller" => Role::Seller,
                    "owner" => Role::Owner,
                    "licensor" => Role::Licensor,
                    _ => {
                        return Err(operand.wrong("role", "operator, principal, seller, owner or licensor"));
                    }
                };
                let test = ExprTest::Party {
                    role,
                    class: operand.text("is")?,
                };
                operand.finish()?;
                test
            }
            "context" => ExprTest::Context(context(keys.table("context")?)?),
            "context_party" => {
                let mut operand = keys.table("context_party")?;
                let test = ExprTest::ContextParty {
                    role: operand.text("role")?,
                    class: operand.text("is")?,
                };
                operand.finish()?;
                test
            }
            "licensed" => ExprTest::Licensed(licensed(keys.table("licensed")?)?),
            "evidence" => ExprTest::Evidence(evidence(keys.table("evidence")?)?),
            "presume" => {
                let mut operand = keys.table("presume")?;
                let test = ExprTest::Presume {
                    of: operand.text("of")?,
                    when_unknown: operand.text("when_unknown")?,
                };
                operand.finish()?;
                test
            }
            "attr" => attribute(keys.table("attr")?)?,
            other => return Err(unknown_operator(&keys, other)),
        };
        keys.finish()?;
        Ok(Expr { test, when_param })
    }

    fn waiver(&mut self, mut keys: Keys<'_>) -> Loaded<Waiver> {
        self.verified(&mut keys)?;
        let grantors = match keys.value("grantor") {
            None => Vec::new(),
            Some(Value::String(one)) => vec![one.clone()],
            Some(_) => keys.texts("grantor")?,
        };
        // What the waiver must cover and on what grounds it may rest are for a person to read: the ledger
        // records findings, and `requires` is what has to be among them.
        keys.optional_texts("scope")?;
        keys.optional_texts("grounds")?;
        let years_max = match keys.optional_text("max_duration")? {
            None => None,
            Some(text) => Some(
                text.strip_prefix('P')
                    .and_then(|rest| rest.strip_suffix('Y'))
                    .and_then(|years| years.parse::<i32>().ok())
                    .filter(|years| (1..=100).contains(years))
                    .ok_or_else(|| keys.wrong("max_duration", "whole years, as P1Y"))?,
            ),
        };
        let waiver = Waiver {
            kind: keys.text("event")?,
            grantors,
            findings: keys.optional_texts("requires")?.unwrap_or_default(),
            years_max,
        };
        keys.finish()?;
        Ok(waiver)
    }

    fn rule(&mut self, mut keys: Keys<'_>) -> Loaded<Rule> {
        self.verified(&mut keys)?;
        let fails = keys.optional_text("fails_if")?;
        let passes = keys.optional_text("passes_if")?;
        let test = match (fails, passes) {
            (Some(expr), None) => RuleTest::FailsIf(expr),
            (None, Some(expr)) => RuleTest::PassesIf(expr),
            _ => return Err(keys.wrong("fails_if", "given, or passes_if, and not both")),
        };
        let mut downgrades = Vec::new();
        for mut downgrade in keys.tables("downgrade")? {
            if downgrade.text("to")? != "indeterminate" {
                return Err(downgrade.wrong("to", "indeterminate"));
            }
            downgrades.push(Downgrade {
                condition: downgrade.text("if")?,
                reason: downgrade.text("reason")?,
            });
            downgrade.finish()?;
        }
        let rule = Rule {
            id: keys.text("id")?,
            applies: keys.text("applies")?,
            effective: effective(&mut keys)?,
            test,
            exclusions: keys.optional_texts("exclusions")?.unwrap_or_default(),
            exceptions: keys.optional_texts("exceptions")?.unwrap_or_default(),
            downgrades,
            waivers: keys.optional_texts("waivers")?.unwrap_or_default(),
            min_assurance: assurance(&mut keys, "min_assurance")?,
        };
        keys.finish()?;
        Ok(rule)
    }
}

/// Keys of a definition that are not its operator.
const MODIFIERS: [&str; 2] = ["when_param", "verified"];

/// The one operator key of a class or expression.
fn operator<'a>(keys: &Keys<'a>) -> Loaded<&'a str> {
    let operators: Vec<&str> = keys.names().filter(|name| !MODIFIERS.contains(name)).collect();
    match operators.as_slice() {
        [one] => Ok(one),
        _ => Err(LoadError::Operators {
            file: keys.file().to_owned(),
            key: keys.path().to_owned(),
            got: operators.len(),
        }),
    }
}

fn unknown_operator(keys: &Keys<'_>, operator: &str) -> LoadError {
    LoadError::UnknownKey {
        file: keys.file().to_owned(),
        key: keys.key(operator),
    }
}

fn when_param(keys: &mut Keys<'_>) -> Loaded<Option<(String, String)>> {
    if keys.value("when_param").is_none() {
        return Ok(None);
    }
    let table = keys.table("when_param")?;
    let names: Vec<&str> = table.names().collect();
    let [name] = names.as_slice() else {
        return Err(keys.wrong("when_param", "one param and its value"));
    };
    let value = table.raw(name).and_then(Value::as_str);
    let value = value.ok_or_else(|| table.wrong(name, "a string"))?;
    Ok(Some(((*name).to_owned(), value.to_owned())))
}

fn clock(mut keys: Keys<'_>) -> Loaded<Trigger> {
    let trigger = match keys.required("trigger")? {
        Value::String(path) => Trigger::Path(context_path(&keys, "trigger", path)?),
        Value::Table(_) => {
            let mut operand = keys.table("trigger")?;
            let param = operand.text("param")?;
            let mut paths = BTreeMap::new();
            for name in operand.names().filter(|name| *name != "param") {
                let path = operand.raw(name).and_then(Value::as_str);
                let path = path.ok_or_else(|| operand.wrong(name, "a path of the context"))?;
                paths.insert(name.to_owned(), context_path(&operand, name, path)?);
            }
            Trigger::ByParam { param, paths }
        }
        _ => {
            return Err(keys.wrong(
                "trigger",
                "a path of the context, or one for each value of a param",
            ));
        }
    };
    keys.finish()?;
    Ok(trigger)
}

/// A path without its `context.`, which is required.
fn context_path(keys: &Keys<'_>, key: &str, path: &str) -> Loaded<String> {
    path.strip_prefix("context.")
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| keys.wrong(key, "a path of the context, as context.obligation_date"))
}

fn param(mut keys: Keys<'_>) -> Loaded<Param> {
    let param = Param {
        default: keys.text("default")?,
        allowed: keys.texts("allowed")?,
        why: keys.text("why")?,
    };
    if !param.allowed.contains(&param.default) {
        return Err(keys.wrong("default", "one of the allowed values"));
    }
    keys.finish()?;
    Ok(param)
}

fn year(keys: &mut Keys<'_>, key: &'static str) -> Loaded<Option<i64>> {
    match keys.value(key) {
        None => Ok(None),
        Some(value) => value
            .as_integer()
            .map(Some)
            .ok_or_else(|| keys.wrong(key, "a whole number")),
    }
}

/// Named groups of lot kinds.
fn kinds(root: &mut Keys<'_>) -> Loaded<BTreeMap<String, Vec<String>>> {
    if root.value("kinds").is_none() {
        return Ok(BTreeMap::new());
    }
    let keys = root.table("kinds")?;
    keys.names()
        .map(|name| {
            let members = keys.raw(name).and_then(Value::as_array).and_then(|members| {
                members
                    .iter()
                    .map(|member| member.as_str().map(str::to_owned))
                    .collect::<Option<Vec<_>>>()
            });
            let members = members.ok_or_else(|| keys.wrong(name, "a list of strings"))?;
            Ok((name.to_owned(), members))
        })
        .collect()
}

/// Kinds given as a list, as one group, or as several groups.
fn kind_list(
    keys: &mut Keys<'_>,
    key: &'static str,
    groups: &BTreeMap<String, Vec<String>>,
) -> Loaded<Option<Vec<String>>> {
    let names = match keys.value(key) {
        None => return Ok(None),
        Some(Value::Array(_)) => return keys.optional_texts(key),
        Some(_) => {
            let mut operand = keys.table(key)?;
            let names = match operand.optional_text("group")? {
                Some(one) => vec![one],
                None => operand.texts("groups")?,
            };
            operand.finish()?;
            names
        }
    };
    let mut all = Vec::new();
    for name in names {
        let members = groups.get(&name).ok_or_else(|| LoadError::Unresolved {
            file: keys.file().to_owned(),
            key: keys.key(key),
            name: format!("kinds.{name}"),
        })?;
        all.extend(members.iter().cloned());
    }
    Ok(Some(all))
}

fn select(mut keys: Keys<'_>, groups: &BTreeMap<String, Vec<String>>) -> Loaded<Select> {
    let from = match keys.text("from")?.as_str() {
        "self" => From::Itself,
        "inputs" => From::Inputs,
        "ancestors" => From::Ancestors,
        "context" => return Err(keys.not_implemented("from = \"context\"")),
        _ => return Err(keys.wrong("from", "self, inputs or ancestors")),
    };
    let depth = match keys.value("depth") {
        None => 1,
        Some(value) => value
            .as_integer()
            .and_then(|depth| u32::try_from(depth).ok())
            .filter(|depth| (1..=64).contains(depth) && from == From::Inputs)
            .ok_or_else(|| keys.wrong("depth", "from 1 to 64, and only of inputs"))?,
    };
    let select = Select {
        from,
        depth,
        include_self: keys.flag_or("include_self", from == From::Itself)?,
        kinds: kind_list(&mut keys, "kinds", groups)?,
        steps: keys.optional_texts("steps")?,
        expand: kind_list(&mut keys, "expand", groups)?.unwrap_or_default(),
        expand_known: kind_list(&mut keys, "expand_known", groups)?.unwrap_or_default(),
        closed_to: kind_list(&mut keys, "closed_to", groups)?,
        exclude_if: keys.optional_text("exclude_if")?,
    };
    keys.finish()?;
    Ok(select)
}

fn clock_name(keys: &mut Keys<'_>, default: Clock) -> Loaded<Clock> {
    match keys.optional_text("clock")?.as_deref() {
        None => Ok(default),
        Some("trigger") => Ok(Clock::Trigger),
        Some("evaluation") => Ok(Clock::Evaluation),
        Some("event") => Ok(Clock::Event),
        Some(_) => Err(keys.wrong("clock", "trigger, evaluation or event")),
    }
}

/// A clock that must be named: the law differs from list to list.
fn node_clock(keys: &mut Keys<'_>) -> Loaded<Clock> {
    keys.required("clock")?;
    clock_name(keys, Clock::Trigger)
}

fn one_set(mut keys: Keys<'_>) -> Loaded<String> {
    let set = keys.text("in")?;
    keys.finish()?;
    Ok(set)
}

fn comparison(keys: &mut Keys<'_>) -> Loaded<Comparison> {
    Comparison::from_name(&keys.text("cmp")?).ok_or_else(|| keys.wrong("cmp", "gt, ge, lt, le, eq or ne"))
}

fn decimal(keys: &mut Keys<'_>, key: &'static str) -> Loaded<Exact> {
    let text = keys.text(key)?;
    exact(&text).ok_or_else(|| keys.wrong(key, "a decimal in a string"))
}

fn owned(mut keys: Keys<'_>) -> Loaded<Owned> {
    let mut measures = Vec::new();
    for word in keys.texts("measure")? {
        measures.push(match word.as_str() {
            "equity" => Measure::Equity,
            "votes" => Measure::Votes,
            "board" => Measure::Board,
            "debt" => Measure::Debt,
            _ => return Err(keys.wrong("measure", "some of equity, votes, board, debt")),
        });
    }
    let single = match keys.text("aggregate")?.as_str() {
        "single" => true,
        "sum" => false,
        _ => return Err(keys.wrong("aggregate", "single or sum")),
    };
    let look_through = match keys.text("path")?.as_str() {
        "direct" => false,
        "look_through" => true,
        _ => return Err(keys.wrong("path", "direct or look_through")),
    };
    let owned = Owned {
        by: keys.text("by")?,
        measures,
        single,
        comparison: comparison(&mut keys)?,
        value: decimal(&mut keys, "value")?,
        look_through,
        clock: clock_name(&mut keys, Clock::Trigger)?,
    };
    if !matches!(owned.comparison, Comparison::Gt | Comparison::Ge) {
        return Err(keys.wrong("cmp", "gt or ge"));
    }
    keys.finish()?;
    Ok(owned)
}

fn licensed(mut keys: Keys<'_>) -> Loaded<Licensed> {
    let effective_control = match keys.text("grants")?.as_str() {
        "any" => false,
        "effective_control" => true,
        _ => return Err(keys.wrong("grants", "any or effective_control")),
    };
    let licensed = Licensed {
        from: keys.text("from")?,
        effective_control,
    };
    keys.finish()?;
    Ok(licensed)
}

fn place(mut keys: Keys<'_>) -> Loaded<Place> {
    if keys.text("at")? != "step.facility" {
        return Err(keys.wrong("at", "step.facility"));
    }
    let subdivision = match keys.text("level")?.as_str() {
        "country" => false,
        "subdivision" => true,
        _ => return Err(keys.wrong("level", "country or subdivision")),
    };
    let place = Place {
        subdivision,
        set: keys.text("in")?,
    };
    keys.finish()?;
    Ok(place)
}

fn evidence(mut keys: Keys<'_>) -> Loaded<EvidenceTest> {
    let about = match keys.text("about")?.as_str() {
        "node" => About::Node,
        "party" => About::Party,
        "context" => About::Context,
        _ => return Err(keys.wrong("about", "node, party or context")),
    };
    let evidence = EvidenceTest {
        kind: keys.text("kind")?,
        min: assurance(&mut keys, "min")?,
        about,
        clock: clock_name(&mut keys, Clock::Trigger)?,
    };
    keys.finish()?;
    Ok(evidence)
}

fn assurance(keys: &mut Keys<'_>, key: &'static str) -> Loaded<Assurance> {
    Ok(match keys.text(key)?.as_str() {
        "reported" => Assurance::Reported,
        "asserted" => Assurance::Asserted,
        "supplier_certified" => Assurance::SupplierCertified,
        "third_party_audited" => Assurance::ThirdPartyAudited,
        "authority_confirmed" => Assurance::AuthorityConfirmed,
        _ => {
            return Err(keys.wrong(
                key,
                "reported, asserted, supplier_certified, third_party_audited or authority_confirmed",
            ));
        }
    })
}

fn quantifier(mut keys: Keys<'_>) -> Loaded<(String, String, bool)> {
    let read = (
        keys.text("in")?,
        keys.text("where")?,
        keys.flag_or("rooted_at_node", false)?,
    );
    keys.finish()?;
    Ok(read)
}

/// What shares may measure.
const SHARE_MEASURES: [&str; 7] = [
    "count",
    "cost",
    "mass",
    "energy",
    "volume",
    "direct_cost",
    "direct_material_cost",
];

fn share(mut keys: Keys<'_>) -> Loaded<ShareTest> {
    if keys.value("denominator").is_some() {
        return Err(keys.not_implemented("denominator"));
    }
    let measure = match keys.required("measure")? {
        Value::String(word) if SHARE_MEASURES.contains(&word.as_str()) => Choice::Fixed(word.clone()),
        Value::Table(_) => {
            let mut operand = keys.table("measure")?;
            let choice = Choice::Param(operand.text("param")?);
            operand.finish()?;
            choice
        }
        _ => return Err(keys.wrong("measure", &format!("{} or a param", SHARE_MEASURES.join(", ")))),
    };
    let value = match keys.required("value")? {
        Value::Table(_) => {
            let mut operand = keys.table("value")?;
            let table = operand.text("table")?;
            operand.finish()?;
            Threshold::Table(table)
        }
        _ => Threshold::Fixed(decimal(&mut keys, "value")?),
    };
    let share = ShareTest {
        select: keys.text("in")?,
        condition: keys.text("where")?,
        rooted: keys.flag_or("rooted_at_node", false)?,
        measure,
        comparison: comparison(&mut keys)?,
        value,
    };
    keys.finish()?;
    Ok(share)
}

/// Whether a word is something that shares may measure.
pub(super) fn is_share_measure(word: &str) -> bool {
    SHARE_MEASURES.contains(&word)
}

fn context(mut keys: Keys<'_>) -> Loaded<ContextTest> {
    let path = keys.text("path")?;
    let comparison = if let Some(value) = keys.value("eq") {
        ContextComparison::OneOf(vec![
            json(value).ok_or_else(|| keys.wrong("eq", "a plain value"))?,
        ])
    } else if let Some(value) = keys.value("in") {
        let values = value
            .as_array()
            .and_then(|values| values.iter().map(json).collect::<Option<Vec<_>>>());
        ContextComparison::OneOf(values.ok_or_else(|| keys.wrong("in", "a list of plain values"))?)
    } else {
        ContextComparison::Date(comparison(&mut keys)?, keys.date("value")?)
    };
    keys.finish()?;
    Ok(ContextTest { path, comparison })
}

fn attribute(mut keys: Keys<'_>) -> Loaded<ExprTest> {
    let value = keys.required("value")?;
    let attribute = ExprTest::Attribute {
        path: keys.text("path")?,
        comparison: comparison(&mut keys)?,
        value: json(value).ok_or_else(|| keys.wrong("value", "a plain value"))?,
    };
    keys.finish()?;
    Ok(attribute)
}

/// A plain TOML value as the context would write it: dates as text.
fn json(value: &Value) -> Option<Json> {
    Some(match value {
        Value::String(text) => Json::String(text.clone()),
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::Integer(number) => Json::from(*number),
        Value::Datetime(_) => Json::String(date(value)?.to_string()),
        Value::Float(_) | Value::Array(_) | Value::Table(_) => return None,
    })
}

fn effective(keys: &mut Keys<'_>) -> Loaded<Effective> {
    if let Value::Table(_) = keys.required("effective")? {
        let mut operand = keys.table("effective")?;
        let table = operand.text("table")?;
        operand.finish()?;
        return Ok(Effective::Table(table));
    }
    let mut spans = Vec::new();
    for mut span in keys.tables("effective")? {
        let path = match span.optional_text("path")? {
            None => None,
            Some(path) => Some(context_path(&span, "path", &path)?),
        };
        spans.push(EffectiveSpan {
            path,
            from: span.optional_date("from")?,
            to: span.optional_date("to")?,
        });
        span.finish()?;
    }
    if spans.is_empty() {
        return Err(keys.wrong("effective", "at least one span"));
    }
    Ok(Effective::Spans(spans))
}

/// Names already used, for whoever must not say one twice.
pub(super) fn first_repeated<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}
