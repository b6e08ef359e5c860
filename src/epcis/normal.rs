//! The normal form of an EPCIS event: one spelling for what means the same.
//!
//! Type by its short name; CBV words bare; identifiers normalised; times in UTC with milliseconds (more digits
//! only where there are more); lists that are sets sorted; empty lists, `recordTime` and `@context` absent;
//! numbers as shortest exact decimals; prefixes of keys expanded; a unit that means pieces absent.
//! Two documents say the same if their normal forms are equal.

use serde_json::{Map, Number, Value};

use super::{context::Context, document, finding::Findings, link, vocabulary::Family};
use crate::{identifier, time};

/// Told of each identifier: as it came, and in normal form.
pub(super) type Spellings<'a> = &'a mut dyn FnMut(&str, &str);

/// The normal form of every event of a document (of any shape that [`super::import`] takes), in order.
///
/// Members that are not as EPCIS wants them stay as they are; nothing is refused here. Returns an empty list
/// for what is no EPCIS document.
pub fn normal_form(document: &Value) -> Value {
    let events = document::open(document).map_or_else(
        |_| Vec::new(),
        |opened| {
            opened
                .events
                .iter()
                .map(|(_, value, context)| match value.as_object() {
                    Some(members) => {
                        let mut members = members.clone();
                        link::take_facts(&mut members, context, &mut Findings::default());
                        let mut normal = event(&members, context, &mut |_, _| {});
                        sort(&mut normal);
                        Value::Object(normal)
                    }
                    None => (*value).clone(),
                })
                .collect()
        },
    );
    Value::Array(events)
}

/// One event in normal form, but with its lists in the order they came in.
pub(super) fn event(
    members: &Map<String, Value>,
    context: &Context,
    spellings: Spellings<'_>,
) -> Map<String, Value> {
    let mut normal = Map::new();
    for (key, value) in members {
        let (key, value) = match key.as_str() {
            "@context" | "recordTime" => continue,
            "type" => (key.clone(), text(value, |text| short_type(text, context))),
            "eventTime" => (key.clone(), instant(value)),
            "epcList" | "childEPCs" | "inputEPCList" | "outputEPCList" => (
                key.clone(),
                each(value, |epc| identifier(epc, context, spellings)),
            ),
            "parentID" | "transformationID" => (key.clone(), identifier(value, context, spellings)),
            "quantityList" | "childQuantityList" | "inputQuantityList" | "outputQuantityList" => (
                key.clone(),
                each(value, |element| quantity(element, context, spellings)),
            ),
            "bizStep" => (key.clone(), word(value, Family::BizStep, context)),
            "disposition" => (key.clone(), word(value, Family::Disposition, context)),
            "persistentDisposition" => (
                key.clone(),
                object(value, context, |name, value| match name {
                    "set" | "unset" => each(value, |value| word(value, Family::Disposition, context)),
                    _ => other(value, context),
                }),
            ),
            "readPoint" | "bizLocation" => (
                key.clone(),
                object(value, context, |name, value| match name {
                    "id" => identifier(value, context, spellings),
                    _ => other(value, context),
                }),
            ),
            "bizTransactionList" => (
                key.clone(),
                references(
                    value,
                    "bizTransaction",
                    Family::BizTransaction,
                    context,
                    spellings,
                ),
            ),
            "sourceList" => (
                key.clone(),
                references(value, "source", Family::SourceDestination, context, spellings),
            ),
            "destinationList" => (
                key.clone(),
                references(
                    value,
                    "destination",
                    Family::SourceDestination,
                    context,
                    spellings,
                ),
            ),
            "errorDeclaration" => (
                key.clone(),
                object(value, context, |name, value| match name {
                    "declarationTime" => instant(value),
                    "reason" => word(value, Family::ErrorReason, context),
                    _ => other(value, context),
                }),
            ),
            "certificationInfo" => (
                key.clone(),
                match value {
                    Value::String(_) => Value::Array(vec![value.clone()]),
                    _ => other(value, context),
                },
            ),
            "sensorElementList" => (key.clone(), sensors(value, context)),
            _ => (context.expand(key), other(value, context)),
        };
        if !is_empty(&value) {
            normal.insert(key, value);
        }
    }
    normal
}

