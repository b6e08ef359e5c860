//! From an event to the JSON that reads back as it.

use ::time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};
use prost::Message as _;
use serde_json::{Map, Value};

use crate::{
    bytes::{Reader, WireValue},
    epcis::serials,
    time,
    wire::{
        form::Form,
        shape::{self, Kind, Presence, Shape},
        v1,
    },
};

/// An event in the JSON that [`read`](super::read) takes. Serials come out sorted and in full.
///
/// # Panics
/// Never: the encoding of an event has the event's shape.
pub fn write(event: &v1::Event) -> Value {
    let mut members =
        message(&shape::EVENT, &event.encode_to_vec()).expect("the encoding of an event has its shape");
    members.shift_remove("utc_offset_minutes");
    let in_zone = in_zone(event.event_time, event.utc_offset_minutes);
    if let Some(time) = members.get_mut("event_time") {
        *time = Value::String(in_zone);
    }
    Value::Object(members)
}

/// An instant as RFC 3339 text, as clocks showed it where it happened.
fn in_zone(nanos: i64, offset_minutes: i32) -> String {
    let zone = UtcOffset::from_whole_seconds(offset_minutes.saturating_mul(60)).ok();
    let text = OffsetDateTime::from_unix_timestamp_nanos(nanos.into())
        .ok()
        .zip(zone)
        .and_then(|(instant, zone)| instant.to_offset(zone).format(&Rfc3339).ok());
    text.unwrap_or_else(|| time::rfc3339(nanos))
}

fn message(shape: &'static Shape, bytes: &[u8]) -> Option<Map<String, Value>> {
    let mut members = Map::new();
    let mut from = Reader::new(bytes);
    while !from.is_empty() {
        let (number, value) = from.message_field().ok()?;
        let field = shape.field(number)?;
        let value = match (value, &field.kind) {
            (WireValue::Number(number), Kind::Bool) => Value::Bool(number == 1),
            (WireValue::Number(number), Kind::Uint32 | Kind::Uint64 | Kind::Enum(_)) => number.into(),
            (WireValue::Number(number), Kind::Int64) if field.form == Form::Time => {
                Value::String(time::rfc3339(number.cast_signed()))
            }
            (WireValue::Number(number), Kind::Int64) => number.cast_signed().into(),
            (WireValue::Number(number), Kind::Sint32) => {
                let zigzag = u32::try_from(number).ok()?;
                (i64::from(zigzag >> 1) ^ -i64::from(zigzag & 1)).into()
            }
            (WireValue::Bytes(content), _) if field.sliced => {
                let run = v1::SerialRun::decode(content).ok()?;
                let list = members
                    .entry(field.name)
                    .or_insert_with(|| Value::Array(Vec::new()));
                list.as_array_mut()?
                    .extend(serials::expand(&[run]).map(Value::String));
                continue;
            }
            (WireValue::Bytes(content), Kind::Text) => {
                Value::String(std::str::from_utf8(content).ok()?.to_owned())
            }
            (WireValue::Bytes(content), Kind::Message(inner)) => Value::Object(message(inner, content)?),
            (WireValue::Bytes(content), Kind::Bytes) => Value::String(hex::encode(content)),
            // Not of the type that the field has.
            (WireValue::Number(_) | WireValue::Bytes(_), _) => return None,
        };
        if field.presence == Presence::Repeated {
            let list = members
                .entry(field.name)
                .or_insert_with(|| Value::Array(Vec::new()));
            list.as_array_mut()?.push(value);
        } else {
            members.insert(field.name.to_owned(), value);
        }
    }
    Some(members)
}
