//! Events as JSON of our own: the fields of `event.proto` by their names, read by the shape table.
//!
//! ```text
//! {"id": "...", "event_time": "2026-02-02T08:00:00+09:00", "transformed": {"inputs": [...], ...}}
//!
//! time         RFC 3339; the zone of `event_time` is its utc_offset_minutes, unless that is given
//! decimal      string, "1200.50"; made normal
//! identifier   any spelling; made normal, and the one sent is kept with the event; the lot that the links of
//!              serials name is their `class_lot`
//! serials      list of identifiers; compressed
//! bytes        hexadecimal
//! yes or no    true, false         numbers   1, or "1"
//! ```
//!
//! The table is generated from `proto/`, so a field that is added there is read here without a line of code.
//! Every fault names its field by a JSON pointer; nothing that is not understood is passed over.

mod read;
mod write;

use serde_json::Value;

use super::fault::{FIELDS_MAX, FieldFault};
use crate::{
    epcis::{EpcisError, ErrorDeclaration, Finding, keep_spellings, parse_json},
    time,
    wire::v1,
};

pub use write::write;

/// Member of an event that says it was wrong; see [`crate::gateway::intake`].
const ERROR_DECLARATION: &str = "error_declaration";

/// An event as it was asked to be published.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadEvent {
    /// In wire form, not checked yet, long lists uncut.
    pub event: v1::Event,
    /// The event is reported again, as wrong.
    pub error_declaration: Option<ErrorDeclaration>,
    /// What there is to say about values that are taken as they are, by JSON pointers of the request.
    pub findings: Vec<Finding>,
}

/// Parses JSON, numbers as they are written; objects that name a member twice are refused.
///
/// # Errors
/// If it is none.
pub fn parse(bytes: &[u8]) -> Result<Value, EpcisError> {
    parse_json(bytes)
}

/// Reads one event, which stands at `path` of its request. An event without id gets `id`.
///
/// # Errors
/// Every field at fault, up to 64.
pub fn read(value: &Value, path: &str, id: impl FnOnce() -> String) -> Result<ReadEvent, Vec<FieldFault>> {
    let mut reader = read::Reader::default();
    let Some(members) = value.as_object() else {
        return Err(vec![fault(path, "an event is an object")]);
    };
    let mut members = members.clone();
    let declaration = members.shift_remove(ERROR_DECLARATION);
    let event = reader.event(members, path, id);
    let error_declaration = declaration
        .map(|value| error_declaration(&value, &format!("{path}/{ERROR_DECLARATION}"), &mut reader));
    let mut beside = reader.finish();
    if let (Some(mut event), true) = (event, beside.faults.is_empty()) {
        let spellings = &beside.spellings;
        if spellings.iter().any(|(sent, normal)| sent != normal) {
            keep_spellings(&mut event, spellings);
        }
        return Ok(ReadEvent {
            event,
            error_declaration,
            findings: beside.findings,
        });
    }
    beside.faults.truncate(FIELDS_MAX);
    Err(beside.faults)
}

fn fault(path: &str, message: impl Into<String>) -> FieldFault {
    FieldFault {
        path: path.to_owned(),
        message: message.into(),
    }
}

fn error_declaration(value: &Value, path: &str, reader: &mut read::Reader) -> ErrorDeclaration {
    let mut declaration = ErrorDeclaration {
        declaration_time: 0,
        reason: String::new(),
        corrective_ids: Vec::new(),
    };
    let Some(members) = value.as_object() else {
        reader.fault(path, "an object");
        return declaration;
    };
    for (key, value) in members {
        let path = format!("{path}/{key}");
        match (key.as_str(), value) {
            ("declaration_time", Value::String(text)) => match time::parse_rfc3339(text) {
                Some((nanos, _)) => declaration.declaration_time = nanos,
                None => reader.fault(&path, "not an RFC 3339 time with its zone"),
            },
            ("reason", Value::String(text)) => declaration.reason.clone_from(text),
            ("corrective_ids", Value::Array(ids)) if ids.iter().all(Value::is_string) => {
                declaration.corrective_ids =
                    ids.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            }
            ("declaration_time" | "reason", _) => reader.fault(&path, "expected a string"),
            ("corrective_ids", _) => reader.fault(&path, "expected a list of event ids"),
            _ => reader.fault(&path, "no such member"),
        }
    }
    if !members.contains_key("declaration_time") {
        reader.fault(&format!("{path}/declaration_time"), "missing");
    }
    declaration
}
