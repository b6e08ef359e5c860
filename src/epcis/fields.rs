//! Fields of our messages as JSON, by the shape table: how an event of ours says in EPCIS what EPCIS has no
//! word for.
//!
//! ```text
//! name       lowerCamelCase under our namespace       inputs_complete     bl:inputsComplete
//! scalar     string                                   true                "true"
//! bytes      lower-case hexadecimal
//! message    object; repeated field: list
//! ```
//!
//! The table is generated from `proto/`, so a field that is added there is carried here without a line of code.

use serde_json::{Map, Value};

use crate::wire::shape::{Field, Kind, Presence, Shape};

/// The members of a canonically encoded message, keyed by field name in lowerCamelCase, without prefix.
pub(super) fn to_json(shape: &'static Shape, mut bytes: &[u8]) -> Option<Map<String, Value>> {
    let mut members = Map::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let field = shape.field(u32::try_from(tag >> 3).ok()?)?;
        let value = match field.kind {
            Kind::Bool => Value::String((varint(&mut bytes)? == 1).to_string()),
            Kind::Uint32 | Kind::Uint64 | Kind::Enum(_) => Value::String(varint(&mut bytes)?.to_string()),
            Kind::Int64 => Value::String(varint(&mut bytes)?.cast_signed().to_string()),
            Kind::Sint32 => {
                let zigzag = u32::try_from(varint(&mut bytes)?).ok()?;
                let number = i64::from(zigzag >> 1) ^ -i64::from(zigzag & 1);
                Value::String(number.to_string())
            }
            Kind::Text | Kind::Bytes | Kind::Message(_) => {
                let len = usize::try_from(varint(&mut bytes)?).ok()?;
                let (content, rest) = bytes.split_at_checked(len)?;
                bytes = rest;
                match field.kind {
                    Kind::Text => Value::String(std::str::from_utf8(content).ok()?.to_owned()),
                    Kind::Message(inner) => Value::Object(prefixed(to_json(inner, content)?)),
                    _ => Value::String(hex::encode(content)),
                }
            }
        };
        let name = camel(field.name);
        if field.presence == Presence::Repeated {
            if let Value::Array(list) = members.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                list.push(value);
            }
        } else {
            members.insert(name, value);
        }
    }
    Some(members)
}

/// The canonical encoding of what [`to_json`] gave; nothing if a member is not a field or does not fit.
pub(super) fn from_json(shape: &'static Shape, members: &Map<String, Value>) -> Option<Vec<u8>> {
    let known = |name: &String| shape.fields.iter().any(|field| camel(field.name) == *name);
    if !members.keys().all(known) {
        return None;
    }
    let mut bytes = Vec::new();
    for field in shape.fields {
        match (members.get(&camel(field.name)), field.presence) {
            (None, _) => {}
            (Some(Value::Array(values)), Presence::Repeated) => {
                for value in values {
                    put(&mut bytes, field, value)?;
                }
            }
            (Some(_), Presence::Repeated) => return None,
            (Some(value), _) => put(&mut bytes, field, value)?,
        }
    }
    Some(bytes)
}

fn put(bytes: &mut Vec<u8>, field: &Field, value: &Value) -> Option<()> {
    let number = match (&field.kind, value) {
        (Kind::Bool, Value::String(text)) => Ok(u64::from(text.parse::<bool>().ok()?)),
        (Kind::Uint32 | Kind::Enum(_), Value::String(text)) => Ok(u64::from(text.parse::<u32>().ok()?)),
        (Kind::Uint64, Value::String(text)) => Ok(text.parse::<u64>().ok()?),
        (Kind::Int64, Value::String(text)) => Ok(text.parse::<i64>().ok()?.cast_unsigned()),
        (Kind::Sint32, Value::String(text)) => {
            let number = text.parse::<i32>().ok()?;
            Ok(u64::from(((number << 1) ^ (number >> 31)).cast_unsigned()))
        }
        (Kind::Text, Value::String(text)) => Err(text.clone().into_bytes()),
        (Kind::Bytes, Value::String(text)) => Err(hex::decode(text).ok()?),
        (Kind::Message(inner), Value::Object(members)) => Err(from_json(inner, &unprefixed(members)?)?),
        _ => return None,
    };
    let tag = u64::from(field.number) << 3;
    match number {
        Ok(0) if field.presence == Presence::Implicit => {}
        Ok(number) => {
            put_varint(bytes, tag);
            put_varint(bytes, number);
        }
        Err(content) if content.is_empty() && field.presence == Presence::Implicit => {}
        Err(content) => {
            put_varint(bytes, tag | 2);
            put_varint(bytes, u64::try_from(content.len()).ok()?);
            bytes.extend_from_slice(&content);
        }
    }
    Some(())
}

/// Members under our namespace.
pub(super) fn prefixed(members: Map<String, Value>) -> Map<String, Value> {
    members
        .into_iter()
        .map(|(name, value)| (format!("{}{name}", super::NAMESPACE), value))
        .collect()
}

fn unprefixed(members: &Map<String, Value>) -> Option<Map<String, Value>> {
    members
        .iter()
        .map(|(key, value)| Some((key.strip_prefix(super::NAMESPACE)?.to_owned(), value.clone())))
        .collect()
}

/// `inputs_complete` as `inputsComplete`.
pub(super) fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        if letter == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            out.push(letter.to_ascii_uppercase());
        } else {
            out.push(letter);
        }
    }
    out
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::wire::{shape, v1};

    #[test]
    fn every_kind_of_value_survives() {
        let event = v1::Event {
            id: "e1".to_owned(),
            event_time: i64::MAX,
            utc_offset_minutes: -330,
            certification: Some(v1::Certification {
                scope: vec!["all".to_owned(), "x".to_owned()],
                clause: String::new(),
                under_penalty_of_perjury: true,
            }),
            sealed: vec![v1::Sealed {
                path: "65.5.0.2".to_owned(),
                digest: vec![7; 32],
            }],
            kind: Some(v1::event::Kind::Assembled(v1::Assembled {
                parent: "urn:x:p".to_owned(),
                inputs_complete: Some(false),
                items: vec![v1::Item {
                    lot: "urn:x:l".to_owned(),
                    quantity: Some(v1::Quantity {
                        value: "1.5".to_owned(),
                        unit: "KGM".to_owned(),
                    }),
                    ..v1::Item::default()
                }],
                ..v1::Assembled::default()
            })),
            ..v1::Event::default()
        };
        let bytes = event.encode_to_vec();
        let json = to_json(&shape::EVENT, &bytes).unwrap();
        assert_eq!(
            json.get("utcOffsetMinutes"),
            Some(&Value::String("-330".to_owned()))
        );
        assert_eq!(from_json(&shape::EVENT, &json), Some(bytes));
    }

    #[test]
    fn refuses_members_that_are_no_fields() {
        let json = serde_json::json!({"id": "e1", "colour": "blue"});
        assert_eq!(from_json(&shape::EVENT, json.as_object().unwrap()), None);
        let json = serde_json::json!({"id": 1});
        assert_eq!(from_json(&shape::EVENT, json.as_object().unwrap()), None);
    }
}