/// Sorts the lists of a normal event that are sets.
pub(super) fn sort(event: &mut Map<String, Value>) {
    for (key, value) in event {
        match (key.as_str(), value) {
            (
                "epcList" | "childEPCs" | "inputEPCList" | "outputEPCList" | "quantityList"
                | "childQuantityList" | "inputQuantityList" | "outputQuantityList" | "bizTransactionList"
                | "sourceList" | "destinationList" | "certificationInfo",
                value,
            ) => sort_list(value),
            ("persistentDisposition", Value::Object(members)) => members.values_mut().for_each(sort_list),
            ("errorDeclaration", Value::Object(members)) => {
                if let Some(ids) = members.get_mut("correctiveEventIDs") {
                    sort_list(ids);
                }
            }
            _ => {}
        }
    }
}

fn sort_list(value: &mut Value) {
    if let Value::Array(values) = value {
        values.sort_by_cached_key(|value| match value {
            // Members may stand in any order.
            Value::Object(members) => {
                let mut members: Vec<String> = members
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                members.sort();
                members.join("\n")
            }
            Value::String(text) => text.clone(),
            value => value.to_string(),
        });
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn text(value: &Value, normal: impl FnOnce(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(normal(text)),
        value => value.clone(),
    }
}

fn each(value: &Value, normal: impl FnMut(&Value) -> Value) -> Value {
    match value {
        Value::Array(values) => Value::Array(values.iter().map(normal).collect()),
        value => value.clone(),
    }
}

fn object(value: &Value, context: &Context, mut normal: impl FnMut(&str, &Value) -> Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(key, value)| (context.expand(key), normal(key, value)))
                .collect(),
        ),
        value => value.clone(),
    }
}

/// Anything that EPCIS does not define: keys expanded, numbers in their shortest form.
fn other(value: &Value, context: &Context) -> Value {
    match value {
        Value::Array(_) => each(value, |value| other(value, context)),
        Value::Object(_) => object(value, context, |_, value| other(value, context)),
        Value::Number(number) => Value::Number(shortest(number)),
        value => value.clone(),
    }
}

fn identifier(value: &Value, context: &Context, spellings: Spellings<'_>) -> Value {
    text(value, |text| {
        // A prefix is explained by its document alone, so it is no part of the spelling that is kept.
        let expanded = context.expand(text);
        let normal = normal_identifier(&expanded, &Context::default());
        spellings(&expanded, &normal);
        normal
    })
}

/// The normal form of an identifier, or, of what is none, the text with its prefix expanded.
pub(super) fn normal_identifier(text: &str, context: &Context) -> String {
    let expanded = context.expand(text);
    identifier::normalise(&expanded).unwrap_or(expanded)
}

fn word(value: &Value, family: Family, context: &Context) -> Value {
    text(value, |text| family.normal(text, context))
}

fn short_type(text: &str, context: &Context) -> String {
    let expanded = context.expand(text);
    expanded
        .strip_prefix("https://ref.gs1.org/epcis/")
        .map_or(expanded.clone(), str::to_owned)
}

fn quantity(value: &Value, context: &Context, spellings: Spellings<'_>) -> Value {
    let mut element = object(value, context, |name, value| match name {
        "epcClass" => identifier(value, context, spellings),
        _ => other(value, context),
    });
    if let Value::Object(members) = &mut element
        && members
            .get("uom")
            .and_then(Value::as_str)
            .is_some_and(means_pieces)
    {
        members.shift_remove("uom");
    }
    element
}

/// Whether a Rec 20 code is one of the ways to say that things are counted.
pub(crate) fn means_pieces(unit: &str) -> bool {
    matches!(unit, "C62" | "EA" | "H87")
}

fn references(
    value: &Value,
    member: &str,
    family: Family,
    context: &Context,
    spellings: Spellings<'_>,
) -> Value {
    each(value, |element| {
        object(element, context, |name, value| {
            if name == member {
                identifier(value, context, spellings)
            } else if name == "type" {
                word(value, family, context)
            } else {
                other(value, context)
            }
        })
    })
}

fn sensors(value: &Value, context: &Context) -> Value {
    each(value, |element| {
        object(element, context, |name, value| match name {
            "sensorMetadata" => sensor_members(value, context),
            "sensorReport" => each(value, |report| sensor_members(report, context)),
            _ => other(value, context),
        })
    })
}

fn sensor_members(value: &Value, context: &Context) -> Value {
    object(value, context, |name, value| match name {
        "time" | "startTime" | "endTime" => instant(value),
        _ => other(value, context),
    })
}

/// RFC 3339 in UTC with three digits of the second, or as many as it takes.
fn instant(value: &Value) -> Value {
    text(value, |text| {
        time::parse_rfc3339(text).map_or_else(|| text.to_owned(), |(nanos, _)| utc(nanos))
    })
}

