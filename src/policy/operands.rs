//! What the operators of a pack take, read strictly.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_traits::Zero as _;
use serde_json::Value as Json;
use toml::Value;

use super::{
    keys::{Keys, date},
    load_error::FaultKind,
    operator::Operator,
    pack::{
        About, Choice, Clock, ContextComparison, ContextTest, Effective, EffectiveSpan, EvidenceTest,
        ExprTest, From, Licensed, Measure, Owned, Param, Place, Select, ShareTest, Threshold, Trigger,
    },
    truth::Comparison,
    view::{Assurance, Exact},
    words,
};
use crate::vocabulary::Takes;

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

/// Keys of a definition that are not its operator.
const MODIFIERS: [&str; 2] = ["when_param", "verified"];

/// The one operator of a class or expression.
pub(super) fn operator(keys: &Keys<'_>) -> Option<Operator> {
    let operators: Vec<&str> = keys.names().filter(|name| !MODIFIERS.contains(name)).collect();
    if let [one] = operators.as_slice() {
        let operator = Operator::of_key(one);
        if operator.is_none() {
            keys.fault(FaultKind::UnknownKey { key: keys.key(one) });
        }
        return operator;
    }
    keys.fault(FaultKind::Operators {
        key: keys.path().to_owned(),
        got: operators.len(),
    });
    None
}

/// For an operator that classes or expressions do not take.
pub(super) fn unknown_operator(keys: &Keys<'_>, operator: Operator) {
    keys.fault(FaultKind::UnknownKey {
        key: keys.key(operator.key()),
    });
}

pub(super) fn when_param(keys: &mut Keys<'_>) -> Option<(String, String)> {
    keys.value("when_param")?;
    let table = keys.table("when_param");
    let names: Vec<&str> = table.names().collect();
    let [name] = names.as_slice() else {
        keys.wrong("when_param", "one param and its value");
        return None;
    };
    let value = table.raw(name).and_then(Value::as_str);
    if value.is_none() {
        table.wrong(name, "a string");
    }
    Some(((*name).to_owned(), value?.to_owned()))
}

pub(super) fn clock(mut keys: Keys<'_>) -> Trigger {
    let trigger = match keys.required("trigger") {
        Some(Value::String(path)) => Trigger::Path(date_path(&keys, "trigger", path)),
        Some(Value::Table(_)) => {
            let mut operand = keys.table("trigger");
            let param = operand.text("param");
            let mut paths = BTreeMap::new();
            for name in operand.names().filter(|name| *name != "param") {
                match operand.raw(name).and_then(Value::as_str) {
                    Some(path) => {
                        paths.insert(name.to_owned(), date_path(&operand, name, path));
                    }
                    None => operand.wrong(name, "a path of the context"),
                }
            }
            Trigger::ByParam { param, paths }
        }
        other => {
            if other.is_some() {
                keys.wrong(
                    "trigger",
                    "a path of the context, or one for each value of a param",
                );
            }
            Trigger::Path(String::new())
        }
    };
    keys.finish();
    trigger
}

/// A path without its `context.`, which is required.
pub(super) fn context_path(keys: &Keys<'_>, key: &str, path: &str) -> String {
    let bare = path.strip_prefix("context.").filter(|path| !path.is_empty());
    if bare.is_none() {
        keys.wrong(key, "a path of the context, as context.obligation_date");
    }
    bare.unwrap_or_default().to_owned()
}

/// A path of the context where a date stands.
fn date_path(keys: &Keys<'_>, key: &str, path: &str) -> String {
    let path = context_path(keys, key, path);
    words::field(keys, key, &path, Takes::Date);
    path
}

pub(super) fn param(mut keys: Keys<'_>) -> Param {
    let param = Param {
        default: keys.text("default"),
        allowed: keys.texts("allowed"),
        why: keys.text("why"),
    };
    if !param.allowed.contains(&param.default) {
        keys.wrong("default", "one of the allowed values");
    }
    keys.finish();
    param
}

pub(super) fn year(keys: &mut Keys<'_>, key: &'static str) -> Option<i64> {
    let value = keys.value(key)?;
    let number = value.as_integer();
    if number.is_none() {
        keys.wrong(key, "a whole number");
    }
    number
}

