//! From bytes to events: the shapes in which EPCIS JSON-LD travels.
//!
//! ```text
//! EPCISDocument         epcisBody.eventList
//! EPCISQueryDocument    epcisBody.queryResults.resultsBody.eventList
//! bare event            an object with eventTime
//! bare list             an array of events
//! ```
//!
//! JSON objects that name a member twice are refused: whichever of the two a reader took, the other would be
//! dropped without a word.

use std::{collections::HashSet, fmt, sync::Arc};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{EpcisError, context::Context};
use crate::json_bounds::JsonBounds;

/// A document taken apart.
pub(super) struct Opened<'a> {
    /// Members of the document itself: everything but the list of events.
    pub(super) header: Map<String, Value>,
    /// Position, event and the prefixes in force there.
    pub(super) events: Vec<(usize, &'a Value, Context)>,
    /// Whether the document is one by its own word, and not a bare event or list.
    pub(super) is_document: bool,
}

/// Reads JSON, numbers as they are written. A byte order mark, as some editors write it, is passed over.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, EpcisError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    JsonBounds::DOCUMENT.count(bytes)?;
    let not_json = |error: serde_json::Error| EpcisError::NotJson(looks_like(bytes, &error));
    serde_json::from_slice::<NamedOnce>(bytes).map_err(not_json)?;
    serde_json::from_slice(bytes).map_err(not_json)
}

/// Why bytes are no JSON; what they look like instead, if they are something that people have.
fn looks_like(bytes: &[u8], error: &serde_json::Error) -> String {
    let start = bytes.trim_ascii_start();
    if start.is_empty() {
        "nothing in it".to_owned()
    } else if start.starts_with(b"<") {
        "it looks like XML, and EPCIS is taken as JSON-LD".to_owned()
    } else if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        "it looks like UTF-16, and JSON is UTF-8".to_owned()
    } else {
        error.to_string()
    }
}

/// Finds the events in a document.
pub(super) fn open(document: &Value) -> Result<Opened<'_>, EpcisError> {
    match document {
        Value::Array(events) => Ok(Opened {
            header: Map::new(),
            events: numbered(events, Context::default())?,
            is_document: false,
        }),
        Value::Object(members) => {
            let context = members
                .get("@context")
                .map_or_else(Context::default, |value| Context::default().with(value));
            let Some(body) = members.get("epcisBody") else {
                if members.contains_key("eventTime") {
                    return Ok(Opened {
                        header: Map::new(),
                        events: numbered(std::slice::from_ref(document), Context::default())?,
                        is_document: false,
                    });
                }
                return Err(EpcisError::NotEpcis("neither epcisBody nor eventTime"));
            };
            let results = body.pointer("/queryResults");
            let list = results
                .map_or_else(
                    || body.get("eventList"),
                    |results| results.pointer("/resultsBody/eventList"),
                )
                .ok_or(EpcisError::NotEpcis("no eventList in epcisBody"))?;
            let events = list
                .as_array()
                .ok_or(EpcisError::NotEpcis("eventList is not a list"))?;
            let mut header: Map<String, Value> = members
                .iter()
                .filter(|(key, _)| *key != "epcisBody")
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            if let Some(Value::Object(results)) = results {
                let about_query = results.iter().filter(|(key, _)| *key != "resultsBody");
                header.extend(about_query.map(|(key, value)| (key.clone(), value.clone())));
                keep_rest(
                    &mut header,
                    "resultsBody",
                    results.get("resultsBody"),
                    "eventList",
                );
                keep_rest(&mut header, "epcisBody", Some(body), "queryResults");
            } else {
                keep_rest(&mut header, "epcisBody", Some(body), "eventList");
            }
            Ok(Opened {
                header,
                events: numbered(events, context)?,
                is_document: true,
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(EpcisError::NotEpcis("not an object or a list"))
        }
    }
}

/// Keeps in the header what stands in `object` beside the member that leads to the events.
fn keep_rest(header: &mut Map<String, Value>, name: &str, object: Option<&Value>, taken: &str) {
    let members = object.and_then(Value::as_object).into_iter().flatten();
    let rest = members.filter(|(key, _)| *key != taken);
    let rest: Map<String, Value> = rest.map(|(key, value)| (key.clone(), value.clone())).collect();
    if !rest.is_empty() {
        header.insert(name.to_owned(), Value::Object(rest));
    }
}

fn numbered(events: &[Value], context: Context) -> Result<Vec<(usize, &Value, Context)>, EpcisError> {
    context.check(events.len())?;
    let outer = Arc::new(context);
    let numbered = events.iter().enumerate().map(|(position, event)| {
        let mut context = Context::inside(&outer);
        if let Some(own) = event.get("@context") {
            context = context.with(own);
            context.check(1)?;
        }
        Ok((position, event, context))
    });
    numbered.collect()
}

/// Any JSON in which no object names a member twice.
struct NamedOnce;

impl<'de> Deserialize<'de> for NamedOnce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamedOnceVisitor)
    }
}

