//! What the operators of a pack take, read strictly.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_traits::Zero as _;
use serde_json::Value as Json;
use toml::Value;

use super::{
    keys::{Keys, date},
    load_error::{LoadError, Loaded},
    operator::Operator,
    pack::{
        About, Choice, Clock, ContextComparison, ContextTest, Effective, EffectiveSpan, EvidenceTest,
        ExprTest, From, Licensed, Measure, Owned, Param, Place, Select, ShareTest, Threshold, Trigger,
    },
    truth::Comparison,
    view::{Assurance, Exact},
};

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
pub(super) fn operator(keys: &Keys<'_>) -> Loaded<Operator> {
    let operators: Vec<&str> = keys.names().filter(|name| !MODIFIERS.contains(name)).collect();
    match operators.as_slice() {
        [one] => Operator::of_key(one).ok_or_else(|| unknown(keys, one)),
        _ => Err(LoadError::Operators {
            file: keys.file().to_owned(),
            key: keys.path().to_owned(),
            got: operators.len(),
        }),
    }
}

/// For an operator that classes or expressions do not take.
pub(super) fn unknown_operator(keys: &Keys<'_>, operator: Operator) -> LoadError {
    unknown(keys, operator.key())
}

fn unknown(keys: &Keys<'_>, key: &str) -> LoadError {
    LoadError::UnknownKey {
        file: keys.file().to_owned(),
        key: keys.key(key),
    }
}

pub(super) fn when_param(keys: &mut Keys<'_>) -> Loaded<Option<(String, String)>> {
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

pub(super) fn clock(mut keys: Keys<'_>) -> Loaded<Trigger> {
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
pub(super) fn context_path(keys: &Keys<'_>, key: &str, path: &str) -> Loaded<String> {
    path.strip_prefix("context.")
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| keys.wrong(key, "a path of the context, as context.obligation_date"))
}

pub(super) fn param(mut keys: Keys<'_>) -> Loaded<Param> {
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

pub(super) fn year(keys: &mut Keys<'_>, key: &'static str) -> Loaded<Option<i64>> {
    match keys.value(key) {
        None => Ok(None),
        Some(value) => value
            .as_integer()
            .map(Some)
            .ok_or_else(|| keys.wrong(key, "a whole number")),
    }
}

/// Named groups of lot kinds.
pub(super) fn kinds(root: &mut Keys<'_>) -> Loaded<BTreeMap<String, Vec<String>>> {
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
pub(super) fn kind_list(
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

pub(super) fn select(mut keys: Keys<'_>, groups: &BTreeMap<String, Vec<String>>) -> Loaded<Select> {
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

pub(super) fn clock_name(keys: &mut Keys<'_>, default: Clock) -> Loaded<Clock> {
    match keys.optional_text("clock")?.as_deref() {
        None => Ok(default),
        Some("trigger") => Ok(Clock::Trigger),
        Some("evaluation") => Ok(Clock::Evaluation),
        Some("event") => Ok(Clock::Event),
        Some(_) => Err(keys.wrong("clock", "trigger, evaluation or event")),
    }
}

/// A clock that must be named: the law differs from list to list.
pub(super) fn node_clock(keys: &mut Keys<'_>) -> Loaded<Clock> {
    keys.required("clock")?;
    clock_name(keys, Clock::Trigger)
}

pub(super) fn one_set(mut keys: Keys<'_>) -> Loaded<String> {
    let set = keys.text("in")?;
    keys.finish()?;
    Ok(set)
}

pub(super) fn comparison(keys: &mut Keys<'_>) -> Loaded<Comparison> {
    Comparison::from_name(&keys.text("cmp")?).ok_or_else(|| keys.wrong("cmp", "gt, ge, lt, le, eq or ne"))
}

pub(super) fn decimal(keys: &mut Keys<'_>, key: &'static str) -> Loaded<Exact> {
    let text = keys.text(key)?;
    exact(&text).ok_or_else(|| keys.wrong(key, "a decimal in a string"))
}

pub(super) fn owned(mut keys: Keys<'_>) -> Loaded<Owned> {
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

pub(super) fn licensed(mut keys: Keys<'_>) -> Loaded<Licensed> {
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

pub(super) fn place(mut keys: Keys<'_>) -> Loaded<Place> {
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

pub(super) fn evidence(mut keys: Keys<'_>) -> Loaded<EvidenceTest> {
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

pub(super) fn assurance(keys: &mut Keys<'_>, key: &'static str) -> Loaded<Assurance> {
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

pub(super) fn quantifier(mut keys: Keys<'_>) -> Loaded<(String, String, bool)> {
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

pub(super) fn share(mut keys: Keys<'_>) -> Loaded<ShareTest> {
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

pub(super) fn context(mut keys: Keys<'_>) -> Loaded<ContextTest> {
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

pub(super) fn attribute(mut keys: Keys<'_>) -> Loaded<ExprTest> {
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
pub(super) fn json(value: &Value) -> Option<Json> {
    Some(match value {
        Value::String(text) => Json::String(text.clone()),
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::Integer(number) => Json::from(*number),
        Value::Datetime(_) => Json::String(date(value)?.to_string()),
        Value::Float(_) | Value::Array(_) | Value::Table(_) => return None,
    })
}

pub(super) fn effective(keys: &mut Keys<'_>) -> Loaded<Effective> {
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