/// An instant as EPCIS likes it: UTC, at least milliseconds.
pub(super) fn utc(nanos: i64) -> String {
    let text = time::rfc3339(nanos);
    let Some(body) = text.strip_suffix('Z') else {
        return text;
    };
    match body.split_once('.') {
        Some((whole, fraction)) => format!("{whole}.{fraction:0<3}Z"),
        None => format!("{body}.000Z"),
    }
}

/// A number as shortest exact decimal. Numbers whose decimal would be absurdly long stay as they are.
pub(super) fn shortest(number: &Number) -> Number {
    decimal_text(&number.to_string())
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| number.clone())
}

/// Longest decimal that is written out.
const DECIMAL_LEN_MAX: i64 = 64;

/// JSON number text without exponent, leading plus or trailing zeros.
pub(crate) fn decimal_text(text: &str) -> Option<String> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Zero has one spelling, whatever its exponent.
    if digits.bytes().all(|digit| digit == b'0') {
        return Some("0".to_owned());
    }
    let point = i64::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let len = i64::try_from(digits.len()).ok()?;
    if point.abs().max(len) > DECIMAL_LEN_MAX {
        return None;
    }
    let (whole, fraction) = if point <= 0 {
        let zeros = usize::try_from(-point).ok()?;
        (String::new(), format!("{}{digits}", "0".repeat(zeros)))
    } else if point >= len {
        let zeros = usize::try_from(point - len).ok()?;
        (format!("{digits}{}", "0".repeat(zeros)), String::new())
    } else {
        let (whole, fraction) = digits.split_at_checked(usize::try_from(point).ok()?)?;
        (whole.to_owned(), fraction.to_owned())
    };
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    Some(match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        for (sent, normal) in [
            ("1200", "1200"),
            ("1200.0", "1200"),
            ("797.50", "797.5"),
            ("1e3", "1000"),
            ("1.25E-2", "0.0125"),
            ("-0.0", "0"),
            ("0e99999999999", "0"),
            ("-12.5e1", "-125"),
            ("0.1", "0.1"),
        ] {
            assert_eq!(decimal_text(sent).as_deref(), Some(normal), "{sent}");
        }
        assert_eq!(decimal_text("1e9999"), None);
        assert_eq!(decimal_text("1e99999999999999999999"), None);
    }

    #[test]
    fn times_are_utc_with_milliseconds() {
        for (sent, normal) in [
            ("2026-02-02T08:00:00+09:00", "2026-02-01T23:00:00.000Z"),
            ("2005-04-03T20:33:31.116000-06:00", "2005-04-04T02:33:31.116Z"),
            ("2005-04-03T20:33:31.1161Z", "2005-04-03T20:33:31.1161Z"),
        ] {
            assert_eq!(
                instant(&Value::String(sent.to_owned())),
                Value::String(normal.to_owned())
            );
        }
    }

    #[test]
    fn what_means_the_same_is_equal() {
        let long = serde_json::json!({
            "@context": [{"ex": "https://ex.example/"}],
            "type": "EPCISDocument",
            "epcisBody": {"eventList": [{
                "type": "epcis:ObjectEvent", "eventTime": "2026-02-02T08:00:00+09:00",
                "recordTime": "2026-02-02T09:00:00+09:00", "epcList": [], "action": "OBSERVE",
                "quantityList": [
                    {"epcClass": "urn:epc:class:lgtin:952123.0110001.B", "quantity": 2.0, "uom": "EA"},
                    {"epcClass": "urn:epc:class:lgtin:952123.0110001.A", "quantity": 1e0}],
                "bizStep": "cbv:BizStep-shipping", "certificationInfo": "https://c.example/1", "ex:y": {"ex:z": 1.50}}]}
        });
        let short = serde_json::json!([{
            "https://ex.example/y": {"https://ex.example/z": 1.5}, "action": "OBSERVE",
            "quantityList": [
                {"epcClass": "https://id.gs1.org/01/09521231100013/10/A", "quantity": 1},
                {"quantity": 2, "epcClass": "https://id.gs1.org/01/09521231100013/10/B"}],
            "type": "ObjectEvent", "eventTime": "2026-02-01T23:00:00.000Z", "bizStep": "shipping",
            "certificationInfo": ["https://c.example/1"]
        }]);
        assert_eq!(normal_form(&long), normal_form(&short));
        assert_eq!(normal_form(&long).as_array().map(Vec::len), Some(1));
    }
}
