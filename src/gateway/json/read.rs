//! From JSON to the canonical encoding, field by field in the order of the shape.

use std::collections::BTreeSet;

use prost::Message as _;
use serde_json::{Map, Value};

use super::{FieldFault, fault};
use crate::vocabulary::vocabulary;
use crate::{
    epcis::{Code, Finding, decimal_text, means_pieces, serials},
    gateway::fault::FIELDS_MAX,
    identifier::{self, Normal},
    quantity::units,
    time,
    wire::{
        form::{self, Form},
        shape::{self, Field, Kind, Presence, Shape},
        v1,
    },
};

/// Lowest field number of `Event.kind`.
const KIND_MIN: u32 = 16;

/// The field for the lot that serials are members of, and the lists whose serials are.
const CLASS_LOT: &str = "class_lot";
const MEMBERS: [&str; 2] = ["serials", "output_serials"];

/// What came up while reading one event.
#[derive(Default)]
pub(super) struct Reader {
    faults: Vec<FieldFault>,
    /// Identifiers as sent and in normal form.
    spellings: Vec<(String, String)>,
    findings: Vec<Finding>,
    /// What a finding is about already: a key is named once, however many serials have it.
    found: BTreeSet<String>,
}

/// What was read, beside the event.
pub(super) struct Beside {
    pub(super) faults: Vec<FieldFault>,
    /// Identifiers as sent and in normal form.
    pub(super) spellings: Vec<(String, String)>,
    pub(super) findings: Vec<Finding>,
}

/// Whether a field holds a kind of lot or a step, and this is no word for one.
fn is_unfamiliar(path: &str, word: &str) -> bool {
    if path.ends_with("/product_declared/kind") {
        vocabulary().stage(word).is_none()
    } else {
        path.ends_with("/step") && vocabulary().step(word).is_none()
    }
}

impl Reader {
    pub(super) fn fault(&mut self, path: &str, message: impl Into<String>) {
        if self.faults.len() < FIELDS_MAX {
            self.faults.push(fault(path, message));
        }
    }

    /// Something to know about a value that is taken as it is; each `about` once.
    fn find(&mut self, code: Code, path: &str, about: &str, detail: String) {
        if self.findings.len() < FIELDS_MAX && self.found.insert(format!("{code} {about}")) {
            self.findings.push(Finding {
                position: None,
                path: path.to_owned(),
                code,
                detail,
            });
        }
    }

    pub(super) fn finish(self) -> Beside {
        Beside {
            faults: self.faults,
            spellings: self.spellings,
            findings: self.findings,
        }
    }

    /// The event, or nothing and a fault.
    pub(super) fn event(
        &mut self,
        mut members: Map<String, Value>,
        path: &str,
        id: impl FnOnce() -> String,
    ) -> Option<v1::Event> {
        if members.contains_key("part") {
            self.fault(
                &format!("{path}/part"),
                "long events are cut here; send them whole",
            );
        }
        members.entry("id").or_insert_with(|| Value::String(id()));
        if !members.contains_key("utc_offset_minutes")
            && let Some(text) = members.get("event_time").and_then(Value::as_str)
            && let Some((_, minutes)) = time::parse_rfc3339(text)
        {
            members.insert("utc_offset_minutes".to_owned(), minutes.into());
        }
        let kinds = shape::EVENT
            .fields
            .iter()
            .filter(|field| field.number >= KIND_MIN);
        let given: Vec<&str> = kinds
            .map(|field| field.name)
            .filter(|name| members.contains_key(*name))
            .collect();
        match given.as_slice() {
            [_] => {}
            [] => self.fault(
                path,
                "no kind: one member as `commissioned`, `transformed` or `shipped`",
            ),
            _ => self.fault(path, format!("more than one kind: {}", given.join(", "))),
        }
        let mut bytes = Vec::new();
        self.message(&shape::EVENT, &members, path, &mut bytes);
        if !self.faults.is_empty() {
            return None;
        }
        let event = v1::Event::decode(bytes.as_slice());
        if event.is_err() {
            self.fault(path, "does not fit the wire format");
        }
        event.ok()
    }