struct NamedOnceVisitor;

impl<'de> Visitor<'de> for NamedOnceVisitor {
    type Value = NamedOnce;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<NamedOnce, E> {
        Ok(NamedOnce)
    }

    fn visit_i64<E>(self, _: i64) -> Result<NamedOnce, E> {
        Ok(NamedOnce)
    }

    fn visit_u64<E>(self, _: u64) -> Result<NamedOnce, E> {
        Ok(NamedOnce)
    }

    fn visit_f64<E>(self, _: f64) -> Result<NamedOnce, E> {
        Ok(NamedOnce)
    }

    fn visit_str<E>(self, _: &str) -> Result<NamedOnce, E> {
        Ok(NamedOnce)
    }

    fn visit_unit<E>(self) -> Result<NamedOnce, E> {
        Ok(NamedOnce)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<NamedOnce, A::Error> {
        while values.next_element::<NamedOnce>()?.is_some() {}
        Ok(NamedOnce)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<NamedOnce, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value::<NamedOnce>()?;
            if names.contains(&name) {
                return Err(A::Error::custom(format_args!(
                    "member {name:?} twice in one object"
                )));
            }
            names.insert(name);
        }
        Ok(NamedOnce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_events_in_every_shape() {
        let event = r#"{"eventTime": "x"}"#;
        for document in [
            event.to_owned(),
            format!("[{event}]"),
            format!(r#"{{"type": "EPCISDocument", "epcisBody": {{"eventList": [{event}]}}}}"#),
            format!(
                r#"{{"type": "EPCISQueryDocument", "epcisBody": {{"queryResults": {{"queryName": "q",
                    "resultsBody": {{"eventList": [{event}]}}}}}}}}"#
            ),
        ] {
            let document = parse(document.as_bytes()).unwrap();
            assert_eq!(open(&document).unwrap().events.len(), 1, "{document}");
        }
        assert!(open(&serde_json::json!({"a": 1})).is_err());
        assert!(open(&serde_json::json!("a")).is_err());
    }

    #[test]
    fn what_stands_beside_the_events_is_kept() {
        let document = parse(
            br#"{"type": "EPCISQueryDocument", "epcisBody": {"x:a": 1, "queryResults": {"queryName": "q",
                "resultsBody": {"eventList": [], "x:b": 2}}}}"#,
        )
        .unwrap();
        let header = open(&document).unwrap().header;
        assert_eq!(header["epcisBody"], serde_json::json!({"x:a": 1}));
        assert_eq!(header["resultsBody"], serde_json::json!({"x:b": 2}));
        let document = parse(br#"{"epcisBody": {"eventList": [], "x:a": 1}}"#).unwrap();
        assert_eq!(
            open(&document).unwrap().header["epcisBody"],
            serde_json::json!({"x:a": 1})
        );
    }

    #[test]
    fn says_what_other_files_look_like() {
        let said = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
        assert!(said(b"\n<?xml version='1.0'?>").contains("XML"));
        assert!(said(b"\xff\xfe{\0}\0").contains("UTF-16"));
        assert!(said(b" ").contains("nothing in it"));
        assert!(
            parse(b"\xef\xbb\xbf{}").is_ok(),
            "a byte order mark is passed over"
        );
    }

    #[test]
    fn refuses_a_member_named_twice() {
        assert!(parse(br#"{"a": 1, "b": {"c": 1.5e3, "c": 2}}"#).is_err());
        assert!(parse(br#"{"a": 1, "b": {"c": 1.5e3, "d": 2}}"#).is_ok());
    }
}