/// Named groups of lot kinds.
pub(super) fn kinds(root: &mut Keys<'_>) -> BTreeMap<String, Vec<String>> {
    if root.value("kinds").is_none() {
        return BTreeMap::new();
    }
    let keys = root.table("kinds");
    let mut groups = BTreeMap::new();
    for name in keys.names() {
        let members = keys.raw(name).and_then(Value::as_array).and_then(|members| {
            members
                .iter()
                .map(|member| member.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        });
        match &members {
            Some(members) => words::kinds(&keys, name, members),
            None => keys.wrong(name, "a list of strings"),
        }
        groups.insert(name.to_owned(), members.unwrap_or_default());
    }
    groups
}

/// Kinds given as a list, as one group, or as several groups.
pub(super) fn kind_list(
    keys: &mut Keys<'_>,
    key: &'static str,
    groups: &BTreeMap<String, Vec<String>>,
) -> Option<Vec<String>> {
    if keys.value(key)?.is_array() {
        let list = keys.optional_texts(key);
        words::kinds(keys, key, list.as_deref().unwrap_or_default());
        return list;
    }
    let mut operand = keys.table(key);
    let names = match operand.optional_text("group") {
        Some(one) => vec![one],
        None => operand.texts("groups"),
    };
    operand.finish();
    let mut all = Vec::new();
    for name in names {
        match groups.get(&name) {
            Some(members) => all.extend(members.iter().cloned()),
            None => keys.fault(FaultKind::Unresolved {
                key: keys.key(key),
                name: format!("kinds.{name}"),
            }),
        }
    }
    Some(all)
}

pub(super) fn select(mut keys: Keys<'_>, groups: &BTreeMap<String, Vec<String>>) -> Select {
    let from = if keys.value("from").and_then(Value::as_str) == Some("context") {
        keys.not_implemented("from = \"context\"");
        From::Itself
    } else {
        let choices = [
            ("self", From::Itself),
            ("inputs", From::Inputs),
            ("ancestors", From::Ancestors),
        ];
        keys.choice("from", &choices, From::Itself)
    };
    let depth = keys.value("depth").map(|value| {
        value
            .as_integer()
            .and_then(|depth| u32::try_from(depth).ok())
            .filter(|depth| (1..=64).contains(depth) && from == From::Inputs)
    });
    if depth == Some(None) {
        keys.wrong("depth", "from 1 to 64, and only of inputs");
    }
    let select = Select {
        from,
        depth: depth.flatten().unwrap_or(1),
        include_self: keys.flag_or("include_self", from == From::Itself),
        kinds: kind_list(&mut keys, "kinds", groups),
        steps: keys.optional_texts("steps"),
        expand: kind_list(&mut keys, "expand", groups).unwrap_or_default(),
        expand_known: kind_list(&mut keys, "expand_known", groups).unwrap_or_default(),
        closed_to: kind_list(&mut keys, "closed_to", groups),
        exclude_if: keys.optional_text("exclude_if"),
    };
    words::steps(&keys, "steps", select.steps.as_deref().unwrap_or_default());
    keys.finish();
    select
}

const CLOCKS: [(&str, Clock); 3] = [
    ("trigger", Clock::Trigger),
    ("evaluation", Clock::Evaluation),
    ("event", Clock::Event),
];

pub(super) fn clock_name(keys: &mut Keys<'_>, default: Clock) -> Clock {
    match keys.value("clock") {
        None => default,
        Some(_) => keys.choice("clock", &CLOCKS, default),
    }
}

/// A clock that must be named: the law differs from list to list.
pub(super) fn node_clock(keys: &mut Keys<'_>) -> Clock {
    keys.choice("clock", &CLOCKS, Clock::Trigger)
}

pub(super) fn one_set(mut keys: Keys<'_>) -> String {
    let set = keys.text("in");
    keys.finish();
    set
}

pub(super) fn comparison(keys: &mut Keys<'_>) -> Comparison {
    keys.choice("cmp", &Comparison::NAMED, Comparison::Gt)
}

pub(super) fn decimal(keys: &mut Keys<'_>, key: &'static str) -> Exact {
    let text = keys.text(key);
    let value = exact(&text);
    if value.is_none() {
        keys.wrong(key, "a decimal in a string");
    }
    value.unwrap_or_default()
}

pub(super) fn owned(mut keys: Keys<'_>) -> Owned {
    let mut measures = Vec::new();
    for word in keys.texts("measure") {
        measures.push(match word.as_str() {
            "equity" => Measure::Equity,
            "votes" => Measure::Votes,
            "board" => Measure::Board,
            "debt" => Measure::Debt,
            _ => {
                keys.wrong("measure", "some of equity, votes, board, debt");
                continue;
            }
        });
    }
    let owned = Owned {
        by: keys.text("by"),
        measures,
        single: keys.choice("aggregate", &[("single", true), ("sum", false)], false),
        comparison: comparison(&mut keys),
        value: decimal(&mut keys, "value"),
        look_through: keys.choice("path", &[("direct", false), ("look_through", true)], true),
        clock: clock_name(&mut keys, Clock::Trigger),
    };
    if !matches!(owned.comparison, Comparison::Gt | Comparison::Ge) {
        keys.wrong("cmp", "gt or ge");
    }
    keys.finish();
    owned
}

pub(super) fn licensed(mut keys: Keys<'_>) -> Licensed {
    let licensed = Licensed {
        from: keys.text("from"),
        effective_control: keys.choice("grants", &[("any", false), ("effective_control", true)], false),
    };
    keys.finish();
    licensed
}

pub(super) fn place(mut keys: Keys<'_>) -> Place {
    keys.choice("at", &[("step.facility", ())], ());
    let place = Place {
        subdivision: keys.choice("level", &[("country", false), ("subdivision", true)], false),
        set: keys.text("in"),
    };
    keys.finish();
    place
}

pub(super) fn evidence(mut keys: Keys<'_>) -> EvidenceTest {
    let choices = [
        ("node", About::Node),
        ("party", About::Party),
        ("context", About::Context),
    ];
    let evidence = EvidenceTest {
        kind: keys.text("kind"),
        min: assurance(&mut keys, "min"),
        about: keys.choice("about", &choices, About::Node),
        clock: clock_name(&mut keys, Clock::Trigger),
    };
    keys.finish();
    evidence
}

pub(super) fn assurance(keys: &mut Keys<'_>, key: &'static str) -> Assurance {
    let choices = [
        ("reported", Assurance::Reported),
        ("asserted", Assurance::Asserted),
        ("supplier_certified", Assurance::SupplierCertified),
        ("third_party_audited", Assurance::ThirdPartyAudited),
        ("authority_confirmed", Assurance::AuthorityConfirmed),
    ];
    keys.choice(key, &choices, Assurance::Reported)
}

pub(super) fn quantifier(mut keys: Keys<'_>) -> (String, String, bool) {
    let read = (
        keys.text("in"),
        keys.text("where"),
        keys.flag_or("rooted_at_node", false),
    );
    keys.finish();
    read
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

pub(super) fn share(mut keys: Keys<'_>) -> ShareTest {
    if keys.value("denominator").is_some() {
        keys.not_implemented("denominator");
    }
    let measure = match keys.required("measure") {
        Some(Value::String(word)) if SHARE_MEASURES.contains(&word.as_str()) => Choice::Fixed(word.clone()),
        Some(Value::Table(_)) => {
            let mut operand = keys.table("measure");
            let choice = Choice::Param(operand.text("param"));
            operand.finish();
            choice
        }
        other => {
            if other.is_some() {
                keys.wrong("measure", &format!("{} or a param", SHARE_MEASURES.join(", ")));
            }
            Choice::Fixed(String::new())
        }
    };
    let value = match keys.required("value") {
        Some(Value::Table(_)) => {
            let mut operand = keys.table("value");
            let table = operand.text("table");
            operand.finish();
            Threshold::Table(table)
        }
        _ => Threshold::Fixed(decimal(&mut keys, "value")),
    };
    let share = ShareTest {
        select: keys.text("in"),
        condition: keys.text("where"),
        rooted: keys.flag_or("rooted_at_node", false),
        measure,
        comparison: comparison(&mut keys),
        value,
    };
    keys.finish();
    share
}

/// Whether a word is something that shares may measure.
pub(super) fn is_share_measure(word: &str) -> bool {
    SHARE_MEASURES.contains(&word)
}

pub(super) fn context(mut keys: Keys<'_>) -> ContextTest {
    let path = keys.text("path");
    let comparison = if let Some(value) = keys.value("eq") {
        ContextComparison::OneOf(words::values(&keys, "eq", &path, std::slice::from_ref(value)))
    } else if let Some(value) = keys.value("in") {
        let Some(values) = value.as_array() else {
            keys.wrong("in", "a list of values of the field");
            return ContextTest {
                path,
                comparison: ContextComparison::OneOf(Vec::new()),
            };
        };
        ContextComparison::OneOf(words::values(&keys, "in", &path, values))
    } else {
        words::field(&keys, "path", &path, Takes::Date);
        ContextComparison::Date(comparison(&mut keys), keys.date("value"))
    };
    keys.finish();
    ContextTest { path, comparison }
}

pub(super) fn attribute(mut keys: Keys<'_>) -> ExprTest {
    let value = keys.required("value").map(json);
    if value == Some(None) {
        keys.wrong("value", "a plain value");
    }
    let attribute = ExprTest::Attribute {
        path: keys.text("path"),
        comparison: comparison(&mut keys),
        value: value.flatten().unwrap_or_default(),
    };
    keys.finish();
    attribute
}

/// A plain TOML value as the context would write it: dates as text.
pub(super) fn json(value: &Value) -> Option<Json> {
    Some(match value {
        Value::String(text) => Json::String(text.clone()),
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::Integer(number) => Json::from(*number),
        Value::Datetime(_) => Json::String(date(value)?.to_string()),
        Value::Float(_) | Value::Array(_) | Value::Table(_) => return None,
    })
}

pub(super) fn effective(keys: &mut Keys<'_>) -> Effective {
    if let Some(Value::Table(_)) = keys.required("effective") {
        let mut operand = keys.table("effective");
        let table = operand.text("table");
        operand.finish();
        return Effective::Table(table);
    }
    let mut spans = Vec::new();
    for mut span in keys.tables("effective") {
        let path = span.optional_text("path");
        spans.push(EffectiveSpan {
            path: path.map(|path| date_path(&span, "path", &path)),
            from: span.optional_date("from"),
            to: span.optional_date("to"),
        });
        span.finish();
    }
    if spans.is_empty() {
        keys.wrong("effective", "at least one span");
    }
    Effective::Spans(spans)
}