    fn message(
        &mut self,
        shape: &'static Shape,
        members: &Map<String, Value>,
        path: &str,
        out: &mut Vec<u8>,
    ) {
        let known = |name: &String| shape.fields.iter().any(|field| field.name == *name);
        for key in members.keys().filter(|key| !known(key)) {
            self.fault(&pointer(path, key), format!("{} has no such field", shape.name));
        }
        // Serials stand before the class lot that they are members of.
        let has_class_lot = shape.fields.iter().any(|field| field.name == CLASS_LOT);
        let mut linked = None;
        for field in shape.fields {
            let path = || pointer(path, field.name);
            match (members.get(field.name), field.presence) {
                (None, _) if field.name == CLASS_LOT => {
                    if let Some(lot) = linked.take() {
                        put_bytes(field, String::as_bytes(&lot), out);
                    }
                }
                (None, _) if field.required => self.fault(&path(), "missing"),
                (None, _) => {}
                (Some(Value::Null), _) => self.fault(&path(), "null says nothing: leave the field out"),
                (Some(value), _) if field.sliced => {
                    let lots = self.serials(field, value, &path(), out);
                    if has_class_lot && MEMBERS.contains(&field.name) {
                        linked = self.class_lot(lots, members.get(CLASS_LOT), &path());
                    } else {
                        for lot in lots.into_iter().flatten() {
                            self.unheld(&path(), &lot);
                        }
                    }
                }
                (Some(Value::Array(values)), Presence::Repeated) => {
                    for (position, value) in values.iter().enumerate() {
                        self.field(field, value, &format!("{}/{position}", path()), out);
                    }
                }
                (Some(_), Presence::Repeated) => self.fault(&path(), "expected a list"),
                (Some(value), _) => self.field(field, value, &path(), out),
            }
        }
    }

    fn field(&mut self, field: &'static Field, value: &Value, path: &str, out: &mut Vec<u8>) {
        match (&field.kind, value) {
            (Kind::Message(inner), Value::Object(members)) => {
                let mut content = Vec::new();
                self.message(inner, members, path, &mut content);
                put_bytes(field, &content, out);
            }
            (Kind::Message(_), _) => self.fault(path, "expected an object"),
            (Kind::Text, Value::String(text)) => {
                if let Some(text) = self.text(field, text, path) {
                    put_bytes(field, text.as_bytes(), out);
                }
            }
            (Kind::Bytes, Value::String(text)) => match hex::decode(text) {
                Ok(bytes) if form::bytes_fit(field.form, &bytes) => put_bytes(field, &bytes, out),
                _ => self.fault(path, format!("not {}, in hexadecimal", field.form.wants())),
            },
            (Kind::Int64, Value::String(text)) if field.form == Form::Time => match time::parse_rfc3339(text)
            {
                Some((nanos, _)) if nanos > 0 => put_number(field, nanos.cast_unsigned(), out),
                _ => self.fault(path, "not an RFC 3339 time with its zone, from 1970 to 2262"),
            },
            (Kind::Text | Kind::Bytes, _) => {
                self.fault(path, format!("expected {}, as a string", field.form.wants()));
            }
            (Kind::Bool, Value::Bool(yes)) => put_number(field, u64::from(*yes), out),
            (Kind::Bool, _) => self.fault(path, "expected true or false"),
            (Kind::Int64, _) if field.form == Form::Time => {
                self.fault(path, "expected an RFC 3339 time, as a string");
            }
            (Kind::Uint32 | Kind::Uint64 | Kind::Int64 | Kind::Sint32 | Kind::Enum(_), _) => {
                match number(field, value) {
                    Some(number) => put_number(field, number, out),
                    None => self.fault(path, "expected a whole number in range"),
                }
            }
        }
    }

    /// Text in its normal form, or a fault.
    fn text(&mut self, field: &Field, text: &str, path: &str) -> Option<String> {
        let normal = match field.form {
            Form::Identifier if text.is_empty() => Some(String::new()),
            Form::Identifier => {
                let normal = self.identifier(text, path)?;
                if let Some(lot) = &normal.class_lot {
                    self.unheld(path, lot);
                }
                return Some(normal.id);
            }
            Form::Decimal => decimal_text(text),
            Form::Unit if means_pieces(text) => Some(String::new()),
            _ => Some(text.to_owned()),
        };
        let fits = |text: &String| {
            text.is_empty() && !field.required && field.presence == Presence::Implicit
                || form::text_fits(field.form, text)
        };
        let normal = normal.filter(fits);
        match &normal {
            None => self.fault(path, format!("not {}", field.form.wants())),
            Some(unit) if field.form == Form::Unit && !unit.is_empty() && units::unit(unit).is_none() => {
                let detail = format!("{unit}: not in the table of units, so it is compared with no other");
                self.find(Code::UnfamiliarUnit, path, unit, detail);
            }
            Some(word) if !word.is_empty() && is_unfamiliar(path, word) => {
                let detail = format!("{word}: no word of the vocabulary, so rules conclude nothing from it");
                self.find(Code::UnfamiliarWord, path, word, detail);
            }
            Some(_) => {}
        }
        normal
    }

