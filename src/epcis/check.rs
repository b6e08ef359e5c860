//! Is this an EPCIS 2.0 event? Mends what may be mended, and names every other departure.
//!
//! The rules are those of the EPCIS 2.0 JSON schema with formats asserted, and a few of CBV that no schema can
//! say. Nothing here guesses: a zone, an identifier or a quantity that is not there is not made up.

mod table;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use self::table::{Holds, LISTS, MEMBERS, SENSOR_NUMBERS, SENSOR_OTHERS, SENSOR_TIMES, SENSOR_URIS, Type};
use super::{
    context::Context,
    finding::{Code, Findings},
    is_uri, normal,
    vocabulary::{Family, Word},
};
use crate::{identifier, quantity, time};

/// Checks an event in place, mending it and writing down what was found.
pub(super) fn check(event: &mut Map<String, Value>, context: &Context, findings: &mut Findings) {
    Check { context, findings }.event(event);
}

struct Check<'a> {
    context: &'a Context,
    findings: &'a mut Findings,
}

impl Check<'_> {
    fn event(&mut self, event: &mut Map<String, Value>) {
        let Some(kind) = self.event_type(event) else {
            return;
        };
        self.drop_underscores(event, "");
        if kind == Type::Transformation && event.shift_remove("action").is_some() {
            self.findings
                .add(Code::ActionDropped, "/action", "a transformation has no action");
        }
        for (key, value) in event.iter_mut() {
            let path = pointer("", key);
            match MEMBERS.iter().find(|(name, ..)| name == key) {
                Some((_, types, holds)) if kind == Type::Extended || types & kind.bit() != 0 => {
                    self.member(&path, value, *holds);
                }
                Some(_) => self
                    .findings
                    .add(Code::MisplacedMember, path, "not on this type of event"),
                None => self.extension_key(&path, key),
            }
        }
        if kind != Type::Extended {
            for (instances, quantities) in LISTS {
                self.things(event, instances, quantities);
            }
        }
        self.required(event, kind);
    }

    fn event_type(&mut self, event: &Map<String, Value>) -> Option<Type> {
        let Some(value) = event.get("type") else {
            self.findings
                .add(Code::MissingMember, "/type", "an event has a type");
            return None;
        };
        let Some(text) = value.as_str() else {
            self.findings.add(Code::WrongType, "/type", "not a string");
            return None;
        };
        let expanded = self.context.expand(text);
        let short = expanded
            .strip_prefix("https://ref.gs1.org/epcis/")
            .unwrap_or(&expanded);
        Some(match short {
            "ObjectEvent" => Type::Object,
            "AggregationEvent" => Type::Aggregation,
            "TransactionEvent" => Type::Transaction,
            "TransformationEvent" => Type::Transformation,
            "AssociationEvent" => Type::Association,
            _ if is_uri(&expanded) => Type::Extended,
            _ => {
                self.findings.add(Code::UnknownType, "/type", text);
                return None;
            }
        })
    }

    fn drop_underscores(&mut self, members: &mut Map<String, Value>, path: &str) {
        let dropped: Vec<String> = members
            .keys()
            .filter(|key| key.starts_with('_'))
            .cloned()
            .collect();
        for key in dropped {
            let value = members.shift_remove(&key).unwrap_or_default();
            let detail = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.findings
                .add(Code::UnderscoreDropped, pointer(path, &key), &detail);
        }
    }

    fn extension_key(&mut self, path: &str, key: &str) {
        if !is_uri(key) {
            self.findings
                .add(Code::UnknownMember, path, "an extension has a prefix");
        }
    }

    fn required(&mut self, event: &Map<String, Value>, kind: Type) {
        let mut missing = |key: &str| {
            if !event.contains_key(key) {
                self.findings.add(
                    Code::MissingMember,
                    pointer("", key),
                    "required on this type of event",
                );
            }
        };
        missing("eventTime");
        missing("eventTimeZoneOffset");
        match kind {
            Type::Object | Type::Aggregation => missing("action"),
            Type::Transaction => {
                missing("action");
                missing("bizTransactionList");
            }
            Type::Association => {
                missing("action");
                missing("parentID");
            }
            Type::Transformation | Type::Extended => {}
        }
        let some = |key: &str| {
            event
                .get(key)
                .and_then(Value::as_array)
                .is_some_and(|list| !list.is_empty())
        };
        let delete = event.get("action").and_then(Value::as_str) == Some("DELETE");
        let about = match kind {
            Type::Object => {
                event.contains_key("epcList")
                    || some("quantityList")
                    || some("sensorElementList") && event.contains_key("readPoint")
            }
            Type::Transaction => event.contains_key("epcList") || some("quantityList") || delete,
            Type::Aggregation | Type::Association => some("childEPCs") || some("childQuantityList") || delete,
            Type::Transformation => {
                let inputs = some("inputEPCList") || some("inputQuantityList");
                let outputs = some("outputEPCList") || some("outputQuantityList");
                inputs && outputs || (inputs || outputs) && event.contains_key("transformationID")
            }
            Type::Extended => true,
        };
        if !about {
            self.findings
                .add(Code::NothingObserved, "", "no list says what the event is about");
        }
        let adds = kind == Type::Transformation || event.get("action").and_then(Value::as_str) == Some("ADD");
        if event.contains_key("ilmd") && kind != Type::Extended && !adds {
            self.findings.add(
                Code::MisplacedMember,
                "/ilmd",
                "only where something begins to exist",
            );
        }
        if kind == Type::Transformation && event.get("bizStep").and_then(Value::as_str) == Some("assembling")
        {
            self.findings.add(
                Code::UnusualStep,
                "/bizStep",
                "assembling is for associations and aggregations",
            );
        }
    }

    fn member(&mut self, path: &str, value: &mut Value, holds: Holds) {
        match holds {
            Holds::Anything => {}
            Holds::Time => self.time(path, value, path == "/eventTime"),
            Holds::Offset => {
                if let Some(text) = self.text(path, value)
                    && offset_minutes(text).is_none()
                {
                    self.unexpected(Code::BadOffset, path, "minutes east of UTC as +09:00", text);
                }
            }
            Holds::Uri => self.uri(path, value),
            Holds::Thing => self.thing(path, value, &mut BTreeSet::new()),
            Holds::Uris => {
                if value.is_array() {
                    self.each(path, value, |check, path, value| check.uri(path, value));
                } else {
                    self.uri(path, value);
                }
            }
            Holds::Action => {
                if let Some(text) = self.text(path, value)
                    && !matches!(text, "ADD" | "OBSERVE" | "DELETE")
                {
                    self.unexpected(Code::UnknownAction, path, "ADD, OBSERVE or DELETE", text);
                }
            }
            Holds::Word(family) => self.word(path, value, family),
            Holds::Place => self.members(path, value, &["id"], |check, path, name, value| {
                if name == "id" {
                    check.uri(path, value);
                } else {
                    check.extension_key(path, name);
                }
            }),
            Holds::Things => {
                let mut keys = BTreeSet::new();
                self.each(path, value, |check, path, value| {
                    check.thing(path, value, &mut keys);
                });
            }
            Holds::Quantities => {
                let mut keys = BTreeSet::new();
                self.each(path, value, |check, path, value| {
                    check.quantity(path, value, &mut keys);
                });
            }
            Holds::References(member, family) => {
                let required: &[&str] = if member == "bizTransaction" {
                    &[member]
                } else {
                    &["type", member]
                };
                self.each(path, value, |check, path, value| {
                    check.members(path, value, required, |check, path, name, value| {
                        if name == "type" {
                            check.word(path, value, family);
                        } else if name == member {
                            check.uri(path, value);
                        } else {
                            check
                                .findings
                                .add(Code::UnknownMember, path, "no extensions here");
                        }
                    });
                });
            }
            Holds::Persistent => {
                self.members(path, value, &[], |check, path, name, value| match name {
                    "set" | "unset" => check.each(path, value, |check, path, value| {
                        check.word(path, value, Family::Disposition);
                    }),
                    _ => check
                        .findings
                        .add(Code::UnknownMember, path, "neither set nor unset"),
                });
                let some = |key| {
                    value
                        .get(key)
                        .is_some_and(|list: &Value| list.as_array().is_none_or(|list| !list.is_empty()))
                };
                if value.is_object() && !some("set") && !some("unset") {
                    self.findings.add(Code::MissingMember, path, "set or unset");
                }
            }
            Holds::Error => self.members(path, value, &["declarationTime"], Self::error_member),
            Holds::Sensors => self.each(path, value, |check, path, value| {
                check.members(
                    path,
                    value,
                    &["sensorReport"],
                    |check, path, name, value| match name {
                        "sensorMetadata" => check.members(path, value, &[], Self::sensor_member),
                        "sensorReport" => check.each(path, value, |check, path, value| {
                            check.members(path, value, &["type"], Self::sensor_member);
                        }),
                        _ => check.extension_key(path, name),
                    },
                );
            }),
            Holds::Ilmd => self.members(path, value, &[], |check, path, name, _| {
                check.extension_key(path, name);
            }),
        }
    }

    fn error_member(&mut self, path: &str, name: &str, value: &mut Value) {
        match name {
            "declarationTime" => self.time(path, value, false),
            "reason" => self.word(path, value, Family::ErrorReason),
            "correctiveEventIDs" => self.each(path, value, |check, path, value| check.uri(path, value)),
            _ => self.extension_key(path, name),
        }
    }

    fn sensor_member(&mut self, path: &str, name: &str, value: &mut Value) {
        if SENSOR_NUMBERS.contains(&name) {
            self.number(path, value);
        } else if SENSOR_TIMES.contains(&name) {
            self.time(path, value, false);
        } else if SENSOR_URIS.contains(&name) {
            self.uri(path, value);
        } else if SENSOR_OTHERS.contains(&name) {
            if name == "booleanValue" {
                if !value.is_boolean() {
                    self.findings.add(Code::WrongType, path, "not true or false");
                }
            } else {
                self.text(path, value);
            }
        } else {
            self.extension_key(path, name);
        }
    }

    fn unexpected(&mut self, code: Code, path: &str, expected: &str, got: &str) {
        self.findings
            .add(code, path, &format!("expected {expected}, got {got}"));
    }

    /// A string, or a finding.
    fn text<'v>(&mut self, path: &str, value: &'v Value) -> Option<&'v str> {
        let text = value.as_str();
        if text.is_none() {
            self.findings.add(Code::WrongType, path, "not a string");
        }
        text
    }

    fn each(&mut self, path: &str, value: &mut Value, mut check: impl FnMut(&mut Self, &str, &mut Value)) {
        match value {
            Value::Array(values) => {
                for (at, value) in values.iter_mut().enumerate() {
                    check(self, &format!("{path}/{at}"), value);
                }
            }
            _ => self.findings.add(Code::WrongType, path, "not a list"),
        }
    }

    fn members(
        &mut self,
        path: &str,
        value: &mut Value,
        required: &[&str],
        mut check: impl FnMut(&mut Self, &str, &str, &mut Value),
    ) {
        let Value::Object(members) = value else {
            self.findings.add(Code::WrongType, path, "not an object");
            return;
        };
        self.drop_underscores(members, path);
        for name in required {
            if !members.contains_key(*name) {
                self.findings
                    .add(Code::MissingMember, pointer(path, name), "required here");
            }
        }
        for (name, value) in members.iter_mut() {
            check(self, &pointer(path, name), name, value);
        }
    }

    fn uri(&mut self, path: &str, value: &Value) {
        let Some(text) = self.text(path, value) else {
            return;
        };
        if !is_uri(&self.context.expand(text)) {
            self.findings.add(Code::NotUri, path, text);
        }
    }

    fn time(&mut self, path: &str, value: &Value, is_event_time: bool) {
        let Some(text) = self.text(path, value) else {
            return;
        };
        match time::parse_rfc3339(text) {
            None => self.unexpected(
                Code::BadTime,
                path,
                "a date and time with its zone, as 2026-03-10T10:00:00Z",
                text,
            ),
            Some((nanos, _)) if is_event_time && nanos <= 0 => {
                self.findings.add(Code::TimeOutOfRange, path, text);
            }
            Some(_) => {}
        }
    }

    fn word(&mut self, path: &str, value: &mut Value, family: Family) {
        let Some(text) = self.text(path, value) else {
            return;
        };
        match family.read(text, self.context) {
            Word::Known(_) | Word::Own(_) => {}
            Word::Urn(word) => {
                self.findings.add(Code::UrnWord, path, text);
                *value = Value::String(word.to_owned());
            }
            Word::Unknown => self.findings.add(Code::UnknownWord, path, text),
        }
    }

    /// A number; one written as a string is made a number.
    fn number(&mut self, path: &str, value: &mut Value) {
        match value {
            Value::Number(_) => {}
            Value::String(text) => match text.parse::<serde_json::Number>() {
                Ok(number) => {
                    self.findings.add(Code::NumericString, path, text);
                    *value = Value::Number(number);
                }
                Err(_) => self.findings.add(Code::WrongType, path, text),
            },
            _ => self.findings.add(Code::WrongType, path, "not a number"),
        }
    }

    /// An identifier that the event is about: without it, the event cannot be held.
    fn thing(&mut self, path: &str, value: &Value, keys: &mut BTreeSet<String>) {
        let Some(text) = self.text(path, value) else {
            return;
        };
        let expanded = self.context.expand(text);
        match identifier::normalise(&expanded) {
            Ok(normal) => self.check_digit(path, &normal, keys),
            Err(identifier::IdentifierError::NotUri(_)) => self.findings.add(Code::NotUri, path, text),
            Err(error) => self
                .findings
                .add(Code::BadIdentifier, path, &format!("{text}: {error}")),
        }
    }

    fn check_digit(&mut self, path: &str, normal: &str, keys: &mut BTreeSet<String>) {
        if let Some(key) = identifier::wrong_check_digit(normal)
            && keys.insert(key.to_owned())
        {
            self.findings.add(Code::CheckDigit, path, key);
        }
    }

    fn quantity(&mut self, path: &str, value: &mut Value, keys: &mut BTreeSet<String>) {
        let mut unit_is_number = true;
        self.members(
            path,
            value,
            &["epcClass"],
            |check, path, name, value| match name {
                "epcClass" => check.thing(path, value, keys),
                "quantity" => {
                    check.number(path, value);
                    if let Value::Number(number) = value {
                        let text = normal::decimal_text(&number.to_string()).unwrap_or_default();
                        if !quantity::is_normal_decimal(&text) {
                            check.findings.add(Code::BadQuantity, path, &number.to_string());
                        }
                    }
                }
                "uom" => {
                    let Some(unit) = check.text(path, value) else {
                        return;
                    };
                    let code = (2..=3).contains(&unit.len())
                        && unit
                            .bytes()
                            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
                    if !code {
                        check.unexpected(Code::BadUnit, path, "a code of Rec 20, as KGM", unit);
                    } else if normal::means_pieces(unit) {
                        check.findings.add(Code::PieceUnit, path, unit);
                    } else if quantity::units::unit(unit).is_none() {
                        check.findings.add(Code::UnfamiliarUnit, path, unit);
                    }
                }
                _ => {
                    unit_is_number = false;
                    check
                        .findings
                        .add(Code::UnknownMember, path, "no extensions here");
                }
            },
        );
        if unit_is_number && let Some(class) = value.get("epcClass").and_then(Value::as_str) {
            let normal = normal::normal_identifier(class, self.context);
            if let Some(gtin) = identifier::gs1_class(&normal)
                && gtin == normal
                && keys.insert(format!("class {gtin}"))
            {
                self.findings.add(Code::ClassWithoutLot, path, class);
            }
        }
    }

    /// Moves classes out of a list of instances, and drops what stands in it twice.
    fn things(&mut self, event: &mut Map<String, Value>, instances: &str, quantities: &str) {
        let Some(Value::Array(list)) = event.get_mut(instances) else {
            return;
        };
        let mut moved = Vec::new();
        let mut seen = BTreeSet::new();
        let mut kept = Vec::with_capacity(list.len());
        for (at, value) in std::mem::take(list).into_iter().enumerate() {
            let Some(text) = value.as_str() else {
                kept.push(value);
                continue;
            };
            let normal = normal::normal_identifier(text, self.context);
            if is_class(&normal) {
                self.findings
                    .add(Code::ClassMoved, format!("/{instances}/{at}"), text);
                let mut element = Map::new();
                element.insert("epcClass".to_owned(), value);
                moved.push(Value::Object(element));
            } else if seen.contains(&normal) {
                self.findings
                    .add(Code::InstanceTwice, format!("/{instances}/{at}"), text);
            } else {
                seen.insert(normal);
                kept.push(value);
            }
        }
        *list = kept;
        if moved.is_empty() {
            return;
        }
        if list.is_empty() {
            event.shift_remove(instances);
        }
        match event
            .entry(quantities)
            .or_insert_with(|| Value::Array(Vec::new()))
        {
            Value::Array(list) => list.extend(moved),
            _ => self
                .findings
                .add(Code::WrongType, pointer("", quantities), "not a list"),
        }
    }
}

/// Whether a normal identifier is a GTIN without serial: a kind of thing, or a lot of it.
pub(super) fn is_class(normal: &str) -> bool {
    normal.strip_prefix("https://id.gs1.org/01/").is_some_and(|rest| {
        !rest
            .split('/')
            .skip(1)
            .step_by(2)
            .any(|ai| matches!(ai, "21" | "235"))
    })
}

/// `+09:00` as minutes east of UTC.
pub(super) fn offset_minutes(text: &str) -> Option<i32> {
    let (sign, rest) = text.split_at_checked(1)?;
    let sign = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two = |text: &str| {
        (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<i32>().ok())
            .flatten()
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    let fits = hours <= 13 && minutes <= 59 || hours == 14 && minutes == 0;
    fits.then_some(sign * (hours * 60 + minutes))
}

/// A JSON pointer one step deeper. RFC 6901.
pub(super) fn pointer(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests;