    fn identifier(&mut self, text: &str, path: &str) -> Option<Normal> {
        match identifier::read(text) {
            Ok(normal) => {
                self.spellings.push((text.to_owned(), normal.id.clone()));
                if let Some(key) = identifier::wrong_check_digit(&normal.id) {
                    self.find(Code::CheckDigit, path, key, key.to_owned());
                }
                if let Some(variant) = &normal.variant {
                    self.unheld(path, variant);
                }
                Some(normal)
            }
            Err(error) => {
                self.fault(path, error.to_string());
                None
            }
        }
    }

    /// A lot or variant in a link that the event has no field for.
    fn unheld(&mut self, path: &str, fact: &str) {
        let detail = format!("{fact}: no field here holds it, so it stays in the spelling alone");
        self.find(Code::FactInLink, path, fact, detail);
    }

    /// The class lots that the links of the serials name, nothing for those that name none.
    fn serials(
        &mut self,
        field: &'static Field,
        value: &Value,
        path: &str,
        out: &mut Vec<u8>,
    ) -> BTreeSet<Option<String>> {
        let mut lots = BTreeSet::new();
        let Some(values) = value.as_array() else {
            self.fault(path, "expected a list of identifiers");
            return lots;
        };
        let mut all = Vec::with_capacity(values.len());
        for (position, value) in values.iter().enumerate() {
            let path = format!("{path}/{position}");
            match value.as_str() {
                Some(text) => {
                    if let Some(normal) = self.identifier(text, &path) {
                        all.push(normal.id);
                        lots.insert(normal.class_lot);
                    }
                }
                None => self.fault(&path, "expected an identifier, as a string"),
            }
        }
        for run in serials::compress(all) {
            put_bytes(field, &run.encode_to_vec(), out);
        }
        lots
    }

    /// The class lot that all serials of a list name in their links, if the event states no other.
    fn class_lot(
        &mut self,
        lots: BTreeSet<Option<String>>,
        stated: Option<&Value>,
        path: &str,
    ) -> Option<String> {
        let some_name_none = lots.contains(&None);
        let mut named = lots.into_iter().flatten();
        let lot = named.next()?;
        if let Some(other) = named.next() {
            let message = format!("serials of several class lots, {lot} and {other}: one event for each");
            self.fault(path, message);
            return None;
        }
        match stated.and_then(Value::as_str) {
            Some(stated) if identifier::normalise(stated).as_ref() == Ok(&lot) => {}
            Some(stated) => self.fault(
                path,
                format!("links name class lot {lot}, `class_lot` is {stated}"),
            ),
            None if some_name_none => {
                let message = format!(
                    "only some links name class lot {lot}: state `class_lot`, or make two events of it"
                );
                self.fault(path, message);
            }
            None => return Some(lot),
        }
        None
    }
}

/// A whole number as it stands on the wire, from a JSON number or its digits.
fn number(field: &Field, value: &Value) -> Option<u64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    match field.kind {
        Kind::Uint32 => text.parse::<u32>().ok().map(u64::from),
        Kind::Uint64 => text.parse().ok(),
        Kind::Int64 => text.parse::<i64>().ok().map(i64::cast_unsigned),
        Kind::Sint32 => {
            let number = text.parse::<i32>().ok()?;
            let fits = field.form != Form::Offset || (-1_080..=1_080).contains(&number);
            fits.then(|| u64::from(((number << 1) ^ (number >> 31)).cast_unsigned()))
        }
        Kind::Enum(max) => text
            .parse::<u32>()
            .ok()
            .filter(|number| i64::from(*number) <= i64::from(max))
            .map(u64::from),
        Kind::Bool | Kind::Text | Kind::Bytes | Kind::Message(_) => None,
    }
}

fn put_number(field: &Field, number: u64, out: &mut Vec<u8>) {
    if number != 0 || field.presence != Presence::Implicit {
        prost::encoding::encode_varint(u64::from(field.number) << 3, out);
        prost::encoding::encode_varint(number, out);
    }
}

fn put_bytes(field: &Field, content: &[u8], out: &mut Vec<u8>) {
    if !content.is_empty() || field.presence != Presence::Implicit {
        prost::encoding::encode_varint(u64::from(field.number) << 3 | 2, out);
        prost::encoding::encode_varint(content.len() as u64, out);
        out.extend_from_slice(content);
    }
}

/// The JSON pointer of a member.
fn pointer(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}
